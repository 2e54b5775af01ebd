"""The independent conditions of a system, against rational arithmetic."""

from fractions import Fraction
from types import SimpleNamespace

import flint
import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from scipy.sparse import csr_array
from scipy.sparse.linalg import aslinearoperator

from implicit_bias.limit import dependency
from implicit_bias.limit import row_basis as module
from implicit_bias.limit.dependency import depends_exactly
from implicit_bias.limit.dual_newton import DualNewton
from implicit_bias.limit.row_basis import contradiction, row_basis
from implicit_bias.linear_map import CombinedRowsMap, DenseMap, linear_map

U = 2.0**-53


def rank(rows):
    """The rank of a matrix of doubles over the rational numbers."""
    entries = [[flint.fmpq(*float(value).as_integer_ratio()) for value in row] for row in np.atleast_2d(rows)]
    return flint.fmpq_mat(len(entries), len(entries[0]), [value for row in entries for value in row]).rank()


def dot(row, x):
    return sum(Fraction(float(a)) * b for a, b in zip(row, x, strict=True))


@st.composite
def systems(draw):
    """Systems with nearly or exactly dependent rows and a solution x in small whole numbers.

    Some rows are combinations of others, plus a row that is 2⁻ᵏ times as large. Entries have so few bits that y = Zx
    is exact.
    """
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    independent, added = draw(st.integers(1, 3)), draw(st.integers(0, 2))
    n = independent + added + draw(st.integers(1, 4))
    Z = rng.integers(-999, 1000, (independent, n)).astype(float)
    for _ in range(added):
        row = rng.integers(-3, 4, len(Z)) @ Z
        k = draw(st.sampled_from([None, 4, 15, 27, 30]))
        if k is not None:
            row = row + rng.integers(-3, 4, n) * 2.0**-k
        Z = np.vstack([Z, row])
    Z = Z[rng.permutation(len(Z))]
    Z = Z * 2.0 ** -np.frexp(np.abs(Z).max(axis=1, keepdims=True) + (np.abs(Z).max(axis=1, keepdims=True) == 0))[1]
    x = [Fraction(int(value)) for value in rng.integers(-9, 10, n)]
    return Z, x, np.array([float(dot(row, x)) for row in Z])


@given(systems(), st.sampled_from([np.asarray, csr_array]))
def test_a_solution_of_the_rows_solves_the_conditions(system, kind):
    """An exact solution of Zx = y solves the conditions up to their doubt, which is far below a double's rounding."""
    Z, x, y = system
    basis = row_basis(linear_map(kind(Z)), y)
    assert basis.is_exact
    assert basis.is_consistent
    assert basis.certificate is None
    assert len(basis.kept) == rank(Z) == len(basis.y)
    assert sorted([*basis.kept, *basis.dropped]) == list(range(len(Z)))
    n = Z.shape[1]
    entries = basis.linear.columns(np.arange(n))
    tail, doubt = (getattr(basis.linear, name, np.zeros_like(entries)) for name in ("tail", "doubt"))
    for k in range(len(basis.kept)):
        reached = dot(entries[k], x) + dot(tail[k], x)
        wanted = Fraction(float(basis.y[k])) + Fraction(float(basis.y_tail[k]))
        allowed = dot(doubt[k], [abs(v) for v in x]) + Fraction(float(basis.y_doubt[k]))
        assert abs(reached - wanted) <= allowed
        assert np.all(doubt[k] <= 1e-17)
    if basis.combination is not None:
        assert_allclose(basis.combination @ Z, entries, rtol=0, atol=1e-9 * np.abs(basis.combination).max())
    unit = entries / np.linalg.norm(entries, axis=1, keepdims=True) if len(entries) else np.ones((1, 1))
    smallest = np.linalg.svd(unit, compute_uv=False)[-1] ** 2
    if len(entries):
        assert 1e-7 < basis.smallest <= smallest * (1 + 1e-9)
        assert basis.smallest >= smallest * (1 - 1e-4)
        assert_allclose(basis.lengths, np.linalg.norm(entries, axis=1), rtol=1e-14)
        rest = np.arange(1.0, len(entries) + 1)
        assert_allclose(basis.least_change(rest), np.linalg.lstsq(entries, rest)[0], rtol=1e-6, atol=1e-9)


def test_doubt_covers_every_rounding_of_the_small_parts():
    """For each row a pass adds a product, its rounding error and a small part; the sums round at 2⁻¹⁰⁶ of the terms."""
    row = np.array([1.0, 0.7, 0.3])
    basis = row_basis(DenseMap(np.vstack([row, row + 2.0**-30 * np.eye(3)[2]])), np.zeros(2))
    doubted = np.any(basis.linear.doubt > 0, axis=1)
    assert np.sum(doubted) == 1
    grown = 2.0**30 * 0.5  # the least factor by which the difference is scaled up
    assert np.all(basis.linear.doubt[doubted] >= 3 * 2 * U**2 * 2 * row * grown * 0.99)
    assert np.all(basis.linear.doubt[doubted] <= 100 * U**2 * row * grown)


def test_doubt_grows_with_every_pass():
    """The third row is a combination of the others up to 2⁻³⁰, which takes two passes; each adds to the doubt."""
    a, b, c = np.ones(4), np.array([0.0, 1.0, 0.0, 0.0]), np.array([0.0, 0.0, 1.0, 0.0])
    Z = np.vstack([a, a + 2.0**-15 * b, a + 2.0**-15 * b + 2.0**-30 * c])
    basis = row_basis(DenseMap(Z / 2), np.zeros(3))
    last = int(np.argmax(np.sum(basis.linear.doubt, axis=1)))
    terms = 4 * 2.0**30  # of the first column: a row, less a row, less the difference of two rows, 2³⁰ times
    assert basis.linear.doubt[last, 0] == pytest.approx(4 * (3 + 2) * 2 * U**2 * terms, rel=0.01)


@pytest.mark.parametrize("tiny", [1e-318, 1e-200, 1e-130])
def test_products_that_underflow_are_not_exact(tiny):
    c = 4 / 3
    with np.errstate(over="ignore", invalid="ignore"):  # as bregman_projection does
        basis = row_basis(DenseMap(np.array([[1.0, 1.0, tiny], [c, c, 2 * tiny]])), np.array([0.0, 1.0]))
    assert basis.is_exact == (tiny > 1e-140)
    plain = row_basis(DenseMap(np.array([[1.0, 0.5, tiny], [0.5, 1.0, 2 * tiny]])), np.array([0.0, 1.0]))
    assert plain.is_exact  # no rows are combined here


def test_a_contradiction_that_is_not_certified_is_none(monkeypatch):
    monkeypatch.setattr(module, "_certified", lambda *_: None)
    basis = row_basis(DenseMap(np.vstack([ROW, 2 * ROW])), np.array([1.0, 3.0]))
    assert basis.certificate is None
    assert not basis.is_consistent
    assert len(basis.kept) == 1


def test_what_is_known_of_the_smallest_singular_value(monkeypatch):
    Z = np.array([[1.0, 0.0, 0.0], [0.8, 0.6, 0.0]])  # the eigenvalues of ZZᵀ are 0.2 and 1.8
    everything, nothing = np.arange(2), np.arange(0)

    def smallest(linear):
        return module._basis(linear, np.zeros(2), everything, nothing, is_exact=True).smallest

    assert smallest(DenseMap(Z)) == pytest.approx(0.2, rel=1e-12)
    assert smallest(DenseMap(Z * [[3.0], [5.0]])) == pytest.approx(0.2, rel=1e-12)
    off = np.full((2, 3), 0.01 / np.sqrt(6))
    for tail, doubt in ((off, 0 * off), (-off, 0 * off), (0 * off, off), (off / 2, off / 2)):
        found = smallest(CombinedRowsMap(Z, tail, doubt))
        assert 0.985 * (np.sqrt(0.2) - 0.01) ** 2 <= found <= (np.sqrt(0.2) - 0.01) ** 2
    assert smallest(CombinedRowsMap(Z, 100 * off, 0 * off)) == 0
    assert smallest(DenseMap(np.ones((2, 3)))) == 0
    assert smallest(DenseMap(np.array([[1.0, 0, 0], [0, 0, 0]]))) == 0
    monkeypatch.setattr(module, "UNIT_ROUNDOFF", 1e-4)
    # A sum of n products for each entry, r of them in a row, and some roundings for each eigenvalue
    assert smallest(DenseMap(Z)) <= 0.2 - 1e-4 * 2 * (3 + 2)
    assert smallest(DenseMap(Z)) == pytest.approx(0.2 - 1e-4 * 2 * 2 * (3 + 20), rel=1e-9)


def test_what_is_known_of_the_smallest_eigenvalue_of_a_hessian(monkeypatch):
    Z = np.array([[1.0, 0.0, 0.0], [1.6, 0.6, 0.0]])
    solver = DualNewton(DenseMap(Z), np.zeros(2), 10)
    assert solver.smallest_eigenvalue() == 0
    solver.linearize(SimpleNamespace(metric=np.array([4.0, 16.0, 1.0])))  # rows (2, 0, 0) and (3.2, 2.4, 0)
    assert solver.smallest_eigenvalue() == pytest.approx(0.2, rel=1e-12)
    assert_allclose(solver.scaling, [2.0, 4.0], rtol=1e-14)
    monkeypatch.setattr("implicit_bias.limit.dual_newton.UNIT_ROUNDOFF", 1e-4)
    assert solver.smallest_eigenvalue() == pytest.approx(0.2 - 1e-4 * 2 * 2 * (3 + 20), rel=1e-9)
    monkeypatch.setattr("implicit_bias.limit.dual_newton.UNIT_ROUNDOFF", 1.0)
    assert solver.smallest_eigenvalue() == 0
    solver.linearize(SimpleNamespace(metric=np.zeros(3)))
    assert solver.smallest_eigenvalue() == 0


# Rows within rounding of others


ROW = np.array([0.9, -0.7, 0.5, 0.3])


@pytest.mark.parametrize(("ulps", "depends"), [(0, True), (1, True), (2, True), (4, True), (8, False), (10**4, False)])
@pytest.mark.parametrize("column", range(4))
def test_a_row_depends_within_the_rounding_of_its_entries(ulps, depends, column):
    near = ROW.copy()
    near[column] += ulps * np.spacing(near[column])
    basis = row_basis(DenseMap(np.vstack([ROW, near])), np.array([1.0, 1.0]))
    assert len(basis.dropped) == depends
    assert basis.is_exact == (ulps not in (1, 2, 4))


@pytest.mark.parametrize("third", [1 / 3, 1 / 7, 0.1])
def test_a_multiple_of_a_row_depends_on_it_though_not_exactly(third):
    basis = row_basis(DenseMap(np.vstack([ROW, ROW * third])), np.array([3.0, 3.0 * third]))
    assert len(basis.dropped) == 1
    assert basis.is_consistent
    assert basis.is_exact == (
        rank(np.vstack([ROW, ROW * third])) == 1 and third * 3.0 == Fraction(3.0) * Fraction(third)
    )


@pytest.mark.parametrize(
    ("off", "kind"),
    [(0.0, "exact"), (1e-14, "inexact"), (1e-11, "inexact"), (1e-7, "contradiction"), (-1e-7, "contradiction")],
)
def test_a_right_hand_side_that_disagrees_with_a_dependency(off, kind):
    Z = np.vstack([ROW, 2 * ROW])
    basis = row_basis(DenseMap(Z), np.array([1.0, 2.0 + off]))
    assert (basis.certificate is not None) == (kind == "contradiction")
    if basis.certificate is None:
        assert basis.is_exact == (kind == "exact")
        assert basis.is_consistent
    else:
        assert_allclose(np.abs(basis.certificate), np.array([2, 1]) / np.sqrt(5), rtol=1e-9)


@pytest.mark.parametrize("rows", [1, 2, 3])
def test_rows_of_zeros(rows):
    Z = np.zeros((rows, 5))
    basis = row_basis(DenseMap(Z), np.zeros(rows))
    assert len(basis.kept) == 0
    assert basis.is_exact
    y = np.zeros(rows)
    y[-1] = 1e-300
    assert row_basis(DenseMap(Z), y).certificate is not None


def test_a_certificate_is_checked_in_every_column():
    Z = DenseMap(np.array([[1.0, 2.0, 3.0, 4.0], [1.0, 2.0, 3.0, 4.0]]))
    y = np.array([1.0, 2.0])
    assert_allclose(module._certified(Z, y, np.array([3.0, -3.0])), np.array([1, -1]) / np.sqrt(2), rtol=1e-14)
    assert module._certified(Z, y, np.array([1.0, -1.0 + 1e-14])) is None
    assert module._certified(Z, np.array([1.0, 1.0 + 1e-10]), np.array([1.0, -1.0])) is None
    assert module._certified(Z, np.array([1.0, 1.0 + 1e-8]), np.array([1.0, -1.0])) is not None
    for column in range(4):
        for ulps, vanishes in ((1, True), (4, True), (12, False)):
            entries = Z.matrix.copy()
            entries[0, column] += ulps * np.spacing(entries[0, column])
            found = module._certified(DenseMap(entries), y, np.array([1.0, -1.0]))
            assert (found is not None) == vanishes


@pytest.mark.parametrize("decades", [0, 20])
def test_a_column_of_another_size_does_not_hide_in_a_large_one(decades):
    """A combination that is tiny beside the largest column need not vanish in a small one."""
    Z = np.array([[1.0, 1.0, 0.0], [1.0, 1.0, 10.0**-decades]])
    assert module._certified(DenseMap(Z), np.array([1.0, 2.0]), np.array([1.0, -1.0])) is None


# Systems too large for their rows to be combined, or known by products alone


def test_large_systems_leave_nearly_dependent_rows_out(monkeypatch):
    rng = np.random.default_rng(0)
    Z = rng.standard_normal((4, 30))
    Z[3] = Z[0] - Z[1] + 1e-11 * rng.standard_normal(30)
    x = rng.standard_normal(30)
    monkeypatch.setattr(module, "_MOST_ENTRIES", 1)
    basis = row_basis(DenseMap(Z), Z @ x)
    assert len(basis.kept) == 3
    assert not basis.is_exact
    assert basis.certificate is None
    assert_allclose(basis.linear.apply(x), basis.y, rtol=1e-12)
    assert_allclose(basis.combination @ Z, Z[basis.kept], rtol=1e-14)
    Z[3] = Z[0] - Z[1]
    off = Z @ x + [0, 0, 0, 1e-3]
    basis = row_basis(DenseMap(Z), off)
    assert_allclose(np.abs(basis.certificate), np.abs(np.array([1, -1, 0, -1])) / np.sqrt(3), rtol=1e-6, atol=1e-12)
    assert abs(basis.certificate @ off) > 1e-4
    Z[2] = 0.0
    assert len(row_basis(DenseMap(Z), Z @ x).kept) == 2
    Z[2:] = rng.standard_normal((2, 30))
    assert row_basis(DenseMap(Z), Z @ x).is_exact


def test_products_alone_certify_a_contradiction():
    rng = np.random.default_rng(0)
    Z = rng.standard_normal((4, 30))
    Z[3] = Z[0] - Z[1]
    x = rng.standard_normal(30)
    operator = linear_map(aslinearoperator(Z))
    basis = row_basis(operator, Z @ x)
    assert not basis.is_exact
    assert basis.smallest == 0
    assert contradiction(operator, Z @ x) is None
    found = contradiction(operator, Z @ x + [0, 0, 0, 1.0])
    assert_allclose(np.abs(found), np.array([1, 1, 0, 1]) / np.sqrt(3), rtol=1e-9, atol=1e-9)
    Z[3] += 1e-6 * rng.standard_normal(30)
    assert contradiction(linear_map(aslinearoperator(Z)), Z @ x + [0, 0, 0, 1.0]) is None
    # A column is measured by its own size: here the smallest of them alone keeps the rows apart.
    Z[3] = Z[0] - Z[1]
    Z[:, 0] *= 1e-3
    Z[3, 0] += 1e-12
    assert contradiction(linear_map(aslinearoperator(Z)), Z @ x + [0, 0, 0, 1.0]) is None


def test_a_misfit_within_rounding_is_no_contradiction():
    Z = linear_map(aslinearoperator(np.array([[1.0, 0.0, 0.0], [0.0, 0.0, 0.0]])))
    assert contradiction(Z, np.array([1.0, 1e-10])) is None
    assert_allclose(contradiction(Z, np.array([1.0, 1e-8])), [0.0, 1.0], atol=1e-12)


# Exact dependencies


@given(st.integers(0, 2**32), st.integers(1, 4), st.integers(1, 3), st.sampled_from([0, 3, 400]))
def test_exact_dependencies(seed, r, k, decades):
    rng = np.random.default_rng(seed)
    m = r + 2
    others = rng.integers(-(2**20), 2**20, (r, m)).astype(float)
    others[:, :r] += 2.0**22 * np.eye(r)  # independent even without the last column
    coefficients = rng.integers(-(2**10), 2**10, (k, r)).astype(float)
    rows = coefficients @ others  # exact: 45 bits
    scale = 2.0 ** rng.integers(-decades, decades + 1, m)
    others, rows = others * scale, rows * scale
    rows *= 2.0 ** rng.integers(-decades, decades + 1, (k, 1))
    others *= 2.0 ** rng.integers(-decades, decades + 1, (r, 1))
    assert depends_exactly(rows, others)
    row, column = rng.integers(k), rng.integers(m)
    rows[row, column] = np.nextafter(rows[row, column], np.inf)
    assert not depends_exactly(rows, others)


@given(st.integers(0, 2**32), st.integers(1, 3))
def test_exact_dependencies_of_small_numbers(seed, r):
    """Rows of small integers are often dependent by chance, and their rank says whether they are."""
    rng = np.random.default_rng(seed)
    others = rng.integers(-2, 3, (r, r + 2)).astype(float)
    rows = rng.integers(-2, 3, (2, r + 2)).astype(float)
    assume(rank(others[:, :-1]) == r)
    assert depends_exactly(rows, others) == (rank(np.vstack([others, rows])) == r)


def test_pivots_may_be_in_any_column_but_the_last():
    assert depends_exactly(np.array([[0.0, 2.0, 10.0]]), np.array([[0.0, 1.0, 5.0]]))
    assert not depends_exactly(np.array([[0.0, 2.0, 9.0]]), np.array([[0.0, 1.0, 5.0]]))


def test_primes_are_large():
    generator = np.random.default_rng(0)
    primes = [dependency.random_prime(generator) for _ in range(20)]
    assert all(2**30 < p < 2**31 and flint.fmpz(p).is_prime() for p in primes)
    assert len(set(primes)) == 20
