"""The flow of the mask conserves m² − w², so that signs stay or change."""

from __future__ import annotations

import sympy as sp

from derivations.mask_in_the_mirror import PAPER as PREPRINT
from derivations.mask_in_the_mirror.setting import accumulated, along_flow, argue, decay, m, prove, slope, strength, w
from derivations.ours import PAPER
from implicit_bias import Statement, Verdict
from implicit_bias.claims.equation import Equation

U, V = (m + w) / sp.sqrt(2), (m - w) / sp.sqrt(2)
m0, w0 = sp.symbols("m0 w0", real=True)


@PAPER.claim(
    "conserved",
    statement=Statement("m_t^2 - w_t^2 = ", (m0**2 - w0**2) * sp.exp(-4 * decay)),
    hypotheses=(r"h = \sum m^2 + w^2",),
)
def conserved(statement: Statement) -> Verdict:
    """The balance m² − w², which training shrinks at a rate that only the decay sets.

    Solve the flows of m ± w for an arbitrary slope of the loss and strength, and multiply.
    """
    grown = {U: sp.exp(accumulated + 2 * decay), V: sp.exp(-accumulated + 2 * decay)}
    u, v = (m0 + w0) / (sp.sqrt(2) * grown[U]), (m0 - w0) / (sp.sqrt(2) * grown[V])
    return prove(
        "(m + w)e^(L + 2A) and (m − w)e^(−L + 2A) have derivatives along the flow of m and w that simplify to zero, "
        "for every slope of the loss and every strength; and m² − w² is twice the product of u and v.",
        *(
            Equation(along_flow(part * growth), -slope * sp.diff(part * growth, accumulated), "constant along the flow")
            for part, growth in grown.items()
        ),
        Equation(m**2 - w**2, 2 * U * V),
        stated=Equation(statement.formula, 2 * u * v, "twice the product of the solutions u and v"),
    )


@PAPER.claim(
    "fig-1a",
    statement=r"v_0 = 0 \implies x_t > 0 \text{ for all } t",
    source=f"on spred's start, as in {PREPRINT.citation}, figure 1a",
    hypotheses=(r"u_0 \ne 0", r"h = \sum m^2 + w^2"),
)
def spred_sign() -> Verdict:
    """Show that u and v each obey a linear equation without source, so that v = 0 stays and u keeps its sign."""
    return argue(
        "v' = (f' − 2α)v and u' = −(f' + 2α)u are linear in the unknown, so v_0 = 0 gives v = 0 and u_t ≠ 0 for all t, "
        "hence x = (u² − v²)/2 = u²/2 > 0.",
        Equation(along_flow(V), (slope - 2 * strength) * V, "v'"),
        Equation(along_flow(U), -(slope + 2 * strength) * U, "u'"),
        Equation(m * w, (U**2 - V**2) / 2, "x"),
    )
