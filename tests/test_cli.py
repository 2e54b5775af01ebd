"""``implicit-bias train``, and what all commands of ``implicit-bias`` have in common."""

import csv
import os
import re
import signal
import subprocess
import sys
import time
from io import StringIO
from pathlib import Path

import numpy as np
import pytest
import torch
from rich.console import Console
from safetensors.torch import load_file
from scipy import stats
from typer.testing import CliRunner

import implicit_bias as ib
from implicit_bias import training
from implicit_bias.cli import app
from implicit_bias.cli.train import DATA, METHODS, MODELS
from implicit_bias.cli.training_bar import TrainingBar
from implicit_bias.training import write_stand_in


def call(*arguments):
    """Runs ``implicit-bias train`` in this process; ``output`` of the result holds its errors as well."""
    return CliRunner().invoke(app, ["train", *map(str, arguments)])


def rows_of(path):
    return list(csv.DictReader(path.read_text().splitlines()))


@pytest.fixture
def quick(tmp_path):
    """Arguments of a run that takes about a second."""
    return ("--data", "digits", "--epochs", 2, "--output", tmp_path / "run")


def test_a_run_writes_its_folder(quick, tmp_path):
    result = call(*quick, "--method", "pilot", "--strength", "1e-5", "--set", "delta=1.1")
    assert result.exit_code == 0, result.output
    assert "lenet on digits, pilot of strength 1e-05, 2 epochs: test accuracy" in result.output
    folder = tmp_path / "run"
    names = sorted(os.listdir(folder))
    assert names == ["checkpoint.safetensors", "history.csv", "tensorboard", "weights.safetensors"]
    rows = rows_of(folder / "history.csv")
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


def test_a_run_says_what_pruning_would_leave_and_writes_a_sparse_network(quick, tmp_path):
    result = call(*quick, "--method", "mask", "--prune", 0.9)
    assert result.exit_code == 0, result.output
    said = " ".join(result.output.split())
    assert "accuracy if so many of the weights in matrices and kernels are set to 0, the smallest: " in said
    assert "% unpruned, ‖x‖₁ " in said
    assert "; pruned.safetensors there has 90% of them at 0" in said
    (last,) = [row for row in rows_of(tmp_path / "run" / "history.csv") if row["epoch"] == "2"]
    assert f"{float(last['tiny_weights']):.2%} of the weights tiny" in said
    assert all(f"% at {s}%" in said for s in (90, 95, 98, 99))
    assert "sparsity" not in said
    pruned, dense = (load_file(tmp_path / "run" / f"{name}.safetensors") for name in ("pruned", "weights"))
    weights = [name for name in dense if name.endswith("weight")]
    zeros = sum(int((pruned[name] == 0).sum()) for name in weights)
    assert zeros / sum(dense[name].numel() for name in weights) == pytest.approx(0.9, abs=1e-4)
    least = min(float(pruned[name].abs()[pruned[name] != 0].min()) for name in weights)
    for name, values in dense.items():
        kept = pruned[name] != 0
        assert torch.equal(pruned[name][kept], values[kept])
        if name in weights:
            assert float(values[~kept].abs().max()) <= least


def test_a_run_can_be_made_longer(quick, tmp_path):
    assert call(*quick, "--method", "mask").exit_code == 0
    longer = call("--data", "digits", "--epochs", 4, "--output", tmp_path / "run", "--method", "mask", "--resume")
    assert longer.exit_code == 0, longer.output
    rows = rows_of(tmp_path / "run" / "history.csv")
    assert [row["epoch"] for row in rows] == ["1", "2", "3", "4"]
    # From there on, the learning rates are those of four epochs.
    assert [float(row["learning_rate"]) for row in rows] == pytest.approx(
        [0.1, 0.05, 0.05, 0.1 * (1 + np.cos(0.75 * np.pi)) / 2]
    )
    shorter = call(*quick, "--method", "mask", "--resume")
    assert shorter.exit_code == 2
    assert "epochs: 4 there, 2 here" in shorter.output


def test_many_networks(tmp_path):
    options = ("--data", "digits", "--epochs", 2, "--method", "mask", "--output", tmp_path / "run")
    result = call(*options, "--strengths", "0,1e-4", "--seeds", 3, "--seed", 5)
    assert result.exit_code == 0, result.output
    assert "6 networks in" in result.output
    rows = rows_of(tmp_path / "run" / "members.csv")
    assert {(row["first_strength"], row["seed"]) for row in rows} == {(s, k) for s in ("0.0", "0.0001") for k in "567"}
    assert len(rows) == 12
    pruned = rows_of(tmp_path / "run" / "pruned.csv")
    assert len(pruned) == 6 * 5
    single = call("--data", "digits", "--epochs", 2, "--method", "mask", "--strength", "1e-4", "--seed", 6,
                  "--output", tmp_path / "one")  # fmt: skip
    assert single.exit_code == 0
    (alone,) = [row for row in rows_of(tmp_path / "one" / "history.csv") if row["epoch"] == "2"]
    (member,) = [row for row in rows if (row["first_strength"], row["seed"], row["epoch"]) == ("0.0001", "6", "2")]
    assert float(member["l1_norm"]) == pytest.approx(float(alone["l1_norm"]), rel=1e-4)
    # The printed mean is of the accuracies in the table.
    unpruned = [float(row["accuracy"]) for row in pruned if row["strength"] == "0.0" and row["sparsity"] == "0.0"]
    assert f" {100 * np.mean(unpruned):.2f} " in result.output
    said = " ".join(result.output.split())
    assert said.startswith("lenet on digits, mask, 2 epochs, seeds 5 to 7: test accuracy in %, its mean over seeds")
    ends = stats.t.interval(0.95, 2, np.mean(unpruned), stats.sem(unpruned))
    assert f" {100 * ends[0]:.1f}–{100 * min(ends[1], 1):.1f} " in said
    again = call(*options, "--strengths", "0,1e-4", "--seeds", 3, "--seed", 5)
    assert again.exit_code == 2
    assert "holds runs already; add --resume" in again.output
    longer = call("--data", "digits", "--epochs", 3, "--method", "mask", "--output", tmp_path / "run", "--strengths",
                  "0,1e-4", "--seeds", 4, "--seed", 5, "--resume")  # fmt: skip
    assert longer.exit_code == 0, longer.output
    assert len(rows_of(tmp_path / "run" / "members.csv")) == 24  # one more seed, and one more epoch


def test_many_starts(tmp_path):
    options = ("--data", "digits", "--epochs", 1, "--method", "mask", "--strength", "1e-4")
    result = call(*options, "--starts", "beta=0.1,1", "--seeds", 2, "--output", tmp_path / "run")
    assert result.exit_code == 0, result.output
    lines = result.output.splitlines()
    table = lines[next(k for k, line in enumerate(lines) if line.startswith("strength")) :][1:5]
    # Two lines for each start, none of them folded.
    assert [len(line.split()) for line in table] == [8, 5, 8, 5]
    assert all(len(line.rstrip()) <= 80 for line in table)
    ends = [float(end) for line in table[1::2] for word in line.split() for end in word.split("–")]
    assert len(ends) == 20
    assert all(0 <= end <= 100 for end in ends)  # of two seeds, Student's interval would reach far beyond
    assert "4 networks in" in result.output
    rows = rows_of(tmp_path / "run" / "members.csv")
    assert [(row["beta"], row["seed"]) for row in rows] == [("0.1", "0"), ("0.1", "1"), ("1.0", "0"), ("1.0", "1")]
    assert {row["beta"] for row in rows_of(tmp_path / "run" / "pruned.csv")} == {"0.1", "1.0"}
    single = call(*options, "--set", "beta=0.1", "--seed", 1, "--output", tmp_path / "one")
    assert single.exit_code == 0, single.output
    (alone,) = rows_of(tmp_path / "one" / "history.csv")
    assert float(rows[1]["l1_norm"]) == pytest.approx(float(alone["l1_norm"]), rel=1e-4)


def test_channels_last_from_the_command_line(quick, tmp_path):
    result = call(*quick, "--channels-last", "--precision", "bf16-mixed")
    assert result.exit_code == 0, result.output
    resumed = call(*quick, "--precision", "bf16-mixed", "--resume")
    assert resumed.exit_code == 2
    assert "channels_last: True there, False here" in resumed.output


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
        (["--method", "pilott"], "no method is called 'pilott' (did you mean pilot?)"),
        (["--data", "mnits"], "(did you mean mnist?)"),
        (["--model", "lent"], "(did you mean lenet?)"),
        (["--schedule", "cosin"], "(did you mean cosine?)"),
        (["--set", "dleta=1"], "pilot has no 'dleta' (did you mean delta?)"),
        (["--set", "delta"], "expected NAME=NUMBER, got 'delta'"),
        (["--set", "gamma=1"], "it has delta, threshold"),
        (["--method", "dense", "--set", "gamma=1"], "it has nothing to set"),
        (["--strength", "2", "--set", "strength=1"], "give it by --strength"),
        (["--set", "delta=1.1", "--set", "delta=1.2"], "one number for delta, got 1.1 and 1.2"),
        (["--strength", "-1"], "strength"),
        (["--epochs", "-3"], "epochs: expected at least 1"),
        (["--learning-rate", "nan"], "learning_rate"),
        (["--device", "tpu"], "device"),
        (["--device", "cuda:77"], "device"),
        (["--data", "cifar10"], "name the folder"),
        (["--data", "cifar10", "--data-folder", "nowhere"], "put https"),
        *((["--validation", value], "--validation: expected a fraction from 0") for value in ("1.5", "-1", "nan")),
        *((["--seed", value], "seed: expected a number from 0 to 2**63 - 1") for value in ("-1", "9" * 30)),
        (["--learning-rate", "inf"], "learning_rate: expected a finite number, got inf."),
        (["--method", "pilto"], "(did you mean pilot?)"),
        (["--data", "fashon-mnist"], "(did you mean fashion-mnist?)"),
        (["--prune", "1"], "from 0 to below 1"),
        (["--prune", "0.5", "--seeds", "2"], "--prune: writes the network of one run"),
        (["--devices", "2", "--seeds", "2"], "--devices: is for a single network"),
        (["--strengths", "1e-4,x"], "numbers with commas between them, got '1e-4,x'"),
        (["--strengths", "1e-4,1e-4"], "strengths: expected one or more different numbers"),
        (["--strengths", "1e-4", "--strength", "1e-3"], "give one of them"),
        (["--starts", "beta"], "expected a name and numbers, such as beta=0.1,1, got 'beta'"),
        (["--starts", "betta=1,2", "--method", "mask"], "--starts: mask has no 'betta' (did you mean beta?)"),
        (["--starts", "delta=1.1,2", "--set", "delta=1.5"], "--starts: delta is given by --set, too"),
        (["--channels-last", "--seeds", "2"], "--channels-last: is for a single network"),
        (["--compile", "--starts", "delta=1.1,2"], "--compile: is for a single network"),
        (["--seeds", "2", "--method", "magic"], "known: dense"),
        (["--seeds", "2", "--epochs", "0"], "epochs: expected at least 1"),
        (["--seeds", "2", "--device", "tpu"], "device"),
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
    for output in ("file", "file/run"):
        result = call("--data", "digits", "--epochs", 1, "--output", tmp_path / output)
        assert result.exit_code == 2
        assert f"{tmp_path / 'file'} is a file; name another" in result.output
        assert len(result.output.splitlines()) == 1
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

    def heed_interrupts():  # a shell makes background jobs ignore them, and the child would inherit that
        signal.signal(signal.SIGINT, signal.SIG_DFL)

    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, preexec_fn=heed_interrupts) as process:
        try:
            deadline = time.monotonic() + 300
            while not (tmp_path / "run" / "checkpoint.safetensors").exists():
                assert process.poll() is None
                assert time.monotonic() < deadline
                time.sleep(0.05)
            process.send_signal(signal.SIGINT)
            _, errors = process.communicate(timeout=300)
        finally:
            process.kill()
    assert process.returncode == 130, errors
    assert "--resume" in errors
    assert "Traceback" not in errors
    rows = rows_of(tmp_path / "run" / "history.csv")  # of the epochs in the checkpoint
    assert [int(row["epoch"]) for row in rows] == list(range(1, len(rows) + 1))


@pytest.mark.parametrize("module", ["implicit_bias", "implicit_bias.cli"])
def test_python_runs_the_commands(module):
    result = subprocess.run([sys.executable, "-m", module, "--help"], capture_output=True, text=True, check=True)
    assert "Usage: implicit-bias" in result.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["train", "--epochs", "many"], "--epochs"),
        (["train", "--bogus"], "No such option: --bogus"),
        (["train", "extra"], "extra"),
        (["fly"], "No such command 'fly'"),
        (["--bogus"], "No such option: --bogus"),
        (["derive"], "Missing argument"),
        (
            ["derive", "m*w", "--params", "m,w", "--regularizar", "m**2"],
            "No such option: --regularizar (did you mean --regularizer?)",
        ),
        (["derive", "-m*w", "--params", "m,w", "--jsonn"], "No such option: --jsonn (did you mean --json?)"),
        (["derive", "m*w", "--params", "m,w", "-j"], "(-j)"),
        (["limit", "system.npz", "--scale", "one"], "--scale"),
        (["limit", "system.npz", "--bogus"], "No such option: --bogus"),
    ],
)
def test_a_wrong_call_says_how_it_is_called(arguments, message):
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 2
    assert message in result.stderr
    assert "--help" in result.stderr
    assert result.stdout == ""


def test_without_arguments_help_is_shown():
    result = CliRunner().invoke(app, [])
    for command in ("derive", "limit", "train"):
        assert command in result.output


@pytest.mark.parametrize(
    "example", ["implicit-bias derive ", "implicit-bias limit ", "implicit-bias train --data mnist"]
)
def test_every_command_shows_examples(example):
    result = CliRunner().invoke(app, [example.split()[1], "--help"])
    assert result.exit_code == 0
    assert example in result.output.replace("Usage: implicit-bias", "")


@pytest.mark.parametrize(("option", "start", "values"), [
    ("--data", "", DATA), ("--model", "res", ("resnet20", "resnet18")), ("--method", "pil", ("pilot",)),
])  # fmt: skip
def test_completion(option, start, values):
    """After a tab the shell gets the values that begin with what was typed."""
    words = f"implicit-bias train {option} {start}"
    environment = {
        "_IMPLICIT_BIAS_COMPLETE": "complete_bash", "COMP_WORDS": words, "COMP_CWORD": "3",
    }  # fmt: skip
    result = CliRunner().invoke(app, prog_name="implicit-bias", env=environment)
    assert result.output.split() == list(values)


def test_the_command_line_offers_names_without_torch():
    code = "import sys; from implicit_bias.cli import app; sys.exit('torch' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full")
@pytest.mark.parametrize(
    ("module", "arguments", "name"),
    [
        ("implicit_bias", "derive m*w", "implicit-bias derive"),
        ("implicit_bias", "--help", "implicit-bias"),
        ("implicit_bias", "--version", "implicit-bias"),
        ("implicit_bias", "", "implicit-bias"),
        ("implicit_bias", "judge --help", "implicit-bias judge"),
        ("derivations", "--help", "python -m derivations"),
    ],
)
@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_full_disk_for_the_output_is_one_line(module, arguments, name, unbuffered):
    with Path("/dev/full").open("w") as full:
        command = [sys.executable, "-m", module, *arguments.split()]
        environment = os.environ | {"PYTHONUNBUFFERED": unbuffered}
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, env=environment)
    assert (done.returncode, done.stderr) == (2, f"{name}: no space left on device.\n")


def test_completion_knows_every_name():
    assert DATA == training.DATA
    assert tuple(training.MODELS) == MODELS
    assert tuple(training.METHODS) == METHODS


def test_the_version():
    result = CliRunner().invoke(app, ["--version"])
    assert (result.exit_code, result.output) == (0, f"implicit-bias {ib.__version__}\n")
    with (Path(__file__).parent.parent / "CITATION.cff").open(encoding="utf-8") as citation:
        assert f"version: {ib.__version__}\n" in citation


@pytest.mark.parametrize("command", ["", "derive", "limit", "judge", "verify", "train", "explore", "notebooks"])
def test_a_flag_takes_no_value(command):
    help_text = CliRunner().invoke(app, [*command.split(), "--help"], env={"COLUMNS": "80"}).output
    assert "bool" not in help_text.lower()
    assert max(map(len, help_text.splitlines())) <= 80


@pytest.mark.parametrize("module", ["experiments", "experiments.benchmarks", "derivations"])
def test_a_flag_of_the_other_programs_takes_no_value(module):
    environment = {**os.environ, "COLUMNS": "80"}
    result = subprocess.run(
        [sys.executable, "-m", module, "--help"], capture_output=True, text=True, check=True, env=environment
    )
    assert "--help" in result.stdout
    assert "bool" not in result.stdout.lower()


def test_help_lists_methods_and_data():
    words = " ".join(CliRunner().invoke(app, ["train", "--help"], env={"COLUMNS": "200"}).output.split())
    for name in (*DATA, *MODELS, *METHODS):
        assert re.search(rf"[ ,]{name}[ ,.]", words), name


@pytest.mark.parametrize(("columns", "shown"), [(60, "test"), (80, "tiny weights"), (200, "α")])
def test_progress_fits_on_one_line(columns, shown):
    """The numbers that matter most come first; those that the line cannot hold are left out."""
    record = training.EpochRecord(99, 0.01, 0.0012, 0.9991, 0.0123, 0.9812, 123456.7, 4.1e-3, 0.981, 0.5)
    console = Console(file=StringIO(), width=columns, force_terminal=True, color_system=None)
    with TrainingBar(console) as bar:
        bar(training.Progress(100, 100, 150, 200, 0.00123, 0.9991, record))
    lines = [line for line in re.split(r"[\r\n]|\x1b\[[0-9?]*[A-Za-z]", console.file.getvalue()) if "loss" in line]
    assert lines
    assert all(len(line) <= columns and shown in line and "…" not in line for line in lines)
