"""Depth D ≥ 3, β = w₊^D − w₋^D: the potential and its two limits, in the normalization of equation (50)."""

from __future__ import annotations

import sympy as sp

from derivations.kernel_and_rich import PAPER
from derivations.kernel_and_rich.setting import alpha, size
from implicit_bias import Outcome, Statement, Verdict
from implicit_bias.claims import Equation, judge

excess = sp.Symbol("k", positive=True)  # D − 2
D = excess + 2
shift = sp.Symbol("y", positive=True)
signal = sp.Symbol("A", real=True)  # Xᵀ∫r of one weight
inner = sp.Symbol("zeta", real=True)  # the argument of h_D, between −1 and 1
POWER = -D / (D - 2)
H = (1 - inner) ** POWER - (1 + inner) ** POWER
NORMALIZATION = r"\dot w_\pm = \mp D\, X^\top r \circ w_\pm^{D-1}, \ w_\pm(0) = \alpha \mathbf{1}"
DEPTH = r"D = k + 2, \ k \ge 1"


@PAPER.claim(
    "eq-51-53",
    statement=Statement(
        r"w_+ = ",
        (alpha**-excess + D * excess * signal) ** (-1 / excess),
        r", \ w_- = ",
        (alpha**-excess - D * excess * signal) ** (-1 / excess),
        r", \ \beta = \alpha^D h_D(-D (D - 2)\, \alpha^{D-2} A), \ h_D(\zeta) = ",
        H,
        r", \ A = X^\top \int_0^t r",
    ),
    source="equations (51) and (53); that β is this h_D follows",
    hypotheses=(NORMALIZATION, DEPTH),
)
def solution_of_the_flow(statement: Statement) -> Verdict:
    """Differentiate both weights in A, for brackets of any positive value, and insert ζ on both sides of zero."""
    plus, minus, stated = statement.formulas
    bracket = sp.Symbol("c", positive=True)
    small, large = 1 / (1 + shift), (1 + 2 * shift) / (1 + shift)  # 1 − ζ and 1 + ζ at ζ = y/(1 + y), y > 0
    if {weight.xreplace({signal: sp.Integer(0)}) for weight in (plus, minus)} != {alpha}:
        return Verdict(Outcome.INCONCLUSIVE, "The stated weights do not start at α.")
    steps = []
    for weight, sign in ((plus, 1), (minus, -1)):
        inside = (bracket - alpha**-excess) / (sign * D * excess)  # A, by the value c of the bracket
        by_bracket = weight.xreplace({signal: inside}).simplify()
        steps += [
            Equation(
                sign * D * excess * sp.diff(by_bracket, bracket),
                -sign * D * by_bracket ** (D - 1),
                says=f"dw/dA of w{'₊' if sign > 0 else '₋'}, where its bracket is c",
            ),
            Equation(
                weight.as_base_exp()[0].xreplace({signal: -inner * alpha**-excess / (D * excess)}),
                alpha**-excess * (1 - sign * inner),
                says="its bracket at A = −ζ α^(2−D)/(D(D − 2))",
            ),
        ]
    for first, second, sign in ((small, large, 1), (large, small, -1)):
        at_place = stated.xreplace({1 - inner: first, inner + 1: second})
        weights = [sp.log(alpha) - sp.log(each) / excess for each in (first, second)]  # log w, by its bracket
        steps.append(
            Equation(
                alpha**D * at_place,
                sp.exp(D * weights[0]) - sp.exp(D * weights[1]),
                says=f"β at ζ = {'' if sign > 0 else '−'}y/(1 + y)",
            )
        )
    return judge.prove("Where the brackets are positive, as they are while the weights are finite.", *steps)


@PAPER.claim(
    "thm-3",
    statement=Statement(
        r"\beta^\infty = \arg\min_{X\beta = y} \alpha^D \sum_i q_D(\beta_i/\alpha^D), \ q_D' = h_D^{-1}, ",
        r"h_D(\zeta) = ",
        H,
    ),
    source="Theorem 3 with equations (51) and (53)",
    hypotheses=(NORMALIZATION, DEPTH, r"\text{the flow converges to } \beta^\infty \text{ with } X\beta^\infty = y"),
)
def potential_of_depth(statement: Statement) -> Verdict:
    """Solve the flow, and write its weight in the accumulated gradient."""
    bracket, start, shift = sp.symbols("c a y", positive=True)  # a is α^(2−D), and ζ = y/(1 + y)
    weight = bracket ** (-1 / excess)  # equations (51) and (53), where c is α^(2−D) ± D(D − 2)A
    plus, minus = start / (1 + shift), start * (1 + 2 * shift) / (1 + shift)  # c at A = −ζ α^(2−D)/(D(D − 2))
    end = weight.xreplace({bracket: plus}) ** D - weight.xreplace({bracket: minus}) ** D
    stated = statement.formula.xreplace({inner: shift / (1 + shift)})
    stated = stated.replace(sp.Pow, lambda base, exponent: sp.together(base) ** exponent)
    return judge.argue(
        "The weights of (51) and (53) solve the flow in its accumulated gradient A, dw/dA = ∓D w^(D−1). At ζ = "
        "−α^(D−2) D(D − 2) A the identity gives β = α^D h_D(ζ), where α^D is a^(−D/(D−2)) for a = α^(2−D), and ζ > 0 "
        "suffices, as h_D is odd. So h_D^(−1)(β/α^D) = ζ is in the row space of X at any time. h_D increases from −∞ "
        "to ∞ on (−1, 1), so its inverse increases, q_D is strictly convex, and a point of {Xβ = y} whose slopes lie "
        "in the row space is the only minimizer there.",
        (D * excess * sp.diff(weight, bracket), -D * weight ** (D - 1)),
        Equation(
            sp.diff(statement.formula, inner),
            D / excess * ((1 - inner) ** (POWER - 1) + (1 + inner) ** (POWER - 1)),
            says="h_D increases",
            conditions=(1 - inner**2,),
        ),
        Equation(
            start ** (-D / excess) * stated,
            end,
            says="the weight of the flow",
            conditions=(excess - sp.Rational(1, 2),),
        ),
    )


@PAPER.claim(
    "lem-8",
    statement=Statement(
        r"\Big\|X^\top \int_0^t r\Big\|_\infty \le ", alpha**-excess / (D * excess), r" \text{ for all } t"
    ),
    source="Lemma 8",
    hypotheses=(NORMALIZATION, DEPTH),
    uses=("thm-3",),
)
def bounded_dual(statement: Statement) -> Verdict:
    """A finite positive weight keeps the brackets of (51) and (53) positive."""
    return judge.argue(
        "w₊ and w₋ solve an equation whose solutions stay positive while they are finite, and w^(2−D) is α^(2−D) ± "
        "D(D − 2)A. Both are positive, so |A| is below the stated bound, at which a bracket vanishes by the identity; "
        "weights of arbitrary size come arbitrarily near. With the loss of Section 2 the flow is twice as fast, and "
        "half the bound holds.",
        Equation(
            sp.log(D) + sp.log(excess) + sp.log(statement.formula),
            -excess * sp.log(alpha),
            says="D(D − 2) times the bound is α^(2−D)",
        ),
    )


@PAPER.claim(
    "eq-65",
    statement=Statement(r"h_D(\zeta) = ", 2 * D / (D - 2) * inner, r" + O(\zeta^3)"),
    source="equation (65)",
    hypotheses=(DEPTH,),
    uses=("thm-3",),
)
def near_zero(statement: Statement) -> Verdict:
    """Differentiate h_D at zero."""
    slope = sp.diff(H, inner).xreplace({inner: sp.Integer(0)})
    return judge.argue(
        "h_D is odd and analytic on (−1, 1), so what follows its linear term is of order three. The slope at zero is "
        "the stated one.",
        stated=Equation(
            statement.formula * excess, sp.expand(excess * slope * inner), says="(D − 2) times the linear term"
        ),
    )


@PAPER.claim(
    "thm-3-kernel",
    statement=Statement(
        r"\lim_{\alpha \to \infty} \beta^\infty = \arg\min_{X\beta = y} \|\beta\|_2, ",
        r"\alpha^D q_D(b/\alpha^D) \approx ",
        excess / (4 * D) * alpha**-D * size**2,
    ),
    source="Theorem 3, last sentence; the factor follows from equation (65)",
    hypotheses=(NORMALIZATION, DEPTH),
    uses=("thm-3", "eq-65"),
)
def kernel_limit(statement: Statement) -> Verdict:
    """Integrate the inverse of the linear term of h_D."""
    slope = sp.diff(H, inner).xreplace({inner: sp.Integer(0)})
    return judge.argue(
        "Near zero h_D^(−1)(x) = (D − 2)x/(2D) + O(x³) by equation (65), so the slope of the potential of one "
        "coordinate at b is (D − 2)b/(2Dα^D) up to a relative O(α^(−2D)). Scaled by α^D it converges uniformly on "
        "bounded sets to the slope of a multiple of b², and minimizers converge with it, as ‖β‖₂² is strictly convex.",
        Equation(
            slope * sp.diff(statement.formula, size) + size,
            alpha**-D * size + size,
            says="h_D'(0) times the slope of the stated function, plus b on both sides",
        ),
    )


@PAPER.claim(
    "thm-3-rich",
    statement=Statement(
        r"0 \le \|\beta\|_1 - \alpha^D \sum_i q_D(\beta_i/\alpha^D) \le ",
        D / 2 * alpha**excess * size ** (2 / D),
        r" \text{ summed over } b = |\beta_i|, ",
        r"\text{ so } \beta^\infty \to \arg\min \|\beta\|_1 \text{ for } \alpha \to 0",
    ),
    source="Theorem 3, last sentence, and after it that α need be polynomially small only; the bound is derived here",
    hypotheses=(NORMALIZATION, DEPTH, r"\text{the L1 minimizer is unique}"),
    uses=("thm-3",),
)
def rich_limit(statement: Statement) -> Verdict:
    """Bound the inverse of h_D by that of its larger term."""
    gap = (size / alpha**D) ** (-excess / D)
    return judge.argue(
        "For 0 ≤ ζ < 1 is h_D(ζ) ≤ (1 − ζ)^(−D/(D−2)), so that 1 − x^(−(D−2)/D) ≤ h_D^(−1)(x) < 1. The slope of the "
        "potential at b therefore lies between 1 − (b/α^D)^(−(D−2)/D) and 1, and the identity integrates the gap from "
        "b = 0, where the stated bound vanishes. It is of order α^(D−2), against 1/log(1/α) for D = 2; it is sharp to "
        "first order, as (1 + ζ)^(−D/(D−2)) stays bounded. The potential converges to the L1 norm uniformly on "
        "bounded sets, and its minimizers to the unique L1 minimizer.",
        Equation(sp.diff(statement.formula, size), gap, says="the slope of the bound"),
    )


@PAPER.claim(
    "explicit-penalty",
    statement=Statement(
        r"\min \{\|w\|_2^2 : w_+^D - w_-^D = \beta\} = ", size ** (2 / D), r" \text{ summed over } b = |\beta_i|"
    ),
    source="after Theorem 3: explicit regularization of the weights differs from the implicit one",
    hypotheses=(DEPTH, r"w_\pm \ge 0"),
)
def explicit_penalty(statement: Statement) -> Verdict:
    """Drop one of the two weights."""
    return judge.argue(
        "For β = b > 0 the constraint makes w₊^D at least b, with equality for w₋ = 0. The least squared norm is w₊² "
        "with w₊^D = b, which the identity says of the stated function; for β < 0 both weights change their roles. "
        "Unlike it, the implicit regularizer tends to the L1 norm (the claim on small scales).",
        Equation(D * sp.log(statement.formula), 2 * sp.log(size), says="D log w₊² is 2 log b"),
    )
