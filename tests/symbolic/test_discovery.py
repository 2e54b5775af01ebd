"""The kernel of h ↦ [∇g, ∇h] against known answers, and its dimension against singular values at random points."""

import itertools
import time

import numpy as np
import pytest
import sympy as sp
from hypothesis import example, given, settings
from hypothesis import strategies as st

import implicit_bias as ib
from implicit_bias.errors import InputError
from implicit_bias.symbolic.discovery import _verify

few = settings(max_examples=max(10, settings.default.max_examples // 3))
m, w, q, u, v = sp.symbols("m w q u v")


def _span(found, symbols):
    """The monomials of polynomials and the reduced rows of their coefficients, which are equal for equal spans."""
    polys = [sp.Poly(h, *symbols) for h in found]
    monomials = sorted({mono for p in polys for mono in p.monoms()})
    matrix = sp.Matrix([[p.coeff_monomial(mono) for mono in monomials] for p in polys])
    return monomials, matrix.rref()[0]


@pytest.mark.parametrize(
    ("g", "params", "degree", "expected"),
    [
        ("m*w", "m,w", 2, [m * w, m**2 + w**2]),
        ("m*w", "m,w", 7, [m * w, m**2 + w**2]),
        ("m*w", "m,w", 1, []),
        ("m*w", "m,w", 0, []),
        ("m*w + m", "m,w", 3, [m * w + m, m**2 + w**2 + 2 * w]),
        ("u**2 - v**2", "u,v", 4, [u**2, v**2]),
        ("u**3 - v**3", "u,v", 5, [u**3, v**3]),
        ("u**5 - v**5", "u,v", 6, [u**5, v**5]),
        ("u**5 - v**5", "u,v", 4, []),
        ("m*w*q", "m,w,q", 2, []),
        ("m*w*q", "m,w,q", 5, [m * w * q]),
        ("m**2*w", "m,w", 6, [m**2 * w]),
        ("m", "m,w", 2, [m, w, w**2]),
        ("3*m*w/7", "m,w", 2, [m * w, m**2 + w**2]),
        ("1e-60*m*w", "m,w", 2, [m * w, m**2 + w**2]),
        # With coefficients that are not rational, a search over the rationals would miss g itself.
        ("m*w + sqrt(2)*m**2", "m,w", 2, [m * w + sp.sqrt(2) * m**2, m**2 + w**2]),
        ("pi*m*w + m**2", "m,w", 2, [sp.pi * m * w + m**2, m**2 + w**2]),
    ],
)
def test_known_kernels(g, params, degree, expected):
    shape = ib.Parameterization(g, params)
    found = shape.commuting_regularizers(degree)
    assert len(found) == len(expected)
    if expected:
        assert _span(found, shape.symbols) == _span(expected, shape.symbols)


def test_coupled_outputs_share_their_regularizers():
    masks = ib.Parameterization(["m1*w1", "m2*w2"], "m1,w1,m2,w2")
    m1, w1, m2, w2 = sp.symbols("m1 w1 m2 w2")
    assert set(masks.commuting_regularizers(3)) == {m1 * w1, m1**2 + w1**2, m2 * w2, m2**2 + w2**2}
    # If two weights share m, their products do not commute, and only weight decay commutes with both.
    assert ib.Parameterization(["m*w", "m*q"], "m,w,q").commuting_regularizers(3) == [m**2 + q**2 + w**2]


def test_the_basis_is_tidy():
    """The basis begins with low degrees, and has coprime integer coefficients and plain symbols."""
    found = ib.Parameterization("u + v", "u,v").commuting_regularizers(3)
    assert [sp.Poly(h, u, v).total_degree() for h in found] == [1, 1, 2, 3]
    for h in found:
        coefficients = sp.Poly(h, u, v).coeffs()
        assert all(c.is_Integer for c in coefficients)
        assert sp.igcd(0, *coefficients) == 1
        assert h.free_symbols <= {u, v}


def _numerical_dimension(g, symbols, degree):
    """The dimension of the kernel from the bracket of each monomial at random points."""
    monomials = [
        sp.Mul(*(s**k for s, k in zip(symbols, powers, strict=True)))
        for powers in itertools.product(range(degree + 1), repeat=len(symbols))
        if 0 < sum(powers) <= degree
    ]
    points = np.random.default_rng(0).uniform(-1.5, 1.5, (3 * len(monomials), len(symbols)))

    def derivatives(f):
        pull, bend = (
            sp.lambdify(symbols, list(a), "math") for a in (sp.Matrix([f]).jacobian(symbols), sp.hessian(f, symbols))
        )
        size = len(symbols)
        return np.array([pull(*p) for p in points], float), np.array([bend(*p) for p in points], float).reshape(
            -1, size, size
        )

    pull_g, bend_g = derivatives(g)
    columns = []
    for h in monomials:
        pull_h, bend_h = derivatives(h)
        columns.append((np.einsum("pij,pj->pi", bend_h, pull_g) - np.einsum("pij,pj->pi", bend_g, pull_h)).ravel())
    values = np.linalg.svd(np.transpose(columns), compute_uv=False)
    # The entries are sums of a few dozen products of size 1, so zeros are below 1e-13 of the largest singular value.
    # The coefficients are integers, which give no other small values.
    return int(np.sum(values < 1e-11 * values[0])) if values[0] else len(monomials)


@st.composite
def polynomials(draw):
    terms = [m, w, m**2, m * w, w**2, m**2 * w, w**3]
    g = sum(draw(st.integers(-2, 2)) * term for term in terms)
    return g if g != 0 else m * w


@few
@given(g=polynomials(), degree=st.integers(1, 4))
@example(g=m * w, degree=2)
@example(g=m + w, degree=4)
@example(g=(m + 2 * w) ** 2, degree=4)
def test_every_result_commutes_and_none_is_missing(g, degree):
    shape = ib.Parameterization(g, "m,w")
    found = shape.commuting_regularizers(degree)
    assert all(shape.commutes_with(h).proved for h in found)
    assert len(found) == _numerical_dimension(g, (m, w), degree)
    if found:
        assert _span(found, (m, w))[1].rank() == len(found)


def test_dimension_in_three_parameters():
    for g in (m * w * q, m * w + q, m**2 + w * q, m * w + w * q):
        found = ib.Parameterization(g, "m,w,q").commuting_regularizers(3)
        assert len(found) == _numerical_dimension(g, (m, w, q), 3)


@pytest.mark.parametrize(
    ("g", "degree", "ansatz", "expected"),
    [
        ("sqrt(u) - sqrt(v)", 1, ["sqrt(u)", "sqrt(v)", "u*sqrt(v)"], {sp.sqrt(u), sp.sqrt(v)}),
        ("log(u) - log(v)", 2, ["log(u)", "log(v)", "log(u)*log(v)"], {sp.log(u), sp.log(v)}),
        ("sin(u) - v**2", 1, ["sin(u)", "cos(u)", "v**2"], {sp.sin(u), v**2}),
        ("sigmoid(u)*v", 2, ["sigmoid(u)*v", "sigmoid(u)"], {v / (1 + sp.exp(-u))}),
        ("sinh(u) - v", 1, ["exp(u)", "exp(-u)"], {v, sp.exp(u) - sp.exp(-u)}),
        ("u*v", 0, ["u**2 + v**2", "u**2"], {u**2 + v**2}),
        ("u*v", 2, ["u**2 + v**2", "2*u*v"], {u * v, u**2 + v**2}),  # already among the monomials
        ("u*v", 0, ["abs(u)", "abs(u)*u + v**2"], set()),
        # For u > 0 the first two are equal, so both signs of u must be tried.
        ("u**2 - v", 0, ["u**2", "u*abs(u)", "abs(u)"], {u**2, u * sp.Abs(u)}),
        ("u*v", 0, ["u*v + abs(u) - u"], set()),
    ],
)
def test_ansatz(g, degree, ansatz, expected):
    shape = ib.Parameterization(g, "u,v")
    found = shape.commuting_regularizers(degree, ansatz)
    assert set(found) == expected
    assert all(shape.commutes_with(h).holds for h in found)


def test_a_regularizer_that_commutes_on_either_side_only_is_refused():
    """u|v| equals ±u·v on either side of v = 0 and commutes there, but the flow of u·v crosses v = 0."""
    with pytest.raises(ib.UnsupportedError, match="not everywhere"):
        ib.Parameterization("u*v", "u,v").commuting_regularizers(0, ["u*abs(v)"])


@pytest.mark.parametrize("degree", [-1, 1.5, "2", None, True])
def test_a_bad_degree_is_named(degree):
    with pytest.raises(InputError, match="degree: expected a"):
        ib.Parameterization("m*w", "m,w").commuting_regularizers(degree)


def test_too_many_candidates_are_refused_at_once(in_this_process):
    began = time.thread_time()
    with pytest.raises(InputError, match=r"degree: .* candidates .* ansatz"):
        ib.Parameterization("m*w*q", "m,w,q").commuting_regularizers(10**12)
    assert time.thread_time() - began < 1


@pytest.mark.parametrize("ansatz", ["m**2", ["3"], [None], ["m.__class__"], 7, ["s"]])
def test_a_bad_ansatz_is_a_formula_error(ansatz):
    with pytest.raises(ib.FormulaError):
        ib.Parameterization("m*w", "m,w").commuting_regularizers(1, ansatz)


def test_roots_of_squares_are_not_taken_for_their_positive_branch():
    """(u**6)**(1/6) counts as |u|, though SymPy keeps the root: u*|u| + v**2 commutes with u*v for u > 0 only."""
    root = (u**6) ** sp.Rational(1, 6)
    assert ib.Parameterization("u*v", "u,v").commuting_regularizers(0, [root * u + v**2]) == []


def test_a_result_that_fails_its_own_check_is_not_returned():
    _verify([u * v], [u, v], u**2 + v**2)
    with pytest.raises(ib.UnsupportedError, match="not everywhere"):
        _verify([u * v], [u, v], u * sp.Abs(u) + v**2)


def test_thousands_of_candidates_take_seconds(in_this_process):
    began = time.thread_time()
    assert ib.Parameterization("m*w*q", "m,w,q").commuting_regularizers(28) == [m * w * q]
    assert time.thread_time() - began < 30
