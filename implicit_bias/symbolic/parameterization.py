r"""An overparameterization :math:`x = g(\theta)` with its regularizer :math:`h(\theta)`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from copy import copy
from functools import cache, cached_property

import numpy as np
import sympy as sp
from numpy.typing import ArrayLike, NDArray

from implicit_bias.errors import FormulaError, InputError, UnsupportedError, known_options
from implicit_bias.potential.separable_map import SeparableMap
from implicit_bias.shown import Shown
from implicit_bias.symbolic.assumptions import ResultNames, plain, real, with_constants
from implicit_bias.symbolic.commuting import CommutingReport, first_failure, gradient, jacobian
from implicit_bias.symbolic.compiled import compiled, compiled_at_point
from implicit_bias.symbolic.discovery import commuting_regularizers
from implicit_bias.symbolic.dynamics import SteepestDescent, steepest_field
from implicit_bias.symbolic.formulas import check_names, names_in, parse
from implicit_bias.symbolic.smoothness import ends_of_flow
from implicit_bias.symbolic.time_limit import StoppedError
from implicit_bias.symbolic.worker import call
from implicit_bias.validation import finite_array, positive_number

COMMUTING_SECONDS = 20.0  # of computing, for one test whether fields commute
SEARCH_SECONDS = 60.0  # for one search of regularizers
_SECONDS_TO_ADVISE = 2.0  # of computing, for regularizers that commute where the one asked for does not
_MOST_DEGREES = 6  # of those regularizers


@known_options
class Parameterization(Shown):
    r"""Effective weights :math:`x = g(\theta)` as formulas in named real parameters, and the regularizer h on them.

    Args:
        outputs: One formula (a string or a SymPy expression) for a *separable* parameterization, applied to every
            coordinate with its own parameters; or a list of formulas, one per weight, for a *coupled* one.
        params: The parameter names, as a list or separated by commas. By default all names in the formulas that are no
            constants, functions or pi, in order of appearance (for SymPy expressions, which keep none, sorted).
        regularizer: h in these parameters, of one coordinate (separable) or of all (coupled); None for none. A schedule
            gives it its strength.
        constants: Names of positive numbers in the formulas that training does not move, as a list or separated by
            commas. Derivations keep them as symbols; what computes with numbers asks for theirs first, see
            :meth:`with_constants`.

    Raises:
        FormulaError: If a formula leaves the whitelist, an output is constant, a name cannot be used, or a constant
            occurs in no formula.

    >>> mask = Parameterization("m*w", regularizer="m**2 + w**2")
    >>> mask.params, mask.regularizer
    (('m', 'w'), m**2 + w**2)
    >>> mask.commutes_with("m**2 + w**2").holds
    True
    >>> mask.commutes_with("m**2").witness
    {'m': 1.0, 'w': 1.0}
    >>> Parameterization("c*m*w", constants="c").with_constants({"c": 2.0})
    Parameterization('2*m*w', ['m', 'w'])
    """

    def __init__(
        self,
        outputs: str | sp.Expr | Sequence[str | sp.Expr],
        params: Sequence[str] | str | None = None,
        regularizer: str | sp.Expr | None = None,
        constants: Sequence[str] | str = (),
    ) -> None:
        self.separable = isinstance(outputs, (str, sp.Basic))
        if not self.separable and (isinstance(outputs, bytes) or not hasattr(outputs, "__iter__")):
            raise FormulaError(
                f"outputs: expected a formula (a string or a SymPy expression) or a list, got {type(outputs).__name__}."
            )
        formulas = [outputs] if isinstance(outputs, (str, sp.Basic)) else list(outputs)
        if not formulas:
            raise FormulaError("outputs: expected at least one formula, got an empty list.")
        self.constants = check_names(constants, "constants") if np.size(constants) else ()
        if params is None:
            names = tuple(name for name in names_in(formulas) if name not in self.constants)
        else:
            names = check_names(params)
        self.outputs = tuple(parse(formula, [*names, *self.constants]) for formula in formulas)
        for formula in self.outputs:
            if not {s.name for s in formula.free_symbols} - {*self.constants}:
                raise FormulaError(f"outputs: {formula} is constant, so training could never change it.")
        self.params = check_names(names)
        self.regularizer = None if regularizer is None else self._parsed(regularizer)
        self._check_constants()

    def _check_constants(self) -> None:
        both = next((name for name in self.constants if name in self.params), None)
        if both is not None:
            raise FormulaError(f"constants: {both} is a parameter, too; leave it out of one of them.")
        formulas = [f for f in (*self.outputs, self.regularizer) if f is not None]
        used = {symbol.name for formula in formulas for symbol in formula.free_symbols}
        unused = next((name for name in self.constants if name not in used), None)
        if unused is not None:
            raise FormulaError(f"constants: {unused} occurs in no formula; leave it out.")

    def with_constants(self, values: Mapping[str, float]) -> Parameterization:
        """The same weights with numbers in place of all constants, rounded as they are printed.

        Raises:
            InputError: If names are missing or unknown, or a value is no positive number.
        """
        numbers = self.numbers_of_constants(values)
        if not numbers:
            return self
        outputs = [output.xreplace(numbers) for output in self.outputs]
        h = None if self.regularizer is None else self.regularizer.xreplace(numbers)
        return Parameterization(outputs[0] if self.separable else outputs, self.params, h)

    def numbers_of_constants(self, values: Mapping[str, float]) -> dict[sp.Symbol, sp.Rational]:
        """The numbers that :meth:`with_constants` puts in, exactly, by symbol."""
        if not isinstance(values, Mapping) or set(values) != set(self.constants):
            got = ", ".join(map(str, values)) or "none" if isinstance(values, Mapping) else type(values).__name__
            expected = ", ".join(self.constants) or "none"
            raise InputError(f"constants: expected a number for each constant ({expected}), got {got}.")
        found = {name: positive_number(value, name) for name, value in values.items()}
        return {sp.Symbol(name): sp.Rational(repr(float(number))) for name, number in found.items()}

    def with_regularizer(self, h: str | sp.Expr | None) -> Parameterization:
        """The same weights under another regularizer, or under none."""
        other = copy(self)
        other.regularizer = None if h is None else self._parsed(h)
        return other

    def __repr__(self) -> str:
        outputs = str(self.outputs[0]) if self.separable else [str(output) for output in self.outputs]
        h = "" if self.regularizer is None else f", {str(self.regularizer)!r}"
        constants = f", constants={list(self.constants)!r}" if self.constants else ""
        return f"Parameterization({outputs!r}, {list(self.params)!r}{h}{constants})"

    def _repr_latex_(self) -> str:
        lines = [f"{left} &= {right}" for left, right in self.equations()]
        latex = "\\begin{aligned}\n" + " \\\\\n".join(lines) + "\n\\end{aligned}"
        return f"$\\displaystyle {latex if len(lines) > 1 else lines[0].replace('&', '')}$"

    def equations(self) -> list[tuple[str, str]]:
        """The weights and their formulas in LaTeX."""
        weight = ResultNames.beside(self.params, self.constants).weight
        count = len(self.outputs)
        names = [weight] if self.separable else [f"{weight}_{{{i + 1}}}" for i in range(count)]
        return [(name, sp.latex(output)) for name, output in zip(names, self.outputs, strict=True)]

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Parameterization):
            return NotImplemented
        return self._key() == other._key()

    def __hash__(self) -> int:
        return hash(self._key())

    def _key(self) -> tuple[object, ...]:
        return (self.outputs, self.params, self.separable, self.regularizer, self.constants)

    @property
    def output(self) -> sp.Expr:
        """The formula of one coordinate of a separable parameterization.

        Raises:
            InputError: If the parameterization is coupled.
        """
        if not self.separable:
            raise InputError(f"{self!r} is coupled: it has no single formula, use .outputs.")
        return self.outputs[0]

    @cached_property
    def symbols(self) -> tuple[sp.Symbol, ...]:
        """The parameters as SymPy symbols without assumptions."""
        return tuple(sp.Symbol(name) for name in self.params)

    def gradient(self, formula: sp.Expr) -> sp.Matrix:
        """The column of partial derivatives of a formula in the parameters."""
        return gradient(formula, self.symbols)

    def hessian(self, formula: sp.Expr) -> sp.Matrix:
        """The matrix of second derivatives of a formula in the parameters, without point masses at kinks."""
        # The second derivative of |θ| is a point mass at its kink, which no integrator meets.
        found = jacobian(real(self.gradient(formula)), [real(s) for s in self.symbols])
        return plain(found.replace(sp.DiracDelta, lambda *_: sp.Integer(0)))

    def start(self, init: Mapping[str, ArrayLike]) -> NDArray[np.float64]:
        """Initial values by name as one array of shape (p,), for numbers, or (p, n).

        Raises:
            InputError: If names are missing or unknown, shapes differ, a value is not a finite real number, or the
                formulas hold constants.
        """
        self._refuse_constants()
        if not isinstance(init, Mapping) or set(init) != set(self.params):
            raise InputError(f"init: {self._wrong_names(init)}.")
        values = [_real_numbers(init[name], f"init[{name!r}]") for name in self.params]
        for name, value in zip(self.params, values, strict=True):
            if value.ndim > 1 or value.size == 0:
                raise InputError(
                    f"init[{name!r}]: expected a number or an array of shape (n,), n >= 1, got {value.shape}."
                )
        try:
            return np.stack(np.broadcast_arrays(*values))
        except ValueError:
            shapes = ", ".join(f"{name}: {v.shape}" for name, v in zip(self.params, values, strict=True))
            raise InputError(f"init: expected one shape for all parameters, got {shapes}.") from None

    def _wrong_names(self, init: object) -> str:
        """How initial values differ from what is expected."""
        if not isinstance(init, Mapping):
            example = ", ".join(f"{name!r}: ..." for name in self.params)
            return f"expected a dict with numbers for each parameter, as in {{{example}}}, got {type(init).__name__}"
        unknown = [str(name) for name in init if name not in self.params]
        missing = [name for name in self.params if name not in init]
        wrong = [
            f"{state}: {', '.join(names)}" for names, state in ((unknown, "unknown"), (missing, "missing")) if names
        ]
        product = "".join(unknown)
        hint = f"; {product} is one name: write {'*'.join(unknown)} for a product" if product in missing else ""
        return f"expected the parameters {', '.join(self.params)}; {'; '.join(wrong)}{hint}"

    def _refuse_constants(self) -> None:
        if self.constants:
            numbers = ", ".join(f"{name!r}: ..." for name in self.constants)
            raise InputError(
                f"parameterization: expected numbers for the constants of {self!r}; put them in by "
                f".with_constants({{{numbers}}})."
            )

    def separable_map(self, dynamics: SteepestDescent | None = None) -> SeparableMap:
        """Return g of one coordinate with its derivatives as NumPy functions, for numerical integration.

        Args:
            dynamics: What moves the parameters; None for gradient flow.

        Raises:
            InputError: If the parameterization is coupled, or the formulas hold constants.
        """
        self._refuse_constants()
        exponent = sp.Integer(2) if dynamics is None else dynamics.exponent
        gradient = self.gradient(self.output)
        field = steepest_field(gradient, exponent)
        output = compiled(self.symbols, [self.output])
        levels = self.ends(exponent)
        approach = compiled(self.symbols, [self.gradient(level).dot(field) / level for level in levels])
        second = list(self.hessian(self.output))
        is_smooth = not any(each.has(sp.DiracDelta) for each in second)
        count = len(self.symbols)

        @cache
        def hessian() -> Callable[[ArrayLike], np.ndarray]:  # compiled only when needed, as it rarely is
            return compiled(self.symbols, second)

        return SeparableMap(
            output=lambda theta: output(theta)[0],
            gradient=compiled(self.symbols, list(gradient)),
            bend=compiled(self.symbols, list(self._bend(field))),
            levels=compiled(self.symbols, levels),
            approach=lambda theta: np.sum(np.abs(approach(theta)), axis=0),
            exponent=float(exponent),
            hessian=(lambda theta: hessian()(theta).reshape(count, count, *np.shape(theta)[1:])) if is_smooth else None,
        )

    def ends(self, exponent: sp.Expr) -> list[sp.Expr]:
        """Functions of the parameters of one coordinate that are zero where their curve dθ/ds ends, for an exponent q.

        The curve is dθ/ds = sgn(∇g)|∇g|^(q − 1).
        """
        field = steepest_field(self.gradient(self.output), exponent)
        return ends_of_flow(self.output, field, self.symbols, through_jumps=exponent != 2)

    def field_at_point(self) -> Callable[[Sequence[float]], Sequence[float]]:
        """Return a function from the p parameters of one coordinate to ∇g and ∇²g·∇g, 2p numbers in Python's own.

        Raises:
            InputError: If the parameterization is coupled, or the formulas hold constants.
        """
        self._refuse_constants()
        gradient = self.gradient(self.output)
        return compiled_at_point(self.symbols, [*gradient, *self._bend(gradient)])

    def _bend(self, field: sp.Matrix) -> sp.Matrix:
        """∇²g·dθ/ds of one coordinate: the change of ∇g along a field."""
        return self.hessian(self.output) * field

    def _parsed(self, h: str | sp.Expr) -> sp.Expr:
        return parse(h, [*self.params, *self.constants], "regularizer")

    def commutes(self) -> CommutingReport:
        r"""Whether all pairs of fields :math:`\nabla g_i, \nabla g_j` commute; the first failing pair is reported.

        A separable parameterization always commutes: its coordinates share no parameter.
        """
        pairs = [
            (f"g{i + 1}", f"g{j + 1}", self.outputs[i], self.outputs[j])
            for i in range(len(self.outputs))
            for j in range(i + 1, len(self.outputs))
        ] or [("g", "g", self.outputs[0], self.outputs[0])]
        return self._first_failure(pairs)

    def commutes_with(self, h: str | sp.Expr) -> CommutingReport:
        r"""Whether :math:`\nabla h` commutes with every :math:`\nabla g_i`: then decay only moves the potential.

        Args:
            h: The regularizer of one coordinate (separable) or of all parameters (coupled).
        """
        formula = self._parsed(h)
        names = ["g"] if self.separable else [f"g{i + 1}" for i in range(len(self.outputs))]
        return self._first_failure([(n, "h", g, formula) for n, g in zip(names, self.outputs, strict=True)])

    def commuting_regularizers(
        self, degree: int, ansatz: Sequence[str | sp.Expr] | None = None, *, time_limit: float = SEARCH_SECONDS
    ) -> list[sp.Expr]:
        r"""A basis of all regularizers h with :math:`[\nabla g_i, \nabla h] = 0` for every output, constants left out.

        Searches the linear combinations of all monomials of degree 1 to ``degree`` and of the formulas in ``ansatz``,
        by exact linear algebra; :mod:`implicit_bias.symbolic.discovery` says when the basis is complete.

        Args:
            degree: The highest degree of the monomials; 0 for the ansatz alone.
            ansatz: Further formulas to combine, such as ``["sqrt(u)", "log(v)"]``.
            time_limit: Seconds of processor time for the search.

        Raises:
            InputError: If the degree is not a non-negative integer or gives more than 5000 candidates.
            FormulaError: If a formula of the ansatz leaves the whitelist or is constant.
            UnsupportedError: If a result holds for some signs of the parameters only, or the search takes too long.

        >>> Parameterization("m*w", ["m", "w"]).commuting_regularizers(3)
        [m*w, m**2 + w**2]
        """
        try:
            outputs = tuple(with_constants(output, self.constants) for output in self.outputs)
            return call(time_limit, commuting_regularizers, outputs, self.symbols, degree, ansatz)
        except StoppedError as error:
            raise UnsupportedError(
                f"The search {error} for a time limit of {time_limit:g} seconds; lower the degree."
            ) from None

    def _first_failure(self, pairs: list[tuple[str, str, sp.Expr, sp.Expr]]) -> CommutingReport:
        known = [(*pair[:2], *(with_constants(f, self.constants) for f in pair[2:])) for pair in pairs]
        try:
            return call(COMMUTING_SECONDS, first_failure, known, self.symbols)
        except StoppedError as error:
            raise UnsupportedError(
                f"Whether the fields of {self!r} commute {error} for a limit of {COMMUTING_SECONDS:g} seconds; "
                "simplify them."
            ) from None


def commuting_instead(parameterization: Parameterization) -> tuple[sp.Expr, ...]:
    """Regularizers that commute with g: polynomials up to the degree of g, and terms of g; none if that takes long."""
    terms = [term.as_coeff_Mul()[1] for term in sp.Add.make_args(parameterization.output)]
    of_polynomials = [term for term in terms if term.is_polynomial(*parameterization.symbols)]
    others = [term for term in terms if term not in of_polynomials and not parameterization.constants]
    degrees = [sp.Poly(term, *parameterization.symbols).total_degree() for term in of_polynomials]
    degree = min(max([2, *degrees]), _MOST_DEGREES)
    try:
        return tuple(parameterization.commuting_regularizers(degree, others or None, time_limit=_SECONDS_TO_ADVISE))
    except InputError:  # too many candidates, too slow, or a basis for some signs alone: the error does without
        return ()


def _real_numbers(value: ArrayLike, name: str) -> NDArray[np.float64]:
    """Return ``value`` as a float64 array, or raise ``InputError`` naming the first entry that is no real number."""
    listed = isinstance(value, (list, tuple))
    for k, entry in enumerate(value if listed else [value]):
        if entry is None or isinstance(entry, (str, bytes, complex)):
            where = f" at coordinate {k}" if listed else ""
            raise InputError(f"{name}: expected real numbers, got {entry!r} ({type(entry).__name__}){where}.")
    return finite_array(value, name)
