"""Bregman projections against exact solutions, other solvers and their optimality conditions."""

import math

import mpmath as mp
import numpy as np
import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st
from scipy.optimize import LinearConstraint, linprog, minimize

import implicit_bias as ib
from implicit_bias import HyperbolicEntropy, Status, bregman_projection
from implicit_bias.errors import InputError
from implicit_bias.problem import Regression
from tests.limit.random_systems import STALLED, instances, log_scales

EPS = 2.0**-52


def exact_projection(Z, y, potential, start):
    """The projection to 50 digits, by damped Newton steps on the dual in 700-digit arithmetic; None if they fail.

    The start only saves steps: the result satisfies the optimality conditions to 50 digits, and a strictly convex
    function has one minimizer. At a scale of 1e-300 the Hessian has a condition number of 1e300 or more.
    """
    d, n = Z.shape
    M, target = mp.matrix(Z.tolist()), mp.matrix(y.tolist())
    a = [mp.mpf(float(s)) for s in np.broadcast_to(potential.scale, n)]
    b = [mp.mpf(float(s)) for s in np.broadcast_to(potential.shift, n)]
    r = mp.mpf(potential.rate)

    def evaluate(nu):
        q = [b[i] - r * mp.fsum(M[k, i] * nu[k] for k in range(d)) for i in range(n)]
        grow, fall = [mp.exp(v) for v in q], [mp.exp(-v) for v in q]
        x = [a[i] * (grow[i] - fall[i]) / 2 for i in range(n)]
        radius = [a[i] * (grow[i] + fall[i]) / 2 for i in range(n)]
        residual = mp.matrix([target[k] - mp.fsum(M[k, i] * x[i] for i in range(n)) for k in range(d)])
        return x, radius, residual, mp.fsum(radius) / r + mp.fsum(target[k] * nu[k] for k in range(d))

    nu = mp.matrix(start.tolist())
    x, radius, residual, value = evaluate(nu)
    size = mp.norm(target) + mp.norm(mp.matrix(a)) * mp.mpf(10) ** -290
    for _ in range(400):
        if mp.norm(residual) <= mp.mpf(10) ** -50 * size:
            return x
        H = mp.matrix(d, d)
        for i in range(n):
            for k in range(d):
                for j in range(d):
                    H[k, j] += r * radius[i] * M[k, i] * M[j, i]
        try:
            step = mp.lu_solve(H, -residual)
        except ZeroDivisionError:  # singular even in 700 digits, after a start with an x of 1e700
            return None
        slope = mp.fsum(step[k] * residual[k] for k in range(d))
        length = mp.mpf(1)
        while length > mp.mpf(2) ** -200:
            trial = evaluate(nu + length * step)
            if trial[3] <= value + length * slope / 10000:
                break
            length /= 2
        nu = nu + length * step
        x, radius, residual, value = trial
    return None


@given(instance=instances(), log_scale=log_scales)
@example(instance=STALLED, log_scale=-200.0)
@example(instance=STALLED, log_scale=-690.0)
def test_error_bound_against_50_digits(instance, log_scale):
    """The distance to the exact minimizer is at most ``error_bound`` plus the rounding of y − Zx."""
    Z, y = instance
    potential = HyperbolicEntropy(scale=math.exp(log_scale))
    found = bregman_projection(Regression(Z, y), potential)
    with mp.workdps(700):
        want = exact_projection(Z, y, potential, found.dual)
        assume(want is not None)
        distance = float(mp.norm(mp.matrix([mp.mpf(float(v)) - w for v, w in zip(found.x, want, strict=True)])))
    # y − Zx is formed in double precision, off by a few units of |Z||x|, and Z⁻¹ carries that over to x.
    rounding = 4 * EPS * np.linalg.norm(np.abs(Z) @ np.abs(found.x) + np.abs(y)) / np.linalg.svd(Z)[1][-1]
    assert distance <= found.error_bound + rounding


@given(
    instance=instances(),
    log_scales=st.lists(st.floats(-690, 690), min_size=8, max_size=8),
    shifts=st.lists(st.floats(-3, 3, allow_subnormal=False), min_size=8, max_size=8),
    common=st.booleans(),
)
@example(instance=STALLED, log_scales=[-200.0] * 8, shifts=[1.0, -2.5, -2.0, -2.1, 0, 0, 0, 0], common=True)
# A norm that squares numbers of 1e260 overflows.
@example(instance=STALLED, log_scales=[600.0] * 8, shifts=[1.0, -2.5, -2.0, -2.1, 0, 0, 0, 0], common=True)
# A column of zeros leaves the largest of all weights to itself: it must not hide the others.
@example(
    instance=(np.array([[1.0, 2.0, -1.0, 0.0], [0.0, 0.0, 1.0, 0.0]]), np.array([0.5, 0.0])),
    log_scales=[0.0, -200.0, 0.0, 632.0, 0, 0, 0, 0],
    shifts=[0.0, -1.0, 1.0, 2.0, 0, 0, 0, 0],
    common=False,
)
def test_kkt_conditions_at_every_scale(instance, log_scales, shifts, common):
    """Zx = y and ∇R(x) = −Zᵀν hold for scales from 1e-300 to 1e300, without a nan, an inf or a warning."""
    Z, y = instance
    n = Z.shape[1]
    log_scale = np.full(n, log_scales[0]) if common else np.array(log_scales[:n])
    potential = HyperbolicEntropy(log_scale=log_scale, shift=shifts[:n])
    found = bregman_projection(Regression(Z, y), potential, throw=False)
    assert np.all(np.isfinite(found.x))
    assert np.all(np.isfinite(found.dual))
    assert found.iterations <= 500
    if common and found.status is not Status.CONVERGED:
        # Far below the minimizer's size y is lost in the rounding of Zx; the bound knows that x is right to rounding.
        assert found.status is Status.STALLED
        assert found.error_bound <= 1e-12 * math.hypot(*potential.minimizer)
    reference = max(math.hypot(*y), math.hypot(*(Z @ potential.minimizer)))
    # The solver's rows are scaled by powers of two, which changes norms by the ratio of row sizes, at most 6 here.
    if found.status is Status.CONVERGED:
        assert 0 <= found.error_bound < np.inf
        assert math.hypot(*(Z @ found.x - y)) <= 6 * max(1e-12, 1e3 * EPS) * (reference or 1)
        stationary = potential.inverse_gradient(-(found.dual @ Z))
        blur = potential.metric(found.x) * (np.abs(found.dual) @ np.abs(Z))
        allowed = 1e-12 * math.hypot(*found.x) + 8 * EPS * math.hypot(*blur)
        assert math.hypot(*(found.x - stationary)) <= allowed + 1e-300


@given(instance=instances(), log_scale=st.floats(-300, 300), direction=st.integers(0, 2**32 - 1))
def test_no_solution_is_better(instance, log_scale, direction):
    """If Zk = 0, then ⟨∇R(x), k⟩ = 0, so R(x + k) − R(x) = D(x + k, x) > 0: every other solution has a larger R."""
    Z, y = instance
    potential = HyperbolicEntropy(log_scale=log_scale)
    found = bregman_projection(Regression(Z, y), potential)
    kernel = np.linalg.svd(Z)[2][len(Z) :].T
    k = kernel @ np.random.default_rng(direction).standard_normal(kernel.shape[1])
    gradient = potential.gradient(found.x)
    # With rounding of this size, k is orthogonal to the rows and the gradient is in their span. We leave out weights
    # that underflow, whose gradient is 0, and weights that were corrected, which are stationary only to the tolerance.
    size = np.sum(np.abs(found.dual) @ np.abs(Z)) + len(k) * (1 + abs(log_scale))
    if np.all(np.abs(found.x) > 1e-300) and np.all(found.x == potential.inverse_gradient(-(found.dual @ Z))):
        assert abs(gradient @ k) <= 64 * EPS * size * np.linalg.norm(k) * np.linalg.cond(Z)
        assert potential.divergence(found.x + k, found.x) > 0


def test_against_trust_constr():
    """A general solver for constrained problems, which knows R and its derivatives only, finds the same minimizer."""
    rng = np.random.default_rng(0)
    for scale in (0.1, 1.0, 10.0):
        Z, y = rng.standard_normal((4, 9)), rng.standard_normal(4)
        potential = HyperbolicEntropy(scale=scale, shift=rng.standard_normal(9))
        found = bregman_projection(Regression(Z, y), potential)
        general = minimize(
            potential.value,
            np.linalg.pinv(Z) @ y,
            jac=potential.gradient,
            hess=lambda x, R=potential: np.diag(R.hessian_diagonal(x)),
            method="trust-constr",
            constraints=LinearConstraint(Z, y, y),
            options={"gtol": 1e-10, "xtol": 1e-14, "maxiter": 3000},
        )
        # It stops when its step is short or R no longer changes in double precision, about 10 √eps from the minimizer.
        np.testing.assert_allclose(found.x, general.x, rtol=0, atol=2e-6)
        assert potential.value(found.x) <= general.fun + 1e-12 * abs(general.fun)


@pytest.mark.parametrize("seed", range(5))
def test_small_scales_give_basis_pursuit(seed):
    """At a = 1e-300, argmin R is argmin ‖x‖₁, found by a linear program; Gaussian systems have one solution."""
    problem = ib.Regression.sample(20, 50, sparsity=3 if seed < 3 else 30, seed=seed)
    found = bregman_projection(problem, HyperbolicEntropy(scale=1e-300))
    program = linprog(np.ones(100), A_eq=np.hstack([problem.Z, -problem.Z]), b_eq=problem.y, method="highs")
    vertex = program.x[:50] - program.x[50:]
    # R = ‖x‖₁ log(1/a)/2 + O(1) with log(1/a) = 691: a weight that is zero at the vertex is about exp(−691 · slack)
    # here, which is nothing unless its dual slack is below 1/50 or so. HiGHS is accurate to 1e-7 by default.
    np.testing.assert_allclose(found.x, vertex, rtol=0, atol=1e-6)
    assert np.sum(np.abs(found.x)) == pytest.approx(program.fun, rel=1e-7)
    if seed < 3:
        np.testing.assert_allclose(found.x, problem.truth, rtol=0, atol=1e-10)


@pytest.mark.parametrize("seed", range(3))
def test_large_scales_give_least_squares(seed):
    """R + na/2 = ‖x‖²/(4a)·(1 + O(x²/a²)): at a = 1e6 the solution is Z⁺y to 1e-12 relative."""
    problem = ib.Regression.sample(20, 50, sparsity=10, seed=seed)
    least = np.linalg.pinv(problem.Z) @ problem.y
    for scale in (1e6, 1e100, 1e300):
        found = bregman_projection(problem, HyperbolicEntropy(scale=scale))
        # The tolerance of the solver on Zx = y, and the condition number of Z, about 5.
        np.testing.assert_allclose(found.x, least, rtol=0, atol=1e-11)


def test_the_path_from_l2_to_l1():
    """‖x‖₁ falls and ‖x‖₂ rises as the scale falls, from one limit to the other."""
    problem = ib.Regression.sample(20, 50, sparsity=10, seed=0)
    path = [bregman_projection(problem, HyperbolicEntropy(scale=10.0**-k)).x for k in range(-4, 40, 4)]
    assert np.all(np.diff([np.sum(np.abs(x)) for x in path]) < 1e-9)
    assert np.all(np.diff([np.linalg.norm(x) for x in path]) > -1e-9)


def test_start_saves_steps_and_does_not_change_the_answer():
    problem = ib.Regression.sample(10, 25, sparsity=4, seed=1)
    potential = HyperbolicEntropy(scale=1e-100)
    cold = bregman_projection(problem, potential)
    warm = bregman_projection(problem, potential, start=cold.dual)
    assert warm.iterations < cold.iterations
    np.testing.assert_allclose(warm.x, cold.x, rtol=0, atol=cold.error_bound + warm.error_bound)


@pytest.mark.parametrize("start", [[0.0, 0.0], [1e3, 1e3], [-1e6, 1e6]])
def test_far_starts(start):
    """Any start gives the same answer. From 1e6, x(ν) overflows; from 0 the first step does at a scale of 1e-300."""
    Z, y = np.array([[1.0, 2.0, 3.0], [1.0, -1.0, 0.0]]), np.array([1.0, 0.5])
    for scale in (1.0, 1e-300):
        want = bregman_projection(Regression(Z, y), HyperbolicEntropy(scale=scale))
        found = bregman_projection(Regression(Z, y), HyperbolicEntropy(scale=scale), start=start)
        np.testing.assert_allclose(found.x, want.x, rtol=0, atol=1e-11)


def test_failures_are_a_status():
    problem = ib.Regression.sample(10, 25, sparsity=4, seed=1)
    few = bregman_projection(problem, HyperbolicEntropy(scale=1e-9), max_iterations=2, throw=False)
    assert few.status is Status.MAX_ITERATIONS
    assert few.iterations == 2
    # The bound holds for unfinished work as well.
    done = bregman_projection(problem, HyperbolicEntropy(scale=1e-9))
    assert np.linalg.norm(few.x - done.x) <= few.error_bound + done.error_bound
    with pytest.raises(ib.SolverError, match="max_iterations"):
        bregman_projection(problem, HyperbolicEntropy(scale=1e-9), max_iterations=2)
    # argmin R = sinh(1000) is beyond the floating-point range.
    far = bregman_projection(
        Regression([[1.0, 2.0]], [1.0]), HyperbolicEntropy(scale=1.0, shift=[1000.0, 0.0]), throw=False
    )
    assert far.status is Status.NOT_FINITE


def test_result():
    found = bregman_projection(Regression([[1, 2, 3]], [2]), HyperbolicEntropy(scale=0.5))
    assert found.x.shape == (3,)
    assert found.dual.shape == (1,)
    assert found.x.dtype == found.dual.dtype == np.float64
    assert isinstance(found.kkt_residual, float)
    assert isinstance(found.error_bound, float)
    assert found.certificate is None
    assert "converged" in repr(found)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"Z": np.eye(2)}, "fewer rows than columns"),
        ({"Z": np.ones((3, 2)), "y": np.ones(3)}, "fewer rows than columns"),
        ({"Z": [[1.0, np.nan, 1.0], [1.0, 0.0, 1.0]]}, "nan"),
        ({"y": [1.0, np.inf]}, "inf"),
        ({"y": [1.0, 2.0, 3.0]}, r"shape \(2,\)"),
        ({"Z": [1.0, 2.0]}, "2 axes"),
        ({"Z": np.ones((2, 3, 1))}, "2 axes"),
        ({"Z": np.ones((0, 3)), "y": []}, "row"),
        ({"potential": HyperbolicEntropy(scale=[1.0, 2.0])}, "3 coordinates"),
        ({"start": [1.0]}, r"start: expected shape \(2,\)"),
        ({"start": [np.nan, 0.0]}, "start"),
        ({"tol": 0.0}, "tol"),
        ({"tol": np.nan}, "tol"),
        ({"tol": 1e300}, "at most 0.01"),
    ],
)
def test_bad_input(change, message):
    arguments = {
        "Z": [[1.0, 2.0, 3.0], [1.0, 0.0, 1.0]],
        "y": [1.0, 2.0],
        "potential": HyperbolicEntropy(scale=1.0),
    } | change
    with pytest.raises(InputError, match=message):
        bregman_projection(Regression(arguments.pop("Z"), arguments.pop("y")), **arguments)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"potential": ib.derive(ib.Parameterization("m*w", "m,w"))}, r"Derivation; a derivation gives one by \.at"),
        ({"max_iterations": 1.5}, "integer"),
        ({"max_iterations": -3}, "max_iterations: expected an integer >= 0, got -3"),
    ],
)
def test_wrong_kinds_of_arguments(change, message):
    arguments = {"Z": np.ones((1, 2)), "y": np.ones(1), "potential": ib.HyperbolicEntropy(scale=1.0)} | change
    with pytest.raises(InputError, match=message):
        ib.bregman_projection(ib.Regression(arguments.pop("Z"), arguments.pop("y")), **arguments)


@pytest.mark.parametrize("seed", range(24))
def test_the_error_bound_sees_what_nearly_dependent_rows_make_of_rounding(seed):
    """The bound covers the rounding of Zx − y and of Zᵀν, which nearly dependent rows magnify."""
    rng = np.random.default_rng(seed)
    Z = rng.standard_normal((3, 7))
    Z[1] = Z[0] + 10.0 ** rng.uniform(-6, -2) * rng.standard_normal(7)
    Z *= 10.0 ** rng.uniform(-4, 4, (3, 1))
    y = Z @ rng.standard_normal(7)
    potential = HyperbolicEntropy(log_scale=rng.uniform(-20, 3), rate=7.0)
    found = bregman_projection(Regression(Z, y), potential, throw=False)
    with mp.workdps(400):
        want = exact_projection(Z, y, potential, found.dual)
        distance = float(mp.norm(mp.matrix([mp.mpf(float(v)) - w for v, w in zip(found.x, want, strict=True)])))
    assert distance <= found.error_bound


def test_the_bound_holds_for_a_weight_that_was_not_found():
    """The bound holds where the correction underflows and x stays 0. At that scale R is an L2 norm: x* = (1, 2) y/5."""
    found = bregman_projection(Regression([[1.0, 2.0]], [1e-100]), HyperbolicEntropy(log_scale=690.0), throw=False)
    assert np.linalg.norm(found.x - np.array([1.0, 2.0]) * 1e-100 / 5) <= found.error_bound


class Steep(ib.SeparablePotential):
    """R(x) = Σ s² cosh(x_i/s), whose duals are far from 0 for small s."""

    size = None
    scale = 1e-3

    def terms_at(self, x):
        return self.scale**2 * np.cosh(x / self.scale)

    def gradient_at(self, x):
        return self.scale * np.sinh(x / self.scale)

    def inverse_gradient_at(self, z):
        return self.scale * np.arcsinh(z / self.scale)

    def metric_at(self, x):
        return 1 / np.cosh(x / self.scale)


class Bounded(Steep):
    """The same potential on an interval in which no x satisfies Zx = y."""

    @property
    def domain(self):
        return (-1e-3, 1e-3)


def test_a_potential_that_stalls_on_the_whole_line_is_asked_for_relaxations():
    problem = Regression.sample(d=8, n=20, sparsity=3, seed=0)
    with pytest.raises(
        ib.SolverError, match=r"ended as stalled\..* or define relaxations\(\) if the potential is your own\.$"
    ):
        bregman_projection(problem, Steep())
    with pytest.raises(ib.SolverError, match=r"ended as stalled\..* or compare with the domain\.$"):
        bregman_projection(problem, Bounded())
