"""Lemma C.1: one mask for a whole neuron violates the condition that a mirror flow needs."""

import sympy as sp

from derivations.mask import PREPRINT
from implicit_bias import Claim, Outcome, Parameterization, Verdict


def check() -> Verdict:
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


CLAIM = Claim(
    id="lem-c.1",
    statement=(r"g = (m w_1, \dots, m w_k): \ [\nabla g_i, \nabla g_j] \notin \ker \partial g \text{ for } i \ne j"),
    source=f"{PREPRINT}, Lemma C.1; for at least two weights a neuron",
    hypotheses=(r"k \ge 2",),
    check=check,
)
