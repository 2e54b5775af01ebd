r"""Where and how fast the limits of a vanishing scale are reached: rate, degenerate faces, and averages over time.

The limit x(a) of the flow at scale a is a Bregman projection. If the solution x* of least L1 norm is unique, the
distance is :math:`a^{1-\varrho}` with the null-space constant ϱ of a linear program. If it is not, the limit is the
point of least entropy :math:`\sum |x_i|\log|x_i| - b_ix_i` among them, with the shift b of the start. And the average
of the path over time is a minimizer of the Lasso with strength 1/(2τ), as long as no weight returns to zero.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy.optimize import minimize, root

from derivations.null_space_rate.rates import instances
from experiments.engine import Data, Sweep
from experiments.experiment import Experiment
from experiments.ours.saddles import regression
from implicit_bias import (
    Claim,
    HyperbolicEntropy,
    Regression,
    Verdict,
    bregman_projection,
    mirror_flow,
    plotting,
    saddle_to_saddle,
    transition,
)
from implicit_bias.claims.judge import from_residual


@dataclass(frozen=True)
class Settings:
    """How many instances there are, and the scales.

    Attributes:
        unique: Number of regressions with a unique L1 minimizer.
        faces: Number of regressions with a face of them.
        log_scales: log a at which limits are found, decreasing.
        seed: Of the regression whose averages are drawn; no weight of its path returns.
        sizes: log(1/a) of the flows that are averaged, increasing.
        points: Number of times of the averages.
    """

    unique: int = 12
    faces: int = 12
    log_scales: Sequence[float] = (-2.0, -5.0, -10.0, -20.0, -40.0, -80.0, -150.0, -300.0)
    seed: int = 7
    sizes: Sequence[float] = (100.0, 1000.0)
    points: int = 40


QUICK = Settings(unique=3, faces=3, points=12)
COLOUR = plotting.COLOURS["projection"]
SLOPE_TOLERANCE = 1e-3
SMALLEST = np.finfo(float).tiny  # a weight that another machine rounds to zero has a logarithm, too
D, N, FACE = 3, 9, 6  # of a degenerate regression: observations, weights, and those that L1 minimizers may use


def compute(settings: Settings, sweep: Sweep) -> Data:
    """Distances at all scales, constants, and averages over time."""
    (rates,) = sweep(
        approach, [{"count": settings.unique, "log_scales": list(settings.log_scales)}], "vanishing: rates"
    )
    grid = [{"seed": seed, "log_scales": list(settings.log_scales)} for seed in range(settings.faces)]
    faces = sweep(face, grid, "vanishing: faces")
    one = {"seed": settings.seed, "sizes": list(settings.sizes), "points": settings.points}
    (averages,) = sweep(averaged, [one], "vanishing: averages")
    found = {key: np.stack([each[key] for each in faces]) for key in faces[0]}
    return rates | found | averages | {"log_scales": np.array(settings.log_scales), "sizes": np.array(settings.sizes)}


def approach(count: int, log_scales: Sequence[float]) -> Data:
    """The largest weight off the support of the L1 minimizer at each scale, and ϱ by linear programs."""
    chosen = list(instances(count))
    off = []
    for each in chosen:
        path = transition(Regression(each.Z, each.y), log_scales=list(log_scales))
        off.append(np.max(np.abs(path.x[:, each.off]), axis=1))
    return {"off": np.stack(off), "constant": np.array([each.constant for each in chosen])}


def degenerate(seed: int) -> tuple[Regression, np.ndarray]:
    """A regression whose L1 minimizers are a face, and the shifts of a start.

    With ν = (1, 0, …) the first row of Z is Zᵀν: it holds the signs of the weights that minimizers may use, and numbers
    of size below 0.8 elsewhere. So every x with these signs, Zx = y and no other weights is a minimizer.
    """
    rng = np.random.default_rng(seed)
    signs = rng.choice([-1.0, 1.0], FACE)
    Z = rng.standard_normal((D, N))
    Z[0, :FACE], Z[0, FACE:] = signs, rng.uniform(-0.8, 0.8, N - FACE)
    truth = np.zeros(N)
    truth[:FACE] = signs * rng.uniform(0.3, 1.5, FACE)
    return Regression(Z, Z @ truth, truth=truth), rng.uniform(-1, 1, N)


def face(seed: int, log_scales: Sequence[float]) -> Data:
    """How far limits are from the point of least entropy on the face, and from a face's other points."""
    problem, shift = degenerate(seed)
    expected = least_entropy(problem, shift)
    ends = [
        bregman_projection(problem, HyperbolicEntropy(log_scale=log_scale, shift=shift)).x for log_scale in log_scales
    ]
    unshifted = least_entropy(problem, np.zeros(N))
    return {
        "face_gap": np.array([np.linalg.norm(x - expected) for x in ends]),
        "other_gap": np.array(np.linalg.norm(ends[-1] - unshifted)),
    }


def least_entropy(problem: Regression, shift: np.ndarray) -> np.ndarray:
    """The minimizer of Σ |x| log|x| − b·x over the face, by SciPy from the convex dual of these few weights."""
    columns, sign, b = problem.Z[:, :FACE], problem.Z[0, :FACE], shift[:FACE]

    def weights(mu: np.ndarray) -> np.ndarray:
        return sign * np.exp(sign * (columns.T @ mu + b) - 1)

    def misfit(mu: np.ndarray) -> np.ndarray:
        return columns @ weights(mu) - problem.y

    def bend(mu: np.ndarray) -> np.ndarray:
        return columns * np.abs(weights(mu)) @ columns.T

    def value(mu: np.ndarray) -> float:
        return float(np.sum(np.abs(weights(mu))) - problem.y @ mu)

    near = minimize(value, np.zeros(D), jac=misfit, hess=bend, method="trust-exact", options={"gtol": 1e-6}).x
    x = np.zeros(N)
    x[:FACE] = weights(root(misfit, near, jac=bend, tol=1e-14).x)  # values near the minimum are flat to rounding
    return x


def averaged(seed: int, sizes: Sequence[float], points: int) -> Data:
    """Averages over time of the path of saddles and of flows, and Lasso minimizers, at many τ."""
    problem = regression(6, 12, seed)
    path = saddle_to_saddle(problem)
    tau = np.geomspace(0.5 * path.times[0], 1.5 * path.times[-1], points)
    borders = np.minimum(np.append(path.times, np.inf), tau[:, None])
    spans = np.diff(np.hstack([np.zeros((points, 1)), borders]), axis=1)
    flows = []
    for size in sizes:
        grid = np.unique(np.concatenate([np.linspace(0, tau[-1], 4000), tau]))[1:]
        x = mirror_flow(problem, HyperbolicEntropy(log_scale=-size), t=grid * size, rtol=1e-9, atol=1e-11).x
        steps = np.diff(grid, prepend=0.0)[:, None]
        sums = np.cumsum(steps * (x + np.vstack([np.zeros(problem.n), x[:-1]])) / 2, axis=0)
        flows.append(sums[np.searchsorted(grid, tau)] / tau[:, None])
    return {
        "tau": tau,
        "average": spans @ path.x / tau[:, None],
        "flow_average": np.stack(flows),
        "lasso": np.stack([lasso(problem, 1 / (2 * at)) for at in tau]),
    }


def lasso(problem: Regression, strength: float) -> np.ndarray:
    """The minimizer of the loss plus strength · ‖x‖₁: coordinate descent for the support, then its linear equations."""
    Z, y, d = problem.Z, problem.y, problem.d
    x, squares = np.zeros(problem.n), np.sum(Z**2, axis=0) / d
    rest = y.copy()
    for _ in range(4000):
        before = x.copy()
        for i in range(len(x)):
            pull = Z[:, i] @ rest / d + squares[i] * x[i]
            new = np.sign(pull) * max(abs(pull) - strength, 0.0) / squares[i]
            rest -= Z[:, i] * (new - x[i])
            x[i] = new
        if np.max(np.abs(x - before)) < 1e-13:
            break
    support = np.flatnonzero(x)
    chosen = Z[:, support]
    x[support] = np.linalg.solve(chosen.T @ chosen, chosen.T @ y - d * strength * np.sign(x[support]))
    return x


def draw(data: Data) -> Figure:
    """Distances and slopes of unique minimizers, distances on faces, and averages on the Lasso path."""
    figure, axes = plt.subplots(2, 2, figsize=(7.2, 5.4), layout="constrained")
    _draw_approach(axes[0, 0], data)
    _draw_slopes(axes[0, 1], data)
    _draw_faces(axes[1, 0], data)
    _draw_averages(axes[1, 1], data)
    return figure


def _slopes(data: Data) -> np.ndarray:
    """The slopes of log of the largest weight off the support in log a, between the last two scales."""
    logs = np.log(np.maximum(data["off"][:, -2:], SMALLEST))
    return np.diff(logs, axis=1)[:, 0] / np.diff(data["log_scales"][-2:])[0]


def _draw_approach(axes: Axes, data: Data) -> None:
    at = data["log_scales"] / np.log(10)
    axes.plot(at, np.log10(np.maximum(data["off"], SMALLEST)).T, color=COLOUR, lw=0.8, marker="o", ms=2)
    axes.xaxis.set_inverted(True)
    axes.set(xlabel=r"$\log_{10}\,a$", ylabel=r"$\log_{10}$ of the largest weight off the support")
    axes.set_title("One L1 minimizer: a power of a")
    axes.text(0.03, 0.03, f"one line for each of {len(data['off'])} regressions", transform=axes.transAxes, fontsize=7,
              color=plotting.GREYS["note"])  # fmt: skip


def _draw_slopes(axes: Axes, data: Data) -> None:
    end = 1.1 * max(float(np.max(1 - data["constant"])), float(np.max(_slopes(data))))
    axes.plot([0, end], [0, end], color=plotting.GREYS["note"], lw=0.6)
    axes.plot(1 - data["constant"], _slopes(data), "o", color=COLOUR, ms=4)
    axes.set(xlabel=r"$1 - \varrho$ by a linear program", ylabel="measured exponent", xlim=(0, end), ylim=(0, end))
    axes.set_title("The power is the null-space rate")


def _draw_faces(axes: Axes, data: Data) -> None:
    gaps = np.maximum(data["face_gap"], 1e-16)
    axes.plot(data["log_scales"] / np.log(10), gaps.T, color=COLOUR, lw=0.8, marker="o", ms=2)
    axes.xaxis.set_inverted(True)
    axes.set(yscale="log", xlabel=r"$\log_{10}\,a$", ylabel="distance to the point of least entropy")
    axes.set_title("A face of L1 minimizers: the entropy chooses")


def _draw_averages(axes: Axes, data: Data) -> None:
    for i in np.flatnonzero(np.any(np.abs(data["lasso"]) > 1e-9, axis=0)):
        axes.plot(data["tau"], data["lasso"][:, i], color=plotting.COLOURS["basis pursuit"], lw=2.4, alpha=0.4)
        axes.plot(data["tau"], data["flow_average"][-1][:, i], ".", color=plotting.COLOURS["flow"], ms=3)
    axes.plot(
        [], [], color=plotting.COLOURS["basis pursuit"], lw=2.4, alpha=0.4, label=r"Lasso of strength $1/(2\tau)$"
    )
    label = f"average up to τ, $\\log a = -{data['sizes'][-1]:.0f}$"
    axes.plot([], [], ".", color=plotting.COLOURS["flow"], ms=3, label=label)
    axes.set(xscale="log", xlabel=r"$\tau = t\,/\,\log(1/a)$", ylabel="weights")
    axes.set_title("Averages over time are on the Lasso path")
    low, high = axes.get_ylim()
    axes.set_ylim(low, high + 0.2 * (high - low))
    axes.legend(loc="upper left")


def claims(data: Data) -> list[Claim]:
    """What theory expects of these limits and averages."""

    def rate() -> Verdict:
        worst = float(np.max(np.abs(_slopes(data) - (1 - data["constant"]))))
        ends = data["log_scales"][-2:]
        return from_residual(
            worst, SLOPE_TOLERANCE,
            f"Slopes between log a = {ends[0]:g} and {ends[1]:g} over {len(data['constant'])} instances are within "
            f"{worst:.0e} of 1 − ϱ, which is {1 - data['constant'].max():.2f} to {1 - data['constant'].min():.2f}.",
            tolerance_reason="The next order is smaller by a power of a, which is below 1e-3 at these scales.",
        )  # fmt: skip

    def entropy() -> Verdict:
        worst, other = float(np.max(data["face_gap"][:, -1])), float(np.min(data["other_gap"]))
        return from_residual(
            worst, 1e-9,
            f"Over {len(data['face_gap'])} faces of L1 minimizers the limits at log a = {data['log_scales'][-1]:g} are "
            f"within {worst:.0e} of the point of least entropy with their shifts, and {other:.2f} or more from that "
            "without.",
            tolerance_reason="The equations of the least entropy are solved to about 1e-13.",
        )  # fmt: skip

    def averages() -> Verdict:
        worst = float(np.max(np.abs(data["average"] - data["lasso"])))
        return from_residual(
            worst, 1e-9,
            f"At {len(data['tau'])} times τ the average of the path of saddles is within {worst:.0e} of the Lasso "
            "minimizer of strength 1/(2τ), which coordinate descent finds.",
            tolerance_reason="The Lasso's equations are solved to rounding on the support that is found.",
        )  # fmt: skip

    def flow_averages() -> Verdict:
        gaps = np.max(np.abs(data["flow_average"] - data["lasso"]), axis=(1, 2)) * data["sizes"]
        growth = float(np.max(gaps[1:] / gaps[:-1]))
        return from_residual(
            growth, 1.5,
            f"Averages of flows are off by {', '.join(f'{gap:.2g}' for gap in gaps)} over log(1/a) at log(1/a) = "
            f"{', '.join(f'{size:g}' for size in data['sizes'])}.",
            tolerance_reason="The next order in 1/log(1/a) is not small at the larger scale.",
        )  # fmt: skip

    source = "this project"
    return [
        Claim("vanishing/rate", r"\|x(a) - x_*\| \asymp a^{1-\varrho}",
              "Matt & Stöger, Linear regression with overparameterized linear neural networks, 2025, as summarized",
              uses=("null-space-rate/depth-2",), check=rate),
        Claim("vanishing/entropy",
              r"x(a) \to \operatorname{argmin} \sum |x_i| \log |x_i| - b_i x_i \text{ over the L1 minimizers}",
              source, check=entropy),
        Claim("vanishing/averages",
              r"\tfrac1\tau \int_0^\tau x = \operatorname{argmin} f(x) + \tfrac{1}{2\tau} \|x\|_1",
              "Berthier, Diagonal linear networks and the Lasso regularization path, 2025, Theorem 2.1",
              uses=("dln-lasso-path/thm-2.1",), check=averages),
        Claim("vanishing/flow-averages", r"\text{averages of the flow are off by } O(1/\log\tfrac1a)", source,
              check=flow_averages),
    ]  # fmt: skip


EXPERIMENT = Experiment(
    name="vanishing",
    title="As the scale vanishes: the rate, the choice among L1 minimizers, and the Lasso path",
    caption=(
        "Above, limits of regressions with one L1 minimizer over the scale a, and their exponents beside the null-"
        "space rate. Below, limits of regressions with a face of L1 minimizers, from starts of random shifts b, and "
        "averages of a flow over time beside the Lasso path."
    ),
    expectation=(
        "Literature: the distance is a^(1 − ϱ) (Matt and Stöger, 2025), and averages over time are on the Lasso path "
        "if no weight returns (Berthier, 2025). Theory: on a face the limit minimizes Σ |x| log|x| − b·x."
    ),
    configuration={"default": Settings(), "quick": QUICK},
    compute=compute,
    draw=draw,
    claims=claims,
)
