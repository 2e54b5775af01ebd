"""Where mirror flow goes on separable data: exactly for one point, and along a trajectory for two."""

from __future__ import annotations

import numpy as np
import sympy as sp
from scipy.integrate import solve_ivp
from scipy.optimize import linprog

from derivations.mirror_flow_separable import PAPER
from derivations.mirror_flow_separable.horizon import power
from implicit_bias import Statement, Verdict
from implicit_bias.claims import judge
from implicit_bias.claims.equation import Equation

FLOW = r"\frac{d}{dt} \nabla\phi(x_t) = -\nabla \sum_i e^{-\langle z_i, x_t \rangle}, \quad x_0 = 0"
DUAL = r"\nu = \int_0^t e^{-\langle z, x \rangle}"  # of one point z
larger, smaller, dual = sp.symbols("z1 z2 nu", positive=True)
start = sp.symbols("b1 b2", real=True)  # arcsinh(x_0/a)
SOURCE = "abstract, on the direction"


@PAPER.claim(
    "one-point-power",
    statement=Statement(
        r"x_2/x_1 = ",
        (smaller / larger) ** (1 / (power - 1)),
        r"\text{ all the time, for } \phi = \tfrac1p \sum_i |x_i|^p \text{ and one point } z, "
        r"\text{ as for the maximum margin in the } p \text{-norm}",
    ),
    source=f"{SOURCE}; this case is derived here",
    hypotheses=(FLOW, "p > 1"),
)
def one_point_power(statement: Statement) -> Verdict:
    """Invert the mirror map at νz, and compare with the optimality of min ‖x‖_p on the hyperplane z·x = 1."""
    exponent = sp.Symbol("e", positive=True)  # 1/(p − 1)
    stated = statement.formula.subs(power, 1 + 1 / exponent)
    return judge.argue(
        "∇φ(x_t) = νz with ν = ∫ e^(−z·x), so x_i = (ν z_i)^(1/(p−1)): the path is a ray. The minimizer of ‖x‖_p^p/p "
        "with z·x = 1 has x_i^(p−1) = λ z_i, too, so the ray is that of the maximum margin.",
        Equation(
            sp.log(stated),
            exponent * sp.log(dual * smaller) - exponent * sp.log(dual * larger),
            says="the logarithm of x_2/x_1, with e = 1/(p − 1)",
        ),
    )


@PAPER.claim(
    "one-point-hypentropy",
    statement=Statement(
        r"0 < x_2/x_1 \le ",
        sp.exp(-2 * dual * (larger - smaller)),
        r"\to 0 \text{ for the hyperbolic entropy of rate 2 and one point } z \text{ with } z_1 > z_2 > 0: "
        r"\text{ the maximum margin in the 1-norm}",
    ),
    source=f"{SOURCE}; this case is derived here",
    hypotheses=(FLOW, r"\nabla\phi(x) = \tfrac12 \operatorname{arcsinh}(x/a)", DUAL, "t > 0"),
)
def one_point_hypentropy(statement: Statement) -> Verdict:
    """Invert the mirror map at νz: the ratio of two hyperbolic sines."""
    ratio = (sp.exp(2 * dual * smaller) - sp.exp(-2 * dual * smaller)) / (
        sp.exp(2 * dual * larger) - sp.exp(-2 * dual * larger)
    )
    shrunk = (1 - sp.exp(-4 * dual * smaller)) / (1 - sp.exp(-4 * dual * larger))
    return judge.argue(
        "x_i = a sinh(2ν z_i), so x_2/x_1 is the stated bound times (1 − e^(−4νz_2))/(1 − e^(−4νz_1)) < 1, a "
        "factor that tends to one. As the loss is positive while ν is bounded, ν → ∞. All of the 1-norm goes to "
        "the largest entry of z, where the margin z·x of ‖x‖₁ = 1 is largest.",
        Equation(statement.formula * shrunk, ratio, says="the ratio of the weights"),
    )


@PAPER.claim(
    "one-point-cosh",
    statement=Statement(
        r"x_1 - x_2 \to ",
        sp.log(larger / smaller),
        r"\text{ for } \phi = \sum_i \cosh x_i - 1 \text{ and one point } z > 0, \text{ while both tend to infinity}: "
        r"\text{ the maximum margin in the } \infty \text{-norm}",
    ),
    source=f"{SOURCE}; this case is derived here",
    hypotheses=(FLOW,),
)
def one_point_cosh(statement: Statement) -> Verdict:
    """Invert the mirror map at νz: the difference of two inverse hyperbolic sines."""
    y = sp.Symbol("y", positive=True)
    return judge.argue(
        "x_i = arcsinh(ν z_i) = log ν + log z_i + log(1 + √(1 + 1/(νz_i)²)), whose last term tends to log 2. So the "
        "difference tends to the stated one while both grow like log ν → ∞: the ratio tends to one, and among all x "
        "with |x_i| ≤ 1 the margin z·x is largest at (1, 1).",
        Equation(
            sp.log(y) + sp.log(1 + sp.sqrt(1 + 1 / y**2)), sp.asinh(y).rewrite(sp.log), says="arcsinh y, with y = νz_i"
        ),
        Equation(statement.formula, sp.log(dual * larger) - sp.log(dual * smaller), says="the difference of log νz_i"),
    )


@PAPER.claim(
    "uniqueness",
    statement=Statement(
        r"x_1/x_2 \to ",
        sp.exp(start[0] - start[1]),
        r"\text{ for the hyperbolic entropy, } z = (1, 1) \text{ and } x_0 = a \sinh b, \text{ where all } x \ge 0 "
        r"\text{ with } x_1 + x_2 = 1 \text{ have the maximum margin in the 1-norm}",
    ),
    source="derived here: where the maximum margin is not unique, the start decides",
    hypotheses=(r"\nabla\phi(x) = \tfrac12 \operatorname{arcsinh}(x/a)", "flow as above, but from x_0", DUAL),
)
def uniqueness(statement: Statement) -> Verdict:
    """Solve the flow from two different weights on a point that prefers neither."""
    weights = [sp.exp(2 * dual + b) - sp.exp(-2 * dual - b) for b in start]  # times a/2
    return judge.argue(
        "x_i = a sinh(2ν + b_i), and x_1/x_2 is the stated ratio times (1 − e^(−4ν − 2b_1))/(1 − e^(−4ν − 2b_2)) "
        "→ 1. The horizon function is that of any other start, so it cannot tell these limits apart: convergence "
        "to the maximum-margin direction of φ_∞ says which one only where that is unique.",
        Equation(
            statement.formula * (1 - sp.exp(-4 * dual - 2 * start[0])) * weights[1],
            (1 - sp.exp(-4 * dual - 2 * start[1])) * weights[0],
            says="the ratio of the weights",
        ),
    )


POINTS = np.array([[1.0, 2.0, 0.5], [2.0, 0.5, 1.0]])


@PAPER.claim(
    "direction",
    statement=(
        r"x_t/\|x_t\| \to \text{ the direction of } \operatorname{argmin} \{\phi_\infty(x) : \langle z_i, x "
        r"\rangle \ge \gamma\} \text{ for whichever } \gamma > 0"
    ),
    source="abstract, for the exponential loss",
    hypotheses=(
        FLOW,
        "separable data, a unique minimizer",
        "the hyperbolic entropy, whose horizon function is the 1-norm",
    ),
    uses=("horizon-hypentropy",),
)
def direction() -> Verdict:
    """Follow the flow of the two dual variables, by their sum, and compare with a linear program."""

    def weights(nu: np.ndarray) -> np.ndarray:
        return np.sinh(POINTS.T @ nu)

    def velocity(total: float, nu: np.ndarray) -> np.ndarray:  # dν_i/dΣν: softmax of the negative margins
        margins = POINTS @ weights(nu)
        slopes = np.exp(margins.min() - margins)
        return slopes / slopes.sum()

    path = solve_ivp(velocity, (0, 12), np.zeros(2), "Radau", rtol=1e-8, atol=1e-10)
    end = weights(path.y[:, -1])
    found = linprog(np.ones(6), A_ub=-np.hstack([POINTS, -POINTS]), b_ub=-np.ones(2))
    best = found.x[:3] - found.x[3:]
    deviation = float(np.abs(end / np.abs(end).sum() - best / np.abs(best).sum()).max())
    return judge.from_residual(
        deviation,
        1e-3,
        "On two points with three weights the dual flow (Radau) was followed until Σν = 12, with Σν as its "
        "clock, and its direction is compared with the linear program (HiGHS).",
        tolerance_reason="An inactive weight is exponentially small in Σν, and the margins agree up to bounded terms.",
        refuted_above=0.1,
        deviation=deviation,
    )
