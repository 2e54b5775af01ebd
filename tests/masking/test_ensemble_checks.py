"""Checks of ensembles, against derived potentials, numerical derivatives, linear programs and another solver."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.optimize import minimize

import implicit_bias as ib
from implicit_bias.errors import InputError
from implicit_bias.masking.ensemble_checks import distance_to_limit, effective_exponent, mirror_residual, relative_norms
from implicit_bias.masking.ensembles import ensemble, initialization
from implicit_bias.schedule import Constant, Geometric

PROBLEM = ib.Regression.sample(6, 14, 2, seed=1)
PROBLEMS = [ib.Regression.sample(6, 14, 2, seed=seed) for seed in (1, 2, 3)]
SCALES = np.array([0.1, 0.4, 3.0])
INIT = initialization(np.linspace(-0.05, 0.05, 14), SCALES)
STEPS = np.array([0.04, 0.04, 0.01])


@pytest.fixture(scope="module", params=["plain", "decay", "problems"])
def trained(request):
    """Three runs to convergence: without decay, with decay, or each on a problem of its own."""
    problem = PROBLEMS if request.param == "problems" else PROBLEM
    schedule = None if request.param == "plain" else Geometric(0.3, tau=1.0)
    return ensemble(problem, INIT, STEPS, 20_000, schedule=schedule, record=[0, 1, 10, 100, 1000])


@pytest.fixture(scope="module")
def broken():
    """Three runs, the second of which diverges between the first record and the second."""
    return ensemble(PROBLEM, INIT, [0.02, 50.0, 0.01], 4000, schedule=Constant(1e-3), record=[0, 2000])


@pytest.fixture(scope="module")
def derived():
    """A function that gives the potential of one run at one record, derived from the formula of the mask."""
    derivation = ib.derive(ib.Parameterization("m*w", ["m", "w"]), "m**2 + w**2")

    def at(runs, run, record):
        return derivation.at({name: getattr(runs.families, name)[run] for name in "mw"}, runs.decay[record, run])

    return at


class TestMirrorResidual:
    def test_the_derived_potential(self, trained, derived):
        found = mirror_residual(trained)
        for record, run in np.ndindex(*found.shape):
            gradient = derived(trained, run, record).gradient(trained.x[record, run])
            expected = np.max(np.abs(gradient + trained.accumulated_gradient[record, run]))
            assert found[record, run] == pytest.approx(expected, rel=1e-9, abs=1e-13)
            potential = trained.flow_potential(record, run)
            np.testing.assert_allclose(potential.gradient(trained.x[record, run]), gradient, rtol=1e-12, atol=1e-13)

    @pytest.mark.parametrize(
        "options", [{}, {"optimizer": ib.SGD(0.8)}, {"batch_size": 3}, {"batch_size": 2, "optimizer": ib.SGD(0.5)}]
    )
    @pytest.mark.parametrize("schedule", [None, Geometric(0.3, tau=0.5)])
    def test_it_is_of_the_order_of_the_step(self, options, schedule):
        """Half the step leaves half the residual, at every scale; with mini-batches in the mean over seeds."""
        scales = np.repeat([1e-6, 1e-2, 1.0], 40)
        init, means = initialization(np.zeros(14), scales), []
        for count in (400, 800, 1600):
            runs = ensemble(PROBLEM, init, 0.8 / count, count, schedule=schedule, **options, record=2)
            means.append(mirror_residual(runs)[-1].reshape(3, 40).mean(axis=1))
        assert np.max(means[-1]) < 0.02 * np.max(np.abs(runs.accumulated_gradient))
        np.testing.assert_allclose(np.divide(means[:-1], means[1:]), 2, atol=0.25)

    def test_tiny_scales_keep_their_digits(self):
        """At a = 1e-60 rounding makes m equal to |w|; u and v keep their digits, as each has its own recursion."""
        init = initialization(np.zeros(14), 1e-60)
        coarse, fine = (
            mirror_residual(ensemble(PROBLEM, init, 1e3 / count / 5, count, record=2))[-1, 0] for count in (4000, 8000)
        )
        assert 1.7 < coarse / fine < 2.3
        runs = ensemble(PROBLEM, init, 0.05, 4000, record=2)
        assert np.max(np.abs(runs.x[-1])) > 0.1  # it has left the start
        assert np.any(runs.parameters["m"] == np.abs(runs.parameters["w"]))  # so m and w alone do not give the scale

    def test_a_wrong_decay_is_noticed(self):
        """With a tenth more decay in the scale the identity fails by more than the step explains."""
        runs = ensemble(PROBLEM, INIT, STEPS / 20, 2000, schedule=Geometric(0.3, tau=1.0), record=2)
        wrong = replace(runs, decay=1.1 * runs.decay)
        assert np.all(mirror_residual(wrong)[-1] > 5 * mirror_residual(runs)[-1])


class TestEffectiveExponent:
    def test_a_numerical_derivative(self, trained):
        """It is the slope of log(R(x_min + τs) − R(x_min)) in log τ at τ = 1, here by differences of the potential."""
        found = effective_exponent(trained)
        for record in (2, -1):
            for run in range(3):
                potential = trained.flow_potential(record, run)
                center = potential.minimizer
                shift = trained.x[record, run] - center
                h = 1e-4
                growth = [np.log(potential.divergence(center + t * shift, center)) for t in (np.exp(-h), np.exp(h))]
                assert found[record, run] == pytest.approx((growth[1] - growth[0]) / (2 * h), abs=1e-6)

    def test_it_moves_from_two_to_one(self):
        """It does so at a small scale, and by decay from a larger one; at a large scale without decay it stays."""
        init = initialization(np.zeros(14), [1e-12, 1.0, 100.0])
        still = effective_exponent(ensemble(PROBLEM, init, [0.05, 0.02, 1e-3], 10_000, record=30))
        np.testing.assert_array_equal(still[0], 2.0)
        assert np.all(np.diff(still[:, 0]) < 1e-3)
        assert still[-1, 0] < 1.1
        assert still[-1, 2] > 1.999
        decayed = ensemble(PROBLEM, init, [0.05, 0.02, 1e-3], 10_000, schedule=Geometric(3.0, tau=1.0), record=30)
        assert effective_exponent(decayed)[-1, 1] < 1.2 < still[-1, 1]
        assert np.all((still >= 1) & (still <= 2))


class TestDistanceToLimit:
    def test_the_limit_is_that_of_another_solver(self, trained, derived):
        """SciPy minimizes the potential over the affine set, whose directions are a basis of the kernel."""
        found = distance_to_limit(trained)
        assert found.status == (ib.Status.CONVERGED,) * 3
        assert np.all(found.error_bound < 1e-9)
        for run in range(3):
            problem, potential = trained.problem(run), derived(trained, run, -1)
            least = np.linalg.pinv(problem.Z) @ problem.y
            kernel = np.linalg.svd(problem.Z)[2][6:]
            best = minimize(
                lambda c, least=least, kernel=kernel, potential=potential: potential.value(least + c @ kernel),
                np.zeros(8),
                jac=lambda c, least=least, kernel=kernel, potential=potential: (
                    kernel @ potential.gradient(least + c @ kernel)
                ),
                method="BFGS",
                options={"gtol": 1e-10},
            )
            np.testing.assert_allclose(found.limit[run], least + best.x @ kernel, rtol=0, atol=1e-6)

    def test_training_ends_there_up_to_the_step(self, trained):
        found = distance_to_limit(trained)
        np.testing.assert_allclose(found.distance[-1], np.linalg.norm(trained.x[-1] - found.limit, axis=1), rtol=1e-12)
        assert np.all(trained.loss[-1] < 1e-9)
        assert np.all(found.distance[-1] < 0.01)
        assert np.all(found.distance[0] > 10 * found.distance[-1])

    @pytest.mark.parametrize("unknown", [None, np.inf])
    def test_an_unknown_bound_is_never_finite(self, trained, monkeypatch, unknown):
        """A limit whose error has no known bound gets no finite bound."""

        def without_bound(*args, **options):
            return replace(ib.bregman_projection(*args, **options), error_bound=unknown)

        monkeypatch.setattr("implicit_bias.simulate.trajectory.bregman_projection", without_bound)
        found = distance_to_limit(trained)
        assert not np.any(np.isfinite(found.error_bound))
        assert np.all(np.isfinite(found.distance))

    def test_half_the_step_ends_half_as_far(self):
        distances = [
            distance_to_limit(
                ensemble(PROBLEM, INIT, STEPS / cut, 10_000 * cut, schedule=Geometric(0.3, tau=1.0), record=2)
            )
            for cut in (1, 2)
        ]
        ratio = distances[0].distance[-1] / distances[1].distance[-1]
        np.testing.assert_allclose(ratio, 2, atol=0.1)

    def test_a_limit_that_does_not_exist(self):
        """For contradictory data the status says so, and the distance is nan."""
        problem = ib.Regression([[1.0, 2.0, 3.0], [1.0, 2.0, 3.0]], [1.0, 2.0])
        runs = ensemble(problem, {"m": 1.0, "w": 0.0}, 0.01, 10)
        found = distance_to_limit(runs)
        assert found.status == (ib.Status.INFEASIBLE,)
        assert np.all(np.isnan(found.distance))
        assert "1 without a limit" in repr(found)


class TestRelativeNorms:
    def test_the_two_ends(self):
        """A small scale ends with the least L1 norm, a large one with the least L2 norm."""
        init = initialization(np.zeros(14), [1e-8, 1e3])
        runs = ensemble(PROBLEM, init, [0.02, 1e-4], 40_000)
        norms = relative_norms(runs)
        assert np.all(runs.loss[-1] < 1e-7)
        assert norms.l1[-1, 0] == pytest.approx(1, abs=2e-3)
        assert norms.l2[-1, 1] == pytest.approx(1, abs=1e-6)
        assert norms.l1[-1, 1] > 1.1
        assert norms.l2[-1, 0] > 1.1

    def test_the_least_norms(self, trained):
        """They are the L1 norm of the limit at a vanishing scale and the L2 norm of the pseudoinverse's solution."""
        norms = relative_norms(trained)
        for k, problem in enumerate(trained.problems):
            sparse = ib.bregman_projection(problem, ib.HyperbolicEntropy(log_scale=-600.0))
            assert norms.least_l1[k] == pytest.approx(np.sum(np.abs(sparse.x)), rel=1e-6)
            assert norms.least_l2[k] == pytest.approx(np.linalg.norm(np.linalg.pinv(problem.Z) @ problem.y), rel=1e-10)
        np.testing.assert_allclose(norms.l1 * norms.least_l1, np.sum(np.abs(trained.x), axis=-1), rtol=1e-12)
        np.testing.assert_allclose(norms.l2 * norms.least_l2, np.sqrt(np.sum(trained.x**2, axis=-1)), rtol=1e-12)
        assert np.all(norms.l1[-1] > 1 - 1e-3)
        assert np.all(norms.l2[-1] > 1 - 1e-3)

    @pytest.mark.parametrize(
        ("problem", "message"),
        [
            (ib.Regression([[1.0, 2.0, 3.0], [1.0, 2.0, 3.0]], [1.0, 2.0]), "no weights with Zx = y"),
            (ib.Regression([[1.0, 2.0]], [0.0]), "y = 0"),
        ],
    )
    def test_nothing_to_compare_with(self, problem, message):
        with pytest.raises(InputError, match=message):
            relative_norms(ensemble(problem, {"m": 1.0, "w": 0.0}, 0.01, 10))


def test_diverged_runs_are_nan(broken):
    assert broken.diverged.tolist() == [False, True, False]
    found = [mirror_residual(broken), effective_exponent(broken), relative_norms(broken).l1, relative_norms(broken).l2]
    for values in found:
        np.testing.assert_array_equal(np.isnan(values), [[0, 0, 0], [0, 1, 0], [0, 1, 0]])
    limits = distance_to_limit(broken)
    assert limits.status[1] is ib.Status.NOT_FINITE
    np.testing.assert_array_equal(np.isnan(limits.distance), [[0, 1, 0]] * 3)


def test_all_runs_diverged():
    runs = ensemble(PROBLEM, INIT, 50.0, 1000, record=2)
    assert np.all(np.isnan(mirror_residual(runs)[-1]))
    assert np.all(np.isnan(effective_exponent(runs)[-1]))
