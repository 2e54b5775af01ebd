"""The largest margins against their dual bounds and other programs, and the flow that leads to one of them."""

import mpmath as mp
import numpy as np
import pytest
from scipy.optimize import LinearConstraint, linprog, minimize

import implicit_bias as ib
from implicit_bias.errors import InputError


@pytest.fixture(scope="module")
def labelled():
    rng = np.random.default_rng(0)
    return rng.standard_normal((10, 30)), np.sign(rng.standard_normal(10))


def test_optimality(labelled):
    """No x with ‖x‖₁ = 1 has a larger margin: by weak duality, a convex combination of the support's rows proves it."""
    Z, y = labelled
    found = ib.max_margin(ib.Regression(Z, y, loss="logistic"))
    assert np.sum(np.abs(found.direction)) == pytest.approx(1.0)
    rows = (y[:, None] * Z)[found.support]
    weights = minimize(
        lambda p: p[-1],
        np.append(np.full(len(rows), 1 / len(rows)), 1.0),
        constraints=[
            LinearConstraint(np.hstack([rows.T, -np.ones((30, 1))]), -np.inf, 0),
            LinearConstraint(np.hstack([-rows.T, -np.ones((30, 1))]), -np.inf, 0),
            LinearConstraint(np.append(np.ones(len(rows)), 0.0), 1, 1),
        ],
        bounds=[(0, None)] * (len(rows) + 1),
        method="SLSQP",
    )
    assert weights.fun == pytest.approx(found.margin, abs=1e-6)


def test_the_margin_of_the_flow_grows_towards_its_bound(labelled):
    Z, y = labelled
    problem, bound = ib.Regression(Z, y, loss="logistic"), ib.max_margin(ib.Regression(Z, y, loss="logistic")).margin
    flow = ib.mirror_flow(
        problem, ib.HyperbolicEntropy(scale=1e-3), t=[1e2, 1e5, 1e10, 1e40, 1e80], rtol=1e-9, atol=1e-11
    )
    margins = np.min(y * (flow.x @ Z.T), axis=1) / np.sum(np.abs(flow.x), axis=1)
    assert np.all(np.diff(margins) > 0)
    assert 0.9 * bound < margins[-1] < bound


def test_at_a_large_scale_the_flow_finds_the_support_vector_machine(labelled):
    """Far below its scale R is a squared L2 norm, and the direction approaches that of largest L2 margin as 1/log t."""
    Z, y = labelled
    problem = ib.Regression(Z, y, loss="logistic")
    hard = minimize(
        lambda x: x @ x / 2, np.zeros(30), jac=lambda x: x, constraints=LinearConstraint(y[:, None] * Z, 1), tol=1e-12
    ).x
    flow = ib.mirror_flow(problem, ib.HyperbolicEntropy(scale=1e6), t=[1e10, 1e40, 1e160], rtol=1e-9, atol=1e-11)
    angles = [x @ hard / np.linalg.norm(x) / np.linalg.norm(hard) for x in flow.x]
    gaps = np.sqrt(1 - np.square(angles))
    # log t grows fourfold from each time to the next, and the distance shrinks by the same factor.
    np.testing.assert_allclose(gaps[:-1] / gaps[1:], 4.0, rtol=0.3)


def test_dual_flow_and_training_agree(labelled):
    Z, y = labelled
    problem, mask = ib.Regression(Z, y, loss="logistic"), ib.Parameterization("m*w", ["m", "w"])
    init = {"m": np.full(30, 1.0), "w": np.linspace(-0.5, 0.5, 30)}
    times = [0.5, 5.0, 50.0]
    theta = ib.gradient_flow(problem, mask, init, times)
    dual = ib.mirror_flow(problem, ib.derive(mask), init, times)
    np.testing.assert_allclose(theta.x, dual.x, rtol=0, atol=1e-10)
    np.testing.assert_allclose(theta.loss, np.mean(np.log1p(np.exp(-y * (theta.x @ Z.T))), axis=1), rtol=1e-12)


def test_bad_labels_and_contradictions():
    with pytest.raises(InputError, match="labels -1 and 1, got 0 at index 1"):
        ib.max_margin(ib.Regression([[1.0, 2.0], [1.0, 1.0]], [1.0, 0.0], loss="logistic"))
    with pytest.raises(ib.SolverError, match="No x separates the labels"):
        ib.max_margin(ib.Regression([[1.0, 2.0], [1.0, 2.0]], [1.0, -1.0], loss="logistic"))
    with pytest.raises(InputError, match="one of 'squared', 'logistic'"):
        ib.Regression([[1.0]], [1.0], loss="hinge")


@pytest.mark.parametrize("size", [1e-150, 1e-10, 3e-9, 1e16, 1e150])
def test_a_common_scale_of_the_data_is_a_scale_of_the_margin(size):
    """Scaling all data scales the margin, although a linear program drops entries below about 1e-9."""
    Z = np.array([[1.0, 0.5], [0.2, 1.0]])
    found, plain = (
        ib.max_margin(ib.Regression(Z * size, [1.0, 1.0], loss="logistic")),
        ib.max_margin(ib.Regression(Z, [1.0, 1.0], loss="logistic")),
    )
    # max over ‖x‖₁ = 1 of the smaller of x₁ + x₂/2 and x₁/5 + x₂, equal at x₁ = 5/13: 9/13.
    assert plain.margin == pytest.approx(9 / 13, rel=1e-9)
    assert found.margin / size == pytest.approx(9 / 13, rel=1e-9)
    np.testing.assert_allclose(found.direction, plain.direction, rtol=0, atol=1e-9)


def test_rows_of_very_different_size_are_no_false_verdict():
    found = ib.max_margin(ib.Regression([[1.0, 0.0, 0.0], [0.0, 1e-10, 0.0]], [1.0, 1.0], loss="logistic"), throw=False)
    assert found.status in (ib.Status.STALLED, ib.Status.CONVERGED)


@pytest.mark.parametrize("seed", range(12))
def test_inseparable_labels_are_certified(seed):
    """By Farkas' lemma no x separates the labels if a positive combination of the labelled rows vanishes."""
    rng = np.random.default_rng(seed)
    Z, y = rng.integers(-4, 5, (6, 4)).astype(float), np.sign(rng.standard_normal(6))
    shares = rng.integers(1, 5, 5).astype(float)
    Z[5] = -y[5] * (shares * y[:5]) @ Z[:5]  # integers: the combination vanishes exactly
    found = ib.max_margin(ib.Regression(Z, y, loss="logistic"), throw=False)
    assert found.status is ib.Status.INFEASIBLE
    assert np.all(found.certificate >= 0)
    assert np.sum(found.certificate) == pytest.approx(1.0)
    np.testing.assert_allclose(found.certificate @ (y[:, None] * Z), 0.0, rtol=0, atol=1e-13)


@pytest.mark.parametrize("gap", [1e-4, 1e-8, 1e-10, 1e-14, 1e-100])
@pytest.mark.parametrize("size", [1.0, 2.0**40])
def test_labels_that_are_barely_separable_are_never_called_inseparable(gap, size):
    """Rows that differ in one entry are separable, however small the difference: x = (1, 0, −2/gap) separates them."""
    Z = np.array([[1.0, 1.0, 0.0], [1.0, 1.0, gap]]) * np.array([[1.0], [size]])
    found = ib.max_margin(ib.Regression(Z, [1.0, -1.0], loss="logistic"), throw=False)
    assert found.status is not ib.Status.INFEASIBLE
    assert found.certificate is None


def test_support_is_what_attains_the_margin():
    found = ib.max_margin(
        ib.Regression([[1.0, 0.0], [1.5, 0.0], [1.0, 1.0], [1.0 + 1e-5, 0.0]], [1.0, 1.0, 1.0, 1.0], loss="logistic")
    )
    assert found.margin == pytest.approx(1.0, rel=1e-9)
    assert found.support.tolist() == [0, 2]


GEOMETRIES = ("l1", "l2", "linf")


def separable(seed):
    """Labels that some x separates, with fewer or more observations than weights, and integers half of the time."""
    rng = np.random.default_rng(seed)
    d, n = [(4, 9), (9, 4), (12, 12), (6, 40), (40, 6)][seed % 5]
    Z = rng.standard_normal((d, n)) if seed % 2 else rng.integers(-4, 5, (d, n)).astype(float)
    truth = rng.standard_normal(n)
    keep = np.abs(Z @ truth) > 0.05
    return Z[keep], np.sign(Z @ truth)[keep]


def exact_size(x, geometry):
    sizes = [abs(v) for v in x]
    return {"l1": mp.fsum, "linf": max, "l2": lambda each: mp.sqrt(mp.fsum(v**2 for v in each))}[geometry](sizes)


@pytest.mark.parametrize("geometry", GEOMETRIES)
@pytest.mark.parametrize("seed", range(100))
def test_primal_and_dual_in_50_digits(geometry, seed):
    """The margin of the direction, and the bound of the multipliers on all margins, are apart by at most ``gap``."""
    Z, y = separable(seed)
    found = ib.max_margin(ib.Regression(Z, y, loss="logistic"), geometry)
    dual = {"l1": "linf", "l2": "l2", "linf": "l1"}[geometry]
    with mp.workdps(50):
        x, p = [mp.mpf(float(v)) for v in found.direction], [mp.mpf(float(v)) for v in found.multipliers]
        rows = [[mp.mpf(float(v)) for v in row] for row in y[:, None] * Z]
        best = min(mp.fdot(row, x) for row in rows) / exact_size(x, geometry)
        combined = [mp.fdot(p, column) for column in zip(*rows, strict=True)]
        bound = exact_size(combined, dual) / mp.fsum(p)
        assert min(p) >= 0
        assert best >= found.margin - found.gap
        assert bound <= found.margin + found.gap
        assert best <= bound
        assert bound - best <= 1e-9 * best
    assert found.gap <= 1e-9 * found.margin


@pytest.mark.parametrize("seed", range(20))
def test_against_other_programs(seed):
    """L1 and L∞ from the dual linear programs, L2 from a quadratic program."""
    Z, y = separable(seed)
    rows, problem = y[:, None] * Z, ib.Regression(Z, y, loss="logistic")
    d, n = Z.shape
    # min ‖Bᵀp‖ over the simplex: ∞-norm with one bound for all entries, 1-norm with one for each.
    for geometry, count, total in (("l1", 1, np.ones((n, 1))), ("linf", n, np.eye(n))):
        found = linprog(
            np.append(np.zeros(d), np.ones(count)),
            A_ub=np.vstack([np.hstack([sign * rows.T, -total]) for sign in (1, -1)]),
            b_ub=np.zeros(2 * n),
            A_eq=np.append(np.ones(d), np.zeros(count))[None],
            b_eq=[1.0],
        )
        assert ib.max_margin(problem, geometry).margin == pytest.approx(found.fun, rel=1e-7)
    if d <= n:  # otherwise the start would have to be feasible
        hard = minimize(
            lambda x: x @ x / 2,
            np.linalg.pinv(rows) @ np.ones(d),
            jac=lambda x: x,
            constraints=LinearConstraint(rows, 1),
            tol=1e-14,
        ).x
        assert ib.max_margin(problem, "l2").margin == pytest.approx(1 / np.linalg.norm(hard), rel=1e-5)


@pytest.mark.parametrize("geometry", GEOMETRIES)
@pytest.mark.parametrize("seed", range(10))
def test_inseparable_labels_are_certified_in_every_geometry(geometry, seed):
    rng = np.random.default_rng(seed)
    Z, y = rng.integers(-4, 5, (6, 4)).astype(float), np.sign(rng.standard_normal(6))
    shares = rng.integers(1, 5, 5).astype(float)
    Z[5] = -y[5] * (shares * y[:5]) @ Z[:5]
    found = ib.max_margin(ib.Regression(Z, y, loss="logistic"), geometry, throw=False)
    assert found.status is ib.Status.INFEASIBLE
    assert found.gap == np.inf
    assert np.all(found.certificate >= 0)
    assert np.sum(found.certificate) == pytest.approx(1.0)
    assert np.all(np.abs(found.certificate @ (y[:, None] * Z)) <= 100 * 2.0**-53 * (found.certificate @ np.abs(Z)))


def test_margins_of_one_point_in_closed_form():
    """By Hölder the margin of one point is its dual norm."""
    problem = ib.Regression([[3.0, -4.0]], [1.0], loss="exponential")
    for geometry, margin, direction in (("l1", 4, [0, -1]), ("l2", 5, [0.6, -0.8]), ("linf", 7, [1, -1])):
        found = ib.max_margin(problem, geometry)
        assert found.margin == pytest.approx(margin, rel=1e-15)
        np.testing.assert_allclose(found.direction, direction, atol=1e-15)
        np.testing.assert_array_equal(found.multipliers, [1.0])


class OneSided(ib.SeparablePotential):
    """Slopes between −1 and 2 for the first weight and between −3 and 1 for the second: R(tx)/t has these limits."""

    size = 2
    domain = (-np.inf, np.inf)

    @property
    def dual_domain(self):
        return np.array([-1.0, -3.0]), np.array([2.0, 1.0])

    def terms_at(self, x):
        raise NotImplementedError

    gradient_at = inverse_gradient_at = metric_at = terms_at


def test_bounded_slopes_give_the_recession_function():
    """The largest z·x over 2x₁⁺ + x₁⁻ + x₂⁺ + 3x₂⁻ <= 1 is the largest of z₁/2, −z₁, z₂ and −z₂/3."""
    for z in ([3.0, -4.0], [-3.0, -4.0], [1.0, 0.25], [0.5, -3.0]):
        found = ib.max_margin(ib.Regression([z], [1.0], loss="logistic"), OneSided())
        assert found.margin == pytest.approx(max(z[0] / 2, -z[0], z[1], -z[1] / 3), rel=1e-14)
        assert found.gap <= 1e-12


def test_the_horizon_of_the_mask_is_the_l1_norm_at_every_scale(labelled):
    problem = ib.Regression(*labelled, loss="logistic")
    want = ib.max_margin(problem, "l1")
    start = {"m": np.full(30, 1.0), "w": np.linspace(-0.5, 0.5, 30)}
    for potential in (ib.HyperbolicEntropy(scale=1e5), ib.derive("m*w", "m**2 + w**2").at(start, 0.3)):
        found = ib.max_margin(problem, potential)
        np.testing.assert_allclose(found.direction, want.direction, atol=1e-12)
        assert found.margin == pytest.approx(want.margin, rel=1e-12)


def test_weights_that_cannot_grow_stay_zero():
    problem = ib.Regression([[-3.0, 1.0], [2.0, 1.0]], [1.0, 1.0], loss="logistic")
    found = ib.max_margin(problem, ib.Entropy(scale=1.0))
    # (x₁, 1 − x₁) with x₁ >= 0 has the margins 1 − 4x₁ and 1 + x₁.
    np.testing.assert_allclose(found.direction, [0.0, 1.0], atol=1e-14)
    negative = ib.Regression([[-1.0, -1.0]], [1.0], loss="logistic")
    assert ib.max_margin(negative, ib.Entropy(scale=1.0), throw=False).status is ib.Status.STALLED


def test_geometries_that_are_not_known_are_named(labelled):
    problem = ib.Regression(*labelled, loss="logistic")
    with pytest.raises(InputError, match=r"'l1', 'l2', 'linf' or an ib\.Potential, got 'l3'"):
        ib.max_margin(problem, "l3")
    with pytest.raises(InputError, match=r"got 'L2' \(did you mean l2\?\)"):
        ib.max_margin(problem, "L2")
    with pytest.raises(InputError, match=r"got 'L-inf' \(did you mean linf\?\)"):
        ib.max_margin(problem, "L-inf")
    with pytest.raises(InputError, match="got ndarray"):
        ib.max_margin(problem, np.ones(30))
    with pytest.raises(InputError, match="30 coordinates"):
        ib.max_margin(problem, ib.HyperbolicEntropy(scale=[1.0, 2.0]))

    class Unknown(OneSided):
        size = None
        dual_domain = (-np.inf, np.inf)

    with pytest.raises(ib.UnsupportedError, match="horizon function of Unknown is not known"):
        ib.max_margin(problem, Unknown())
    Unknown.horizon = "l2"
    assert ib.max_margin(problem, Unknown()).margin == ib.max_margin(problem, "l2").margin
    forms = ib.QuadraticForms(np.eye(30)[:, :, None] * np.eye(30)[:, None, :], theta0=np.ones(30))
    with pytest.raises(ib.UnsupportedError, match="horizon function of QuadraticForms"):
        ib.max_margin(problem, forms)
    with pytest.raises(InputError, match="logistic or the exponential loss"):
        ib.max_margin(ib.Regression(*labelled))
