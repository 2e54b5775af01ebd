r"""Weight decay on a homogeneous separable parameterization: a rescaled flow without decay.

With :math:`\varphi = e^{2A}\theta` and g of degree k, :math:`\varphi' = -e^{-2(k-2)A}\,\partial_i f\,\nabla g(\varphi)`
for the parameters of weight i. So :math:`g(\varphi) = e^{2kA}x` moves under :math:`R_0`, the potential without decay,
by another clock. For k = 2 the clock is the old one and :math:`R_A(x) = e^{-2kA}R_0(e^{2kA}x)`; for other degrees
:math:`[\nabla g, \nabla h] \ne 0` and no potential is a function of A, yet the limit is.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import sympy as sp

from derivations.mask_in_the_mirror.setting import DECAY, decay
from derivations.ours import PAPER
from implicit_bias import (
    NumericalPotential,
    Outcome,
    Parameterization,
    Potential,
    Regression,
    Statement,
    Verdict,
    bregman_projection,
    gradient_flow,
)
from implicit_bias.claims.equation import Equation
from implicit_bias.claims.judge import Step, agreed, argue
from implicit_bias.schedule import Constant, Pulse, Schedule, SwitchOff

TOTAL = 0.2
SCHEDULES: tuple[Schedule, ...] = (SwitchOff(Constant(TOTAL / 2), 2.0), Pulse(20.0, 5.0, TOTAL))  # early and late
START = {"a": 1.0, "b": 0.6, "c": 0.4}  # the same at every weight
EXAMPLES = {"a*b*c": ("abc", 3)}
END = 2000.0
TOLERANCE = 1e-10
TOLERANCE_REASON = "The flow is integrated to a relative 1e-12 a step and ends with ‖Zx − y‖ below 1e-10."


degree, strength, dual_slope = sp.symbols("k alpha f'", real=True)
total = sp.Symbol("A_oo", nonnegative=True)


@PAPER.claim(
    "homogeneous-decay",
    statement=Statement(
        sp.exp(2 * degree * decay),
        r"\, x_t = \nabla R_0^*(-M_t), \quad M_t = \int_0^t ",
        sp.exp(-2 * (degree - 2) * decay),
        r"\,\nabla f(x_s)\, ds, \quad \lim_{t\to\infty} x_t = \operatorname{argmin}\{R_0(",
        sp.exp(2 * degree * total),
        r"\, x) : Zx = y\}",
    ),
    hypotheses=(
        "every weight has parameters of its own, from which the same g makes it",
        r"g(c\theta) = c^k g(\theta) \; \forall c > 0",
        r"g \in C^2 \text{ on an open cone that holds the flow}, \; \nabla g(\theta_0) \ne 0",
        r"h = \|\theta\|_2^2",
        DECAY,
        r"R_0 \text{ the potential of } g \text{ from the same } \theta_0 \text{ without regularizer}",
        "f is a differentiable loss of Zx",
        r"e^{2kA_\infty} \lim x_t \text{ exists inside the domain of } R_0 \text{, with } Z \lim x_t = y",
    ),
)
def homogeneous_decay(statement: Statement) -> Verdict:
    """Argue by a change of variables for any homogeneous g, and compare flows with the projections it implies."""
    verdict = argue(
        "Differentiating g(cφ) = c^k g(φ) gives ∇g(cφ) = c^(k−1) ∇g(φ). With it the derivative of φ = e^(2A)θ along "
        "the flow is −e^(−2(k−2)A) ∂f/∂x_i ∇g(φ) for the parameters of weight i. They move on the curve of "
        "∇g through θ₀, on which −M_i is the time, so g(φ) = e^(2kA)x is ∇R₀*(−M). M lies in the range of Zᵀ, which is "
        "closed; A and x converge and ∇R₀ is continuous inside its domain, so at the limit ∇R₀(e^(2kA)x) lies in the "
        "range of Zᵀ: with Zx = y, the conditions of optimality of a convex program. ∇g does not vanish on the curve, "
        "so R₀ is strictly convex and the program has one solution.",
        *identities(*statement.formulas),
    )
    if verdict.outcome is not Outcome.ARGUED:
        return verdict
    distance = {formula: max(distances(formula, *example)) for formula, example in EXAMPLES.items()}
    numbers = ", ".join(f"{formula} {found:.0e}" for formula, found in distance.items())
    evidence = f"{verdict.evidence} Largest ‖x − argmin‖∞ over {len(SCHEDULES)} schedules of A = {TOTAL:g}: {numbers}."
    return agreed(replace(verdict, evidence=evidence), lambda: max(distance.values()), TOLERANCE, TOLERANCE_REASON)


def identities(growth: sp.Expr, clock: sp.Expr, last: sp.Expr) -> tuple[Step, ...]:
    """The flow of φ = cθ with c = e^(2A), where g(φ) is ``growth`` times x and φ moves by ``clock``."""
    factor = sp.Symbol("c", positive=True)
    phi, others = sp.symbols(r"\varphi others", real=True)
    g = sp.Function("g")
    at_phi = sp.diff(g(phi, others), phi)
    # The chain rule on both sides of g(cφ) = c^k g(φ); SymPy writes g'(cφ) as a substitution.
    scaled_g = g(factor * phi, factor * others)
    (scaled,) = sp.diff(scaled_g, phi).atoms(sp.Subs)
    by_euler = sp.solve(sp.diff(scaled_g - factor**degree * g(phi, others), phi), scaled)[0]
    theta = sp.exp(-2 * decay) * phi
    velocity = -dual_slope * by_euler.subs(factor, sp.exp(-2 * decay)) - 2 * strength * theta
    component = sp.Symbol("theta", real=True)
    rescaled = sp.exp(2 * decay) * component
    along = sp.diff(rescaled, decay) * strength + sp.diff(rescaled, component) * velocity
    value = sp.Symbol("g'", real=True)  # of any sign and size

    def at_a_point(expression: sp.Expr) -> sp.Expr:
        return expression.subs(component, theta).subs(at_phi, value)

    return (
        (at_a_point(by_euler), factor ** (degree - 1) * value),
        (growth, (rescaled / component) ** degree),
        (last, (rescaled / component).subs(decay, total) ** degree),
        Equation(-clock * dual_slope * value, at_a_point(along), "the velocity of φ"),
    )


def distances(formula: str, names: str, degree: int) -> list[float]:
    """‖end of the flow − argmin {R_0(e^{2kA}x) : Zx = y}‖_∞ for every schedule."""
    problem = Regression.sample(3, 6, 1, seed=0)
    parameterization = Parameterization(formula, list(names))
    init = {name: np.full(problem.n, START[name]) for name in names}
    limit = limit_under_decay(problem, NumericalPotential(parameterization, init), degree, TOTAL)
    decaying = parameterization.with_regularizer(" + ".join(f"{name}**2" for name in names))
    ends = [gradient_flow(problem, decaying, init, [END], schedule=plan).x[-1] for plan in SCHEDULES]
    return [float(np.max(np.abs(end - limit))) for end in ends]


def limit_under_decay(problem: Regression, potential: Potential, degree: int, total: float) -> np.ndarray:
    """The argmin of R_0(e^{2kA}x) under Zx = y, by the projection of R_0 for e^{2kA}y."""
    growth = math.exp(2 * degree * total)
    return bregman_projection(Regression(problem.Z, growth * problem.y), potential).x / growth
