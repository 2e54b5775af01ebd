r"""Closed forms: solving the flows of a parameterization and inverting x(s), with every step checked as an identity."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from functools import cached_property

import sympy as sp

from implicit_bias.errors import UnsupportedError
from implicit_bias.symbolic.assumptions import DECAY, ResultNames, X, Z, initial, real
from implicit_bias.symbolic.by_balance import by_balance
from implicit_bias.symbolic.by_flow import along_the_flow, by_inversion, by_sine, curve_alone
from implicit_bias.symbolic.by_metric import by_metric
from implicit_bias.symbolic.by_powers import by_powers, has_powers_of_constants
from implicit_bias.symbolic.candidate import STEP_TIME_SHARE, Candidate
from implicit_bias.symbolic.commuting import CommutingReport, gradient, lie_bracket, lie_bracket_report
from implicit_bias.symbolic.dynamics import steepest_field
from implicit_bias.symbolic.identities import Identity, checked
from implicit_bias.symbolic.joint_flow import joint_flow
from implicit_bias.symbolic.leading_terms import LeadingTerm, large_scale, small_scale
from implicit_bias.symbolic.real_roots import radicands
from implicit_bias.symbolic.sympy_call import sympy_call
from implicit_bias.symbolic.time_limit import Deadline

_ONLY_REAL = "The formulas are real only where {} is not negative; from other starts .at(init) integrates the flow."
_CURVE_ALONE = (
    "The weight along the flow, x(s), has a formula and rises, so its inverse ∇R exists, and R with it; only formulas "
    "for them were not found. The identities say what is proved of x(s)."
)


@dataclass(frozen=True, kw_only=True)
class ClosedForm:
    """The formulas of a derivation, in plain symbols; what was not found is None.

    Attributes:
        potential: R_A(x), up to a constant.
        mirror_map: R_A'(x).
        inverse_mirror_map: x(s), the x with R_A'(x) = z, in ``z``.
        conjugate: R_A*(z), in ``z``.
        metric: 1/R_A''(x), the factor by which the flow of x preconditions the gradient.
        scale: The scale a at which the potential passes from L2 to L1, where x(s) is a hyperbolic sine.
        log_scale: log a, split into logarithms that stay finite where a underflows.
        shift: The asymmetry b of the mirror map, zero for a start at x = 0.
        rate: r of x(s) = a·sinh(r s + b).
        minimizer: argmin R_A, the weight that decay alone would lead to.
        domain: The open interval of x that the flow can reach after the decay A.
        dual_domain: The open interval of s = −∫f' dt on which the flow exists after the decay A.
        conditions: Expressions in the initial values that must be positive.
        dual_rate: κ, the rate at which decay contracts R_A'(x); 0 for gradient flow.
        identities: Every equation the derivation rests on, with how it was established.
        notes: Why formulas are missing, if any are.
    """

    potential: sp.Expr | None = None
    mirror_map: sp.Expr | None = None
    inverse_mirror_map: sp.Expr | None = None
    conjugate: sp.Expr | None = None
    metric: sp.Expr | None = None
    scale: sp.Expr | None = None
    log_scale: sp.Expr | None = None
    shift: sp.Expr | None = None
    rate: sp.Expr | None = None
    minimizer: sp.Expr | None = None
    domain: sp.Set | None = None
    dual_domain: sp.Set | None = None
    conditions: tuple[sp.Expr, ...] = ()
    dual_rate: sp.Expr = sp.S.Zero
    identities: tuple[Identity, ...] = field(default=(), repr=False)
    notes: tuple[str, ...] = ()

    @cached_property
    def small_scale(self) -> LeadingTerm | None:
        """R_A(x) − R_A(0) from x = 0 to leading order as ``a`` goes to 0; None unless the rate is a number."""
        return None if self.rate is None or not self.rate.is_number else small_scale(self.rate)

    @cached_property
    def large_scale(self) -> LeadingTerm | None:
        """The same as the scale goes to infinity."""
        return None if self.rate is None or not self.rate.is_number else large_scale(self.rate)

    def replaced(self, values: Mapping[sp.Symbol, sp.Expr]) -> ClosedForm | None:
        """The formulas with numbers in place of constants and other names for symbols; None if one has no value."""
        found = {f.name: getattr(self, f.name) for f in fields(self)}
        known = {name: value.xreplace(values) for name, value in found.items() if isinstance(value, sp.Basic)}
        if any(value.has(sp.nan, sp.zoo) for value in known.values()):
            return None
        identities = tuple(replace(one, residual=one.residual.xreplace(values)) for one in self.identities)
        conditions = tuple(condition.xreplace(values) for condition in self.conditions)
        return replace(self, **known, conditions=conditions, identities=identities)


def derived_forms(
    g: sp.Expr,
    h: sp.Expr,
    symbols: tuple[sp.Symbol, ...],
    names: ResultNames,
    seconds: float,
    exponent: sp.Expr | None = None,
) -> Iterator[CommutingReport | ClosedForm]:
    """Yield the report on [∇g, ∇h] and, if they commute, the closed form as far as it is found.

    Under steepest descent, which has an exponent q, the first field is sgn(∇g)|∇g|^(q − 1), and the bracket may be a
    multiple of it.
    """
    deadline = Deadline(seconds)
    if exponent is not None:
        yield from _of_steepest_descent(g, h, symbols, names, exponent, deadline)
        return
    commuting = lie_bracket_report(
        ("g", "h"), gradient(g, symbols), gradient(h, symbols), symbols, proof_time=deadline.remaining / 3
    )
    yield commuting
    if commuting.holds:
        try:
            yield closed_form(g, h, symbols, names, commuting, deadline)
        except UnsupportedError as error:
            yield ClosedForm(notes=tuple(map(str, error.args)))


def _of_steepest_descent(
    g: sp.Expr,
    h: sp.Expr,
    symbols: tuple[sp.Symbol, ...],
    names: ResultNames,
    exponent: sp.Expr,
    deadline: Deadline,
) -> Iterator[CommutingReport | ClosedForm]:
    curve, pull = steepest_field(gradient(g, symbols), exponent), gradient(h, symbols)
    rate = _dual_rate(curve, pull, symbols)
    commuting = lie_bracket_report(("g", "h"), curve, pull, symbols, proof_time=deadline.remaining / 3, multiple=rate)
    yield commuting
    if commuting.holds:
        try:
            found = closed_form(g, h, symbols, names, commuting, deadline, exponent)
        except UnsupportedError as error:
            found = ClosedForm(notes=tuple(map(str, error.args)))
        yield replace(found, dual_rate=rate)


def _dual_rate(curve: sp.Matrix, pull: sp.Matrix, symbols: tuple[sp.Symbol, ...]) -> sp.Expr:
    """The κ for which [curve, ∇h] may be κ times the curve, from positive parameters; 0 if there is none."""
    positive = {symbol: sp.Symbol(symbol.name, positive=True) for symbol in symbols}
    known = list(positive.values())
    along = curve.xreplace(positive)
    bracket = lie_bracket(along, pull.xreplace(positive), known)
    for component, moved in zip(along, bracket, strict=True):
        ratio = sympy_call(sp.simplify, moved / component) if component != 0 else sp.nan
        if ratio.is_finite and not ratio.has(*known):
            return ratio
    return sp.Integer(0)


def exponential_rate(curve: sp.Expr, dual: sp.Symbol) -> float | None:
    """The r of x(s) = x(0)·e^(r s), or None if the curve is no such exponential."""
    rate = sympy_call(sp.simplify, sp.diff(curve, dual) / curve)
    return float(rate) if rate.is_number else None


def warm_up() -> None:
    """Derive the best-known potential, which makes SymPy load its modules and fill its caches."""
    m, w = sp.symbols("m w")
    list(derived_forms(m * w, m**2 + w**2, (m, w), ResultNames(), math.inf))


def closed_form(
    output: sp.Expr,
    h: sp.Expr,
    params: tuple[sp.Symbol, ...],
    names: ResultNames,
    commuting: CommutingReport,
    deadline: Deadline,
    exponent: sp.Expr | None = None,
) -> ClosedForm:
    """Solve the flows of ∇g and −∇h, invert x(s) and check every identity.

    Args:
        output: g in plain symbols and constants.
        h: The regularizer likewise, 0 for none.
        params: The parameters.
        names: What the symbols of the result are called.
        commuting: The report on [∇g, ∇h].
        deadline: When SymPy must be done.
        exponent: q of steepest descent; None for gradient flow.

    Raises:
        UnsupportedError: If no formula is found in time, or one fails its own checks.
    """
    positive = _declared_positive(output)
    symbols = [sp.Symbol(s.name, positive=True) if s in positive else real(s) for s in params]
    declared = dict(zip(params, symbols, strict=True))
    g, penalty = output.xreplace(declared), h.xreplace(declared)
    if exponent is None:
        found, notes = _first_found(g, penalty, symbols, deadline)
    else:
        found = by_balance(g, penalty, symbols, exponent)
        notes = () if "potential" in found.formulas else (f"∫ 1/metric dx has no formula here for q = {exponent}.",)
    conditions = tuple(dict.fromkeys((*found.conditions, *(initial(s) for s in symbols if s.is_positive))))
    start = g.xreplace({s: initial(s) for s in symbols})
    origin = {X: start, Z: sp.Integer(0), DECAY: sp.Integer(0)}
    identities = checked(found.statements, (*conditions, *found.region), deadline, origin)
    claimed = ("∇g and ∇h commute", r"[\nabla g,\nabla h]=0")
    if exponent is not None:
        claimed = ("decay rescales the curve's time", r"[\theta',\nabla h]=\kappa\,\theta'")
    fields_commute = Identity(*claimed, sp.Add(*commuting.bracket), commuting.outcome)
    plain = names.plain
    return ClosedForm(
        **{name: plain(value) if isinstance(value, sp.Basic) else value for name, value in found.formulas.items()},
        conditions=tuple(plain(c) for c in conditions),
        identities=(fields_commute, *(replace(one, residual=plain(one.residual)) for one in identities)),
        notes=(*notes, *(_ONLY_REAL.format(plain(radicand)) for radicand in _sometimes_negative(found, origin))),
    )


def _sometimes_negative(found: Candidate, origin: Mapping[sp.Symbol, sp.Expr]) -> list[sp.Expr]:
    """The radicands of R that may be negative at the start, from where its formula is complex."""
    if "potential" not in found.formulas:
        return []
    return [each for each, value in radicands(found.formulas["potential"], origin).items() if not value.is_nonnegative]


def _declared_positive(output: sp.Expr) -> set[sp.Symbol]:
    """The parameters that g takes logarithms or roots of, which must be positive for g to be real."""
    inside = [log.args[0] for log in output.atoms(sp.log)]
    inside += [power.base for power in output.atoms(sp.Pow) if power.exp.is_Rational and not power.exp.is_integer]
    return {argument for argument in inside if argument.is_Symbol}


def _first_found(
    g: sp.Expr, h: sp.Expr, symbols: list[sp.Symbol], deadline: Deadline
) -> tuple[Candidate, tuple[str, ...]]:
    """The first candidate with a potential, else x(s) alone, and why the other routes failed."""
    notes: list[str] = []
    if has_powers_of_constants(g):
        try:
            return by_powers(g, h, symbols)
        except UnsupportedError as error:
            notes.append(str(error))
    try:
        return by_metric(g, h, symbols, deadline), ()
    except UnsupportedError as error:
        notes.append(str(error))
    try:
        flow = deadline.run("Solving the flows of ∇g and ∇h", joint_flow, g, h, symbols, share=STEP_TIME_SHARE)
        moved = along_the_flow(flow, g, h, deadline)
        for invert_curve in (by_sine, by_inversion):
            try:
                return invert_curve(flow, g, moved, deadline), ()
            except UnsupportedError as error:
                notes.append(str(error))
        return curve_alone(flow, g, moved, deadline), (_CURVE_ALONE, *notes)
    except UnsupportedError as error:
        raise UnsupportedError(*notes, str(error)) from None  # each is a note of its own
