"""Statements on homogeneous networks, tested on ReLU networks and by separate flows, integrals and searches."""

import math

import mpmath as mp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import solve_ivp
from scipy.optimize import minimize
from statements import about, slope

seeds = st.integers(0, 10**6)
margins = st.lists(st.floats(0.1, 5), min_size=1, max_size=5).map(np.array)


def network(theta, samples, depth):
    """The values of Φ = θ_1ᵀ relu(θ_2 x), times one more parameter for each layer above two, of order ``depth``."""
    width, features = 3, samples.shape[1]
    inner = theta[: width * features].reshape(width, features)
    hidden = samples @ inner.T
    hidden = np.where(np.real(hidden) > 0, hidden, 0)
    rest = theta[width * features :]
    outer, scales = rest[:width], rest[width:]
    return (hidden @ outer) * np.prod(scales[: depth - 2])


def drawn(seed, depth):
    generator = np.random.default_rng(seed)
    return generator.normal(size=9 + depth - 2), generator.normal(size=(4, 2))


def margins_of(seed):
    """The margins of Φ = θ_4 ⟨θ_1…3, x⟩ on three points that one θ separates, the gradients, and such a θ."""
    generator = np.random.default_rng(seed)
    points = generator.uniform(0.3, 1.5, size=(3, 3))

    def values(theta):
        return theta[3] * (points @ theta[:3])

    def slopes(theta):
        return np.column_stack([theta[3] * points, points @ theta[:3]])

    start = generator.uniform(0.5, 1.5, size=4)
    while np.exp(-values(start)).sum() > 0.9:
        start = 1.2 * start
    return values, slopes, start


def flow_of(seed, time):
    """Times, θ, velocities and margins on a flow of the exponential loss, which is below one at the start."""
    values, slopes, start = margins_of(seed)

    def velocity(t, theta):
        return np.exp(-values(theta)) @ slopes(theta)

    path = solve_ivp(velocity, (0, time), start, "LSODA", np.linspace(0, time, 200), rtol=1e-9, atol=1e-10)
    thetas = path.y.T
    return path.t, thetas, [velocity(0, theta) for theta in thetas], [values(theta) for theta in thetas]


@about("homogeneous-margin/euler")
@given(seeds, st.integers(2, 4))
def test_the_gradient_of_a_relu_network_times_its_parameters_is_the_order_times_the_network(seed, depth):
    theta, samples = drawn(seed, depth)
    for n in range(len(samples)):
        gradient = slope(lambda p, n=n: network(p, samples, depth)[n], theta)
        assert gradient @ theta == pytest.approx(depth * network(theta, samples, depth)[n], abs=1e-10)


@about("homogeneous-margin/eq-6")
@pytest.mark.parametrize("seed", range(5))
def test_the_length_grows_by_the_weighted_margins(seed):
    _, thetas, velocities, values = flow_of(seed, 0.1)
    for theta, velocity, q in zip(thetas, velocities, values, strict=True):
        assert theta @ velocity == pytest.approx(2 * np.exp(-q) @ q, rel=1e-8)


@about("homogeneous-margin/sec-5-loss")
@pytest.mark.parametrize("seed", range(5))
def test_the_loss_falls_by_the_squared_speed(seed):
    """Along the flow the loss falls by the integral of ‖θ'‖², here over a short time."""
    times, _, velocities, values = flow_of(seed, 0.3)
    losses = np.array([np.exp(-q).sum() for q in values])
    squares = np.array([velocity @ velocity for velocity in velocities])
    spent = np.sum(np.diff(times) * (squares[1:] + squares[:-1]) / 2)
    assert losses[0] - losses[-1] == pytest.approx(spent, rel=1e-3)
    assert losses[-1] < losses[0]


@about("homogeneous-margin/sec-5-decomposition")
@pytest.mark.parametrize("seed", range(5))
def test_the_speed_splits_into_growth_and_turning(seed):
    _, thetas, velocities, _ = flow_of(seed, 0.1)
    for theta, velocity in zip(thetas[::5], velocities[::5], strict=True):
        step = 1e-5
        ahead, behind = theta + step * velocity, theta - step * velocity
        turning = np.linalg.norm(ahead / np.linalg.norm(ahead) - behind / np.linalg.norm(behind)) / (2 * step)
        growth = math.log(np.linalg.norm(ahead) / np.linalg.norm(behind)) / (2 * step)
        half = (ahead @ ahead - behind @ behind) / (4 * step)
        assert velocity @ velocity / half == pytest.approx(growth + turning**2 / growth, rel=1e-5)


@about("homogeneous-margin/eq-7")
@given(margins, st.floats(1, 5))
def test_the_weighted_margins_exceed_the_entropy_bound(q, order):
    loss = np.exp(-q).sum()
    assert order * np.exp(-q) @ q >= order * loss * math.log(1 / loss) - 1e-12
    alone = np.exp(-q[0])
    assert order * alone * q[0] == pytest.approx(order * alone * math.log(1 / alone))


@about("homogeneous-margin/lem-5.1")
@pytest.mark.parametrize("seed", range(5))
def test_the_smoothed_margin_gains_at_least_what_turning_demands(seed):
    times, thetas, velocities, values = flow_of(seed, 3.0)
    smoothed = np.array(
        [-math.log(np.exp(-q).sum()) / (theta @ theta) for theta, q in zip(thetas, values, strict=True)]
    )
    growth = np.array([theta @ velocity / (theta @ theta) for theta, velocity in zip(thetas, velocities, strict=True)])
    across = [v - (v @ p) / (p @ p) * p for p, v in zip(thetas, velocities, strict=True)]
    turning = np.array([np.linalg.norm(u) / np.linalg.norm(p) for u, p in zip(across, thetas, strict=True)])
    assert growth.min() > 0
    bound = 2 * turning**2 / growth
    least = np.sum(np.diff(times) * np.minimum(bound[1:], bound[:-1]))
    assert math.log(smoothed[-1] / smoothed[0]) >= least * 0.999 - 1e-9


@about("homogeneous-margin/sec-4.2-additive")
@given(margins, st.floats(0.5, 3), st.floats(1, 4))
def test_the_smoothed_margin_is_below_by_at_most_log_n(q, length, order):
    smoothed = -math.log(np.exp(-q).sum()) / length**order
    true = q.min() / length**order
    assert true - math.log(len(q)) / length**order - 1e-12 <= smoothed <= true + 1e-12
    equal = -math.log(len(q) * math.exp(-q[0])) / length**order
    assert equal == pytest.approx((q[0] - math.log(len(q))) / length**order, abs=1e-12)


@about("homogeneous-margin/thm-4.1")
@pytest.mark.parametrize("seed", range(5))
def test_the_smoothed_margin_never_falls_and_the_loss_does(seed):
    _, thetas, _, values = flow_of(seed, 200.0)
    losses = np.array([np.exp(-q).sum() for q in values])
    lengths = np.linalg.norm(thetas, axis=1)
    smoothed = -np.log(losses) / lengths**2
    assert np.diff(smoothed).min() > -1e-7 * smoothed.max()
    assert losses[-1] < losses[0]
    assert lengths[-1] > lengths[0]


@about("homogeneous-margin/thm-4.3")
@pytest.mark.parametrize("order", [1, 2, 3, 4])
def test_loss_and_length_keep_their_rates_on_a_ray(order):
    """By mpmath's integral of q' = L²γ^(2/L) q^(2 − 2/L) e^(−q), both ratios tend to constants, slowly."""
    margin, power = mp.mpf("0.7"), mp.mpf(2) - mp.mpf(2) / order

    def ratios(q):
        q = mp.mpf(q)
        # ∫ e^s s^(−p) ds up to q, with e^q and q^(−p) taken out, on the last 60 units of s
        passed = mp.quad(lambda x: mp.exp(-x) * (1 - x / q) ** (-power), [0, 5, 20, 60])
        constant = order**2 * margin ** (mp.mpf(2) / order)
        log_time = q - power * mp.log(q) + mp.log(passed / constant)
        loss_ratio = mp.exp(-q + log_time) * log_time**power * constant
        return loss_ratio, (q / margin) ** (mp.mpf(1) / order) / log_time ** (mp.mpf(1) / order)

    for q, tolerance in ((1e3, 2e-2), (1e6, 1e-4)):
        loss_ratio, length_ratio = ratios(q)
        assert loss_ratio == pytest.approx(1, abs=tolerance)
        assert length_ratio == pytest.approx(margin ** (mp.mpf(-1) / order), rel=tolerance)


@about("homogeneous-margin/sec-4.3-objective")
@given(st.floats(0.1, 5), st.floats(0.2, 3), st.floats(1, 4))
def test_the_least_objective_on_a_ray_is_a_power_of_the_margin(q, length, order):
    def objective(logarithm):
        scale = math.exp(logarithm)
        return (scale * length) ** 2 / 2 + (1e9 if scale**order * q < 1 else 0)

    grid = np.linspace(-8, 8, 200001)
    least = min(objective(point) for point in grid[(grid > -math.log(q) / order - 1e-4)][:3])
    assert least == pytest.approx(0.5 * (q / length**order) ** (-2 / order), rel=1e-3)


@about("homogeneous-margin/lem-c.13")
@pytest.mark.parametrize("seed", range(4))
def test_a_multiple_of_a_kkt_point_solves_the_linearized_problem(seed):
    """SLSQP solves both problems for Φ = θ_1θ_2 x_1 + θ_3θ_4 x_2, which has order 2."""
    generator = np.random.default_rng(seed)
    samples = generator.uniform(0.3, 1.5, size=(3, 2))

    def values(theta):
        return samples @ np.array([theta[0] * theta[1], theta[2] * theta[3]])

    def slopes(theta):
        left, right = samples[:, :1], samples[:, 1:]
        return np.hstack([left * theta[1], left * theta[0], right * theta[3], right * theta[2]])

    start = generator.uniform(0.8, 1.5, size=4)
    options = {"maxiter": 500, "ftol": 1e-14}
    first = minimize(
        lambda p: p @ p / 2,
        start,
        jac=lambda p: p,
        method="SLSQP",
        options=options,
        constraints={"type": "ineq", "fun": lambda p: values(p) - 1, "jac": slopes},
    )
    fixed = slopes(first.x)
    second = minimize(
        lambda p: p @ p / 2,
        np.ones(4),
        jac=lambda p: p,
        method="SLSQP",
        options=options,
        constraints={"type": "ineq", "fun": lambda p: fixed @ p - 1, "jac": lambda p: fixed},
    )
    assert np.allclose(second.x, first.x / 2, atol=1e-5)


def near_kkt(seed):
    """The end of a flow as an approximate KKT point: distance, slack, smoothed margin, cosine and −log of the loss."""
    _, thetas, velocities, values = flow_of(seed, 50.0)
    theta, velocity, q = thetas[-1], velocities[-1], values[-1]
    least, length = q.min(), np.linalg.norm(theta)
    multipliers = length * np.exp(-q) / np.linalg.norm(velocity)  # 1 − 2/L = 0
    scaled = theta / least**0.5
    slopes = margins_of(seed)[1](scaled)
    distance = np.linalg.norm(scaled - multipliers @ slopes)
    slack = multipliers @ (q / least - 1)
    loss = np.exp(-q).sum()
    cosine = theta @ velocity / (length * np.linalg.norm(velocity))
    return distance, slack, -math.log(loss) / length**2, cosine, -math.log(loss)


@about("homogeneous-margin/kkt-stationarity")
@pytest.mark.parametrize("seed", range(4))
def test_the_end_of_a_flow_is_nearly_stationary(seed):
    distance, _, smoothed, cosine, _ = near_kkt(seed)
    assert distance**2 <= 2 * (1 - cosine) / smoothed * (1 + 1e-6)


@about("homogeneous-margin/kkt-slackness")
@pytest.mark.parametrize("seed", range(4))
def test_the_end_of_a_flow_is_nearly_complementary(seed):
    _, slack, smoothed, _, doubled = near_kkt(seed)
    assert 0 <= slack <= 2 / (math.e * 2 * smoothed * doubled)


LOSSES = {
    "cubic": (lambda q: np.exp(-(q**3)), lambda y: np.log(1 / y) ** (1 / 3)),
    "logistic": (lambda q: np.log1p(np.exp(-q)), lambda y: np.log(1 / np.expm1(y))),
    "cubic logistic": (lambda q: np.log1p(np.exp(-(q**3))), lambda y: np.log(1 / np.expm1(y)) ** (1 / 3)),
}


@about("homogeneous-margin/sec-4.4-losses")
@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("seed", range(3))
def test_the_smoothed_margin_of_other_losses_never_falls(name, seed):
    """Slopes of the losses by complex steps; the start is long enough for a loss below ℓ(0)."""
    lost, inverse = LOSSES[name]
    values, slopes, theta = margins_of(seed)
    theta = theta * np.sqrt(1.2 / values(theta).min())
    while lost(values(theta)).sum() >= lost(0.0):
        theta = 1.1 * theta

    def velocity(_, theta):
        pulls = -np.imag(lost(values(theta) + 1e-30j)) / 1e-30
        return pulls @ slopes(theta)

    path = solve_ivp(velocity, (0, 20.0), theta, "LSODA", np.linspace(0, 20, 200), rtol=1e-10, atol=1e-11)
    smoothed = np.array([inverse(lost(values(p)).sum()) / (p @ p) for p in path.y.T])
    assert np.diff(smoothed).min() > -1e-8 * smoothed.max()
    assert smoothed[-1] > smoothed[0]


@about("homogeneous-margin/eq-5")
@pytest.mark.parametrize("seed", range(5))
def test_the_margin_over_a_product_of_lengths_never_falls(seed):
    """Φ = θ_4² ⟨θ_1…3, x⟩ has the order one in the first group and two in the second."""
    generator = np.random.default_rng(seed)
    points = generator.uniform(0.3, 1.5, size=(3, 3))
    start = generator.uniform(1.0, 1.8, size=4)

    def values(theta):
        return theta[3] ** 2 * (points @ theta[:3])

    def velocity(_, theta):
        slopes = np.column_stack([theta[3] ** 2 * points, 2 * theta[3] * (points @ theta[:3])])
        return np.exp(-values(theta)) @ slopes

    while np.exp(-values(start)).sum() > 0.9:
        start = 1.1 * start
    path = solve_ivp(velocity, (0, 50.0), start, "LSODA", np.geomspace(1e-3, 50, 200), rtol=1e-10, atol=1e-11)
    smoothed = np.array([-math.log(np.exp(-values(p)).sum()) / (np.linalg.norm(p[:3]) * p[3] ** 2) for p in path.y.T])
    assert np.diff(smoothed).min() > -1e-8 * smoothed.max()
    assert smoothed[-1] > smoothed[0]


@about("homogeneous-margin/sec-5-radial")
@pytest.mark.parametrize("seed", range(3))
def test_the_radial_part_has_the_product_of_both_rates_as_square(seed):
    _, thetas, velocities, _ = flow_of(seed, 0.1)
    for theta, velocity in zip(thetas[::20], velocities[::20], strict=True):
        step = 1e-5
        ahead, behind = theta + step * velocity, theta - step * velocity
        half = (ahead @ ahead - behind @ behind) / (4 * step)
        growth = math.log(np.linalg.norm(ahead) / np.linalg.norm(behind)) / (2 * step)
        radial = (velocity @ theta) / (theta @ theta) * theta
        assert radial @ radial == pytest.approx(half * growth, rel=1e-6)
        turned = (ahead / np.linalg.norm(ahead) - behind / np.linalg.norm(behind)) / (2 * step)
        across = np.linalg.norm(velocity - radial) / np.linalg.norm(theta)
        assert np.linalg.norm(turned) == pytest.approx(across, rel=1e-5)
