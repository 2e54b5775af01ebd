"""The command that starts the explorer, and who may talk to it."""

import json
import socket
import threading
import time
import urllib.error
import urllib.request

import pytest
from typer.testing import CliRunner

from implicit_bias.cli import app
from implicit_bias.explore import server
from implicit_bias.explore.server import HOST, LONGEST_QUESTION, Server


def call(*arguments):
    return CliRunner().invoke(app, ["explore", *map(str, arguments)])


def test_a_port_that_is_taken():
    with socket.create_server((HOST, 0)) as taken:
        result = call("--port", taken.getsockname()[1], "--no-browser")
    assert result.exit_code == 2
    assert "--port" in result.output
    assert len(result.output.strip().splitlines()) == 1


def test_it_listens_on_this_machine_only():
    with Server(0) as server:
        assert server.socket.getsockname()[0] == "127.0.0.1"


@pytest.mark.parametrize("headers", [{"Host": "example.com"}, {"Origin": "http://example.com"}])
def test_other_pages_are_refused(address, headers):
    with urllib.request.urlopen(address, timeout=60) as answer:  # noqa: S310
        assert answer.status == 200
    with pytest.raises(urllib.error.HTTPError, match="403"):
        urllib.request.urlopen(urllib.request.Request(address, headers=headers), timeout=60)  # noqa: S310


@pytest.mark.parametrize("headers", [{"Host": "example.com"}, {"Origin": "http://example.com"}, {"Origin": "null"}])
def test_questions_of_other_pages_are_refused(address, headers):
    request = urllib.request.Request(f"{address}/formulas", data=b"{}", headers=headers)  # noqa: S310
    with pytest.raises(urllib.error.HTTPError, match="403"):
        urllib.request.urlopen(request, timeout=60)  # noqa: S310


@pytest.mark.parametrize(
    ("path", "data", "status"),
    [
        ("/server.py", None, 404),
        ("/../server.py", None, 404),
        ("/%2e%2e/server.py", None, 404),
        ("/page/", None, 404),
        ("/files", b"{}", 400),
        ("/picture", b"{", 400),
        ("/picture", b"\xff", 400),
        ("/picture", b"[" * 15_000, 400),
        ("/picture", b"{}", 400),
        ("/picture", b" " * (LONGEST_QUESTION + 1), 413),
    ],
)
def test_it_answers_nothing_else(address, path, data, status):
    with pytest.raises(urllib.error.HTTPError, match=str(status)) as caught:
        urllib.request.urlopen(urllib.request.Request(address + path, data=data), timeout=60)  # noqa: S310
    assert caught.value.headers["Content-Security-Policy"].startswith("default-src 'none'; script-src 'self';")
    assert "error" in json.loads(caught.value.read())


def test_a_bug_is_told_to_the_page_and_shown_in_the_terminal(monkeypatch, capfd):
    """The page says where to look, and the next question is answered."""
    bugs = iter([ZeroDivisionError("a bug")])

    def answer_or_fail(_question, _asked):
        for bug in bugs:
            raise bug
        return {"names": []}

    monkeypatch.setattr(server, "answer", answer_or_fail)
    with Server(0) as running:
        thread = threading.Thread(target=running.serve_forever)
        thread.start()
        try:
            address = f"http://{HOST}:{running.port}/formulas"
            with pytest.raises(urllib.error.HTTPError, match="500") as caught:
                urllib.request.urlopen(address, data=b"{}", timeout=60)
            assert "terminal" in json.loads(caught.value.read())["error"]
            with urllib.request.urlopen(address, data=b"{}", timeout=60) as answered:
                assert json.loads(answered.read()) == {"names": []}
        finally:
            running.shutdown()
            thread.join()
    assert "ZeroDivisionError: a bug" in capfd.readouterr().err


def test_the_atlas_is_derived_while_the_page_is_read(address):
    """So that choosing an entry later takes no time; a busy machine takes some for it."""
    slowest = {"formula": "log(u) - log(v)", "regularizer": ""}

    def seconds():
        began = time.perf_counter()
        data = json.dumps(slowest).encode()
        with urllib.request.urlopen(f"{address}/formulas", data=data, timeout=90) as answered:  # noqa: S310
            assert json.loads(answered.read())["names"] == ["u", "v"]
        return time.perf_counter() - began

    seconds()
    assert min(seconds() for _ in range(5)) < 0.1
