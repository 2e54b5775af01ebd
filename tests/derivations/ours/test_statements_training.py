"""The statements on trained networks, by loops of their own and the potential in mpmath's arithmetic."""

import numpy as np
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy.optimize import brentq
from statements import (
    about,
    few,
    mirror_map,
    pairs,
    rotated,
    rows,
    starts,
    strengths,
    targets,
)


def residual(start, pair, strength, momentum, seed, count):
    """|R_a'(x) + L| of one weight after flow time 1, one of two targets drawn at random for every step."""
    theta, sums, step = np.array(start), np.zeros(2), (1 - momentum) / count
    velocity, moves = np.zeros(2), np.zeros(2)
    drawn = np.random.default_rng(seed).choice(pair, count)
    for target in drawn:
        m, w = theta
        slope = m * w - target
        velocity = momentum * velocity + np.array([w * slope + 2 * strength * m, m * slope + 2 * strength * w])
        moves = momentum * moves + np.array([slope, strength])
        theta, sums = theta - step * velocity, sums + step * moves
    (u, v), (accumulated, decay) = rotated(*start), sums
    scale = u * v * np.exp(-4 * decay)
    return abs(float(mirror_map(theta[0] * theta[1], scale, np.log(u / v)) + accumulated))


@about("ours/flow-identity")
@few
@given(starts, st.tuples(targets, targets), strengths, st.sampled_from([0.0, 0.5, 0.8]), st.integers(0, 1000))
def test_trained_weights_obey_the_mirror_identity_like_their_step(start, pair, strength, momentum, seed):
    """A sixteenth of the step has about a sixteenth of the residual; the draws may cancel in that of the large one."""
    coarse = residual(start, pair, strength, momentum, seed, 64)
    fine = residual(start, pair, strength, momentum, seed, 1024)
    assert fine <= coarse / 4 + 3 / 1024
    assert fine < 0.1


class Products:
    """The scale and shift of masked weights in steps of heavy ball or Nesterov's variant, from slopes alone."""

    def __init__(self, m, w, beta=0.0, nesterov=False):
        self.log_scale, self.shift = np.log(np.abs(m**2 - w**2) / 2), np.log(np.abs((m + w) / (m - w)))
        self.memories, self.beta, self.nesterov = [0 * m, 0 * m], beta, nesterov

    def step(self, slope, eta, strength):
        logarithms = []
        for k, sign in enumerate((1, -1)):
            push = sign * slope + 2 * strength
            mu = self.beta * self.memories[k] + push
            r = 1 - eta * (push + self.beta * mu if self.nesterov else mu)
            self.memories[k] = mu / r
            logarithms.append(np.log(np.abs(r)))
        self.log_scale, self.shift = self.log_scale + sum(logarithms), self.shift + logarithms[0] - logarithms[1]


class Momentum:
    """The moves of heavy ball or Nesterov's variant, for any stack of arrays."""

    def __init__(self, beta=0.0, nesterov=False):
        self.beta, self.nesterov, self.buffer = beta, nesterov, 0.0

    def __call__(self, slope):
        self.buffer = self.beta * self.buffer + slope
        return slope + self.beta * self.buffer if self.nesterov else self.buffer


def exact_residual(x, products, accumulated):
    """The largest |R'(x) + L| for the products' potential, with b = β + 2L."""
    given = zip(
        np.ravel(x), np.ravel(np.exp(products.log_scale)), np.ravel(products.shift + 2 * accumulated), strict=True
    )
    points = np.array([float(mirror_map(*each)) for each in given])
    return float(np.max(np.abs(points + np.ravel(accumulated))))


@about("ours/training-identity")
@few
@given(starts, st.tuples(targets, targets), strengths, st.floats(0, 0.9), st.booleans(), st.integers(0, 1000))
def test_trained_weights_obey_the_mirror_identity_of_their_products(start, pair, strength, beta, nesterov, seed):
    """One weight, one of two targets drawn for every step, strengths and steps that change on the way."""
    m, w = (np.array([each]) for each in start)
    products, accumulated = Products(m, w, beta, nesterov), np.zeros(1)
    move, along = Momentum(beta, nesterov), Momentum(beta, nesterov)
    for k, target in enumerate(np.random.default_rng(seed).choice(pair, 40)):
        eta, alpha = 0.2 * (1 - beta) / (1 + 0.1 * k), strength * 0.8**k
        slope = m * w - target
        moves = move(np.stack([w * slope + 2 * alpha * m, m * slope + 2 * alpha * w]))
        products.step(slope, eta, alpha)
        accumulated = accumulated + eta * along(slope)
        m, w = m - eta * moves[0], w - eta * moves[1]
    assert exact_residual(m * w, products, accumulated) < 1e-9


@about("ours/run-limit")
@few
@given(pairs, rows, targets, st.sampled_from([0.0, 0.6]), st.floats(0, 0.2))
def test_a_run_that_fits_ends_at_the_least_potential_of_its_products(start, Z, y, beta, strength):
    """Two weights on the line Zx = y, where the slope of the potential has one zero."""
    Z, (m, w) = np.array(Z), start.T
    products, move = Products(m, w, beta), Momentum(beta)
    accumulated, along = np.zeros(2), Momentum(beta)
    eta = 0.3 * (1 - beta) / (1 + np.sum(m**2) + abs(y)) / (Z @ Z)
    for k in range(3000):
        slope, alpha = Z * (Z @ (m * w) - y), strength * 0.9**k
        if abs(slope).max() < 1e-15 and alpha < 1e-17:
            break
        moves = move(np.stack([w * slope + 2 * alpha * m, m * slope + 2 * alpha * w]))
        products.step(slope, eta, alpha)
        accumulated = accumulated + eta * along(slope)
        m, w = m - eta * moves[0], w - eta * moves[1]
    x = m * w
    assume(abs(Z @ x - y) < 1e-12)
    base, direction = Z * y / (Z @ Z), np.array([-Z[1], Z[0]])
    scale, b = np.exp(products.log_scale), products.shift + 2 * accumulated
    end = base + direction * brentq(
        lambda t: direction @ (np.arcsinh((base + t * direction) / scale) - b), -50, 50, xtol=1e-14
    )
    assert np.linalg.norm(x - end) <= 1e-9 * (1 + np.linalg.norm(end))


def network_residual(start, teacher, strength, beta):
    """The largest |R'(x) + L| in a network v·tanh(x s) whose six weights x are masked, by gradients by hand."""
    rng = np.random.default_rng(0)
    inputs, readout = rng.normal(size=(5, 2)), np.array([1.0, -0.5, 0.8])
    labels = np.tanh(inputs @ np.full((2, 3), teacher)) @ readout
    m, w = np.full((2, 3), start[0]), start[1] * np.linspace(-1, 1, 6).reshape(2, 3)
    products, move, along = Products(m, w, beta), Momentum(beta), Momentum(beta)
    accumulated, step = np.zeros((2, 3)), 0.3 * (1 - beta)
    for _ in range(60):
        hidden = np.tanh(inputs @ (m * w))
        errors = hidden @ readout - labels
        slope = inputs.T @ (errors[:, None] * (1 - hidden**2) * readout) / len(inputs)
        moves = move(np.stack([w * slope + 2 * strength * m, m * slope + 2 * strength * w]))
        products.step(slope, step, strength)
        accumulated = accumulated + step * along(slope)
        m, w = m - step * moves[0], w - step * moves[1]
    return exact_residual(m * w, products, accumulated)


@about("ours/network-identity")
@few
@given(starts, targets, st.floats(0, 0.05), st.sampled_from([0.0, 0.9]))
def test_every_weight_of_a_network_obeys_the_mirror_identity_of_its_products(start, teacher, strength, beta):
    assert network_residual(start, teacher, strength, beta) < 1e-9
