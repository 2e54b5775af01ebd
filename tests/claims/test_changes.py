"""Checks are given small changes of their statements: what they notice, what passes, and what comes of odd checks."""

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

import implicit_bias as ib
from implicit_bias.claims.changes import Changes
from implicit_bias.claims.isolated import judge_source
from implicit_bias.cli import app

PAPER = r"""
import os, sys, time
import implicit_bias as ib
import sympy as sp
from implicit_bias.claims import judge

x, y = sp.symbols("x y", positive=True)
paper = ib.Paper("k", "A title", "A. Author")
seven = ib.Statement("y = ", 7 * x)  # 7 → 14, 7 → 7/2, 7 → -7
calls = []

def claim(name, statement=seven):
    return paper.claim(name, statement=statement)

def prove(statement, power=1):
    found = 7 * x * (sp.cosh(y) ** 2 - sp.sinh(y) ** 2)
    return judge.prove("so", stated=(statement.formula**power, found**power))

@claim("seeing")
def seeing(statement): return prove(statement)

@claim("blind")
def blind(statement): return prove(seven)

@claim("even")
def even(statement): return prove(statement, power=2)

@claim("measured", ib.Statement("y_1 = ", 7 * x, r" \text{ at } x = 1"))
def measured(statement):
    return judge.from_residual(abs(float(statement.formula.subs(x, 1)) - 7), 10, "Too large a tolerance.")

@claim("refuted", ib.Statement("y = ", 8 * x))
def refuted(statement): return prove(statement)

@claim("refuted-blindly")
def refuted_blindly(statement):
    return judge.refute("no", judge.Violation(8 * x, 7 * x, {"x": 1}, ">"))

@claim("words", "y = 7x")
def words(): return prove(seven)

@claim("unknown-function", ib.Statement("y = ", sp.gamma(x)))
def unknown_function(statement): return prove(seven)

def only_for_the_true_one(line):
    def check(statement):
        if statement.formula != seven.formula:
            exec(line)
        return prove(statement)
    return check

for name, line in {
    "raises": "1 / 0",
    "exits": "sys.exit()",
    "ends": "os._exit(0)",
    "killed": "os.kill(os.getpid(), 9)",
    "interrupted": "raise KeyboardInterrupt",
    "sleeps": "time.sleep(100)",
    "ends-its-parent": "os.kill(os.getppid(), 9)",
}.items():
    claim(name)(only_for_the_true_one(line))

@claim("counts")
def counts(statement):
    calls.append(1)
    print("what a changed check prints is not shown")
    return prove(statement) if len(calls) == 1 else ib.Verdict(ib.Outcome.INCONCLUSIVE, "called again")
"""
SEEN = (3, [], 0)
FOUND = {
    "seeing": SEEN,
    "blind": (3, ["7 → 14", "7 → 7/2", "7 → -7"], 0),
    "even": (3, ["7 → -7"], 0),
    "measured": (3, ["7 → 14", "7 → 7/2"], 0),
    "refuted": SEEN,
    "refuted-blindly": (3, ["7 → 14", "7 → 7/2", "7 → -7"], 0),
    "words": None,
    "unknown-function": None,
    **dict.fromkeys(["raises", "exits", "ends", "killed", "interrupted"], SEEN),
    "sleeps": (3, [], 3),
    "ends-its-parent": (3, [], 3),
    "counts": SEEN,
}


@pytest.fixture(scope="module")
def paper(tmp_path_factory):
    path = tmp_path_factory.mktemp("paper") / "mine.py"
    path.write_text(PAPER, encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def ledger(paper):
    return judge_source(str(paper), 60.0, changing=5.0)


@pytest.mark.parametrize("name", FOUND)
def test_each_check_is_tried_in_a_copy_that_may_do_anything(ledger, name):
    changes = ledger.verdicts[f"k/{name}"].changes
    if name == "sleeps":  # on a busy machine
        assert changes.undecided == 3
    found = changes and (changes.number, [change for change, _ in changes.passed], changes.undecided)
    assert found == FOUND[name]
    other = {"refuted": "REFUTED", "refuted-blindly": "REFUTED", "measured": "SUPPORTED"}
    assert ledger.verdicts[f"k/{name}"].outcome.value == other.get(name, "PROVED")


def test_a_check_that_passes_for_changes_looks_less_trustworthy_in_every_form(ledger, tmp_path):
    labels = {name.removeprefix("k/"): verdict.label for name, verdict in ledger.verdicts.items()}
    doubtful = {name: label for name, label in labels.items() if label.endswith("?")}
    assert doubtful == {
        "blind": "PROVED?", "even": "PROVED?", "measured": "SUPPORTED?", "refuted-blindly": "REFUTED?"
    }  # fmt: skip
    ledger.save(tmp_path / "ledger.json")
    loaded = ib.Ledger.load(tmp_path / "ledger.json")
    assert {name: each.changes for name, each in loaded.verdicts.items()} == {
        name: each.changes for name, each in ledger.verdicts.items()
    }
    page = loaded.to_html()
    assert page.count('<span class="badge PROVED doubtful">PROVED?</span>') == 2 + 1  # and the legend
    assert "either it is true as well, or the check does not see it" in page
    assert "PROVED?" in loaded.verdicts["k/even"]._repr_html_()
    assert "PROVED?" in repr(loaded.verdicts["k/even"])


def shown(path, *options):
    result = CliRunner().invoke(app, ["judge", str(path), *options], env={"COLUMNS": "80"})
    assert result.exit_code == 0, result.output
    return re.sub(r"\s+", " ", result.stdout)


FEW = PAPER[: PAPER.index("def only_for")]


def test_the_command_says_which_changes_pass(tmp_path):
    path = tmp_path / "few.py"
    path.write_text(FEW, encoding="utf-8")
    output = shown(path)
    assert "PROVED k/seeing y = 7x so PROVED?" in output  # no warning
    assert (
        "PROVED? k/blind y = 7x so The check also passes for each of 3 small changes of the statement, so it hardly "
        "depends on what is stated. 7 → 14: y = 14x 7 → 7/2: y = (7x)/2 7 → -7: y = −7x PROVED? k/even" in output
    )
    assert (
        "The check also passes for 1 of 3 small changes of the statement: either it is true as well, or the check does "
        "not see it. 7 → -7: y = −7x " in output
    )
    assert output.endswith(
        "8 claims: 3 PROVED, 2 PROVED?, 1 SUPPORTED?, 1 REFUTED, 1 REFUTED? ?: the check says the same of a changed "
        "statement. Without a formula that could be changed: k/words, k/unknown-function. "
    )
    assert "The check gives the same refutation for each of 3 small changes of the statement, so it hardly" in output
    assert shown(path, "--mutants", "0").endswith("8 claims: 5 PROVED, 1 SUPPORTED, 2 REFUTED ")


CARELESS = """
import implicit_bias as ib
import sympy as sp
from implicit_bias.claims import judge
x, t, rate = sp.symbols("x t r", positive=True)
careless = ib.Paper("careless", "A careless check", "A. Author")
@careless.claim("eq-1", statement=ib.Statement("x_t = ", 7 * x), source="equation 1")
def blind(statement):
    return judge.prove("Something else is true.", (x * (sp.cosh(rate * t) + sp.sinh(rate * t)), x * sp.exp(rate * t)))
"""


def test_the_guide_shows_what_the_command_prints(tmp_path):
    path = tmp_path / "careless.py"
    path.write_text(CARELESS, encoding="utf-8")
    printed = CliRunner().invoke(app, ["judge", str(path)], env={"COLUMNS": "80"}).stdout
    assert f"```text\n{printed}```" in (Path(__file__).parents[2] / "docs" / "judge.md").read_text("utf-8")


def test_a_long_list_of_changes_is_cut(tmp_path):
    path = tmp_path / "blind.py"
    path.write_text(FEW.replace('@claim("blind")', '@claim("blind", ib.Statement("y = ", 7 * x + 2 * y + 5))'))
    assert " and 9 more " in shown(path)


pairs = st.lists(st.tuples(st.text(), st.text()), max_size=4).map(tuple)


@given(pairs, st.integers(0, 3), st.integers(0, 5))
def test_changes_are_read_as_they_were_described_and_told(passed, undecided, seen):
    changes = Changes(len(passed) + undecided + seen, passed, undecided)
    assert Changes.read(changes.describe()) == changes
    words = changes.in_words()
    assert ("also passes" in words) == bool(passed) == (not changes.is_seen)
    assert ("hardly depends" in words) == (bool(passed) and not seen)
    assert ("noticed" in words) == (bool(seen) and not passed)
    assert bool(words) == bool(changes.number)
    if changes.number > undecided > 0:
        assert f"{undecided} of {changes.number} were not decided in time." in words


@pytest.mark.parametrize(
    ("saved", "part"),
    [
        ({"number": 1, "passed": [], "undecided": 2}, "at most 1 in all"),
        ({"number": 0, "passed": [["a", "b"]], "undecided": 0}, "at most 0 in all, got 1 that passed"),
        ({"number": 1, "passed": ["ab", "c"], "undecided": 0}, "expected pairs of texts"),
        ({"number": 1, "passed": []}, "'undecided' is missing"),
    ],
)
def test_what_are_no_changes_is_not_read(saved, part):
    with pytest.raises(ib.InputError, match=part):
        Changes.read(saved)
