"""How checks come to verdicts: by identities, by exact counterexamples, by a search, and by the size of a residual."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cache
from importlib.util import find_spec
from itertools import chain, islice, product
from typing import TYPE_CHECKING, Generic, TypeAlias, TypeVar

import sympy as sp

from implicit_bias.claims.domain import fits
from implicit_bias.claims.equation import Equation, Violation
from implicit_bias.claims.tree import described, exact
from implicit_bias.claims.verdict import Correction, Outcome, Verdict
from implicit_bias.errors import InputError, UnsupportedError, require
from implicit_bias.symbolic.zero_test import ZeroTest, by_numbers, vanishes

if TYPE_CHECKING:  # an extra
    from hypothesis.strategies import SearchStrategy

TRIES = 60  # a search ends after as many instances without a failure
SIMPLIFIED = "The difference was simplified to 0"
LARGEST_COORDINATE = 3  # of the numbers among which a counterexample to an identity is searched first
T = TypeVar("T", bound=Hashable)
Step: TypeAlias = Equation | tuple[sp.Expr, sp.Expr] | sp.Expr


def prove(
    evidence: str,
    *steps: Step,
    stated: Step | None = None,
    conditions: Sequence[sp.Expr] = (),
    correction: Correction | None = None,
) -> Verdict:
    """PROVED if the statement is an identity that SymPy simplifies to zero, and all steps are, too.

    Each identity is an :class:`Equation`, a pair of a stated side and a derived one, or an expression that vanishes,
    whose negative terms then become the derived side. The verdict carries all of them, but for pairs and expressions
    that SymPy writes in the same way from the start: they show nothing. An Equation of that kind is a mistake of the
    check, so nothing is PROVED with it; a refutation stands, as the equation is true.

    Args:
        evidence: What follows from the identities.
        steps: The identities that the proof uses. If one is not shown, the proof fails, but the statement may still
            hold: INCONCLUSIVE. So it is if there is no identity, if one cannot be stored, or if both sides of the
            stated one are the same expression; the evidence says so.
        stated: The identity that is the statement itself. If its sides differ in exact numbers, it is REFUTED, by the
            smallest ones that were found.
        conditions: Expressions that are positive where the identities are claimed.
        correction: What holds instead if the statement is refuted. The refutation stands whatever the verdict on it.

    Raises:
        InputError: If a side is no exact expression, two symbols share a name, or ``conditions`` is no tuple.
        MissingPackageError: If a statement is refuted and python-flint is not installed.
    """
    return _checked(Outcome.PROVED, evidence, steps, stated, conditions, correction)


def argue(
    argument: str,
    *steps: Step,
    stated: Step | None = None,
    conditions: Sequence[sp.Expr] = (),
    correction: Correction | None = None,
) -> Verdict:
    """ARGUED if all identities hold on which an argument in words rests; otherwise as :func:`prove`.

    Args:
        argument: How the statement follows from the identities: what a reader has to follow, as no machine did.
        steps: The identities that it uses.
        stated: A part of the statement that is an identity itself; if its sides differ, the statement is REFUTED.
        conditions: Expressions that are positive where the identities are claimed.
        correction: What holds instead if the statement is refuted.

    Raises:
        InputError: If a side is no exact expression, two symbols share a name, or ``conditions`` is no tuple.
        MissingPackageError: If a statement is refuted and python-flint is not installed.
    """
    return _checked(Outcome.ARGUED, argument, steps, stated, conditions, correction)


def refute(
    evidence: str, violation: Violation, *steps: Step, correction: Correction | None = None, **numbers: float
) -> Verdict:
    """REFUTED if ball arithmetic confirms that a statement fails at exact numbers, and all steps hold.

    Otherwise INCONCLUSIVE.

    Args:
        evidence: What was computed.
        violation: The sides and the numbers.
        steps: Identities that make the numbers an instance of the statement, such as that a trajectory in closed form
            solves its equation.
        correction: What holds instead.
        numbers: Further numbers of the counterexample.

    Raises:
        InputError: If a side of a step is no exact expression, or two symbols share a name.
        UnsupportedError: If a side holds anything that cannot be evaluated in ball arithmetic.
        MissingPackageError: If python-flint is not installed.
    """
    identities, failed = _shown([equation(step) for step in steps if not _is_trivial(step)])
    if failed is not None:
        return _not_shown(failed, identities)
    if not _is_confirmed(violation):
        return Verdict(Outcome.INCONCLUSIVE, f"{evidence} No violation: balls do not tell the sides apart.")
    return Verdict(
        Outcome.REFUTED,
        evidence,
        _excess(violation),
        0.0,
        violation.floats() | numbers,
        correction,
        identities=identities,
        violation=violation,
    )


def equation(step: Step) -> Equation:
    """The two sides of a step; of an expression that vanishes, its positive terms and the others.

    Raises:
        InputError: If a side is no exact expression, or two symbols share a name.
    """
    if isinstance(step, Equation):
        return step
    if isinstance(step, tuple):
        return Equation(*step)
    terms = sp.Add.make_args(exact(step))
    negative = [term for term in terms if term.could_extract_minus_sign()]
    positive = [term for term in terms if term not in negative]
    if not positive:
        positive, negative = negative, []
    return Equation(sp.Add(*positive), sp.Add(*(-term for term in negative)))


def _checked(
    outcome: Outcome,
    evidence: str,
    steps: Sequence[Step],
    stated: Step | None,
    conditions: Sequence[sp.Expr],
    correction: Correction | None,
) -> Verdict:
    try:
        kept = [step for step in steps if isinstance(step, Equation) or not _is_trivial(step)]
        used = _with_conditions(kept, conditions)
        claimed = None if stated is None else _with_conditions([stated], conditions)[0]
    except UnsupportedError as error:  # no verdict on another statement may fall with this one, as on one it corrects
        return Verdict(Outcome.INCONCLUSIVE, str(error))
    identities, failed = _shown([each for each in used if not each.is_trivial])
    if failed is not None:
        return _not_shown(failed, identities)
    if claimed is not None:
        if claimed.is_trivial:
            return _nothing_to_check(claimed, identities)
        test = vanishes(claimed.residual, claimed.conditions)
        if test.outcome is Outcome.REFUTED:
            return _refuted(claimed, test, identities, correction)
        if test.outcome is not Outcome.PROVED:
            return _not_shown(claimed, identities)
        if not _is_somewhere(claimed):
            return _nowhere(claimed, identities)
        identities = (replace(claimed, decided=SIMPLIFIED), *identities)
    trivial = next((each for each in used if each.is_trivial), None)
    if trivial is not None:  # it holds, so a refutation stands without it
        return _nothing_to_check(trivial, identities)
    if not identities:
        nothing = "A proof needs identities whose sides differ before the check: give steps, or stated=."
        return Verdict(Outcome.INCONCLUSIVE, nothing)
    return Verdict(outcome, evidence, identities=identities)


def _with_conditions(steps: Sequence[Step], conditions: Sequence[sp.Expr]) -> list[Equation]:
    if isinstance(conditions, sp.Basic):
        raise InputError(f"Expected conditions= to be a tuple, such as ({conditions},), got {conditions}.")
    return [replace(each, conditions=(*each.conditions, *conditions)) for each in map(equation, steps)]


def _shown(steps: Sequence[Equation]) -> tuple[tuple[Equation, ...], Equation | None]:
    """The identities that hold, and the first one that was not shown."""
    shown: list[Equation] = []
    for each in steps:
        if vanishes(each.residual, each.conditions).outcome is not Outcome.PROVED:
            return tuple(shown), each
        if not _is_somewhere(each):
            return tuple(shown), each
        shown.append(replace(each, decided=SIMPLIFIED))
    return tuple(shown), None


def _is_somewhere(each: Equation) -> bool:
    """Whether both sides have a value at some point where the conditions hold."""
    if find_spec("flint") is None:
        return all(by_numbers(side, each.conditions).points for side in (each.stated, each.derived))
    from implicit_bias.claims.verify import has_a_point

    return has_a_point(each.describe())


def _nowhere(each: Equation, identities: tuple[Equation, ...]) -> Verdict:
    evidence = f"{_name(each)}no point was found at which both sides of {each.stated} = {each.derived} have values."
    return Verdict(Outcome.INCONCLUSIVE, evidence, identities=identities)


def _nothing_to_check(each: Equation, identities: tuple[Equation, ...]) -> Verdict:
    evidence = (
        f"{_name(each) or 'Equation: '}both sides are {str(each.stated)[:80]}, so there is nothing to check. If they "
        "come from different sources, and SymPy wrote them in one form by itself, write one of them in another way, "
        "such as exp(x) as cosh(x) + sinh(x), or check equations that no other formula solves."
    )
    return Verdict(Outcome.INCONCLUSIVE, evidence, identities=identities)


def _name(each: Equation) -> str:
    return f"{each.says.removesuffix('.')}: " if each.says else ""


def _is_trivial(step: Step) -> bool:
    if isinstance(step, Equation):
        return step.is_trivial
    return step[0] == step[1] if isinstance(step, tuple) else step == 0


def _not_shown(failed: Equation, identities: tuple[Equation, ...]) -> Verdict:
    if not _is_somewhere(failed):
        return _nowhere(failed, identities)
    name = _name(failed)
    violation = smallest_violation(failed) if find_spec("flint") else None
    if violation is None:
        evidence = f"{name}{failed.residual} was not simplified to zero."
    else:
        numbers = ", ".join(f"{symbol} = {value}" for symbol, value in violation.numbers.items())
        where = f" at {numbers}" if numbers else ""
        evidence = f"{name}a step of the check does not hold: {failed.stated} is not {failed.derived}{where}."
    return Verdict(Outcome.INCONCLUSIVE, evidence, identities=identities)


def _refuted(
    claimed: Equation, test: ZeroTest, identities: tuple[Equation, ...], correction: Correction | None
) -> Verdict:
    """The verdict on two sides that differ, with the smallest numbers at which balls tell them apart."""
    violation = smallest_violation(claimed)
    if violation is None and test.witness is not None:
        witness = {symbol.name: Fraction(int(value.p), int(value.q)) for symbol, value in test.witness.items()}
        witness = {name: witness.get(name, _allowed(symbol)[0]) for name, symbol in claimed.symbols.items()}
        if all(fits(described(symbol), witness[name]) for name, symbol in claimed.symbols.items()):
            violation = Violation(claimed.stated, claimed.derived, witness)
            violation = violation if _is_confirmed(violation) else None
    if violation is None:
        return Verdict(Outcome.INCONCLUSIVE, f"{claimed.residual} does not vanish, but balls do not show where.")
    numbers = violation.floats()
    deviation = _excess(violation)
    return Verdict(
        Outcome.REFUTED,
        f"{claimed.stated} is not {claimed.derived}.",
        abs(deviation),
        0.0,
        numbers | {"deviation": deviation},
        correction,
        identities=identities,
        violation=violation,
    )


def smallest_violation(claimed: Equation) -> Violation | None:
    """Small quarters, none of which can be made simpler, at which balls tell the two sides of an equation apart.

    Whole numbers are simpler than halves and these than quarters, and of each the smaller are simpler.

    Raises:
        MissingPackageError: If python-flint is not installed.
    """
    choices = [_allowed(symbol) for symbol in claimed.symbols.values()]

    def at(values: Sequence[Fraction]) -> Violation:
        return Violation(claimed.stated, claimed.derived, dict(zip(claimed.symbols, values, strict=True)))

    @cache
    def fails(values: tuple[Fraction, ...]) -> bool:
        violation = at(values)
        return _holds(claimed.conditions, violation.numbers) and _is_confirmed(violation)

    generator = random.Random(0)  # noqa: S311
    simple = islice(product(*(each[:3] for each in choices)), TRIES)
    drawn = (tuple(map(generator.choice, choices)) for _ in range(TRIES if choices else 0))
    found = next(filter(fails, chain(simple, drawn)), None)
    if found is None:
        return None
    while True:
        simpler = next(filter(fails, _simpler(found, choices)), None)
        if simpler is None:
            return at(found)
        found = simpler


def _simpler(values: tuple[Fraction, ...], choices: Sequence[Sequence[Fraction]]) -> Iterator[tuple[Fraction, ...]]:
    """The values with one of them replaced by a simpler one."""
    for place, choice in enumerate(choices):
        for value in choice[: choice.index(values[place])]:
            yield (*values[:place], value, *values[place + 1 :])


def _allowed(symbol: sp.Symbol) -> list[Fraction]:
    """The quarters that a symbol may stand for, the simplest first."""
    values = _ordered(-LARGEST_COORDINATE, LARGEST_COORDINATE)
    return [
        value
        for value in values
        if not (symbol.is_nonnegative and value < 0)
        and not (symbol.is_nonpositive and value > 0)
        and not (symbol.is_nonzero and value == 0)
        and not (symbol.is_integer and value.denominator > 1)
    ]


def _holds(conditions: Sequence[sp.Expr], numbers: Mapping[str, Fraction]) -> bool:
    return all(_is_confirmed(Violation(condition, sp.Integer(0), numbers, ">")) for condition in conditions)


def _is_confirmed(violation: Violation) -> bool:
    require("judge", "flint")
    from implicit_bias.claims.verify import check_violation

    return check_violation("", violation.describe()).outcome == "confirmed"


def _excess(violation: Violation) -> float:
    from implicit_bias.claims.enclosure import LEAST_BITS, enclosure
    from implicit_bias.claims.tree import tree

    left, right = (enclosure(tree(side), violation.numbers, LEAST_BITS) for side in (violation.left, violation.right))
    return float(left - right)


@dataclass(frozen=True)
class Search(Generic[T]):
    """How a search ended.

    Attributes:
        smallest: The failing instance after shrinking, or None if none failed.
        tried: All instances that were computed.
    """

    smallest: T | None
    tried: tuple[T, ...]


def search(instances: SearchStrategy[T], fails: Callable[[T], bool]) -> Search[T]:
    """Look for an instance that fails, and shrink it until no part can be made simpler.

    The search depends on no clock and no stored state, so it ends the same way every time.

    Args:
        instances: Draws instances, all with equally many parts; of each part it offers the simplest value first.
        fails: Whether an instance is a counterexample.

    Raises:
        MissingPackageError: If Hypothesis is not installed.
    """
    require("judge", "hypothesis")
    from hypothesis import Phase, find, settings
    from hypothesis.errors import NoSuchExample

    known: dict[T, bool] = {}

    def failed(instance: T) -> bool:
        if instance not in known:
            known[instance] = fails(instance)
        return known[instance]

    fixed = settings(
        derandomize=True,
        database=None,
        deadline=None,
        max_examples=TRIES,
        phases=(Phase.generate, Phase.shrink),
    )
    try:
        smallest = find(instances, failed, settings=fixed)
    except NoSuchExample:
        smallest = None
    return Search(smallest, tuple(known))


def quarters(least: float, largest: float) -> SearchStrategy[float]:
    """The multiples of ¼ between two bounds, both included: whole numbers first, then halves, then quarters.

    Within each of these the numbers nearest to zero come first.

    Raises:
        InputError: If there is none.
        MissingPackageError: If Hypothesis is not installed.
    """
    require("judge", "hypothesis")
    from hypothesis.strategies import sampled_from

    found = [float(value) for value in _ordered(least, largest)]
    if not found:
        raise InputError(f"quarters: expected bounds with a multiple of 1/4 between them, got {least} and {largest}.")
    return sampled_from(found)


def _ordered(least: float, largest: float) -> list[Fraction]:
    found = [Fraction(k, 4) for k in range(math.ceil(4 * least), math.floor(4 * largest) + 1)]
    return sorted(found, key=lambda value: (value.denominator, abs(value), value < 0))


def agreed(verdict: Verdict, deviation: Callable[[], float], tolerance: float, tolerance_reason: str) -> Verdict:
    """The verdict on an argument, if numbers that were computed in another way agree; INCONCLUSIVE if they do not.

    Args:
        verdict: As :func:`argue` or :func:`prove` found it. Nothing is computed if its identities do not hold.
        deviation: Computes the largest deviation of the numbers.
        tolerance: Up to here they agree; nan and inf, which mean that a computation failed, never do.
        tolerance_reason: Why the tolerance is as large as it is.
    """
    if verdict.outcome not in (Outcome.PROVED, Outcome.ARGUED):
        return verdict
    found = float(deviation())
    if not (math.isfinite(found) and found <= tolerance):
        evidence = f"The identities hold, but the numbers deviate by {found:.1e}. {verdict.evidence}"
        return Verdict(Outcome.INCONCLUSIVE, evidence, found, tolerance, tolerance_reason=tolerance_reason)
    return replace(verdict, residual=found, tolerance=tolerance, tolerance_reason=tolerance_reason)


def from_residual(
    residual: float,
    tolerance: float,
    evidence: str,
    *,
    refuted_above: float = float("inf"),
    tolerance_reason: str = "",
    **counterexample: float,
) -> Verdict:
    """The verdict that a numerical residual allows.

    Args:
        residual: The largest deviation found; or the largest excess over a bound, negative if there is none.
        tolerance: Up to here the statement is SUPPORTED.
        evidence: What was computed.
        refuted_above: Above it the statement is REFUTED. In between it is INCONCLUSIVE, and so are nan and inf, which
            mean that a computation failed.
        tolerance_reason: Why the tolerance is as large as it is.
        counterexample: The numbers of the instance with the largest deviation; without them nothing is refuted.
    """
    is_finite = math.isfinite(residual)
    if is_finite and residual <= tolerance:
        return Verdict(Outcome.SUPPORTED, evidence, residual, tolerance, tolerance_reason=tolerance_reason)
    refuted = is_finite and residual > refuted_above and bool(counterexample)
    return Verdict(
        Outcome.REFUTED if refuted else Outcome.INCONCLUSIVE,
        evidence,
        residual,
        tolerance,
        counterexample if refuted else {},
        tolerance_reason=tolerance_reason,
    )
