r"""From L2 to L1 over three hundred decades of scale: the limit of theory, with trained networks on top.

The limit :math:`\operatorname{argmin}\{R_a(x) : Zx = y\}` is followed from a = 1e6 to 1e-300. On top lie diagonal
networks trained by heavy ball, which start at the scale, or start at scale 1 and decay to it. Their time axis is
flow time, steps × η / (1 − β).
"""

from __future__ import annotations

from collections.abc import Mapping

import matplotlib as mpl
import numpy as np
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import ArrayLike
from scipy.optimize import linprog

from experiments.experiment import Data, Experiment, Track
from implicit_bias import Claim, Regression, Verdict, plotting, transition
from implicit_bias.claims import from_residual
from implicit_bias.schedule import Constant, Geometric, Schedule

SETTINGS = {
    "observations": 100,
    "weights": 1000,
    "sparsity": 20,
    "seed": 0,
    "log10_scales": [*np.linspace(6, -20, 105).tolist(), *np.linspace(-25, -300, 56).tolist()],
    "trained_log10_scales": [2, 1, 0, -1, -2, -3, -4, -6, -8, -12],
    "decayed_log10_scales": [-1, -2, -3, -4, -6],
    "seeds": [0, 1],
    "momentum": 0.9,
    "step": 2e-4,
    "largest_step_times_scale": 2e-3,
    "steps": 16000,
    "records": 41,
    "first_time": 1e-2,
    "decay_time": 0.5,
    "asymmetry": 0.2,  # standard deviation of x_0 over the scale at the start, as far as that is below
    "largest_start": 1e-2,
}
QUICK = {
    "observations": 40,
    "weights": 160,
    "sparsity": 6,
    "log10_scales": [*np.linspace(6, -20, 27).tolist(), *np.linspace(-30, -300, 10).tolist()],
    "trained_log10_scales": [2, 0, -2, -4],
    "decayed_log10_scales": [-2],
    "steps": 3000,
    "records": 13,
}
INTERPOLATES = 1e-2  # a run has arrived if ‖Zx − y‖ <= this · ‖y‖: its norms then are those of an interpolator
L1_COLOUR, L2_COLOUR = plotting.COLOURS["basis pursuit"], plotting.COLOURS["minimum L2"]


def compute(settings: Mapping[str, object], track: Track) -> Data:
    """The limits over all scales with the two classical solutions, and the trained networks with their own limits."""
    problem = Regression.sample(settings["observations"], settings["weights"], settings["sparsity"], settings["seed"])
    log10_scales = np.array(settings["log10_scales"], dtype=float)
    path = transition(problem.Z, problem.y, log10_scales * np.log(10))
    basis_pursuit = _basis_pursuit(problem)
    minimum_l2 = np.linalg.lstsq(problem.Z, problem.y, rcond=None)[0]
    least_l1, least_l2 = np.abs(basis_pursuit).sum(), np.linalg.norm(minimum_l2)
    return {
        "log10_scale": log10_scales,
        "l1": np.abs(path.x).sum(axis=1) / least_l1,
        "l2": np.linalg.norm(path.x, axis=1) / least_l2,
        "newton_steps": path.iterations,
        "kkt_residual": path.kkt_residual,
        "to_basis_pursuit": np.linalg.norm(path.x - basis_pursuit, axis=1) / np.linalg.norm(basis_pursuit),
        "to_minimum_l2": np.linalg.norm(path.x - minimum_l2, axis=1) / least_l2,
        "basis_pursuit_l2": np.linalg.norm(basis_pursuit) / least_l2,
        "minimum_l2_l1": np.abs(minimum_l2).sum() / least_l1,
        **_trained(problem, float(least_l1), float(least_l2), settings, track),
    }


def _basis_pursuit(problem: Regression) -> np.ndarray:
    n = problem.n
    result = linprog(np.ones(2 * n), A_eq=np.hstack([problem.Z, -problem.Z]), b_eq=problem.y, method="highs")
    return result.x[:n] - result.x[n:]


def _trained(
    problem: Regression, least_l1: float, least_l2: float, settings: Mapping[str, object], track: Track
) -> Data:
    """One ensemble: scales × seeds from their own scale, and again from scale 1 with decay that ends at the scale."""
    import torch

    from implicit_bias.masking.ensemble_checks import distance_to_limit, effective_exponent, mirror_residual
    from implicit_bias.masking.ensembles import ensemble, initialization

    torch.set_num_threads(1)  # the same sums in the same order on every machine
    # Each run: the final log10 a, the seed of the start, and whether decay leads there from scale 1.
    runs = [
        (float(scale), seed, decays)
        for decays, scales in ((False, settings["trained_log10_scales"]), (True, settings["decayed_log10_scales"]))
        for scale in scales
        for seed in settings["seeds"]
    ]
    start_scale = np.array([1.0 if decays else 10**scale for scale, _, decays in runs])
    noise = {seed: np.random.default_rng([1, seed]).standard_normal(problem.n) for seed in settings["seeds"]}
    # Larger starts would move the limits away from those of a start at zero, which the lines show.
    start = np.stack(
        [
            settings["asymmetry"] * min(a, settings["largest_start"]) * noise[seed]
            for (_, seed, _), a in zip(runs, start_scale, strict=True)
        ]
    )
    tau = settings["decay_time"]
    beta, last = settings["momentum"], settings["steps"]
    plans = [
        _Slowed(Geometric(-scale * np.log(10) / 4 / tau, tau) if decays else Constant(0.0), beta)
        for scale, _, decays in runs
    ]
    step = np.minimum(settings["step"], settings["largest_step_times_scale"] / start_scale)
    # Evenly spaced in the logarithm of time, and the start.
    first = settings["first_time"] * (1 - beta) / settings["step"]
    marks = np.unique([0, *np.geomspace(max(1.0, first), last, settings["records"]).round().astype(int)])
    (trained,) = track(
        [
            ensemble(
                # The ensemble takes α at t = steps × η, but momentum makes of it 1/(1 − β) times the decay.
                problem, initialization(start, start_scale), step, last, plans,
                momentum=beta, record=marks,
            )
        ],
        "transition: training",
    )  # fmt: skip
    limits = distance_to_limit(trained)
    misfit = np.linalg.norm(trained.x[-1] @ problem.Z.T - problem.y, axis=-1) / np.linalg.norm(problem.y)
    m0, w0 = trained.init["m"], trained.init["w"]
    reached = np.log10((m0**2 - w0**2).mean(axis=1) / 2) - 4 * trained.decay[-1] / np.log(10)
    return {
        "run_log10_scale": reached,
        "run_seed": np.array([seed for _, seed, _ in runs]),
        "run_decays": np.array([decays for _, _, decays in runs]),
        "run_step": step,
        "run_t": trained.t / (1 - beta),
        "run_decay": trained.decay,
        "run_exponent": effective_exponent(trained),
        "run_l1": np.abs(trained.x[-1]).sum(axis=-1) / least_l1,
        "run_l2": np.linalg.norm(trained.x[-1], axis=-1) / least_l2,
        "run_limit_l1": np.abs(limits.limit).sum(axis=-1) / least_l1,
        "run_limit_l2": np.linalg.norm(limits.limit, axis=-1) / least_l2,
        "run_distance": limits.distance / np.linalg.norm(limits.limit, axis=-1),
        "run_misfit": misfit,
        "run_identity": mirror_residual(trained)[-1] / np.max(np.abs(trained.accumulated_gradient[-1]), axis=-1),
        "run_diverged": trained.diverged,
        "steps": np.array(last),
    }


class _Slowed(Schedule):
    """A schedule over flow time, read by steps × η of a training whose momentum moves 1/(1 − β) times as fast."""

    def __init__(self, schedule: Schedule, momentum: float) -> None:
        self.schedule, self.speed = schedule, 1 / (1 - momentum)

    def __call__(self, t: ArrayLike) -> np.ndarray:
        return self.schedule(np.asarray(t) * self.speed)

    def integral(self, t: ArrayLike) -> np.ndarray:
        return self.schedule.integral(np.asarray(t) * self.speed) / self.speed

    @property
    def total(self) -> float:
        return self.schedule.total / self.speed


def _arrived(data: Data) -> np.ndarray:
    return data["run_misfit"] <= INTERPOLATES


def draw(data: Data) -> Figure:
    """Norms over the decades of the transition, the excess over all decades, exponents in time, and end points."""
    figure, axes = plt.subplots(2, 2, figsize=(7.2, 5.6), layout="constrained")
    _draw_norms(axes[0, 0], data)
    _draw_excess(axes[0, 1], data)
    _draw_exponents(axes[1, 0], data)
    _draw_ends(axes[1, 1], data)
    late = data["run_t"][-1].max()
    figure.supxlabel(
        "Circles start at the scale a, diamonds start at 1 and decay to a. Filled: the data are fitted to "
        f"{INTERPOLATES:.0%}. Hollow: on the way, as\n{int(data['steps']):,} steps are a flow time of {late:.0f} and a "
        "weight far below its size at the end leaves zero at a rate of about its own size: small scales are late.",
        fontsize=6.5, color="0.3",
    )  # fmt: skip
    return figure


def _marks(axes: Axes, data: Data, heights: np.ndarray, colour: str) -> None:
    """Trained runs: circles from their own scale, diamonds after decay; hollow where the data are not fitted yet."""
    for decays, marker in ((False, "o"), (True, "D")):
        for arrived in (True, False):
            some = (data["run_decays"] == decays) & (_arrived(data) == arrived) & ~data["run_diverged"]
            axes.plot(data["run_log10_scale"][some], heights[some], marker, ms=4 if marker == "o" else 3.5, ls="",
                      color=colour if arrived else "white", mec=colour, mew=0.8, zorder=3)  # fmt: skip


def _draw_norms(axes: Axes, data: Data) -> None:
    for name, colour in (("l1", L1_COLOUR), ("l2", L2_COLOUR)):
        axes.plot(data["log10_scale"], data[name], color=colour)
        _marks(axes, data, data[f"run_{name}"], colour)
    axes.axhline(1, color="0.8", lw=0.8, zorder=0)
    axes.text(5.8, data["minimum_l2_l1"] + 0.06, r"$\|x\|_1$ / minimum", color=L1_COLOUR, ha="left")
    axes.text(5.8, 1.06, r"$\|x\|_2$ / minimum", color=L2_COLOUR, ha="left")
    axes.set(
        xlim=(6, -13), xlabel=r"$\log_{10}$ of the scale a", ylabel="norm relative to the minimum", ylim=(0.8, 3.4)
    )
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
    axes.text(0.97, 0.93, text, ha="right", va="top", transform=axes.transAxes, fontsize=7, color="0.3")
    axes.annotate(f"{data['l1'][last] - 1:.0e}", (data["log10_scale"][last], data["l1"][last] - 1), (0, 6),
                  textcoords="offset points", ha="right", color=L1_COLOUR)  # fmt: skip


def _draw_exponents(axes: Axes, data: Data) -> None:
    colours = mpl.colormaps[plotting.SEQUENCE]
    low, high = data["run_log10_scale"].min(), min(2.0, data["run_log10_scale"].max())
    for run in np.flatnonzero((data["run_seed"] == data["run_seed"][0]) & ~data["run_diverged"]):
        scale, decays = data["run_log10_scale"][run], data["run_decays"][run]
        colour = colours(0.1 + 0.9 * (high - scale) / (high - low))
        t, exponent = data["run_t"][1:, run], data["run_exponent"][1:, run]
        axes.plot(t, exponent, color=colour, ls="--" if decays else "-", lw=1.1)
        if not decays and (-4.5 < scale < 0.5 or scale == data["run_log10_scale"].min()):
            axes.annotate(f"$10^{{{scale:.0f}}}$", (t[-1], exponent[-1]), (3, -2.5), textcoords="offset points",
                          fontsize=6.5, color=colour)  # fmt: skip
    axes.set(xscale="log", xlabel=r"flow time, steps × η/(1 − β)", ylabel="effective exponent at the weights reached")
    axes.set(ylim=(0.97, 2.05), title="2 is an L2 bias, 1 an L1 bias; dashed: by decay")


def _draw_ends(axes: Axes, data: Data) -> None:
    _marks(axes, data, data["run_distance"][-1], plotting.COLOURS["flow"])
    axes.set(yscale="log", xlim=(3, -13), xlabel=r"$\log_{10}$ of the scale a")
    axes.set(ylabel=r"$\|x - x_\infty\|_2\,/\,\|x_\infty\|_2$", title="Trained ends against their Bregman projections")


def claims(data: Data) -> list[Claim]:
    """What theory says about limits and trained ends."""

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
        rise = float(max(0.0, np.diff(data["l1"][order]).max(), -np.diff(data["l2"][order]).min()))
        return from_residual(
            rise, 1e-9,
            f"As a falls ‖x‖₁ falls from {data['l1'].max():.3f} to {data['l1'].min():.6f} times its minimum, and ‖x‖₂ "
            f"rises from {data['l2'].min():.3f} to {data['l2'].max():.3f} times its minimum.",
            tolerance_reason="The KKT residual of every limit is below 1e-12.",
        )  # fmt: skip

    def ends() -> Verdict:
        good = _arrived(data)
        gaps = data["run_distance"][-1, good]
        return from_residual(
            float(gaps.max()) if len(gaps) else np.nan, 0.1,
            f"{good.sum()} of {len(good)} runs fit the data to {INTERPOLATES:.0%}; these lie between {gaps.min():.0e} "
            f"and {gaps.max():.0e} of the norm from their projection.",
            tolerance_reason="The effective step η/(1 − β) = 2e-3 times the accumulated gradients moves the scale of a "
            "discrete training by some per cent.",
        )  # fmt: skip

    def exponent() -> Verdict:
        first, last = data["run_exponent"][0], data["run_exponent"][-1]
        order = np.argsort(-data["run_log10_scale"])
        rise = float(max(0.0, np.diff(last[order]).max()))
        outside = float(max(0.0, data["run_exponent"].max() - 2, 1 - data["run_exponent"].min()))
        text = (
            f"The exponent is {first.min():.3f} or more at the start and, at the end, from {last.max():.3f} at the "
            f"largest scale to {last.min():.3f} at the smallest."
        )
        return from_residual(
            max(rise, outside, float(2 - first.min())), 0.02, text,
            tolerance_reason="A start off zero makes R asymmetric and lifts its exponent above 2 by less than this.",
        )  # fmt: skip

    source = "this project"
    return [
        Claim("transition/l2", r"a \to \infty: x \to \operatorname{argmin} \|x\|_2", source, uses=("l2-limit",),
              check=least_l2),
        Claim("transition/l1", r"a \to 0: \|x\|_1 \to \min \|x\|_1", source, uses=("l1-limit",), check=least_l1),
        Claim("transition/monotone", r"\|x\|_1 \text{ falls and } \|x\|_2 \text{ rises as } a \to 0", source,
              check=monotone),
        Claim("transition/ends", r"\lim x_t = \operatorname{argmin}\{R_{a_\infty} : Zx = y\}", source,
              uses=("thm-3.3",), check=ends),
        Claim("transition/exponent", r"p \text{ falls from 2 towards 1 with the scale}", source, check=exponent),
    ]  # fmt: skip


EXPERIMENT = Experiment(
    name="transition",
    title="From L2 to L1 over three hundred decades of scale, with trained networks on top",
    configuration={"default": SETTINGS, "quick": SETTINGS | QUICK},
    compute=compute,
    draw=draw,
    claims=claims,
)
