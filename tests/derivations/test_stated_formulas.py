"""The verdicts follow from what is stated: another formula in its place gets another verdict."""

import pytest
import sympy as sp

import derivations
from derivations.mask_in_the_mirror import convergence, scale, solution
from derivations.mask_in_the_mirror.potential import potential_with
from derivations.mask_in_the_mirror.setting import decay, m, slope, strength, trained_weight, u0, v0, w, x
from derivations.ours import limits
from implicit_bias import Outcome

SCALE = u0 * v0 * sp.exp(-4 * decay)  # as derived


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "constant", "stated", "outcome"),
    [
        ("ours/conserved", "CONSERVED", (m**2 - w**2) * sp.exp(2 * decay), Outcome.REFUTED),
        ("mask-in-the-mirror/r-minimal-at-start", "MINIMUM_WITHOUT_DECAY", u0 * v0, Outcome.REFUTED),
        ("mask-in-the-mirror/lipschitz", "LIPSCHITZ", 1 / (u0 * v0), Outcome.REFUTED),
        ("ours/thm-2.3", "SIGMA", 4 * u0 * v0, Outcome.INCONCLUSIVE),
        ("mask-in-the-mirror/thm-2.1", "THEOREM_2_1", x**2, Outcome.REFUTED),
        (
            "mask-in-the-mirror/thm-3.1",
            "THEOREM_3_1",
            potential_with(sp.Rational(1, 2), SCALE),
            Outcome.PROVED,
        ),
        (
            "mask-in-the-mirror/thm-3.1",
            "THEOREM_3_1",
            potential_with(sp.Rational(1, 4), SCALE),
            Outcome.REFUTED,
        ),
        ("ours/rate-after-decay", "RATE_AFTER_DECAY", 4 * SCALE, Outcome.REFUTED),
        # Weaker than the derived rate: true, but not what was derived, so nothing is concluded.
        ("ours/rate-after-decay", "RATE_AFTER_DECAY", SCALE, Outcome.INCONCLUSIVE),
        ("ours/rate-after-decay", "RATE_AFTER_DECAY", 2 * SCALE, Outcome.PROVED),
        # With the derived rate no instance contradicts equation 5, but nothing proves it with its B and for all t.
        ("mask-in-the-mirror/eq-5", "EQUATION_5", 2 * SCALE, Outcome.INCONCLUSIVE),
        ("mask-in-the-mirror/eq-5", "EQUATION_5", 4 * SCALE, Outcome.REFUTED),
        ("mask-in-the-mirror/lem-a.1", "LEMMA_A_1", trained_weight(), Outcome.PROVED),
        ("mask-in-the-mirror/small-scale", "SMALL_SCALE_FACTOR", sp.Rational(1, 2), Outcome.PROVED),
        ("mask-in-the-mirror/rem-2.1-lipschitz", "REMARK_2_1_LIPSCHITZ", 1 / (2 * u0 * v0), Outcome.PROVED),
        ("mask-in-the-mirror/thm-a.2", "SIGN", sp.Integer(-1), Outcome.PROVED),
        ("mask-in-the-mirror/lem-a.2", "LEMMA_A_2", SCALE, Outcome.PROVED),
    ],
)
def test_the_verdict_follows_the_stated_formula(name, constant, stated, outcome, saved, monkeypatch):
    """Another formula in the place of the stated one gets another verdict: the checks read it."""
    claim = derivations.ledger()[name]
    monkeypatch.setattr(f"{claim.module}.{constant}", stated)
    assert claim.verdict(saved).outcome is outcome


@pytest.mark.parametrize(
    ("name", "module", "factor"),
    [
        ("ours/l1-limit", limits, "L1_FACTOR"),
        ("ours/l2-limit", limits, "L2_FACTOR"),
        ("mask-in-the-mirror/rem-2.1", scale, "ENTROPY_FACTOR"),
    ],
)
def test_a_wrong_factor_of_a_limit_is_not_proved(name, module, factor, monkeypatch):
    monkeypatch.setattr(module, factor, 2 * getattr(module, factor))
    assert derivations.ledger()[name].verdict().outcome is Outcome.INCONCLUSIVE


@pytest.mark.slow
def test_the_corrected_forms_are_proved_where_they_are_stated(monkeypatch):
    monkeypatch.setattr(solution, "HYPERBOLIC", solution.HYPERBOLIC_CORRECTED)
    assert solution.lemma_a_1_hyperbolic.verdict().outcome is Outcome.PROVED
    right = -2 * sp.sqrt(x**2 + u0**2 * v0**2 * sp.exp(-8 * decay)) * slope**2 - 4 * strength * x * slope
    monkeypatch.setattr(convergence, "stated_change", lambda scale: right)
    assert convergence.lemma_a_3_proof.verdict().outcome is Outcome.PROVED
