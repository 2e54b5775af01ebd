r"""A digest of the code behind a function: it changes when anything changes that the function's result may depend on.

The library counts by whole modules, whatever of them is used. A module of experiments computes, draws and judges, so of
these count just the definitions that a function reaches; a changed picture computes nothing again. Comments, layout and
docstrings do not count. Of other packages the installed versions count.

What is reached is read from the source and never run: imports, names, and attributes of imported modules. So tasks must
not look modules up by computed names.
"""

from __future__ import annotations

import ast
import hashlib
import platform
import sys
from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from importlib.metadata import packages_distributions, version
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

LIBRARY = "implicit_bias"
BY_DEFINITION = ("experiments", "derivations")


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
    """
    parts, packages = _reached(_Part(module, name))
    digest = hashlib.sha256(platform.python_version().encode())
    for part in sorted(parts, key=str):
        digest.update(f"\0{part.module}\0{part.name}\0{_syntax(part)}".encode())
    for package, number in sorted(_versions(packages).items()):
        digest.update(f"\0{package}={number}".encode())
    return digest.hexdigest()


@cache
def package_versions(module: str) -> dict[str, str]:
    """Versions of the packages that a module reaches, by name."""
    return _versions(_reached(_Part(module))[1])


def _versions(packages: frozenset[str]) -> dict[str, str]:
    distributions = _distributions()
    return {name: version(name) for package in packages for name in distributions.get(package, ())[:1]}


@cache
def _distributions() -> dict[str, list[str]]:
    return {package: sorted(set(names)) for package, names in packages_distributions().items()}


def _reached(start: _Part) -> tuple[frozenset[_Part], frozenset[str]]:
    """Everything that a part leads to, itself included, and the packages of others among it."""
    found, packages, waiting = set[_Part](), set[str](), [start]
    while waiting:
        part = waiting.pop()
        if part in found:
            continue
        found.add(part)
        for target in _leads_to(part):
            if _is_ours(target.module, start.module):
                waiting.append(target)
            else:
                packages.add(target.module.split(".")[0])
    return frozenset(found), frozenset(packages - sys.stdlib_module_names)


def _is_ours(module: str, start: str) -> bool:
    return module == start or module.split(".")[0] in (LIBRARY, *BY_DEFINITION)


def _leads_to(part: _Part) -> Iterator[_Part]:
    tree, aliases = _tree(part.module), _modules_by_name(part.module)
    if part == _Part(LIBRARY):  # what loads lazily may all be used
        yield from map(_Part, _stub().values())
    nodes = tree.body if part.name is None else _bindings(part.module).get(part.name, [])
    # Of a whole module everything counts anyway.
    definitions = () if part.name is None else _bindings(part.module).keys() - aliases.keys()
    for node in (inner for outer in nodes for inner in ast.walk(outer)):
        if isinstance(node, ast.Import | ast.ImportFrom):
            # At the top of a file an import binds several names, of which just the wanted one counts.
            wanted = part.name if node in nodes else None
            for target in _imported(node, part.module, wanted):
                # Attributes name what is used of a module that counts by definitions.
                if part.name is not None or not _counts_by_definition(target):
                    yield target
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in aliases:
            yield _Part(aliases[node.value.id], node.attr)
        elif isinstance(node, ast.Name) and node.id in definitions:
            yield _Part(part.module, node.id)


def _counts_by_definition(part: _Part) -> bool:
    return part.name is None and part.module.split(".")[0] in BY_DEFINITION


def _imported(node: ast.Import | ast.ImportFrom, module: str, wanted: str | None) -> Iterator[_Part]:
    """What an import leads to: all of it, or just what it binds the wanted name to."""
    for alias in node.names:
        if wanted is None or wanted == (alias.asname or alias.name.split(".")[0]):
            if isinstance(node, ast.Import):
                yield _Part(alias.name)
            else:
                yield _target(_absolute(node, module), alias.name)


def _target(module: str, name: str) -> _Part:
    """Where ``from module import name`` leads."""
    top = module.split(".")[0]
    if top not in (LIBRARY, *BY_DEFINITION):
        return _Part(module)
    if _file(f"{module}.{name}") is not None:
        return _Part(f"{module}.{name}")
    if module == LIBRARY:  # loads its names lazily, from where its stub says
        return _Part(_stub().get(name, module))
    return _Part(module, name) if top in BY_DEFINITION else _Part(module)


def _absolute(node: ast.ImportFrom, module: str) -> str:
    if not node.level:
        return node.module or ""
    file = _file(module)
    is_package = file is not None and file.stem == "__init__"
    base = module.split(".")[
        : None if is_package and node.level == 1 else 1 - node.level if is_package else -node.level
    ]
    return ".".join([*base, *([node.module] if node.module else [])])


@cache
def _stub() -> dict[str, str]:
    file = _file(LIBRARY)
    tree = ast.parse(file.with_suffix(".pyi").read_text("utf-8")) if file is not None else ast.Module([], [])
    return {
        alias.name: f"{LIBRARY}.{node.module or alias.name}"
        for node in tree.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }


@cache
def _modules_by_name(module: str) -> dict[str, str]:
    """The names that a module gives to modules that count by definitions."""
    return {
        alias.asname or alias.name: target.module
        for node in ast.walk(_tree(module))
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
        if _counts_by_definition(target := _target(_absolute(node, module), alias.name))
    }


@cache
def _bindings(module: str) -> dict[str, list[ast.stmt]]:
    """The statements at the top of a module that bind each name."""
    found = defaultdict(list)
    for statement in _tree(module).body:
        if isinstance(statement, ast.FunctionDef | ast.ClassDef):
            names = {statement.name}
        elif isinstance(statement, ast.Import | ast.ImportFrom):
            names = {alias.asname or alias.name.split(".")[0] for alias in statement.names}
        else:
            names = {n.id for n in ast.walk(statement) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
        for name in names:
            found[name].append(statement)
    return dict(found)


def _syntax(part: _Part) -> str:
    statements = _tree(part.module).body if part.name is None else _bindings(part.module).get(part.name, [])
    return "\n".join(map(ast.dump, statements))


@cache
def _tree(module: str) -> ast.Module:
    """The syntax of a module without its docstrings."""
    file = _file(module)
    if file is None or file.suffix != ".py":
        return ast.Module([], [])
    tree = ast.parse(file.read_text("utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and ast.get_docstring(node) is not None:
            node.body = node.body[1:] or [ast.Pass()]
    return tree


@cache
def _file(module: str) -> Path | None:
    """The source of a module; looked up by path, since finding it as a module would import its package."""
    top, *rest = module.split(".")
    loaded = sys.modules.get(top)
    spec = loaded.__spec__ if loaded is not None else find_spec(top)
    if spec is None or spec.origin is None:
        return None
    if not rest:
        return Path(spec.origin)
    path = Path(spec.origin).parent.joinpath(*rest)
    files = (path.with_suffix(".py"), path / "__init__.py")
    return next((file for file in files if file.exists()), None)
