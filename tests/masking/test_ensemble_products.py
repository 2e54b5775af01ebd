"""The products over the steps of an ensemble, against the ends of its runs and against each run alone."""

import numpy as np
import pytest
import torch

import implicit_bias as ib
from implicit_bias import masking
from implicit_bias.schedule import Constant, Geometric

PROBLEM = ib.Regression.sample(4, 9, 2, seed=1)
OTHER = ib.Regression.sample(4, 9, 2, seed=2)
MASK = ib.Parameterization("m*w", regularizer="m**2 + w**2")
START = masking.initialization(0.1 * np.arange(-4.0, 5.0), scale=[0.3, 0.01, 1.0])
STEPS = [0.05, 0.2, 0.02]
PLANS = [Geometric(0.3, 0.5), Constant(0.0), Geometric(0.1, 2.0)]
WAYS = {
    "plain": {},
    "decay": {"schedule": PLANS},
    "heavy ball": {"optimizer": ib.SGD(0.5), "schedule": PLANS},
    "Nesterov": {"optimizer": ib.SGD(0.5, nesterov=True), "schedule": PLANS},
    "batches": {"batch_size": 1, "seed": [3, 4, 5], "schedule": PLANS},
}


@pytest.mark.parametrize("way", WAYS)
def test_the_products_give_the_potential_that_the_ends_have(way):
    """Both ways to scale and shift agree to rounding, though the products never look at m and w after the start."""
    runs = masking.ensemble(PROBLEM, START, STEPS, 600, products=True, record=7, **WAYS[way])
    assert runs.products["log_scale"].shape == runs.products["shift"].shape == runs.x.shape
    for run in range(3):
        potential = runs.potential(-1, run)
        np.testing.assert_allclose(runs.products["log_scale"][-1, run], potential.log_scale, rtol=0, atol=1e-11)
        np.testing.assert_allclose(runs.products["shift"][-1, run], potential.shift, rtol=0, atol=1e-11)


@pytest.mark.parametrize("way", WAYS)
def test_each_run_has_the_products_that_it_has_alone(way):
    """At every record, in NumPy and in m and w, while the ensemble is trained in torch and in m ± w."""
    options = WAYS[way]
    runs = masking.ensemble(PROBLEM, START, STEPS, 200, products=True, record=5, **options)
    alone = ib.descent(PROBLEM, MASK, START, STEPS, 200, record=5, **options)
    for name in ("log_scale", "shift"):
        np.testing.assert_allclose(runs.products[name], alone.products[name], rtol=0, atol=1e-11)


def test_runs_on_problems_of_their_own():
    runs = masking.ensemble([PROBLEM, OTHER], {"m": 1.0, "w": 0.2}, 0.05, 300, products=True, record=2)
    for run in range(2):
        potential = runs.potential(-1, run)
        np.testing.assert_allclose(runs.products["log_scale"][-1, run], potential.log_scale, rtol=0, atol=1e-11)
        np.testing.assert_allclose(runs.products["shift"][-1, run], potential.shift, rtol=0, atol=1e-11)


def test_signs_of_factors_may_change_and_runs_may_diverge():
    """Large steps turn some m + w and m − w around; a run that diverges spoils its own products alone."""
    runs = masking.ensemble(PROBLEM, {"m": 1.0, "w": 0.9}, [0.3, 30.0], 400, products=True, record=3)
    assert runs.diverged.tolist() == [False, True]
    m, w = (runs.parameters[name][-1, 0] for name in ("m", "w"))
    assert np.any(m + w < 0)
    assert np.any(m - w < 0)
    potential = runs.potential(-1, 0)
    np.testing.assert_allclose(runs.products["log_scale"][-1, 0], potential.log_scale, rtol=0, atol=1e-10)
    assert np.all(np.isnan(runs.products["shift"][-1, 1]))


def test_in_single_precision_the_products_know_what_its_rounding_leaves():
    """Every factor is rounded once a step, by up to 2⁻²⁴ for m + w and for m − w: in sum, half of that each way."""
    steps = 600
    single = masking.ensemble(
        PROBLEM, START, STEPS, steps, products=True, record=2, schedule=PLANS, dtype=torch.float32
    )
    for run in range(3):
        potential = single.potential(-1, run)
        for name, value in (("log_scale", potential.log_scale), ("shift", potential.shift)):
            off = np.abs(single.products[name][-1, run] - value).max()
            assert off <= 4 * steps * 2.0**-24, name


def test_products_are_asked_for_and_of_gradient_descent_alone():
    assert not masking.ensemble(PROBLEM, START, STEPS, 3).products
    with pytest.raises(ib.InputError, match=r"products: Adam.* multiplies m ± w by no numbers"):
        masking.ensemble(PROBLEM, START, STEPS, 3, products=True, optimizer=ib.Adam())
