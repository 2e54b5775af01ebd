r"""Deriving the potential of a parameterization by solving its flows.

Training follows :math:`\theta' = -\nabla g(\theta) f'(x) - \alpha_t \nabla h(\theta)`. When the two fields commute, the
solution is a composition of their flows, :math:`\theta_t = \theta(s, A)` at :math:`s = -L_t`, :math:`A = A_t`, and the
weight is a strictly increasing function :math:`x = X(s; A)`. Its inverse in s is the mirror map :math:`R_A'(x)`,
because :math:`R_{A_t}'(x_t) = -L_t` is what a mirror flow says. Nothing is looked up: the flows are solved, x(s) is
inverted, the inverse is integrated, and every step is checked as an identity.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import sympy as sp
from numpy.typing import ArrayLike

from implicit_bias.errors import DomainError, NotCommutingError, UnsupportedError
from implicit_bias.potential import HyperbolicEntropy, Potential
from implicit_bias.symbolic.assumptions import DECAY, X, Z, initial, plain, real
from implicit_bias.symbolic.commuting import CommutingReport
from implicit_bias.symbolic.flows import solve_flow
from implicit_bias.symbolic.inversion import SineForm, invert
from implicit_bias.symbolic.parameterization import Parameterization
from implicit_bias.symbolic.zero_test import vanishes
from implicit_bias.validation import finite_array, positive_number
from implicit_bias.verdict import Outcome


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
class Derivation:
    r"""The potential of one coordinate, as formulas in ``x``, the decay ``A`` and the initial values ``<param>0``.

    All formulas are SymPy expressions in plain symbols, so ``derivation.potential.subs({"x": 1})`` works.

    Attributes:
        parameterization: What was derived.
        regularizer: h, or None.
        commuting: The report on [∇g, ∇h] that the derivation rests on.
        potential: R_A(x), up to a constant.
        mirror_map: R_A'(x).
        inverse_mirror_map: The x with R_A'(x) = z, in ``z``.
        conjugate: R_A*(z), in ``z``.
        metric: 1/R_A''(x), the factor by which the flow of x preconditions the gradient.
        scale: The scale a at which the potential passes from L2 to L1.
        log_scale: log a, split into logarithms that stay finite where a underflows.
        shift: The asymmetry b of the mirror map, zero for a start at x = 0.
        minimizer: argmin R_A, the weight that decay alone would lead to.
        domain: The open interval of x that the flow can reach.
        conditions: Expressions in the initial values that must be positive.
        identities: Every equation the derivation rests on, with how it was established.
        closed_form: Whether all of the above are formulas.
    """

    parameterization: Parameterization
    regularizer: sp.Expr | None
    commuting: CommutingReport
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
    closed_form: bool = True

    @property
    def proved(self) -> bool:
        """Whether every identity was proved exactly."""
        return all(identity.outcome is Outcome.PROVED for identity in self.identities)

    def at(self, init: Mapping[str, ArrayLike], decay: float = 0.0) -> Potential:
        r"""The numerical potential for given initial values and decay.

        Args:
            init: Initial values by parameter name, numbers or arrays of shape (n,).
            decay: A = ∫α dt >= 0.

        Raises:
            ValueError: If names or shapes do not match, or a decay is given without a regularizer.
            DomainError: If an initial value lies outside the region of the derivation; it names the coordinate.

        >>> mask = Parameterization("m*w", ["m", "w"])
        >>> derive(mask, "m**2 + w**2").at({"m": [1.0], "w": [0.0]}, decay=0.5).scale.round(4).tolist()
        [0.0677]
        """
        return self.family(init)(decay)

    def family(self, init: Mapping[str, ArrayLike]) -> Callable[[float], HyperbolicEntropy]:
        """The potentials of one initialization as a function of the decay; checks the initial values once."""
        values = self._initial_values(init)

        def potential(decay: float) -> HyperbolicEntropy:
            amount = positive_number(decay, "decay", zero_allowed=True)
            if amount and self.regularizer is None:
                raise ValueError(f"decay: got {decay}, but this derivation has no regularizer; derive it with one.")
            log_scale, shift = (np.asarray(entry, dtype=float) for entry in self._numbers(amount, *values))
            return HyperbolicEntropy(log_scale=log_scale, shift=shift, rate=float(self.rate))

        return potential

    def latex(self) -> str:
        """The result as a LaTeX ``aligned`` block."""
        lines = [
            (r"R_A(x)", self.potential),
            (r"R_A'(x)", self.mirror_map),
            (r"1/R_A''(x)", self.metric),
            ("a", self.scale),
            (r"\operatorname{argmin} R_A", self.minimizer),
        ]
        body = " \\\\\n".join(f"{left} &= {sp.latex(right)}" for left, right in lines)
        return "\\begin{aligned}\n" + body + "\n\\end{aligned}"

    def __getstate__(self) -> dict[str, object]:
        """Everything but the compiled functions, which cannot be pickled and are compiled again when needed."""
        return {name: value for name, value in vars(self).items() if name not in ("_numbers", "_condition_values")}

    @cached_property
    def _numbers(self) -> Callable[..., tuple[np.ndarray, np.ndarray]]:
        """(decay, initial values …) ↦ (log a, b)."""
        symbols = [DECAY, *(initial(s) for s in self.parameterization.symbols)]
        # A logarithm of a quotient becomes a difference, as the quotient may leave the floating-point range.
        shift = sp.expand_log(real(self.shift), force=True)
        return sp.lambdify(symbols, [real(self.log_scale), shift], modules="numpy")

    @cached_property
    def _condition_values(self) -> Callable[..., list[np.ndarray]]:
        symbols = [initial(s) for s in self.parameterization.symbols]
        return sp.lambdify(symbols, [real(c) for c in self.conditions], modules="numpy")

    def _initial_values(self, init: Mapping[str, ArrayLike]) -> tuple[np.ndarray, ...]:
        values = initial_values(self.parameterization, init)
        for condition, numbers in zip(self.conditions, self._condition_values(*values), strict=True):
            numbers = np.atleast_1d(numbers)
            bad = np.flatnonzero(~(numbers > 0))
            if len(bad):
                k = int(bad[0])
                got = ", ".join(
                    f"{name}0 = {np.atleast_1d(v)[k]:g}"
                    for name, v in zip(self.parameterization.params, values, strict=True)
                )
                raise DomainError(
                    f"init: expected {' and '.join(f'{c} > 0' for c in self.conditions)} in every coordinate, got "
                    f"{got} at coordinate {k} ({len(bad)} such), where {condition} = {numbers[k]:g}. Where it is 0 the "
                    "scale vanishes: x keeps its sign for ever (no sign change) and no potential on the whole line "
                    "exists; where it is negative, exchange or reflect the parameters so that it becomes positive."
                )
        return values


def initial_values(parameterization: Parameterization, init: Mapping[str, ArrayLike]) -> tuple[np.ndarray, ...]:
    """Initial values in the order of the parameters, as float64 arrays of one shape.

    Raises:
        ValueError: If names are missing or unknown, shapes differ, or a value is not finite.
    """
    names = parameterization.params
    if not isinstance(init, Mapping) or set(init) != set(names):
        got = ", ".join(map(str, init)) if isinstance(init, Mapping) else type(init).__name__
        raise ValueError(f"init: expected a dict with exactly the parameters {', '.join(names)}, got {got}.")
    values = [finite_array(init[name], f"init[{name!r}]") for name in names]
    for name, value in zip(names, values, strict=True):
        if value.ndim > 1 or value.size == 0:
            raise ValueError(f"init[{name!r}]: expected a number or an array of shape (n,), n >= 1, got {value.shape}.")
    try:
        return tuple(np.array(v) for v in np.broadcast_arrays(*values))
    except ValueError:
        shapes = ", ".join(f"{name}: {v.shape}" for name, v in zip(names, values, strict=True))
        raise ValueError(f"init: expected one shape for all parameters, got {shapes}.") from None


def derive(parameterization: Parameterization, regularizer: str | sp.Expr | None = None) -> Derivation:
    r"""Derive the Bregman potential of a separable parameterization, with decay from a commuting regularizer.

    Args:
        parameterization: A separable x = g(θ) whose field ∇g is affine (g quadratic) with x(s) a hyperbolic sine.
        regularizer: h(θ) of one coordinate; its strength α_t enters through A_t = ∫α alone.

    Raises:
        FormulaError: If the regularizer leaves the whitelist.
        NotCommutingError: If [∇g, ∇h] does not vanish; it carries the report.
        UnsupportedError: If no closed form is found.

    >>> derive(Parameterization("m*w", ["m", "w"]), "m**2 + w**2").metric
    2*sqrt(x**2 + (m0**2 - w0**2)**2*exp(-8*A)/4)
    """
    if not isinstance(parameterization, Parameterization):
        raise ValueError(
            "parameterization: expected ib.Parameterization(formula, parameter names), got "
            f"{type(parameterization).__name__}."
        )
    if not parameterization.separable:
        raise UnsupportedError(f"{parameterization!r} is coupled: derive covers one formula per coordinate.")
    h = sp.Integer(0) if regularizer is None else parameterization.regularizer(regularizer)
    commuting = parameterization.commutes_with(h)
    if not commuting.holds:
        raise NotCommutingError(
            f"The fields of g = {parameterization.output} and h = {h} do not commute, so decay does not act on a "
            f"potential through its amount alone: {commuting}. parameterization.commutes_with tells of other h.",
            commuting,
        )
    symbols = [real(s) for s in parameterization.symbols]
    g, penalty = real(parameterization.output), real(h)
    flow = _joint_flow(g, penalty, symbols)
    curve = flow.along(g)
    form = invert(curve, Z)

    formulas = _SineFormulas.of(form)
    substitute = {formulas.scale: form.scale, formulas.shift: form.shift}
    minimizer = sp.factor_terms(sp.simplify(curve.xreplace({Z: sp.Integer(0)})))
    identities = _identities(flow, g, penalty, curve, form, formulas, minimizer, commuting)
    return Derivation(
        parameterization=parameterization,
        regularizer=None if regularizer is None else h,
        commuting=commuting,
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
