"""Each term of the error bound, by itself.

In double precision most terms hide behind each other. So each test makes one error large and the others zero, in a
system so small that algebra gives the bound. Without its term, or with half of it, the bound would be too small. The
tests limit the bound from above as well, so that slack does not pile up.
"""

import math
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from numpy.testing import assert_allclose
from small_systems import (
    PRODUCT,
    Quadratic,
    U,
    between,
    coarse,
    coarse_products,
    conditions,
    evaluation,
    solver_at,
)

from implicit_bias.careful_sum import CarefulSum
from implicit_bias.limit import error_bound as module
from implicit_bias.limit.dual_newton import DualNewton
from implicit_bias.limit.error_bound import evaluate
from implicit_bias.linear_map import CombinedRowsMap, DenseMap
from implicit_bias.potential import Entropy, HyperbolicEntropy

# The evaluation of a dual variable


class Products:
    """A linear map whose careful products are given."""

    shape = (1, 1)

    def __init__(self, high, low, error):
        self.found = CarefulSum(*(np.array([value]) for value in (high, low, error)))

    def careful_adjoint(self, nu):
        sign = np.sign(nu)
        return CarefulSum(sign * self.found.high, sign * self.found.low, self.found.error)

    def careful_apply(self, x):
        return self.found


def evaluated(high=0.0, low=0.0, error=0.0, y=0.0, y_tail=0.0, y_doubt=0.0, wobble=0.0):
    """The evaluation of ν = 1 with these products, and the z and error of z that ``response_error`` was asked about."""
    told = []

    def response_error(z, z_error, x):
        told.append((z, z_error))
        return np.full_like(x, wobble)

    potential = SimpleNamespace(inverse_gradient_at=lambda z: z, metric_at=np.ones_like, response_error=response_error)
    rows = SimpleNamespace(
        linear=Products(high, low, error), y=np.array([y]), y_tail=np.array([y_tail]), y_doubt=np.array([y_doubt])
    )
    return evaluate(rows, potential, np.ones(1)), told[0]


def test_z_has_the_low_part_of_its_product():
    at, _ = evaluated(high=1.0, low=0.25)
    assert at.z == -1.25
    assert at.nu == 1.0


def test_the_error_of_z_is_that_of_its_product_and_of_its_rounding(monkeypatch):
    coarse(monkeypatch)
    assert evaluated(error=0.5)[1][1] == 0.5
    between(evaluated(high=4.0)[1][1], 4 * U, 1e-9)
    between(evaluated(high=1.0, error=0.5)[1][1], 0.5 + U, 1e-9)


def test_the_residual_has_every_part():
    assert evaluated(high=8.0, low=0.5, y=16.0, y_tail=0.25)[0].residual == 16.0 + 0.25 - 8.0 - 0.5


def test_the_residual_is_in_doubt_with_each_of_its_parts(monkeypatch):
    coarse(monkeypatch)
    assert evaluated(error=0.5)[0].doubt == 0.5
    assert evaluated(y_doubt=0.5)[0].doubt == 0.5
    # Three results are rounded: the difference of the leading parts, that of the small parts, and their sum.
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
        inverse_gradient_at=lambda z: z, metric_at=np.ones_like, response_error=lambda z, z_error, x: None
    )
    rows = conditions([[1.0, 2.0]])
    assert np.all(evaluate(rows, potential, np.ones(1)).wobble == np.inf)


# A solution near the weight: there is one row z, and weight j changes in proportion to w_j z_j


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
    found = shortest(evaluation(1, 2, residual=[26.0]))  # the shortest change removes the rest
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
    """The row basis with some of its methods replaced."""
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
def test_rounding_of_the_shift_is_width(residual, monkeypatch):
    coarse(monkeypatch)
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
def test_rounding_of_what_is_left_is_doubt(residual, monkeypatch):
    coarse(monkeypatch)
    monkeypatch.setattr(DualNewton, "correction", lambda self, residual: np.zeros(2))
    # The corrections are zero, and each of the two differences is rounded to ten bits.
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


def test_products_that_round_make_width(monkeypatch):
    coarse_products(monkeypatch)
    # After scaling the row has length 1 in the metric, and the change is as long as what it removes, 26/√13.
    found = near(evaluation(1, 2, residual=[26.0]))
    between(found.width, 2 * PRODUCT * 2 * 26 / SIZE * WEIGHTS * ROW / SIZE, 0.02)
    found = shortest(evaluation(1, 2, residual=[26.0]))
    between(found.width, 2 * PRODUCT * 2 * np.linalg.norm(WEIGHTS * ROW * 2), 0.02)


def test_products_that_round_make_width_in_the_second_step_too(monkeypatch):
    coarse_products(monkeypatch)
    full = DualNewton.correction
    monkeypatch.setattr(DualNewton, "correction", lambda self, residual: 0.5 * full(self, residual))
    found = near(evaluation(1, 2, residual=[26.0]))
    missing = 26 / 4 + 2 * PRODUCT * 2 * (26 / 2 + 26 / 4)
    between(found.width, missing * WEIGHTS * ROW / 13, 0.02)
    found = shortest(evaluation(1, 2, residual=[26.0]))
    steps = np.linalg.norm(WEIGHTS * ROW) + np.linalg.norm(ROW) * 13 / 25
    between(found.width, 2 * PRODUCT * 2 * steps, 0.02)


def test_products_of_combined_rows_leave_the_small_part_out(monkeypatch):
    coarse_products(monkeypatch)
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
    """If weights are fourfold and rows are longer, which only changes units, small parts of rows count the same."""
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
    # D is not symmetric: for the entropy, the divergence of a solution t from the weight 1 is t log t − t + 1.
    at = evaluation(1, 1, metric=[1.0], x=[1.0])
    found = module._largest_divergence(Entropy(scale=1.0, rate=1.0), at, module._Solution(np.zeros(1), np.array([0.8])))
    assert found == np.inf  # the lower end of the interval is 0, the end of the domain
    found = module._largest_divergence(Entropy(scale=1.0, rate=1.0), at, module._Solution(np.array([0.8]), np.zeros(1)))
    assert found == pytest.approx(1.01 * (2 * math.log(2) - 1), rel=1e-9)


def test_the_divergence_of_the_lower_end_counts_as_well():
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
    """The metric r x of an entropy has the relative error of the weight, of which a thousandth is accepted."""

    def divergence(wobble, width):
        x = np.array([2.0, 5.0])
        at = evaluation(1, 2, metric=rate * x, x=x, wobble=[wobble, 0.0])
        return module._largest_divergence(
            Entropy(scale=1.0, rate=rate), at, module._Solution(np.zeros(2), np.array(width))
        )

    assert divergence(0.9e-3 * 2, (1e-2, 0.0)) < np.inf
    assert divergence(1.1e-3 * 2, (1e-2, 0.0)) == np.inf
    assert divergence(1.1e-3 * 2, (0.0, 1e-2)) < np.inf  # the first weight does not move


@pytest.mark.parametrize(("x", "is_known"), [(1.0, True), (1e-3, False), (-1e-3, False), (0.0, True)])
def test_the_metric_at_both_ends_counts(x, is_known):
    """The metric of a mask changes on the length of its scale; it falls towards zero and rises away from it."""
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
    assert largest(shift=(sign * 1.0, 0.0), domain=domain) == np.inf  # at the end of the domain


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
    # The wobble is width as well: the gap is 1.25² times half its square, which allows a distance 1.25 times as long.
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
        module, "_active_bound", lambda rows, potential, at, gap, moved, left, exceeded: told.append(moved) or 1.0
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
        assert bounded(at, potential, rows) >= 1


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
