"""Every term of the error bound, by itself.

In double precision most terms hide behind each other. Here one error at a time is large and the others are nothing, in
a system small enough for the bound to be a line of algebra: without its term, or with half of it, the bound is below.
What the algebra asks for is a lower limit; the upper ones keep slack from piling up.
"""

import math
from dataclasses import dataclass, replace
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from implicit_bias.limit import error_bound as module
from implicit_bias.limit.dual_newton import DualNewton
from implicit_bias.limit.error_bound import Evaluation, evaluate
from implicit_bias.limit.row_basis import _basis
from implicit_bias.linear_map import CarefulSum, CombinedRowsMap, DenseMap
from implicit_bias.potential import Entropy, HyperbolicEntropy

U = 2.0**-10  # the unit roundoff, where rounding is to be seen
PRODUCT = 2.0**-6  # the error of a product Zx in units of ‖z‖‖x‖, where that is to be seen


@pytest.fixture
def coarse(monkeypatch):
    """Bounds are put together as if numbers had ten bits, though they have 53."""
    monkeypatch.setattr(module, "UNIT_ROUNDOFF", U)
    monkeypatch.setattr(module, "sum_error", lambda terms: 0.0)


@pytest.fixture
def coarse_products(monkeypatch):
    monkeypatch.setattr(module, "sum_error", lambda terms: terms * PRODUCT)


@dataclass
class Quadratic:
    """R(x) = Σ x²/2m: the divergence of s is s²/2m and the metric m everywhere."""

    m: np.ndarray
    domain: tuple = (-np.inf, np.inf)

    def _metric(self, x):
        return self.m

    def _divergence_terms(self, x, y):
        return (x - y) ** 2 / (2 * self.m)

    def _gradient(self, x):
        return x / self.m

    def separation(self, x, gap):
        return np.sqrt(2 * self.m * gap)


def conditions(Z, y=None, tail=None, doubt=None, **more):
    """Rows of Z as they are, with entries that are known less well if so said."""
    Z = np.asarray(Z, dtype=float)
    y = np.zeros(len(Z)) if y is None else np.asarray(y, dtype=float)
    zero = np.zeros_like(Z)
    linear = DenseMap(Z)
    if tail is not None or doubt is not None:
        linear = CombinedRowsMap(Z, zero if tail is None else tail, zero if doubt is None else doubt)
    return _basis(linear, y, np.arange(len(Z)), np.arange(0), is_exact=True, **more)


def solver_at(rows, metric):
    """Newton's method linearized where the metric is this."""
    solver = DualNewton(rows.linear, rows.y, 10)
    solver.linearize(SimpleNamespace(metric=np.asarray(metric, dtype=float)))
    return solver


def evaluation(r, n, metric=None, x=None, z=None, wobble=None, residual=None, doubt=None):
    def given_or(value, size):
        return np.zeros(size) if value is None else np.asarray(value, dtype=float)

    metric = np.ones(n) if metric is None else np.asarray(metric, dtype=float)
    return Evaluation(
        np.zeros(r), given_or(z, n), given_or(x, n), metric, given_or(wobble, n), given_or(residual, r),
        given_or(doubt, r),
    )  # fmt: skip


def between(got, required, slack):
    """An upper bound that is one, and not much more."""
    assert np.all(np.asarray(required) <= np.asarray(got))
    assert np.all(np.asarray(got) <= np.asarray(required) * (1 + slack) + 1e-150)


# What is known of a dual variable


class Products:
    """A linear map whose careful products are known."""

    shape = (1, 1)

    def __init__(self, high, low, error):
        self.found = CarefulSum(*(np.array([value]) for value in (high, low, error)))

    def careful_adjoint(self, nu):
        sign = np.sign(nu)
        return CarefulSum(sign * self.found.high, sign * self.found.low, self.found.error)

    def careful_apply(self, x):
        return self.found


def evaluated(high=0.0, low=0.0, error=0.0, y=0.0, y_tail=0.0, y_doubt=0.0, wobble=0.0):
    told = []

    def response_error(z, z_error, x):
        told.append((z, z_error))
        return np.full_like(x, wobble)

    potential = SimpleNamespace(_inverse_gradient=lambda z: z, _metric=np.ones_like, response_error=response_error)
    rows = SimpleNamespace(
        linear=Products(high, low, error), y=np.array([y]), y_tail=np.array([y_tail]), y_doubt=np.array([y_doubt])
    )
    return evaluate(rows, potential, np.ones(1)), told[0]


def test_z_has_the_low_part_of_its_product():
    at, _ = evaluated(high=1.0, low=0.25)
    assert at.z == -1.25
    assert at.nu == 1.0


def test_the_error_of_z_is_that_of_its_product_and_of_its_rounding(coarse):
    assert evaluated(error=0.5)[1][1] == 0.5
    between(evaluated(high=4.0)[1][1], 4 * U, 1e-9)
    between(evaluated(high=1.0, error=0.5)[1][1], 0.5 + U, 1e-9)


def test_the_residual_has_every_part():
    assert evaluated(high=8.0, low=0.5, y=16.0, y_tail=0.25)[0].residual == 16.0 + 0.25 - 8.0 - 0.5


def test_the_residual_is_in_doubt_with_each_of_its_parts(coarse):
    assert evaluated(error=0.5)[0].doubt == 0.5
    assert evaluated(y_doubt=0.5)[0].doubt == 0.5
    # A difference of the leading parts is rounded, one of the rests, and their sum.
    between(evaluated(y=1.0)[0].doubt, 2 * U, 1e-9)
    between(evaluated(y_tail=1.0)[0].doubt, 2 * U, 1e-9)
    between(evaluated(y=1.0, y_tail=-1.0)[0].doubt, 2 * U, 1e-9)
    between(evaluated(y=-1.0)[0].doubt, 2 * U, 1e-9)
    between(evaluated(y_tail=-1.0)[0].doubt, 2 * U, 1e-9)
    between(evaluated(y=1.0, y_tail=1.0, error=1.0, y_doubt=1.0)[0].doubt, 2 + 4 * U, 1e-9)


def test_nothing_is_known_of_a_weight_without_a_response_error():
    at, _ = evaluated(wobble=2.0)
    assert at.wobble == 2.0
    potential = SimpleNamespace(
        _inverse_gradient=lambda z: z, _metric=np.ones_like, response_error=lambda z, z_error, x: None
    )
    rows = conditions([[1.0, 2.0]])
    assert np.all(evaluate(rows, potential, np.ones(1)).wobble == np.inf)


# A solution nearby: one row, where each weight takes the share w z of what is missing


ROW, WEIGHTS = np.array([3.0, 4.0]), np.array([1.0, 0.25])
SIZE = math.sqrt(13.0)  # of the row in the metric: √(1 · 9 + ¼ · 16)
LENGTH = 5.0  # of the row itself


def near(at, rows=None, weights=WEIGHTS):
    rows = rows or conditions([ROW])
    found = module._in_the_metric(solver_at(rows, weights), at)
    assert found is not None
    return found


def shortest(at, rows=None, weights=WEIGHTS):
    rows = rows or conditions([ROW])
    return module._shortest(rows, solver_at(rows, weights), at)


def test_a_residual_is_shared_by_the_metric():
    for solution in (near, shortest):
        found = solution(evaluation(1, 2, residual=[26.0]))
        assert_allclose(found.shift, WEIGHTS * ROW * 2, rtol=1e-14)
        assert np.all(found.width <= 1e-13 * np.abs(found.shift))


def test_what_a_correction_leaves_is_corrected_again_and_the_rest_is_width(monkeypatch):
    full = DualNewton.correction
    monkeypatch.setattr(DualNewton, "correction", lambda self, residual: 0.5 * full(self, residual))
    found = near(evaluation(1, 2, residual=[26.0]))
    assert_allclose(found.shift, WEIGHTS * ROW * 1.5, rtol=1e-14)
    between(found.width, WEIGHTS * ROW * 0.5, 0.02)
    found = shortest(evaluation(1, 2, residual=[26.0]))  # whose rest the shortest change takes
    assert_allclose(found.shift, WEIGHTS * ROW + 13 * ROW / 25, rtol=1e-14)
    assert np.all(found.width <= 1e-12)


def test_what_the_shortest_change_leaves_is_width(monkeypatch):
    monkeypatch.setattr(DualNewton, "correction", lambda self, residual: np.zeros(2))
    found = module._shortest(
        replaced(conditions([ROW]), least_change=lambda residual: 0.75 * ROW * residual / 25),
        solver_at(conditions([ROW]), WEIGHTS),
        evaluation(1, 2, residual=[26.0]),
    )
    assert_allclose(found.shift, 0.75 * 26 / 25 * ROW, rtol=1e-14)
    between(found.width, 6.5 / LENGTH, 0.02)


def replaced(rows, **methods):
    """A row basis with methods of its own."""
    return SimpleNamespace(
        linear=rows.linear,
        lengths=rows.lengths,
        smallest=rows.smallest,
        **{"least_change": rows.least_change} | methods,
    )


def test_a_residual_in_doubt_makes_width():
    between(near(evaluation(1, 2, doubt=[13.0])).width, WEIGHTS * ROW, 0.02)
    between(shortest(evaluation(1, 2, doubt=[13.0])).width, 13 / LENGTH, 0.02)


def test_doubt_and_what_is_left_add_up(monkeypatch):
    monkeypatch.setattr(DualNewton, "correction", lambda self, residual: np.zeros(2))
    for residual in (13.0, -13.0):
        at = evaluation(1, 2, doubt=[13.0], residual=[residual])
        between(near(at).width, 2 * WEIGHTS * ROW, 0.02)


def test_the_wobble_is_width():
    for solution in (near, shortest):
        assert_allclose(solution(evaluation(1, 2, wobble=[1.0, 2.0])).width, [1.0, 2.0], rtol=1e-12)


@pytest.mark.parametrize("residual", [26.0, -26.0])
def test_rounding_of_the_shift_is_width(residual, coarse, monkeypatch):
    # The sum of two steps is rounded, and so is the step itself.
    found = near(evaluation(1, 2, residual=[residual]))
    assert np.all(found.width >= 2 * U * np.abs(found.shift))
    monkeypatch.setattr(module, "UNIT_ROUNDOFF", 0.0)
    assert np.all(near(evaluation(1, 2, residual=[residual])).width <= 1e-12)
    monkeypatch.setattr(module, "UNIT_ROUNDOFF", U)
    found = shortest(evaluation(1, 2, residual=[residual]))
    between(found.width - 26 * 2 * U / LENGTH, 2 * U * np.abs(found.shift), 0.05)
    doubted = shortest(evaluation(1, 2, residual=[residual], doubt=[13.0]))
    between(doubted.width - found.width, 13 / LENGTH, 0.001)


@pytest.mark.parametrize("residual", [13.0, -13.0])
def test_rounding_of_what_is_left_is_doubt(residual, coarse, monkeypatch):
    monkeypatch.setattr(DualNewton, "correction", lambda self, residual: np.zeros(2))
    # Nothing is taken away, and both differences are rounded to ten bits.
    found = near(evaluation(1, 2, residual=[residual]))
    assert np.all(found.width <= 1.012 * (1 + 2 * U) * WEIGHTS * ROW)
    assert np.all(found.width >= 1.0099 * (1 + 2 * U) * WEIGHTS * ROW)


@pytest.mark.parametrize("residual", [26.0, -26.0])
def test_what_the_shortest_change_leaves_counts_by_its_size(residual, monkeypatch):
    monkeypatch.setattr(DualNewton, "correction", lambda self, residual: np.zeros(2))
    rows = replaced(conditions([ROW]), least_change=lambda residual: np.zeros(2))
    found = module._shortest(
        rows, solver_at(conditions([ROW]), WEIGHTS), evaluation(1, 2, residual=[residual], doubt=[1.0])
    )
    between(found.width, 27 / LENGTH, 0.02)


def test_products_that_round_make_width(coarse_products):
    # ‖z‖ in the metric is 1 after scaling, and the change is as long there as what it removes: 26/√13.
    found = near(evaluation(1, 2, residual=[26.0]))
    between(found.width, 2 * PRODUCT * 2 * 26 / SIZE * WEIGHTS * ROW / SIZE, 0.02)
    found = shortest(evaluation(1, 2, residual=[26.0]))
    between(found.width, 2 * PRODUCT * 2 * np.linalg.norm(WEIGHTS * ROW * 2), 0.02)


def test_products_that_round_make_width_in_the_second_step_too(coarse_products, monkeypatch):
    full = DualNewton.correction
    monkeypatch.setattr(DualNewton, "correction", lambda self, residual: 0.5 * full(self, residual))
    found = near(evaluation(1, 2, residual=[26.0]))
    missing = 26 / 4 + 2 * PRODUCT * 2 * (26 / 2 + 26 / 4)
    between(found.width, missing * WEIGHTS * ROW / 13, 0.02)
    found = shortest(evaluation(1, 2, residual=[26.0]))
    steps = np.linalg.norm(WEIGHTS * ROW) + np.linalg.norm(ROW) * 13 / 25
    between(found.width, 2 * PRODUCT * 2 * steps, 0.02)


def test_products_of_combined_rows_leave_the_small_part_out(coarse_products, monkeypatch):
    monkeypatch.setattr(module, "UNIT_ROUNDOFF", U)
    rows = conditions([ROW], tail=np.zeros((1, 2)))
    assert module._product_error(rows.linear) == 2 * PRODUCT + 4 * U
    assert module._product_error(conditions([ROW]).linear) == 2 * PRODUCT


def test_a_weight_without_a_metric_does_not_move():
    found = near(evaluation(1, 2, residual=[9.0], doubt=[1.0]), weights=np.array([1.0, 0.0]))
    assert_allclose(found.shift, [3.0, 0.0], rtol=1e-14)
    assert found.width[1] == 0
    assert found.width[0] >= 1 / 3


ANGLED = np.array([[1.0, 0.0, 0.0], [0.8, 0.6, 0.0]])  # the eigenvalues of the Gram matrix are 0.2 and 1.8


def test_rows_at_an_angle_need_larger_changes():
    at = evaluation(2, 3, metric=np.ones(3), doubt=[0.3, 0.4])
    found = near(at, conditions(ANGLED), np.ones(3))
    columns = np.array([math.hypot(1, 0.8), 0.6, 0.0])
    between(found.width, columns * 0.5 / 0.2, 0.02)
    between(shortest(at, conditions(ANGLED), np.ones(3)).width, 0.5 / math.sqrt(0.2), 0.02)


def test_rows_that_cannot_be_told_apart_have_no_solution_in_the_metric():
    rows = conditions([[1.0, 1.0, 0.0], [1.0, 1.0, 1e-9]])
    assert module._in_the_metric(solver_at(rows, np.ones(3)), evaluation(2, 3)) is None


def test_small_parts_of_rows_lower_the_smallest_eigenvalue():
    """The Gram matrix of Z̃ + δ loses at most 2‖Z̃‖‖δ‖ + ‖δ‖², with ‖Z̃‖² ≤ r for rows of unit length."""
    off = np.array([[0.0, 0.0, 0.03], [0.0, 0.04, 0.0]])
    root, scale = np.array([1.0, 1.0, 2.0]), np.array([1.0, 0.5])
    size = math.hypot(0.03 * 2, 0.04 * 0.5)
    for tail, doubt in ((off, 0 * off), (-off, 0 * off), (0 * off, off), (off / 2, off / 2), (-off / 2, off / 2)):
        found = module._tail_of(CombinedRowsMap(ANGLED, tail, doubt), root, scale)
        between(found, 2 * math.sqrt(2) * size + size**2, 0.06)
    assert module._tail_of(DenseMap(ANGLED), root, scale) == 0
    between(module._tail_of(CombinedRowsMap(ANGLED, 100 * off, 0 * off), root, scale), 1e4 * size**2, 0.5)


def test_small_parts_of_rows_count_by_their_weight():
    """The same conditions in other units: weights that are fourfold, and rows that are longer."""
    at = evaluation(2, 3, doubt=[0.6, 1.6])
    off = np.array([[1.0], [2.0]]) * np.full((2, 3), 0.01 / math.sqrt(6))
    rows = conditions(ANGLED * [[1.0], [2.0]], tail=off)
    columns = np.array([math.hypot(1, 0.8), 0.6, 0.0]) * 2
    between(near(at, rows, np.full(3, 4.0)).width, columns * 0.5 / (0.2 - 2 * math.sqrt(2) * 0.01), 0.04)


def test_small_parts_of_rows_make_width():
    at = evaluation(2, 3, doubt=[0.3, 0.4])
    off = np.full((2, 3), 0.01 / math.sqrt(6))
    columns = np.array([math.hypot(1, 0.8), 0.6, 0.0])
    for tail, doubt in ((off, 0 * off), (0 * off, off)):
        found = near(at, conditions(ANGLED, tail=tail, doubt=doubt), np.ones(3))
        between(found.width, columns * 0.5 / (0.2 - 2 * math.sqrt(2) * 0.01), 0.04)
        found = shortest(at, conditions(ANGLED, tail=tail, doubt=doubt), np.ones(3))
        between(found.width, 0.5 / (math.sqrt(0.2) - 0.01), 0.04)


# The largest divergence of a solution


M = np.array([0.5, 2.0])


def largest(shift=(0.0, 0.0), width=(0.0, 0.0), wobble=(0.0, 0.0), x=(0.0, 0.0), **options):
    at = evaluation(1, 2, metric=M, wobble=wobble, x=x)
    return module._largest_divergence(
        Quadratic(M, **options), at, module._Solution(np.array(shift, float), np.array(width, float))
    )


def test_the_divergence_of_the_farther_end():
    def required(shift, width):
        return float(np.sum((np.abs(shift) + np.asarray(width)) ** 2 / (2 * M)))

    for shift, width in [
        ((1.0, 0.0), (0.0, 0.0)),
        ((0.0, -1.0), (0.0, 0.0)),
        ((0.0, 0.0), (0.0, 1.0)),
        ((0.0, 0.0), (1.0, 0.0)),
        ((1.0, -3.0), (1.0, 2.0)),
        ((-1.0, 3.0), (2.0, 1.0)),
    ]:
        # 1.25² for the margins, and a hundredth for the sum.
        between(largest(shift, width), 1.5 * required(shift, width), 0.07)


def test_the_divergence_is_that_from_the_weight():
    for x in ((3.0, -5.0), (-7.0, 1.0)):
        assert_allclose(largest((1.0, -3.0), (1.0, 2.0), x=x), largest((1.0, -3.0), (1.0, 2.0)), rtol=1e-12)
    # It is not symmetric: that of a solution from the weight is t log t − t + 1.
    at = evaluation(1, 1, metric=[1.0], x=[1.0])
    found = module._largest_divergence(Entropy(scale=1.0, rate=1.0), at, module._Solution(np.zeros(1), np.array([0.8])))
    assert found == pytest.approx(1.01 * (2 * math.log(2) - 1), rel=1e-9) or found == np.inf
    found = module._largest_divergence(Entropy(scale=1.0, rate=1.0), at, module._Solution(np.array([0.8]), np.zeros(1)))
    assert found == pytest.approx(1.01 * (2 * math.log(2) - 1), rel=1e-9)


def test_the_divergence_of_the_nearer_end_may_be_larger():
    at = evaluation(1, 1, metric=[1.0], x=[1.0])
    found = module._largest_divergence(
        Entropy(scale=1.0, rate=1.0), at, module._Solution(np.array([-0.5]), np.zeros(1))
    )
    assert found == pytest.approx(1.01 * (0.375 * math.log(0.375) + 0.625), rel=1e-9)


def test_a_divergence_that_underflows_is_not_zero():
    assert largest(shift=(1e-200, 0.0)) == 16 * 2.0**-1074
    assert largest(shift=(1e-200, 1e-200)) == 2 * largest(shift=(1e-200, 0.0))
    assert largest() == 0


@pytest.mark.parametrize("rate", [1e-3, 1.0, 1e6])
def test_no_divergence_where_the_metric_is_unknown(rate):
    """The metric r x of an entropy is off by the share by which the weight is, to either side, whatever the rate."""

    def divergence(wobble, width):
        x = np.array([2.0, 5.0])
        at = evaluation(1, 2, metric=rate * x, x=x, wobble=[wobble, 0.0])
        return module._largest_divergence(
            Entropy(scale=1.0, rate=rate), at, module._Solution(np.zeros(2), np.array(width))
        )

    assert divergence(0.9e-3 * 2, (1e-2, 0.0)) < np.inf
    assert divergence(1.1e-3 * 2, (1e-2, 0.0)) == np.inf
    assert divergence(1.1e-3 * 2, (0.0, 1e-2)) < np.inf  # the first stays where it is


@pytest.mark.parametrize(("x", "is_known"), [(1.0, True), (1e-3, False), (-1e-3, False), (0.0, True)])
def test_the_metric_at_both_ends_counts(x, is_known):
    """That of a mask changes on the length of its scale, and falls on one side where it rises on the other."""
    potential = HyperbolicEntropy(scale=1e-3 if x else 1.0, rate=1.0)
    at = evaluation(1, 1, metric=potential.metric(np.array([x])), x=[x], wobble=[1e-5])
    found = module._largest_divergence(potential, at, module._Solution(np.zeros(1), np.array([1e-5])))
    assert (found < np.inf) == is_known


@pytest.mark.parametrize("sign", [-1, 1])
def test_no_divergence_beyond_the_domain(sign):
    inside, outside = sign * 0.99, sign * 1.01
    domain = (-1.25, 1.25)
    assert largest(shift=(inside, 0.0), domain=domain) < np.inf
    assert largest(shift=(outside, 0.0), domain=domain) == np.inf
    assert largest(width=(0.0, abs(outside)), domain=domain) == np.inf
    assert largest(shift=(sign * 1.0, 0.0), domain=domain) == np.inf  # at its end


def test_no_divergence_that_is_no_number():
    assert largest(shift=(math.nan, 0.0)) == np.inf
    with np.errstate(all="ignore"):
        assert largest(shift=(math.inf, 0.0)) == np.inf


# The distance that the gap allows


def bounded(at, potential, rows, x=None, residual=None, weights=None):
    solver = solver_at(rows, at.metric if weights is None else weights)
    x = at.x if x is None else np.asarray(x, dtype=float)
    return module.error_bound(rows, solver, potential, at, x, at.residual if residual is None else residual)


def test_the_parts_of_the_bound_add_up(monkeypatch):
    monkeypatch.setattr(module, "_active_bound", lambda *_: np.inf)
    rows, potential = conditions([[1.0, 0.0]]), Quadratic(np.ones(2))
    wobble = np.array([3e-6, 4e-6])
    # The wobble is width, too: the gap is 1.25² of its square, halved, and so is the distance that it allows.
    allowed = 1.25 * 5e-6 * math.sqrt(1.01)
    between(bounded(evaluation(1, 2, wobble=wobble), potential, rows), 5e-6 + allowed, 0.002)
    moved = bounded(evaluation(1, 2), potential, rows, x=[3.0, -4.0])
    between(moved, 5.0, 0.002)
    residual = bounded(evaluation(1, 2, residual=[1.0]), potential, rows)
    between(residual, 1.25 * math.sqrt(1.01), 0.002)
    both = bounded(evaluation(1, 2, wobble=wobble), potential, rows, x=[3e-6, -4e-6])
    between(both, 10e-6 + allowed, 0.002)
    away = bounded(evaluation(1, 2, x=[1.0, 2.0]), potential, rows, x=[4.0, -2.0])
    between(away, 5.0, 0.002)
    other = bounded(evaluation(1, 2, wobble=wobble, x=[1.0, 2.0]), potential, rows, x=[0.0, 1.0])
    between(other, math.sqrt(2) + 5e-6 + allowed, 0.002)


@pytest.mark.parametrize("residual", [1e-3, -1e-3])
def test_the_active_weight_was_moved_one_way_or_the_other(residual, monkeypatch):
    told = []
    monkeypatch.setattr(
        module, "_active_bound", lambda rows, potential, at, gap, moved, left: told.append(moved) or 1.0
    )
    rows, potential = conditions([[1.0, 0.0]]), Quadratic(np.ones(2))
    bounded(evaluation(1, 2, residual=[residual], x=[1.0, 2.0]), potential, rows, x=[1.0 + residual, 2.0])
    assert_allclose(told, [[1e-3, 0.0]], atol=1e-15)


def test_a_solution_in_the_metric_is_preferred_and_the_shortest_change_stands_in(monkeypatch):
    rows, potential = conditions([[3.0, 4.0]]), Quadratic(np.array([1.0, 0.25]))
    at = evaluation(1, 2, metric=potential.m, residual=[1e-3])
    preferred = bounded(at, potential, rows)
    monkeypatch.setattr(module, "_shortest", lambda *_: pytest.fail("there is a solution in the metric"))
    assert bounded(at, potential, rows) == preferred
    monkeypatch.undo()
    monkeypatch.setattr(module, "_in_the_metric", lambda *_: None)
    gap = module._largest_divergence(potential, at, module._shortest(rows, solver_at(rows, potential.m), at))
    assert_allclose(bounded(at, potential, rows), 1.001 * math.sqrt(2 * gap), rtol=0.2)


def test_the_smaller_of_both_bounds(monkeypatch):
    rows, potential = conditions([[1.0, 0.0]]), Quadratic(np.ones(2))
    at = evaluation(1, 2, residual=[1.0])
    monkeypatch.setattr(module, "_active_bound", lambda *_: 0.5)
    between(bounded(at, potential, rows), 0.5, 0.002)
    monkeypatch.setattr(module, "_active_bound", lambda *_: 50.0)
    assert bounded(at, potential, rows) < 2
    monkeypatch.setattr(module, "_active_bound", lambda *_: pytest.fail("without a gap there is nothing to gain"))
    assert bounded(evaluation(1, 2), potential, rows, x=[1.0, 0.0]) >= 1
    for nonsense in (math.nan, -math.inf):
        monkeypatch.setattr(module, "_active_bound", lambda *_, nonsense=nonsense: nonsense)
        assert bounded(at, potential, rows) == np.inf or bounded(at, potential, rows) >= 1


def test_the_largest_distance_counts():
    potential = Quadratic(np.array([1.0, 9.0, 4.0]))
    rows = conditions([[1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])
    at = evaluation(2, 3, metric=potential.m, residual=[1e-3, 0.0])
    gap = 1.01 * 1.25**2 * 1e-6 / 2
    active = module._active_bound(rows, potential, at, gap, np.zeros(3), at.residual)
    assert bounded(at, potential, rows) == pytest.approx(1.001 * min(3 * math.sqrt(2 * gap), active), rel=1e-6)


@pytest.mark.parametrize(
    "change",
    [
        {"is_exact": False},
        {"smallest": 0.0},
    ],
)
def test_no_bound_for_conditions_that_are_not_known(change):
    rows, potential = conditions([[1.0, 0.0]]), Quadratic(np.ones(2))
    at = evaluation(1, 2, residual=[1e-3])
    assert bounded(at, potential, rows) < np.inf
    assert bounded(at, potential, replace(rows, **change)) == np.inf


def test_no_bound_where_a_weight_is_unknown():
    rows, potential = conditions([[1.0, 0.0]]), Quadratic(np.ones(2))
    assert bounded(evaluation(1, 2, wobble=[0.0, np.inf]), potential, rows) == np.inf
    assert bounded(evaluation(1, 2, wobble=[0.0, np.nan]), potential, rows) == np.inf
    assert bounded(evaluation(1, 2, residual=[np.nan]), potential, rows) == np.inf
    potential.separation = lambda x, gap: None
    assert bounded(evaluation(1, 2), potential, rows) == np.inf
    potential.separation = lambda x, gap: np.array([0.0, np.nan])
    assert bounded(evaluation(1, 2), potential, rows) == np.inf


# Few active weights


SLOPES = np.array([0.25, 0.5])


class Kinked(Quadratic):
    """The first weight is quadratic, the others cost their slope times their distance from zero, like an L1 norm."""

    def __init__(self, rises=1.0):
        super().__init__(np.array([1.0, 1e-300, 1e-300]))
        self.rises = rises  # the share of its slope that the gradient has where it is asked for

    def _divergence_terms(self, x, y):
        return np.array([(x[0] - y[0]) ** 2 / 2, *(SLOPES * np.abs(x[1:] - y[1:]))])

    def _gradient(self, x):
        return np.array([x[0], *(self.rises * SLOPES * np.sign(x[1:]))])

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
    # The gap buys 1e-4 / 0.25 of the first, or 1e-4 / 0.5 of the second; each moves the active one by its entry over 4.
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
def test_rounding_of_the_residual_moves_the_active_weight(residual, coarse):
    base = active(LEVER)
    narrow = 1 / (1 - 8 * U)  # what ten bits take from the smallest singular value
    between(active(LEVER, residual=residual) - base, 0.5 * (1 + 2 * U) * narrow, 1e-6)


def test_rounding_of_the_smallest_singular_value(coarse):
    """It grows with the number of rows, and with that of active weights."""
    rows = conditions([[2.0, 0.0, 0.0], [0.0, 4.0, 0.0], [0.0, 0.0, 0.0625]])
    potential = Quadratic(np.array([1.0, 1.0, 1e-9]))
    at = evaluation(3, 3, metric=potential.m)

    def found(residual):
        return module._active_bound(rows, potential, at, 1e-8, np.zeros(3), np.array([residual, 0.0, 0.0]))

    between(found(1.0) - found(0.0), 0.5 * (1 + 2 * U) / (1 - 8 * 3 * 2 * U), 1e-6)


def test_rounding_of_products_moves_the_active_weight(coarse_products):
    moved = (0.0, 3e-3, 4e-3)
    base = 1e-4 / 0.25 + 0.8e-4
    pulled = (0.8 * 3e-3 + 0.6 * 4e-3) / 4
    rounding = 2 * 3 * PRODUCT * 5e-3 * TOTAL / 4
    between(active(LEVER, moved=moved), base + pulled + 7e-3 + rounding, 0.02)
    between(active(LEVER, moved=moved, residual=2.0) - base - pulled - 7e-3, 0.5 + rounding, 0.002)


def test_inactive_weights_that_were_moved_or_wobble_count():
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
    """The smallest singular value of the active columns, each scaled to unit length."""
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
    """Two rows, and three metrics beyond the gap: the second and third share it like any that are inactive."""
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
    """As many conditions as weights: the equations alone bound them."""
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
    """The bounds on Σ|s| and Σ w|s| of quadratic weights behind an active one."""
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
    """Each has at t an equal share of the gap; from there D ≥ κ|s| − G/k for each of k, with κ = √(2G/km)."""
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
    """Both ends of t may be off by the wobble b: κ loses 4b/m, the slope at t may begin b later, D loses 4b/t of it."""
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
def test_the_gradient_is_known_up_to_its_rounding(x, coarse):
    """Both gradients have terms of their size, and logarithms of about 1; 64 roundings are more than they need."""
    m, gap = 1e-2, 2.0
    t = math.sqrt(2 * gap * m)
    slopes = [t / m - 64 * U * (abs(x + sign * t) / m + abs(x) / m + 1) for sign in (-1, 1)]
    missed = max(max(slopes) * t - (1 - 1e-6) * t * t / (2 * m), 0)
    assert_allclose(sums([m], gap, [1.0], x=x)[0], (gap + 1.01 * missed) / min(slopes), rtol=1e-9)


def test_slopes_are_measured_from_z():
    """The gradient of a weight is z; that its own gradient says less or more changes the slope to either side."""
    m, gap = 1e-6, 5e-7
    t = math.sqrt(2 * gap * m)
    for z in (0.1, -0.1):
        slopes = np.array([t / m - z, t / m + z])
        missed = max(slopes * t - t * t / (2 * m))
        between(sums([m], gap, [1.0], z=z), (gap + missed) / slopes.min(), 0.011)


def test_the_divergence_at_t_is_that_from_the_weight():
    """It is not symmetric for the entropy: t log t − t + 1 from 1."""
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
    """Where the metric underflows, R' is vertical: the slope at t says all that there is to say."""
    potential = Kinked()
    at = evaluation(1, 3, metric=[1.0, 0.0, 1e-310], wobble=[0.0, 1e-320, 1e-320])
    found = module._inactive_sums(potential, at, 1e-4, np.array([1, 2]), np.array([1.0, 1.0]))
    between(found, 1e-4 / SLOPES.min(), 0.01)
