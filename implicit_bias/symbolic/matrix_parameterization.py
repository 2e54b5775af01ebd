r"""Weights that form a matrix: sums of products of parameter matrices, such as :math:`X = UU^\top`.

A formula is read from Python's syntax tree by a whitelist, as in :mod:`implicit_bias.symbolic.formulas`, and never
evaluated. Its values and derivatives are products of matrices, so a hundred thousand weights need no symbols.
"""

from __future__ import annotations

import ast
import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from numpy.typing import ArrayLike

from implicit_bias.errors import FormulaError, InputError, did_you_mean, known_options
from implicit_bias.symbolic.formulas import check_names
from implicit_bias.validation import FloatArray, finite_array, positive_number, whole_number

MAX_LENGTH = 1000
MAX_TERMS = 50
MAX_FACTORS = 20

Kind = Literal["plain", "transposed", "diagonal"]


@dataclass(frozen=True)
class Factor:
    """A parameter in a product: as it is, transposed, or as the diagonal matrix of a vector.

    Attributes:
        name: Of the parameter.
        kind: How it enters.
    """

    name: str
    kind: Kind = "plain"

    @property
    def turned(self) -> Factor:
        """The transpose."""
        turned: dict[Kind, Kind] = {"plain": "transposed", "transposed": "plain", "diagonal": "diagonal"}
        return Factor(self.name, turned[self.kind])


@dataclass(frozen=True)
class Term:
    """A number times a product of factors, of at least one."""

    number: float
    factors: tuple[Factor, ...]


@known_options
class MatrixParameterization:
    r"""Effective weights that form a matrix X, a sum of products of parameter matrices, with weight decay.

    The weights x are the rows of X, one after the other, so for X of shape (p, q) a problem has n = pq columns, and a
    measurement ⟨A, X⟩ is the row ``A.ravel()`` of Z. The parameters of a name are trained together and shared by many
    weights, so this is a *coupled* parameterization:

    - ``"U @ U.T"``: a symmetric factorization, for matrix sensing;
    - ``"U @ V.T"``, ``"W3 @ W2 @ W1"``: linear networks; ``"U @ U.T - V @ V.T"``: a symmetric X of any sign;
    - ``"diag(m) @ W"``: a mask for each neuron, :math:`x_{ij} = m_iw_{ij}`, or for each of several groups of one size.

    Args:
        formula: Names, ``.T``, ``diag(name)``, ``@``, ``+``, ``-``, numbers times a product, and parentheses.
        shapes: The shape of each parameter, (rows, columns), or a length for one in ``diag``.
        regularizer: Weight decay :math:`h = \sum_k c_k\|\theta_k\|_F^2` as a number c >= 0 for all parameters, or one
            by name; None for none. A schedule gives it its strength.

    Raises:
        FormulaError: If the formula leaves the whitelist, or has a term without parameters.
        InputError: If shapes do not fit the formula, or names are missing or unknown.

    Attributes:
        formula: As given.
        params: The names, in order of appearance.
        shapes: The shape of each parameter by name.
        shape: That of X.
        terms: The formula as a sum of products.
        regularizer: c by name, or None.

    >>> sensing = MatrixParameterization("U @ U.T", {"U": (3, 2)})
    >>> sensing.params, sensing.shape
    (('U',), (3, 3))
    >>> MatrixParameterization("diag(m) @ W", {"m": 4, "W": (4, 5)}, regularizer=1.0)
    MatrixParameterization('diag(m) @ W', {'m': (4,), 'W': (4, 5)}, regularizer={'m': 1.0, 'W': 1.0})
    """

    separable = False

    def __init__(
        self,
        formula: str,
        shapes: Mapping[str, int | Sequence[int]],
        regularizer: float | Mapping[str, float] | None = None,
    ) -> None:
        self.formula = formula
        self.terms = _read(formula)
        self.params = check_names(list(dict.fromkeys(f.name for term in self.terms for f in term.factors)), "formula")
        if not isinstance(shapes, Mapping) or set(shapes) != set(self.params):
            raise InputError(
                f"shapes: expected a dict with exactly the parameters {', '.join(self.params)}, got "
                f"{_names_of(shapes, self.params)}."
            )
        self.shapes = {name: _shape(shapes[name], name) for name in self.params}
        self.shape = self._fitting()
        self.regularizer = self._coefficients(regularizer)

    def __repr__(self) -> str:
        h = "" if self.regularizer is None else f", regularizer={self.regularizer!r}"
        return f"MatrixParameterization({self.formula!r}, {self.shapes!r}{h})"

    def with_regularizer(self, regularizer: float | Mapping[str, float] | None) -> MatrixParameterization:
        """The same weights under another weight decay, or under none."""
        return MatrixParameterization(self.formula, self.shapes, regularizer)

    @property
    def size(self) -> int:
        """How many numbers the parameters consist of."""
        return sum(math.prod(shape) for shape in self.shapes.values())

    def start(self, init: Mapping[str, ArrayLike], runs: bool = False) -> dict[str, FloatArray]:
        """Initial values by name, checked.

        Args:
            init: A matrix or vector for each parameter.
            runs: Whether each may have an axis (runs,) in front.

        Raises:
            InputError: If names are missing or unknown, a shape differs, or a value is not a finite real number.
        """
        if not isinstance(init, Mapping) or set(init) != set(self.params):
            raise InputError(
                f"init: expected a dict with exactly the parameters {', '.join(self.params)}, got "
                f"{_names_of(init, self.params)}."
            )
        values = {name: finite_array(init[name], f"init[{name!r}]") for name in self.params}
        for name, value in values.items():
            shape = self.shapes[name]
            has_runs = runs and value.ndim == len(shape) + 1 and len(value)
            if value.shape[1 if has_runs else 0 :] != shape:
                also = f" or {('runs', *shape)}".replace("'", "") if runs else ""
                raise InputError(f"init[{name!r}]: expected shape {shape}{also}, got {value.shape}.")
        return values

    def _fitting(self) -> tuple[int, int]:
        """The shape of X, after checking that all products and sums fit."""
        found: tuple[int, int] | None = None
        for term in self.terms:
            sizes = [self._factor_shape(factor) for factor in term.factors]
            for left, right in itertools.pairwise(sizes):
                if left[1] != right[0]:
                    raise InputError(
                        f"shapes: {self.formula!r} multiplies matrices of shapes {left} and {right}; the inner sizes "
                        "have to agree."
                    )
            shape = sizes[0][0], sizes[-1][1]
            if found not in (None, shape):
                raise InputError(f"shapes: {self.formula!r} adds matrices of shapes {found} and {shape}.")
            found = shape
        if found is None:
            raise FormulaError("formula: expected at least one product of parameters.")
        return found

    def _factor_shape(self, factor: Factor) -> tuple[int, int]:
        shape = self.shapes[factor.name]
        if len(shape) != (1 if factor.kind == "diagonal" else 2):
            needed = "a length, as it stands in diag" if factor.kind == "diagonal" else "(rows, columns)"
            raise InputError(f"shapes[{factor.name!r}]: expected {needed}, got {shape}.")
        if factor.kind == "diagonal":
            return shape[0], shape[0]
        return (shape[0], shape[1]) if factor.kind == "plain" else (shape[1], shape[0])

    def _coefficients(self, regularizer: float | Mapping[str, float] | None) -> dict[str, float] | None:
        if regularizer is None:
            return None
        if not isinstance(regularizer, Mapping):
            regularizer = dict.fromkeys(self.params, regularizer)
        unknown = next((name for name in regularizer if name not in self.params), None)
        if unknown is not None:
            hint = did_you_mean(unknown, self.params)
            raise InputError(f"regularizer: {unknown} is none of the parameters {', '.join(self.params)}{hint}.")
        return {
            name: positive_number(regularizer.get(name, 0.0), f"regularizer[{name!r}]", zero_allowed=True)
            for name in self.params
        }


def _shape(given: int | Sequence[int], name: str) -> tuple[int, ...]:
    field = f"shapes[{name!r}]"
    sizes = given if isinstance(given, (tuple, list)) else (given,)
    shape = tuple(whole_number(size, field) for size in sizes)
    if not 1 <= len(shape) <= 2 or min(shape) < 1:
        raise InputError(f"{field}: expected (rows, columns) or a length, positive integers, got {given!r}.")
    return shape


def _read(formula: str) -> tuple[Term, ...]:
    if not isinstance(formula, str):
        raise FormulaError(f"formula: expected a string such as 'U @ U.T', got {type(formula).__name__}.")
    if len(formula) > MAX_LENGTH:
        raise FormulaError(f"formula: expected at most {MAX_LENGTH} characters, got {len(formula)}.")
    try:
        tree = ast.parse(formula.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        raise FormulaError(f"formula: {formula!r} is not a formula; write products with @, as in 'U @ V.T'.") from None
    terms = _terms(tree)
    if any(not term.factors for term in terms):
        raise FormulaError(f"formula: {formula!r} has a term without parameters, which is no matrix.")
    return terms


def _names_of(given: object, params: Sequence[str]) -> str:
    """What was given in place of a dict with the parameters, and a question about the first unknown name."""
    if not isinstance(given, Mapping):
        return type(given).__name__
    unknown = next((name for name in given if name not in params), None)
    hint = "" if unknown is None else did_you_mean(unknown, [name for name in params if name not in given])
    return (", ".join(map(str, given)) or "none") + hint


def _terms(node: ast.expr) -> tuple[Term, ...]:
    """The sum of products that a node of the syntax tree stands for."""
    match node:
        case ast.Name(id=name):
            return (Term(1.0, (Factor(name),)),)
        case ast.Constant(value=bool()):
            pass
        case ast.Constant(value=int() | float() as number) if number < math.inf:
            return (Term(float(number), ()),)
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return tuple(Term(-term.number, term.factors) for term in _terms(operand))
        case ast.Attribute(value=value, attr="T"):
            return tuple(Term(t.number, tuple(f.turned for f in reversed(t.factors))) for t in _terms(value))
        case ast.Call(func=ast.Name(id="diag"), args=[ast.Name(id=name)], keywords=[]):
            return (Term(1.0, (Factor(name, "diagonal"),)),)
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            return _few(_terms(left) + _terms(right))
        case ast.BinOp(left=left, op=ast.Sub(), right=right):
            return _few(_terms(left) + tuple(Term(-term.number, term.factors) for term in _terms(right)))
        case ast.BinOp(left=left, op=ast.MatMult() | ast.Mult() as op, right=right):
            first, second = _terms(left), _terms(right)
            is_scaled = all(not t.factors for t in first) or all(not t.factors for t in second)
            if isinstance(op, ast.Mult) == is_scaled:
                products = (Term(a.number * b.number, a.factors + b.factors) for a in first for b in second)
                return _few(tuple(products))
    shown, hint = ast.unparse(node)[:80], ""
    match node:
        case ast.Attribute(attr="t" | "TT" | "transpose" | "H"):
            hint = " (did you mean .T?)"
        case ast.Call(func=ast.Name(id=name)):
            hint = did_you_mean(name, ["diag"])
    raise FormulaError(
        f"formula: {shown!r} is none of names, .T, diag(name), products @, sums, differences and numbers times "
        f"them{hint}."
    )


def _few(terms: tuple[Term, ...]) -> tuple[Term, ...]:
    if len(terms) > MAX_TERMS or max(len(term.factors) for term in terms) > MAX_FACTORS:
        raise FormulaError(
            f"formula: expected at most {MAX_TERMS} products of {MAX_FACTORS} factors after expanding it; shorten it."
        )
    return terms
