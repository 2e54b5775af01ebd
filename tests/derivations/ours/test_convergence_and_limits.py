"""Where training ends and how fast: what the checks rest on would show if it were wrong."""

import numpy as np
import pytest
import sympy as sp

import derivations
from derivations.mask_in_the_mirror import optimality as printed
from derivations.mask_in_the_mirror import proof_of_lemma_a_3, rates
from derivations.mask_in_the_mirror.setting import derived, u0, weight_velocity
from derivations.ours import optimality
from implicit_bias import HyperbolicEntropy, Outcome, Regression, Statement, Verdict, gradient_flow
from implicit_bias.claims import judge

x = sp.Symbol("x", real=True)
OPEN = Verdict(Outcome.INCONCLUSIVE, "open")
HOLDS = judge.argue("assumed", (sp.sinh(x) ** 2 + 1, sp.cosh(x) ** 2))


def given(claim, verdict=HOLDS):
    """Verdicts for all claims that one uses."""
    return dict.fromkeys(claim.uses, verdict)


def test_limits_would_notice_a_wrong_potential():
    """The projection with the preprint's scale misses the flow's end by far more than the tolerance."""
    problem = Regression.sample(15, 30, 3, seed=7)
    init = optimality.start_at(problem.truth / 10)
    end = gradient_flow(problem, derived().parameterization, init, [400.0]).x[-1]
    right = derived().at(init)
    wrong = HyperbolicEntropy(scale=2 * right.scale, shift=right.shift)
    assert optimality.gap(end, problem, right) < optimality.TOLERANCE
    assert optimality.gap(end, problem, wrong) > 1e-3


LIMITS = [
    (optimality, optimality.limit),
    (printed, printed.theorem_2_4),
    (printed, printed.theorem_3_3),
]


@pytest.mark.parametrize(("module", "claim"), LIMITS)
def test_no_limit_is_argued_by_a_wrong_identity_or_against_numbers(module, claim, monkeypatch):
    right, close = optimality.mirror_identities(), (0.0, "The numbers agree.")
    monkeypatch.setattr(module, "distance_to_projection", lambda schedule: close)
    assert claim.verdict(given(claim)).outcome is Outcome.ARGUED
    for place in range(2):
        stated = right[place].stated + u0
        wrong = [(stated, each.derived) if k == place else each for k, each in enumerate(right)]
        monkeypatch.setattr(module, "mirror_identities", lambda wrong=wrong: wrong)
        assert claim.verdict(given(claim)).outcome is Outcome.INCONCLUSIVE
    monkeypatch.setattr(module, "mirror_identities", lambda: right)
    monkeypatch.setattr(module, "distance_to_projection", lambda schedule: (1e-3, "They do not."))
    assert claim.verdict(given(claim)).outcome is Outcome.INCONCLUSIVE


RESTING = [
    "ours/convergence",
    "ours/loss-bound",
    "ours/loss-integral",
    "ours/thm-3.3",
    "mask-in-the-mirror/lem-a.3",
    "mask-in-the-mirror/lem-a.3-strength",
    "mask-in-the-mirror/thm-2.3",
    "mask-in-the-mirror/eq-5",
    "mask-in-the-mirror/thm-a.1",
]


@pytest.mark.parametrize("name", RESTING)
def test_nothing_follows_from_a_claim_that_is_open(name):
    claim = derivations.ledger()[name]
    assert claim.verdict(given(claim, OPEN)).outcome is Outcome.INCONCLUSIVE


@pytest.mark.parametrize("claim", [rates.equation_5, rates.theorem_a_1])
def test_a_bound_that_the_counterexample_obeys_is_not_refuted(claim):
    """With the derived scale the loss at the late time is below the bound, so that nothing is shown either way."""
    bound, scale = claim.statement.formulas
    decay = next(symbol for symbol in scale.free_symbols if symbol.name == "A_oo")
    mended = Statement("", bound, "", scale * sp.exp(-2 * decay))
    assert claim.verdict(given(claim), statement=mended).outcome is Outcome.INCONCLUSIVE
    assert claim.verdict(given(claim)).outcome is Outcome.REFUTED


def test_the_counterexample_to_equation_5_is_that_of_a_trajectory():
    """The closed form of the weight against the integrator, and the bound against the printed formula."""
    from derivations.mask_in_the_mirror.trajectory import Instance

    violation = rates.equation_5.verdict(given(rates.equation_5)).violation
    numbers = {name: float(value) for name, value in violation.numbers.items()}
    at = {symbol: numbers[symbol.name] for symbol in violation.left.free_symbols | violation.right.free_symbols}
    instance = Instance(m0=1.0, w0=0.5, target=0.0, alpha=1.0, off=0.5, time=20.0)
    m, w, _ = instance.path(np.array([20.0]))
    assert float(violation.left.subs(at)) == pytest.approx((m * w)[0] ** 2 / 2, rel=1e-6)
    assert float(violation.right.subs(at)) == pytest.approx(np.exp(-30 * np.exp(-1)) / 8, rel=1e-12)
    assert float(violation.left.subs(at)) > 8 * float(violation.right.subs(at))


def test_the_right_change_of_the_loss_is_proved_where_it_is_stated():
    claim = proof_of_lemma_a_3.change_of_the_loss
    right = Statement("", proof_of_lemma_a_3.CORRECTED_CHANGE)
    assert claim.verdict(given(claim), statement=right).outcome is Outcome.PROVED
    assert claim.verdict(given(claim)).outcome is Outcome.REFUTED


def test_the_right_sign_is_proved_where_it_is_stated():
    claim = printed.theorem_a_2
    right = Statement("", -claim.statement.formula)
    assert claim.verdict(given(claim), statement=right).outcome is Outcome.PROVED
    verdict = claim.verdict(given(claim))
    assert (verdict.outcome, verdict.correction.verdict.outcome) == (Outcome.REFUTED, Outcome.PROVED)


def test_the_velocity_of_the_weight_carries_its_identities():
    assert len(weight_velocity()[1]) == 3


CHANGED = [
    "ours/conserved",
    "ours/l1-limit",
    "ours/lasso",
    "ours/rate-after-decay",
    "ours/three-layers",
    "ours/homogeneous-decay",
    "mask-in-the-mirror/thm-2.3",
    "mask-in-the-mirror/rem-3.1",
]


@pytest.mark.parametrize("name", CHANGED)
def test_a_changed_statement_does_not_hold(name):
    """Twice the first formula, and each change of a constant in it up to the fourth; the campaign tries all."""
    claim = derivations.ledger()[name]
    changes = dict(claim.statement.mutants())
    for change in list(changes)[:4]:
        verdict = claim.verdict(given(claim), statement=changes[change])
        assert verdict.outcome in (Outcome.REFUTED, Outcome.INCONCLUSIVE), change
