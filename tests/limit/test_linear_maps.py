"""Projections for sparse and matrix-free Z against those for the dense one."""

import numpy as np
import pytest
import scipy.sparse as sparse
from scipy.fft import dct, idct
from scipy.sparse.linalg import LinearOperator, aslinearoperator

import implicit_bias as ib


@pytest.fixture(scope="module")
def sparse_problem():
    rng = np.random.default_rng(0)
    Z = sparse.csr_array(np.where(rng.random((15, 60)) < 0.2, rng.standard_normal((15, 60)), 0.0))
    Z = Z + sparse.eye_array(15, 60)
    truth = np.zeros(60)
    truth[[3, 20, 41]] = [1.0, -2.0, 0.5]
    return Z, Z @ truth


@pytest.mark.parametrize("scale", [1e6, 1.0, 1e-4, 1e-300])
def test_sparse(sparse_problem, scale):
    Z, y = sparse_problem
    potential = ib.HyperbolicEntropy(scale=scale)
    want = ib.bregman_projection(ib.Regression(Z.toarray(), y), potential)
    for kind in (sparse.csr_array, sparse.csc_matrix, sparse.coo_array):
        found = ib.bregman_projection(ib.Regression(kind(Z), y), potential)
        np.testing.assert_allclose(found.x, want.x, rtol=0, atol=1e-10)
        np.testing.assert_allclose(found.dual, want.dual, rtol=1e-7, atol=1e-9 / scale)


@pytest.mark.parametrize("scale", [1e6, 1.0, 1e-4])
def test_matrix_free(sparse_problem, scale):
    """Conjugate gradients find the same limit; at smaller scales the Hessian is too ill-conditioned for them."""
    Z, y = sparse_problem
    potential = ib.HyperbolicEntropy(scale=scale)
    want = ib.bregman_projection(ib.Regression(Z.toarray(), y), potential)
    found = ib.bregman_projection(ib.Regression(aslinearoperator(Z), y), potential)
    np.testing.assert_allclose(found.x, want.x, rtol=0, atol=1e-9)


def test_a_partial_cosine_transform_needs_no_matrix():
    """Fast transforms alone recover a sparse x from some coefficients of its cosine transform."""
    n, d = 1024, 150
    rng = np.random.default_rng(1)
    rows = np.sort(rng.choice(n, d, replace=False))

    def adjoint(nu):
        full = np.zeros(n)
        full[rows] = nu
        return idct(full, norm="ortho")

    Z = LinearOperator((d, n), matvec=lambda x: dct(x, norm="ortho")[rows], rmatvec=adjoint, dtype=float)
    truth = np.zeros(n)
    truth[rng.choice(n, 10, replace=False)] = rng.choice([-1.0, 1.0], 10)
    potential = ib.HyperbolicEntropy(scale=1e-6)
    found = ib.bregman_projection(ib.Regression(Z, Z.matvec(truth)), potential)
    want = ib.bregman_projection(ib.Regression(dct(np.eye(n), norm="ortho", axis=0)[rows], Z.matvec(truth)), potential)
    np.testing.assert_allclose(found.x, want.x, rtol=0, atol=1e-9)
    np.testing.assert_array_equal(np.sort(np.argsort(-np.abs(found.x))[:10]), np.flatnonzero(truth))


@pytest.mark.parametrize("size", [1e-20, 1e-12, 1e12])
def test_rows_of_an_operator_count_alike(size):
    """A small row of an operator counts as much as a large one, because each row is scaled."""
    Z = np.random.default_rng(0).normal(size=(2, 4))
    Z[1] *= size
    y, potential = Z @ [1.0, 0.0, -2.0, 0.5], ib.HyperbolicEntropy(scale=0.1)
    found, want = (
        ib.bregman_projection(ib.Regression(aslinearoperator(Z), y), potential),
        ib.bregman_projection(ib.Regression(Z, y), potential),
    )
    np.testing.assert_allclose(found.x, want.x, rtol=0, atol=1e-9)


def test_contradictions_are_certified():
    Z = np.array([[1.0, 2.0, 3.0, 0.0], [0.0, 1.0, 1.0, 1.0], [1.0, 3.0, 4.0, 1.0]])
    for kind in (np.asarray, sparse.csr_array, aslinearoperator):
        found = ib.bregman_projection(
            ib.Regression(kind(Z), [1.0, 1.0, 3.0]), ib.HyperbolicEntropy(scale=1.0), throw=False
        )
        assert found.status is ib.Status.INFEASIBLE
        np.testing.assert_allclose(found.certificate @ Z, 0.0, atol=1e-8)
        assert abs(found.certificate @ [1.0, 1.0, 3.0]) > 0.1


def test_flows_take_sparse_data(sparse_problem):
    Z, y = sparse_problem
    potential = ib.HyperbolicEntropy(scale=0.1)
    dense, thin = ib.Regression(Z.toarray(), y), ib.Regression(Z, y)
    times = [0.5, 5.0]
    want = ib.mirror_flow(dense, potential, t=times)
    np.testing.assert_allclose(ib.mirror_flow(thin, potential, t=times).x, want.x, rtol=0, atol=1e-10)
    free = ib.mirror_flow(ib.Regression(aslinearoperator(Z), y), potential, t=times, method="DOP853")
    np.testing.assert_allclose(free.x, want.x, rtol=0, atol=1e-9)
    np.testing.assert_allclose(thin.gradient(want.x), dense.gradient(want.x), rtol=0, atol=1e-13)
