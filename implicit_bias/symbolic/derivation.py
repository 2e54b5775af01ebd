r"""Deriving the potential of a parameterization by solving its flows.

Training follows :math:`\theta' = -\nabla g(\theta) f'(x) - \alpha_t \nabla h(\theta)`. When the two fields commute, the
solution is a composition of their flows, :math:`\theta_t = \theta(s, A)` at :math:`s = -L_t`, :math:`A = A_t`, and the
weight is a strictly increasing function :math:`x = X(s; A)`. Its inverse in s is the mirror map :math:`R_A'(x)`,
because :math:`R_{A_t}'(x_t) = -L_t` is what a mirror flow says. Nothing is looked up: the flows are solved, x(s) is
inverted, the inverse is integrated, and every step is checked as an identity. Where that finds no formula, the same
flow is integrated numerically.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache

import numpy as np
import sympy as sp
from numpy.typing import ArrayLike

from implicit_bias.claims.verdict import Outcome
from implicit_bias.errors import InputError, NotCommutingError, UnsupportedError, known_options
from implicit_bias.potential import SeparablePotential
from implicit_bias.potential.separable_map import SeparableMap, check_start
from implicit_bias.shown import Shown
from implicit_bias.symbolic.assumptions import ResultNames, with_constants
from implicit_bias.symbolic.by_powers import has_powers_of_constants
from implicit_bias.symbolic.closed_form import ClosedForm, derived_forms
from implicit_bias.symbolic.commuting import CommutingReport
from implicit_bias.symbolic.derived_potentials import DerivedPotentials
from implicit_bias.symbolic.dynamics import SteepestDescent
from implicit_bias.symbolic.identities import Identity
from implicit_bias.symbolic.leading_terms import LeadingTerm
from implicit_bias.symbolic.parameterization import Parameterization, commuting_instead
from implicit_bias.symbolic.start_conditions import StartConditions
from implicit_bias.symbolic.time_limit import StoppedError
from implicit_bias.symbolic.worker import answers, why_no_limit
from implicit_bias.validation import positive_number

_COMPILED = ("_potentials", "_conditions", "_map")
TIME_LIMIT = 20.0  # seconds of computing; the closed forms that are known here take up to six
_OTHER_H = "Ask .commuting_regularizers(degree) of the parameterization for others."


@dataclass(frozen=True)
class Derivation(Shown):
    r"""The potential of one coordinate, as formulas in ``x``, the decay ``A``, initial values ``m0`` … and constants.

    All formulas are SymPy expressions in plain symbols, so ``derivation.potential.subs({"x": 1})`` works. What was
    not found as a formula is None, and ``notes`` say why; :meth:`at` then integrates the flow numerically.

    Attributes:
        parameterization: What was derived, with its regularizer.
        commuting: The report on [∇g, ∇h] that the derivation rests on.
        form: The formulas, which the properties below name one by one.
        dynamics: What moves the parameters; None for gradient flow.
    """

    parameterization: Parameterization
    commuting: CommutingReport
    form: ClosedForm
    dynamics: SteepestDescent | None = None

    @property
    def regularizer(self) -> sp.Expr | None:
        """h, or None."""
        return self.parameterization.regularizer

    @property
    def potential(self) -> sp.Expr | None:
        """R_A(x), up to a constant."""
        return self.form.potential

    @property
    def mirror_map(self) -> sp.Expr | None:
        """R_A'(x)."""
        return self.form.mirror_map

    @property
    def inverse_mirror_map(self) -> sp.Expr | None:
        """x(s), the x with R_A'(x) = z, in ``z``."""
        return self.form.inverse_mirror_map

    @property
    def conjugate(self) -> sp.Expr | None:
        """R_A*(z), in ``z``."""
        return self.form.conjugate

    @property
    def metric(self) -> sp.Expr | None:
        """1/R_A''(x), the factor by which the flow of x preconditions the gradient."""
        return self.form.metric

    @property
    def scale(self) -> sp.Expr | None:
        """The scale a at which R passes from L2 to L1, where x(s) is a hyperbolic sine."""
        return self.form.scale

    @property
    def log_scale(self) -> sp.Expr | None:
        """The logarithm of a, split into terms that stay finite where a underflows."""
        return self.form.log_scale

    @property
    def shift(self) -> sp.Expr | None:
        """The asymmetry b of the mirror map, zero for a start at x = 0."""
        return self.form.shift

    @property
    def rate(self) -> sp.Expr | None:
        """The rate r of x(s) = a·sinh(r s + b)."""
        return self.form.rate

    @property
    def minimizer(self) -> sp.Expr | None:
        """The weight argmin R_A, which decay alone would lead to."""
        return self.form.minimizer

    @property
    def domain(self) -> sp.Set | None:
        """The open interval of x that the flow can reach after the decay A."""
        return self.form.domain

    @property
    def dual_domain(self) -> sp.Set | None:
        """The open interval of s = −∫f' dt on which the flow exists after the decay A."""
        return self.form.dual_domain

    @property
    def dual_rate(self) -> sp.Expr:
        r"""κ, the rate at which decay contracts the dual variable z = R_A'(x); 0 for gradient flow.

        Under steepest descent :math:`z' = -\operatorname{sgn}(f')|f'|^{q-1} - \kappa\alpha_t z`.
        """
        return self.form.dual_rate

    @property
    def conditions(self) -> tuple[sp.Expr, ...]:
        """Expressions in the initial values and constants that must be positive."""
        return self.form.conditions

    @property
    def identities(self) -> tuple[Identity, ...]:
        """Every equation the derivation rests on, with how it was established."""
        return self.form.identities

    @property
    def notes(self) -> tuple[str, ...]:
        """Why formulas are missing, where they are real, and how much decay leaves a minimizer."""
        return self.form.notes

    @property
    def small_scale(self) -> LeadingTerm | None:
        """R_A(x) − R_A(0) from x = 0 to leading order as ``a`` goes to 0; None unless the rate is a number."""
        return self.form.small_scale

    @property
    def large_scale(self) -> LeadingTerm | None:
        """The same as the scale goes to infinity."""
        return self.form.large_scale

    @property
    def names(self) -> ResultNames:
        """The names of the weight, its dual, the decay and the initial values in the formulas."""
        return ResultNames.beside(self.parameterization.params, self.parameterization.constants)

    @property
    def closed_form(self) -> bool:
        """Whether the potential is a formula."""
        return self.potential is not None

    @property
    def proved(self) -> bool:
        """Whether there is a closed form and every identity it rests on was proved exactly.

        Without a closed form it is False, as there is no formula of R to prove; :attr:`identities` then hold what is
        proved of x(s), if that has a formula. With one that is not proved, the representation names the identities that
        hold to 50 digits at random points alone.
        """
        return self.closed_form and all(identity.outcome is Outcome.PROVED for identity in self.identities)

    def at(
        self, init: Mapping[str, ArrayLike] | None = None, /, decay: float = 0.0, **values: ArrayLike
    ) -> SeparablePotential:
        r"""The numerical potential for given initial values and decay.

        Args:
            init: Initial values by parameter name, numbers or arrays of shape (n,), and one positive number for each
                constant.
            decay: A = ∫α dt >= 0. A parameter of this name goes into ``init``.
            values: The same as keywords, in place of ``init`` or beside it.

        Raises:
            InputError: If names or shapes do not match, or a decay is given without a regularizer.
            DomainError: If an initial value lies outside the region of the derivation, g is not real there or its
                gradient vanishes; it names the coordinate and its values. Where an exchange of parameters, a
                change of their signs or a shift leaves g and h as they are and leads into the region, the start is
                changed so: it has the same x(t).

        >>> derive("m*w", "m**2 + w**2").at(m=[1.0], w=[0.0], decay=0.5).scale.round(4).tolist()
        [0.0677]
        """
        if init is None or not values:
            return self.family(values if init is None else init)(decay)
        twice = [name for name in values if name in init]
        if twice:
            raise InputError(f"init: {twice[0]} is given twice, in a mapping and as a keyword; leave one out.")
        return self.family({**init, **values})(decay)

    def with_constants(self, values: Mapping[str, float]) -> Derivation:
        """The derivation with numbers in place of all constants; made anew where a formula has no value at them.

        Raises:
            InputError: If names are missing or unknown, or a value is no positive number.
        """
        parameterization = self.parameterization.with_constants(values)
        numbers = self.parameterization.numbers_of_constants(values)
        # Names that the constants had taken are free again.
        names = self.names.renamed(ResultNames.beside(parameterization.params), parameterization.params)
        form = self.form.replaced({**names, **numbers})
        # Powers of constants were taken of positive parameters; a known degree may allow others.
        output = with_constants(self.parameterization.output, self.parameterization.constants)
        positive_alone = has_powers_of_constants(output)
        if form is None or (positive_alone and self.closed_form):
            return derive(parameterization, dynamics=self.dynamics)
        if positive_alone:
            form = replace(form, conditions=())  # the flow is integrated, as far as g is smooth
        commuting = replace(self.commuting, bracket=self.commuting.bracket.xreplace(numbers))
        return Derivation(parameterization, commuting, form, self.dynamics)

    def family(self, init: Mapping[str, ArrayLike]) -> Callable[[float], SeparablePotential]:
        """The potentials of one initialization as a function of the decay; checks the initial values once."""
        constants = self.parameterization.constants
        if constants and isinstance(init, Mapping):
            known = self.with_constants({name: init[name] for name in constants if name in init})
            return known.family({name: value for name, value in init.items() if name not in constants})
        make = self._potentials.started_at(self._initial_values(init))

        def potential(decay: float) -> SeparablePotential:
            amount = positive_number(decay, "decay", zero_allowed=True)
            if amount and self.regularizer is None:
                raise InputError(f"decay: got {decay}, but this derivation has no regularizer; derive it with one.")
            return make(amount)

        return potential

    def equations(self) -> list[tuple[str, str]]:
        """The result as left and right sides in LaTeX; without a closed form, the equations that define R."""
        A, x = self.names.decay, self.names.weight
        if not self.closed_form:
            g = sp.latex(self.parameterization.output)
            return [(rf"R_{A}'(g(\theta(s)))", "s"), (r"\theta'(s)", self._curve), ("g", g)]
        lines = [
            (rf"R_{A}({x})", self.potential),
            (rf"R_{A}'({x})", self.mirror_map),
            (rf"1/R_{A}''({x})", self.metric),
            (self.names.scale, self.scale),
            (rf"\operatorname{{argmin}} R_{A}", self.minimizer),
        ]
        return [(left, sp.latex(right)) for left, right in lines if right is not None]

    @property
    def _curve(self) -> str:
        """dθ/ds in LaTeX."""
        if self.dynamics is None:
            return r"\nabla g(\theta)"
        power = self.dynamics.exponent - 1
        size = "" if power == 0 else rf"|\nabla g|^{{{sp.latex(power)}}}"
        return rf"\operatorname{{sgn}}(\nabla g){size}"

    def latex(self) -> str:
        """The equations as a LaTeX ``aligned`` block, or on one line where R has no closed form."""
        if not self.closed_form:
            return r", \quad ".join(f"{left} = {right}" for left, right in self.equations())
        body = " \\\\\n".join(f"{left} &= {right}" for left, right in self.equations())
        return "\\begin{aligned}\n" + body + "\n\\end{aligned}"

    def __repr__(self) -> str:
        h = "" if self.regularizer is None else f", h = {self.regularizer}"
        found = (
            f"R_{self.names.decay}({self.names.weight}) = {self.potential}"
            if self.closed_form
            else "no closed form, though R exists: .at(init) integrates the flow, .notes say what is missing"
        )
        by = "" if self.dynamics is None else f", {self.dynamics}"
        return f"Derivation({self.names.weight} = {self.parameterization.output}{h}{by}, {found}{self._proof})"

    @property
    def _proof(self) -> str:
        """What is known of the formula of R, if it has one."""
        if not self.closed_form:
            return ""
        if self.proved:
            return ", proved"
        open_ones = ", ".join(each.name for each in self.identities if each.outcome is not Outcome.PROVED)
        return f", not proved but true to 50 digits at random points: {open_ones}"

    def _repr_latex_(self) -> str:
        return f"$\\displaystyle {self.latex()}$"

    def __getstate__(self) -> dict[str, object]:
        """Everything but the compiled functions, which cannot be pickled and are compiled again when needed."""
        return {name: value for name, value in vars(self).items() if name not in _COMPILED}

    @cached_property
    def _potentials(self) -> DerivedPotentials:
        return DerivedPotentials(self.parameterization, self.form, self.names, self.dynamics)

    @cached_property
    def _conditions(self) -> StartConditions:
        return StartConditions(self.parameterization, self.conditions, self.names)

    def _initial_values(self, init: Mapping[str, ArrayLike]) -> tuple[np.ndarray, ...]:
        values = self.parameterization.start(init)
        if self.closed_form:  # else the numerical potential checks
            check_start(self._map, values, self.parameterization.params)
        return tuple(self._conditions.covered(values) if self.conditions else values)

    @cached_property
    def _map(self) -> SeparableMap:
        return self.parameterization.separable_map(self.dynamics)


@known_options
def derive(
    parameterization: Parameterization | str | sp.Expr | Sequence[str | sp.Expr],
    regularizer: str | sp.Expr | None = None,
    *,
    dynamics: SteepestDescent | None = None,
    time_limit: float = TIME_LIMIT,
) -> Derivation:
    r"""Derive the Bregman potential of a separable parameterization, with decay from a commuting regularizer.

    Solves the flow of each group of parameters on which ∇g is affine, and that of single parameters by separation of
    variables. Inverts x(s) where it is a hyperbolic sine, where s stands once, or where x(s) is linear or quadratic in
    s or in one function of s. Also finds the potential of one parameter from its metric alone. If only x(s) has a
    formula, that is given; the potential is then numerical, and ``notes`` say what failed.

    Under :class:`~implicit_bias.SteepestDescent` the metric is :math:`\sum_i|\partial_i g|^q`, and decay contracts the
    dual variable at the rate ``dual_rate``. The metric of c·m·w has a formula; for sign descent so has its potential.

    Args:
        parameterization: A separable x = g(θ), or its formula, all of whose names are then parameters.
        regularizer: h(θ) of one coordinate, unless the parameterization has one; its strength α_t enters through
            A_t = ∫α alone.
        dynamics: What moves the parameters; None for gradient flow, which is also the steepest descent of order 2.
        time_limit: Seconds of processor time for the symbolic work, ``inf`` for no limit. An identity that cannot be
            proved in time is supported by numbers; a formula that is not found in time is None.

    Raises:
        InputError: If the time limit is no positive number, or the regularizer is given twice.
        FormulaError: If a formula leaves the whitelist.
        NotCommutingError: If [∇g, ∇h], or for a coupled x a bracket [∇g_i, ∇g_j], does not vanish; it carries the
            report.
        UnsupportedError: If the parameterization is coupled and commutes, or decay is not decoupled and the order of
            the steepest descent not 2.

    >>> derive("m*w", "m**2 + w**2").metric
    2*sqrt(x**2 + (m0**2 - w0**2)**2*exp(-8*A)/4)
    >>> derive("m*w", "m**2 + w**2", dynamics=SteepestDescent(float("inf"))).metric
    sqrt((Abs(m0) - Abs(w0))**2*exp(-4*A) + 4*Abs(x))
    """
    if not isinstance(parameterization, Parameterization):
        parameterization = Parameterization(parameterization)
    if not parameterization.separable:
        report = parameterization.commutes()
        if not report.holds:
            raise NotCommutingError(f"The outputs of {parameterization!r} do not commute: {report}.", report)
        raise UnsupportedError(
            f"{parameterization!r} is coupled: derive covers one formula per coordinate; for commuting quadratic forms "
            "use ib.QuadraticForms."
        )
    if regularizer is not None:
        if parameterization.regularizer is not None:
            raise InputError("regularizer: given twice, in the parameterization and to derive; leave one out.")
        parameterization = parameterization.with_regularizer(regularizer)
    seconds = time_limit if time_limit == math.inf else positive_number(time_limit, "time_limit")
    if dynamics is not None:
        dynamics = _other_than_gradient_flow(dynamics, parameterization)
    try:
        return _proved(parameterization, dynamics, seconds)
    except _UnprovedError as error:
        return error.derivation


def _other_than_gradient_flow(dynamics: SteepestDescent, parameterization: Parameterization) -> SteepestDescent | None:
    """The dynamics, or None where they are gradient flow; refuses decay that leads to no potential."""
    if not isinstance(dynamics, SteepestDescent):
        raise InputError(f"dynamics: expected an ib.SteepestDescent, got {dynamics!r}.")
    if dynamics.exponent == 2:
        return None
    if parameterization.regularizer is not None and not dynamics.decoupled:
        raise UnsupportedError(
            "dynamics: coupled decay enters the gradient before its entries are rescaled, so it moves the parameters "
            "off the curves of the loss, and x has no potential in general; take decoupled decay, as in AdamW."
        )
    return dynamics


class _UnprovedError(Exception):
    """Carries a derivation past the cache: with more time, or on a quieter machine, it may find more."""

    def __init__(self, derivation: Derivation) -> None:
        super().__init__(repr(derivation))
        self.derivation = derivation


@lru_cache(maxsize=256)
def _proved(parameterization: Parameterization, dynamics: SteepestDescent | None, seconds: float) -> Derivation:
    """A derivation with a closed form and a proof, kept so that nobody waits for it twice."""
    derivation = _derived(parameterization, dynamics, seconds)
    if not derivation.proved:
        raise _UnprovedError(derivation)
    return derivation


def _derived(parameterization: Parameterization, dynamics: SteepestDescent | None, seconds: float) -> Derivation:
    h, constants = parameterization.regularizer, parameterization.constants
    formulas = [with_constants(formula, constants) for formula in (parameterization.output, h or sp.Integer(0))]
    names = ResultNames.beside(parameterization.params, constants)
    further = () if dynamics is None else (dynamics.exponent,)
    found = answers(seconds, derived_forms, *formulas, parameterization.symbols, names, seconds, *further)
    limit = f"a time limit of {seconds:g} seconds"
    try:
        commuting = next(found)
    except StoppedError as error:
        raise UnsupportedError(f"Whether ∇g and ∇h commute {error} for {limit}; simplify the formulas.") from None
    if not commuting.holds:
        others = () if dynamics is not None else commuting_instead(parameterization)
        advice = f"Combinations of these h do commute: {', '.join(map(str, others))}." if others else _OTHER_H
        raise NotCommutingError(
            f"The fields of g = {parameterization.output} and h = {h} do not commute, so decay does not act on a "
            f"potential through its amount alone: {commuting}. {advice}",
            commuting,
            others,
        )
    try:
        form = next(found)
    except StoppedError as error:
        form = ClosedForm(notes=(f"The derivation {error} for {limit}.",))
    if (note := why_no_limit()) and seconds < math.inf:
        form = replace(form, notes=(*form.notes, note))
    return Derivation(parameterization, commuting, form, dynamics)
