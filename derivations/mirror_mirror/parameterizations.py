"""Which regularizers commute with a parameterization, and what potential it has: sums and quadratic forms."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import sympy as sp
from hypothesis import strategies as st
from scipy.integrate import solve_ivp
from scipy.linalg import expm

from derivations.mask_in_the_mirror.judging import REFUTED_ABOVE, TOLERANCE_REASON
from derivations.mask_in_the_mirror.setting import decay, m, w
from derivations.mirror_mirror import PAPER
from implicit_bias import Outcome, Verdict
from implicit_bias.claims.judge import prove, search
from implicit_bias.symbolic.commuting import lie_bracket


@PAPER.claim(
    "separable-terms",
    statement=(
        r"[\nabla (g_1(m) + g_2(w)),\, \nabla (h_1(m) + h_2(w))] = 0 \iff "
        r"h_1 = c_1 g_1 + \mathrm{const},\ h_2 = c_2 g_2 + \mathrm{const}"
    ),
    source="on separable parameterizations; derived here",
    hypotheses=(r"g_1', g_2' \ne 0", "all functions are twice differentiable, on intervals"),
)
def separable_terms() -> Verdict:
    """Which separable regularizers keep the mirror flow of a sum g_1(m) + g_2(w).

    Compute the bracket for arbitrary functions; the mask is a case after a rotation of its parameters.
    """
    g1, g2, h1, h2 = (sp.Function(name) for name in ("g1", "g2", "h1", "h2"))
    bracket = _bracket(g1(m) + g2(w), h1(m) + h2(w))
    quotients = sp.Matrix([_weighted_slope(g1, h1, m), _weighted_slope(g2, h2, w)])
    u, v = (m + w) / sp.sqrt(2), (m - w) / sp.sqrt(2)
    turned = {m: u, w: v}  # orthogonal, so gradients turn with it
    return prove(
        "The bracket's components minus (g_i')² d/dθ (h_i'/g_i') simplify to zero for arbitrary g_i and h_i. So the "
        "bracket vanishes where g_i' ≠ 0 if and only if h_i'/g_i' is a constant c_i, which integrates to "
        "h_i = c_i g_i + const. The mask is the case g = (u² − v²)/2, h = u² + v², c = (2, −2): with u and v for the "
        "rotated m and w, m w − (u² − v²)/2 and m² + w² − (2 u²/2 + (−2)(−v²/2)) simplify to zero.",
        *(_pointwise(residual) for residual in bracket - quotients),
        m * w - ((m**2 - w**2) / 2).xreplace(turned),
        m**2 + w**2 - (2 * m**2 / 2 + (-2) * (-(w**2) / 2)).xreplace(turned),
    )


def _bracket(g: sp.Expr, h: sp.Expr) -> sp.Matrix:
    first, second = (sp.Matrix([sp.diff(f, m), sp.diff(f, w)]) for f in (g, h))
    return lie_bracket(first, second, (m, w))


def _weighted_slope(g: sp.Expr, h: sp.Expr, parameter: sp.Symbol) -> sp.Expr:
    """(g')² d/dθ (h'/g')."""
    slope = sp.diff(g(parameter), parameter)
    return slope**2 * sp.diff(sp.diff(h(parameter), parameter) / slope, parameter)


def _pointwise(residual: sp.Expr) -> sp.Expr:
    """The derivatives of unknown functions as independent numbers, which is what they are at one point."""
    derivatives = sorted(residual.atoms(sp.Derivative), key=str)
    return residual.xreplace({d: sp.Symbol(f"d{k}", real=True) for k, d in enumerate(derivatives)})


STATED_FACTOR = sp.Rational(1, 4)


@PAPER.claim(
    "quadratic-potential",
    statement=(
        r"\nabla Q_A(\mu) = g(\theta(\mu, A)), \quad "
        r"Q_A(\mu) = \tfrac14 \| \exp\Big(-A B + \sum_i \mu_i A_i\Big)\, \theta_0 \|^2, \quad R_A = Q_A^*"
    ),
    source="on commuting quadratic forms; factor derived here",
    hypotheses=(
        r"g_i = \tfrac12 \theta^T A_i \theta",
        r"h = \tfrac12 \theta^T B \theta",
        r"A_i, B \text{ symmetric and commuting}",
    ),
)
def quadratic_potential() -> Verdict:
    """The potential of commuting quadratic forms, with its factor ¼.

    Prove ∇Q = g(θ) in a joint eigenbasis, and hold it against flows of θ under random commuting matrices.
    """
    proof = _proof_in_an_eigenbasis()
    looked = search(st.integers(0, 999), lambda seed: deviation(seed) > REFUTED_ABOVE)
    if looked.smallest is None:
        largest = max(map(deviation, looked.tried))
        return replace(
            proof,
            evidence=f"{proof.evidence} On {len(looked.tried)} random flows (two forms of three parameters, with "
            f"decay) x_T and ∇Q, by matrix exponentials and differences, differ by at most {largest:.0e}.",
        )
    worst = deviation(looked.smallest)
    if proof.outcome is Outcome.PROVED:
        return Verdict(Outcome.INCONCLUSIVE, f"Proved, but a flow deviates by {worst:.1e} (seed {looked.smallest}).")
    return Verdict(
        Outcome.REFUTED,
        f"|x_T − ∇Q| on a flow of θ is {worst:.3g}.",
        worst,
        REFUTED_ABOVE,
        {"seed": float(looked.smallest), "deviation": worst},
        tolerance_reason=TOLERANCE_REASON,
    )


def _proof_in_an_eigenbasis() -> Verdict:
    """One eigenvector and two forms: further eigenvectors are further terms of the same sums, as are further forms."""
    mu1, mu2, first, second, rate, start = sp.symbols("mu1 mu2 lambda1 lambda2 beta theta0", real=True)
    theta = start * sp.exp(mu1 * first + mu2 * second - decay * rate)
    conjugate = STATED_FACTOR * theta**2
    return prove(
        "Commuting symmetric matrices have a joint orthonormal eigenbasis (spectral theorem), in which θ, g_i, h and Q "
        "are sums over eigenvectors. In each, ∂θ/∂μ_i − λ_iθ, ∂θ/∂A + βθ, ∂Q/∂μ_i − λ_iθ²/2 and ∂Q/∂A + βθ²/2 "
        "simplify to zero. The first two make θ(μ_t, A_t) with μ' = −∇f, A' = α the flow of θ; the others say "
        "∇Q_A(μ) = g(θ) and ∂R_A/∂A = h(θ): the decay raises R by exactly the regularizer.",
        sp.diff(theta, mu1) - first * theta,
        sp.diff(theta, decay) + rate * theta,
        sp.diff(conjugate, decay) + rate * theta**2 / 2,
        stated=sp.diff(conjugate, mu1) - first * theta**2 / 2,
    )


@cache
def deviation(seed: int) -> float:
    """|x_T − ∇Q(μ_T)| for a random flow of θ on f(x) = ½|x − x*|², T = 1, without any eigenbasis in the calculation."""
    generator = np.random.default_rng(seed)
    basis = np.linalg.qr(generator.normal(size=(3, 3)))[0]
    *forms, regularizer = ((basis * values) @ basis.T for values in generator.uniform(-1, 1, size=(3, 3)))
    start, target, alpha = generator.normal(size=3), generator.normal(size=2), generator.uniform(0, 1)

    def weights(theta: np.ndarray) -> np.ndarray:
        return np.array([theta @ form @ theta / 2 for form in forms])

    def velocity(t: float, state: np.ndarray) -> np.ndarray:
        slope = weights(state[:3]) - target
        pull = slope[0] * forms[0] + slope[1] * forms[1] + alpha * regularizer
        return np.concatenate([-pull @ state[:3], -slope])

    def conjugate(mu: np.ndarray) -> float:
        theta = expm(mu[0] * forms[0] + mu[1] * forms[1] - alpha * regularizer) @ start
        return float(STATED_FACTOR) * theta @ theta

    end = solve_ivp(velocity, (0, 1), [*start, 0, 0], "DOP853", rtol=1e-12, atol=1e-13).y[:, -1]
    steps = 1e-4 * np.eye(2)
    # Differences of fourth order: errors of 1e-16 from the step and of 1e-12 from rounding.
    slopes = [
        (
            8 * (conjugate(end[3:] + h) - conjugate(end[3:] - h))
            - conjugate(end[3:] + 2 * h)
            + conjugate(end[3:] - 2 * h)
        )
        / 12e-4
        for h in steps
    ]
    return float(np.max(np.abs(weights(end[:3]) - slopes)))
