"""Points that satisfy the conditions of Karush, Kuhn and Tucker exactly or nearly: Appendix C of the paper."""

from __future__ import annotations

from collections.abc import Mapping

import sympy as sp

from derivations.homogeneous_margin import PAPER
from derivations.homogeneous_margin.setting import (
    EXPONENTIAL,
    FLOW,
    HOMOGENEOUS,
    SEPARATED,
    SUBMISSION,
    count,
    established,
    length,
    margin,
    order,
)
from implicit_bias import Outcome, Statement, Verdict
from implicit_bias.claims import judge
from implicit_bias.claims.equation import Equation

q = sp.Symbol("q", positive=True)  # q_min
cosine = sp.Symbol("beta", positive=True)  # of the angle between θ and θ'
doubled = sp.Symbol("D", positive=True)  # log(1/𝓛)
PROBLEM = r"(P): \min \tfrac12 \|\theta\|^2 \text{ s.t. } q_n(\theta) \ge 1"


@PAPER.claim(
    "lem-c.13",
    statement=Statement(
        r"\text{If } \theta^* \text{ is a KKT point of } (P), \text{ then } \theta^* \text{ times } ",
        1 / order,
        r"\text{ minimizes } \tfrac12 \|\theta\|^2 \text{ over all } \theta \text{ with } "
        r"y_n \langle \theta, h_n \rangle \ge 1, \text{ for some } h_n \in \partial^\circ \Phi_{x_n}(\theta^*)",
    ),
    source=f"Lemma C.13, on which Corollary 4.5 rests, {SUBMISSION}",
    hypotheses=(HOMOGENEOUS, PROBLEM),
    uses=("euler",),
)
def kernel_machine(statement: Statement, used: Mapping[str, Verdict]) -> Verdict:
    """Check the conditions of the convex problem at the stated multiple of θ*."""
    if not established(used):
        return Verdict(Outcome.INCONCLUSIVE, "Euler's identity is not established.")
    multipliers, slopes = sp.symbols("lambda1 lambda2", nonnegative=True), sp.symbols("h1 h2", real=True)
    entry = multipliers[0] * slopes[0] + multipliers[1] * slopes[1]  # of θ* = Σ λ_n y_n h_n
    u, v = sp.symbols("theta1 theta2", positive=True)
    value, slope = sp.symbols("f f'", real=True)  # q = θ₁^L f(θ₂/θ₁)
    product = u * (order * u ** (order - 1) * value - u ** (order - 2) * v * slope) + v * u ** (order - 1) * slope
    return judge.argue(
        "By Euler's identity y_n⟨θ*, h_n⟩ = L q_n(θ*) ≥ L, so θ*/L is feasible, and a constraint with λ_n > 0, where "
        "q_n(θ*) = 1, is active at it. The gradient θ*/L of the objective is Σ (λ_n/L) y_n h_n, an entry of which the "
        "second identity shows, and λ_n/L ≥ 0. The problem is convex, so these conditions suffice.",
        Equation(
            statement.formula * entry,
            (multipliers[0] / order) * slopes[0] + (multipliers[1] / order) * slopes[1],
            says="the gradient of the objective by multipliers λ_n/L",
        ),
        stated=Equation(
            statement.formula * product, u**order * value, says="y_n⟨θ, h_n⟩ at the stated multiple is q_n(θ*)"
        ),
    )


_approximate = (
    r"\tilde\theta = \theta/q_{\min}^{1/L} \text{ and } \lambda_n = q_{\min}^{1-2/L}\, \rho\, e^{-q_n} / \|\theta'\|, "
    r"\text{ as in Lemma C.8}"
)


@PAPER.claim(
    "kkt-stationarity",
    statement=Statement(
        r"\Big\| \tilde\theta - \sum_n \lambda_n \partial^\circ q_n(\tilde\theta) \Big\|^2 \le ",
        2 * (1 - cosine) * margin ** (-2 / order),
        r"\text{ with } \beta = \cos\angle(\theta, \theta'),\ \gamma = \tilde\gamma(\theta)",
    ),
    source="on Lemma C.8, which bounds it by a constant and β; its constant was not read, and this one is derived here",
    hypotheses=(HOMOGENEOUS, EXPONENTIAL, FLOW, SEPARATED, _approximate),
    uses=("sec-4.2-additive",),
)
def stationarity(statement: Statement, used: Mapping[str, Verdict]) -> Verdict:
    """Compare two unit vectors at the angle of θ and θ'."""
    if not established(used):
        return Verdict(Outcome.INCONCLUSIVE, "That γ̃ ≤ γ̄ is not established.")
    angle = sp.Symbol("phi", real=True)
    distance = (1 - sp.cos(angle)) ** 2 + sp.sin(angle) ** 2  # squared, of (1, 0) and (cos φ, sin φ)
    return judge.argue(
        "∂q_n is homogeneous of degree L − 1, so Σ λ_n ∂q_n(θ̃) = q_min^(−1/L) ρ θ'/‖θ'‖, and θ̃ = q_min^(−1/L) "
        "ρ θ/‖θ‖: the same multiple of two unit vectors at the angle φ = arccos β, whose squared distance the "
        "identity gives. The multiple is γ̄^(−1/L), which is at most γ̃^(−1/L), with equality for a single sample.",
        Equation(
            margin ** (-1 / order),
            (q ** (-1 / order) * length).xreplace({length: (q / margin) ** (1 / order)}),
            says="the multiple, for ρ with q_min = γρ^L",
        ),
        Equation(
            statement.formula.xreplace({cosine: sp.cos(angle)}),
            margin ** (-2 / order) * distance,
            says="the squared multiple times the squared distance",
        ),
    )


@PAPER.claim(
    "kkt-slackness",
    statement=Statement(
        r"\sum_n \lambda_n \big( q_n(\tilde\theta) - 1 \big) \le ",
        (count - 1) / (sp.E * order * margin ** (2 / order) * doubled),
        r"\text{ with } \gamma = \tilde\gamma(\theta),\ D = \log\tfrac{1}{\mathcal{L}}",
    ),
    source="on Lemma C.8, where it tends to zero with the loss; its constant was not read, this one is derived here",
    hypotheses=(HOMOGENEOUS, EXPONENTIAL, FLOW, SEPARATED, _approximate),
    uses=("eq-7", "sec-4.2-additive"),
)
def slackness(statement: Statement, used: Mapping[str, Verdict]) -> Verdict:
    """Bound the speed from below by its part along θ, and each term by the maximum of x e^(−x)."""
    if not established(used):
        return Verdict(Outcome.INCONCLUSIVE, "Equation 7 or γ̃ ≤ γ̄ is not established.")
    loss, gap = sp.exp(-q), sp.Symbol("x", nonnegative=True)  # the least loss with this q_min; a gap q_n − q_min
    slowest = order * loss * doubled / length  # ‖θ'‖, by equation 7
    term = q ** (1 - 2 / order) * length * sp.exp(-q - gap) / slowest * ((q + gap) / q - 1)
    of_margin = {length: (q / margin) ** (1 / order)}
    return judge.argue(
        "q_n(θ̃) = q_n/q_min, so the sample with the smallest margin drops out. With a gap x = q_n − q_min, and with "
        "‖θ'‖ ≥ L 𝓛 log(1/𝓛)/ρ by equation 7 and 𝓛 ≥ e^(−q_min), each of the N − 1 others adds at most "
        "x e^(−x) γ̄^(−2/L)/(L log(1/𝓛)), and x e^(−x) ≤ 1/e with equality at x = 1; and γ̄ ≥ γ̃.",
        Equation(
            term.xreplace(of_margin),
            gap * sp.exp(-gap) / (order * margin ** (2 / order) * doubled),
            says="one term, with the least speed and q_min = γρ^L",
        ),
        Equation(
            statement.formula,
            (count - 1) * term.xreplace({gap: sp.Integer(1)}).xreplace(of_margin),
            says="N − 1 times the term at x = 1",
        ),
        Equation(sp.diff(gap * sp.exp(-gap), gap), (1 - gap) * sp.exp(-gap), says="the slope of x e^(−x)"),
    )
