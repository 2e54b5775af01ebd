"""The command that starts the explorer, and who may talk to it."""

import socket
import urllib.error
import urllib.request
from importlib.util import find_spec

import pytest
from typer.testing import CliRunner

from implicit_bias import errors
from implicit_bias.cli import app
from implicit_bias.explore.server import HOST, listen


def call(*arguments):
    return CliRunner().invoke(app, ["explore", *map(str, arguments)])


def test_a_port_that_is_taken():
    with socket.create_server((HOST, 0)) as taken:
        result = call("--port", taken.getsockname()[1], "--no-browser")
    assert result.exit_code == 2
    assert "--port" in result.output
    assert len(result.output.strip().splitlines()) == 1


@pytest.mark.parametrize("package", ["marimo", "uvicorn"])
def test_without_a_package(monkeypatch, package):
    monkeypatch.setattr(errors, "find_spec", lambda name: None if name == package else find_spec(name))
    result = call("--no-browser")
    assert result.exit_code == 2
    assert f"{package} is needed here and not installed: pip install 'implicit-bias[explore]'." in result.output


def test_it_listens_on_this_machine_only():
    with listen(0) as listener:
        assert listener.getsockname()[0] == "127.0.0.1"


@pytest.mark.parametrize("headers", [{"Host": "example.com"}, {"Origin": "http://example.com"}])
def test_other_pages_are_refused(address, headers):
    with urllib.request.urlopen(address, timeout=60) as answer:  # noqa: S310
        assert answer.status == 200
    with pytest.raises(urllib.error.HTTPError, match="403"):
        urllib.request.urlopen(urllib.request.Request(address, headers=headers), timeout=60)  # noqa: S310


def test_code_and_files_stay_on_the_server(address):
    with urllib.request.urlopen(address, timeout=60) as answer:  # noqa: S310
        assert "def compute" not in answer.read().decode()
    for path in ("/api/files/list_files", "/api/kernel/read_code"):
        request = urllib.request.Request(address + path, data=b'{"path": "/"}', method="POST")  # noqa: S310
        with pytest.raises(urllib.error.HTTPError, match=r"40[0-9]"):
            urllib.request.urlopen(request, timeout=60)  # noqa: S310
