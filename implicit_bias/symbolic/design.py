r"""The inverse problem: a parameterization with a given implicit bias.

With one parameter, the flow of :math:`x = g(u)` is the mirror flow with :math:`1/R''(x) = g'(u)^2`. So the parameter is
the arc length of the metric, :math:`u(x) = \int\sqrt{R''(x)}\,dx`, and g is its inverse.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import mpmath as mp
import sympy as sp

from implicit_bias.errors import FormulaError, UnsupportedError
from implicit_bias.symbolic.formulas import parse
from implicit_bias.symbolic.parameterization import Parameterization
from implicit_bias.symbolic.time_limit import TimeLimitExceeded, within

TIME_LIMIT = 30.0  # seconds for SymPy's integral and inverse
_DIGITS = 50
_AGREEMENT = 1e-20  # numerical second derivatives of 50-digit numbers keep more than half of the digits
_ENOUGH = 4
_U = sp.Symbol("u", real=True)
_POSITIVE = sp.Symbol("x", positive=True)
_REAL = sp.Symbol("x", real=True)
_SAMPLES = sorted({*(mp.mpf(10) ** (mp.mpf(k) / 4) for k in range(-16, 9)), *(mp.mpf(k) / 8 for k in range(1, 24))})

Number = Any  # mpmath's mpf, for which it has no types
Function = Callable[[Number], Number | None]


def design(potential: str | sp.Expr) -> Parameterization:
    r"""The parameterization with one parameter u per weight whose implicit bias is a given potential.

    Solved are :math:`u(x) = \int\sqrt{R''}\,dx` and its inverse g, where SymPy finds closed forms: always for
    :math:`1/R''` a polynomial of degree at most 2, for powers of x and of |x|, and for other integrals and inverses in
    elementary functions. Of several branches an increasing one is taken. Where R is even and both signs of x are
    allowed, g is continued as an odd function. The result is checked at 50 digits: :math:`g'(u)^2 R''(g(u)) = 1` at
    sampled u.

    The range of g is the part of R's domain that the flow from there can reach: :math:`u^2/4` for the entropy keeps
    x > 0, and for u < 0, where it falls, it has the same potential. Neither u nor g is unique: any shift or reflection
    of u serves as well.

    Args:
        potential: R of one coordinate, a formula in x; constant and linear terms do not matter.

    Returns:
        A separable parameterization in ``u``.

    Raises:
        FormulaError: If the formula leaves the whitelist.
        ValueError: If R'' is negative at a sampled x, or R is affine.
        UnsupportedError: If no closed form is found within 30 seconds (the hyperbolic entropy has none: its u(x) is a
            hypergeometric function), or R has a kink.

    >>> design("x**2/2")
    Parameterization('u', ['u'])
    >>> design("x*log(x) - x")
    Parameterization('u**2/4', ['u'])
    """
    formula = parse(potential, ["x"])
    name = str(formula)[:80]
    try:
        with mp.workdps(_DIGITS):
            return within(TIME_LIMIT, _designed, formula)
    except TimeLimitExceeded:
        raise UnsupportedError(f"No parameterization for R = {name} was found within {TIME_LIMIT:g} seconds.") from None


def _designed(formula: sp.Expr) -> Parameterization:
    value = _numerical(formula, "x")
    halves = {sign: formula.xreplace({sp.Symbol("x"): sign * _POSITIVE}) for sign in (1, -1)}
    bends = {sign: sp.simplify(sp.diff(half, _POSITIVE, 2)) for sign, half in halves.items()}
    sides = _check_convex(formula, value, bends)
    for g in _candidates(formula, halves, bends, sides):
        try:
            parameterization = Parameterization(g, ["u"])
        except FormulaError:  # a function beyond the whitelist
            continue
        if _has_potential(parameterization.output, value, sides):
            return parameterization
    raise UnsupportedError(
        f"No closed form of the parameterization for R = {str(formula)[:80]} was found: ∫√R'' dx or its inverse is no "
        "elementary function that SymPy knows. A numerical inverse is not offered yet."
    )


def _check_convex(formula: sp.Expr, value: Function, bends: dict[int, sp.Expr]) -> tuple[int, ...]:
    """The signs of x that the domain holds; raises where R'' is negative or vanishes everywhere."""
    sides: list[int] = []
    for sign, bend in bends.items():
        curvature = _numerical(bend, "x")
        sampled = [(t, curvature(t)) for t in _SAMPLES if value(sign * t) is not None]
        known = [(t, c) for t, c in sampled if c is not None]
        for t, c in known:
            if c < -(mp.mpf(10) ** (-_DIGITS // 2)):
                raise ValueError(
                    f"potential: expected a convex R, but R'' = {mp.nstr(c, 5)} at x = {mp.nstr(sign * t, 5)} for "
                    f"R = {str(formula)[:80]}. No real g has g'² = 1/R'' there."
                )
        if known and all(c == 0 for _, c in known):
            raise ValueError(f"potential: R = {str(formula)[:80]} is affine, so it favours no weight over another.")
        if known:
            sides.append(sign)
    if not sides:
        raise ValueError(f"potential: R = {str(formula)[:80]} is real at none of the sampled x.")
    return tuple(sides)


def _candidates(
    formula: sp.Expr, halves: dict[int, sp.Expr], bends: dict[int, sp.Expr], sides: tuple[int, ...]
) -> Iterator[sp.Expr]:
    if sides == (1,):
        yield from _inverses(bends[1], _POSITIVE)
    elif sides == (-1,):
        for g in _inverses(bends[-1], _POSITIVE):
            yield -g.xreplace({_U: -_U})
    else:
        declared = formula.xreplace({sp.Symbol("x"): _REAL})
        if not declared.has(sp.Abs, sp.sign):
            yield from _inverses(sp.simplify(sp.diff(declared, _REAL, 2)), _REAL)
        elif sp.limit(sp.diff(halves[1] + halves[-1], _POSITIVE), _POSITIVE, 0, "+") != 0:
            raise UnsupportedError(
                f"potential: R = {str(formula)[:80]} has a kink at x = 0, so R'' does not determine it and no smooth g "
                "has it as implicit bias. Smooth it, as sqrt(x**2 + 1/100) does |x|."
            )
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
    length = sp.integrate(sp.powdenest(sp.sqrt(sp.factor(bend)), force=x.is_positive), x)
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
    arc = sp.Symbol("u")  # without assumptions, under which SymPy drops branches
    try:
        solutions = sp.solve(length - arc, x)
    except NotImplementedError:
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
    center, offset, rate = -b / (2 * a), (4 * a * c - b**2) / (4 * a**2), sp.sqrt(abs(a))
    if a < 0:
        yield center + sp.sqrt(-offset) * sp.sin(rate * _U)
    elif offset > 0:
        yield center + sp.sqrt(offset) * sp.sinh(rate * _U)
    else:
        radius = sp.sqrt(-offset)
        for sign in (1, -1):
            yield center + sign * (radius * sp.cosh(rate * _U) if offset else sp.exp(sign * rate * _U))


def _has_potential(g: sp.Expr, value: Function, sides: tuple[int, ...]) -> bool:
    """Whether g'² R''(g) = 1 wherever g increases, on every side of zero, by numerical derivatives of g and R."""
    weight = _numerical(g, "u")
    agreeing = dict.fromkeys(sides, 0)
    for u in [*_SAMPLES, *(-s for s in _SAMPLES)]:
        x = weight(u)
        if x is None or value(x) is None or not 1e-4 < abs(x) < 1e4:
            continue
        try:
            slope, bend = mp.diff(weight, u), mp.diff(value, x, 2)
        except (TypeError, ValueError, ZeroDivisionError):  # a point where the domain ends
            continue
        if not slope > 0:
            continue
        if abs(slope**2 * bend - 1) > _AGREEMENT:
            return False
        agreeing[1 if x > 0 else -1] = agreeing.get(1 if x > 0 else -1, 0) + 1
    return all(agreeing[side] >= _ENOUGH for side in sides)


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
