"""A table is kept while a start moves along the flow of ∇g, and answers as the exact potential does."""

import numpy as np
import pytest

import implicit_bias as ib
from implicit_bias.explore import tabulated
from implicit_bias.explore.tabulated import Tables

FORMULAS = {"a*b*c": (0.5, 0.4, 0.6), "log(u) - log(v)": (1.0, 0.7), "atan(u)": (0.2,), "u**3 - v**3": (1.0, 0.5)}


@pytest.fixture(autouse=True)
def quiet():
    """As in a picture: overflow is looked for where it matters."""
    with np.errstate(all="ignore"):
        yield


@pytest.fixture
def made(monkeypatch):
    """The starts for which the flow of ∇g was integrated."""
    starts, integrate = [], tabulated.TabulatedPotential._side

    def counted(self, sign, reach):
        if sign > 0:
            starts.append(tuple(self._start))
        return integrate(self, sign, reach)

    monkeypatch.setattr(tabulated.TabulatedPotential, "_side", counted)
    return starts


def tables_of(formula):
    parameterization = ib.Parameterization(formula)
    return parameterization, Tables(parameterization.separable_map(), parameterization.field_at_point())


@pytest.mark.parametrize("formula", FORMULAS)
@pytest.mark.parametrize("rise", [1e-9, 1e-3, 0.1, -0.1])
def test_a_start_on_the_curve_of_a_table_needs_no_new_one(made, formula, rise):
    """The reference integrates the flow anew, to 1e-10; close to the minimizer nothing cancels."""
    parameterization, tables = tables_of(formula)
    init = dict(zip(parameterization.params, FORMULAS[formula], strict=True))
    first = ib.NumericalPotential(parameterization, init)
    start = first.parameters(first.minimizer + rise)
    tables.at(np.array(FORMULAS[formula]), 1e3)
    table = tables.at(start, 1e3)
    assert len(made) == 1
    exact = ib.NumericalPotential(parameterization, dict(zip(parameterization.params, start, strict=True)))
    assert float(table.minimizer) == pytest.approx(float(exact.minimizer), abs=1e-12)
    s = np.concatenate([-np.geomspace(1e-6, 0.1, 15), np.geomspace(1e-6, 0.1, 15)])
    x = exact.minimizer + s
    np.testing.assert_allclose(table.gradient(x), exact.gradient(x), rtol=2e-6)
    np.testing.assert_allclose(table.metric(x), exact.metric(x), rtol=1e-4)
    center = np.broadcast_to(table.minimizer, x.shape)
    np.testing.assert_allclose(table.divergence_terms_at(x, center), exact.divergence_terms_at(x, center), rtol=2e-6)
    np.testing.assert_allclose(table.inverse_gradient(table.gradient(x)), x, atol=1e-9)


@pytest.mark.parametrize("formula", ["a*b*c", "log(u) - log(v)", "u**3 - v**3"])
def test_a_start_off_the_curve_gets_a_table_of_its_own(made, formula):
    _, tables = tables_of(formula)
    start = np.array(FORMULAS[formula])
    tables.at(start, 1e3)
    tables.at(start + np.eye(len(start))[0] * 1e-3, 1e3)
    assert len(made) == 2


def test_a_table_ends_where_its_weights_cannot_be_read_any_more(monkeypatch):
    """Close to the pole of log(v), u and v are too close for a double to tell weights apart; what follows is noise."""
    sides, integrate = [], tabulated.TabulatedPotential._side

    def kept(self, sign, reach):
        sides.append(integrate(self, sign, reach))
        return sides[-1]

    monkeypatch.setattr(tabulated.TabulatedPotential, "_side", kept)
    parameterization, tables = tables_of("log(u) - log(v)")
    first, last = tables.at(np.array([0.2, 0.2]), 1e4).domain
    assert (first, last) == (pytest.approx(-21.47, abs=0.1), pytest.approx(21.47, abs=0.1))
    for side in sides:
        x = parameterization.separable_map().output(side[:, :-1].T)
        assert len(side) <= 1200
        assert np.all(np.diff(x) * np.sign(x[-1]) > 0)


def test_a_table_that_does_not_reach_far_enough_is_made_anew(made):
    _, tables = tables_of("a*b*c")
    start = np.array(FORMULAS["a*b*c"])
    tables.at(start, 10.0)
    tables.at(start, 1e4)
    tables.at(start, 1e3)
    assert len(made) == 2


@pytest.mark.parametrize(("kept", "asked"), [(1e-12, 0.5), (0.5, 1e-12), (1e4, 0.5)])
def test_a_start_of_another_size_on_the_same_curve_has_the_digits_of_a_table_of_its_own(kept, asked):
    """All a = b = c lie on one curve, but R' from the one grows to 1e12 times what it is from the other."""
    _, tables = tables_of("a*b*c")
    _, fresh = tables_of("a*b*c")
    tables.at(np.full(3, kept), 1e4)
    start = np.full(3, asked)
    x = asked**3 * np.array([0.5, 0.9, 1.1, 2.0, 10.0])
    np.testing.assert_allclose(tables.at(start, 1e4).metric(x), 3 * x ** (4 / 3), rtol=1e-4)
    np.testing.assert_allclose(tables.at(start, 1e4).gradient(x), fresh.at(start, 1e4).gradient(x), rtol=1e-6)
