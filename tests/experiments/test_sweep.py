"""A sweep gives the same results whoever computes them, computes each once, and says which task failed."""

import os
import pickle
import subprocess
import sys
import time

import numpy as np
import pytest
from small_tasks import random_walk, slow
from sweep_tasks import Walk, describe, fail, not_here, refuse, walk_as_told

from experiments.engine import OtherCodeError, Store, StoreError, Sweep, processes
from experiments.engine.sweep import run_task, task_key
from implicit_bias import DomainError, NotCommutingError, SolverError, Status, errors, status
from implicit_bias.errors import InputError

GRID = [{"seed": seed} for seed in (3, 1, 4, 1, 5)]


class Bars:
    """A progress display that remembers its texts and counts."""

    def __init__(self):
        self.texts, self.counts = [], []

    def __call__(self, text, total):
        self.texts.append(text)
        self.counts.append([0, total])
        count = self.counts[-1]

        def advance():
            count[0] += 1

        return advance


def bits(results):
    return [{name: (a.dtype.str, a.shape, a.strides, a.tobytes()) for name, a in data.items()} for data in results]


def expected(grid):
    return [random_walk(**arguments)["walk"].tolist() for arguments in grid]


@pytest.fixture
def sweep(tmp_path):
    return Sweep(Store(tmp_path / "store"))


def test_results_come_in_the_order_of_the_grid_and_duplicates_are_computed_once(sweep):
    results = sweep(random_walk, GRID, "walks")
    assert [data["walk"].tolist() for data in results] == expected(GRID)
    assert sweep.computed == len(sweep.used) == 4


def test_an_empty_grid_gives_nothing(sweep):
    assert sweep(random_walk, [], "walks") == []
    assert not sweep.store.folder.exists()


def test_results_are_the_same_to_the_bit_whoever_computes_and_whether_they_were_stored(tmp_path):
    alone = Sweep(Store(tmp_path / "alone"))
    both = Sweep(Store(tmp_path / "both"), processes(2))
    first, second = alone(random_walk, GRID, ""), alone(random_walk, GRID, "")
    assert bits(first) == bits(second) == bits(both(random_walk, GRID, "")) == bits(both(random_walk, GRID, ""))
    assert alone.computed == both.computed == 4


def test_a_second_run_and_another_program_compute_nothing(sweep, monkeypatch):
    sweep(random_walk, GRID, "")
    monkeypatch.setattr("experiments.engine.sweep.run_task", lambda *task: pytest.fail("computed"))
    again = Sweep(sweep.store)
    assert bits(again(random_walk, GRID, "")) == bits(sweep(random_walk, GRID, ""))
    assert again.computed == 0
    assert again.used == sweep.used


def test_a_changed_argument_computes_its_task_alone(sweep):
    sweep(random_walk, GRID, "")
    sweep(random_walk, [*GRID[:-1], {"seed": 5, "steps": 3}], "")
    assert sweep.computed == 5


def test_a_damaged_result_is_computed_again(sweep):
    first = sweep(random_walk, GRID, "")
    paths = sorted(sweep.store.folder.rglob("*.npz"))
    paths[0].write_bytes(paths[0].read_bytes()[:-1])
    paths[1].write_bytes(b"")
    assert bits(sweep(random_walk, GRID, "")) == bits(first)
    assert sweep.computed == 6


def test_progress_counts_what_is_missing(sweep):
    bars = sweep.progress = Bars()
    sweep(random_walk, GRID[:2], "walks")
    sweep(random_walk, GRID, "walks")
    sweep(random_walk, GRID, "walks")
    assert bars.texts == ["walks", "walks (2 stored)"]
    assert bars.counts == [[2, 2], [2, 2]]


class TestArguments:
    @pytest.mark.parametrize(
        "value", [np.int64(1), np.array([1.0]), np.float32(1), {1, 2}, object(), float("nan"), 1j, b"x", {(1,): 2}]
    )
    def test_others_than_json_values_are_refused(self, sweep, value):
        with pytest.raises(InputError, match="expected JSON values, got"):
            sweep(describe, [{"value": value}], "")

    @pytest.mark.parametrize(("value", "name"), [((1, 2), "list"), (np.float64(0.1), "float"), ({1: 2}, "dict")])
    @pytest.mark.parametrize("jobs", [1, 2])
    def test_a_task_gets_json_values_whoever_computes_it(self, tmp_path, value, name, jobs):
        (found,) = Sweep(Store(tmp_path), processes(jobs))(describe, [{"value": value}], "")
        assert found["type"] == name

    @pytest.mark.parametrize("jobs", [1, 2])
    def test_a_task_gets_the_dataclass_that_it_asks_for_and_its_key_sees_values_alone(self, tmp_path, jobs):
        sweep = Sweep(Store(tmp_path), processes(jobs))
        (found,) = sweep(walk_as_told, [{"walk": Walk(3, (5,)), "name": "a"}], "")
        assert found["a"].tolist() == random_walk(3, 5)["walk"].tolist()
        sweep(walk_as_told, [{"walk": {"steps": [5], "seed": 3}, "name": "a"}], "")
        assert sweep.computed == 1
        sweep(walk_as_told, [{"walk": Walk(3, (6,)), "name": "a"}], "")
        assert sweep.computed == 2

    def test_a_task_cannot_change_those_of_another(self, sweep):
        shared = [1, 2]
        sizes = [data["size"] for data in sweep(describe, [{"value": shared}, {"value": [*shared, 3]}], "")]
        assert sizes == [3, 4]
        assert shared == [1, 2]
        assert sweep(describe, [{"value": shared}], "")[0]["size"] == 3
        assert sweep.computed == 2

    @pytest.mark.parametrize(("one", "other"), [(1, 1.0), (1, True), ("1", 1), (None, "null"), (0.0, -0.0)])
    def test_values_that_python_or_json_might_confuse_have_keys_of_their_own(self, sweep, one, other):
        sweep(random_walk, [{"seed": 1, "steps": 2}], "")
        sweep(describe, [{"value": one}, {"value": other}], "")
        assert sweep.computed == 3

    def test_order_of_names_does_not_count(self, sweep):
        sweep(random_walk, [{"seed": 1, "steps": 2}, {"steps": 2, "seed": 1}], "")
        assert sweep.computed == 1


def decorated(seed):
    return random_walk(seed)


original, decorated = decorated, lambda seed: original(seed)
decorated.__qualname__ = "decorated"


class Callable:
    def __call__(self, seed):
        return random_walk(seed)

    def __repr__(self):
        return "random_walk"


@pytest.mark.parametrize("function", [lambda seed: {}, original, Callable(), Callable.__call__, len, np.cumsum])
def test_functions_that_are_not_at_the_top_of_a_module_of_ours_are_refused(sweep, function):
    with pytest.raises((ValueError, AttributeError), match=r"expected (one at the top|the name of a module)"):
        sweep(function, [{"seed": 1}], "")


class TestFailures:
    @pytest.mark.parametrize("jobs", [1, 2])
    def test_others_are_computed_and_stored_and_the_error_names_the_first(self, tmp_path, jobs):
        sweep = Sweep(Store(tmp_path), processes(jobs), bars := Bars())
        grid = [{"seed": seed} for seed in (1, 3, 2, 6, 4)]
        with pytest.raises(DomainError, match="3 is outside") as caught:
            sweep(refuse, grid, "")
        task, count = caught.value.__notes__
        assert task.startswith('in the task sweep_tasks.refuse, {"seed": 3}\n')
        assert "sweep_tasks.py" in task
        assert 'raise DomainError(f"{seed} is outside")' in task
        assert count == "2 of 5 tasks failed; results of the others are stored."
        assert bars.counts == [[5, 5]]
        again = Sweep(sweep.store)
        assert len(again(refuse, [each for each in grid if each["seed"] % 3], "")) == 3
        assert again.computed == 0

    def failure(self, tmp_path, how):
        with pytest.raises(Exception, match=r".") as caught:
            Sweep(Store(tmp_path), processes(2))(fail, [{"seed": 3, "how": how}, {"seed": 1, "how": how}], "")
        assert caught.value.__notes__[0].startswith("in the task sweep_tasks.fail")
        return caught.value

    def test_a_solver_error_arrives_with_its_result(self, tmp_path):
        error = self.failure(tmp_path, "solver")
        assert type(error) is SolverError
        assert error.result.status is Status.MAX_ITERATIONS
        assert "ended as max_iterations" in str(error)

    def test_a_commuting_error_arrives_with_its_report(self, tmp_path):
        error = self.failure(tmp_path, "commuting")
        assert type(error) is NotCommutingError
        assert error.report.holds is False
        assert error.report.witness

    def test_an_error_that_cannot_be_sent_arrives_as_one_that_can(self, tmp_path):
        error = self.failure(tmp_path, "unpicklable")
        assert type(error) is RuntimeError
        assert str(error) == "Stubborn: stubborn 3"

    @pytest.mark.parametrize("how", ["object", "list"])
    def test_a_result_that_cannot_be_stored_names_its_task(self, tmp_path, how):
        assert type(self.failure(tmp_path, how)) is InputError

    @pytest.mark.parametrize("jobs", [1, 2])
    def test_a_store_that_cannot_be_written_to_ends_the_sweep(self, tmp_path, jobs):
        (tmp_path / "file").write_text("")
        sweep, log = Sweep(Store(tmp_path / "file"), processes(jobs)), tmp_path / "log"
        grid = [{"seed": seed, "seconds": 0.05, "log": str(log)} for seed in range(40)]
        with pytest.raises(StoreError, match="cannot be stored"):
            sweep(slow, grid, "")
        time.sleep(0.2)
        assert len(log.read_text().split()) < 20


ERRORS = [each for module in (errors, status) for each in vars(module).values() if isinstance(each, type)]


@pytest.mark.parametrize("kind", [each for each in ERRORS if issubclass(each, Exception)])
def test_errors_of_the_library_can_be_sent_with_notes(kind):
    error = kind("text", *([{"any": "report"}] if "__init__" in vars(kind) else []))
    error.add_note("a note")
    sent = pickle.loads(pickle.dumps(error))  # noqa: S301
    assert type(sent) is kind
    assert str(sent) == "text"
    assert vars(sent) == vars(error)


def test_a_worker_with_other_code_is_refused():
    key = task_key(not_here, '{"seed": 1}')
    with pytest.raises(OtherCodeError, match="this worker runs other code"):
        run_task(not_here, '{"seed": 1}', key[::-1])


def test_keys_hold_what_the_task_is():
    key = task_key(not_here, '{"seed": 1}')
    assert len(key) == 32
    assert key == task_key(not_here, '{"seed": 1}')
    assert len({key, task_key(random_walk, '{"seed": 1}'), task_key(not_here, '{"seed": 2}')}) == 3


def test_libraries_that_load_within_a_task_keep_to_one_thread(tmp_path):
    program = (
        "import sys; from pathlib import Path; from experiments.engine import Store, Sweep\n"
        "from sweep_tasks import threads\n"
        "assert 'torch' not in sys.modules\n"
        "print(Sweep(Store(Path(sys.argv[1])))(threads, [{'seed': 1}], '')[0]['threads'])"
    )
    environment = {name: value for name, value in os.environ.items() if not name.endswith("_NUM_THREADS")}
    environment["PYTHONPATH"] = os.pathsep.join(sys.path)
    command = [sys.executable, "-c", program, str(tmp_path)]
    ran = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert ran.stdout.strip() == "1", ran.stderr
