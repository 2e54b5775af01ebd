"""Results stay, and stay right, if workers are lost, programs are killed or clusters are not there."""

import json
import os
import signal
import socket
import subprocess
import sys
import time

import numpy as np
import psutil
import pytest
import sweep_program
import typer
from distributed import LocalCluster
from small_tasks import process, random_walk, slow
from sweep_tasks import refuse
from typer.testing import CliRunner

from experiments import __main__ as command_line
from experiments import recorded
from experiments.engine import OtherCodeError, Store, Sweep, connect, on_cluster, processes
from experiments.engine.sweep import task_key
from experiments.experiment import load
from experiments.mask_in_the_mirror import figure1c
from implicit_bias import DomainError
from implicit_bias.errors import InputError


class TestKilled:
    """A program is killed twice by SIGKILL, with all of its processes."""

    @staticmethod
    def start(folder):
        environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path), "OMP_NUM_THREADS": "1"}
        program = [sys.executable, sweep_program.__file__, str(folder)]
        return subprocess.Popen(program, env=environment, start_new_session=True)

    @staticmethod
    def done(folder):
        log = folder / "log"
        return [int(line) for line in log.read_text().splitlines()] if log.exists() else []

    @staticmethod
    def stored(folder):
        store = Store(folder / "store")
        keys = [task_key(slow, json.dumps(each, sort_keys=True)) for each in sweep_program.grid(folder / "log")]
        return {seed for seed, key in enumerate(keys) if store.load(key) is not None}

    def test_a_rerun_ends_as_an_undisturbed_run_and_computes_nothing_twice(self, tmp_path):
        chance, folder = np.random.default_rng(0), tmp_path / "disturbed"
        folder.mkdir()
        before = 0
        for _ in range(2):
            program = self.start(folder)
            deadline = time.monotonic() + 300
            while len(self.done(folder)) < before + 3 and time.monotonic() < deadline:
                time.sleep(0.01)
            time.sleep(chance.uniform(0, 0.3))
            os.killpg(program.pid, signal.SIGKILL)
            program.wait()
            stored, done = self.stored(folder), self.done(folder)
            assert 2 <= len(stored) < 12
            # A result that is not stored yet was on its way here, at most one from each of two processes.
            assert len(set(done) - stored) <= 2
            before = len(done)
        assert self.start(folder).wait(300) == 0
        assert not set(self.done(folder)[before:]) & stored
        assert len(self.done(folder)) <= 12 + 4
        assert self.stored(folder) == set(range(12))

        undisturbed = tmp_path / "undisturbed"
        undisturbed.mkdir()
        assert self.start(undisturbed).wait(300) == 0
        assert sorted(self.done(undisturbed)) == list(range(12))
        assert (folder / "data.npz").read_bytes() == (undisturbed / "data.npz").read_bytes()

        times = {path: path.stat().st_mtime_ns for path in folder.rglob("store/*/*")}
        assert self.start(folder).wait(300) == 0
        assert {path: path.stat().st_mtime_ns for path in folder.rglob("store/*/*")} == times
        assert len(self.done(folder)) <= 12 + 4


def test_processes_are_as_many_as_was_said(tmp_path):
    grid = [{"seed": seed, "seconds": 0.1} for seed in range(6)]
    assert {int(data["pid"]) for data in Sweep(Store(tmp_path / "1"), processes(1))(process, grid, "")} == {os.getpid()}
    used = {int(data["pid"]) for data in Sweep(Store(tmp_path / "2"), processes(2))(process, grid, "")}
    assert len(used) == 2
    assert os.getpid() not in used


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    with LocalCluster(
        n_workers=2,
        threads_per_worker=1,
        processes=True,
        host="127.0.0.1",
        dashboard_address="127.0.0.1:0",  # any free port, as another cluster may have 8787
        worker_dashboard_address=None,
        local_directory=str(tmp_path_factory.mktemp("dask")),
    ) as cluster:
        yield cluster


@pytest.fixture
def client(cluster):
    with connect(cluster.scheduler_address) as client:
        client.wait_for_workers(2)
        yield client


@pytest.fixture
def run():
    app = typer.Typer()
    app.command()(command_line.main)
    return lambda *args: CliRunner().invoke(app, list(map(str, args)))


class TestCluster:
    def test_listens_on_this_machine_alone(self, client):
        family = [psutil.Process(), *psutil.Process().children(recursive=True)]
        listening = [each.laddr.ip for one in family for each in one.net_connections() if each.status == "LISTEN"]
        assert len(listening) >= 3
        assert set(listening) == {"127.0.0.1"}

    def test_gives_what_this_process_gives(self, client, tmp_path):
        grid = [{"seed": seed} for seed in (3, 1, 4, 1, 5)]
        there, here = Sweep(Store(tmp_path / "1"), on_cluster(client)), Sweep(Store(tmp_path / "2"))
        for one, other in zip(there(random_walk, grid, ""), here(random_walk, grid, ""), strict=True):
            assert one["walk"].tobytes() == other["walk"].tobytes()
        assert there.computed == 4

    def test_a_lost_worker_loses_nothing(self, client, tmp_path):
        killed = []

        def progress(text, total):
            def advance():
                if not killed:
                    killed.append(min(client.run(os.getpid).values()))
                    os.kill(killed[0], signal.SIGKILL)

            return advance

        grid = [{"seed": seed, "seconds": 0.2, "log": str(tmp_path / "log")} for seed in range(10)]
        sweep = Sweep(Store(tmp_path / "store"), on_cluster(client), progress)
        results = sweep(slow, grid, "")
        assert killed
        assert [data["sum"] for data in results] == [random_walk(seed)["sum"] for seed in range(10)]
        assert sweep.computed == 10
        # The lost worker computed one task at a time, and results that had arrived were not computed again.
        assert len((tmp_path / "log").read_text().split()) <= 12

    def test_errors_arrive_as_themselves_and_others_go_on(self, client, tmp_path):
        sweep = Sweep(Store(tmp_path), on_cluster(client))
        with pytest.raises(DomainError, match="3 is outside") as caught:
            sweep(refuse, [{"seed": seed} for seed in (1, 3, 2)], "")
        assert caught.value.__notes__[0].startswith("in the task sweep_tasks.refuse")
        assert sweep.computed == 2

    def test_a_worker_with_other_code_is_refused(self, client, tmp_path):
        def change(code):
            from experiments.engine import sweep

            sweep.code_version, before = code or sweep.code_version.__wrapped__, sweep.code_version
            if code:
                sweep.code_version.__wrapped__ = before

        client.run(change, lambda module: "other code")
        try:
            with pytest.raises(OtherCodeError, match="this worker runs other code"):
                Sweep(Store(tmp_path), on_cluster(client))(random_walk, [{"seed": 1}], "")
        finally:
            client.run(change, None)
        assert list(tmp_path.iterdir()) == []

    def test_the_command_line_uses_it(self, cluster, run, tmp_path, monkeypatch):
        monkeypatch.setattr(command_line, "registry", lambda: {"figure1c": figure1c.EXPERIMENT})
        monkeypatch.setattr(recorded, "FOLDER", tmp_path)
        options = ("figure1c", "--quick", "--scheduler", cluster.scheduler_address)
        first = run(*options, "--record", "--output", tmp_path / "there")
        assert first.exit_code == 0, first.output
        assert "computed     1 tasks" in first.output
        again = run(*options, "--output", tmp_path / "there")
        assert again.exit_code == 0, again.output
        assert "computed     0 tasks" in again.output
        assert run("figure1c", "--quick", "--jobs", 1, "--output", tmp_path / "here").exit_code == 0
        there, here = (load(tmp_path / where / "figure1c") for where in ("there", "here"))
        assert {name: array.tobytes() for name, array in there.items()} == {k: v.tobytes() for k, v in here.items()}


@pytest.mark.parametrize("address", ["tcp://127.0.0.1:1", "nonsense", "nonsense://127.0.0.1:1", "127.0.0.1:notaport"])
def test_an_address_where_no_scheduler_is_exits_with_two(run, tmp_path, monkeypatch, address):
    monkeypatch.setattr(command_line, "registry", lambda: {"figure1c": figure1c.EXPERIMENT})
    monkeypatch.setattr("experiments.engine.workers._SECONDS_TO_CONNECT", 2)
    monkeypatch.setattr("distributed.Client", lambda *_, **__: pytest.fail("half made, a client may block the next"))
    result = run("figure1c", "--quick", "--scheduler", address, "--output", tmp_path)
    assert result.exit_code == 2
    assert "no Dask scheduler answers at" in result.output
    assert "Traceback" not in result.output


def test_what_is_no_scheduler_and_never_answers_is_not_waited_for(monkeypatch):
    monkeypatch.setattr("experiments.engine.workers._SECONDS_TO_CONNECT", 1)
    with socket.create_server(("127.0.0.1", 0)) as silent, pytest.raises(InputError, match="no Dask scheduler answers"):
        connect(f"tcp://127.0.0.1:{silent.getsockname()[1]}")
