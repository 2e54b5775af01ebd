"""The ledger: every statement is judged, the verdicts match the recorded ones, counterexamples can be run again."""

import json

import pytest
from typer.testing import CliRunner

import derivations
from derivations.mask import REFUTED_ABOVE, Instance
from implicit_bias import Outcome
from implicit_bias.claims import outcomes


@pytest.fixture(scope="module")
def verdicts():
    return {name: claim.verdict() for name, claim in derivations.ledger().items()}


def test_verdicts_are_the_recorded_ones(verdicts):
    assert outcomes(verdicts) == derivations.recorded()


def test_the_issue_of_constants_is_found(verdicts):
    refuted = {name for name, verdict in verdicts.items() if verdict.outcome is Outcome.REFUTED}
    assert refuted == {"thm-2.1", "thm-3.1", "lem-a.1", "lem-a.2", "minimum-position", "inverse-hessian"}
    for name in refuted:
        assert verdicts[name].correction.verdict.outcome is Outcome.PROVED
        assert verdicts[name].residual > REFUTED_ABOVE


def test_counterexamples_reproduce_from_their_numbers(verdicts):
    from derivations.lemma_a_1 import STATED

    numbers = verdicts["lem-a.1"].counterexample
    fields = ("m0", "w0", "target", "alpha", "time")
    end = Instance(**{name: numbers[name] for name in fields}).end()
    stated = float(STATED.subs({s: end[s.name] for s in STATED.free_symbols}))
    assert abs(stated - end["x"]) == pytest.approx(numbers["deviation"], rel=1e-9)


def test_a_true_formula_is_not_refuted():
    """The judge says PROVED when it is handed the derived formula as the stated one."""
    from derivations.mask import derived, in_uv, judge, mirror_residual

    true = in_uv(derived().potential)
    verdict = judge(true, true, "", mirror_residual, "measure", Instance(alpha=0.25))
    assert verdict.outcome is Outcome.PROVED


def test_a_broken_reference_is_inconclusive():
    """If the trajectory does not confirm the derived formula either, nothing is refuted."""
    from derivations.mask import derived, in_uv, judge, x

    true = in_uv(derived().potential)
    verdict = judge(true + x**2, true, "", lambda value, end, formula: 1.0, "measure", Instance())
    assert verdict.outcome is Outcome.INCONCLUSIVE


def test_limits_would_notice_a_wrong_potential(verdicts):
    """The projection with the preprint's scale misses the flow's end by far more than the tolerance."""
    from derivations.mask import derived
    from derivations.optimality import TOLERANCE, _distance, _start
    from implicit_bias import HyperbolicEntropy, Regression, gradient_flow

    problem = Regression.sample(15, 30, 3, seed=7)
    init = _start(problem.truth / 10)
    end = gradient_flow(problem, derived().parameterization, init, [400.0]).x[-1]
    right = derived().at(init)
    wrong = HyperbolicEntropy(scale=2 * right.scale, shift=right.shift)
    assert _distance(end, problem, right) < TOLERANCE
    assert _distance(end, problem, wrong) > 1e-3


class TestCommandLine:
    @pytest.fixture
    def run(self):
        import typer

        from derivations.__main__ import main

        app = typer.Typer()
        app.command()(main)
        return lambda *args: CliRunner().invoke(app, args)

    def test_agreement_exits_with_zero_and_shows_the_counterexample(self, run):
        result = run("lem-a.1")
        assert result.exit_code == 0
        assert "REFUTED" in result.output
        assert "fails at" in result.output

    def test_a_changed_record_exits_with_one(self, run, monkeypatch, tmp_path):
        path = tmp_path / "recorded.json"
        path.write_text(json.dumps({**derivations.recorded(), "only-m": "SUPPORTED"}))
        monkeypatch.setattr(derivations, "RECORD", path)
        result = run("only-m")
        assert result.exit_code == 1
        assert "recorded SUPPORTED, found PROVED" in result.output

    def test_unknown_id_exits_with_two(self, run):
        assert run("thm-9.9").exit_code == 2
