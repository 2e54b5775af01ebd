"""Why the scale of the start and the margin count by their ratio only."""

from __future__ import annotations

import sympy as sp

from derivations.kernel_and_rich.setting import potential
from derivations.scale_and_accuracy import PAPER
from implicit_bias import Statement, Verdict
from implicit_bias.claims import Equation, judge

alpha, gamma, size, depth = sp.symbols("alpha gamma b D", positive=True)


@PAPER.claim(
    "scale-against-margin",
    statement=Statement(
        r"Q_\alpha(\gamma w) = \gamma\, Q_\mu(w), \quad \mu = ",
        alpha / sp.sqrt(gamma),
        r", \text{ so the scale } \alpha \text{ and the margin } \gamma \text{ set the bias together}",
    ),
    source="as summarized in the abstract (scale and accuracy control the transition together); identity derived here",
    hypotheses=(r"w = u_+^2 - u_-^2", r"Q_\alpha(w) = \sum_i \alpha^2 q(w_i/\alpha^2), \ \gamma > 0"),
    uses=("kernel-and-rich/thm-1",),
)
def scale_against_margin(statement: Statement) -> Verdict:
    """Insert the potential of depth 2."""
    square = statement.formula
    return judge.prove(
        "Minimizers of Q_α over margins of at least γ, divided by γ, are those of Q_μ over margins of at least 1.",
        Equation(2 * sp.log(square), 2 * sp.log(alpha) - sp.log(gamma), says="the logarithm of μ²"),
        stated=Equation(
            gamma * potential(square**2, size), potential(alpha**2, gamma * size), says="Q of one coordinate"
        ),
    )


@PAPER.claim(
    "scale-against-margin-at-depth",
    statement=Statement(
        r"Q^D_\alpha(\gamma w) = \gamma\, Q^D_\mu(w), \quad \mu = ",
        alpha * gamma ** (-1 / depth),
        r", \ D \ge 3",
    ),
    source="as summarized in the abstract (diagonal networks of any depth); identity derived here",
    hypotheses=(
        r"w = u_+^D - u_-^D",
        r"Q^D_\alpha(w) = \sum_i \alpha^D q_D(w_i/\alpha^D), \ q_D' = h_D^{-1}",
    ),
    uses=("kernel-and-rich/thm-3",),
)
def scale_against_margin_at_depth(statement: Statement) -> Verdict:
    """Compare the arguments and the factors of q_D, whatever q_D is."""
    scale = statement.formula
    return judge.prove(
        "Both sides are a factor times q_D of an argument: γμ^D q_D(b/μ^D) and α^D q_D(γb/α^D).",
        Equation(depth * sp.log(scale) + sp.log(gamma), depth * sp.log(alpha), says="the logarithms of the factors"),
        stated=Equation(
            sp.log(size) - depth * sp.log(scale),
            sp.log(gamma * size / alpha**depth),
            says="the logarithms of the arguments",
        ),
    )
