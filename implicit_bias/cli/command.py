"""What all commands have in common: flags that look like flags, and mistyped options that are found."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup, TyperOption

from implicit_bias.cli.failing import unwritten_files_fail
from implicit_bias.errors import did_you_mean

MISTYPED = re.compile(r"--[a-z][a-z-]*")  # no formula that somebody would write


class _Program:
    """What a command and a group of commands have in common."""

    def make_context(self, info_name: str | None, args: list[str], parent: Any = None, **extra: Any) -> Any:
        """Read the arguments; if the help cannot be written, such as on a full disk, say so in one line."""
        path = [parent.command_path] if parent else []
        with unwritten_files_fail(" ".join([*path, info_name or ""])):
            return super().make_context(info_name, args, parent, **extra)  # pyright: ignore[reportAttributeAccessIssue]

    def invoke(self, ctx: Any) -> Any:
        """Run the command; if what it prints cannot be written, say so in one line."""
        with unwritten_files_fail(str(ctx.command_path)):
            return super().invoke(ctx)  # pyright: ignore[reportAttributeAccessIssue]

    def get_params(self, ctx: Any) -> list:
        """The options and arguments, flags without a type."""
        return _untyped_flags(super().get_params(ctx))  # pyright: ignore[reportAttributeAccessIssue]


class Command(_Program, TyperCommand):
    """A command whose help shows no type beside a flag."""


class CommandOfFormula(Command):
    """A command whose argument may begin with a minus, so that unknown options have to be looked for."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Refuse what looks like an option and is none."""
        options = [name for each in self.get_params(ctx) for name in (*each.opts, *each.secondary_opts)]
        for word in args[: args.index("--")] if "--" in args else args:
            name = word.partition("=")[0]
            if MISTYPED.fullmatch(name) and name not in options:
                ctx.fail(f"No such option: {name}{did_you_mean(name, options)}")
        return super().parse_args(ctx, args)


class Group(_Program, TyperGroup):
    """The program, whose help shows no type beside a flag."""


def run(main: Callable[..., object]) -> None:
    """Run a function as a program of its own, as ``typer.run`` does, with :class:`Command`."""
    app = typer.Typer(add_completion=False)
    app.command(cls=Command)(main)
    app()


def _untyped_flags(params: list) -> list:
    for each in params:
        if isinstance(each, TyperOption) and each.is_flag and each.metavar is None:
            each.metavar = ""
    return params
