"""Benchmarks: numbers are saved before anything is drawn, ratios come from shared rounds, and aims can be missed."""

import csv
import json
import subprocess
import sys
import time

import numpy as np
import pytest
from typer.testing import CliRunner

pytest.importorskip("threadpoolctl")

from experiments import registry
from experiments.benchmarks import growth
from experiments.benchmarks.__main__ import BENCHMARKS, main, report
from experiments.benchmarks.benchmark import Aim
from experiments.benchmarks.environment import installed
from experiments.benchmarks.flow_methods import METHODS, FlowTask, scipy_interpolated
from experiments.benchmarks.flow_reference import flow_reference
from experiments.benchmarks.timing import Timing, in_turn
from implicit_bias import HyperbolicEntropy, Regression


@pytest.fixture(scope="module")
def invoke():
    import typer

    app = typer.Typer()
    app.command()(main)
    return lambda *args: CliRunner().invoke(app, list(map(str, args)))


@pytest.fixture(scope="module")
def folder(invoke, tmp_path_factory):
    target = tmp_path_factory.mktemp("benchmarks")
    result = invoke("--quick", "--output", target)
    assert result.exit_code == 0, result.output
    return target


def test_figures_do_not_measure():
    assert "benchmarks" not in registry()


def test_everything_is_written(folder):
    stems = {f"{name}.{ending}" for name in BENCHMARKS for ending in ("json", "csv")}
    assert {path.name for path in folder.iterdir()} == stems | {
        "README.md",
        "figure.png",
        "figure.svg",
        "figure.pdf",
        "manifest.json",
    }
    for name in BENCHMARKS:
        record = json.loads((folder / f"{name}.json").read_text("utf-8"))
        with (folder / f"{name}.csv").open(encoding="utf-8") as file:
            assert len(list(csv.DictReader(file))) == len(record["rows"]) > 0
        assert record["title"] in (folder / "README.md").read_text("utf-8")


def test_page_and_picture_are_made_of_saved_numbers(folder):
    """Writing them again without measuring changes no byte."""
    files = ["README.md", "figure.png", "figure.svg", "figure.pdf", "manifest.json"]
    before = {name: (folder / name).read_bytes() for name in files}
    report(folder)
    assert {name: (folder / name).read_bytes() for name in files} == before


@pytest.mark.parametrize("name", ["flow", "decaying_flow"])
def test_every_method_reaches_the_error_it_is_timed_at(folder, name):
    record = json.loads((folder / f"{name}.json").read_text("utf-8"))
    rows = record["rows"]
    assert {row["method"] for row in rows} == {m.name for m in METHODS if installed(m.package)}
    assert all(row["error"] <= record["configuration"]["error"] for row in rows if row["seconds"] is not None)
    assert sum(row["seconds"] is not None for row in rows) >= 3  # those of the library and of SciPy
    assert all(row["cores"] < 1.2 for row in rows if row["cores"] is not None)


def test_peak_memory_is_that_of_the_process_alone():
    """The peak of a child of a large process counts all that the child allocates, and nothing of its parent."""
    ballast = np.ones(60_000_000)  # 480 MB
    script = (
        "import numpy as np; from experiments.benchmarks.large import peak_bytes; before = peak_bytes();"
        "x = np.ones(10_000_000); print(before, peak_bytes() - before)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    before, grown = map(int, done.stdout.split())
    assert before < ballast.nbytes
    assert 0.8e8 <= grown < 1.2e8


def test_unknown_name_exits_with_two(invoke):
    assert invoke("flows").exit_code == 2


def test_rounds_are_taken_in_turn():
    order = []
    timings = in_turn({"a": lambda: order.append("a"), "b": lambda: order.append("b")}, {"a": 3, "b": 2})
    assert order == ["a", "b", "a", "b", "a"]
    assert [len(timings[name].seconds) for name in "ab"] == [3, 2]


def test_ratio_is_that_of_shared_rounds():
    """A slow last round that only one method has does not enter the ratio."""
    fast, slow = Timing(np.array([1.0, 2.0, 100.0]), 1.0), Timing(np.array([3.0, 6.0]), 1.0)
    assert slow.over(fast) == 3.0


def test_aims_can_be_missed():
    assert Aim("ratio", 5, 5.0).reached
    assert not Aim("ratio", 5, 4.9).reached
    assert not Aim("seconds", 10, 11.0, larger_is_better=False).reached


def test_exponent_is_that_of_the_large_sizes():
    rows = [{"variable": "n", "method": "limit", "n": n, "seconds": 2.0 * n**1.5, "in_fit": 1} for n in (10, 100, 1000)]
    rows.append({"variable": "n", "method": "limit", "n": 1, "seconds": 1e9, "in_fit": 0})
    assert growth.exponent(rows, "n", "limit") == pytest.approx(1.5, rel=1e-12)


def test_reference_notices_another_flow(monkeypatch):
    """The two ways to the reference agree, but not if one of them starts at a scale that is 2 % off."""
    task = FlowTask(Regression.sample(5, 20, sparsity=2, seed=3), 0.5, np.geomspace(0.1, 50, 20))
    assert flow_reference(task, last_check=50).doubt < 1e-12
    wrong = HyperbolicEntropy(scale=0.51)
    monkeypatch.setattr("experiments.benchmarks.flow_methods.HyperbolicEntropy", lambda scale: wrong)
    assert flow_reference(task, last_check=50).doubt > 1e-5


def test_slow_method_is_stopped():
    task = FlowTask(Regression.sample(5, 20, sparsity=2, seed=3), 0.5, np.geomspace(0.1, 1e7, 5))
    began = time.perf_counter()
    with pytest.raises(TimeoutError):
        scipy_interpolated("DOP853")(task)(1e-9, 0.2)
    assert time.perf_counter() - began < 5
