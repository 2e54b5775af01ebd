r"""Where training with finite steps, momentum and mini-batches ends: the flow's limit, the prediction, the exact limit.

Steps are given as the coefficient c of the commutator that they leave: η for plain steps,
:math:`\eta(1+\beta)/(1-\beta)^2` for heavy ball and :math:`\eta(1-\beta+2\beta^2)/(1-\beta)^2` for Nesterov's variant.
With all observations, equal coefficients move the end of the same flow by the same distance, to first order.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from experiments.ends import misfit, own_limits, relative_distance
from experiments.engine import Data, Sweep
from experiments.excess import chosen, excess
from experiments.experiment import Experiment
from implicit_bias import (
    SGD,
    Claim,
    Parameterization,
    Regression,
    Verdict,
    descent,
    plotting,
    training_limit,
)
from implicit_bias.claims.judge import from_residual
from implicit_bias.schedule import Geometric

MASK, REGULARIZER = Parameterization("m*w", ["m", "w"]), "m**2 + w**2"


@dataclass(frozen=True)
class Training:
    """A way to train.

    Attributes:
        momentum: β.
        nesterov: Whether the momentum is Nesterov's.
        batch_size: Observations in a mini-batch; None for all.
        decays: Whether the parameters decay.
        finest: How many halvings of the largest coefficient are run, as far as the settings go.
        coarsest: How many of them are left out.
    """

    momentum: float = 0.0
    nesterov: bool = False
    batch_size: int | None = None
    decays: bool = False
    finest: int = 5
    coarsest: int = 0

    def step(self, coefficient: float) -> float:
        """The step η that leaves a coefficient."""
        beta = self.momentum
        return coefficient * (1 - beta) ** 2 / (1 - beta + 2 * beta**2 if self.nesterov else 1 + beta)


TRAININGS = {
    "gradient descent": Training(),
    "heavy ball 0.9": Training(momentum=0.9, finest=3),
    "Nesterov 0.9": Training(momentum=0.9, nesterov=True, finest=3),
    "with decay": Training(decays=True),
    "batches of 4": Training(batch_size=4, coarsest=1),
    "batches of 1": Training(batch_size=1, coarsest=2),
}
MARKERS = dict(zip(TRAININGS, "os^Dvp", strict=True))


@dataclass(frozen=True)
class Settings:
    """A regression, and runs over the step.

    Attributes:
        d: Number of observations.
        n: Number of weights.
        sparsity: Number of non-zero weights of the truth.
        seed: Of the regression.
        scale: a_0 of all runs, which start at x = 0.
        largest: The largest coefficient c; the others are halves of it.
        halvings: How often it is halved, as far as a training allows.
        time: Flow time of the runs.
        time_with_decay: The same with decay, at whose smaller scale the flow is slower.
        strength: Of the decay at the start.
        decay_time: Its time constant.
        seeds: How many runs with mini-batches.
    """

    d: int = 12
    n: int = 30
    sparsity: int = 3
    seed: int = 0
    scale: float = 0.05
    largest: float = 0.4
    halvings: int = 5
    time: float = 300.0
    time_with_decay: float = 600.0
    strength: float = 0.3
    decay_time: float = 2.0
    seeds: int = 32


QUICK = Settings(halvings=3, time=250.0, time_with_decay=400.0, seeds=16)
FITTED = 1e-10  # ‖Zx − y‖/‖y‖ of a run whose end is held against the limit of its own steps
LEAST_ADVANTAGE = 5.0  # of the prediction over the flow's limit
SMALL_COEFFICIENT = 0.11  # for which that is asked
FLOW_COLOUR, PREDICTED_COLOUR = plotting.COLOURS["flow"], plotting.COLOURS["prediction"]
OWN_COLOUR, RUN_COLOUR = plotting.COLOURS["projection"], plotting.COLOURS["run"]


def compute(settings: Settings, sweep: Sweep) -> Data:
    """The ends of all trainings for all coefficients, and their distances."""
    shared = {
        "problem": {"d": settings.d, "n": settings.n, "sparsity": settings.sparsity, "seed": settings.seed},
        "scale": settings.scale,
        "strength": settings.strength,
        "decay_time": settings.decay_time,
        "seeds": settings.seeds,
    }
    grid = [
        {
            **shared,
            "training": name,
            "coefficient": settings.largest / 2**k,
            "time": settings.time_with_decay if way.decays else settings.time,
        }
        for name, way in TRAININGS.items()
        for k in range(way.coarsest, min(settings.halvings, way.finest) + 1)
    ]
    rows = sweep(trained, grid, "runs")
    names = {"training": np.array([task["training"] for task in grid])}
    return names | {name: np.array([row[name] for row in rows]) for name in rows[0]}


def trained(
    problem: Mapping[str, int],
    scale: float,
    strength: float,
    decay_time: float,
    seeds: int,
    training: str,
    coefficient: float,
    time: float,
) -> Data:
    """One training at one step, with as many seeds as there are mini-batches to draw: means over the seeds."""
    regression, way = Regression.sample(**problem), TRAININGS[training]
    model = MASK.with_regularizer(REGULARIZER) if way.decays else MASK
    schedule = Geometric(strength, decay_time) if way.decays else None
    optimizer, init = SGD(way.momentum, nesterov=way.nesterov), {"m": float(np.sqrt(2 * scale)), "w": 0.0}
    step = way.step(coefficient)
    steps = int(np.ceil(time * (1 - way.momentum) / step))
    runs = descent(
        regression, model, init, np.full(1 if way.batch_size is None else seeds, step), steps, optimizer=optimizer,
        schedule=schedule, batch_size=way.batch_size, record=[steps],
    )  # fmt: skip
    predicted = training_limit(
        regression, model, init, step=step, optimizer=optimizer, batch_size=way.batch_size, schedule=schedule
    )
    own, truth = own_limits(regression, runs), np.asarray(regression.truth)
    x, size = runs.x[-1], np.linalg.norm(predicted.flow.x)
    return {
        "coefficient": np.array(coefficient),
        "step": np.array(step),
        "critical": np.array(predicted.critical_step),
        "steps": np.array(steps),
        "misfit": np.array(misfit(regression, x).max()),
        "from_flow": np.array(np.linalg.norm(x - predicted.flow.x, axis=1).mean() / size),
        "mean_from_flow": np.array(np.linalg.norm(x.mean(axis=0) - predicted.flow.x) / size),
        "mean_from_prediction": np.array(np.linalg.norm(x.mean(axis=0) - predicted.x) / size),
        "from_own": np.array(np.linalg.norm(x - own, axis=1).max() / size),
        "from_truth": np.array(relative_distance(x, truth).mean()),
        "flow_from_truth": np.array(relative_distance(predicted.flow.x, truth)),
    }


def of(data: Data, training: str, name: str) -> np.ndarray:
    """The values of one training, from the largest coefficient to the smallest."""
    return data[name][data["training"] == training]


def orders(data: Data) -> dict[str, float]:
    """The order of the prediction's error in the step, from the two finest steps of each training."""
    found = {}
    for training in TRAININGS:
        error, c = of(data, training, "mean_from_prediction"), of(data, training, "coefficient")
        found[training] = float(np.log(error[-2] / error[-1]) / np.log(c[-2] / c[-1]))
    return found


def draw(data: Data) -> Figure:
    """All distances over the coefficient, the prediction's advantage, and the distance to the planted truth."""
    figure, axes = plt.subplot_mosaic(
        [["ends", "ends"], ["advantage", "truth"]], figsize=(7.2, 6.2), layout="constrained", height_ratios=[1.15, 1]
    )
    _draw_ends(axes["ends"], data)
    _draw_advantage(axes["advantage"], data)
    _draw_truth(axes["truth"], data)
    handles = [Line2D([], [], ls="", marker=marker, color=plotting.GREYS["note"], ms=4) for marker in MARKERS.values()]
    figure.legend(handles, list(TRAININGS), loc="outside lower center", ncols=len(handles), fontsize=7)
    return figure


def _draw_ends(axes: Axes, data: Data) -> None:
    looks = (
        ("mean_from_flow", FLOW_COLOUR), ("mean_from_prediction", PREDICTED_COLOUR), ("from_own", OWN_COLOUR)
    )  # fmt: skip
    for training, marker in MARKERS.items():
        for name, colour in looks:
            axes.plot(of(data, training, "coefficient"), of(data, training, name), marker, color=colour, ms=4, ls="-",
                      lw=0.6)  # fmt: skip
    c = np.array([data["coefficient"].min(), data["coefficient"].max()])
    for order, end, text in ((1, 0.6, "∝ c"), (2, 1e-3, "∝ c²")):
        axes.plot(c, end * (c / c[1]) ** order, color=plotting.GREYS["guide"], lw=0.8, ls="--", zorder=0)
        axes.annotate(text, (c[1], end), (5, -2), textcoords="offset points", color=plotting.GREYS["note"], fontsize=7)
    axes.text(c[0], 0.12, "from the flow's limit", color=FLOW_COLOUR)
    axes.text(0.8 * c[1], 3e-6, "from the prediction", color=PREDICTED_COLOUR, ha="right")
    axes.text(0.8 * c[1], 1e-11, "from the limit of the run's own steps", color=OWN_COLOUR, ha="right")
    axes.set(xscale="log", yscale="log", ylim=(1e-16, 3), ylabel="relative distance from the end of training")
    axes.set_xlabel(
        r"$c = \eta$, with heavy ball $\eta(1 + \beta)/(1 - \beta)^2$, "
        r"with Nesterov $\eta(1 - \beta + 2\beta^2)/(1 - \beta)^2$"
    )
    _tick(axes, data["coefficient"])
    axes.set_title("Where training ends (with mini-batches: the mean of the ends)")


def _tick(axes: Axes, steps: np.ndarray) -> None:
    """Ticks at the steps that were run."""
    axes.set_xticks(np.unique(steps), [f"{step:g}" for step in np.unique(steps)])
    axes.minorticks_off()


def _draw_advantage(axes: Axes, data: Data) -> None:
    for training, marker in MARKERS.items():
        advantage = of(data, training, "mean_from_flow") / of(data, training, "mean_from_prediction")
        axes.plot(of(data, training, "coefficient"), advantage, marker, color=PREDICTED_COLOUR, ms=4, ls="-", lw=0.6)
    axes.axhline(LEAST_ADVANTAGE, color=plotting.GREYS["guide"], lw=0.8, ls="--")
    note = f"{LEAST_ADVANTAGE:g} times: claimed of\nthe smallest steps"
    axes.annotate(note, (data["coefficient"].min(), LEAST_ADVANTAGE), (-3, -3), textcoords="offset points", va="top",
                  fontsize=7, color=plotting.GREYS["note"])  # fmt: skip
    axes.set(xscale="log", yscale="log", xlabel="c, as above", ylabel="times closer than the flow's limit")
    _tick(axes, data["coefficient"])
    axes.set_title("How much closer the prediction is")


def _draw_truth(axes: Axes, data: Data) -> None:
    for training in ("gradient descent", "batches of 4", "batches of 1"):
        axes.plot(of(data, training, "step"), of(data, training, "from_truth"), MARKERS[training], color=RUN_COLOUR,
                  ms=4, ls="-", lw=0.6)  # fmt: skip
    axes.axhline(of(data, "gradient descent", "flow_from_truth")[0], color=FLOW_COLOUR, lw=1)
    axes.text(data["step"].max(), of(data, "gradient descent", "flow_from_truth")[0] - 0.0006, "the flow's limit",
              color=FLOW_COLOUR, va="top", ha="right")  # fmt: skip
    axes.set(xscale="log", xlabel="step η", ylabel="relative distance to the planted truth")
    axes.set(xlim=(0.8 * of(data, "gradient descent", "step").min(), 1.25 * data["step"].max()))
    _tick(axes, of(data, "gradient descent", "step"))
    axes.set_title("Single observations, larger steps: nearer to the truth")


def claims(data: Data) -> list[Claim]:
    """The claims on the ends of runs."""

    def own_ends() -> Verdict:
        fitted = data["misfit"] <= FITTED
        gaps, of_flow = (chosen(data[name], fitted) for name in ("from_own", "from_flow"))
        return from_residual(
            float(gaps.max()), 1e-10,
            f"{fitted.sum()} of {len(fitted)} trainings fit the data to {FITTED:g}; all their runs end within "
            f"{gaps.max():.0e} of the limit of their own steps, and up to "
            f"{of_flow.max():.2f} from the flow's.",
            tolerance_reason="What the run has not fitted yet, and the rounding of its products.",
        )  # fmt: skip

    def order() -> Verdict:
        found = orders(data)
        exact = [training for training, way in TRAININGS.items() if way.batch_size is None]
        text = ", ".join(f"{training} {found[training]:.2f}" for training in exact)
        return from_residual(
            max(abs(found[training] - 2) for training in exact), 0.1,
            f"Order of the prediction's error in the step, from the two finest: {text}.",
            tolerance_reason="The next order is seen at steps of this size.",
        )  # fmt: skip

    def advantage() -> Verdict:
        small = data["coefficient"] <= SMALL_COEFFICIENT
        times = data["mean_from_flow"] / data["mean_from_prediction"]
        text = ", ".join(
            f"{training} {chosen(times, small & (data['training'] == training)).min():.1f}" for training in TRAININGS
        )
        least = min(times[data["training"] == training][-1] for training in TRAININGS)
        return from_residual(
            excess(LEAST_ADVANTAGE - least), 0.0,
            f"At the finest step the prediction is {least:.0f} times closer than the flow's limit, or more; over all "
            f"coefficients up to 0.1 the least is: {text}.",
            tolerance_reason="Five times is what is asked for.",
        )  # fmt: skip

    def truth() -> Verdict:
        single, all_at_once = of(data, "batches of 1", "from_truth"), of(data, "gradient descent", "from_truth")
        return from_residual(
            excess(single[0] - single[-1], all_at_once[-1] - all_at_once[0]), 0.0,
            f"From the smallest step to the largest the distance to the planted truth rises from {all_at_once[-1]:.4f} "
            f"to {all_at_once[0]:.4f} for gradient descent, and falls from {single[-1]:.3f} to {single[0]:.3f} for "
            "single observations.",
            tolerance_reason="The signs of two differences.",
        )  # fmt: skip

    source = "this project"
    return [
        Claim("runs/own-ends", r"\lim x_k = \operatorname{argmin}\{R_{a_k, b_k} : Zx = y\}", source,
              uses=("ours/training-identity",), check=own_ends),
        Claim("runs/order", r"\|x_\infty - \hat x(\eta)\| = O(\eta^2)", source, check=order),
        Claim("runs/advantage", r"5\,\|x_\infty - \hat x(\eta)\| \le \|x_\infty - x_{\mathrm{flow}}\|", source,
              check=advantage),
        Claim("runs/truth", r"\text{with } \eta: \text{SGD nearer to the sparse truth, GD farther}",
              "Even et al., (S)GD over diagonal linear networks, NeurIPS 2023, as summarized", check=truth,
              observation=True),
    ]  # fmt: skip


EXPERIMENT = Experiment(
    name="runs",
    title="Where a run ends: the flow's limit, a prediction from the step alone, and the exact limit of its own steps",
    caption=(
        "Ends of gradient descent, momentum, decay and mini-batches on x = m ⊙ w, over the coefficient that their "
        "steps leave: the distance to the flow's limit falls like the step, that to the prediction like its square, "
        "and that to the limit of the run's own steps is rounding. Below, how much closer the prediction is, and the "
        "distance to the planted sparse weights."
    ),
    expectation=(
        "Theory: ends lie exactly on the projections of their own steps, and within the second order of the step of "
        "the predicted ones. Literature: with larger steps SGD ends nearer to the sparse truth and gradient descent "
        "farther from it (Even et al., 2023)."
    ),
    configuration={"default": Settings(), "quick": QUICK},
    compute=compute,
    draw=draw,
    claims=claims,
)
