"""Gradient descent follows the flow up to its step size, so experiments with small steps speak of the flow."""

from __future__ import annotations

import numpy as np

from derivations.ours import PAPER
from implicit_bias import SGD, Parameterization, Regression, Verdict, descent, gradient_flow
from implicit_bias.claims.judge import from_residual
from implicit_bias.schedule import Geometric

STATED_ORDER = 1.0
TOLERANCE = 0.05
TOLERANCE_REASON = "The error's next term, in η², shifts the fitted order by a few hundredths for the steps taken here."
END = 1.0  # in flow time, which is compared at its four quarters
COUNTS = 2 ** np.arange(8, 12)  # numbers of steps


def errors(momentum: float, speed: float, decayed: bool) -> np.ndarray:
    """Largest ‖x_k − x(τ)‖₂ over the quarters of flow time, τ = speed · kη, one for each number of steps.

    Args:
        momentum: Of heavy ball; at 0 it is gradient descent.
        speed: The flow time that passes while steps × η grows by one.
        decayed: Whether m² + w² acts, with a strength that decays geometrically.
    """
    problem, mask = Regression.sample(5, 10, 2, seed=0), Parameterization("m*w", regularizer="m**2 + w**2")
    init = {"m": 1.0, "w": np.linspace(-0.5, 0.5, problem.n)}
    quarters = np.arange(1, 5)
    training = Geometric(0.25, tau=END / speed) if decayed else None
    idealized = Geometric(0.25, tau=END) if decayed else None
    flow = gradient_flow(problem, mask, init, END * quarters / 4, schedule=idealized)
    found = []
    for count in COUNTS.tolist():
        step = END / speed / count
        marks = quarters * (count // 4)
        run = descent(problem, mask, init, step, count, optimizer=SGD(momentum), schedule=training, record=marks)
        found.append(np.max(np.linalg.norm(run.x - flow.x, axis=1)))
    return np.array(found)


def check_order(speeds: dict[float, float]) -> Verdict:
    """Fit the order in η of the errors of momentum β at speeds[β], without and with decay."""
    cases = [(momentum, decayed) for momentum in speeds for decayed in (False, True)]
    paths = [errors(momentum, speeds[momentum], decayed) for momentum, decayed in cases]
    orders = [-np.polyfit(np.log(COUNTS), np.log(path), 1)[0] for path in paths]
    evidence = (
        f"The mask on a random problem (d=5, n=10) to flow time {END:g}, in {COUNTS[0]} to {COUNTS[-1]} steps, against "
        "the flow integrated to 1e-12 a step. Fitted orders: "
        + ", ".join(
            f"{order:.3f} (β={momentum:g}, {'with' if decayed else 'without'} decay, error {path[-1]:.1e} at last)"
            for (momentum, decayed), order, path in zip(cases, orders, paths, strict=True)
        )
        + "."
    )
    deviation = float(np.max(np.abs(np.array(orders) - STATED_ORDER)))
    return from_residual(deviation, TOLERANCE, evidence, tolerance_reason=TOLERANCE_REASON)


@PAPER.claim(
    "discretization",
    statement=(
        r"\max_{k\eta \le T} \|x_k - x_{t=k\eta}\|_2 = O(\eta) \text{ for } "
        r"\theta_{k+1} = \theta_k - \eta\,(\partial g^T \nabla f + \alpha_{k\eta} \nabla h)"
    ),
    source="after Hairer, Nørsett, Wanner, Solving Ordinary Differential Equations I, section II.3 (one-step methods)",
    hypotheses=(r"x = m \odot w", r"h = \sum m^2 + w^2", "full batches"),
)
def discretization() -> Verdict:
    """Gradient descent follows the flow up to its step size, so experiments with small steps speak of the flow.

    Halve the step of gradient descent again and again.
    """
    return check_order({0.0: 1.0})


MOMENTA = (0.5, 0.8)


def stated_speed(momentum: float) -> float:
    """The flow time that passes while steps × η grows by one."""
    return 1 / (1 - momentum)


@PAPER.claim(
    "heavy-ball",
    statement=(
        r"\max_{k\eta \le T} \|x_k - x_{t=k\eta/(1-\beta)}\|_2 = O(\eta) \text{ for } "
        r"\theta_{k+1} = \theta_k - \eta\,b_k,\; b_k = \beta b_{k-1} + \partial g^T \nabla f + \alpha_t \nabla h"
    ),
    source=(
        "after Kovachki, Stuart, Continuous Time Analysis of Momentum Methods, JMLR 22(17), 2021, on vanishing steps"
    ),
    hypotheses=(r"x = m \odot w", r"h = \sum m^2 + w^2", "full batches", r"0 \le \beta < 1 \text{ fixed}"),
    uses=("discretization",),
)
def heavy_ball() -> Verdict:
    """Momentum does not change where training goes, only how fast.

    Halve the step of heavy ball again and again, and compare with the flow at the faster time.
    """
    return check_order({momentum: stated_speed(momentum) for momentum in MOMENTA})
