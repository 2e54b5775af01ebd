"""Where training ends: at the point of least potential, and at the LASSO for constant strength."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import sympy as sp

from derivations.mask_in_the_mirror import PAPER as PREPRINT
from derivations.mask_in_the_mirror.setting import (
    DECAY,
    POTENTIAL,
    SIZES,
    argue,
    decay,
    derived,
    in_uv,
    m,
    slope,
    strength,
    u0,
    v0,
    w,
    weight_velocity,
    x,
)
from derivations.ours import PAPER
from derivations.ours.convergence import ESTABLISHED
from implicit_bias import (
    HyperbolicEntropy,
    Outcome,
    Regression,
    Statement,
    Verdict,
    bregman_projection,
    gradient_flow,
)
from implicit_bias.claims import corrected
from implicit_bias.claims.equation import Equation
from implicit_bias.claims.judge import Step, agreed
from implicit_bias.schedule import Geometric, Schedule

TOLERANCE = 1e-8  # of ‖x_t − argmin‖_∞
TOLERANCE_REASON = "The flow ends with ‖Zx − y‖ below 1e-9 and is integrated to a relative 1e-12 a step."
END = 400.0
PROBLEM_SEED = 0


def mirror_identities() -> tuple[Step, ...]:
    """∇R*(0) = x_0 without decay, d/dt ∇R_{a_t}(x_t) = −∇f, and what the velocity of x rests on."""
    mirror_map = sp.diff(in_uv(derived().potential), x)
    velocity, identities = weight_velocity()
    change = sp.diff(mirror_map, x) * velocity + sp.diff(mirror_map, decay) * strength
    least = in_uv(derived().inverse_mirror_map).xreplace({sp.Symbol("z"): sp.Integer(0), decay: sp.Integer(0)})
    return (
        Equation(least.rewrite(sp.exp), (u0**2 - v0**2) / 2, "∇R*(0) = x_0"),
        Equation(change, -slope, "d/dt ∇R_{a_t}(x_t) = −∇f(x_t)"),
        *identities,
    )


ENDS_OPTIMAL = (
    "∇R_{a_t}(x_t) = −∫_0^t ∇f: both sides vanish at the start, and their derivatives agree. With f(x) = f̃(Zx − y), "
    "∇f = Zᵀ∇f̃, so ∇R_{a_t}(x_t) lies in the range of Zᵀ, which is closed. The limit of x_t has Zx = y, and there "
    "∇R_{a_∞}(x) lies in that range, as ∇R_a(x) is continuous in x and in a > 0: these are the conditions of "
    "optimality of min {R_{a_∞}(x) : Zx = y}, and R_{a_∞} is strictly convex (1/R'' = 2√(x² + a²) is finite), so it "
    "has one solution. "
)


@PAPER.claim(
    "thm-3.3",
    statement=r"\lim_{t\to\infty} x_t = \operatorname{argmin}\{R_{a_\infty}(x) : Zx = y\}",
    source=f"{PREPRINT.citation}, Theorems 2.4 and 3.3, with hypotheses on f̃ under which x_t converges",
    hypotheses=(
        SIZES,
        r"h = \sum m^2 + w^2",
        DECAY,
        r"f(x) = \tilde f(Zx - y), \ \tilde f \text{ convex and least at zero alone, } \nabla \tilde f \text{ locally "
        r"Lipschitz}",
        "y in the range of Z",
        POTENTIAL,
    ),
    uses=(corrected("mask-in-the-mirror/thm-3.1"), "convergence"),
    figure="figures/digit/figure.png",
)
def limit(used: Mapping[str, Verdict]) -> Verdict:
    """Prove the conditions of optimality at the end, and hold a flow of the parameters against the projection."""
    for name, verdict in used.items():
        if verdict.outcome not in ESTABLISHED:
            return Verdict(Outcome.INCONCLUSIVE, f"{name} is not established: {verdict.evidence}")
    distance, numbers = distance_to_projection(Geometric(0.5, 0.5))
    argued = argue(
        "f is convex, and its minimizers are the x with Zx = y. So x_t converges to one of them. "
        f"{ENDS_OPTIMAL}{numbers}",
        *mirror_identities(),
    )
    return agreed(argued, lambda: distance, TOLERANCE, TOLERANCE_REASON)


def distance_to_projection(schedule: Schedule | None) -> tuple[float, str]:
    """The distance between the flow's late point and the projection on a random problem, and what was compared.

    Two projections are computed: for the potential that follows from the flow, and for the one with the preprint's
    scale, which the limit should miss if the constants matter.
    """
    problem = Regression.sample(8, 16, 2, seed=PROBLEM_SEED)
    init = start_at(np.random.default_rng(PROBLEM_SEED).normal(0, 0.3, problem.n))
    end = gradient_flow(problem, derived().parameterization, init, [END], schedule=schedule)
    total = 0.0 if schedule is None else schedule.total
    potential = derived().family(init)(total)
    # Thm 3.1's scale 2u₀v₀e^{−2A} is twice the true one, times another e^{2A}; a common prefactor moves no argmin.
    stated = HyperbolicEntropy(log_scale=potential.log_scale + np.log(2) + 2 * total, shift=potential.shift)
    distance, other = (gap(end.x[-1], problem, each) for each in (potential, stated))
    return distance, (
        f"On a random problem with d = {problem.d}, n = {problem.n} and the squared loss the flow ends, at time "
        f"{END:g}, {distance:.1e} from the argmin for the potential of the flow, and {other:.2g} from that for the "
        f"scale printed "
        "in the preprint."
    )


def gap(end: np.ndarray, problem: Regression, potential: HyperbolicEntropy) -> float:
    """‖end − argmin {R(x) : Zx = y}‖_∞."""
    return float(np.max(np.abs(bregman_projection(problem, potential).x - end)))


def start_at(weights: np.ndarray) -> dict[str, np.ndarray]:
    """m_0 w_0 = weights and m_0² − w_0² = 1."""
    m0 = np.sqrt(0.5 + np.sqrt(0.25 + weights**2))
    return {"m": m0, "w": weights / m0}


norm = sp.Symbol("X", nonnegative=True)
_gradient_of_lasso = {p: sp.diff(m * w, p) * slope + strength * sp.diff(m**2 + w**2, p) for p in (m, w)}


@PAPER.claim(
    "lasso",
    statement=Statement(
        r"\min\{\alpha(m^2 + w^2) : m w = x\} = ",
        2 * strength * sp.Abs(x),
        r", \text{ and the second-order stationary points minimize } f(x) + ",
        2 * strength * norm,
        r", \ X = \|x\|_1",
    ),
    hypotheses=(r"f \text{ convex, twice differentiable}", r"\alpha_t = \alpha > 0"),
)
def lasso(statement: Statement) -> Verdict:
    """With constant strength, training the mask is LASSO.

    Compare both objectives on the fibre m w = x, then both conditions for a stationary point.
    """
    least, penalty = statement.formulas
    m_size, w_size, sign = sp.Symbol("M", nonnegative=True), sp.Symbol("W", nonnegative=True), sp.Symbol("s", real=True)
    threshold = sp.diff(penalty, norm)
    # At m = w = 0 a coordinate's own block of the Hessian; f'' does not enter, as it is multiplied by m and w.
    hessian = sp.Matrix([[sp.diff(_gradient_of_lasso[p], q) for q in (m, w)] for p in (m, w)])
    return argue(
        "On m w = x, α(m² + w²) exceeds the stated minimum by α(|m| − |w|)² ≥ 0, which vanishes if |m| = |w|. At a "
        "stationary point m ∂_m − w ∂_w = 2α(m² − w²) vanishes, so w = sm with s = ±1; if x ≠ 0, then "
        "∂_m = m(sf' + 2α) gives f' = −2α sign x, the LASSO's condition. If x = 0, then m = w = 0, where the Hessian "
        "has the eigenvalues 2α ± f' and is positive semi-definite if and only if |f'| ≤ 2α, again the LASSO's "
        "condition. Conversely a minimizer of the LASSO, balanced, minimizes the loss of m and w.",
        Equation(
            least.subs(x, m_size * w_size) + strength * (m_size - w_size) ** 2,
            strength * (m_size**2 + w_size**2),
            "the least value on a fibre",
        ),
        (penalty, least.subs(x, norm)),
        Equation(m * _gradient_of_lasso[m] - w * _gradient_of_lasso[w], 2 * strength * (m**2 - w**2), "m ∂_m − w ∂_w"),
        Equation(_gradient_of_lasso[m].xreplace({w: sign * m}), m * (sign * slope + threshold), "∂_m for w = sm"),
        (hessian.trace(), 2 * threshold),
        Equation(hessian.det(), (threshold - slope) * (threshold + slope), "the determinant of the Hessian"),
    )
