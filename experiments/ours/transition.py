r"""From L2 to L1 over three hundred decades of scale: the limit of theory, with trained networks on top.

The limit :math:`\operatorname{argmin}\{R_a(x) : Zx = y\}` is followed from a = 1e6 to 1e-300. On top lie diagonal
networks trained by heavy ball, which start at the scale, or start at scale 1 and decay to it. Their steps move the
potential, so each run has an exact limit of its own. The time axis is flow time, steps × η / (1 − β).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from experiments.engine import Data, Sweep
from experiments.excess import chosen, excess
from experiments.experiment import Experiment
from experiments.ours.regressions import basis_pursuit
from experiments.ours.trained_networks import Training, trained_at_scales
from implicit_bias import Claim, Outcome, Regression, Verdict, plotting, transition
from implicit_bias.claims.judge import from_residual

TRAINING = Training(
    trained_log10_scales=(2, 1, 0, -1, -2, -3, -4, -6, -8, -12),
    decayed_log10_scales=(-1, -2, -3, -4, -6),
    seeds=(0, 1),
    momentum=0.9,
    step=2e-4,
    step_with_decay=2e-4,
    largest_step_times_scale=2e-3,
    steps=16000,
    records=41,
    first_time=1e-2,
    decay_time=0.5,
    asymmetry=0.2,  # standard deviation of x_0 over the scale at the start, as far as that is below
    largest_start=1e-2,
)


@dataclass(frozen=True)
class Settings:
    """A regression, the scales of its limits, and the networks.

    Attributes:
        d: Number of observations.
        n: Number of weights.
        sparsity: Number of non-zero weights of the truth.
        seed: Of the regression.
        log10_scales: log₁₀ of the scales of the limits.
        training: The networks.
        device: Where they are trained.
    """

    d: int = 100
    n: int = 1000
    sparsity: int = 20
    seed: int = 0
    log10_scales: Sequence[float] = (*np.linspace(6, -20, 105).tolist(), *np.linspace(-25, -300, 56).tolist())
    training: Training = TRAINING
    device: str = "cpu"


QUICK = Settings(
    d=40,
    n=160,
    sparsity=6,
    log10_scales=(*np.linspace(6, -20, 27).tolist(), *np.linspace(-30, -300, 10).tolist()),
    training=replace(TRAINING, trained_log10_scales=(2, 0, -2, -4), decayed_log10_scales=(-2,), steps=3000, records=13),
)
# The slowest run, at a = 1e-12, takes a flow time of 17,000 to fit the data to 1e-10, the slowest with decay 3,000.
FULL = Settings(training=replace(TRAINING, step=1e-3, steps=1_800_000))
DECADES = (4, 0, -4, -8, -12)  # marked on the axes of scales
LARGEST_MISFIT = 1e-2  # ‖Zx − y‖/‖y‖ of a run that has arrived: its norms are those of an interpolator
FITTED = 1e-10  # of a run whose end is compared with the limit of its own steps
L1_COLOUR, L2_COLOUR = plotting.COLOURS["basis pursuit"], plotting.COLOURS["minimum L2"]


def compute(settings: Settings, sweep: Sweep) -> Data:
    """The limits over all scales with the two classical solutions, and the trained networks with their own limits."""
    problem = {"d": settings.d, "n": settings.n, "sparsity": settings.sparsity, "seed": settings.seed}
    (lines,) = sweep(limits, [problem | {"log10_scales": settings.log10_scales}], "transition: limits")
    (dots,) = sweep(
        trained_at_scales,
        [{"problem": problem, "training": settings.training, "device": settings.device}],
        "transition: training",
    )
    for norm in ("l1", "l2"):  # in units of the least norms of all interpolators
        dots |= {name: dots[name] / lines[f"least_{norm}"] for name in (f"run_{norm}", f"run_limit_{norm}")}
    return lines | dots


def limits(d: int, n: int, sparsity: int, seed: int, log10_scales: Sequence[float]) -> Data:
    """The limits over all scales, and the two classical solutions."""
    problem = Regression.sample(d, n, sparsity, seed)
    path = transition(problem, log_scales=np.array(log10_scales) * np.log(10))
    sparsest = basis_pursuit(problem)
    minimum_l2 = np.linalg.lstsq(problem.Z, problem.y, rcond=None)[0]
    least_l1, least_l2 = np.abs(sparsest).sum(), np.linalg.norm(minimum_l2)
    return {
        "log10_scale": np.array(log10_scales, dtype=float),
        "least_l1": least_l1,
        "least_l2": np.asarray(least_l2),
        "l1": np.abs(path.x).sum(axis=1) / least_l1,
        "l2": np.linalg.norm(path.x, axis=1) / least_l2,
        "newton_steps": path.iterations,
        "kkt_residual": path.kkt_residual,
        "to_basis_pursuit": np.linalg.norm(path.x - sparsest, axis=1) / np.linalg.norm(sparsest),
        "to_minimum_l2": np.linalg.norm(path.x - minimum_l2, axis=1) / least_l2,
        "basis_pursuit_l2": np.asarray(np.linalg.norm(sparsest) / least_l2),
        "minimum_l2_l1": np.abs(minimum_l2).sum() / least_l1,
    }


def _arrived(data: Data) -> np.ndarray:
    return data["run_misfit"] <= LARGEST_MISFIT


def draw(data: Data) -> Figure:
    """Norms over the decades of the transition, the excess over all decades, exponents in time, and end points."""
    figure, axes = plt.subplots(2, 2, figsize=(7.2, 5.6), layout="constrained")
    _draw_norms(axes[0, 0], data)
    _draw_excess(axes[0, 1], data)
    _draw_exponents(axes[1, 0], data)
    _draw_ends(axes[1, 1], data)
    text = "Circles start at the scale a, diamonds start at 1 and decay to a. "
    if _arrived(data).all():
        text += f"All of them fit the data to {LARGEST_MISFIT:.0%}."
    else:
        late = data["run_t"][-1].max()
        text += (
            f"Filled: the data are fitted to {LARGEST_MISFIT:.0%}. Hollow: on the way;\n{int(data['steps']):,} "
            f"steps are a flow time of {late:.0f}, and a weight far below its size at the end leaves zero at a rate of "
            "about its own size, so small scales are late."
        )
    figure.supxlabel(text, fontsize=6.5, color=plotting.GREYS["note"])
    return figure


def _marks(axes: Axes, data: Data, heights: np.ndarray, colour: str) -> None:
    """Trained runs: circles from their own scale, diamonds after decay; hollow where the data are not fitted yet."""
    for decays, marker in ((False, "o"), (True, "D")):
        for arrived in (True, False):
            some = (data["run_decays"] == decays) & (_arrived(data) == arrived) & ~data["run_diverged"]
            axes.plot(data["run_log10_scale"][some], heights[some], marker, ms=4 if marker == "o" else 3.5, ls="",
                      color=colour if arrived else plotting.GREYS["paper"], mec=colour, mew=0.8, zorder=3)  # fmt: skip


def _draw_norms(axes: Axes, data: Data) -> None:
    for name, colour in (("l1", L1_COLOUR), ("l2", L2_COLOUR)):
        axes.plot(data["log10_scale"], data[name], color=colour)
        _marks(axes, data, data[f"run_{name}"], colour)
    axes.axhline(1, color=plotting.GREYS["background"], lw=0.8, zorder=0)
    axes.text(5.8, float(data["minimum_l2_l1"]) + 0.06, r"$\|x\|_1$ / minimum", color=L1_COLOUR, ha="left")
    axes.text(5.8, 1.06, r"$\|x\|_2$ / minimum", color=L2_COLOUR, ha="left")
    axes.set(
        xlim=(6, -13), xlabel=r"$\log_{10}$ of the scale a", ylabel="norm relative to the minimum", ylim=(0.8, 3.4)
    )
    axes.set_xticks(DECADES)
    axes.set_title("Lines: limit; marks: trained networks")


def _draw_excess(axes: Axes, data: Data) -> None:
    axes.plot(data["log10_scale"], data["l1"] - 1, color=L1_COLOUR)
    above = (data["run_l1"] > 1) & _arrived(data)
    shown = {**data, "run_diverged": data["run_diverged"] | ~above}
    _marks(axes, shown, data["run_l1"] - 1, L1_COLOUR)
    axes.set(yscale="log", xlim=(12, -305), xlabel=r"$\log_{10}$ of the scale a")
    axes.set(ylabel=r"$\|x\|_1\,/\,\min_{Zx=y}\|x\|_1 - 1$", title="Three hundred decades towards basis pursuit")
    last = int(np.argmin(data["log10_scale"]))
    text = f"{int(data['newton_steps'].sum())} Newton steps\nfor {len(data['log10_scale'])} scales"
    axes.text(
        0.97, 0.93, text, ha="right", va="top", transform=axes.transAxes, fontsize=7, color=plotting.GREYS["note"]
    )
    excess = data["l1"][last] - 1
    if excess > 0:  # rounding may leave nothing, or less
        axes.annotate(f"$10^{{{np.log10(excess):.0f}}}$", (data["log10_scale"][last], excess), (0, 10),
                      textcoords="offset points", ha="right", color=L1_COLOUR)  # fmt: skip


def _draw_exponents(axes: Axes, data: Data) -> None:
    low, high = data["run_log10_scale"].min(), min(2.0, data["run_log10_scale"].max())
    for run in np.flatnonzero((data["run_seed"] == data["run_seed"][0]) & ~data["run_diverged"]):
        scale, decays = data["run_log10_scale"][run], data["run_decays"][run]
        colour = plotting.SEQUENCE((high - scale) / (high - low))
        t, exponent = data["run_t"][1:, run], data["run_exponent"][1:, run]
        axes.plot(t, exponent, color=colour, ls="--" if decays else "-", lw=1.1)
        if not decays and (-4.5 < scale < 0.5 or scale == data["run_log10_scale"].min()):
            axes.annotate(f"$10^{{{scale:.0f}}}$", (t[-1], exponent[-1]), (3, -2.5), textcoords="offset points",
                          fontsize=6.5, color=colour)  # fmt: skip
    axes.set(xscale="log", xlabel=r"flow time, steps × η/(1 − β)", ylabel="local exponent at the weights reached")
    axes.set(ylim=(0.97, 2.05), title="2 is an L2 bias, 1 an L1 bias; dashed: by decay")


def _draw_ends(axes: Axes, data: Data) -> None:
    _marks(axes, data, data["run_distance"][-1], plotting.COLOURS["flow"])
    _marks(axes, data, data["run_own_distance"], plotting.COLOURS["projection"])
    axes.text(2.6, 3e-1, "from the flow's limit", color=plotting.COLOURS["flow"])
    axes.text(-1.8, 3e-5, "from the limit of the run's\nown steps: what is not fitted\nyet, or the rounding",
              color=plotting.COLOURS["projection"], va="top")  # fmt: skip
    axes.set(yscale="log", xlim=(3, -13), ylim=(1e-14, 5), xlabel=r"$\log_{10}$ of the scale a")
    axes.set_xticks(DECADES[1:])
    axes.set(ylabel=r"$\|x - x_\infty\|_2\,/\,\|x_\infty\|_2$", title="Trained ends against their Bregman projections")


def claims(data: Data) -> list[Claim]:
    """The claims of theory about limits and trained ends."""

    def least_l2() -> Verdict:
        gap = float(data["to_minimum_l2"][np.argmax(data["log10_scale"])])
        return from_residual(
            gap, 1e-9, f"At a = 1e{data['log10_scale'].max():g} the limit is the minimum-L2 solution to {gap:.0e}.",
            tolerance_reason="R is a parabola up to a relative (x/a)², here 1e-12.",
        )  # fmt: skip

    def least_l1() -> Verdict:
        gap = float(abs(data["l1"][np.argmin(data["log10_scale"])] - 1))
        return from_residual(
            gap, 1e-5, f"At a = 1e{data['log10_scale'].min():g} the L1 norm exceeds the least by a relative {gap:.1e}.",
            tolerance_reason="A weight whose dual constraint has slack δ is about a^δ, which a small δ keeps visible "
            "at a = 1e-300; HiGHS is feasible to 1e-7.",
        )  # fmt: skip

    def monotone() -> Verdict:
        order = np.argsort(-data["log10_scale"])
        rise = excess(np.diff(data["l1"][order]), -np.diff(data["l2"][order]))
        return from_residual(
            rise, 1e-9,
            f"As a falls ‖x‖₁ falls from {data['l1'].max():.3f} to {data['l1'].min():.6f} times its minimum, and ‖x‖₂ "
            f"rises from {data['l2'].min():.3f} to {data['l2'].max():.3f} times its minimum.",
            tolerance_reason="The KKT residual of every limit is below 1e-12.",
        )  # fmt: skip

    def ends() -> Verdict:
        good = _arrived(data)
        gaps = chosen(data["run_distance"][-1], good)
        return from_residual(
            float(gaps.max()), 0.1,
            f"{good.sum()} of {len(good)} runs fit the data to {LARGEST_MISFIT:.0%}; these lie between "
            f"{gaps.min():.0e} and {gaps.max():.0e} of the norm from their projection.",
            tolerance_reason="The effective step η/(1 − β) = 2e-3 times the accumulated gradients moves the scale of a "
            "discrete training by some per cent.",
        )  # fmt: skip

    def own_ends() -> Verdict:
        fitted = (data["run_misfit"] <= FITTED) & ~data["run_diverged"]
        gaps = chosen(data["run_own_distance"], fitted)
        of_flow = chosen(data["run_distance"][-1], fitted)
        units = float((gaps / chosen(data["run_own_rounding"], fitted)).max())
        return from_residual(
            units, 1.0,
            f"{fitted.sum()} of {len(fitted)} runs fit the data to {FITTED:g}; these lie within {gaps.max():.0e} of "
            f"the limit of their own steps, {units:.2f} of what rounding may leave, and up to {of_flow.max():.0e} from "
            "the flow's.",
            tolerance_reason="In units of eps · steps · ‖√(x² + a²)‖/‖x‖: steps that end below the rounding are lost.",
        )  # fmt: skip

    def exponent() -> Verdict:
        kept = ~data["run_diverged"]
        if not kept.any():
            return Verdict(Outcome.INCONCLUSIVE, "All trained networks left the floating-point range.")
        exponents, order = data["run_exponent"][:, kept], np.argsort(-data["run_log10_scale"][kept])
        first, last = exponents[0], exponents[-1]
        lost = "" if kept.all() else f", as {(~kept).sum()} diverged,"
        text = (
            f"The exponent of {kept.sum()} runs{lost} is {first.min():.3f} or more at the start and, at the end, from "
            f"{last.max():.3f} at the largest scale to {last.min():.3f} at the smallest."
        )
        return from_residual(
            excess(np.diff(last[order]), exponents - 2, 1 - exponents, 2 - first), 0.02, text,
            tolerance_reason="A start off zero makes R asymmetric and lifts its exponent above 2 by less than this.",
        )  # fmt: skip

    source = "this project"
    return [
        Claim("transition/l2", r"a \to \infty: x \to \operatorname{argmin} \|x\|_2", source, uses=("ours/l2-limit",),
              check=least_l2),
        Claim("transition/l1", r"a \to 0: \|x\|_1 \to \min \|x\|_1", source, uses=("ours/l1-limit",), check=least_l1),
        Claim("transition/monotone", r"\|x\|_1 \text{ falls and } \|x\|_2 \text{ rises as } a \to 0", source,
              check=monotone),
        Claim("transition/ends", r"\lim x_t = \operatorname{argmin}\{R_{a_\infty} : Zx = y\}", source,
              uses=("ours/thm-3.3",), check=ends),
        Claim("transition/own-ends", r"\lim x_k = \operatorname{argmin}\{R_{a_k, b_k} : Zx = y\}", source,
              uses=("ours/training-identity",), check=own_ends),
        Claim("transition/exponent", r"p \text{ falls from 2 towards 1 with the scale}", source, check=exponent),
    ]  # fmt: skip


EXPERIMENT = Experiment(
    name="transition",
    title="From L2 to L1 over three hundred decades of scale, with trained networks on top",
    caption=(
        "Above, the limit argmin {R_a : Zx = y} from a = 1e6 to 1e-300: its norms relative to the least ones, and "
        "how far its L1 norm is above basis pursuit. Dots are trained networks of 1,000 weights, which start at "
        "their scale or decay to it; below, the local exponent of their potential in time, and the distance of their "
        "ends to the projections that the flow and their own steps lead to."
    ),
    expectation=(
        "Theory: the limit goes from the least L2 to the least L1 norm as the scale falls, the same for networks that "
        "start at the scale and for networks that decay to it; the local exponent falls from 2 to 1. Finite steps move "
        "the potential: the end of a run lies exactly on the projection of its own steps (Even et al., 2023)."
    ),
    tolerances={"newton_steps": 20},  # rounding decides some of them
    configuration={"default": Settings(), "quick": QUICK, "full": FULL},
    compute=compute,
    draw=draw,
    claims=claims,
)
