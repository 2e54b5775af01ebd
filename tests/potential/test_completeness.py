"""Every potential is exported, documented, and runs the law suite."""

import ast
import importlib
import inspect
import pkgutil
from pathlib import Path

import pytest

import implicit_bias as ib
from implicit_bias import potential as package

HERE = Path(__file__).parent
MODULES = [
    importlib.import_module(f"{package.__name__}.{info.name}") for info in pkgutil.iter_modules(package.__path__)
]
POTENTIALS = sorted(
    {
        value
        for module in MODULES
        for value in vars(module).values()
        if inspect.isclass(value) and issubclass(value, ib.Potential) and not inspect.isabstract(value)
    },
    key=lambda potential: potential.__name__,
)


def test_potentials_are_found():
    assert {ib.HyperbolicEntropy, ib.Entropy, ib.NumericalPotential} <= set(POTENTIALS)


@pytest.mark.parametrize("potential", POTENTIALS)
def test_a_potential_is_exported(potential):
    name = potential.__name__
    assert name in package.__all__, f"{name} is missing in implicit_bias/potential/__init__.py"
    assert name in ib.__all__, f"{name} is missing in implicit_bias/__init__.pyi"
    assert getattr(ib, name) is potential


@pytest.mark.parametrize("potential", POTENTIALS)
def test_a_potential_is_documented(potential):
    text = vars(potential).get("__doc__") or ""
    for part in (":math:", "Args:", "Raises:", ">>>"):
        assert part in text or (part == ":math:" and ".. math::" in text), (
            f"{potential.__name__}: its docstring has no {part}"
        )


# The laws are about potentials that are sums over coordinates; QuadraticForms has its own tests.
@pytest.mark.parametrize("potential", [each for each in POTENTIALS if issubclass(each, ib.SeparablePotential)])
def test_a_potential_runs_the_laws(potential):
    """The test module of the same stem runs LAWS and the laws about input, array types, copies and derivatives."""
    stem = potential.__module__.rpartition(".")[2]
    source = HERE / f"test_{stem}.py"
    assert source.exists(), f"{stem}.py has no test_{stem}.py"
    used = {node.attr for node in ast.walk(ast.parse(source.read_text("utf-8"))) if isinstance(node, ast.Attribute)}
    assert used >= {
        "LAWS",
        "ARRAYS",
        "types_are_preserved",
        "bad_input_is_refused",
        "a_copy_gives_the_same_numbers",
        "torch_rounds_once",
        "torch_derivatives_are_exact",
        "torch_differentiates_what_it_computes",
        "divergences_of_close_points_have_exact_derivatives",
    }
