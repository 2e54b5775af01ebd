"""Formulas of matrices: what is read, what is refused, and values against NumPy's own evaluation of the text."""

import numpy as np
import pytest

import implicit_bias as ib
from implicit_bias.simulate.matrix_model import MatrixModel

SHAPES = {"U": (3, 2), "V": (3, 2), "W": (2, 3), "m": 3, "S": (3, 3)}


@pytest.mark.parametrize(
    "formula",
    [
        "U @ U.T",
        "U @ V.T",
        "U @ U.T - V @ V.T",
        "diag(m) @ U @ W",
        "-2 * U @ (V.T - W) @ S",
        "(U @ W).T @ S.T + 0.5 * S",
        "U @ W @ diag(m).T * 3",
        "S",
    ],
)
def test_values_are_those_of_the_text(formula):
    names = [name for name in SHAPES if name in formula.replace("diag", "")]
    parameterization = ib.MatrixParameterization(formula, {name: SHAPES[name] for name in names})
    generator = np.random.default_rng(0)
    values = {name: generator.normal(size=parameterization.shapes[name]) for name in parameterization.params}
    want = eval(formula, {"diag": np.diag, **values})  # noqa: S307 - the formulas above
    model = MatrixModel(parameterization, want.size)
    assert parameterization.shape == want.shape
    np.testing.assert_allclose(model.weights(model.joined(values)), want.ravel(), rtol=0, atol=1e-13)
    back = model.named(model.joined(values))
    assert all(np.array_equal(back[name], values[name]) for name in values)


@pytest.mark.parametrize(
    ("formula", "message"),
    [
        ("U * V", "none of names"),
        ("U @ 2", "none of names"),
        ("2 + 3", "without parameters"),
        ("U + 1", "without parameters"),
        ("U.mean", "none of names"),
        ("exp(U)", "none of names"),
        ("diag(U @ W)", "none of names"),
        ("U ** 2", "none of names"),
        ("U[0]", "none of names"),
        ("True * U", "none of names"),
        ("U @", "is not a formula"),
        ("__import__('os')", "none of names"),
        ("sin @ U", "is taken"),
        ("U" + " @ U" * 30, "at most"),
        ("(U + V) @ " * 9 + "S", "at most"),
        ("U " * 600, "at most"),
        (3, "a string"),
    ],
)
def test_what_is_no_formula_is_refused(formula, message):
    with pytest.raises(ib.FormulaError, match=message):
        ib.MatrixParameterization(formula, {"U": (3, 3), "V": (3, 3), "S": (3, 3)})


@pytest.mark.parametrize(
    ("formula", "shapes", "message"),
    [
        ("U @ V", {"U": (3, 2), "V": (3, 2)}, "inner sizes"),
        ("U + V", {"U": (3, 2), "V": (2, 3)}, "adds matrices"),
        ("U @ V", {"U": (3, 2)}, "exactly the parameters U, V"),
        ("outer @ V", {"uoter": (3, 2), "V": (2, 3)}, r"got uoter, V \(did you mean outer\?\)"),
        ("U @ V", {"U": (3, 2), "V": 2}, r"expected \(rows, columns\)"),
        ("diag(m) @ U", {"m": (3, 3), "U": (3, 2)}, "a length"),
        ("U", {"U": (3, 0)}, "positive integers"),
        ("U", {"U": (3, 2.5)}, "expected an integer"),
    ],
)
def test_shapes_that_do_not_fit(formula, shapes, message):
    with pytest.raises(ib.InputError, match=message):
        ib.MatrixParameterization(formula, shapes)


def test_starts():
    """One matrix or vector for each parameter, for several runs with an axis in front, of at least one run."""
    formula = ib.MatrixParameterization("diag(m) @ U", {"m": 3, "U": (3, 2)})
    one, several = {"m": np.ones(3), "U": np.ones((3, 2))}, {"m": np.ones((4, 3)), "U": np.ones((4, 3, 2))}
    for init, runs in ((one, False), (one, True), (several, True)):
        found = formula.start(init, runs)
        assert {name: value.shape for name, value in found.items()} == {name: v.shape for name, v in init.items()}
    for init, runs, message in (
        (["m", "U"], False, "expected a dict with exactly the parameters m, U"),
        (several, False, r"init\['m'\]: expected shape \(3,\), got \(4, 3\)"),
        ({"m": np.ones(3), "U": np.ones((2, 3))}, True, r"expected shape \(3, 2\) or \(runs, 3, 2\), got \(2, 3\)"),
        ({"m": np.ones((0, 3)), "U": np.ones((3, 2))}, True, r"expected shape \(3,\) or \(runs, 3\), got \(0, 3\)"),
    ):
        with pytest.raises(ib.InputError, match=message):
            formula.start(init, runs)


def test_regularizers():
    shapes = {"U": (2, 2), "V": (2, 2)}
    both = ib.MatrixParameterization("U @ V.T", shapes, 2.0)
    assert both.regularizer == {"U": 2.0, "V": 2.0}
    assert both.with_regularizer({"V": 1.0}).regularizer == {"U": 0.0, "V": 1.0}
    assert both.with_regularizer(None).regularizer is None
    for given, message in (({"W": 1.0}, "W is none"), (-1.0, "non-negative")):
        with pytest.raises(ib.InputError, match=message):
            both.with_regularizer(given)
