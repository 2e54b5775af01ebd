r"""Figure 4 of the preprint: every run behind figure 1b, one initialization at a time.

The same trained networks as in :mod:`experiments.mask_in_the_mirror.figure1b`, not averaged, each mask beside its own
flow. :mod:`experiments.mask_in_the_mirror.diagonal` has the problem, the step and the schedules.
"""

from __future__ import annotations

import numpy as np
from matplotlib import pyplot as plt
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from experiments.engine import Data, Sweep
from experiments.experiment import Experiment
from experiments.markdown_table import markdown_table
from experiments.mask_in_the_mirror.diagonal import setting, theory
from experiments.mask_in_the_mirror.diagonal.training import train_at_two_steps
from implicit_bias import Claim, Verdict, plotting
from implicit_bias.claims.judge import from_residual

KINDS = ("mask", "l1-mask", "l1")
ROWS = {"mask": "m ⊙ w, decay", "l1-mask": "m ⊙ w, L1 on m", "l1": "x, L1"}
# Flows are followed to a hundred times the last step; there the slowest is still this far from its limit.
ARRIVAL_TOLERANCE = 1e-3


def compute(settings: setting.Settings, sweep: Sweep) -> Data:
    """Errors of all runs and of the masks' flows, and how far flows end from their limits and from each other."""
    problem, weights = setting.sparse_problem(settings), setting.initial_weights(**setting.starts_of(settings))
    truth = np.asarray(problem.truth)
    plans = setting.plans(settings)
    trained, _ = train_at_two_steps(KINDS, plans, settings, sweep, "figure4")
    flows = theory.flows(["mask"], plans, settings, sweep, "figure4")["mask"]
    limits = theory.limits_of_plans(problem, weights, plans, setting.flow_times(settings)[-1])
    ends = np.stack([trained[kind][:, :, -1] for kind in KINDS])
    return {
        "setting": np.array(KINDS),
        "schedule": np.array(list(plans)),
        "t": settings.step * setting.recorded(settings),
        "flow_t": setting.flow_times(settings),
        "truth_norm": np.asarray(np.linalg.norm(truth)),
        # (settings, schedules, starts, records)
        "error": np.stack([theory.distance(trained[kind], truth) for kind in KINDS]),
        "flow_error": theory.distance(flows, truth),
        "flow_to_limit": theory.distance(flows[:, :, -1], limits),
        # Largest distance of two ends from different starts: of training (settings, schedules), and of the flow.
        "spread": _diameter(ends),
        "flow_spread": _diameter(flows[:, :, -1]),
    }


def _diameter(points: np.ndarray) -> np.ndarray:
    """The largest distance between two of the points (..., starts, n), shape (...)."""
    gaps = points[..., :, None, :] - points[..., None, :, :]
    return np.linalg.norm(gaps, axis=-1).max(axis=(-2, -1))


def draw(data: Data) -> Figure:
    """A panel for each setting and schedule, with a line for each start."""
    rows, columns = data["error"].shape[:2]
    figure, panels = plt.subplots(
        rows, columns, figsize=(7.2, 3.9), layout="constrained", sharex="row", sharey=True, squeeze=False
    )
    for row, kind in enumerate(data["setting"]):
        for column, name in enumerate(map(str, data["schedule"])):
            panel = panels[row, column]
            panel.plot(data["t"], data["error"][row, column].T, color=plotting.schedule_colour(name), lw=0.9)
            if kind == "mask":
                panel.plot(data["flow_t"], data["flow_error"][column].T, **plotting.FLOW_LOOK)
            end = data["flow_t"][-1] if kind == "mask" else data["t"][-1]  # only a mask's flow goes on
            panel.set(xscale="log", yscale="log", ylim=(5e-5, 5), xlim=(0.1, end))
            panel.set_xticks([1e0, 1e2, 1e4] if kind == "mask" else [1e-1, 1e1, 1e3])
            if row == 0:
                panel.set_title(name.replace("constant ", "α = "))
        panels[row, 0].set_ylabel(ROWS[str(kind)])
    panels[-1, columns // 2].set_xlabel("t = step × η")
    figure.supylabel(r"distance to the truth, $\Vert x_t - x^*\Vert_2$", fontsize=8)
    handles = [
        Line2D(
            [],
            [],
            color=plotting.GREYS["note"],
            lw=0.9,
            label=f"{data['error'].shape[2]} trained networks, one for each start",
        ),
        Line2D([], [], **plotting.FLOW_LOOK, label="their flows"),
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=2)
    return figure


def table(data: Data) -> str:
    """The distances between the ends from different starts."""
    head = ["schedule", *(setting.LABELS[str(kind)] for kind in data["setting"]), "flow of the first"]
    rows = [
        [
            plotting.schedule_label(str(name)),
            *(f"{data['spread'][row, k]:.1g}" for row in range(len(data["setting"]))),
            f"{data['flow_spread'][k]:.1g}",
        ]
        for k, name in enumerate(data["schedule"])
    ]
    text = markdown_table(head, rows)
    return (
        f"The largest distance between the ends of two of {data['error'].shape[2]} initializations, at t = step × η = "
        f"{data['t'][-1]:g}, and of flows at t = {data['flow_t'][-1]:g}; ‖x*‖₂ = {data['truth_norm']:.3g}.\nWith decay "
        "of m and w the start is forgotten, as theory says: a constant strength leads to the one LASSO solution, and "
        f"decaying ones\nto minimizers of a potential that has almost become an L1 norm.\n\n{text}\n"
    )


def claims(data: Data) -> list[Claim]:
    """The claims of theory about the ends of the mask's flows."""

    def ends_at_limit() -> Verdict:
        gaps = data["flow_to_limit"].max(axis=1)
        text = ", ".join(f"{gap:.0e} ({name})" for name, gap in zip(data["schedule"], gaps, strict=True))
        return from_residual(
            float(gaps.max()),
            ARRIVAL_TOLERANCE,
            f"Largest distance of the flows' ends at t = {data['flow_t'][-1]:g} to the LASSO solution (constant "
            f"strengths) or to their own Bregman projections: {text}.",
            tolerance_reason="At small scales the flow is slow, and has this way to go.",
        )

    def forgets() -> Verdict:
        constant = np.char.startswith(data["schedule"], "constant")
        worst = float(data["flow_spread"][constant].max())
        return from_residual(
            worst,
            ARRIVAL_TOLERANCE,
            f"Flows from {data['error'].shape[2]} starts end at most {worst:.0e} apart at constant strengths; networks "
            f"that were trained up to t = {data['t'][-1]:g} at most {data['spread'][0, constant].max():.0e}.",
            tolerance_reason="At small scales the flow is slow, and has this way to go.",
        )

    return [
        Claim(
            "figure4/limit",
            r"\alpha_t = \alpha:\ x_T \to \operatorname{argmin} f + 2\alpha\|x\|_1, \quad"
            r" \alpha_t \to 0:\ x_T - \operatorname{argmin}\{R_{a_T} : Zx = y\} \to 0",
            "this project",
            uses=("ours/lasso", "ours/thm-3.3"),
            check=ends_at_limit,
        ),
        Claim(
            "figure4/start-forgotten",
            r"\alpha_t = \alpha > 0,\; |w_0| < m_0 \Rightarrow \lim x_t \text{ does not depend on } x_0",
            "this project",
            uses=("ours/lasso",),
            check=forgets,
        ),
    ]


def observations(data: Data) -> list[Claim]:
    """The preprint's statement about its figure, checked in these runs."""

    def every_run() -> Verdict:
        decaying = ~np.char.startswith(data["schedule"], "constant")
        errors = data["error"][0, decaying, :, -1] / float(data["truth_norm"])
        text = f"Relative errors of {errors.size} decaying runs: {errors.min():.2g} to {errors.max():.2g}."
        return theory.recovered(errors, text)

    return [
        Claim(
            "figure4/every-run-recovers",
            r"\text{decaying schedules recover } x^* \text{ with the mask from every start}",
            "Jacobs and Burkholz, preprint, figure 1b, asked of single runs",
            check=every_run,
        )
    ]


EXPERIMENT = Experiment(
    name="figure4",
    title="Every run behind figure 1b: with decay of m and w the start is forgotten",
    caption=(
        "Distance to the sparse truth of every trained network of figure 1b, a line for each initialization, with the "
        "flow of each mask. Columns are schedules of the strength, rows are ways to make weights sparse."
    ),
    expectation=(
        "The preprint's figure 4 shows the single runs of its figure 1b. Theory: each mask follows its own flow; a "
        "constant strength takes all starts to the one LASSO solution, a decaying one each to the minimizer of its "
        "own potential. L1 on m alone has no potential, and its ends depend on the start."
    ),
    # Where the flow is slow, at the latest times, solvers with a tolerance of 1e-8 are that far apart.
    tolerances={"flow_to_limit": 1e-6, "flow_spread": 1e-6},
    configuration={"default": setting.Settings(), "quick": setting.quick(setting.Settings())},
    compute=compute,
    draw=draw,
    claims=claims,
    observations=observations,
    table=table,
)
