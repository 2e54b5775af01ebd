"""The command line, ``implicit-bias``: a module for each command, which loads what it needs when it is called."""

from __future__ import annotations

from typing import Annotated

import typer

import implicit_bias
from implicit_bias.cli.command import Command, CommandOfFormula, Group
from implicit_bias.cli.derive import derive
from implicit_bias.cli.explore import explore
from implicit_bias.cli.judge import judge
from implicit_bias.cli.limit import limit
from implicit_bias.cli.notebooks import notebooks
from implicit_bias.cli.train import train
from implicit_bias.cli.verify import verify

app = typer.Typer(
    name="implicit-bias",
    cls=Group,
    help="Implicit bias of overparameterized training, on the command line.",
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
)
app.command(cls=CommandOfFormula, context_settings={"ignore_unknown_options": True})(derive)
for command in (limit, judge, verify, train, explore, notebooks):
    app.command(cls=Command)(command)


def _say_version(asked: bool) -> None:
    if asked:
        typer.echo(f"implicit-bias {implicit_bias.__version__}")
        raise typer.Exit


@app.callback()
def _commands(
    version: Annotated[
        bool, typer.Option("--version", callback=_say_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """Implicit bias of overparameterized training, on the command line."""


__all__ = ["app"]
