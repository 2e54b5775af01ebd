"""How far Q_α is from a multiple of the L2 or the L1 norm, and what that says of its minimizers."""

from __future__ import annotations

import sympy as sp

from derivations.kernel_and_rich import PAPER
from derivations.kernel_and_rich.setting import alpha, beta, dual, omega, potential, q, size, z
from implicit_bias import Correction, Statement, Verdict
from implicit_bias.claims import Equation, Violation, corrected, judge

epsilon, dimension, norm, ratio = sp.symbols("epsilon d B s", positive=True)
SQUARE = alpha**2 * omega**2
SETTING = r"q(z) = \int_0^z \operatorname{arcsinh}(u/2)\, du"
MINIMIZER = r"\beta^\infty = \arg\min_{X\beta = y} Q_\alpha(\beta), \ w_0 = \mathbf{1}"


def taylor(expression: sp.Expr, order: int) -> sp.Expr:
    """The term of an order in β at zero."""
    return sp.diff(expression, beta, order).xreplace({beta: sp.Integer(0)}) * beta**order / sp.factorial(order)


@PAPER.claim(
    "eq-6",
    statement=Statement(
        r"\alpha^2 \omega^2 q(\beta/(\alpha^2 \omega^2)) = ",
        beta**2 / (4 * alpha**2 * omega**2),
        r" + O(\alpha^{",
        sp.Integer(-6),
        r"}) \text{ for } \alpha \to \infty",
    ),
    source="equation (6)",
    hypotheses=(SETTING,),
    uses=("q",),
)
def large_scale(statement: Statement) -> Verdict:
    """Expand at zero; the next term of the series has the stated order exactly."""
    leading, order = statement.formulas
    exact = potential(SQUARE, beta)
    next_term = taylor(exact, 4)
    return judge.argue(
        "The series of Q at β = 0 begins with the stated term and a term of order four, which is −β⁴/(192 α⁶ω⁶) and "
        "hence of the stated order in α. Q'' = 1/√(4α⁴ω⁴ + β²) lies between its value at zero and its Taylor "
        "polynomial of order two, as 1 − t/2 ≤ 1/√(1 + t) ≤ 1, so the rest of the series is no larger than this term.",
        Equation(sp.diff(exact, beta, 2), 1 / sp.sqrt(4 * SQUARE**2 + beta**2), says="the second derivative of Q"),
        (alpha * sp.diff(next_term, alpha), order * next_term),
        stated=Equation(
            leading + beta,
            beta * (1 + sp.diff(exact, beta, 2).xreplace({beta: sp.Integer(0)}) * beta / 2),
            says="β plus the term of order two",
        ),
    )


def rest(scale: sp.Expr, weight: sp.Expr) -> sp.Expr:
    """Of Q with the scale α²ω², what is left of b log(1/α²)."""
    root = sp.sqrt(4 * scale**2 + weight**2)
    return 2 * scale - root + weight * sp.log((weight + root) / 2) - 2 * weight * sp.log(omega)


@PAPER.claim(
    "eq-7",
    statement=Statement(
        r"\frac{1}{\log(1/\alpha^2)} \alpha^2 \omega^2 q(\beta/(\alpha^2 \omega^2)) = ",
        size,
        r" + O(1/\log(1/\alpha^2)) \text{ for } \alpha \to 0, \ b = |\beta|",
    ),
    source="equation (7)",
    hypotheses=(SETTING,),
    uses=("q",),
)
def small_scale(statement: Statement) -> Verdict:
    """Split off b log(1/α²): the rest is continuous at α = 0."""
    limit = statement.formula
    exact = potential(SQUARE, size)
    return judge.argue(
        "Q − b log(1/α²) is 2α²ω² − √(4α⁴ω⁴ + b²) + b log((b + √(4α⁴ω⁴ + b²))/2) − 2b log ω by the identity, which is "
        "continuous at α = 0, with the value b log b − b − 2b log ω. Divided by log(1/α²) it is of the stated order.",
        stated=Equation(
            limit * sp.log(1 / alpha**2) + rest(SQUARE, size), exact.rewrite(sp.log), says="Q without b log(1/α²)"
        ),
    )


large = sp.Symbol("z", positive=True)
FAR = large * sp.log(large) - large + 2  # q(z) up to O(1/z)
TAIL = large - sp.sqrt(4 + large**2) + large * sp.log((1 + sp.sqrt(1 + 4 / large**2)) / 2)


@PAPER.claim(
    "eq-7-expansion",
    statement=Statement("q(z) = ", large * sp.log(large), r" + O(1/|z|) \text{ for large } z > 0"),
    source="before equation (7)",
    hypotheses=(SETTING,),
    uses=("q",),
)
def expansion_far_out(statement: Statement) -> Verdict:
    """Write q(z) − z log z exactly: it is −z + 2 and a tail between −2/z and 1/z."""
    stated = statement.formula
    proved = Equation(q(large).rewrite(sp.log), FAR + TAIL, says="q(z) = z log z − z + 2 + tail")
    if sp.expand(stated - FAR) == 0:
        return judge.argue(
            "The tail is between −2/z and 1/z: √(4 + z²) − z ≤ 2/z and log((1 + √(1 + t))/2) ≤ t/4.", proved
        )
    constant = sp.Symbol("C", positive=True)
    return judge.refute(
        "By the identity, z (z log z − q(z)) is z² − 2z minus z times a tail between −2/z and 1/z. It exceeds any "
        "constant C at z = C + 3, as (C + 3)² − 2(C + 3) − 1 > C, so the difference is not O(1/z); it tends to −∞. The "
        "numbers are those for C = 100. The limit in equation (7) is right all the same.",
        Violation(large * sp.Abs(q(large) - stated), constant, {"z": 103, "C": 100}, ">"),
        proved,
        correction=Correction(
            rf"q(z) = {sp.latex(FAR)} + \rho(z), \ \rho(z) = {sp.latex(TAIL)} = O(1/z)",
            judge.prove("The difference of both sides simplifies to zero; −2/z ≤ ρ(z) ≤ 1/z.", proved),
        ),
    )


@PAPER.claim(
    "lem-5",
    statement=Statement(
        r"\alpha \le \min\{1, ",
        sp.sqrt(norm),
        ", ",
        (2 * norm) ** (-1 / (2 * epsilon)),
        ", ",
        sp.exp(-dimension / (2 * epsilon * norm)),
        r"\} \implies \Big|\frac{Q_\alpha(\beta)}{\ln(1/\alpha^2)} - B\Big| \le \epsilon B, \ B = \|\beta\|_1",
    ),
    source="Lemma 5",
    hypotheses=(SETTING, r"\beta \in \mathbb{R}^d, \ \epsilon > 0"),
    uses=("q",),
)
def near_l1(statement: Statement) -> Verdict:
    """Bound Q from both sides by |a| ≤ √(a² + b²) ≤ |a| + |b|, and insert the stated scales."""
    root, power, exponential = statement.formulas
    square = alpha**2
    inner = sp.sqrt(square**2 + size**2 / 4)
    return judge.argue(
        "Let Λ = ln(1/α²). The identity writes Q of a coordinate, and |a| ≤ √(a² + b²) ≤ |a| + |b| gives |β_i|(Λ + "
        "ln|β_i| − 1) ≤ Q ≤ |β_i|(Λ + ln(|β_i| + α²)). As x(ln x − 1) ≥ −1, the sum is at least BΛ − d, and at most "
        "B(Λ + ln(B + α²)). The second stated bound on α makes ln(B + α²) ≤ ln(2B); the third one makes ln(2B) ≤ εΛ, "
        "the fourth one d ≤ εBΛ, each with equality at the bound. Smaller scales have a larger Λ.",
        Equation(
            potential(square, size).rewrite(sp.log),
            2 * square - 2 * inner + size * (sp.log(1 / square) + sp.log(size / 2 + inner)),
            says="Q of one coordinate, equation (23)",
        ),
        (2 * sp.log(root), sp.log(norm)),
        (-2 * epsilon * sp.log(power), sp.log(2 * norm)),
        (-2 * epsilon * norm * sp.log(exponential), dimension),
    )


@PAPER.claim(
    "eq-31",
    statement=Statement(
        r"s\, q(1/s) = ",
        2 * ratio
        - sp.sqrt(4 * ratio**2 + 1)
        + sp.log(1 / ratio)
        + sp.log(sp.Rational(1, 2) + sp.sqrt(ratio**2 + sp.Rational(1, 2))),
        r", \quad s = c\,\alpha^2",
    ),
    source="equation (31), last line",
    hypotheses=(SETTING,),
    uses=("q",),
)
def expansion_in_the_scale(statement: Statement) -> Verdict:
    """Insert arcsinh(x) = log(x + √(1 + x²)): under the last root stands ¼."""
    exact = (ratio * q(1 / ratio)).rewrite(sp.log)
    half = sp.Rational(1, 2)
    right = 2 * ratio - sp.sqrt(4 * ratio**2 + 1) + sp.log(1 / ratio) + sp.log(half + sp.sqrt(ratio**2 + half**2))
    return judge.prove(
        "Both sides are the same function of s.",
        stated=Equation(statement.formula, exact, says="s q(1/s)"),
        correction=Correction(
            rf"s\, q(1/s) = {sp.latex(right)}",
            judge.prove("The difference of both sides simplifies to zero.", stated=Equation(right, exact)),
        ),
    )


@PAPER.claim(
    "eq-32",
    statement=Statement(
        sp.log(1 / ratio) - 1,
        r" \le s\, q(1/s) \le ",
        sp.log(1 / ratio) - 1 + 3 * ratio,
        r", \quad s = c \alpha^2 > 0",
    ),
    source="equation (32)",
    hypotheses=(SETTING,),
    uses=("q", corrected("eq-31")),
)
def bracket(statement: Statement) -> Verdict:
    """Differentiate the difference to the lower bound."""
    lower, upper = statement.formulas
    exact = ratio * q(1 / ratio)
    return judge.argue(
        "By equation (31) as corrected, s q(1/s) minus the lower bound tends to 0 for s → 0. Its slope is 2 − "
        "4s/(1 + √(4s² + 1)) by the identity, which lies between 0 and 2. So the difference lies between 0 and 2s, "
        "while the bounds differ by 3s. The upper bound is not sharp.",
        Equation(
            sp.diff(exact - lower, ratio),
            2 - 4 * ratio / (1 + sp.sqrt(4 * ratio**2 + 1)),
            says="the slope of the difference to the lower bound",
        ),
        (lower + sp.log(ratio), -sp.cosh(0)),
        (sp.expand(upper - lower), 3 * ratio),
    )


@PAPER.claim(
    "lem-6",
    statement=Statement(
        r"d \ge \max\{e, ",
        12 ** (4 * epsilon),
        r"\}, \ \alpha \ge ",
        dimension ** (-sp.Rational(1, 4) - 1 / (8 * epsilon)),
        r" \implies \exists v, w: \ Q_\alpha(v)/\|v\|_1 \ge (1 + \epsilon)\, Q_\alpha(w)/\|w\|_1",
    ),
    source="Lemma 6",
    hypotheses=(SETTING, r"\epsilon > 0"),
    uses=("eq-32",),
)
def far_from_l1(statement: Statement) -> Verdict:
    """Compare a unit vector with the flat vector of norm one at the stated scale, and see what grows with α."""
    least, threshold = statement.formulas
    return judge.argue(
        "Take v = e₁ and w = 1/√d, both of L2 norm one. At the stated scale α²√d = 1/y with y = d^(1/(4ε)), and y is "
        "at least 12 by the bound on d. Equation (32) bounds √d Q(v)/Q(w) from below by 1 + (ln d − 6/y)/(6/y − 2 + "
        "2 ln y), and 2 ln y = ln d/(2ε). This is at least 1 + ε if ½ ln d + 2ε ≥ 6(1 + ε)/y, which holds as ln d ≥ 1 "
        "and y ≥ 12. Towards larger α the ratio grows: with z = 1/α² it is q(z)/q(z/√d) up to a constant, and z q'/q "
        "falls in z, as at z = 2 sinh s it is 1/(1 − tanh(s/2)/s) by the identity.",
        (-2 * sp.log(threshold) - sp.log(dimension) / 2, sp.log(dimension) / (4 * epsilon)),
        (least ** (1 / (4 * epsilon)), sp.Integer(12)),
        Equation(
            2 * dual * sp.sinh(dual) * (1 - sp.tanh(dual / 2) / dual),
            2 - 2 * sp.cosh(dual) + 2 * dual * sp.sinh(dual),
            says="z q'(z) (1 − tanh(s/2)/s) is q(z) at z = 2 sinh s, where q'(z) = s",
        ),
    )


CURVATURE = Equation(sp.diff(q(z), z, 2), 1 / sp.sqrt(4 + z**2), says="the second derivative of q")
BETWEEN = (
    "As 1 − t/2 ≤ 1/√(1 + t) ≤ 1, the second derivative 1/√(4 + z²) of q lies between ½ − z²/16 and ½, so that q(z) "
    "lies between z²/4 − z⁴/192 and z²/4."
)
QUARTIC = z**2 / 4 - z**4 / 192
LOWER = Equation(sp.diff(QUARTIC, z, 2), (8 - z**2) / 16, says="the second derivative of z²/4 − z⁴/192")


@PAPER.claim(
    "lem-7",
    statement=Statement(
        r"\alpha \ge ",
        sp.sqrt(norm) * (1 + epsilon ** (-sp.Rational(1, 4))),
        r" \implies |4\alpha^2 Q_\alpha(\beta) - B^2| \le \epsilon B^2, \ B = \|\beta\|_2",
    ),
    source="Lemma 7",
    hypotheses=(SETTING, r"\epsilon > 0"),
    uses=("q",),
)
def near_l2(statement: Statement) -> Verdict:
    """Bound q between its quadratic and its quartic Taylor polynomial."""
    threshold = statement.formula
    return judge.argue(
        f"{BETWEEN} Hence 4α²Q lies between B² − Σβ_i⁴/(48α⁴) and B², and Σβ_i⁴ ≤ B⁴. The stated scale minus √B has "
        "the fourth power B²/ε, so B²/α⁴ ≤ ε, and 4α²Q ≥ B²(1 − ε/48). The scale is far from sharp.",
        CURVATURE,
        LOWER,
        Equation((threshold - sp.sqrt(norm)) ** 4, norm**2 / epsilon, says="the stated scale"),
    )


@PAPER.claim(
    "thm-2-l1",
    statement=Statement(
        r"\alpha \le \min\{",
        (2 * (1 + epsilon) * norm) ** (-(2 + epsilon) / (2 * epsilon)),
        ", ",
        sp.exp(-dimension / (epsilon * norm)),
        r"\} \implies \|\beta^\infty\|_1 \le (1 + \epsilon) B, \ B = \min_{X\beta = y} \|\beta\|_1",
    ),
    source="Theorem 2, first line",
    hypotheses=(MINIMIZER, r"0 < \epsilon < d"),
    uses=("lem-5", "thm-1"),
)
def small_scale_suffices(statement: Statement) -> Verdict:
    """Compare Q of the minimizer with Q of the solution of least L1 norm, by the bounds inside Lemma 5."""
    power, exponential = statement.formulas
    return judge.argue(
        "The printed proof applies Lemma 5 to norms up to (1 + 2ε)B, for which the stated scale has 1 + ε in its "
        "place, and to small norms, for which its last scale is smaller. This argument does without: let Λ = "
        "ln(1/α²). By the bounds in the proof of Lemma 5, ‖β^∞‖₁ Λ − d ≤ Q(β^∞) ≤ Q(β*) ≤ B(Λ + ln(B + α²)). By the "
        "identities the first stated scale makes ln(2(1 + ε)B) ≤ Λ ε/(2 + ε) < Λ ε/2, and the second one d ≤ Λ εB/2. "
        "With ε < d it also makes α² ≤ e^(−2/B) ≤ 1/(1 + 2/B) < B. So ‖β^∞‖₁ ≤ B + Bε/2 + εB/2.",
        Equation(
            -2 * epsilon / (2 + epsilon) * sp.log(power),
            sp.log(2 * (1 + epsilon)) + sp.log(norm),
            says="ln(2(1 + ε)B) at the first scale",
        ),
        (-epsilon * norm * sp.log(exponential), dimension),
    )


@PAPER.claim(
    "thm-2-l2",
    statement=Statement(
        r"\alpha \ge ",
        sp.sqrt(2 * (1 + epsilon) * (1 + 2 / epsilon) * norm),
        r" \implies \|\beta^\infty\|_2^2 \le (1 + \epsilon) B^2, \ B = \min_{X\beta = y} \|\beta\|_2",
    ),
    source="Theorem 2, second line",
    hypotheses=(MINIMIZER, r"0 < \epsilon < d"),
    uses=("lem-7", "thm-1"),
)
def large_scale_suffices(statement: Statement) -> Verdict:
    """Compare Q where the segment from the minimizer to the least-norm solution leaves the stated ball."""
    threshold = statement.formula
    return judge.argue(
        f"{BETWEEN} Suppose ‖β^∞‖₂² > (1 + ε)B². On the segment to β*, whose norm is B, a point β' has the squared "
        "norm M = (1 + ε)B², and 4α²Q(β') ≤ 4α²Q(β*) ≤ B² by convexity. But 4α²Q(β') ≥ M(1 − M/(48α⁴)), so that ε ≤ "
        "(1 + ε)²B²/(48α⁴). By the identity this is at most ε²/(192(2 + ε)²), which is less than ε: a contradiction. "
        "The scale is far from sharp.",
        CURVATURE,
        LOWER,
        Equation(
            sp.log((1 + epsilon) ** 2 * norm**2 / 48) - 4 * sp.log(threshold),
            sp.log(epsilon**2 / (192 * (2 + epsilon) ** 2)),
            says="the logarithm of (1 + ε)²B²/(48α⁴) at the stated scale",
        ),
    )
