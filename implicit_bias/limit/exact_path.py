r"""The path of a vanishing scale in the arithmetic of fractions, for small systems whose path rounding hides.

Doubles are rationals, and so are all walls, weights and times of the path in
:mod:`implicit_bias.limit.saddle_to_saddle`. In fractions a tie is a tie, and a speed is zero or it is not. Whether a
point is the only minimizer is decided by the vector u of :mod:`implicit_bias.limit.signed_least_squares`, which is made
orthogonal to the columns of the support, and then checked, exactly.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction

import numpy as np

from implicit_bias.limit.signed_least_squares import supporting
from implicit_bias.validation import FloatArray

Vector = list[Fraction]
# Of Z, and of all its numbers and those of y: within both the path takes a second or two.
_MOST_ENTRIES = 400
_MOST_BITS = 20_000


@dataclass
class ExactPath:
    """The path so far.

    Attributes:
        times: The times of its jumps.
        x: The weights before the first jump and after each one.
        duals: ν at the jumps.
        ties: Whether several weights arrived.
        walls: Where entries of s are at walls after the last time, told or not: −1, 1, or 0.
        horizon: The time of the jump without a unique end, or of the last one that was allowed; None if all are told.
        is_degenerate: Whether the next jump has no unique end that is known.
    """

    times: Vector = field(default_factory=list)
    x: list[Vector] = field(default_factory=list)
    duals: list[Vector] = field(default_factory=list)
    ties: list[bool] = field(default_factory=list)
    walls: list[int] = field(default_factory=list)
    horizon: Fraction | None = None
    is_degenerate: bool = False


def exact_path(Z: FloatArray, y: FloatArray, max_jumps: int) -> ExactPath | None:
    """The path of Z, shape (d, n), and y in fractions, or None if that is too much work."""
    if Z.size > _MOST_ENTRIES:
        return None
    walk = _Walk(Z, y)
    is_long = sum(_bits(value) for column in [*walk.columns, walk.y] for value in column) > _MOST_BITS
    return None if is_long else walk.followed(max_jumps)


def _bits(value: Fraction) -> int:
    return value.numerator.bit_length() + value.denominator.bit_length()


def _dot(left: Sequence[Fraction], right: Sequence[Fraction]) -> Fraction:
    return sum((a * b for a, b in zip(left, right, strict=True) if a and b), Fraction(0))


class _Walk:
    """The steps of the path."""

    def __init__(self, Z: FloatArray, y: FloatArray) -> None:
        self.columns = [[Fraction(value) for value in column] for column in Z.T.tolist()]
        self.y = [Fraction(value) for value in y.tolist()]

    def followed(self, max_jumps: int) -> ExactPath:
        """The path to its end, to a jump without a unique end, or over so many jumps."""
        n, d = len(self.columns), len(self.y)
        self.gram = _gram(self.columns)
        self.products = [_dot(column, self.y) for column in self.columns]
        path = ExactPath(x=[[Fraction(0)] * n], walls=[0] * n)
        s, nu, time, push = [Fraction(0)] * n, [Fraction(0)] * d, Fraction(0), self.products
        while any(push):
            if len(path.times) == max_jumps:
                path.horizon = time
                return path
            speeds = [2 * value / d for value in push]
            waits = [((1 if v > 0 else -1) - at) / v if v else None for v, at in zip(speeds, s, strict=True)]
            wait = min(each for each in waits if each is not None)
            time += wait
            s = [at + wait * v for at, v in zip(s, speeds, strict=True)]
            nu = [at - wait * rest / d for at, rest in zip(nu, self._residual(path.x[-1]), strict=True)]
            path.walls = [int(value) if abs(value) == 1 else 0 for value in s]
            x = self._minimizer(path.walls, path.x[-1])
            push = self._push(x)
            if not self._is_unique(path.walls, x, push):
                path.horizon, path.is_degenerate = time, True
                return path
            path.times.append(time)
            path.x.append(x)
            path.duals.append(nu)
            path.ties.append(waits.count(wait) > 1)
        return path

    def _residual(self, x: Vector) -> Vector:
        """The residual y − Zx."""
        return [value - _dot(row, x) for value, row in zip(self.y, zip(*self.columns, strict=True), strict=True)]

    def _push(self, x: Vector) -> Vector:
        """By how much weights are pushed, Zᵀ(y − Zx)."""
        return [value - _dot(row, x) for value, row in zip(self.products, self.gram, strict=True)]

    def _minimizer(self, walls: list[int], start: Vector) -> Vector:
        """The minimizer of the loss within the walls, from weights within them, by adding weights one by one."""
        x, support = list(start), [i for i, value in enumerate(start) if value]
        while True:
            while True:  # each round takes a weight from the support
                aim = [Fraction(0)] * len(x)
                for i, value in zip(support, self._fitted(support), strict=True):
                    aim[i] = value
                falling = [i for i in support if aim[i] * walls[i] <= 0]
                if not falling:
                    break
                share = min(x[i] / (x[i] - aim[i]) for i in falling)
                x = [value + share * (end - value) for value, end in zip(x, aim, strict=True)]
                support = [i for i in support if x[i]]
            x, push = aim, self._push(aim)
            best = max(range(len(x)), key=lambda i: push[i] * walls[i])
            if push[best] * walls[best] <= 0:
                return x
            support.append(best)  # it does not depend on the others, to which the residual is orthogonal

    def _fitted(self, support: list[int]) -> Vector:
        """The weights of independent columns whose loss is least."""
        gram = [[self.gram[i][j] for j in support] for i in support]
        return _solved(gram, [self.products[i] for i in support])

    def _is_unique(self, walls: list[int], x: Vector, push: Vector) -> bool:
        """Whether no other combination vanishes of the columns of the support and those that may grow at no cost.

        That is so if they are independent, or if some u is orthogonal to the former and its products with the latter
        have the signs of their walls. Neither depends on the units of rows and columns.
        """
        on = [i for i, value in enumerate(x) if value]
        off = [i for i, wall in enumerate(walls) if wall and not push[i] and not x[i]]
        signed = [self.columns[i] for i in on] + [[walls[i] * value for value in self.columns[i]] for i in off]
        rows = [[value / (_unit(row) or 1) for value in row] for row in zip(*signed, strict=True)]
        columns = [[value / _unit(column) for value in column] for column in zip(*rows, strict=True)]
        try:
            _solved(_gram(columns), [Fraction(0)] * len(columns))
        except ZeroDivisionError:
            table = np.array([[float(value) for value in column] for column in columns]).T
            found = supporting(table[:, : len(on)], table[:, len(on) :])
        else:
            return True
        if found is None:
            return False
        u = [Fraction(value) for value in found.tolist()]
        kept = columns[: len(on)]
        for weight, column in zip(_solved(_gram(kept), [_dot(each, u) for each in kept]), kept, strict=True):
            u = [value - weight * entry for value, entry in zip(u, column, strict=True)]
        return all(_dot(column, u) > 0 for column in columns[len(on) :])


def _gram(columns: list[Vector]) -> list[Vector]:
    return [[_dot(a, b) for b in columns] for a in columns]


def _unit(vector: Sequence[Fraction]) -> Fraction:
    """The size of a vector's largest entry, as a power of two; zero for zero."""
    largest = max(abs(value) for value in vector)
    return Fraction(2) ** (largest.numerator.bit_length() - largest.denominator.bit_length()) if largest else largest


def _solved(gram: list[Vector], right: Vector) -> Vector:
    """The w with G w = right for the Gram matrix of some columns.

    Raises:
        ZeroDivisionError: If they depend on each other.
    """
    rows = [[*row, value] for row, value in zip(gram, right, strict=True)]
    for k in range(len(rows)):
        rows[k] = [value / rows[k][k] for value in rows[k]]
        for other in range(len(rows)):
            factor = rows[other][k]
            if other != k and factor:
                rows[other] = [a - factor * b for a, b in zip(rows[other], rows[k], strict=True)]
    return [row[-1] for row in rows]
