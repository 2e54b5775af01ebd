r"""A digest of the code behind a module: it changes when a module of ours changes that it imports, however indirectly.

Whole modules count, and the packages they are in; so do imports within functions, installed versions of packages of
others, and Python's. Comments, layout and docstrings do not. Imports are read from the source, which is never run.
It does not see what comes from outside (files, the environment, hardware), nor what packages of others import.
"""

from __future__ import annotations

import ast
import hashlib
import platform
import sys
from functools import cache
from importlib.metadata import packages_distributions, version
from importlib.util import find_spec
from pathlib import Path

from implicit_bias.errors import InputError

OURS = ("implicit_bias", "experiments", "derivations")
# The display of results, and the workers that compute them, change nothing in them.
NO_PART_IN_RESULTS = ("implicit_bias.display.", "experiments.engine.")
_BY_NAME = {"import_module", "__import__", "iter_modules"}  # only a run tells which modules these lead to
# Callers of these name in their source what is loaded, or the command line needs a list of a package.
_MAY_LOAD_BY_NAME = ("experiments", "derivations", "implicit_bias.symbolic.codec", "implicit_bias.symbolic.worker")


class OtherCodeError(RuntimeError):
    """A process runs other code than a result would be stored under."""


@cache
def code_version(module: str) -> str:
    """The digest of a module and of all that it imports.

    Args:
        module: Its full name.

    Raises:
        InputError: If its source is not there, or hides what it imports.
        OtherCodeError: If the source changed after this was first called: what runs may be older.
    """
    _remember_sources()
    files = {name: file for name in sorted(_reached(module)) if (file := _file(name))}
    digest = hashlib.sha256(platform.python_version().encode())
    for name, file in files.items():
        if file.read_bytes() != _content(file):
            raise OtherCodeError(f"{file} changed after this program started; start it again, it goes on from here.")
        digest.update(f"\0{name}\0{_syntax(file)}".encode())
    digest.update(str(sorted(package_versions(module).items())).encode())
    return digest.hexdigest()


def package_versions(module: str) -> dict[str, str]:
    """Versions of the distributions that a module reaches, by name."""
    return {name: version(name) for package in packages(module) for name in sorted(set(_distributions()[package]))}


def packages(module: str) -> list[str]:
    """The packages of others, beside Python's own, that a module reaches."""
    return sorted({name.split(".")[0] for name in _reached(module) if _file(name) is None} & _distributions().keys())


_distributions = cache(packages_distributions)


@cache
def _reached(module: str) -> frozenset[str]:
    """The module and every one that it leads to; those of others lead no further."""
    if _file(module) is None:
        raise InputError(f"{module}: expected the name of a module whose source is here.")
    found: set[str] = set()
    waiting = {module}
    while waiting:
        found.add(name := waiting.pop())
        waiting |= _imports(name) - found
    return frozenset(found)


@cache
def _imports(module: str) -> frozenset[str]:
    """The modules that a module imports, anywhere in it, and the packages that they are in."""
    if (file := _file(module)) is None:
        return frozenset()
    found: set[str] = set()
    for node in ast.walk(_tree(file)):
        if isinstance(node, ast.Import):
            for alias in node.names:
                found |= {alias.name, *_within(alias.name.split(".")[0])}
        elif isinstance(node, ast.ImportFrom):
            found = found.union(*(_targets(_origin(node, module, file), alias.name) for alias in node.names))
        elif {getattr(node, "id", None), getattr(node, "attr", None)} & _BY_NAME and module not in _MAY_LOAD_BY_NAME:
            raise InputError(f"{module} imports modules by computed names, so what results depend on is hidden.")
    found = {name.rsplit(".", k)[0] for name in found for k in range(name.count(".") + 1)}
    return frozenset(name for name in found if not f"{name}.".startswith(NO_PART_IN_RESULTS))


def _within(package: str) -> list[str]:
    """All modules of a package of ours, as its attributes lead to any of them; none of another package."""
    file = _file(package)
    if file is None or file.stem != "__init__":
        return []
    inner = [path.relative_to(file.parent.parent).with_suffix("") for path in file.parent.rglob("*.py")]
    return [".".join(path.parts).removesuffix(".__init__") for path in inner]


def _targets(origin: str, name: str) -> set[str]:
    """The modules that ``from origin import name`` leads to."""
    exports, inner = _exports(origin), f"{origin}.{name}"
    if name == "*":
        return {origin}.union(*exports.values())
    if name in exports:
        return {origin, *exports[name]}
    return {origin, *([inner, *_within(inner)] if _file(inner) else [])}


def _origin(node: ast.ImportFrom, module: str, file: Path) -> str:
    """The full name of what a statement in a module imports from."""
    above = node.level - (file.stem == "__init__")
    package = module.split(".")[: -above or None] if node.level else []
    return ".".join([*package, *filter(None, [node.module])])


@cache
def _exports(package: str) -> dict[str, set[str]]:
    """The modules that each name of a lazily loading package leads to, from its stub; none for another package."""
    file = _file(package)
    if file is None or not (stub := file.with_suffix(".pyi")).exists():
        return {}
    exports = {}
    imports = [node for node in ast.parse(_content(stub)).body if isinstance(node, ast.ImportFrom)]
    for node in imports:
        for alias in node.names:
            origin, inner = _origin(node, package, file), f"{package}.{alias.name}"
            exports[alias.asname or alias.name] = {inner} if origin == package else _targets(origin, alias.name)
    return exports


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
    if rest:
        inner = [Path(folder, *rest) for folder in spec.submodule_search_locations or ()]
        files = [file for path in inner for file in (path / "__init__.py", path.with_suffix(".py"))]
    else:
        files = [Path(spec.origin)] if spec.origin and spec.origin.endswith(".py") else []
    return next((file for file in files if file.exists()), None)


@cache
def _tree(file: Path) -> ast.Module:
    """The syntax of a source without its docstrings."""
    tree = ast.parse(_content(file))
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and ast.get_docstring(node) is not None:
            node.body = node.body[1:] or [ast.Pass()]
    return tree


@cache
def _syntax(file: Path) -> str:
    return ast.dump(_tree(file))


@cache
def _content(file: Path) -> bytes:
    return file.read_bytes()


@cache
def _remember_sources() -> None:
    """Read all source as it is now, soon after the program has loaded it."""
    for top in OURS:
        if file := _file(top):
            for path in file.parent.rglob("*.py"):
                _content(path)
