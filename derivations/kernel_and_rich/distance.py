"""The squared distance R from the start, which is not the implicit regularizer of u² − v²."""

from __future__ import annotations

import sympy as sp

from derivations.kernel_and_rich import PAPER
from derivations.kernel_and_rich.setting import alpha, size
from implicit_bias import Correction, Statement, Verdict
from implicit_bias.claims import Equation, Violation, judge

root, weight, least = sp.symbols("u z r", positive=True)
slope = sp.Symbol("lambda", positive=True)  # of the constraint, between 0 and 1 for z > 0
PLUS, MINUS = 1 / (1 - slope), 1 / (1 + slope)  # w₊, w₋ at the point that is nearest to (1, 1)
WEIGHT, LEAST = PLUS**2 - MINUS**2, (PLUS - 1) ** 2 + (MINUS - 1) ** 2
NEAREST = r"R_{\alpha}(\beta) = \min \{\|w - \alpha \mathbf{1}\|_2^2 : w_+^2 - w_-^2 = \beta\}"


@PAPER.claim(
    "r-root",
    statement=Statement(
        r"r(z) \text{ is the unique real root of } p_z(u) = ",
        root**4 - 6 * root**3 + (12 - 2 * weight**2) * root**2 - (8 + 10 * weight**2) * root + weight**2 + weight**4,
    ),
    source="after equation (9)",
    hypotheses=(NEAREST, r"r(\beta) = R_1(\beta) \text{ of one coordinate}"),
)
def unique_root(statement: Statement) -> Verdict:
    """Insert the nearest point, and look for a change of sign elsewhere."""
    polynomial = statement.formula
    at_nearest = polynomial.subs({root: LEAST, weight: WEIGHT}, simultaneous=True)
    at_weight = polynomial.xreplace({root: weight})
    vanishes = Equation(at_nearest, sp.Integer(0), says="p_z vanishes at r(z)", conditions=(1 - slope,))
    between = Equation(
        at_weight, -weight * (16 * weight**2 - 13 * weight + 8), says="p_z(z), which is negative for z > 0"
    )
    return judge.refute(
        "A quartic that is positive at u = 0 and for large u, and has one real root only, is negative nowhere. But "
        "p_z(z) = −z(16z² − 13z + 8) is negative for every z > 0, so p_z has a root on either side of u = z.",
        Violation(sp.Integer(0), polynomial, {"z": 1, "u": 2}, ">"),
        vanishes,
        between,
        correction=Correction(
            r"p_z(r(z)) = 0 \text{ with } r(z) < z, \text{ and a larger real root } u > z",
            judge.prove(
                "By Lagrange the nearest point is w₊ = 1/(1 − λ), w₋ = 1/(1 + λ) with 0 < λ < 1, and p_z vanishes "
                "at its squared distance. That is below z, as the identity shows that z − r is positive; p_z changes "
                "its sign at a larger u, as it is negative at z and positive for large u.",
                vanishes,
                between,
                Equation(
                    WEIGHT - LEAST,
                    2 * slope * (2 + slope + slope**2) / ((1 - slope) * (1 + slope) ** 2),
                    says="z − r(z), which is positive",
                    conditions=(1 - slope,),
                ),
            ),
        ),
    )


@PAPER.claim(
    "r-scale",
    statement=Statement(r"R_{\alpha}(\beta) = ", least, r" \text{ summed over coordinates, } r = r(\beta_i/\alpha^2)"),
    source="after equation (9)",
    hypotheses=(NEAREST, r"r(\beta) = R_1(\beta) \text{ of one coordinate}"),
)
def scaled_distance(statement: Statement) -> Verdict:
    """Scale the nearest point: distances grow with α, their squares with α²."""
    exact = (alpha * PLUS - alpha) ** 2 + (alpha * MINUS - alpha) ** 2
    return judge.prove(
        "Multiply the nearest point to 1 for β/α² by α: it is the nearest one to α1 for β.",
        stated=Equation(
            statement.formula.xreplace({least: LEAST}), exact, says="R at the nearest point", conditions=(1 - slope,)
        ),
        correction=Correction(
            r"R_\alpha(\beta) = \alpha^2 \sum_i r(\beta_i/\alpha^2)",
            judge.prove(
                "The difference of both sides simplifies to zero.",
                stated=Equation(alpha**2 * LEAST, exact, says="R at the nearest point", conditions=(1 - slope,)),
            ),
        ),
    )


@PAPER.claim(
    "r-rich-limit",
    statement=Statement(
        r"R_\alpha(\beta) = ",
        size,
        r" + O(\alpha) \text{ for } \alpha \to 0, \ b = |\beta|, \text{ summed over coordinates}",
    ),
    source='after equation (9), which says "polynomially"; the order is derived here',
    hypotheses=(NEAREST,),
)
def polynomial_limit(statement: Statement) -> Verdict:
    """Write R at the nearest point by w₊, which is √b up to the bounded w₋."""
    plus, minus = sp.symbols("p m", positive=True)
    exact = (plus - alpha) ** 2 + (minus - alpha) ** 2
    limit = statement.formula.xreplace({size: plus**2 - minus**2})
    return judge.argue(
        "On the constraint R = b − 2αw₊ + 2w₋² − 2αw₋ + 2α² for β = b > 0. At the nearest point w₋ = α/(1 + λ) lies "
        "between α/2 and α, so w₊ = √(b + w₋²) tends to √b, and R = b − 2α√b + O(α²). For β < 0 both weights change "
        "their roles.",
        stated=Equation(
            limit - 2 * alpha * plus + 2 * minus**2 - 2 * alpha * minus + 2 * alpha**2, exact, says="R on b = w₊² − w₋²"
        ),
    )
