"""The smoothed normalized margin, the max-margin problem and the rates: Section 4 of the paper."""

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
    loss,
    margin,
    order,
)
from implicit_bias import Outcome, Statement, Verdict
from implicit_bias.claims import judge
from implicit_bias.claims.equation import Equation

q = sp.Symbol("q", positive=True)  # q_min
gap = sp.Symbol("d", nonnegative=True)  # of another sample's margin to q_min


@PAPER.claim(
    "sec-4.2-additive",
    statement=Statement(
        r"\bar\gamma(\theta) - ",
        sp.log(count) / length**order,
        r" \le \tilde\gamma(\theta) \le \bar\gamma(\theta), \quad \bar\gamma = \rho^{-L} q_{\min}",
    ),
    source=f"Section 4.2, after equation 3, {SUBMISSION}; that it is sharp is derived here",
    hypotheses=(HOMOGENEOUS, EXPONENTIAL),
)
def additive_approximation(statement: Statement) -> Verdict:
    """Write the gap between both margins as a logarithm, and find the data that make it largest."""
    smoothed = sp.log(1 / (sp.exp(-q) + sp.exp(-q - gap))) / length**order
    equal = sp.log(1 / (count * sp.exp(-q))) / length**order
    return judge.argue(
        "γ̄ − γ̃ is ρ^(−L) log(1 + Σ e^(−d_n)), where d_n ≥ 0 are the gaps of the other N − 1 samples to q_min, as the "
        "first identity says for one of them. So it lies between 0 and ρ^(−L) log N. It is ρ^(−L) log N if all margins "
        "are equal: there the left inequality is an equality.",
        Equation(q / length**order - smoothed, sp.log(1 + sp.exp(-gap)) / length**order, says="γ̄ − γ̃ of two samples"),
        Equation(q / length**order - statement.formula, equal, says="γ̃ of N samples with equal margins"),
    )


@PAPER.claim(
    "thm-4.1",
    statement=Statement(
        r"\frac{d}{dt} \tilde\gamma \ge 0 \text{ for } \tilde\gamma = ",
        sp.log(1 / loss) / length**order,
        r"\text{ with } \ell = \mathcal{L}, \text{ an } O(\rho^{-L}) \text{-additive approximation of } \bar\gamma; "
        r"\text{ either } \tfrac{d}{dt} \tilde\gamma > 0 \text{ or } \tfrac{d}{dt} \tfrac{\theta}{\rho} = 0; "
        r"\text{ and } \mathcal{L} \to 0,\ \rho \to \infty",
    ),
    source=f"Theorem 4.1 with equation 3, {SUBMISSION}",
    hypotheses=(HOMOGENEOUS, EXPONENTIAL, FLOW, SEPARATED),
    uses=("lem-5.1", "eq-7", "sec-4.2-additive"),
)
def monotone_margin(statement: Statement, used: Mapping[str, Verdict]) -> Verdict:
    """Take the sign from Lemma 5.1 and the approximation from Section 4.2; bound the loss from below for its limit."""
    if not established(used):
        return Verdict(Outcome.INCONCLUSIVE, "Lemma 5.1, equation 7 or the approximation is not established.")
    of_two = statement.formula.xreplace({loss: sp.exp(-q) + sp.exp(-q - gap)})
    least = order * loss * sp.log(1 / loss) / length  # of dρ/dt, by equation 7
    bounded = {length: (sp.log(1 / loss) / margin) ** (1 / order)}
    inverse = sp.Symbol("D", positive=True)  # log(1/𝓛)
    return judge.argue(
        "Lemma 5.1 bounds d log γ̃/dt below by L ω²/g ≥ 0, which is positive unless the direction stands still, "
        "ω = 0; and γ̃ differs from γ̄ by at most ρ^(−L) log N. As γ̃ never falls below its value γ at t₀, "
        "ρ^L ≤ log(1/𝓛)/γ, so −d𝓛/dt ≥ ρ'² is at least L²γ^(2/L) 𝓛² log(1/𝓛)^(2 − 2/L). While 𝓛 ≥ c > 0 this has "
        "a positive lower bound, so the loss would become negative: it tends to zero, and then the margins, and with "
        "them ρ, tend to infinity.",
        Equation(
            of_two,
            (q - sp.log(1 + sp.exp(-gap))) / length**order,
            says="the stated γ̃, by q_min and the gap of two samples",
        ),
        Equation(
            (least.xreplace(bounded) ** 2).xreplace({sp.log(1 / loss): inverse, sp.log(loss): -inverse}),
            order**2 * margin ** (2 / order) * loss**2 * inverse ** (2 - 2 / order),
            says="the least decrease of the loss",
        ),
    )


time = sp.Symbol("T", positive=True)


@PAPER.claim(
    "thm-4.3",
    statement=Statement(
        r"\mathcal{L}(\theta(T)) = \Theta\Big(",
        1 / (time * sp.log(time) ** (2 - 2 / order)),
        r"\Big), \quad \|\theta(T)\|_2 = \Theta\Big(",
        sp.log(time) ** (1 / order),
        r"\Big)",
    ),
    source=f"Theorem 4.3 for gradient flow, {SUBMISSION}",
    hypotheses=(HOMOGENEOUS, EXPONENTIAL, FLOW, SEPARATED),
    uses=("thm-4.1", "eq-7"),
)
def rates(statement: Statement, used: Mapping[str, Verdict]) -> Verdict:
    """Bound the growth of 1/𝓛 by powers of its logarithm on both sides, and solve the equation with equality."""
    if not established(used):
        return Verdict(Outcome.INCONCLUSIVE, "Theorem 4.1 or equation 7 is not established.")
    stated_loss, stated_length = statement.formulas
    power, exponent = 2 - 2 / order, sp.Symbol("S", positive=True)  # S = log T
    growth = sp.diff(1 / stated_loss, time).xreplace({time: sp.exp(exponent)})
    slope = order * margin * length ** (order - 1)  # of q = γρ^L in ρ; ρ' is e^(−q) times it
    return judge.argue(
        "Let z = 1/𝓛. As γ̃ does not fall, ρ^L ≤ log(z)/γ̃(t₀), so z' = ‖θ'‖² z² is at least L²γ̃(t₀)^(2/L) "
        "log(z)^(2 − 2/L) (Theorem 4.1). Gradients of the margins are homogeneous of degree L − 1, so ‖θ'‖ ≤ B "
        "ρ^(L−1) 𝓛 and z' is at most B² (log(z)/γ̃(t₀))^(2 − 2/L), for L ≥ 1, as locally Lipschitz margins have. So "
        "z' = Θ(log(z)^(2 − 2/L)), and z = T log(T)^(2 − 2/L), one over the stated loss, has z' = log(T)^(2 − 2/L) "
        "(1 + O(1/log T)), while log z ~ log T: comparison gives the stated rate. Then ρ^L, which lies between "
        "log(z)/γ̄_max and log(z)/γ̃(t₀) up to bounded terms, grows like log T. On a ray, where q = γρ^L, q' = "
        "L²γ^(2/L) q^(2 − 2/L) e^(−q) shows that the rate is attained.",
        Equation(
            growth,
            exponent**power * (1 + power / exponent),
            says="the growth of one over the stated loss, with S = log T",
        ),
        Equation(
            order * sp.log(stated_length.xreplace({time: sp.exp(exponent)})),
            sp.log(exponent),
            says="L times the logarithm of the stated length",
        ),
        Equation(
            (slope**2).xreplace({length: (q / margin) ** (1 / order)}),
            order**2 * margin ** (2 / order) * q**power,
            says="e^q q' on a ray",
        ),
    )


@PAPER.claim(
    "sec-4.3-objective",
    statement=Statement(
        r"\min_{\alpha > 0} \{ \tfrac12 \|\alpha\theta\|^2 : q_n(\alpha\theta) \ge 1 \} = ",
        margin ** (-2 / order) / 2,
        r"\text{ with } \gamma = \bar\gamma(\theta)",
    ),
    source=f"Section 4.3, {SUBMISSION}",
    hypotheses=(HOMOGENEOUS, r"q_{\min}(\theta) > 0"),
)
def objective_on_a_ray(statement: Statement) -> Verdict:
    """Find the least α that is feasible on the ray through θ, and compute the objective there."""
    shrink = q ** (-1 / order)
    return judge.argue(
        "αθ is feasible if and only if α^L q_min ≥ 1, so the least α is q_min^(−1/L); the objective ½α²ρ² grows "
        "with α, and there it is the stated power of γ̄ = q_min/ρ^L. So maximizing the normalized margin is "
        "minimizing ‖θ‖.",
        stated=Equation(
            statement.formula.xreplace({margin: q / length**order}),
            (shrink * length) ** 2 / 2,
            says="the objective at the least feasible α",
        ),
    )
