"""Training in discrete time, against loops written by hand, torch's optimizers, and what theory says of its steps."""

from dataclasses import asdict

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import chisquare

import implicit_bias as ib
from implicit_bias.errors import InputError
from implicit_bias.schedule import Constant, Geometric, Harmonic
from implicit_bias.simulate.mini_batches import MiniBatches

MASK = ib.Parameterization("m*w", ["m", "w"])
DECAY = "m**2 + w**2"
DECAYING = MASK.with_regularizer(DECAY)
PROBLEM = ib.Regression.sample(6, 9, 2, seed=3)
INIT = {"m": np.linspace(0.8, 1.2, 9), "w": np.linspace(-0.3, 0.5, 9)}
OPTIMIZERS = [ib.SGD(), ib.SGD(0.9), ib.SGD(0.5), ib.SGD(0.7, nesterov=True)]


class LogCosh(ib.Regression):
    """Another loss of the predictions, the mean of log cosh(p − y)."""

    def prediction_loss(self, p):
        return np.mean(np.log(np.cosh(p - self.y)), axis=-1)

    def prediction_gradient(self, p):
        return np.tanh(p - self.y) / self.d


def every_step(steps):
    return range(steps + 1)


@pytest.mark.parametrize("beta", [0.5, np.float32(0.5), np.array(0.5)])
def test_a_momentum_is_a_plain_number_however_it_is_given(beta):
    assert ib.SGD(beta) == ib.SGD(0.5)
    assert type(ib.SGD(beta).momentum) is float


class TestAgainstOtherCode:
    @pytest.mark.parametrize("schedule", [None, Constant(0.2), Harmonic(0.4, tau=0.3)])
    def test_the_mask_by_hand(self, schedule):
        step, steps = 0.05, 60
        h = None if schedule is None else DECAY
        run = ib.descent(
            PROBLEM, MASK.with_regularizer(h), INIT, step, steps, schedule=schedule, record=every_step(steps)
        )
        m, w = INIT["m"].copy(), INIT["w"].copy()
        dual, decay = np.zeros(6), 0.0
        for k in range(steps + 1):
            np.testing.assert_allclose(run.x[k], m * w, rtol=0, atol=1e-13)
            np.testing.assert_allclose(run.parameters["m"][k], m, rtol=0, atol=1e-13)
            np.testing.assert_allclose(run.dual[k], dual, rtol=0, atol=1e-13)
            assert run.decay[k] == pytest.approx(decay, rel=1e-13)
            assert run.loss[k] == pytest.approx(np.sum((PROBLEM.Z @ (m * w) - PROBLEM.y) ** 2) / 12, rel=1e-12)
            alpha = 0.0 if schedule is None else float(schedule(k * step))
            residual = (PROBLEM.Z @ (m * w) - PROBLEM.y) / 6
            slope = PROBLEM.Z.T @ residual
            m, w = m - step * (w * slope + 2 * alpha * m), w - step * (m * slope + 2 * alpha * w)
            dual, decay = dual + step * residual, decay + step * alpha
        np.testing.assert_allclose(run.accumulated_gradient, run.dual @ PROBLEM.Z, rtol=1e-15)

    def test_another_parameterization_and_loss_by_hand(self):
        """Here x = u³ − tanh v and h = u⁴ + v, whose flows do not commute, and the loss is not the squared one."""
        problem, step = LogCosh(PROBLEM.Z, PROBLEM.y), 0.03
        g = ib.Parameterization("u**3 - tanh(v)", "u,v")
        run = ib.descent(
            problem, g.with_regularizer("u**4 + v"), {"u": 0.7, "v": 0.2}, step, 50, schedule=Constant(0.1)
        )
        u, v = np.full(9, 0.7), np.full(9, 0.2)
        for _ in range(50):
            slope = problem.Z.T @ np.tanh(problem.Z @ (u**3 - np.tanh(v)) - problem.y) / 6
            pull_u, pull_v = 3 * u**2 * slope + 0.4 * u**3, -slope / np.cosh(v) ** 2 + 0.1
            u, v = u - step * pull_u, v - step * pull_v
        np.testing.assert_allclose(run.x[-1], u**3 - np.tanh(v), rtol=0, atol=1e-13)

    @pytest.mark.parametrize("optimizer", OPTIMIZERS)
    def test_torch_with_its_weight_decay(self, optimizer):
        """The regularizer m² + w² of strength α is weight_decay = 2α."""
        alpha, step, steps = 0.15, 0.01, 120
        mask, record = MASK.with_regularizer(DECAY), every_step(steps)
        run = ib.descent(PROBLEM, mask, INIT, step, steps, optimizer=optimizer, schedule=alpha, record=record)
        trained = self.by_torch([np.arange(6)] * steps, step, optimizer, 2 * alpha)
        np.testing.assert_allclose(run.x, trained, rtol=0, atol=1e-12)

    @pytest.mark.parametrize("batch_size", [2, 4])
    @pytest.mark.parametrize("optimizer", [ib.SGD(), ib.SGD(0.9), ib.SGD(0.9, nesterov=True)])
    def test_torch_on_the_same_mini_batches(self, optimizer, batch_size):
        step, steps = 0.01, 60
        options = {"optimizer": optimizer, "batch_size": batch_size, "seed": 5}
        run = ib.descent(PROBLEM, MASK, INIT, step, steps, **options, record=every_step(steps))
        drawn = MiniBatches(6, batch_size, np.array(5), runs=1).weights(range(steps), np.zeros(()))
        batches = [np.flatnonzero(weights[0]) for weights in drawn]
        assert {len(batch) for batch in batches} == {2, batch_size}
        trained = self.by_torch(batches, step, optimizer, 0.0)
        np.testing.assert_allclose(run.x, trained, rtol=0, atol=1e-12)

    @staticmethod
    def by_torch(batches, step, optimizer, weight_decay):
        """The weights after every step of torch.optim.SGD on ½ times the mean squared error of each batch."""
        Z, y = torch.tensor(PROBLEM.Z), torch.tensor(PROBLEM.y)
        m, w = (torch.tensor(INIT[name], requires_grad=True) for name in "mw")
        sgd = torch.optim.SGD([m, w], lr=step, weight_decay=weight_decay, **asdict(optimizer))
        path = [(m * w).detach().numpy().copy()]
        for batch in batches:
            sgd.zero_grad()
            (((Z[batch] @ (m * w) - y[batch]) ** 2).mean() / 2).backward()
            sgd.step()
            path.append((m * w).detach().numpy().copy())
        return np.array(path)


class TestTheory:
    @given(step=st.floats(1e-4, 0.1), alpha=st.floats(0, 1), m=st.floats(0.1, 2), w=st.floats(-2, 2))
    def test_the_balance_shrinks_by_its_exact_factor(self, step, alpha, m, w):
        """A step multiplies m² − w² by (1 − 2ηα)² − η²∇f², which is 1 − 4ηα + O(η²)."""
        run = ib.descent(PROBLEM, MASK.with_regularizer(DECAY), {"m": m, "w": w}, step, 3, schedule=Constant(alpha))
        m, w = run.parameters["m"], run.parameters["w"]
        balance, size = m**2 - w**2, m**2 + w**2
        slope = (run.x @ PROBLEM.Z.T - PROBLEM.y) @ PROBLEM.Z / 6
        factor = (1 - 2 * step * alpha) ** 2 - (step * slope[:-1]) ** 2
        # m² − w² has the rounding error of m² + w², which may be much larger.
        error = np.abs(balance[1:] - factor * balance[:-1])
        scale = size[1:] + (1 + np.abs(factor)) * size[:-1]
        assert np.all(error <= 1e-13 * (1 + np.abs(step * slope[:-1])) ** 2 * scale)

    @pytest.mark.parametrize(
        "options", [*({"optimizer": each} for each in OPTIMIZERS), {"optimizer": ib.SGD(0.9), "batch_size": 2}]
    )
    def test_the_mirror_identity_holds_up_to_the_step(self, options):
        """∇R_A(x) = −Zᵀν + O(η) for the accumulated A and ν, also with momentum and on mini-batches."""
        derivation, deviations = ib.derive(MASK, DECAY), []
        for steps in (250, 500, 1000):
            mask, schedule = MASK.with_regularizer(DECAY), Geometric(0.3, tau=0.5)
            run = ib.descent(PROBLEM, mask, INIT, 0.25 / steps, steps, schedule=schedule, **options)
            potential = derivation.at(INIT, run.decay[-1])
            np.testing.assert_array_equal(run.flow_potential().log_scale, potential.log_scale)
            deviations.append(np.max(np.abs(potential.gradient(run.x[-1]) + run.accumulated_gradient[-1])))
        assert np.max(np.abs(run.accumulated_gradient[-1])) > 0.1
        assert deviations[0] < 0.05 * np.max(np.abs(run.accumulated_gradient[-1]))
        # Different step sizes draw different batches, whose noise enters the constant.
        np.testing.assert_allclose(np.divide(deviations[:-1], deviations[1:]), 2, atol=0.15)

    def test_decay_adds_up_as_the_optimizer_applies_it(self):
        """Every step adds α to the memory of heavy ball, which is α(1 − β^{k+1})/(1 − β) in step k."""
        step, alpha, beta = 0.01, 0.5, 0.8
        plain = ib.descent(PROBLEM, MASK.with_regularizer(DECAY), INIT, step, 50, schedule=Constant(alpha))
        heavy = ib.descent(
            PROBLEM, MASK.with_regularizer(DECAY), INIT, step, 50, optimizer=ib.SGD(beta), schedule=Constant(alpha)
        )
        np.testing.assert_allclose(plain.decay, alpha * plain.t, rtol=1e-13)
        moves = step * alpha * (1 - beta ** np.arange(1, 51)) / (1 - beta)
        np.testing.assert_allclose(heavy.decay, [0.0, *np.cumsum(moves)], rtol=1e-13)

    def test_the_mini_batches_end_where_the_flow_does(self):
        """Where the data are interpolated, no noise is left, so small steps end within O(η) of the flow's limit."""
        steps = np.array([5e-2, 1e-2])
        run = ib.descent(PROBLEM, MASK, INIT, steps, 4_000, batch_size=2, record=2)
        limit = ib.bregman_projection(PROBLEM, ib.derive(MASK, DECAY).at(INIT))
        assert np.all(run.loss[-1] < 1e-12)
        assert np.all(np.max(np.abs(run.x[-1] - limit.x), axis=-1) < 0.3 * steps)


class TestMiniBatches:
    @pytest.mark.parametrize("size", [1, 2, 3, 6])
    def test_an_epoch_averages_to_the_full_gradient(self, size):
        """This holds where the size divides d; a step of ν shows the gradient of its batch."""
        step, epoch = 1e-9, 6 // size
        options = {"batch_size": size, "seed": 1}
        run = ib.descent(PROBLEM, MASK, INIT, step, 2 * epoch, **options, record=every_step(2 * epoch))
        gradients = np.diff(run.dual, axis=0) / step
        assert np.all(np.count_nonzero(gradients, axis=1) == size)
        full = PROBLEM.prediction_gradient(PROBLEM.Z @ run.x[0])  # a step of 1e-9 moves nothing
        for part in (gradients[:epoch], gradients[epoch:]):
            np.testing.assert_allclose(np.mean(part, axis=0), full, rtol=1e-6)

    def test_every_batch_is_unbiased_even_the_short_one(self):
        """Seven observations in batches of 3, 3 and 1: each observation's mean weight over many runs is 1."""
        runs = 4_000
        drawn = MiniBatches(7, 3, np.array(0), runs).weights(range(3), np.zeros(()))
        for size, weights in zip((3, 3, 1), drawn, strict=True):
            assert np.all(np.sum(weights > 0, axis=1) == size)
            deviation = np.sqrt((7 / size - 1) / runs)
            assert np.max(np.abs(np.mean(weights, axis=0) - 1)) < 4 * deviation

    @given(size=st.integers(1, 7), begin=st.integers(0, 10**6), steps=st.integers(1, 30), inner=st.integers(0, 29))
    def test_a_batch_depends_on_the_number_of_its_step_alone(self, size, begin, steps, inner):
        """Drawn alone, among others or by torch, in any precision, it is the same; each epoch takes all once."""
        drawn, seeds = MiniBatches(7, size, np.array([3, 4]), 2), np.array([4, 3])
        weights = drawn.weights(range(begin, begin + steps), np.zeros(()))
        one = begin + inner % steps
        np.testing.assert_array_equal(drawn.weights(range(one, one + 1), np.zeros(()))[0], weights[inner % steps])
        for dtype in (torch.float64, torch.float32):
            by_torch = drawn.weights(range(begin, begin + steps), torch.zeros((), dtype=dtype))
            assert by_torch.dtype == dtype
            np.testing.assert_array_equal(by_torch.numpy(), weights.astype(str(dtype).removeprefix("torch.")))
        other = MiniBatches(7, size, seeds, 2).weights(range(begin, begin + steps), np.zeros(()))
        np.testing.assert_array_equal(other, weights[:, ::-1])
        in_epoch = -(-7 // size)
        epoch = drawn.weights(range(in_epoch * begin, in_epoch * (begin + 1)), np.zeros(()))
        np.testing.assert_array_equal(np.count_nonzero(epoch, axis=0), 1)

    def test_all_orders_are_as_frequent(self):
        """24 orders of four observations over runs and epochs, and pairs of orders in epochs that follow."""
        runs, epochs = 500, 24
        drawn = MiniBatches(4, 1, np.array(1), runs).weights(range(4 * epochs), np.zeros(()))
        orders = np.argmax(drawn, axis=-1).reshape(epochs, 4, runs)
        number = (orders * np.array([64, 16, 4, 1])[:, None]).sum(axis=1)
        number = np.unique(number, return_inverse=True)[1].reshape(epochs, runs)
        assert chisquare(np.bincount(number.ravel(), minlength=24)).pvalue > 1e-3
        pairs = 24 * number[::2] + number[1::2]
        assert chisquare(np.bincount(pairs.ravel(), minlength=576)).pvalue > 1e-3
        neighbours = 24 * number[:, ::2] + number[:, 1::2]
        assert chisquare(np.bincount(neighbours.ravel(), minlength=576)).pvalue > 1e-3

    def test_seeds(self):
        def end(seed, init=INIT):
            return ib.descent(PROBLEM, MASK, init, 0.01, 30, batch_size=2, seed=seed).x[-1]

        np.testing.assert_array_equal(end(7), end(7))
        assert np.any(end(7) != end(8))
        together = end([7, 8, 7])
        np.testing.assert_array_equal(together, [end(7), end(8), end(7)])
        # With one seed every run has a stream of its own, which does not depend on the number of runs.
        few, many = (end(7, {"m": np.tile(INIT["m"], (runs, 1)), "w": INIT["w"]}) for runs in (2, 5))
        np.testing.assert_array_equal(few, many[:2])
        np.testing.assert_array_equal(few[0], end(7))
        assert np.any(few[0] != few[1])


class TestBatchesOfRuns:
    @pytest.mark.parametrize("formula", ["m*w", "m**3*w - exp(-w)*tanh(m)"])
    @pytest.mark.parametrize(
        "options",
        [
            *({"optimizer": each} for each in OPTIMIZERS),
            {"batch_size": 4, "seed": [1, 2, 3, 4, 5]},
            {"optimizer": ib.SGD(0.9, nesterov=True), "batch_size": 5, "seed": [5, 4, 3, 2, 1]},
        ],
    )
    def test_a_run_does_not_notice_its_companions(self, formula, options):
        problem, g = ib.Regression.sample(11, 17, 3, seed=1), ib.Parameterization(formula, ["m", "w"], DECAY)
        rng = np.random.default_rng(0)
        init = {"m": rng.normal(size=(5, 17)), "w": rng.normal(size=(5, 1))}
        steps = np.geomspace(1e-4, 1e-2, 5)
        schedule = Geometric(0.3, 0.1)
        together = ib.descent(problem, g, init, steps, 40, schedule=schedule, **options, throw=False)
        assert together.x.shape == (41, 5, 17)
        assert together.loss.shape == together.t.shape == together.decay.shape == (41, 5)
        assert together.dual.shape == (41, 5, 11)
        for r in range(5):
            alone = {"m": init["m"][r], "w": init["w"][r, 0]}
            own = options | ({"seed": options["seed"][r]} if "seed" in options else {})
            run = ib.descent(problem, g, alone, steps[r], 40, schedule=schedule, **own, throw=False)
            for name in ("t", "x", "loss", "dual", "decay"):
                np.testing.assert_array_equal(getattr(together, name)[:, r], getattr(run, name))
            np.testing.assert_array_equal(together.parameters["w"][:, r], run.parameters["w"])
        assert run.x.shape == (41, 17)
        assert run.loss.shape == run.t.shape == run.decay.shape == (41,)
        assert run.diverged.shape == ()

    def test_anything_may_bring_the_axis_of_runs(self):
        one = ib.descent(PROBLEM, MASK, INIT, 0.01, 5)
        for change in (
            {"step": [0.01]},
            {"init": {"m": INIT["m"], "w": INIT["w"][None]}},
            {"batch_size": 6, "seed": [0]},
            {"schedule": [0.0], "parameterization": MASK.with_regularizer(DECAY)},
        ):
            run = ib.descent(
                **({"problem": PROBLEM, "parameterization": MASK, "init": INIT} | {"step": 0.01} | change), steps=5
            )
            assert run.x.shape == (6, 1, 9)
            np.testing.assert_array_equal(run.x[:, 0], one.x)


class TestRecords:
    def test_a_number_of_records_is_spread_evenly(self):
        run = ib.descent(PROBLEM, MASK, INIT, 0.01, 1000, record=5)
        np.testing.assert_array_equal(run.steps, [0, 250, 500, 750, 1000])
        np.testing.assert_array_equal(run.t, run.steps * 0.01)
        np.testing.assert_array_equal(ib.descent(PROBLEM, MASK, INIT, 0.01, 7).steps, np.arange(8))

    def test_chosen_steps_are_those_of_the_full_record(self):
        every = ib.descent(PROBLEM, MASK, INIT, 0.01, 50, record=51)
        chosen = ib.descent(PROBLEM, MASK, INIT, 0.01, 50, record=np.array([30, 3, 3, 10], dtype=np.uint64))
        np.testing.assert_array_equal(chosen.steps, [3, 10, 30, 50])
        np.testing.assert_array_equal(chosen.x, every.x[chosen.steps])
        np.testing.assert_array_equal(chosen.dual, every.dual[chosen.steps])
        assert "4 records to step 50, x of shape (4, 9)" in repr(chosen)
        assert chosen.stats.evaluations == 50
        assert chosen.stats.wall_time > 0


class TestDivergence:
    STEPS = (0.01, 50.0, 0.02)

    def test_it_is_a_status_and_spares_the_other_runs(self):
        runs = ib.descent(PROBLEM, MASK, INIT, self.STEPS, 200, throw=False)
        assert runs.status is ib.Status.NOT_FINITE
        np.testing.assert_array_equal(runs.diverged, [False, True, False])
        assert "3 runs, 1 diverged, 100 records to step 200, not_finite" in repr(runs)
        for r in (0, 2):
            alone = ib.descent(PROBLEM, MASK, INIT, self.STEPS[r], 200)
            np.testing.assert_array_equal(runs.x[:, r], alone.x)
        for recorded in (runs.x, runs.dual, runs.parameters["m"]):
            finite = np.all(np.isfinite(recorded[:, 1]), axis=-1)
            assert finite[0]
            assert not finite[-1]
            assert np.all(np.diff(finite.astype(int)) <= 0)  # never back from nan
            assert np.all(np.isnan(recorded[~finite, 1]))
        assert np.all(np.isfinite(runs.t))

    def test_it_raises_with_everything_computed(self):
        with pytest.raises(ib.SolverError, match="not_finite") as caught:
            ib.descent(PROBLEM, MASK, INIT, self.STEPS, 200)
        assert np.all(np.isfinite(caught.value.result.x[:, 0]))

    def test_it_ends_a_training_without_a_sound_run(self):
        run = ib.descent(PROBLEM, MASK, INIT, 50.0, 10**9, record=3, throw=False)
        assert run.diverged
        assert run.stats.evaluations < 20
        assert np.all(np.isnan(run.x[1:]))

    def test_weights_out_of_range_diverge_although_parameters_are_finite(self):
        """At m = w = 1e200 the weight m w is infinite, even if a loss with bounded slopes could go on."""
        problem = LogCosh(PROBLEM.Z, PROBLEM.y)
        run = ib.descent(problem, MASK, {"m": [[1.0], [1e200]], "w": [[0.0], [1e200]]}, 1e-3, 5, throw=False)
        np.testing.assert_array_equal(run.diverged, [False, True])

    def test_leaving_the_domain_of_a_formula_is_divergence(self):
        """Gradient descent may step over the boundary u = 0 of log u, which the flow never reaches."""
        run = ib.descent(PROBLEM, ib.Parameterization("log(u) - v", "u,v"), {"u": 0.1, "v": 0.0}, 1.0, 3, throw=False)
        assert run.diverged


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"problem": None}, "ib.Regression, got NoneType"),
        ({"parameterization": "m*w"}, "MatrixParameterization, got the string"),
        ({"parameterization": ib.Parameterization(["m*w", "m"], ["m", "w"])}, "one formula for each of 9 columns"),
        (
            {"parameterization": ib.Parameterization(["m*w", "m"], ["m", "w"]), "init": {"m": [[1.0]], "w": 1.0}},
            "share",
        ),
        ({"init": {"m": 1.0}}, "missing: "),
        ({"init": [1.0, 1.0]}, "dict"),
        ({"init": {"m": np.nan, "w": 1.0}}, "nan"),
        ({"init": {"m": np.ones(2), "w": 1.0}}, r"init\['m'\]: .*\(9,\) or \(runs, 9\)"),
        ({"init": {"m": np.ones((2, 2)), "w": 1.0}}, r"\(runs, 9\)"),
        ({"init": {"m": np.ones((1, 2, 9)), "w": 1.0}}, r"\(runs, 9\)"),
        ({"init": {"m": np.ones((0, 9)), "w": 1.0}}, r"\(runs, 9\)"),
        ({"init": {"m": np.ones((2, 9)), "w": 1.0}, "step": [0.1, 0.1, 0.1]}, r"runs: .*init\['m'\]: 2, step: 3"),
        ({"step": 0.0}, "step: expected a positive"),
        ({"step": [0.1, -0.1]}, "step: expected a positive"),
        ({"step": [[0.1]]}, "step"),
        ({"step": []}, "step"),
        ({"step": 1e308}, "finite end"),
        ({"step": "fast"}, "step"),
        ({"steps": 0}, "steps: expected a positive"),
        ({"steps": 2.5}, "steps: expected an integer"),
        ({"schedule": Constant(0.1)}, "no regularizer"),
        ({"schedule": 0.1}, "no regularizer"),
        ({"parameterization": DECAYING, "schedule": "much"}, "schedule object or a number"),
        ({"parameterization": DECAYING, "schedule": -0.1}, "non-negative"),
        ({"parameterization": DECAYING, "schedule": []}, "an empty list"),
        ({"parameterization": DECAYING, "schedule": [0.1, 0.2], "step": [0.1] * 3}, "schedule: 2"),
        ({"optimizer": "adam"}, "optimizer: expected an ib.SGD"),
        ({"optimizer": type("Signs", (ib.SGD,), {})()}, "optimizer: expected an ib.SGD"),  # its steps are unknown
        ({"batch_size": 7}, "1 to d=6"),
        ({"batch_size": 0}, "1 to d=6"),
        ({"batch_size": 2.0}, "integer"),
        ({"batch_size": 2, "seed": -1}, "seed: expected a non-negative"),
        ({"batch_size": 2, "seed": [3, -1]}, "seed: expected a non-negative"),
        ({"batch_size": 2, "seed": 0.5}, "seed"),
        ({"batch_size": 2, "seed": [1, 2], "step": [0.1] * 3}, "runs"),
        ({"seed": [1, 2]}, "only mini-batches are random"),
        ({"record": 1}, "at least 2"),
        ({"record": [0, 11]}, "from 0 to 10"),
        ({"record": [-1]}, "from 0 to 10"),
        ({"record": [0.5]}, "record"),
        ({"record": []}, "record"),
        ({"record": [[1]]}, "record"),
    ],
)
def test_bad_input(change, message):
    arguments = {"problem": PROBLEM, "parameterization": MASK, "init": INIT, "step": 0.1, "steps": 10} | change
    with pytest.raises(InputError, match=message):
        ib.descent(**arguments)


@pytest.mark.parametrize("step", [1e-3, [1e-3, 2e-3]])
def test_strengths_go_on_after_any_number_of_steps(step):
    """Without data 2,500 steps multiply m by ∏ (1 − 2ηα(kη)), for a schedule that never repeats a strength."""
    schedule, steps = Harmonic(0.4, tau=0.3), [1, 999, 1000, 1001, 1999, 2000, 2001, 2500]
    run = ib.descent(
        ib.Regression([[0.0]], [0.0]),
        MASK.with_regularizer(DECAY),
        {"m": 1.0, "w": 0.5},
        step,
        2500,
        schedule=schedule,
        record=steps,
    )
    for k, eta in enumerate(np.atleast_1d(step)):
        strengths = np.array([float(schedule(j * eta)) for j in range(2500)])
        m = np.cumprod(1 - 2 * eta * strengths)  # only decay acts
        found = run.parameters["m"].reshape(len(steps), -1)[:, k]
        np.testing.assert_allclose(found, m[np.array(steps) - 1], rtol=1e-12)
