"""Projections of data and scales near both ends of the floating-point range, and of nothing."""

import numpy as np
import pytest

from implicit_bias import HyperbolicEntropy, Status, bregman_projection
from implicit_bias.problem import Regression


@pytest.mark.parametrize("size", [1e-200, 1e-160, 1e160, 1e200])
def test_data_of_any_size(size):
    """Scaling y and a scales x, also by numbers whose squares leave the floating-point range."""
    Z = np.array([[1.0, 2.0, 3.0], [1.0, -1.0, 0.5]])
    y = np.array([1.0, 0.5])
    for scale in (1e-20, 1.0):
        want = bregman_projection(Regression(Z, y), HyperbolicEntropy(scale=scale)).x
        found = bregman_projection(Regression(Z, size * y), HyperbolicEntropy(scale=scale * size))
        np.testing.assert_allclose(found.x / size, want, rtol=0, atol=1e-11)  # ten times the tolerance
        assert found.kkt_residual < 1e-12
    small = bregman_projection(Regression(Z * size, y * size), HyperbolicEntropy(scale=1.0))
    np.testing.assert_allclose(
        small.x, bregman_projection(Regression(Z, y), HyperbolicEntropy(scale=1.0)).x, rtol=0, atol=1e-11
    )


def test_data_far_above_the_scale():
    """The line search copes with a first Newton step of length 1e200, though a product of two steps of 1e-200 is 0."""
    Z = np.array([[1.0, 2.0, 3.0], [1.0, -1.0, 0.5]])
    y = np.array([1e200, 5e199])
    large = bregman_projection(Regression(Z, y), HyperbolicEntropy(scale=1.0))
    small = bregman_projection(Regression(Z, y / 1e200), HyperbolicEntropy(scale=1e-200))
    np.testing.assert_allclose(large.x / 1e200, small.x, rtol=0, atol=1e-11)  # ten times the tolerance


def test_zero_columns_stay_at_the_minimizer():
    Z = np.array([[0.0, 1.0, 2.0, 0.0], [0.0, 1.0, -1.0, 1.0]])
    potential = HyperbolicEntropy(scale=[1.0, 1e-3, 1e-3, 1e-3], shift=[1.0, 0.0, 0.0, 0.0])
    found = bregman_projection(Regression(Z, [1.0, 2.0]), potential)
    assert found.x[0] == potential.minimizer[0] == np.sinh(1.0)
    rest = bregman_projection(Regression(Z[:, 1:], [1.0, 2.0]), HyperbolicEntropy(scale=1e-3))
    np.testing.assert_allclose(found.x[1:], rest.x, rtol=0, atol=1e-11)  # each to 1e-12


def test_a_zero_column_with_a_huge_scale_does_not_drown_the_rest():
    """Other weights are found as usual if that of a zero column has a metric of 1e300."""
    found = bregman_projection(Regression([[0.0, 1.0, 1.0]], [1.0]), HyperbolicEntropy(scale=[1e300, 1e-300, 1e-300]))
    np.testing.assert_allclose(found.x, [0.0, 0.5, 0.5], rtol=1e-12)
    zero = bregman_projection(Regression([[0.0, 1.0, 1.0]], [0.0]), HyperbolicEntropy(scale=[1e300, 1e-300, 1e-300]))
    np.testing.assert_array_equal(zero.x, np.zeros(3))


@pytest.mark.parametrize("log_scale", [-4000.0, -690.0, 0.0, 690.0])
def test_zero_data(log_scale):
    """For y = 0 and no shift the projection is the minimizer, 0, also at log a = −4000, where the metric is 0."""
    for Z in ([[1.0, 2.0, 3.0], [1.0, 0.0, 1.0]], [[0.0, 0.0, 0.0]], [[1.0, 1.0, 1.0], [0.0, 0.0, 0.0]]):
        found = bregman_projection(Regression(Z, np.zeros(len(Z))), HyperbolicEntropy(log_scale=log_scale))
        np.testing.assert_array_equal(found.x, np.zeros(3))
        assert found.kkt_residual == 0
        assert found.error_bound == 0
        assert found.status is Status.CONVERGED


def test_scales_that_underflow():
    """At log a = −4000 the solution is a vertex of the L1 problem, x = (½, 0, 1/6) by hand."""
    found = bregman_projection(
        Regression([[1.0, 2.0, 3.0], [1.0, -1.0, 0.0]], [1.0, 0.5]), HyperbolicEntropy(log_scale=-4000.0)
    )
    np.testing.assert_allclose(found.x, [0.5, 0.0, 1 / 6], rtol=0, atol=1e-11)
