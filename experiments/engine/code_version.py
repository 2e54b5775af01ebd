r"""A digest of the code behind a function: it changes when anything changes that the function's result may depend on.

The library counts by whole modules, whatever of them is used. Other modules of ours compute, draw and judge, so of
these count just the definitions that a function reaches, and what the module does at its top beside defining; a changed
picture computes nothing again. Comments, layout and docstrings do not count. Of packages that are imported the
installed versions count.

What is reached is read from the source and never run: names, and attributes of imported modules. Source that would hide
what it reaches is refused. Unseen are modules imported for their effects alone, what code is given from outside (files,
the environment, hardware), and packages that only other packages import.
"""

from __future__ import annotations

import ast
import hashlib
import platform
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache, cached_property
from importlib.metadata import packages_distributions, version
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

from implicit_bias.errors import InputError

LIBRARY = "implicit_bias"
OURS = (LIBRARY, "experiments", "derivations")
DISPLAY = f"{LIBRARY}.display"  # how the library's results show themselves, at the ends of its pipeline
_BY_NAME = {"import_module", "__import__", "iter_modules"}  # lead to modules whose names only running tells
_ENGINE = "experiments.engine.sweep"  # loads so what was found here
# The worker imports by name what its callers hand to it, functions and classes of data that are named where they stand.
_NAMED_BY_CALLERS = (_ENGINE, "implicit_bias.symbolic.codec", "implicit_bias.symbolic.worker")


class OtherCodeError(RuntimeError):
    """A process runs other code than a result would be stored under."""


class _Part(NamedTuple):
    """A definition at the top of a module, or with ``name=None`` all of it."""

    module: str
    name: str | None = None


@cache
def code_version(module: str, name: str | None = None) -> str:
    """The digest of a definition at the top of a module, or of the whole module.

    Args:
        module: Its full name.
        name: A function, class or constant.

    Raises:
        InputError: If the source is not there, or hides what it reaches.
        OtherCodeError: If the source changed after this was first called: what runs may be older.
    """
    _remember_sources()
    parts = _reached(_Part(module, name))
    for path in {source.path for part in parts if (source := _source(part.module))}:
        if path.read_bytes() != _content(path):
            raise OtherCodeError(f"{path} changed after this program started; start it again, it goes on from here.")
    digest = hashlib.sha256(platform.python_version().encode())
    for part, references in sorted(parts.items(), key=str):
        digest.update(f"\0{part}\0{references}\0{_syntax(part)}".encode())
    digest.update(str(sorted(_versions(parts).items())).encode())
    return digest.hexdigest()


@cache
def package_versions(module: str) -> dict[str, str]:
    """Versions of the distributions that a module reaches, by name."""
    return _versions(_reached(_Part(module)))


def packages(module: str, name: str) -> list[str]:
    """The packages of others, beside Python's own, that a definition reaches."""
    return sorted(package for package in _foreign(_reached(_Part(module, name))) if package in _distributions())


def _foreign(parts: Iterable[_Part]) -> set[str]:
    return {part.module for part in parts if _source(part.module) is None} - sys.stdlib_module_names


def _versions(parts: Iterable[_Part]) -> dict[str, str]:
    found = _distributions()
    return {name: version(name) for package in _foreign(parts) for name in found.get(package, ())}


@cache
def _distributions() -> dict[str, list[str]]:
    return {package: sorted(set(names)) for package, names in packages_distributions().items()}


@cache
def _reached(start: _Part) -> dict[_Part, list[tuple[str, _Part]]]:
    """Everything that a part leads to, itself included, and under which names it does."""
    source = _source(start.module)
    if source is None or (start.name is not None and start.name not in source.bindings):
        raise InputError(f"{'.'.join(filter(None, start))}: expected the name of a definition whose source is here.")
    found, waiting = {}, [start]
    while waiting:
        part = waiting.pop()
        if part not in found:
            found[part] = sorted({each for each in _references(part) if not _is_display(part, each[1])}, key=str)
            waiting += [target for _, target in found[part]]
    return found


def _is_display(part: _Part, target: _Part) -> bool:
    """Whether a result of the library shows itself here, which changes nothing in it."""
    return f"{target.module}.".startswith(f"{DISPLAY}.") and part.module.split(".")[0] == LIBRARY


def _references(part: _Part) -> Iterator[tuple[str, _Part]]:
    """What a part leads to, each beside how it names that and where the name comes from."""
    source = _source(part.module)
    if source is None:
        return
    for name in source.imports if part.name is None else {part.name} & source.imports.keys():
        yield from ((f"{name} = {origin}", target) for origin, target in source.imports[name])
    resolved = set()
    for node in (inner for statement in _statements(part) for inner in ast.walk(statement)):
        if {getattr(node, "id", None), getattr(node, "attr", None)} & _BY_NAME and part.module not in _NAMED_BY_CALLERS:
            raise InputError(f"{part.module} imports modules by computed names, so what results depend on is hidden.")
        if part.name is None:
            continue
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            found = source.imports.get(node.value.id, ())
            if found and all(target.name is None and _source(target.module) for _, target in found):
                resolved.add(node.value)
                for origin, module in found:
                    name = f"{node.value.id}.{node.attr} = {origin}.{node.attr}"
                    yield from ((name, target) for target in _targets(module.module, node.attr))
        elif isinstance(node, ast.Name) and node not in resolved:
            yield from ((f"{node.id} = {origin}", target) for origin, target in source.imports.get(node.id, ()))
            if node.id in source.bindings:
                yield node.id, _Part(part.module, node.id)


def _statements(part: _Part) -> list[ast.stmt]:
    source = _source(part.module)
    if source is None:
        return []
    if part.name is None:
        return source.tree.body
    return source.bindings.get(part.name, []) + source.effects


def _syntax(part: _Part) -> str:
    # Where names come from is among the references.
    return "\n".join(ast.dump(node) for node in _statements(part) if not isinstance(node, ast.Import | ast.ImportFrom))


@dataclass(frozen=True, eq=False)
class _Source:
    """The source of a module of ours.

    Attributes:
        module: Its name.
        path: Its file.
        tree: Its syntax without docstrings, and last that of the stub of a package that loads lazily.
        is_lazy: Whether there is such a stub: each name then leads to its own module.
    """

    module: str
    path: Path
    tree: ast.Module
    is_lazy: bool

    @property
    def is_library(self) -> bool:
        return self.module.split(".")[0] == LIBRARY

    @cached_property
    def imports(self) -> dict[str, set[tuple[str, _Part]]]:
        """What imports anywhere in it bind names to: where that comes from and where it leads."""
        found = defaultdict(set)
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Import | ast.ImportFrom):
                for name, origin, targets in _imported(node, self):
                    found[name] |= {(origin, target) for target in targets}
        return dict(found)

    @cached_property
    def bindings(self) -> dict[str, list[ast.stmt]]:
        """The statements at its top that define each name."""
        found = defaultdict(list)
        for statement in self.tree.body:
            if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                found[statement.name].append(statement)
            elif not isinstance(statement, ast.Import | ast.ImportFrom):
                for name in {n.id for n in ast.walk(statement) if isinstance(n, ast.Name) and _is_stored(n)}:
                    found[name].append(statement)
        return dict(found)

    @cached_property
    def effects(self) -> list[ast.stmt]:
        """What it does at its top beside binding names, to anything in it: registering, filling, choosing."""
        return [statement for statement in self.tree.body if _has_effects(statement, self)]


def _is_stored(name: ast.Name) -> bool:
    return isinstance(name.ctx, ast.Store)


def _has_effects(statement: ast.stmt, source: _Source) -> bool:
    if isinstance(statement, ast.Import | ast.ImportFrom):
        return False
    if isinstance(statement, ast.Assign | ast.AnnAssign):
        targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
        return any(isinstance(inner, ast.Subscript | ast.Attribute) for each in targets for inner in ast.walk(each))
    if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        # Decorators and base classes of ours may keep a register.
        callers = [*statement.decorator_list, *getattr(statement, "bases", ()), *getattr(statement, "keywords", ())]
        names = {inner.id for each in callers for inner in ast.walk(each) if isinstance(inner, ast.Name)}
        return any(
            name in source.bindings or any(_source(target.module) for _, target in source.imports.get(name, ()))
            for name in names
        )
    return True


def _imported(node: ast.Import | ast.ImportFrom, source: _Source) -> Iterator[tuple[str, str, set[_Part]]]:
    """The names that a statement binds, where each comes from, and where it leads."""
    for alias in node.names:
        if isinstance(node, ast.Import):
            top = alias.name.split(".")[0]
            yield alias.asname or top, alias.name, {_module(alias.name), *([] if alias.asname else [_module(top)])}
        else:
            origin = _absolute(node, source)
            inner = f"{origin}.{alias.name}"
            if alias.name != "*":
                targets = {_module(inner)} if origin == source.module else _targets(origin, alias.name)
                yield alias.asname or alias.name, inner, targets
            elif source.is_library:
                yield f"* of {origin}", origin, {_module(origin)}
            else:
                raise InputError(f"{source.module}: import * from {origin} hides where names come from; name them.")


def _absolute(node: ast.ImportFrom, source: _Source) -> str:
    if not node.level:
        return node.module or ""
    above = node.level - (source.path.stem == "__init__")
    parts = source.module.split(".")
    return ".".join([*parts[: len(parts) - above], *filter(None, [node.module])])


def _module(name: str) -> _Part:
    """A module of ours, or the package that it is in."""
    return _Part(name if _source(name) else name.split(".")[0])


def _targets(module: str, name: str) -> set[_Part]:
    """Where ``from module import name`` and ``module.name`` lead."""
    source, inner = _source(module), f"{module}.{name}"
    if source is None:
        return {_module(inner if _source(inner) else module)}
    if source.is_lazy and name in source.imports:
        return {target for _, target in source.imports[name]}
    if source.is_library and not source.is_lazy:  # a package may call something else by the name of a module in it
        return {_Part(module), *([_Part(inner)] if _source(inner) else [])}
    if name in source.bindings or name in source.imports:
        return {_Part(module, name)}
    return {_Part(inner if _source(inner) else module)}


@cache
def _source(module: str) -> _Source | None:
    path = _file(module)
    if path is None:
        return None
    tree = ast.parse(_content(path))
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and ast.get_docstring(node) is not None:
            node.body = node.body[1:] or [ast.Pass()]
    stub = path.with_suffix(".pyi")
    is_lazy = module.split(".")[0] == LIBRARY and stub.exists()
    if is_lazy:
        tree.body += ast.parse(_content(stub)).body
    return _Source(module, path, tree, is_lazy)


@cache
def _file(module: str) -> Path | None:
    """The source of a module of ours; looked up by path, since finding it as a module would import its package."""
    top, *rest = module.split(".")
    if not top or top in sys.stdlib_module_names or (top not in OURS and top in _distributions()):
        return None
    loaded = sys.modules.get(top)
    spec = find_spec(top) if loaded is None else loaded.__spec__
    if spec is None:
        return None
    if not rest:
        files = [Path(spec.origin)] if spec.origin and spec.origin.endswith(".py") else []
    else:
        paths = [Path(folder, *rest) for folder in spec.submodule_search_locations or ()]
        files = [file for path in paths for file in (path / "__init__.py", path.with_suffix(".py"))]
    return next((file for file in files if file.exists()), None)


@cache
def _content(path: Path) -> bytes:
    return path.read_bytes()


@cache
def _remember_sources() -> None:
    """Read all source as it is now, soon after the program has loaded it."""
    for top in OURS:
        if (file := _file(top)) is not None:
            for path in file.parent.rglob("*.py"):
                _content(path)
