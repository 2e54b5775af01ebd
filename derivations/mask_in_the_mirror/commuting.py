"""Which fields commute, and the condition that is necessary for a mirror flow: section 3 and appendix C."""

from __future__ import annotations

import sympy as sp

from derivations.mask_in_the_mirror import PAPER
from derivations.mask_in_the_mirror.setting import m, w
from implicit_bias import Outcome, Statement, Verdict
from implicit_bias.claims import Equation
from implicit_bias.claims.judge import argue, prove
from implicit_bias.symbolic.commuting import lie_bracket

first, second = sp.symbols("w1 w2", real=True)
time, decay = sp.symbols("s r", real=True)


def gradient(function: sp.Expr, parameters: tuple[sp.Symbol, ...]) -> sp.Matrix:
    """∇ of a function, as a column."""
    return sp.Matrix([sp.diff(function, parameter) for parameter in parameters])


@PAPER.claim(
    "commutes",
    statement=Statement(r"[\nabla (", m * w, r"), \nabla (", m**2 + w**2, r")] = 0"),
    source="section 3, on the regularizer h",
)
def regularizer_commutes(statement: Statement) -> Verdict:
    """Compute the bracket, and let both flows act in either order."""
    weight, regularizer = statement.formulas
    bracket = lie_bracket(gradient(weight, (m, w)), gradient(regularizer, (m, w)), (m, w))
    failing = [component for component in bracket if sp.expand(component) != 0]
    if failing:
        return prove("", stated=Equation(failing[0], sp.Integer(0), "a component of the bracket"))
    # The flows of ∇g for the time s, and of ∇h for the time r after it.
    turned = sp.Matrix([m * sp.cosh(time) + w * sp.sinh(time), m * sp.sinh(time) + w * sp.cosh(time)])
    grown = sp.exp(2 * decay) * turned
    slopes, pulls = (gradient(function, (m, w)) for function in (weight, regularizer))
    return prove(
        "The components of the bracket ∇²h∇g − ∇²g∇h expand to zero. The flow of ∇g turns (m, w) hyperbolically, that "
        "of ∇h multiplies it by e^(2r), and in either order they lead to the same place.",
        *(
            (turned[i].xreplace({m: sp.exp(2 * decay) * m, w: sp.exp(2 * decay) * w}), sp.expand(grown[i]))
            for i in range(2)
        ),
        *((sp.diff(turned[i], time), slopes[i].xreplace({m: turned[0], w: turned[1]})) for i in range(2)),
        *((sp.diff(grown[i], decay), pulls[i].xreplace({m: grown[0], w: grown[1]})) for i in range(2)),
        (turned[0] * turned[1], m * w * sp.cosh(2 * time) + (m**2 + w**2) * sp.sinh(2 * time) / 2),
    )


@PAPER.claim(
    "only-m",
    statement=Statement(
        r"\partial g\,[\nabla g, \nabla h] = ",
        -2 * (m - w) * (m + w),
        r" \ne 0 \text{ for } |m| \ne |w|, \ g = m w, \ h = m^2",
    ),
    source="section 3, on regularizing m alone",
)
def mask_regularizer_alone(statement: Statement) -> Verdict:
    """Compute what the bracket does to the weight: it is not in the kernel of ∂g, as the necessary condition demands.

    The preprint states that the condition fails; the value is computed here.
    """
    slopes, pulls = gradient(m * w, (m, w)), gradient(m**2, (m, w))
    moved = (slopes.T * lie_bracket(slopes, pulls, (m, w)))[0]
    return prove(
        "∂g of the bracket ∇²h∇g − ∇²g∇h is 2w² − 2m², which vanishes for |m| = |w| alone.",
        stated=Equation(statement.formula, sp.expand(moved), "∂g of the bracket"),
    )


NEURON = (m, first, second)


def moved_by_bracket(one: sp.Expr, other: sp.Expr) -> sp.Expr:
    """‖∂g [∇g_1, ∇g_2]‖² of two outputs of the parameters m, w_1, w_2."""
    slopes = [gradient(output, NEURON) for output in (one, other)]
    bracket = lie_bracket(slopes[0], slopes[1], NEURON)
    return sp.expand(sum((each.T * bracket)[0] ** 2 for each in slopes))


@PAPER.claim(
    "lem-c.1",
    statement=Statement(
        r"g = (",
        m * first,
        ", ",
        m * second,
        r", \dots): \ [\nabla g_1, \nabla g_2] \notin \ker \partial g",
    ),
    source="Lemma C.1, one mask for a neuron, read where mask and weights do not vanish; a neuron has two or more",
    hypotheses=("p = 1",),
    uses=("thm-c.1",),
)
def lemma_c_1(statement: Statement) -> Verdict:
    """Compute ∂g of the bracket for two weights of the neuron; more weights contain it as a part."""
    return argue(
        "‖∂g [∇g₁, ∇g₂]‖² is m²(w₁² + w₂²), which vanishes only for m = 0 or w₁ = w₂ = 0. With more weights ∇g₁ "
        "and ∇g₂ have no further components: the bracket is the same, and so are these two components of ∂g of it. "
        "A neuron of one weight has one output and no such bracket.",
        (moved_by_bracket(*statement.formulas), m**2 * (first**2 + second**2)),
    )


@PAPER.claim(
    "thm-c.1",
    statement=(
        r"\text{If the gradient flow of } g(\theta) \text{ is a mirror flow of } x \text{ for each loss, then the span "
        r"of the Lie brackets of } \nabla g_1, \dots, \nabla g_n \text{ lies in } \ker \partial g"
    ),
    source="Theorem C.1, from Li et al. 2022",
)
def theorem_c_1() -> Verdict:
    """A theorem on all parameterizations, which no identity of ours decides."""
    return Verdict(
        Outcome.INCONCLUSIVE,
        "The theorem is on every parameterization and every loss; nothing here checks its proof. Lemma C.1 and "
        "section 3 use it to exclude a mirror flow, and what they say on brackets is checked without it.",
    )
