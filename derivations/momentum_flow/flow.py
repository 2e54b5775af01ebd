"""The flow that heavy ball discretizes, what it does to the balance of a diagonal network, and where it ends."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import sympy as sp
from scipy.integrate import solve_ivp

from derivations.large_stepsizes.runs import projected
from derivations.momentum_flow import PAPER
from implicit_bias import Outcome, Statement, Verdict
from implicit_bias.claims import Equation, judge

lam, gamma, rho = sp.symbols("lambda gamma rho", positive=True)
beta = sp.Symbol("beta", nonnegative=True)
slope = sp.Symbol("g", real=True)
plus, minus = sp.symbols("p_plus p_minus", real=True)  # w₊'/w₊ and w₋'/w₋
x, shift, accumulated = sp.symbols("x b L", real=True)
alpha = sp.Symbol("alpha", positive=True)
PATH = "as summarized in the abstract (λ fixes the path)"
SOLUTION = "as summarized in the abstract (a problem of implicit regularization gives the solution); derived here"
FLOW = r"\lambda \theta'' + \theta' = -\nabla F(\theta), \ \theta'(0) = 0"
HEAVY_BALL = r"\theta_{k+1} = \theta_k - \gamma \nabla F(\theta_k) + \beta (\theta_k - \theta_{k-1}), \ 0 \le \beta < 1"
NETWORK = r"x = u \odot v, \ w_\pm = u \pm v, \ p_\pm = w_\pm'/w_\pm"
SIGNS = r"w_\pm(t) \ne 0 \text{ for all } t \text{, with a limit that is not zero}"


@PAPER.claim(
    "discretization",
    statement=Statement(
        r"\text{heavy ball is } \lambda\, \frac{\theta_{k+1} - 2\theta_k + \theta_{k-1}}{\varepsilon^2} "
        r"+ \frac{\theta_k - \theta_{k-1}}{\varepsilon} = -\nabla F(\theta_k) \text{ with } \lambda = ",
        gamma / (1 - beta) ** 2,
        r",\ \varepsilon = ",
        gamma / (1 - beta),
    ),
    source=f"{PATH}; the increment is derived here",
    hypotheses=(HEAVY_BALL,),
)
def discretization(statement: Statement) -> Verdict:
    """Insert a step of heavy ball into the difference quotients."""
    mass, increment = statement.formulas
    now, before = sp.symbols("theta theta_before", real=True)
    after = now - gamma * slope + beta * (now - before)
    return judge.prove(
        "A step of heavy ball was inserted; it holds for every step, so λ alone is left of the flow's equation, and ε "
        "is the flow's time of a step.",
        stated=Equation(
            mass * (after - 2 * now + before) / increment**2 + (now - before) / increment, -slope, "the quotients"
        ),
    )


@PAPER.claim(
    "acceleration",
    statement=Statement(
        r"\text{the step } \rho\gamma \text{ with momentum } ",
        1 - sp.sqrt(rho) * (1 - beta),
        r"\text{ has the same } \lambda \text{, and passes time faster by } ",
        sp.sqrt(rho),
    ),
    source="as summarized in the abstract (a simple acceleration rule); its form is derived here",
    hypotheses=(HEAVY_BALL, r"0 < \sqrt\rho\, (1 - \beta) \le 1"),
    uses=("discretization",),
)
def acceleration(statement: Statement) -> Verdict:
    """Insert a step of the other pair into the quotients of this λ, with the longer increment."""
    momentum, speed = statement.formulas
    if not momentum.subs({rho: 1, beta: sp.Rational(1, 2)}).is_positive:
        return Verdict(Outcome.INCONCLUSIVE, "For ρ = 1 the momentum is not positive.")
    now, before = sp.symbols("theta theta_before", real=True)
    after = now - rho * gamma * slope + momentum * (now - before)
    mass, increment = gamma / (1 - beta) ** 2, speed * gamma / (1 - beta)
    return judge.prove(
        "A step of the second pair solves the quotients of the first one's λ, with an increment that is √ρ times as "
        "long.",
        stated=Equation(
            mass * (after - 2 * now + before) / increment**2 + (now - before) / increment, -slope, "the quotients"
        ),
    )


def rates() -> tuple[sp.Expr, sp.Expr]:
    """The derivatives of p₊ and p₋: λ w±'' + w±' = ∓g w±, divided by w±."""
    return (-slope - plus) / lam - plus**2, (slope - minus) / lam - minus**2


@PAPER.claim(
    "balance",
    statement=Statement(
        r"|w_+ w_-|(\infty) = |w_+ w_-|(0) \exp\Big(-\int_0^\infty ",
        lam * (plus**2 + minus**2),
        r"\, dt\Big)",
    ),
    source=SOLUTION,
    hypotheses=(FLOW, NETWORK, SIGNS),
)
def balance(statement: Statement) -> Verdict:
    """Differentiate log|w₊w₋| + λ(p₊ + p₋), whose second term vanishes at both ends."""
    of_plus, of_minus = rates()
    return judge.argue(
        "In w± the flow is λw±'' + w±' = ∓g w±. The derivative of log|w₊w₋| + λ(p₊ + p₋) is minus the integrand; p± "
        "vanishes at the start, where the speed does, and in the limit. So the scale shrinks, and the more the larger "
        "λ is for like integrals.",
        stated=Equation(
            -statement.formula,
            plus + minus + lam * (of_plus + of_minus),
            "the derivative of log|w₊w₋| + λ(p₊ + p₋)",
        ),
    )


@dataclass(frozen=True)
class End:
    """Where the flow of second order went, with integrals along it.

    Attributes:
        u: The factors at the end.
        v: The factors at the end.
        squares: ∫(p₊² + p₋²) dt.
        differences: ∫(p₊² − p₋²) dt.
    """

    u: np.ndarray
    v: np.ndarray
    squares: np.ndarray
    differences: np.ndarray


def integrated(pull: Callable, u: np.ndarray, v: np.ndarray, mass: float, time: float) -> End:
    """Integrate the flow for ∇L = pull(x), from rest, by LSODA.

    Args:
        pull: The gradient of the loss in x.
        u: Initial values.
        v: Initial values.
        mass: λ.
        time: Its length.
    """
    n = len(u)

    def velocity(_: float, state: np.ndarray) -> np.ndarray:
        high, low, fast, slow = state[: 4 * n].reshape(4, n)
        g = pull((high**2 - low**2) / 4)
        first, second = (fast / high) ** 2, (slow / low) ** 2
        return np.concatenate(
            [fast, slow, (-g * high - fast) / mass, (g * low - slow) / mass, first + second, first - second]
        )

    start = np.concatenate([u + v, u - v, np.zeros(4 * n)])
    end = solve_ivp(velocity, (0, time), start, "LSODA", (time,), rtol=1e-9, atol=1e-11).y[:, -1].reshape(6, n)
    return End((end[0] + end[1]) / 2, (end[0] - end[1]) / 2, end[4], end[5])


POTENTIAL = (x * sp.asinh(x / alpha**2) - sp.sqrt(x**2 + alpha**4) - shift * x) / 2
DATA, TARGETS = np.array([[1.0, 0.6, -0.4], [0.3, -0.8, 1.1]]), np.array([1.0, -0.5])
MASS, TIME = 0.1, 40.0
STARTS = np.array([0.8, 0.7, 0.9]), np.array([0.1, -0.2, 0.05])
TOLERANCE = 1e-6
REASON = "The integrator's error adds up over the length of the flow."


@PAPER.claim(
    "solution",
    statement=Statement(
        r"x_\infty = \operatorname{argmin}\{\textstyle\sum R(x): Zx = y\}, \ R(x) = ",
        POTENTIAL,
        r"\text{ with } \alpha^2 = |w_+ w_-|(\infty)/2, \ b = \log|w_+/w_-|(0) - \int_0^\infty ",
        lam * (plus**2 - minus**2),
        r"\, dt",
    ),
    source=SOLUTION,
    hypotheses=(FLOW, NETWORK, SIGNS, r"F = L(x), \ L \text{ a function of } Zx, \ Z x_\infty = y"),
    uses=("balance",),
)
def solution(statement: Statement) -> Verdict:
    """Differentiate log|w₊/w₋| + λ(p₊ − p₋); insert the end; compare a flow's end with the projection."""
    formula, integrand = statement.formulas
    of_plus, of_minus = rates()
    shown = judge.argue(
        "The derivative of log|w₊/w₋| + λ(p₊ − p₋) is −2g minus the integrand, so log|w₊/w₋| ends at b − 2∫g. As "
        "x = α² sinh log|w₊/w₋|, R' at the end is −∫g, which lies in the row space of Z; R is strictly convex, "
        "R'' = 1/(2√(x² + α⁴)).",
        Equation(-integrand - 2 * slope, plus - minus + lam * (of_plus - of_minus), "the derivative"),
        Equation(sp.diff(formula, x, 2) ** 2, 1 / (4 * (x**2 + alpha**4)), "R'' squared"),
        stated=Equation(
            sp.diff(formula, x).subs(shift, sp.asinh(x / alpha**2) + 2 * accumulated),
            -accumulated,
            "R' at the end, where arcsinh(x/α²) is b − 2L, for L = ∫g",
        ),
    )
    if shown.outcome is not Outcome.ARGUED:
        return shown
    u, v = STARTS
    end = integrated(lambda at: DATA.T @ (DATA @ at - TARGETS) / 2, u, v, MASS, TIME)
    scale = np.abs(u**2 - v**2) / 2 * np.exp(-MASS * end.squares)
    start = np.log(np.abs((u + v) / (u - v)))
    own = projected(DATA, TARGETS, scale, start - MASS * end.differences)
    unmoved = projected(DATA, TARGETS, np.abs(u**2 - v**2) / 2, start)
    gap, of_flow = (float(np.max(np.abs(end.u * end.v - each))) for each in (own, unmoved))
    evidence = (
        f"{shown.evidence} A flow integrated with λ = {MASS:g} for three weights ends {gap:.1e} off this projection, "
        f"{of_flow:.1e} off that of the first-order flow."
    )
    return replace(shown, evidence=evidence) if gap < TOLERANCE else Verdict(Outcome.INCONCLUSIVE, evidence, gap)


@PAPER.claim(
    "no-crossing",
    statement=Statement(
        r"w_+ \text{ passes zero under a constant slope } g > 0 \text{ exactly if } g > ", 1 / (4 * lam)
    ),
    source="corollary of momentum-flow/balance, on its hypothesis",
    hypotheses=(FLOW, NETWORK),
)
def no_crossing(statement: Statement) -> Verdict:
    """At the stated slope the characteristic polynomial has a double root; below it, solve from rest."""
    root, time = sp.Symbol("r", real=True), sp.Symbol("t", positive=True)
    slow, fast = sp.symbols("s f", positive=True)  # the rates of decay, with g = λ s f and 1 = λ (s + f)
    path = fast * sp.exp(-slow * time) - slow * sp.exp(-fast * time)
    mass = 1 / (slow + fast)
    return judge.argue(
        "λr² + r + g has a double root at the stated slope, two negative roots −s > −f below it, and complex ones "
        "above it, where the solution oscillates. Below it the solution from rest is a multiple of "
        "f e^(−st) − s e^(−ft) > 0, as f > s and e^(−st) ≥ e^(−ft); at the stated slope it is (1 + st) e^(−st).",
        Equation(
            mass * sp.diff(path, time, 2) + sp.diff(path, time),
            -mass * slow * fast * path,
            "the path solves the equation",
        ),
        stated=Equation(lam * root**2 + root + statement.formula, lam * (root + 1 / (2 * lam)) ** 2, "the double root"),
    )
