"""Calls of SymPy's algorithms, which fail on what they do not cover with nearly any exception."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import sympy as sp

from implicit_bias.errors import UnsupportedError

_FAILURES = (ArithmeticError, AttributeError, LookupError, RuntimeError, TypeError, ValueError, sp.PolynomialError)


def sympy_call(algorithm: Callable[..., Any], *arguments: object, **options: object) -> Any:
    """Return what an algorithm of SymPy does.

    Call only algorithms of SymPy's through it, never a function of ours: an error there is our bug.

    Raises:
        UnsupportedError: If the algorithm fails.
    """
    try:
        return algorithm(*arguments, **options)
    except _FAILURES as error:
        name = getattr(algorithm, "__name__", str(algorithm))
        raise UnsupportedError(f"SymPy's {name} fails, with {type(error).__name__}: {str(error)[:80]}.") from error
