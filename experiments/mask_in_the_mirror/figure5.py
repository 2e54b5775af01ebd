r"""Figure 5 of the preprint: mini-batches of five observations, for the best schedule of each setting of figure 1b.

Theory covers them: the mirror identity ∇R_{a_k}(x_k) = −Zᵀν_k + O(η) holds for whatever the steps add up to in ν, so
at any time a mask trained on mini-batches is, up to the step, the minimizer of its potential among all weights with
its predictions. See :mod:`experiments.mask_in_the_mirror.diagonal` for the problem, the step and the schedules.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from matplotlib import pyplot as plt
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from experiments.engine import Data, Sweep
from experiments.experiment import Experiment
from experiments.markdown_table import markdown_table
from experiments.mask_in_the_mirror.diagonal import setting, theory
from experiments.mask_in_the_mirror.diagonal.training import train_at_two_steps, trained
from implicit_bias import Claim, Verdict, plotting

KINDS = ("mask", "l1-mask", "l1")
LEAST_SHOWN = 1e-4  # where the picture ends
SOURCE = "Jacobs and Burkholz, preprint, figure 1b, asked of mini-batches"


@dataclass(frozen=True)
class Settings(setting.Settings):
    """Those of figure 1b, and mini-batches.

    Attributes:
        batch_size: Observations in a mini-batch.
        batch_seed: Of the order of the observations from the first start; the next start has the next seed.
        checks: At how many times the mask is compared with the minimizer of its potential.
    """

    batch_size: int = 5
    batch_seed: int = 100
    checks: int = 8


def compute(settings: Settings, sweep: Sweep) -> Data:
    """Full-batch runs of all schedules, then runs on mini-batches of the best one, at two steps for the mask."""
    problem, weights = setting.sparse_problem(settings), setting.initial_weights(**setting.starts_of(settings))
    truth = np.asarray(problem.truth)
    plans, marks = setting.plans(settings), setting.recorded(settings)
    full, _ = train_at_two_steps(KINDS, plans, settings, sweep, "figure5")
    flows = theory.flows(["mask"], plans, settings, sweep, "figure5")["mask"]
    error = np.stack([theory.distance(full[kind], truth) for kind in KINDS])
    best = error[..., -1].mean(axis=2).argmin(axis=1)
    names, factor, step = list(plans), settings.coarse, settings.step
    shared = {
        "problem": setting.problem_of(settings),
        "starts": setting.starts_of(settings),
        "batch_size": settings.batch_size,
        "batch_seeds": [settings.batch_seed + k for k in range(settings.starts)],
    }
    grid = [
        {"kind": kind, "plans": [plans[names[k]]], "step": step, "marks": marks.tolist(), **shared}
        for kind, k in zip(KINDS, best, strict=True)
    ]
    grid.append(grid[0] | {"step": factor * step, "marks": (marks // factor).tolist()})
    *runs, coarse = [result["x"][0] for result in sweep(trained, grid, "figure5: mini-batches")]
    # Marks at which the mask is held against the minimizer of its potential.
    checked = np.unique(np.linspace(0, len(marks) - 1, settings.checks).round().astype(int))
    strength = setting.schedule_of(plans[names[best[0]]])
    decays = [float(strength.integral(step * marks[place])) for place in checked]

    def gaps(x: np.ndarray) -> np.ndarray:
        found = [
            theory.potential_gap(problem, weights, A, x[:, place]) for A, place in zip(decays, checked, strict=True)
        ]
        return np.stack(found, axis=1)

    return {
        "setting": np.array(KINDS),
        "schedule": np.array([names[k] for k in best]),
        "t": step * marks,
        "flow_t": setting.flow_times(settings),
        "step_ratio": np.array(factor),
        "truth_norm": np.asarray(np.linalg.norm(truth)),
        "full_error": np.stack([error[row, k] for row, k in enumerate(best)]),  # (settings, runs, records)
        "error": np.stack([theory.distance(x, truth) for x in runs]),
        "flow_error": theory.distance(flows[best[0]], truth),
        "checked_t": step * marks[checked],
        "gap": gaps(runs[0]),  # (runs, checked times)
        "coarse_gap": gaps(coarse),
    }


def draw(data: Data) -> Figure:
    """Mini-batches beside all observations at once, and how well the mask minimizes its potential on the way."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(7.2, 3.0), layout="constrained", width_ratios=[1.5, 1])
    for row, kind in enumerate(map(str, data["setting"])):
        colour, style = plotting.METHOD_LOOKS[kind]["color"], plotting.METHOD_LOOKS[kind]["ls"]
        error = data["error"][row]
        left.fill_between(data["t"], error.min(axis=0), error.max(axis=0), color=colour, alpha=0.2, lw=0)
        left.plot(data["t"], error.mean(axis=0), color=colour, lw=3.0, alpha=0.5)
        left.plot(data["t"], data["full_error"][row].mean(axis=0), color=colour, ls=style, lw=1.0)
    left.plot(data["flow_t"], data["flow_error"].mean(axis=0), **plotting.FLOW_LOOK)
    left.set(xscale="log", yscale="log", xlabel="t = step × η", ylim=(LEAST_SHOWN, 5), xlim=(0.1, data["flow_t"][-1]))
    left.set_ylabel(r"$\Vert x_t - x^*\Vert_2$, mean and range of " + f"{data['error'].shape[1]} runs")
    left.set_title("Mini-batches of 5 observations")
    factor = float(data["step_ratio"])
    for name, fill, label in (
        ("coarse_gap", {"mfc": plotting.GREYS["paper"]}, f"step {factor:g}η"),
        ("gap", {}, "step η"),
    ):
        look = {**plotting.METHOD_LOOKS["mask"], "ms": 3.5, "lw": 1.0, **fill}
        right.plot(data["checked_t"], data[name].max(axis=0), label=label, **look)
    right.set(xscale="log", yscale="log", xlabel="t = step × η")
    right.set_ylabel(r"distance to $\mathrm{argmin}\{R_{a_t}: Zx = Zx_t\}$")
    right.set_title(
        f"From the minimizer of its potential:\n1/{factor:g} of the step, about 1/{factor:g} of the distance"
    )
    right.legend()
    handles = [
        Line2D(
            [], [], color=plotting.METHOD_LOOKS[str(kind)]["color"], ls=plotting.METHOD_LOOKS[str(kind)]["ls"],
            label=f"{setting.LABELS[str(kind)]} ({str(name).replace('constant', 'α =')})",
        )
        for kind, name in zip(data["setting"], data["schedule"], strict=True)
    ]  # fmt: skip
    handles += [
        Line2D([], [], color=plotting.GREYS["note"], lw=3.0, alpha=0.5, label="mini-batches"),
        Line2D([], [], color=plotting.GREYS["note"], lw=1.0, label="all observations in every step"),
        Line2D([], [], **plotting.FLOW_LOOK, label="flow of the mask"),
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=3)
    return figure


def table(data: Data) -> str:
    """Errors at the end, with mini-batches and without."""
    head = ["setting", "schedule", "mini-batches", "all observations"]
    rows = [
        [
            setting.LABELS[str(kind)],
            plotting.schedule_label(str(name)),
            *(f"{e[row, :, -1].mean():.2g} ± {e[row, :, -1].std():.1g}" for e in (data["error"], data["full_error"])),
        ]
        for row, (kind, name) in enumerate(zip(data["setting"], data["schedule"], strict=True))
    ]
    text = markdown_table(head, rows)
    return (
        f"‖x − x*‖₂ at t = step × η = {data['t'][-1]:g}, mean and standard deviation of {data['error'].shape[1]} runs, "
        f"each with its own initialization and order of observations; ‖x*‖₂ = {data['truth_norm']:.3g}.\n\n{text}\n"
    )


def claims(data: Data) -> list[Claim]:
    """The claims of theory about the mask on mini-batches."""

    def minimizes() -> Verdict:
        return theory.first_order(
            data["gap"],
            data["coarse_gap"],
            float(data["step_ratio"]),
            "Distance of a mask trained on mini-batches to the Bregman projection on the weights with its predictions, "
            f"at {len(data['checked_t'])} times",
        )

    return [
        Claim(
            "figure5/potential",
            r"\nabla R_{a_k}(x_k) = -Z^T\nu_k + O(\eta) \text{ on mini-batches}",
            "this project",
            uses=("ours/flow-identity",),
            check=minimizes,
        )
    ]


def observations(data: Data) -> list[Claim]:
    """The preprint's statements about its figure, checked in these runs."""
    last = data["error"][..., -1]

    def recovers() -> Verdict:
        errors = last[0] / float(data["truth_norm"])
        text = f"Relative errors of the mask at the end: {errors.min():.2g} to {errors.max():.2g}."
        return theory.recovered(errors, text)

    return [
        Claim("figure5/recovery", r"\text{the mask recovers } x^* \text{ on mini-batches}", SOURCE, check=recovers),
    ]


EXPERIMENT = Experiment(
    name="figure5",
    title="Mini-batches leave a mask's implicit bias as it is",
    caption=(
        "Distance to the sparse truth on mini-batches of 5 of the 40 observations, for the schedule of each setting "
        "that is best in figure 1b, beside training on all observations at once; right, how far the mask is from the "
        "minimizer of its potential among all weights with its predictions, at two steps."
    ),
    expectation=(
        "The preprint's figure 5 repeats the best runs of its figure 1b on mini-batches. Theory: the mirror identity "
        "holds for any order of the observations, so the mask minimizes its potential up to the step at every time, "
        "and the distance falls with it."
    ),
    configuration={"default": Settings(), "quick": setting.quick(Settings(checks=4))},
    compute=compute,
    draw=draw,
    claims=claims,
    observations=observations,
    table=table,
)
