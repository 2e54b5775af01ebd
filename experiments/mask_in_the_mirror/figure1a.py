r"""Figure 1a of the preprint: where a mask starts decides whether its weights can change sign.

The same weights x_init split in two ways: m_0² − w_0² = 1, and m_0² = w_0² as in spred (one of u_0 and v_0 is 0), each
trained with several constant strengths. :mod:`experiments.mask_in_the_mirror.diagonal` has the problem and the step.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from matplotlib import pyplot as plt
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from experiments.engine import Data, Sweep
from experiments.excess import excess
from experiments.experiment import Experiment
from experiments.markdown_table import markdown_table
from experiments.mask_in_the_mirror.diagonal import setting, theory
from experiments.mask_in_the_mirror.diagonal.training import train_at_two_steps
from implicit_bias import Claim, Outcome, Verdict, plotting
from implicit_bias.claims.judge import from_residual

KINDS = ("mask", "spred")
TITLES = {"mask": "Ours: $m_0^2 - w_0^2 = 1$", "spred": "spred: $m_0^2 = w_0^2$"}


def compute(settings: setting.Settings, sweep: Sweep) -> Data:
    """Errors of all runs, their flows and limits, and the paths of the weights that x* uses."""
    problem, weights = setting.sparse_problem(settings), setting.initial_weights(**setting.starts_of(settings))
    truth = np.asarray(problem.truth)
    plans, strengths = setting.constant_plans(settings), settings.constants
    fine, coarse = train_at_two_steps(KINDS, plans, settings, sweep, "figure1a")
    flows = theory.flows(KINDS, plans, settings, sweep, "figure1a")
    records, support = len(setting.recorded(settings)), np.flatnonzero(truth)
    limits = {
        "mask": np.stack([np.tile(theory.lasso(problem, 2 * c), (len(weights), 1)) for c in strengths]),
        "spred": np.stack([[theory.lasso(problem, 2 * c, np.sign(one)) for one in weights] for c in strengths]),
    }

    def stacked(function: Callable[[str], np.ndarray]) -> np.ndarray:
        return np.stack([function(kind) for kind in KINDS])

    signs = np.sign(weights)[:, None]
    return {
        "setting": np.array(KINDS),
        "schedule": np.array(list(plans)),
        "t": settings.step * setting.recorded(settings),
        "flow_t": setting.flow_times(settings),
        "step_ratio": np.array(settings.coarse),
        # (settings, schedules, starts, records)
        "error": stacked(lambda kind: theory.distance(fine[kind], truth)),
        "flow_error": stacked(lambda kind: theory.distance(flows[kind], truth)),
        "flow_distance": stacked(lambda kind: theory.distance(fine[kind], flows[kind][:, :, :records])),
        "coarse_flow_distance": stacked(lambda kind: theory.distance(coarse[kind], flows[kind][:, :, :records])),
        "limit_error": stacked(lambda kind: theory.distance(limits[kind], truth)),
        # The least sign(x_0) x_t of all weights and records: negative where a weight changed its sign.
        "least_signed": stacked(lambda kind: (fine[kind] * signs).min(axis=(2, 3))),
        "truth": truth[support],
        "start": weights[:, support],
        # (settings, schedules, records, weights in the support), from the first start
        "support_path": stacked(lambda kind: fine[kind][:, 0][:, :, support]),
    }


def draw(data: Data) -> Figure:
    """A panel for each initialization, and the weights of x* in one run of each."""
    figure, (left, middle, right) = plt.subplots(1, 3, figsize=(7.2, 2.9), layout="constrained")
    for row, (panel, kind) in enumerate(zip((left, middle), data["setting"], strict=True)):
        for k, name in enumerate(data["schedule"]):
            colour = plotting.schedule_colour(str(name))
            panel.plot(data["t"], data["error"][row, k].mean(axis=0), color=colour, lw=1.3)
            panel.plot(data["flow_t"], data["flow_error"][row, k].mean(axis=0), **plotting.FLOW_LOOK)
            panel.plot(
                1.9 * data["flow_t"][-1], data["limit_error"][row, k].mean(), marker="D", ms=3.5, mew=0.8,
                mfc=plotting.GREYS["paper"], color=colour, clip_on=False,
            )  # fmt: skip
        panel.set(xscale="log", yscale="log", xlabel="t = step × η", title=TITLES[str(kind)], ylim=(1e-2, 5))
        panel.set_xlim(0.1, 2.5 * data["flow_t"][-1])
    left.set_ylabel(r"$\Vert x_t - x^*\Vert_2$, mean of " + f"{data['error'].shape[2]} starts")
    middle.tick_params(labelleft=False)

    shown = _shown_strength(data)
    wrong = np.sign(data["start"][0]) != np.sign(data["truth"])
    for row, kind in enumerate(data["setting"]):
        colour, paths = plotting.METHOD_LOOKS[str(kind)]["color"], data["support_path"][row, shown]
        for path, is_wrong in zip(paths.T, wrong, strict=True):
            right.plot(data["t"], path, color=colour, lw=1.3, ls="-" if is_wrong else (0, (4, 1.5)))
    right.plot(
        np.full(len(wrong), 1.9 * data["t"][-1]),
        data["truth"],
        "<",
        ms=3.5,
        color=plotting.COLOURS["truth"],
        clip_on=False,
    )
    right.axhline(0, color=plotting.GREYS["guide"], lw=0.6, zorder=0)
    right.set(
        xscale="log", xlabel="t = step × η", ylabel="weights in the support of x*", xlim=(0.1, 2.5 * data["t"][-1])
    )
    right.set_title(f"One run at α = {str(data['schedule'][shown]).removeprefix('constant ')}")
    handles = [
        Line2D([], [], color=plotting.schedule_colour(str(name)), label=f"α = {str(name).removeprefix('constant ')}")
        for name in data["schedule"]
    ]
    handles += [
        Line2D([], [], **plotting.FLOW_LOOK, label="flow"),
        Line2D(
            [],
            [],
            ls="",
            marker="D",
            ms=3.5,
            mfc=plotting.GREYS["paper"],
            color=plotting.GREYS["note"],
            label="limit (LASSO; middle: of these signs)",
        ),
        Line2D([], [], color=plotting.METHOD_LOOKS["mask"]["color"], label="ours"),
        Line2D([], [], color=plotting.METHOD_LOOKS["spred"]["color"], label="spred"),
        Line2D([], [], color=plotting.GREYS["note"], ls="-", label="starts with the wrong sign"),
        Line2D([], [], color=plotting.GREYS["note"], ls=(0, (4, 1.5)), label="starts with the right sign"),
        Line2D([], [], ls="", color=plotting.COLOURS["truth"], marker="<", ms=3.5, label="x*"),
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=4, handlelength=1.8)
    return figure


def _shown_strength(data: Data) -> int:
    """The strength at which the mean error of ours is least in the end."""
    return int(np.argmin(data["error"][0, :, :, -1].mean(axis=1)))


def table(data: Data) -> str:
    """Errors at the end beside the limits."""
    head = ["α", "ours", "its limit", "spred", "its limit"]
    rows = [
        [
            str(name).removeprefix("constant "),
            *(
                text
                for row in (0, 1)
                for text in (
                    "{:.2g} ± {:.1g}".format(data["error"][row, k, :, -1].mean(), data["error"][row, k, :, -1].std()),
                    f"{data['limit_error'][row, k].mean():.2g}",
                )
            ),
        ]
        for k, name in enumerate(data["schedule"])
    ]
    text = markdown_table(head, rows)
    return (
        f"‖x − x*‖₂ at t = step × η = {data['t'][-1]:g}, mean and standard deviation of {data['error'].shape[2]} "
        "initializations. The limits are\nLASSO solutions of strength 2α; for spred among the weights that have the "
        f"signs of x_init.\n\n{text}\n"
    )


def claims(data: Data) -> list[Claim]:
    """The claims of theory about both initializations."""

    def follows(row: int) -> Verdict:
        return theory.first_order(
            data["flow_distance"][row].max(axis=-1),
            data["coarse_flow_distance"][row].max(axis=-1),
            float(data["step_ratio"]),
            "Distance of a trained curve to its flow, over all times",
        )

    def keeps_signs() -> Verdict:
        ours, spred = data["least_signed"]
        text = f"The least sign(x_0) x_t over all weights, records and runs of spred is {spred.min():.1e}"
        text += f", of ours {ours.min():.2f}."
        if np.any(spred < 0):
            return Verdict(Outcome.REFUTED, text, counterexample={"least": float(np.nanmin(spred))})
        return from_residual(excess(-spred), 0.0, text, tolerance_reason="A sign is kept or not.")

    return [
        Claim(
            f"figure1a/flow-{kind}",
            r"x_k = x(k\eta) + O(\eta)",
            "this project",
            check=lambda row=row: follows(row),
        )
        for row, kind in enumerate(KINDS)
    ] + [
        Claim(
            "figure1a/signs",
            r"m_0^2 = w_0^2 \Rightarrow x_t \operatorname{sign} x_0 \ge 0",
            "this project",
            check=keeps_signs,
        )
    ]


def observations(data: Data) -> list[Claim]:
    """The preprint's statements about its figure, checked in these runs."""

    def closer() -> Verdict:
        last = data["error"][..., -1].mean(axis=2)
        gaps = last[0] - last[1]
        worst = int(np.argmax(np.nan_to_num(gaps, nan=-np.inf)))
        text = "Mean error at the end, ours and spred: " + ", ".join(
            f"{a:.2g} and {b:.2g} ({name})" for name, a, b in zip(data["schedule"], *last, strict=True)
        )
        if gaps[worst] > 0:
            return Verdict(Outcome.REFUTED, text + ".", counterexample={"schedule": worst, "gap": float(gaps[worst])})
        return from_residual(excess(gaps), 0.0, text + ".", tolerance_reason="The smaller mean error wins.")

    return [
        Claim(
            "figure1a/closer",
            r"\text{from } m_0^2 - w_0^2 = 1 \text{ training ends closer to } x^* \text{ at every strength}",
            "Jacobs and Burkholz, preprint, figure 1a",
            check=closer,
        )
    ]


EXPERIMENT = Experiment(
    name="figure1a",
    title="A mask that starts with m² = w² cannot change the sign of a weight",
    caption=(
        "Distance to the sparse truth for a mask trained from m₀² − w₀² = 1 (left) and from m₀² = w₀² (middle), at "
        "four constant strengths, with the flow and the limit; right, the five weights that x* uses in one run of "
        "each."
    ),
    expectation=(
        "The preprint's figure 1a: the first start ends closer to x*. Theory: where m₀² = w₀² no weight ever changes "
        "its sign, so training ends at the LASSO solution among weights of the first signs; otherwise at the LASSO "
        "solution."
    ),
    # Where m² = w², weights underflow beyond the time of training, and an explicit solver with them.
    configuration={
        "default": setting.Settings(flow_beyond=1),
        "quick": replace(setting.quick(setting.Settings()), flow_beyond=1),
    },
    compute=compute,
    draw=draw,
    claims=claims,
    observations=observations,
    table=table,
)
