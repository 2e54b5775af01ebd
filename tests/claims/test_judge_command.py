"""``implicit-bias judge`` in a terminal: formulas as text, folded to its width."""

import re

import pytest
from typer.testing import CliRunner

from implicit_bias.cli import app

PAPER = r"""
import implicit_bias as ib
import sympy as sp
from implicit_bias.claims import judge

x, y = sp.symbols("x y", positive=True)
paper = ib.Paper("long", "A long title", "A. Author", "2601.00001", 1)

@paper.claim("wrong", statement=ib.Statement(r"\nabla R(x) = ", sp.sqrt(x**2 + y) / 2), source="Theorem 1")
def wrong(statement):
    right = ib.Correction(r"\nabla R(x) = \frac{x}{2} + \sqrt{y}", judge.prove("So.", stated=(x**2, x * x)))
    return judge.prove("So.", stated=(statement.formula, x / 2), correction=right)

@paper.claim("words", statement=r"\text{the long run } t \to \infty", source="Section 2; " + "in many words " * 8)
def words():
    return judge.from_residual(1e-9, 1e-6, "It was measured at x̄ and γ̃, ṽ, q̂″. " * 20, tolerance_reason="rounding")
"""


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    path = tmp_path_factory.mktemp("paper") / "paper.py"
    path.write_text(PAPER, encoding="utf-8")
    results = {}

    def judged(columns):
        if columns not in results:
            results[columns] = CliRunner().invoke(app, ["judge", str(path)], env={"COLUMNS": str(columns)})
        return results[columns].stdout

    return judged


@pytest.mark.parametrize("columns", [50, 80])
def test_no_line_is_longer_than_the_terminal(run, columns):
    output = run(columns)
    assert max(map(len, output.splitlines())) <= columns
    assert all(line == line.rstrip() for line in output.splitlines())


def test_formulas_are_text_and_a_correction_says_whether_it_was_shown(run):
    output = re.sub(r"\s+", " ", run(80))
    assert "\\" not in output
    assert "REFUTED long/wrong, Theorem 1 ∇R(x) = √(x² + y)/2 " in output
    assert "fails at x = 1, y = 1" in output
    assert "proposed instead, but not shown: ∇R(x) = x/2 + √y INCONCLUSIVE " in output
    assert "SUPPORTED long/words, Section 2; in many words" in output
    assert "the long run t → ∞ It was measured at" in output
    assert "2 claims: 1 SUPPORTED, 1 REFUTED Without a formula" in output


@pytest.mark.parametrize("seconds", ["0", "-1", "nan", "inf", "1e400"])
def test_a_time_that_no_timer_takes(seconds):
    result = CliRunner().invoke(app, ["judge", "implicit_bias.claims.example_paper", "--seconds", seconds])
    assert result.exit_code == 2
    assert "--seconds" in result.stderr
    assert "Traceback" not in result.stderr
