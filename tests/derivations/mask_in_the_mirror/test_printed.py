"""The ledger attributes to the preprint exactly what it prints: formulas written out anew, hypotheses, and places."""

import math

import pytest

import derivations
from derivations.mask_in_the_mirror import PAPER
from implicit_bias import Outcome

PREPRINT = PAPER.citation

# No two of the printed and derived constants agree here.
AT = {"x": 0.7, "u0": 1.3, "v0": 0.4, "A": 0.3, "L": 0.2, "a": 0.6, "m": 0.9, "w": 0.35, "w1": 0.35, "w2": -0.8}


def printed_potential(prefactor, scale):
    x, shift = AT["x"], math.log(AT["u0"] / AT["v0"])
    return prefactor * (x * math.asinh(x / scale) - math.sqrt(x**2 + scale**2) - x * shift)


def printed():
    """The values of the formulas of each entry, in their order."""
    x, u0, v0, A, L, a, m, w = (AT[name] for name in ("x", "u0", "v0", "A", "L", "a", "m", "w"))
    uv, start, cosh, sinh = u0 * v0, (u0**2 - v0**2) / 2, math.cosh(L), math.sinh(L)
    equation_2, theorem_3_1 = printed_potential(1 / 4, 2 * uv), printed_potential(1 / 2, 2 * uv * math.exp(-2 * A))
    inverse_hessian = math.sqrt(x**2 + 4 * uv**2)
    lemma_a_1 = u0**2 * math.exp(-2 * L - 4 * A) - v0**2 * math.exp(2 * L - 4 * A)
    entropy, norm = x * math.asinh(x / a) - math.sqrt(x**2 + a**2), math.log(1 / a) * x
    equation_9 = -(x**2 * a + a**3) / (2 * a**2 * math.sqrt(a**2 + x**2))
    return {
        "thm-2.1": [equation_2],
        "thm-2.1-bregman": [equation_2],
        "r-minimal-at-start": [start, equation_2],
        "lipschitz": [1 / (2 * uv), equation_2],
        "lipschitz-of-eq-2": [1 / (2 * uv), equation_2],
        "rem-2.1-entropy": [equation_2, entropy],
        "rem-2.1": [entropy, norm],
        "rem-2.1-lipschitz": [a],
        "inverse-hessian": [inverse_hessian],
        "inverse-hessian-of-eq-2": [inverse_hessian, equation_2],
        "sigma": [2 * uv],
        "scaling": [0.0],
        "scaling-better": [1.0],
        "commutes": [m * w, m**2 + w**2],
        "thm-3.1": [theorem_3_1],
        "thm-2.1-thm-3.1": [equation_2, printed_potential(1 / 2, 2 * uv)],
        "minimum-position": [math.exp(-2 * A) * start],
        "minimum-of-thm-3.1": [math.exp(-2 * A) * start, theorem_3_1],
        "small-scale": [printed_potential(1 / 2, a), norm],
        "lem-a.1": [lemma_a_1],
        "lem-a.1-hyperbolic": [start * 2 * cosh**2 - (u0**2 + v0**2) * sinh * cosh],
        "before-lem-a.2": [printed_potential(1 / 2, a)],
        "lem-a.2": [2 * uv * math.exp(-2 * A)],
        "lem-a.2-proof": [lemma_a_1, 2 * uv * math.exp(-2 * A)],
        "eq-9": [equation_9],
        "eq-9-signs": [equation_9],
        "lem-c.1": [m * AT["w1"], m * AT["w2"]],
    }


@pytest.mark.parametrize(("name", "values"), printed().items())
def test_the_stated_formulas_are_the_printed_ones(name, values):
    formulas = derivations.ledger()[f"{PAPER.key}/{name}"].statement.formulas
    found = [float(formula.subs({s: AT[s.name] for s in formula.free_symbols})) for formula in formulas]
    assert found == pytest.approx(values)


# The places of the preprint whose statements are judged on potentials, scales, solutions and brackets, with the
# entries that judge them.
PLACES = {
    "Theorem 2.1 and equation 2": ["thm-2.1"],
    "Theorem 2.1, on the R of equation 2": ["thm-2.1-bregman"],
    "after Theorem 2.1, with the R of equation 2": ["r-minimal-at-start"],
    "after Theorem 2.1, as a bound": ["lipschitz"],
    "after Theorem 2.1, as the least constant": ["lipschitz-of-eq-2"],
    "Remark 2.1, on equation 2 and the hyperbolic entropy": ["rem-2.1-entropy"],
    "Remark 2.1, on the entropy without prefactor": ["rem-2.1"],
    "Remark 2.1, last line": ["rem-2.1-lipschitz"],
    "after Theorem 2.3": ["inverse-hessian", "inverse-hessian-of-eq-2", "sigma"],
    "section 2, end": ["scaling", "scaling-better"],
    "section 3": ["commutes", "only-m"],
    "Theorem 3.1": ["thm-3.1"],
    "Theorem 2.1 beside Theorem 3.1": ["thm-2.1-thm-3.1"],
    "after Theorem 3.1": ["minimum-position", "minimum-of-thm-3.1", "small-scale"],
    "Lemma A.1": ["lem-a.1"],
    "proof of Lemma A.1": ["lem-a.1-hyperbolic"],
    "before Lemma A.2": ["before-lem-a.2"],
    "Lemma A.2": ["lem-a.2"],
    "proof of Lemma A.2": ["lem-a.2-proof"],
    "equation 9, the derivative": ["eq-9"],
    "equation 9, the signs": ["eq-9-signs"],
    "Theorem C.1": ["thm-c.1"],
    "Lemma C.1": ["lem-c.1"],
}
MODULES = ("commuting", "lipschitz", "potential", "scale", "solution")  # in which these entries stand


@pytest.mark.parametrize(("place", "names"), PLACES.items())
def test_every_place_has_its_entries(place, names):
    claims = derivations.ledger()
    for name in names:
        assert claims[f"{PAPER.key}/{name}"].source.startswith(f"{PREPRINT}, {place}"), name


def test_every_entry_has_its_place():
    entries = {claim.id for claim in PAPER.claims if claim.module.rpartition(".")[2] in MODULES}
    assert entries == {f"{PAPER.key}/{name}" for names in PLACES.values() for name in names}


def test_entries_that_judge_another_form_say_so():
    claims = derivations.ledger()
    for name in ("potential", "minimum", "lipschitz", "weight-hyperbolic", "neuron-bracket"):
        source = claims[f"ours/{name}"].source
        assert source.startswith("this project, "), name
        assert PREPRINT in source, name


def test_hypotheses_are_the_printed_ones():
    hypotheses = {claim.id.removeprefix(f"{PAPER.key}/"): claim.hypotheses for claim in PAPER.claims}
    for name in ("thm-2.1", "r-minimal-at-start", "lipschitz"):
        assert r"|w_0| < m_0" in hypotheses[name], name
    for name in ("thm-3.1", "minimum-position", "small-scale"):
        assert r"|w_0| \le m_0" in hypotheses[name], name
    for name in ("rem-2.1-entropy", "rem-2.1-lipschitz"):
        assert {r"w_0 = 0", r"m_0 = \sqrt{a}"} <= set(hypotheses[name]), name


def test_a_statement_that_only_words_carry_is_not_judged():
    assert derivations.ledger()["mask-in-the-mirror/thm-c.1"].verdict().outcome is Outcome.INCONCLUSIVE
