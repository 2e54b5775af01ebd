"""Where flows with decay go: to minimizers, and in regression to the one of least potential."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import sympy as sp
from scipy.integrate import solve_ivp
from scipy.optimize import minimize

from derivations.mirror_mirror import PAPER, REVIEWS
from derivations.mirror_mirror.mask import MASK, a, potential, x
from implicit_bias import Outcome, Verdict
from implicit_bias.claims.equation import Equation
from implicit_bias.claims.judge import agreed, argue

goal, slope = sp.symbols("y f", real=True)  # x* and ∇f
strength = sp.Symbol("alpha", nonnegative=True)
CHOICE_TOLERANCE = 1e-5  # of the distance from the minimizer that SciPy finds
CHOICE_REASON = "SciPy finds the minimizer to about 1e-7."


def _divergence() -> sp.Expr:
    """D_A(x*, x) of the mask; a tilt of R_A drops out."""
    level = potential(x, a, sp.Integer(0))
    return level.xreplace({x: goal}) - level - sp.diff(level, x) * (goal - x)


@PAPER.claim(
    "convergence",
    statement=(
        r"\text{if } R_a \text{ is contracting, } f \text{ convex with a minimizer in the domain and } \alpha_t = 0 "
        r"\text{ for } t \ge T, \text{ then } x_t \text{ converges to a minimizer}"
    ),
    source=f"on convergence, {REVIEWS}; that the minimizer lies inside one domain and the continuity are added here",
    hypotheses=(
        r"\nabla f \text{ locally Lipschitz}",
        r"R_a \text{ a Legendre and Bregman function for } a \in [b, 0],\ a_t \ge b,\ \alpha_t \ge 0",
        r"\text{the minimizer lies inside the domain, the same for all } a,\ \nabla R_a^* \text{ continuous in } a",
    ),
    uses=("contracting", "time-dependent-flow", "reparametrized-models/thm-5.3.14"),
)
def convergence(used: Mapping[str, Verdict]) -> Verdict:
    """After the decay the flow is a mirror flow of a fixed potential; before, the dual points stay bounded."""
    if any(verdict.outcome not in (Outcome.PROVED, Outcome.ARGUED) for verdict in used.values()):
        return Verdict(Outcome.INCONCLUSIVE, "It rests on claims that were not established.")
    divergence = _divergence()
    velocity = -2 * sp.sqrt(x**2 + a**2) * slope - 4 * strength * x
    change = sp.diff(divergence, x) * velocity + sp.diff(divergence, a) * (-4 * strength * a)
    raised = 2 * sp.sqrt(goal**2 + a**2) - 2 * sp.sqrt(x**2 + a**2)
    return argue(
        "Along the flow D_{a_t}(x*, x_t) changes at the rate ∇fᵀ(x* − x_t) + α_t[h*(x*) − h*(x_t)] with h* = "
        "−∂R_a/∂a, for the mask an identity. So W_t = D_{a_t}(x*, x_t) − R_{a_t}(x*) = R*_{a_t}(μ_t) − ⟨μ_t, x*⟩ "
        "with μ_t = ∇R_{a_t}(x_t) falls, for a minimizer x* of a convex f, as h* ≥ 0. If the flow ended at some t* ≤ "
        "T, let a = a_{t*}: R*_a ≤ R*_{a_t} before, as R_a falls in a, so y_t = ∇R*_a(μ_t) has D_a(x*, y_t) ≤ W_0 + "
        "R_a(x*). It is bounded, and so is μ_t, as R*_a(μ) − ⟨μ, x*⟩ grows with |μ| for x* inside the domain. Hence "
        "y_t stays away from the boundary, where |∇R_a| is infinite, x_t = ∇R*_{a_t}(μ_t) has a limit point inside, "
        "and the flow goes on. From T on it is the mirror flow of the fixed R_{a_T}, which converges to a minimizer.",
        Equation(
            change, slope * (goal - x) + strength * raised, says="the rate of the divergence, with h* = 2√(x² + a²)"
        ),
    )


@PAPER.claim(
    "optimality",
    statement=r"x_\infty = \operatorname{argmin} \{ R_{a_\infty}(x) : Zx = y \}",
    source=f"on underdetermined regression, {REVIEWS}; that the decay is finite is added here",
    hypotheses=(
        *MASK[:2],
        r"A_t \to A_\infty < \infty",
        r"f(x) = \tilde f(Zx), \text{ and } x_t \to x_\infty \text{ with } Zx_\infty = y",
    ),
    uses=("time-dependent-flow", "reparametrized-models/thm-5.3.17"),
)
def optimality(used: Mapping[str, Verdict]) -> Verdict:
    """With decay the flow ends at the solution of least final potential, held against a direct minimization."""
    if any(verdict.outcome not in (Outcome.PROVED, Outcome.ARGUED) for verdict in used.values()):
        return Verdict(Outcome.INCONCLUSIVE, "It rests on claims that were not established.")
    level = potential(x, a, sp.Integer(0))
    proof = argue(
        "∇R_{a_t}(x_t) = −Zᵀ∫∇f̃ lies in the row space of Z, in the limit as well. For any x with Zx = y the "
        "difference R(x) − R(x_∞) is D(x, x_∞) + ∇R(x_∞)ᵀ(x − x_∞) with R = R_{a_∞}, and the last product is zero. "
        "A flow of two weights under fading decay ends at the minimizer that SciPy finds, to 1e-5.",
        Equation(sp.diff(level, x, 2), 1 / (2 * sp.sqrt(x**2 + a**2)), says="R'' > 0, so divergences are not negative"),
    )
    return agreed(proof, _distance_from_the_minimizer, CHOICE_TOLERANCE, CHOICE_REASON)


def _distance_from_the_minimizer() -> float:
    """Between the end of a flow of two masked weights with α_t = e^(−t)/5 and the least R on the line Zx = y."""
    row, target, total = np.array([1.0, 2.0]), 1.5, 0.2
    begin = np.array([1.0, 0.9, 0.3, -0.2])  # m and w

    def velocity(t: float, state: np.ndarray) -> np.ndarray:
        pull = row * (row @ (state[:2] * state[2:]) - target)
        return np.concatenate([-state[2:] * pull, -state[:2] * pull]) - 2 * total * np.exp(-t) * state

    end = solve_ivp(velocity, (0, 30), begin, "LSODA", rtol=1e-10, atol=1e-12).y[:, -1]
    start = (begin[:2] + begin[2:]) / np.sqrt(2), (begin[:2] - begin[2:]) / np.sqrt(2)
    scale, tilt = start[0] * start[1] * np.exp(-4 * total), np.log(start[0] / start[1])
    middle, along = target * row / (row @ row), np.array([-row[1], row[0]])

    def level(steps: np.ndarray) -> float:
        place = middle + steps[0] * along
        return float(np.sum(place * np.arcsinh(place / scale) - np.sqrt(place**2 + scale**2) - place * tilt) / 2)

    best = minimize(level, [0.0], method="Nelder-Mead", options={"xatol": 1e-10, "fatol": 1e-15}).x[0]
    return float(np.max(np.abs(end[:2] * end[2:] - middle - best * along)))
