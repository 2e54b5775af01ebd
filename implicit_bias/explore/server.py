"""Serving the explorer to browsers on this machine, and to nothing else."""

from __future__ import annotations

import json
import re
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.resources import files
from typing import cast

from implicit_bias.display.mathml import typeface
from implicit_bias.errors import InputError
from implicit_bias.explore.answers import answer, atlas, derive_atlas

HOST = "127.0.0.1"
LONGEST_QUESTION = 20_000  # bytes
_SECONDS_OF_SILENCE = 120  # after which a connection is closed
_KINDS = {"html": "text/html", "css": "text/css", "js": "text/javascript", "svg": "image/svg+xml"}
_PAGE = files("implicit_bias.explore").joinpath("page")
_ADDRESSES = {"/": "index.html", **{f"/{each.name}": each.name for each in _PAGE.iterdir()}}
_WIDE = files("implicit_bias.display").joinpath("templates", "wide.css")
_HEADERS = {
    # Nothing is loaded from elsewhere, no text becomes a script, and no other page shows this one in a frame.
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src 'self' blob: data:; font-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}


class Server(ThreadingHTTPServer):
    """The explorer: a thread for each connection, so that nobody waits for another's formula.

    Derivations run in worker processes with a limit of their own, so a thread that waits for one takes no time.

    Args:
        port: A port of this machine, 0 for any free one.

    Raises:
        OSError: If the port is taken.
    """

    daemon_threads = True

    def __init__(self, port: int) -> None:
        super().__init__((HOST, port), _Handler)
        self.port = self.server_address[1]
        self.hosts = {f"{name}:{self.port}" for name in (HOST, "localhost")}

    def handle_error(self, request: object, client_address: object) -> None:
        """Report a bug; a browser that has turned away is none."""
        if not isinstance(sys.exception(), ConnectionError | TimeoutError):
            super().handle_error(request, client_address)  # type: ignore[arg-type]

    def serve(self) -> None:
        """Answer until interrupted; meanwhile derive the atlas."""
        threading.Thread(target=derive_atlas, daemon=True).start()
        self.serve_forever()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"  # connections stay open
    server_version, sys_version = "implicit-bias", ""
    disable_nagle_algorithm = True
    wbufsize = -1  # an answer goes out at once, not its head before its body
    timeout = _SECONDS_OF_SILENCE

    def do_GET(self) -> None:
        if not self._is_from_here():
            return
        name = _ADDRESSES.get(self.path.partition("?")[0])
        if name is not None:
            kind = _KINDS[name.rpartition(".")[2]]
            self._send(200, f"{kind}; charset=utf-8", _PAGE.joinpath(name).read_bytes())
        elif self.path == "/pages.css":
            self._send(200, "text/css; charset=utf-8", f"{typeface()}\n{_WIDE.read_text('utf-8')}".encode())
        elif self.path == "/atlas":
            self._send_data(200, atlas())
        else:
            self._send_data(404, {"error": "There is nothing at this address."})

    def do_POST(self) -> None:
        if not self._is_from_here():
            return
        length = self.headers.get("Content-Length", "")
        size = int(length) if re.fullmatch("[0-9]{1,9}", length) else LONGEST_QUESTION + 1
        if size > LONGEST_QUESTION:
            self.close_connection = True  # the rest is not read
            self._send_data(413, {"error": f"A question has at most {LONGEST_QUESTION} bytes."})
            return
        content = self.rfile.read(size)
        status, found = 500, {"error": "The explorer met a bug: the terminal where it was started shows its traceback."}
        try:
            status, found = 200, answer(self.path.removeprefix("/"), json.loads(content))
        except (InputError, UnicodeDecodeError, json.JSONDecodeError, RecursionError) as error:
            status, found = 400, {"error": f"This page asked what it cannot ask: {str(error).rstrip('.')}."}
        finally:  # a bug goes on to socketserver, which prints it
            self._send_data(status, found)

    def _is_from_here(self) -> bool:
        """Refuse what a page from elsewhere sends to this machine through the user's browser.

        Listening on 127.0.0.1 keeps other machines out, but not other web pages: one may send to any address, or have
        its own name resolve to 127.0.0.1. The headers Origin and Host, which the browser sets, reveal both.
        """
        origin, hosts = self.headers.get("Origin"), cast("Server", self.server).hosts
        is_ours = self.headers.get("Host") in hosts and (origin is None or origin.removeprefix("http://") in hosts)
        if not is_ours:
            self.close_connection = True
            self._send_data(403, {"error": "The explorer answers only pages from its own address."})
        return is_ours

    def _send_data(self, status: int, data: object) -> None:
        self._send(status, "application/json", json.dumps(data, allow_nan=False).encode())

    def _send(self, status: int, kind: str, content: bytes) -> None:
        self.send_response(status)
        for name, value in {**_HEADERS, "Content-Type": kind, "Content-Length": str(len(content))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Requests are not reported; bugs are, with their traceback, by ``socketserver``."""
