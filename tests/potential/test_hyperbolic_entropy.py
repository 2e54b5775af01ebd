"""The hyperbolic entropy: the laws of a potential, its derivatives in torch, and its arguments."""

import functools

import mpmath as mp
import numpy as np
import potential_laws as laws
import pytest
from hyperbolic_references import case, cases, exact_chain, exact_dual_chain, logs, point, rates, signs
from hypothesis import example, given
from hypothesis import strategies as st

import implicit_bias as ib
from implicit_bias import HyperbolicEntropy
from implicit_bias.errors import InputError

EPS = laws.EPS


@pytest.mark.parametrize("law", laws.LAWS, ids=lambda law: law.__name__)
@given(case=cases())
# A step of 1e-305 beside a minimizer of 1e19: half the difference of angles underflows to 0, which may end in 0/0.
@example(case=case(HyperbolicEntropy(scale=1e-281, shift=-692.0), np.array([-1e-305]), np.array([-1e-305])))
# A step that almost cancels a minimizer near the end of the floating-point range: an unused term may be inf − inf.
@example(case=case(HyperbolicEntropy(scale=5e175, shift=-270.0, rate=0.5), np.array([2.80125562e293]), np.array([1.0])))
def test_law(law, case):
    law(case)


@given(log_scale=logs, ratios=st.lists(logs, min_size=2, max_size=6))
def test_exponent_runs_from_two_to_one(log_scale, ratios):
    potential = HyperbolicEntropy(log_scale=log_scale)
    laws.exponent_runs_from_two_to_one(potential, np.array([point(log_scale, r, 1) for r in ratios]))
    assert potential.effective_exponent([0.0])[0] == 2


@pytest.mark.parametrize("make", [HyperbolicEntropy, ib.Entropy])
def test_a_scale_for_no_coordinate_is_refused(make):
    with pytest.raises(InputError, match="one for each coordinate, got shape"):
        make(scale=[])


@pytest.mark.parametrize(("make", "rtol"), laws.ARRAYS)
@pytest.mark.parametrize("scale", [0.5, [0.1, 1.0, 20.0]])
def test_types_are_preserved(make, rtol, scale):
    laws.types_are_preserved(HyperbolicEntropy(scale=scale), np.array([0.01, -0.3, 5.0]), make, rtol)


def test_numbers_and_lists_become_float64():
    potential = HyperbolicEntropy(scale=1.0)
    assert potential.gradient(0.0) == 0
    assert potential.value([3, 4]).dtype == np.float64
    assert potential.minimizer == 0
    assert potential.domain == potential.dual_domain == (-np.inf, np.inf)


@pytest.mark.parametrize("scale", [1.0, [1.0, 2.0]])
def test_bad_input_is_refused(scale):
    laws.bad_input_is_refused(HyperbolicEntropy(scale=scale), np.array([1.0, 2.0]))


@given(log_scale=st.floats(-1e5, 690))
def test_relaxations_lead_to_the_potential(log_scale):
    """The path starts at a scale near 1, and each gap in log a is twice the one before, up to the potential itself."""
    potential = HyperbolicEntropy(log_scale=log_scale, shift=0.5, rate=4.0)
    path = [*potential.relaxations(), potential]
    gaps = np.diff([float(p.log_scale) for p in path])
    np.testing.assert_array_equal(gaps[1:], 2 * gaps[:-1])  # halving is exact
    assert abs(path[0].log_scale) <= 5 or log_scale > 5
    assert all(p.shift == 0.5 and p.rate == 4.0 for p in path)


# Coordinates of scales over 600 decades and beyond, each with its shift.
LOG_SCALES = [-4000.0, -1400.0, -1000.0, -745.0, -720.0, -709.0, -650.0, -300.0, -23.0, 0.0, 23.0, 300.0, 690.0]
SHIFTS = [0.0, 1.5, -20.0, 0.0, 2.0, 0.0, 0.0, 300.0, 0.0, -0.3, 0.0, 0.0, -1.0]
SIZES = [5e-324, 3e-316, *(10.0**k for k in range(-308, 309, 44)), 1.0, 1.7e308]
RATES = [2.0, 0.5, 4.0]
WEIGHTS = np.array([0.0, *SIZES, *(-size for size in SIZES)])


@pytest.mark.parametrize("rate", RATES)
def test_derivatives_over_all_decades(rate):
    """Values and first to third derivatives are exact at 0 and for every size and sign of weight, at every scale."""
    potential = HyperbolicEntropy(log_scale=LOG_SCALES, shift=SHIFTS, rate=rate)
    points = np.repeat(WEIGHTS[:, None], len(LOG_SCALES), axis=1)
    points = np.concatenate([points, np.minimum(np.exp(LOG_SCALES), 1e308) * np.array([[0.3], [-1.0], [7.0]])])
    chain = laws.Chain(potential.value, potential.gradient, functools.partial(exact_chain, potential))
    with mp.workdps(1300):
        laws.torch_derivatives_are_exact(chain, points, ulps=16)


@pytest.mark.parametrize("rate", RATES)
def test_derivatives_of_the_conjugate_over_all_decades(rate):
    potential = HyperbolicEntropy(log_scale=LOG_SCALES, shift=SHIFTS, rate=rate)
    middle = -np.array(LOG_SCALES) / rate
    points = np.array([0.0, 1.0, 1 / rate, -1.0])[:, None] * (np.array([0.0, 1e-300, 1e-3, 1.0, 300.0])[:, None, None])
    points = (points + 0 * middle).reshape(-1, len(middle))
    points = np.concatenate([points, [middle, -middle, 0.9 * middle, -np.array(SHIFTS) / rate]])
    chain = laws.Chain(potential.conjugate, potential.inverse_gradient, functools.partial(exact_dual_chain, potential))
    with mp.workdps(1300):
        laws.torch_derivatives_are_exact(chain, points, ulps=16)


EVERYDAY = HyperbolicEntropy(scale=[0.3, 1.0, 2.0, 1e-3], shift=[0.0, 0.5, -2.0, 0.0], rate=3.0)


@pytest.mark.parametrize("x", [[0.0, 0.0, 0.0, 0.0], [0.1, -1.0, 3.0, -2.0], EVERYDAY.minimizer])
def test_torch_differentiates_what_it_computes(x):
    laws.torch_differentiates_what_it_computes(EVERYDAY, np.array(x), np.array([0.2, 0.3, -0.4, 2.0]), eps=1e-5)


@pytest.mark.parametrize("scale", [1e-300, 1e-3, 1.0, 1e300])
def test_divergences_of_close_points_have_exact_derivatives(scale):
    potential = HyperbolicEntropy(scale=scale, shift=0.7)
    x = np.array([1e-300, -1e-5, 1.0, -1e5, 1e300])
    with mp.workdps(1300):
        exact = functools.partial(exact_chain, potential)
        laws.divergences_of_close_points_have_exact_derivatives(
            potential, x, lambda _, number: exact(0, number), 16 * EPS
        )


def test_torch_rounds_once():
    laws.torch_rounds_once(EVERYDAY, np.array([0.0, 0.3, -5.0, 1e-3]))
    laws.torch_rounds_once(HyperbolicEntropy(log_scale=[-4000.0, -90.0], shift=[0.0, 1.0]), np.array([1e-3, 0.3]))


def test_a_copy_gives_the_same_numbers():
    laws.a_copy_gives_the_same_numbers(EVERYDAY, np.array([0.1, 0.3, -0.4, 2.0]))


def test_the_derived_difference_of_squares_is_differentiated_at_its_start():
    """At x = 0, where masks start, R'' = 1/(r a); torch's derivatives of abs and sign would make it −1/(r a) or 0."""
    potential = ib.derive(ib.Parameterization("u**2 - v**2", "u,v")).at({"u": 0.5, "v": 0.5})
    x = laws.torch.zeros(1)
    want = 1 / (4 * 2 * 0.25)
    assert float(laws.torch.func.hessian(potential.value)(x)) == pytest.approx(want, rel=1e-6)
    assert float(laws.torch.func.jacrev(potential.gradient)(x)) == pytest.approx(want, rel=1e-6)


@given(log_scale=st.floats(-600, 600), log_ratio=st.floats(-20, 20), sign=signs, rate=rates)
@example(log_scale=0.0, log_ratio=-20.0, sign=1.0, rate=2.0)
def test_the_bend_of_the_metric_against_differences_of_many_digits(log_scale, log_ratio, sign, rate):
    """The second derivative of the metric r √(x² + a²), which fourth derivatives of R need, is exact."""
    potential = HyperbolicEntropy(log_scale=log_scale, rate=rate)
    a = float(potential.scale)
    x = sign * a * np.exp(log_ratio)
    with mp.workdps(80):
        # We differentiate in units of a, as mp.diff chooses its step without knowing a.
        want = mp.diff(lambda u: mp.mpf(rate) * mp.sqrt(u * u + 1), mp.mpf(x) / mp.mpf(a), 2) / mp.mpf(a)
        got = laws.torch.func.hessian(lambda v: potential.metric(v).sum())(laws.torch.tensor([x]).double())
        laws.assert_rounded(got[0, 0], (want, want), 16)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({}, ValueError, "exactly one"),
        ({"scale": 1.0, "log_scale": 0.0}, ValueError, "exactly one"),
        ({"scale": 0.0}, ib.DomainError, "positive"),
        ({"scale": [1.0, -1.0]}, ib.DomainError, "positive"),
        ({"scale": np.nan}, ValueError, "scale"),
        ({"scale": np.inf}, ValueError, "scale"),
        ({"log_scale": 701.0}, ib.DomainError, "700"),
        ({"log_scale": -np.inf}, ValueError, "log_scale"),
        ({"scale": "wide"}, ValueError, "scale"),
        ({"scale": 1.0, "shift": np.nan}, ValueError, "shift"),
        ({"scale": 1.0, "rate": 0.0}, ValueError, "rate"),
        ({"scale": 1.0, "rate": -2.0}, ValueError, "rate"),
        ({"scale": [1.0, 2.0], "shift": [0.0, 0.0, 0.0]}, ValueError, "same number"),
        ({"scale": np.ones((2, 2))}, ValueError, "one-dimensional"),
    ],
)
def test_bad_arguments(arguments, error, message):
    with pytest.raises(error, match=message):
        HyperbolicEntropy(**arguments)
