"""The command that checks claims."""

import json

import pytest
import typer
from typer.testing import CliRunner

import derivations
import implicit_bias as ib
from derivations.__main__ import main


class TestCommandLine:
    @pytest.fixture
    def run(self):
        app = typer.Typer()
        app.command()(main)
        return lambda *args: CliRunner().invoke(app, args)

    @pytest.mark.parametrize("name", ["lem-a.1", "mask-in-the-mirror/lem-a.1"])
    def test_agreement_exits_with_zero_and_shows_the_counterexample(self, run, name):
        result = run(name)
        assert result.exit_code == 0
        assert "REFUTED" in result.output
        assert "fails at" in result.output

    def test_a_changed_record_exits_with_one(self, run, monkeypatch, tmp_path):
        path = tmp_path / "recorded.json"
        path.write_text(json.dumps({**derivations.recorded(), "mask-in-the-mirror/only-m": "SUPPORTED"}))
        monkeypatch.setattr(derivations, "RECORD", path)
        result = run("only-m")
        assert result.exit_code == 1
        assert "recorded SUPPORTED, found PROVED" in result.output

    def test_a_broken_check_exits_with_one_and_is_not_recorded(self, run, monkeypatch, tmp_path):
        """Even where the record says INCONCLUSIVE, as which it counts."""
        claims = [ib.Claim("k/a", "s", "here", check=lambda: ib.nothing)]
        path = tmp_path / "recorded.json"
        path.write_text(json.dumps({"k/a": "INCONCLUSIVE"}))
        monkeypatch.setattr("derivations.__main__.ledger", lambda: ib.Ledger(claims))
        monkeypatch.setattr("derivations.__main__.recorded", lambda: json.loads(path.read_text()))
        monkeypatch.setattr("derivations.__main__.RECORD", path)
        result = run()
        assert result.exit_code == 1
        assert "The check is broken: AttributeError" in result.output
        assert "(test_command.py, line" in result.output
        assert "1 claim: 1 BROKEN" in result.output
        path.write_text("{}")
        result = run("--record")
        assert result.exit_code == 1
        assert "Nothing was recorded" in result.output
        assert path.read_text() == "{}"

    def test_unknown_id_exits_with_two(self, run):
        result = run("thm-9.9")
        assert result.exit_code == 2
        assert "No claim is called 'thm-9.9'" in result.output

    def test_the_page_shows_the_whole_ledger_or_nothing(self, run):
        assert run("--html", "lem-a.1").exit_code == 2
