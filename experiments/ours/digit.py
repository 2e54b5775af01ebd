r"""Recovering a handwritten digit from random projections: what the mask's implicit bias is worth on a real image.

A digit x* is measured by y = Zx* with fewer measurements than pixels. The flow of the mask, from the same start but
with more and more total decay A, ends at argmin {R_a(x) : Zx = y}, which moves from the least-L2 to the least-L1
solution. Entries of Z have variance 1/d, the loss is ‖Zx − y‖²/(2d), and times are flow times.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from experiments.engine import Data, Sweep
from experiments.excess import excess
from experiments.experiment import Experiment
from experiments.ours.regressions import basis_pursuit, regression
from experiments.ours.trained_networks import Training, trained_at_scales
from implicit_bias import (
    Claim,
    HyperbolicEntropy,
    Parameterization,
    Verdict,
    bregman_projection,
    derive,
    mirror_flow,
    plotting,
    schedule,
)
from implicit_bias.claims.judge import from_residual

TRAINING = Training(
    trained_log10_scales=(0, -1, -2),
    decayed_log10_scales=(-1, -2),
    seeds=(0,),
    momentum=0.9,
    step=0.5,
    step_with_decay=0.5,
    largest_step_times_scale=0.5,
    steps=20_000,
    records=2,
    first_time=1e3,
    decay_time=1000.0,
    asymmetry=0.0,
    largest_start=0.0,
)


@dataclass(frozen=True)
class Settings:
    """The digit, its measurements, the flows, the limits and the networks.

    Attributes:
        image: Number of a training image of MNIST.
        measurements: d.
        seed: Of Z.
        start_log10_scale: log₁₀ a_0 of the flows.
        flow_log10_scales: log₁₀ of the scales to which flows decay.
        last_log10_time: log₁₀ of the last flow time.
        projection_log10_scales: log₁₀ of the scales of which only the limit is found.
        time_constant: Of the decay, in flow time.
        training: The networks.
    """

    image: int = 2803  # a seven of 83 lit pixels
    measurements: int = 350
    seed: int = 0
    start_log10_scale: float = 0.0
    flow_log10_scales: Sequence[float] = (0, -1, -2, -4, -16)
    last_log10_time: float = 8.0
    projection_log10_scales: Sequence[float] = tuple(np.linspace(2, -32, 35).tolist())
    time_constant: float = 1000.0
    training: Training = TRAINING


QUICK = Settings(
    flow_log10_scales=(0, -1),
    last_log10_time=6.0,
    projection_log10_scales=tuple(np.linspace(2, -32, 9).tolist()),
    training=replace(
        TRAINING, trained_log10_scales=(0,), decayed_log10_scales=(-1,), step=4.0, step_with_decay=4.0, steps=2000
    ),
)
LARGEST_MISFIT = 1e-3  # ‖Zx − y‖/‖y‖ up to which a flow or a network has come to its end
DISCRETE_TOLERANCE = 0.1  # relative distance of a trained network to its limit
ARRIVAL_DISTANCE = 1e-3  # ‖x_t − limit‖₂/‖x*‖₂ of a flow that has arrived: no eye can tell the images apart


def compute(settings: Settings, sweep: Sweep) -> Data:
    """The limits over all scales, the flows and the trained networks for some, and the two classical solutions."""
    problem = {"image": settings.image, "measurements": settings.measurements, "seed": settings.seed}
    shared = {
        "start_log10_scale": settings.start_log10_scale,
        "last_log10_time": settings.last_log10_time,
        "time_constant": settings.time_constant,
    }
    ends = settings.flow_log10_scales
    flows = sweep(flowed, [{"problem": problem, "log10_scale": s, **shared} for s in ends], "digit: flows")
    (networks,) = sweep(trained_at_scales, [{"problem": problem, "training": settings.training}], "digit: training")
    scales = settings.projection_log10_scales
    (lines,) = sweep(limits, [{"problem": problem, "log10_scales": [*scales, *ends]}], "digit: limits")
    truth, found, flow_limits = lines["truth"], lines["x"][: len(scales)], lines["x"][len(scales) :]
    return {
        "truth": truth,
        "lit": np.array(np.count_nonzero(truth)),
        "measurements": np.array(settings.measurements),
        "log10_scale": np.array(scales),
        "limit_error": _error(found, truth, truth),
        "limit_l1": np.abs(found).sum(axis=1),
        "flow_log10_scale": np.array(ends, dtype=float),
        "times": flows[0]["t"],
        "flow_end": np.stack([flow["x"][-1] for flow in flows]),
        "flow_limit": flow_limits,
        "flow_distance": np.stack(
            [_error(flow["x"], limit, truth) for flow, limit in zip(flows, flow_limits, strict=True)]
        ),
        "flow_residual": np.stack([flow["misfit"] for flow in flows]),
        "minimum_l2": lines["minimum_l2"],
        "basis_pursuit": lines["basis_pursuit"],
        **{name: values for name, values in networks.items() if name.startswith("run_")},
    }


def limits(problem: Mapping[str, int], log10_scales: Sequence[float]) -> Data:
    """The limits over all scales ``x`` (scales, n), the digit, and the two classical solutions."""
    target = regression(problem)
    potentials = [HyperbolicEntropy(log_scale=scale * np.log(10)) for scale in log10_scales]
    return {
        "truth": np.asarray(target.truth),
        "x": np.stack([bregman_projection(target, potential).x for potential in potentials]),
        "minimum_l2": np.linalg.lstsq(target.Z, target.y, rcond=None)[0],
        "basis_pursuit": basis_pursuit(target),
    }


def flowed(
    problem: Mapping[str, int],
    log10_scale: float,
    start_log10_scale: float,
    last_log10_time: float,
    time_constant: float,
) -> Data:
    """The mask's flow from w_0 = 0, with the total decay that ends at the given scale: ``x`` of shape (times, n)."""
    target = regression(problem)
    times = np.logspace(2, last_log10_time, 10 * int(last_log10_time - 2) + 1)
    decay = (start_log10_scale - log10_scale) * np.log(10) / 4
    mask = derive(Parameterization("m*w", ["m", "w"]), "m**2 + w**2")
    fading = schedule.Geometric(decay / time_constant, time_constant)
    init = {"m": np.full(target.n, np.sqrt(2 * 10**start_log10_scale)), "w": np.zeros(target.n)}  # a_0 = m_0²/2
    # The picture needs four digits; the agreement of flows to 1e-8 is shown in the tests.
    path = mirror_flow(target, mask, init, times, schedule=fading, rtol=1e-7, atol=1e-9).x
    misfit = np.asarray(np.linalg.norm(target.Z @ path[-1] - target.y) / np.linalg.norm(target.y))
    return {"t": times, "x": path, "misfit": misfit}


def _error(x: np.ndarray, reference: np.ndarray, truth: np.ndarray) -> np.ndarray:
    return np.linalg.norm(x - reference, axis=-1) / np.linalg.norm(truth)


def _arrival(data: Data) -> list[float]:
    """The first time from which on each flow stays close to its limit, inf where it never does."""
    arrivals = []
    for distance in data["flow_distance"]:
        far = np.flatnonzero(distance > ARRIVAL_DISTANCE)
        last = -1 if not len(far) else far[-1]
        arrivals.append(float(data["times"][last + 1]) if last + 1 < len(distance) else np.inf)
    return arrivals


def draw(data: Data) -> Figure:
    """A row of images, and below it error and L1 norm against the scale."""
    truth = data["truth"]
    solutions = [("digit", truth), ("minimum L2", data["minimum_l2"])]
    solutions += [
        (f"mask, $a_\\infty=10^{{{s:g}}}$", x) for s, x in zip(data["flow_log10_scale"], data["flow_end"], strict=True)
    ]
    solutions.append(("basis pursuit", data["basis_pursuit"]))
    figure = plt.figure(figsize=(7.2, 3.9), layout="constrained")
    rows = figure.add_gridspec(2, 1, height_ratios=[1, 1.75])
    images = rows[0].subgridspec(1, len(solutions))
    for k, (title, image) in enumerate(solutions):
        axes = figure.add_subplot(images[k])
        axes.imshow(image.reshape(28, 28), cmap="gray_r", vmin=0, vmax=1)
        axes.set(xticks=[], yticks=[])
        axes.spines[["top", "right"]].set_visible(True)
        axes.set_title(title, fontsize=6.5)
        if k:
            axes.set_xlabel(f"error {_in_words(float(_error(image, truth, truth)))}", fontsize=7)
        else:
            axes.set_xlabel(f"{data['lit']} of {truth.size} pixels", fontsize=7)
    panels = rows[1].subgridspec(1, 2)
    _draw_errors(figure.add_subplot(panels[0]), data)
    _draw_norms(figure.add_subplot(panels[1]), data)
    return figure


def _draw_errors(axes: Axes, data: Data) -> None:
    truth, colours = data["truth"], plotting.COLOURS
    axes.plot(
        data["log10_scale"],
        data["limit_error"],
        color=colours["projection"],
        label="limit (Bregman projection)",
    )
    axes.axhline(float(_error(data["minimum_l2"], truth, truth)), color=colours["minimum L2"], lw=0.8, ls="--")
    axes.annotate("minimum L2", (1.0, 0.80), xycoords=("axes fraction", "data"), ha="right", va="bottom", fontsize=7,
                  color=colours["minimum L2"])  # fmt: skip
    _draw_flows(axes, data, _error(data["flow_end"], truth, truth))
    _draw_trained(axes, data, data["run_error"])
    axes.set(yscale="log", ylim=(1e-12, 20), xlabel=r"$\log_{10}$ of the final scale $a_\infty$")
    axes.set_ylabel(r"$\|x - x^*\|_2 / \|x^*\|_2$")
    for s, x, gap, misfit in zip(
        data["flow_log10_scale"],
        data["flow_end"],
        data["flow_distance"][:, -1],
        data["flow_residual"],
        strict=True,
    ):
        if gap > ARRIVAL_DISTANCE * _error(x, truth, truth):
            text = "on its way:\n" + rf"$\|Zx-y\|/\|y\|=$ {_power_of_ten(misfit)}"
            axes.annotate(text, (s, _error(x, truth, truth)), xytext=(6, -2), textcoords="offset points", fontsize=6.5)
    axes.invert_xaxis()
    axes.legend(loc="lower left")


def _draw_norms(axes: Axes, data: Data) -> None:
    least, colours = np.abs(data["basis_pursuit"]).sum(), plotting.COLOURS
    axes.axhline(1.0, color=colours["basis pursuit"], lw=0.8, ls="--")
    axes.annotate("basis pursuit", (1.0, 1.0), xycoords=("axes fraction", "data"), ha="right", va="bottom", fontsize=7,
                  color=colours["basis pursuit"])  # fmt: skip
    axes.plot(data["log10_scale"], data["limit_l1"] / least, color=colours["projection"])
    _draw_flows(axes, data, np.abs(data["flow_end"]).sum(axis=1) / least)
    _draw_trained(axes, data, data["run_l1"] / least)
    for s, arrival, height in zip(
        data["flow_log10_scale"], _arrival(data), np.abs(data["flow_end"]).sum(axis=1) / least, strict=True
    ):
        text = (
            f"t = {_power_of_ten(arrival)}"
            if np.isfinite(arrival)
            else f"not by t = {_power_of_ten(data['times'][-1])}"
        )
        axes.annotate(text, (s, height), xytext=(5, 3), textcoords="offset points", fontsize=6.5, color=colours["flow"])
    note = f"t: flow time to within {ARRIVAL_DISTANCE:.1%} of the limit"
    axes.text(1, 0.95, note, fontsize=7, color=colours["flow"], ha="right", transform=axes.transAxes)
    axes.set(xlabel=r"$\log_{10}$ of the final scale $a_\infty$", ylabel=r"$\|x\|_1 / \|x_{\mathrm{BP}}\|_1$")
    axes.invert_xaxis()


def _draw_flows(axes: Axes, data: Data, heights: np.ndarray) -> None:
    label = f"end of the flow, t = {_power_of_ten(data['times'][-1])}"
    axes.plot(data["flow_log10_scale"], heights, "o", ms=4, color=plotting.COLOURS["flow"], label=label)


def _draw_trained(axes: Axes, data: Data, heights: np.ndarray) -> None:
    axes.plot(data["run_log10_scale"], heights, "s", ms=6, mfc="none", mew=1.2, color=plotting.COLOURS["run"],
              label="trained networks")  # fmt: skip


def _in_words(value: float) -> str:
    """Two digits, as a power of ten where the number is small."""
    return f"{value:.2g}" if value > 1e-3 else _power_of_ten(value)


def _power_of_ten(value: float) -> str:
    exponent = int(np.floor(np.log10(value) + 1e-9))
    mantissa = value / 10**exponent
    return f"$10^{{{exponent}}}$" if abs(mantissa - 1) < 1e-6 else f"${mantissa:.1f}\\cdot10^{{{exponent}}}$"


def claims(data: Data) -> list[Claim]:
    """The claims of theory about this image."""
    truth = data["truth"]

    def flows_arrive() -> Verdict:
        arrivals, final = _arrival(data), data["flow_distance"][:, -1]
        # Whether a flow has come to its end is judged without the end that theory predicts.
        settled = data["flow_residual"] <= LARGEST_MISFIT
        report = "; ".join(
            f"1e{s:g}: t = {t:.0e}"
            if np.isfinite(t)
            else f"1e{s:g}: still {gap:.1e} away at t = {data['times'][-1]:.0e}"
            for s, t, gap in zip(data["flow_log10_scale"], arrivals, final, strict=True)
        )
        return from_residual(
            float(final[settled].max()) if settled.any() else np.nan,
            ARRIVAL_DISTANCE,
            f"Flow times to come within {ARRIVAL_DISTANCE:g} of the projection, by final scale: {report}. "
            f"{settled.sum()} of {len(settled)} flows fit the data at the end, with a misfit ‖Zx − y‖/‖y‖ of at "
            f"most {LARGEST_MISFIT:g}.",
        )

    def recovers() -> Verdict:
        small = data["log10_scale"] <= -16
        error = float(data["limit_error"][small].max())
        # At a = 1e-16 the off-support weights still weigh about a^(1 − |dual certificate|), here some 1e-6.
        return from_residual(
            error, 1e-5, f"Relative error of the limit at scales 1e-16 and below: at most {error:.0e}."
        )

    def basis_pursuit() -> Verdict:
        # HiGHS solves to a feasibility tolerance of 1e-7.
        gap = float(np.abs(_last_limit_l1(data) / np.abs(data["basis_pursuit"]).sum() - 1))
        return from_residual(
            gap,
            1e-6,
            f"‖x‖₁ of the limit at scale 1e{data['log10_scale'].min():g} over the least: 1 + {gap:.0e}.",
        )

    def trained_arrive() -> Verdict:
        arrived, distance = data["run_misfit"] <= LARGEST_MISFIT, data["run_distance"][-1]
        names = zip(data["run_log10_scale"][arrived], data["run_decays"][arrived], distance[arrived], strict=True)
        text = ", ".join(
            f"{gap:.3f} at a = {10**scale:.2g}{' by decay' if decays else ''}" for scale, decays, gap in names
        )
        return from_residual(
            float(distance[arrived].max()) if arrived.any() else np.nan,
            DISCRETE_TOLERANCE,
            f"Relative distance of {arrived.sum()} trained networks to their own limits: {text}"
            + (f"; {(~arrived).sum()} more are still on their way." if (~arrived).any() else "."),
            tolerance_reason="Heavy ball follows the flow up to O(η/(1 − β)); steps are as long as is stable.",
        )

    def monotone() -> Verdict:
        rise = excess(np.diff(data["limit_l1"][np.argsort(-data["log10_scale"])]))
        span = f"from {data['limit_error'].max():.2f} to {data['limit_error'].min():.0e}"
        return from_residual(
            rise,
            1e-9 * float(np.abs(truth).sum()),
            f"‖x‖₁ never rises as the scale falls; the error goes {span}.",
        )

    source = "this project"
    return [
        Claim(
            "digit/flow",
            r"\lim x_t = \operatorname{argmin}\{R_{a_\infty} : Zx = y\}",
            source,
            uses=("ours/thm-3.3",),
            check=flows_arrive,
        ),
        Claim(
            "digit/trained",
            r"\lim x_k = \operatorname{argmin}\{R_{a_\infty} : Zx = y\} + O(\eta)",
            source,
            uses=("ours/flow-heavy-ball",),
            check=trained_arrive,
        ),
        Claim("digit/recovery", r"a \le 10^{-16} \Rightarrow x = x^*", source, check=recovers),
        Claim("digit/basis-pursuit", r"a \to 0: \|x\|_1 \to \min \|x\|_1", source, check=basis_pursuit),
        Claim("digit/monotone", r"\|x\|_1 \text{ falls with } a", source, check=monotone),
    ]


def _last_limit_l1(data: Data) -> float:
    return float(data["limit_l1"][np.argmin(data["log10_scale"])])


EXPERIMENT = Experiment(
    name="digit",
    title="A handwritten digit recovered from random projections by the implicit bias of a mask",
    caption=(
        "Above, a digit and what interpolates 350 random projections of its 784 pixels: the least L2 norm, the ends of "
        "the mask's flow for more and more decay, basis pursuit. Below, error and L1 norm of the limit against its "
        "scale, with the flows' ends and trained networks on top."
    ),
    expectation=(
        "Theory: the flow and training end at argmin {R_a : Zx = y}, which goes from the least L2 to the least L1 norm "
        "as the scale a falls, and with it to the digit."
    ),
    configuration={"default": Settings(), "quick": QUICK},
    compute=compute,
    draw=draw,
    claims=claims,
)
