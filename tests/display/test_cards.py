"""Cards are well-formed, escaped and self-contained, and say what the result says."""

import re
from dataclasses import replace
from html.parser import HTMLParser

import matplotlib.pyplot as plt
import numpy as np
import pytest
import sympy as sp

import implicit_bias as ib
from implicit_bias import Correction, Outcome, Verdict
from implicit_bias.claims import Equation, Violation
from implicit_bias.shown import Shown

VOID = {"img"}
EVIL = "<script>alert('&')</script>"


class Outline(HTMLParser):
    """Text, tags and addresses of a card; fails where tags are not closed in order."""

    def __init__(self, card):
        super().__init__()
        self.open, self.tags, self.addresses, self.words = [], set(), [], ""
        self.feed(card)
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.addresses += [value for name, value in attrs if name in ("src", "href")]
        assert not [name for name, _ in attrs if name.startswith("on")]
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.words += data


@pytest.fixture(scope="module")
def mask():
    return ib.Parameterization("m*w", "m,w")


@pytest.fixture(scope="module")
def problem():
    return ib.Regression.sample(4, 12, 2, seed=0)


def proved(says="counted"):
    x = sp.Symbol("x", positive=True)
    identity = Equation((x + 1) ** 2, x**2 + 2 * x + 1, says, decided="expanded")
    return Verdict(Outcome.PROVED, says, identities=(identity,))


@pytest.fixture(scope="module")
def results(mask, problem):
    """One of every kind that has a card."""
    derivation = ib.derive(mask, "m**2 + w**2")
    claim = ib.Claim("two", r"\frac{2}{2} = 1", "arithmetic", (r"\alpha = 0", "numbers exist"), check=proved)
    entropy = ib.HyperbolicEntropy(scale=0.1)
    return {
        "parameterization": mask,
        "coupled": ib.Parameterization(["a*b", "a*c"], "a,b,c"),
        "commuting": mask.commutes_with("m**2 + w**2"),
        "not commuting": mask.commutes_with("m**2"),
        "derivation": derivation,
        "no closed form": ib.derive(ib.Parameterization("sigmoid(m)*w", "m,w"), time_limit=1),
        "hyperbolic entropy": derivation.at({"m": np.linspace(1, 2, 9), "w": np.zeros(9)}),
        "entropy": ib.Entropy(scale=2.0),
        "numerical": ib.NumericalPotential(mask, {"m": 1.0, "w": 0.5}),
        "verdict": Verdict(Outcome.REFUTED, "far", 0.5, 1e-6, {"m0": 0.75}, Correction("x = 1", proved())),
        "claim": claim,
        "ledger": ib.Ledger([claim]),
        "flow": ib.mirror_flow(problem, entropy, t=[1.0, 10.0, 1000.0]),
        "end of a flow": ib.mirror_flow(problem, entropy, t=10.0),
        "projection": ib.bregman_projection(problem, entropy),
        "infeasible": ib.bregman_projection(ib.Regression(np.ones((2, 3)), [1.0, 2.0]), entropy, throw=False),
        "training limit": ib.training_limit(problem, mask, {"m": 1.0, "w": 0.0}, step=0.01),
        "unstable": ib.training_limit(problem, mask, {"m": 1.0, "w": 0.0}, step=100.0),
        "transition": ib.transition(problem, log_scales=[5.0, -5.0, -50.0]),
        "saddles": ib.saddle_to_saddle(problem),
        "degenerate": ib.saddle_to_saddle(ib.Regression(np.ones((1, 2)), [1.0]), throw=False),
    }


KINDS = {
    "parameterization": "m",
    "coupled": "2 weights share",
    "commuting": "PROVED",
    "not commuting": "at m = 1, w = 1",
    "derivation": "11 PROVED",
    "no closed form": ".at(init) integrates the flow",
    "hyperbolic entropy": "0.5 to 2",
    "entropy": "any number",
    "numerical": "argmin R",
    "verdict": "m0 = 0.75",
    "claim": "numbers exist",
    "ledger": "Ledger of 1 claims",
    "flow": "x of shape (3, 12)",
    "end of a flow": "0 to 10",
    "projection": "KKT residual",
    "infeasible": "project y onto the range",
    "training limit": "off the flow's limit by at most",
    "unstable": "critical step",
    "transition": "log a from 5 to -50",
    "saddles": "jumps",
    "degenerate": "perturb Z",
}


@pytest.mark.parametrize("kind", KINDS)
def test_a_card_is_whole_and_needs_no_network(results, kind):
    card = results[kind]._repr_html_()
    outline = Outline(card)
    assert KINDS[kind] in " ".join(outline.words.split())
    assert outline.tags <= {"div", "strong", "table", "tr", "td", "span", "details", "summary", "small", "p", "img"} | {
        tag for tag in outline.tags if tag.startswith("m")
    }
    assert "<code>" not in card  # every formula could be typeset
    assert not re.search(r"https?:|url\(|@import|<script|<style", card)
    assert all(address.startswith("data:image/svg+xml;base64,") for address in outline.addresses)


def test_every_kind_has_a_case(results):
    assert set(results) == set(KINDS)
    shown, some = {Shown}, {base for result in results.values() for base in type(result).__mro__}
    while missing := {each for kind in shown for each in kind.__subclasses__()} - shown:
        shown |= missing
    matrices = {ib.QuadraticForms, ib.SpectralHypentropy, ib.VonNeumannEntropy}  # tested below
    public = {getattr(ib, name) for name in ib.__all__} & shown - matrices
    assert {each for each in public if not some & {each, *each.__mro__} - {*Shown.__mro__, ib.Potential}} == set()


def test_cards_leave_no_figures_behind(results):
    plt.close("all")
    for result in results.values():
        result._repr_html_()
    assert plt.get_fignums() == []


def test_pictures_stand_on_white(results):
    for kind in ("derivation", "entropy", "flow", "projection", "transition"):
        pictures = re.findall(r"<img[^>]*>", results[kind]._repr_html_())
        assert pictures
        assert all("background:#ffffff" in picture for picture in pictures)


def test_the_card_of_a_large_projection_is_small():
    n = 20_000
    limit = ib.bregman_projection(
        ib.Regression(np.linspace(0.1, 1, n)[None, :], [1.0]), ib.HyperbolicEntropy(scale=1.0)
    )
    assert len(limit._repr_html_()) < 200_000


def test_text_is_escaped():
    correction = Correction(rf"\text{{{EVIL}}}", proved(EVIL))
    verdict = Verdict(Outcome.REFUTED, EVIL, 1.0, 0.5, {EVIL: 1.0}, correction, EVIL, traceback=EVIL)
    claim = ib.Claim(EVIL, rf"\text{{{EVIL}}}", EVIL, (EVIL, rf"\unknown{{ {EVIL}"), check=lambda: verdict)
    for result in (verdict, claim, ib.Ledger([claim])):
        outline = Outline(result._repr_html_())
        assert "script" not in outline.tags
        assert EVIL in outline.words


def test_a_verdict_shows_its_identities_and_its_exact_counterexample():
    half = Violation(sp.Symbol("a"), sp.Integer(1), {"a": sp.Rational(1, 2)})
    words = Outline(Verdict(Outcome.REFUTED, "far", violation=half)._repr_html_()).words
    assert "a≠1" in words.replace(" ", "")
    assert "a=1/2" in words.replace(" ", "")
    assert "x>0" in Outline(proved()._repr_html_()).words.replace(" ", "")
    assert "1, checked by machine" in Outline(proved()._repr_html_()).words


def test_a_name_of_a_potential_is_escaped():
    class Named(ib.Entropy):
        formula = EVIL

    Named.__name__ = EVIL
    assert "<script" not in Named(scale=1.0)._repr_html_()


def test_coupled_weights_have_a_card_without_a_graph():
    forms = ib.QuadraticForms([[[0.0, 1.0], [1.0, 0.0]]], [[2.0, 0.0], [0.0, 2.0]], 0.5, theta0=[1.0, 0.2])
    outline = Outline(forms._repr_html_())
    assert "QuadraticForms" in outline.words
    assert "0.5" in outline.words


def test_potentials_of_matrices_have_a_card():
    for potential, shape in (
        (ib.VonNeumannEntropy(3, scale=0.5), "3 × 3"),
        (ib.SpectralHypentropy((2, 4), 0.5), "2 × 4"),
    ):
        outline = Outline(potential._repr_html_())
        assert type(potential).__name__ in outline.words
        assert shape in outline.words
        assert "-0.693147" in outline.words


def test_many_runs_show_the_first():
    mask = ib.Parameterization("m*w")
    runs = ib.descent(ib.Regression([[1.0, 2.0]], [2.0]), mask, {"m": 1.0, "w": 0.0}, [0.1, 0.2], 5)
    shown = runs._repr_html_()
    assert "2 runs" in Outline(shown).words
    assert runs.of_run(0)._repr_html_() in shown


def test_a_flow_that_reached_no_time_has_a_card():
    flow = ib.mirror_flow(ib.Regression([[1.0, 2.0]], [2.0]), ib.HyperbolicEntropy(scale=1.0), t=[1.0])
    nothing = {name: getattr(flow, name)[:0] for name in ("t", "x", "loss", "dual", "decay")}
    empty = replace(flow, **nothing, status=ib.Status.STEP_SIZE)
    assert "step_size" in Outline(empty._repr_html_()).words


def test_latex(mask, results):
    assert mask._repr_latex_() == "$\\displaystyle x = m w$"
    assert r"x_{2} &= a c" in results["coupled"]._repr_latex_()
    assert results["derivation"].latex() in results["derivation"]._repr_latex_()


def test_what_only_came_to_its_end_is_not_called_converged(results, problem, mask):
    """All steps of a run were made, or a flow reached its last time: whether it has arrived, the loss says."""
    few = ib.descent(problem, mask, {"m": 1.0, "w": 0.0}, step=0.01, steps=3)
    several = ib.descent(problem, mask, {"m": 1.0, "w": 0.0}, step=[0.01, 0.02], steps=3)
    for result in (few, several, results["flow"], results["end of a flow"], results["training limit"]):
        assert result.status is ib.Status.CONVERGED or result is results["training limit"]
        assert "converged" not in repr(result)
    for result in (few, several, results["flow"]):
        assert "converged" not in result._repr_html_()
    assert "all 3 were made" in few._repr_html_()
    failed = ib.descent(problem, mask, {"m": 1.0, "w": 0.0}, step=1e9, steps=9, throw=False)
    assert "not_finite" in repr(failed)
    assert "not_finite" in failed._repr_html_()
    assert repr(results["training limit"]).startswith("TrainingLimit(to second order in the step, ")
    assert repr(results["unstable"]).startswith("TrainingLimit(unstable, ")


def test_a_path_says_up_to_when_it_is_known(results):
    path = results["saddles"]
    assert path.status is ib.Status.CONVERGED
    assert f"known up to τ = {path.horizon:.3g})" in repr(path)
    assert "converged" not in repr(path) + path._repr_html_()
    assert "degenerate, known up to τ = " in repr(results["degenerate"])
    # At rest from the start, so for good.
    assert "known up to τ = inf" in repr(ib.saddle_to_saddle(ib.Regression([[2.0, 1.0]], [0.0])))


def test_reprs_fit_on_a_screen(results):
    for kind, result in results.items():
        assert len(repr(result)) < 400 or kind == "claim", kind
        assert "\n" not in repr(result)
    n = 10_000
    problem = ib.Regression(np.ones((1, n)), [1.0])
    flow = ib.mirror_flow(problem, ib.HyperbolicEntropy(scale=np.ones(n)), t=[1.0, 2.0])
    for part in ("2 records to t=2", "(2, 10000)", "last loss=", "evaluations"):
        assert part in repr(flow)
    assert len(repr(flow)) < 120
    assert "m**2 + w**2" in repr(results["derivation"])
    assert "proved" in repr(results["derivation"])
    assert "at m=1, w=1" in repr(results["not commuting"])
    assert repr(results["ledger"]) == "Ledger(1 claims: two)"
    assert "corrected: PROVED" in repr(results["verdict"])
