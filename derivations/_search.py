"""The smallest counterexample: instances are drawn at random, and one that fails is shrunk."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass
from fractions import Fraction
from typing import Generic, TypeVar

from hypothesis import Phase, find, settings
from hypothesis import strategies as st
from hypothesis.errors import NoSuchExample
from hypothesis.strategies import SearchStrategy

TRIES = 60  # instances without a failure after which a search ends
T = TypeVar("T", bound=Hashable)


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

    The search draws nothing from a clock or a stored state, so it ends the same way every time.

    Args:
        instances: The instances, of equally many parts, the simplest value of each part first.
        fails: Whether an instance is a counterexample.
    """
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
    """The multiples of ¼ between two bounds, included; whole numbers come first, then those nearer to zero."""
    found = [Fraction(k, 4) for k in range(round(4 * least), round(4 * largest) + 1)]
    found.sort(key=lambda value: (value.denominator, abs(value), value < 0))
    return st.sampled_from([float(value) for value in found])
