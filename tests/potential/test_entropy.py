"""The relative entropy: the laws of a potential, every formula against 1300-digit arithmetic, and its flow."""

import functools
import math

import mpmath as mp
import numpy as np
import potential_laws as laws
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import implicit_bias as ib
from implicit_bias import Entropy

EPS = laws.EPS
logs = st.floats(-680.0, 680.0)
rates = st.sampled_from([0.5, 1.0, 4.0])
SQUARE = ib.derive(ib.Parameterization("u**2", "u"), "u**2")


def point(log_x):
    return math.exp(min(max(log_x, -680.0), 680.0))


@st.composite
def cases(draw):
    n = draw(st.integers(1, 3))
    potential = Entropy(log_scale=np.array([draw(logs) for _ in range(n)]), rate=draw(rates))
    x, other = (np.array([point(draw(logs)) for _ in range(n)]) for _ in range(2))
    if draw(st.booleans()):  # close points, down to neighbouring numbers
        other = x * (1 + draw(st.sampled_from([-1, 1])) * 10.0 ** draw(st.floats(-16, -1)))
    rounding = sum(8 * EPS * (1 + np.abs(np.log(v)) + np.abs(potential.log_scale)) for v in (x, other))
    return laws.Case(potential, x, other, rounding / potential.rate)


@pytest.mark.parametrize("law", laws.LAWS, ids=lambda law: law.__name__)
@given(case=cases())
def test_law(law, case):
    law(case)


@given(case=cases())
# For a tiny weight and one of 1e60, Hellinger's bound on the distance is attained up to a factor near 1.
@example(case=laws.Case(Entropy(scale=1.0), np.array([1e-300]), np.array([1e60]), np.ones(1)))
def test_separation_bounds_the_distance(case):
    laws.separation_bounds_the_distance(case.potential, case.x, case.other)


@pytest.mark.parametrize("units", [8 * 2.0**-53, 1e-3])
@given(
    log_scale=st.one_of(st.floats(-1e4, 690), logs, st.just(0.0)),
    log_x=logs,
    rate=rates,
    error=st.one_of(st.just(0.0), st.floats(1e-18, 1.0)),
)
@example(log_scale=0.0, log_x=0.0, rate=1.0, error=0.0)
@example(log_scale=0.0, log_x=500.0, rate=4.0, error=0.0)
@example(log_scale=-800.0, log_x=-690.0, rate=4.0, error=0.0)
@example(log_scale=0.0, log_x=5.0, rate=4.0, error=1.0)
def test_response_error(units, log_scale, log_x, rate, error):
    potential = Entropy(log_scale=log_scale, rate=rate)
    is_direct = potential.scale >= 2.0**-1022
    with mp.workdps(60), pytest.MonkeyPatch.context() as patch:
        patch.setattr("implicit_bias.potential.entropy.UNITS_OF_ROUNDING", units)
        log_a = mp.log(float(potential.scale)) if is_direct else mp.mpf(log_scale)
        z = float((mp.mpf(log_x) - log_a) / rate)
        exponents = rate * abs(z) + (0.0 if is_direct else abs(log_scale))
        laws.response_error_bounds_the_error(
            potential,
            z,
            error,
            rate,
            exponents,
            lambda z, off, factor: mp.exp(log_a + rate * z + off) * (1 + factor),
            units,
        )


@given(log_scale=st.one_of(st.floats(-1e4, 690), logs), log_x=logs, rate=rates, is_scale=st.booleans())
def test_the_response_is_as_exact_as_it_says(log_scale, log_x, rate, is_scale):
    is_scale &= log_scale > -690
    potential = Entropy(scale=math.exp(log_scale), rate=rate) if is_scale else Entropy(log_scale=log_scale, rate=rate)
    with mp.workdps(60):
        log_a = mp.log(float(potential.scale)) if is_scale else mp.mpf(log_scale)
        z = np.array([float((mp.mpf(log_x) - log_a) / rate)])
        x = potential.inverse_gradient_at(z)
        wanted = mp.exp(log_a + rate * mp.mpf(z[0]))
        assert abs(mp.mpf(x[0]) - wanted) <= mp.mpf(potential.response_error(z, np.zeros(1), x)[0])


@pytest.mark.parametrize(("make", "rtol"), laws.ARRAYS)
@pytest.mark.parametrize("scale", [0.5, [0.1, 1.0, 20.0]])
def test_types_are_preserved(make, rtol, scale):
    laws.types_are_preserved(Entropy(scale=scale, rate=2.0), np.array([0.01, 0.3, 2.0]), make, rtol)


@pytest.mark.parametrize("scale", [1.0, [1.0, 2.0]])
def test_bad_input_is_refused(scale):
    laws.bad_input_is_refused(Entropy(scale=scale), np.array([1.0, 2.0]))


@pytest.mark.parametrize("bad", [0.0, -1e-300, -1.0])
def test_weights_that_are_not_positive_are_refused(bad):
    for make in (np.asarray, laws.torch.as_tensor):
        with pytest.raises(ib.DomainError, match=r"interval \(0, inf\).*index \(1,\)"):
            Entropy(scale=1.0).value(make([1.0, bad]))


def ulps(got, want, scale):
    return float(abs(mp.mpf(float(got)) - want) / (EPS * abs(scale) + mp.mpf(2) ** -1074))


@given(log_scale=logs, log_x=logs, rate=rates, closeness=st.floats(-16, 0))
@example(log_scale=0.0, log_x=1e-9, rate=4.0, closeness=-9.0)
def test_formulas_against_1300_digits(log_scale, log_x, rate, closeness):
    """Formulas err by a few units in the last place of their largest term, and divergences of their own last place."""
    potential = Entropy(scale=math.exp(log_scale), rate=rate)
    x = point(log_x)
    other = x * (1 + 10.0**closeness)
    with mp.workdps(1300):
        a, exact, r = mp.mpf(float(potential.scale)), mp.mpf(x), mp.mpf(rate)
        angle = mp.log(exact / a)
        size = abs(mp.log(exact)) + abs(mp.log(a))
        # If x is close to a, the logarithm of x/a is small and exact to its own last place.
        assert ulps(potential.gradient([x])[0], angle / r, (size if abs(angle) > 0.5 else angle) / r) < 6
        assert ulps(potential.value([x]), exact * (angle - 1) / r, exact * (size + 1) / r) < 6
        assert ulps(potential.metric([x])[0], exact * r, exact * r) < 2
        z = float(potential.gradient([x])[0])
        back = a * mp.exp(r * mp.mpf(z))
        assert ulps(potential.inverse_gradient([z])[0], back, back * (1 + abs(r * z) + abs(log_scale))) < 6
        assert ulps(potential.conjugate([z]), back / r, back / r * (1 + abs(r * z) + abs(log_scale))) < 6
        quotient = mp.mpf(other) / exact
        want = exact * (quotient - 1 - mp.log(quotient)) / r
        assert ulps(potential.divergence([x], [other]), want, want) < 16


@given(log_scale=st.floats(-300, 300), ratio=st.floats(-300, 300), sign=st.sampled_from([-1.0, 1.0]))
def test_exponent_against_1300_digits(log_scale, ratio, sign):
    potential = Entropy(scale=math.exp(log_scale))
    step = math.exp(log_scale + (ratio if sign > 0 else -abs(ratio) - 1e-3)) * sign
    with mp.workdps(1300):
        t = mp.mpf(step) / mp.mpf(float(potential.scale))
        want = t * mp.log1p(t) / ((1 + t) * mp.log1p(t) - t)
        # Close to −a the step is known to a unit of a, which its logarithm divides by 1 + t.
        unit = EPS * (1 + abs(mp.log1p(t)) + 1 / abs(1 + t))
        assert abs(mp.mpf(float(potential.effective_exponent([step])[0])) - want) <= 16 * unit * want


LOG_SCALES = [-4000.0, -1400.0, -720.0, -690.0, -300.0, 0.0, 300.0, 690.0]


def exact_chain(potential, k, x):
    """R and its first three derivatives at a weight, each with the size of what is rounded: log a and log x."""
    log_a, x, r = np.ravel(potential.log_scale), mp.mpf(x), mp.mpf(potential.rate)
    log_a = log_a[k % len(log_a)]
    angle = mp.log(x) - (mp.mpf(float(log_a)) if log_a < -708 else mp.log(mp.mpf(math.exp(log_a))))
    size = abs(mp.log(x)) + abs(mp.mpf(float(log_a)))
    numbers = x * (angle - 1) / r, angle / r, 1 / (r * x), -1 / (r * x * x)
    sizes = x * (1 + size) / r, size / r, numbers[2], -numbers[3]
    return list(zip(numbers, sizes, strict=True))


def exact_dual_chain(potential, k, z):
    """R* and its first three derivatives, which are multiples of x = a exp(r z), each with the size of its rounding."""
    log_a, r = np.ravel(potential.log_scale), mp.mpf(potential.rate)
    log_a = log_a[k % len(log_a)]
    a = mp.exp(mp.mpf(float(log_a))) if log_a < -708 else mp.mpf(math.exp(log_a))
    x, unit = a * mp.exp(r * mp.mpf(z)), 1 + abs(r * mp.mpf(z)) + abs(mp.mpf(float(log_a)))
    return [(x * r**power, x * r**power * unit) for power in (-1, 0, 1, 2)]


@pytest.mark.parametrize("rate", [0.5, 4.0])
def test_derivatives_over_all_decades(rate):
    """Derivatives of R and R* up to the third are exact for every size of weight and every scale."""
    potential = Entropy(log_scale=LOG_SCALES, rate=rate)
    sizes = np.array([5e-324, 3e-316, *(10.0**k for k in range(-308, 309, 44)), 1.0, 1.7e308])
    points = np.repeat(sizes[:, None], len(LOG_SCALES), axis=1)
    logs = np.array([-700.0, -300.0, -1.0, 0.0, 1.0, 300.0, 700.0])
    duals = (logs[:, None] - np.array(LOG_SCALES)) / rate
    with mp.workdps(50):
        chain = laws.Chain(potential.value, potential.gradient, functools.partial(exact_chain, potential))
        laws.torch_derivatives_are_exact(chain, points, ulps=16)
        dual = functools.partial(exact_dual_chain, potential)
        laws.torch_derivatives_are_exact(laws.Chain(potential.conjugate, potential.inverse_gradient, dual), duals, 16)


EVERYDAY = Entropy(scale=[0.3, 1.0, 2.0], rate=3.0)
POINT = np.array([0.1, 1.5, 2.0])


def test_torch_differentiates_what_it_computes():
    laws.torch_differentiates_what_it_computes(EVERYDAY, POINT, np.array([0.2, 0.3, 0.4]), eps=1e-6)


def test_divergences_of_close_points_have_exact_derivatives():
    potential, x = Entropy(scale=0.7), np.array([1e-300, 1e-5, 1.0, 1e5, 1e300])
    with mp.workdps(50):
        exact = functools.partial(exact_chain, potential)
        laws.divergences_of_close_points_have_exact_derivatives(potential, x, exact, 16 * EPS)


def test_torch_rounds_once():
    laws.torch_rounds_once(EVERYDAY, POINT)


def test_a_copy_gives_the_same_numbers():
    laws.a_copy_gives_the_same_numbers(EVERYDAY, POINT)


def test_log_scale_far_below_the_floating_point_range():
    potential = Entropy(log_scale=-4000.0)
    assert potential.scale == 0
    x = np.array([1.0, 1e-300, 1e300])
    np.testing.assert_allclose(potential.gradient(x), (np.log(x) + 4000) / 4, rtol=4 * EPS)
    np.testing.assert_allclose(potential.inverse_gradient(potential.gradient(x)), x, rtol=1e4 * EPS)
    assert potential.inverse_gradient([-1.0]) == 0, "x underflows"
    assert potential.inverse_gradient([1e4])[0] == np.inf, "x overflows without a warning"


@given(log_scale=st.floats(-1e5, 690))
def test_relaxations_lead_to_the_potential(log_scale):
    potential = Entropy(log_scale=log_scale, rate=2.0)
    path = [*potential.relaxations(), potential]
    gaps = np.diff([float(p.log_scale) for p in path])
    np.testing.assert_array_equal(gaps[1:], 2 * gaps[:-1])
    assert abs(path[0].log_scale) <= 5 or log_scale > 5
    assert all(p.rate == 2.0 for p in path)


@settings(max_examples=8)  # each builds the tables of a numerical potential
@given(u=st.floats(0.1, 3.0), sign=st.sampled_from([-1, 1]), decay=st.floats(0, 1), log_x=st.floats(-3, 3))
def test_the_square_has_this_entropy(u, sign, decay, log_x):
    """The derived potential of u² has scale u₀² e^(−4A) and rate 4, and its metric is J Jᵀ = (2u)² = 4x."""
    potential = SQUARE.at({"u": [sign * u]}, decay)
    assert isinstance(potential, Entropy)
    x = np.array([math.exp(log_x)])
    np.testing.assert_allclose(potential.metric(x), 4 * x, rtol=1e-14)
    np.testing.assert_allclose(potential.minimizer, u**2 * np.exp(-4 * decay), rtol=1e-13)
    start = {"u": [u * np.exp(-2 * decay)]}
    numerical = ib.NumericalPotential(SQUARE.parameterization, start)
    np.testing.assert_allclose(potential.gradient(x), numerical.gradient(x), rtol=1e-10, atol=1e-11)
    np.testing.assert_allclose(potential.divergence(x, [u]), numerical.divergence(x, [u]), rtol=1e-8, atol=1e-12)


@pytest.mark.parametrize(
    ("formula", "h", "scale", "rate"),
    [("3*u**2", "u**2/2", 3 * 0.64 * np.exp(-2 * 0.25), 12.0), ("(u + v)**2", None, 4.41, 8.0)],
)
def test_other_single_exponentials(formula, h, scale, rate):
    names = "u,v" if "v" in formula else "u"
    init = dict(zip(names.split(","), (0.8, 1.3), strict=False))
    potential = ib.derive(ib.Parameterization(formula, names), h).at(init, 0.0 if h is None else 0.25)
    assert isinstance(potential, Entropy)
    assert potential.rate == rate
    assert float(potential.scale) == pytest.approx(scale, rel=1e-14)


def test_tiny_scales_from_tiny_starts_and_much_decay():
    potential = SQUARE.at({"u": [1e-150, 1.0]}, decay=1000.0)
    np.testing.assert_allclose(potential.log_scale, [2 * math.log(1e-150) - 4000, -4000], rtol=1e-14)


@pytest.mark.parametrize("formula", ["-u**2", "u**2 - 1"])
def test_other_half_lines_stay_numerical(formula):
    derivation = ib.derive(ib.Parameterization(formula, "u"))
    assert derivation.closed_form
    assert isinstance(derivation.at({"u": 1.0}), ib.NumericalPotential)


def test_positive_limits():
    """Training of u, the dual flow and the Bregman projection end at the same sparse positive solution."""
    problem = ib.Regression(*_positive_data())
    init = {"u": np.full(problem.n, 0.3)}
    flow = ib.gradient_flow(problem, SQUARE.parameterization, init, [0.5, 400.0])
    mirror = ib.mirror_flow(problem, SQUARE, init, [0.5, 400.0])
    limit = ib.bregman_projection(problem, SQUARE.at(init))
    np.testing.assert_allclose(mirror.x, flow.x, atol=1e-9)
    np.testing.assert_allclose(limit.x, flow.x[-1], atol=1e-9)
    assert 0 < limit.error_bound < 1e-10


def test_tiny_scales_give_basis_pursuit():
    """For a → 0 the projection is the x >= 0 of least sum, as it meets the optimality conditions of that program."""
    Z, y = _positive_data()
    limit = ib.bregman_projection(ib.Regression(Z, y), Entropy(scale=1e-300))
    # ∇R = (log x − log a)/r = −Zᵀν. Divided by log(1/a)/r it is 1 on the support up to O(1/log(1/a)), and less off it.
    certificate = -(Z.T @ limit.dual) * 4 / (300 * math.log(10))
    support = limit.x > 1e-6
    assert 0 < np.sum(support) <= len(y)
    np.testing.assert_allclose(certificate[support], 1, atol=0.03)
    assert np.all(certificate[~support] < 1)


def _positive_data():
    rng = np.random.default_rng(4)
    Z = rng.normal(size=(4, 10))
    truth = np.zeros(10)
    truth[[1, 6]] = 1.0, 0.5
    return Z, Z @ truth


def test_what_no_positive_weight_solves_is_not_converged():
    projection = ib.bregman_projection(ib.Regression([[1.0, 2.0]], [-2.0]), Entropy(scale=1.0), throw=False)
    assert projection.status is not ib.Status.CONVERGED
    assert projection.error_bound == np.inf


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({}, ValueError, "exactly one"),
        ({"scale": 1.0, "log_scale": 0.0}, ValueError, "Entropy: give exactly one"),
        ({"scale": 0.0}, ib.DomainError, "positive"),
        ({"scale": [1.0, -1.0]}, ib.DomainError, "positive"),
        ({"log_scale": 701.0}, ib.DomainError, "700"),
        ({"scale": np.nan}, ValueError, "scale"),
        ({"scale": "wide"}, ValueError, "scale"),
        ({"scale": 1.0, "rate": -2.0}, ValueError, "rate"),
        ({"scale": np.ones((2, 2))}, ValueError, "one-dimensional"),
    ],
)
def test_bad_arguments(arguments, error, message):
    with pytest.raises(error, match=message):
        Entropy(**arguments)
