"""Fields of objects that were read from JSON, checked before anything is made of them; without SymPy."""

from __future__ import annotations

from types import UnionType
from typing import Any

from implicit_bias.errors import InputError


def saved_field(saved: object, name: str, kind: type | UnionType, default: object = ...) -> Any:
    """A field of an object that was read from JSON; with a default it may be missing or null.

    Raises:
        InputError: If it is missing or of another type.
    """
    if not isinstance(saved, dict) or (name not in saved and default is ...):
        raise InputError(f"{name!r} is missing.")
    value = saved.get(name)
    if value is None and default is not ...:
        return default
    if not isinstance(value, kind):
        raise InputError(f"{name!r} is of type {type(value).__name__}, expected {_expected(kind)}.")
    return value


def _expected(kind: type | UnionType) -> str:
    names = {"dict": "object", "str": "text", "float": "number", "int": "whole number", "bool": "true or false"}
    if isinstance(kind, UnionType):
        return "number"
    return names.get(kind.__name__, kind.__name__)
