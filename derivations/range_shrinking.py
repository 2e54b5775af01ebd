"""Decay can shrink the range of a mirror map: log u − log v."""

from dataclasses import asdict, dataclass

import numpy as np
import sympy as sp
from hypothesis import strategies as st
from scipy.integrate import solve_ivp

from derivations.mask import (
    MIRROR,
    REFUTED_ABOVE,
    TOLERANCE_REASON,
    along_flow,
    decay,
    slope,
    strength,
    u0,
    v0,
    x,
)
from implicit_bias import Claim, Outcome, Parameterization, Verdict
from implicit_bias.claims.judge import prove, quarters, search

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


def check() -> Verdict:
    """Solve both flows and invert x; a range that ∇R leaves on a trajectory would refute it."""
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
    return _proof(len(looked.tried))


def _proof(tried: int) -> Verdict:
    u, v = sp.symbols("u v", positive=True)
    dual = sp.Symbol("z", real=True)  # z = −L
    weight, regularizer = sp.log(u) - sp.log(v), sp.log(u) + sp.log(v)
    squared_u, squared_v = u0**2 - 2 * decay + 2 * dual, v0**2 - 2 * decay - 2 * dual
    growth = sp.exp(2 * x)
    mirror_map = (growth * (v0**2 - 2 * decay) - (u0**2 - 2 * decay)) / (2 * (1 + growth))
    lower, upper = STATED_ENDS
    return prove(
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


CLAIM = Claim(
    id="range-shrinking",
    statement=(
        r"\nabla R_A(\mathbb{R}) = \big(A - \tfrac12 u_0^2,\ \tfrac12 v_0^2 - A\big) \text{ for } x = \log u - \log v, "
        r"\text{ which shrinks with the decay}"
    ),
    source=f"{MIRROR}, on range shrinking; interval derived here",
    hypotheses=(r"u_0, v_0 > 0", r"h = \log u + \log v", r"A < \tfrac14 (u_0^2 + v_0^2)"),
    check=check,
)
