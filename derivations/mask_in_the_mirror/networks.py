"""The statements of the preprint on figures 2 and 3, judged on the networks that this project trained.

The paired differences are those that ``python -m experiments figure2 figure3`` recorded, on the networks and images
that the evidence names. The preprint's are ResNet-20 on CIFAR-10 and ResNet-18 on CIFAR-100. The comparisons, their
margin and their families stood before the runs.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from derivations.mask_in_the_mirror import PAPER
from implicit_bias import Outcome, Verdict

FIGURES = Path(__file__).resolve().parents[2] / "figures"
MARGIN = 0.5  # points
IMAGES = {"figure2": "4,000 images", "figure3": "2,000 images"}
NETWORKS = {"lenet": "LeNet-300-100", "convnet": "a small convolutional net"}
BASELINE = "m ⊙ w with regularization beats the dense baseline at high sparsity"
L1 = "the lasso penalty on x struggles at high sparsity: m ⊙ w with regularization beats it"
SPRED = "the start of spred does worse than m ⊙ w at high sparsity"
IMP = "the mask improves IMP at high sparsity"
LRR = "the mask improves LRR at high sparsity"
COMPETES = "IMP with the mask competes with LRR: it is at most half a point behind"


def judged(figure: str, network: str, comparison: str) -> Verdict:
    """The verdict on a comparison of a network at all of its sparsities, in the family of all of its figure.

    Args:
        figure: The folder of the recorded numbers.
        network: The network's name there.
        comparison: Its name, without the sparsity.
    """
    from implicit_bias.claims import compare, joint_verdict  # SciPy's statistics are not needed to list the claims

    with np.load(FIGURES / figure / "data.npz", allow_pickle=False) as data:
        n = [str(name) for name in data["network"]].index(network)
        seeds, title = int(data["seeds"][n]), str(data["title"][n])
        names = [str(name) for name in data["comparison"]]
        differences = dict(zip(names, data["difference"][n][:, :seeds], strict=True))
    lost = [name for name, values in differences.items() if not np.isfinite(values).all()]
    wanted = [name for name in names if name.partition(" at ")[0] == comparison]
    text = f"Points of accuracy, paired by seed, on {title}"
    if {*wanted} & {*lost}:
        return Verdict(Outcome.INCONCLUSIVE, f"{text}: a run of {wanted[0]} left the floating-point range.")
    found = compare({name: values for name, values in differences.items() if name not in lost}, MARGIN)
    return joint_verdict({name: found[name] for name in wanted}, text)


def _told(figure: str, network: str, statement: str) -> dict[str, Any]:
    """The source, the hypotheses and the picture of a claim."""
    return {
        "statement": rf"\text{{{statement}}}",
        "source": f"main text on figure {figure[-1]}, as summarized, judged on {NETWORKS[network]}",
        "hypotheses": (rf"\text{{{NETWORKS[network]} on {IMAGES[figure]} of MNIST}}",),
        "figure": f"figures/{figure}/figure.png",
        "observation": True,
    }


@PAPER.claim("fig-2-baseline-lenet", **_told("figure2", "lenet", BASELINE))
def baseline_on_lenet() -> Verdict:
    """The mask and the dense net, on LeNet."""
    return judged("figure2", "lenet", "mask minus dense")


@PAPER.claim("fig-2-l1-lenet", **_told("figure2", "lenet", L1))
def l1_on_lenet() -> Verdict:
    """The mask and the lasso penalty, on LeNet."""
    return judged("figure2", "lenet", "mask minus l1")


@PAPER.claim("fig-2-spred-lenet", **_told("figure2", "lenet", SPRED))
def spred_on_lenet() -> Verdict:
    """The mask and its balanced start, on LeNet."""
    return judged("figure2", "lenet", "mask minus spred")


@PAPER.claim("fig-3-imp-lenet", **_told("figure3", "lenet", IMP))
def imp_on_lenet() -> Verdict:
    """IMP with the mask and without, on LeNet."""
    return judged("figure3", "lenet", "imp")


@PAPER.claim("fig-3-lrr-lenet", **_told("figure3", "lenet", LRR))
def lrr_on_lenet() -> Verdict:
    """LRR with the mask and without, on LeNet."""
    return judged("figure3", "lenet", "lrr")


@PAPER.claim("fig-3-competes-lenet", **_told("figure3", "lenet", COMPETES))
def competes_on_lenet() -> Verdict:
    """IMP with the mask and LRR without, on LeNet."""
    return judged("figure3", "lenet", "imp with the mask against lrr")


@PAPER.claim("fig-2-baseline-convnet", **_told("figure2", "convnet", BASELINE))
def baseline_on_convnet() -> Verdict:
    """The mask and the dense net, on the convolutional net."""
    return judged("figure2", "convnet", "mask minus dense")


@PAPER.claim("fig-2-l1-convnet", **_told("figure2", "convnet", L1))
def l1_on_convnet() -> Verdict:
    """The mask and the lasso penalty, on the convolutional net."""
    return judged("figure2", "convnet", "mask minus l1")


@PAPER.claim("fig-2-spred-convnet", **_told("figure2", "convnet", SPRED))
def spred_on_convnet() -> Verdict:
    """The mask and its balanced start, on the convolutional net."""
    return judged("figure2", "convnet", "mask minus spred")


@PAPER.claim("fig-3-imp-convnet", **_told("figure3", "convnet", IMP))
def imp_on_convnet() -> Verdict:
    """IMP with the mask and without, on the convolutional net."""
    return judged("figure3", "convnet", "imp")


@PAPER.claim("fig-3-lrr-convnet", **_told("figure3", "convnet", LRR))
def lrr_on_convnet() -> Verdict:
    """LRR with the mask and without, on the convolutional net."""
    return judged("figure3", "convnet", "lrr")


@PAPER.claim("fig-3-competes-convnet", **_told("figure3", "convnet", COMPETES))
def competes_on_convnet() -> Verdict:
    """IMP with the mask and LRR without, on the convolutional net."""
    return judged("figure3", "convnet", "imp with the mask against lrr")
