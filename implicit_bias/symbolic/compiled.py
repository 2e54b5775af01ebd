"""Formulas as functions of arrays, or of one point at a time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import sympy as sp
from numpy.typing import ArrayLike
from sympy.codegen.numpy_nodes import logaddexp
from sympy.printing.pycode import PythonCodePrinter

from implicit_bias.errors import UnsupportedError

_LARGEST_EXACT_INTEGER = 2**53  # of double precision
_PRINTED_DIGITS = 20  # of a number in generated code, enough to be read as the nearest double


def compiled(symbols: Sequence[sp.Symbol], formulas: Sequence[sp.Expr]) -> Callable[[ArrayLike], np.ndarray]:
    """A function of values stacked as (p, ...) that stacks the formulas' values as (k, ...).

    The formulas come from the whitelist of :mod:`implicit_bias.symbolic.formulas`; nothing else may be compiled.

    Raises:
        UnsupportedError: If a formula holds a point mass.
    """
    if any(formula.has(sp.DiracDelta) for formula in formulas):
        raise UnsupportedError("The formula jumps, so it has no gradient flow: use one that is continuous.")
    function = on_arrays(symbols, [_stable(formula) for formula in formulas])

    def evaluate(given: ArrayLike) -> np.ndarray:
        values = np.asarray(given)
        found = np.empty((len(formulas), *values.shape[1:]))
        for k, result in enumerate(function(*values)):
            found[k] = result
        return found

    return evaluate


def on_arrays(symbols: Sequence[sp.Symbol], formulas: Sequence[sp.Expr]) -> Callable[..., list[Any]]:
    """Return a NumPy function that takes one argument for each symbol and returns a list of values."""
    return _function(symbols, formulas, modules="numpy")


def compiled_at_point(
    symbols: Sequence[sp.Symbol], formulas: Sequence[sp.Expr]
) -> Callable[[Sequence[float]], Sequence[float]]:
    """The same as :func:`compiled` for p numbers, in Python's own arithmetic, which is ten times faster there."""
    on_numpy = compiled(symbols, formulas)
    printer = _RealPowers({"fully_qualified_modules": False, "allow_unknown_functions": True})
    # NumPy is asked where a number overflows, so that only what cancels needs another form.
    exact: list[Any] = [formula.replace(_is_sum_with_tanh, _cancelled_tanh) for formula in formulas]
    function = _function(symbols, exact, modules="math", printer=printer)

    def evaluate(values: Sequence[float]) -> Sequence[float]:
        try:
            return function(*values)
        except (ArithmeticError, ValueError):  # where NumPy finds inf or nan
            with np.errstate(all="ignore"):
                return on_numpy(np.asarray(values)).tolist()

    return evaluate


def with_many_digits(symbols: Sequence[sp.Symbol], formulas: Sequence[sp.Expr]) -> Callable[..., list[Any]]:
    """A function of mpmath's numbers, in the precision that it is called with."""
    return _function(symbols, formulas, modules="mpmath", digits=None)


def _function(
    symbols: Sequence[sp.Symbol], formulas: Sequence[sp.Expr], digits: int | None = _PRINTED_DIGITS, **options: Any
) -> Callable[..., list[Any]]:
    # In the generated code a symbol could meet a function or constant that prints alike, as e meets Euler's number.
    neutral = {symbol: sp.Symbol(f"theta_{k}", real=True) for k, symbol in enumerate(symbols)}
    renamed = [formula.xreplace(neutral) for formula in formulas]
    if digits is not None:
        renamed = [_rounded(formula, digits) for formula in renamed]
    return sp.lambdify(list(neutral.values()), renamed, cse=True, **options)


def _rounded(node: sp.Expr, digits: int) -> sp.Expr:
    """The formula with each constant rounded once, as NumPy takes no functions of Python's large integers."""
    if node.is_number:
        plain = node.is_Rational and max(abs(node.p), node.q) <= _LARGEST_EXACT_INTEGER
        value = node if plain or node.is_NumberSymbol else node.evalf(digits)
        return value if value.is_Float or plain else node
    if not node.args:
        return node
    if isinstance(node, sp.Pow) and node.exp.is_Rational:
        return sp.Pow(_rounded(node.base, digits), node.exp)
    return node.func(*(_rounded(argument, digits) for argument in node.args))


def _stable(formula: sp.Expr) -> sp.Expr:
    """The same function, written so that doubles neither overflow nor cancel where its value is an ordinary number."""
    stable: Any = formula
    for is_kind, rewrite in (
        (lambda node: node.is_Mul and node.has(sp.exp, sp.cosh), _quotient),
        (_is_sum_with_tanh, _cancelled_tanh),
        (lambda node: isinstance(node, sp.log) and node.has(sp.exp, sp.cosh), _log_of_exponentials),
    ):
        stable = stable.replace(is_kind, rewrite)
    return stable


def _is_sum_with_tanh(node: sp.Basic) -> bool:
    return node.is_Add and node.has(sp.tanh)


def _cancelled_tanh(total: sp.Expr) -> sp.Expr:
    """c/cosh² for c − c·tanh², as derivatives of tanh hold it."""
    terms = list(total.args)
    for term in total.args:
        for square in term.atoms(sp.Pow):
            if square.exp == 2 and isinstance(square.base, sp.tanh) and -term / square in terms:
                terms.remove(term)
                terms.remove(-term / square)
                terms.append(-term / square / sp.cosh(square.base.args[0]) ** 2)
                return _cancelled_tanh(sp.Add(*terms)) if len(terms) > 1 else terms[0]
    return total


def _quotient(product: sp.Expr) -> sp.Expr:
    """A quotient of exponentials that is no quotient of infinities: eᵘ/(1 + eᵘ) as 1/(e⁻ᵘ + 1), sinh/cosh as tanh."""
    factors = product.as_powers_dict()
    for base in [b for b in factors if isinstance(b, sp.cosh)]:
        sine, tangent = sp.sinh(base.args[0]), sp.tanh(base.args[0])
        shared = min(factors.get(sine, sp.Integer(0)), -factors[base])
        if shared > 0:
            product *= (tangent * base / sine) ** shared
    factors = product.as_powers_dict()
    sums = [base for base in factors if base.is_Add and base.has(sp.exp)]
    below = next((base for base in sums if factors[base].is_negative), None)
    if below is None:
        return product
    rate, power = factors.get(sp.E, sp.Integer(0)), factors[below]
    shifted = sp.Add(*(sp.powsimp(term * sp.exp(rate / power)) for term in below.args))
    return product / sp.exp(rate) / below**power * shifted**power


def _log_of_exponentials(logarithm: sp.Expr) -> sp.Expr:
    """log(a eᵘ + b eᵛ) for positive numbers a and b, and log(cosh(u))."""
    inside = logarithm.args[0]
    if isinstance(inside, sp.cosh):
        return logaddexp(inside.args[0], -inside.args[0]) - sp.log(2)
    exponents = []
    for term in sp.Add.make_args(inside):
        factor, moving = term.as_independent(*term.free_symbols, as_Add=False)
        if not factor.is_positive or not (moving == 1 or isinstance(moving, sp.exp)):
            return logarithm
        exponents.append(sp.log(factor) + (0 if moving == 1 else moving.args[0]))
    total = exponents[0]
    for exponent in exponents[1:]:
        total = logaddexp(total, exponent)
    return total


class _RealPowers(PythonCodePrinter):
    """Prints powers that raise an error where they are not real; Python's own would become complex."""

    def _print_Pow(self, expr: sp.Pow, rational: bool = False) -> str:
        return f"{self._module_format('math.pow')}({self._print(expr.base)}, {self._print(expr.exp)})"
