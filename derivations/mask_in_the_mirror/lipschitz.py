"""The Lipschitz constant of the gradient of the potential: after Theorem 2.1, and in Remark 2.1."""

from __future__ import annotations

import sympy as sp

from derivations.mask_in_the_mirror import PAPER
from derivations.mask_in_the_mirror.judging import contradicted
from derivations.mask_in_the_mirror.potential import (
    PREFACTOR_2_1,
    SCALE_2_1,
    THEOREM_2_1,
    derived_metric,
    mirror_map_at,
)
from derivations.mask_in_the_mirror.setting import SIZES, argue, u0, v0, weight_velocity, x
from implicit_bias import Correction, Outcome, Statement, Verdict
from implicit_bias.claims import Equation, corrected
from implicit_bias.claims.equation import Violation
from implicit_bias.claims.judge import refute, smallest_violation
from implicit_bias.symbolic.zero_test import simplified_to_zero

LIPSCHITZ = 1 / (2 * u0 * v0)
LARGEST_AT_ZERO = (
    "(1/R'')² exceeds its value at x = 0 by 16x², so R'' is largest at x = 0. The Hessian is diagonal, so its largest "
    "entry is the least Lipschitz constant."
)


def largest_hessian(potential: sp.Expr) -> tuple[sp.Expr, Equation]:
    """R''(0) of equation 2, and the identity by which R'' is largest there."""
    hessian = sp.diff(potential, x, 2)
    at_zero = sp.powdenest(hessian.xreplace({x: sp.Integer(0)}))
    return at_zero, Equation(1 / hessian**2, 1 / at_zero**2 + 16 * x**2, "(1/R''(x))² by its value at x = 0")


def least_constant() -> Correction:
    """The least Lipschitz constant of the gradient of equation 2."""
    at_zero, largest = largest_hessian(THEOREM_2_1)
    return Correction(
        r"\nabla R \text{ has the least Lipschitz constant } 1/\min_i 8 u_{0,i} v_{0,i} \text{ for the } R \text{ of "
        r"equation 2, and } 1/\min_i 2 u_{0,i} v_{0,i} \text{ for that of the flow}",
        argue(
            LARGEST_AT_ZERO,
            largest,
            (at_zero, 1 / (8 * u0 * v0)),
            Equation(derived_metric(), sp.sqrt(4 * u0**2 * v0**2 + 4 * x**2), "1/R''(x) of the flow"),
            *weight_velocity()[1],
        ),
    )


@PAPER.claim(
    "lipschitz",
    statement=Statement(
        r"\|\nabla R(x) - \nabla R(y)\|_2 \le \max_i ",
        LIPSCHITZ,
        r"\, \|x - y\|_2 \text{ for } R(x) = \sum_i ",
        THEOREM_2_1,
    ),
    source="after Theorem 2.1, as a bound, with the R of equation 2",
    hypotheses=(SIZES,),
)
def lipschitz(statement: Statement) -> Verdict:
    """Hold the constant against the largest R'' of the printed potential, a quarter of it.

    The bound is not sharp for that R, so that it survives if its constant is halved.
    """
    constant, potential = statement.formulas
    at_zero, largest = largest_hessian(potential)
    ratio = sp.simplify(constant / at_zero)
    if ratio.is_number and ratio >= 1:
        return argue(
            f"{LARGEST_AT_ZERO} The stated constant is {ratio} times that: a bound, though not the least one.",
            largest,
            (constant, ratio * at_zero),
            Equation(sp.diff(potential, x), mirror_map_at(SCALE_2_1, PREFACTOR_2_1), "∇R of the stated potential"),
        )
    violation = smallest_violation(Equation(at_zero, constant))
    if violation is None:
        return Verdict(Outcome.INCONCLUSIVE, f"{constant} was not compared with {at_zero}.")
    exceeded = Violation(at_zero, constant, violation.numbers, ">")
    return refute("R''(0) exceeds the stated constant.", exceeded, correction=least_constant())


@PAPER.claim(
    "lipschitz-of-eq-2",
    statement=Statement(
        r"\text{The Lipschitz coefficient of } \nabla R \text{, the least constant, is } \max_i ",
        LIPSCHITZ,
        r" \text{ for } R(x) = \sum_i ",
        THEOREM_2_1,
    ),
    source="after Theorem 2.1, as the least constant, beside equation 2",
    hypotheses=(SIZES,),
)
def lipschitz_of_equation_2(statement: Statement) -> Verdict:
    """Compare the coefficient with the largest R'' of the printed potential: the two printed statements do not fit."""
    constant, potential = statement.formulas
    at_zero, largest = largest_hessian(potential)
    coefficient = Equation(constant, at_zero, "the stated coefficient against R''(0), the largest R''")
    if simplified_to_zero(coefficient.residual):
        return argue(LARGEST_AT_ZERO, largest, stated=coefficient)
    return contradicted(
        coefficient,
        largest,
        correction=least_constant,
        evidence="As a bound it holds; as the least constant it fits the R of the flow, not that of equation 2.",
    )


a = sp.Symbol("a", positive=True)
ENTROPY = x * sp.asinh(x / a) - sp.sqrt(x**2 + a**2)  # of Remark 2.1
START = {u0: sp.sqrt(a / 2), v0: sp.sqrt(a / 2)}  # w_0 = 0 and m_0 = √a


@PAPER.claim(
    "rem-2.1-lipschitz",
    statement=Statement(r"\|\nabla R(x) - \nabla R(y)\|_2 \le L_R \|x - y\|_2 \text{ with } L_R = ", a),
    source="Remark 2.1, last line",
    hypotheses=(r"w_0 = 0", r"m_0 = \sqrt{a}", r"\alpha = 0"),
    uses=(corrected("lipschitz-of-eq-2"), "rem-2.1"),
)
def remark_2_1_lipschitz(statement: Statement) -> Verdict:
    """Compare the stated constant with the largest R'' in each of three readings of R.

    They are the entropy that the remark writes down, the R of equation 2, a quarter of it, and the potential of the
    flow. In each the largest R'' falls with a; the smallest of the three is that of equation 2.
    """
    stated = statement.formula
    constants, steps = zip(*readings(), strict=True)
    if any(simplified_to_zero(stated - constant) for constant in constants):
        return argue(LARGEST_IN_EACH, *steps)
    least = constants[1]
    below = smallest_violation(Equation(least, stated, conditions=(least - stated,)))
    if below is None:
        return Verdict(Outcome.INCONCLUSIVE, f"No a was found at which {stated} is less than all three constants.")
    return refute(
        f"At a = {below.numbers['a']} the stated constant is less than R''(0) in every reading: 1/a for the entropy of "
        "the remark and for the potential of the flow, 1/(4a) for the R of equation 2.",
        Violation(least, stated, below.numbers, ">"),
        *steps,
        correction=Correction(
            r"L_R = 1/a \text{ for the entropy and for the potential of the flow, and } 1/(4a) \text{ for equation 2}",
            argue(LARGEST_IN_EACH, *steps),
        ),
    )


LARGEST_IN_EACH = "(1/R'')² grows with x², so R'' is largest at x = 0, and its largest entry is the least constant."


def readings() -> tuple[tuple[sp.Expr, Equation], ...]:
    """The least Lipschitz constant in each reading of R, and the identity that shows where R'' is largest."""
    entropy = sp.diff(ENTROPY, x, 2)
    printed = sp.diff(THEOREM_2_1, x, 2).subs(START, simultaneous=True)
    metric = derived_metric().subs(START, simultaneous=True)
    return (
        (1 / a, Equation(1 / entropy**2, a**2 + x**2, "(1/R'')² of the entropy")),
        (1 / (4 * a), Equation(1 / printed**2, 16 * (a**2 + x**2), "(1/R'')² of equation 2")),
        (1 / a, Equation(metric, sp.sqrt(a**2 + 4 * x**2), "1/R'' of the potential of the flow")),
    )
