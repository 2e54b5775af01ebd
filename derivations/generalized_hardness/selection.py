"""Among several solutions of least L1 norm: entropy for two factors, a power of the size for more, and a tilt."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import sympy as sp
from mpmath import mp, mpf
from scipy.optimize import brentq

from derivations.generalized_hardness import PAPER
from implicit_bias import HyperbolicEntropy, Regression, Statement, Verdict, bregman_projection
from implicit_bias.claims import Equation, judge

alpha, size = sp.symbols("alpha b", positive=True)  # the scale α of the start, and b = |x_i|
more = sp.Symbol("k", positive=True)  # D − 2
depth = more + 2
product_, ratio = sp.symbols("omega rho", positive=True)  # u_0 v_0/α and u_0/v_0 of one weight
ABSTRACT = "on the abstract (which minimizer is chosen depends on the depth); what is chosen is derived here"
FACE = r"F \text{ the solutions of } Zx = y \text{ of least } \|x\|_1, \text{ not empty}"
LIMIT = r"x(\alpha) \text{ the limit of the flow of a loss of } Zx, \ Z x(\alpha) = y"
COMPARED = (
    "Limit points of x(α) are in F, as the L1 norm leads. With a point x° of F, ‖x(α)‖₁ ≥ ‖x°‖₁, R(x(α)) ≤ R(x°), so "
    "the next term cannot be larger at x(α) than at x°, up to what vanishes with α. F lies in one orthant, as the mean "
    "of two points with opposite signs would have a smaller norm"
)


def two_factors(scale: sp.Expr, weight: sp.Expr) -> sp.Expr:
    """Four times the potential of u² − v² with the scale 2u_0v_0, without its tilt."""
    return weight * sp.asinh(weight / scale) - sp.sqrt(weight**2 + scale**2)


@PAPER.claim(
    "two-factors",
    statement=Statement(
        r"D = 2: \ \lim_{\alpha \to 0} x(\alpha) = \operatorname{argmin} \Big\{ \sum_i ",
        size * sp.log(size),
        r" : x \in F \Big\}, \ b = |x_i|",
    ),
    source=ABSTRACT,
    hypotheses=(r"x = u^{\odot 2} - v^{\odot 2}, \ u_0 = v_0 = \sqrt{\alpha}\, \mathbf{1}", LIMIT, FACE),
)
def entropy(statement: Statement) -> Verdict:
    """Split the potential into the L1 norm, the entropy and a rest that is the L1 norm again at α = 0."""
    stated = statement.formula
    root = sp.sqrt(size**2 + 4 * alpha**2)
    rest = size * sp.log((1 + sp.sqrt(1 + 4 * alpha**2 / size**2)) / 2) - root
    argued = judge.argue(
        f"The flow's end minimizes R, and 4R is b log(1/α), the stated term and a rest that tends to −b uniformly. "
        f"{COMPARED}, and there Σ b is constant and b log b is strictly convex: the minimizer is unique. "
        f"On three weights at log α = {LOG_SCALE:g} the limit is that of the stated term.",
        Equation(
            two_factors(2 * alpha, size).rewrite(sp.log),
            size * sp.log(1 / alpha) + stated + rest,
            says="4R of one weight",
        ),
    )

    def off() -> float:
        expected = WEIGHTS + chosen([sp.diff(stated, size)] * 3) * MOVE
        return float(np.abs(limit_of_two_factors(np.zeros(3)) - expected).max())

    return judge.agreed(argued, off, TOLERANCE, TOLERANCE_REASON)


@PAPER.claim(
    "more-factors",
    statement=Statement(
        r"D = k + 2 \ge 3: \ \lim_{\alpha \to 0} x(\alpha) = \operatorname{argmax} \Big\{ \sum_i ",
        size ** (2 / depth),
        r" : x \in F \Big\}, \ b = |x_i|",
    ),
    source=ABSTRACT,
    hypotheses=(r"x = u^{\odot D} - v^{\odot D}, \ u_0 = v_0 = \alpha^{1/D} \mathbf{1}", LIMIT, FACE),
)
def power(statement: Statement) -> Verdict:
    """Bound what the potential lacks to the L1 norm from both sides by slopes of powers."""
    stated = statement.formula
    gap = depth / 2 * alpha ** (more / depth) * stated
    lower = depth / 2 * alpha * (size / alpha + 1) ** (2 / depth)
    argued = judge.argue(
        "The potential of a weight is α q_D(x/α), whose slope ζ solves h_D(ζ) = (1 − ζ)^(−D/(D−2)) − (1 + "
        "ζ)^(−D/(D−2)) = x/α (Woodworth et al., 2020). For b > 0 the second term is between 0 and 1, so 1 − ζ is "
        "between (b/α + 1)^(−(D−2)/D) and (b/α)^(−(D−2)/D), the slopes of the identities. So R is b minus (D/2) "
        f"α^((D−2)/D) times the stated term, up to a relative O(α^(2/D)). {COMPARED}, and there b^(2/D) is strictly "
        "concave. On three weights at α = 1e-40 limits for D = 3, 4 and 6, which differ, are those of the stated term.",
        Equation(sp.diff(gap, size), (size / alpha) ** (-more / depth), says="the slope of the stated term"),
        Equation(sp.diff(lower, size), (size / alpha + 1) ** (-more / depth), says="and of the smaller bound"),
    )

    def off() -> float:
        return max(
            abs(chosen([sp.diff(stated, size).xreplace({more: sp.Integer(layers - 2)})] * 3) - deep_end(layers))
            for layers in (3, 4, 6)
        )

    return judge.agreed(argued, off, TOLERANCE, TOLERANCE_REASON)


@PAPER.claim(
    "unequal-starts",
    statement=Statement(
        r"D = 2: \ \lim_{\alpha \to 0} x(\alpha) = \operatorname{argmin} \Big\{ \sum_i f(x_i) : x \in F \Big\}, \ "
        r"f(\pm b) = ",
        size * sp.log(size / product_),
        r" \mp ",
        size * sp.log(ratio),
        r", \ \omega = u_0 v_0 / \alpha, \ \rho = u_0 / v_0 \text{ of the weight}",
    ),
    source=f"{ABSTRACT}, also for starts that are not equal",
    hypotheses=(
        r"x = u^{\odot 2} - v^{\odot 2}, \ u_0, v_0 > 0 \text{ in fixed ratios to } \sqrt{\alpha}",
        LIMIT,
        FACE,
    ),
    uses=("two-factors",),
)
def tilted_entropy(statement: Statement) -> Verdict:
    """Add the tilt of an unequal start, and the scale of each weight."""
    plain, tilt = statement.formulas
    dual = sp.Symbol("z", real=True)
    scale = alpha * product_
    u, v = sp.sqrt(scale * ratio), sp.sqrt(scale / ratio)
    weight = u**2 * sp.exp(4 * dual) - v**2 * sp.exp(-4 * dual)
    root = sp.sqrt(size**2 + 4 * scale**2)
    rest = size * sp.log((1 + sp.sqrt(1 + 4 * scale**2 / size**2)) / 2) - root
    argued = judge.argue(
        "With z = −∫∇L the flow is u = u_0 e^(2z), v = v_0 e^(−2z), so x is 2u_0v_0 sinh(4z + log ρ), and 4R(x) is "
        "that of equal starts with the scale 2αω of the weight, minus x log ρ. On the L1 minimizers the argument is "
        f"that of equal starts, with f for the entropy. On three weights at log α = {LOG_SCALE:g}, with three "
        "different tilts, the limit is that of f, and another one than without tilts.",
        Equation(
            weight.rewrite(sp.exp),
            (2 * scale * sp.sinh(4 * dual + sp.log(ratio))).rewrite(sp.exp),
            says="x of the flow",
        ),
        Equation(
            two_factors(2 * scale, size).rewrite(sp.log) - size * sp.log(ratio),
            size * sp.log(1 / alpha) + plain - tilt + rest,
            says="4R at x = b",
        ),
        Equation(
            two_factors(2 * scale, size).rewrite(sp.log) + size * sp.log(ratio),
            size * sp.log(1 / alpha) + plain + tilt + rest,
            says="4R at x = −b",
        ),
    )

    def off() -> float:
        slopes = [
            sp.diff(plain - tilt, size).xreplace({product_: sp.Integer(1), ratio: sp.exp(sp.Float(each))})
            for each in TILTS
        ]
        return float(np.abs(limit_of_two_factors(TILTS) - WEIGHTS - chosen(slopes) * MOVE).max())

    return judge.agreed(argued, off, TOLERANCE, TOLERANCE_REASON)


# The solutions of least L1 norm of x_1 + x_2 + x_3 = 1 and one more equation are WEIGHTS + t MOVE, all positive.
WEIGHTS, MOVE = np.array([0.5, 0.3, 0.2]), np.array([1.0, 2.0, -3.0])
ROWS = np.array([[1.0, 1.0, 1.0], [5.0, -4.0, -1.0]])
TILTS = np.array([0.4, -0.7, 0.2])
LOG_SCALE = -200.0
TOLERANCE = 1e-8
TOLERANCE_REASON = "The limit is reached to a power of α below 1e-12, and found to about 1e-10."


def chosen(slopes: list[sp.Expr]) -> float:
    """The t at which the sum of functions of the weights with these slopes is stationary on the segment."""
    functions = [sp.lambdify(size, slope, "math") for slope in slopes]

    def along(t: float) -> float:
        return float(sum(n * f(b) for n, f, b in zip(MOVE, functions, WEIGHTS + t * MOVE, strict=True)))

    return float(brentq(along, -0.15 + 1e-9, 0.2 / 3 - 1e-9, xtol=1e-15))


def limit_of_two_factors(tilts: np.ndarray) -> np.ndarray:
    """The projection by the potential with the scale 2α, where log α is LOG_SCALE, and with log ρ as shift."""
    potential = HyperbolicEntropy(log_scale=LOG_SCALE + np.log(2), shift=tilts, rate=4.0)
    return bregman_projection(Regression(ROWS, ROWS @ WEIGHTS), potential).x


@cache
def deep_end(layers: int) -> float:
    """The t of the limit of D layers at α = 1e-40: slopes ζ of the weights with Σ n_i ζ_i = 0, at 60 digits."""
    with mp.workdps(60):
        scale, exponent = mpf("1e-40"), mpf(-layers) / (layers - 2)

        def gap(weight: Any) -> Any:  # 1 − ζ, from (1 − ζ)^p = x/α + (1 + ζ)^p
            found = (weight / scale) ** (1 / exponent)
            for _ in range(30):
                found = (weight / scale + (2 - found) ** exponent) ** (1 / exponent)
            return found

        def along(t: Any) -> Any:
            unit = (mpf(1) / scale) ** (1 / exponent)
            return sum(mpf(n) * gap(mpf(b) + t * mpf(n)) / unit for n, b in zip(MOVE, WEIGHTS, strict=True))

        low, high = mpf("-0.149"), mpf("0.066")
        for _ in range(120):
            middle = (low + high) / 2
            low, high = (middle, high) if along(middle) * along(low) > 0 else (low, middle)
        return float(low)
