"""The errata in docs are those of the saved ledger."""

import pytest
import sympy as sp

import derivations
from derivations import errata
from implicit_bias import Correction, Ledger, Paper, Statement
from implicit_bias.claims import judge
from implicit_bias.errors import InputError

size = sp.Symbol("m0", positive=True)
paper = Paper("mirror", "Mirrors", "A. Author", "2601.00001", 2)
ours = Paper("ours", "this project", "")


@paper.claim("scale", statement=Statement("|a| = ", 2 * size), source="Lemma 2; with its proof")
def scale(statement):
    right = judge.prove("Hyperbolic.", (size * sp.cosh(size) ** 2 - size * sp.sinh(size) ** 2, size))
    return judge.prove("So.", stated=(statement.formula, size), correction=Correction(r"\|a\| = m_0", right))


@paper.claim("long", statement=Statement("a = ", sum(k * size**k for k in range(1, 60))), source="Lemma 3")
def long(statement):
    return judge.prove("So.", stated=(statement.formula, size))


@paper.claim("open", statement=Statement("a = ", 5 * size), source="Lemma 4")
def open_correction(statement):
    open_proof = judge.prove("So.", stated=(size * size, size**2))
    return judge.prove("So.", stated=(statement.formula, size), correction=Correction("a = m_0^7", open_proof))


@ours.claim("own", statement=Statement("a = ", 3 * size))
def own(statement):
    return judge.prove("So.", stated=(statement.formula, size))


@pytest.fixture(scope="module")
def part():
    return errata.errata(Ledger([*paper.claims, *ours.claims], papers=[paper, ours]).run())


def test_the_errata_are_as_the_saved_ledger_has_it():
    text = errata.ERRATA.read_text(encoding="utf-8")
    assert errata.replaced(text, errata.errata(Ledger.load(derivations.SAVED))) == text, "python -m derivations.errata"


def test_the_guide_is_as_the_saved_ledger_has_it():
    text = errata.GUIDE.read_text(encoding="utf-8")
    assert errata.replaced(text, errata.contents(Ledger.load(derivations.SAVED))) == text, (
        "python -m derivations.errata"
    )
    assert "[Mask in the Mirror: Implicit Sparsification](../figures/ledger/mask-in-the-mirror.html), Jacobs" in text


def test_every_printed_statement_that_is_refuted_is_listed(part):
    assert (
        "- **[Lemma 2](../figures/ledger/mirror.html#mirror/scale)**\n  - printed: $`|a| = 2 m_{0}`$\n"
        "  - holds instead: $`\\|a\\| = m_0`$\n  - fails at $`m_{0} = 1`$\n"
    ) in part
    assert (
        "- printed: [in the ledger](../figures/ledger/mirror.html#mirror/long)\n  - holds instead: not known\n" in part
    )
    assert "- printed: $`a = 5 m_{0}`$\n  - holds instead: not known\n" in part  # proposed, but not shown
    assert part.count("m_{0} = 1") == 3  # the project's own one is only counted
    assert "## Mirrors\n\nA. Author (arXiv:2601.00001v2)\n" in part


def test_what_is_refuted_comes_first(part):
    """Whoever opens the page sees errata, and how they were counted after them."""
    assert part.index("Lemma 2") < part.index("## How many claims have which verdict") < part.index("this project")
    assert part.lstrip().startswith("## Mirrors")


def test_claims_are_counted_by_paper_and_verdict(part):
    counted = part.partition("## How many claims have which verdict")[2].splitlines()
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in counted if line.startswith("|")]
    assert rows[0] == ["claims of", "printed places", "claims", "REFUTED"]
    assert rows[2:4] == [["Mirrors", "3", "3", "3"], ["this project", "–", "1", "1"]]
    assert all(len(row) == 4 for row in rows)


def test_what_stands_around_the_marks_stays(part, tmp_path):
    text = f"before\n{errata.BEGIN}\nan earlier part\n{errata.END}\nafter\n"
    written = errata.replaced(text, part)
    assert written.startswith("before\n")
    assert written.endswith("\nafter\n")
    assert "an earlier part" not in written
    assert errata.replaced(written, part) == written
    with pytest.raises(InputError, match="Expected the lines"):
        errata.replaced("no marks", part)
