"""How the length of θ, the loss and the smoothed margin change along the flow: Section 5 of the paper."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import sympy as sp
from scipy.integrate import solve_ivp

from derivations.homogeneous_margin import PAPER
from derivations.homogeneous_margin.setting import (
    EXPONENTIAL,
    FLOW,
    HOMOGENEOUS,
    SEPARATED,
    SUBMISSION,
    established,
    length,
    loss,
    order,
)
from implicit_bias import Outcome, Statement, Verdict
from implicit_bias.claims import judge
from implicit_bias.claims.equation import Equation

q, first, second = sp.symbols("q q1 q2", real=True)  # margins of single samples
growth, turning = sp.symbols("g omega", positive=True)  # d log ρ/dt and ‖d(θ/ρ)/dt‖


@PAPER.claim(
    "euler",
    statement=Statement(r"\langle \partial^\circ q_n(\theta), \theta \rangle = ", order * q, r"\text{ with } q = q_n"),
    source=f"Section 5, before equation 7, and Theorem B.2, {SUBMISSION}",
    hypotheses=(HOMOGENEOUS,),
)
def euler(statement: Statement) -> Verdict:
    """Write a homogeneous function of two parameters as a power times a function of their ratio."""
    u, v = sp.symbols("theta1 theta2", positive=True)
    value, slope, share = sp.symbols("f f' s", real=True)  # f(θ₂/θ₁) and f'(θ₂/θ₁); an exponent
    first_slope = order * u ** (order - 1) * value - u ** (order - 2) * v * slope
    second_slope = u ** (order - 1) * slope
    power = u**share * v ** (order - share)
    return judge.argue(
        "Where θ₁ > 0, a homogeneous function of two parameters is θ₁^L f(θ₂/θ₁), whose gradient the chain rule "
        "gives by f and f'; of more parameters, f depends on more ratios, each of which cancels in the same way. "
        "At other points of differentiability turn the axes, and the subdifferential consists of limits and "
        "averages of gradients. Products of powers, of which polynomial networks are sums, satisfy the identity "
        "directly.",
        Equation(
            statement.formula.xreplace({q: power}),
            u * sp.diff(power, u) + v * sp.diff(power, v),
            says="Euler's identity of θ₁^s θ₂^(L−s)",
        ),
        stated=Equation(
            statement.formula.xreplace({q: u**order * value}),
            u * first_slope + v * second_slope,
            says="⟨∂q, θ⟩ of q = θ₁^L f(θ₂/θ₁)",
        ),
    )


@PAPER.claim(
    "eq-6",
    statement=Statement(
        r"\tfrac12 \frac{d\rho^2}{dt} = ",
        order * (sp.exp(-first) * first + sp.exp(-second) * second),
        r"\text{ for two samples, and with further terms for more}",
    ),
    source=f"equation 6, {SUBMISSION}",
    hypotheses=(HOMOGENEOUS, EXPONENTIAL, FLOW),
    uses=("euler",),
)
def growth_of_the_length(statement: Statement, used: Mapping[str, Verdict]) -> Verdict:
    """Differentiate ‖θ‖² along the flow, with gradients of the margins that satisfy Euler's identity."""
    if not established(used):
        return Verdict(Outcome.INCONCLUSIVE, "Euler's identity is not established.")
    theta = sp.symbols("theta1 theta2", positive=True)
    slopes = sp.symbols("h1 h2", real=True)  # the first entries of both gradients; Euler's identity gives the second
    gradients = [(h, (order * m - theta[0] * h) / theta[1]) for h, m in zip(slopes, (first, second), strict=True)]
    velocity = [sum(sp.exp(-m) * g[k] for m, g in zip((first, second), gradients, strict=True)) for k in range(2)]
    return judge.argue(
        "With θ' = Σ e^(−q_n) ∂q_n, ½ dρ²/dt = ⟨θ, θ'⟩. For two parameters and two samples, whose gradients are "
        "arbitrary but for Euler's identity ⟨θ, ∂q_n⟩ = L q_n, this is the stated sum; further samples and parameters "
        "add further terms of the same kind.",
        Equation(statement.formula, theta[0] * velocity[0] + theta[1] * velocity[1], says="⟨θ, θ'⟩ of the flow"),
    )


_velocity = sp.symbols("v1 v2", real=True)
_gradient = sp.symbols("s1 s2", real=True)


_slopes = sp.Matrix(2, 2, sp.symbols("h11 h12 h21 h22", real=True))  # a row for each of two margins
_weights = sp.Matrix([sp.exp(-first), sp.exp(-second)])


@PAPER.claim(
    "sec-5-loss",
    statement=Statement(
        r"\frac{d\mathcal{L}}{dt} = -\Big\| \frac{d\theta}{dt} \Big\|^2 = ",
        -(_slopes.T * _weights).dot(_slopes.T * _weights),
        r"\text{ for two samples and two parameters, with } \partial q_n = (h_{n1}, h_{n2})",
    ),
    source=(
        f"end of the first equation of the proof sketch of Lemma 5.1, {SUBMISSION}; the middle of that line could only "
        "be read in a conversion of the PDF to text, and is not judged"
    ),
    hypotheses=(FLOW, "a chain rule"),
)
def loss_along_the_flow(statement: Statement) -> Verdict:
    """The chain rule, with the velocity Σ e^(−q_n) ∂q_n of the flow."""
    velocity = _slopes.T * _weights
    change = -_weights.dot(_slopes * velocity)
    return judge.prove(
        "The chain rule gives d𝓛/dt = −Σ e^(−q_n) ⟨∂q_n, θ'⟩, which with θ' = Σ e^(−q_n) ∂q_n is −‖θ'‖². Further "
        "samples and parameters add like terms.",
        stated=Equation(statement.formula, change, says="d𝓛/dt = −‖θ'‖²"),
    )


@PAPER.claim(
    "sec-5-decomposition",
    statement=Statement(
        r"-\frac{d\mathcal{L}}{dt} \Big( \tfrac12 \frac{d\rho^2}{dt} \Big)^{-1} = ",
        growth + turning**2 / growth,
        r"\text{ with } g = \tfrac{d}{dt} \log\rho,\ \omega = \Big\| \frac{d}{dt} \frac{\theta}{\rho} \Big\|",
    ),
    source=f"last equation but one of the proof sketch of Lemma 5.1, {SUBMISSION}",
    hypotheses=(HOMOGENEOUS, EXPONENTIAL, FLOW, SEPARATED),
    uses=("eq-6", "sec-5-loss"),
)
def decomposition(statement: Statement) -> Verdict:
    """Split the velocity into the part along θ and the part across it."""
    theta = sp.Matrix(sp.symbols("theta1 theta2", positive=True))
    velocity = sp.Matrix(_velocity)
    square, half = theta.dot(theta), theta.dot(velocity)  # ρ² and ½ dρ²/dt
    turned = velocity - half / square * theta  # ρ times the rate at which θ/ρ changes
    return judge.prove(
        "d log ρ/dt = ⟨θ, θ'⟩/ρ² and d(θ/ρ)/dt = (θ' − θ⟨θ, θ'⟩/ρ²)/ρ, while −d𝓛/dt = ‖θ'‖² and ½ dρ²/dt = ⟨θ, θ'⟩ > 0 "
        "after t₀. For two parameters, with arbitrary θ and θ', both sides agree; θ and θ' span a plane in any case.",
        Equation(
            statement.formula.subs(turning, sp.sqrt(turned.dot(turned) / square)).xreplace({growth: half / square}),
            velocity.dot(velocity) / half,
            says="‖θ'‖² over ⟨θ, θ'⟩",
        ),
        conditions=(half,),
    )


_a, _b = sp.symbols("a b", positive=True)  # e^(−q_1), e^(−q_2)


@PAPER.claim(
    "eq-7",
    statement=Statement(
        r"\tfrac12 \frac{d\rho^2}{dt} \ge ", order * loss * sp.log(1 / loss), r"\text{ with } \ell = \mathcal{L}"
    ),
    source=f"equation 7, {SUBMISSION}; that it is sharp is derived here",
    hypotheses=(HOMOGENEOUS, EXPONENTIAL, FLOW),
    uses=("eq-6",),
)
def least_growth(statement: Statement, used: Mapping[str, Verdict]) -> Verdict:
    """Write the excess of equation 6 over the bound as a sum of logarithms of numbers above one."""
    if not established(used):
        return Verdict(Outcome.INCONCLUSIVE, "Equation 6 is not established.")
    exact = -order * (_a * sp.log(_a) + _b * sp.log(_b))
    bound = statement.formula.xreplace({loss: _a + _b})
    return judge.argue(
        "With e^(−q_n) = a, b, …, whose sum is 𝓛, the excess of L Σ e^(−q_n) q_n over L 𝓛 log(1/𝓛) is "
        "L Σ e^(−q_n) log(𝓛/e^(−q_n)), and no term is negative, as 𝓛 is at least each of its terms. For a single "
        "sample the only term is log 1 = 0, so the constant L is the largest one.",
        Equation(
            exact - bound,
            order * (_a * sp.log((_a + _b) / _a) + _b * sp.log((_a + _b) / _b)),
            says="the excess for two samples",
        ),
    )


_tangential = sp.Symbol("u", positive=True)  # the length of the part of θ' that is orthogonal to θ
_weighted = sp.Symbol("nu", positive=True)  # ν = Σ e^(−q_n) q_n
_radial = order * _weighted / length  # by equation 6
_rates = {growth: _radial / length, turning: _tangential / length}


@PAPER.claim(
    "lem-5.1",
    statement=Statement(
        r"\frac{d}{dt} \log\rho > 0 \text{ and } \frac{d}{dt} \log\tilde\gamma \ge ",
        order * turning**2 / growth,
        r"\text{ with } g = \tfrac{d}{dt} \log\rho,\ \omega = \Big\| \frac{d}{dt} \frac{\theta}{\rho} \Big\|,\ "
        r"\tilde\gamma = \rho^{-L} \log \tfrac{1}{\mathcal{L}}",
    ),
    source=f"Lemma 5.1, {SUBMISSION}; that it is sharp is derived here",
    hypotheses=(HOMOGENEOUS, EXPONENTIAL, FLOW, SEPARATED),
    uses=("eq-6", "eq-7", "sec-5-decomposition"),
)
def key_lemma(statement: Statement, used: Mapping[str, Verdict]) -> Verdict:
    """Write the excess of d log γ̃/dt as a square times the excess of equation 7; then watch it along a flow."""
    if not established(used):
        return Verdict(Outcome.INCONCLUSIVE, "Equations 6 and 7 are not established.")
    doubled = sp.Symbol("D", positive=True)  # log(1/𝓛)
    speed = _radial**2 + _tangential**2  # −d𝓛/dt
    change = speed / (loss * doubled) - order * _radial / length
    argued = judge.argue(
        "log γ̃ = log log(1/𝓛) − L log ρ changes at the rate (ρ'² + u²)/(𝓛 log(1/𝓛)) − Lρ'/ρ, where u is the part of "
        "θ' across θ and ρ' = Lν/ρ with ν = Σ e^(−q_n) q_n by equation 6. It exceeds the stated rate by "
        "(ρ'² + u²)(ν − 𝓛 log(1/𝓛))/(ν 𝓛 log(1/𝓛)), in which equation 7 says that no factor is negative while "
        "𝓛 < 1. The loss never grows, so 𝓛 < 1 after t₀; then ν > 0 and ρ grows. For a single sample ν is "
        "𝓛 log(1/𝓛), and the bound is attained.",
        Equation(
            change - statement.formula.xreplace(_rates),
            speed * (_weighted - loss * doubled) / (_weighted * loss * doubled),
            says="the excess of d log γ̃/dt",
        ),
        Equation(
            statement.formula.xreplace(_rates).xreplace({_weighted: loss * doubled}),
            change.xreplace({_weighted: loss * doubled}),
            says="equality for a single sample",
        ),
    )
    return judge.agreed(
        argued, lambda: -_least_excess(statement.formula), 1e-9, "The flow is integrated to a relative 1e-10 a step."
    )


def _least_excess(bound: sp.Expr) -> float:
    """The smallest excess of d log γ̃/dt over the bound on a flow of Φ = θ₃(θ₁x₁ + θ₂x₂), where L = 2."""
    samples = np.array([[1.0, 0.5], [0.3, 1.2], [1.5, -0.4]])

    def derivatives(theta: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        margins = theta[2] * (samples @ theta[:2])
        slopes = np.column_stack([theta[2] * samples, samples @ theta[:2]])
        return margins, np.exp(-margins) @ slopes

    path = solve_ivp(lambda t, theta: derivatives(theta)[1], (0, 60), [1.2, 0.9, 1.4], "LSODA", rtol=1e-10, atol=1e-12)
    lower = sp.lambdify((growth, turning, order), bound)
    excess = []
    for theta in path.y.T:
        margins, velocity = derivatives(theta)
        size, remaining = np.linalg.norm(theta), np.exp(-margins).sum()
        radial = velocity @ theta / size
        across = np.linalg.norm(velocity - radial * theta / size)
        change = velocity @ velocity / (remaining * -np.log(remaining)) - 2 * radial / size
        excess.append(change - lower(radial / size, across / size, 2))
    return float(min(excess))
