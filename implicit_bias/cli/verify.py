"""``implicit-bias verify``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from implicit_bias.cli.failing import FAILED, bad_input_fails

COMMAND = "implicit-bias verify"


def verify(
    ledger: Annotated[Path, typer.Argument(metavar="LEDGER.json", help="What `implicit-bias judge --json` wrote.")],
    mutants: Annotated[
        bool,
        typer.Option(
            "--mutants",
            help="Also change every identity a little, and count what is rejected. Whether a check sees a change of "
            "its statement is asked by Statement.mutants instead.",
        ),
    ] = False,
) -> None:
    """Check a saved ledger again, in ball arithmetic and without SymPy.

    Every identity is evaluated at 40 random points of its domain, in
    balls of 256 bits or more that contain the true values, and every exact
    counterexample at its numbers.

    Exits with 1 if an identity or a counterexample is not confirmed, and with
    2 if the file is not a saved ledger.
    """
    console = Console()
    with bad_input_fails(COMMAND):
        from implicit_bias.claims.verify import verify as verified

        found = verified(ledger, changed=mutants)

    def say(line: str) -> None:
        console.print(line, highlight=False, markup=False, soft_wrap=True)

    if not (found.identities or found.counterexamples or found.unstated):
        say("Nothing to verify: no claim carries an identity or an exact counterexample.")
        raise typer.Exit
    confirmed = [each for each in found.identities if each.outcome == "confirmed"]
    say(
        f"{len(confirmed)} of {len(found.identities)} identities confirmed at "
        f"{sum(each.points for each in confirmed)} points; largest relative radius of a ball "
        f"{max((each.radius for each in confirmed), default=0.0):.1e}."
    )
    enclosed = sum(each.outcome == "confirmed" for each in found.counterexamples)
    say(f"{enclosed} of {len(found.counterexamples)} exact counterexamples confirmed.")
    if found.unstated:
        say(f"Refuted by floating-point numbers alone, so not checked here: {', '.join(found.unstated)}.")
    if mutants:
        left = f", {len(found.mutants_left)} not:" if found.mutants_left else "."
        say(f"{found.mutants_rejected} changed identities rejected{left}")
        for each in found.mutants_left:
            say(f"  {each.place}: {each.outcome}{f' ({each.reason})' if each.reason else ', so true as well'}")
    for each in found.failures:
        say(f"{each.place}: {each.outcome}. {each.reason}")
    raise typer.Exit(FAILED if found.failures else 0)
