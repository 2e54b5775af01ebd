"""The command line, ``implicit-bias``: a module for each command, which loads what it needs when it is called."""

from __future__ import annotations

import typer

from implicit_bias.cli.derive import derive
from implicit_bias.cli.explore import explore
from implicit_bias.cli.judge import judge
from implicit_bias.cli.limit import limit
from implicit_bias.cli.train import train
from implicit_bias.cli.verify import verify

app = typer.Typer(
    name="implicit-bias",
    help="Implicit bias of overparameterized training, on the command line.",
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
)
app.command(context_settings={"ignore_unknown_options": True})(derive)  # a formula may begin with a minus
app.command()(limit)
app.command()(judge)
app.command()(verify)
app.command()(train)
app.command()(explore)


@app.callback()
def _commands() -> None:
    """Implicit bias of overparameterized training, on the command line."""


__all__ = ["app"]
