"""A sample of the changed statements of the ledger, and the campaign itself on statements that are known."""

import sympy as sp

import implicit_bias as ib
from implicit_bias.claims import judge
from tests.campaigns import statements

x = sp.Symbol("x", real=True)


def claim(name, check):
    return ib.Claim(name, ib.Statement("2 \\sinh x \\cosh x = ", sp.sinh(2 * x)), "here", check=check)


def proved(statement):
    return judge.prove("so", stated=(statement.formula, 2 * sp.sinh(x) * sp.cosh(x)))


def gutted(statement):
    """Proves something, but not what is stated."""
    return judge.prove("so", (sp.cosh(x) ** 2 - sp.sinh(x) ** 2, sp.Integer(1)))


def measured(statement):
    residual = abs(float(statement.formula.subs(x, 1)) - 3.626860407847019)
    return judge.from_residual(residual, 1e-9, "Measured.", refuted_above=1e-6, x=1.0)


def loose(statement):
    """Its tolerance has been raised."""
    return judge.from_residual(abs(float(statement.formula.subs(x, 1)) - 3.6), 1e3, "Measured.")


def hangs(statement):
    while statement.formula != sp.sinh(2 * x):
        pass
    return proved(statement)


def test_changes_are_noticed_unless_a_check_compares_nothing(monkeypatch):
    monkeypatch.setattr(statements, "SECONDS", 0.2)
    checks = {"proved": proved, "gutted": gutted, "measured": measured, "loose": loose, "hangs": hangs}
    ledger = ib.Ledger([claim(name, check) for name, check in checks.items()]).run()
    assert {verdict.outcome for verdict in ledger.verdicts.values()} <= set(statements.HELD)
    found = statements.run(ledger)
    changes = len(statements.changed(ledger, "proved"))
    assert changes == 6
    assert found["changes tried"] == found["changes possible"] == 5 * changes
    assert found["not decided in time"] == changes
    assert {each.partition(":")[0] for each in found["unnoticed"]} == {"gutted", "loose"}
    assert len(found["unnoticed"]) == 2 * changes


def test_true_changes_are_listed_with_a_reason(monkeypatch):
    ledger = ib.Ledger([claim("gutted", gutted)]).run()
    listed = {change: "a reason" for change, _ in statements.changed(ledger, "gutted")}
    monkeypatch.setattr(statements, "known", lambda: {"gutted": listed})
    found = statements.run(ledger)
    assert (found["true, as listed"], found["unnoticed"]) == (6, [])


def test_a_sample_is_part_of_all_changes():
    ledger = ib.Ledger([claim("proved", proved)]).run()
    assert statements.run(ledger, sample=2)["changes tried"] == 2
    assert statements.run(ledger, sample=200)["changes tried"] == 6
