"""Every kind of linear map against plain matrix products."""

import numpy as np
import pytest
import scipy.sparse as sparse
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse.linalg import aslinearoperator

import implicit_bias.linear_map as module
from implicit_bias.linear_map import DenseMap, OperatorMap, SparseMap, linear_map


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
        patch.setattr(module, "_BLOCK", block)
        plain = linear_map(KINDS[kind](Z))
        for linear, want in ((plain, Z), (plain.scaled_rows(exponents), Z * 2.0 ** exponents[:, None])):
            np.testing.assert_allclose(linear.apply(x), x @ want.T, rtol=0, atol=1e-12)
            np.testing.assert_allclose(linear.apply(x[0]), want @ x[0], rtol=0, atol=1e-12)
            np.testing.assert_allclose(linear.adjoint(nu), nu @ want, rtol=0, atol=1e-12)
            np.testing.assert_allclose(linear.adjoint(nu[0]), nu[0] @ want, rtol=0, atol=1e-12)
            assert np.all(linear.absolute_apply(np.abs(x[0])) >= np.abs(want) @ np.abs(x[0]) * (1 - 1e-12) - 1e-12)
            if linear.has_gram:
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


def test_an_array_is_copied_only_on_demand():
    Z = np.ones((2, 3))
    assert linear_map(Z).matrix is Z
    copied = linear_map(Z, copy=True)
    Z[0, 0] = 5.0
    assert copied.matrix[0, 0] == 1.0


@pytest.mark.parametrize(
    ("Z", "message"),
    [
        (np.zeros((0, 3)), "at least one row"),
        (sparse.csr_array((0, 3)), "at least one row"),
        (np.zeros(3), "expected 2 axis"),
        (sparse.csr_array([[1.0, np.nan]]), "nan or inf"),
        (aslinearoperator(np.eye(2) * 1j), "real linear operator"),
        ([["a"]], "real numbers"),
    ],
)
def test_bad_matrices_are_named(Z, message):
    with pytest.raises(ValueError, match=message):
        linear_map(Z)
