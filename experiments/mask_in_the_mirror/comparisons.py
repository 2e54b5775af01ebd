"""The comparisons of figures 2 and 3, their families and their margin, all written down before the runs were made.

Whoever wrote this knew an earlier version of both figures, with three seeds and other strengths. Differences are in
points of test accuracy, paired by seed. Each network has fourteen comparisons: ten of methods that are pruned once,
the loss of the mask to a dense net, two gains in iterative pruning, and the mask with rewound weights against the dense
net with a rewound learning rate.

A family holds the comparisons of one figure on one network. Each is judged twice: is the first method ahead, and are
both equivalent? For each of the two questions Holm's procedure keeps the chance of any wrong decision in a family at
5 % or less. For the direction of a difference that is proved only where comparisons are independent, which these are
not.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from experiments.markdown_table import markdown_table
from experiments.mask_in_the_mirror.pruning import UNREGULARIZED, label, nearest, percent
from implicit_bias import Claim, Outcome, Verdict
from implicit_bias.claims import Comparison, compare, joint_verdict

CONFIDENCE = 0.95
MARGIN = 0.5  # points: what is closer counts as equivalent
LARGEST_LOSS = 2.0  # points, which the mask may lose to a dense net
SPARSITIES = (0.95, 0.98, 0.99)  # of one-shot pruning: the nearest ones of the preprint's grid, all three together
HIGH_SPARSITY = 0.9  # of iterative pruning: the mean over all cycles from here on
PREPRINT, LATER, OURS = "preprint, figure 2", "paper, one-shot pruning", "this project"
ONE_SHOT = (
    ("mask", "dense", PREPRINT),
    ("mask", "l1", PREPRINT),
    ("mask", "l1-mask", PREPRINT),
    ("mask", UNREGULARIZED, PREPRINT),
    ("mask", "spred", PREPRINT),
    ("mask", "continuous-sparsification", PREPRINT),
    ("mask", "powerpropagation", PREPRINT),
    ("pilot", "spred", LATER),
    ("pilot", "str", LATER),
    ("pilot", "mask", OURS),
)
ITERATIVE = (("imp", "preprint, figure 3"), ("lrr", "preprint, figure 3"))
ALLOWED_LOSS = "allowed loss of the mask"
COMPETES = "imp with the mask against lrr"


@dataclass(frozen=True)
class Family:
    """The comparisons of one figure on one network.

    Attributes:
        found: The decisions, by name; a comparison with a run that failed is not among them.
        failed: Why, by name.
        on: The network and the images, as the evidence names them.
    """

    found: Mapping[str, Comparison]
    failed: Mapping[str, str]
    on: str

    def verdict(self, names: Mapping[str, str], text: str, of_equivalence: bool = False) -> Verdict:
        """Whether the means of some comparisons are all above 0, or all within the margin.

        Args:
            names: For each comparison, by its name here, the words by which the evidence calls it.
            text: What is compared.
            of_equivalence: Ask whether they are within the margin.
        """
        text = f"{text}, in points, on {self.on}"
        lost = next((self.failed[name] for name in names if name in self.failed), None)
        if lost is not None:
            return Verdict(Outcome.INCONCLUSIVE, f"{text}: {lost}")
        return joint_verdict(
            {shown: self.found[name] for name, shown in names.items()}, text, of_equivalence=of_equivalence
        )


def judged(data: Mapping[str, np.ndarray], n: int, on: str) -> Family:
    """The family of a network's comparisons; one with a run that failed decides nothing.

    Args:
        data: The arrays of a figure, with ``seeds``, ``comparison`` and ``difference``.
        n: The network's number.
        on: The network and the images, as the evidence names them.
    """
    seeds = int(data["seeds"][n])
    differences = dict(zip(map(str, data["comparison"]), data["difference"][n][:, :seeds], strict=True))
    lost = {name: int(np.isnan(values).sum()) for name, values in differences.items()}
    failed = {
        name: f"in {count} of {seeds} seeds a run left the floating-point range, which says something about its "
        "learning rate alone."
        for name, count in lost.items()
        if count
    }
    sound = {name: values for name, values in differences.items() if name not in failed}
    return Family(compare(sound, MARGIN, confidence=CONFIDENCE) if sound else {}, failed, on)


def one_shot_differences(
    accuracy: Mapping[str, np.ndarray], reference: np.ndarray, sparsity: np.ndarray
) -> dict[str, np.ndarray]:
    """All differences of figure 2 on one network, in points, by name; each of shape (seeds,).

    Args:
        accuracy: Fractions by curve, shape (seeds, sparsities).
        reference: Those of the dense net without regularization or pruning, shape (seeds,).
        sparsity: The sparsities.
    """
    levels, middle = columns(sparsity), _middle(sparsity)
    found = {
        f"{one} minus {other} at {percent(sparsity[k])}": 100 * (accuracy[one][:, k] - accuracy[other][:, k])
        for one, other, _ in ONE_SHOT
        if one in accuracy and other in accuracy
        for k in levels
    }
    loss = 100 * (accuracy["mask"][:, middle] - reference)
    return found | {ALLOWED_LOSS: loss + LARGEST_LOSS}


def columns(sparsity: np.ndarray) -> list[int]:
    """The sparsities that are compared."""
    return nearest(sparsity, SPARSITIES)


def _middle(sparsity: np.ndarray) -> int:
    """The sparsity at which the mask's loss is judged."""
    levels = columns(sparsity)
    return levels[len(levels) // 2]


def loss_sentence(family: Family, sparsity: np.ndarray) -> str:
    """A sentence on the accuracy that the mask loses to a dense net, and on whether it is less than allowed."""
    level = percent(sparsity[_middle(sparsity)])
    return f"The mask at {level} minus that net, plus {LARGEST_LOSS:g} points: {_cell(family, ALLOWED_LOSS)}."


def _pairs(family: Family, sparsity: np.ndarray) -> Iterator[tuple[str, str, str, dict[str, str]]]:
    """Both methods of each comparison, its source, and the names of its three parts with their sparsities."""
    known = {*family.found, *family.failed}
    for one, other, source in ONE_SHOT:
        levels = [percent(sparsity[k]) for k in columns(sparsity)]
        names = {f"{one} minus {other} at {level}": f"at {level}" for level in levels}
        if known >= names.keys():
            yield one, other, source, names


def pairs_table(family: Family, sparsity: np.ndarray) -> str:
    """For each pair of methods and each sparsity the mean difference with its interval, and what is decided."""
    head = ["difference, in points", *(percent(sparsity[k]) for k in columns(sparsity))]
    rows = [
        [f"{label(one)} − {label(other)}", *(_cell(family, name) for name in names)]
        for one, other, _, names in _pairs(family, sparsity)
    ]
    return markdown_table(head, rows)


def _cell(family: Family, name: str) -> str:
    if name in family.failed:
        return "diverged"
    found = family.found[name]
    return f"{found.mean:+.2f} ± {found.half_width:.2f} {_decision(found)}"


def _decision(found: Comparison) -> str:
    if found.larger is not Outcome.INCONCLUSIVE:
        return "ahead" if found.larger is Outcome.SUPPORTED else "behind"
    return "equivalent" if found.equivalent is Outcome.SUPPORTED else "undecided"


def one_shot_claims(family: Family, stem: str, sparsity: np.ndarray) -> list[Claim]:
    """For each comparison of figure 2 a claim that the first method is ahead, and one that both are equivalent."""
    found = []
    for one, other, source, names in _pairs(family, sparsity):
        text = f"{label(one)} minus {label(other)}"
        found += [
            Claim(
                f"{stem}/{one}-ahead-of-{other}",
                rf"\text{{{label(one)} is more accurate than {label(other)} at high sparsity}}",
                source,
                check=lambda names=names, text=text: family.verdict(names, text),
            ),
            Claim(
                f"{stem}/{one}-equivalent-to-{other}",
                rf"\text{{{label(one)} is within {MARGIN:g} points of {label(other)} at high sparsity}}",
                OURS,
                check=lambda names=names, text=text: family.verdict(names, text, of_equivalence=True),
            ),
        ]
    text = f"The mask plus {LARGEST_LOSS:g} points minus a dense net without regularization or pruning"
    middle = sparsity[_middle(sparsity)]
    found.append(
        Claim(
            f"{stem}/near-dense",
            rf"\text{{the pruned mask loses at most {LARGEST_LOSS:g} points to a dense net without pruning}}",
            OURS,
            check=lambda: family.verdict({ALLOWED_LOSS: f"at {percent(middle)}"}, text),
        )
    )
    return found


def iterative_differences(accuracy: Mapping[tuple[str, str], np.ndarray]) -> dict[str, np.ndarray]:
    """All differences of figure 3 on one network, in points, by name; each of shape (seeds,).

    Args:
        accuracy: Mean fractions over the high sparsities by rewinding (``imp``, ``lrr``) and curve (``dense``,
            ``mask``), shape (seeds,).
    """
    found = {key: 100 * (accuracy[key, "mask"] - accuracy[key, "dense"]) for key, _ in ITERATIVE}
    return found | {COMPETES: 100 * (accuracy["imp", "mask"] - accuracy["lrr", "dense"]) + MARGIN}


def iterative_sentence(family: Family, levels: str) -> str:
    """A sentence with the mean, the interval and the decision of each comparison of figure 3.

    Args:
        family: The decisions.
        levels: The range of sparsities, as the sentence names it.
    """
    parts = [f"{key.upper()} with the mask − without: {_cell(family, key)}" for key, _ in ITERATIVE]
    parts.append(f"IMP with the mask − LRR without, plus {MARGIN:g}: {_cell(family, COMPETES)}")
    return f"In the mean from {levels}, in points, corrected over the family: {'; '.join(parts)}."


def iterative_claims(family: Family, stem: str, levels: str) -> list[Claim]:
    """For each gain of figure 3 a claim that there is one, and a claim that there is none; and that IMP competes.

    Args:
        family: The decisions.
        stem: The first part of the claims' names.
        levels: The range of sparsities, as the evidence names it.
    """
    found, names = [], f"in the mean from {levels}"
    for key, source in ITERATIVE:
        text = f"{key.upper()} with the mask minus without"
        found += [
            Claim(
                f"{stem}/mask-improves-{key}",
                rf"\text{{the mask improves {key.upper()} at high sparsity}}",
                source,
                check=lambda key=key, text=text: family.verdict({key: names}, text),
            ),
            Claim(
                f"{stem}/mask-equivalent-in-{key}",
                rf"\text{{the mask changes {key.upper()} by less than {MARGIN:g} points at high sparsity}}",
                OURS,
                check=lambda key=key, text=text: family.verdict({key: names}, text, of_equivalence=True),
            ),
        ]
    text = f"IMP with the mask plus {MARGIN:g} points minus LRR without"
    found.append(
        Claim(
            f"{stem}/imp-with-the-mask-competes-with-lrr",
            rf"\text{{IMP with the mask is at most {MARGIN:g} points behind LRR without at high sparsity}}",
            "preprint, main text on figure 3",
            check=lambda: family.verdict({COMPETES: names}, text),
        )
    )
    return found
