"""Results do not depend on the units of the data, and what is tolerated is relative to sizes."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.sparse.linalg import aslinearoperator

import implicit_bias as ib
from tests.campaigns.system_families import generate
from tests.campaigns.systems import _matrix, _potential


@pytest.mark.parametrize("number", [6, 7, 12])
@pytest.mark.parametrize("exponent", [-40, 0, 40])
def test_what_rounding_excuses_is_relative_to_the_size_of_x(number, exponent):
    """In these systems x is corrected by more than the tolerance, which the rounding of Zᵀν explains."""
    system = generate("mixed", number)
    scale = system.response.scale
    scale = scale + exponent * np.log(2.0) if system.response.is_logarithm else np.ldexp(scale, exponent)
    scaled = replace(system, y=np.ldexp(system.y, exponent), response=replace(system.response, scale=scale))
    found = ib.bregman_projection(ib.Regression(_matrix(scaled), scaled.y), _potential(scaled), throw=False)
    assert found.status is ib.Status.CONVERGED
    assert found.error_bound < 1e-8 * np.linalg.norm(found.x)


@pytest.mark.parametrize("exponent", [-20, 20])
def test_the_misfit_of_coupled_weights_is_relative(exponent):
    """A row that two weights share whose potential couples them."""
    potential = ib.QuadraticForms(
        [np.diag([1.0, -1.0, 0.0, 0.0]), np.diag([0.0, 1.0, 0.0, -1.0])], theta0=[1.0, 0.5, 0.7, 0.9]
    )
    problem = ib.Regression([[1.0, 0.5]], [float(np.ldexp(1.0, exponent))])
    found = ib.bregman_projection(problem, potential)
    reference = max(np.linalg.norm(problem.y), np.linalg.norm(problem.Z @ potential.minimizer))
    misfit = np.linalg.norm(problem.Z @ found.x - problem.y) / reference
    assert found.kkt_residual == pytest.approx(misfit, rel=1e-6, abs=1e-16)


def test_an_operator_that_fits_into_memory_is_treated_as_its_rows():
    """To the last bit, also where rows depend on each other to nine digits."""
    rng = np.random.default_rng(3)
    Z = rng.standard_normal((4, 9))
    Z[3] = Z[2] + 1e-9 * rng.standard_normal(9)
    y = Z @ rng.standard_normal(9)
    by_rows, by_products = (
        ib.bregman_projection(ib.Regression(each, y), ib.HyperbolicEntropy(0.1)) for each in (Z, aslinearoperator(Z))
    )
    np.testing.assert_array_equal(by_products.x, by_rows.x)
    assert by_products.error_bound == by_rows.error_bound < 1e-3


def test_a_small_multiplier_belongs_to_the_proof_that_no_x_separates():
    """Of (1, δ), (−1, 0) and (0, −1) the first two cancel but for δ, which only the third row, times δ, takes away."""
    delta = 1e-6
    problem = ib.Regression([[1.0, delta], [-1.0, 0.0], [0.0, -1.0]], np.ones(3), loss="logistic")
    found = ib.max_margin(problem, throw=False)
    assert found.status is ib.Status.INFEASIBLE
    np.testing.assert_allclose(found.certificate, np.array([1.0, 1.0, delta]) / (2 + delta), rtol=1e-12)


@pytest.mark.parametrize("shift", [5e-324, 1e-320, 1e-310, 1e-300])
def test_a_solution_among_subnormal_numbers_is_one(shift):
    """With Zx = 0 and a subnormal shift, x and ν are subnormal, and a relative misfit of them means nothing."""
    for problem, b in (
        (ib.Regression([[1.0, 2.0]], [0.0]), shift),
        (ib.Regression([[1.0, 2.0, 1.0], [1.0, 0.0, 1.0]], [0.0, 0.0]), [shift, 0.0, -shift]),
    ):
        found = ib.bregman_projection(problem, ib.HyperbolicEntropy(scale=1.0, shift=b))
        assert np.all(np.abs(found.x) <= shift)
        assert np.all(np.abs(problem.Z @ found.x) <= max(1e-12 * shift, 50 * 5e-324))
    far = ib.bregman_projection(ib.Regression([[1e-8, 2e-8]], [1e-310]), ib.HyperbolicEntropy(scale=1.0))
    assert far.x @ [1e-8, 2e-8] == pytest.approx(1e-310, rel=1e-9)
