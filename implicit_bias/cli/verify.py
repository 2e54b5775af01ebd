"""``implicit-bias verify``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from implicit_bias.cli.failing import FAILED, bad_input_fails

if TYPE_CHECKING:
    from implicit_bias.claims.verify import Finding

COMMAND = "implicit-bias verify"


def verify(
    ledger: Annotated[Path, typer.Argument(metavar="LEDGER.json", help="What `implicit-bias judge --json` wrote.")],
    mutants: Annotated[
        bool,
        typer.Option(
            "--mutants",
            help="Also change every identity a little, and count what is rejected. Whether a check sees a change of "
            "its statement, `implicit-bias judge` says instead.",
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
    say(_identities(found.identities))
    say(_counterexamples(found.counterexamples))
    if found.unstated:
        say(f"Refuted by floating-point numbers alone, so not checked here: {', '.join(found.unstated)}.")
    if mutants and found.identities:
        left = f", {len(found.mutants_left)} not:" if found.mutants_left else "."
        say(f"{found.mutants_rejected} changed identities rejected{left}")
        for each in found.mutants_left:
            say(f"  {each.place}: {each.outcome}{f' ({each.reason})' if each.reason else ', so true as well'}")
    for each in found.failures:
        say(f"{each.place}: {each.outcome}. {each.reason}")
    raise typer.Exit(FAILED if found.failures else 0)


def _identities(found: tuple[Finding, ...]) -> str:
    """How many identities are confirmed, and how well."""
    if not found:
        return "No verdict rests on an identity."
    confirmed = [each for each in found if each.outcome == "confirmed"]
    said = f"{len(confirmed)} of {_number(found, 'identity', 'identities')} confirmed"
    if not confirmed:
        return f"{said}."
    points, radius = sum(each.points for each in confirmed), max(each.radius for each in confirmed)
    return f"{said} at {points} points; largest relative radius of a ball {radius:.1e}."


def _counterexamples(found: tuple[Finding, ...]) -> str:
    """How many counterexamples are confirmed."""
    if not found:
        return "No verdict rests on an exact counterexample."
    confirmed = sum(each.outcome == "confirmed" for each in found)
    return f"{confirmed} of {_number(found, 'exact counterexample', 'exact counterexamples')} confirmed."


def _number(found: tuple[Finding, ...], one: str, several: str) -> str:
    return f"{len(found)} {one if len(found) == 1 else several}"
