"""``implicit-bias explore``."""

from __future__ import annotations

import webbrowser
from contextlib import suppress
from typing import Annotated

import typer
from rich.console import Console

from implicit_bias.cli.failing import BAD_INPUT, fail


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
    from implicit_bias.explore.server import HOST, Server

    try:
        server = Server(port)
    except OSError as error:
        fail(
            "implicit-bias explore",
            f"port {port} cannot be used ({error.strerror}): name another with --port, or 0 for any.",
            BAD_INPUT,
        )
    address = f"http://{HOST}:{server.port}"
    console.print(f"The explorer is at {address} (Ctrl-C ends it).", highlight=False, soft_wrap=True)
    if browser:
        webbrowser.open(address)  # which waits until it is answered
    with suppress(KeyboardInterrupt):
        server.serve()
