"""Changes of the parameters that leave g and h as they are, and so the weights x(t) of every flow."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence

import sympy as sp

from implicit_bias.symbolic.assumptions import real
from implicit_bias.symbolic.sympy_call import sympy_call
from implicit_bias.symbolic.zero_test import QUICK_TRIALS, by_numbers, simplified_to_zero

_MOST_PERMUTED = 3
# Parameter k becomes signs[k] · θ[order[k]] + shifts[k]. Such a change keeps all distances, and thus the gradient flow.
Symmetry = tuple[tuple[int, ...], tuple[int, ...], tuple[float, ...]]


def symmetries(formulas: Sequence[sp.Expr], symbols: Sequence[sp.Symbol]) -> list[Symmetry]:
    """Exchanges of parameters, changes of their signs and shifts that leave all formulas as they are.

    Those without a shift come first, and of them signs alone. Of more than three parameters only two are exchanged at a
    time. Shifts are looked for where all formulas are polynomials of three parameters or fewer, such as in
    u·v + u = (v + 1)·(u − 1) + (v + 1), where u becomes v + 1 and v becomes u − 1.
    """
    declared, identity = [real(s) for s in symbols], tuple(range(len(symbols)))
    declared_formulas = [real(formula) for formula in formulas]
    orders = itertools.permutations(identity)
    if len(symbols) > _MOST_PERMUTED:
        orders = (order for order in orders if sum(k != place for k, place in enumerate(order)) <= 2)

    def keeps(formula: sp.Expr, order: tuple[int, ...], signs: tuple[int, ...]) -> bool:
        moved = {declared[k]: sign * declared[order[k]] for k, sign in enumerate(signs)}
        difference = formula.xreplace(moved) - formula
        return by_numbers(difference, most=QUICK_TRIALS).holds and simplified_to_zero(difference)

    changes = list(itertools.product(orders, itertools.product((1, -1), repeat=len(symbols))))[1:]  # not no change
    plain = [each for each in changes if all(keeps(formula, *each) for formula in declared_formulas)]
    found: list[Symmetry] = [(order, signs, (0.0,) * len(symbols)) for order, signs in plain]
    if len(symbols) <= _MOST_PERMUTED and all(formula.is_polynomial(*declared) for formula in declared_formulas):
        for order, signs in changes:
            found += [(order, signs, shift) for shift in _shifts(declared_formulas, declared, order, signs)]
    return found


def _shifts(
    formulas: Sequence[sp.Expr], declared: Sequence[sp.Symbol], order: tuple[int, ...], signs: tuple[int, ...]
) -> Iterator[tuple[float, ...]]:
    """The shifts, not all of them 0, with which a change keeps polynomials; none where there is a family of them."""
    unknown = [sp.Dummy(f"c{k}", real=True) for k in range(len(declared))]
    moved = {declared[k]: signs[k] * declared[order[k]] + c for k, c in enumerate(unknown)}
    equations: list[sp.Expr] = []
    for formula in formulas:
        coefficients = sp.Poly(formula.xreplace(moved) - formula, *declared).coeffs()
        if any(each != 0 and not each.has(*unknown) for each in coefficients):
            return  # the largest powers already differ, whatever the shift
        equations += coefficients
    for solution in sympy_call(sp.solve, equations, unknown, dict=True):
        shift = [solution.get(c, c) for c in unknown]
        if all(each.is_Rational for each in shift) and any(shift):
            yield tuple(float(each) for each in shift)
