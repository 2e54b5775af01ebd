"""Experiments draw and judge saved numbers alone, and a check can fail."""

import errno
import json
import os
from dataclasses import replace

import numpy as np
import pytest
from sweep_tasks import spoiled_curves
from typer.testing import CliRunner

from experiments import registry
from experiments.experiment import load
from implicit_bias import Outcome
from implicit_bias.files import UNFINISHED, held


@pytest.fixture(scope="module")
def figure1c(tmp_path_factory):
    folder = tmp_path_factory.mktemp("figures")
    return folder, registry()["figure1c"].run(folder, "quick")["verdicts"]


def test_every_experiment_has_both_modes():
    assert {"digit", "figure1a", "figure1b", "figure1c", "figure4", "figure5"} <= set(registry())
    for name, experiment in registry().items():
        assert experiment.name == name
        modes = set(experiment.configuration)
        assert {"default", "quick"} <= modes <= {"default", "quick", "full", "cifar10", "cifar100", "fashion-mnist"}
        assert experiment.caption.endswith(".")
        assert experiment.expectation.endswith(".")


def test_run_writes_figure_data_and_manifest(figure1c):
    folder, verdicts = figure1c
    target = folder / "figure1c"
    assert {p.name for p in target.iterdir()} == {"figure.png", "figure.svg", "figure.pdf", "data.npz", "manifest.json"}
    manifest = json.loads((target / "manifest.json").read_text())
    assert manifest["verdicts"] == verdicts
    assert {v["outcome"] for v in verdicts.values()} == {"SUPPORTED"}


def test_two_runs_write_the_same_bytes(figure1c, tmp_path):
    folder, _ = figure1c
    registry()["figure1c"].run(tmp_path, "quick")
    for name in ("data.npz", "figure.svg", "figure.pdf", "figure.png"):
        assert (tmp_path / "figure1c" / name).read_bytes() == (folder / "figure1c" / name).read_bytes()


def test_figure1c_notices_a_falling_potential(figure1c):
    folder, _ = figure1c
    data = load(folder / "figure1c")
    data["value"] = data["value"][::-1]
    verdict = registry()["figure1c"].claims(data)[0].verdict()
    assert verdict.outcome is Outcome.REFUTED
    assert verdict.counterexample["rise"] < 0


def test_pickled_data_is_refused(tmp_path):
    np.savez(tmp_path / "data.npz", values=np.array([{"a": 1}], dtype=object))
    with pytest.raises(ValueError, match="allow_pickle"):
        load(tmp_path)


class TestCommandLine:
    @pytest.fixture
    def run(self):
        import typer

        from experiments.__main__ import main

        app = typer.Typer()
        app.command()(main)
        return lambda *args: CliRunner().invoke(app, list(map(str, args)))

    def test_prints_a_line_per_check(self, run, tmp_path):
        result = run("figure1c", "--quick", "--output", tmp_path)
        assert result.exit_code == 0
        assert result.output.count("SUPPORTED") == 2
        assert (tmp_path / "figure1c" / "figure.png").exists()

    def test_images_without_a_folder_exit_with_two(self, run):
        result = run("--data", "cifar10")
        assert result.exit_code == 2
        assert "--data-folder" in result.output

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            (("--data", "cifar10", "--data-folder", "/nonexistent"), "/nonexistent is no folder"),
            (("--data", "mnist", "--data-folder", "."), "cifar10 or cifar100 or fashion-mnist"),
            (("figure2", "--data-folder", "."), "--data-folder needs --data"),
            (("figure2", "--quick", "--device", "cuda:77"), "cuda"),
            (("figure2", "--quick", "--device", "tpu"), "tpu"),
            (("figure1c", "--quick", "--device", "cpu"), "none of these experiments"),
        ],
    )
    def test_what_no_task_could_use_exits_with_two_before_the_sweep(
        self, run, tmp_path, monkeypatch, arguments, message
    ):
        monkeypatch.setattr("experiments.__main__.Sweep", lambda *_: pytest.fail("the sweep was begun"))
        result = run(*arguments, "--output", tmp_path)
        assert result.exit_code == 2, result.exception
        assert message.lower() in " ".join(result.output.replace("│", " ").lower().split())

    def test_unknown_name_exits_with_two(self, run):
        assert run("figure9").exit_code == 2

    def test_an_impossible_folder_exits_with_two(self, run, tmp_path):
        (tmp_path / "file").write_text("")
        assert run("figure1c", "--output", tmp_path / "file" / "x").exit_code == 2

    def test_a_failed_check_exits_with_one(self, run, tmp_path, monkeypatch):
        broken = replace(registry()["figure1c"], compute=spoiled_curves)
        monkeypatch.setattr("experiments.__main__.registry", lambda: {"figure1c": broken})
        result = run("figure1c", "--quick", "--jobs", 1, "--output", tmp_path)
        assert result.exit_code == 1
        assert "REFUTED      figure1c/grows" in result.output
        assert (tmp_path / "figure1c" / "manifest.json").exists()

    def test_a_full_disk_is_one_line_and_leaves_the_old_files(self, run, tmp_path, monkeypatch):
        assert run("figure1c", "--quick", "--jobs", 1, "--output", tmp_path).exit_code == 0
        (tmp_path / "figure1c" / "figure.png").unlink()
        before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}

        def full(descriptor):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        monkeypatch.setattr(os, "fsync", full)
        result = run("figure1c", "--quick", "--jobs", 1, "--output", tmp_path)
        assert result.exit_code == 2
        path = tmp_path / "figure1c" / "data.npz"
        assert result.stderr.splitlines()[-1] == f"python -m experiments: {path}: no space left on device."
        assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before

    def test_the_second_run_is_told_who_holds_the_folder(self, run, tmp_path):
        with held(tmp_path / "figure1c" / ".lock"):
            result = run("figure1c", "--quick", "--output", tmp_path)
        assert result.exit_code == 2
        line = result.stderr.splitlines()[-1]
        assert line.startswith(f"python -m experiments: {tmp_path}/figure1c: is in use by process {os.getpid()} on ")

    def test_what_a_killed_run_left_is_removed(self, run, tmp_path):
        """Leftovers are removed also in parts of the store that no run asks for again."""
        left = f".{'0' * 16}{UNFINISHED}"
        for folder in (tmp_path / "figure1c", tmp_path / ".store" / "ab"):
            folder.mkdir(parents=True)
            (folder / left).write_bytes(b"half")
        (tmp_path / "figure1c" / ".lock").write_text("process 1 on nowhere since yesterday")
        assert run("figure1c", "--quick", "--jobs", 1, "--output", tmp_path).exit_code == 0
        assert [path for path in tmp_path.rglob(".*") if path.is_file()] == []
