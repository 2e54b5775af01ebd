"""The printed statements on where the flow of the mask leads, as corrected, against trajectories."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import simpson
from statements import (
    about,
    few,
    interpolating,
    pairs,
    rows,
    targets,
    times,
    train,
)


@about("mask-in-the-mirror/eq-5")
@few
@given(st.floats(1.0, 1.3), st.floats(0.3, 0.5), st.floats(1.0, 1.3))
def test_with_decay_the_loss_stays_above_the_printed_bound(m0, ratio, strength):
    """For f = x²/2, x* = 0, hence B = f(x_0), and λ = 2; the decay ends at ½, and equation 5 shall hold at t = 20."""
    m, w, _ = train(m0, ratio * m0, lambda x: x, [20.0], lambda t: strength if t <= 0.5 else 0.0)
    fallen = float((m * w)[-1, 0] / (ratio * m0**2)) ** 2
    scale = m0**2 * (1 - ratio**2) * math.exp(-2 * strength / 2)  # 2u_0v_0 e^(−2A_∞)
    assert fallen > 2 * math.exp(-2 * scale * 20)


@about("mask-in-the-mirror/thm-a.2")
@few
@given(pairs, rows, targets, times)
def test_the_residuals_enter_the_mirror_map_with_a_minus_sign(start, Z, y, time):
    """Σ over time of the residual from the trajectory itself, by Simpson's rule on a fine grid."""
    Z, at = np.array(Z), np.linspace(1e-9, time, 401)
    m, w, _ = train(start[:, 0], start[:, 1], interpolating(Z, y), at)
    accumulated = simpson(m * w @ Z - y, x=at)
    scale = (start[:, 0] ** 2 - start[:, 1] ** 2) / 2
    shift = np.log((start[:, 0] + start[:, 1]) / (start[:, 0] - start[:, 1]))
    mapped = (np.arcsinh((m * w)[-1] / scale) - shift) / 2
    assert mapped == pytest.approx(-Z * accumulated, abs=1e-6)
