"""``implicit-bias explore``."""

from __future__ import annotations

import importlib.util
import webbrowser
from typing import Annotated, NoReturn

import typer
from rich.console import Console


def explore(
    port: Annotated[int, typer.Option(help="Port on 127.0.0.1; 0 takes any free one.", min=0, max=65535)] = 2718,
    browser: Annotated[bool, typer.Option("--browser/--no-browser", help="Open the page in a browser.")] = True,
) -> None:
    """Explore potentials in the browser: type a parameterization, move its initial values and its decay.

    The page is served to this machine only, and loads nothing from anywhere else. Ctrl-C ends it.

    For instance:

    implicit-bias explore

    implicit-bias explore --port 8080 --no-browser
    """
    console = Console(stderr=True)
    if importlib.util.find_spec("marimo") is None:
        _fail(console, "the explorer needs marimo: pip install 'implicit-bias[explore]'.")
    from implicit_bias.explore import server

    try:
        listener = server.listen(port)
    except OSError as error:
        _fail(console, f"port {port} cannot be used ({error.strerror}): name another with --port, or 0 for any.")
    address = f"http://{server.HOST}:{listener.getsockname()[1]}"

    def ready() -> None:
        console.print(f"The explorer is at {address} (Ctrl-C ends it).", highlight=False, soft_wrap=True)
        if browser:
            webbrowser.open(address)

    server.serve(listener, ready)


def _fail(console: Console, message: str) -> NoReturn:
    console.print(f"implicit-bias explore: {message}", style="red", markup=False, highlight=False, soft_wrap=True)
    raise typer.Exit(2)
