"""The statement on trained networks, by a loop of its own and the potential in mpmath's arithmetic."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from statements import about, few, mirror_map, rotated, starts, strengths, targets


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


@about("training-identity")
@few
@given(starts, st.tuples(targets, targets), strengths, st.sampled_from([0.0, 0.5, 0.8]), st.integers(0, 1000))
def test_trained_weights_obey_the_mirror_identity_like_their_step(start, pair, strength, momentum, seed):
    """A sixteenth of the step has about a sixteenth of the residual; the draws may cancel in that of the large one."""
    coarse = residual(start, pair, strength, momentum, seed, 64)
    fine = residual(start, pair, strength, momentum, seed, 1024)
    assert fine <= coarse / 4 + 3 / 1024
    assert fine < 0.1
