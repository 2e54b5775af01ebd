"""The balance m² − w², which training shrinks at a rate that only the decay sets."""

import sympy as sp

from derivations.mask import along_flow, decay, m, prove, w
from implicit_bias import Claim, Verdict

STATED = (m**2 - w**2) * sp.exp(4 * decay)


def check() -> Verdict:
    """Differentiate along the flow of m and w, for an arbitrary slope of the loss and strength."""
    return prove(
        "The derivative along the flow of m and w simplifies to zero for every slope of the loss and every strength.",
        stated=along_flow(STATED),
    )


CLAIM = Claim(
    id="conserved",
    statement=r"(m_t^2 - w_t^2)\, e^{4A_t} \text{ is constant}",
    source="this project",
    hypotheses=(r"h = \sum m^2 + w^2",),
    check=check,
)
