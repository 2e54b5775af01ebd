"""A check with a fault is called broken, with the line of the fault; one whose solver is at its end is not."""

import json
from functools import partial

import pytest
import sympy as sp
from hypothesis import given
from hypothesis import strategies as st

import implicit_bias as ib
from implicit_bias.claims.broken import LONGEST_MESSAGE, raised
from implicit_bias.status import SolverError
from implicit_bias.symbolic.time_limit import StoppedError

FIRST_LINE = 5
HEAD = """import sys, implicit_bias as ib, sympy as sp
from implicit_bias.claims import Equation, Violation, judge
x, y = sp.symbols("x y", real=True)
paper = ib.Paper("k", "t", "a")
"""


def judged(tmp_path, code):
    """The verdict of a check that stands in a file of its own."""
    path = tmp_path / "mine.py"
    namespace = {"__name__": "mine"}
    exec(compile(HEAD + code, str(path), "exec"), namespace)  # noqa: S102 - code of this file
    paper = namespace["paper"]
    return ib.Ledger(paper.claims, papers=[paper]).run().verdicts["k/a"]


def text_claim(body):
    return f"@paper.claim('a', statement='s')\ndef a():\n    {body}\n"


FAULTS = {
    "return judge.proove('so')": "AttributeError: module 'implicit_bias.claims.judge' has no attribute 'proove'",
    "return nothing": "NameError: name 'nothing' is not defined",
    "return 1 + 'a'": "TypeError: unsupported operand type(s) for +: 'int' and 'str'",
    "return [][1]": "IndexError: list index out of range",
    "return {}['key']": "KeyError: 'key'",
    "import surely_not_installed": "ModuleNotFoundError: No module named 'surely_not_installed'",
    "raise ValueError": "ValueError",
    "raise ValueError('several\\n lines')": "ValueError: several lines",
    "assert 1 == 2": "AssertionError",
    "eval('1 +')": "SyntaxError: invalid syntax",
    "sys.exit('done')": "it ends the program, by exit('done')",
    "exit()": "it ends the program, by exit()",
    "return ib.Verdict('PROVED', 'so')": "InputError: A verdict needs an outcome such as Outcome.SUPPORTED, got",
    "return ib.Verdict(ib.Outcome.SUPPORTED, 'so', '0', '1')": "InputError: A verdict needs a number for residual",
    "return ib.Verdict(ib.Outcome.REFUTED, 'so', correction='y')": "InputError: A verdict needs correction= to be a",
    "return judge.refute('so', Violation(x, y, {'x': None}))": "InputError: Violation: expected a number for x, got",
    "return judge.prove('so', 'x + 1')": "InputError: Expected an expression of SymPy, a whole number or a fraction",
    "return judge.prove('so', (x, sp.Symbol('x')))": "InputError: Two symbols are called x",
    "return judge.prove('so', (x, 2 * x), conditions=x - y)": "InputError: Expected conditions= to be a tuple, such as",
    "return judge.prove('so', (x, y, 3))": "InputError: Equation: expected says= to be text, got 3",
}


@pytest.mark.parametrize("body", FAULTS)
def test_a_fault_is_named_with_its_line(tmp_path, body):
    verdict = judged(tmp_path, text_claim(body))
    assert (verdict.outcome, verdict.is_broken, verdict.label) == (ib.Outcome.INCONCLUSIVE, True, "BROKEN")
    assert verdict.evidence.startswith(f"The check is broken: {FAULTS[body]}")
    assert verdict.evidence.endswith(f" (mine.py, line {FIRST_LINE + 2})")
    assert "mine.py" in verdict.traceback
    assert "\n" not in verdict.evidence


@pytest.mark.parametrize(
    ("definition", "part"),
    [
        ("def a(): pass", "returned NoneType, expected a Verdict; is a return missing?"),
        ("def a(): return True", "returned bool, expected a Verdict."),
        ("def a(): yield 1", "returned a generator, expected a Verdict; it has a yield"),
        ("async def a(): pass", "returned a coroutine, expected a Verdict; write def"),
        ("def a(used, more): pass", "missing 1 required positional argument: 'more'"),
        ("def a(*, used): pass", "missing 1 required keyword-only argument: 'used'"),
    ],
)  # fmt: skip
def test_a_check_without_a_verdict_or_with_a_strange_signature_is_named_by_its_beginning(tmp_path, definition, part):
    verdict = judged(tmp_path, f"@paper.claim('a', statement='s')\n{definition}")
    assert verdict.is_broken
    assert part in verdict.evidence
    assert verdict.evidence.endswith(f" (mine.py, line {FIRST_LINE})")


def test_the_line_is_that_of_the_check_where_another_file_raised(tmp_path):
    verdict = judged(
        tmp_path, text_claim("return json_loads()") + "import json\njson_loads = lambda: json.loads('{')\n"
    )
    assert verdict.evidence.endswith(f"(mine.py, line {FIRST_LINE + 4})")
    verdict = judged(tmp_path, text_claim("return a.check()"))
    assert verdict.evidence.startswith("The check is broken: RecursionError")
    assert verdict.evidence.endswith(f"(mine.py, line {FIRST_LINE + 2})")


class Called:
    def __call__(self):
        return self.nothing


@pytest.mark.parametrize("check", [Called(), partial(lambda a: a.nothing, 1), lambda: 1 / 0])
def test_any_check_that_can_be_called_has_a_place(check):
    verdict = ib.Ledger([ib.Claim("a", "s", "here", check=check, module="m")]).run().verdicts["a"]
    assert verdict.is_broken
    assert "(test_broken.py, line " in verdict.evidence


AT_THEIR_END = [
    SolverError("no step is small enough", None), StoppedError("took too long"), ib.UnsupportedError("not covered"),
    NotImplementedError("no rule"), MemoryError(), TimeoutError("of a server"),
]  # fmt: skip


@pytest.mark.parametrize("error", AT_THEIR_END, ids=lambda error: type(error).__name__)
def test_a_solver_at_its_end_is_no_fault_of_the_check(error):
    def check():
        raise error

    ledger = ib.Ledger([ib.Claim("a", "s", "here", check=check)]).run()
    verdict = ledger.verdicts["a"]
    assert (verdict.outcome, verdict.is_broken, ledger.broken) == (ib.Outcome.INCONCLUSIVE, False, ())
    assert verdict.evidence.startswith(f"The check ended without a verdict: {type(error).__name__}")
    assert str(error) in verdict.evidence


class Unspeakable(Exception):  # noqa: N818
    def __str__(self):
        raise ValueError("no text")


@given(st.text(max_size=400), st.text(max_size=20))
def test_any_message_becomes_a_line_that_can_be_saved(message, note):
    error = ValueError(message)
    error.add_note(note)
    for each in (error, Unspeakable(message)):
        verdict = raised(each, lambda: None)
        described = json.dumps(verdict.describe(), ensure_ascii=False).encode()
        assert ib.Verdict.read(json.loads(described)) == verdict
        assert len(verdict.evidence.splitlines()) == 1
        assert len(verdict.evidence) < LONGEST_MESSAGE * 7  # an unsaveable character takes up to six
        assert verdict.is_broken


def test_a_broken_check_is_seen_in_every_form(tmp_path):
    def broken():
        return sp.nothing

    def open_():
        return ib.Verdict(ib.Outcome.INCONCLUSIVE, "open")

    claims = [ib.Claim("a", "s", "here", check=broken), ib.Claim("b", "s", "here", check=open_)]
    ledger = ib.Ledger(claims).run()
    assert ledger.broken == ("a",)
    ledger.save(tmp_path / "ledger.json")
    assert json.loads((tmp_path / "ledger.json").read_text())["claims"]["a"]["is_broken"] is True
    loaded = ib.Ledger.load(tmp_path / "ledger.json")
    assert loaded.broken == ("a",)
    page = loaded.to_html()
    assert page.count('<span class="badge INCONCLUSIVE broken">1 BROKEN</span>') == 1
    assert "test_broken.py, line" in page
    assert "BROKEN" in loaded.verdicts["a"]._repr_html_()
    assert "BROKEN" in repr(loaded.verdicts["a"])
    assert "BROKEN" not in ib.Ledger(claims[1:], {"b": ledger.verdicts["b"]}).to_html()


def test_only_what_is_inconclusive_can_be_broken():
    with pytest.raises(ib.InputError, match="A broken check is INCONCLUSIVE, not SUPPORTED"):
        ib.Verdict(ib.Outcome.SUPPORTED, "so", 0.0, 1.0, is_broken=True)


@pytest.mark.parametrize("check", [dict, lambda **more: None])
def test_a_check_that_cannot_be_given_its_statement_is_refused(check):
    with pytest.raises(ib.InputError, match=r"wrap it in your own function|def check\(statement\)"):
        ib.Claim("a", ib.Statement("x = ", sp.Symbol("x")), "here", check=check)
