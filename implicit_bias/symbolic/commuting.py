r"""Lie brackets of gradient fields.

The fields :math:`\nabla g` and :math:`\nabla h` commute when their bracket
:math:`[\nabla g, \nabla h] = \nabla^2 h\,\nabla g - \nabla^2 g\,\nabla h` vanishes. Commuting fields are what makes a
gradient flow a mirror flow [Li2022]_, also with a regularizer [Jacobs2025]_. A bracket that vanishes on both sides
of a level, such as g = 0 for :math:`|g|`, proves nothing about a flow that crosses it.

References:
    .. [Li2022] Li, Wang, Lee, Arora, "Implicit bias of gradient descent on reparametrized models: on equivalence to
       mirror descent", NeurIPS 2022.
    .. [Jacobs2025] Jacobs, Zhou, Burkholz, "Mirror, mirror of the flow: how does regularization shape implicit bias?",
       ICML 2025.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import sympy as sp

from implicit_bias.claims.verdict import Outcome
from implicit_bias.errors import UnsupportedError
from implicit_bias.shown import Shown
from implicit_bias.symbolic.assumptions import bare, constants_in, plain, real, slope
from implicit_bias.symbolic.smoothness import crossings, levels
from implicit_bias.symbolic.zero_test import vanishes

_MAX_OPERATIONS_TO_FACTOR = 100


@dataclass(frozen=True)
class CommutingReport(Shown):
    """Whether two vector fields commute, with the evidence. It is true exactly when they do.

    Attributes:
        fields: The names of the two functions whose gradients were compared.
        bracket: Their Lie bracket, one component per parameter.
        outcome: PROVED or SUPPORTED if the bracket vanishes, REFUTED if not, INCONCLUSIVE if it could not be evaluated.
        witness: Parameter values at which the bracket is not zero, else None.
        jumps: Whether, at the witness, one field jumps, ends or is not Lipschitz while the flow of the other goes
            through: the bracket does not exist there, and the flows do not commute across that point.
    """

    fields: tuple[str, str]
    bracket: sp.Matrix
    outcome: Outcome
    witness: dict[str, float] | None = None
    jumps: bool = False

    @property
    def holds(self) -> bool:
        """Whether the fields commute, as far as symbols or 50 digits can tell."""
        return self.outcome in (Outcome.PROVED, Outcome.SUPPORTED)

    @property
    def proved(self) -> bool:
        """Whether the answer rests on exact algebra alone."""
        return self.outcome is Outcome.PROVED

    def __bool__(self) -> bool:
        return self.holds

    def __repr__(self) -> str:
        return f"CommutingReport({self})"

    def __str__(self) -> str:
        pair = f"[∇{self.fields[0]}, ∇{self.fields[1]}]"
        if self.holds:
            return f"{pair} = 0 ({self.outcome.value})"
        if self.witness is None:
            return f"{pair} could not be decided"
        where = ", ".join(f"{name}={value:g}" for name, value in self.witness.items())
        if self.jumps:
            return (
                f"{pair} does not exist at {where}, where one field is not smooth and the flow of the other one "
                "goes through"
            )
        values = self.bracket.subs(self.witness)
        return f"{pair} = {tuple(self.bracket)}, which is {tuple(float(v) for v in values)} at {where}"


def gradient(formula: sp.Expr, symbols: Sequence[sp.Symbol]) -> sp.Matrix:
    """The column of partial derivatives of a formula in plain symbols.

    Raises:
        UnsupportedError: If SymPy finds no real derivative, as for |atanh(u)|.
    """
    declared = real(formula)  # the derivative of abs exists for real symbols only
    found = sp.Matrix([_without_null_masses(slope(declared, real(s))) for s in symbols])
    if found.has(sp.Derivative, sp.re, sp.im):
        raise UnsupportedError(
            f"SymPy finds no real gradient of {str(formula)[:80]}, as there is an absolute value or sign of what is "
            "not real everywhere; write it without."
        )
    return plain(found)


def _without_null_masses(derivative: sp.Expr) -> sp.Basic:
    """A derivative without point masses of weight zero, such as |u| δ(u) in that of |u| sign(u).

    Other point masses stay: the formula jumps there, and has no gradient flow.
    """
    null = {}
    for mass in derivative.atoms(sp.DiracDelta):
        where = mass.args[0]
        weight = sp.expand(derivative).coeff(mass)
        if where.is_Symbol and weight.xreplace({where: sp.Integer(0)}).is_zero:
            null[mass] = sp.Integer(0)
    return derivative.xreplace(null)


def first_failure(pairs: Sequence[tuple[str, str, sp.Expr, sp.Expr]], symbols: Sequence[sp.Symbol]) -> CommutingReport:
    """The report on the first of some named pairs of functions whose gradients do not commute.

    If all commute, it is the report on the first pair for which that is not proved, else on the first pair.
    """
    reports = []
    for first, second, g, h in pairs:
        report = lie_bracket_report((first, second), gradient(g, symbols), gradient(h, symbols), symbols)
        if not report.holds:
            return report
        reports.append(report)
    return next((report for report in reports if not report.proved), reports[0])


def lie_bracket(first: sp.Matrix, second: sp.Matrix, symbols: Sequence[sp.Symbol]) -> sp.Matrix:
    """The Lie bracket J_second·first − J_first·second of two vector fields given as columns."""
    return jacobian(second, symbols) * first - jacobian(first, symbols) * second


def jacobian(field: sp.Matrix, symbols: Sequence[sp.Symbol]) -> sp.Matrix:
    """The matrix of partial derivatives of a column, one row per component."""
    return sp.Matrix([[slope(component, symbol) for symbol in symbols] for component in field])


def lie_bracket_report(
    names: tuple[str, str],
    first: sp.Matrix,
    second: sp.Matrix,
    symbols: Sequence[sp.Symbol],
    proof_time: float = math.inf,
    *,
    multiple: sp.Expr | None = None,
) -> CommutingReport:
    """Compute the bracket of two fields and decide whether it vanishes, or is a multiple of the first field.

    Args:
        names: The functions whose gradients the fields are.
        first: The first field, a column.
        second: The second field.
        symbols: The parameters.
        proof_time: Seconds for SymPy to simplify one component to zero; after that, numbers alone decide.
        multiple: How many times the first field is taken from the bracket; None for not at all.
    """
    bracket = lie_bracket(real(first), real(second), [real(s) for s in symbols])
    if multiple is not None:
        bracket -= multiple * real(first)
    bracket = bracket.applyfunc(sp.factor_terms)
    smooth = bracket.replace(sp.DiracDelta, lambda *_: sp.Integer(0))  # levels are examined below
    tests = [vanishes(component, proof_time=proof_time) for component in smooth]
    bracket = sp.ImmutableMatrix(bare(bracket))
    for test in tests:
        if test.witness is not None:
            given = {s.name: float(v) for s, v in test.witness.items()}
            witness = {s.name: given.get(s.name, 1.0) for s in (*symbols, *constants_in(first, second))}
            return CommutingReport(names, bracket.applyfunc(_tidy), Outcome.REFUTED, witness)
    if any(test.outcome is Outcome.INCONCLUSIVE for test in tests):
        return CommutingReport(names, bracket, Outcome.INCONCLUSIVE)
    is_exact = all(test.outcome is Outcome.PROVED for test in tests)
    if not _are_multiples(first, second):
        for level in levels([*first, *second]):
            found = list(crossings(level, [first, second], symbols))
            # A flow carries along the field that it commutes with, so it passes no point where that is not smooth.
            jump = next((one for one, two in found if one.is_crossed_by(two) or two.is_crossed_by(one)), None)
            if jump is not None:
                witness = {s.name: value for s, value in jump.point.items()}
                return CommutingReport(names, bracket, Outcome.REFUTED, witness, jumps=True)
            # If the first field's flow never goes on through the level, nothing crosses; else numbers have decided.
            is_exact &= bool(found) and not any(one.is_passed for one, _ in found)
    if is_exact:
        return CommutingReport(names, sp.ImmutableMatrix.zeros(len(symbols), 1), Outcome.PROVED)
    return CommutingReport(names, sp.ImmutableMatrix(bare(smooth)), Outcome.SUPPORTED)


def _are_multiples(first: sp.Matrix, second: sp.Matrix) -> bool:
    """Whether the second field is a constant times the first, so that its flow is the same at another speed."""
    components = [(one, two) for one, two in zip(first, second, strict=True) if one != 0 or two != 0]
    if any(one == 0 for one, _ in components):
        return False
    factors = {sp.cancel(two / one) for one, two in components}
    return len(factors) <= 1 and all(factor.free_symbols <= {*constants_in(factor)} for factor in factors)


def _tidy(component: sp.Expr) -> sp.Expr:
    """A polynomial factored; anything else as it is, since simplifying it may take minutes."""
    plain_polynomial = component.is_polynomial() and not component.has(sp.Function)
    small = plain_polynomial and sp.count_ops(component) < _MAX_OPERATIONS_TO_FACTOR
    return sp.factor(component) if small else component
