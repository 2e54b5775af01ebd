"""Balanced gates: stationary points, the penalty that they induce, and the local minima."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import sympy as sp
from scipy.optimize import minimize

from derivations.d_gating import PAPER
from derivations.d_gating.setting import (
    HYPOTHESES,
    IMBALANCES,
    depth,
    first,
    gate,
    other,
    second,
    slopes,
    strength,
)
from implicit_bias import Outcome, Statement, Verdict
from implicit_bias.claims import Equation, judge

norm = sp.Symbol("W", positive=True)  # ‖w_j‖₂
total = sp.Symbol("S", positive=True)  # ‖ω_j‖² + Σ_d γ_{j,d}²
root = sp.Symbol("r", positive=True)  # the common size of balanced factors
x, y, z = sp.symbols("x y z", positive=True)


@PAPER.claim(
    "lem-1",
    statement=Statement(
        r"\nabla L(\omega, \Gamma) = 0 \implies ",
        first**2 + second**2,
        " = ",
        gate**2,
        r",\ \text{ for each group (here of two weights) and each of its gates}",
    ),
    source="Lemma 1, with the balance as the proof of Corollary 1 writes it",
    hypotheses=HYPOTHESES,
)
def balanced_at_stationary_points(statement: Statement) -> Verdict:
    """Weigh each equation of stationarity by its own parameter and subtract."""
    weight, gated = statement.formulas
    slope = slopes()
    return judge.argue(
        "The loss depends on the product alone, so ω·∂L/∂ω and γ_d ∂L/∂γ_d share the term w·∇L₀ and differ by the "
        "penalty's 2λ/D times the difference of the squares. At a stationary point both vanish, and λ > 0. The same "
        "holds for two gates, for groups of any size (more terms of the same sum) and any number of gates.",
        Equation(
            2 * strength / depth * (weight - gated),
            first * slope[first] + second * slope[second] - gate * slope[gate],
            says="2λ/D (‖ω‖² − γ²) is ω·∂L/∂ω − γ ∂L/∂γ",
        ),
        Equation(
            slope[gate] * gate - slope[other] * other,
            2 * strength / depth * IMBALANCES[1],
            says="two gates: γ ∂L/∂γ − γ' ∂L/∂γ' is 2λ/D times the difference of their squares",
        ),
    )


@PAPER.claim(
    "cor-1",
    statement=Statement(
        r"\tfrac{\lambda}{D} \Big( \|\omega_j\|_2^2 + \sum_d \gamma_{j,d}^2 \Big) = ",
        strength * norm ** (2 / depth),
        r",\ W = \|w_j\|_2,\ \text{ for balanced gates}",
    ),
    source="Corollary 1, as its proof writes it",
    hypotheses=HYPOTHESES,
)
def penalty_of_balanced_gates(statement: Statement) -> Verdict:
    """Insert a weight of the size √(x² + y²) and D − 1 gates of the same size."""
    size = sp.sqrt(x**2 + y**2)
    return judge.prove(
        "With ω = (x, y) and D − 1 gates of the size √(x² + y²), the product has the norm (x² + y²)^(D/2).",
        stated=Equation(
            statement.formula.xreplace({norm: size * size ** (depth - 1)}),
            strength / depth * (x**2 + y**2) + strength * (depth - 1) / depth * size**2,
            says="the group penalty of the product is λ/D times the squares of the weight and of all gates",
        ),
    )


@PAPER.claim(
    "misalignment",
    statement=Statement(
        r"M_j = ",
        total / depth - norm ** (2 / depth),
        r" \ge 0,\ S = \|\omega_j\|_2^2 + \sum_d \gamma_{j,d}^2,\ W = \|w_j\|_2,\ "
        r"\text{ with equality if and only if the gates are balanced}",
    ),
    source="proof of Theorem 1",
    hypotheses=HYPOTHESES,
)
def misalignment(statement: Statement) -> Verdict:
    """Write the misalignment as a sum of terms p − 1 − log p."""
    at = statement.formula.xreplace
    two = at({depth: sp.Integer(2), total: x**2 + y**2, norm: x * y})
    third = root**3 / (x * y)  # so that the product is r³
    three = at({depth: sp.Integer(3), total: x**2 + y**2 + third**2, norm: root**3})
    excess = [(size / root) ** 2 - 1 - 2 * sp.log(size / root) for size in (x, y, third)]
    return judge.argue(
        "With p_d = (size of factor d)²/W^(2/D) the product of all p_d is 1, so their logarithms add up to 0 and D M "
        "= W^(2/D) Σ (p_d − 1 − log p_d). Each term is at least 0, and 0 only at p_d = 1, as its derivative is 1 − "
        "1/p_d. So M ≥ 0, with equality only if all sizes agree; if a factor is zero, so is W, and M = S/D vanishes "
        "only if all are. The identity is shown for D = 2 and 3; for other depths the sums have more terms.",
        Equation(3 * three, root**2 * sp.Add(*excess), says="D = 3: D M = r² Σ (p − 1 − log p)"),
        Equation(
            at({total: x**2 + y**2 + (depth - 1) * (x**2 + y**2), norm: sp.sqrt(x**2 + y**2) ** depth}) + x,
            x,
            says="balanced gates of any depth have M = 0",
        ),
        stated=Equation(two, (x - y) ** 2 / 2, says="D = 2: M = (x − y)²/2 for factors of sizes x and y"),
    )


@PAPER.claim(
    "thm-1",
    statement=Statement(
        r"L_0 + ",
        strength / depth * total,
        r",\ S = \|\omega\|_2^2 + \|\Gamma\|_F^2,\ \text{ and } L_0 + \sum_j ",
        strength * norm ** (2 / depth),
        r",\ W = \|w_j\|_2,\ \text{ have the same local minima: } \hat\omega \blacktriangleright \hat\gamma^\odot "
        r"\text{ is one of the second for each } (\hat\omega, \hat\Gamma) \text{ of the first, and each balanced "
        r"representation of one of the second is one of the first}",
    ),
    source="Theorem 1, with the penalties as its proof writes them",
    hypotheses=(*HYPOTHESES, r"L_0 \text{ differentiable}"),
    uses=("lem-1", "misalignment"),
)
def same_local_minima(statement: Statement, used: Mapping[str, Verdict]) -> Verdict:
    """Lift continuously to balanced gates, and check single weights numerically."""
    if any(verdict.outcome not in (Outcome.PROVED, Outcome.ARGUED) for verdict in used.values()):
        return Verdict(Outcome.INCONCLUSIVE, "It rests on claims that were not established.")
    gated, grouped = statement.formulas
    weight_1, weight_2 = sp.symbols("w_1 w_2", positive=True)
    size = sp.sqrt(weight_1**2 + weight_2**2)
    lifted = [weight * size ** (1 / depth - 1) for weight in (weight_1, weight_2)]
    verdict = judge.argue(
        "L(ω, Γ) = L_w(w) + λ M with M ≥ 0, and M = 0 exactly for balanced gates. If ŵ is a local minimum of L_w, "
        "points near a balanced representation of it have weights near ŵ, so L ≥ L_w ≥ L_w(ŵ) = L there. Conversely, "
        "a local minimum (ω̂, Γ̂) of L is stationary and so balanced, and the weights w' near ŵ have balanced "
        "representations near it, as the lift ω = w‖w‖^(1/D−1), γ_d = ‖w‖^(1/D), with the signs of the gates of Γ̂ "
        "and their product before ω, is continuous, also at w = 0, where all balanced factors are 0: L_w(w') = L(ω', "
        "Γ') ≥ L(ω̂, Γ̂) = L_w(ŵ). Minima that BFGS found for D = 2 and 3 and a loss with two valleys are minima of "
        "the second objective on a grid.",
        Equation(
            lifted[0] * size ** ((depth - 1) / depth), weight_1, says="the lift has the weight as its product, entry 1"
        ),
        Equation(lifted[0] ** 2 + lifted[1] ** 2, (size ** (1 / depth)) ** 2, says="and it is balanced: ‖ω‖² = γ_d²"),
        stated=Equation(
            gated.xreplace({total: x**2 + y**2 + (depth - 1) * (x**2 + y**2)}),
            grouped.xreplace({norm: sp.sqrt(x**2 + y**2) ** depth}),
            says="both penalties agree for the weight (x, y) and gates of its size",
        ),
    )
    return judge.agreed(
        verdict,
        lambda: max(descent_above_grid(gated, grouped, layers) for layers in (2, 3)),
        GRID_TOLERANCE,
        GRID_REASON,
    )


GRID_TOLERANCE = 1e-9
GRID_REASON = "BFGS ends where slopes are below 1e-9, and the loss is above its minimum by about their square."


def descent_above_grid(gated: sp.Expr, grouped: sp.Expr, layers: int) -> float:
    """By how much the second objective falls near the minima that BFGS finds for the first one, at λ = 0.3."""
    first_penalty = sp.lambdify(total, gated.xreplace({strength: sp.Rational(3, 10), depth: sp.Integer(layers)}))
    second_penalty = sp.lambdify(norm, grouped.xreplace({strength: sp.Rational(3, 10), depth: sp.Integer(layers)}))

    def loss(weight: np.ndarray) -> np.ndarray:
        return (weight - 1) ** 2 * (weight + 1.2) ** 2

    def objective(factors: np.ndarray) -> float:
        return float(loss(np.prod(factors)) + first_penalty(np.sum(factors**2)))

    worst = 0.0
    for seed in range(2):
        start = np.random.default_rng(seed).normal(size=layers)
        found = float(np.prod(minimize(objective, start, method="BFGS", options={"gtol": 1e-9}).x))
        near = found + np.linspace(-0.02, 0.02, 41)
        values = loss(near) + second_penalty(np.maximum(np.abs(near), 1e-300))
        here = loss(np.array(found)) + second_penalty(max(abs(found), 1e-300))
        worst = max(worst, float(here - values.min()))
    return worst
