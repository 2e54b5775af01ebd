"""What figures 2 and 3 compare, in which families and by which margin: this stood before their runs were made.

Each network has two families, one for each figure, and in a family of decisions of one kind the chance of any wrong one
is at most 5 % (Holm). Differences are in points of test accuracy, paired by seed. There are 28 comparisons: fourteen
for each network, ten of methods that are pruned once, the loss of the mask to a dense net, two gains in iterative
pruning, and the mask with rewound weights against the dense net with a rewound learning rate.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from experiments.markdown_table import markdown_table
from experiments.mask_in_the_mirror.pruning import UNREGULARIZED, label, percent
from implicit_bias import Claim, Outcome, Verdict
from implicit_bias.claims import Comparison, compare

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
ITERATIVE = (
    ("imp", "the mask improves IMP at high sparsity", "preprint, figure 3"),
    ("lrr", "the mask improves LRR at high sparsity", "preprint, figure 3"),
)


@dataclass(frozen=True)
class Family:
    """The comparisons of one figure on one network.

    Attributes:
        found: The decisions, by name; a comparison with a run that failed is not among them.
        failed: Why, by name.
        on: The network and the images, for people.
    """

    found: Mapping[str, Comparison]
    failed: Mapping[str, str]
    on: str

    def ahead(self, names: Sequence[str], text: str) -> Verdict:
        """Whether all of some means are above 0; REFUTED if one of them is below."""
        return self._joint(names, text, of_equivalence=False)

    def equivalent(self, names: Sequence[str], text: str) -> Verdict:
        """Whether all of some means are within the margin; REFUTED if one of them is beyond."""
        return self._joint(names, text, of_equivalence=True)

    def _joint(self, names: Sequence[str], text: str, of_equivalence: bool) -> Verdict:
        lost = [self.failed[name] for name in names if name in self.failed]
        if lost:
            return Verdict(Outcome.INCONCLUSIVE, f"{text}: {lost[0]}")
        found = {name: self.found[name] for name in names}
        each = {name: c.equivalent if of_equivalence else c.larger for name, c in found.items()}
        p = {name: c.p_equivalent if of_equivalence else c.p_larger for name, c in found.items()}
        refuted = next((name for name in names if each[name] is Outcome.REFUTED), None)
        if refuted is not None:
            outcome, decisive, numbers = Outcome.REFUTED, p[refuted], {"mean": found[refuted].mean}
        else:
            are_all = all(outcome is Outcome.SUPPORTED for outcome in each.values())
            outcome, decisive, numbers = Outcome.SUPPORTED if are_all else Outcome.INCONCLUSIVE, max(p.values()), {}
        shown = ", ".join(f"{c.mean:+.2f} ± {c.half_width:.2f}{_at(name)}" for name, c in found.items())
        count = next(iter(found.values())).count
        wanted = f" within ± {MARGIN:g} points" if of_equivalence else ""
        evidence = (
            f"{text}{wanted}: {shown} points on {self.on}, {count} seeds; adjusted p = {decisive:.2g}. Intervals are "
            "over seeds, on the same test images, and each for itself; verdicts are corrected over the family."
        )
        return Verdict(
            outcome, evidence, decisive, next(iter(found.values())).level, numbers,
            tolerance_reason="The chance of any wrong decision of this kind in the family.",
        )  # fmt: skip


def _at(name: str) -> str:
    _, _, place = name.partition(" at ")
    return f" at {place}" if place else ""


def judged(differences: Mapping[str, np.ndarray], on: str) -> Family:
    """The family of some differences of accuracies, fractions by seed; those with nan decide nothing.

    Args:
        differences: By name, shape (seeds,); what follows " at " in a name is the place of the number in sentences.
        on: The network and the images, for people.
    """
    failed = {
        name: f"{int(np.isnan(values).sum())} of {len(values)} seeds have a run that left the floating-point range, "
        "which says something about its learning rate alone."
        for name, values in differences.items()
        if np.isnan(values).any()
    }
    sound = {name: 100 * values for name, values in differences.items() if name not in failed}
    return Family(compare(sound, MARGIN) if sound else {}, failed, on)


def one_shot_family(
    accuracy: Mapping[str, np.ndarray], reference: np.ndarray, sparsity: np.ndarray, columns: Sequence[int], on: str
) -> Family:
    """All comparisons of figure 2 on one network.

    Args:
        accuracy: Fractions by curve, shape (seeds, sparsities).
        reference: Those of the dense net without regularization or pruning, shape (seeds,).
        sparsity: The sparsities.
        columns: Which of them are compared.
        on: The network and the images, for people.
    """
    differences = {
        _name(one, other, sparsity[k]): accuracy[one][:, k] - accuracy[other][:, k]
        for one, other, _ in ONE_SHOT
        if one in accuracy and other in accuracy
        for k in columns
    }
    k = columns[len(columns) // 2]
    differences[_loss_name(sparsity[k])] = accuracy["mask"][:, k] - reference + LARGEST_LOSS / 100
    return judged(differences, on)


def _name(one: str, other: str, sparsity: float) -> str:
    return f"{one} minus {other} at {percent(sparsity)}"


def _loss_name(sparsity: float) -> str:
    return f"allowed loss at {percent(sparsity)}"


def pairs_table(family: Family, sparsity: np.ndarray, columns: Sequence[int]) -> str:
    """For each pair of methods and each sparsity the mean difference with its interval, and what is decided."""
    head = ["difference, in points", *(percent(float(sparsity[k])) for k in columns)]
    rows = []
    for one, other, _ in ONE_SHOT:
        names = [_name(one, other, sparsity[k]) for k in columns]
        if {*names} <= {*family.found, *family.failed}:
            rows.append([f"{label(one)} − {label(other)}", *(_cell(family, name) for name in names)])
    return markdown_table(head, rows)


def _cell(family: Family, name: str) -> str:
    if name in family.failed:
        return "diverged"
    found = family.found[name]
    return f"{found.mean:+.2f} ± {found.half_width:.2f} {decision(found)}"


def decision(found: Comparison) -> str:
    """What the family decides of a difference, in a word."""
    if found.larger is not Outcome.INCONCLUSIVE:
        return "ahead" if found.larger is Outcome.SUPPORTED else "behind"
    return "equivalent" if found.equivalent is Outcome.SUPPORTED else "undecided"


def one_shot_claims(family: Family, stem: str, sparsity: np.ndarray, columns: Sequence[int]) -> list[Claim]:
    """For each comparison of figure 2 a claim that the first method is ahead, and one that both are equivalent."""
    found = []
    for one, other, source in ONE_SHOT:
        names = [_name(one, other, sparsity[k]) for k in columns]
        if not {*names} <= {*family.found, *family.failed}:
            continue  # the setting is without one of the methods
        text = f"{label(one)} minus {label(other)}"
        found += [
            Claim(
                f"{stem}/{one}-ahead-of-{other}",
                rf"\text{{{label(one)} is more accurate than {label(other)} at high sparsity}}",
                source,
                check=lambda names=names, text=text: family.ahead(names, text),
            ),
            Claim(
                f"{stem}/{one}-equivalent-to-{other}",
                rf"\text{{{label(one)} is within {MARGIN:g} points of {label(other)} at high sparsity}}",
                OURS,
                check=lambda names=names, text=text: family.equivalent(names, text),
            ),
        ]
    name = _loss_name(sparsity[columns[len(columns) // 2]])
    text = f"The mask plus {LARGEST_LOSS:g} points minus a dense net without regularization or pruning"
    found.append(
        Claim(
            f"{stem}/near-dense",
            rf"\text{{the mask at 98 \% loses at most {LARGEST_LOSS:g} points to a dense net without pruning}}",
            OURS,
            check=lambda: family.ahead([name], text),
        )
    )
    return found


def iterative_family(accuracy: Mapping[tuple[str, str], np.ndarray], on: str) -> Family:
    """All comparisons of figure 3 on one network.

    Args:
        accuracy: Mean fractions over the high sparsities by rewinding (``imp``, ``lrr``) and curve (``dense``,
            ``mask``), shape (seeds,).
        on: The network and the images, for people.
    """
    differences = {key: accuracy[key, "mask"] - accuracy[key, "dense"] for key, _, _ in ITERATIVE}
    differences["competes"] = accuracy["imp", "mask"] - accuracy["lrr", "dense"] + MARGIN / 100
    return judged(differences, on)


def iterative_claims(family: Family, stem: str, levels: str) -> list[Claim]:
    """For each gain of figure 3 a claim that it is one, and one that there is none; and that IMP competes with LRR.

    Args:
        family: The decisions.
        stem: The first part of the claims' names.
        levels: The sparsities, for people.
    """
    found = []
    for key, statement, source in ITERATIVE:
        text = f"{key.upper()} with the mask minus without, mean from {levels}"
        found += [
            Claim(
                f"{stem}/mask-improves-{key}",
                rf"\text{{{statement}}}",
                source,
                check=lambda key=key, text=text: family.ahead([key], text),
            ),
            Claim(
                f"{stem}/mask-equivalent-in-{key}",
                rf"\text{{the mask changes {key.upper()} by less than {MARGIN:g} points at high sparsity}}",
                OURS,
                check=lambda key=key, text=text: family.equivalent([key], text),
            ),
        ]
    text = f"IMP with the mask plus {MARGIN:g} points minus LRR without, mean from {levels}"
    found.append(
        Claim(
            f"{stem}/imp-with-the-mask-competes-with-lrr",
            rf"\text{{IMP with the mask is at most {MARGIN:g} points behind LRR without at high sparsity}}",
            "preprint, main text on figure 3",
            check=lambda: family.ahead(["competes"], text),
        )
    )
    return found
