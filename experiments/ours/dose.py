r"""Equal doses of decay, given at different times: training travels differently and ends at the same point.

Five schedules spend the same total decay :math:`A_\infty`. The scale is :math:`a_t = a_0e^{-4A_t}`, a function of the
decay spent so far, so all flows end at :math:`\operatorname{argmin}\{R_{a_\infty}(x) : Zx = y\}`, the Bregman
projection that knows of no schedule. All times are flow times.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from experiments.engine import Data, Sweep
from experiments.excess import excess
from experiments.experiment import Experiment
from implicit_bias import (
    Claim,
    HyperbolicEntropy,
    Parameterization,
    Regression,
    Verdict,
    bregman_projection,
    derive,
    gradient_flow,
    mirror_flow,
    plotting,
)
from implicit_bias.claims.judge import from_residual
from implicit_bias.schedule import Constant, Geometric, Harmonic, Pulse, Schedule, SwitchOff


@dataclass(frozen=True)
class Settings:
    """A regression, the doses of decay, and the times.

    Attributes:
        d: Number of observations.
        n: Number of weights.
        sparsity: Number of non-zero weights of the truth.
        seed: Of the regression and of the start.
        dose: The decay that every schedule spends.
        other_doses: Decays of which only the limit is found.
        last_log10_time: log₁₀ of the last time of the paths.
        points: How many times of the paths are kept.
        scale_end: Last time at which the scale is measured.
        scale_points: How often it is.
    """

    d: int = 40
    n: int = 100
    sparsity: int = 5
    seed: int = 0
    dose: float = 1.0
    other_doses: Sequence[float] = tuple(np.linspace(0, 2, 41).tolist())
    last_log10_time: int = 4
    points: int = 301
    scale_end: float = 120.0
    scale_points: int = 241


QUICK = Settings(d=12, n=30, sparsity=3, other_doses=(0.0, 0.5, 1.0, 2.0), points=121, scale_points=61)
SCHEDULES = ("early pulse", "constant, then off", "harmonic, then off", "geometric", "late pulse")
ARRIVAL_TOLERANCE = 1e-8
MASK, REGULARIZER = Parameterization("m*w", ["m", "w"]), "m**2 + w**2"


def schedules(dose: float) -> dict[str, Schedule]:
    """Five ways to spend the same decay."""
    return {
        "early pulse": SwitchOff(Constant(dose / 0.5), 0.5),
        "constant, then off": SwitchOff(Constant(dose / 20), 20.0),
        "harmonic, then off": SwitchOff(Harmonic(dose / np.log(101), 1.0), 100.0),
        "geometric": Geometric(dose / 8, 8.0),
        "late pulse": Pulse(40.0, 20.0, dose),
    }


def compute(settings: Settings, sweep: Sweep) -> Data:
    """The flows of all schedules, and the limits for all doses."""
    problem = {"d": settings.d, "n": settings.n, "sparsity": settings.sparsity, "seed": settings.seed}
    times = {
        "last_log10_time": settings.last_log10_time,
        "points": settings.points,
        "scale_end": settings.scale_end,
        "scale_points": settings.scale_points,
    }
    grid = [{"problem": problem, "name": name, "dose": settings.dose, **times} for name in SCHEDULES]
    flows = sweep(flowed, grid, "dose: flows")
    doses = [settings.dose, *settings.other_doses]
    (limits,) = sweep(limits_of_doses, [{"problem": problem, "doses": doses}], "dose: limits")
    plans = schedules(settings.dose)
    t, linear = flows[0]["t"], flows[0]["scale_t"]
    paths = np.stack([flow["path"] for flow in flows])
    family = _family(Regression.sample(**problem), settings.seed)
    decays = np.stack([flow["scale_decay"] for flow in flows])
    return {
        "schedule": np.array(list(plans)),
        "dose": np.array(settings.dose),
        "total": np.array([plan.total for plan in plans.values()]),
        "t": t,
        "strength": np.stack([plan(linear) for plan in plans.values()]),
        "decay": np.stack([plan.integral(t) for plan in plans.values()]),
        "path": paths.astype(np.float32),  # for the pictures; the ends are kept in full
        "end": paths[:, -1],
        "loss": np.stack([flow["loss"] for flow in flows]),
        "scale_t": linear,
        "scale_decay": decays,
        "scale": np.stack([flow["scale"] for flow in flows]),
        "derived_scale": np.array([np.mean(family(A).scale) for A in decays.ravel()]).reshape(len(plans), -1),
        "limit": limits["x"][0],
        "doses": np.array(doses[1:]),
        "limit_of_dose": limits["x"][1:],
        "truth": limits["truth"],
    }


def flowed(
    problem: Mapping[str, int],
    name: str,
    dose: float,
    last_log10_time: float,
    points: int,
    scale_end: float,
    scale_points: int,
) -> Data:
    """The flow under one schedule in the dual variables, and the scale of the flow of m and w."""
    regression, plan = Regression.sample(**problem), schedules(dose)[name]
    init = _start(regression.n, problem["seed"])
    times = np.concatenate([[0], np.logspace(-2, last_log10_time, points - 1)])
    linear = np.linspace(0, scale_end, scale_points)
    path = mirror_flow(regression, derive(MASK, REGULARIZER), init, times, schedule=plan).x
    # The parameters know of no scale: it is measured as (m² − w²)/2.
    flow = gradient_flow(regression, MASK.with_regularizer(REGULARIZER), init, linear, schedule=plan, rtol=1e-11)
    return {
        "t": times,
        "path": path,
        "loss": regression.loss(path),
        "scale_t": linear,
        "scale": (flow.parameters["m"] ** 2 - flow.parameters["w"] ** 2).mean(axis=1) / 2,
        "scale_decay": flow.decay,
    }


def limits_of_doses(problem: Mapping[str, int], doses: Sequence[float]) -> Data:
    """The limits of theory for each total decay, ``x`` of shape (doses, n)."""
    regression = Regression.sample(**problem)
    family = _family(regression, problem["seed"])
    limits = [bregman_projection(regression, family(A)).x for A in doses]
    return {"x": np.stack(limits), "truth": np.asarray(regression.truth)}


def _family(problem: Regression, seed: int) -> Callable[[float], HyperbolicEntropy]:
    """The mask's potential from this start, by decay."""
    family = derive(MASK, REGULARIZER).family(_start(problem.n, seed))
    return cast("Callable[[float], HyperbolicEntropy]", family)  # as of every mask


def _start(n: int, seed: int) -> dict[str, np.ndarray]:
    """x_0 ~ N(0, 1/√n) with m_0² − w_0² = 1, the preprint's setting."""
    from implicit_bias.masking import initialization  # torch, which drawing does without

    return initialization(np.random.default_rng(seed).standard_normal(n) / n**0.25, scale=0.5)


def _distance(data: Data) -> np.ndarray:
    """‖x_t − limit‖ / ‖limit‖ of each schedule, shape (schedules, times)."""
    distance = np.linalg.norm(data["path"] - data["limit"], axis=-1)
    distance[:, -1] = np.linalg.norm(data["end"] - data["limit"], axis=-1)
    return distance / np.linalg.norm(data["limit"])


def _shown(data: Data) -> tuple[int, int]:
    """The weight in the truth, and the one outside it, on which the schedules differ most on the way."""
    spread = np.max(np.ptp(data["path"], axis=0), axis=0)
    inside = data["truth"] != 0
    return int(np.argmax(np.where(inside, spread, 0))), int(np.argmax(np.where(inside, 0, spread)))


def draw(data: Data) -> Figure:
    """The decay spent, the distance to the limit, the paths of two weights, and the scale against the decay."""
    figure, axes = plt.subplots(2, 2, figsize=(7.2, 5.4), layout="constrained")
    _draw_decay(axes[0, 0], data)
    _draw_distance(axes[0, 1], data)
    _draw_paths(axes[1, 0], data)
    _draw_scale(axes[1, 1], data)
    handles = [Line2D([], [], color=plotting.schedule_colour(str(name))) for name in data["schedule"]]
    figure.legend(handles, [str(name) for name in data["schedule"]], loc="outside lower center", ncols=len(handles))
    return figure


def _draw_decay(axes: Axes, data: Data) -> None:
    for name, decay in zip(data["schedule"], data["decay"], strict=True):
        axes.plot(data["t"], decay, color=plotting.schedule_colour(str(name)), label=str(name))
    axes.set(xscale="log", xlim=(1e-2, 1e3), xlabel="flow time t", ylabel=r"decay spent, $A_t$")
    axes.set_title("The same dose of decay at different times")


def _draw_distance(axes: Axes, data: Data) -> None:
    for name, distance in zip(data["schedule"], _distance(data), strict=True):
        axes.plot(data["t"], distance, color=plotting.schedule_colour(str(name)))
    axes.set(xscale="log", yscale="log", xlim=(1e-2, 1e3), ylim=(1e-6, 5), xlabel="flow time t")
    final, last = _distance(data)[:, -1].max(), np.log10(data["t"][-1])
    most = f"at most $10^{{{np.ceil(np.log10(final)):.0f}}}$" if final > 0 else "0"
    axes.text(0.05, 0.08, f"at $t = 10^{{{last:.0f}}}$: {most}", transform=axes.transAxes)
    axes.set(ylabel=r"$\|x_t - x_\infty\|_2\,/\,\|x_\infty\|_2$")
    axes.set_title("All end at the Bregman projection for this dose")


def _draw_paths(axes: Axes, data: Data) -> None:
    i, j = _shown(data)
    colour = plotting.COLOURS["projection"]
    axes.plot(data["limit_of_dose"][:, i], data["limit_of_dose"][:, j], color=colour, lw=0.9, ls=":")
    for name, path in zip(data["schedule"], data["path"], strict=True):
        axes.plot(path[:, i], path[:, j], color=plotting.schedule_colour(str(name)))
    start, end = data["path"][0, 0], data["limit"]
    axes.plot(start[i], start[j], "o", color=plotting.GREYS["paper"], mec=plotting.GREYS["note"], ms=5, zorder=4)
    axes.plot(end[i], end[j], "s", color=colour, ms=5, zorder=4)
    axes.annotate("start", (start[i], start[j]), (6, 4), textcoords="offset points")
    axes.annotate(f"A = {data['dose']:g}:\nprojection", (end[i], end[j]), (5, -20), textcoords="offset points",
                  color=colour, ha="left")  # fmt: skip
    for k, offset in ((0, (20, -9)), (len(data["doses"]) - 1, (0, -12))):
        x = data["limit_of_dose"][k]
        axes.plot(x[i], x[j], "s", color=plotting.GREYS["paper"], mec=colour, ms=4, zorder=3)
        axes.annotate(f"A = {data['doses'][k]:g}", (x[i], x[j]), offset, textcoords="offset points",
                      ha="center", color=colour)  # fmt: skip
    axes.set(
        xlabel=f"weight {i + 1}", ylabel=f"weight {j + 1}", title="The paths of two weights; dotted: ends of all doses"
    )


def _draw_scale(axes: Axes, data: Data) -> None:
    inset = axes.inset_axes((0.56, 0.58, 0.43, 0.40))
    order = np.argsort(data["scale_decay"], axis=None)
    derived = (data["scale_decay"].ravel()[order], data["derived_scale"].ravel()[order])
    axes.plot(*derived, color=plotting.COLOURS["projection"], lw=3, alpha=0.35)
    for k, name in enumerate(data["schedule"]):
        colour = plotting.schedule_colour(str(name))
        marks = np.searchsorted(data["scale_decay"][k], np.linspace(0.02 + 0.035 * k, 0.98, 6) * data["dose"])
        axes.plot(data["scale_decay"][k, marks], data["scale"][k, marks], "o", ms=3.5, color=colour)
        inset.plot(data["scale_t"], data["scale"][k], color=colour, lw=1.0)
    axes.set(yscale="log", xlabel=r"decay spent, $A_t$", ylabel=r"scale $(m_t^2 - w_t^2)/2$ of the parameters")
    axes.set_title("Why: the scale depends on the decay alone")
    axes.annotate(r"derived: $a_0\,e^{-4A_t}$", (0.08, 0.28), xycoords="axes fraction",
                  color=plotting.COLOURS["projection"])  # fmt: skip
    inset.set(yscale="log")
    inset.set_xlabel("against flow time", fontsize=6.5, labelpad=1)
    inset.tick_params(labelsize=6, pad=1)


def claims(data: Data) -> list[Claim]:
    """The claims of theory about these paths."""

    def same_end() -> Verdict:
        final = _distance(data)[:, -1]
        text = (
            f"Relative distance to the projection at t = {data['t'][-1]:g}: at most {final.max():.1e} over "
            f"{len(final)} schedules, whose totals differ by {np.ptp(data['total']):.0e}."
        )
        return from_residual(
            float(final.max()), ARRIVAL_TOLERANCE, text,
            tolerance_reason="The flow is integrated to 1e-12 a step; its last weights converge like e^(-t/100).",
        )  # fmt: skip

    def scale() -> Verdict:
        gap = float(np.max(np.abs(np.log(data["scale"] / data["derived_scale"]))))
        return from_residual(
            gap, 1e-8,
            f"The scale (m² − w²)/2 of the parameters is the derived one to a relative {gap:.0e} for all schedules.",
            tolerance_reason="The parameters are integrated to a relative 1e-11 a step, over some thousand steps.",
        )  # fmt: skip

    def differently() -> Verdict:
        apart = np.linalg.norm(data["path"][:, None] - data["path"][None], axis=-1).max(axis=-1)
        least = float((apart + np.diag(np.full(len(apart), np.inf))).min() / np.linalg.norm(data["limit"]))
        return from_residual(
            excess(0.05 - least), 0.0,
            f"Any two paths are somewhere {least:.2f} of the limit's norm apart, or more.",
            tolerance_reason="A twentieth of the norm is far above every numerical error.",
        )  # fmt: skip

    def other_doses() -> Verdict:
        ends = np.linalg.norm(data["limit_of_dose"] - data["limit"], axis=1) / np.linalg.norm(data["limit"])
        other = np.abs(data["doses"] - data["dose"]) >= 0.5
        least = float(ends[other].min())
        return from_residual(
            excess(1e-3 - least), 0.0,
            f"Doses that differ by 0.5 or more end at least {least:.3f} of the limit's norm away.",
            tolerance_reason="The projections are exact to far less.",
        )  # fmt: skip

    source = "this project"
    return [
        Claim("dose/same-end", r"A_\infty \text{ equal} \Rightarrow \lim x_t \text{ equal}", source,
              uses=("ours/thm-3.3",), check=same_end),
        Claim("dose/scale", r"(m_t^2 - w_t^2)/2 = a_0 e^{-4A_t}", source, uses=("ours/conserved",), check=scale),
        Claim("dose/paths-differ", r"\text{equal doses, different paths}", source, check=differently),
        Claim("dose/other-doses", r"\text{other doses end elsewhere}", source, check=other_doses),
    ]  # fmt: skip


EXPERIMENT = Experiment(
    name="dose",
    title="Equal doses of decay at different times: different paths, the same end",
    caption=(
        "Five schedules that spend the same decay at different times: the decay so far, the distance to the Bregman "
        "projection of the whole dose, the paths of two weights, and the measured scale against the decay."
    ),
    expectation=(
        "Theory: paths differ, but all end at the same point, because the potential depends on the schedule through "
        "its integral A alone, and the scale is e^(−4A) times the first one."
    ),
    configuration={"default": Settings(), "quick": QUICK},
    compute=compute,
    draw=draw,
    claims=claims,
)
