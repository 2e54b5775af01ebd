"""Families of paired comparisons: against SciPy's tests, Holm's procedure step by step, and by simulation."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from implicit_bias import InputError, Outcome
from implicit_bias.claims.comparison import _holm, compare, joint_verdict

p_values = st.lists(st.floats(0, 1), min_size=1, max_size=12)
samples = st.lists(st.floats(-3, 3, allow_subnormal=False).map(lambda x: round(x, 3)), min_size=2, max_size=12)


@given(p_values, st.floats(0.001, 0.2))
def test_holm_rejects_what_its_steps_reject(p, alpha):
    """Smallest first, each against alpha over the number of those left, until one is not rejected."""
    left, rejected = sorted(range(len(p)), key=lambda k: p[k]), set()
    while left and p[left[0]] <= alpha / len(left) * (1 - 1e-12):
        rejected.add(left.pop(0))
    found = {k for k, value in enumerate(_holm(np.array(p))) if value <= alpha * (1 - 1e-12)}
    assert found == rejected


@given(samples.filter(lambda values: np.ptp(values) > 1e-2), st.floats(0.1, 2))
def test_one_comparison_is_that_of_scipy(values, margin):
    """Student's test for the mean, and two one-sided ones for equivalence."""
    (found,) = compare({"one": values}, margin).values()
    test = stats.ttest_1samp(values, 0.0)
    assert found.p_larger == pytest.approx(test.pvalue, rel=1e-9, abs=1e-12)
    low, high = test.confidence_interval(0.95)
    assert (found.mean - found.half_width, found.mean + found.half_width) == pytest.approx((low, high))
    expected = Outcome.INCONCLUSIVE if low <= 0 <= high else Outcome.SUPPORTED if low > 0 else Outcome.REFUTED
    assert found.larger is expected or abs(test.pvalue - 0.05) < 1e-9
    inside = max(
        stats.ttest_1samp(values, -margin, alternative="greater").pvalue,
        stats.ttest_1samp(values, margin, alternative="less").pvalue,
    )
    beyond = 2 * min(
        stats.ttest_1samp(values, -margin, alternative="less").pvalue,
        stats.ttest_1samp(values, margin, alternative="greater").pvalue,
    )
    assert found.p_equivalent == pytest.approx(min(1.0, 2 * min(inside, beyond)), rel=1e-9, abs=1e-12)
    if found.equivalent is Outcome.SUPPORTED:
        assert max(abs(low), abs(high)) < margin
    if found.equivalent is Outcome.REFUTED:
        assert min(abs(low), abs(high)) > margin


@given(samples, st.floats(0.1, 2), st.floats(0.1, 10))
def test_sign_and_units_do_not_matter(values, margin, unit):
    (found,) = compare({"one": values}, margin).values()
    (other,) = compare({"one": [-unit * value for value in values]}, unit * margin).values()
    assert other.mean == pytest.approx(-unit * found.mean, rel=1e-9, abs=1e-12)
    swapped = {Outcome.SUPPORTED: Outcome.REFUTED, Outcome.REFUTED: Outcome.SUPPORTED}
    if abs(found.p_larger - 0.05) > 1e-6:
        assert other.larger is swapped.get(found.larger, found.larger)
    if abs(found.p_equivalent - 0.05) > 1e-6:
        assert other.equivalent is found.equivalent


@pytest.mark.parametrize("correlation", [0.0, 0.9])
def test_a_family_is_rarely_wrong_about_anything(correlation):
    """28 comparisons of 20 pairs whose truth is known: mean 0, the margin itself, and a clear difference."""
    random, families, wrong = np.random.default_rng(0), 300, np.zeros(2)
    truth = np.array([0.0] * 10 + [0.5] * 9 + [-0.5] * 8 + [2.0])
    for _ in range(families):
        common = random.standard_normal((1, 20))
        own = random.standard_normal((len(truth), 20))
        noise = np.sqrt(correlation) * common + np.sqrt(1 - correlation) * own
        found = compare({str(k): m + each for k, (m, each) in enumerate(zip(truth, noise, strict=True))}, margin=0.5)
        errors = np.zeros(2, dtype=bool)
        for m, each in zip(truth, found.values(), strict=True):
            errors[0] |= (each.larger is Outcome.SUPPORTED and m <= 0) or (each.larger is Outcome.REFUTED and m >= 0)
            # At the margin neither is true of what is beyond it, so both decisions are errors.
            errors[1] |= each.equivalent is not Outcome.INCONCLUSIVE and abs(m) == 0.5
        wrong += errors
    # Three standard deviations of a share of 5 % in so many families.
    assert np.all(wrong / families <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / families))
    # The tests are no better than they should be for nothing: a single clear difference is always found.
    assert found["27"].larger is Outcome.SUPPORTED
    assert found["27"].equivalent is Outcome.REFUTED


@pytest.mark.parametrize("values", [[1.0], [0.7] * 5, [0.1 + 0.2, 0.3, 0.3], [0.0, 0.0]])
def test_without_a_spread_nothing_is_decided(values):
    (found,) = compare({"one": values}, 0.5).values()
    assert (found.larger, found.equivalent) == (Outcome.INCONCLUSIVE, Outcome.INCONCLUSIVE)
    assert found.p_larger == found.p_equivalent == 1.0


@pytest.mark.parametrize("unit", [1e-300, 1e-200, 1e200, 1e307])
def test_numbers_of_any_size(unit):
    values = [1.0, 1.5, 1.2, 1.4]
    (found,) = compare({"one": [unit * value for value in values]}, unit * 3).values()
    (usual,) = compare({"one": values}, 3.0).values()
    assert found.p_larger == pytest.approx(usual.p_larger)
    assert found.p_equivalent == pytest.approx(usual.p_equivalent)
    assert found.half_width == pytest.approx(unit * usual.half_width)
    (small,) = compare({"one": [1e-200 * value for value in values]}, 0.5).values()
    assert small.equivalent is Outcome.SUPPORTED


def test_verdicts():
    found = compare(
        {"more": [1.1, 0.9, 1.3, 1.2], "less": [-1.1, -0.9, -1.3, -1.2], "same": [0.1, -0.1, 0.0, 0.1]}, 0.5
    )
    more = found["more"].verdict("mask minus dense")
    assert more.outcome is Outcome.SUPPORTED
    assert more.evidence == f"mask minus dense: +1.12 ± 0.27 over 4 pairs, adjusted p = {found['more'].p_larger:.2g}."
    less = found["less"].verdict("mask minus dense")
    assert less.outcome is Outcome.REFUTED
    assert less.counterexample["mean"] == pytest.approx(-1.125)
    same = found["same"].verdict("mask minus PILoT", of_equivalence=True)
    assert same.outcome is Outcome.SUPPORTED
    assert "within ± 0.5: +0.025" in same.evidence
    assert found["more"].verdict("x", of_equivalence=True).outcome is Outcome.REFUTED
    assert found["same"].verdict("x").outcome is Outcome.INCONCLUSIVE


@given(
    st.lists(st.sampled_from(["ahead", "equal", "behind", "wide"]), min_size=1, max_size=4),
    st.booleans(),
)
def test_together_they_hold_if_each_does_and_fail_if_one_does(kinds, of_equivalence):
    ways = {
        "ahead": [2.0, 2.01, 1.99, 2.02],
        "equal": [0.01, -0.01, 0.012, -0.012],
        "behind": [-2.0, -2.01, -1.99, -2.02],
        "wide": [3.0, -3.0, 1.0, -1.0],
    }
    found = compare({f"{k} {kind}": ways[kind] for k, kind in enumerate(kinds)}, 0.5)
    verdict = joint_verdict(found, "One minus other", of_equivalence=of_equivalence)
    good, bad = ({"equal"}, {"ahead", "behind"}) if of_equivalence else ({"ahead"}, {"behind"})
    expected = Outcome.REFUTED if bad & {*kinds} else Outcome.SUPPORTED if {*kinds} <= good else Outcome.INCONCLUSIVE
    assert verdict.outcome is expected
    assert bool(verdict.counterexample) == (expected is Outcome.REFUTED)
    assert all(name in verdict.evidence for name in found)
    p = float(verdict.evidence.split("adjusted p = ")[1].rstrip("."))
    assert (p <= 0.05) == (expected is not Outcome.INCONCLUSIVE)


def test_a_family_asks_more_of_each_comparison():
    values = [0.9, 0.1, 0.6, 0.2, 0.8]
    alone = compare({"one": values}, 0.5)["one"]
    among = compare({"one": values} | {f"null {k}": [-1.0, 1.0, 0.3, -0.2] for k in range(9)}, 0.5)["one"]
    assert among.p_larger == pytest.approx(min(1.0, 10 * alone.p_larger))
    assert alone.larger is Outcome.SUPPORTED
    assert among.larger is Outcome.INCONCLUSIVE


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (({}, 0.5), "one comparison or more"),
        (([1.0, 2.0], 0.5), "one comparison or more"),
        (({"a": []}, 0.5), r"differences\['a'\]"),
        (({"a": [1.0, np.nan]}, 0.5), r"differences\['a'\]"),
        (({"a": [[1.0, 2.0]]}, 0.5), r"differences\['a'\]"),
        (({"a": [1.0, 2.0]}, 0.0), "margin"),
        (({"a": [1.0, 2.0]}, 0.5, 1.0), "confidence: expected a number in"),
        (({"a": [1.0, 2.0]}, 0.5, 0.05), "confidence: expected a number in"),
    ],
)
def test_bad_input(arguments, message):
    *given, confidence = arguments if len(arguments) == 3 else (*arguments, 0.95)
    with pytest.raises(InputError, match=message):
        compare(*given, confidence=confidence)


def test_nothing_has_no_joint_verdict():
    with pytest.raises(InputError, match="found: expected one comparison or more"):
        joint_verdict({}, "One minus other")
