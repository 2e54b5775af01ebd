"""Statements: their text comes from their formulas, and their mutants differ from them."""

from fractions import Fraction

import numpy as np
import pytest
import sympy as sp

import implicit_bias as ib

x = sp.Symbol("x", real=True)


def test_the_text_is_printed_from_the_formulas():
    statement = ib.Statement("f = ", x**2, r" \le ", 3 * x)
    assert statement == r"f = x^{2} \le 3 x"
    assert statement.formulas == (x**2, 3 * x)
    with pytest.raises(ib.InputError, match="expected one formula, got 2"):
        statement.formula  # noqa: B018
    assert ib.Statement(x).formula == x
    with pytest.raises(ib.InputError, match="at least one expression"):
        ib.Statement("f = x^2")


@pytest.mark.parametrize("zero", [0, Fraction(0), sp.Integer(0), np.int64(0)])
def test_exact_numbers_are_formulas(zero):
    statement = ib.Statement(x**2, r" \ge ", zero)
    assert statement == r"x^{2} \ge 0"
    assert statement.formulas == (x**2, 0)
    assert all(isinstance(each, sp.Expr) for each in statement.formulas)
    assert ib.Statement(Fraction(1, 3)) == r"\frac{1}{3}"
    assert len({str(mutant) for _, mutant in ib.Statement(2).mutants()}) == 3


@pytest.mark.parametrize("part", [0.5, np.float64(0.1), True, None, [x], 1j])
def test_what_is_neither_text_nor_exact_is_refused(part):
    with pytest.raises(ib.InputError, match="expected text, expressions of SymPy and exact numbers, got"):
        ib.Statement(x**2, r" \ge ", part)
    with pytest.raises(ib.InputError, match=r"as a fraction, as in Fraction\(1, 10\)"):
        ib.Statement("a = ", 0.1)


def test_each_constant_and_each_exponent_is_changed():
    found = {change: mutant.formula for change, mutant in ib.Statement("f = ", 3 * x**2 + 5).mutants()}
    assert found == {
        "all × 2": 6 * x**2 + 10, "all × 1/2": (3 * x**2 + 5) / 2, "all × -1": -3 * x**2 - 5,
        "5 → 10": 3 * x**2 + 10, "5 → 5/2": 3 * x**2 + sp.Rational(5, 2), "5 → -5": 3 * x**2 - 5,
        "3 → 6": 6 * x**2 + 5, "3 → 3/2": 3 * x**2 / 2 + 5, "3 → -3": -3 * x**2 + 5,
        "power 2 → 3": 3 * x**3 + 5, "power 2 → 1": 3 * x + 5,
    }  # fmt: skip


def test_mutants_of_several_formulas_change_one_at_a_time():
    statement = ib.Statement("f = ", x, ", g = ", 2 * x)
    changed = [mutant.formulas for _, mutant in statement.mutants()]
    assert all((first == x) != (second == 2 * x) for first, second in changed)
    assert len(changed) == 3 + 6
    assert all(str(mutant) != str(statement) for _, mutant in statement.mutants())
