"""The statements on steepest descent, against trajectories and numbers that share no code with their checks."""

import mpmath as mp
import numpy as np
import pytest
from scipy.integrate import quad, solve_ivp
from scipy.optimize import minimize
from statements import about

EXPONENTS = (1.25, 1.5, 2.0, 3.0)


def slopes(factors):
    """The derivatives of the product in each factor, one by one."""
    return np.array([np.prod(np.delete(factors, i)) for i in range(len(factors))])


def trained(factors, pull, q, time, alpha=0.0, coupled=False):
    """Factors of one weight with ∇f = pull(x), after steepest descent with decay at rate α in each factor."""

    def velocity(_, theta):
        gradient = slopes(theta) * pull(np.prod(theta)) + (alpha * theta if coupled else 0.0)
        step = -np.sign(gradient) * np.abs(gradient) ** (q - 1)
        return step if coupled else step - alpha * theta

    return solve_ivp(velocity, (0, time), factors, "LSODA", [time], rtol=1e-11, atol=1e-13).y[:, -1]


@about("never-saddle/balance")
@pytest.mark.parametrize("q", EXPONENTS)
@pytest.mark.parametrize("alpha", [0.0, 0.7])
def test_the_balance_contracts_with_the_power(q, alpha):
    start, time = np.array([1.3, -0.4, 0.9]), 0.8
    end = trained(start, lambda x: np.tanh(x - 2.0), q, time, alpha)
    for i, j in ((0, 1), (1, 2)):
        first = abs(start[i]) ** q - abs(start[j]) ** q
        last = abs(end[i]) ** q - abs(end[j]) ** q
        assert last == pytest.approx(first * np.exp(-q * alpha * time), rel=1e-7)


@about("never-saddle/two-factors")
@pytest.mark.parametrize("q", [1.0, *EXPONENTS])
@pytest.mark.parametrize(("m", "w"), [(1.2, 0.5), (-0.3, 0.8), (0.7, 0.0)])
def test_the_metric_of_two_factors(q, m, w):
    speed = np.sum(np.abs(slopes(np.array([m, w]))) ** q)
    level = abs(m) ** q - abs(w) ** q
    assert speed == pytest.approx(np.sqrt(4 * abs(m * w) ** q + level**2), rel=1e-14)


@about("never-saddle/metric-exponent")
@pytest.mark.parametrize("q", [1.0, *EXPONENTS])
@pytest.mark.parametrize("depth", [2, 3, 5])
def test_the_exponent_is_a_slope_in_logarithms(q, depth):
    speeds = [np.sum(slopes(np.full(depth, x ** (1 / depth))) ** q) for x in (0.5, 2.0)]
    assert speeds[0] * 0.5 ** -(q * (depth - 1) / depth) == pytest.approx(depth)
    assert np.log(speeds[1] / speeds[0]) / np.log(4) == pytest.approx(q * (depth - 1) / depth)


@about("never-saddle/coercivity")
@pytest.mark.parametrize("q", [1.0, *EXPONENTS])
@pytest.mark.parametrize("depth", [2, 3, 4])
def test_the_metric_is_least_at_the_start(q, depth):
    level = 0.6
    speeds = []
    for first in np.linspace(-1.0, 1.0, 41):
        others = (level**q + abs(first) ** q) ** (1 / q)
        speeds.append(np.sum(np.abs(slopes(np.array([first, *[others] * (depth - 1)]))) ** q))
    assert min(speeds) == pytest.approx(level ** (q * (depth - 1)), rel=1e-12)
    assert np.argmin(speeds) == 20


@about("never-saddle/manifold-regularizer")
@pytest.mark.parametrize("q", [1.0, 1.5, 2.0])
@pytest.mark.parametrize("depth", [2, 3])
def test_decay_alone_descends_the_regularizer(q, depth):
    factors, step = np.full(depth, 0.9), 1e-5
    x, shrunk = np.prod(factors), np.prod(factors * np.exp(-step))
    fall = quad(lambda y: 1 / np.sum(slopes(np.full(depth, y ** (1 / depth))) ** q), shrunk, x, epsabs=1e-15)[0] / step
    power = 2 - q * (depth - 1) / depth
    slope = depth / (depth * (2 - q) + q) * power * x ** (power - 1)
    assert fall == pytest.approx(slope, rel=1e-4)


@about("never-saddle/sparsity-needs-depth")
def test_the_power_goes_to_one():
    for depth in (2, 5, 1000):
        fall = [x * depth / np.sum(slopes(np.full(depth, x ** (1 / depth)))) for x in (0.5, 0.6)]
        power = 1 + np.log(fall[1] / fall[0]) / np.log(1.2)
        assert power == pytest.approx(1 + 1 / depth, abs=1e-9)
        assert power > 1


@about("never-saddle/sign-potential")
@pytest.mark.parametrize("level", [0.3, 1.0, 2.5])
def test_the_potential_of_sign_descent_is_a_double_integral(level):
    for x in (0.2, 1.7):
        claimed = (4 * mp.mpf(x) + level**2) ** 1.5 / 12 - level * mp.mpf(x) / 2 - mp.mpf(level) ** 3 / 12
        found = mp.quad(lambda y, x=x: (x - y) / mp.sqrt(4 * y + level**2), [0, x])
        assert float(claimed) == pytest.approx(float(found), rel=1e-12)


@about("never-saddle/decoupled-decay")
@pytest.mark.parametrize("q", [1.25, 1.5, 2.0])
def test_the_dual_variable_forgets(q):
    """Z from the trained factors, by an integral of the claimed R_A'', against z from its own equation."""
    alpha, time, start, force = 0.4, 0.6, np.array([1.1, -0.5]), 1.3
    m, w = trained(start, lambda x: -force, q, time, 2 * alpha)
    level = (start[0] ** q - 0.5**q) * np.exp(-2 * q * alpha * time)
    lowest = start[0] * start[1] * np.exp(-4 * alpha * time)
    edges = sorted({lowest, 0.0, m * w})
    z = float(mp.quad(lambda x: 1 / mp.sqrt(4 * abs(x) ** q + level**2), edges))
    rate = 2 * (2 - q) * alpha
    forgotten = force ** (q - 1) * (time if rate == 0 else (1 - np.exp(-rate * time)) / rate)
    assert z == pytest.approx(forgotten, rel=1e-7)


@about("never-saddle/coupled-decay")
def test_coupled_decay_keeps_the_balance_of_sign_descent():
    step, alpha = 1e-4, 0.6
    coupled, decoupled = np.array([2.0, 1.5]), np.array([2.0, 1.5])
    for _ in range(5000):
        coupled = coupled - step * np.sign(coupled[::-1] * 0.7 + 2 * alpha * coupled)
        decoupled = decoupled - step * (np.sign(decoupled[::-1] * 0.7) + 2 * alpha * decoupled)
    assert coupled[0] - coupled[1] == pytest.approx(0.5, abs=1e-9)
    assert decoupled[0] - decoupled[1] == pytest.approx(0.5 * np.exp(-2 * alpha * 0.5), rel=1e-3)
    assert min(*coupled, *decoupled) > 0


def sign_potential(x):
    return np.sum(((4 * np.abs(x) + 1) ** 1.5 - 1) / 12 - np.abs(x) / 2)


@about("never-saddle/no-projection")
def test_sign_descent_ends_beside_the_projection():
    Z, m, w, step = np.array([1.0, 2.0]), np.ones(2), np.zeros(2), 1e-4
    while Z @ (m * w) < 6:
        m, w = m + step * np.sign(w * Z), w + step * np.sign(m * Z)
    assert m * w == pytest.approx([2, 2], abs=1e-3)
    other = np.array([26, 350]) / 121
    assert Z @ other == pytest.approx(6)
    assert sign_potential(np.array([2.0, 2.0])) - sign_potential(other) == pytest.approx(171 / 1331, rel=1e-12)
    along = (sign_potential(np.array([2 - 2e-6, 2 + 1e-6])) - sign_potential(np.array([2 + 2e-6, 2 - 1e-6]))) / 2e-6
    assert along == pytest.approx(1 - 2, rel=1e-6)  # s(z₁ − z₂) with s = 1
    least = minimize(lambda b: sign_potential(np.array([6 - 2 * b[0], b[0]])), [2.0], tol=1e-12).fun
    assert least <= sign_potential(other)


@about("never-saddle/another-projection")
@pytest.mark.parametrize("q", [1.5, 2.0, 3.0])
def test_one_observation_fixes_the_direction_of_the_dual(q):
    z, target = np.array([0.8, 1.7]), 2.0

    def velocity(_, state):
        m, w = state[:2], state[2:]
        pull = z * (z @ (m * w) - target)
        gradient = np.concatenate([w * pull, m * pull])
        return -np.sign(gradient) * np.abs(gradient) ** (q - 1)

    m, w = solve_ivp(velocity, (0, 0.5), [1, 0.8, 0, 0], "LSODA", [0.5], rtol=1e-10, atol=1e-12).y.reshape(2, 2)
    levels = np.array([1, 0.8]) ** q
    duals = [quad(lambda x, k=k: 1 / np.sqrt(4 * x**q + levels[k] ** 2), 0, m[k] * w[k])[0] for k in range(2)]
    assert duals[0] / duals[1] == pytest.approx((z[0] / z[1]) ** (q - 1), rel=1e-6)
