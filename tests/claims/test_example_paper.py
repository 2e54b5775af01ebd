"""The example paper is judged and verified by the commands, and notices every change of a statement but one."""

import os
from pathlib import Path

import pytest
from typer.testing import CliRunner

import implicit_bias as ib
from implicit_bias.claims import corrected, example_paper
from implicit_bias.cli import app

EXPECTED = {
    "lem-1": "PROVED",
    "thm-2": "ARGUED",
    "eq-3": "REFUTED",
    "eq-3/correction": "PROVED",
    "cor-4": "ARGUED",
    "rem-5": "REFUTED",
    "rem-5/correction": "ARGUED",
    "fig-6": "SUPPORTED",
}
GOOD = {ib.Outcome.PROVED, ib.Outcome.ARGUED, ib.Outcome.SUPPORTED}


@pytest.fixture(scope="module")
def checked():
    return ib.Ledger(example_paper.PAPER.claims, papers=[example_paper.PAPER]).run()


def test_each_claim_has_its_verdict(checked):
    assert {name.partition("/")[2]: outcome for name, outcome in checked.outcomes().items()} == EXPECTED


def test_the_only_change_that_passes_is_the_correction(checked):
    passed = []
    for name, claim in checked.items():
        used = {}
        for each in claim.uses:
            verdict = checked.verdicts[each]
            used[each] = verdict.correction.verdict if isinstance(each, corrected) else verdict
        for change, statement in claim.statement.mutants():
            if claim.verdict(used, statement=statement).outcome in GOOD:
                passed.append((name, change))
    assert passed == [("one-weight/eq-3", "-1 → -2")]


def test_the_commands_of_the_guide_run_it(tmp_path):
    saved, page = tmp_path / "ledger.json", tmp_path / "page.html"
    arguments = ["judge", example_paper.__file__, "--json", str(saved), "--html", str(page)]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.output
    ledger = ib.Ledger.load(saved)
    assert ledger.papers == (example_paper.PAPER,)
    assert page.read_text(encoding="utf-8") == ledger.to_html(
        os.path.relpath(Path(example_paper.__file__).parent, page.parent)
    )
    result = CliRunner().invoke(app, ["verify", str(saved)])
    assert result.exit_code == 0, result.output


def test_a_ledger_of_an_older_file_knows_no_papers(checked, tmp_path):
    checked.save(tmp_path / "ledger.json")
    text = (tmp_path / "ledger.json").read_text(encoding="utf-8")
    (tmp_path / "ledger.json").write_text(text.replace('"papers"', '"else"'))
    read = ib.Ledger.load(tmp_path / "ledger.json")
    assert read.papers == ()
    assert list(read.values()) == list(checked.values())


def test_two_papers_of_one_key_are_refused():
    with pytest.raises(ib.InputError, match="two papers have the key 'a'"):
        ib.Ledger([], papers=[ib.Paper("a", "A", "B"), ib.Paper("a", "C", "D")])
