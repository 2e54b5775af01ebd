"""A run of an experiment leaves up-to-date files alone and makes the others again from stored results."""

import json
from dataclasses import asdict, dataclass, replace

import numpy as np
import pytest
from matplotlib.figure import Figure
from small_tasks import random_walk

from experiments.engine import Store, Sweep
from experiments.experiment import Experiment, load
from implicit_bias import Claim, Outcome, Verdict

calls = []


def compute(settings, sweep):
    calls.append("compute")
    walks = sweep(random_walk, [{"seed": seed, "steps": settings.steps} for seed in settings.seeds], "walks")
    return {"sum": np.array([float(walk["sum"]) for walk in walks])}


def draw(data):
    calls.append("draw")
    figure = Figure()
    figure.subplots().plot(data["sum"])
    return figure


def claims(data):
    return [Claim("toy/sum", "s", "here", check=lambda: Verdict(Outcome.SUPPORTED, f"{data['sum'].sum()}", 0.0, 1.0))]


def table(data):
    return f"{data['sum'].sum()}\n"


@dataclass(frozen=True)
class Settings:
    seeds: list[int]
    steps: int = 5


SETTINGS = Settings([1, 2, 3])
TOY = Experiment(
    name="toy",
    title="A toy",
    caption="Sums.",
    expectation="None.",
    configuration={"default": SETTINGS, "quick": Settings([1])},
    compute=compute,
    draw=draw,
    claims=claims,
    table=table,
)


@pytest.fixture
def run(tmp_path):
    def run(experiment=TOY, mode="default", **changes):
        calls.clear()
        sweep = Sweep(Store(tmp_path / ".store"))
        manifest = experiment.run(tmp_path, mode, sweep, **changes)
        return manifest, sweep.computed

    return run


def files(folder):
    return {path.name: (path.read_bytes(), path.stat().st_mtime_ns) for path in folder.iterdir() if path.is_file()}


def contents(folder):
    return {name: content for name, (content, _) in files(folder).items()}


def test_a_first_run_computes_saves_draws_and_judges(run, tmp_path):
    manifest, computed = run()
    assert computed == 3
    names = {"data.npz", "figure.png", "figure.svg", "figure.pdf", "manifest.json", "README.md"}
    assert names == files(tmp_path / "toy").keys()
    assert manifest == json.loads((tmp_path / "toy" / "manifest.json").read_text("utf-8"))
    assert manifest["tasks"] == 3
    assert manifest["configuration"] == asdict(SETTINGS)
    assert manifest["verdicts"]["toy/sum"]["outcome"] == "SUPPORTED"
    assert "numpy" in manifest["versions"]


def test_a_second_run_calls_nothing_and_leaves_files_alone(run, tmp_path):
    first, _ = run()
    before = files(tmp_path / "toy")
    second, computed = run()
    assert (calls, computed) == ([], 0)
    assert second == first
    assert files(tmp_path / "toy") == before


@pytest.mark.parametrize("change", ["delete", "spoil"])
def test_a_file_that_is_gone_or_changed_is_made_again_without_computing(run, tmp_path, change):
    """This is done with one file after the other, while the rest are those of the run before."""
    run()
    before = contents(tmp_path / "toy")
    assert len(before) == 6
    for name in before:
        path = tmp_path / "toy" / name
        path.unlink() if change == "delete" else path.write_bytes(path.read_bytes() + b" ")
        _, computed = run()
        assert (calls, computed) == (["compute", "draw"], 0), name
        assert contents(tmp_path / "toy") == before, name
        run()
        assert calls == [], name


def test_other_files_in_the_folder_do_not_matter(run, tmp_path):
    (tmp_path / "toy" / "notes").mkdir(parents=True)
    run()
    (tmp_path / "toy" / "note.txt").write_text("mine")
    run()
    assert calls == []


def test_a_damaged_store_is_made_again(run, tmp_path):
    run()
    before = contents(tmp_path / "toy")["data.npz"]
    for path in (tmp_path / ".store").rglob("*.npz"):
        path.write_bytes(path.read_bytes()[:-1])
    _, computed = run()
    assert (calls, computed) == (["compute", "draw"], 3)
    assert contents(tmp_path / "toy")["data.npz"] == before


def test_changed_settings_compute_what_they_touch(run, tmp_path):
    run()
    manifest, computed = run(seeds=[1, 2, 4])
    assert computed == 1
    assert manifest["configuration"]["seeds"] == [1, 2, 4]
    assert manifest["tasks"] == 3
    _, computed = run(seeds=[1, 2, 3], steps=6)
    assert computed == 3


def test_modes_in_one_folder_replace_each_other_and_compute_once(run, tmp_path):
    run()
    default = contents(tmp_path / "toy")
    manifest, computed = run(mode="quick")
    assert (manifest["mode"], computed) == ("quick", 0)
    assert len(load(tmp_path / "toy")["sum"]) == 1
    _, computed = run()
    assert (calls, computed) == (["compute", "draw"], 0)
    assert contents(tmp_path / "toy") == default


def test_changed_texts_are_written(run, tmp_path):
    run()
    manifest, computed = run(replace(TOY, caption="Other words."))
    assert (manifest["caption"], computed) == ("Other words.", 0)


def test_steps_of_another_module_count(run, monkeypatch):
    from experiments import experiment

    elsewhere = replace(TOY, draw=type(draw)(draw.__code__, globals() | {"__name__": "pictures"}))
    genuine = experiment.code_version
    for version, expected in (("1", ["compute", "draw"]), ("1", []), ("2", ["compute", "draw"])):
        monkeypatch.setattr(
            experiment, "code_version", lambda name, new=version: new if name == "pictures" else genuine(name)
        )
        run(elsewhere)
        assert calls == expected


def test_a_run_that_fails_in_the_middle_is_not_taken_for_one_that_ended(run, tmp_path):
    def spoiled(data):
        raise RuntimeError("no ink")

    with pytest.raises(RuntimeError, match="no ink"):
        run(replace(TOY, draw=spoiled))
    _, computed = run()
    assert (calls, computed) == (["compute", "draw"], 0)
