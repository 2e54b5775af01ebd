"""No step of an integrator crosses a time at which the strength jumps."""

import numpy as np
import pytest

import implicit_bias as ib
from implicit_bias.schedule import Pulse

MASK, H = ib.Parameterization("m*w", ["m", "w"]), "m**2 + w**2"


@pytest.mark.parametrize("method", ["DOP853", "RK45", "LSODA", "Radau"])
@pytest.mark.parametrize("length", [1e-3, 1.0, 10.0])
def test_a_short_pulse_in_a_long_rest_is_not_stepped_over(method, length):
    """Without data only decay acts, m = m₀ exp(−2A); an integrator learns of the pulse from its breakpoints alone."""
    schedule, times = Pulse(start=50.0, length=length, dose=0.3), [50.0, 50.0 + length / 2, 50.0 + length, 100.0]
    flow = ib.gradient_flow(
        ib.Regression([[0.0]], [0.0]),
        MASK.with_regularizer(H),
        {"m": 1.5, "w": 0.5},
        times,
        schedule=schedule,
        method=method,
        rtol=1e-9,
    )
    spent = np.array([0.0, 0.15, 0.3, 0.3])
    np.testing.assert_allclose(flow.parameters["m"][:, 0], 1.5 * np.exp(-2 * spent), rtol=1e-6)
    np.testing.assert_allclose(flow.decay, spent, atol=1e-12)


@pytest.mark.parametrize("schedule", [Pulse(start=50.0, length=1e-3, dose=0.3), Pulse(start=0.0, length=0.5, dose=0.3)])
def test_both_edges_of_a_pulse_are_breakpoints(schedule):
    """The breakpoints are the times at which the strength jumps; t = 0 is none, as no time lies before it."""
    around = np.array([schedule.start, schedule.start + schedule.length])
    jumps = [t for t in around if t and schedule(np.nextafter(t, 0)) != schedule(np.nextafter(t, 2 * t))]
    assert list(schedule.breakpoints) == jumps
