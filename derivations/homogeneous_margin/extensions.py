"""Other losses, several groups of parameters, and the two parts of the velocity: Sections 4.4 and 5 of the paper."""

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
    established,
    length,
    loss,
    order,
)
from implicit_bias import Outcome, Statement, Verdict
from implicit_bias.claims import judge
from implicit_bias.claims.equation import Equation

_margin = sp.Symbol("q", positive=True)
_tail = sp.Symbol("w", positive=True)  # e^(−q) or e^(−q³)
_nu, _slope, _inverse = sp.symbols("nu m s", positive=True)  # Σ −ℓ'(q_n) q_n; −ℓ'(s); s = ℓ⁻¹(𝓛)
_across = sp.Symbol("u", positive=True)  # the length of the part of θ' across θ
_LOSSES = (sp.exp(-(_margin**3)), sp.log(1 + sp.exp(-_margin)), sp.log(1 + sp.exp(-(_margin**3))))


@PAPER.claim(
    "sec-4.4-losses",
    statement=Statement(
        r"\frac{d}{dt} \frac{\ell^{-1}(\mathcal{L})}{\rho^L} \ge 0 \text{ for } \ell^{-1}(\ell) = ",
        sp.log(1 / loss) ** sp.Rational(1, 3),
        r", \ \ell(q) = e^{-q^3}; \ ",
        sp.log(1 / (sp.exp(loss) - 1)),
        r", \ \ell(q) = \log(1 + e^{-q}); \ ",
        sp.log(1 / (sp.exp(loss) - 1)) ** sp.Rational(1, 3),
        r", \ \ell(q) = \log(1 + e^{-q^3})",
    ),
    source=f"Section 4.4, other binary classification losses, {SUBMISSION}; that ℓ(0) bounds the loss is derived here",
    hypotheses=(
        HOMOGENEOUS,
        r"\mathcal{L}(\theta) = \sum_{n=1}^N \ell(q_n(\theta)), \quad q_n = y_n \Phi(\theta; x_n)",
        FLOW,
        r"\mathcal{L}(\theta(t_0)) < \ell(0) \text{ and } t > t_0",
    ),
    uses=("euler",),
)
def other_losses(statement: Statement, used: Mapping[str, Verdict]) -> Verdict:
    """Show that −ℓ'(q) q/ℓ(q) grows, which takes the place of equation 7, and follow Lemma 5.1."""
    if not established(used):
        return Verdict(Outcome.INCONCLUSIVE, "Euler's identity is not established.")
    radial = order * _nu / length
    change = (radial**2 + _across**2) / (_slope * _inverse) - order * radial / length
    quotient = (1 + _tail) * sp.log(1 + _tail) / _tail  # −ℓ/(w ℓ') in w, for ℓ = log(1 + w)
    return judge.argue(
        "Let s = ℓ⁻¹(𝓛). Every ℓ(q_n) is at most 𝓛 < ℓ(0), so q_n ≥ s > 0. −ℓ'(q) q/ℓ(q) grows for q > 0: it is 3q³ "
        "for e^(−q³); for log(1 + w) with w = e^(−q) or e^(−q³) it is q or 3q³ times w/((1 + w) log(1 + w)), which "
        "falls in w by the identity, as log(1 + w) < w. So ν = Σ −ℓ'(q_n) q_n is at least −ℓ'(s) s, with m for −ℓ'(s). "
        "By Euler's identity ρ' = Lν/ρ, and −d𝓛/dt = ρ'² + u² is m ds/dt, so d log(s/ρ^L)/dt is u²/(ms) and a "
        "multiple of ν − ms, neither of which is negative.",
        *(
            Equation(
                lost.xreplace({_margin: inverse}).rewrite(sp.exp) + length,
                loss + length,
                says=f"ℓ(ℓ⁻¹(𝓛)) is 𝓛 for ℓ(q) = {lost}, plus ρ",
            )
            for lost, inverse in zip(_LOSSES, statement.formulas, strict=True)
            if lost.xreplace({_margin: inverse}).rewrite(sp.exp) != loss
        ),
        Equation(
            sp.diff(quotient, _tail), (_tail - sp.log(1 + _tail)) / _tail**2, says="the slope of (1 + w) log(1 + w)/w"
        ),
        Equation(
            change,
            _across**2 / (_slope * _inverse) + radial**2 * (_nu - _slope * _inverse) / (_nu * _slope * _inverse),
            says="d log(s/ρ^L)/dt",
        ),
    )


_powers = sp.symbols("k1 k2", positive=True)
_lengths = sp.symbols("rho1 rho2", positive=True)
_doubled = sp.Symbol("D", positive=True)  # log(1/𝓛)


@PAPER.claim(
    "eq-5",
    statement=Statement(
        r"\frac{d}{dt} \tilde\gamma \ge 0 \text{ for } \tilde\gamma = ",
        sp.log(1 / loss) / (_lengths[0] ** _powers[0] * _lengths[1] ** _powers[1]),
        r", \ \rho_i = \|w_i\|, \text{ for two groups } \theta = (w_1, w_2), \text{ and with further factors for more}",
    ),
    source=f"equation 5 and after it, for the exponential loss, {SUBMISSION}",
    hypotheses=(
        r"\Phi(c_1 w_1, c_2 w_2; x) = c_1^{k_1} c_2^{k_2}\, \Phi(w_1, w_2; x) \text{ for } c_1, c_2 > 0, "
        r"\text{ with a chain rule}",
        EXPONENTIAL,
        FLOW,
        SEPARATED,
        r"w_1, w_2 \ne 0",
    ),
    uses=("euler", "eq-7"),
)
def several_groups(statement: Statement, used: Mapping[str, Verdict]) -> Verdict:
    """Each group grows by its own Euler's identity; the loss falls at least as fast as both together ask."""
    if not established(used):
        return Verdict(Outcome.INCONCLUSIVE, "Euler's identity or equation 7 is not established.")
    rates = [power * _nu / size for power, size in zip(_powers, _lengths, strict=True)]  # of ρ_1 and ρ_2
    fall = rates[0] ** 2 + rates[1] ** 2 + _across**2  # −d𝓛/dt
    logarithm = sp.log(statement.formula)
    change = -fall * sp.diff(logarithm, loss)
    change += sum(rate * sp.diff(logarithm, size) for rate, size in zip(rates, _lengths, strict=True))
    both = sum(power**2 / size**2 for power, size in zip(_powers, _lengths, strict=True))
    known = {sp.log(1 / loss): _doubled, sp.log(loss): -_doubled}
    return judge.argue(
        "Euler's identity in each group is ⟨∂_i q_n, w_i⟩ = k_i q_n, so ρ_i' = k_i ν/ρ_i with ν = Σ e^(−q_n) q_n. With "
        "u for the part of θ' across both w_i, −d𝓛/dt = ‖θ'‖² is ρ_1'² + ρ_2'² + u². Equation 7 says that ν ≥ 𝓛 "
        "log(1/𝓛) > 0, so no term of the identity is negative, with D for log(1/𝓛).",
        Equation(
            sp.expand_log(change).xreplace(known),
            _across**2 / (loss * _doubled) + _nu * both * (_nu - loss * _doubled) / (loss * _doubled),
            says="d log γ̃/dt",
        ),
        Equation(
            statement.formula.xreplace({loss: sp.exp(-_margin) + sp.exp(-_margin - _inverse)}),
            (_margin - sp.log(1 + sp.exp(-_inverse))) * _lengths[0] ** -_powers[0] * _lengths[1] ** -_powers[1],
            says="γ̃ of two samples with the margins q and q + s",
        ),
    )


_half, _growth = sp.symbols("h g", positive=True)


@PAPER.claim(
    "sec-5-radial",
    statement=Statement(
        r"\|v\|_2^2 = ",
        _half * _growth,
        r", \ h = \tfrac12 \frac{d\rho^2}{dt}, \ g = \frac{d}{dt} \log\rho, \quad \Big\| \frac{d}{dt} "
        r"\frac{\theta}{\rho} \Big\|_2 = ",
        _across / length,
        r", \ u = \|\theta' - v\|_2",
    ),
    source=f"proof sketch of Lemma 5.1, before its last equations, {SUBMISSION}",
    hypotheses=(FLOW, r"v = \theta \langle \theta, \theta' \rangle / \rho^2", r"\langle \theta, \theta' \rangle > 0"),
)
def radial_part(statement: Statement) -> Verdict:
    """Split a velocity of two parameters, and differentiate the direction along it."""
    square, turning = statement.formulas
    theta = sp.Matrix(sp.symbols("theta1 theta2", positive=True))
    velocity = sp.Matrix(sp.symbols("v1 v2", real=True))
    along = theta.dot(velocity)
    radial = theta * along / theta.dot(theta)
    rest = velocity - radial
    moved = sum(
        (sp.diff(theta / sp.sqrt(theta.dot(theta)), each) * speed for each, speed in zip(theta, velocity, strict=True)),
        sp.zeros(2, 1),
    )
    return judge.prove(
        "For arbitrary θ and θ' of two parameters, which span a plane in any case.",
        Equation(square.xreplace({_half: along, _growth: along / theta.dot(theta)}), radial.dot(radial), says="‖v‖²"),
        Equation(
            (turning**2).subs(_across, sp.sqrt(rest.dot(rest))).xreplace({length: sp.sqrt(theta.dot(theta))}),
            moved.dot(moved),
            says="the squared speed of the direction",
        ),
        Equation(
            (turning * _across).xreplace({_across**2: rest.dot(rest), length: sp.sqrt(theta.dot(theta))}),
            moved.dot(rest),
            says="which points along θ' − v",
        ),
    )
