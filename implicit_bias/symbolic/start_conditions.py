"""The initial values that a derivation covers, as they are or after a symmetry of its parameterization."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache

import numpy as np
import sympy as sp

from implicit_bias.errors import DomainError, UnsupportedError
from implicit_bias.symbolic.assumptions import ResultNames, real
from implicit_bias.symbolic.compiled import on_arrays
from implicit_bias.symbolic.parameterization import Parameterization
from implicit_bias.symbolic.symmetry import Symmetry, symmetries
from implicit_bias.symbolic.time_limit import OPTIONAL_SECONDS, StoppedError
from implicit_bias.symbolic.worker import call

_WHY_ZERO = ": the scale vanishes there, so x never changes its sign, and there is no potential on the whole line"
_WHY_NEGATIVE = (
    ", and no exchange of parameters, change of their signs or shift is known that keeps g and h and mends it: choose "
    "initial values that do"
)


class StartConditions:
    """The conditions of a derivation on the initial values: some formulas in them are positive.

    Args:
        parameterization: What was derived.
        conditions: The formulas.
        names: Of the initial values in them.
    """

    def __init__(self, parameterization: Parameterization, conditions: Sequence[sp.Expr], names: ResultNames) -> None:
        self._parameterization, self._conditions = parameterization, tuple(conditions)
        self._initial = [names.initial(name) for name in parameterization.params]
        self._values: Callable[..., list[np.ndarray]] = on_arrays(
            [real(sp.Symbol(name)) for name in self._initial], [real(each) for each in self._conditions]
        )

    def covered(self, start: np.ndarray) -> np.ndarray:
        """A start that meets all conditions and has the same x(t), shape (p,) or (p, n) as it came.

        Raises:
            DomainError: If there is none; it names the first such coordinate and its values.
        """
        if not np.all(self._holds(start)):
            for order, signs, shifts in self._symmetries():
                sign, shift = (np.array(each, float).reshape(-1, *[1] * (start.ndim - 1)) for each in (signs, shifts))
                changed = sign * start[list(order)] + shift
                start = np.where(~self._holds(start) & self._holds(changed), changed, start)
        for condition, numbers in zip(self._conditions, self._values(*start), strict=True):
            numbers = np.atleast_1d(numbers)
            bad = np.flatnonzero(~(numbers > 0))
            if len(bad):
                k = int(bad[0])
                values = (np.atleast_1d(value)[k] for value in start)
                got = ", ".join(f"{name} = {value:g}" for name, value in zip(self._initial, values, strict=True))
                reason = _WHY_NEGATIVE if numbers[k] < 0 else _WHY_ZERO
                error = DomainError(
                    f"init: expected {' and '.join(f'{c} > 0' for c in self._conditions)} in every coordinate, got "
                    f"{got} at coordinate {k} ({len(bad)} such), where {condition} = {numbers[k]:g}{reason}."
                )
                error.condition, error.weight = str(condition), k
                raise error
        return start

    def _holds(self, start: np.ndarray) -> np.ndarray:
        """Whether all conditions hold, by coordinate."""
        numbers = self._values(*start)
        return np.all([np.broadcast_to(number > 0, start.shape[1:]) for number in numbers], axis=0)

    def _symmetries(self) -> list[Symmetry]:
        try:
            return known_symmetries(self._parameterization)
        except (StoppedError, UnsupportedError):
            return []


@lru_cache(maxsize=256)
def known_symmetries(parameterization: Parameterization) -> list[Symmetry]:
    """Exchanges, changes of sign and shifts of the parameters that leave g and h as they are, and so x(t).

    The worker process finds them; a search that was stopped is repeated next time.
    """
    formulas = [f for f in (parameterization.output, parameterization.regularizer) if f is not None]
    return call(OPTIONAL_SECONDS, symmetries, formulas, list(parameterization.symbols))
