r"""Closed forms: solving the flows of a parameterization and inverting x(s), with every step checked as an identity."""

from __future__ import annotations

from dataclasses import dataclass, field

import sympy as sp

from implicit_bias.errors import UnsupportedError
from implicit_bias.symbolic.assumptions import DECAY, X, Z, initial, plain, real
from implicit_bias.symbolic.commuting import CommutingReport
from implicit_bias.symbolic.flows import solve_flow
from implicit_bias.symbolic.inversion import SineForm, invert, invert_plain
from implicit_bias.symbolic.zero_test import vanishes
from implicit_bias.verdict import Outcome

MAX_PARAMETERS = 3  # with more, SymPy may simplify for minutes what takes a millisecond to integrate


@dataclass(frozen=True)
class Identity:
    """One equation that a derivation rests on.

    Attributes:
        name: What it says in words.
        equation: The equation in LaTeX.
        residual: Left side minus right side, before any simplification.
        outcome: PROVED if SymPy simplified the residual to zero, SUPPORTED if it vanishes to 50 digits at random
            points.
    """

    name: str
    equation: str
    residual: sp.Expr
    outcome: Outcome


@dataclass(frozen=True)
class ClosedForm:
    """The formulas of a derivation, in plain symbols; :class:`~implicit_bias.Derivation` says what each one is.

    Where only x(s) is known, and not its inverse, just ``inverse_mirror_map`` and ``minimizer`` are there.
    """

    inverse_mirror_map: sp.Expr
    minimizer: sp.Expr
    identities: tuple[Identity, ...] = field(repr=False)
    potential: sp.Expr | None = None
    mirror_map: sp.Expr | None = None
    conjugate: sp.Expr | None = None
    metric: sp.Expr | None = None
    scale: sp.Expr | None = None
    log_scale: sp.Expr | None = None
    shift: sp.Expr | None = None
    rate: sp.Expr | None = None
    domain: sp.Set | None = None
    conditions: tuple[sp.Expr, ...] = ()


def closed_form(output: sp.Expr, h: sp.Expr, params: tuple[sp.Symbol, ...], commuting: CommutingReport) -> ClosedForm:
    """Solve the flows of ∇g and −∇h, invert x(s) and check every identity.

    Args:
        output: g in plain symbols.
        h: The regularizer in plain symbols, 0 for none.
        params: The parameters.
        commuting: The report on [∇g, ∇h].

    Raises:
        UnsupportedError: If the flows have no closed form, or one fails its own checks.
    """
    if len(params) > MAX_PARAMETERS:
        raise UnsupportedError(f"Closed forms are tried for at most {MAX_PARAMETERS} parameters, got {len(params)}.")
    positive = _declared_positive(output)
    symbols = [sp.Symbol(s.name, positive=True) if s in positive else real(s) for s in params]
    declared = dict(zip(params, symbols, strict=True))
    g, penalty = output.xreplace(declared), h.xreplace(declared)
    flow = _joint_flow(g, penalty, symbols)
    curve = flow.along(g)
    if not (flow.theta.free_symbols & {Z}):
        raise UnsupportedError("The flow of ∇g does not move.")
    minimizer = sp.factor_terms(sp.simplify(curve.xreplace({Z: sp.Integer(0)})))
    fields_commute = Identity(
        "∇g and ∇h commute", r"[\nabla g,\nabla h]=0", sp.Add(*commuting.bracket), commuting.outcome
    )
    for build in (_sine, _plain):
        try:
            form, conditions, statements = build(flow, g, curve, minimizer)
            break
        except UnsupportedError:
            continue
    else:
        form, conditions, statements = {"inverse_mirror_map": curve}, (), []
    conditions = tuple(dict.fromkeys((*conditions, *(initial(declared[s]) for s in params if s in positive))))
    checked = _checked([*_flow_statements(flow, g, penalty), *statements], conditions)
    return ClosedForm(
        **{name: plain(value) if isinstance(value, sp.Basic) else value for name, value in form.items()},
        minimizer=plain(minimizer),
        conditions=tuple(plain(c) for c in conditions),
        identities=(fields_commute, *checked),
    )


def _declared_positive(output: sp.Expr) -> set[sp.Symbol]:
    """The parameters that g takes logarithms or roots of, which must be positive for g to be real."""
    inside = [log.args[0] for log in output.atoms(sp.log)]
    inside += [power.base for power in output.atoms(sp.Pow) if power.exp.is_Rational and not power.exp.is_integer]
    return {argument for argument in inside if argument.is_Symbol}


Statement = tuple[str, str, list[sp.Basic]]  # what it says, its LaTeX, and expressions that must vanish
Built = tuple[dict[str, object], tuple[sp.Expr, ...], list[Statement]]


def _sine(flow: _JointFlow, g: sp.Expr, curve: sp.Expr, minimizer: sp.Expr) -> Built:
    """The formulas where x(s) = a·sinh(r s + b)."""
    form = invert(curve, Z)
    formulas = _SineFormulas.of(form)
    instance = {formulas.scale: form.scale, formulas.shift: form.shift}
    metric = formulas.metric.xreplace(instance)
    # Most hold for every a > 0 and b, so they are checked before the initial values are put in.
    statements: list[Statement] = [
        ("∇R* is x(s)", r"\nabla R_A^*(s)=X(s)", [formulas.inverse_mirror_map.xreplace(instance) - curve]),
        *_duality(formulas.potential, formulas.mirror_map, formulas.inverse_mirror_map, formulas.conjugate),
        # Both sides are positive, so their squares decide; the squares have no root to simplify.
        (
            "the metric is ‖∇g‖²",
            r"(1/R_A''(X))^2=\|\nabla g(\theta)\|^4",
            [metric.xreplace({X: curve}) ** 2 - flow.along(_speed(g, flow.symbols)) ** 2],
        ),
        ("the minimizer has zero slope", r"R_A'(X(0))=0", [curve.xreplace({Z: sp.Integer(0)}) - minimizer]),
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
        "domain": sp.S.Reals,
    }
    return found, form.conditions, statements


def _plain(flow: _JointFlow, g: sp.Expr, curve: sp.Expr, minimizer: sp.Expr) -> Built:
    """The formulas where x(s) can be solved for s but has no scale and shift."""
    form = invert_plain(curve, Z, X)
    metric = sp.simplify(1 / sp.diff(form.inverse, X))
    conjugate = sp.integrate(curve, Z)
    potential = sp.expand(sp.simplify(X * form.inverse - conjugate.xreplace({Z: form.inverse})))
    if conjugate.has(sp.Integral):
        raise UnsupportedError(f"SymPy finds no integral of {curve}.")
    statements: list[Statement] = [
        *_duality(potential, form.inverse, curve, conjugate),
        (
            "the metric is ‖∇g‖²",
            r"1/R_A''(X)=\|\nabla g(\theta)\|^2",
            [metric.xreplace({X: curve}) - flow.along(_speed(g, flow.symbols))],
        ),
        ("the minimizer has zero slope", r"R_A'(X(0))=0", [form.inverse.xreplace({X: minimizer})]),
    ]
    found: dict[str, object] = {
        "potential": potential,
        "mirror_map": form.inverse,
        "inverse_mirror_map": curve,
        "conjugate": conjugate,
        "metric": metric,
        "domain": form.domain,
    }
    return found, form.conditions, statements


def _speed(g: sp.Expr, symbols: list[sp.Symbol]) -> sp.Expr:
    return sp.Add(*(sp.diff(g, s) ** 2 for s in symbols))


def _flow_statements(flow: _JointFlow, g: sp.Expr, h: sp.Expr) -> list[Statement]:
    gradient_g = sp.Matrix([sp.diff(g, s) for s in flow.symbols])
    gradient_h = sp.Matrix([sp.diff(h, s) for s in flow.symbols])
    start = sp.Matrix([initial(s) for s in flow.symbols])
    origin = dict.fromkeys((Z, DECAY), sp.Integer(0))
    return [
        ("the flow starts at θ₀", r"\theta(0,0)=\theta_0", list(flow.theta.xreplace(origin) - start)),
        ("θ follows ∇g in s", r"\partial_s\theta=\nabla g(\theta)", list(flow.theta.diff(Z) - flow.along(gradient_g))),
        (
            "θ follows −∇h in A",
            r"\partial_A\theta=-\nabla h(\theta)",
            list(flow.theta.diff(DECAY) + flow.along(gradient_h)),
        ),
    ]


def _duality(potential: sp.Expr, mirror_map: sp.Expr, inverse: sp.Expr, conjugate: sp.Expr) -> list[Statement]:
    return [
        ("∇R* inverts ∇R", r"\nabla R_A^*(R_A'(x))=x", [inverse.xreplace({Z: mirror_map}) - X]),
        ("∇R is the slope of R", r"\partial_x R_A=R_A'", [sp.diff(potential, X) - mirror_map]),
        ("∇R* is the slope of R*", r"\partial_z R_A^*=\nabla R_A^*", [sp.diff(conjugate, Z) - inverse]),
        (
            "R and R* are conjugate",
            r"R_A(x)+R_A^*(R_A'(x))=x\,R_A'(x)",
            [potential + conjugate.xreplace({Z: mirror_map}) - X * mirror_map],
        ),
    ]


def _checked(statements: list[Statement], conditions: tuple[sp.Expr, ...]) -> list[Identity]:
    """Every statement as an identity, or UnsupportedError if one fails."""
    found = []
    for name, equation, residuals in statements:
        outcomes = {vanishes(residual, conditions).outcome for residual in residuals}
        if outcomes & {Outcome.REFUTED, Outcome.INCONCLUSIVE}:
            raise UnsupportedError(f"The derivation failed its own check ({name}): no closed form is given.")
        outcome = Outcome.PROVED if outcomes == {Outcome.PROVED} else Outcome.SUPPORTED
        found.append(Identity(name, equation, plain(sp.Add(*residuals)), outcome))
    return found


@dataclass(frozen=True)
class _SineFormulas:
    """Everything that follows from x = a·sinh(r s + b), for symbols a > 0 and b."""

    scale: sp.Symbol
    shift: sp.Symbol
    potential: sp.Expr
    mirror_map: sp.Expr
    inverse_mirror_map: sp.Expr
    conjugate: sp.Expr
    metric: sp.Expr

    @classmethod
    def of(cls, form: SineForm) -> _SineFormulas:
        a, b, r = sp.Symbol("a", positive=True), sp.Symbol("b", real=True), form.rate
        mirror_map = (sp.asinh(X / a) - b) / r
        inverse = a * sp.sinh(r * Z + b)
        conjugate = sp.integrate(inverse, Z)
        # The integral of the mirror map by Legendre's transform, x s − R*(s) at s = R'(x), instead of by parts.
        potential = sp.expand(sp.simplify(X * mirror_map - conjugate.xreplace({Z: mirror_map})))
        return cls(a, b, potential, mirror_map, inverse, conjugate, sp.simplify(1 / sp.diff(mirror_map, X)))


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
    by_decay = solve_flow(sp.Matrix([-sp.diff(h, s) for s in symbols]), symbols, DECAY)
    start = {initial(s): value for s, value in zip(symbols, by_decay, strict=True)}
    return _JointFlow(symbols, by_loss.xreplace(start).applyfunc(sp.expand))
