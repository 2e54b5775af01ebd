r"""Figure 1b of the preprint: seven schedules of the strength for three ways to make weights sparse.

The settings are x = m ⊙ w with the regularizer Σ m² + w², x = m ⊙ w with L1 on m only, and x itself with L1; the
strengths are the same in all of them. :mod:`experiments.mask_in_the_mirror.diagonal` has the problem, the step and the
schedules.
"""

from __future__ import annotations

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
from implicit_bias.claims import corrected
from implicit_bias.claims.judge import from_residual

KINDS = ("mask", "l1-mask", "l1")
LEAST_SHOWN = 3e-6  # where the pictures end
END_OF_PANEL = 1.9  # times the last time: where limits are drawn
SOURCE = "Jacobs and Burkholz, preprint, figure 1b"


def compute(settings: setting.Settings, sweep: Sweep) -> Data:
    """Errors of all runs, of their flows and of their limits."""
    problem, weights = setting.sparse_problem(settings), setting.initial_weights(**setting.starts_of(settings))
    truth = np.asarray(problem.truth)
    plans = setting.plans(settings)
    fine, coarse = train_at_two_steps(KINDS, plans, settings, sweep, "figure1b")
    flows = theory.flows(["mask"], plans, settings, sweep, "figure1b")
    strengths, end = [setting.schedule_of(plan) for plan in plans.values()], setting.end_time(settings)
    decays = np.array([float(one.integral(end)) for one in strengths])
    records = len(setting.recorded(settings))
    limits = theory.limits_of_plans(problem, weights, plans, setting.flow_times(settings)[-1])
    gaps = {
        name: np.stack(
            [
                theory.potential_gap(problem, weights, decay, path[:, -1])
                for decay, path in zip(decays, paths["mask"], strict=True)
            ]
        )
        for name, paths in (("gap", fine), ("coarse_gap", coarse))
    }
    return {
        "setting": np.array(KINDS),
        "schedule": np.array(list(plans)),
        "tau": np.array([getattr(one, "tau", np.inf) for one in strengths]),
        "decay": decays,
        "t": settings.step * setting.recorded(settings),
        "flow_t": setting.flow_times(settings),
        "step_ratio": np.array(settings.coarse),
        "truth_norm": np.asarray(np.linalg.norm(truth)),
        # (settings, schedules, starts, records)
        "error": np.stack([theory.distance(fine[kind], truth) for kind in KINDS]),
        "coarse_error": np.stack([theory.distance(coarse[kind], truth) for kind in KINDS]),
        "flow_error": theory.distance(flows["mask"], truth),
        "flow_distance": theory.distance(fine["mask"], flows["mask"][:, :, :records]),
        "coarse_flow_distance": theory.distance(coarse["mask"], flows["mask"][:, :, :records]),
        "limit_error": theory.distance(limits, truth),
        "lasso_error": np.array([theory.distance(theory.lasso(problem, c), truth) for c in settings.constants]),
        **gaps,
    }


def draw(data: Data) -> Figure:
    """A panel for each setting, with the flow on the mask's curves and the limits at the right."""
    figure, panels = plt.subplots(1, 3, figsize=(7.2, 3.0), layout="constrained", sharey=True)
    mean = data["error"].mean(axis=2)
    for panel, kind, curves in zip(panels, data["setting"], mean, strict=True):
        for name, curve in zip(data["schedule"], curves, strict=True):
            panel.plot(data["t"], curve, color=plotting.schedule_colour(str(name)), lw=1.3)
        panel.set(xscale="log", yscale="log", xlabel="t = step × η", title=setting.LABELS[str(kind)])
    for curve in data["flow_error"].mean(axis=1):
        panels[0].plot(data["flow_t"], curve, **plotting.FLOW_LOOK)
    last = [data["flow_t"][-1], data["t"][-1], data["t"][-1]]
    for k, values in ((0, data["limit_error"].mean(axis=1)), (2, data["lasso_error"])):
        for name, value in zip(data["schedule"], values, strict=False):
            if value < LEAST_SHOWN:  # the harmonic schedule spends decay without end, and its limit is x* itself
                continue
            shape = "D" if str(name).startswith("constant") else "o"
            panels[k].plot(
                END_OF_PANEL * last[k], value, marker=shape, ms=3.5, mew=0.8, mfc=plotting.GREYS["paper"],
                clip_on=False, color=plotting.schedule_colour(str(name)),
            )  # fmt: skip
    panels[0].set_ylabel(r"$\Vert x_t - x^*\Vert_2$, mean of " + f"{data['error'].shape[2]} starts")
    panels[0].set_ylim(LEAST_SHOWN, 5)
    for panel, end in zip(panels, last, strict=True):
        panel.set_xlim(0.1, 2.5 * end)
    schedules = [
        Line2D([], [], color=plotting.schedule_colour(str(name)), label=plotting.schedule_label(str(name)))
        for name in data["schedule"]
    ]
    mark = {"ls": "", "ms": 3.5, "mfc": plotting.GREYS["paper"], "color": plotting.GREYS["note"]}
    theories = [
        Line2D([], [], **plotting.FLOW_LOOK, label="flow"),
        Line2D([], [], marker="D", label="LASSO, the limit of a constant α", **mark),
        Line2D([], [], marker="o", label="Bregman projection", **mark),
    ]
    # All panels have one axis, and the first alone needs its lower half.
    panels[1].legend(handles=schedules, loc="lower left", handlelength=1.6)
    panels[2].legend(handles=theories, loc="lower left", handlelength=1.6)
    return figure


def table(data: Data) -> str:
    """Errors at the end, beside what theory predicts for t → ∞."""
    last = data["error"][..., -1]
    head = ["schedule", "decay A", *(setting.LABELS[str(kind)] for kind in data["setting"]), "limit of the first"]
    rows = [
        [
            plotting.schedule_label(str(name)),
            f"{data['decay'][k]:.3g}",
            *(f"{last[s, k].mean():.2g} ± {last[s, k].std():.1g}" for s in range(len(last))),
            f"{data['limit_error'][k].mean():.2g}",
        ]
        for k, name in enumerate(data["schedule"])
    ]
    text = markdown_table(head, rows)
    change = np.abs(data["coarse_error"].mean(axis=2) - data["error"].mean(axis=2)).max(axis=(1, 2))
    taus = ", ".join(
        f"{tau:.3g} ({name})" for name, tau in zip(data["schedule"], data["tau"], strict=True) if np.isfinite(tau)
    )
    return (
        f"‖x − x*‖₂ at t = step × η = {data['t'][-1]:g}, mean and standard deviation of {last.shape[-1]} "
        f"initializations; ‖x*‖₂ = {data['truth_norm']:.3g}.\nThe last column is where theory sees the mask: at the "
        "LASSO solution of strength 2α for a constant α, for the\nothers at the Bregman projection of the decay "
        f"at t = {data['flow_t'][-1]:g}, where the drawn flow ends. Decaying strengths\nstart at the same α and have "
        f"the time constants τ = {taus}.\n\n{text}\n\n"
        f"A step {data['step_ratio']:g} times longer moves the mean curves by at most "
        + ", ".join(f"{value:.2g}" for value in change)
        + ".\n"
    )


def claims(data: Data) -> list[Claim]:
    """The claims of theory about the mask's runs."""
    factor = float(data["step_ratio"])

    def follows() -> Verdict:
        return theory.first_order(
            data["flow_distance"].max(axis=-1),
            data["coarse_flow_distance"].max(axis=-1),
            factor,
            "Distance of a trained curve to its flow, over all times",
        )

    def minimizes() -> Verdict:
        return theory.first_order(
            data["gap"],
            data["coarse_gap"],
            factor,
            "Distance of a trained end to the Bregman projection on the weights with its predictions",
        )

    return [
        Claim(
            "figure1b/flow",
            r"x_k = x(k\eta) + O(\eta)",
            "this project",
            uses=(corrected("mask-in-the-mirror/thm-3.1"),),
            check=follows,
        ),
        Claim(
            "figure1b/potential",
            r"x_k = \operatorname{argmin}\{R_{a_k}(x) : Zx = Zx_k\} + O(\eta)",
            "this project",
            uses=(corrected("mask-in-the-mirror/thm-3.1"),),
            check=minimizes,
        ),
    ]


def observations(data: Data) -> list[Claim]:
    """The preprint's statements about its figure, checked in these runs."""
    last = data["error"][..., -1].mean(axis=2) / float(data["truth_norm"])
    is_constant = np.char.startswith(data["schedule"], "constant")

    def recovers() -> Verdict:
        values = last[0, ~is_constant]
        limit = data["limit_error"][~is_constant].mean(axis=1).max() / float(data["truth_norm"])
        names = zip(data["schedule"][~is_constant], values, strict=True)
        text = "Relative errors at the end: " + ", ".join(f"{name} {value:.2g}" for name, value in names)
        return theory.recovered(
            values, f"{text}; in the limit at most {limit:.1g}; the best constant {last[0, is_constant].min():.2g}."
        )

    def constant_is_best(row: int) -> Verdict:
        best, other = int(np.argmin(last[row])), last[row]
        lead = float(other[is_constant].min() - other[~is_constant].min())
        text = (
            f"Best constant {other[is_constant].min():.2g}, best decaying {other[~is_constant].min():.2g} "
            f"({data['schedule'][best]} is best), relative to the norm of x*."
        )
        if lead > 0:
            return Verdict(Outcome.REFUTED, text, counterexample={"schedule": best, "lead": lead})
        return from_residual(excess(lead), 0.0, text, tolerance_reason="The smaller mean error wins.")

    return [
        Claim(
            "figure1b/recovery", r"\text{decaying schedules recover } x^* \text{ with the mask}", SOURCE, check=recovers
        )
    ] + [
        Claim(
            f"figure1b/constant-best-{kind}",
            rf"\text{{a constant strength is best for {kind}}}",
            SOURCE,
            check=lambda row=row: constant_is_best(row),
        )
        for row, kind in enumerate(data["setting"])
        if kind != "mask"
    ]


EXPERIMENT = Experiment(
    name="figure1b",
    title="Schedules of the strength: decay makes a mask recover sparse weights",
    caption=(
        "Distance to the sparse truth for three ways to make weights sparse, each with four constant and three "
        "decaying strengths, mean of the initializations, with the flow and the limits of theory."
    ),
    expectation=(
        "The preprint's figure 1b: decaying schedules recover x* for the mask, constant ones are best for L1 on m and "
        "L1 on x. Theory: the mask follows its flow to O(η), and minimizes its potential among all weights of the same "
        "predictions; decay without end takes it to x*, a constant strength to the LASSO solution."
    ),
    configuration={"default": setting.Settings(), "quick": setting.quick(setting.Settings())},
    compute=compute,
    draw=draw,
    claims=claims,
    observations=observations,
    table=table,
)
