"""Changes of the code of a check, each of which makes it demand less of a claim."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import sympy as sp

from implicit_bias import Verdict
from implicit_bias.claims import Equation

TOLD = {"argue", "prove", "prove_alone", "refute"}  # judges of identities that are told first what follows from them
JUDGES = TOLD | {"judge", "contradicted"}
DROPPED = {"stated", "conditions", "deviation"}  # arguments that demand more of a claim
SIGNS = {"positive", "negative", "nonnegative", "nonpositive", "nonzero"}
WEAKLY = ast.parse("__import__('tests.campaigns.weaker', fromlist=['weakly']).weakly", mode="eval").body


class NoSignsError(BaseException):
    """Raised into a check whose symbols declare no signs; no check catches it."""


def weakly(judged: Callable[..., Verdict]) -> Callable[..., Verdict]:
    """A judge of identities in symbols that declare no sign."""
    signed: set[sp.Symbol] = set()

    def real(given: Any) -> Any:
        if isinstance(given, sp.Basic):
            found = {s for s in given.free_symbols if any(s.assumptions0.get(sign) for sign in SIGNS)}
            signed.update(found)
            return given.xreplace({s: sp.Symbol(s.name, real=True, integer=s.is_integer) for s in found})
        if isinstance(given, Equation):
            sides = {name: real(getattr(given, name)) for name in ("stated", "derived", "conditions")}
            return replace(given, **sides)
        return tuple(map(real, given)) if isinstance(given, tuple) else given

    def judge(*args: Any, **named: Any) -> Verdict:
        args, named = tuple(map(real, args)), {name: real(each) for name, each in named.items()}
        if not signed:
            raise NoSignsError
        return judged(*args, **named)

    return judge


def name_of(call: ast.AST) -> str:
    function = getattr(call, "func", None)
    return getattr(function, "attr", None) or getattr(function, "id", "")


def is_tolerance(node: ast.AST) -> bool:
    name = getattr(node, "id", "")
    value = node.operand if isinstance(node, ast.UnaryOp) else node
    return name.endswith(("TOLERANCE", "ABOVE", "BELOW")) or (
        isinstance(value, ast.Constant) and isinstance(value.value, float) and 0 < value.value < 0.1
    )


def _without(items: list, dropped: ast.AST) -> list:
    return [each for each in items if each is not dropped]


def _loose(node: ast.expr) -> ast.expr:
    return ast.BinOp(node, ast.Mult(), ast.Constant(1e6))


def weaker(node: ast.AST) -> Iterator[ast.AST]:
    """The nodes that may replace a node of a check, each of which demands less, or the condition of an if."""
    match node:
        case ast.List(elts) | ast.Tuple(elts) if any(name_of(each) == "Equation" for each in elts):
            yield from (type(node)(_without(elts, each), ast.Load()) for each in elts)
        case ast.Call(func, args, keywords):
            name = name_of(node)
            identities = args[name in TOLD :] if name in JUDGES else []
            yield from (ast.Call(func, _without(args, each), keywords) for each in identities)
            dropped = {"refuted_above"} if name == "from_residual" else DROPPED  # which takes names of numbers
            yield from (ast.Call(func, args, _without(keywords, each)) for each in keywords if each.arg in dropped)
            if name in JUDGES:
                yield ast.Call(ast.Call(WEAKLY, [func], []), args, keywords)
            if name in {"Symbol", "symbols"} and SIGNS & {each.arg for each in keywords}:
                yield ast.Call(func, args, [ast.keyword("real", ast.Constant(True))])
            if name == "from_residual":
                yield ast.Call(func, [ast.Constant(0.0), *args[1:]], keywords)
                yield ast.Call(func, [args[0], _loose(args[1]), *args[2:]], keywords)
            if name == "agreed":
                yield args[0]
                yield ast.Call(func, [*args[:2], _loose(args[2]), *args[3:]], keywords)
        case ast.Compare(left, ops, right) if any(map(is_tolerance, right)):
            yield ast.Compare(left, ops, [_loose(each) if is_tolerance(each) else each for each in right])
        case ast.If(_, [ast.Return()], []):
            yield ast.Constant(False)
        case ast.Return(ast.Compare() | ast.BoolOp() | ast.Call(ast.Name("all" | "any"))):
            yield ast.Return(ast.Constant(True))
