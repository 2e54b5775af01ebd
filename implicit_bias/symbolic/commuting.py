r"""Lie brackets of gradient fields.

The fields :math:`\nabla g` and :math:`\nabla h` commute when their bracket
:math:`[\nabla g, \nabla h] = \nabla^2 h\,\nabla g - \nabla^2 g\,\nabla h` vanishes. Commuting fields are what makes a
gradient flow a mirror flow [Li2022]_, also with a regularizer [Jacobs2025]_.

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

from implicit_bias.errors import UnsupportedError
from implicit_bias.symbolic.assumptions import plain, real
from implicit_bias.symbolic.zero_test import vanishes
from implicit_bias.verdict import Outcome

_TIDY_OPERATIONS = 100


@dataclass(frozen=True)
class CommutingReport:
    """Whether two vector fields commute, with the evidence. It is true exactly when they do.

    Attributes:
        fields: The names of the two functions whose gradients were compared.
        bracket: Their Lie bracket, one component per parameter.
        outcome: PROVED or SUPPORTED if the bracket vanishes, REFUTED if not, INCONCLUSIVE if it could not be evaluated.
        witness: Parameter values at which the bracket is not zero, else None.
    """

    fields: tuple[str, str]
    bracket: sp.Matrix
    outcome: Outcome
    witness: dict[str, float] | None = None

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

    def _repr_html_(self) -> str:
        from implicit_bias.display.commuting import html

        return html(self)

    def __str__(self) -> str:
        pair = f"[∇{self.fields[0]}, ∇{self.fields[1]}]"
        if self.holds:
            return f"{pair} = 0 ({self.outcome.value})"
        if self.witness is None:
            return f"{pair} could not be decided"
        where = ", ".join(f"{name}={value:g}" for name, value in self.witness.items())
        values = self.bracket.subs(self.witness)
        return f"{pair} = {tuple(self.bracket)}, which is {tuple(float(v) for v in values)} at {where}"


def gradient(formula: sp.Expr, symbols: Sequence[sp.Symbol]) -> sp.Matrix:
    """The column of partial derivatives of a formula in plain symbols.

    Raises:
        UnsupportedError: If a derivative is none in real functions, as that of |atanh(u)|.
    """
    declared = real(formula)  # the derivative of abs exists for real symbols only
    found = sp.Matrix([_without_null_masses(sp.diff(declared, real(s))) for s in symbols])
    if found.has(sp.Derivative, sp.re, sp.im):
        raise UnsupportedError(
            f"SymPy finds no real gradient of {str(formula)[:80]}, as there is an absolute value or sign of what is "
            "not real everywhere; write it without."
        )
    return plain(found)


def _without_null_masses(slope: sp.Expr) -> sp.Basic:
    """A derivative without point masses of weight zero, such as |u| δ(u), which that of |u| sign(u) brings.

    Others stay: there the formula jumps, and has no gradient flow.
    """
    null = {}
    for mass in slope.atoms(sp.DiracDelta):
        where = mass.args[0]
        weight = sp.expand(slope).coeff(mass)
        if where.is_Symbol and weight.xreplace({where: sp.Integer(0)}).is_zero:
            null[mass] = sp.Integer(0)
    return slope.xreplace(null)


def first_failure(pairs: Sequence[tuple[str, str, sp.Expr, sp.Expr]], symbols: Sequence[sp.Symbol]) -> CommutingReport:
    """The report on the first of some pairs of functions, with their names, whose gradients do not commute.

    If all do, that on the first for which it is not proved, or on the first of all.
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
    return second.jacobian(symbols) * first - first.jacobian(symbols) * second


def lie_bracket_report(
    names: tuple[str, str],
    first: sp.Matrix,
    second: sp.Matrix,
    symbols: Sequence[sp.Symbol],
    proof_time: float = math.inf,
) -> CommutingReport:
    """Compute the bracket of two fields and decide whether it vanishes.

    Args:
        names: What the fields are the gradients of.
        first: The first field, a column.
        second: The second field.
        symbols: The parameters.
        proof_time: Seconds for SymPy to simplify one component to zero; after that, numbers alone decide.
    """
    bracket = lie_bracket(real(first), real(second), [real(s) for s in symbols]).applyfunc(sp.factor_terms)
    tests = [vanishes(component, proof_time=proof_time) for component in bracket]
    bracket = sp.ImmutableMatrix(plain(bracket))
    for test in tests:
        if test.witness is not None:
            given = {s.name: float(v) for s, v in test.witness.items()}
            witness = {s.name: given.get(s.name, 1.0) for s in symbols}
            return CommutingReport(names, bracket.applyfunc(_tidy), Outcome.REFUTED, witness)
    if any(test.outcome is Outcome.INCONCLUSIVE for test in tests):
        return CommutingReport(names, bracket, Outcome.INCONCLUSIVE)
    if all(test.outcome is Outcome.PROVED for test in tests):
        return CommutingReport(names, sp.ImmutableMatrix.zeros(len(symbols), 1), Outcome.PROVED)
    return CommutingReport(names, bracket, Outcome.SUPPORTED)


def _tidy(component: sp.Expr) -> sp.Expr:
    """A polynomial factored; anything else as it is, since simplifying it may take minutes."""
    plain_polynomial = component.is_polynomial() and not component.has(sp.Function)
    small = plain_polynomial and sp.count_ops(component) < _TIDY_OPERATIONS
    return sp.factor(component) if small else component
