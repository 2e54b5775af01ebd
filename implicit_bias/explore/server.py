"""Serving the explorer to browsers on this machine, and to nothing else."""

from __future__ import annotations

import socket
from collections.abc import Awaitable, Callable
from contextlib import chdir
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

HOST = "127.0.0.1"
APP = Path(__file__).parent / "app.py"
Application = Callable[[dict[str, Any], Any, Any], Awaitable[None]]


def listen(port: int) -> socket.socket:
    """Return a socket that listens on a port of this machine, 0 for any free one.

    Raises:
        OSError: If the port is taken.
    """
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((HOST, port))
        listener.listen()
    except BaseException:
        listener.close()
        raise
    return listener


def serve(listener: socket.socket, ready: Callable[[], None]) -> None:
    """Serve the explorer until interrupted.

    The app runs read-only: its code is not sent to the browser, and there is no access to files. marimo's own server
    command would look for newer releases and offer to edit; this uses its ASGI application alone.

    Args:
        listener: A socket from :func:`listen`.
        ready: Called once connections are answered.
    """
    # marimo looks for its configuration from the current folder upwards; what it finds there must not depend on where
    # the explorer was started, and the colours are to follow the system's.
    with TemporaryDirectory() as folder, chdir(folder):
        Path(".marimo.toml").write_text('[display]\ntheme = "system"\n', encoding="utf-8")
        _run(listener, ready)


def _run(listener: socket.socket, ready: Callable[[], None]) -> None:
    import marimo
    import uvicorn

    class Server(uvicorn.Server):
        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets)
            ready()

    application = marimo.create_asgi_app(quiet=True, include_code=False).with_app(path="/", root=str(APP)).build()
    config = uvicorn.Config(
        only_from_here(application, listener.getsockname()[1]),
        log_level="error",
        lifespan="on",
        timeout_graceful_shutdown=1,
    )
    Server(config).run(sockets=[listener])


def only_from_here(application: Application, port: int) -> Application:
    """Refuse what a page from elsewhere sends to this machine through the user's browser.

    Listening on 127.0.0.1 keeps other machines out, but not other web pages: one may open a WebSocket to any address,
    or have its own name resolve to 127.0.0.1. The headers Origin and Host, which the browser sets, reveal both.
    """
    hosts = {f"{name}:{port}".encode() for name in (HOST, "localhost")}
    origins = {b"http://" + host for host in hosts}

    async def guarded(scope: dict[str, Any], receive: Any, send: Any) -> None:
        if scope["type"] in ("http", "websocket"):
            headers = dict(scope["headers"])
            if headers.get(b"host") not in hosts or headers.get(b"origin", next(iter(origins))) not in origins:
                await _refuse(scope, receive, send)
                return
        await application(scope, receive, send)

    return guarded


async def _refuse(scope: dict[str, Any], receive: Any, send: Any) -> None:
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.close", "code": 1008})
        return
    await send({"type": "http.response.start", "status": 403, "headers": [(b"content-type", b"text/plain")]})
    await send({"type": "http.response.body", "body": b"The explorer answers only pages from its own address.\n"})
