"""Samples of the campaigns of strings and of derivations, and their records."""

import json
import sys

import pytest

from tests.campaigns import __main__, checks, derivations, mutants, records, statements, strings, systems


def test_strings_are_read_or_refused():
    entries = strings.run(150, seed=1)
    assert entries["examples of others"] == []
    assert entries["largest process, MiB"] < 1024


def test_derivations_end_in_time_and_with_no_bug():
    """Derivations end with a known outcome and in ten times their limit, as the machine may be busy."""
    entries = derivations.run(10, seed=1)
    assert entries["examples of others"] == []
    assert entries["longest seconds"] < 10 * derivations.TIME_LIMIT


def test_threads_find_what_is_found_in_turn():
    assert derivations.in_turn_and_in_threads(4, threads=2) == []


@pytest.mark.parametrize(("name", "campaign"), [("strings", strings), ("derivations", derivations)])
def test_a_campaign_keeps_its_record(name, campaign, tmp_path, monkeypatch):
    monkeypatch.setattr(records, "FOLDER", tmp_path)
    assert campaign.main(["3"]) == 0
    assert json.loads((tmp_path / f"{name}.json").read_text("utf-8"))["other outcomes"] == 0
    assert "| other outcomes | 0 |" in (tmp_path / f"{name}.md").read_text("utf-8")


def test_all_campaigns_run_whatever_the_command_line_says(monkeypatch):
    asked = []
    monkeypatch.setattr(sys, "argv", ["pytest", "-q"])
    for campaign, code in ((systems, 0), (derivations, 1), (strings, 0), (statements, 0), (checks, 0), (mutants, 0)):
        monkeypatch.setattr(
            campaign, "main", lambda given, campaign=campaign, code=code: asked.append((campaign, given)) or code
        )
    assert __main__.main() == 1
    assert asked == [(systems, []), (derivations, []), (strings, []), (statements, []), (checks, []), (mutants, [])]
