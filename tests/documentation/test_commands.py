"""The commands of text pages exist, with their options and the names given to them."""

import re
import shlex
import tomllib
from pathlib import Path

import pytest
import typer
import typer.core
from typer.testing import CliRunner

from derivations import ledger
from derivations.__main__ import main as derivations
from experiments import registry
from experiments.__main__ import main as experiments
from experiments.benchmarks.__main__ import BENCHMARKS
from experiments.benchmarks.__main__ import main as benchmarks
from implicit_bias.cli import app
from implicit_bias.notebooks import NAMES
from tests.documentation.pages import ROOT, TEXTS, commands, inline_commands, pages_with


def test_the_command_of_the_readme_derives():
    command = next(each for each in inline_commands("README.md") if each[:2] == ["implicit-bias", "derive"])
    done = CliRunner().invoke(app, command[1:])
    assert done.exit_code == 0
    assert "(m0**2 - w0**2)*exp(-4*A)/2" in done.output


def typer_command(function):
    program = typer.Typer(add_completion=False)
    program.command()(function)
    return typer.main.get_command(program)


def check_command(command, known_names=True):
    """Fail unless the program, its options and the names given to it exist; nothing is run."""
    match [word for word in command if word != "--help"]:
        case ["make", *targets]:
            rules = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE)
            assert {target for target in targets if "=" not in target} <= set(rules)
        case ["marimo", "edit", notebook]:
            assert Path(notebook).stem in NAMES
        case ["pip", "install", "-e", what]:
            extra = re.fullmatch(r"\.(?:\[(\w+)\])?", what)
            assert extra is not None
            assert extra[1] is None or extra[1] in pyproject()["project"]["optional-dependencies"]
        case ["implicit-bias", option] if option.startswith("--"):
            assert option in {name for each in typer.main.get_command(app).params for name in each.opts}
        case ["implicit-bias", name, *arguments]:
            program = typer.main.get_command(app)
            assert isinstance(program, typer.core.TyperGroup)
            program.commands[name].make_context(name, arguments)
        case ["python", "-m", "experiments", *arguments]:
            found = typer_command(experiments).make_context("experiments", arguments).params
            assert not known_names or set(found["names"] or ()) <= registry().keys()
        case ["python", "-m", "experiments.benchmarks", *arguments]:
            found = typer_command(benchmarks).make_context("benchmarks", arguments).params
            assert set(found["names"] or ()) <= BENCHMARKS.keys()
        case ["python", "-m", "derivations", *arguments]:
            found = typer_command(derivations).make_context("derivations", arguments).params
            assert not known_names or all(ledger().full_id(name) for name in found["ids"] or ())
        case ["python", "-m", "derivations.errata"]:
            assert (ROOT / "derivations" / "errata.py").exists()
        case ["python", "-m", "tests.explore.frame_rate"]:
            assert (ROOT / "tests" / "explore" / "frame_rate.py").exists()
        case ["dask", "scheduler", *arguments]:
            from distributed.cli.dask_scheduler import main

            main.make_context("scheduler", arguments)
        case ["dask", "worker", *arguments]:
            from distributed.cli.dask_worker import main

            main.make_context("worker", arguments)
        case _:
            pytest.fail(f"no check knows the command {shlex.join(command)}")


def pyproject():
    return tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))


@pytest.mark.parametrize("page", pages_with("sh"))
def test_commands_and_their_options_exist(page):
    for command in commands(page):
        check_command(command)


@pytest.mark.parametrize("page", TEXTS)
def test_commands_in_the_text_exist(page):
    for command in inline_commands(page):
        check_command(command, known_names=False)


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("make nothing", "nothing"),
        ("implicit-bias derive m*w --parameters m", "--parameters"),
        ("pip install -e .[x]", "'x'"),
        ("rm -r docs", "no check knows the command rm -r docs"),
    ],
)
def test_the_check_itself_sees_mistakes(command, message):
    with pytest.raises((Exception, pytest.fail.Exception), match=re.escape(message)):
        check_command(shlex.split(command))
