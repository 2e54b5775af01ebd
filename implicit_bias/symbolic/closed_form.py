r"""Closed forms: solving the flows of a parameterization and inverting x(s), with every step checked as an identity."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import sympy as sp

from implicit_bias.errors import UnsupportedError
from implicit_bias.symbolic.assumptions import DECAY, X, Z, initial, plain, real
from implicit_bias.symbolic.commuting import CommutingReport
from implicit_bias.symbolic.flows import solve_flow
from implicit_bias.symbolic.identities import Identity, Statement, checked
from implicit_bias.symbolic.inversion import invert
from implicit_bias.symbolic.leading_terms import LeadingTerm, large_scale, small_scale
from implicit_bias.symbolic.ranges import bases, covered, intervals
from implicit_bias.symbolic.separation import real_logarithms
from implicit_bias.symbolic.sine_formulas import SineFormulas
from implicit_bias.symbolic.solving import solutions
from implicit_bias.symbolic.time_limit import Deadline
from implicit_bias.symbolic.zero_test import vanishes

_LARGE_SHARE = 0.5  # of the time that is left, for a step that others can replace
_SHARE = 0.25  # of the time that is left, for what only makes a formula shorter or may well lead nowhere


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
    identities: tuple[Identity, ...] = field(default=(), repr=False)
    notes: tuple[str, ...] = ()

    @cached_property
    def small_scale(self) -> LeadingTerm | None:
        """R_A(x) − R_A(0) for a start at x = 0 to leading order as the scale ``a`` goes to 0; None without a scale."""
        return None if self.rate is None else small_scale(self.rate)

    @cached_property
    def large_scale(self) -> LeadingTerm | None:
        """The same as the scale goes to infinity."""
        return None if self.rate is None else large_scale(self.rate)


@dataclass(frozen=True)
class _Found:
    """What one way of inverting x(s) has led to, and what must be checked of it."""

    formulas: dict[str, object]
    conditions: tuple[sp.Expr, ...]
    statements: list[Statement]
    region: tuple[sp.Expr, ...] = ()


def closed_form(
    output: sp.Expr, h: sp.Expr, params: tuple[sp.Symbol, ...], commuting: CommutingReport, deadline: Deadline
) -> ClosedForm:
    """Solve the flows of ∇g and −∇h, invert x(s) and check every identity.

    Args:
        output: g in plain symbols.
        h: The regularizer in plain symbols, 0 for none.
        params: The parameters.
        commuting: The report on [∇g, ∇h].
        deadline: When SymPy must be done.

    Raises:
        UnsupportedError: If no formula is found in time, or one fails its own checks.
    """
    positive = _declared_positive(output)
    symbols = [sp.Symbol(s.name, positive=True) if s in positive else real(s) for s in params]
    declared = dict(zip(params, symbols, strict=True))
    g, penalty = output.xreplace(declared), h.xreplace(declared)
    found, notes = _first_found(g, penalty, symbols, deadline)
    conditions = tuple(dict.fromkeys((*found.conditions, *(initial(s) for s in symbols if s.is_positive))))
    identities = checked(found.statements, (*conditions, *found.region), deadline)
    fields_commute = Identity(
        "∇g and ∇h commute", r"[\nabla g,\nabla h]=0", sp.Add(*commuting.bracket), commuting.outcome
    )
    return ClosedForm(
        **{name: plain(value) if isinstance(value, sp.Basic) else value for name, value in found.formulas.items()},
        conditions=tuple(plain(c) for c in conditions),
        identities=(fields_commute, *identities),
        notes=notes,
    )


def _declared_positive(output: sp.Expr) -> set[sp.Symbol]:
    """The parameters that g takes logarithms or roots of, which must be positive for g to be real."""
    inside = [log.args[0] for log in output.atoms(sp.log)]
    inside += [power.base for power in output.atoms(sp.Pow) if power.exp.is_Rational and not power.exp.is_integer]
    return {argument for argument in inside if argument.is_Symbol}


def _first_found(
    g: sp.Expr, h: sp.Expr, symbols: list[sp.Symbol], deadline: Deadline
) -> tuple[_Found, tuple[str, ...]]:
    """The first way that leads to a potential, else x(s) alone, and why the others did not."""
    notes: list[str] = []
    curve: _Found | None = None
    try:
        return _by_metric(g, h, symbols, deadline), ()
    except UnsupportedError as error:
        notes.append(str(error))
    try:
        flow = deadline.run("Solving the flows of ∇g and ∇h", _joint_flow, g, h, symbols, share=_LARGE_SHARE)
        moved = _along_the_flow(flow, g, h, deadline)
        for invert_curve in (_sine, _inverted):
            try:
                return invert_curve(flow, g, moved, deadline), ()
            except UnsupportedError as error:
                notes.append(str(error))
        ends = deadline.run(
            "Finding the range of x(s)", intervals, flow.theta, moved.formulas["inverse_mirror_map"], symbols, Z
        )
        curve = replace(moved, formulas=moved.formulas | _as_domains(ends))
    except UnsupportedError as error:
        notes.append(str(error))
    if curve is None:
        raise UnsupportedError(" ".join(notes))
    return curve, tuple(notes)


def _along_the_flow(flow: _JointFlow, g: sp.Expr, h: sp.Expr, deadline: Deadline) -> _Found:
    """x(s; A) and where it starts."""
    if not flow.theta.has(Z):
        raise UnsupportedError("The flow of ∇g does not move.")
    curve = flow.along(g)
    minimizer = sp.factor_terms(_shorter(curve.xreplace({Z: sp.Integer(0)}), deadline))
    gradients = [sp.Matrix([sp.diff(function, s) for s in flow.symbols]) for function in (g, h)]
    start = sp.Matrix([initial(s) for s in flow.symbols])
    origin = dict.fromkeys((Z, DECAY), sp.Integer(0))
    statements = [
        Statement("the flow starts at θ₀", r"\theta(0,0)=\theta_0", list(flow.theta.xreplace(origin) - start)),
        Statement(
            "θ follows ∇g in s",
            r"\partial_s\theta=\nabla g(\theta)",
            list(flow.theta.diff(Z) - flow.along(gradients[0])),
        ),
        Statement(
            "θ follows −∇h in A",
            r"\partial_A\theta=-\nabla h(\theta)",
            list(flow.theta.diff(DECAY) + flow.along(gradients[1])),
        ),
    ]
    return _Found({"inverse_mirror_map": curve, "minimizer": minimizer}, (), statements, _region(flow))


def _sine(flow: _JointFlow, g: sp.Expr, moved: _Found, deadline: Deadline) -> _Found:
    """The formulas where x(s) = a·sinh(r s + b)."""
    curve, minimizer = moved.formulas["inverse_mirror_map"], moved.formulas["minimizer"]
    form = deadline.run("Recognizing a hyperbolic sine", invert, curve, Z, share=_SHARE)
    formulas = SineFormulas.of(form.rate)
    instance = {formulas.scale: form.scale, formulas.shift: form.shift}
    metric = formulas.metric.xreplace(instance)
    # Most hold for every a > 0 and b, so they are checked before the initial values are put in.
    statements = [
        *moved.statements,
        Statement("∇R* is x(s)", r"\nabla R_A^*(s)=X(s)", [formulas.inverse_mirror_map.xreplace(instance) - curve]),
        *_duality(formulas.potential, formulas.mirror_map, formulas.inverse_mirror_map, formulas.conjugate),
        # Both sides are positive, so their squares decide; the squares have no root to simplify.
        Statement(
            "the metric is ‖∇g‖²",
            r"(1/R_A''(X))^2=\|\nabla g(\theta)\|^4",
            [metric.xreplace({X: curve}) ** 2 - flow.along(_speed(g, flow.symbols)) ** 2],
        ),
        Statement("the minimizer has zero slope", r"R_A'(X(0))=0", [curve.xreplace({Z: sp.Integer(0)}) - minimizer]),
    ]
    found: dict[str, object] = {
        "potential": formulas.potential.xreplace(instance),
        "mirror_map": formulas.mirror_map.xreplace(instance),
        "inverse_mirror_map": formulas.inverse_mirror_map.xreplace(instance),
        "conjugate": formulas.conjugate.xreplace(instance),
        "metric": metric,
        "scale": form.scale,
        "log_scale": form.log_scale,
        "shift": form.shift,
        "rate": form.rate,
        "minimizer": minimizer,
        "domain": sp.S.Reals,
        "dual_domain": sp.S.Reals,
    }
    return _Found(found, form.conditions, statements)


def _inverted(flow: _JointFlow, g: sp.Expr, moved: _Found, deadline: Deadline) -> _Found:
    """The formulas where x(s) can be solved for s but has no scale and shift."""
    curve, minimizer = moved.formulas["inverse_mirror_map"], moved.formulas["minimizer"]
    conditions = _region(flow)
    mirror_map = deadline.run("Inverting x(s)", _inverse, curve, conditions)
    mirror_map = _shorter(mirror_map, deadline)
    conjugate = deadline.run("Integrating x(s)", sp.integrate, curve, Z)
    if conjugate.has(sp.Integral):
        raise UnsupportedError(f"SymPy finds no integral of {curve}.")
    conjugate = real_logarithms(conjugate, Z, sp.Integer(0))
    metric = _shorter(1 / sp.diff(mirror_map, X), deadline)
    potential = sp.expand(_shorter(X * mirror_map - conjugate.xreplace({Z: mirror_map}), deadline))
    ends = deadline.run("Finding the range of x(s)", intervals, flow.theta, curve, flow.symbols, Z)
    statements = [
        *moved.statements,
        *_duality(potential, mirror_map, curve, conjugate),
        Statement(
            "the metric is ‖∇g‖²",
            r"1/R_A''(X)=\|\nabla g(\theta)\|^2",
            [metric.xreplace({X: curve}) - flow.along(_speed(g, flow.symbols))],
        ),
        Statement("the minimizer has zero slope", r"R_A'(X(0))=0", [mirror_map.xreplace({X: minimizer})]),
    ]
    found: dict[str, object] = {
        "potential": potential,
        "mirror_map": mirror_map,
        "inverse_mirror_map": curve,
        "conjugate": conjugate,
        "metric": metric,
        "minimizer": minimizer,
        **_as_domains(ends),
    }
    return _Found(found, (), statements, conditions)


def _as_domains(ends: tuple[sp.Set, sp.Set] | None) -> dict[str, object]:
    return {} if ends is None else {"domain": ends[0], "dual_domain": ends[1]}


def _region(flow: _JointFlow) -> tuple[sp.Expr, ...]:
    """What is positive as long as the flow exists."""
    origin = dict.fromkeys((Z, DECAY), sp.Integer(0))
    return tuple(base * base.xreplace(origin) for base in bases(flow.theta, Z))


def _inverse(curve: sp.Expr, conditions: Sequence[sp.Expr]) -> sp.Expr:
    """The mirror map, s as a function of x: the branch on which s = 0 where the curve starts."""
    start = curve.xreplace({Z: sp.Integer(0)})
    for candidate in solutions(curve, Z, X):
        if vanishes(candidate.xreplace({X: start}), conditions, proof_time=0).holds:
            return candidate
    raise UnsupportedError(f"x(s) = {curve} is not solved for s: it mixes different functions of s.")


def _by_metric(g: sp.Expr, h: sp.Expr, symbols: list[sp.Symbol], deadline: Deadline) -> _Found:
    r"""The formulas of one parameter from the metric, :math:`R''(x) = 1/g'(\theta)^2` at :math:`\theta = g^{-1}(x)`.

    A commuting h has :math:`h' = c g'`, so that decay is a flow back: it adds :math:`cA` to the mirror map.
    """
    if len(symbols) > 1 or g.is_polynomial() or not _is_smooth(g):
        raise UnsupportedError("The metric is not known to be one function of x.")
    (symbol,) = symbols
    slope, start = sp.diff(g, symbol), g.xreplace({symbol: initial(symbol)})
    metric, potential, mirror_map = deadline.run(
        "Integrating the metric", _integrated_metric, g, h, symbol, share=_LARGE_SHARE
    )
    try:
        curve = deadline.run("Solving ∇R for x", _solved, mirror_map, start, share=_SHARE)
    except UnsupportedError:
        curve = None
    ends = deadline.run("Finding the range of x(s)", _range, g, symbol, mirror_map)
    origin = {X: start, DECAY: sp.Integer(0)}
    statements = [
        Statement("1/R″ is ‖∇g‖²", r"1/R_A''(g(\theta))=\|\nabla g(\theta)\|^2", [metric.xreplace({X: g}) - slope**2]),
        Statement("∇R is the slope of R", r"\partial_x R_A=R_A'", [sp.diff(potential, X) - mirror_map]),
        Statement("R″ is the slope of ∇R", r"\partial_x R_A'=R_A''", [sp.diff(mirror_map, X) - 1 / metric]),
        Statement(
            "decay moves ∇R as −∇h moves θ",
            r"\partial_A R_A'=\partial h/\partial g",
            [mirror_map.diff(DECAY) * slope - sp.diff(h, symbol)],
        ),
        Statement("the slope at the start is zero", r"R_0'(g(\theta_0))=0", [mirror_map.xreplace(origin)]),
    ]
    found: dict[str, object] = {
        "potential": potential,
        "mirror_map": mirror_map,
        "metric": metric,
        "domain": ends[0],
        "dual_domain": ends[1],
    }
    if curve is not None:
        found |= {"inverse_mirror_map": curve, "minimizer": curve.xreplace({Z: sp.Integer(0)})}
        statements.append(
            Statement("∇R* inverts ∇R", r"\nabla R_A^*(R_A'(x))=x", [curve.xreplace({Z: mirror_map}) - X])
        )
    elif not mirror_map.has(DECAY):
        found["minimizer"] = start
    return _Found(found, (), statements)


def _integrated_metric(g: sp.Expr, h: sp.Expr, symbol: sp.Symbol) -> tuple[sp.Expr, sp.Expr, sp.Expr]:
    """1/R'', R and R'."""
    start, slope = g.xreplace({symbol: initial(symbol)}), sp.diff(g, symbol)
    for branch in solutions(g, symbol, X):
        if not vanishes(branch.xreplace({X: g}) - symbol, proof_time=0).holds:
            continue
        metric = sp.factor_terms(sp.simplify(slope.xreplace({symbol: branch}) ** 2))
        clock = real_logarithms(sp.integrate(1 / metric, X), X, start)
        pull = sp.simplify(sp.diff(h, symbol) / slope)
        mirror_map = clock - sp.simplify(clock.xreplace({X: start})) + pull * DECAY
        potential = sp.integrate(sp.expand(mirror_map), X)
        if not potential.has(sp.Integral, sp.Piecewise):
            return metric, potential, mirror_map
    raise UnsupportedError(f"R'' = 1/g'² has no integral in closed form for g = {g}.")


def _range(g: sp.Expr, symbol: sp.Symbol, mirror_map: sp.Expr) -> tuple[sp.Set | None, sp.Set | None]:
    """The range of a monotone g, and of ∇R on it; nothing where g turns, as the range then depends on the start."""
    ends = [sp.limit(g, symbol, end) for end in (0 if symbol.is_positive else -sp.oo, sp.oo)]
    if not all(end.is_number and end.is_extended_real for end in ends) or _turns(sp.diff(g, symbol), symbol):
        return None, None
    domain = (min(ends), max(ends))
    dual = covered(mirror_map, domain, X)
    return sp.Interval.open(*domain), dual and sp.Interval.open(*dual)


def _turns(slope: sp.Expr, symbol: sp.Symbol) -> bool:
    """Whether a slope changes its sign or vanishes at one of many points between ±50."""
    half = [sp.Rational(k**3, 2500) for k in range(1, 51)]
    points = half if symbol.is_positive else [*half, sp.Integer(0), *(-point for point in half)]
    signs = {sp.sign(slope.xreplace({symbol: point}).evalf(30)) for point in points}
    return len(signs) > 1 or 0 in signs


def _solved(mirror_map: sp.Expr, start: sp.Expr) -> sp.Expr | None:
    """The inverse mirror map, where ∇R can be solved for x."""
    origin = dict.fromkeys((Z, DECAY), sp.Integer(0))
    for candidate in solutions(mirror_map, X, Z):
        if vanishes(candidate.xreplace(origin) - start, proof_time=0).holds:
            return candidate
    return None


def _is_smooth(g: sp.Expr) -> bool:
    """Whether g is smooth on the whole line, or for positive parameters where they are declared so."""
    powers = [p.base for p in g.atoms(sp.Pow) if not (p.exp.is_Integer and p.exp.is_positive) and p.base != sp.E]
    inside = [logarithm.args[0] for logarithm in g.atoms(sp.log)]
    kinks = g.has(sp.Abs, sp.sign, sp.tan, sp.asin, sp.acos, sp.acosh, sp.atanh)
    return not kinks and all(e.is_positive for e in (*powers, *inside))


def _speed(g: sp.Expr, symbols: list[sp.Symbol]) -> sp.Expr:
    return sp.Add(*(sp.diff(g, s) ** 2 for s in symbols))


def _duality(potential: sp.Expr, mirror_map: sp.Expr, inverse: sp.Expr, conjugate: sp.Expr) -> list[Statement]:
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


def _shorter(expression: sp.Expr, deadline: Deadline) -> sp.Expr:
    """The expression simplified, or as it is if that takes long."""
    try:
        return deadline.run("Simplifying", sp.simplify, expression, share=_SHARE)
    except UnsupportedError:
        return expression


@dataclass(frozen=True)
class _JointFlow:
    """θ(s, A): the flow of ∇g for time s after the flow of −∇h for time A, with s written z."""

    symbols: list[sp.Symbol]
    theta: sp.Matrix

    def along(self, expression):
        """A function (or column of functions) of θ, evaluated on the flow."""
        return expression.xreplace(dict(zip(self.symbols, self.theta, strict=True)))


def _joint_flow(g: sp.Expr, h: sp.Expr, symbols: list[sp.Symbol]) -> _JointFlow:
    by_loss = solve_flow(sp.Matrix([sp.diff(g, s) for s in symbols]), symbols, Z)
    theta = by_loss.as_mutable()
    # Where the fields are multiples of each other, decay is a flow back.
    pulls = [_multiple(h, g, symbol) for symbol in symbols]
    others = [k for k, pull in enumerate(pulls) if pull is None]
    for k, pull in enumerate(pulls):
        if pull is not None:
            theta[k] = sp.factor_terms(by_loss[k].xreplace({Z: Z - pull * DECAY}))
    if others:
        remaining = [symbols[k] for k in others]
        by_decay = solve_flow(sp.Matrix([-sp.diff(h, s) for s in remaining]), remaining, DECAY)
        start = {initial(s): value for s, value in zip(remaining, by_decay, strict=True)}
        for k in others:
            theta[k] = sp.expand(by_loss[k].xreplace(start))
    return _JointFlow(symbols, theta)


def _multiple(h: sp.Expr, g: sp.Expr, symbol: sp.Symbol) -> sp.Expr | None:
    """The constant c with ∂h = c ∂g for a parameter on its own, else None."""
    pull, slope = sp.diff(h, symbol), sp.diff(g, symbol)
    if slope == 0 or (pull.free_symbols | slope.free_symbols) - {symbol}:
        return None
    quotient = sp.simplify(pull / slope)
    return None if quotient.has(symbol) else quotient
