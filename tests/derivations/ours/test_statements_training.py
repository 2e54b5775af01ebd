"""Statements on trained networks, tested by separate loops and the potential in mpmath's arithmetic."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from statements import (
    about,
    few,
    mirror_map,
    rotated,
    starts,
    strengths,
    targets,
)


def residual(start, pair, strength, momentum, seed, count):
    """|R_a'(x) + L| of one weight after flow time 1, where every step draws one of two targets."""
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


@about("ours/training-identity")
@few
@given(starts, st.tuples(targets, targets), strengths, st.sampled_from([0.0, 0.5, 0.8]), st.integers(0, 1000))
def test_trained_weights_obey_the_mirror_identity_like_their_step(start, pair, strength, momentum, seed):
    """A sixteenth of the step has about a sixteenth of the residual, which at the large step may be small by chance."""
    coarse = residual(start, pair, strength, momentum, seed, 64)
    fine = residual(start, pair, strength, momentum, seed, 1024)
    assert fine <= coarse / 4 + 3 / 1024
    assert fine < 0.1


def network_residual(start, teacher, strength, count):
    """The largest |R_a'(x) + L| in a network v·tanh(x s) whose six weights x are masked, with gradients written out."""
    rng = np.random.default_rng(0)
    inputs, readout = rng.normal(size=(5, 2)), np.array([1.0, -0.5, 0.8])
    labels = np.tanh(inputs @ np.full((2, 3), teacher)) @ readout
    m, w = np.full((2, 3), start[0]), start[1] * np.linspace(-1, 1, 6).reshape(2, 3)
    (u, v), step = rotated(m, w), 1 / count
    accumulated, decay = np.zeros((2, 3)), 0.0
    for _ in range(count):
        hidden = np.tanh(inputs @ (m * w))
        errors = hidden @ readout - labels
        slope = inputs.T @ (errors[:, None] * (1 - hidden**2) * readout) / len(inputs)
        m, w = m - step * (w * slope + 2 * strength * m), w - step * (m * slope + 2 * strength * w)
        accumulated, decay = accumulated + step * slope, decay + step * strength
    arguments = zip((m * w).flat, (u * v * np.exp(-4 * decay)).flat, np.log(u / v).flat, strict=True)
    points = [mirror_map(*each) for each in arguments]
    return float(np.max(np.abs(np.array(points, dtype=float) + accumulated.ravel())))


@about("ours/network-identity")
@few
@given(starts, targets, strengths)
def test_every_weight_of_a_network_obeys_the_mirror_identity_like_the_step(start, teacher, strength):
    coarse, fine = (network_residual(start, teacher, strength, count) for count in (64, 1024))
    assert fine <= coarse / 4 + 1e-12
    assert fine < 0.02
