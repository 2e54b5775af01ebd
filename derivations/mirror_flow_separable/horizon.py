"""Horizon functions of potentials: powers, the hyperbolic entropy and the hyperbolic cosine."""

from __future__ import annotations

import sympy as sp

from derivations.mirror_flow_separable import PAPER
from implicit_bias import Statement, Verdict
from implicit_bias.claims import judge
from implicit_bias.claims.equation import Equation

first, second = sp.symbols("x1 x2", positive=True)  # sizes of two weights; the potentials are even
length = sp.Symbol("r", positive=True)  # by which a point is multiplied; it tends to infinity
power = sp.Symbol("p", positive=True)
scale = sp.Symbol("a", positive=True)
SOURCE = "abstract, for separable potentials"
DEFINITION = (
    r"\phi_\infty(x) = \lim_{c \to \infty} R_c(e_1)/R_c(x), \quad R_c(x) = \sup\{r : \phi(rx) \le c\}: "
    r"\text{ the unit ball is the limit of normalized sublevel sets, here of two weights } x_1, x_2 > 0; "
    r"\text{ all is even in each weight}"
)


@PAPER.claim(
    "horizon-power",
    statement=Statement(
        r"\phi_\infty(x) = ",
        (first**power + second**power) ** (1 / power),
        r"\text{ for } \phi(x) = \tfrac1p \sum_i |x_i|^p",
    ),
    source=f"{SOURCE}; derived here",
    hypotheses=(DEFINITION, "p > 1"),
)
def of_a_power(statement: Statement) -> Verdict:
    """Scale a point by one over the stated function: the potential is then that of the first unit vector."""
    level = (first**power + second**power) / power
    return judge.argue(
        "A power is homogeneous: its sublevel sets are multiples of one set, so no limit is needed. R_c(e_1) is "
        "(pc)^(1/p), and R_c(x) is (pc/Σ|x_i|^p)^(1/p), whose quotient is the p-norm.",
        Equation(
            (length**power * level).expand(force=True),
            (length * first) ** power / power + (length * second) ** power / power,
            says="φ(rx) = r^p φ(x)",
        ),
        Equation(power * sp.log(statement.formula), sp.log(first**power + second**power), says="log of the p-th power"),
    )


@PAPER.claim(
    "horizon-hypentropy",
    statement=Statement(
        r"\phi_\infty(x) = ",
        first + second,
        r"\text{ for } \phi(x) = \sum_i x_i \operatorname{arcsinh}(x_i/a) - \sqrt{x_i^2 + a^2}",
    ),
    source=f"{SOURCE}; derived here",
    hypotheses=(DEFINITION,),
)
def of_the_hyperbolic_entropy(statement: Statement) -> Verdict:
    """Split r log r off φ(rx): its coefficient is the horizon function, and the rest is of order r."""

    def term(x: sp.Expr) -> sp.Expr:
        return x * sp.asinh(x / scale) - sp.sqrt(x**2 + scale**2)

    def rest(x: sp.Expr) -> sp.Expr:  # over r, for the term of rx
        root = sp.sqrt(x**2 + scale**2 / length**2)
        return x * sp.log((x + root) / scale) - root

    return judge.argue(
        "φ(rx) is the stated function times r log r, plus r times Σ |x_i| log((|x_i| + √(x_i² + a²/r²))/a) − "
        "√(x_i² + a²/r²), which stays bounded as r → ∞. So R_c(x) ~ c/(φ_∞(x) log c), and its quotient to that of the "
        "first unit vector, whose stated value is one, tends to the stated function.",
        Equation(
            statement.formula * length * sp.log(length) + length * (rest(first) + rest(second)),
            (term(length * first) + term(length * second)).rewrite(sp.log),
            says="φ(rx)",
        ),
    )


@PAPER.claim(
    "horizon-cosh",
    statement=Statement(r"\phi_\infty(x) = ", sp.Max(first, second), r"\text{ for } \phi(x) = \sum_i \cosh x_i - 1"),
    source=f"{SOURCE}; derived here",
    hypotheses=(DEFINITION,),
)
def of_the_hyperbolic_cosine(statement: Statement) -> Verdict:
    """Bracket the potential between that of the largest weight alone, and n times it."""
    excess = sp.Symbol("d", nonnegative=True)  # x_1 = x_2 + d
    ordered = {first: second + excess}
    stated = sp.cosh(length * statement.formula.xreplace(ordered)) - 1
    potential = (sp.cosh(length * (second + excess)) - 1) + (sp.cosh(length * second) - 1)
    return judge.argue(
        "For the larger weight x_1 = x_2 + d, φ(rx) exceeds cosh(r x_1) − 1 by 2 sinh²(r x_2/2) ≥ 0 and falls short of "
        "twice it by 2 sinh(r(x_1 + x_2)/2) sinh(rd/2) ≥ 0. So r max x_i lies between arccosh(1 + c/n) and "
        "arccosh(1 + c), which differ by a bounded amount while both tend to infinity: their quotient tends to one.",
        Equation(
            length * statement.formula.xreplace(ordered), length * second + length * excess, says="r times the larger"
        ),
        Equation(
            (potential - stated).rewrite(sp.exp),
            (2 * sp.sinh(length * second / 2) ** 2).rewrite(sp.exp),
            says="the excess over the largest weight alone",
        ),
        Equation(
            (2 * stated - potential).rewrite(sp.exp),
            (2 * sp.sinh(length * (2 * second + excess) / 2) * sp.sinh(length * excess / 2)).rewrite(sp.exp),
            says="the shortfall to twice the largest weight",
        ),
    )
