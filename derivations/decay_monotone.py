"""Decay raises the potential of the mask everywhere, by exactly its metric."""

import sympy as sp

from derivations.mask import MIRROR, SIZES, decay, derived, in_uv, prove, weight_velocity
from implicit_bias import Claim, Outcome, Verdict


def check() -> Verdict:
    """Differentiate the derived potential in A and compare with the derived metric.

    A potential is fixed up to a constant, which here might depend on A; the one meant is the conjugate of
    R* = (m² + w²)/4, so its growth at the weight x_t is that of −R* at the same dual point.
    """
    potential, metric = in_uv(derived().potential), in_uv(derived().metric)
    if not metric.is_positive:
        return Verdict(Outcome.INCONCLUSIVE, f"The sign of {metric} is open.")
    return prove(
        "∂R_A/∂A − (∇²R_A)⁻¹ simplifies to zero, and the metric 2√(x² + a²) is positive: it is m² + w², "
        "the regularizer itself (their squares differ by zero). Differences to the value at "
        "x = 0 grow as well, by 2√(x² + a²) − 2a ≥ 0, whatever constant is added to R_A.",
        *weight_velocity()[1],
        stated=sp.diff(potential, decay) - metric,
    )


CLAIM = Claim(
    id="decay-monotone",
    statement=r"\frac{\partial R_A}{\partial A} = \sum_i \big(\partial_i^2 R_A\big)^{-1} > 0 \text{ for the mask}",
    source=f"{MIRROR}; for x = m w",
    hypotheses=(SIZES, r"h = \sum m^2 + w^2", r"R_A^* = \tfrac14 \sum m^2 + w^2"),
    uses=("eq-9",),
    figure="figures/figure1c/figure.png",
    check=check,
)
