"""Many diagonal networks at once, against torch's optimizer on one of them, single trajectories, and the flow."""

import subprocess
import sys
from dataclasses import asdict

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import implicit_bias as ib
from implicit_bias.errors import InputError
from implicit_bias.masking.ensembles import ensemble, initialization
from implicit_bias.schedule import Constant, Geometric, Harmonic, Schedule, SwitchOff
from implicit_bias.simulate import SGD
from implicit_bias.simulate.mini_batches import MiniBatches

MASK = ib.Parameterization("m*w", ["m", "w"])
DECAY = "m**2 + w**2"
PROBLEM = ib.Regression.sample(6, 9, 2, seed=3)
PROBLEMS = [ib.Regression.sample(6, 9, 2, seed=seed) for seed in range(3)]
WEIGHTS = np.linspace(-0.3, 0.4, 9)
SCALES = np.array([0.01, 1.0, 0.1])
INIT = initialization(WEIGHTS, SCALES)
SCHEDULES = [Constant(0.2), Harmonic(0.4, tau=0.3), SwitchOff(Constant(0.5), time=0.4)]
PLAIN = SGD()
BATCHES = {"batch_size": 4, "seed": [5, 6, 7]}
OPTIMIZERS = [{}, {"optimizer": SGD(0.8)}, BATCHES, {"optimizer": SGD(0.9, nesterov=True), **BATCHES}]
CASES = [
    {"problem": problem, "schedule": schedule, **options}
    for problem in (PROBLEM, PROBLEMS)
    for schedule in (None, Geometric(0.3, tau=0.5), SCHEDULES)
    for options in OPTIMIZERS
]


class LogCosh(ib.Regression):
    """A problem that names the squared loss and has another."""

    def prediction_gradient(self, p):
        return np.tanh(p - self.y) / self.d


def shared(value, run):
    """The value of one run, where the given one may be for all runs or a list."""
    return value[run] if isinstance(value, (list, np.ndarray)) else value


def by_torch(run, step, steps, *, problem, schedule, optimizer=PLAIN, batch_size=None, seed=None):
    """The weights after every step of torch.optim.SGD on m and w of one run, by automatic differentiation."""
    problem, schedule = shared(problem, run), shared(schedule, run)
    Z, y = torch.tensor(problem.Z), torch.tensor(problem.y)
    m, w = (torch.tensor(INIT[name][run], requires_grad=True) for name in "mw")
    sgd = torch.optim.SGD([m, w], lr=step, **asdict(optimizer))
    drawn = None
    if batch_size is not None:
        drawn = MiniBatches(6, batch_size, np.array(seed[run]), runs=1).weights(range(steps), np.zeros(()))
    path = [(m * w).detach().numpy().copy()]
    for k in range(steps):
        batch = np.arange(6) if drawn is None else np.flatnonzero(drawn[k][0])
        sgd.param_groups[0]["weight_decay"] = 0.0 if schedule is None else 2 * float(schedule(k * step))
        sgd.zero_grad()
        (((Z[batch] @ (m * w) - y[batch]) ** 2).mean() / 2).backward()
        sgd.step()
        path.append((m * w).detach().numpy().copy())
    return np.array(path)


class TestAgainstOtherCode:
    @pytest.mark.parametrize("case", CASES)
    def test_torch_with_its_weight_decay(self, case):
        steps = 60
        etas = [0.01, 0.02, 0.03]
        runs = ensemble(**case, init=INIT, step=etas, steps=steps, record=range(steps + 1))
        for run, eta in enumerate(etas):
            np.testing.assert_allclose(runs.x[:, run], by_torch(run, eta, steps, **case), rtol=0, atol=1e-12)

    @pytest.mark.parametrize("options", OPTIMIZERS)
    @pytest.mark.parametrize("schedule", [None, Geometric(0.3, tau=0.5)])
    def test_everything_that_descent_records(self, options, schedule):
        etas = np.array([0.01, 0.02, 0.03])
        runs = ensemble(PROBLEM, INIT, etas, 150, schedule=schedule, **options, record=20)
        mask = MASK.with_regularizer(DECAY)
        single = ib.descent(PROBLEM, mask, INIT, etas, 150, schedule=schedule, **options, record=20)
        np.testing.assert_array_equal(runs.steps, single.steps)
        for key in ("t", "x", "loss", "dual", "decay", "accumulated_gradient"):
            np.testing.assert_allclose(getattr(runs, key), getattr(single, key), rtol=1e-12, atol=1e-13, err_msg=key)
        for key in "mw":
            np.testing.assert_allclose(runs.parameters[key][-1], single.parameters[key][-1], rtol=0, atol=1e-13)

    def test_a_problem_for_each_run(self):
        runs = ensemble(PROBLEMS, INIT, 0.02, 100, record=11)
        for run, problem in enumerate(PROBLEMS):
            start = {name: INIT[name][run] for name in "mw"}
            single = ib.descent(problem, MASK, start, 0.02, 100, record=11)
            for key in ("x", "loss", "dual", "accumulated_gradient"):
                np.testing.assert_allclose(getattr(runs, key)[:, run], getattr(single, key), rtol=1e-12, atol=1e-13)
            assert runs.problem(run) is problem

    @pytest.mark.parametrize("momentum", [0.0, 0.8])
    @pytest.mark.parametrize("schedule", [None, Geometric(0.3, tau=0.5)])
    def test_the_flow_as_the_step_vanishes(self, momentum, schedule):
        """Halving η halves the distance to the flow; a run with momentum β is faster by 1/(1 − β)."""
        counts = np.array([250, 500, 1000])
        # The strength as a function of the run's own time, which is slower than that of the flow.
        own = None if schedule is None else Geometric(0.3, tau=0.5 * (1 - momentum))
        errors = []
        flow = ib.gradient_flow(
            PROBLEM,
            MASK.with_regularizer(None if schedule is None else DECAY),
            {n: v[1] for n, v in INIT.items()},
            [1.0],
            schedule=schedule,
        )
        for count in counts.tolist():
            step = (1 - momentum) / count
            runs = ensemble(PROBLEM, INIT, step, count, schedule=own, optimizer=SGD(momentum), record=2)
            assert runs.t[-1, 1] == pytest.approx(1 - momentum)
            errors.append(np.max(np.abs(runs.x[-1, 1] - flow.x[-1])))
        np.testing.assert_allclose(np.divide(errors[:-1], errors[1:]), 2, atol=0.1)
        assert np.max(np.abs(runs.dual[-1, 1] - flow.dual[-1])) < 2e-2 / (1 - momentum)
        assert runs.decay[-1, 1] == pytest.approx(flow.decay[-1], rel=5e-3 / (1 - momentum), abs=1e-15)

    @given(
        seed=st.integers(0, 2**16),
        step=st.floats(1e-4, 0.05),
        alpha=st.floats(0, 1),
        log_scale=st.floats(-12, 2),
        size=st.floats(0, 2),
    )
    def test_the_balance_of_every_step(self, seed, step, alpha, log_scale, size):
        """A step multiplies m² − w² by (1 − 2ηα)² − η²∇f², at every scale; u and v keep its digits."""
        rng = np.random.default_rng(seed)
        x, a = size * rng.uniform(-1, 1, 9), np.exp(log_scale)
        start = initialization(x, a)
        runs = ensemble(PROBLEM, start, step, 1, schedule=Constant(alpha))
        balance = (runs.parameters["m"] - runs.parameters["w"]) * (runs.parameters["m"] + runs.parameters["w"])
        factor = (1 - 2 * step * alpha) ** 2 - (step * PROBLEM.gradient(runs.x[0, 0])) ** 2
        expected = (start["m"] - start["w"]) * (start["m"] + start["w"]) * factor
        rounding = 1e-14 * np.sum(np.square(list(runs.parameters.values())), axis=0)
        assert np.all(np.abs(balance - expected) <= rounding + 1e-14)


class TestRuns:
    @pytest.mark.parametrize("case", CASES)
    def test_a_run_does_not_notice_its_companions(self, case):
        etas = [0.01, 0.02, 0.03]
        together = ensemble(**case, init=INIT, step=etas, steps=80, record=9)
        for run in range(3):
            own = {key: [value[run]] if isinstance(value, list) else value for key, value in case.items()}
            alone = ensemble(**own, init={n: v[run] for n, v in INIT.items()}, step=etas[run], steps=80, record=9)
            assert alone.x.shape == (9, 1, 9)
            for key in ("t", "x", "loss", "dual", "decay"):
                np.testing.assert_allclose(
                    getattr(together, key)[:, run], getattr(alone, key)[:, 0], rtol=1e-12, atol=1e-13
                )

    @pytest.mark.parametrize("schedule", [None, Constant(0.3)])
    @pytest.mark.parametrize("problem", [PROBLEM, PROBLEMS])
    def test_divergence_is_a_status_and_spares_the_other_runs(self, problem, schedule):
        runs = ensemble(problem, INIT, [0.01, 50.0, 0.02], 2500, schedule=schedule, record=range(0, 2501, 5))
        assert runs.diverged.tolist() == [False, True, False]
        assert runs.status is ib.Status.NOT_FINITE
        assert "3 runs, 1 diverged, 501 records to step 2500" in repr(runs)
        for recorded in (runs.x, runs.dual, runs.loss[..., None], runs.decay[..., None]):
            finite = np.all(np.isfinite(recorded[:, 1]), axis=-1)
            assert finite[0]
            assert not finite[-1]
            assert np.all(np.isnan(recorded[~np.isfinite(runs.x[:, 1, 0]), 1]))
        assert np.all(np.diff(np.isfinite(runs.x[:, 1, 0]).astype(int)) <= 0)  # never back from nan
        assert np.all(np.isnan(runs.parameters["m"][-1, 1]))
        assert np.all(np.isfinite(runs.t))
        for run in (0, 2):
            alone = ensemble(
                shared(problem, run),
                {n: v[run] for n, v in INIT.items()},
                [0.01, 0, 0.02][run],
                2500,
                schedule=schedule,
            )
            np.testing.assert_allclose(runs.x[-1, run], alone.x[-1, 0], rtol=0, atol=1e-12)

    def test_a_training_without_a_sound_run_ends(self):
        runs = ensemble(PROBLEM, INIT, 50.0, 10**9, schedule=Constant(0.1), record=3)
        assert np.all(runs.diverged)
        assert runs.stats.evaluations < 5000
        assert np.all(np.isnan(runs.x[1:]))

    def test_seeds(self):
        def end(seed, init=INIT):
            return ensemble(PROBLEM, init, 0.01, 30, batch_size=2, seed=seed).x[-1]

        np.testing.assert_array_equal(end(7), end(7))
        assert np.any(end(7) != end(8))
        start = {name: value[:1] for name, value in INIT.items()}
        together = end([7, 8, 7], start)
        np.testing.assert_array_equal(together[0], together[2])
        np.testing.assert_allclose(together[1], end(8, start)[0], rtol=0, atol=1e-13)

    def test_anything_may_bring_the_axis_of_runs(self):
        start = {"m": INIT["m"][0], "w": INIT["w"][0]}
        one = ensemble(PROBLEM, start, 0.01, 40, schedule=Constant(0.2))
        for change in (
            {"init": {"m": INIT["m"][:1].repeat(2, axis=0), "w": INIT["w"][0]}},
            {"step": [0.01, 0.01]},
            {"problem": [PROBLEM, PROBLEM]},
            {"schedule": [Constant(0.2), Constant(0.2)]},
            {"batch_size": 6, "seed": [1, 2]},
        ):
            arguments = {"problem": PROBLEM, "init": start, "step": 0.01, "steps": 40, "schedule": Constant(0.2)}
            runs = ensemble(**arguments | change)
            assert runs.runs == 2
            np.testing.assert_allclose(runs.x, np.broadcast_to(one.x, runs.x.shape), rtol=0, atol=1e-13)
        assert ensemble(PROBLEM, {"m": 1.0, "w": [[0.1], [0.2]]}, 0.01, 5).x.shape == (6, 2, 9)

    def test_many_strengths_come_in_pieces(self, monkeypatch):
        whole = ensemble(PROBLEM, INIT, 0.01, 50, schedule=SCHEDULES)
        monkeypatch.setattr("implicit_bias.simulate.discrete._MOST_NUMBERS", 21)
        np.testing.assert_array_equal(ensemble(PROBLEM, INIT, 0.01, 50, schedule=SCHEDULES).x, whole.x)

    def test_arguments_are_copied(self):
        start = {name: value.copy() for name, value in INIT.items()}
        runs = ensemble(PROBLEM, start, 0.01, 10)
        for name in "mw":
            np.testing.assert_array_equal(start[name], INIT[name])
            start[name][:] = 7.0
            np.testing.assert_array_equal(getattr(runs.families, name), INIT[name])


class TestPrecisionAndDevice:
    def test_single_precision_trains_and_records_in_double(self):
        double, single = (
            ensemble(PROBLEM, INIT, 0.02, 500, schedule=SCHEDULES, dtype=d) for d in (torch.float64, torch.float32)
        )
        for key in ("x", "dual", "decay", "loss"):
            assert getattr(single, key).dtype == np.float64
        assert 1e-9 < np.max(np.abs(single.x - double.x)) < 1e-5
        np.testing.assert_allclose(single.dual, double.dual, rtol=0, atol=1e-4)

    @pytest.mark.cuda
    @pytest.mark.parametrize("case", CASES)
    def test_cuda_agrees_with_the_cpu(self, case):
        cpu, cuda = (ensemble(**case, init=INIT, step=0.02, steps=300, device=name) for name in ("cpu", "cuda"))
        for key in ("x", "dual", "decay", "loss"):
            np.testing.assert_allclose(getattr(cuda, key), getattr(cpu, key), rtol=1e-11, atol=1e-12)

    def test_memory_grows_with_the_records_alone(self):
        """Forty times as many steps of 200 runs, whose weights take 160 kB, hardly raise the peak of their process."""
        script = """if True:
            import numpy as np, torch
            import implicit_bias as ib
            from experiments.benchmarks.large import peak_bytes
            from implicit_bias.masking.ensembles import ensemble, initialization
            from implicit_bias.simulate import SGD

            problem, peaks = ib.Regression.sample(10, 100, 3, seed=0), []
            init = initialization(np.zeros(100), np.geomspace(1e-3, 1, 200))
            for options in ({}, {"optimizer": SGD(0.5), "batch_size": 5, "schedule": ib.schedule.Constant(0.01)}):
                for steps in (50, 2000):
                    ensemble(problem, init, 1e-3, steps, **options, record=20)
                    peaks.append(peak_bytes())
            print(*peaks)
        """
        done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
        plain, longer, random, longest = map(int, done.stdout.split())
        assert longer - plain < 10e6 < 0.05 * 1950 * 160e3
        assert longest - random < 10e6

    @pytest.mark.parametrize("options", [{}, {"optimizer": SGD(0.5), "schedule": Constant(0.1)}])
    def test_a_step_allocates_nothing_large(self, options):
        """In 100 more steps torch allocates at most one set of weights, beside the strengths."""
        init = initialization(np.zeros(9), np.geomspace(0.1, 1, 500))

        def allocated(steps):
            with torch.profiler.profile(profile_memory=True, acc_events=True) as profile:
                ensemble(PROBLEM, init, 1e-3, steps, **options, record=2)
            return sum(max(event.self_cpu_memory_usage, 0) for event in profile.key_averages())

        allocated(2)
        weights = 8 * 9 * 500
        strengths = 8 * 500 * 100 * bool(options)
        assert allocated(103) - allocated(3) <= weights + 2 * strengths


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"problem": None}, "problem: expected an ib.Regression, .* got NoneType"),
        ({"problem": []}, "problem: .* an empty list"),
        ({"problem": [PROBLEM, "Z"]}, "problem: .* got str"),
        ({"problem": ib.Regression([[1.0, 2.0]], [1.0], loss="logistic")}, "squared loss alone"),
        ({"problem": LogCosh(PROBLEM.Z, PROBLEM.y)}, "squared loss alone"),
        ({"problem": [PROBLEM, ib.Regression.sample(5, 9, 2)]}, r"one shape in all runs, got \(6, 9\) and \(5, 9\)"),
        ({"init": {"m": 1.0}}, r"init: .* \['m'\]"),
        ({"init": [1.0, 0.0]}, "init: expected a dict"),
        ({"init": {"m": np.nan, "w": 0.0}}, r"init\['m'\]: .* nan"),
        ({"init": {"m": np.ones(8), "w": 0.0}}, r"init\['m'\]: .*\(9,\), \(runs, 9\) .* got shape \(8,\)"),
        ({"init": {"m": np.ones((1, 2, 9)), "w": 0.0}}, r"init\['m'\]"),
        ({"init": {"m": np.ones((0, 9)), "w": 0.0}}, r"init\['m'\]"),
        ({"init": {"m": 1.0, "w": 1.0}}, r"\|w\| < m .* m=1 and w=1 at index \(0,"),
        ({"init": {"m": -1.0, "w": 0.0}}, r"\|w\| < m"),
        ({"init": {"m": 1e-39, "w": 0.0}, "dtype": torch.float32}, r"\|w\| < m .* float64"),
        ({"init": INIT, "step": [0.1, 0.1]}, r"runs: .*init\['m'\]: 3, init\['w'\]: 3, step: 2"),
        ({"init": INIT, "schedule": [Constant(0.1)] * 4}, "runs: .*schedule: 4"),
        ({"init": INIT, "problem": [PROBLEM] * 2}, "runs: .*problem: 2"),
        ({"init": INIT, "batch_size": 2, "seed": [1, 2]}, "runs: .*seed: 2"),
        ({"step": 0.0}, "step: expected a positive"),
        ({"step": [0.1, np.inf]}, "step"),
        ({"step": "fast"}, "step"),
        ({"steps": -5}, "steps: expected a positive integer, got -5"),
        ({"steps": 2.5}, "steps: expected an integer"),
        ({"schedule": "much"}, "schedule: expected an ib.schedule object or a number"),
        ({"schedule": []}, "schedule: .* an empty list"),
        ({"optimizer": 0.9}, "optimizer: expected an ib.SGD"),
        ({"batch_size": 7}, "1 to d=6"),
        ({"batch_size": 2.0}, "batch_size: expected an integer"),
        ({"batch_size": 2, "seed": -1}, "seed: expected a non-negative"),
        ({"seed": [1, 2]}, "only mini-batches are random"),
        ({"record": 1}, "at least 2"),
        ({"record": [0, 11]}, "from 0 to 10"),
        ({"dtype": torch.float16}, "dtype: expected torch.float64"),
        ({"dtype": "double"}, "dtype: expected torch.float64"),
        ({"device": "meta"}, "device: expected 'cpu' or 'cuda'"),
        ({"device": "gpu"}, "device: expected 'cpu' or 'cuda', got 'gpu'"),
        ({"device": "cuda:99"}, "device: got 'cuda:99', but torch sees . CUDA devices"),
        ({"device": "cuda:999"}, "device: got 'cuda:999', but torch sees . CUDA devices"),  # -25 to torch
        ({"device": 1.5}, "device: expected 'cpu' or 'cuda', got 1.5"),
    ],
)
def test_bad_input(change, message):
    arguments = {"problem": PROBLEM, "init": {"m": 1.0, "w": 0.0}, "step": 0.1, "steps": 10} | change
    with pytest.raises(InputError, match=message):
        ensemble(**arguments)


def test_no_cuda_though_asked(monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    with pytest.raises(InputError, match="torch sees 0 CUDA devices"):
        ensemble(PROBLEM, INIT, 0.1, 10, device="cuda")


def test_sparse_data_are_not_covered():
    from scipy.sparse import csr_array

    with pytest.raises(ib.UnsupportedError, match="toarray"):
        ensemble(ib.Regression(csr_array(PROBLEM.Z), PROBLEM.y), INIT, 0.1, 10)


def test_schedules_of_a_user():
    """Any subclass of Schedule works, hashable or not."""

    class Ramp(Schedule):
        __hash__ = None

        def __call__(self, t):
            return 0.1 * np.asarray(t)

        def integral(self, t):
            return 0.05 * np.asarray(t) ** 2

        total = np.inf

    runs = ensemble(PROBLEM, INIT, 0.01, 100, schedule=Ramp())
    np.testing.assert_allclose(runs.decay[-1], 0.1 * 0.01**2 * 99 * 100 / 2, rtol=1e-12)
