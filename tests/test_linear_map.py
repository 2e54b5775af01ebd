"""Linear maps of every kind against plain matrix products, and careful products against rational arithmetic."""

from fractions import Fraction

import numpy as np
import pytest
import scipy.sparse as sparse
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse.linalg import aslinearoperator

import implicit_bias.linear_map as module
from implicit_bias.careful_sum import exact_bits, sum_error
from implicit_bias.errors import InputError
from implicit_bias.linear_map import (
    CombinedRowsMap,
    DenseMap,
    EntriesMap,
    OperatorMap,
    SparseMap,
    linear_map,
)


@st.composite
def matrices(draw):
    d, n = draw(st.integers(1, 5)), draw(st.integers(1, 9))
    return np.array(draw(st.lists(st.integers(-3, 3), min_size=d * n, max_size=d * n)), dtype=float).reshape(d, n)


KINDS = {"dense": np.asarray, "sparse": sparse.csr_array, "matrix": sparse.coo_matrix, "operator": aslinearoperator}


@pytest.mark.parametrize("kind", KINDS)
@given(Z=matrices(), seed=st.integers(0, 99), block=st.integers(1, 4))
def test_products(kind, Z, seed, block):
    rng = np.random.default_rng(seed)
    d, n = Z.shape
    x, nu, weight = rng.standard_normal((3, n)), rng.standard_normal((2, d)), rng.random(n)
    exponents = rng.integers(-5, 6, d)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_COLUMNS_PER_BLOCK", block)
        plain = linear_map(KINDS[kind](Z))
        for linear, want in ((plain, Z), (plain.scaled_rows(exponents), Z * 2.0 ** exponents[:, None])):
            np.testing.assert_allclose(linear.apply(x), x @ want.T, rtol=0, atol=1e-12)
            np.testing.assert_allclose(linear.apply(x[0]), want @ x[0], rtol=0, atol=1e-12)
            np.testing.assert_allclose(linear.adjoint(nu), nu @ want, rtol=0, atol=1e-12)
            np.testing.assert_allclose(linear.adjoint(nu[0]), nu[0] @ want, rtol=0, atol=1e-12)
            assert np.all(linear.absolute_apply(np.abs(x[0])) >= np.abs(want) @ np.abs(x[0]) * (1 - 1e-12) - 1e-12)
            if isinstance(linear, EntriesMap):
                np.testing.assert_allclose(linear.gram(weight), (want * weight**2) @ want.T, rtol=0, atol=1e-11)
                np.testing.assert_array_equal(linear.row_sizes, np.max(np.abs(want), axis=1))
                factor = linear.triangle()
                np.testing.assert_allclose(factor.T @ factor, want @ want.T, rtol=0, atol=1e-9)
                chosen = np.arange(0, d, 2)
                np.testing.assert_allclose(linear.rows(chosen).apply(x[0]), want[chosen] @ x[0], rtol=0, atol=1e-12)
                np.testing.assert_allclose(
                    linear.absolute_adjoint(np.abs(nu[0])), np.abs(nu[0]) @ np.abs(want), rtol=0, atol=1e-12
                )


def test_kinds():
    Z = np.eye(2, 3)
    assert isinstance(linear_map(Z), DenseMap)
    assert isinstance(linear_map(sparse.csr_array(Z)), SparseMap)
    assert isinstance(linear_map(aslinearoperator(Z)), OperatorMap)
    many_rows = sparse.eye_array(module._MOST_GRAM_ROWS + 1, format="csr")
    assert isinstance(linear_map(many_rows), OperatorMap)


def test_rows_of_extreme_size_are_scaled_without_overflow():
    Z = np.array([[1e300, 1e299], [1e-300, 1e-301]])
    exponents = -np.frexp(np.max(np.abs(Z), axis=1))[1]
    for kind in (np.asarray, sparse.csr_array):
        scaled = linear_map(kind(Z)).scaled_rows(exponents)
        np.testing.assert_array_equal(scaled.apply(np.array([1e10, 1.0])), np.ldexp(Z, exponents[:, None]) @ [1e10, 1])


@pytest.mark.parametrize("kind", [np.asarray, sparse.csc_array])
def test_entries_are_viewed_and_never_written(kind):
    Z = kind(np.ones((2, 3)))
    matrix = linear_map(Z).matrix
    entries, viewed = (Z, matrix) if kind is np.asarray else (Z.data, matrix.data)
    assert np.shares_memory(entries, viewed)
    with pytest.raises(ValueError, match="read-only"):
        viewed[0] = 5.0
    entries[0] = 5.0  # the owner may still write


@pytest.mark.parametrize(
    ("Z", "message"),
    [
        (np.zeros((0, 3)), "at least one row"),
        (sparse.csr_array((0, 3)), "at least one row"),
        (np.zeros(3), "expected an array of 2 axes"),
        (sparse.csr_array([[1.0, np.nan]]), "nan or inf"),
        (aslinearoperator(np.eye(2) * 1j), "real linear operator"),
        ([["a"]], "real numbers"),
    ],
)
def test_bad_matrices_are_named(Z, message):
    with pytest.raises(InputError, match=message):
        linear_map(Z)


# Careful products


def exactly(values):
    return [[Fraction(float(value)) for value in row] for row in np.atleast_2d(values)]


def product(Z, x):
    """Zx in rational numbers."""
    return [sum(a * b for a, b in zip(row, x, strict=True)) for row in exactly(Z)]


def errors(found, exact):
    """The errors of a careful sum against rational numbers, and the bounds on them that it states."""
    known = zip(found.high.tolist(), found.low.tolist(), exact, strict=True)
    return [abs(Fraction(high) + Fraction(low) - value) for high, low, value in known], found.error.tolist()


def assert_covers(found, exact):
    missing, error = errors(found, exact)
    assert all(a <= Fraction(b) for a, b in zip(missing, error, strict=True))


@st.composite
def hard_products(draw):
    """Matrices with entries of all bits and many sizes, and vectors for which the first row's sum cancels."""
    d, n, seed = draw(st.integers(1, 3)), draw(st.integers(1, 25)), draw(st.integers(0, 2**32))
    rng = np.random.default_rng(seed)
    spread = draw(st.sampled_from([0.0, 3.0, 30.0]))
    Z = (
        rng.choice([-1, 1], (d, n))
        * (2 - rng.random((d, n)) ** 8)
        * 2.0 ** np.rint(spread * rng.standard_normal((d, n)))
    )
    if draw(st.booleans()):
        Z[rng.random((d, n)) < 0.3] = 0.0
        Z[:, 0] = 1.5
    Z *= 2.0 ** rng.integers(-60, 60, (d, 1))
    x = rng.choice([-1, 1], n) * (2 - rng.random(n) ** 8) * 2.0 ** np.rint(spread * rng.standard_normal(n))
    if n > 1 and Z[0, -1]:
        x[-1] = -(Z[0, :-1] @ x[:-1]) / Z[0, -1]  # so that only rounding is left of the first row's sum
    return Z, x, rng.standard_normal(d) * 2.0 ** rng.integers(-60, 60, d)


@given(hard_products(), st.integers(1, 50), st.sampled_from(["dense", "sparse"]))
def test_careful_products_know_their_error(instance, block, kind):
    Z, x, nu = instance
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_COLUMNS_PER_BLOCK", block)
        linear = linear_map(KINDS[kind](Z))
        exponents = -np.frexp(linear.row_sizes)[1]
        for found, entries in ((linear, Z), (linear.scaled_rows(exponents), np.ldexp(Z, exponents[:, None]))):
            there, back = found.careful_apply(x), found.careful_adjoint(nu)
            assert_covers(there, product(entries, exactly(x)[0]))
            assert_covers(back, product(entries.T, exactly(nu)[0]))
            # These are twice the digits of a sum in double precision, less those that a sum of many terms costs.
            size = np.abs(entries).max(axis=1) * len(x) * np.abs(x).max()
            assert np.all(there.error <= 1e-20 * len(x) * size)
            size = (np.abs(nu) * np.abs(entries).max(axis=1)).max() * len(nu)
            assert np.all(back.error <= 1e-21 * len(nu) * size)


def test_weights_of_zero_columns_do_not_blur_a_careful_product():
    """However large they are: the other weights keep their digits."""
    Z, x = np.array([[1.0, 0.1, 0.0]]), np.array([1.0, 0.3, 1e275])
    found, alone = linear_map(Z).careful_apply(x), linear_map(Z[:, :2]).careful_apply(x[:2])
    assert found.high + found.low == alone.high + alone.low
    assert found.error[0] < 4 * alone.error[0]


@pytest.mark.parametrize("size", [1e-305, 1e-200, 1e-150, 1e150, 1e200])
def test_careful_products_of_any_size(size):
    """Careful products bound their error at sizes for which splitting leaves the floating-point range, or nearly."""
    rng = np.random.default_rng(0)
    Z, x, nu = rng.standard_normal((3, 7)), rng.standard_normal(7), rng.standard_normal(3)
    Z[1] *= size
    for linear in (linear_map(Z), linear_map(sparse.csr_array(Z))):
        assert_covers(linear.careful_apply(x), product(Z, exactly(x)[0]))
        assert_covers(linear.careful_adjoint(nu), product(Z.T, exactly(nu)[0]))
        assert_covers(linear.careful_apply(x / size), product(Z, exactly(x / size)[0]))
    for vector in (np.zeros(7), np.full(7, np.inf), np.array([np.nan, *np.ones(6)])):
        with np.errstate(invalid="ignore"):
            found = linear_map(Z).careful_apply(vector)
        assert np.all(found.high == 0) if not np.any(vector) else not np.any(np.isfinite(found.high))


def test_a_product_too_large_to_split_is_a_plain_one(monkeypatch):
    rng = np.random.default_rng(0)
    Z, x = rng.standard_normal((3, 7)), rng.standard_normal(7)
    split = linear_map(Z).careful_apply(x)
    monkeypatch.setattr(module, "_MOST_SPLIT_ENTRIES", 20)
    plain = linear_map(Z).careful_apply(x)
    assert np.all(split.error < 1e-5 * plain.error)
    assert np.all(plain.low == 0)
    monkeypatch.setattr(module, "_MOST_SPLIT_ENTRIES", 21)
    np.testing.assert_array_equal(linear_map(Z).careful_apply(x).error, split.error)


def test_products_of_operators_know_their_error_up_to_its_estimate():
    Z, x, nu = np.eye(2, 3), np.array([1.0, 2.0, 2.0]), np.array([3.0, 4.0])
    found, back = (
        OperatorMap(aslinearoperator(Z)).careful_apply(x),
        OperatorMap(aslinearoperator(Z)).careful_adjoint(nu),
    )
    np.testing.assert_allclose(found.error, sum_error(3) * 3.0, rtol=1e-12)
    np.testing.assert_allclose(back.error, sum_error(2) * 5.0, rtol=1e-12)
    np.testing.assert_array_equal(found.high, [1.0, 2.0])


@pytest.mark.parametrize("terms", [1, 2, 3, 8, 9, 100])
@pytest.mark.parametrize("kind", ["dense", "sparse"])
def test_the_worst_rests_are_counted(terms, kind):
    """The error covers rests of Z and x that are as large as can be and whose sums round as badly as they can."""
    bits = exact_bits(terms)
    worst = 1 - 2.0**-bits - 2.0 ** -(bits + 1) + 2.0**-50  # rounds up by nearly half of its last leading bit
    top = 1 - 2.0**-bits
    rest = 2.0 ** -(bits + 1)
    Z, x = np.full((1, terms), worst), np.full(terms, worst)
    linear = linear_map(KINDS[kind](Z))
    magnitudes = terms * (top * rest + rest * worst)
    assert sum_error(terms) * magnitudes * 0.999 <= linear.careful_apply(x).error[0]
    assert linear.careful_apply(x).error[0] <= 1.1 * sum_error(terms) * magnitudes + 4 * 2.0**-53 * magnitudes
    down = linear_map(KINDS[kind](Z.T.copy()))
    assert sum_error(terms) * magnitudes * 0.999 <= down.careful_adjoint(x).error[0]
    assert down.careful_adjoint(x).error[0] <= 1.1 * sum_error(terms) * magnitudes + 2 * 2.0**-53 * magnitudes


@given(hard_products(), st.integers(0, 2**32))
def test_rows_with_a_small_part_know_their_error(instance, seed):
    Z, x, nu = instance
    rng = np.random.default_rng(seed)
    tail = np.abs(Z) * 2.0**-54 * rng.uniform(-1, 1, Z.shape)
    doubt = np.abs(Z) * 2.0**-70
    linear = CombinedRowsMap(Z, tail, doubt)
    for sign in (np.sign(x), -np.sign(x), np.zeros_like(x)):
        entries = [
            [Fraction(a) + Fraction(b) + Fraction(c) for a, b, c in zip(*row, strict=True)]
            for row in zip(Z.tolist(), tail.tolist(), (doubt * sign).tolist(), strict=True)
        ]
        exact = [sum(a * b for a, b in zip(row, exactly(x)[0], strict=True)) for row in entries]
        assert_covers(linear.careful_apply(x), exact)
    for sign in (np.sign(nu), -np.sign(nu), np.zeros_like(nu)):
        entries = [
            [Fraction(a) + Fraction(b) + Fraction(c) for a, b, c in zip(*column, strict=True)]
            for column in zip(Z.T.tolist(), tail.T.tolist(), (doubt.T * sign).tolist(), strict=True)
        ]
        exact = [sum(a * b for a, b in zip(column, exactly(nu)[0], strict=True)) for column in entries]
        assert_covers(linear.careful_adjoint(nu), exact)


def test_products_with_a_small_part_that_round_are_counted():
    """The error covers the rounding of the small part's sum, and of adding it to what the leading products left."""
    linear = CombinedRowsMap(np.zeros((1, 2)), np.array([[3.0, -3.0]]), np.zeros((1, 2)))
    assert linear.careful_apply(np.ones(2)).error[0] >= sum_error(2) * 6
    assert linear.careful_apply(np.array([1.0, 0.0])).error[0] >= sum_error(2) * 3 + 2.0**-53 * 3
    linear = CombinedRowsMap(np.zeros((2, 1)), np.array([[3.0], [-3.0]]), np.zeros((2, 1)))
    assert linear.careful_adjoint(np.ones(2)).error[0] >= sum_error(2) * 6
    assert linear.careful_adjoint(np.array([1.0, 0.0])).error[0] >= sum_error(2) * 3 + 2.0**-53 * 3


@pytest.mark.parametrize("size", [1e-300, 1e-200, 1e-160, 1.0])
@pytest.mark.parametrize("scale", [1e-200, 1e-150, 1.0, 1e150])
def test_norms_of_tiny_columns_are_no_smaller_than_they_are(size, scale):
    """Column norms bound errors, so they are never too small, although squares of entries and of scales underflow."""
    Z = np.array([[1.0, size, 0.0], [0.5, size / 2, size]])
    found = linear_map(Z).column_norms(np.array([scale, scale / 1024]))
    exact = [float(np.hypot(scale * a, scale / 1024 * b)) for a, b in Z.T]
    assert np.all(found >= np.array(exact) * (1 - 1e-14))
    assert np.all(found <= np.array(exact) * (1 + 1e-14) + scale * 1e-160)


@pytest.mark.parametrize("kind", ["dense", "sparse"])
def test_columns_and_their_norms(kind, monkeypatch):
    monkeypatch.setattr(module, "_COLUMNS_PER_BLOCK", 2)
    Z, scale = np.arange(1.0, 16.0).reshape(3, 5), np.array([1.0, 0.5, 0.25])
    linear = linear_map(KINDS[kind](Z)).scaled_rows(np.array([1, 0, -1]))
    scaled = Z * np.array([[2.0], [1.0], [0.5]])
    np.testing.assert_array_equal(linear.columns(np.array([4, 0])), scaled[:, [4, 0]])
    np.testing.assert_allclose(linear.column_norms(scale), np.linalg.norm(scale[:, None] * scaled, axis=0), rtol=1e-14)
