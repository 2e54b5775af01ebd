"""Statements: their text comes from their formulas, and their mutants differ from them."""

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
