"""Verdicts on two methods by paired runs: which one is better, or that neither is, in a family of comparisons."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import t as student

from implicit_bias.claims.verdict import Outcome, Verdict
from implicit_bias.errors import InputError
from implicit_bias.validation import finite_array, positive_number

CHANCE = "The chance of any wrong decision of this kind"  # the reason of the tolerance of verdicts by a p-value


@dataclass(frozen=True)
class Comparison:
    """Paired differences of two methods, one for each seed, and what they show.

    Attributes:
        count: The number of pairs.
        mean: Their mean.
        half_width: Half of Student's confidence interval, for this comparison alone; inf for a single pair.
        larger: Whether the mean is above 0, within the family: SUPPORTED, REFUTED if it is below, or INCONCLUSIVE.
        equivalent: Whether it is within the margin: SUPPORTED, REFUTED if it is beyond, or INCONCLUSIVE.
        p_larger: The adjusted p-value of the decision on :attr:`larger`, in either direction.
        p_equivalent: The adjusted p-value of the decision on :attr:`equivalent`.
        margin: The margin of equivalence.
        level: The largest adjusted p-value that decides.
    """

    count: int
    mean: float
    half_width: float
    larger: Outcome
    equivalent: Outcome
    p_larger: float
    p_equivalent: float
    margin: float
    level: float

    def verdict(self, statement: str, *, of_equivalence: bool = False) -> Verdict:
        """The verdict on the mean being above 0, or on equivalence.

        Args:
            statement: What was compared, the beginning of the evidence.
            of_equivalence: Whether the claim is that the mean is within the margin.
        """
        return joint_verdict({"": self}, statement, of_equivalence=of_equivalence)


def joint_verdict(found: Mapping[str, Comparison], statement: str, *, of_equivalence: bool = False) -> Verdict:
    """The verdict on all of some comparisons together: SUPPORTED if each is, REFUTED if one of them is.

    Args:
        found: The comparisons by name, out of one family of :func:`compare`; all of them appear in the evidence.
        statement: What was compared, the beginning of the evidence.
        of_equivalence: Whether the claim is that the means are within the margin, and not that they are above 0.

    Raises:
        InputError: If there is none.
    """
    if not found:
        raise InputError("found: expected one comparison or more, by name.")
    each = [(c.equivalent, c.p_equivalent) if of_equivalence else (c.larger, c.p_larger) for c in found.values()]
    refuted = next((k for k, (outcome, _) in enumerate(each) if outcome is Outcome.REFUTED), None)
    numbers: dict[str, float] = {}
    if refuted is not None:
        (outcome, p), wrong = each[refuted], list(found.values())[refuted]
        numbers = {"mean": wrong.mean, "half_width": wrong.half_width}
    else:
        are_all = all(outcome is Outcome.SUPPORTED for outcome, _ in each)
        outcome, p = Outcome.SUPPORTED if are_all else Outcome.INCONCLUSIVE, max(p for _, p in each)
    first = next(iter(found.values()))
    what = f"within ± {first.margin:g}: " if of_equivalence else ""
    seen = ", ".join(f"{c.mean:+.3g} ± {c.half_width:.2g}{name and f' {name}'}" for name, c in found.items())
    evidence = f"{statement}: {what}{seen} over {first.count} pairs, adjusted p = {p:.2g}."
    if outcome is Outcome.REFUTED:
        return Verdict(outcome, evidence, counterexample=numbers)
    return Verdict(outcome, evidence, p, first.level, tolerance_reason=f"{CHANCE}.")


def compare(differences: Mapping[str, ArrayLike], margin: float, *, confidence: float = 0.95) -> dict[str, Comparison]:
    r"""Judge a family of paired comparisons; of each kind, the chance of any wrong verdict is at most 1 − confidence.

    For each comparison there are two decisions. *Larger*: Student's two-sided test of mean 0, with the direction of the
    mean. *Equivalent*: two one-sided tests (D. Schuirmann, 1987) reject :math:`|\mu| \ge \text{margin}`; the same
    numbers refute equivalence if they reject :math:`|\mu| \le \text{margin}`. S. Holm's step-down procedure (1979)
    corrects the p-values of each kind over the whole family, whatever the comparisons have in common; that also the
    directions are right is proved for independent comparisons (J. Shaffer, 1980). A p-value of equivalence counts
    twice, as it is the smaller one of two contrary tests. The family and the margin have to stand before the runs are
    made.

    The tests suppose that differences are independent and about normal. Pairs that are all equal have no spread by
    which to judge, so they decide nothing, and a single pair does not either.

    Args:
        differences: By the name of the comparison, the differences of the pairs, shape (pairs,), in the units of the
            margin: the first method's value minus the second's, at the same seed.
        margin: Means closer to 0 than this count as equivalent, > 0.
        confidence: 1 minus the chance of any wrong decision of a kind, in (0.5, 1).

    Raises:
        InputError: If there is no comparison, a difference is not finite (a run that failed has to be decided about
            beforehand), or a number is out of range.

    >>> found = compare({"mask − dense": [1.1, 0.9, 1.3, 1.2], "mask − PILoT": [0.1, -0.1, 0.0, 0.1]}, margin=0.5)
    >>> found["mask − dense"].larger, found["mask − PILoT"].equivalent
    (<Outcome.SUPPORTED: 'SUPPORTED'>, <Outcome.SUPPORTED: 'SUPPORTED'>)
    """
    width, level = positive_number(margin, "margin"), float(finite_array(confidence, "confidence", ndim=0))
    if not 0.5 < level < 1:
        raise InputError(f"confidence: expected a number in (0.5, 1), such as 0.95, got {confidence}.")
    if not isinstance(differences, Mapping) or not differences:
        raise InputError("differences: expected a dict with one comparison or more, by name.")
    values = {name: finite_array(each, f"differences[{name!r}]", ndim=1) for name, each in differences.items()}
    empty = next((name for name, each in values.items() if not len(each)), None)
    if empty is not None:
        raise InputError(f"differences[{empty!r}]: expected at least one pair, got none.")
    tests = {name: _tests(each, width) for name, each in values.items()}
    larger = _holm(np.array([two_sided for two_sided, _, _ in tests.values()]))
    # A pair of contrary tests, of which the one with the smaller p-value decides.
    equivalent = _holm(np.array([min(1.0, 2 * min(inside, beyond)) for _, inside, beyond in tests.values()]))
    found = {}
    for k, (name, each) in enumerate(values.items()):
        count, size = len(each), _size(each)
        mean, half = size * float((each / size).mean()), np.inf
        if count > 1:
            half = size * float(student.ppf((1 + level) / 2, count - 1) * (each / size).std(ddof=1) / np.sqrt(count))
        _, inside, beyond = tests[name]
        found[name] = Comparison(
            count,
            mean,
            half,
            larger=_outcome(larger[k] < 1 - level, mean > 0),
            equivalent=_outcome(equivalent[k] < 1 - level, inside < beyond),
            p_larger=float(larger[k]),
            p_equivalent=float(equivalent[k]),
            margin=width,
            level=1 - level,
        )
    return found


def _outcome(decided: bool, supported: bool) -> Outcome:
    if not decided:
        return Outcome.INCONCLUSIVE
    return Outcome.SUPPORTED if supported else Outcome.REFUTED


def _tests(values: np.ndarray, margin: float) -> tuple[float, float, float]:
    """The p-values of mean 0 (two-sided), of a mean outside of the margin, and of one inside of it."""
    size = _size(values)
    values, margin = values / size, margin / size
    count, mean = len(values), float(values.mean())
    spread = float(values.std(ddof=1) / np.sqrt(count)) if count > 1 else 0.0
    # Equal numbers may leave a spread of their rounding.
    if spread <= 4 * np.finfo(float).eps:
        return 1.0, 1.0, 1.0
    below, above = (float(student.sf((margin + sign * mean) / spread, count - 1)) for sign in (1, -1))
    two_sided = 2 * float(student.sf(abs(mean) / spread, count - 1))
    inside = max(below, above)  # both have to be rejected
    beyond = float(student.sf((abs(mean) - margin) / spread, count - 1))
    return two_sided, inside, min(1.0, 2 * beyond)  # on either side of 0


def _size(values: np.ndarray) -> float:
    """The largest size, in units of which squares neither overflow nor vanish; 1 if all are 0."""
    return float(np.max(np.abs(values))) or 1.0


def _holm(p: np.ndarray) -> np.ndarray:
    """P-values adjusted by Holm's procedure, in the order in which they came."""
    order = np.argsort(p, kind="stable")
    scaled = np.minimum(1.0, p[order] * np.arange(len(p), 0, -1))
    adjusted = np.empty(len(p))
    adjusted[order] = np.maximum.accumulate(scaled)
    return adjusted
