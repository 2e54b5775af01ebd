"""Flows of commuting gradient fields: their direction, the potential, and the mirror flow that they make."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction

import numpy as np
import sympy as sp
from scipy.integrate import solve_ivp
from scipy.linalg import expm

from derivations.reparametrized_models import PAPER
from implicit_bias import Correction, Outcome, Verdict
from implicit_bias.claims import Statement, corrected
from implicit_bias.claims.equation import Equation, Violation
from implicit_bias.claims.judge import agreed, argue, prove, refute

w, mu, mu1, mu2 = sp.symbols("w mu mu1 mu2", real=True)
t, start, u0, v0 = sp.symbols("t x0 u0 v0", positive=True)
lambda1, lambda2, kappa1, kappa2 = sp.symbols("lambda1 lambda2 kappa1 kappa2", real=True)
UPHILL = r"\psi(x; \mu) \text{ follows } +\mu_i \nabla G_i \text{ for a unit of time, one } i \text{ after another}"
COMMUTING = r"\nabla G_1, \dots, \nabla G_d \text{ commute and are linearly independent}"
FLOW_TOLERANCE = 1e-8  # of the distance between a flow and its closed form
FLOW_REASON = "The flow is integrated to a relative 1e-12 a step."


@PAPER.claim(
    "quadratic-bracket",
    statement=r"[\nabla G_i, \nabla G_j](x) = (A_j A_i - A_i A_j)\,x \text{ for } \nabla G_i(x) = A_i x",
    source="section 5.3.1 of Wang's thesis, before Example 5.3.4",
    hypotheses=(r"A_i \text{ symmetric}", r"[X, Y] = \partial Y X - \partial X Y"),
)
def quadratic_bracket() -> Verdict:
    """Quadratic forms commute exactly if their matrices do."""
    x = sp.Matrix(sp.symbols("x1 x2", real=True))
    first, second = (
        sp.Matrix([[entries[0], entries[1]], [entries[1], entries[2]]])
        for entries in (sp.symbols(f"{name}11 {name}12 {name}22", real=True) for name in "ab")
    )
    fields = [sp.Matrix([sp.diff((x.T * form * x)[0] / 2, each) for each in x]) for form in (first, second)]
    bracket = fields[1].jacobian(x) * fields[0] - fields[0].jacobian(x) * fields[1]
    claimed = (second * first - first * second) * x
    return argue(
        "∇G_i = A_i x for symmetric A_i, so the Jacobians are the matrices themselves. For two arbitrary symmetric "
        "2 × 2 matrices the entries of both sides were expanded from the definition and agree; the product rule is the "
        "same in any dimension. The right side vanishes for all x if and only if the matrices commute.",
        *(Equation(claimed[k], bracket[k], says=f"entry {k + 1}") for k in range(2)),
    )


@PAPER.claim(
    "lem-5.3.7",
    statement=Statement(
        r"x(t) = \psi(x_0; \mu(t)) \text{ with } \psi(x_0; \mu) = ", start * sp.exp(-mu),
        r" \text{ for } G(x) = \tfrac12 x^2, \text{ where } \varphi_G^\mu \text{ follows } -\nabla G",
    ),
    source="Lemma 5.3.7 of Wang's thesis, with φ as defined before Definition 5.2.3 and ψ as in (5.2.1)",
    hypotheses=(
        r"\mu(t) = -\int_0^t \nabla L(G(x(s)))\,ds",
        r"x' = -\nabla(L \circ G)(x),\ x(0) = x_0",
        r"\text{the instance of one parameter and } L(w) = \tfrac12 (w - 1)^2",
    ),
)  # fmt: skip
def direction_of_the_flows(statement: Statement) -> Verdict:
    """The flows are defined downhill, but the lemma needs them uphill.

    The same sign stands in Lemma 5.3.8 (ψ downhill would make Q concave) and Theorem 5.3.16 (a), whose proof computes
    e^(−...) where the theorem says e^(+...); and on the poster and the slides of the paper.
    """
    begin = start**2 / 2
    shrinking = begin + (1 - begin) * sp.exp(-2 * t)
    accumulated = -sp.log(shrinking) / 2
    weight = start**2 / (start**2 + (2 - start**2) * sp.exp(-2 * t))
    flow = (
        Equation(sp.diff(weight, t), -2 * weight * (weight - 1), says="w' = −‖∇G‖²∇L with ‖∇G‖² = x² = 2w"),
        Equation(sp.diff(accumulated, t), -(weight - 1), says="μ' = −∇L"),
    )
    right = prove(
        "Along +∇G = x the flow is x₀e^μ. With the same w(t) and μ(t) it gives G(x₀e^μ) = ½x₀²e^(2μ) = w(t).",
        *flow,
        stated=Equation((start * sp.exp(accumulated)) ** 2 / 2, weight, says="G(x₀e^(μ(t))) = w(t)"),
    )
    return refute(
        "For L(w) = (w − 1)²/2 and G = x²/2 the flow is w(t) = w₀/(w₀ + (1 − w₀)e^(−2t)), w₀ = x₀²/2, and "
        "e^(−2μ(t)) is that denominator. Following −∇G = −x for the time μ leads to x₀e^(−μ), as defined; at x₀ = 2, "
        "t = 1 this has G = 2(2 − e^(−2)), where the flow is at 2/(2 − e^(−2)).",
        Violation(
            statement.formula.xreplace({mu: accumulated}) ** 2 / 2, weight, {"x0": Fraction(2), "t": Fraction(1)}
        ),
        *flow,
        correction=Correction(r"x(t) = \psi(x_0; \mu(t)) \text{ if } \varphi_G^\mu \text{ follows } +\nabla G", right),
    )


TURN = sp.Matrix([[3, -4], [4, 3]]) / 5  # an eigenbasis that is not the standard one


@PAPER.claim(
    "thm-5.3.16",
    statement=Statement(
        r"\nabla Q(\mu) = G(\psi(x_0; \mu)) \text{ for } Q(\mu) = ", sp.Rational(1, 4),
        r"\,\|\psi(x_0; \mu)\|_2^2,\quad \psi(x_0; \mu) = \exp\Big(\sum_i \mu_i A_i\Big) x_0",
    ),
    source="Theorem 5.3.16 of Wang's thesis, with ψ uphill as its formula (a) has it",
    hypotheses=(r"G_i(x) = \tfrac12 x^T A_i x,\ A_i \text{ symmetric and commuting}", UPHILL),
    uses=(corrected("lem-5.3.7"), "quadratic-bracket"),
)  # fmt: skip
def quadratic_potential(statement: Statement) -> Verdict:
    """The potential of commuting quadratic forms and its factor ¼, in a joint eigenbasis."""
    begin = sp.Matrix(sp.symbols("x1 x2", real=True))
    forms = [TURN * sp.diag(*pair) * TURN.T for pair in ((lambda1, kappa1), (lambda2, kappa2))]
    grown = sp.diag(sp.exp(mu1 * lambda1 + mu2 * lambda2), sp.exp(mu1 * kappa1 + mu2 * kappa2))
    theta = TURN * grown * TURN.T * begin
    potential = statement.formula * (theta.T * theta)[0]
    fields = [form * theta for form in forms]
    return argue(
        "Commuting symmetric matrices have a joint orthonormal eigenbasis; here are two forms with the eigenvalues "
        "λ and κ on two vectors that are not the standard basis. ψ solves ∂ψ/∂μ₁ = A₁ψ, ∂Q/∂μ₁ is ½ψᵀA₁ψ = G₁(ψ), and "
        "the mixed derivative of Q is ⟨∇G₁, ∇G₂⟩: the Hessian of Q is ∂G ∂Gᵀ, which is positive definite if the "
        "vectors A_i x₀ are independent. Further forms and eigenvectors add terms of the same kind.",
        Equation(sp.diff(theta[0], mu1), fields[0][0], says="∂ψ/∂μ₁ = A₁ψ, first entry"),
        Equation(sp.diff(potential, mu1, mu2), (fields[0].T * fields[1])[0], says="∂²Q/∂μ₁∂μ₂ = ⟨∇G₁, ∇G₂⟩"),
        stated=Equation(sp.diff(potential, mu1), (theta.T * fields[0])[0] / 2, says="∂Q/∂μ₁ = G₁(ψ)"),
    )


@PAPER.claim(
    "cor-5.3.18",
    statement=Statement(
        r"R(w) = ",
        sp.Rational(1, 4) * (w * sp.asinh(w / (2 * u0 * v0)) - sp.sqrt(w**2 + 4 * u0**2 * v0**2) - w * sp.log(u0 / v0)),
        r" \text{ for } G = u^2 - v^2",
    ),
    source="Corollary 5.3.18 of Wang's thesis",
    hypotheses=(r"u_0, v_0 > 0", "one coordinate; R is a sum over coordinates"),
)
def potential_of_squares(statement: Statement) -> Verdict:
    """The hyperbolic entropy of u² − v² with its factor ¼, from the flow in closed form and from the metric."""
    dual = sp.Symbol("s", real=True)  # s = −∫∇L
    weight = u0**2 * sp.exp(4 * dual) - v0**2 * sp.exp(-4 * dual)
    root = u0**2 * sp.exp(4 * dual) + v0**2 * sp.exp(-4 * dual)
    slope, curvature = (sp.diff(statement.formula, w, k) for k in (1, 2))
    return prove(
        "u = u₀e^(2s) and v = v₀e^(−2s) with s = −∫∇L keep uv. So (u² + v²)² = w² + 4u₀²v₀², and R'' is the inverse "
        "of ‖∇G‖² = 4(u² + v²); R' vanishes at the start, w = u₀² − v₀². Hence ∇R(w) = s along the flow.",
        Equation(root**2, weight**2 + 4 * u0**2 * v0**2, says="(u² + v²)² = w² + 4u₀²v₀²"),
        Equation(
            sp.sinh(sp.log(u0 / v0)).rewrite(sp.exp),
            (u0**2 - v0**2) / (2 * u0 * v0),
            says="so arcsinh(w₀/(2u₀v₀)) = log(u₀/v₀) at the start",
        ),
        Equation(
            slope, (sp.asinh(w / (2 * u0 * v0)) - sp.log(u0 / v0)) / 4, says="R', which vanishes at the start by that"
        ),
        stated=Equation(curvature, 1 / (4 * sp.sqrt(w**2 + 4 * u0**2 * v0**2)), says="R'' = 1/‖∇G‖²"),
    )


@PAPER.claim(
    "thm-5.3.9",
    statement=Statement(
        r"d\nabla R(w(t)) = ", sp.Integer(-1), r"\,\nabla L(w(t))\,dt \text{ for } w(t) = G(x(t)),\ ",
        r"x' = -\nabla(L \circ G)(x), \text{ with } R = Q^*,\ \nabla Q(\mu) = G(\psi(x_0; \mu))",
    ),
    source="Theorem 5.3.9 of Wang's thesis, with Lemma 5.3.8",
    hypotheses=(COMMUTING, UPHILL, "the fields' domains as in Assumption 5.2.5"),
    uses=(corrected("lem-5.3.7"), "thm-5.3.16", "cor-5.3.18"),
)  # fmt: skip
def gradient_flow_is_mirror_flow(statement: Statement, used: Mapping[str, Verdict]) -> Verdict:
    """Every gradient flow with commuting fields is a mirror flow: Q's Hessian is ∂G ∂Gᵀ, whatever the loss.

    The identities show it for a separable G whose R has a closed form; flows of commuting matrices, integrated without
    any eigenbasis, test it where no closed form is used.
    """
    if any(verdict.outcome not in (Outcome.PROVED, Outcome.ARGUED) for verdict in used.values()):
        return Verdict(Outcome.INCONCLUSIVE, "It rests on claims that were not established.")
    speed, slope = sp.symbols("s p", real=True)  # s stands for −∫∇L, p for ∇L
    u, v = u0 * sp.exp(2 * speed), v0 * sp.exp(-2 * speed)
    weight, metric = u**2 - v**2, 4 * (u**2 + v**2)
    curvature = sp.diff(potential_of_squares.statement.formula, w, 2).xreplace({w: weight})
    proof = argue(
        "Commuting fields have flows that commute, so ψ(x₀; ·) has the derivatives ∂ψ/∂μ_i = ∇G_i(ψ) in any order, "
        "and G(ψ) has the symmetric Jacobian ∂G ∂Gᵀ, positive definite for independent fields: it is the gradient of a "
        "strictly convex Q. x(t) = ψ(x₀; μ(t)) with μ' = −∇L, as both sides solve the same equation, so w = ∇Q(μ), "
        "μ = ∇R(w) and d∇R(w) = dμ = −∇L dt; Q, and so R, contains nothing of L. For u² − v² the identities say that "
        "‖∇G‖² = 4(u² + v²) is 1/R'' with the R of Corollary 5.3.18, and that w' = −‖∇G‖²∇L, so (∇R)' = −∇L.",
        Equation(curvature**-2, metric**2, says="1/R'' = ‖∇G‖² along the flow, squared"),
        Equation(
            sp.diff(weight, speed) * statement.formula * slope,
            -8 * u0 * v0 * sp.cosh(sp.log(u0 / v0) + 4 * speed) * slope,
            says="w' = −‖∇G‖² ∇L if the stated factor stands before ∇L, ‖∇G‖² in hyperbolic form",
        ),
    )
    return agreed(proof, lambda: max(map(_distance_from_mirror_flow, range(2))), FLOW_TOLERANCE, FLOW_REASON)


def _distance_from_mirror_flow(seed: int) -> float:
    """|x(T) − exp(Σ μ_i A_i) x₀| on L(w) = log cosh, T = 1, for two polynomials A_i of one symmetric matrix."""
    generator = np.random.default_rng(seed)
    root = generator.normal(size=(3, 3)) / 2
    root = root + root.T
    forms, begin = [root, root @ root - np.eye(3)], generator.normal(size=3)

    def velocity(_: float, state: np.ndarray) -> np.ndarray:
        pull = [np.tanh(state[:3] @ form @ state[:3] / 2 - 1) for form in forms]
        return np.concatenate([-(pull[0] * forms[0] + pull[1] * forms[1]) @ state[:3], -np.array(pull)])

    end = solve_ivp(velocity, (0, 1), [*begin, 0, 0], "DOP853", rtol=1e-12, atol=1e-13).y[:, -1]
    return float(np.max(np.abs(end[:3] - expm(end[3] * forms[0] + end[4] * forms[1]) @ begin)))
