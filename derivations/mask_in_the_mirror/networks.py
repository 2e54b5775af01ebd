"""What the preprint says of figures 2 and 3, judged on the networks that this project trained.

The paired differences are those that ``python -m experiments figure2 figure3`` recorded, on the networks and images
that the evidence names. The preprint's are ResNet-20 on CIFAR-10 and ResNet-18 on CIFAR-100. The comparisons, their
margin and their families stood before the runs.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from derivations.mask_in_the_mirror import PAPER
from implicit_bias import Outcome, Verdict
from implicit_bias.claims import compare, joint_verdict

FIGURES = Path(__file__).resolve().parents[2] / "figures"
MARGIN = 0.5  # points
NETWORKS = {"lenet": "LeNet-300-100", "convnet": "a small convolutional net"}
# What the main text says: its figure, the statement and the comparisons that have to be ahead, at all sparsities.
STATEMENTS = {
    "baseline": ("figure2", "m ⊙ w with regularization beats the dense baseline at high sparsity", "mask minus dense"),
    "l1": ("figure2", "L1 on x struggles at high sparsity: m ⊙ w with regularization beats it", "mask minus l1"),
    "spred": ("figure2", "the start of spred does worse than m ⊙ w at high sparsity", "mask minus spred"),
    "imp": ("figure3", "the mask improves IMP at high sparsity", "imp"),
    "lrr": ("figure3", "LRR with the mask is the most accurate at high sparsity", "lrr"),
    "competes": (
        "figure3",
        "IMP with the mask competes with LRR: it is at most half a point behind",
        "imp with the mask against lrr",
    ),
}


def judged(figure: str, network: str, comparison: str) -> Verdict:
    """The verdict on a comparison of a network at all of its sparsities, in the family of all of its figure.

    Args:
        figure: The folder of the recorded numbers.
        network: The network's name there.
        comparison: Its name, without the sparsity.
    """
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


def _state(name: str, network: str) -> None:
    figure, statement, comparison = STATEMENTS[name]

    @PAPER.claim(
        f"{figure.replace('figure', 'fig-')}-{name}-{network}",
        statement=rf"\text{{{statement}}}",
        source=f"main text on figure {figure[-1]}, {name}, on {NETWORKS[network]}",
        hypotheses=(rf"\text{{{NETWORKS[network]} on 4,000 images of MNIST, not the preprint's networks}}",),
        figure=f"figures/{figure}/figure.png",
    )
    def check() -> Verdict:
        return judged(figure, network, comparison)


for _network in NETWORKS:
    for _name in STATEMENTS:
        _state(_name, _network)
