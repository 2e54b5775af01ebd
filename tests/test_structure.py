"""Rules for the whole library: quick import, documented names, imports along the pipeline, no eval."""

import ast
import inspect
import re
import subprocess
import sys
from pathlib import Path

import pytest

import implicit_bias as ib

LIBRARY = Path(ib.__file__).parent
SOURCES = {path.relative_to(LIBRARY).as_posix(): ast.parse(path.read_text("utf-8")) for path in LIBRARY.rglob("*.py")}
# Data flow from the first layer to the last; a module imports from its own layer and earlier ones. A module may be in
# an earlier layer than its package: symbolic work needs the outcomes of ``claims.verdict``.
LAYERS = [
    {"errors", "files", "method_table", "norm", "shown", "status", "validation", "claims.domain", "claims.saved"},
    {"claims.changes", "claims.tree"},
    {"claims.equation"},
    {"claims.verdict"},
    {"careful_sum", "linear_map"},
    {"problem", "schedule", "potential"},
    {"symbolic"},
    {"limit"},
    {"simulate"},
    {"masking"},
    {"training"},
    {"claims"},
    {"plotting"},
    {"display"},
    {"explore"},
    {"notebooks"},
    {"cli", "__main__"},
]
HEAVY = ["torch", "sympy", "matplotlib", "scipy"]


def layer(module):
    """The number of the layer of a module, such as ``claims.verdict``, or of its package."""
    parts = module.split(".")
    for name in (".".join(parts[:2]), parts[0]):
        for k, names in enumerate(LAYERS):
            if name in names:
                return k
    pytest.fail(f"{module} is in no layer: add it to LAYERS at its place in the pipeline")


def module_of(file):
    """The name of the module in a file of the library, such as ``claims.verdict``."""
    return file.removesuffix(".py").removesuffix("/__init__").replace("/", ".")


def imported_modules(file):
    """Absolute names of all modules that a file imports anywhere, except in the methods by which results show."""
    package = ["implicit_bias", *file.split("/")[:-1]]
    shown = set(imports_to_show(file))
    for node in ast.walk(SOURCES[file]):
        if isinstance(node, ast.ImportFrom) and node.lineno in shown:
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            module = ".".join([*base, *([node.module] if node.module else [])])
            yield module
            # ``from implicit_bias import limit`` names a module, too.
            yield from (f"{module}.{alias.name}" for alias in node.names)


def imports_to_show(file):
    """Lines of such methods that import the display, which comes after the results in the pipeline."""
    for function in ast.walk(SOURCES[file]):
        if isinstance(function, ast.FunctionDef) and re.fullmatch(
            r"plot(_\w+)?|to_html|save_pages|_repr_(html|latex)_", function.name
        ):
            for node in ast.walk(function):
                if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("implicit_bias.display"):
                    yield node.lineno


def called_names(file):
    """Everything that a file calls: the name, ``f`` of f(…) and ``g`` of x.g(…), the receiver x and the line."""
    for node in ast.walk(SOURCES[file]):
        if isinstance(node, ast.Call):
            if isinstance(node.func, ast.Name):
                yield node.func.id, None, node.lineno
            elif isinstance(node.func, ast.Attribute):
                receiver = node.func.value
                yield node.func.attr, receiver.id if isinstance(receiver, ast.Name) else "…", node.lineno


def test_import_is_quick_and_light():
    """Importing loads no heavy package and takes less than 0.3 processor seconds, at best of five on a busy machine."""
    script = (
        "import sys, time; began = time.process_time(); import implicit_bias; "
        f"print(time.process_time() - began, *[name for name in {HEAVY} if name in sys.modules])"
    )
    runs = [
        subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout.split()
        for _ in range(5)
    ]
    assert min(float(run[0]) for run in runs) < 0.3
    assert runs[0][1:] == []


def test_numerics_do_without_torch():
    """Potentials, flows and limits of NumPy arrays never load torch, JAX or matplotlib."""
    script = (
        "import sys, implicit_bias as ib\n"
        "ib.bregman_projection(ib.Regression([[1.0, 2.0]], [2.0]), ib.HyperbolicEntropy(scale=1.0))\n"
        "ib.mirror_flow(ib.Regression([[1.0, 2.0]], [2.0]), ib.HyperbolicEntropy(scale=1.0), t=1.0)\n"
        "assert not {'torch', 'jax', 'matplotlib'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", script], check=True)


@pytest.mark.parametrize("name", ib.__all__)
def test_public_name_is_documented(name):
    value = getattr(ib, name)
    assert (inspect.getdoc(value) or "").strip()
    assert name in dir(ib)


def test_public_classes_document_their_methods():
    """Every public method says what it does, itself or in the class it overrides."""
    silent = []
    for name in ib.__all__:
        value = getattr(ib, name)
        if inspect.isclass(value):
            members = {k: v for k, v in vars(value).items() if not k.startswith("_")}
            silent += [
                f"{name}.{k}"
                for k, v in members.items()
                if (inspect.isfunction(v) or isinstance(v, property)) and not inspect.getdoc(getattr(value, k))
            ]
    assert silent == []


@pytest.mark.parametrize("file", [f for f in SOURCES if f != "__init__.py"])
def test_imports_follow_the_pipeline(file):
    own = layer(module_of(file))
    for module in imported_modules(file):
        top, *rest = module.split(".")
        assert top not in ("derivations", "experiments", "tests"), f"{file} imports {module}"
        if top == "implicit_bias" and rest:
            is_module = (LIBRARY / rest[0]).is_dir() or (LIBRARY / f"{rest[0]}.py").exists()
            assert is_module, f"{file} imports {module} through the package, which hides the pipeline"
            # Results show themselves by this one import, though the display comes after them.
            is_to_show = (file, module) == ("shown.py", "implicit_bias.display")
            assert layer(".".join(rest)) <= own or is_to_show, (
                f"{file} imports {module}, which comes later in the pipeline"
            )


def test_package_imports_nothing_but_its_lazy_loader():
    """And what an error needs, once there is one."""
    imported = {"lazy_loader", "implicit_bias.errors", "implicit_bias.errors.unknown_name"}
    assert set(imported_modules("__init__.py")) == imported


@pytest.mark.parametrize("file", list(SOURCES))
def test_library_is_silent_and_evaluates_no_strings(file):
    """Nothing is printed or unpickled, and no formula reaches the evaluators of Python or SymPy."""
    forbidden = {"print", "eval", "exec", "compile", "__import__", "sympify", "parse_expr"}
    if file.startswith(("cli/", "__main__")):
        forbidden -= {"print"}  # the command line is there to print
    for name, receiver, line in called_names(file):
        # re.compile and torch.compile are methods; Python's compile is a bare name.
        is_bare = receiver is None or name in ("sympify", "parse_expr")
        assert not (is_bare and name in forbidden), f"{file}:{line} calls {name}"
        assert receiver != "builtins", f"{file}:{line} calls builtins.{name}"
    modules = set(imported_modules(file))
    banned = {"pickle", "cPickle", "dill", "cloudpickle", "joblib", "marshal", "shelve"}
    assert not {m.split(".")[0] for m in modules} & banned
    assert not {m for m in modules if m.endswith((".sympify", ".parse_expr", "sympy.parsing.sympy_parser"))}


@pytest.mark.parametrize(
    ("source", "caught"),
    [("print(1)", True), ("eval('1')", True), ("sp.sympify(x)", True), ("re.compile('a')", False), ("S(x)", False)],
)
def test_the_check_itself_sees_calls(source, caught, monkeypatch):
    monkeypatch.setitem(SOURCES, "fake.py", ast.parse(source))
    if caught:
        with pytest.raises(AssertionError, match=r"fake\.py:1"):
            test_library_is_silent_and_evaluates_no_strings("fake.py")
    else:
        test_library_is_silent_and_evaluates_no_strings("fake.py")


WRITES = {"write_text", "write_bytes", "save_file", "savetxt", "to_csv"}
BUFFERED = {"savez", "savez_compressed", "savefig"}  # may write into a buffer, but not into a path


def opens_for_writing(node):
    name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
    modes = [part.value for part in [*node.args, *(k.value for k in node.keywords)] if isinstance(part, ast.Constant)]
    return name in ("open", "fdopen") and any(
        isinstance(m, str) and re.fullmatch(r"[rwaxbt+]*[wax+][rwaxbt+]*", m) for m in modes
    )


def writers(source):
    """Lines that write a file without implicit_bias.files."""
    for node in ast.walk(source):
        if isinstance(node, ast.Call):
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            target = node.args[0].id if node.args and isinstance(node.args[0], ast.Name) else "an expression"
            into_a_path = name in BUFFERED and target not in ("archive", "buffer", "content", "file", "picture")
            if name in WRITES or into_a_path or opens_for_writing(node):
                yield node.lineno


def test_every_file_is_written_whole():
    """All files are written by ``implicit_bias.files``."""
    root, found = LIBRARY.parent, []
    for top in ("implicit_bias", "experiments", "derivations", "docs"):
        for path in (root / top).rglob("*.py"):
            name = path.relative_to(root).as_posix()
            if name != "implicit_bias/files.py":
                found += [f"{name}:{line}" for line in writers(ast.parse(path.read_text("utf-8")))]
    assert found == []


@pytest.mark.parametrize(
    "line",
    [
        "path.write_text(x)",
        "open(p, 'w')",
        "p.open('wb')",
        "p.open(mode='a')",
        "np.savez(path, x=x)",
        "figure.savefig(p)",
    ],
)
def test_the_check_itself_sees_writers(line):
    assert list(writers(ast.parse(line))) == [1]
