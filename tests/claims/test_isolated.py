"""An outsider's file of claims: each gets its verdict, whatever the other checks do."""

import json
import sys
import time
from pathlib import Path

import pytest
from typer.testing import CliRunner

import implicit_bias as ib
from implicit_bias.claims import isolated
from implicit_bias.claims.isolated import SourceError, judge_source
from implicit_bias.claims.verify import verify
from implicit_bias.cli import app

FILE = Path(__file__).parent / "outsider" / "gradient_methods.py"
SECONDS = 10.0  # for one check; the first ones load SymPy on a busy machine
EXPECTED = {
    "flow": "PROVED",
    "loss": "REFUTED",
    "root": "REFUTED",
    "root-of-positive": "PROVED",
    "convex": "ARGUED",
    "small-steps": "REFUTED",
    "integrated": "SUPPORTED",
    "for-ever": "INCONCLUSIVE",
    "raises": "INCONCLUSIVE",
    "ends": "INCONCLUSIVE",
}


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """The folder of a page and a ledger, as the command writes them."""
    folder = tmp_path_factory.mktemp("judged")
    arguments = [
        str(FILE),
        "--seconds",
        str(SECONDS),
        "--html",
        str(folder / "page.html"),
        "--json",
        str(folder / "ledger.json"),
    ]
    result = CliRunner().invoke(app, ["judge", *arguments])
    assert result.exit_code == 1, result.output  # one check divides by zero
    for outcome in EXPECTED.values():
        assert outcome in result.output
    return folder


def test_an_outsiders_claims_get_the_right_verdicts(saved):
    ledger = ib.Ledger.load(saved / "ledger.json")
    assert {name.removeprefix("parabola/"): each for name, each in ledger.outcomes().items()} == {
        **EXPECTED,
        "loss/correction": "PROVED",
    }
    verdicts = {name.removeprefix("parabola/"): verdict for name, verdict in ledger.verdicts.items()}
    assert "took longer than 10 seconds" in verdicts["for-ever"].evidence
    assert "in for_ever" in verdicts["for-ever"].traceback
    assert verdicts["raises"].evidence.startswith("The check is broken: ZeroDivisionError: division by zero")
    assert [name for name, verdict in verdicts.items() if verdict.is_broken] == ["raises"]
    assert "return 1 / 0" in verdicts["raises"].traceback
    assert "ended with code 7" in verdicts["ends"].evidence
    assert verdicts["root"].violation is not None
    assert verdicts["root"].violation.numbers["x"] == -1
    assert verdicts["small-steps"].violation is not None
    assert verdicts["small-steps"].violation.numbers == {"eta": 3, "c": 1}


def test_the_page_shows_every_claim_and_what_went_wrong(saved):
    page = (saved / "page.html").read_text()
    assert all(f"parabola/{name}" in page for name in EXPECTED)
    assert "ended with code 7" in page


def test_its_identities_and_counterexamples_are_verified(saved):
    found = verify(saved / "ledger.json")
    assert found.failures == ()
    assert (len(found.identities), len(found.counterexamples), found.unstated) == (5, 3, ())
    result = CliRunner().invoke(app, ["verify", str(saved / "ledger.json"), "--mutants"])
    assert result.exit_code == 0
    assert "5 of 5 identities confirmed at 200 points" in result.output
    assert "3 of 3 exact counterexamples confirmed" in result.output


def test_a_ledger_without_anything_to_verify_says_so(saved, tmp_path):
    ledger = json.loads((saved / "ledger.json").read_text())
    ledger["claims"] = {name: claim for name, claim in ledger["claims"].items() if claim["outcome"] == "INCONCLUSIVE"}
    assert ledger["claims"]
    path = tmp_path / "ledger.json"
    path.write_text(json.dumps(ledger))
    result = CliRunner().invoke(app, ["verify", str(path)])
    assert result.exit_code == 0
    assert result.output.startswith("Nothing to verify")


def test_a_false_identity_fails_the_verification(saved, tmp_path):
    ledger = json.loads((saved / "ledger.json").read_text())
    identity = ledger["claims"]["parabola/flow"]["identities"][0]
    identity["stated"] = ["Mul", "3", identity["stated"]]
    path = tmp_path / "ledger.json"
    path.write_text(json.dumps(ledger))
    result = CliRunner().invoke(app, ["verify", str(path)])
    assert result.exit_code == 1
    assert "parabola/flow, identity 1: rejected." in result.output


USES_NOTHING = """
import implicit_bias as ib
paper = ib.Paper("k", "t", "a")
@paper.claim("a", statement="s", uses=("b",))
def a(): ...
"""


@pytest.mark.parametrize(
    ("content", "kind", "part"),
    [
        (None, ib.InputError, "found none"),
        ("x = 1", ib.InputError, "expected claims, found none"),
        (USES_NOTHING, ib.InputError, "'k/a' uses 'k/b'"),
        ("1 / 0", SourceError, "cannot be imported: ZeroDivisionError"),
        ("x = (", SourceError, "cannot be imported: SyntaxError"),
        ("while True: pass", SourceError, "its process ended"),
        ("import sys; sys.exit(3)", SourceError, "its process ended with 3"),
    ],
)  # fmt: skip
def test_a_file_without_a_ledger_is_an_error(tmp_path, content, kind, part):
    path = tmp_path / "mine.py"
    if content is not None:
        path.write_text(content)
    with pytest.raises(kind, match=part) as caught:
        judge_source(str(path), 3.0, importing=3.0 if "while" in str(content) else 60.0)
    assert isinstance(caught.value, SourceError) == (kind is SourceError)
    if part.startswith("cannot be imported"):
        (where,) = caught.value.__notes__
        assert "mine.py" in where
        assert "isolated.py" not in where  # the traceback begins in the user's file
        assert "importlib" not in where


@pytest.mark.parametrize("source", ["", " "])
def test_an_empty_name_is_no_folder(source):
    with pytest.raises(ib.InputError, match="got an empty name"):
        judge_source(source, 3.0)


LEFT_BEHIND = """
import os, subprocess, sys
import implicit_bias as ib
paper = ib.Paper("k", "t", "a")
@paper.claim("a", statement="s")
def a():
    print("what a check prints is no message")
    if os.fork() == 0:  # keeps the pipe open after its parent has ended
        import time
        time.sleep(600)
        os._exit(0)
    os._exit(5)
"""


def test_a_process_that_a_check_leaves_behind_holds_nobody_up(tmp_path):
    path = tmp_path / "mine.py"
    path.write_text(LEFT_BEHIND)
    began = time.monotonic()
    ledger = judge_source(str(path), 20.0)
    assert time.monotonic() - began < 200  # it sleeps for 600
    assert "ended with code 5" in ledger.verdicts["k/a"].evidence


PACKAGE = """
import implicit_bias as ib
from implicit_bias.claims import judge
from sympy.abc import x
alone = ib.Claim("alone", "s", "here", check=lambda: judge.prove("so", ((x + 1) ** 2, x**2 + 2 * x + 1)))
"""


def test_a_package_is_judged_with_all_its_modules(tmp_path, monkeypatch):
    (tmp_path / "my_claims" / "part").mkdir(parents=True)
    (tmp_path / "my_claims" / "__init__.py").write_text("")
    (tmp_path / "my_claims" / "__main__.py").write_text("1 / 0")
    (tmp_path / "my_claims" / "part" / "__init__.py").write_text(PACKAGE)
    assert judge_source(str(tmp_path / "my_claims"), 20.0).outcomes() == {"alone": "PROVED"}
    assert "my_claims" not in sys.modules
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.syspath_prepend(tmp_path)
    assert judge_source("my_claims.part", 20.0).outcomes() == {"alone": "PROVED"}


def test_a_part_of_a_package_brings_what_it_uses(tmp_path):
    for part in ("first", "second", "third"):
        (tmp_path / "parts" / part).mkdir(parents=True)
        (tmp_path / "parts" / part / "__init__.py").write_text(
            f"import implicit_bias as ib\npaper = ib.Paper('{part}', 't', 'a')\n"
            f"@paper.claim('a', statement='s', uses={['first/a'] if part == 'second' else []})\n"
            "def a():\n    return ib.Verdict(ib.Outcome.INCONCLUSIVE, 'open')\n"
        )
    (tmp_path / "parts" / "__init__.py").write_text("")
    ledger = judge_source(str(tmp_path / "parts" / "second"), 20.0)
    assert list(ledger) == ["first/a", "second/a"]
    assert [paper.key for paper in ledger.papers] == ["second", "first"]


def test_the_page_shows_the_figures_beside_the_file(tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "claims.py").write_text(
        "import implicit_bias as ib\npaper = ib.Paper('k', 't', 'a')\n"
        "@paper.claim('a', statement='s', figure='pictures/a.png')\n"
        "def a():\n    return ib.Verdict(ib.Outcome.INCONCLUSIVE, 'open')\n"
    )
    (tmp_path / "out").mkdir()
    page = tmp_path / "out" / "page.html"
    result = CliRunner().invoke(app, ["judge", str(tmp_path / "mine" / "claims.py"), "--html", str(page)])
    assert result.exit_code == 0, result.output
    assert 'src="../mine/pictures/a.png"' in page.read_text("utf-8")


MEDDLES = """
import sys
import implicit_bias as ib
sys.modules["__main__"]._judged = lambda *arguments: 1 / 0  # as if the library had a bug
paper = ib.Paper("k", "t", "a")
@paper.claim("a", statement="s")
def a(): return ib.Verdict(ib.Outcome.INCONCLUSIVE, "open")
"""


def test_a_bug_of_the_library_is_no_verdict_on_a_claim(tmp_path):
    path = tmp_path / "mine.py"
    path.write_text(MEDDLES)
    with pytest.raises(RuntimeError, match=r"no check is to blame:[\s\S]*ZeroDivisionError"):
        judge_source(str(path), 20.0)


ENDS = """
import implicit_bias as ib
paper = ib.Paper("k", "t", "a")
@paper.claim("a", statement="s")
def a(): {line}
@paper.claim("b", statement="s")
def b(): return ib.Verdict(ib.Outcome.INCONCLUSIVE, "open")
"""


@pytest.mark.parametrize("line", ["raise KeyboardInterrupt", "raise GeneratorExit", "import sys; sys.exit(3)"])
def test_what_would_end_a_program_is_a_fault_of_the_check(tmp_path, line):
    path = tmp_path / "mine.py"
    path.write_text(ENDS.format(line=line))
    ledger = judge_source(str(path), 20.0)
    assert ledger.broken == ("k/a",)
    assert "(mine.py, line 5)" in ledger.verdicts["k/a"].evidence
    assert ledger.verdicts["k/b"].evidence == "open"


def test_bad_input_on_the_command_line(tmp_path):
    result = CliRunner().invoke(app, ["verify", str(tmp_path / "none.json")])
    assert result.exit_code == 2
    (tmp_path / "other.json").write_text("[]")
    result = CliRunner().invoke(app, ["verify", str(tmp_path / "other.json")])
    assert (result.exit_code, result.stdout) == (2, "")
    assert "expected a ledger in JSON" in result.stderr


@pytest.mark.parametrize(
    "line",
    [
        "os.kill(os.getpid(), signal.SIGSTOP)",
        "faulthandler.cancel_dump_traceback_later(); time.sleep(600)",
        "os.execvp('sleep', ['sleep', '600'])",
        "threading.Thread(target=time.sleep, args=(600,)).start(); return right",
        "atexit.register(time.sleep, 600); return right",
    ],
    ids=["stopped", "timer cancelled", "another program", "thread", "at exit"],
)
def test_a_check_that_escapes_its_timer_is_ended_all_the_same(line, tmp_path, monkeypatch):
    """A process that hangs after its last verdict keeps that verdict."""
    monkeypatch.setattr(isolated, "SECONDS_OF_GRACE", 2.0)
    path = tmp_path / "mine.py"
    path.write_text(
        "import atexit, faulthandler, os, signal, threading, time\n"
        "import implicit_bias as ib\n"
        "paper = ib.Paper('k', 't', 'a')\n"
        "right = ib.Verdict(ib.Outcome.SUPPORTED, 'e', 0.0, 1.0)\n"
        "@paper.claim('a', statement='s')\n"
        f"def a(): {line}\n"
    )
    began = time.monotonic()
    verdict = judge_source(str(path), 5.0).verdicts["k/a"]
    assert time.monotonic() - began < 200
    if "return" in line:
        assert verdict.outcome is ib.Outcome.SUPPORTED
    else:
        assert verdict.evidence == "The check took longer than 5 seconds and was stopped."
