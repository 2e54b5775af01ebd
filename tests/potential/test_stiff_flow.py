"""Flows along which one direction settles while another runs on, against SciPy's implicit integrator."""

import warnings

import numpy as np
import pytest
from scipy.integrate import solve_ivp

import implicit_bias as ib
from implicit_bias.potential import stiff_flow

# g, its gradient by hand, and a start. Each settles at a rate that grows with the weight, so its domain is all of R.
FAMILY = {
    "sin(u)*v": (lambda u, v: (np.cos(u) * v, np.sin(u)), (0.5, 1.0)),
    "cos(u)*v": (lambda u, v: (-np.sin(u) * v, np.cos(u)), (0.5, 1.0)),
    "u*cos(v)": (lambda u, v: (np.cos(v), -u * np.sin(v)), (1.0, 0.5)),
    "v*exp(-u**2)": (lambda u, v: (-2 * u * v * np.exp(-(u**2)), np.exp(-(u**2))), (0.5, 1.0)),
    "v/(1 + u**2)": (lambda u, v: (-2 * u * v / (1 + u**2) ** 2, 1 / (1 + u**2)), (0.5, 1.0)),
    # The direction that settles is none of the parameters, or goes on moving slowly.
    "sin(u - v)*(u + v)": (
        lambda u, v: (np.sin(u - v) + np.cos(u - v) * (u + v), np.sin(u - v) - np.cos(u - v) * (u + v)),
        (0.5, 1.0),
    ),
    "v*sin(u) + u": (lambda u, v: (v * np.cos(u) + 1, np.sin(u)), (0.5, 1.0)),
}


@pytest.fixture(scope="module", params=FAMILY)
def settling(request):
    gradient, (u, v) = FAMILY[request.param]
    g = ib.Parameterization(request.param, "u,v")
    return g, gradient, (u, v), ib.NumericalPotential(g, {"u": u, "v": v})


def test_the_domain_is_the_line(settling):
    *_, R = settling
    assert R.domain == (-np.inf, np.inf)
    assert R.dual_domain == (-np.inf, np.inf)


def test_values_against_an_implicit_integrator(settling):
    g, gradient, start, R = settling
    for z in (-60.0, -3.0, 2.0, 100.0):
        flow = solve_ivp(lambda _, theta: gradient(*theta), (0, z), start, method="Radau", rtol=1e-11, atol=1e-13)
        theta = flow.y[:, -1]
        x = float(g.output.subs(dict(zip(g.symbols, theta, strict=True))))
        assert float(R.inverse_gradient(z)) == pytest.approx(x, rel=1e-8)
        assert float(R.gradient(x)) == pytest.approx(z, rel=1e-8)
        assert float(R.metric(x)) == pytest.approx(np.sum(np.square(gradient(*theta))), rel=1e-8)


def test_far_weights_keep_their_digits():
    """Once cos(u) has settled at 0, the weight is a constant plus z."""
    R = ib.derive("sin(u)*v").at(u=0.5, v=1.0)
    x = np.array([50.0, 200.0, 1e4, 1e6, 2e7])
    shift = x - np.array([float(R.gradient(each)) for each in x])
    assert np.all(np.abs(shift - shift[0]) <= 1e-10 * x)
    np.testing.assert_allclose([float(R.metric(each)) for each in x], 1.0, rtol=1e-9)
    assert float(R.divergence(np.array([230.0]), np.array([200.0]))) == pytest.approx(30.0**2 / 2, rel=1e-9)


def test_far_weights_beyond_the_table_are_no_end():
    """Where ∇g is lost in the rounding of u, the message does not call the weight outside of the domain."""
    R = ib.derive("sin(u)*v").at(u=0.5, v=1.0)
    with pytest.raises(ib.DomainError, match="too far from the start"):
        R.gradient(1e13)


def test_a_projection_where_one_direction_settles():
    """With z₁ = 1 alone, the first weight is y and the second stays at its minimizer."""
    R = ib.derive("sin(u)*v").at(u=[0.5, 0.5], v=[1.0, 1.0])
    limit = ib.bregman_projection(ib.Regression([[1.0, 0.0]], [30.0]), R)
    assert limit.status is ib.Status.CONVERGED
    np.testing.assert_allclose(limit.x, [30.0, np.sin(0.5)], rtol=1e-10)


def test_linear_systems():
    """Systems x' = Ax over unit time for a fast and a slow direction, neither an axis, four at once."""
    turn = np.array([[0.6, -0.8], [0.8, 0.6]])
    rates = np.array([[-1e3, -30.0, -0.1, 0.2], [-0.3, -0.1, 0.2, -0.2]])
    matrices = np.einsum("ik,km,jk->ijm", turn, rates, turn)
    start = turn @ np.array([[0.0, 1e-9, 3.0, -1.0], [0.5, 0.1, 1.0, 1.0]])  # the fast directions have settled
    end = stiff_flow.advance(
        lambda y: np.einsum("ijm,jm->im", matrices, y), lambda _: matrices, start, np.ones_like(start)
    )
    exact = turn @ (np.exp(rates) * (turn.T @ start))
    np.testing.assert_allclose(end, exact, rtol=1e-9, atol=1e-10)


def test_a_field_that_cannot_be_followed_gives_nan_for_its_system_alone():
    noise = np.random.default_rng(0)

    def field(y):
        return np.stack([np.ones(2), np.array([0.0, 1.0]) * noise.normal(size=2)])

    end = stiff_flow.advance(field, lambda _: np.zeros((2, 2, 2)), np.zeros((2, 2)), np.ones((2, 2)))
    np.testing.assert_allclose(end[:, 0], [1.0, 0.0], atol=1e-12)
    assert np.all(np.isnan(end[:, 1]))


@pytest.mark.parametrize(
    ("formula", "start"),
    [
        ("sin(u)", {"u": np.pi / 2}),
        ("cos(u)", {"u": np.pi}),
        ("u**2*(1 - u)", {"u": 2 / 3}),
        ("sin(u)*v", {"u": np.pi, "v": 0.0}),
    ],
)
def test_a_start_at_a_critical_point_up_to_rounding_is_refused(formula, start):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(ib.DomainError, match="∇g vanishes"):
            ib.NumericalPotential(ib.Parameterization(formula, list(start)), start)


@pytest.mark.parametrize(("formula", "u"), [("u**2", 1e-17), ("u**2", 1e-150), ("(u - 1)**2", 1 + 2**-52)])
def test_tiny_gradients_that_are_no_rounding_are_kept(formula, u):
    R = ib.NumericalPotential(ib.Parameterization(formula, "u"), {"u": u})
    assert float(R.gradient(R.minimizer)) == 0.0


@pytest.mark.parametrize("slope", [1.0, 2.0, 5.0, -1.0])
def test_slopes_at_which_a_substep_is_singular(slope):
    """1 − slope/k vanishes for the k-th number of substeps."""
    end = stiff_flow.advance(
        lambda y: slope * y, lambda y: np.full((1, 1, y.shape[1]), slope), np.ones((1, 2)), np.ones((1, 2))
    )
    np.testing.assert_allclose(end, np.exp(slope), rtol=1e-9)
