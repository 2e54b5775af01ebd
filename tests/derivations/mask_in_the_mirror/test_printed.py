"""What the ledger attributes to the preprint is what it prints: formulas written out anew, hypotheses, and places."""

import math

import pytest

import derivations
from derivations.mask_in_the_mirror import PAPER, convergence, lipschitz, optimality, potential, scale, solution

PREPRINT = PAPER.citation

AT = {"x": 0.7, "u0": 1.3, "v0": 0.4, "A": 0.3, "L": 0.2}  # no two of the printed and derived constants agree here


def printed_potential(prefactor, scale, x, u0, v0):
    return prefactor * (x * math.asinh(x / scale) - math.sqrt(x**2 + scale**2) - x * math.log(u0 / v0))


def printed(x, u0, v0, A, L):
    """The formulas that are judged, each with the printed one at a point."""
    printed_scale = 2 * u0 * v0 * math.exp(-2 * A)
    product, squares, cosh, sinh = (u0**2 - v0**2) / 2, u0**2 + v0**2, math.cosh(L), math.sinh(L)
    return [
        (potential.THEOREM_2_1, printed_potential(1 / 4, 2 * u0 * v0, x, u0, v0)),
        (potential.THEOREM_3_1, printed_potential(1 / 2, printed_scale, x, u0, v0)),
        (solution.LEMMA_A_1, u0**2 * math.exp(-2 * L - 4 * A) - v0**2 * math.exp(2 * L - 4 * A)),
        (solution.HYPERBOLIC, product * 2 * cosh**2 - squares * sinh * cosh),
        (scale.LEMMA_A_2, printed_scale),
        (potential.MINIMUM, math.exp(-2 * A) * product),
        (potential.INVERSE_HESSIAN, math.sqrt(x**2 + 4 * u0**2 * v0**2)),
        (lipschitz.LIPSCHITZ, 1 / (2 * u0 * v0)),
        (potential.MINIMUM_WITHOUT_DECAY, product),
        (lipschitz.REMARK_2_1_LIPSCHITZ, 2 * u0 * v0),
        (scale.SMALL_SCALE_FACTOR, 1.0),
        (convergence.EQUATION_5, printed_scale),
        (optimality.SIGN, 1.0),
        (scale.ENTROPY_FACTOR, 1.0),  # Remark 2.1 writes the entropy without prefactor
    ]


@pytest.mark.parametrize(("stated", "value"), printed(**AT))
def test_the_judged_formula_is_the_printed_one(stated, value):
    assert float(stated.subs({s: AT[s.name] for s in stated.free_symbols})) == pytest.approx(value)


# Where the preprint prints what its entries judge; every other entry is the project's or another paper's.
PLACES = {
    "thm-2.1": "Theorem 2.1",
    "r-minimal-at-start": "after Theorem 2.1",
    "lipschitz": "after Theorem 2.1",
    "rem-2.1": "Remark 2.1",
    "rem-2.1-lipschitz": "Remark 2.1",
    "inverse-hessian": "after Theorem 2.3",
    "only-m": "section 3",
    "thm-3.1": "Theorem 3.1",
    "minimum-position": "after Theorem 3.1",
    "small-scale": "after Theorem 3.1",
    "eq-5": "Theorem 3.2, equation 5",
    "lem-a.1": "Lemma A.1",
    "lem-a.1-hyperbolic": "proof of Lemma A.1",
    "lem-a.2": "Lemma A.2",
    "lem-a.3-df": "proof of Lemma A.3",
    "eq-9": "equation 9",
    "thm-a.2": "proof of Theorem A.2",
    "lem-c.1": "Lemma C.1",
}
# Weaker forms and special cases of printed theorems, which must not read as if the printed one were judged.
NOT_JUDGED = {
    "thm-2.2": "Theorem 2.2",
    "thm-2.3": "Theorem 2.3",
    "thm-2.4": "Theorem 2.4",
    "thm-3.2": "Theorem 3.2",
    "thm-3.3": "Theorem 3.3",
    "lem-a.3": "Lemma A.3",
}


def test_entries_name_the_place_where_their_statement_is_printed():
    sources = {name: claim.source for name, claim in derivations.ledger().items()}
    assert {name for name, source in sources.items() if source.startswith(PREPRINT)} == {
        f"{PAPER.key}/{name}" for name in PLACES
    }
    for name, place in PLACES.items():
        assert sources[f"{PAPER.key}/{name}"].startswith(f"{PREPRINT}, {place}"), name


def test_entries_that_judge_another_form_say_so():
    claims = derivations.ledger()
    for name, place in NOT_JUDGED.items():
        source = claims[f"ours/{name}"].source
        assert source.startswith("this project, "), name
        assert f"{PREPRINT}, {place}" in source, name
        assert "as printed: " in source, name
        assert source.endswith("not judged)"), name


def test_hypotheses_are_the_printed_ones():
    hypotheses = {claim.id.removeprefix(f"{PAPER.key}/"): claim.hypotheses for claim in PAPER.claims}
    assert r"|w_0| < m_0" in hypotheses["thm-2.1"]
    for name in ("thm-3.1", "minimum-position", "small-scale", "eq-5"):
        assert r"|w_0| \le m_0" in hypotheses[name], name
    assert {r"w_0 = 0", r"m_0 = \sqrt{a}"} <= set(hypotheses["rem-2.1-lipschitz"])
