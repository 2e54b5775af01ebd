"""How formulas and constants of the preprint are judged: nothing is refuted without a reference that holds."""

import numpy as np
from hypothesis import strategies as st

from derivations.mask_in_the_mirror.judging import Violation, judge, judge_constant, mirror_residual
from derivations.mask_in_the_mirror.setting import derived, in_uv, u0, x
from derivations.mask_in_the_mirror.trajectory import Instance, instances
from implicit_bias import Outcome, Verdict
from implicit_bias.claims.judge import quarters


def test_a_true_formula_is_not_refuted():
    """The judge says PROVED when it is handed the derived formula as the stated one."""
    true = in_uv(derived().potential)
    verdict = judge(true, true, "", mirror_residual, "measure", instances(alpha=quarters(0, 1)))
    assert verdict.outcome is Outcome.PROVED


def test_a_broken_reference_is_inconclusive():
    """If the trajectory does not confirm the derived formula either, nothing is refuted."""
    true = in_uv(derived().potential)
    verdict = judge(true + x**2, true, "", lambda value, end, formula: 1.0, "measure", instances())
    assert verdict.outcome is Outcome.INCONCLUSIVE


def test_a_constant_is_refuted_only_against_a_proof_and_by_a_violation():
    proved, open_question = Verdict(Outcome.PROVED, ""), Verdict(Outcome.INCONCLUSIVE, "")

    def outcome(proof, excess, stated=u0):
        found = Violation(excess, "", {"excess": excess})
        return judge_constant(stated, 2 * u0, proof, "", lambda _: found, st.just(0)).outcome

    assert outcome(proved, 1.0) is Outcome.REFUTED
    assert outcome(proved, -1.0) is Outcome.INCONCLUSIVE
    assert outcome(proved, float("nan")) is Outcome.INCONCLUSIVE
    assert outcome(open_question, 1.0) is Outcome.INCONCLUSIVE
    assert outcome(proved, 1.0, stated=2 * u0) is Outcome.PROVED


def test_the_decay_of_an_instance_ends_when_it_says():
    """The conserved quantity measures the decay that the integrator really applied."""
    instance = Instance(w0=0.5, alpha=0.25, off=1.0, time=3.0)
    found_m, found_w, _ = instance.path(np.array([0.0, 0.5, 1.0, 2.0, 3.0]))
    applied = np.log(0.75 / (found_m**2 - found_w**2)) / 4
    np.testing.assert_allclose(applied, [0, 0.125, 0.25, 0.25, 0.25], atol=1e-10)
    assert instance.end()["A"] == 0.25
    assert instance.end()["alpha"] == 0.0
