r"""Matrices :math:`X = UU^\top` under two measurements, from commuting ones to others, as the start becomes small.

The least trace of all positive semidefinite X with :math:`\langle A_i, X\rangle = y_i` is 1, at
:math:`X_* = e_3e_3^\top`, whatever the share s of the part of :math:`A_2` that does not commute with :math:`A_1`. For
s = 0 the flow ends at the projection of the von Neumann entropy, whose trace tends to 1. For s > 0 it is no mirror
flow. All times are flow times.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from experiments.engine import Data, Sweep
from experiments.excess import excess
from experiments.experiment import Experiment
from implicit_bias import (
    Claim,
    MatrixParameterization,
    Regression,
    Verdict,
    VonNeumannEntropy,
    bregman_projection,
    gradient_flow,
    mirror_distance,
    plotting,
)
from implicit_bias.claims.judge import from_residual

FIRST = np.diag([-3.0, 1.0, 2.0])
DIAGONAL = np.diag([-1.0, 0.0, 2.0])  # the part of the second measurement that commutes with the first
REST = np.array([[0.0, 1.0, 2.0], [1.0, 0.0, 2.0], [2.0, 2.0, 0.0]])
OBSERVED = (2.0, 2.0)
MULTIPLIERS = (0.5, 0.0)  # of the dual: ½ A_1 ⪯ I, so tr X >= ½ ⟨A_1, X⟩ = 1 for every X that fits
LEAST_TRACE = 1.0
FACTOR = MatrixParameterization("U @ U.T", {"U": (3, 3)})
TIMES = (1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 1e3, 1e6)
ARRIVED = 1e-20  # a loss: a misfit of 1e-10, the tolerance of the integrator
MISFIT_REASON = (
    "At small scales the last misfit shrinks at the rate of a small eigenvalue of X; a loss of 1e-11 is one of 3e-6. "
    "Where it is below 1e-10 the tolerance of the integrator is left."
)


@dataclass(frozen=True)
class Settings:
    """The starts and the measurements.

    Attributes:
        log10_scales: log₁₀ α of the starts X_0 = αI.
        shares: The shares s of the part that does not commute, at the last of the scales in ``share_log10_scale``.
        share_log10_scale: log₁₀ α for these.
    """

    log10_scales: Sequence[float] = (1.0, 0.0, -0.5, -1.0, -2.0, -3.0, -4.0, -6.0, -8.0, -16.0)
    shares: Sequence[float] = (0.0, 0.05, 0.1, 0.2, 0.4, 0.7, 1.0)
    share_log10_scale: float = -8.0


QUICK = Settings(log10_scales=(0.0, -4.0, -8.0), shares=(0.0, 0.1, 1.0))


def measurements(share: float) -> Regression:
    """Both measurements with a share of the part that does not commute."""
    return Regression(np.stack([FIRST.ravel(), (DIAGONAL + share * REST).ravel()]), OBSERVED)


def compute(settings: Settings, sweep: Sweep) -> Data:
    """Ends of flows and of projections over the scale, and over the share."""
    ends = [(share, scale) for share in (0.0, 1.0) for scale in settings.log10_scales]
    ends += [(share, settings.share_log10_scale) for share in settings.shares]
    found = sweep(flowed, [{"share": s, "log10_scale": a} for s, a in ends], "matrices: flows")
    count = len(settings.log10_scales)
    by_scale = {
        name: np.stack([each[name] for each in found[: 2 * count]]).reshape(2, count, *np.shape(found[0][name]))
        for name in found[0]
    }
    by_share = {f"share_{name}": np.stack([each[name] for each in found[2 * count :]]) for name in found[0]}
    return {
        "log10_scale": np.array(settings.log10_scales),
        "share": np.array(settings.shares),
        "share_log10_scale": np.array(settings.share_log10_scale),
        **by_scale,
        **by_share,
    }


def flowed(share: float, log10_scale: float) -> Data:
    """The end of the flow of U from √α I, its distance from a mirror flow, and the projection of the entropy."""
    problem, scale = measurements(share), 10.0**log10_scale
    flow = gradient_flow(problem, FACTOR, {"U": np.sqrt(scale) * np.eye(3)}, TIMES, rtol=1e-11, method="LSODA")
    limit = bregman_projection(problem, VonNeumannEntropy(3, scale=scale))
    return {
        "end": flow.x[-1].reshape(3, 3),
        "loss": flow.loss[-1],
        "distance": mirror_distance(problem, FACTOR, flow.parameters).max(),
        "projection": limit.x.reshape(3, 3),
    }


def _traces(matrices: np.ndarray) -> np.ndarray:
    return np.trace(matrices, axis1=-2, axis2=-1)


def _off_projection(data: Data, prefix: str = "") -> np.ndarray:
    """‖X − projection‖_F."""
    return np.linalg.norm(data[f"{prefix}end"] - data[f"{prefix}projection"], axis=(-2, -1))


def draw(data: Data) -> Figure:
    """Traces and eigenvalues over the scale; the distances over the share."""
    figure, axes = plt.subplots(1, 3, figsize=(7.2, 3.1), layout="constrained")
    _draw_traces(axes[0], data)
    _draw_eigenvalues(axes[1], data)
    _draw_shares(axes[2], data)
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=4)
    return figure


FLOW_COLOUR, LIMIT_COLOUR = plotting.COLOURS["flow"], plotting.COLOURS["projection"]
FILLS = (FLOW_COLOUR, plotting.GREYS["paper"])  # of flows' marks: filled if the measurements commute
LABELS = ("s = 0: commuting", "s = 1: not commuting")


def _draw_traces(axes: Axes, data: Data) -> None:
    scale = 10.0 ** data["log10_scale"]
    for k, (marker, style) in enumerate((("o", "-"), ("s", (0, (2, 1))))):
        axes.plot(scale, _traces(data["projection"][k]), color=LIMIT_COLOUR, lw=2.6, ls=style, alpha=0.35,
                  label=f"projection, s = {k}")  # fmt: skip
        axes.plot(scale, _traces(data["end"][k]), marker, ms=3.5, mew=0.8, color=FLOW_COLOUR, mfc=FILLS[k],
                  label=f"flow, {LABELS[k]}")  # fmt: skip
    axes.axhline(LEAST_TRACE, color=plotting.GREYS["note"], lw=0.8, ls="--")
    axes.annotate("least trace", (0.97, LEAST_TRACE), (0, -3), textcoords="offset points",
                  xycoords=axes.get_yaxis_transform(), ha="right", va="top", fontsize=7)  # fmt: skip
    axes.set(xscale="log", xlabel=r"scale $\alpha$ of the start $X_0 = \alpha I$", ylim=(0.96, 1.3))
    axes.set_xticks(10.0 ** np.arange(-16, 1, 8))
    axes.set(ylabel=r"trace of the end $X_\infty$", title="Ends of flows and projections")


def _draw_eigenvalues(axes: Axes, data: Data) -> None:
    scale = 10.0 ** data["log10_scale"]
    for k, marker in enumerate("os"):
        values = np.linalg.eigvalsh(data["end"][k])[:, ::-1]
        for i, style in enumerate(("-", "--", ":")):
            shown = np.where(values[:, i] > 1e-15, values[:, i], np.nan)
            axes.plot(scale, shown, style, marker=marker, ms=3.5, mew=0.8, lw=1, color=FLOW_COLOUR, mfc=FILLS[k])
    axes.set(xscale="log", yscale="log", ylim=(1e-15, 20), xlabel=r"scale $\alpha$")
    axes.set_xticks(10.0 ** np.arange(-16, 1, 8))
    axes.set(ylabel=r"eigenvalues of $X_\infty$", title="Both become matrices of rank one")


def _draw_shares(axes: Axes, data: Data) -> None:
    share = data["share"]
    axes.plot(
        share, data["share_distance"], "-", marker="^", ms=4, color=plotting.GREYS["note"], label="from a mirror flow"
    )
    axes.plot(share, _off_projection(data, "share_"), "-", marker="o", ms=4, color=LIMIT_COLOUR,
              label=r"$\|X_\infty - \mathrm{projection}\|_F$")  # fmt: skip
    axes.plot(share, _traces(data["share_end"]) - LEAST_TRACE, "-", marker="s", ms=4,
              color=plotting.COLOURS["basis pursuit"], label=r"$\mathrm{tr}\,X_\infty - 1$")  # fmt: skip
    axes.set(xlabel="share s that does not commute", ylim=(-0.02, None))
    axes.set_title(rf"Distances, $\alpha = 10^{{{data['share_log10_scale']:g}}}$")
    axes.legend(loc="upper left")


def claims(data: Data) -> list[Claim]:
    """The claims of theory about these ends."""

    def fitted() -> Verdict:
        worst = float(np.max([data["loss"].max(), data["share_loss"].max()]))
        return from_residual(
            worst, 1e-11, f"The largest loss at the end is {worst:.1e}.", tolerance_reason=MISFIT_REASON
        )

    def projected() -> Verdict:
        gaps, arrived = _off_projection(data)[0], data["loss"][0] < ARRIVED
        last = float(gaps[arrived].max()) if arrived.any() else np.nan
        text = (
            f"The end is at most {gaps.max():.1e} off the projection over {len(gaps)} scales, and {last:.1e} for the "
            f"{arrived.sum()} whose loss is below {ARRIVED:g}."
        )
        return from_residual(float(np.max([gaps.max(), 1e4 * last])), 1e-5, text, tolerance_reason=MISFIT_REASON)

    def least() -> Verdict:
        proven = MULTIPLIERS[0] * OBSERVED[0] + MULTIPLIERS[1] * OBSERVED[1]
        slack = float(np.linalg.eigvalsh(np.eye(3) - MULTIPLIERS[0] * FIRST)[0])
        at_the_end = float(_traces(data["end"][0, -1]))
        gap = float(np.max([abs(proven - LEAST_TRACE), excess(-slack), abs(at_the_end - LEAST_TRACE)]))
        return from_residual(
            gap, 1e-3,
            f"The multipliers (½, 0) certify that no trace is below {proven:g}, and at the smallest scale the flow's "
            f"is {at_the_end:.8f}, the projection's {_traces(data['projection'][0, -1]):.8f}.",
            tolerance_reason="The trace approaches its limit like a power of α.",
        )  # fmt: skip

    def other_trace() -> Verdict:
        small = _traces(data["end"][1, -2:])
        return from_residual(
            excess(0.05 - float(small.min() - LEAST_TRACE)), 0.0,
            f"At the two smallest scales the trace is {small[0]:.6f} and {small[1]:.6f}, not {LEAST_TRACE:g}.",
            tolerance_reason="A twentieth is far above every numerical error.",
        )  # fmt: skip

    def measured() -> Verdict:
        at_zero = float(np.max(data["share_distance"][data["share"] == 0]))
        rises = np.diff(data["share_distance"])
        beyond = excess(float(data["share_distance"].max()) - 1)
        return from_residual(
            float(np.max([at_zero, excess(-float(rises.min())), beyond])), 0.0,
            f"It is {at_zero:g} for s = 0 and rises with s up to {data['share_distance'].max():.3f}.",
            tolerance_reason="Brackets below their own rounding count as 0, so there is none to allow for.",
        )  # fmt: skip

    source = "this project"
    return [
        Claim("matrices/fitted", r"\langle A_i, X_\infty \rangle = y_i", source, check=fitted),
        Claim("matrices/commuting-projection",
              r"s = 0: X_\infty = \operatorname{argmin} \{ \operatorname{tr}(X \log X - X - X \log X_0) \}", source,
              uses=("matrix-mirror/von-neumann",), check=projected),
        Claim("matrices/commuting-trace", r"s = 0: \operatorname{tr} X_\infty \to \min \operatorname{tr} X", source,
              check=least),
        Claim("matrices/other-trace", r"s = 1: \operatorname{tr} X_\infty \not\to \min \operatorname{tr} X", source,
              check=other_trace),
        Claim("matrices/distance", r"\text{the distance from a mirror flow is 0 for } s = 0 \text{ alone}", source,
              check=measured),
    ]  # fmt: skip


EXPERIMENT = Experiment(
    name="matrices",
    title="Matrices under measurements that commute, and that do not",
    caption=(
        "The flow of X = U Uᵀ from αI under two measurements: the trace and the eigenvalues of its end over the scale "
        "α, beside the projection of the von Neumann entropy; and over the share of a measurement that does not "
        "commute with the other, the distance from a mirror flow, from the projection and from the least trace."
    ),
    expectation=(
        "Theory: for commuting measurements the flow ends at the projection, and its trace tends to the least one. For "
        "others it is no mirror flow and may end elsewhere, with a larger trace however small the start."
    ),
    configuration={"default": Settings(), "quick": QUICK},
    compute=compute,
    draw=draw,
    claims=claims,
)
