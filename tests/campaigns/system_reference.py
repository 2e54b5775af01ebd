r"""The truth of a system: exact rank and feasibility, and the projection in ball arithmetic.

This shares nothing with the library. Data are exact rationals, and integers decide rank and feasibility. The projection
is given by the zero of :math:`F(\nu) = Qx(\nu) - t`, where :math:`Q = L^{-1}Z` has orthonormal rows
(:math:`LL^T = ZZ^T`, :math:`t = L^{-1}y`) and :math:`x(\nu) = \nabla R^*(-Q^T\nu)`. Newton's method follows it from
scale 1 to the scale of the potential. Krawczyk's operator then proves that a box around the last iterate holds a zero
of F. The weights of that box contain the minimizer, which is unique, as R is strictly convex.
"""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
from flint import acb_mat, arb, arb_mat, ctx, fmpq, fmpq_mat, fmpz, fmpz_mat

from tests.campaigns.system_families import System
from tests.campaigns.system_truth import DIGITS, Truth

_LARGEST_PRECISION = 1 << 14  # bits
_STEPS_PER_SCALE = 60
_SMALLEST_ADVANCE = 2.0**-8
# If no step changes the logarithm of a weight by more than this, Newton's method converges without damping.
_NEWTON_REGION = 0.25
_INFLATIONS = 10


class UnresolvedError(RuntimeError):
    """No solution was proved at the largest precision: the system is too hard for its judge."""


def solve(system: System) -> Truth:
    """The truth of a system."""
    exact = _ScaledRows(system)
    condition = exact.condition()
    if not exact.is_feasible:
        return Truth("infeasible", condition, exact.distance())
    if system.barrier is not None:
        _check_barrier(system)
        return Truth("outside", condition)
    precision = 192 + 2 * math.ceil(math.log2(condition)) + _lost_bits(system)
    while precision <= _LARGEST_PRECISION:
        ctx.prec = precision
        try:
            x = _Projection(system, exact, precision).solve()
        except (_PrecisionError, ZeroDivisionError):
            precision *= 2
        else:
            return Truth("feasible", condition, 0.0, *_doubles(x))
    raise UnresolvedError(f"{system.family} {system.number}: not solved in {_LARGEST_PRECISION} bits.")


def _lost_bits(system: System) -> int:
    """About how many bits the difference of exponentials in a hyperbolic sine loses if y is small beside a."""
    largest = np.max(np.abs(system.y) / np.maximum(np.max(np.abs(system.Z), axis=1), 5e-324))
    scale = float(np.max(system.response.scale))
    log_scale = scale / math.log(2) if system.response.is_logarithm else math.log2(scale)
    return max(0, math.ceil(log_scale - math.log2(largest))) if largest else 0


class _PrecisionError(ArithmeticError):
    """The proof needs more bits."""


class _ScaledRows:
    """The rows as exact rationals, each times a power of two, with their rank and feasibility."""

    def __init__(self, system: System) -> None:
        exponents = np.frexp(np.max(np.abs(system.Z), axis=1))[1]
        self.zero = ~np.any(system.Z, axis=1)
        scales = [Fraction(2) ** -int(e) for e in exponents]
        self.Z = [[Fraction(v) * s for v in row.tolist()] for row, s in zip(system.Z, scales, strict=True)]
        self.y = [Fraction(v) * s for v, s in zip(system.y.tolist(), scales, strict=True)]
        self.d, self.n = system.Z.shape
        columns = _integer_rows([list(column) for column in zip(*self.Z, strict=True)])
        reduced, _, self.rank = columns.rref()
        self.rows = [_first_nonzero(reduced, k) for k in range(self.rank)]
        self.is_feasible = _integer_rows([[*row, v] for row, v in zip(self.Z, self.y, strict=True)]).rank() == self.rank

    def condition(self) -> float:
        """The condition number of the scaled rows on their span."""
        if self.rank == 0:
            return 1.0
        ctx.prec = 512
        rows = arb_mat([[_ball(v) for v in row] for row in self.Z])
        values = acb_mat(rows * rows.transpose()).eig(algorithm="approx")
        squares = sorted((float(v.real.mid().str(30, radius=False)) for v in values), reverse=True)
        return math.sqrt(squares[0] / squares[self.rank - 1])

    def distance(self) -> float:
        """How far the scaled y is from the range, relative to its norm."""
        if any(v and z for v, z in zip(self.y, self.zero, strict=True)):
            return math.inf
        null = _rational_null([list(column) for column in zip(*self.Z, strict=True)], self.d)
        basis = fmpq_mat(len(null), self.d, [_rational(v) for row in null for v in row])
        target = fmpq_mat(self.d, 1, [_rational(v) for v in self.y])
        part = basis * target
        square = (part.transpose() * (basis * basis.transpose()).solve(part))[0, 0]
        whole = (target.transpose() * target)[0, 0]
        return math.sqrt(Fraction(int((square / whole).p), int((square / whole).q)))


def _first_nonzero(matrix: fmpz_mat, row: int) -> int:
    return next(j for j in range(matrix.ncols()) if matrix[row, j] != 0)


def _integer_rows(rows: list[list[Fraction]]) -> fmpz_mat:
    """The rows, each times a common denominator, which changes neither their rank nor their pivots."""
    entries = []
    for row in rows:
        common = math.lcm(*(v.denominator for v in row))
        entries += [fmpz(int(v * common)) for v in row]
    return fmpz_mat(len(rows), len(rows[0]), entries)


def _rational_null(rows: list[list[Fraction]], width: int) -> list[list[Fraction]]:
    """A basis of the v with rows·v = 0."""
    reduced, denominator, rank = _integer_rows(rows).rref()
    pivots = [_first_nonzero(reduced, k) for k in range(rank)]
    basis = []
    for free in (j for j in range(width) if j not in pivots):
        v = [Fraction(0)] * width
        v[free] = Fraction(1)
        for k, pivot in enumerate(pivots):
            v[pivot] = -Fraction(int(reduced[k, free]), int(denominator))
        basis.append(v)
    return basis


def _rational(value: Fraction) -> fmpq:
    return fmpq(value.numerator, value.denominator)


def _ball(value: Fraction | float) -> arb:
    """A ball around an exact number: a dyadic one that fits the precision has radius 0."""
    fraction = Fraction(value)
    return arb(fmpq(fraction.numerator, fraction.denominator))


class _Projection:
    """One system at one precision; vectors are lists of balls."""

    def __init__(self, system: System, exact: _ScaledRows, precision: int) -> None:
        self.precision, response = precision, system.response
        if exact.rank:
            rows = arb_mat([[_ball(v) for v in exact.Z[k]] for k in exact.rows])
            targets = arb_mat([[_ball(exact.y[k])] for k in exact.rows])
            lower = _cholesky(rows * rows.transpose())
            self.Q, target = lower.solve(rows), lower.solve(targets)
        else:
            self.Q, target = arb_mat(1, exact.n), arb_mat(1, 1)
        self.rank, self.n = exact.rank, exact.n
        self.rate, self.is_positive = _ball(response.rate), response.is_positive
        shift = np.broadcast_to(response.shift, self.n)
        self.shift = [_ball(v) for v in shift.tolist()]
        self.log_scale = [_ball(v) if response.is_logarithm else _ball(v).log() for v in response.scale.tolist()]
        # The unit of weights is the smallest solution or the largest scale, so that the path from scale 1 is short.
        length = math.log(2) * _binary_size(_norm(target))
        start = max(float((s + abs(b)).mid()) for s, b in zip(self.log_scale, self.shift, strict=True))
        self.unit = arb(round(max(length, start)))
        self.target = target * (-self.unit).exp()

    def solve(self) -> list[arb]:
        """The minimizer x* as balls that are narrow enough for a reference."""
        if self.rank == 0:
            return [v * self.unit.exp() for v in self.respond(arb_mat(1, 1), 1.0)[0]]
        return self.prove(self.follow())

    def follow(self) -> arb_mat:
        """The dual solution to about half of the precision, along a path of scales."""
        span = max((abs(float((s - self.unit).mid())) for s in self.log_scale), default=0.0)
        position, dual, previous = 0.0, arb_mat(self.rank, 1), None
        advance = min(1.0, 40.0 / max(span, 1.0))
        dual, _ = self.newton(dual, 0.0, rough=True)
        while position < 1.0:
            following = min(1.0, position + advance)
            start = dual
            if previous is not None:
                start = dual + (dual - previous[1]) * arb((following - position) / (position - previous[0]))
            try:
                found, steps = self.newton(start.mid(), following, rough=following < 1.0)
            except _PrecisionError:
                advance /= 4
                if advance < _SMALLEST_ADVANCE:
                    raise
                continue
            previous, dual, position = (position, dual), found, following
            advance *= 2.0 if steps < 15 else 1.0
        return dual

    def newton(self, dual: arb_mat, position: float, rough: bool) -> tuple[arb_mat, int]:
        """Take damped Newton steps at one point of the path; return the dual solution and the number of steps."""
        Q = self.Q.mid()
        goal = arb(2) ** (-10 if rough else -(self.precision // 3))
        for step in range(_STEPS_PER_SCALE):
            x, metric = self.respond(dual, position)
            residual = (self.target - Q * _column(x)).mid()
            hessian = _weighted_gram(Q, metric).mid()
            direction = hessian.solve(-residual, algorithm="approx").mid()
            motion = _largest((Q.transpose() * direction * self.rate).entries())
            if motion < _NEWTON_REGION:
                dual = (dual + direction).mid()
                if motion < goal:
                    return dual, step
            else:
                dual = (dual + direction * self.length(dual, direction, motion, position)).mid()
        raise _PrecisionError

    def length(self, dual: arb_mat, direction: arb_mat, motion: arb, position: float) -> arb:
        """A multiple of the direction at which the slope of the dual function is at most half of its start.

        Args:
            dual: Where the step begins.
            direction: The step.
            motion: The largest change of the logarithm of a weight by the step.
            position: The place on the path of scales, from 0 to 1.
        """

        def slope(size: arb) -> arb:
            x, _ = self.respond(dual + direction * size, position)
            return (direction.transpose() * (self.target - self.Q * _column(x)))[0, 0].mid()

        goal = abs(slope(arb(0))) / 2
        size = arb(1) if motion < 30 else (30 / motion).mid()
        low, high = arb(0), None
        for _ in range(_STEPS_PER_SCALE):
            value = slope(size)
            if abs(value) <= goal:
                return size
            if value < 0:
                low, size = size, 4 * size if high is None else ((size + high) / 2).mid()
            elif value > 0:
                high, size = size, ((low + size) / 2 if low > 0 else size / 4).mid()
            else:
                break
        raise _PrecisionError

    def respond(self, dual: arb_mat, position: float) -> tuple[list[arb], list[arb]]:
        """The weights x(ν) in their unit and the metric, with log scales and shifts times ``position``."""
        z = (self.Q.transpose() * dual).entries()
        share = arb(position)
        x, metric = [], []
        for i in range(self.n):
            angle = share * self.shift[i] - self.rate * z[i]
            log_scale = share * (self.log_scale[i] - self.unit)
            grown = (log_scale + angle).exp()
            if self.is_positive:
                x.append(grown)
                metric.append(self.rate * grown)
            else:
                shrunk = (log_scale - angle).exp()
                x.append((grown - shrunk) / 2)
                metric.append(self.rate * (grown + shrunk) / 2)
        return x, metric

    def prove(self, dual: arb_mat) -> list[arb]:
        """The minimizer x* from a box of duals that Krawczyk's operator maps into itself."""
        dual = dual.mid()
        x, metric = self.respond(dual, 1.0)
        inverse = _weighted_gram(self.Q, metric).mid().inv().mid()
        move = inverse * (self.target - self.Q * _column(x))  # the Jacobian of F is −Q diag(metric) Qᵀ
        radius = [2 * abs(v).upper() + arb(2) ** (-2 * self.precision) for v in move.entries()]
        for _ in range(_INFLATIONS):
            around = arb_mat(self.rank, 1, [arb(0, r) for r in radius])
            _, wide = self.respond(dual + around, 1.0)
            defect = _identity(self.rank) - inverse * _weighted_gram(self.Q, wide)
            image = (-move) + defect * around
            if all(abs(v) < r for v, r in zip(image.entries(), radius, strict=True)):
                break
            radius = [4 * abs(v).upper() + r for v, r in zip(image.entries(), radius, strict=True)]
        else:
            raise _PrecisionError
        x, _ = self.respond(dual + image, 1.0)
        size = _largest(x).lower()
        error = sum((v.rad() for v in x), arb(0))
        floor = _largest([(s - self.unit).exp() for s in self.log_scale])
        if not error < arb(10) ** -DIGITS * (size if size > 0 else floor):
            raise _PrecisionError
        unit = self.unit.exp()
        return [v * unit for v in x]


def _binary_size(value: arb) -> float:
    """log₂|v| of the midpoint, as balls may exceed the range of floats."""
    mantissa, exponent = value.mid().man_exp()
    return -math.inf if mantissa == 0 else float(exponent) + math.log2(abs(int(mantissa)))


def _largest(values: list[arb]) -> arb:
    return abs(max(values, key=_binary_size))


def _norm(column: arb_mat) -> arb:
    return sum((v * v for v in column.entries()), arb(0)).sqrt()


def _column(values: list[arb]) -> arb_mat:
    return arb_mat(len(values), 1, values)


def _identity(size: int) -> arb_mat:
    return arb_mat(size, size, [int(i == j) for i in range(size) for j in range(size)])


def _weighted_gram(Q: arb_mat, weights: list[arb]) -> arb_mat:
    """Q diag(weights) Qᵀ."""
    n = len(weights)
    scaled = arb_mat(Q.nrows(), n, [v * weights[k % n] for k, v in enumerate(Q.entries())])
    return scaled * Q.transpose()


def _cholesky(gram: arb_mat) -> arb_mat:
    """L with LLᵀ = G."""
    size = gram.nrows()
    lower = arb_mat(size, size)
    for i in range(size):
        for j in range(i + 1):
            rest = gram[i, j] - sum((lower[i, k] * lower[j, k] for k in range(j)), arb(0))
            if i == j:
                if not rest > 0:
                    raise _PrecisionError
                lower[i, i] = rest.sqrt()
            else:
                lower[i, j] = rest / lower[j, j]
    return lower


def _check_barrier(system: System) -> None:
    """ν with Zᵀν >= 0, ≠ 0 and yᵀν <= 0 rules out any x > 0 with Zx = y."""
    nu = [Fraction(v) for v in system.barrier.tolist()]
    columns = [sum(Fraction(v) * w for v, w in zip(column, nu, strict=True)) for column in system.Z.T.tolist()]
    level = sum(Fraction(v) * w for v, w in zip(system.y.tolist(), nu, strict=True))
    assert min(columns) >= 0
    assert max(columns) > 0
    assert level <= 0


def _doubles(x: list[arb]) -> tuple[np.ndarray, np.ndarray, int]:
    """Two doubles for each weight, and the exponent of their common power of two."""
    x = [arb(0) if v.contains(0) else v for v in x]  # zero to the accuracy of the proof
    exponent = math.ceil(max((_binary_size(v) for v in x if v != 0), default=0))
    high, low = [], []
    for v in x:
        mantissa, power = (v.mid() * arb(2) ** -exponent).mid().man_exp()
        value = Fraction(int(mantissa)) * Fraction(2) ** int(power) if power > -9000 else Fraction(0)
        high.append(_nearest(value))
        low.append(_nearest(value - Fraction(high[-1])))
    return np.array(high), np.array(low), exponent


def _nearest(value: Fraction) -> float:
    """A double near an exact number, where Python's own division refuses numbers of very many digits."""
    shift = value.denominator.bit_length() - abs(value.numerator).bit_length() + 60
    return math.ldexp(math.floor(value * Fraction(2) ** shift), -shift)
