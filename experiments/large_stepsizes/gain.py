r"""The shape of the gain: which weights large steps and single observations move towards sparsity, and how far.

The setting is that of Even et al.: 50 observations of 100 weights, four of which are ±100, from u = v = 0.1, where
:math:`x = (u^2 - v^2)/2`, in 10,000 steps of 1e-3. Gain and shift are those of the products over the steps.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from experiments.ends import misfit
from experiments.engine import Data, Sweep
from experiments.excess import excess
from experiments.experiment import Experiment
from implicit_bias import (
    Claim,
    HyperbolicEntropy,
    Parameterization,
    Regression,
    Trajectory,
    Verdict,
    descent,
    mirror_flow,
    plotting,
)
from implicit_bias.claims.judge import from_residual

MASK, REGULARIZER = Parameterization("m*w", ["m", "w"]), "m**2 + w**2"


@dataclass(frozen=True)
class Settings:
    """A regression with few large weights, and three trainings.

    Attributes:
        d: Number of observations.
        n: Number of weights.
        support: Number of non-zero weights of the truth, the first ones.
        size: Their magnitude; their signs alternate.
        seed: Of the data.
        start: u = v at the start.
        step: η.
        steps: Their number.
        seeds: How many runs with single observations.
        strength: Of the decay in the third training.
        records: How often gains are recorded.
    """

    d: int = 50
    n: int = 100
    support: int = 4
    size: float = 100.0
    seed: int = 0
    start: float = 0.1
    step: float = 1e-3
    steps: int = 10_000
    seeds: int = 8
    strength: float = 0.05
    records: int = 60


QUICK = Settings(d=15, n=30, support=2, size=30.0, steps=2000, seeds=2, records=12)
NAMES = ("gd", "sgd", "decay")
POINTS_OF_THE_FLOW = 4000
RUN_COLOUR, PREDICTED_COLOUR = plotting.COLOURS["run"], plotting.COLOURS["prediction"]


def compute(settings: Settings, sweep: Sweep) -> Data:
    """Gain and shift of three trainings, and the gains that integrals along the flow predict."""
    names = ("d", "n", "support", "size", "seed", "start", "step", "steps")
    shared = {name: getattr(settings, name) for name in names}
    more = {"seeds": settings.seeds, "strength": settings.strength, "records": settings.records}
    grid = [{"name": name, **shared, **more} for name in NAMES]
    trained = sweep(gains, grid, "gain: training")
    (predicted,) = sweep(predictions, [shared], "gain: prediction")
    found = {f"{name}_{key}": value for name, each in zip(NAMES, trained, strict=True) for key, value in each.items()}
    on_support = np.arange(settings.n) < settings.support
    return found | predicted | {"support": on_support, "steps": np.array(settings.steps)}


def regression(d: int, n: int, support: int, size: float, seed: int) -> Regression:
    """Gaussian data, and observations of a few large weights without noise."""
    Z, truth = np.random.default_rng(seed).standard_normal((d, n)), np.zeros(n)
    truth[:support] = size * (-1.0) ** np.arange(support)
    return Regression(Z, Z @ truth, truth=truth)


def gains(
    name: str, d: int, n: int, support: int, size: float, seed: int, start: float, step: float, steps: int, seeds: int,
    strength: float, records: int,
) -> Data:  # fmt: skip
    """Gain and shift over the steps from the products, shape (records, runs, n), and how well the ends agree."""
    problem = regression(d, n, support, size, seed)
    model = MASK.with_regularizer(REGULARIZER) if name == "decay" else MASK
    runs = descent(
        problem, model, {"m": np.sqrt(2) * start, "w": 0.0}, np.full(seeds if name == "sgd" else 1, step), steps,
        schedule=strength if name == "decay" else None, batch_size=1 if name == "sgd" else None,
        record=np.unique(np.geomspace(1, steps, records).round().astype(int)),
    )  # fmt: skip
    decayed = np.log(start**2) - 4 * runs.decay[..., None]
    gain, shift = decayed - runs.products["log_scale"], runs.products["shift"]
    deviation, rounding = zip(*(_agreement(runs, run) for run in range(runs.x.shape[1])), strict=True)
    return {
        "recorded": np.asarray(runs.steps),
        "gain": gain[-1].mean(axis=0),
        "least_gain": gain[-1].min(axis=0),
        "largest_gain": gain[-1].max(axis=0),
        "shift": np.abs(shift[-1]).mean(axis=0),
        "mean_gain_on": gain[:, :, :support].mean(axis=(1, 2)),
        "mean_gain_off": gain[:, :, support:].mean(axis=(1, 2)),
        "misfit": misfit(problem, runs.x[-1]),
        "deviation": np.array(max(deviation)),
        "rounding": np.array(max(rounding)),
    }


def _agreement(runs: Trajectory, run: int) -> tuple[float, float]:
    """How far log-scale and shift from the end are from the products, and what rounding of m ± w leaves of them."""
    potential = runs.potential(-1, run)
    assert isinstance(potential, HyperbolicEntropy)  # noqa: S101 - as of every mask
    pairs = ((potential.log_scale, "log_scale"), (potential.shift, "shift"))
    deviation = max(float(np.abs(value - runs.products[name][-1, run]).max()) for value, name in pairs)
    m, w = (np.abs(runs.parameters[name][-1, run]) for name in ("m", "w"))
    walk = np.sqrt(int(np.asarray(runs.steps)[-1]))
    return deviation, float(np.finfo(float).eps * walk * np.max((m + w) / np.abs(m - w)))


def predictions(d: int, n: int, support: int, size: float, seed: int, start: float, step: float, steps: int) -> Data:
    """The gains of plain steps, η∫g² dt along the flow, and of single observations, η∫E g_B² dt."""
    problem = regression(d, n, support, size, seed)
    end = step * steps
    times = np.concatenate([[0.0], np.geomspace(1e-5 * end, end, POINTS_OF_THE_FLOW)])
    flow = mirror_flow(problem, HyperbolicEntropy(scale=start**2), t=times)
    errors = flow.x @ problem.Z.T - problem.y
    return {
        "gd_predicted": step * np.trapezoid((errors @ problem.Z / d) ** 2, flow.t, axis=0),
        "sgd_predicted": step * np.trapezoid(errors**2 @ problem.Z**2 / d, flow.t, axis=0),
    }


def draw(data: Data) -> Figure:
    """Gains by weight, their growth over the steps, and shifts by weight."""
    figure, axes = plt.subplots(2, 2, figsize=(7.2, 5.4), layout="constrained")
    _draw_gains(axes[0, 0], data, "gd", "Gradient descent: the support gains most")
    _draw_gains(axes[0, 1], data, "sgd", "Single observations: all weights gain")
    _draw_growth(axes[1, 0], data)
    _draw_shifts(axes[1, 1], data)
    return figure


def _sides(data: Data) -> tuple[tuple[np.ndarray, str], ...]:
    return (data["support"], "s"), (~data["support"], "o")


def _draw_gains(axes: Axes, data: Data, name: str, title: str) -> None:
    weights = np.arange(1, len(data["support"]) + 1)
    gain = data[f"{name}_gain"]
    for side, marker in _sides(data):
        axes.plot(weights[side], data[f"{name}_predicted"][side], marker, ms=4.5, mfc="none", color=PREDICTED_COLOUR)
        if name == "sgd":
            axes.vlines(weights[side], data["sgd_least_gain"][side], data["sgd_largest_gain"][side], color=RUN_COLOUR,
                        lw=0.5, alpha=0.5)  # fmt: skip
        axes.plot(weights[side], gain[side], marker, ms=2.5, color=RUN_COLOUR)
    on, off = gain[data["support"]].mean(), gain[~data["support"]].mean()
    axes.text(0.97, 0.95, f"mean on the support (squares) {on:#.2g},\noff it {off:#.2g}", transform=axes.transAxes,
              ha="right", va="top", color=RUN_COLOUR)  # fmt: skip
    axes.text(0.97, 0.78, "hollow: predicted by the integral along the flow", transform=axes.transAxes, ha="right",
              va="top", color=PREDICTED_COLOUR)  # fmt: skip
    low, high = min(gain.min(), data[f"{name}_predicted"].min()), max(gain.max(), data[f"{name}_predicted"].max())
    axes.set(
        yscale="log",
        ylim=(0.7 * low, high * (high / low) ** 0.6),
        xlabel="index of the weight",
        ylabel=r"gain, the fall of $\log a$",
        title=title,
    )


def _draw_growth(axes: Axes, data: Data) -> None:
    for name, text in (("gd", "gradient descent"), ("sgd", "single observations")):
        for side, style in (("on", "-"), ("off", "--")):
            axes.plot(data[f"{name}_recorded"], data[f"{name}_mean_gain_{side}"], color=RUN_COLOUR, ls=style, lw=1.2)
        last = data[f"{name}_recorded"][-1], data[f"{name}_mean_gain_on"][-1]
        axes.annotate(text, last, (0, 3), textcoords="offset points", ha="right", va="bottom", color=RUN_COLOUR)
    axes.set(xscale="log", yscale="log", xlabel="steps", ylabel=r"mean gain, the fall of $\log a$")
    axes.set_ylim(top=2 * axes.get_ylim()[1])
    axes.set_title("Mean gain: solid on the support, dashed off it")


def _draw_shifts(axes: Axes, data: Data) -> None:
    weights = np.arange(1, len(data["support"]) + 1)
    # All three are shifts of runs, so they share the runs' colour; markers are those of the figure on ends of runs.
    looks = (("sgd", "p", RUN_COLOUR, "single observations"), ("decay", "D", "none", "with decay"),
             ("gd", "o", RUN_COLOUR, "gradient descent"))  # fmt: skip
    for name, marker, fill, text in looks:
        axes.plot(weights, data[f"{name}_shift"], marker, ms=3, mew=0.7, color=RUN_COLOUR, mfc=fill, label=text)
    axes.set(
        yscale="log", xlabel="index of the weight", ylabel=r"shift $|b_k - b_0|$", title="The shift of each weight"
    )
    low, high = axes.get_ylim()
    axes.set_ylim(low, high * (high / low) ** 0.2)
    axes.legend(loc="upper right", ncols=3, fontsize=6.5, handletextpad=0, columnspacing=0.5)


def claims(data: Data) -> list[Claim]:
    """The claims of theory and of Even et al. on gains."""
    support = data["support"]

    def means(name: str) -> tuple[float, float]:
        return float(data[f"{name}_gain"][support].mean()), float(data[f"{name}_gain"][~support].mean())

    def agreement() -> Verdict:
        shares = [float(data[f"{name}_deviation"] / data[f"{name}_rounding"]) for name in NAMES]
        found = ", ".join(f"{name} {data[f'{name}_deviation']:.0e}" for name in NAMES)
        return from_residual(
            max(shares), 10.0,
            f"Log-scale and shift from the products and from the ends differ by at most {found}.",
            tolerance_reason="In units of eps √steps (m + w)/|m − w|, the rounding of a factor far below m and w.",
        )  # fmt: skip

    def on_the_support() -> Verdict:
        (on, off), (noisy_on, noisy_off) = means("gd"), means("sgd")
        return from_residual(
            excess(off - on, noisy_off - noisy_on, (noisy_on / noisy_off) - on / off), 0.0,
            f"Mean gain on and off the support: {on:.3f} and {off:.4f} for gradient descent, {noisy_on:.2f} and "
            f"{noisy_off:.2f} for single observations, which is more uniform.",
            tolerance_reason="The signs of three differences.",
        )  # fmt: skip

    def noise_adds() -> Verdict:
        least = float(np.min(data["sgd_gain"] / data["gd_gain"]))
        return from_residual(
            excess(1 - least), 0.0,
            f"With single observations every weight gains more, {least:.1f} times as much or more.",
            tolerance_reason="The sign of a difference.",
        )  # fmt: skip

    def predicted() -> Verdict:
        worst = float(np.max(np.abs(data["gd_predicted"] / data["gd_gain"] - 1)))
        noisy = float(np.mean(data["sgd_predicted"] / data["sgd_gain"]))
        return from_residual(
            worst, 0.1,
            f"For gradient descent the integral along the flow is within {worst:.1%} of the gain of every weight; for "
            f"single observations, whose gains are not small, it is {noisy:.2f} of them on average.",
            tolerance_reason="The next order in the step, which the largest slopes make a few per cent.",
        )  # fmt: skip

    even = "Even et al., (S)GD over diagonal linear networks, NeurIPS 2023, as summarized"
    return [
        Claim("gain/agreement", r"\log a_k,\ b_k \text{ from products} = \text{from the end}", "this project",
              uses=("ours/training-identity",), check=agreement),
        Claim("gain/on-the-support", r"\text{more gain on the support; SGD's is more uniform}", even,
              check=on_the_support, observation=True),
        Claim("gain/noise-adds", r"\mathrm{Gain}_{\mathrm{SGD}} > \mathrm{Gain}_{\mathrm{GD}}", even,
              uses=("large-stepsizes/noise-adds-gain",), check=noise_adds),
        Claim("gain/predicted", r"\mathrm{Gain} \approx \eta\int g^2\,dt", "this project", check=predicted),
    ]  # fmt: skip


EXPERIMENT = Experiment(
    name="gain",
    title="The shape of the gain: what large steps and single observations do to each weight",
    caption=(
        "50 observations of 100 weights, four of them ±100. Above, the gain of each weight after 10,000 steps of 1e-3, "
        "which are not yet the end, with all observations and with one a step (mean and range of eight runs), beside "
        "integrals along the flow. Below, mean gains over the steps, and the shift of each weight."
    ),
    expectation=(
        "Theory: gains from the products over the steps are those of the ends; noise adds gain; for small gains the "
        "integral along the flow predicts them. Literature: gradient descent gains on the support, which hurts "
        "recovery, SGD more uniformly (Even et al., 2023)."
    ),
    configuration={"default": Settings(), "quick": QUICK},
    compute=compute,
    draw=draw,
    claims=claims,
)
