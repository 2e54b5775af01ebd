r"""Families of linear systems Zx = y that are hard to project onto; each system has a seed of its own.

A system consists of doubles, taken as exact rationals, and of the potential with

.. math:: R^{*\prime}_i(z) = a_i \sinh(r z + b_i) \quad\text{or}\quad a_i\,e^{r z}.

Sums are correctly rounded (``math.fsum``), so that y does not depend on the order in which a machine adds.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

SEED = 20261128
Generator = np.random.Generator


@dataclass(frozen=True, eq=False)
class Response:
    """The inverse mirror map of a potential: a·sinh(rz + b), or a·exp(rz) for an entropy of positive weights.

    Attributes:
        scale: a, shape (n,), or its logarithm where ``is_logarithm``.
        is_logarithm: Whether ``scale`` holds log a.
        shift: b, a number or shape (n,); zero for the exponential.
        rate: r.
        is_positive: Whether it is the exponential.
    """

    scale: np.ndarray
    is_logarithm: bool = False
    shift: np.ndarray | float = 0.0
    rate: float = 2.0
    is_positive: bool = False


@dataclass(frozen=True, eq=False)
class System:
    """One system Zx = y with a potential.

    Attributes:
        family: Name of its family.
        number: Its number in the family.
        Z: Rows, shape (d, n).
        y: Right-hand side, shape (d,).
        response: The inverse mirror map of the potential.
        kind: The form in which the library gets Z: "dense", "sparse" or "operator".
        barrier: If the potential is of positive weights and none of them solves the system: a ν with Zᵀν >= 0, ≠ 0
            and yᵀν <= 0, which proves that.
    """

    family: str
    number: int
    Z: np.ndarray
    y: np.ndarray
    response: Response
    kind: str = "dense"
    barrier: np.ndarray | None = None

    @property
    def digest(self) -> int:
        """63 bits of a hash of all data that the solution depends on."""
        response = self.response
        shift = np.broadcast_to(response.shift, response.scale.shape)
        text = b"".join(np.asarray(part, "<f8").tobytes() for part in (self.Z, self.y, response.scale, shift))
        text += repr((self.Z.shape, response.is_logarithm, response.is_positive, response.rate)).encode()
        return int.from_bytes(hashlib.sha256(text).digest()[:8], "little") >> 1


def product(Z: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Zx, with rounded products whose sums are rounded once."""
    return np.array([math.fsum(row * x) for row in Z])


def decade(rng: Generator, low: float, high: float) -> float:
    """A random number of four digits whose decade is uniform."""
    return float(f"{rng.uniform(1, 10):.3f}e{int(rng.integers(math.floor(low), math.ceil(high)))}")


def decades(rng: Generator, low: float, high: float, size: int) -> np.ndarray:
    return np.array([decade(rng, low, high) for _ in range(size)])


def shape(rng: Generator, most: int = 12) -> tuple[int, int]:
    """Numbers of rows and columns, d < n."""
    d = int(rng.integers(2, most + 1))
    return d, d + int(rng.integers(1, 2 * d + 5))


def weights(rng: Generator, n: int) -> np.ndarray:
    """Weights of order one; in half of all cases some of them are zero."""
    x = rng.standard_normal(n)
    if rng.random() < 0.5:
        x[rng.permutation(n)[: int(rng.integers(0, n))]] = 0.0
    return x


def sinh(rng: Generator, n: int, low: float = -8, high: float = 2) -> Response:
    """A hyperbolic entropy with one scale and no shift."""
    return Response(np.full(n, decade(rng, low, high)))


def small_integers(rng: Generator, d: int, n: int) -> np.ndarray:
    return rng.integers(-3, 4, (d, n)).astype(float)


def gaussian(rng: Generator) -> System:
    d, n = shape(rng)
    Z = rng.standard_normal((d, n))
    y = product(Z, weights(rng, n)) if rng.random() < 0.7 else rng.standard_normal(d)
    return _system(Z, y, sinh(rng, n, -12, 3))


def nearly_dependent(rng: Generator, Z: np.ndarray, most: int) -> np.ndarray:
    """Replace one or more rows by combinations of up to ``most`` others plus noise of 1e-16 to 1e-1."""
    d, n = Z.shape
    Z = Z.copy()
    order = rng.permutation(d)
    count = int(rng.integers(1, max(2, d // 2)))
    for target in order[:count]:
        sources = rng.permutation(order[count:])[: int(rng.integers(1, most + 1))]
        factors = rng.choice([1.0, -1.0, 0.5, 3.0, float(rng.standard_normal())], len(sources))
        row = np.zeros(n)
        for factor, source in zip(factors, sources, strict=True):
            row = row + factor * Z[source]
        noise = rng.standard_normal(n)
        if rng.random() < 0.3:
            noise *= np.arange(n) == rng.integers(n)  # the rows differ in one column only
        Z[target] = row + decade(rng, -16, -1) * noise
    return Z


def dependent_pairs(rng: Generator) -> System:
    d, n = shape(rng)
    Z = small_integers(rng, d, n) if rng.random() < 0.3 else rng.standard_normal((d, n))
    Z = nearly_dependent(rng, Z, 1)
    return _system(Z, product(Z, weights(rng, n)), sinh(rng, n))


def dependent_sums(rng: Generator) -> System:
    d, n = shape(rng)
    Z = small_integers(rng, d, n) if rng.random() < 0.3 else rng.standard_normal((d, n))
    Z = nearly_dependent(rng, Z, 4)
    return _system(Z, product(Z, weights(rng, n)), sinh(rng, n))


def dependent_off(rng: Generator) -> System:
    """Nearly dependent rows whose y are perturbed, so that the solution is large."""
    plain = dependent_pairs(rng) if rng.random() < 0.5 else dependent_sums(rng)
    y = plain.y + decade(rng, -16, 0) * rng.standard_normal(len(plain.y))
    return replace(plain, y=y)


def exactly_dependent(rng: Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Z and a consistent y, exact in double precision, and the rows that depend on others."""
    d, n = shape(rng)
    numbers = str(rng.choice(["integers", "dyadic", "real"]))
    if numbers == "integers":
        Z = small_integers(rng, d, n)
        y = Z @ (rng.integers(-4, 5, n) * 0.25)
    else:
        Z, y = rng.standard_normal((d, n)), rng.standard_normal(d)
    if numbers == "dyadic":  # few enough digits for exact sums
        Z, y = np.round(Z * 2**20) / 2**20, np.round(y * 2**20) / 2**20
    order = rng.permutation(d)
    count = int(rng.integers(1, max(2, d // 2)))
    dependent = order[:count]
    for target in dependent:
        kind = str(rng.choice(["sum", "sum", "copy", "zero"]))
        sources = order[count:]
        factors = rng.integers(-3, 4, len(sources)).astype(float)
        if numbers == "dyadic":
            factors = factors + rng.integers(-64, 65, len(sources)) / 128
        if numbers == "real" or kind == "copy":  # a power of two keeps a copy of real numbers exact
            sources, factors = sources[:1], 2.0 ** rng.integers(-30, 31, 1)
        if kind == "zero":
            factors *= 0.0
        Z[target], y[target] = factors @ Z[sources], factors @ y[sources]
    if numbers != "real" and rng.random() < 0.5:
        exponents = rng.integers(-60, 61, d)
        Z, y = np.ldexp(Z, exponents[:, None]), np.ldexp(y, exponents)
    return Z, y, dependent


def few_columns(rng: Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rows that depend on others because most columns are zero; no multipliers in double precision show it exactly."""
    d, n = shape(rng)
    Z = rng.standard_normal((d, n))
    Z[:, rng.permutation(n)[: n - int(rng.integers(1, d))]] = 0.0
    return Z, product(Z, rng.standard_normal(n)), np.arange(d)


def dependent_exactly(rng: Generator) -> System:
    Z, y, _ = exactly_dependent(rng)
    return _system(Z, y, sinh(rng, Z.shape[1], -300 if rng.random() < 0.3 else -6, 2))


def contradictory(rng: Generator) -> System:
    """Exactly dependent rows that contradict each other openly."""
    Z, y, dependent = few_columns(rng) if rng.random() < 0.2 else exactly_dependent(rng)
    target = rng.choice(dependent)
    unit = float(np.max(np.abs(Z[target])))
    if unit == 0:
        y[target] = rng.choice([1.0, 1e-300, -1e-20, 1e200])
    else:
        change = unit * decade(rng, -2, 2)
        y[target] += change if rng.random() < 0.5 else -change
    return _system(Z, y, sinh(rng, Z.shape[1]))


def edge_of_range(rng: Generator) -> System:
    """Exactly dependent rows, one of which has a y that is off by 1e-16 to 1e-2 of the size of the row."""
    Z, y, dependent = few_columns(rng) if rng.random() < 0.2 else exactly_dependent(rng)
    target = rng.choice(dependent)
    size = max(abs(float(y[target])), float(np.max(np.abs(Z[target]))))
    y[target] += size * decade(rng, -16, -2)
    return _system(Z, y, sinh(rng, Z.shape[1]))


def column_decades(rng: Generator) -> System:
    d, n = shape(rng)
    columns = decades(rng, -12, 12, n)
    Z = rng.standard_normal((d, n)) * columns
    x = weights(rng, n)
    if rng.random() < 0.5:
        x = x / columns  # so that every column contributes
    return _system(Z, product(Z, x), sinh(rng, n, -20, 4))


def heavy_columns(rng: Generator) -> System:
    """One or two columns of size 1e±13, 1e±9 or 1e6, whose weights may be zero, plain, or small in return."""
    d, n = shape(rng)
    Z, x = rng.standard_normal((d, n)), weights(rng, n)
    for column in rng.permutation(n)[: int(rng.integers(1, 3))]:
        size = float(rng.choice([1e13, 1e-13, 1e9, 1e-9, 1e6]))
        Z[:, column] *= size
        x[column] = [0.0, x[column], 1 / size][int(rng.integers(3))]
    return _system(Z, product(Z, x), sinh(rng, n))


def row_units(rng: Generator) -> System:
    if rng.random() < 0.3:
        Z, y, _ = exactly_dependent(rng)
    else:
        d, n = shape(rng)
        Z = small_integers(rng, d, n) if rng.random() < 0.5 else rng.standard_normal((d, n))
        y = product(Z, weights(rng, n))
    power = int(rng.choice([40, 100, 200, 400]))
    exponents = rng.integers(-power, power + 1, len(y))
    return _system(np.ldexp(Z, exponents[:, None]), np.ldexp(y, exponents), sinh(rng, Z.shape[1]))


def scales_and_shifts(rng: Generator) -> System:
    """Every weight has its own scale, over up to hundreds of decades, and its own shift."""
    d, n = shape(rng)
    Z = small_integers(rng, d, n) if rng.random() < 0.3 else rng.standard_normal((d, n))
    Z[np.all(Z == 0, axis=1)] = 1.0
    low, high = sorted(rng.integers(-300, 7, 2))
    shift = rng.uniform(-1, 1, n) * float(rng.choice([0.0, 1.0, 5.0, 30.0]))
    scale = decades(rng, low, high + 1, n)
    is_logarithm = rng.random() < 0.4
    if is_logarithm:
        scale = np.round(rng.uniform(-900, 14, n) if rng.random() < 0.5 else rng.uniform(-30, 5, n), 3)
    y = product(Z, weights(rng, n))
    return _system(Z, y, Response(scale, is_logarithm, shift, float(rng.choice([0.5, 1.0, 2.0, 4.0]))))


def entropy(rng: Generator) -> System:
    """Positive weights, with the entropy as potential."""
    d, n = shape(rng)
    Z = rng.standard_normal((d, n)) if rng.random() < 0.5 else np.abs(rng.standard_normal((d, n)))
    x = decades(rng, -3, 2, n) if rng.random() < 0.5 else 0.1 + rng.random(n)
    low = int(rng.choice([-300, -20, -3, -1]))
    scale = decades(rng, low, 4, n) if rng.random() < 0.5 else np.full(n, decade(rng, low, 2))
    rate = float(rng.choice([1.0, 2.0, 4.0]))
    return _system(Z, product(Z, x), Response(scale, rate=rate, is_positive=True))


def sizes(rng: Generator) -> System:
    """Data, weights or scales of size 1e±150."""
    d, n = shape(rng)
    Z, x = rng.standard_normal((d, n)), weights(rng, n)
    matrix, weight, scale = rng.choice([1.0, 1e-150, 1e150], 3)
    if matrix * weight in (0.0, np.inf) or not 1e-160 < matrix * weight < 1e160:
        weight = 1.0
    if weight == 1e-150 and scale == 1e150:
        scale = 1.0
    Z = Z * matrix
    y = product(Z, x * weight)
    return _system(Z, y, Response(np.full(n, decade(rng, -4, 2) * scale)))


def spare_column(rng: Generator) -> System:
    """One column more than rows, which leaves hardly any freedom and is often badly conditioned."""
    d = int(rng.integers(1, 13))
    Z = rng.standard_normal((d, d + 1))
    if rng.random() < 0.3:
        Z = nearly_dependent(rng, Z, 2) if d > 1 else Z
    y = product(Z, weights(rng, d + 1)) if rng.random() < 0.6 else rng.standard_normal(d)
    return _system(Z, y, sinh(rng, d + 1, -30 if rng.random() < 0.3 else -4, 3))


def single_row(rng: Generator) -> System:
    n = int(rng.integers(2, 41))
    Z = rng.standard_normal((1, n))
    if rng.random() < 0.5:
        Z = Z * decades(rng, -12, 12, n)
    if rng.random() < 0.3:
        Z[0, rng.permutation(n)[: n - 1]] = 0.0
    y = np.array([rng.choice([0.0, 1.0, -3.7, 1e-20, 1e20, 1e-150, 1e150])])
    return _system(Z, y, sinh(rng, n, -200 if rng.random() < 0.3 else -8, 5))


def sparse(rng: Generator) -> System:
    d, n = shape(rng)
    Z = rng.standard_normal((d, n)) * (rng.random((d, n)) < 0.35)
    y = product(Z, weights(rng, n))
    return _system(Z, y, sinh(rng, n, -40, 2), kind="sparse")


def operators(rng: Generator) -> System:
    """Feasible systems of several families, as operators that give products alone."""
    made = rng.choice([gaussian, scales_and_shifts, integers, row_units_mild, spare_column, tiny_scales])(rng)
    return replace(made, kind="operator")


def row_units_mild(rng: Generator) -> System:
    d, n = shape(rng)
    Z = rng.standard_normal((d, n))
    y = product(Z, weights(rng, n))
    exponents = rng.integers(-40, 41, d)
    return _system(np.ldexp(Z, exponents[:, None]), np.ldexp(y, exponents), sinh(rng, n))


def tiny_scales(rng: Generator) -> System:
    d, n = shape(rng)
    Z = rng.standard_normal((d, n))
    return _system(Z, product(Z, weights(rng, n)), sinh(rng, n, -300, -100))


def operators_degenerate(rng: Generator) -> System:
    """Dependent, contradictory or badly scaled rows, as operators that give products alone."""
    choices = [dependent_exactly, contradictory, edge_of_range, dependent_pairs, dependent_off, heavy_columns]
    made = rng.choice(choices)(rng)
    return replace(made, kind="operator")


def integers(rng: Generator) -> System:
    """Small integers, with exact ties between L1 solutions and rows that happen to depend on others."""
    d, n = shape(rng, 8)
    Z = small_integers(rng, d, n)
    x = rng.integers(-2, 3, n) * (rng.random(n) < 0.5)
    return _system(Z, product(Z, x), sinh(rng, n, -300 if rng.random() < 0.5 else -10, 1))


def correlated(rng: Generator) -> System:
    """Hilbert and Vandermonde matrices, rows that are nearly equal, and rows that are random walks."""
    d, n = shape(rng, 10)
    kind = int(rng.integers(4))
    if kind == 0:
        Z = 1.0 / (np.arange(d)[:, None] + np.arange(n) + 1.0)
    elif kind == 1:
        points = rng.integers(-16, 17, n) / 16.0
        Z = np.cumprod(np.vstack([np.ones(n), np.tile(points, (d - 1, 1))]), axis=0)
    elif kind == 2:
        Z = rng.standard_normal((1, n)) + decade(rng, -8, -1) * rng.standard_normal((d, n))
    else:
        Z = np.cumsum(rng.standard_normal((d, n)), axis=1)
    return _system(Z, product(Z, weights(rng, n)), sinh(rng, n))


def l1_faces(rng: Generator) -> System:
    """Columns that can replace each other, so that L1 solutions are a face and tiny scales choose among them."""
    d = int(rng.integers(1, 7))
    basis = rng.integers(-1, 2, (d, int(rng.integers(d + 1, 2 * d + 4)))).astype(float)
    copies = rng.integers(0, basis.shape[1], int(rng.integers(1, 12)))
    Z = np.hstack([basis, basis[:, copies] * rng.choice([1.0, -1.0], len(copies))])
    n = Z.shape[1]
    x = rng.integers(-2, 3, n) * (rng.random(n) < 0.4)
    scale = np.full(n, 1e-100) if rng.random() < 0.5 else 1e-100 * decades(rng, -20, 20, n)
    return _system(Z, product(Z, x), Response(scale, shift=rng.integers(-1, 2, n) * float(rng.choice([0.0, 0.5]))))


def faults(rng: Generator) -> System:
    """Small systems on which solvers have failed, and variations of them."""
    number = int(rng.integers(9))
    scale, is_logarithm = float(rng.choice([1.0, 0.1, 1e-6])), False
    e = 2.0 ** -int(rng.integers(10, 54))
    sign = float(rng.choice([1.0, -1.0]))
    if number == 0:
        Z, y = np.array([[1, 1, 0], [1, 1, sign * e]]), np.array([1, 1 + e])
    elif number == 1:
        tilt = decade(rng, -14, -6)
        Z = np.array([[1, 2, 3], [1 + tilt, 2 + tilt, 3]])
        y, scale, is_logarithm = product(Z, np.array([1.0, -1.0, 0.0])), -float(rng.integers(1, 30)), True
    elif number == 2:
        Z = rng.standard_normal((5, 12))
        Z[4] = Z[3] + Z[2] + decade(rng, -12, -5) * rng.standard_normal(12)
        y = product(Z, rng.standard_normal(12))
    elif number == 3:
        Z = rng.standard_normal((4, 9))
        Z[:, 2] *= decade(rng, 9, 14)
        y = product(Z, rng.standard_normal(9))
    elif number == 4:
        s = 2.0 ** int(rng.integers(10, 80))
        Z, y = np.array([[s, 1, 0], [s, 0, 1]]), np.array([1.0, 2.0])
    elif number == 5:
        Z, y = np.array([[1, 1, 0], [1, 1, decade(rng, -17, -3)]]), np.array([1.0, 2.0])
    elif number == 6:
        Z = np.array([[1.0, 2.0, 3.0, 1.0], [0.0, 0.0, 0.0, 0.0]])
        y = np.array([1.0, rng.choice([1e-300, 5e-324, 1e-20, 0.0, 1e300])])
    elif number == 7:
        Z, y = np.array([[1e20, 0, 0], [1e-20, 0, 0]]), np.array([1e20, rng.choice([1.0, 2.0]) * 1e-20])
    else:
        Z = np.array([[1e20, 0, 0, 0], [1e20, 0, 0, 0], [0, 1.0, 1.0, 2.0]])
        y = np.array([0.0, 0.0, decade(rng, -20, 20)])
    response = Response(np.full(Z.shape[1], scale), is_logarithm)
    return _system(Z, y, response, kind=str(rng.choice(["dense", "dense", "operator"])))


def out_of_domain(rng: Generator) -> System:
    """Weights solve this system, but no positive ones do."""
    d, n = shape(rng, 6)
    Z = rng.integers(-3, 4, (d, n)).astype(float)
    barrier = np.zeros(d)
    barrier[:2] = [1.0, float(rng.integers(0, 3))]
    Z[0] = rng.integers(0, 5, n) - barrier[1] * Z[1]
    Z[0, 0] += 1.0
    y = rng.integers(-3, 4, d).astype(float)
    y[0] = -barrier[1] * y[1] - float(rng.choice([0.0, 0.0, 1.0, decade(rng, -16, 0)]))
    response = Response(np.full(n, decade(rng, -6, 2)), rate=1.0, is_positive=True)
    return _system(Z, y, response, barrier=barrier)


def mixed(rng: Generator) -> System:
    """Nearly dependent rows of very different sizes, columns over decades, scales and shifts, all at once."""
    d, n = shape(rng)
    Z = nearly_dependent(rng, rng.standard_normal((d, n)), 2) if rng.random() < 0.5 else rng.standard_normal((d, n))
    columns = decades(rng, -4, 5, n)
    y = product(Z * columns, weights(rng, n))
    exponents = rng.integers(-100, 101, d)
    scale = decades(rng, -30, 3, n)
    response = Response(scale, shift=rng.uniform(-2, 2, n), rate=float(rng.choice([1.0, 2.0])))
    return _system(np.ldexp(Z * columns, exponents[:, None]), np.ldexp(y, exponents), response)


def at_the_minimizer(rng: Generator) -> System:
    """A y of zero, or the Zx of an x that is the minimizer of the potential up to rounding or a little more."""
    d, n = shape(rng)
    Z = small_integers(rng, d, n) if rng.random() < 0.5 else rng.standard_normal((d, n))
    Z[:, 0] += np.all(Z == 0, axis=1)
    scale = decades(rng, -3, 3, n)
    if rng.random() < 0.3:
        shift = np.where(rng.random(n) < 0.5, 0.0, rng.uniform(-2, 2, n))
        return _system(Z, np.zeros(d), Response(scale, shift=shift))
    y = product(Z, scale * (1 + decade(rng, -16, -3) * rng.uniform(-1, 1, n)))
    return _system(Z, y, Response(scale, rate=4.0, is_positive=True))


FAMILIES: dict[str, Callable[[Generator], System]] = {
    make.__name__: make
    for make in (
        gaussian,
        dependent_pairs,
        dependent_sums,
        dependent_off,
        dependent_exactly,
        contradictory,
        edge_of_range,
        column_decades,
        heavy_columns,
        row_units,
        scales_and_shifts,
        entropy,
        sizes,
        spare_column,
        single_row,
        sparse,
        operators,
        operators_degenerate,
        integers,
        correlated,
        l1_faces,
        faults,
        out_of_domain,
        mixed,
        at_the_minimizer,
    )
}


def generate(family: str, number: int, seed: int = SEED) -> System:
    """The system with a number in a family; it depends on the seed alone, not on which others are generated."""
    stream = [seed, list(FAMILIES).index(family), number]
    return replace(FAMILIES[family](np.random.default_rng(stream)), family=family, number=number)


def _system(
    Z: np.ndarray, y: np.ndarray, response: Response, kind: str = "dense", barrier: np.ndarray | None = None
) -> System:
    """A system that belongs to no family yet."""
    return System("", 0, np.asarray(Z, dtype=float), np.asarray(y, dtype=float), response, kind, barrier)
