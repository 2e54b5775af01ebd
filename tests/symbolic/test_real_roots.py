"""Roots of odd powers, held against their values; and the powers whose derivations need them."""

import numpy as np
import pytest
import sympy as sp
from hypothesis import given
from hypothesis import strategies as st

import implicit_bias as ib
from implicit_bias.symbolic.real_roots import real_roots

x, y = sp.symbols("x y", real=True)
EXPONENTS = st.sampled_from([-6, -3, -1, 1, 2, 3, 5, 9])
VALUES = st.sampled_from([sp.Rational(v) for v in ("-7/3", "-1/2", "2/5", "3", "1")])


@given(
    st.sampled_from([-8, -1, 1, 3]), EXPONENTS, EXPONENTS, st.sampled_from(["1/3", "2/3", "-1/5", "1/2", "-3/2"]),
    st.sampled_from([x, x + 1, 1 - 2 * x]), VALUES, VALUES,
)  # fmt: skip
def test_it_has_the_same_value_where_the_root_is_real(c, m, n, power, base, at_x, at_y):
    radicand = c * base**m * y**n
    at = {x: at_x, y: at_y}
    if base.xreplace(at) == 0 or radicand.xreplace(at) < 0:
        return
    root = sp.expand(radicand) ** sp.Rational(power)
    assert sp.Abs(real_roots(root).xreplace(at).evalf(30) - root.xreplace(at).evalf(30)) < 1e-20


def test_a_symbol_under_a_root_is_not_negative():
    assert real_roots(sp.sqrt(x**2) * sp.sqrt(x)) == x ** sp.Rational(3, 2)
    assert real_roots(sp.sqrt(x**2) * x) == sp.Abs(x) * x
    assert real_roots((x ** sp.Rational(3, 2)) ** sp.Rational(2, 3)) == x


POWERS = ["1/2", "-1", "2/3", "-2/3", "-1/2", "3", "4", "5", "1/4", "4/3"]


@pytest.mark.parametrize("power", POWERS)
def test_powers_are_proved(power):
    p = sp.Rational(power)
    derivation = ib.derive(f"u**({power})")
    assert derivation.proved
    assert repr(derivation).endswith(", proved)")
    # R'' = 1/g'(u)², where x = uᵖ.
    at, start = sp.Rational(7, 4), sp.Rational(3, 2)
    slope = sp.diff(derivation.potential, "x", 2).subs({"x": at**p, "u0": start})
    assert abs(slope.evalf(30) - (1 / (p * at ** (p - 1)) ** 2).evalf(30)) < 1e-20
    assert abs(sp.diff(derivation.potential, "x").subs({"x": start**p, "u0": start}).evalf(30)) < 1e-20


@pytest.mark.parametrize("g", ["(1 + u)**3", "sinh(u)**3", "exp(u) - exp(-v)"])
def test_what_is_not_proved_is_named(g):
    """From u < −1 or u < 0 the weight x is negative, where x^(1/3) in the first two formulas is not real."""
    derivation = ib.derive(g)
    assert not derivation.proved
    open_ones = [each.name for each in derivation.identities if each.outcome is not ib.Outcome.PROVED]
    assert derivation.closed_form
    assert open_ones
    assert all(name in repr(derivation).partition("not proved")[2] for name in open_ones)


def test_a_metric_without_an_integral_leaves_the_flow():
    derivation = ib.derive("log(u)**3")
    assert not derivation.closed_form
    assert derivation.at(u=2.0).gradient(np.log(2.0) ** 3) == pytest.approx(0.0, abs=1e-12)


@pytest.mark.parametrize(
    ("g", "complex_start"),
    [("(1 + u)**3", "-2"), ("sinh(u)**3", "-1"), ("(2*u - 1)**3", "0"), ("u**3", None), ("m*w", None), ("u**4", None)],
)
def test_where_the_formulas_are_real_is_said(g, complex_start):
    """The mirror map of the first three is complex at the start itself, where it has to vanish."""
    derivation = ib.derive(g)
    assert bool(derivation.notes) == (complex_start is not None)
    if complex_start is not None:
        assert "real only where x is not negative" in derivation.notes[0]
        start = {"u0": sp.Rational(complex_start)}
        at_start = sp.sympify(derivation.parameterization.outputs[0]).subs("u", start["u0"])
        value = derivation.mirror_map.subs(start).subs("x", at_start)
        assert abs(sp.im(value.evalf(20))) > 1e-3
