"""Where mirror flows go: convergence, and the solution that they choose among all."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import sympy as sp
from scipy.integrate import solve_ivp
from scipy.optimize import minimize

from derivations.reparametrized_models import PAPER
from implicit_bias import Outcome, Verdict
from implicit_bias.claims.equation import Equation
from implicit_bias.claims.judge import agreed, argue

w, w1, w2, goal, p = sp.symbols("w w1 w2 v p", real=True)
scale = sp.Symbol("a", positive=True)
CHOICE_TOLERANCE = 1e-5  # of the distance from the minimizer that SciPy finds
CHOICE_REASON = "SciPy finds the minimizer to about 1e-7."


def _potential(at: sp.Expr) -> sp.Expr:
    """A Legendre function in closed form, for which the identities are spelled out: ¼ of the hyperbolic entropy."""
    return (at * sp.asinh(at / scale) - sp.sqrt(at**2 + scale**2)) / 4


def _slope(at: sp.Expr) -> sp.Expr:
    return sp.diff(_potential(w), w).xreplace({w: at})


def _divergence(to: sp.Expr, of: sp.Expr) -> sp.Expr:
    return _potential(to) - _potential(of) - _slope(of) * (to - of)


@PAPER.claim(
    "thm-5.3.14",
    statement=(
        r"\text{for quasi-convex } L \text{ the flow converges to some } w^* \text{ with } "
        r"\nabla L(w^*)^T(w - w^*) \ge 0 \text{ on } \mathrm{dom}\,R, \text{ for convex } L \text{ to a minimizer}"
    ),
    source="Theorem 5.3.14 of Wang's thesis",
    hypotheses=(
        r"R \text{ is a Bregman function}",
        r"\nabla L \text{ is locally Lipschitz and } L \text{ has a minimizer in } \mathrm{dom}\,R",
    ),
    uses=("thm-5.3.9",),
)
def convergence(used: Mapping[str, Verdict]) -> Verdict:
    """Mirror flows converge; the divergence from a minimizer is a Lyapunov function."""
    if used["thm-5.3.9"].outcome is not Outcome.ARGUED:
        return Verdict(Outcome.INCONCLUSIVE, "The mirror flow was not established.")
    curvature = sp.diff(_potential(w), w, 2)
    along = sp.diff(_divergence(goal, w), w) * (-p / curvature)  # w' = −∇L/R''
    return argue(
        "Along w' = −(∇²R)⁻¹∇L the divergence D(w*, w) changes at the rate ∇L(w)ᵀ(w* − w), an identity (for ¼ of the "
        "hyperbolic entropy, one coordinate; it uses nothing but w' R'' = −∇L). If w* minimizes a quasi-convex L, this "
        "is at most 0, so w(t) stays in a set that is bounded, as R is a Bregman function. L(w(t)) falls, at the rate "
        "∇Lᵀ(∇²R)⁻¹∇L. The limit theorem of Alvarez, Bolte and Brahic on such flows gives the limit; for convex L, "
        "the rate is at most L(w*) − L(w), and its integral bounds t(L(w(t)) − L(w*)) by D(w*, w(0)), so L tends to "
        "its minimum. The limit theorem is quoted, not checked.",
        Equation(along, p * (goal - w), says="dD(w*, w)/dt = ∇L(w)(w* − w)"),
    )


@PAPER.claim(
    "thm-5.3.17",
    statement=r"R(w_\infty) = \min \{ R(w) : Zw = Y \} \text{ if } w(t) \to w_\infty \text{ and } Zw_\infty = Y",
    source="Theorems 5.2.9 and 5.3.17 of Wang's thesis, with (5.3.4); that w_∞ is inside dom R is added here",
    hypotheses=(
        r"L(w) = \tilde L(Zw)",
        "commuting fields as in Theorem 5.3.9",
        r"w_\infty \text{ inside } \mathrm{dom}\,R \text{, where the printed proof takes } \nabla R(w_\infty)",
    ),
    uses=("thm-5.3.9", "cor-5.3.18"),
)  # fmt: skip
def choice_of_the_flow(used: Mapping[str, Verdict]) -> Verdict:
    """The flow ends at the solution of least R, held against a direct minimization over all solutions."""
    if any(verdict.outcome not in (Outcome.PROVED, Outcome.ARGUED) for verdict in used.values()):
        return Verdict(Outcome.INCONCLUSIVE, "It rests on claims that were not established.")
    turn = (_slope(w2) - _slope(w1)) * (w - w2)
    proof = argue(
        "∇R(w(t)) − ∇R(w(0)) = −Zᵀ∫∇L̃ lies in the row space of Z, in the limit as well. The difference "
        "D(w, w₀) − D(w_∞, w₀) is D(w, w_∞) + ⟨∇R(w_∞) − ∇R(w₀), w − w_∞⟩, an identity (shown for ¼ of the hyperbolic "
        "entropy, where only its three values and slopes matter); if Zw = Zw_∞ the product is zero, and the rest is "
        "not negative. So w_∞ minimizes D(·, w₀), which is R up to a constant: ∇R(w₀) = ∇R(∇Q(0)) = 0, here at w₀ = 0.",
        Equation(
            _divergence(w, w1) - _divergence(w2, w1), _divergence(w, w2) + turn, says="three points w₀, w_∞ and w"
        ),
    )
    return agreed(proof, _distance_from_the_minimizer, CHOICE_TOLERANCE, CHOICE_REASON)


def _distance_from_the_minimizer() -> float:
    """Between the end of a flow of u² − v² from unequal u, v and the least R on the line {w : Zw = Y} in the plane."""
    row, target = np.array([1.0, 2.0]), 1.5
    begin = np.array([0.7, 0.4, 0.5, 0.6])  # u₁, u₂, v₁, v₂

    def velocity(_: float, state: np.ndarray) -> np.ndarray:
        pull = row * (row @ (state[:2] ** 2 - state[2:] ** 2) - target)
        return np.concatenate([-2 * state[:2] * pull, 2 * state[2:] * pull])

    end = solve_ivp(velocity, (0, 10), begin, "LSODA", rtol=1e-10, atol=1e-12).y[:, -1]
    product, ratio = begin[:2] * begin[2:], np.log(begin[:2] / begin[2:])

    def potential(along: np.ndarray) -> float:
        place = target * row / (row @ row) + along[0] * np.array([-row[1], row[0]])
        entropy = place * np.arcsinh(place / (2 * product)) - np.sqrt(place**2 + 4 * product**2) - place * ratio
        return float(entropy.sum() / 4)

    best = minimize(potential, [0.0], method="Nelder-Mead", options={"xatol": 1e-10, "fatol": 1e-15}).x[0]
    place = target * row / (row @ row) + best * np.array([-row[1], row[0]])
    return float(np.max(np.abs(end[:2] ** 2 - end[2:] ** 2 - place)))
