"""The preprint's statements on convergence, rates and limits as it prints them: formulas, places and hypotheses."""

import math

import pytest

import derivations
from derivations.mask_in_the_mirror import PAPER
from implicit_bias import Outcome

MODULES = ("convergence", "optimality", "proof_of_lemma_a_3", "rates")  # the modules of these entries


def judged():
    """The claims of the preprint in these modules."""
    prefix = f"{derivations.__name__}.{PAPER.key.replace('-', '_')}."
    return [claim for claim in derivations.ledger().values() if claim.module in {prefix + name for name in MODULES}]


# One number for each symbol, at which no two formulas agree that could be confused.
AT = {
    "x": 0.7, "u0": 1.3, "v0": 0.4, "A": 0.3, "a": 0.6, "alpha": 0.45, "slope": 1.7, "lambda": 1.1, "sigma": 0.55,
    "t": 1.9, "F_0": 2.3, "C": 1.2, "X": 0.8, "Y": 0.35, "a_oo": 0.25, "A_oo": 0.65, "mu": 1.4, "D": 0.95, "Z": 0.75,
    "nu": 0.85,
}  # fmt: skip


def printed_potential(prefactor, scale):
    x, shift = AT["x"], math.log(AT["u0"] / AT["v0"])
    return prefactor * (x * math.asinh(x / scale) - math.sqrt(x**2 + scale**2) - x * shift)


def printed():
    """The values of the formulas of each entry that has some, in their order."""
    at, uv = AT, AT["u0"] * AT["v0"]
    linear = math.exp(-at["sigma"] * at["lambda"] * at["t"])
    exponent = at["C"] * at["X"] * at["A_oo"] - at["lambda"] * at["a_oo"] * at["t"]
    bound, last = at["F_0"] * math.exp(exponent), 2 * uv * math.exp(-2 * at["A_oo"])
    change = math.hypot(at["x"], at["a"]) * at["slope"] ** 2 + 2 * at["alpha"] * at["x"] * at["slope"]
    equation_2 = printed_potential(1 / 4, 2 * uv)
    return {
        "thm-2.3": [linear],
        "thm-2.3-of-eq-2": [linear, equation_2],
        "eq-5": [bound, last],
        "thm-a.1": [bound, last],
        "lem-a.3-df": [-change],
        "lem-a.3-distance": [at["mu"] / 2 * at["D"]],
        "rem-3.1": [at["C"] * at["X"] - at["Y"] ** 2],
        "thm-2.4-of-eq-2": [equation_2],
        "thm-3.3-of-thm-3.1": [printed_potential(1 / 2, 2 * uv * math.exp(-2 * at["A"]))],
        "thm-a.2": [at["Z"] * at["nu"]],
    }


@pytest.mark.parametrize(("name", "values"), printed().items())
def test_the_stated_formulas_are_the_printed_ones(name, values):
    formulas = derivations.ledger()[f"{PAPER.key}/{name}"].statement.formulas
    assert [float(f.subs({s: AT[s.name] for s in f.free_symbols})) for f in formulas] == pytest.approx(values)


PLACES = {
    "thm-2.2": "Theorem 2.2",
    "thm-2.3": "Theorem 2.3",
    "thm-2.3-of-eq-2": "Theorem 2.3, with the R of equation 2",
    "thm-2.4": "Theorem 2.4",
    "thm-2.4-of-eq-2": "Theorem 2.4, with the R of equation 2",
    "thm-3.2": "Theorem 3.2",
    "thm-3.2-balanced": "Theorem 3.2 where",
    "eq-5": "Theorem 3.2, equation 5",
    "rem-3.1": "Remark 3.1",
    "thm-3.3": "Theorem 3.3",
    "thm-3.3-of-thm-3.1": "Theorem 3.3, with the R_{a_t} printed in Theorem 3.1",
    "lem-a.3": "Lemma A.3",
    "lem-a.3-df": "proof of Lemma A.3",
    "lem-a.3-strength": "proof of Lemma A.3",
    "lem-a.3-distance": "end of the proof of Lemma A.3",
    "thm-a.1": "Theorem A.1",
    "thm-a.2": "proof of Theorem A.2",
}


def test_every_entry_has_its_place():
    entries = {claim.id.partition("/")[2]: claim.source for claim in judged()}
    assert entries.keys() == PLACES.keys()
    for name, place in PLACES.items():
        assert entries[name].startswith(f"{PAPER.citation}, {place}"), name


def test_hypotheses_are_the_printed_ones():
    hypotheses = {claim.id.partition("/")[2]: " ".join(claim.hypotheses) for claim in judged()}
    for name in ("thm-2.2", "thm-2.3", "thm-3.2", "eq-5", "lem-a.3", "thm-a.1"):
        assert r"f \text{ quasi-convex, } \nabla f \text{ locally Lipschitz" in hypotheses[name], name
    for name in ("thm-3.2-balanced", "eq-5", "thm-a.1"):
        assert r"|w_0| \le m_0" in hypotheses[name], name
    for name in ("thm-3.2", "eq-5", "lem-a.3", "thm-3.3"):
        assert r"\alpha_t \ge 0, \; A_\infty < \infty" in hypotheses[name], name
    for name in ("thm-2.3", "eq-5", "thm-a.1"):
        assert r"\|\nabla f\|_2^2 \ge \lambda (f - f(x^*))" in hypotheses[name], name
    for name in ("thm-2.4", "thm-3.3"):
        assert r"f(x) = \tilde f(Zx - Y), \ n > d" in hypotheses[name], name


def test_what_is_refuted_as_printed():
    """They are equation 5, its twin, three steps of a proof, a sign, an edge case and three theorems on a printed R."""
    entries = [claim.id for claim in judged()]
    verdicts = derivations.ledger().run(entries).verdicts
    outcomes = {name.partition("/")[2]: verdicts[name].outcome for name in entries}
    refuted = {name for name, outcome in outcomes.items() if outcome is Outcome.REFUTED}
    assert refuted == {
        "eq-5",
        "thm-a.1",
        "lem-a.3-df",
        "lem-a.3-strength",
        "lem-a.3-distance",
        "thm-a.2",
        "thm-3.2-balanced",
        "thm-2.3-of-eq-2",
        "thm-2.4-of-eq-2",
        "thm-3.3-of-thm-3.1",
    }
    assert {outcome for name, outcome in outcomes.items() if name not in refuted} == {Outcome.ARGUED}
