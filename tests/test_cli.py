import csv
import os
import signal
import subprocess
import sys
import time

import pytest
from safetensors.torch import load_file
from typer.testing import CliRunner

from implicit_bias.cli import app
from implicit_bias.training import write_stand_in


def call(*arguments):
    """In this process; output and errors together."""
    return CliRunner().invoke(app, ["train", *map(str, arguments)])


@pytest.fixture
def quick(tmp_path):
    """Arguments of a run of a second."""
    return ("--data", "digits", "--epochs", 2, "--output", tmp_path / "run")


def test_a_run_writes_its_folder(quick, tmp_path):
    result = call(*quick, "--method", "pilot", "--strength", "1e-5", "--set", "delta=1.1")
    assert result.exit_code == 0, result.output
    assert "test accuracy" in result.output
    folder = tmp_path / "run"
    names = sorted(os.listdir(folder))
    assert names == ["checkpoint.safetensors", "history.csv", "tensorboard", "weights.safetensors"]
    rows = list(csv.DictReader((folder / "history.csv").open()))
    assert [row["epoch"] for row in rows] == ["1", "2"]
    assert float(rows[1]["strength"]) == pytest.approx(1.1e-5)
    assert load_file(folder / "weights.safetensors").keys() == {
        f"fc{k}.{name}" for k in (1, 2, 3) for name in ("weight", "bias")
    }
    before = (folder / "checkpoint.safetensors").read_bytes()
    again = call(*quick)
    assert again.exit_code == 2
    assert "--resume" in again.output
    other = call(*quick, "--resume", "--seed", 1)
    assert other.exit_code == 2
    assert "seed: 0 there, 1 here" in other.output
    assert (folder / "checkpoint.safetensors").read_bytes() == before


def test_cifar_from_a_folder(tmp_path):
    write_stand_in(tmp_path / "data", records=10)
    result = call(
        "--data", "cifar10", "--data-folder", tmp_path / "data", "--epochs", 1, "--validation", 0.2,
        "--output", tmp_path / "run",
    )  # fmt: skip
    assert result.exit_code == 0, result.output


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--data", "imagenet"], "known: mnist"),
        (["--model", "transformer"], "known: lenet"),
        (["--method", "magic"], "known: dense"),
        (["--set", "delta"], "expected delta=NUMBER"),
        (["--set", "gamma=1"], "it has strength, delta"),
        (["--strength", "-1"], "strength"),
        (["--epochs", "-3"], "epochs: expected at least 1"),
        (["--learning-rate", "nan"], "learning_rate"),
        (["--device", "tpu"], "device"),
        (["--device", "cuda:77"], "device"),
        (["--data", "cifar10"], "name the folder"),
        (["--data", "cifar10", "--data-folder", "nowhere"], "put https"),
        (["--validation", "1.5"], "fraction"),
    ],
)
def test_bad_input_is_one_line_and_writes_nothing(quick, arguments, message, tmp_path):
    result = call(*quick, *arguments)
    assert result.exit_code == 2
    assert message in result.output
    assert len(result.output.strip().splitlines()) == 1
    assert not (tmp_path / "run").exists()


def test_an_output_that_is_no_folder(tmp_path):
    (tmp_path / "file").write_text("")
    result = call("--data", "digits", "--epochs", 1, "--output", tmp_path / "file")
    assert result.exit_code == 2
    assert (tmp_path / "file").read_text() == ""


def test_divergence(quick):
    result = call(*quick, "--method", "dense", "--learning-rate", "1e30")
    assert result.exit_code == 1
    assert "epoch 1, step" in result.output


def test_interrupted_and_resumed(tmp_path):
    command = [
        sys.executable, "-m", "implicit_bias.cli", "train", "--data", "digits", "--epochs", "100000",
        "--output", str(tmp_path / "run"),
    ]  # fmt: skip
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    try:
        deadline = time.monotonic() + 120
        while not (tmp_path / "run" / "checkpoint.safetensors").exists():
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == 130
    assert "--resume" in errors
    assert "Traceback" not in errors


def test_help_is_quick_and_shows_examples():
    script = "import sys; from implicit_bias.cli import app; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", script], check=True)
    result = call("--help")
    assert result.exit_code == 0
    assert "implicit-bias train --data mnist" in result.output
