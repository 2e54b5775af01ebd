"""Training follows the flow up to its step size, so experiments with small steps speak of the flow."""

from __future__ import annotations

import numpy as np

from derivations.mask_in_the_mirror.setting import SIZES
from derivations.ours import PAPER
from implicit_bias import SGD, Parameterization, Regression, Verdict, descent, gradient_flow
from implicit_bias.claims import corrected
from implicit_bias.claims.judge import from_residual
from implicit_bias.schedule import Constant, Geometric, Harmonic

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
    "flow-discretization",
    statement=(
        r"\max_{k\eta \le T} \|x_k - x_{t=k\eta}\|_2 = O(\eta) \text{ for } "
        r"\theta_{k+1} = \theta_k - \eta\,(\partial g^T \nabla f + \alpha_{k\eta} \nabla h)"
    ),
    source="after Hairer, Nørsett, Wanner, Solving Ordinary Differential Equations I, section II.3 (one-step methods)",
    hypotheses=(r"x = m \odot w", r"h = \sum m^2 + w^2", "full batches"),
)
def flow_discretization() -> Verdict:
    """Gradient descent follows the flow up to its step size, so experiments with small steps speak of the flow.

    Halve the step of gradient descent again and again.
    """
    return check_order({0.0: 1.0})


MOMENTA = (0.5, 0.8)


def stated_speed(momentum: float) -> float:
    """The flow time that passes while steps × η grows by one."""
    return 1 / (1 - momentum)


@PAPER.claim(
    "flow-heavy-ball",
    statement=(
        r"\max_{k\eta \le T} \|x_k - x_{t=k\eta/(1-\beta)}\|_2 = O(\eta) \text{ for } "
        r"\theta_{k+1} = \theta_k - \eta\,b_k,\; b_k = \beta b_{k-1} + \partial g^T \nabla f + \alpha_t \nabla h"
    ),
    source=(
        "after Kovachki, Stuart, Continuous Time Analysis of Momentum Methods, JMLR 22(17), 2021, on vanishing steps"
    ),
    hypotheses=(r"x = m \odot w", r"h = \sum m^2 + w^2", "full batches", r"0 \le \beta < 1 \text{ fixed}"),
    uses=("flow-discretization",),
)
def flow_heavy_ball() -> Verdict:
    """Momentum does not change where training goes, only how fast.

    Halve the step of heavy ball again and again, and compare with the flow at the faster time.
    """
    return check_order({momentum: stated_speed(momentum) for momentum in MOMENTA})


IDENTITY_TOLERANCE = 0.1
IDENTITY_REASON = (
    "The error's next term, in η², shifts the fitted order by a few hundredths for the steps taken here, and the draws "
    "of mini-batches, averaged over the seeds, by as much."
)
SCALES = (1e-6, 1e-3, 1.0)
SEEDS = 16
OPTIMIZERS = {
    "gradient descent": (0.0, None),
    "heavy ball, β = 0.8": (0.8, None),
    "mini-batches of 3": (0.0, 3),
    "mini-batches of 3 with β = 0.8": (0.8, 3),
}


def diagonal_residuals(momentum: float, batch_size: int | None) -> np.ndarray:
    """Mean ‖∇R_{a_k}(x_k) + L_k‖_∞ at the end over the seeds, for every number of steps and (strength, scale).

    Seeds draw a run's problem, its start and its mini-batches; strengths × scales × seeds are one ensemble.
    """
    from implicit_bias.masking.ensemble_checks import mirror_residual  # torch, which other claims do without
    from implicit_bias.masking.ensembles import ensemble, initialization

    duration = END * (1 - momentum)  # with momentum the flow's time passes faster than steps × η
    strengths = (Constant(0.0), Geometric(0.5, tau=duration), Harmonic(0.5, tau=duration))
    cases = len(strengths) * len(SCALES)
    seeds = np.tile(np.arange(SEEDS), cases)
    weights = np.stack([np.random.default_rng(seed).normal(0, 1e-3, 12) for seed in seeds])
    found = []
    for count in COUNTS.tolist():
        runs = ensemble(
            [Regression.sample(6, 12, 2, seed=seed) for seed in seeds.tolist()],
            initialization(weights, np.tile(np.repeat(SCALES, SEEDS), len(strengths))),
            duration / count,
            count,
            schedule=[strength for strength in strengths for _ in range(len(SCALES) * SEEDS)],
            optimizer=SGD(momentum),
            batch_size=batch_size,
            seed=0 if batch_size is None else seeds,
            record=2,
        )
        found.append(mirror_residual(runs)[-1].reshape(cases, SEEDS).mean(axis=1))
    return np.array(found)


@PAPER.claim(
    "flow-identity",
    statement=(
        r"\|\nabla R_{a_k}(x_k) + L_k\|_\infty = O(\eta) \text{ at fixed } k\eta, \text{ where } L_k \text{ and } A_k "
        r"\text{ add up the moves that the optimizer makes of } \nabla f \text{ and } \alpha"
    ),
    source="the identity of the preprint's Theorem 3.1, with corrected constants, on trained networks",
    hypotheses=(
        r"x = m \odot w",
        SIZES,
        r"h = \sum m^2 + w^2",
        "gradient descent, mini-batches or heavy ball",
    ),
    uses=(corrected("mask-in-the-mirror/lem-a.2"), "flow-discretization", "flow-heavy-ball"),
)
def flow_identity() -> Verdict:
    """Trained networks obey the mirror identity of the flow up to their step: hundreds of runs with small steps.

    Halve the step of every optimizer again and again, and fit the order in η at every scale and strength.
    """
    orders, last = {}, {}
    for name, settings in OPTIMIZERS.items():
        path = diagonal_residuals(*settings)
        orders[name] = -np.polyfit(np.log(COUNTS), np.log(path), 1)[0]
        last[name] = np.max(path[-1])
    evidence = (
        f"{3 * len(SCALES) * SEEDS} networks for each optimizer ({SEEDS} random problems and starts with d=6, n=12; "
        f"scales {', '.join(f'{scale:g}' for scale in SCALES)}; no, geometric and harmonic decay) to flow time {END:g} "
        f"in {COUNTS[0]} to {COUNTS[-1]} steps. Fitted orders of the mean residual over the seeds: "
        + "; ".join(
            f"{name} {np.min(found):.3f} to {np.max(found):.3f} (residual at most {last[name]:.1e} at last)"
            for name, found in orders.items()
        )
        + "."
    )
    deviation = float(np.max(np.abs(np.stack(list(orders.values())) - STATED_ORDER)))
    return from_residual(deviation, IDENTITY_TOLERANCE, evidence, tolerance_reason=IDENTITY_REASON)
