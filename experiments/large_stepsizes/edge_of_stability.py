r"""Across the critical step: gradient descent on the mask ends beside the flow below it, and at the edge beyond it.

Training is stable at the flow's limit up to the step :math:`2/\lambda`, with the sharpness λ there: the largest
eigenvalue of the loss's Hessian in (m, w). Runs with larger steps go on to where the sharpness is :math:`2/\eta`. On
both sides an end is exactly the Bregman projection of the run's own steps.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from experiments.ends import misfit, own_limits, relative_distance
from experiments.engine import Data, Sweep
from experiments.excess import chosen, excess
from experiments.experiment import Experiment
from implicit_bias import (
    Claim,
    HyperbolicEntropy,
    Parameterization,
    Regression,
    Status,
    Verdict,
    bregman_projection,
    critical_step,
    descent,
    plotting,
    training_limit,
)
from implicit_bias.claims.judge import from_residual

MASK = Parameterization("m*w", ["m", "w"])


@dataclass(frozen=True)
class Settings:
    """A regression, and runs over the step and over the scale at the start.

    Attributes:
        d: Number of observations.
        n: Number of weights.
        sparsity: Number of non-zero weights of the truth.
        seed: Of the regression.
        scale: a = (m_0² − w_0²)/2 of the runs over the step; they start at x_0 = 0.
        shares: Their steps as shares of the critical one.
        steps: How many all runs take.
        log10_betas: log₁₀ of β = m_0² − w_0² of the runs over the scale.
        share_of_least: Their common step, as a share of the least critical step of all β.
    """

    d: int = 12
    n: int = 30
    sparsity: int = 3
    seed: int = 0
    scale: float = 0.05
    shares: Sequence[float] = (
        *(0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.98),
        *(1.02, 1.05, 1.1, 1.15, 1.2, 1.25, 1.3, 1.35, 1.4),
    )
    steps: int = 30_000
    log10_betas: Sequence[float] = tuple(np.linspace(-3, 1, 17).tolist())
    share_of_least: float = 0.5


QUICK = Settings(shares=(0.2, 0.5, 0.9, 1.1, 1.3), steps=6000, log10_betas=(-2.0, -1.0, 0.0, 1.0))
FITTED = 1e-11  # ‖Zx − y‖/‖y‖ of a run that has ended
EDGE = 0.95  # least ratio of sharpness to 2/η that counts as at the edge
SMALL = 0.3  # the largest share of the critical step for which the prediction is held to a number
FLOW_COLOUR, OWN_COLOUR = plotting.COLOURS["flow"], plotting.COLOURS["projection"]
PREDICTED_COLOUR, RUN_COLOUR = plotting.COLOURS["prediction"], plotting.COLOURS["run"]


def compute(settings: Settings, sweep: Sweep) -> Data:
    """The ends over the step, and critical step, gain and distance over the scale."""
    problem = {"d": settings.d, "n": settings.n, "sparsity": settings.sparsity, "seed": settings.seed}
    over_step = {"scale": settings.scale, "shares": settings.shares, "steps": settings.steps}
    over_scale = {
        "log10_betas": settings.log10_betas,
        "share_of_least": settings.share_of_least,
        "steps": settings.steps,
    }
    (ends,) = sweep(ends_over_the_step, [{"problem": problem, **over_step}], "edge_of_stability: steps")
    (scales,) = sweep(ends_over_the_scale, [{"problem": problem, **over_scale}], "edge_of_stability: scales")
    return ends | scales


def sharpness(problem: Regression, m: np.ndarray, w: np.ndarray) -> float:
    """The largest eigenvalue of the Hessian of f(m ⊙ w) in (m, w)."""
    Z, d, n = problem.Z, problem.d, problem.n
    jacobian = np.hstack([Z * w, Z * m])
    hessian = jacobian.T @ jacobian / d
    slopes = np.diag(Z.T @ (Z @ (m * w) - problem.y) / d)
    hessian[:n, n:] += slopes
    hessian[n:, :n] += slopes
    return float(np.linalg.eigvalsh(hessian)[-1])


def ends_over_the_step(problem: Mapping[str, int], scale: float, shares: Sequence[float], steps: int) -> Data:
    """Where gradient descent ends with each step, its sharpness there, and what it lies beside."""
    regression = Regression.sample(**problem)
    potential = HyperbolicEntropy(scale=scale)
    of_flow = bregman_projection(regression, potential).x
    critical = critical_step(regression, potential)
    sizes = critical * np.array(shares)
    init = _start(scale)
    runs = descent(regression, MASK, init, sizes, steps, record=[steps], throw=False)
    predictions = [training_limit(regression, MASK, init, step=float(size)) for size in sizes]
    ends = runs.x[-1]
    parameters = zip(*(runs.parameters[name][-1] for name in ("m", "w")), strict=True)
    return {
        "share": np.array(shares),
        "step": sizes,
        "critical": np.array(critical),
        "sharpness_of_flow": np.array(sharpness(regression, *_parameters(of_flow, scale))),
        "sharpness": np.array([sharpness(regression, m, w) for m, w in parameters]),
        "misfit": misfit(regression, ends),
        "from_flow": relative_distance(ends, of_flow),
        "from_prediction": relative_distance(ends, np.stack([each.x for each in predictions])),
        "is_predicted": np.array([each.status is Status.CONVERGED for each in predictions]),
        "from_own": relative_distance(ends, own_limits(regression, runs)),
    }


def ends_over_the_scale(
    problem: Mapping[str, int], log10_betas: Sequence[float], share_of_least: float, steps: int
) -> Data:
    """Critical steps over β, and what one step for all does to the scale and to the end."""
    regression = Regression.sample(**problem)
    scales = 10 ** np.array(log10_betas) / 2
    potentials = [HyperbolicEntropy(scale=float(scale)) for scale in scales]
    critical = np.array([critical_step(regression, potential) for potential in potentials])
    size = share_of_least * critical.min()
    init = {"m": np.sqrt(2 * scales)[:, None], "w": np.zeros((len(scales), 1))}
    runs = descent(regression, MASK, init, size, steps, record=[steps], throw=False)
    of_flow = np.stack([bregman_projection(regression, potential).x for potential in potentials])
    left = runs.products["log_scale"][-1]
    return {
        "beta": 2 * scales,
        "beta_critical": critical,
        "beta_step": np.array(size),
        "beta_gain": np.mean(np.log(scales)[:, None] - left, axis=1),
        "beta_from_flow": relative_distance(runs.x[-1], of_flow),
        "beta_misfit": misfit(regression, runs.x[-1]),
    }


def _start(scale: float) -> dict[str, float]:
    return {"m": float(np.sqrt(2 * scale)), "w": 0.0}


def _parameters(x: np.ndarray, scale: float) -> tuple[np.ndarray, np.ndarray]:
    """The m and w with x = m ⊙ w and m² − w² = 2a."""
    m = np.sqrt(np.hypot(x, scale) + scale)
    return m, x / m


def draw(data: Data) -> Figure:
    """Sharpness and distances over the step, critical step and gain over the scale."""
    figure, axes = plt.subplots(2, 2, figsize=(7.2, 5.4), layout="constrained")
    _draw_sharpness(axes[0, 0], data)
    _draw_distances(axes[0, 1], data)
    _draw_critical(axes[1, 0], data)
    _draw_gain(axes[1, 1], data)
    return figure


def _mark_critical(axes: Axes) -> None:
    axes.axvline(1, color=plotting.GREYS["guide"], lw=0.8, ls=":")


def _mark_preprint(axes: Axes) -> None:
    axes.axvline(1, color=plotting.GREYS["guide"], lw=0.8, ls=":")
    axes.text(1.12, 0.98, "β = 1 in\nthe preprint", transform=axes.get_xaxis_transform(), va="top", fontsize=7,
              color=plotting.GREYS["note"])  # fmt: skip


def _draw_sharpness(axes: Axes, data: Data) -> None:
    _mark_critical(axes)
    critical, of_flow = float(data["critical"]), float(data["sharpness_of_flow"])
    share = np.linspace(data["share"].min(), data["share"].max(), 200)
    axes.plot(share, 2 / (share * critical), color=plotting.GREYS["guide"], lw=1)
    axes.axhline(of_flow, color=FLOW_COLOUR, lw=1)
    axes.plot(data["share"], data["sharpness"], "o", ms=3.5, color=RUN_COLOUR)
    axes.text(0.42, 2 / (0.4 * critical), r"$2/\eta$: stable below", color=plotting.GREYS["note"])
    axes.text(0.04, 0.87 * of_flow, "the flow's limit", color=FLOW_COLOUR, va="top")
    last = data["share"][-1], data["sharpness"][-1]
    axes.annotate("runs", last, (2, -5), textcoords="offset points", ha="right", va="top", color=RUN_COLOUR)
    axes.set(ylim=(0, 4 * of_flow), xlabel="step / critical step", ylabel="sharpness at the end")
    axes.set_title("Sharpness: beyond the critical step at the edge, 2/η")


def _draw_distances(axes: Axes, data: Data) -> None:
    _mark_critical(axes)
    predicted = data["is_predicted"]
    looks = (
        ("from_flow", FLOW_COLOUR, "o", slice(None)),
        ("from_prediction", PREDICTED_COLOUR, "s", predicted),
        ("from_own", OWN_COLOUR, "D", slice(None)),
    )
    for name, colour, marker, some in looks:
        axes.plot(data["share"][some], data[name][some], marker, ms=3.5, color=colour)
    axes.text(0.03, 0.2, "from the flow's limit", color=FLOW_COLOUR)
    axes.text(0.2, 3e-6, "from the prediction, which\nis refused beyond", color=PREDICTED_COLOUR, va="top")
    axes.text(0.03, 3e-11, "from the limit of its own steps", color=OWN_COLOUR)
    axes.set(yscale="log", ylim=(1e-16, 10), xlabel="step / critical step")
    axes.set(
        ylabel=r"$\|x - x_\infty\|_2\,/\,\|x_\infty\|_2$", title="Ends: the run's own limit is exact on both sides"
    )


def _draw_critical(axes: Axes, data: Data) -> None:
    step = float(data["beta_step"])
    axes.plot(data["beta"], data["beta_critical"], "o-", ms=3.5, color=FLOW_COLOUR)
    axes.axhline(step, color=plotting.GREYS["guide"], lw=1)
    axes.text(1.1e-3, 1.15 * step, r"step $\eta$ of the panel beside", color=plotting.GREYS["note"])
    _mark_preprint(axes)
    axes.set(xscale="log", yscale="log", ylim=(1e-2, 1.2), xlabel=r"$\beta = m_0^2 - w_0^2$")
    axes.set_ylabel("critical step at the flow's limit")
    axes.set_title("A small β allows larger steps")


def _draw_gain(axes: Axes, data: Data) -> None:
    axes.plot(data["beta"], data["beta_gain"], "o-", ms=3.5, color=RUN_COLOUR)
    axes.plot(data["beta"], data["beta_from_flow"], "s-", ms=3.5, color=FLOW_COLOUR)
    axes.text(1.5e-2, 1.25e-2, "mean gain of a run", color=RUN_COLOUR)
    axes.text(1.1e-3, 5.5e-4, "its end from the flow's\nlimit, relative", color=FLOW_COLOUR, va="top")
    _mark_preprint(axes)
    axes.set(xscale="log", yscale="log", xlabel=r"$\beta = m_0^2 - w_0^2$")
    axes.set_title("The same step moves a small scale more")


def claims(data: Data) -> list[Claim]:
    """The claims on steps around the critical one, and on what the scale changes."""
    has_ended = data["misfit"] <= FITTED
    is_beyond = data["share"] > 1

    def critical() -> Verdict:
        gap = float(abs(data["critical"] * data["sharpness_of_flow"] / 2 - 1))
        return from_residual(
            gap, 1e-10,
            f"The critical step {data['critical']:.4f} is 2/λ to a relative {gap:.0e}, λ from the Hessian in (m, w).",
            tolerance_reason="Two eigenvalue problems of different sizes, at a projection that is exact to 1e-12.",
        )  # fmt: skip

    def edge() -> Verdict:
        some = has_ended & is_beyond
        ratio = chosen(data["sharpness"] * data["step"] / 2, some)
        return from_residual(
            excess(ratio - 1, EDGE - ratio), 1e-6,
            f"{some.sum()} of {is_beyond.sum()} runs beyond the critical step fit the data to {FITTED:g}; their "
            f"sharpness is {ratio.min():.4f} to {ratio.max():.4f} of 2/η.",
            tolerance_reason="An end cannot be unstable, and an edge is what lies within a twentieth of it.",
        )  # fmt: skip

    def own_ends() -> Verdict:
        gaps, of_flow = (chosen(data[name], has_ended) for name in ("from_own", "from_flow"))
        return from_residual(
            float(gaps.max()), 1e-10,
            f"{has_ended.sum()} of {len(has_ended)} runs fit the data to {FITTED:g}; these lie within {gaps.max():.0e} "
            f"of their own limits, and up to {of_flow.max():.2f} from the flow's.",
            tolerance_reason="What the run has not fitted yet, and the rounding of its products.",
        )  # fmt: skip

    def predicted() -> Verdict:
        below = ~is_beyond
        gaps, of_flow = data["from_prediction"][below], data["from_flow"][below]
        refused = not data["is_predicted"][is_beyond].any() and bool(data["is_predicted"][below].all())
        times = chosen(of_flow / gaps, data["share"][below] <= SMALL)
        return from_residual(
            1 / float(times.min()) if refused else np.inf, 0.2,
            f"Up to {SMALL:g} of the critical step the prediction is {times.min():.0f} times closer "
            f"than the flow's limit, just below it {(of_flow / gaps)[-1]:.1f} times; beyond there is none.",
            tolerance_reason="Five times closer is asked for; the error is of second order in the step.",
        )  # fmt: skip

    def critical_over_scale() -> Verdict:
        rise = np.diff(data["beta_critical"])
        return from_residual(
            excess(rise), 0.0,
            f"From β = {data['beta'][0]:g} to {data['beta'][-1]:g} the critical step falls from "
            f"{data['beta_critical'][0]:.3f} to {data['beta_critical'][-1]:.3f}, and nowhere rises.",
            tolerance_reason="Between neighbouring β it changes by far more than rounding.",
        )  # fmt: skip

    def gain_over_scale() -> Verdict:
        gain = data["beta_gain"]
        return from_residual(
            excess(np.diff(gain)), 0.0,
            f"With one step for all, the mean gain falls from {gain[0]:.1e} at β = {data['beta'][0]:g} to "
            f"{gain[-1]:.1e} at {data['beta'][-1]:g}; the ends lie {data['beta_from_flow'].min():.1e} to "
            f"{data['beta_from_flow'].max():.1e} from the flow's limits.",
            tolerance_reason="Between neighbouring β it changes by far more than rounding.",
        )  # fmt: skip

    source = "this project"
    even = "after Even et al., (S)GD over diagonal linear networks, NeurIPS 2023"
    return [
        Claim("edge_of_stability/critical", r"\eta_* = 2/\lambda_{\max}(\nabla^2_{m, w} f)", source, check=critical),
        Claim("edge_of_stability/edge",
              r"\eta > \eta_* \Rightarrow \lambda_\infty \approx 2/\eta \text{ from } \beta = 0.1", even, check=edge),
        Claim("edge_of_stability/own-ends", r"\lim x_k = \operatorname{argmin}\{R_{a_k, b_k} : Zx = y\}", even,
              uses=("ours/training-identity",), check=own_ends),
        Claim("edge_of_stability/predicted", r"\text{predicted below } \eta_*, \text{ refused beyond}", source,
              check=predicted),
        Claim("edge_of_stability/critical-over-scale", r"\eta_*(\beta) \text{ falls in } \beta", source,
              check=critical_over_scale),
        Claim("edge_of_stability/gain-over-scale", r"\text{at one step, the gain falls in } \beta", source,
              check=gain_over_scale),
    ]  # fmt: skip


EXPERIMENT = Experiment(
    name="edge_of_stability",
    title="Across the critical step: beside the flow below it, at the edge of stability beyond it",
    caption=(
        "Gradient descent on x = m ⊙ w from x = 0. Above, over the step: the sharpness at the end, and the end's "
        "distance to the flow's limit, to the prediction, and to the limit of the run's own steps. Below, over "
        "β = m_0² − w_0²: the critical step, and what one small step does to the scale and to the end. Dotted: the "
        "critical step, and the preprint's β = 1."
    ),
    expectation=(
        "Theory: up to the critical step 2/λ training ends beside the flow, beyond it where the sharpness is 2/η; the "
        "limit of the run's own steps is exact on both sides (Even et al., 2023). From larger starts ends are flatter "
        "than the edge. For discretization alone, a small β allows larger steps, and a large β moves the scale less."
    ),
    configuration={"default": Settings(), "quick": QUICK},
    compute=compute,
    draw=draw,
    claims=claims,
)
