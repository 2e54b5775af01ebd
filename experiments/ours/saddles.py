r"""Saddle to saddle: as its scale vanishes, the flow waits at saddles of the loss and jumps between them.

The path of `ib.saddle_to_saddle`, which no flow is integrated for, beside the dual flow at several scales a. Time is
:math:`\tau = t/\log(1/a)` with flow time t.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy.optimize import linprog

from experiments.engine import Data, Sweep
from experiments.experiment import Experiment
from implicit_bias import (
    Claim,
    HyperbolicEntropy,
    Regression,
    SaddlePath,
    Trajectory,
    Verdict,
    mirror_flow,
    plotting,
    saddle_to_saddle,
)
from implicit_bias.claims.judge import from_residual


@dataclass(frozen=True)
class Settings:
    """Random regressions whose solutions are dense, and the scales.

    Attributes:
        d: Number of observations.
        n: Number of weights.
        shown: The seed of the regression whose path is drawn.
        seeds: How many regressions are compared.
        sizes: log(1/a), increasing.
        drawn: Those of them at which weights are drawn.
        points: How many times of the drawn path are kept.
    """

    d: int = 6
    n: int = 12
    shown: int = 2
    seeds: int = 9
    sizes: Sequence[float] = (50.0, 200.0, 1000.0, 5000.0, 20_000.0)
    drawn: Sequence[float] = (50.0, 1000.0)
    points: int = 400


QUICK = Settings(seeds=2, sizes=(50.0, 1000.0, 20_000.0), points=200)
BISECTIONS = 36
LONG = 0.1  # a wait in τ after which a plateau is compared with the flow
STEP_COLOUR = plotting.COLOURS["projection"]


def compute(settings: Settings, sweep: Sweep) -> Data:
    """The drawn path with flows on it, and jump times and plateaus of flows for every regression."""
    shape = {"d": settings.d, "n": settings.n}
    one = {**shape, "seed": settings.shown, "sizes": list(settings.sizes), "points": settings.points}
    (shown,) = sweep(drawn_path, [one], "saddles: the drawn path")
    grid = [{**shape, "seed": seed, "sizes": list(settings.sizes)} for seed in range(settings.seeds)]
    found = sweep(measured, grid, "saddles: flows")
    across = {key: np.stack([each[key] for each in found]) for key in found[0]}
    return shown | across | {"sizes": np.array(settings.sizes), "drawn": np.array(settings.drawn)}


def regression(d: int, n: int, seed: int) -> Regression:
    """Gaussian data and observations, so that no solution is sparser than d weights."""
    rng = np.random.default_rng(seed)
    return Regression(rng.standard_normal((d, n)), rng.standard_normal(d))


def _end(path: SaddlePath) -> float:
    """The last τ that is looked at."""
    return float(1.15 * path.times[-1])


def _flow(problem: Regression, size: float, tau: float | np.ndarray, dense: bool = False) -> Trajectory:
    """The dual flow at log(1/a) = size, at times τ."""
    potential = HyperbolicEntropy(log_scale=-size)
    return mirror_flow(problem, potential, t=np.multiply(tau, size), rtol=1e-10, atol=1e-12, dense=dense)


def drawn_path(d: int, n: int, seed: int, sizes: Sequence[float], points: int) -> Data:
    """The path, and the weights of the flow at each scale on a grid of τ that is finer around jumps."""
    problem = regression(d, n, seed)
    path = saddle_to_saddle(problem)
    near = path.times[:, None] + np.linspace(-0.1, 0.1, 41) * path.times[0]
    tau = np.unique(np.concatenate([np.linspace(0, _end(path), points), near.ravel()]))
    tau = tau[tau > 0]
    flows = [_flow(problem, size, tau) for size in sizes]
    return {
        "tau": tau,
        "flow": np.stack([flow.x for flow in flows]).astype(np.float32),
        "flow_loss": np.stack([flow.loss for flow in flows]),
        "times": path.times,
        "plateaus": path.x,
        "plateau_loss": path.loss,
    }


def measured(d: int, n: int, seed: int, sizes: Sequence[float]) -> Data:
    """How far jumps and plateaus of the flows at all scales are from the path, and the path's end from its L1 norm."""
    problem = regression(d, n, seed)
    path = saddle_to_saddle(problem)
    end = _end(path)
    borders = np.append(path.times, end)
    is_long = np.diff(borders) > LONG
    middles = (borders[:-1] + borders[1:])[is_long] / 2
    errors, gaps = [], []
    for size in sizes:
        flow = _flow(problem, size, end, dense=True)
        levels = (path.loss[:-1] + path.loss[1:]) / 2
        jumps = np.array([_passes(flow, level, end * size) for level in levels]) / size
        errors.append(np.max(np.abs(jumps - path.times)))
        gaps.append(np.max(np.abs(flow.at(middles * size).x - path.x[1:][is_long])))
    basis_pursuit = linprog(np.ones(2 * n), A_eq=np.hstack([problem.Z, -problem.Z]), b_eq=problem.y).x
    return {
        "time_error": np.array(errors),
        "plateau_gap": np.array(gaps),
        "jumps": np.array(len(path.times)),
        "bound": np.array(np.max(path.error_bound)),
        "l1_gap": np.array(np.max(np.abs(path.x[-1] - basis_pursuit[:n] + basis_pursuit[n:]))),
    }


def _passes(flow: Trajectory, level: float, end: float) -> float:
    """The flow time at which the loss, which falls, passes a level."""
    low, high = 0.0, end
    for _ in range(BISECTIONS):
        middle = (low + high) / 2
        low, high = (middle, high) if flow.at([middle]).loss[0] > level else (low, middle)
    return (low + high) / 2


def draw(data: Data) -> Figure:
    """Weights and loss along the drawn path, and how its jumps and plateaus are approached."""
    figure, axes = plt.subplots(2, 2, figsize=(7.2, 5.4), layout="constrained")
    _draw_weights(axes[0, 0], data)
    _draw_loss(axes[0, 1], data)
    _draw_errors(axes[1, 0], data)
    _draw_gaps(axes[1, 1], data)
    return figure


def _power(size: float) -> str:
    return f"$\\log a = -{size:,.0f}$".replace(",", "\\,")


def _steps(axes: Axes, data: Data, values: np.ndarray, **look: Any) -> None:
    at = np.concatenate([[0.0], data["times"], data["tau"][-1:]])
    axes.plot(at, np.append(values, values[-1]), drawstyle="steps-post", color=STEP_COLOUR, **look)


def _draw_weights(axes: Axes, data: Data) -> None:
    for i in np.flatnonzero(np.any(data["plateaus"] != 0, axis=0)):
        _steps(axes, data, data["plateaus"][:, i], lw=2.6, alpha=0.35)
    axes.plot([], [], color=STEP_COLOUR, lw=2.6, alpha=0.35, label="saddles")
    for size, style in zip(data["drawn"], (":", "-"), strict=False):
        k = int(np.argmin(np.abs(data["sizes"] - size)))
        lines = axes.plot(data["tau"], data["flow"][k], color=plotting.COLOURS["flow"], lw=0.8, ls=style)
        lines[0].set_label(f"flow, {_power(size)}")
    low, high = axes.get_ylim()
    axes.set_ylim(low, high + 0.3 * (high - low))
    axes.legend(loc="upper right")
    axes.set(xlabel=r"$\tau = t\,/\,\log(1/a)$", ylabel="weights", title="Weights jump from saddle to saddle")


def _draw_loss(axes: Axes, data: Data) -> None:
    floor = data["plateau_loss"][-2] / 50
    _steps(axes, data, np.maximum(data["plateau_loss"], floor / 10), lw=2.6, alpha=0.35, label="saddles")
    for size, loss, colour in zip(data["sizes"], data["flow_loss"], plotting.sequence(len(data["sizes"])), strict=True):
        axes.plot(data["tau"], np.maximum(loss, floor / 10), color=colour, lw=0.9, label=f"flow, {_power(size)}")
    axes.set(yscale="log", ylim=(floor, 2 * data["plateau_loss"][0]), xlabel=r"$\tau = t\,/\,\log(1/a)$")
    axes.set(ylabel="loss", title="The loss falls in steps")
    axes.legend(loc="lower left")


def _draw_errors(axes: Axes, data: Data) -> None:
    scaled = data["time_error"] * data["sizes"]
    axes.plot(data["sizes"], scaled.T, color=STEP_COLOUR, lw=0.7, alpha=0.6, marker="o", ms=2)
    axes.set(xscale="log", yscale="log", xlabel=r"$\log(1/a)$", ylabel=r"error in $\tau$ $\times\;\log(1/a)$")
    axes.set_title("Jump times are off by O(1/log(1/a))")
    _count(axes, len(scaled))


def _draw_gaps(axes: Axes, data: Data) -> None:
    axes.plot(data["sizes"], data["plateau_gap"].T, color=STEP_COLOUR, lw=0.7, alpha=0.6, marker="o", ms=2)
    axes.set(xscale="log", yscale="log", xlabel=r"$\log(1/a)$", ylabel="largest difference of a weight")
    axes.set_title(f"In the middle of plateaus longer than {LONG:g}")
    _count(axes, len(data["plateau_gap"]))


def _count(axes: Axes, regressions: int) -> None:
    """Say what a line is, where there is room above them."""
    low, high = axes.get_ylim()
    axes.set_ylim(low, high * (high / low) ** 0.12)
    text = f"one line for each of {regressions} regressions"
    axes.text(
        0.97, 0.97, text, ha="right", va="top", transform=axes.transAxes, color=plotting.GREYS["note"], fontsize=7
    )


def claims(data: Data) -> list[Claim]:
    """What theory expects of these flows."""

    def jump_times() -> Verdict:
        scaled = data["time_error"] * data["sizes"]
        growth = float(np.max(scaled[:, -1] / np.max(scaled[:, :-1], axis=1)))
        return from_residual(
            growth, 1.25,
            f"Over {len(scaled)} regressions the error in τ times log(1/a) is {np.min(scaled[:, -1]):.2g} to "
            f"{np.max(scaled[:, -1]):.2g} at log a = −{data['sizes'][-1]:g}, at most {growth:.3f} times as large as at "
            "larger scales.",
            tolerance_reason="At larger scales the next order in 1/log(1/a) is not small.",
        )  # fmt: skip

    def plateaus() -> Verdict:
        worst = float(np.max(data["plateau_gap"][:, -1]))
        return from_residual(
            worst, 1e-6,
            f"In the middle of plateaus longer than {LONG:g} the weights at log a = −{data['sizes'][-1]:g} are within "
            f"{worst:.0e} of the saddles.",
            tolerance_reason="The dual flow is integrated to a relative 1e-10, and ν has the size of log a.",
        )  # fmt: skip

    def basis_pursuit() -> Verdict:
        worst = float(np.max(data["l1_gap"]))
        return from_residual(
            worst, 1e-7, f"All {len(data['l1_gap'])} paths end within {worst:.0e} of a linear program (HiGHS).",
            tolerance_reason="The linear program is solved to about 1e-9.",
        )  # fmt: skip

    source = "Pesme & Flammarion, Saddle-to-saddle dynamics in diagonal linear networks, NeurIPS 2023, as summarized"
    return [
        Claim("saddles/jump-times", r"|\tau_k(a) - \tau_k| = O(1/\log\tfrac1a)", "this project",
              uses=("saddle-to-saddle/algorithm",), check=jump_times),
        Claim("saddles/plateaus", r"x_{\tau \log(1/a)} \to x_k \text{ between jumps}", source,
              uses=("saddle-to-saddle/algorithm",), check=plateaus),
        Claim("saddles/basis-pursuit", r"\text{the path ends at } \operatorname{argmin}\{\|x\|_1 : Zx = y\}", source,
              uses=("saddle-to-saddle/minimum-norm",), check=basis_pursuit),
    ]  # fmt: skip


EXPERIMENT = Experiment(
    name="saddles",
    title="As the scale vanishes, the flow jumps from saddle to saddle",
    caption=(
        "Weights and loss of x = m ⊙ w against τ = t/log(1/a): the saddles, computed without a flow, and the dual flow "
        "at several scales a. Below, how far jumps of the loss and weights between jumps are from them, over random "
        "regressions with 6 observations of 12 weights."
    ),
    expectation=(
        "Literature: the flow tends to a path of jumps between minimizers on supports that an algorithm gives (Pesme "
        "and Flammarion, 2023), which ends at the least L1 norm. Theory: jump times are off by a constant in flow "
        "time, so by O(1/log(1/a)) in τ."
    ),
    configuration={"default": Settings(), "quick": QUICK},
    compute=compute,
    draw=draw,
    claims=claims,
)
