"""Decay changes potentials and the ranges of their mirror maps."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np
import sympy as sp
from hypothesis import strategies as st
from scipy.integrate import solve_ivp

from derivations.mask_in_the_mirror.judging import REFUTED_ABOVE, TOLERANCE_REASON
from derivations.mask_in_the_mirror.setting import (
    SIZES,
    along_flow,
    decay,
    derived,
    in_uv,
    prove,
    slope,
    strength,
    u0,
    v0,
    weight_velocity,
    x,
)
from derivations.mirror_mirror import PAPER
from implicit_bias import Outcome, Parameterization, Verdict
from implicit_bias.claims import judge
from implicit_bias.claims.judge import quarters, search


@PAPER.claim(
    "decay-monotone",
    statement=r"\frac{\partial R_A}{\partial A} = \sum_i \big(\partial_i^2 R_A\big)^{-1} > 0 \text{ for the mask}",
    source="for x = m w",
    hypotheses=(SIZES, r"h = \sum m^2 + w^2", r"R_A^* = \tfrac14 \sum m^2 + w^2"),
    uses=("mask-in-the-mirror/eq-9",),
    figure="figures/figure1c/figure.png",
)
def decay_monotone() -> Verdict:
    """Decay raises the potential of the mask everywhere, by exactly its metric.

    Differentiate the derived potential in A and compare with the derived metric.

    A potential is fixed up to a constant, which here might depend on A; the one meant is the conjugate of
    R* = (m² + w²)/4, so its growth at the weight x_t is that of −R* at the same dual point.
    """
    potential, metric = in_uv(derived().potential), in_uv(derived().metric)
    if not metric.is_positive:
        return Verdict(Outcome.INCONCLUSIVE, f"The sign of {metric} is open.")
    return prove(
        "∂R_A/∂A − (∇²R_A)⁻¹ simplifies to zero, and the metric 2√(x² + a²) is positive: it is m² + w², "
        "the regularizer itself (their squares differ by zero). Differences to the value at "
        "x = 0 grow as well, by 2√(x² + a²) − 2a ≥ 0, whatever constant is added to R_A.",
        *weight_velocity()[1],
        stated=sp.diff(potential, decay) - metric,
    )


STATED_ENDS = (decay - u0**2 / 2, v0**2 / 2 - decay)


@dataclass(frozen=True)
class Pair:
    """One weight log u − log v, trained on f(x) = ½(x − target)² with h = log u + log v of constant strength α."""

    u0: float
    v0: float
    target: float
    alpha: float
    time: float

    def overshoot(self) -> float:
        """By how much ∇R_A(x_t) = −L_t leaves its stated range on the way, negative if it does not."""

        def velocity(t: float, state: np.ndarray) -> list[float]:
            u, v, _ = state
            pull = np.log(u / v) - self.target
            return [-(pull + self.alpha) / u, (pull - self.alpha) / v, -pull]

        times = np.linspace(0, self.time, 50)
        path = solve_ivp(velocity, (0, self.time), [self.u0, self.v0, 0.0], "DOP853", times, rtol=1e-12, atol=1e-13)
        ends = [sp.lambdify((decay, u0, v0), end)(self.alpha * path.t, self.u0, self.v0) for end in STATED_ENDS]
        return float(np.max([ends[0] - path.y[2], path.y[2] - ends[1]]))


@PAPER.claim(
    "range-shrinking",
    statement=(
        r"\nabla R_A(\mathbb{R}) = \big(A - \tfrac12 u_0^2,\ \tfrac12 v_0^2 - A\big) \text{ for } x = \log u - \log v, "
        r"\text{ which shrinks with the decay}"
    ),
    source="on range shrinking; interval derived here",
    hypotheses=(r"u_0, v_0 > 0", r"h = \log u + \log v", r"A < \tfrac14 (u_0^2 + v_0^2)"),
)
def range_shrinking() -> Verdict:
    """Decay can shrink the range of a mirror map: log u − log v.

    Solve both flows and invert x; a range that ∇R leaves on a trajectory would refute it.
    """
    if not Parameterization("log(u) - log(v)", ["u", "v"]).commutes_with("log(u) + log(v)").proved:
        return Verdict(Outcome.INCONCLUSIVE, "The gradient fields were not shown to commute.")
    pairs = st.builds(
        Pair,
        u0=quarters(1, 2),
        v0=quarters(1, 2),
        target=quarters(-2, 2),
        alpha=st.sampled_from([0.25, 0.125]),
        time=quarters(0.25, 1.5),
    )
    looked = search(pairs, lambda pair: pair.overshoot() > REFUTED_ABOVE)
    if looked.smallest is not None:
        overshoot = looked.smallest.overshoot()
        return Verdict(
            Outcome.REFUTED,
            f"−L_t leaves the stated range by {overshoot:.3g} on a trajectory of u and v.",
            overshoot,
            REFUTED_ABOVE,
            asdict(looked.smallest) | {"overshoot": overshoot},
            tolerance_reason=TOLERANCE_REASON,
        )
    return _proof_of_range(len(looked.tried))


def _proof_of_range(tried: int) -> Verdict:
    u, v = sp.symbols("u v", positive=True)
    dual = sp.Symbol("z", real=True)  # z = −L
    weight, regularizer = sp.log(u) - sp.log(v), sp.log(u) + sp.log(v)
    squared_u, squared_v = u0**2 - 2 * decay + 2 * dual, v0**2 - 2 * decay - 2 * dual
    growth = sp.exp(2 * x)
    mirror_map = (growth * (v0**2 - 2 * decay) - (u0**2 - 2 * decay)) / (2 * (1 + growth))
    lower, upper = STATED_ENDS
    return judge.prove(
        "u² = u₀² − 2A − 2L and v² = v₀² − 2A + 2L solve the flow, and x = ½ log(u²/v²) gives "
        "∇R_A(x) = [e^(2x)(v₀² − 2A) − (u₀² − 2A)]/(2 + 2e^(2x)) (differences simplify to zero). This lies between the "
        "stated ends, at distances (u₀² + v₀² − 4A)/(2 + 2e^(∓2x)) that are positive while A < (u₀² + v₀²)/4 and tend "
        "to zero for x → ∓∞. So decay moves both ends inwards at rate 1, and the flow ends before A reaches "
        "(u₀² + v₀²)/4, though every real x stays in the domain. For the mask, ∇R maps onto all numbers at every "
        f"decay. On {tried} random trajectories of u and v −L_t never leaves the range.",
        along_flow(u**2, weight, regularizer, (u, v)) + 2 * (slope + strength),
        along_flow(v**2, weight, regularizer, (u, v)) + 2 * (strength - slope),
        growth * squared_v.xreplace({dual: mirror_map}) - squared_u.xreplace({dual: mirror_map}),
        mirror_map - lower - (u0**2 + v0**2 - 4 * decay) / (2 + 2 / growth),
        upper - mirror_map - (u0**2 + v0**2 - 4 * decay) / (2 + 2 * growth),
    )
