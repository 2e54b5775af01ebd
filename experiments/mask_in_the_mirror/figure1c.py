r"""Figure 1c of the preprint: the potential of one weight as the decay A grows, from L2-like to L1-like."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from experiments.engine import Data, Sweep
from experiments.excess import excess
from experiments.experiment import Experiment
from implicit_bias import Claim, HyperbolicEntropy, Outcome, Parameterization, Verdict, derive, plotting
from implicit_bias.claims.judge import from_residual


@dataclass(frozen=True)
class Settings:
    """The arguments of :func:`curves`."""

    m0: float = 1.0
    w0: float = 0.0
    decays: Sequence[float] = (0.0, 0.25, 0.5, 1.0, 2.0, 4.0)
    reach: float = 2.0
    points: int = 401


def compute(settings: Settings, sweep: Sweep) -> Data:
    """R_A, its normalized shape and its exponent for every decay."""
    return sweep(curves, [vars(settings)], "figure1c")[0]


def curves(m0: float, w0: float, decays: Sequence[float], reach: float, points: int) -> Data:
    """The potential from initial m and w, after some decays, on [−reach, reach]."""
    family = derive(Parameterization("m*w", ["m", "w"]), "m**2 + w**2").family({"m": m0, "w": w0})
    x = np.linspace(-reach, reach, points)
    s = np.geomspace(1e-8, 1e2, points)
    potentials = [cast("HyperbolicEntropy", family(decay)) for decay in decays]  # as of every mask
    return {
        "decay": np.array(decays),
        "scale": np.array([float(R.scale) for R in potentials]),
        "x": x,
        "value": np.stack([R.terms(x) for R in potentials]),
        # D(x, argmin R) = R(x) − min R, without the cancellation of the difference.
        "excess": np.stack([R.divergence(x[:, None], np.atleast_1d(R.minimizer)) for R in potentials]),
        "s": s,
        "exponent": np.stack([R.effective_exponent(s) for R in potentials]),
    }


def draw(data: Data) -> Figure:
    """The potential, its shape relative to x = 1, and the local exponent."""
    figure, (left, middle, right) = plt.subplots(1, 3, figsize=(7.2, 2.5), layout="constrained")
    colours = plotting.sequence(len(data["decay"]))
    unit = np.argmin(np.abs(data["x"] - 1))
    for k, (colour, decay) in enumerate(zip(colours, data["decay"], strict=True)):
        left.plot(data["x"], data["excess"][k], color=colour)
        middle.plot(data["x"], data["excess"][k] / data["excess"][k, unit], color=colour, label=f"{decay:g}")
        right.plot(data["s"], data["exponent"][k], color=colour)
    left.set(xlabel="weight x", ylabel=r"$R_{A}(x) - \min R_{A}$", title="The potential grows with the decay A")
    middle.plot(data["x"], np.abs(data["x"]), color=plotting.COLOURS["basis pursuit"], lw=1.2, ls=":", label="|x|")
    middle.set(xlabel="weight x", ylabel="relative to x = 1", xlim=(-1.25, 1.25), ylim=(0, 1.4))
    middle.set_title("Its shape: from a parabola to |x|")
    middle.legend(title="decay A", ncols=2, handlelength=1.0, columnspacing=0.8, loc="upper center")
    right.set(xscale="log", xlabel="weight x > 0", ylabel="local exponent", ylim=(0.95, 2.05))
    right.set_title("2 is an L2 bias, 1 an L1 bias")
    return figure


def claims(data: Data) -> list[Claim]:
    """The claims of theory about these curves."""

    def grows() -> Verdict:
        steps = np.diff(data["value"], axis=0)
        if not np.any(steps <= 0):
            return from_residual(
                excess(-steps),
                0.0,
                f"R_A(x) rises at all {steps.size} steps of A; the least rise is {steps.min():.3g}.",
            )
        worst = np.unravel_index(np.nanargmin(steps), steps.shape)
        numbers = {
            "decay": float(data["decay"][worst[0]]),
            "x": float(data["x"][worst[1]]),
            "rise": float(steps[worst]),
        }
        return Verdict(Outcome.REFUTED, "R_A(x) falls as A grows.", counterexample=numbers)

    def exponents() -> Verdict:
        at_one = data["exponent"][:, np.argmin(np.abs(data["s"] - 1))]
        broken = excess(data["exponent"] - 2, 1 - data["exponent"], np.diff(at_one))
        text = f"At x = 1 the exponent falls from {at_one[0]:.3f} to {at_one[-1]:.3f}; all lie in [1, 2]."
        return from_residual(broken, 1e-12, text)

    return [
        Claim(
            "figure1c/grows",
            r"A < A' \Rightarrow R_A(x) < R_{A'}(x)",
            "mask-in-the-mirror/eq-9",
            uses=("mask-in-the-mirror/eq-9",),
            check=grows,
        ),
        Claim(
            "figure1c/exponent",
            r"p(1) \text{ falls with } A, \; p \in [1, 2]",
            "this project",
            check=exponents,
        ),
    ]


EXPERIMENT = Experiment(
    name="figure1c",
    title="The potential of a masked weight turns from L2 to L1 as decay accumulates",
    caption=(
        "The mask's potential of one weight, from m₀ = 1 and w₀ = 0, for growing decay A: above its minimum, relative "
        "to its value at x = 1, and its local exponent, which is 2 for a squared L2 norm and 1 for an L1 norm."
    ),
    expectation=(
        "The preprint's figure 1c: decay turns the potential from L2 to L1. Theory: R grows with A, and the exponent "
        "falls from 2 where |x| is far below the scale a = ½e^(−4A) to 1 where it is far above."
    ),
    configuration={"default": Settings(), "quick": Settings(points=101)},
    compute=compute,
    draw=draw,
    claims=claims,
)
