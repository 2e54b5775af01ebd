"""A second opinion on a saved ledger: its identities and counterexamples in ball arithmetic, without SymPy.

Nothing here imports SymPy: trees are read from the file and evaluated by python-flint, whose balls contain the true
values. An identity is confirmed at random points of its domain, and rejected by one point at which the two balls do not
meet. A counterexample is confirmed if the balls of its two sides do not meet, or lie in the order that it claims.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from itertools import islice
from pathlib import Path
from typing import Any

from flint import arb

from implicit_bias.claims.domain import RELATIONS, declarations, fits, fraction, is_generic, points
from implicit_bias.claims.enclosure import LEAST_BITS, MOST_BITS, RELATIVE_RADIUS, enclosure
from implicit_bias.claims.mutation import mutants
from implicit_bias.claims.saved import saved_field
from implicit_bias.errors import InputError

POINTS = 40
OUTCOMES = ("PROVED", "ARGUED", "SUPPORTED", "REFUTED", "INCONCLUSIVE", "NOT_APPLICABLE")
DRAWS = 4000  # of points; those at which a condition fails, or a side is not real, do not count
DRAWS_FOR_A_MUTANT = 60
MOST_DEPTH = 150  # of an expression; those of the ledger are less than 20 deep
Numbers = Mapping[str, Fraction]


@dataclass(frozen=True)
class Finding:
    """The finding on one identity or counterexample.

    Attributes:
        place: The claim's id, and which of its identities.
        outcome: ``confirmed``, ``rejected`` or ``open``.
        reason: Why it is not confirmed.
        points: At how many points both balls met.
        radius: The largest radius of a ball, relative to the larger side; absolute where both sides are zero.
    """

    place: str
    outcome: str
    reason: str = ""
    points: int = 0
    radius: float = 0.0


@dataclass(frozen=True)
class Verification:
    """The findings on all identities and counterexamples of a ledger.

    Attributes:
        identities: The findings on identities.
        counterexamples: The findings on counterexamples.
        unstated: The claims that are REFUTED by floating-point numbers alone, which balls cannot check.
        mutants_rejected: How many changed identities were rejected.
        mutants_left: The changed identities that were not rejected: true ones, or undecided.
    """

    identities: tuple[Finding, ...]
    counterexamples: tuple[Finding, ...]
    unstated: tuple[str, ...]
    mutants_rejected: int = 0
    mutants_left: tuple[Finding, ...] = ()

    @property
    def failures(self) -> tuple[Finding, ...]:
        """The identities and counterexamples that are not confirmed."""
        return tuple(each for each in (*self.identities, *self.counterexamples) if each.outcome != "confirmed")


def verify(path: str | Path, *, changed: bool = False) -> Verification:
    """Check every identity and every counterexample of a saved ledger.

    Args:
        path: The JSON that :meth:`~implicit_bias.Ledger.save` wrote.
        changed: Whether every identity is also changed, a constant or an exponent at a time, in its stated side.

    Raises:
        InputError: If the file is not a saved ledger.
        OSError: If it cannot be read.
    """
    try:
        saved = json.loads(Path(path).read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path}: expected a ledger in JSON, got {type(error).__name__}: {error}.") from error
    claims = saved.get("claims") if isinstance(saved, dict) else None
    if not isinstance(claims, dict):
        raise InputError(f"{path}: expected a ledger in JSON, got no object of claims.")
    identities: list[Finding] = []
    counterexamples: list[Finding] = []
    unstated: list[str] = []
    rejected, left = 0, []
    for place, verdict in _verdicts(claims):
        found = _list(verdict, "identities", place)
        with _placed(place):
            reason = _contradiction(verdict)
        if reason:
            identities.append(Finding(place, "rejected", reason))
        for number, identity in enumerate(found, 1):
            label = f"{place}, identity {number}"
            identities.append(check_identity(label, identity))
            if not changed:
                continue
            for change, mutant in mutants(identity["stated"]):
                # With fewer draws: a false identity fails at nearly every point, and many are real at none.
                finding = check_identity(f"{label}, {change}", {**identity, "stated": mutant}, DRAWS_FOR_A_MUTANT)
                rejected += finding.outcome == "rejected"
                left += [] if finding.outcome == "rejected" else [finding]
        violation = verdict.get("violation")
        if violation is not None:
            counterexamples.append(check_violation(place, violation))
        elif verdict.get("outcome") == "REFUTED":
            unstated.append(place)
    return Verification(tuple(identities), tuple(counterexamples), tuple(unstated), rejected, tuple(left))


def _contradiction(verdict: Mapping[str, Any]) -> str:
    """Why a verdict cannot have the outcome that it says; empty if it can.

    Raises:
        InputError: If its outcome is none.
    """
    outcome = saved_field(verdict, "outcome", str)
    if outcome not in OUTCOMES:
        raise InputError(f"'outcome' is {outcome[:80]!r}, expected one of {', '.join(OUTCOMES)}.")
    violation = saved_field(verdict, "violation", dict, None)
    if outcome in ("PROVED", "ARGUED") and not verdict.get("identities"):
        return f"{outcome} without identities."
    if outcome != "REFUTED" and violation is not None:
        return f"{outcome} with a counterexample."
    if outcome == "REFUTED" and violation is None and not saved_field(verdict, "counterexample", dict, {}):
        return "REFUTED without a counterexample."
    if outcome == "SUPPORTED":
        residual, tolerance = (saved_field(verdict, name, float | int) for name in ("residual", "tolerance"))
        if not residual <= tolerance:
            return f"SUPPORTED with the residual {residual:g} beyond the tolerance {tolerance:g}."
    return ""


def check_identity(place: str, identity: object, draws: int = DRAWS) -> Finding:
    """Evaluate both sides at random points of the domain, in balls that are refined until they are small enough.

    Raises:
        InputError: If it is not what a ledger saves.
    """
    with _placed(place):
        symbols = _symbols(identity)
        conditions = [_tree(each, symbols) for each in saved_field(identity, "conditions", list, [])]
        stated, derived = (_tree(saved_field(identity, side, str | list), symbols) for side in ("stated", "derived"))
    if stated == derived:
        return Finding(place, "rejected", "Both sides are the same expression, which shows nothing.")
    largest, found = 0.0, 0
    for numbers in islice(points(symbols), draws if symbols else 1):
        if not all(_is_positive(condition, numbers) for condition in conditions):
            continue
        meeting = _meeting(stated, derived, numbers)
        if meeting is None:  # real nowhere here, or a quotient of zeros
            continue
        if isinstance(meeting, str):
            return Finding(place, "rejected" if meeting else "open", f"{meeting or 'Undecided'} at {_text(numbers)}.")
        found, largest = found + 1, max(largest, meeting)
        if found == POINTS or not numbers:
            return Finding(place, "confirmed", "", found, largest)
    return Finding(place, "open", f"Only {found} points of the domain were found, expected {POINTS}.", found)


def has_a_point(identity: Mapping[str, Any]) -> bool:
    """Whether both sides are real numbers at some point where the conditions hold, among a few hundred."""
    sides = (identity["stated"], identity["derived"])
    for numbers in islice(points(identity["symbols"]), DRAWS // 10):
        holds = all(_is_positive(condition, numbers) for condition in identity["conditions"])
        if holds and all(enclosure(side, numbers, 2 * LEAST_BITS).is_finite() for side in sides):
            return True
    return False


def check_violation(place: str, violation: object) -> Finding:
    """Evaluate both sides at the numbers of the counterexample.

    Raises:
        InputError: If it is not what a ledger saves.
    """
    with _placed(place):
        symbols, relation = _symbols(violation), saved_field(violation, "relation", str)
        saved = saved_field(violation, "numbers", dict)
        numbers = {name: fraction(saved_field(saved, name, str)) for name in symbols}
        left, right = (_tree(saved_field(violation, side, str | list), symbols) for side in ("left", "right"))
        if relation not in RELATIONS:
            raise InputError(f"'relation' is {relation[:80]!r}, expected one of {', '.join(RELATIONS)}.")
    for name, kinds in symbols.items():
        if not fits(kinds, numbers[name]):
            return Finding(place, "rejected", f"{name} = {numbers[name]} is not {' and '.join(kinds)}.")
    bits = LEAST_BITS
    while bits <= MOST_BITS:
        excess = enclosure(left, numbers, bits) - enclosure(right, numbers, bits)
        if excess.is_finite():
            if excess > 0 or (relation == "!=" and excess < 0):
                return Finding(place, "confirmed", "", 1)
            if excess < 0 or (excess == 0 and excess.is_exact()):
                return Finding(place, "rejected", f"The statement holds at {_text(numbers)}.")
        bits *= 2
    return Finding(place, "open", f"Undecided at {_text(numbers)}.")


def _meeting(stated: Any, derived: Any, numbers: Numbers) -> float | str | None:
    """The relative radius if both balls meet and are small; why they do not meet; "" if undecided; None if not real.

    A side that cancels to zero has no size. Its ball is held against the terms that cancel, once it is as fine as it
    gets, and only if it is tiny itself.
    """
    bits = LEAST_BITS
    while True:
        left, right = enclosure(stated, numbers, bits), enclosure(derived, numbers, bits)
        is_last = bits >= MOST_BITS
        if not (left.is_finite() and right.is_finite()):
            if bits > LEAST_BITS:  # once more with finer balls, as a coarse one may reach a pole
                if left.is_finite() == right.is_finite() or not all(map(is_generic, numbers.values())):
                    return None
                return f"Only one side is a real number: {left.str(12)} and {right.str(12)}"
        elif not left.overlaps(right):
            return f"The sides are {left.str(12)} and {right.str(12)}"
        else:
            radius, size = left.rad().max(right.rad()), abs(left).upper().max(abs(right).upper())
            if radius <= RELATIVE_RADIUS * size:
                return float(radius / size) if size > 0 else 0.0
            if is_last and left.contains(0) and right.contains(0) and radius <= RELATIVE_RADIUS:
                terms = _yardstick(stated, numbers, bits).max(_yardstick(derived, numbers, bits))
                return float(radius) if radius <= RELATIVE_RADIUS * terms else ""
        if is_last:
            return ""
        bits *= 2


def _yardstick(tree: Any, numbers: Numbers, bits: int) -> arb:
    """The largest term of any sum in a tree, against which a side counts as zero that cancels to zero."""
    largest, waiting = arb(0), [tree]
    while waiting:
        node = waiting.pop()
        if not isinstance(node, list) or node[0] == "Symbol":
            continue
        waiting += node[1:]
        for term in node[1:] if node[0] == "Add" else []:
            size = abs(enclosure(term, numbers, bits)).upper()
            largest = largest.max(size) if size.is_finite() else largest
    return largest


def _is_positive(condition: Any, numbers: Numbers) -> bool:
    value = enclosure(condition, numbers, LEAST_BITS)
    return value.is_finite() and bool(value > 0)


def _verdicts(claims: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Each verdict of a saved ledger, and those on corrections."""
    for name, saved in claims.items():
        verdict, place = saved, name
        while verdict is not None:
            if not isinstance(verdict, dict):
                raise InputError(f"{place}: expected an object with a verdict, got {type(verdict).__name__}.")
            yield place, verdict
            verdict, place = verdict.get("correction"), f"{place}/correction"
        if saved is None:
            raise InputError(f"{name}: expected an object with a verdict, got null.")


def _list(verdict: Mapping[str, Any], name: str, place: str) -> list:
    found = verdict.get(name, [])
    if not isinstance(found, list):
        raise InputError(f"{place}: {name!r} is of type {type(found).__name__}, expected a list.")
    return found


@contextmanager
def _placed(place: str) -> Iterator[None]:
    """Says which claim an error is about."""
    try:
        yield
    except InputError as error:
        raise InputError(f"{place}: {error}") from error


def _symbols(saved: object) -> dict[str, list[str]]:
    return {name: declarations(name, kinds) for name, kinds in saved_field(saved, "symbols", dict).items()}


def _tree(saved: Any, symbols: Collection[str]) -> Any:
    """A tree that was read from JSON, which :func:`enclosure` can evaluate.

    Raises:
        InputError: If it is none, or is nested too deeply for functions that call themselves.
    """
    waiting = [(saved, 0)]
    while waiting:
        node, depth = waiting.pop()
        if depth > MOST_DEPTH:
            raise InputError(f"An expression is nested more than {MOST_DEPTH} deep.")
        waiting += [(each, depth + 1) for each in node] if isinstance(node, list) else []
    enclosure(saved, dict.fromkeys(symbols, Fraction(1)), LEAST_BITS)
    return saved


def _text(numbers: Numbers) -> str:
    return ", ".join(f"{name} = {value}" for name, value in numbers.items()) or "no numbers"
