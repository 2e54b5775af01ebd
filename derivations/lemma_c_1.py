"""Lemma C.1: one mask for a whole neuron gives no mirror flow."""

from derivations.mask import PREPRINT
from implicit_bias import Claim, Outcome, Parameterization, Verdict


def check() -> Verdict:
    """Compute the bracket for two weights; more weights contain it as a part."""
    report = Parameterization(["m*w1", "m*w2"], ["m", "w1", "w2"]).commutes()
    if report.outcome is not Outcome.REFUTED:
        return Verdict(Outcome.INCONCLUSIVE, f"Expected a non-zero bracket, got {report}.")
    return Verdict(
        Outcome.PROVED,
        f"{report}. For k > 2 weights ∇g₁ and ∇g₂ have no further components, so the bracket is the same.",
    )


CLAIM = Claim(
    id="lem-c.1",
    statement=r"x = (m w_1, \dots, m w_k) \text{ is not a commuting parameterization}",
    source=f"{PREPRINT}, Lemma C.1",
    hypotheses=(r"k \ge 2",),
    check=check,
)
