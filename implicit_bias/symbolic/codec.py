"""Expressions and results as JSON, so that they can leave the process that computed them.

Reading evaluates nothing and simplifies nothing: an expression is put together node by node, from SymPy's public
classes and nothing else, and comes back with the very structure and assumptions it had. Of our own classes,
dataclasses, enums and exceptions are carried, by their fields.
"""

from __future__ import annotations

import builtins
import importlib
import inspect
import json
import traceback
from collections.abc import Sequence
from dataclasses import fields, is_dataclass
from enum import Enum
from typing import Any

import sympy as sp
from sympy.core.relational import Relational
from sympy.functions.elementary.piecewise import ExprCondPair
from sympy.logic.boolalg import Boolean

from implicit_bias.symbolic.assumptions import Constant, ResultSymbol

OWN = "implicit_bias."
_SINGLE = {
    "pi": sp.pi, "E": sp.E, "I": sp.I, "oo": sp.oo, "-oo": -sp.oo, "zoo": sp.zoo, "nan": sp.nan, "true": sp.true,
    "false": sp.false, "Reals": sp.S.Reals, "EmptySet": sp.S.EmptySet, "EulerGamma": sp.EulerGamma,
    "Catalan": sp.Catalan, "GoldenRatio": sp.GoldenRatio,
}  # fmt: skip
_SYMBOLS = {kind.__name__: kind for kind in (sp.Symbol, ResultSymbol, Constant)}
_SINGLE_NAMES = {(type(value), value): name for name, value in _SINGLE.items()}
_CLASSES: dict[str, type[sp.Basic]] = {
    name: value
    for name, value in {**vars(sp), "ExprCondPair": ExprCondPair}.items()
    if inspect.isclass(value) and issubclass(value, (sp.Expr, Boolean, sp.Set, sp.Tuple))
}
_UNEVALUATED = (sp.Pow, sp.Function, Relational, sp.Max, sp.Min)  # classes that can be told to leave their arguments


class UnencodableError(TypeError):
    """A value has no form as data."""


def encoded(value: Any) -> str:
    """A value as one line of JSON.

    Raises:
        UnencodableError: If it holds anything but numbers, text, tuples, lists, dicts, expressions, matrices,
            and dataclasses and enums of ours.
    """
    return json.dumps(_data(value))


def decoded(line: str) -> Any:
    """The value that was encoded."""
    return _value(json.loads(line))


def encoded_error(error: Exception) -> str:
    """An exception as one line of JSON: its type, arguments, attributes, and its traceback as text."""
    kind, text = type(error), "".join(traceback.format_exception(error))
    if not _is_known(kind):  # such as SymPy's own exceptions
        kind, error = RuntimeError, RuntimeError(f"{kind.__name__}: {error}")
    try:
        return json.dumps([_reference(kind), _data(error.args), _data(vars(error)), text])
    except UnencodableError:
        return json.dumps([_reference(kind), _data((str(error),)), _data({}), text])


def decoded_error(line: str) -> Exception:
    """The exception that was encoded, caused by a :class:`RemoteTraceback`."""
    reference, arguments, attributes, text = json.loads(line)
    kind = _referred(reference)
    error = kind.__new__(kind)
    error.args = _value(arguments)
    vars(error).update(_value(attributes))
    error.__cause__ = RemoteTraceback(text)
    return error


class RemoteTraceback(Exception):  # noqa: N818 - the text of an error, not an error itself
    """The traceback from the worker process as text: the cause of the exception that is raised here."""

    def __str__(self) -> str:
        return f"in the worker process:\n{self.args[0]}"


def _data(value: Any) -> Any:
    match value:
        case None | bool() | float() | str():
            return value
        case Enum():
            return {"enum": _reference(type(value)), "name": value.name}
        case int():
            return {"int": format(value, "x")}
        case sp.MatrixBase():
            is_mutable = isinstance(value, sp.MutableDenseMatrix)
            return {"matrix": _nodes([*value]), "shape": list(value.shape), "mutable": is_mutable}
        case sp.Basic():
            return {"expression": _nodes([value])}
        case tuple() | list() if type(value) in (tuple, list):
            return {type(value).__name__: [_data(item) for item in value]}
        case dict():
            return {"dict": [[_data(key), _data(item)] for key, item in value.items()]}
        case _ if is_dataclass(value) and _is_known(type(value)):
            return {"object": _reference(type(value)), "fields": [_data(getattr(value, f.name)) for f in fields(value)]}
    return _no(value)


def _value(data: Any) -> Any:
    match data:
        case {"int": digits}:
            return int(digits, 16)
        case {"enum": reference, "name": name}:
            return _referred(reference)[name]
        case {"matrix": nodes, "shape": shape, "mutable": is_mutable}:
            return (sp.MutableDenseMatrix if is_mutable else sp.ImmutableDenseMatrix)(*shape, _expressions(nodes))
        case {"expression": nodes}:
            return _expressions(nodes)[0]
        case {"tuple": items}:
            return tuple(_value(item) for item in items)
        case {"list": items}:
            return [_value(item) for item in items]
        case {"dict": items}:
            return {_value(key): _value(item) for key, item in items}
        case {"object": reference, "fields": values}:
            kind = _referred(reference)
            made = kind.__new__(kind)
            for field, item in zip(fields(kind), values, strict=True):
                object.__setattr__(made, field.name, _value(item))
            return made
    return data


def _nodes(expressions: Sequence[sp.Basic]) -> list[list]:
    """The distinct nodes of some expressions; each comes after its arguments and refers to them by position.

    The last entry holds the positions of the expressions themselves.
    """
    places: dict[tuple[type, sp.Basic], int] = {}
    nodes: list[list] = []

    def place(expression: sp.Basic) -> int:
        waiting = [expression]  # no recursion: formulas of users may be nested deeply
        while waiting:
            node = waiting[-1]
            key = type(node), node  # with its type, as some numbers of different types are equal
            missing = [] if key in places or _leaf(node) else [a for a in node.args if (type(a), a) not in places]
            if missing:
                waiting += missing
                continue
            waiting.pop()
            if key not in places:
                places[key] = len(nodes)
                nodes.append(_leaf(node) or [_class_name(node), *(places[type(a), a] for a in node.args)])
        return places[type(expression), expression]

    wanted = [place(expression) for expression in expressions]
    return [*nodes, wanted]


def _leaf(node: sp.Basic) -> list | None:
    match node:
        case sp.Dummy():
            return ["Dummy", node.name, node.dummy_index, node.assumptions0]
        case sp.Symbol() if type(node) in _SYMBOLS.values():
            return [type(node).__name__, node.name, node.assumptions0]
        case sp.Rational():
            return ["Rational", format(int(node.p), "x"), format(int(node.q), "x")]
        case sp.Float():
            sign, digits, exponent, bits = node._mpf_
            return ["Float", sign, format(int(digits), "x"), int(exponent), bits, node._prec]
    name = _SINGLE_NAMES.get((type(node), node))  # its type, too: ℝ equals the interval from −∞ to ∞
    return None if name is None else ["single", name]


def _class_name(node: sp.Basic) -> str:
    name = type(node).__name__
    return name if node.args and _CLASSES.get(name) is type(node) else _no(node)


def _expressions(nodes: list[list]) -> list[sp.Basic]:
    *inner, wanted = nodes
    made: list[sp.Basic] = []
    for kind, *entry in inner:
        made.append(_made(kind, entry, made))
    return [made[place] for place in wanted]


def _made(kind: str, entry: list, made: list[sp.Basic]) -> Any:
    match kind, entry:
        case "Dummy", [name, index, assumptions]:
            return sp.Dummy(name, dummy_index=index, **assumptions)
        case _, [name, assumptions] if kind in _SYMBOLS:
            return _SYMBOLS[kind](name, **assumptions)
        case "Rational", [p, q]:
            return sp.Rational(int(p, 16), int(q, 16))
        case "Float", [sign, digits, exponent, bits, precision]:
            return sp.Float((sign, int(digits, 16), exponent, bits), precision=precision)
        case "single", [name]:
            return _SINGLE[name]
    chosen, arguments = _CLASSES[kind], [made[place] for place in entry]
    if issubclass(chosen, (sp.Add, sp.Mul)):
        return chosen._from_args(arguments)
    if issubclass(chosen, sp.Interval):  # whose constructor asks for the signs of its ends
        return sp.Basic.__new__(chosen, *arguments)
    if issubclass(chosen, _UNEVALUATED):
        return chosen(*arguments, evaluate=False)
    return chosen(*arguments)


def _reference(kind: type) -> str:
    return f"{kind.__module__}:{kind.__qualname__}"


def _referred(reference: str) -> Any:
    module, name = reference.split(":")
    found = getattr(builtins if module == "builtins" else importlib.import_module(module), name)
    if not _is_known(found):
        raise UnencodableError(f"{reference} is not a class that results may hold.")
    return found


def _is_known(kind: type) -> bool:
    """Whether results may hold objects of a class: Python's exceptions, and our dataclasses, enums and exceptions."""
    if issubclass(kind, Exception) and kind.__module__ == "builtins":
        return True
    return kind.__module__.startswith(OWN) and (is_dataclass(kind) or issubclass(kind, (Enum, Exception)))


def _no(value: object) -> Any:
    raise UnencodableError(f"{str(value)[:80]} ({type(value).__name__}) has no form as data.")
