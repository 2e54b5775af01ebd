r"""Finding the regularizers that keep a gradient flow a mirror flow.

A regularizer may decay the parameters without destroying the potential when :math:`[\nabla g_i, \nabla h] = 0` for
every output [Jacobs2025]_. The bracket is linear in h, so within a finite-dimensional space of candidates the
admissible h are the kernel of a matrix, found by exact elimination.

References:
    .. [Jacobs2025] Jacobs, Zhou, Burkholz, "Mirror, mirror of the flow: how does regularization shape implicit bias?",
       ICML 2025.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence

import numpy as np
import sympy as sp
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from sympy.polys.constructor import construct_domain
from sympy.polys.matrices import DomainMatrix

from implicit_bias.errors import FormulaError, InputError, UnsupportedError
from implicit_bias.symbolic.assumptions import bare, constants_in, plain, real, slope, with_constants
from implicit_bias.symbolic.commuting import gradient, lie_bracket, lie_bracket_report
from implicit_bias.symbolic.formulas import parse
from implicit_bias.validation import whole_number

MAX_CANDIDATES = 5000
_MAX_SIGNED = 6  # parameters inside |·|, each of which doubles the number of cases

Monomial = tuple[int, ...]
Rows = list[dict[int, sp.Expr]]  # a sparse matrix: coefficient by column, for each row


def commuting_regularizers(
    outputs: Sequence[sp.Expr],
    symbols: Sequence[sp.Symbol],
    degree: int,
    ansatz: Sequence[str | sp.Expr] | None = None,
) -> list[sp.Expr]:
    r"""A basis of all h in a space of candidates with :math:`[\nabla g_i, \nabla h] = 0` for every output.

    The candidates are the linear combinations of all monomials of degree 1 to ``degree`` and of the formulas in
    ``ansatz``. For polynomials the answer is complete: nothing is left out. For other functions the brackets are
    brought to a common denominator and expanded into terms (with positive parameters, and both signs for those inside
    an absolute value); relations between terms that expansion does not see can only make the list too short. Constants
    stand for any numbers but exceptional ones, which may admit more. Brackets are compared where all functions are
    differentiable: u·|v| commutes with u·v, as it is ±u·v on either side of v = 0.

    Args:
        outputs: The formulas :math:`g_i`, in plain symbols.
        symbols: The parameters.
        degree: The highest degree of the monomials; 0 for the ansatz alone.
        ansatz: Further candidates, formulas in the parameters.

    Returns:
        Linearly independent regularizers without constants, those of low degree first. Coefficients are coprime
        integers wherever they are rational.

    Raises:
        InputError: If the degree is not a non-negative integer, or there are more than 5000 candidates.
        FormulaError: If a formula of the ansatz leaves the whitelist or is constant.
        UnsupportedError: If a candidate that algebra found fails the test at random points (a fractional power whose
            sign depends on the parameters).
    """
    order = whole_number(degree, "degree")
    if isinstance(degree, bool) or order < 0:
        raise InputError(f"degree: expected a non-negative integer, got {degree!r}.")
    extra = _parsed(ansatz, symbols, [c.name for c in constants_in(*outputs)])
    count = math.comb(len(symbols) + order, order) - 1 + len(extra)
    if count > MAX_CANDIDATES:
        raise InputError(
            f"degree: {order} gives {count} candidates in {len(symbols)} parameters, more than {MAX_CANDIDATES}; lower "
            "it, or pass degree=0 and the formulas to try as ansatz=."
        )
    monomials = [m for m in _monomials(len(symbols), order) if any(m)]
    candidates = [sp.Mul(*(s**k for s, k in zip(symbols, m, strict=True))) for m in monomials]
    if not extra and all(g.is_polynomial(*symbols) for g in outputs):
        rows = _polynomial_rows(outputs, symbols, monomials)
    else:
        candidates = _independent([*candidates, *extra], symbols)
        rows = _bracket_rows(outputs, symbols, candidates)
    found = [_combination(vector, candidates) for vector in _kernel(rows, len(candidates))]
    for h in found:
        _verify(outputs, symbols, h)
    return [bare(h) for h in found]


def _parsed(
    ansatz: Sequence[str | sp.Expr] | None, symbols: Sequence[sp.Symbol], constants: Sequence[str]
) -> list[sp.Expr]:
    if ansatz is None:
        return []
    if isinstance(ansatz, (str, bytes, sp.Basic)) or not hasattr(ansatz, "__iter__"):
        raise FormulaError(f"ansatz: expected a list of formulas, got {type(ansatz).__name__}.")
    formulas = [parse(formula, [*(s.name for s in symbols), *constants], "ansatz") for formula in ansatz]
    for formula in formulas:
        if not formula.free_symbols & {*symbols}:
            raise FormulaError(f"ansatz: {formula} is constant, which regularizes nothing.")
    return [with_constants(formula, constants) for formula in formulas]


def _monomials(size: int, degree: int) -> Iterator[Monomial]:
    """All exponents of total degree at most ``degree``, lowest degree first."""
    for total in range(degree + 1):
        for chosen in itertools.combinations_with_replacement(range(size), total):
            yield tuple(chosen.count(i) for i in range(size))


def _polynomial_rows(outputs: Sequence[sp.Expr], symbols: Sequence[sp.Symbol], monomials: Sequence[Monomial]) -> Rows:
    r"""The brackets with all monomials, one row per output, component and monomial of the bracket.

    Component j of the bracket of two monomials is

    .. math:: [\nabla\theta^a, \nabla\theta^b]_j = (b_j - a_j) \sum_i a_i b_i\, \theta^{a+b-2e_i-e_j}.
    """
    rows: dict[tuple, dict[int, sp.Expr]] = {}
    size = range(len(symbols))
    for number, g in enumerate(outputs):
        for a, coefficient in sp.Poly(g, *symbols).terms():
            for column, b in enumerate(monomials):
                for i, j in itertools.product(size, repeat=2):
                    factor = (b[j] - a[j]) * a[i] * b[i]
                    if factor:
                        power = tuple(a[k] + b[k] - 2 * (k == i) - (k == j) for k in size)
                        row = rows.setdefault((number, j, power), {})
                        row[column] = row.get(column, sp.Integer(0)) + coefficient * factor
    return list(rows.values())


def _bracket_rows(outputs: Sequence[sp.Expr], symbols: Sequence[sp.Symbol], candidates: Sequence[sp.Expr]) -> Rows:
    """The brackets of arbitrary functions, one row per independent term."""
    rows: Rows = []
    for formulas, variables in _orthants([*outputs, *candidates], symbols):
        for g in formulas[: len(outputs)]:
            first = _gradient(g, variables)
            brackets = [lie_bracket(first, _gradient(h, variables), variables) for h in formulas[len(outputs) :]]
            for j in range(len(variables)):
                rows += _term_rows([bracket[j] for bracket in brackets], variables)
    return rows


def _independent(candidates: Sequence[sp.Expr], symbols: Sequence[sp.Symbol]) -> list[sp.Expr]:
    """The candidates without those that are, up to a constant, combinations of earlier ones."""
    rows: Rows = []
    for formulas, variables in _orthants(candidates, symbols):
        for s in variables:
            rows += _term_rows([slope(h, s) for h in formulas], variables)
    _, pivots = _matrix(rows, len(candidates)).rref()
    return [candidates[k] for k in pivots]


def _orthants(
    formulas: Sequence[sp.Expr], symbols: Sequence[sp.Symbol]
) -> Iterator[tuple[list[sp.Expr], list[sp.Symbol]]]:
    """The formulas in positive variables, once for each choice of signs of the parameters inside |·| or sign.

    Reflections are isometries, so that brackets can be taken in the new variables.
    """
    declared = [real(f) for f in formulas]
    inside = set().union(*(node.free_symbols for f in declared for node in f.atoms(sp.Abs, sp.sign)))
    signed = [s for s in symbols if real(s) in inside]
    if len(signed) > _MAX_SIGNED:
        raise UnsupportedError(
            f"ansatz: {len(signed)} parameters stand inside absolute values, more than {_MAX_SIGNED}; search fewer "
            "parameters at a time."
        )
    variables = [sp.Symbol(s.name, positive=True) for s in symbols]
    for signs in itertools.product((1, -1), repeat=len(signed)):
        sign = dict(zip(signed, signs, strict=True))
        replaced = {real(s): sign.get(s, 1) * v for s, v in zip(symbols, variables, strict=True)}
        yield [f.xreplace(replaced).doit() for f in declared], variables


def _gradient(formula: sp.Expr, variables: Sequence[sp.Symbol]) -> sp.Matrix:
    return sp.Matrix([slope(formula, v) for v in variables])


def _term_rows(components: Sequence[sp.Expr], variables: Sequence[sp.Symbol]) -> Rows:
    """The linear conditions on c for Σ c_k component_k to vanish: one for each term over the common denominator."""
    unknowns = [sp.Dummy(f"c{k}") for k in range(len(components))]
    total = sp.Add(*(c * e.rewrite(sp.exp) for c, e in zip(unknowns, components, strict=True)))
    numerator = sp.expand(sp.fraction(sp.together(total))[0])
    column = {c: k for k, c in enumerate(unknowns)}
    rows: dict[sp.Expr, dict[int, sp.Expr]] = {}
    for term in sp.Add.make_args(numerator):
        coefficient, moving = sp.powsimp(term, combine="exp").as_independent(*variables, *unknowns, as_Add=False)
        if moving.is_number:
            continue
        (unknown,) = moving.free_symbols & column.keys()
        row = rows.setdefault(moving / unknown, {})
        row[column[unknown]] = row.get(column[unknown], sp.Integer(0)) + coefficient
    return list(rows.values())


def _matrix(rows: Rows, size: int) -> DomainMatrix:
    """The rows over the smallest field that holds all coefficients."""
    entries = [(r, c, value) for r, row in enumerate(rows) for c, value in row.items()]
    field, values = construct_domain([v for *_, v in entries] or [sp.Integer(1)], field=True, extension=True)
    sparse: dict[int, dict[int, object]] = {}
    for (r, c, _), value in zip(entries, values, strict=False):
        if value:
            sparse.setdefault(r, {})[c] = value
    return DomainMatrix(sparse, (len(rows), size), field)


def _kernel(rows: Rows, size: int) -> Rows:
    """A reduced basis of the kernel, sorted by the last column that each vector involves."""
    basis = []
    for columns in _blocks(rows, size):
        position = {c: k for k, c in enumerate(reversed(columns))}  # highest degree first, to be the pivots below
        block = [{position[c]: v for c, v in row.items()} for row in rows if row and next(iter(row)) in position]
        kernel = _matrix(block, len(columns)).nullspace()
        reduced, pivots = kernel.rref()
        listed = reduced.to_Matrix()
        for r in range(len(pivots)):
            vector = {c: listed[r, k] for c, k in position.items() if listed[r, k] != 0}
            basis.append(_primitive(dict(sorted(vector.items()))))
    return sorted(basis, key=max)


def _blocks(rows: Rows, size: int) -> list[list[int]]:
    """Columns that share rows, directly or through others; each block has its own small kernel."""
    links = [(next(iter(row)), c) for row in rows for c in row]
    first, second = np.array(links, dtype=int).reshape(-1, 2).T
    graph = coo_array((np.ones(len(links)), (first, second)), shape=(size, size))
    count, labels = connected_components(graph, directed=False) if size else (0, [])
    blocks: list[list[int]] = [[] for _ in range(count)]
    for column, label in enumerate(labels):
        blocks[label].append(column)
    return blocks


def _primitive(vector: dict[int, sp.Expr]) -> dict[int, sp.Expr]:
    """The multiple with coprime integer coefficients and a positive first one, where the coefficients are rational."""
    values = list(vector.values())
    if not all(v.is_Rational for v in values):
        return vector
    denominator = math.lcm(*(int(v.q) for v in values))
    divisor = math.gcd(*(int(v * denominator) for v in values))
    factor = sp.Rational(denominator, divisor) * sp.sign(values[0])
    return {column: v * factor for column, v in vector.items()}


def _combination(vector: dict[int, sp.Expr], candidates: Sequence[sp.Expr]) -> sp.Expr:
    return plain(sp.Add(*(value * candidates[column] for column, value in vector.items())))


def _verify(outputs: Sequence[sp.Expr], symbols: Sequence[sp.Symbol], h: sp.Expr) -> None:
    """Compute the brackets afresh, from the formula that will be returned."""
    for g in outputs:
        report = lie_bracket_report((str(g), str(h)), gradient(g, symbols), gradient(h, symbols), symbols)
        if not report.holds:
            raise UnsupportedError(
                f"ansatz: {h} commutes where all parameters are positive, but not everywhere ({report}). Write even "
                "roots of squares as abs(...), or search without the formulas that cause it."
            )
