"""The flow of the mask conserves m² − w², so that signs stay or change."""

from __future__ import annotations

import sympy as sp

from derivations.mask_in_the_mirror import PAPER as PREPRINT
from derivations.mask_in_the_mirror.setting import along_flow, decay, m, prove, slope, strength, w
from derivations.mask_in_the_mirror.trajectory import Instance
from derivations.ours import PAPER
from implicit_bias import Outcome, Verdict

CONSERVED = (m**2 - w**2) * sp.exp(4 * decay)


@PAPER.claim(
    "conserved",
    statement=r"(m_t^2 - w_t^2)\, e^{4A_t} \text{ is constant}",
    hypotheses=(r"h = \sum m^2 + w^2",),
)
def conserved() -> Verdict:
    """The balance m² − w², which training shrinks at a rate that only the decay sets.

    Differentiate along the flow of m and w, for an arbitrary slope of the loss and strength.
    """
    return prove(
        "The derivative along the flow of m and w simplifies to zero for every slope of the loss and every strength.",
        stated=along_flow(CONSERVED),
    )


V = (m - w) / sp.sqrt(2)
U = (m + w) / sp.sqrt(2)


@PAPER.claim(
    "fig-1a",
    statement=r"v_0 = 0 \implies x_t > 0 \text{ for all } t",
    source=f"on spred's start, as in {PREPRINT.citation}, figure 1a",
    hypotheses=(r"u_0 \ne 0", r"h = \sum m^2 + w^2"),
)
def spred_sign() -> Verdict:
    """Show that u and v each obey a linear equation without source, so that v = 0 stays and u keeps its sign.

    Beside it two weights are trained towards a negative target: one from v_0 = 0, one from v_0 > 0.
    """
    stuck = Instance(m0=1.0, w0=1.0, target=-1.0, time=5.0).end()["x"]
    free = Instance(m0=1.0, w0=0.5, target=-1.0, time=5.0).end()["x"]
    if not (stuck > 0 > free):
        return Verdict(Outcome.INCONCLUSIVE, f"Trained towards −1 the weights end at {stuck:.3g} and {free:.3g}.")
    return prove(
        "v' = (f' − 2α)v, u' = −(f' + 2α)u and x − (u² − v²)/2 = 0 simplify to identities; both equations are linear "
        "in the unknown, so v_0 = 0 gives v = 0 and u_t ≠ 0 for all t, hence x = u²/2 > 0. Trained towards −1 until "
        f"t = 5, a weight from m_0 = w_0 = 1 ends at {stuck:.2g}, one from m_0 = 1, w_0 = 0.5 at {free:.2g}.",
        along_flow(V) - (slope - 2 * strength) * V,
        along_flow(U) + (slope + 2 * strength) * U,
        m * w - (U**2 - V**2) / 2,
    )
