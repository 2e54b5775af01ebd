r"""Which margin each optimizer reaches: that of L2 for gradient flow, of L∞ for Adam, and of L1 for masks.

All minimize the logistic loss on labels that can be separated. The weights grow for ever, and only their direction has
a limit. Its margin :math:`\min_i y_iz_i^Tx / \|x\|` is drawn as a share of the largest one, for three norms, against
the loss that is reached.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from experiments.engine import Data, Sweep
from experiments.excess import excess
from experiments.experiment import Experiment
from implicit_bias import (
    Adam,
    Claim,
    HyperbolicEntropy,
    Parameterization,
    Regression,
    SeparablePotential,
    SignDescent,
    Verdict,
    descent,
    max_margin,
    mirror_flow,
    plotting,
)
from implicit_bias.claims.judge import from_residual


@dataclass(frozen=True)
class Settings:
    """Random labels, and how long each optimizer runs.

    Attributes:
        d: Number of observations.
        n: Number of weights.
        seed: Of the data, of the start of the steps and of the mini-batches.
        scale: a of the mask's flow.
        last_log10_time: log₁₀ of the last flow time.
        points: How many times of each run are kept.
        sign_steps: The steps η of sign descent, the largest first.
        sign_time: Its last time, steps times η.
        adam_step: The step η of Adam.
        adam_time: Its last time, with all observations in each step.
        sample_time: Its last time with one observation in each step.
        betas: β₁ and β₂ of Adam; its ε is 0.
    """

    d: int = 12
    n: int = 24
    seed: int = 1
    scale: float = 1e-3
    last_log10_time: int = 200
    points: int = 101
    sign_steps: Sequence[float] = (0.04, 0.02, 0.01)
    sign_time: float = 100.0
    adam_step: float = 0.002
    adam_time: float = 40.0
    sample_time: float = 80.0
    betas: Sequence[float] = (0.9, 0.95)


QUICK = Settings(points=41, sign_time=60.0, sample_time=40.0)
NORMS = ("l1", "l2", "linf")
LABELS = {"l1": r"$L_1$", "l2": r"$L_2$", "linf": r"$L_\infty$"}
LOOKS = {
    "l1": plotting.COLOURS["basis pursuit"],
    "l2": plotting.COLOURS["minimum L2"],
    "linf": plotting.COLOURS["maximum norm"],
}
RUNS = ("gradient flow", "flow of the mask", "sign descent", "Adam", "per-sample Adam")
EXPECTED: dict[str, str] = dict(zip(RUNS, ("l2", "l1", "linf", "linf", "l2"), strict=True))
LATE_TIMES = (0.25, 0.5, 1.0)  # at which log t is this share of its last value
ROUNDING = 1e-12


class Euclidean(SeparablePotential):
    """R(x) = Σ x_i²/2, whose mirror flow is the gradient flow of x."""

    horizon = "l2"

    @property
    def size(self) -> None:
        """One formula for any number of weights."""

    def terms_at(self, x):
        """x²/2."""
        return x**2 / 2

    def gradient_at(self, x):
        """The weight itself."""
        return x

    def inverse_gradient_at(self, z):
        """The dual itself."""
        return z

    def metric_at(self, x):
        """One."""
        return x**0


def compute(settings: Settings, sweep: Sweep) -> Data:
    """The largest margins, and the loss and the margins of each run."""
    problem = {"d": settings.d, "n": settings.n, "seed": settings.seed}
    times = {"last": settings.last_log10_time, "points": settings.points}
    grid = [{"problem": problem, "scale": scale, **times} for scale in (None, settings.scale)]
    found = dict(zip(RUNS[:2], sweep(flowed, grid, "margins: flows"), strict=True))
    sign = {"time": settings.sign_time, "betas": None, "per_sample": False}
    adam = {"step": settings.adam_step, "betas": list(settings.betas)}
    grid = [
        *({**sign, "step": step} for step in settings.sign_steps),
        {**adam, "time": settings.adam_time, "per_sample": False},
        {**adam, "time": settings.sample_time, "per_sample": True},
    ]
    stepped = sweep(
        trained, [{"problem": problem, "points": settings.points, **each} for each in grid], "margins: steps"
    )
    found |= dict(zip(RUNS[2:], stepped[-3:], strict=True))
    labelled = _labelled(**problem)
    best = [max_margin(labelled, norm) for norm in NORMS]
    return {
        "run": np.array(RUNS),
        "norm": np.array(NORMS),
        "best": np.array([each.margin for each in best]),
        "gap": np.array([each.gap for each in best]),
        "sign_steps": np.array(settings.sign_steps),
        "sign_ends": np.array([each["margin"][-1] for each in stepped[: len(settings.sign_steps)]]),
        "log10_t": np.log10(found[RUNS[0]]["t"]),
        **{f"log10_loss/{name}": np.log10(found[name]["loss"]) for name in RUNS},
        **{f"margin/{name}": found[name]["margin"] for name in RUNS},
    }


def flowed(problem: Mapping[str, int], scale: float | None, last: int, points: int) -> Data:
    """The flow of the weights themselves, or of masks with a scale, in d dual variables."""
    labelled = _labelled(**problem)
    potential = Euclidean() if scale is None else HyperbolicEntropy(scale=scale)
    times = 10 ** np.geomspace(0.25, last, points)
    flow = mirror_flow(labelled, potential, t=times, rtol=1e-9, atol=1e-11)
    return {"t": times, "loss": flow.loss, "margin": _margins(labelled, flow.x)}


def trained(
    problem: Mapping[str, int], points: int, step: float, time: float, betas: Sequence[float] | None, per_sample: bool
) -> Data:
    """Sign descent, or Adam, on the weights themselves from a random start."""
    labelled, steps = _labelled(**problem), round(time / step)
    start = np.random.default_rng(problem["seed"]).standard_normal(problem["n"]) * 1e-3
    run = descent(
        labelled,
        Parameterization("x", ["x"]),
        {"x": start},
        step,
        steps,
        optimizer=SignDescent() if betas is None else Adam(betas[0], betas[1], eps=0.0),
        batch_size=1 if per_sample else None,
        seed=problem["seed"],
        record=np.unique(np.geomspace(steps / 100, steps, points).astype(int)),
    )
    return {"t": run.t, "loss": run.loss, "margin": _margins(labelled, run.x)}


def _labelled(d: int, n: int, seed: int) -> Regression:
    """Random labels of random observations, fewer than weights, so that they can be separated."""
    rng = np.random.default_rng(seed)
    return Regression(rng.standard_normal((d, n)), np.sign(rng.standard_normal(d)), loss="logistic")


def _margins(problem: Regression, x: np.ndarray) -> np.ndarray:
    """The margins of x in each norm, shape (times, norms)."""
    least = np.min(problem.y * (x @ problem.Z.T), axis=-1)
    sizes = [np.linalg.norm(x, order, axis=-1) for order in (1, 2, np.inf)]
    return least[:, None] / np.stack(sizes, axis=-1)


def _shares(data: Data, name: str) -> np.ndarray:
    """The margins of a run over the largest ones, shape (times, norms)."""
    return data[f"margin/{name}"] / data["best"]


def draw(data: Data) -> Figure:
    """The shares of the largest margins against the loss, a panel for each run; both kinds of Adam share one."""
    figure, axes = plt.subplots(2, 2, figsize=(7.2, 5.2), layout="constrained", sharex=True, sharey=True)
    titles = (
        r"Gradient flow: $L_2$",
        r"Flow of the mask: $L_1$, ever more slowly",
        r"Sign descent: $L_\infty$, up to its step",
        r"Adam: $L_\infty$; dashed: one observation a step",
    )
    for ax, name, title in zip(axes.flat, RUNS, titles, strict=False):
        _draw_shares(ax, data, name, "-")
        ax.set_title(title)
    _draw_shares(axes[1, 1], data, "per-sample Adam", "--")
    axes[0, 0].set(xscale="log", ylim=(0.3, 1.01), xlim=(1, float(data["log10_t"][-1])))
    axes[0, 0].xaxis.set_major_formatter("{x:g}")
    for ax in axes[1]:
        ax.set_xlabel(r"$-\log_{10}$ loss")
    for ax in axes[:, 0]:
        ax.set_ylabel("share of the largest margin")
    handles = [Line2D([], [], color=LOOKS[norm], lw=1.1) for norm in NORMS]
    texts = [f"margin in {LABELS[norm]}" for norm in NORMS]
    handles.append(Line2D([], [], color=plotting.GREYS["guide"], lw=2.2))
    texts.append("wide: the norm expected for this run")
    figure.legend(handles, texts, loc="outside lower center", ncols=len(handles))
    return figure


def _draw_shares(ax: Axes, data: Data, name: str, style: str) -> None:
    reached, shares = -data[f"log10_loss/{name}"], _shares(data, name)
    for norm, share in zip(NORMS, shares.T, strict=True):
        is_expected = EXPECTED[name] == norm
        ax.plot(reached, share, style, color=LOOKS[norm], lw=2.2 if is_expected else 1.1)
    ax.axhline(1, color=plotting.GREYS["note"], lw=0.5)
    best = int(np.argmax(shares[-1]))
    ax.annotate(
        f"{shares[-1, best]:.3f}",
        (reached[-1], shares[-1, best]),
        # Below the end of the curve: at its right the line of the largest margin would go through the number.
        (0, -4) if style == "-" else (-2, -7),
        textcoords="offset points",
        annotation_clip=False,
        ha="right",
        va="top",
        color=LOOKS[NORMS[best]],
    )


def claims(data: Data) -> list[Claim]:
    """What theory says of these runs."""

    def end(name: str, norm: str) -> float:
        return float(_shares(data, name)[-1, NORMS.index(norm)])

    def at_most_one() -> Verdict:
        largest = max(float(np.max(_shares(data, name))) for name in RUNS)
        relative = float(np.max(data["gap"] / data["best"]))
        return from_residual(
            excess(largest - 1), ROUNDING,
            f"No run exceeds a largest margin: the largest share is {largest:.12f}; gaps are {relative:.0e} or less.",
            tolerance_reason="Margins of weights are rounded sums.",
        )  # fmt: skip

    def gradient_flow() -> Verdict:
        missing = 1 - _shares(data, "gradient flow")[:, NORMS.index("l2")]
        where = [int(np.argmin(np.abs(data["log10_t"] - part * data["log10_t"][-1]))) for part in LATE_TIMES]
        products = np.array([missing[k] * data["log10_t"][k] for k in where])
        spread = float(np.ptp(products) / np.mean(products))
        return from_residual(
            spread, 0.1,
            f"What is missing from the L2 margin, times log₁₀ t, is {products.min():.3f} to {products.max():.3f} "
            f"at the last times; the share ends at {end('gradient flow', 'l2'):.4f}.",
            tolerance_reason="x = x̂ log t + O(1), so the product tends to a constant up to terms of 1/log t.",
        )  # fmt: skip

    def mask() -> Verdict:
        share = _shares(data, "flow of the mask")
        late = ~(data["log10_t"] < 2)  # also times without a number
        falls = float(np.max(-np.diff(share[late, NORMS.index("l1")])))
        others = max(float(np.max(share[-1, k])) for k in (1, 2))
        return from_residual(
            max(excess(falls), excess(0.95 - share[-1, 0]), excess(others - 0.9)), 0.0,
            f"The share of the L1 margin grows from t = 100 on, to {share[-1, 0]:.4f}, and it alone is above 0.9.",
            tolerance_reason="The margin grows by far more than the integrator's error between two times.",
        )  # fmt: skip

    def sign() -> Verdict:
        missing = 1 - data["sign_ends"][:, NORMS.index("linf")] / data["best"][NORMS.index("linf")]
        return from_residual(
            max(excess(float(missing[-1]) - 0.01), excess(float(np.max(np.diff(missing))))), 0.0,
            "Sign descent misses " + ", ".join(f"{miss:.4f}" for miss in missing) + " of the L∞ margin, at steps "
            + ", ".join(f"{step:g}" for step in data["sign_steps"]) + ".",
            tolerance_reason="Theory gives a share of 1 as the step tends to zero, and O(η) for a step η.",
        )  # fmt: skip

    def adam() -> Verdict:
        share = _shares(data, "Adam")[-1]
        return from_residual(
            max(excess(0.95 - share[2]), excess(float(max(share[:2])) - share[2])), 0.0,
            f"Adam with all observations reaches {share[2]:.3f} of the L∞ margin, {share[1]:.3f} of L2.",
            tolerance_reason="A step and means over some steps keep Adam off sign descent.",
        )  # fmt: skip

    source = "this project"
    return [
        Claim("margins/bounds", r"\min_i y_i z_i^T x \le \gamma^* \|x\|", source, check=at_most_one),
        Claim("margins/gradient-flow", r"1 - \gamma_2/\gamma_2^* = \Theta(1/\log t)", source, check=gradient_flow),
        Claim("margins/mask", r"\gamma_1 \to \gamma_1^* \text{ for the mask's flow}", source,
              uses=("mirror-flow-separable/horizon-hypentropy",), check=mask),
        Claim("margins/sign-descent", r"\gamma_\infty \to \gamma_\infty^* \text{ as } \eta \to 0", source, check=sign),
        Claim("margins/adam", r"\gamma_\infty/\gamma_\infty^* \text{ is the largest share}", source, check=adam),
    ]  # fmt: skip


def observations(data: Data) -> list[Claim]:
    """What others report of these data, or of others like them."""

    def per_sample() -> Verdict:
        share = _shares(data, "per-sample Adam")[-1]
        return from_residual(
            excess(float(share[2] - share[1])), 0.0,
            f"Adam with one observation a step reaches {share[2]:.3f} of the L∞ margin and {share[1]:.3f} of L2.",
            tolerance_reason="The shares are far apart.",
        )  # fmt: skip

    return [
        Claim(
            "margins/per-sample-adam", r"\text{Adam with one observation a step leaves the } L_\infty \text{ margin}",
            "arXiv:2510.26303, abstract", check=per_sample,
        )
    ]  # fmt: skip


EXPERIMENT = Experiment(
    name="margins",
    title="Which margin each optimizer reaches",
    caption=(
        "The margin of the weights as a share of the largest one, in three norms, against the logistic loss reached: "
        "for gradient flow, the flow of the mask, sign descent, and Adam with all or with one of the observations in a "
        "step. Wide: the norm whose margin the run is expected to make largest. The two flows end at t = 10²⁰⁰."
    ),
    expectation=(
        "Theory: gradient flow tends to the largest L2 margin like 1/log t, the flow of the mask to that in L1, far "
        "more slowly, and sign descent with small steps to that in L∞; so does Adam with all observations, but not "
        "with one in each step (arXiv:2510.26303, abstract)."
    ),
    configuration={"default": Settings(), "quick": QUICK},
    compute=compute,
    draw=draw,
    claims=claims,
    observations=observations,
)
