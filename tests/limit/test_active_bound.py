"""Each term of the bound for few active weights, by itself, as in :mod:`test_error_bound`."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from small_systems import PRODUCT, Quadratic, U, between, coarse, coarse_products, conditions, evaluation

from implicit_bias.limit import error_bound as module
from implicit_bias.linear_map import DenseMap
from implicit_bias.potential import Entropy

SLOPES = np.array([0.25, 0.5])


class Kinked(Quadratic):
    """R is quadratic in the first weight; the others cost a slope times their distance from zero, like an L1 norm."""

    def __init__(self):
        super().__init__(np.array([1.0, 1e-300, 1e-300]))

    def divergence_terms_at(self, x, y):
        return np.array([(x[0] - y[0]) ** 2 / 2, *(SLOPES * np.abs(x[1:] - y[1:]))])

    def gradient_at(self, x):
        return np.array([x[0], *(SLOPES * np.sign(x[1:]))])

    def separation(self, x, gap):
        return np.array([math.sqrt(2 * gap), *(gap / SLOPES)])


def active(rows, gap=1e-4, *, moved=(0.0, 0.0, 0.0), residual=0.0, potential=None, **at):
    potential = potential or Kinked()
    at = evaluation(len(rows.y), 3, metric=potential.m, **at)
    residual = np.full(len(rows.y), residual)
    return module._active_bound(rows, potential, at, gap, np.array(moved), residual)


LEVER = conditions([[4.0, 0.8, 0.6]])
TOTAL = math.sqrt(16 + 0.64 + 0.36)


def test_inactive_weights_share_the_gap_and_the_active_one_follows():
    # The gap lets the first inactive weight move by 1e-4 / 0.25, or the second by 1e-4 / 0.5. Either moves the active
    # one by its entry over 4.
    alone = 1e-4 / 0.25
    pull = max(0.8 / 0.25, 0.6 / 0.5) * 1e-4 / 4
    between(active(LEVER), alone + pull, 0.02)
    steep = conditions([[4.0, 0.2, 1.8]])
    pull = max(0.2 / 0.25, 1.8 / 0.5) * 1e-4 / 4
    between(active(steep), alone + pull, 0.02)


def test_the_residual_moves_the_active_weight():
    base = active(LEVER)
    for residual in (2.0, -2.0):
        between(active(LEVER, residual=residual) - base, 0.5, 0.01)
    between(active(LEVER, doubt=[2.0]) - base, 0.5, 0.01)
    between(active(LEVER, doubt=[2.0], residual=-2.0) - base, 1.0, 0.01)


@pytest.mark.parametrize("residual", [2.0, -2.0])
def test_rounding_of_the_residual_moves_the_active_weight(residual, monkeypatch):
    coarse(monkeypatch)
    base = active(LEVER)
    narrow = 1 / (1 - 8 * U)  # what ten bits take from the smallest singular value
    between(active(LEVER, residual=residual) - base, 0.5 * (1 + 2 * U) * narrow, 1e-6)


def test_rounding_of_the_smallest_singular_value(monkeypatch):
    """The rounding is proportional to the number of rows and to that of active weights."""
    coarse(monkeypatch)
    rows = conditions([[2.0, 0.0, 0.0], [0.0, 4.0, 0.0], [0.0, 0.0, 0.0625]])
    potential = Quadratic(np.array([1.0, 1.0, 1e-9]))
    at = evaluation(3, 3, metric=potential.m)

    def found(residual):
        return module._active_bound(rows, potential, at, 1e-8, np.zeros(3), np.array([residual, 0.0, 0.0]))

    between(found(1.0) - found(0.0), 0.5 * (1 + 2 * U) / (1 - 8 * 3 * 2 * U), 1e-6)


def test_rounding_of_products_moves_the_active_weight(monkeypatch):
    coarse_products(monkeypatch)
    moved = (0.0, 3e-3, 4e-3)
    base = 1e-4 / 0.25 + 0.8e-4
    pulled = (0.8 * 3e-3 + 0.6 * 4e-3) / 4
    rounding = 2 * 3 * PRODUCT * 5e-3 * TOTAL / 4
    between(active(LEVER, moved=moved), base + pulled + 7e-3 + rounding, 0.02)
    between(active(LEVER, moved=moved, residual=2.0) - base - pulled - 7e-3, 0.5 + rounding, 0.002)


def test_inactive_weights_that_were_moved_count():
    base, pulled = active(LEVER), (0.8 * 3e-3 + 0.6 * 4e-3) / 4
    between(active(LEVER, moved=(0.0, 3e-3, 4e-3)) - base, 7e-3 + pulled, 0.01)


def test_inactive_weights_that_wobble_count():
    potential, b = Kinked(), 1e-9
    potential.m = np.array([1.0, 1e-310, 1e-310])  # too small for a blur
    gap = 1e-13  # so small that the wobble is all that counts
    at = evaluation(1, 3, metric=potential.m, wobble=[0.0, b, b])
    found = module._active_bound(LEVER, potential, at, gap, np.zeros(3), np.zeros(1))
    t, slope = 16 * b, SLOPES
    budget = gap + np.sum(slope * (t + b) - 0.75 * slope * t)
    entries = np.array([0.8, 0.6])
    pulled = (budget / np.min(slope / entries) + np.sum(entries * b)) / 4
    between(found, budget / np.min(slope) + 2 * b + pulled, 0.02)
    without = budget / np.min(slope) + 1.01 * pulled
    assert found > 1.03 * without


def test_small_parts_of_entries_weaken_the_active_weight():
    off = np.array([[0.4, 0.0, 0.0]])
    lever = [[4.0, 0.8, 0.6]]
    for tail, doubt in ((off, 0 * off), (-off, 0 * off), (0 * off, off), (off / 2, off / 2), (-off / 2, off / 2)):
        found = active(conditions(lever, tail=tail, doubt=doubt), residual=2.0)
        between(found - 1e-4 / 0.25, (2.0 + 0.8 / 0.25 * 1e-4) / (4 - 0.4), 0.003)


def test_two_active_weights_at_an_angle():
    """The residual is divided by the smallest singular value of the active columns, each scaled to unit length."""
    rows = conditions([[1.0, 0.8 * 2, 0.0], [0.0, 0.6 * 2, 0.5]])
    potential = Quadratic(np.array([1.0, 1.0, 1e-9]))
    at = evaluation(2, 3, metric=potential.m)
    lengths = np.array([math.hypot(1, 1.6), math.hypot(1.2, 0.5)])
    entries = np.array([[1.0, 1.6], [0.0, 1.2]]) / lengths[:, None]
    sizes = np.sqrt(np.sum(entries**2, axis=0))
    cosine = abs(entries[:, 0] @ entries[:, 1]) / (sizes[0] * sizes[1])
    smallest = math.sqrt(1 - cosine)
    for residual in ([1.0, 0.0], [0.0, -1.0], [0.6, 0.8]):
        base = module._active_bound(rows, potential, at, 1e-8, np.zeros(3), np.zeros(2))
        found = module._active_bound(rows, potential, at, 1e-8, np.zeros(3), np.array(residual))
        missing = np.linalg.norm(np.array(residual) / lengths)
        between(found - base, missing / (smallest * min(sizes)), 1e-3)


def test_no_bound_without_active_weights_or_with_too_many():
    rows = conditions([[4.0, 0.8, 0.6]])
    at = evaluation(1, 3, metric=[1.0, 1.0, 1.0])
    quadratic = Quadratic(np.ones(3))
    assert module._active_bound(rows, quadratic, at, 5.0, np.zeros(3), np.zeros(1)) == np.inf
    assert active(conditions([[0.0, 0.8, 0.6]])) == np.inf  # no condition sees the active weight
    twins = conditions([[1.0, 1.0, 0.0], [1.0, 1.0, 1.0]])
    at = evaluation(2, 3, metric=[1.0, 1.0, 1e-9])
    found = module._active_bound(twins, Quadratic(np.array([1.0, 1.0, 1e-9])), at, 1e-8, np.zeros(3), np.zeros(2))
    assert found == np.inf  # no condition tells the active weights apart
    blind = conditions([[1.0, 0.0, 0.5], [1.0, 0.0, 1.0]])
    found = module._active_bound(blind, Quadratic(np.array([1.0, 1.0, 1e-9])), at, 1e-8, np.zeros(3), np.zeros(2))
    assert found == np.inf  # no condition sees the second of them


def test_of_too_many_active_weights_those_before_the_widest_gap(monkeypatch):
    """Three metrics exceed the gap and there are two rows: weights after the widest gap of the metrics are inactive."""
    chosen, plain = [], DenseMap.columns
    monkeypatch.setattr(DenseMap, "columns", lambda self, active: chosen.append(active.tolist()) or plain(self, active))
    rows = conditions([[1.0, 0.5, 0.5, 0.0], [0.5, -0.25, 1.0, 0.5]])
    for metric, active in (([1e-3, 1.0, 1e-4, 1e-9], [1]), ([1e-2, 1.0, 1e-6, 1e-7], [1, 0])):
        potential = Quadratic(np.array(metric))
        at = evaluation(2, 4, metric=metric)
        found = module._active_bound(rows, potential, at, 1e-8, np.zeros(4), np.zeros(2))
        assert chosen.pop() == active
        others = np.delete(np.array(metric), active)
        assert math.sqrt(2e-8 * others.sum()) <= found <= 40 * math.sqrt(2e-8 * others.sum())
    flat = module._active_bound(rows, Quadratic(np.ones(4)), evaluation(2, 4), 1e-8, np.zeros(4), np.zeros(2))
    assert flat >= math.sqrt(2e-8)


def test_all_weights_active():
    """With as many conditions as weights, the equations alone bound the weights."""
    rows = conditions([[2.0, 0.0], [0.0, 4.0]])
    potential = Quadratic(np.ones(2))
    at = evaluation(2, 2)
    found = module._active_bound(rows, potential, at, 1e-9, np.zeros(2), np.array([0.6, 1.6]))
    between(found, 0.5, 1e-6)


def test_weights_are_active_until_the_metrics_of_the_rest_add_up_to_less_than_the_gap(monkeypatch):
    chosen = []
    plain = DenseMap.columns

    def columns(self, active):
        chosen.append(sorted(active.tolist()))
        return plain(self, active)

    monkeypatch.setattr(DenseMap, "columns", columns)
    rows = conditions(np.eye(4, 5) + 0.1)
    metric = np.array([0.4, 1.0, 0.4, 0.4, 0.3])
    at = evaluation(4, 5, metric=metric)
    for gap in (1.2, 2.2, 0.8):
        module._active_bound(rows, Quadratic(metric), at, gap, np.zeros(5), np.zeros(4))
    assert chosen == [[0, 1], [1], [0, 1, 2]]


def test_active_weights_are_those_whose_metric_is_beyond_the_gap():
    rows = conditions([[1.0, 0.0, 1e-3], [0.0, 1.0, 1e-3]])
    potential = Quadratic(np.array([1e-2, 1.0, 1e-6]))
    at = evaluation(2, 3, metric=potential.m)
    # With a gap of 1e-4 the first two are active; with 0.1 the second alone, and the first is inactive.
    both = module._active_bound(rows, potential, at, 1e-4, np.zeros(3), np.zeros(2))
    one = module._active_bound(rows, potential, at, 0.1, np.zeros(3), np.zeros(2))
    assert both < 2 * math.sqrt(2 * 1e-4 * 1e-6) * 4
    assert one > math.sqrt(2 * 0.1 * 1e-2)


def sums(m, gap, columns, *, wobble=0.0, x=0.0, z=None, domain=(-np.inf, np.inf)):
    """The bounds on Σ|s| and Σ w|s| over quadratic weights beside an active one."""
    metric = np.array([1.0, *m])
    n = len(metric)
    center = np.array([0.0, *np.broadcast_to(x, n - 1)])
    at = evaluation(
        1,
        n,
        metric=metric,
        x=center,
        z=center / metric if z is None else np.array([0.0, *np.broadcast_to(z, n - 1)]),
        wobble=np.array([0.0, *np.broadcast_to(wobble, n - 1)]),
    )
    return module._inactive_sums(Quadratic(metric, domain), at, gap, np.arange(1, n), np.array(columns, dtype=float))


METRICS = st.lists(st.floats(1e-9, 1e-6), min_size=1, max_size=4)


@given(METRICS, st.floats(1e-5, 1e-2), st.data())
def test_quadratic_weights_share_the_gap(m, gap, data):
    """At t each of k weights has an equal share of the gap, so D ≥ κ|s| − G/k with κ = √(2G/km)."""
    m, k = np.array(m), len(m)
    columns = np.array(data.draw(st.lists(st.floats(1e-3, 1e3), min_size=k, max_size=k)))
    slope = np.sqrt(2 * gap / (k * m))
    found = sums(m, gap, columns)
    between(found, (2 * gap / slope.min(), 2 * gap / (slope / columns).min()), 0.01)
    # The largest that weights in the ellipsoid Σ s²/2m = G can reach, by Cauchy and Schwarz
    assert found[0] >= math.sqrt(2 * gap * m.sum()) * (1 - 1e-12)
    assert found[1] >= math.sqrt(2 * gap * (m @ columns**2)) * (1 - 1e-12)


@given(st.floats(1e-9, 1e-6), st.floats(1e-5, 1e-2), st.floats(1e-6, 0.02))
def test_weights_that_wobble_have_less_slope_and_miss_more(m, gap, share):
    """Both ends of t may be off by the wobble b: κ loses 4b/m and may begin b later, and D loses the share 4b/t."""
    t = math.sqrt(2 * gap * m)
    b = share * t
    slope = t / m - 4 * b / m
    missed = slope * (t + b) - (1 - 4 * b / t) * t * t / (2 * m)
    between(sums([m], gap, [3.0], wobble=b), np.array([1.0, 3.0]) * (gap + missed) / slope, 0.011)


def test_t_is_well_beyond_the_wobble():
    # The gap alone would allow 1e-6, a tenth of the wobble.
    m, gap, b = 1e-6, 5e-7, 1e-5
    t = 16 * b
    slope = (t - 4 * b) / m
    missed = slope * (t + b) - 0.75 * t * t / (2 * m)
    between(sums([m], gap, [1.0], wobble=b), (gap + missed) / slope, 0.011)


@pytest.mark.parametrize("x", [0.0, 0.1, -0.1, 0.3])
def test_the_gradient_is_known_up_to_its_rounding(x, monkeypatch):
    """The slope loses 64 roundings of both gradients and of 1, which is more than the formulas of gradients need."""
    coarse(monkeypatch)
    m, gap = 1e-2, 2.0
    t = math.sqrt(2 * gap * m)
    slopes = [t / m - 64 * U * (abs(x + sign * t) / m + abs(x) / m + 1) for sign in (-1, 1)]
    missed = max(max(slopes) * t - (1 - 1e-6) * t * t / (2 * m), 0)
    assert_allclose(sums([m], gap, [1.0], x=x)[0], (gap + 1.01 * missed) / min(slopes), rtol=1e-9)


def test_slopes_are_measured_from_z():
    """The slope at either side is the difference of the gradient there and z, not the gradient at the weight."""
    m, gap = 1e-6, 5e-7
    t = math.sqrt(2 * gap * m)
    for z in (0.1, -0.1):
        slopes = np.array([t / m - z, t / m + z])
        missed = max(slopes * t - t * t / (2 * m))
        between(sums([m], gap, [1.0], z=z), (gap + missed) / slopes.min(), 0.011)


def test_the_divergence_at_t_is_that_from_the_weight():
    """The divergence at t is taken from the weight, not to it: for the entropy, t log t − t + 1 from the weight 1."""
    x, gap = 1e-6, 1e-8
    potential = Entropy(scale=1.0, rate=1.0)
    at = evaluation(1, 2, metric=[1.0, x], x=[1.0, x], z=[0.0, math.log(x)])
    found = module._inactive_sums(potential, at, gap, np.array([1]), np.ones(1))
    t = float(potential.separation(np.array([x]), gap)[0])
    ends = np.array([x - t, x + t])
    slopes = np.abs(np.log(ends / x))
    missed = np.max(slopes * t - (ends * np.log(ends / x) - ends + x))
    between(found[0], (gap + missed) / slopes.min(), 0.011)


def test_a_weight_at_the_end_of_its_domain_moves_to_the_other_side_only():
    m, gap = 1e-6, 5e-7
    t = math.sqrt(2 * gap * m)
    open_ended = sums([m], gap, [2.0])
    for domain in ((-t / 2, np.inf), (-np.inf, t / 2)):
        assert_allclose(sums([m], gap, [2.0], domain=domain), open_ended, rtol=1e-12)
    assert sums([m], gap, [2.0], domain=(-t / 2, t / 2)) == (0.0, 0.0)


def test_a_divergence_is_known_to_a_millionth():
    m, gap = 1e-6, 5e-7
    t = math.sqrt(2 * gap * m)
    missed = t * t / m - (1 - 1e-6) * t * t / (2 * m)
    assert_allclose(sums([m], gap, [1.0])[0], (gap + 1.01 * missed) / (t / m), rtol=1e-9)


def test_no_sums_without_slope_or_separation():
    assert sums([1e-6], 5e-7, [1.0], z=2.0) == (np.inf, np.inf)
    assert sums([1e-6, 1e-6], 5e-7, [1.0, 1.0], z=[0.0, 2.0]) == (np.inf, np.inf)
    potential = Quadratic(np.array([1.0, 1e-6]))
    potential.separation = lambda x, gap: None
    at = evaluation(1, 2, metric=potential.m)
    assert module._inactive_sums(potential, at, 1e-6, np.array([1]), np.ones(1)) == (np.inf, np.inf)


def test_a_weight_that_no_condition_sees_pulls_nothing():
    found = sums([1e-6, 1e-6], 5e-7, [0.0, 1.0])
    assert_allclose(found[0], found[1], rtol=1e-12)
    assert sums([1e-6], 5e-7, [0.0])[1] < 1e-290


def test_weights_without_a_metric_have_no_blur():
    """Where the metric underflows, R' is so steep that a wobble takes nothing from the slope at t."""
    potential = Kinked()
    at = evaluation(1, 3, metric=[1.0, 0.0, 1e-310], wobble=[0.0, 1e-320, 1e-320])
    found = module._inactive_sums(potential, at, 1e-4, np.array([1, 2]), np.array([1.0, 1.0]))
    between(found, 1e-4 / SLOPES.min(), 0.01)


def test_an_inequality_that_may_be_exceeded_counts_like_residual():
    """The minimizer exceeds an active inequality by at most the gap over its multiplier: the active weight moves."""
    rows, potential = LEVER, Kinked()
    at = evaluation(1, 3, metric=potential.m)
    base = module._active_bound(rows, potential, at, 1e-4, np.zeros(3), np.zeros(1))
    found = module._active_bound(rows, potential, at, 1e-4, np.zeros(3), np.zeros(1), np.array([2.0]))
    between(found - base, 0.5, 0.01)
    nothing = module._active_bound(rows, potential, at, 1e-4, np.zeros(3), np.zeros(1), np.array([np.inf]))
    assert nothing == np.inf
