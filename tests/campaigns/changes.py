"""The small changes of a module that we try, found in its syntax tree."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

SWAPPED = {ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult, ast.Pow: ast.Mult}
SHIFTED = {ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt}
NEGATED = {ast.Lt: ast.GtE, ast.LtE: ast.Gt, ast.Gt: ast.LtE, ast.GtE: ast.Lt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq}
NEGATED |= {ast.Is: ast.IsNot, ast.IsNot: ast.Is, ast.In: ast.NotIn, ast.NotIn: ast.In}
REMOVED = {"abs", "absolute", "clip", "copy", "max", "maximum", "min", "minimum", "nan_to_num", "round", "sqrt"}
EXCHANGED = {"max": "min", "min": "max", "maximum": "minimum", "minimum": "maximum", "any": "all", "all": "any"}
LARGE_COUNT = 100  # whole numbers from this one on are limits of steps or the like, and are divided by 10
TINY = 1e-5  # smaller numbers are tolerances, which are multiplied by 1e4, as a factor of two is always slack


@dataclass(frozen=True)
class Mutant:
    """One change of a file, which replaces the bytes from ``begin`` to ``end``.

    Attributes:
        line: The number of the first changed line.
        text: That line, by which ``slack.toml`` finds it when line numbers have changed.
        change: The old and the new code.
        begin: The first byte that is replaced.
        end: The first byte after those that are replaced.
        new: The replacement.
    """

    line: int
    text: str
    change: str
    begin: int
    end: int
    new: str

    def applied(self, source: str) -> str:
        data = source.encode()
        return (data[: self.begin] + self.new.encode() + data[self.end :]).decode()


def mutants(source: str, changes: Callable[[ast.AST], Iterable[ast.AST]] | None = None) -> list[Mutant]:
    """All changes of a module, in the order of its lines.

    Args:
        source: The module's code.
        changes: The nodes that may replace a node, or the condition of an if; by default those of the mutants.

    >>> [mutant.change for mutant in mutants("y = abs(x) < 1")]
    ['abs(x) < 1 → abs(x) <= 1', 'abs(x) < 1 → abs(x) >= 1', 'abs(x) → x', '1 → 2']
    """
    lines = source.encode().splitlines(keepends=True)
    offsets = [0]
    for line in lines:
        offsets.append(offsets[-1] + len(line))
    found = {}
    for node in _code(ast.parse(source)):
        place = node.test if isinstance(node, ast.If) else node
        for new in (changes or _changes)(node):
            begin = offsets[place.lineno - 1] + place.col_offset
            end = offsets[place.end_lineno - 1] + place.end_col_offset
            text = ast.unparse(new)
            if text == ast.unparse(place):  # f(x, x) with its arguments swapped
                continue
            change = f"{ast.unparse(place)} → {text}"
            code = text if isinstance(new, ast.stmt) else f"({text})"
            where = lines[place.lineno - 1].decode().strip()
            found[begin, end, code] = Mutant(place.lineno, where, change, begin, end, code)
    return sorted(found.values(), key=lambda mutant: mutant.line)


def _code(node: ast.AST) -> Iterator[ast.AST]:
    """The nodes that compute, without annotations, decorators, docstrings, messages and imports for type checkers."""
    if isinstance(node, (ast.Raise, ast.JoinedStr)) or getattr(node, "name", "") in ("__repr__", "_repr_html_"):
        return
    if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
        return
    if isinstance(node, (ast.expr, ast.stmt)):
        yield node
    for name, value in ast.iter_fields(node):
        if name not in ("annotation", "returns", "decorator_list"):
            for child in value if isinstance(value, list) else [value]:
                if isinstance(child, ast.AST):
                    yield from _code(child)


def _changes(node: ast.AST) -> Iterator[ast.AST]:
    """The nodes that may replace a node, or the condition of an if."""
    match node:
        case ast.BinOp(left, op, right) if type(op) in SWAPPED:
            yield ast.BinOp(left, SWAPPED[type(op)](), right)
            yield left
            if isinstance(op, ast.Mult):
                yield right
            if isinstance(op, (ast.Add, ast.Sub)):
                yield right if isinstance(op, ast.Add) else ast.UnaryOp(ast.USub(), right)
                yield ast.BinOp(ast.BinOp(left, ast.Div(), ast.Constant(2)), op, right)
                yield ast.BinOp(left, op, ast.BinOp(right, ast.Div(), ast.Constant(2)))
        case ast.UnaryOp(ast.USub() | ast.Not() | ast.Invert(), operand):
            yield operand
        case ast.Compare(left, [op], [right]):
            yield from (ast.Compare(left, [d[type(op)]()], [right]) for d in (SHIFTED, NEGATED) if type(op) in d)
        case ast.BoolOp(op, values):
            yield ast.BoolOp(ast.Or() if isinstance(op, ast.And) else ast.And(), values)
            yield from (ast.BoolOp(op, [v for v in values if v is not dropped]) for dropped in values)
        case ast.Constant(bool() as value):
            yield ast.Constant(not value)
        case ast.Constant(int() as value):
            yield ast.Constant(value // 10 if value >= LARGE_COUNT else value + 1)
        case ast.Constant(float() as value):
            yield ast.Constant(1.0 if value == 0 else value * 1e4 if value < TINY else value * 2)
        case ast.IfExp(_, body, orelse):
            yield from (body, orelse)
        case ast.Call(func, args, keywords):
            name = func.attr if isinstance(func, ast.Attribute) else getattr(func, "id", "")
            if name in REMOVED and (args or isinstance(func, ast.Attribute)):
                yield args[0] if args else func.value
            if name in EXCHANGED:
                other = ast.Name(EXCHANGED[name])
                yield ast.Call(
                    ast.Attribute(func.value, other.id) if isinstance(func, ast.Attribute) else other, args, keywords
                )
            if name not in EXCHANGED and len(args) >= 2 and not any(isinstance(arg, ast.Starred) for arg in args[:2]):
                yield ast.Call(func, [args[1], args[0], *args[2:]], keywords)
        case ast.If():  # the new node replaces the condition, so that the branch is always taken or never
            yield from (ast.Constant(value) for value in (True, False))
        case ast.Expr(ast.Call() | ast.Yield()) | ast.AugAssign():
            yield ast.Pass()
