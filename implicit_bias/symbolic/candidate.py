r"""A candidate for a closed form, and what all routes to one share."""

from __future__ import annotations

from dataclasses import dataclass

import sympy as sp

from implicit_bias.errors import UnsupportedError
from implicit_bias.symbolic.assumptions import X, Z, slope
from implicit_bias.symbolic.identities import Statement
from implicit_bias.symbolic.sympy_call import sympy_call
from implicit_bias.symbolic.time_limit import Deadline

STEP_TIME_SHARE = 0.5  # of the time left, for a step that another route can do without
ATTEMPT_TIME_SHARE = 0.25  # of the time left, for a step that may well fail or only makes a formula shorter


@dataclass(frozen=True)
class Candidate:
    """The formulas that one route found, named as in a closed form, and the equations to check.

    Attributes:
        formulas: The formulas by name.
        conditions: Expressions in the initial values that must be positive for the formulas to hold.
        statements: Equations the formulas rest on.
        region: Further expressions that are positive wherever the equations are meant to hold.
    """

    formulas: dict[str, object]
    conditions: tuple[sp.Expr, ...]
    statements: list[Statement]
    region: tuple[sp.Expr, ...] = ()


def duality(potential: sp.Expr, mirror_map: sp.Expr, inverse: sp.Expr, conjugate: sp.Expr) -> list[Statement]:
    """The equations that make four formulas a pair of conjugate potentials."""
    return [
        Statement("∇R* inverts ∇R", r"\nabla R_A^*(R_A'(x))=x", [inverse.xreplace({Z: mirror_map}) - X]),
        Statement("∇R is the slope of R", r"\partial_x R_A=R_A'", [sp.diff(potential, X) - mirror_map]),
        Statement("∇R* is the slope of R*", r"\partial_z R_A^*=\nabla R_A^*", [sp.diff(conjugate, Z) - inverse]),
        Statement(
            "R and R* are conjugate",
            r"R_A(x)+R_A^*(R_A'(x))=x\,R_A'(x)",
            [potential + conjugate.xreplace({Z: mirror_map}) - X * mirror_map],
        ),
    ]


def speed(g: sp.Expr, symbols: list[sp.Symbol]) -> sp.Expr:
    """‖∇g‖²."""
    return sp.Add(*(slope(g, s) ** 2 for s in symbols))


def shorter(expression: sp.Expr, deadline: Deadline) -> sp.Expr:
    """The expression simplified, or as it is if that takes long."""
    try:
        return deadline.run("Simplifying", sympy_call, sp.simplify, expression, share=ATTEMPT_TIME_SHARE)
    except UnsupportedError:
        return expression
