"""Identities and exact counterexamples as formulas."""

from __future__ import annotations

from collections.abc import Iterable

import sympy as sp

from implicit_bias.claims.equation import Equation, Violation
from implicit_bias.claims.tree import described, expression, tree

KINDS = {
    "positive": "> 0",
    "negative": "< 0",
    "nonnegative": r"\ge 0",
    "nonpositive": r"\le 0",
    "real": r"\in \mathbb{R}",
}


def identity_latex(identity: Equation) -> str:
    """The stated side equals the derived one."""
    return f"{_latex(identity.stated)} = {_latex(identity.derived)}"


def domain_latex(identity: Equation) -> list[str]:
    """The signs that its symbols are declared to have, and the further conditions."""
    by_kind: dict[str, list[str]] = {}
    for symbol in identity.symbols.values():
        kind, *integer = described(symbol)
        ending = KINDS[kind] + (r"\text{ integer}" if integer else "")
        by_kind.setdefault(ending, []).append(sp.latex(symbol))
    declared = [f"{', '.join(names)} {ending}" for ending, names in by_kind.items()]
    return [*declared, *(f"{_latex(condition)} > 0" for condition in identity.conditions)]


def violation_latex(violation: Violation) -> str:
    """How the two sides lie at the numbers of the counterexample."""
    relation = r"\ne" if violation.relation == "!=" else ">"
    return f"{_latex(violation.left)} {relation} {_latex(violation.right)}"


def numbers_latex(violation: Violation) -> list[str]:
    """The exact numbers, each as an equation."""
    return [f"{sp.latex(sp.Symbol(name))} = {number}" for name, number in violation.numbers.items()]


def once(texts: Iterable[str]) -> str:
    """The one text that all of them are, or nothing."""
    found = set(texts)
    return found.pop() if len(found) == 1 else ""


def _latex(side: sp.Expr) -> str:
    """A side as its tree has it, so that a saved ledger looks like the one that was saved."""
    symbols = {symbol.name: symbol for symbol in side.free_symbols if isinstance(symbol, sp.Symbol)}
    return sp.latex(expression(tree(side), symbols))
