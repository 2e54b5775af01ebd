"""The tool that changes the code makes the expected changes and tells noticed ones from survivors."""

import ast
import functools

import pytest

from tests.campaigns.changes import mutants
from tests.campaigns.mutants import LIBRARY, ROOT, Runner, is_slack, modules_of, pytest_arguments, slack, table

MODULES = [*modules_of("potential"), *modules_of("simulate"), "status.py", "schedule.py", "claims/verdict.py"]
CODE = '''
def f(a: int = 1, *, b: "3" = 2.0):
    """A docstring with 1 + 1."""
    if a < 0:
        raise ValueError(f"a: got {a + 1}.")
    return max(a - b, -a)
'''


def changed(source):
    return {mutant.change for mutant in mutants(source)}


def test_the_changes_of_a_function():
    tests = {"a < 0 → a <= 0", "a < 0 → a >= 0", "0 → 1", "1 → 2", "2.0 → 4.0", "-a → a"}
    terms = {f"a - b → {new}" for new in ("a + b", "a", "-b", "a / 2 - b", "a - b / 2")}
    calls = {f"max(a - b, -a) → {new}" for new in ("a - b", "min(a - b, -a)")}
    found = changed(CODE)
    assert found == tests | terms | calls | {"a < 0 → True", "a < 0 → False"}


@pytest.mark.parametrize("module", MODULES)
def test_changes_are_changes_and_parse(module):
    source = (ROOT / LIBRARY / module).read_text("utf-8")
    original = ast.dump(ast.parse(source))
    for mutant in mutants(source)[::20]:  # kinds of changes repeat, and the whole module is parsed for each
        assert ast.dump(ast.parse(mutant.applied(source))) != original, mutant


@pytest.mark.parametrize("module", MODULES)
def test_every_module_has_tests(module):
    assert all((ROOT / path).exists() for path in pytest_arguments(module))
    assert len(pytest_arguments(module)) > 1


def test_slack_still_stands_in_the_code():
    """Each entry of ``slack.toml`` has a reason and matches a change of the present code."""
    changes = functools.cache(lambda module: mutants((ROOT / LIBRARY / module).read_text("utf-8")))
    for entry in slack():
        assert any(is_slack(entry["module"], mutant, [entry]) for mutant in changes(entry["module"])), entry
        assert entry["reason"].endswith(".")


def test_a_noticed_change_and_a_survivor(tmp_path):
    """In a tree whose only test asserts a sign, a change of the sign is noticed and the loss of a bound survives."""
    (tmp_path / LIBRARY).mkdir()
    module, test = tmp_path / LIBRARY / "toy.py", tmp_path / "test_toy.py"
    source = "def f(x):\n    return min(-x, 100)\n"
    module.write_text(source)
    test.write_text(
        "import sys\nsys.path.insert(0, 'implicit_bias')\nfrom toy import f\ndef test(): assert f(3) == -3\n"
    )
    (tmp_path / "conftest.py").write_text((ROOT / "conftest.py").read_text("utf-8"))
    runner = Runner(tmp_path)
    noticed = {
        mutant.change: runner.notices("toy.py", mutant, ["test_toy.py"])
        for mutant in mutants(source)
        if mutant.change.startswith("min")
    }
    assert noticed == {
        "min(-x, 100) → -x": False,
        "min(-x, 100) → max(-x, 100)": True,
    }
    assert module.read_text() == source


def test_the_table_counts():
    survivor = {"line": 3, "text": "y = 2 * x", "change": "2 → 3"}
    result = {"possible": 9, "tried": 4, "noticed": 2, "slack": 1, "survivors": [survivor], "tests": []}
    text = table({"a.py": result})
    assert "| a.py | 4 | 9 | 2 | 1 | 1 |" in text
    assert "- `a.py:3`: `2 → 3` in `y = 2 * x`" in text
