r"""The inverse problem: a parameterization with a given implicit bias.

With one parameter, the flow of :math:`x = g(u)` is the mirror flow with :math:`1/R''(x) = g'(u)^2`. So the parameter is
the arc length of the metric, :math:`u(x) = \int\sqrt{R''(x)}\,dx`, and g is its inverse.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, overload

import mpmath as mp
import numpy as np
import sympy as sp
from numpy.typing import ArrayLike, NDArray

from implicit_bias.errors import DomainError, FormulaError, InputError, UnsupportedError, known_options
from implicit_bias.potential import Potential
from implicit_bias.potential.arc_length import ArcLength
from implicit_bias.symbolic.assumptions import bare, with_constants
from implicit_bias.symbolic.formulas import check_names, parse
from implicit_bias.symbolic.parameterization import Parameterization
from implicit_bias.symbolic.sympy_call import sympy_call
from implicit_bias.symbolic.time_limit import StoppedError
from implicit_bias.symbolic.worker import call

TIME_LIMIT = 30.0  # seconds of computing for SymPy's integral and inverse
_DIGITS = 50
_AGREEMENT_TOLERANCE = 1e-20  # numerical second derivatives keep more than half of the digits
_LEAST_AGREEING_POINTS = 4  # on each side of zero
_DOUBLE_TOLERANCE = 1e-11  # relative, for 1/R'' in double precision
_TRIALS = 8  # sets of numbers for the constants, at which a result is checked
_PRIMES = (3, 5, 7, 11, 13)
_U = sp.Symbol("u", real=True)
_POSITIVE = sp.Symbol("x", positive=True)
_REAL = sp.Symbol("x", real=True)
_SAMPLES = sorted({*(mp.mpf(10) ** (mp.mpf(k) / 4) for k in range(-16, 9)), *(mp.mpf(k) / 8 for k in range(1, 24))})

Number = Any  # mpmath's mpf, for which it has no types
Function = Callable[[Number], Number | None]


class NumericalParameterization(Parameterization):
    r"""The parameterization x = g(u) of a potential, with a g that is tabulated: :math:`u(x) = \int\sqrt{R''}\,dx`.

    :func:`design` makes it. It can be used wherever a separable :class:`Parameterization` can, but its formula is no
    more than the name of a function.

    Args:
        source: The potential as it was given.
        length: The arc length of 1/R''.
    """

    def __init__(self, source: sp.Expr | Potential, length: ArcLength) -> None:
        self.source, self._length = source, length
        bend = sp.Function("ddg", _imp_=staticmethod(length.bend))
        slope = sp.Function("dg", _imp_=staticmethod(length.speed), fdiff=lambda g, _=1: bend(*g.args))
        weight = sp.Function("g", _imp_=staticmethod(length.weight), fdiff=lambda g, _=1: slope(*g.args))
        # The parser cannot know this function, so that the attributes are set here.
        self.params, self.separable, self.outputs = ("u",), True, (weight(sp.Symbol("u")),)
        self.regularizer, self.constants = None, ()

    def __repr__(self) -> str:
        low, high = self._length.range
        return f"NumericalParameterization(R = {str(self.source)[:80]}, u in ({low:.4g}, {high:.4g}))"

    def __reduce__(self) -> tuple[object, ...]:
        return _designed_again, (self.source, self.regularizer)

    def _key(self) -> tuple[object, ...]:
        return (type(self), self.source, self.regularizer)

    def parameter_at(self, x: ArrayLike) -> NDArray[np.float64]:
        """The u with g(u) = x, elementwise: where training that starts at x starts.

        Raises:
            DomainError: If the table does not hold some x.
        """
        with np.errstate(invalid="ignore", divide="ignore"):
            u = self._length.length(np.asarray(x, dtype=float))
        if not np.all(np.isfinite(u)):
            raise DomainError(f"x: expected weights in the domain of {self!r}, got {x}.")
        return u


def _designed_again(source: sp.Expr | Potential, regularizer: sp.Expr | None) -> Parameterization:
    made = design(source)
    made.regularizer = regularizer
    return made


@overload
def design(potential: Potential) -> NumericalParameterization: ...
@overload
def design(potential: str | sp.Expr, constants: Sequence[str] | str = ()) -> Parameterization: ...
@known_options
def design(potential: str | sp.Expr | Potential, constants: Sequence[str] | str = ()) -> Parameterization:
    r"""The parameterization with one parameter u per weight whose implicit bias is a given potential.

    Finds :math:`u(x) = \int\sqrt{R''}\,dx` and its inverse g as formulas where SymPy can: always for a polynomial
    :math:`1/R''` of degree at most 2, for powers of x and of |x|, and for other integrals and inverses in elementary
    functions. Of several branches it takes an increasing one. Where R is even and both signs of x are allowed, it
    continues g as an odd function. It checks the result to 50 digits: :math:`g'(u)^2 R''(g(u)) = 1` at sampled u.
    Without a closed form within 30 seconds of computing, and for a potential that is given as an object, it tabulates g
    to 1e-12 (:class:`NumericalParameterization`).

    The range of g is the part of R's domain that the flow from there can reach: :math:`u^2/4` for the entropy keeps
    x > 0, and for u < 0, where it falls, it has the same potential. Neither u nor g is unique: any shift or reflection
    of u serves as well.

    Args:
        potential: R of one coordinate, a formula in x; constant and linear terms do not matter. Or a potential with one
            formula for all coordinates.
        constants: Names of positive numbers in the formula, as a list or separated by commas, which the result keeps
            as symbols; those on which g does not depend are left out. :math:`g'^2R''(g) = 1` is then proved for all
            positive numbers in their place. Whether R is defined for both signs of x is looked up at eight sets of
            numbers, between 0.03 and 50 each.

    Returns:
        A separable parameterization in ``u``.

    Raises:
        FormulaError: If the formula leaves the whitelist, or a constant does not occur in it.
        InputError: If R'' is negative at a sampled x, R is affine, or the potential has coordinates of its own.
        UnsupportedError: If R has a kink, R'' vanishes or is infinite at a point where no closed form is found, or
            constants leave no closed form or change the domain.

    >>> design("x**2/2")
    Parameterization('u', ['u'])
    >>> design("x*log(x) - x")
    Parameterization('u**2/4', ['u'])
    >>> design("x*log(x/c)/c", constants="c")
    Parameterization('c*u**2/4', ['u'], constants=['c'])
    >>> from implicit_bias.potential import HyperbolicEntropy
    >>> design(HyperbolicEntropy(scale=1.0)).parameter_at([0.0]).tolist()
    [0.0]
    """
    names = check_names(constants, "constants") if np.size(constants) else ()
    if isinstance(potential, Potential):
        if names:
            raise InputError("constants: a ready potential holds none; give them with a formula.")
        if potential.size is not None:
            raise InputError(
                f"potential: expected one formula for all coordinates (numbers as parameters), got {potential!r} with "
                f"{potential.size} coordinates of its own."
            )
        low, high = potential.domain
        return NumericalParameterization(potential, ArcLength(potential.metric, (float(low), float(high))))
    for name, meaning in (("x", "the weight in the formula of R"), ("u", "the parameter of the result g(u)")):
        if name in names:
            raise FormulaError(f"constants: {name} is {meaning}; take another name.")
    formula = parse(potential, ["x", *names], "potential")
    unused = next((each for each in names if each not in {symbol.name for symbol in formula.free_symbols}), None)
    if unused is not None:
        raise FormulaError(f"constants: {unused} does not occur in R; leave it out.")
    name = str(formula)[:80]
    try:
        bends, sides = call(TIME_LIMIT, _curvatures, formula, names)
    except StoppedError as error:
        raise UnsupportedError(f"Finding R'' of R = {name} {error} for {TIME_LIMIT:g} seconds of computing.") from None
    try:
        g = call(TIME_LIMIT, _closed, formula, bends, sides, names)
    except StoppedError:
        g = None
    if g is not None:
        return Parameterization(g, ["u"], constants=_occurring(g, names))
    if names:
        raise UnsupportedError(
            f"potential: no closed form of g was found and proved for R = {name} with the constants "
            f"{', '.join(names)}; give numbers for them, and g is tabulated."
        )
    with mp.workdps(_DIGITS):
        return NumericalParameterization(formula, _tabulated(name, _numerical(formula, "x"), bends, sides))


def _occurring(g: sp.Expr, names: Sequence[str]) -> list[str]:
    """The constants in a formula."""
    return [name for name in names if name in {symbol.name for symbol in g.free_symbols}]


def _values(names: Sequence[str]) -> list[dict[sp.Basic, sp.Basic]]:
    """Numbers for the constants, by plain symbol and by constant, at which results are checked; one empty set if none.

    Different primes keep any two of them apart, and each is now the larger and now the smaller one.
    """
    if not names:
        return [{}]
    found: list[dict[sp.Basic, sp.Basic]] = []
    for k in range(_TRIALS):
        numbers: dict[sp.Basic, sp.Basic] = {}
        for i, name in enumerate(names):
            power = (3 * k + 5 * i + k * i) % 5 - 2
            value = sp.Integer(_PRIMES[i % len(_PRIMES)]) ** power * sp.Rational(11 + k + 2 * i, 10)
            numbers |= {sp.Symbol(name): value, with_constants(sp.Symbol(name), [name]): value}
        found.append(numbers)
    return found


def _curvatures(formula: sp.Expr, names: Sequence[str]) -> tuple[dict[int, sp.Expr], tuple[int, ...]]:
    """R'' on the two sides of zero as formulas in x > 0, and the signs that the domain holds."""
    formula = with_constants(formula, names)
    halves = {sign: formula.xreplace({sp.Symbol("x"): sign * _POSITIVE}) for sign in (1, -1)}
    bends = {sign: sp.simplify(sp.diff(half, _POSITIVE, 2)) for sign, half in halves.items()}
    if any(bend.has(sp.DiracDelta) for bend in bends.values()):
        raise _kink(formula, "away from x = 0")
    with mp.workdps(_DIGITS):
        found = set()
        for numbers in _values(names):
            known = formula.xreplace(numbers)
            at = {sign: bend.xreplace(numbers) for sign, bend in bends.items()}
            try:
                found.add(_check_convex(known, _numerical(known, "x"), at))
            except InputError as error:
                if not names:
                    raise
                raise InputError(
                    f"{error} With constants it has to be so for all positive numbers in their place: write 1 + p for "
                    "a p above 1, or give numbers."
                ) from None
    if len(found) > 1:
        raise UnsupportedError(
            f"potential: whether R = {str(formula)[:80]} is defined for both signs of x depends on the constants; give "
            "numbers for them."
        )
    (sides,) = found
    is_split = formula.has(sp.Abs, sp.sign) and len(sides) == 2
    if is_split and sp.simplify(sp.limit(sp.diff(halves[1] + halves[-1], _POSITIVE), _POSITIVE, 0, "+")) != 0:
        raise _kink(formula, "at x = 0")
    return bends, sides


def _closed(
    formula: sp.Expr, bends: dict[int, sp.Expr], sides: tuple[int, ...], names: Sequence[str]
) -> sp.Expr | None:
    """A formula of g, or None."""
    trials = _values(names)
    for g in _candidates(with_constants(formula, names), bends, sides):
        try:
            output = Parameterization(bare(g), ["u"], constants=_occurring(g, names)).output
        except FormulaError:  # a function beyond the whitelist
            continue
        with mp.workdps(_DIGITS):
            agreeing = dict.fromkeys(sides, 0)
            for numbers in trials:
                weight, value = (_numerical(f.xreplace(numbers), n) for f, n in ((output, "u"), (formula, "x")))
                if not _has_potential(weight, value, agreeing):
                    break
            else:
                is_enough = all(agreeing[side] >= _LEAST_AGREEING_POINTS for side in sides)
                if is_enough and (not names or _holds_for_all(output, bends, sides[0], names)):
                    return output
    return None


def _holds_for_all(g: sp.Expr, bends: dict[int, sp.Expr], side: int, names: Sequence[str]) -> bool:
    """Whether g is real and g'² R''(g) = 1 an identity, for u > 0 and all positive constants.

    One side of zero is enough: g and R'' are analytic there, or g is odd and R'' even.
    """
    u = sp.Symbol("u", positive=True)
    weight = with_constants(g, names).xreplace({sp.Symbol("u"): u})
    if not weight.is_real:
        return False
    product = sp.diff(weight, u) ** 2 * bends[side].xreplace({_POSITIVE: side * weight})
    if sp.simplify(product - 1) == 0:
        return True
    # Powers with symbols in the exponent cancel as logarithms, up to a sign, which the numbers exclude.
    return sp.simplify(sp.expand_log(sp.log(product), force=True)) == 0


def _tabulated(name: str, value: Function, bends: dict[int, sp.Expr], sides: tuple[int, ...]) -> ArcLength:
    """The arc length of 1/R'' in double precision, on the interval around the sampled points."""
    # Powers of a distance, such as that from the end of the domain, would cancel if they were expanded.
    compiled = {sign: sp.lambdify(_POSITIVE, 1 / sp.factor(bends[sign]), "numpy") for sign in sides}

    def metric(x: np.ndarray) -> np.ndarray:
        result = np.full(np.shape(x), np.nan)
        with np.errstate(all="ignore"):
            for sign in sides:
                chosen = np.asarray(sign * x >= 0)
                result[chosen] = compiled[sign](np.abs(np.asarray(x)[chosen]))
        return result

    def is_valid(x: float) -> bool:
        bend = metric(np.array([x]))[0]
        return value(mp.mpf(x)) is not None and bool(np.isfinite(bend) and bend > 0)

    exact = {sign: _numerical(1 / bends[sign], "x") for sign in sides}
    grid = sorted(sign * float(t) for sign in sides for t in _SAMPLES)
    valid = [x for x in grid if is_valid(x)]
    with mp.workdps(_DIGITS):
        for x in valid:
            want = exact[1 if x > 0 else -1](mp.mpf(abs(x)))
            if want is None or abs(metric(np.array([x]))[0] - want) > _DOUBLE_TOLERANCE * want:
                raise UnsupportedError(f"1/R'' of R = {name} loses its digits in double precision, at x = {x:g}.")
    # The domain is assumed to be unbounded beyond the outermost sample, and to end at zero below the innermost one.
    low = _end(is_valid, valid[0], [x for x in grid if x < valid[0]], -np.inf if -1 in sides else 0.0)
    high = _end(is_valid, valid[-1], [x for x in grid if x > valid[-1]][::-1], np.inf if 1 in sides else 0.0)
    return ArcLength(metric, (low, high))


def _end(is_valid: Callable[[float], bool], inner: float, beyond: list[float], otherwise: float) -> float:
    """Where the domain ends, by bisection between the last sample in it and the first beyond it, if there is one."""
    if not beyond:
        return otherwise
    outer = beyond[-1]
    while (middle := (inner + outer) / 2) not in (inner, outer):
        inner, outer = (middle, outer) if is_valid(middle) else (inner, middle)
    return outer


def _check_convex(formula: sp.Expr, value: Function, bends: dict[int, sp.Expr]) -> tuple[int, ...]:
    """The signs of x that the domain holds; raises where R'' is negative or vanishes everywhere."""
    sides: list[int] = []
    for sign, bend in bends.items():
        curvature = _numerical(bend, "x")
        sampled = [(t, curvature(t)) for t in _SAMPLES if value(sign * t) is not None]
        known = [(t, c) for t, c in sampled if c is not None]
        for t, c in known:
            if c < -(mp.mpf(10) ** (-_DIGITS // 2)):
                raise InputError(
                    f"potential: expected a convex R, but R'' = {mp.nstr(c, 5)} at x = {mp.nstr(sign * t, 5)} for "
                    f"R = {str(formula)[:80]}. No real g has g'² = 1/R'' there."
                )
        if known and all(c == 0 for _, c in known):
            if formula.has(sp.Abs, sp.sign):
                raise _kink(formula, "at x = 0")
            raise InputError(f"potential: R = {str(formula)[:80]} is affine, so it favours no weight over another.")
        if known:
            sides.append(sign)
    if not sides:
        raise InputError(f"potential: R = {str(formula)[:80]} is real at none of the sampled x.")
    return tuple(sides)


def _kink(formula: sp.Expr, where: str) -> UnsupportedError:
    return UnsupportedError(
        f"potential: R = {str(formula)[:80]} has a kink {where}, so R'' does not determine it and no smooth g has it "
        "as implicit bias. Smooth it, as sqrt(x**2 + 1/100) does |x|."
    )


def _candidates(formula: sp.Expr, bends: dict[int, sp.Expr], sides: tuple[int, ...]) -> Iterator[sp.Expr]:
    if sides == (1,):
        yield from _inverses(bends[1], _POSITIVE)
    elif sides == (-1,):
        for g in _inverses(bends[-1], _POSITIVE):
            yield -g.xreplace({_U: -_U})
    else:
        declared = formula.xreplace({sp.Symbol("x"): _REAL})
        if not declared.has(sp.Abs, sp.sign):
            yield from _inverses(sp.simplify(sp.diff(declared, _REAL, 2)), _REAL)
        if sp.simplify(bends[1] - bends[-1]) == 0:
            for g in _inverses(bends[1], _POSITIVE):
                if g.subs(_U, 0) == 0:
                    yield sp.sign(_U) * g.xreplace({_U: sp.Abs(_U)})


def _inverses(bend: sp.Expr, x: sp.Symbol) -> Iterator[sp.Expr]:
    """Solutions g(u) of g'² = 1/R''(g), unverified."""
    metric = sp.cancel(1 / bend)
    if metric.is_polynomial(x) and sp.degree(metric, x) <= 2:
        yield from _of_quadratic_metric(sp.Poly(metric, x))
        return
    try:
        length = sympy_call(sp.integrate, sp.powdenest(sp.sqrt(sp.factor(bend)), force=x.is_positive), x)
    except UnsupportedError:
        return
    if length.has(sp.Integral, sp.Piecewise, sp.hyper, sp.nan):
        return
    at_zero = length.subs(x, 0)
    if at_zero.is_finite:
        length -= at_zero
    factor, moving = length.as_independent(x, as_Add=False)
    base, power = moving.as_base_exp()
    if base == x:  # which SymPy solves slowly, by way of complex roots
        yield (_U / factor) ** (1 / power)
        return
    arc = sp.Symbol("u")  # without assumptions, as SymPy drops branches under them
    try:
        solutions = sympy_call(sp.solve, length - arc, x)
    except UnsupportedError:
        return
    for solution in solutions:
        if not solution.has(sp.I):
            yield solution.xreplace({arc: _U})


def _of_quadratic_metric(metric: sp.Poly) -> Iterator[sp.Expr]:
    """Solutions of g'² = a g² + b g + c: then g'' = a g + b/2 is linear."""
    a, b, c = (metric.coeff_monomial(metric.gen**k) for k in (2, 1, 0))
    if a == 0:
        yield b * _U**2 / 4 - c / b if b != 0 else sp.sqrt(c) * _U
        return
    center, offset = -b / (2 * a), sp.factor((4 * a * c - b**2) / (4 * a**2))
    growth, kind = _sign(sp.factor(a)), _sign(offset)
    if growth is None or kind is None:  # it depends on the constants
        return
    rate = sp.sqrt(growth * a)
    if growth < 0:
        yield center + sp.sqrt(-offset) * sp.sin(rate * _U)
    elif kind > 0:
        yield center + sp.sqrt(offset) * sp.sinh(rate * _U)
    else:
        radius = sp.sqrt(-offset)
        for sign in (1, -1):
            yield center + sign * (radius * sp.cosh(rate * _U) if offset else sp.exp(sign * rate * _U))


def _sign(value: sp.Expr) -> int | None:
    """The sign of a number, or of a formula of positive constants where it has one."""
    if value.is_zero:
        return 0
    return 1 if value.is_positive else -1 if value.is_negative else None


def _has_potential(weight: Function, value: Function, agreeing: dict[int, int]) -> bool:
    """Whether g'² R''(g) = 1 wherever g increases, by numerical derivatives; counts the points on each side of zero."""
    for u in [*_SAMPLES, *(-s for s in _SAMPLES)]:
        x = weight(u)
        if x is None or value(x) is None or not 1e-4 < abs(x) < 1e4:
            continue
        slope, bend = _derivative(weight, u, 1), _derivative(value, x, 2)
        if slope is None or bend is None or not slope > 0:
            continue
        if abs(slope**2 * bend - 1) > _AGREEMENT_TOLERANCE:
            return False
        agreeing[1 if x > 0 else -1] = agreeing.get(1 if x > 0 else -1, 0) + 1
    return True


class _EndOfDomainError(Exception):
    """A function was asked for its value where it has none."""


def _derivative(function: Function, at: Number, order: int) -> Number | None:
    """The numerical derivative; None where the domain ends too close for the difference formula."""

    def defined(at: Number) -> Number:
        value = function(at)
        if value is None:
            raise _EndOfDomainError
        return value

    try:
        return mp.diff(defined, at, order)
    except _EndOfDomainError:
        return None


def _numerical(expression: sp.Expr, name: str) -> Function:
    """A formula as a function of 50-digit numbers, None where it is not a finite real number."""
    (symbol,) = expression.free_symbols or {sp.Symbol(name)}
    compiled = sp.lambdify(symbol, expression, "mpmath")

    def function(at: Number) -> Number | None:
        try:
            result = mp.mpmathify(compiled(at))
        except (ZeroDivisionError, ValueError, OverflowError):
            return None
        if isinstance(result, mp.mpc):
            return result.real if result.imag == 0 else None
        return result if mp.isfinite(result) else None

    return function
