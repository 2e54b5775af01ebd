"""Runs of a mask that decay until m and w agree to the last digit, by potentials that do not need m − w."""

import re

import numpy as np
import pytest

import implicit_bias as ib
from implicit_bias import masking
from implicit_bias.schedule import Geometric

MASK = ib.Parameterization("m*w", regularizer="m**2 + w**2")
OPTIMIZERS = [ib.SGD(), ib.SGD(0.9), ib.SGD(0.9, nesterov=True)]


def system(seed, d=4, n=7):
    rng = np.random.default_rng(seed)
    problem = ib.Regression(rng.standard_normal((d, n)), rng.standard_normal(d))
    return problem, {"m": np.abs(rng.standard_normal(n)) + 0.5, "w": 0.3 * rng.standard_normal(n)}


def decaying(total, optimizer):
    return {"schedule": Geometric(total * (1 - optimizer.momentum) / 2, tau=2.0), "optimizer": optimizer}


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_a_run_that_has_lost_its_digits_has_the_potential_of_its_products(seed, optimizer):
    """It leads to the weights, as the mirror identity says, and is that of an ensemble, which trains m ± w apart."""
    problem, init = system(seed)
    step = 0.05 * (1 - optimizer.momentum)
    given = {"step": step, "steps": 1500, "record": 2, **decaying(12, optimizer)}
    run = ib.descent(problem, MASK, init, **given)
    m, w = (run.parameters[name][-1] for name in ("m", "w"))
    assert np.any(np.abs(m) == np.abs(w))
    limit = run.limit()
    assert limit.status is ib.Status.CONVERGED
    assert np.isfinite(limit.error_bound)
    led = run.potential().inverse_gradient(-run.accumulated_gradient[-1])
    np.testing.assert_allclose(led, run.x[-1], rtol=0, atol=1e-10 * np.max(np.abs(run.x[-1])))
    apart = masking.ensemble(problem, {name: value[None] for name, value in init.items()}, products=True, **given)
    np.testing.assert_allclose(run.potential().log_scale, apart.potential(run=0).log_scale, rtol=0, atol=1e-5)
    np.testing.assert_allclose(run.gain(), apart.gain(run=0), rtol=0, atol=1e-5)
    with pytest.raises(ib.UnsupportedError, match="At record 1 the parameters no longer tell") as caught:
        run.effective_init()
    assert "init:" not in str(caught.value)


def grown_from_rounding():
    """A run in which a factor falls below rounding of the other one, and later outgrows it."""
    rng = np.random.default_rng(7)
    Z = rng.standard_normal((6, 15)) * np.array([1, 1, 2, 0.5, 1, 3])[:, None] / 2
    problem = ib.Regression(Z, rng.normal(size=6))
    init = {"m": np.abs(rng.normal(size=15)) + 0.5, "w": 0.3 * rng.normal(size=15)}
    return problem, init, {"step": 0.005, "steps": 20_000, "optimizer": ib.SGD(0.9), "schedule": Geometric(0.3, tau=2)}


def test_where_rounding_has_moved_the_run_one_sentence_says_so():
    """The products lead elsewhere, as the factor grew from its rounding; those of an ensemble, which keeps it, do."""
    problem, init, given = grown_from_rounding()
    run = ib.descent(problem, MASK, init, record=2, **given)
    sentence = r"At record 1 .* a decay of 6\.01 the digits of m0 - w0 > 0 of weight 13 are lost to rounding; .*\."
    for ask in (run.limit, run.potential, run.gain, run.shift, run.effective_init):
        with pytest.raises(ib.UnsupportedError) as caught:
            ask()
        assert re.fullmatch(sentence, str(caught.value))
    many = {name: np.stack([value, value]) for name, value in init.items()}
    side_by_side = ib.descent(problem, MASK, many, record=2, **given)
    with pytest.raises(ib.UnsupportedError, match="of weight 13"):
        side_by_side.limit(run=1)
    alone = {name: value[None] for name, value in init.items()}
    with pytest.raises(ib.UnsupportedError, match=r"m0 - \|w0\| > 0 of weight 13"):
        masking.ensemble(problem, alone, record=2, **given).limit(run=0)
    kept = masking.ensemble(problem, alone, record=2, products=True, **given)
    assert kept.limit(run=0).status is ib.Status.CONVERGED


def test_a_start_without_a_potential_is_still_the_users():
    problem, init = system(0)
    init = {**init, "w": init["m"]}
    run = ib.descent(problem, MASK, init, 0.01, 10)
    with pytest.raises(ib.DomainError, match=f"init: .*m0 = {init['m'][0]:g}"):
        run.limit()


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_a_prediction_has_second_order_though_digits_would_be_lost(optimizer):
    """In the gain, against ensembles, which train m ± w apart, on data that are fitted early."""
    problem, init = system(2)
    alone = {name: value[None] for name, value in init.items()}
    errors = []
    for step in (0.004, 0.002):
        given = {"step": step * (1 - optimizer.momentum), **decaying(12, optimizer)}
        found = ib.training_limit(problem, MASK, init, **given)
        assert found.status is ib.Status.CONVERGED
        run = masking.ensemble(problem, alone, steps=int(100 / step), record=2, products=True, **given)
        errors.append(np.max(np.abs(found.gain - run.gain(run=0))))
    assert errors[1] < 0.15 * np.max(found.gain)
    assert np.log2(errors[0] / errors[1]) == pytest.approx(2, abs=0.3)


def test_a_gain_that_is_not_small_warns_of_an_error_where_the_first_order_of_x_does_not():
    problem, init, given = grown_from_rounding()
    given |= {"schedule": Geometric(0.25, tau=2)}
    steps = given.pop("steps")
    found = ib.training_limit(problem, MASK, init, **given)
    assert found.status is ib.Status.CONVERGED
    run = masking.ensemble(problem, {k: v[None] for k, v in init.items()}, steps=3 * steps, record=2, **given)
    assert np.max(np.abs(found.x - run.x[-1, 0])) > 3 * np.max(np.abs(found.x - found.flow.x))
    assert np.min(found.gain) > 2


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize(("total", "step"), [(30, 0.05), (100, 0.2), (1000, 0.2)])
def test_a_prediction_always_ends_with_a_status(optimizer, total, step):
    """Also where gains are so large that the effective start loses its digits, or the flow takes too long."""
    problem, init = system(0)
    given = {"step": step * (1 - optimizer.momentum), **decaying(total, optimizer)}
    found = ib.training_limit(problem, MASK, init, **given)
    assert (found.status is ib.Status.CONVERGED) == bool(np.all(np.isfinite(found.x)))
    assert found.status is not ib.Status.NOT_FINITE


def test_a_prediction_whose_effective_start_loses_its_digits_has_stalled():
    problem, init = system(0)
    found = ib.training_limit(problem, MASK, init, step=0.2, **decaying(100, ib.SGD()))
    assert found.status is ib.Status.STALLED
    assert found.potential is None
    assert np.all(np.isnan(found.gain))
