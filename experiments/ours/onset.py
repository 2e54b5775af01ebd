r"""At which sparsity pruning begins to cost accuracy, and whether the scale of the mask's potential tells it.

Decay takes the scale of the potential from a = ½ to a_T, so that weights below a_T are in its L2 part and weights
above in its L1 part, which makes most weights small. Each run is trained with the mask, and measured for every weight:
the scale (m² − w²)/2, and the gain and shift by which steps and batches move the potential from the flow's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from experiments.engine import Data, Sweep
from experiments.experiment import Experiment
from experiments.markdown_table import markdown_table
from experiments.mask_in_the_mirror import pruning
from experiments.mask_in_the_mirror.pruning import KEPT_SHARE, MOMENTUM
from implicit_bias import Claim, Outcome, Status, Verdict, plotting
from implicit_bias.claims import compare
from implicit_bias.claims.judge import from_residual

if TYPE_CHECKING:
    from implicit_bias.training import EpochRecord

LOSS = 0.01  # of accuracy: what pruning costs where it begins to cost
QUANTILES = (0.1, 0.5, 0.9)
GRID = (0.0, *(1 - KEPT_SHARE ** np.arange(2, 37, 2)).tolist())  # to 0.03 % of the weights, where nothing works


@dataclass(frozen=True)
class Settings:
    """The network, and how it is trained and pruned.

    Attributes:
        network: The network.
        strengths: Of the mask, from none to the strongest.
        sparsities: The fractions of weights that are pruned.
        device: Where to train.
    """

    network: pruning.Network
    strengths: Sequence[float] = (0.0, 1.4e-3, 2.8e-3, 4e-3, 6e-3)  # far enough apart for eight seeds to tell
    sparsities: Sequence[float] = GRID
    device: str = "cpu"


SETTINGS = Settings(replace(pruning.SMALL_LENET, epochs=7, seeds=8, together=1))
QUICK = replace(
    SETTINGS,
    network=replace(SETTINGS.network, epochs=2, share=0.5, seeds=2, masked_learning_rate=0.1),
    strengths=(0.0, 1e-2, 3e-2),
)


def measured_run(
    training: pruning.Training, strength: float, seed: int, sparsities: Sequence[float], device: str
) -> Data:
    """A task: train with the mask, measure its potential, and prune once for each sparsity.

    Args:
        training: The network, its images and the learning rate.
        strength: Of the mask.
        seed: Of initial weights and batches.
        sparsities: Fractions of weights to prune.
        device: Where to train.

    Returns:
        accuracy: Of each pruned network, (sparsities,).
        scale: The median of (m² − w²)/2 over all weights.
        gain: Quantiles over all weights of the flow's log-scale minus the run's.
        shift: Likewise of the run's shift.
        above: The fraction of weights with |x| above their own scale.
        flow_scale: ½ exp(−4A), with A from the strengths and learning rates of all epochs.
        decay_scale: What the optimizer's decay alone leaves, step by step.
    """
    import torch

    from implicit_bias import masking
    from implicit_bias.training import build, one_shot, train
    from implicit_bias.training.methods.mask import Mask

    class Measured(Mask):
        """The mask, whose potential is recorded from the first step to the last."""

        def start(self, model: torch.nn.Module, optimizer: torch.optim.Optimizer, epochs: int) -> None:
            super().start(model, optimizer, epochs)
            self.record = masking.MirrorRecord(model, optimizer)

    torch.set_num_threads(1)  # tasks share the cores, and results must not depend on how many there are
    data = pruning.images(training.data, training.share, training.pooling, None, None)
    method = Measured(strength)
    result = train(
        build(training.model, data, seed), data.untested(), method, epochs=training.epochs,
        batch_size=training.batch_size, learning_rate=training.learning_rate, momentum=MOMENTUM,
        schedule=training.schedule, seed=seed, device=device, throw=False,
    )  # fmt: skip
    flow, decay = predicted_scales(result.history, -(-len(data.train) // training.batch_size))
    if result.status is not Status.CONVERGED:
        numbers = {name: np.full(len(QUANTILES), np.nan) for name in ("gain", "shift")}
        accuracy, scale, above = np.full(len(sparsities), np.nan), np.nan, np.nan
    else:
        found = [method.record[name] for name in method.record]
        numbers = {
            name: np.quantile(np.concatenate([getattr(each, name) for each in found]), QUANTILES)
            for name in ("gain", "shift")
        }
        m, w = (np.concatenate([each.parameters[name] for each in found]) for name in ("m", "w"))
        scales = np.abs(m**2 - w**2) / 2
        accuracy = one_shot(result.model, data, sparsities).accuracy
        scale, above = np.median(scales), np.mean(np.abs(m * w) > scales)
    return {
        "accuracy": accuracy, "scale": np.array(scale), "above": np.array(above), **numbers,
        "flow_scale": np.array(flow), "decay_scale": np.array(decay),
    }  # fmt: skip


def predicted_scales(history: Sequence[EpochRecord], steps: int) -> tuple[float, float]:
    """Predictions of (m² − w²)/2 after a run from β = 1, without looking at its gradients.

    Args:
        history: Tells strengths and learning rates of all epochs.
        steps: Of an epoch.

    Returns:
        ½ exp(−4A), where momentum μ lets the flow's time pass 1 / (1 − μ) times as fast as steps × η; and ½ s², with
        s = 1 at first and multiplied by nothing but the optimizer's decay, momentum included.
    """
    decay, s, velocity = 0.0, 1.0, 0.0
    for record in history:
        decay += steps * record.strength * record.learning_rate / (1 - MOMENTUM)
        for _ in range(steps):
            velocity = MOMENTUM * velocity + 2 * record.strength * s
            s -= record.learning_rate * velocity
    return 0.5 * float(np.exp(-4 * decay)), 0.5 * s**2


def compute(settings: Settings, sweep: Sweep) -> Data:
    """Every strength and seed."""
    network = settings.network
    grid = [
        {
            "training": network.training("mask" if strength else pruning.UNREGULARIZED), "strength": strength,
            "seed": seed, "sparsities": settings.sparsities, "device": settings.device,
        }
        for strength in settings.strengths
        for seed in range(network.seeds)
    ]  # fmt: skip
    runs = sweep(measured_run, grid, "onset")
    shape = (len(settings.strengths), network.seeds)
    return {
        "title": np.array(network.title),
        "strength": np.array(settings.strengths),
        "sparsity": np.array(settings.sparsities),
        **{
            name: np.reshape([run[name] for run in runs], (*shape, *runs[0][name].shape))
            for name in ("accuracy", "scale", "above", "gain", "shift", "flow_scale", "decay_scale")
        },
    }


def onset(accuracy: np.ndarray, sparsity: np.ndarray) -> np.ndarray:
    """The fraction of weights that is left where pruning has cost :data:`LOSS` of accuracy for the first time.

    Args:
        accuracy: Shape (…, sparsities), from no pruning on.
        sparsity: The sparsities, increasing from 0.

    Returns:
        Shape (…), interpolated in the logarithm of the weights left; nan for a run without numbers, and where the
        loss is never reached.
    """
    lost = accuracy[..., :1] - accuracy
    first = np.argmax(lost >= LOSS, axis=-1)
    found, left = np.full(first.shape, np.nan), np.log(1 - sparsity)
    for place in np.ndindex(first.shape):
        k = int(first[place])
        if k > 0:
            before, after = lost[place][k - 1], lost[place][k]
            found[place] = np.exp(left[k - 1] + (left[k] - left[k - 1]) * (LOSS - before) / (after - before))
    return found


def draw(data: Data) -> Figure:
    """Errors after pruning by the scale left, where pruning begins to cost, and what steps add to the flow."""
    figure, (first, second, third) = plt.subplots(1, 3, figsize=(7.2, 2.9), layout="constrained")
    _draw_errors(first, data)
    _draw_onset(second, data)
    _draw_scales(third, data)
    return figure


def _colours(data: Data) -> list[str]:
    return plotting.sequence(len(data["strength"]))


def _draw_errors(axes: Axes, data: Data) -> None:
    mean = 100 * (1 - data["accuracy"].mean(axis=1))
    for colour, strength, error in zip(_colours(data), data["strength"], mean, strict=True):
        axes.plot(100 * (1 - data["sparsity"]), error, color=colour, lw=1.2, label=f"{strength:g}")
    pruning.error_axis(axes, 0.5 * float(np.nanmin(mean)))  # room for the legend
    axes.set(xscale="log", xlim=(140, 0.02), xlabel="weights left (%)", ylabel="test error (%)", title="Pruned once")
    axes.legend(title="strength α", loc="lower right", handlelength=1.2, labelspacing=0.3, borderaxespad=0.1)
    axes.xaxis.set_major_formatter("{x:g}")


def _draw_onset(axes: Axes, data: Data) -> None:
    found = 100 * onset(data["accuracy"], data["sparsity"])
    for colour, scale, left in zip(_colours(data), data["scale"], found, strict=True):
        axes.plot(scale, left, "o", color=colour, ms=3, alpha=0.7)
    middle = np.median(data["scale"], axis=1)
    axes.plot(
        middle,
        np.median(100 * data["above"], axis=1),
        "x",
        color=plotting.GREYS["note"],
        ms=5,
        label="weights above $a_T$",
    )
    axes.plot([], [], "o", color=plotting.GREYS["guide"], ms=3, label="where pruning costs 1 point")
    axes.set(
        xscale="log",
        yscale="log",
        xlabel="scale $a_T$, the median of $(m^2 - w^2)/2$",
        ylabel="weights left (%)",
        ylim=(0.01, 70),
    )
    axes.yaxis.set_major_formatter("{x:g}")
    axes.set_title("Where pruning begins to cost")
    axes.legend(loc="lower center")


def _draw_scales(axes: Axes, data: Data) -> None:
    strengths = data["strength"]
    fine = np.linspace(0, strengths.max(), 200)
    # All runs have the same flow time, which the last one's prediction tells.
    rate = np.log(2 * data["flow_scale"][-1, 0]) / strengths[-1]
    axes.plot(fine, 0.5 * np.exp(rate * fine), **plotting.FLOW_LOOK, label=r"flow: $\frac{1}{2}e^{-4A}$")
    axes.plot(
        strengths, data["decay_scale"][:, 0], color=plotting.GREYS["guide"], lw=0.8, label="the optimizer's decay"
    )
    for colour, strength, scale in zip(_colours(data), strengths, data["scale"], strict=True):
        axes.plot(np.full(len(scale), strength), scale, "s", color=colour, ms=3)
    axes.set(yscale="log", xlabel="strength α of the mask", ylabel="scale $a_T$")
    axes.set_title("The scale that training leaves")
    axes.legend(loc="lower left")


def table(data: Data) -> str:
    """For each strength the scale, gain, shift, and where pruning begins to cost."""
    found = onset(data["accuracy"], data["sparsity"])
    rows = []
    for s, strength in enumerate(data["strength"]):
        (gain_low, gain, gain_high), (low, shift, high) = (data[name][s].mean(axis=0) for name in ("gain", "shift"))
        rows.append(
            [
                f"{strength:g}",
                f"{data['flow_scale'][s, 0]:.2g}",
                f"{data['decay_scale'][s, 0]:.2g}",
                f"{data['scale'][s].mean():.2g}",
                f"{gain:.2g} ({gain_low:.2g} … {gain_high:.2g})",
                f"{shift:.1e} ({low:.2g} … {high:.2g})",
                f"{100 * data['accuracy'][s, :, 0].mean():.1f}",
                _digits(*_interval(100 * found[s])),
                f"{100 * data['above'][s].mean():.2g}",
            ]
        )
    head = [
        "strength α", "flow: ½ e^(−4A)", "the optimizer's decay alone", "scale left", "gain", "shift",
        "accuracy (%)", "weights left where pruning costs a point (%)", "weights above the scale (%)",
    ]  # fmt: skip
    return (
        f"{data['title']}, {data['accuracy'].shape[1]} seeds. The scale is the median of (m² − w²)/2 over all weights; "
        "gain and shift are\nmedians over them (with the first and the last tenth), from the gradients of all steps. "
        "The gain is the log-scale of the flow with the\ndecay that momentum has really made (a little less than "
        "in the second column) minus the run's, the shift what steps add\nto that flow's. A point is lost from each "
        "run's own accuracy without pruning. These runs explore: nothing was planned before.\n\n"
        f"{markdown_table(head, rows)}\n"
    )


def _digits(mean: float, half: float) -> str:
    """Two digits more where percentages are small."""
    return "diverged" if np.isnan(mean) else f"{mean:.3g} ± {half:.2g}"


def _interval(values: np.ndarray) -> tuple[float, float]:
    mean, half = pruning.mean_and_interval(values[:, None])
    return mean.item(), half.item()


def observations(data: Data) -> list[Claim]:
    """What theory says about the scale that is left, and what might follow for pruning."""
    return [
        Claim(
            "onset/scale",
            r"\operatorname{median}(m_T^2 - w_T^2) = \text{what the optimizer's steps of decay alone leave}",
            "this project",
            uses=("ours/conserved", "ours/flow-heavy-ball"),
            check=lambda: _keeps_scale(data),
        ),
        Claim(
            "onset/later",
            r"\text{the smaller the scale, the fewer weights are left where pruning costs a point of accuracy}",
            "this project",
            check=lambda: _comes_later(data),
        ),
        Claim(
            "onset/above-scale",
            r"\text{after decay, pruning begins to cost where the weights above the scale are cut}",
            "this project",
            check=lambda: _is_where_weights_pass_the_scale(data),
        ),
    ]


def _keeps_scale(data: Data) -> Verdict:
    factor = data["scale"] / data["decay_scale"]
    text = ", ".join(
        f"{scale:.3g} beside {decay:.3g} and {flow:.3g}"
        for scale, decay, flow in zip(
            np.median(data["scale"], axis=1), data["decay_scale"][:, 0], data["flow_scale"][:, 0], strict=True
        )
    )
    return from_residual(
        float(np.max(np.abs(np.log(factor)))), 0.1,
        f"The median of (m² − w²)/2 beside the optimizer's own decay and the flow's ½e^(−4A): {text}.",
        tolerance_reason="Beside decay there are terms in the square of a step's gradient, larger where it is large.",
    )  # fmt: skip


def _comes_later(data: Data) -> Verdict:
    """Every step to the next smaller scale, paired by seed, in one family."""
    left = np.log10(onset(data["accuracy"], data["sparsity"]))
    scales = np.median(data["scale"], axis=1)
    if np.isnan(left).any():
        missing = int(np.isnan(left).sum())
        return Verdict(Outcome.INCONCLUSIVE, f"In {missing} of {left.size} runs pruning never costs a point.")
    steps = {f"{scales[s]:.2g} to {scales[s + 1]:.2g}": left[s] - left[s + 1] for s in range(len(left) - 1)}
    found = compare(steps, margin=0.05)
    outcomes = [each.larger for each in found.values()]
    shown = ", ".join(f"{each.mean:+.2f} ± {each.half_width:.2f} from {name}" for name, each in found.items())
    outcome = Outcome.SUPPORTED if set(outcomes) == {Outcome.SUPPORTED} else Outcome.INCONCLUSIVE
    refuted = next((each for each in found.values() if each.larger is Outcome.REFUTED), None)
    decisive = max(each.p_larger for each in found.values()) if refuted is None else refuted.p_larger
    return Verdict(
        outcome if refuted is None else Outcome.REFUTED,
        f"Decades of weights by which the onset moves on {data['title']}, {left.shape[1]} seeds: {shown}.",
        decisive, 0.05, {} if refuted is None else {"decades": refuted.mean},
        tolerance_reason="The chance of any wrong decision of this kind in the family.",
    )  # fmt: skip


def _is_where_weights_pass_the_scale(data: Data) -> Verdict:
    left = onset(data["accuracy"], data["sparsity"])
    least = 1e-6  # of all weights: less than one of them
    gap = np.log10(left / np.maximum(data["above"], least))[data["strength"] != 0]
    if np.isnan(gap).any():
        return Verdict(Outcome.INCONCLUSIVE, f"In {int(np.isnan(gap).sum())} runs pruning never costs a point.")
    middle = np.median(gap, axis=1)
    shown = ", ".join(f"{each:+.2g}" for each in middle)
    return from_residual(
        float(np.max(np.abs(middle))), 0.3,
        f"Decades between the weights left where pruning costs a point and the weights above the scale: {shown}.",
        refuted_above=0.5, decades=float(middle[np.argmax(np.abs(middle))]),
        tolerance_reason="A factor of two in the number of weights, as the loss of a point is a convention.",
    )  # fmt: skip


EXPERIMENT = Experiment(
    name="onset",
    title="When pruning begins to cost: the scale that training leaves",
    caption=(
        "LeNet-300-100 trained with the mask at five strengths and eight seeds, then pruned once. Left: mean test "
        "error against the weights left, darker for stronger decay, as in all panels. Middle: the weights left where "
        "pruning has cost a point of accuracy, for every run, and the fraction of weights above the scale (crosses). "
        "Right: the median of (m² − w²)/2 beside the flow's ½e^(−4A) and what the optimizer's decay alone leaves."
    ),
    expectation=(
        "Theory: decay takes the scale of the mask's potential from ½ to ½e^(−4A), from an L2 to an L1 bias, so that "
        "more weights should go without loss. It does not say how many."
    ),
    configuration={"default": SETTINGS, "quick": QUICK},
    compute=compute,
    draw=draw,
    tolerances={"accuracy": 0.25, "above": 0.1, "scale": 1e-2, "gain": 0.1, "shift": 0.1},
    observations=observations,
    table=table,
)
