"""Where training ends and how fast: what the checks rest on would show if it were wrong."""

import numpy as np
import pytest

from derivations.mask_in_the_mirror.convergence import EQUATION_5
from derivations.mask_in_the_mirror.setting import derived, u0
from derivations.mask_in_the_mirror.trajectory import Instance
from derivations.ours import optimality, rates
from derivations.ours.convergence import run
from implicit_bias import HyperbolicEntropy, Outcome, Regression, Verdict, gradient_flow


def test_lyapunov_bound_would_notice_a_smaller_divergence():
    """The integral of the excess uses up a sizeable part of its bound, so a wrong bound would fail."""
    _, integral, bound = run(0)
    assert 0.2 * bound < integral <= bound


def test_limits_would_notice_a_wrong_potential():
    """The projection with the preprint's scale misses the flow's end by far more than the tolerance."""
    problem = Regression.sample(15, 30, 3, seed=7)
    init = optimality._start(problem.truth / 10)
    end = gradient_flow(problem, derived().parameterization, init, [400.0]).x[-1]
    right = derived().at(init)
    wrong = HyperbolicEntropy(scale=2 * right.scale, shift=right.shift)
    assert optimality._distance(end, problem, right) < optimality.TOLERANCE
    assert optimality._distance(end, problem, wrong) > 1e-3


@pytest.mark.slow
@pytest.mark.parametrize("spoiled", range(5))
def test_no_limit_is_proved_by_a_wrong_identity(spoiled, saved, monkeypatch):
    """Each of those that the proof rests on."""
    right = optimality._mirror_identities()
    wrong = tuple(each + u0 if k == spoiled else each for k, each in enumerate(right))
    monkeypatch.setattr(optimality, "_mirror_identities", lambda: wrong)
    assert optimality.check_limit(None, saved["ours/thm-2.2"]).outcome is Outcome.INCONCLUSIVE


def test_no_limit_is_proved_without_convergence_or_against_numbers(saved, monkeypatch):
    assert optimality.check_limit(None, Verdict(Outcome.INCONCLUSIVE, "open")).outcome is Outcome.INCONCLUSIVE
    monkeypatch.setattr(optimality, "_largest_distance", lambda schedule: (1e-3, "far"))
    assert optimality.check_limit(None, saved["ours/thm-2.2"]).outcome is Outcome.INCONCLUSIVE


def test_the_rate_of_equation_5_is_too_high_after_the_decay_as_well(monkeypatch):
    """A larger stated rate is refuted by the loss between the end of the decay and a later time."""
    monkeypatch.setattr(rates, "RATE_AFTER_DECAY", EQUATION_5)
    numbers = rates.rate_after_decay.verdict().counterexample
    instance = Instance(**{name: numbers[name] for name in ("m0", "w0", "target", "alpha", "time", "off")})
    m, w, _ = instance.path(np.array([numbers["off"], numbers["time"]]))
    early, late = (m * w) ** 2 / 2
    duration = numbers["time"] - numbers["off"]
    assert late > 1.5 * early * np.exp(-numbers["stated_rate"] * duration)
    assert late <= early * np.exp(-numbers["derived_rate"] * duration)
