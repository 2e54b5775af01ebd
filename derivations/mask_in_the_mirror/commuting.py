"""Where the condition for a mirror flow fails: section 3 and Lemma C.1."""

from __future__ import annotations

import sympy as sp

from derivations.mask_in_the_mirror import PAPER
from implicit_bias import Outcome, Parameterization, Verdict


@PAPER.claim(
    "only-m",
    statement=r"[\nabla (m w), \nabla (m^2)] \ne 0",
    source="section 3, on regularizing m alone",
)
def mask_regularizer_alone() -> Verdict:
    """Regularizing the mask m alone destroys the mirror flow.

    Compute [∇(m w), ∇(m²)].
    """
    report = Parameterization("m*w", ["m", "w"]).commutes_with("m**2")
    if report.outcome is not Outcome.REFUTED:
        return Verdict(Outcome.INCONCLUSIVE, f"Expected a non-zero bracket, got {report}.")
    return Verdict(Outcome.PROVED, f"{report}.")


@PAPER.claim(
    "lem-c.1",
    statement=r"g = (m w_1, \dots, m w_k): \ [\nabla g_i, \nabla g_j] \notin \ker \partial g \text{ for } i \ne j",
    source="Lemma C.1; for at least two weights a neuron",
    hypotheses=(r"k \ge 2",),
)
def lemma_c_1() -> Verdict:
    """Compute the bracket for two weights, and ∂g of it; more weights contain it as a part."""
    neuron = Parameterization(["m*w1", "m*w2"], ["m", "w1", "w2"])
    report = neuron.commutes()
    if report.outcome is not Outcome.REFUTED:
        return Verdict(Outcome.INCONCLUSIVE, f"Expected a non-zero bracket, got {report}.")
    mask, *weights = neuron.symbols
    moved = sp.expand((sp.Matrix([mask * weight for weight in weights]).jacobian(neuron.symbols) * report.bracket).T)
    if not any(moved):
        return Verdict(Outcome.INCONCLUSIVE, "The bracket is in the kernel of ∂g.")
    return Verdict(
        Outcome.PROVED,
        f"{report}. ∂g takes it to {tuple(moved)}, which vanishes only for m = 0 or w₁ = w₂ = 0. For k > 2 weights "
        "∇g₁ and ∇g₂ have no further components: the bracket is the same, and so are these two components of ∂g of it.",
    )
