r"""Closed forms: solving the flows of a parameterization and inverting x(s), with every step checked as an identity."""

from __future__ import annotations

from dataclasses import dataclass, field

import sympy as sp

from implicit_bias.errors import UnsupportedError
from implicit_bias.symbolic.assumptions import DECAY, X, Z, initial, plain, real
from implicit_bias.symbolic.commuting import CommutingReport
from implicit_bias.symbolic.flows import solve_flow
from implicit_bias.symbolic.inversion import SineForm, invert
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
    """The formulas of a derivation, in plain symbols; :class:`~implicit_bias.Derivation` says what each one is."""

    potential: sp.Expr
    mirror_map: sp.Expr
    inverse_mirror_map: sp.Expr
    conjugate: sp.Expr
    metric: sp.Expr
    scale: sp.Expr
    log_scale: sp.Expr
    shift: sp.Expr
    rate: sp.Expr
    minimizer: sp.Expr
    domain: sp.Set
    conditions: tuple[sp.Expr, ...]
    identities: tuple[Identity, ...] = field(repr=False)


def closed_form(output: sp.Expr, h: sp.Expr, params: tuple[sp.Symbol, ...], commuting: CommutingReport) -> ClosedForm:
    """Solve the flows of ∇g and −∇h, invert x(s) and check every identity.

    Args:
        output: g in plain symbols.
        h: The regularizer in plain symbols, 0 for none.
        params: The parameters.
        commuting: The report on [∇g, ∇h].

    Raises:
        UnsupportedError: If no closed form is found, or one fails its own checks.
    """
    if len(params) > MAX_PARAMETERS:
        raise UnsupportedError(f"Closed forms are tried for at most {MAX_PARAMETERS} parameters, got {len(params)}.")
    symbols = [real(s) for s in params]
    g, penalty = real(output), real(h)
    flow = _joint_flow(g, penalty, symbols)
    curve = flow.along(g)
    form = invert(curve, Z)
    formulas = _SineFormulas.of(form)
    substitute = {formulas.scale: form.scale, formulas.shift: form.shift}
    minimizer = sp.factor_terms(sp.simplify(curve.xreplace({Z: sp.Integer(0)})))
    identities = _identities(flow, g, penalty, curve, form, formulas, minimizer, commuting)
    return ClosedForm(
        potential=plain(formulas.potential.xreplace(substitute)),
        mirror_map=plain(formulas.mirror_map.xreplace(substitute)),
        inverse_mirror_map=plain(formulas.inverse_mirror_map.xreplace(substitute)),
        conjugate=plain(formulas.conjugate.xreplace(substitute)),
        metric=plain(formulas.metric.xreplace(substitute)),
        scale=plain(form.scale),
        log_scale=plain(form.log_scale),
        shift=plain(form.shift),
        rate=form.rate,
        minimizer=plain(minimizer),
        domain=sp.S.Reals,
        conditions=tuple(plain(c) for c in form.conditions),
        identities=identities,
    )


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


def _identities(
    flow: _JointFlow,
    g: sp.Expr,
    h: sp.Expr,
    curve: sp.Expr,
    form: SineForm,
    formulas: _SineFormulas,
    minimizer: sp.Expr,
    commuting: CommutingReport,
) -> tuple[Identity, ...]:
    def rows(vector: sp.Matrix) -> list[sp.Expr]:
        return list(vector)

    gradient_g = sp.Matrix([sp.diff(g, s) for s in flow.symbols])
    gradient_h = sp.Matrix([sp.diff(h, s) for s in flow.symbols])
    speed = (gradient_g.T * gradient_g)[0]
    instance = {formulas.scale: form.scale, formulas.shift: form.shift}
    metric = formulas.metric.xreplace(instance)
    origin = dict.fromkeys((Z, DECAY), sp.Integer(0))
    start = sp.Matrix([initial(s) for s in flow.symbols])
    statements: list[tuple[str, str, list[sp.Expr]]] = [
        ("the flow starts at θ₀", r"\theta(0,0)=\theta_0", rows(flow.theta.xreplace(origin) - start)),
        (
            "θ follows ∇g in s",
            r"\partial_s\theta=\nabla g(\theta)",
            rows(flow.theta.diff(Z) - flow.along(gradient_g)),
        ),
        (
            "θ follows −∇h in A",
            r"\partial_A\theta=-\nabla h(\theta)",
            rows(flow.theta.diff(DECAY) + flow.along(gradient_h)),
        ),
        ("∇R* is x(s)", r"\nabla R_A^*(s)=X(s)", [formulas.inverse_mirror_map.xreplace(instance) - curve]),
        # The next four hold for every a > 0 and b, so they are checked before the initial values are put in.
        (
            "∇R* inverts ∇R",
            r"\nabla R_A^*(R_A'(x))=x",
            [formulas.inverse_mirror_map.xreplace({Z: formulas.mirror_map}) - X],
        ),
        (
            "∇R is the slope of R",
            r"\partial_x R_A=R_A'",
            [sp.diff(formulas.potential, X) - formulas.mirror_map],
        ),
        (
            "∇R* is the slope of R*",
            r"\partial_z R_A^*=\nabla R_A^*",
            [sp.diff(formulas.conjugate, Z) - formulas.inverse_mirror_map],
        ),
        (
            "R and R* are conjugate",
            r"R_A(x)+R_A^*(R_A'(x))=x\,R_A'(x)",
            [formulas.potential + formulas.conjugate.xreplace({Z: formulas.mirror_map}) - X * formulas.mirror_map],
        ),
        # Both sides are positive, so their squares decide; the squares have no root to simplify.
        (
            "the metric is ‖∇g‖²",
            r"(1/R_A''(X))^2=\|\nabla g(\theta)\|^4",
            [metric.xreplace({X: curve}) ** 2 - flow.along(speed) ** 2],
        ),
        ("the minimizer has zero slope", r"R_A'(X(0))=0", [curve.xreplace({Z: sp.Integer(0)}) - minimizer]),
    ]
    found = [Identity("∇g and ∇h commute", r"[\nabla g,\nabla h]=0", sp.Add(*commuting.bracket), commuting.outcome)]
    for name, equation, residuals in statements:
        tests = [vanishes(residual, form.conditions) for residual in residuals]
        outcomes = {test.outcome for test in tests}
        if outcomes & {Outcome.REFUTED, Outcome.INCONCLUSIVE}:
            raise UnsupportedError(f"The derivation failed its own check ({name}): no closed form is given.")
        outcome = Outcome.PROVED if outcomes == {Outcome.PROVED} else Outcome.SUPPORTED
        found.append(Identity(name, equation, plain(sp.Add(*residuals)), outcome))
    return tuple(found)
