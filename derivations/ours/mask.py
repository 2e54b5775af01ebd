"""The mask x = m ⊙ w with the right constants: its potential, what follows from it, and its weight."""

from __future__ import annotations

import sympy as sp

from derivations.mask_in_the_mirror import PAPER as PREPRINT
from derivations.mask_in_the_mirror.commuting import first, moved_by_bracket, second
from derivations.mask_in_the_mirror.judging import along_the_flow
from derivations.mask_in_the_mirror.potential import derived_metric, potential_with
from derivations.mask_in_the_mirror.setting import (
    POTENTIAL,
    REGULARIZER,
    SIZES,
    START,
    WEIGHT,
    accumulated,
    argue,
    closed_form,
    decay,
    derived,
    in_uv,
    m,
    prove,
    u0,
    v0,
    weight_velocity,
    x,
)
from derivations.ours import PAPER
from implicit_bias import Statement, Verdict
from implicit_bias.claims import Equation
from implicit_bias.claims.judge import prove as prove_alone

SCALE = u0 * v0 * sp.exp(-4 * decay)


@PAPER.claim(
    "potential",
    statement=Statement(
        r"\nabla R_{a_t}(x_t) = -\int_0^t \nabla f(x_s)\,ds \text{ with } R_{a_t}(x) = \sum_i ",
        potential_with(sp.Rational(1, 2), SCALE),
    ),
    source=f"what holds instead of {PREPRINT.citation}, Theorems 2.1 (A = 0) and 3.1",
    hypotheses=(SIZES, REGULARIZER),
)
def potential(statement: Statement) -> Verdict:
    """Differentiate ∇R_{a_t}(x_t) along the flow of m and w, and invert ∇R_{a_t}."""
    mirror_map = sp.diff(statement.formula, x)
    return prove(
        "The change of ∇R_{a_t}(x_t) along the flow is −∇f, for every ∇f and α, and the weight that is reached with "
        "L = −∇R_{a_t}(x) is x.",
        Equation(WEIGHT.xreplace({accumulated: -mirror_map}), x, "the weight at L = −∇R_{a_t}(x)"),
        *weight_velocity()[1],
        *closed_form(),
        stated=along_the_flow(statement.formula),
    )


@PAPER.claim(
    "minimum",
    statement=Statement(r"\operatorname{argmin} R_{a_t} = ", sp.exp(-4 * decay) * START, r" = e^{-4A} m_0 \odot w_0"),
    source=f"what holds instead of {PREPRINT.citation}, after Theorem 3.1; after Theorem 2.1 it is printed for A = 0",
    hypotheses=(SIZES, POTENTIAL),
    uses=("potential",),
)
def minimum(statement: Statement) -> Verdict:
    """Evaluate the weight at L = 0; without decay it is the start."""
    without_pull = WEIGHT.xreplace({accumulated: sp.Integer(0)})
    return argue(
        "∇R_{a_t}(x_t) = −L_t (claim ours/potential) vanishes where L = 0, and R_{a_t} is strictly convex: it is "
        "least at the weight that decay alone leads to, for A = 0 at the start x_0 = m_0w_0.",
        (in_uv(derived().inverse_mirror_map).xreplace({sp.Symbol("z"): sp.Integer(0)}), without_pull),
        *closed_form(),
        stated=Equation(statement.formula, without_pull, "the stated minimum against the weight at L = 0"),
    )


@PAPER.claim(
    "lipschitz",
    statement=Statement(r"\text{The least Lipschitz constant of } \nabla R \text{ is } \max_i ", 1 / (2 * u0 * v0)),
    source=f"for the R of the flow; {PREPRINT.citation}, after Theorem 2.1, prints the constant beside another R",
    hypotheses=(SIZES, "A = 0", POTENTIAL),
    uses=("potential",),
)
def lipschitz(statement: Statement) -> Verdict:
    """Find the largest R'', which is at x = 0."""
    constant = statement.formula
    return argue(
        "1/R'' is √(4u₀²v₀² + 4x²), so R'' is largest at x = 0. The Hessian is diagonal, so its largest entry is the "
        "least Lipschitz constant, and it is approached by weights near zero.",
        *weight_velocity()[1],
        stated=Equation(
            sp.sqrt(1 + 4 * x**2 * constant**2) / constant, derived_metric(), "√(1/constant² + 4x²) against 1/R''(x)"
        ),
    )


@PAPER.claim(
    "weight-hyperbolic",
    statement=Statement(
        r"m_t w_t = ",
        sp.exp(-4 * decay)
        * (
            START * (sp.cosh(accumulated) ** 2 + sp.sinh(accumulated) ** 2)
            - (u0**2 + v0**2) * sp.sinh(accumulated) * sp.cosh(accumulated)
        ),
    ),
    source=f"what holds instead of the hyperbolic form in {PREPRINT.citation}, proof of Lemma A.1, with decay",
    hypotheses=(SIZES, REGULARIZER),
)
def weight_hyperbolic(statement: Statement) -> Verdict:
    """Hold the form against the product of m and w in closed form."""
    return prove(
        "Both forms of the weight agree.",
        *closed_form(),
        stated=Equation(statement.formula, WEIGHT, "the hyperbolic form against m_t w_t"),
    )


@PAPER.claim(
    "neuron-bracket",
    statement=Statement(
        r"\|\partial g\,[\nabla g_i, \nabla g_j]\|_2^2 = ",
        m**2 * (first**2 + second**2),
        r" \text{ for } g = (m w_1, \dots, m w_k), \ i \ne j",
    ),
    source=f"a stronger form of {PREPRINT.citation}, Lemma C.1",
    hypotheses=(r"k \ge 2", r"w_1 = w_i, w_2 = w_j"),
)
def neuron_bracket(statement: Statement) -> Verdict:
    """Compute the bracket of two outputs that share a mask, and ∂g of it."""
    return prove_alone(
        "The sum of squares of the two components of ∂g of the bracket; the others vanish, as the bracket has no "
        "component along m.",
        stated=Equation(statement.formula, moved_by_bracket(m * first, m * second), "‖∂g of the bracket‖²"),
    )
