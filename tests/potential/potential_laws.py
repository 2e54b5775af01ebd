"""Laws that every potential obeys, as functions of a case; the tests of each potential run all of them.

A test module builds cases (a potential, points of its domain, the rounding of its mirror map), runs ``LAWS`` on them,
and calls the other laws (array types, bad input, copies, derivatives) that ``test_completeness.py`` names.
"""

from __future__ import annotations

import copy
import itertools
import pickle
import warnings
from collections.abc import Callable
from dataclasses import dataclass

import mpmath as mp
import numpy as np
import pytest
import torch

import implicit_bias as ib
from implicit_bias.errors import InputError

with warnings.catch_warnings():  # torch warns about itself when it first differentiates in forward mode
    warnings.simplefilter("ignore", DeprecationWarning)
    warnings.simplefilter("ignore", FutureWarning)
    torch.func.jvp(torch.sin, (torch.zeros(1),), (torch.ones(1),))

EPS = 2.0**-52
# Every formula takes about a dozen operations, each of which rounds by half a unit in the last place.
ULPS = 32 * EPS
# A finite difference over this share of the length on which R'' varies has a truncation error of about its square.
STEP = 1e-4


@dataclass(frozen=True)
class Case:
    """A potential with two points of its domain.

    Attributes:
        potential: The potential.
        x: A point, shape (n,).
        other: Another point, shape (n,).
        dual_rounding: The error of the mirror map at x, shape (n,): a few units in the last place of its largest term,
            such as log a, which may be larger than z itself.
        value_rounding: The error of R(x) and R*(z) if these are computed as integrals.
        length: The length on which R'' varies little, shape (n,); by default the metric, as for entropies.
    """

    potential: ib.Potential
    x: np.ndarray
    other: np.ndarray
    dual_rounding: np.ndarray
    value_rounding: float = 0.0
    length: np.ndarray | None = None

    @property
    def step(self) -> np.ndarray:
        """The step of finite differences at x."""
        return STEP * (self.potential.metric(self.x) if self.length is None else self.length)


def metric_inverts_hessian(case: Case):
    """(∇²R)⁻¹ · ∇²R = 1, and both are positive: R is strictly convex."""
    metric, hessian = case.potential.metric(case.x), case.potential.hessian_diagonal(case.x)
    assert np.all(metric > 0)
    assert np.all(hessian > 0)
    np.testing.assert_allclose(metric * hessian, 1.0, rtol=ULPS)


def gradient_is_monotone(case: Case):
    """⟨∇R(x) − ∇R(x'), x − x'⟩ > 0 in every coordinate in which x and x' differ by more than rounding."""
    gap = case.x - case.other
    rise = case.potential.gradient(case.x) - case.potential.gradient(case.other)
    slack = 2 * case.dual_rounding
    assert np.all(rise * np.sign(gap) >= -slack)
    # The slope is least at the end with the larger metric, as the metric is convex or monotone on the segment.
    metric = np.maximum(case.potential.metric(case.x), case.potential.metric(case.other))
    is_resolved = np.abs(gap) > 2 * slack * metric
    assert np.all((rise * np.sign(gap))[is_resolved] > 0)


def inverse_gradient_undoes_gradient(case: Case):
    """∇R*(∇R(x)) = x, up to the change of x by rounding of the dual variable."""
    back = case.potential.inverse_gradient(case.potential.gradient(case.x))
    allowed = case.dual_rounding * case.potential.metric(case.x) + ULPS * np.abs(case.x)
    assert np.all(np.abs(back - case.x) <= allowed)


def gradient_undoes_inverse_gradient(case: Case):
    """∇R(∇R*(z)) = z."""
    z = case.potential.gradient(case.x)
    back = case.potential.gradient(case.potential.inverse_gradient(z))
    assert np.all(np.abs(back - z) <= 2 * case.dual_rounding)


def fenchel_equality_holds(case: Case):
    """R(x) + R*(∇R(x)) = ⟨x, ∇R(x)⟩, up to rounding of the three and of the dual variable."""
    z = case.potential.gradient(case.x)
    value, conjugate = case.potential.value(case.x), case.potential.conjugate(z)
    allowed = ULPS * (np.sum(np.abs(case.potential.terms(case.x))) + np.sum(np.abs(case.x * z)) + abs(conjugate))
    allowed += 2 * np.sum(case.dual_rounding * np.abs(case.x)) + 2 * case.value_rounding
    assert abs(value + conjugate - np.sum(case.x * z)) <= allowed


def fenchel_inequality_holds(case: Case):
    """R(x) + R*(z) − ⟨x, z⟩ is the divergence of x from the point whose mirror image is z, and so at least 0."""
    z = case.potential.gradient(case.other)
    terms = [case.potential.value(case.x), case.potential.conjugate(z), -np.sum(case.x * z)]
    size = np.sum(np.abs(case.potential.terms(case.x))) + abs(terms[1]) + np.sum(np.abs(case.x * z))
    # conjugate(z) carries the rounding of z at the other point, in units of its slope there.
    allowed = ULPS * size + 4 * np.sum(case.dual_rounding * (np.abs(case.x) + np.abs(case.other)))
    allowed += 4 * case.value_rounding
    assert abs(sum(terms) - case.potential.divergence(case.x, case.other)) <= allowed


def hessian_is_derivative_of_gradient(case: Case):
    """Central differences of ∇R are ∇²R."""
    h, metric = case.step, case.potential.metric(case.x)
    ahead, behind = case.x + h, case.x - h
    slope = (case.potential.gradient(ahead) - case.potential.gradient(behind)) / (ahead - behind)
    # Truncation is O(STEP²) times the square of the rate; rounding is that of the mirror map over the step.
    allowed = 10 * STEP**2 + 2 * case.dual_rounding * metric / h
    assert np.all(np.abs(slope * metric - 1) <= allowed)


def gradient_is_derivative_of_value(case: Case):
    """Central differences of R are ∇R in every coordinate."""
    h = case.step
    ahead, behind = case.x + h, case.x - h
    values = case.potential.terms(ahead), case.potential.terms(behind)
    slope = (values[0] - values[1]) / (ahead - behind)
    rounding = ULPS * np.maximum(*np.abs(values)) + case.dual_rounding * np.abs(case.x) + case.value_rounding
    # Truncation is O(STEP²) times the rise of ∇R over the length, which is 1 where the length is the metric.
    rise = np.ones_like(h) if case.length is None else np.maximum(1.0, case.length / case.potential.metric(case.x))
    allowed = 10 * STEP**2 * rise + rounding / h + 2 * case.dual_rounding
    assert np.all(np.abs(slope - case.potential.gradient(case.x)) <= allowed)


def divergence_vanishes_at_equality_only(case: Case):
    """D(x, x') >= 0, D(x, x) = 0, and D > 0 where x and x' differ, unless it underflows."""
    assert case.potential.divergence(case.x, case.x) == 0
    divergence = case.potential.divergence(case.x, case.other)
    assert divergence >= 0
    with np.errstate(over="ignore"):
        relative = np.max(np.abs(case.x - case.other) / case.potential.metric(case.x))
    if relative > 1e-3 and np.min(case.potential.metric(case.x)) > 1e-290:
        assert divergence > 0


def divergence_is_the_excess_over_the_tangent(case: Case):
    """D(x, x') = R(x) − R(x') − ⟨∇R(x'), x − x'⟩."""
    value, reference = case.potential.terms(case.x), case.potential.terms(case.other)
    tangent = case.potential.gradient(case.other) * (case.x - case.other)
    allowed = ULPS * np.sum(np.abs(value) + np.abs(reference) + np.abs(tangent))
    allowed += np.sum(case.dual_rounding * (np.abs(case.x) + np.abs(case.other)))
    allowed += 2 * case.value_rounding
    assert abs(case.potential.divergence(case.x, case.other) - np.sum(value - reference - tangent)) <= allowed


def minimizer_has_zero_gradient(case: Case):
    """∇R vanishes at argmin R, up to the rounding of its terms there."""
    at_minimum = np.broadcast_to(case.potential.minimizer, case.x.shape)
    scale = 1 + np.abs(at_minimum) / case.potential.metric(at_minimum)
    assert np.all(np.abs(case.potential.gradient(at_minimum)) <= 4 * case.dual_rounding * scale)


def effective_exponent_is_the_logarithmic_slope(case: Case):
    """p(s) = d log(R(xmin + s) − R(xmin)) / d log s, by central differences of the divergence from the minimizer."""
    center = np.broadcast_to(case.potential.minimizer, case.x.shape)
    low, high = (np.broadcast_to(end, case.x.shape) for end in case.potential.domain)
    for k in range(len(case.x)):
        step = np.zeros_like(case.x)
        step[k] = case.x[k]
        if not low[k] < center[k] + 1.001 * step[k] < high[k]:
            continue
        # We leave out steps that vanish beside the minimizer, and an excess that underflows.
        if abs(step[k]) <= 1e-6 * abs(center[k]) or case.potential.divergence(center + step, center) < 1e-280:
            continue
        ratio = 1 + 1e-4
        ahead = case.potential.divergence(center + step * ratio, center)
        behind = case.potential.divergence(center + step / ratio, center)
        slope = (np.log(ahead) - np.log(behind)) / (2 * np.log(ratio))
        # Rounding of x beside the minimizer: 1e6 · eps / 1e-4 at worst; truncation 1e-8 times the curvature of log D.
        beside = EPS * (1 + abs(center[k] / step[k])) / 1e-4
        exponent = case.potential.effective_exponent(step)[k]
        assert abs(exponent - slope) <= (1e-7 + 64 * beside) * max(1.0, exponent / 2)


LAWS = [
    metric_inverts_hessian,
    gradient_is_monotone,
    inverse_gradient_undoes_gradient,
    gradient_undoes_inverse_gradient,
    fenchel_equality_holds,
    fenchel_inequality_holds,
    hessian_is_derivative_of_gradient,
    gradient_is_derivative_of_value,
    divergence_vanishes_at_equality_only,
    divergence_is_the_excess_over_the_tangent,
    minimizer_has_zero_gradient,
    effective_exponent_is_the_logarithmic_slope,
]


def exponent_runs_from_two_to_one(potential: ib.Potential, s: np.ndarray):
    """A potential that is symmetric about its minimizer has 1 <= p(s) <= 2, and p falls with |s|."""
    exponents = potential.effective_exponent(np.sort(np.abs(s)))
    assert np.all(exponents <= 2 + ULPS)
    assert np.all(exponents >= 1 - ULPS)
    assert np.all(np.diff(exponents) <= ULPS)
    np.testing.assert_array_equal(potential.effective_exponent(-np.sort(np.abs(s))), exponents)


def separation_bounds_the_distance(potential: ib.Potential, x: np.ndarray, other: np.ndarray):
    """If D(x, x') = gap, each bound of ``separation`` holds for its coordinate, and the largest for ‖x − x'‖."""
    distance = float(np.hypot.reduce(x - other))
    # A divergence that underflows is known to a few of the smallest numbers only.
    gap = float(potential.divergence(x, other)) + 16 * 2.0**-1074
    bounds = potential.separation(x, gap) * (1 + ULPS)
    assert np.all(np.abs(x - other) <= bounds)
    assert distance <= np.max(bounds)


def response_error_bounds_the_error(
    potential: ib.Potential, z: float, z_error: float, rate: float, exponents: float, exact: Callable, units: float
):
    """The bound holds if duals, exponents and functions all have their largest error, and it is not much larger.

    This law is for potentials whose ∇R* is made of exponentials; others compare their bound with exact numbers.

    Args:
        potential: R, in one coordinate.
        z: A dual variable.
        z_error: A bound on its distance to the exact one.
        rate: The factor of z in the exponent of x = ∇R*(z).
        exponents: The magnitudes that are added up in the exponent of x = ∇R*(z).
        exact: (z, δ, ε) ↦ x, with an exponent off by δ and exponentials by a factor 1 + ε, in many digits.
        units: The value of ``UNITS_OF_ROUNDING``, the relative error of sums and functions.
    """
    exact_ends = [exact(z + sign * mp.mpf(z_error), 0, 0) for sign in (-1, 1)]
    farthest = mp.mpf(0)
    for off, factor in itertools.product((-units, units), (-units, units)):
        x = exact(mp.mpf(z), off * exponents, factor)
        bound = float(potential.response_error(np.array([z]), np.array([z_error]), np.array([float(x)]))[0])
        error = max(abs(x - end) for end in exact_ends)
        assert error <= mp.mpf(bound) * (1 + mp.mpf(EPS))
        farthest = max(farthest, error)
    total = rate * z_error + units * exponents
    if total < 0.08:  # the exponential is nearly a line
        assert bound <= 1.45 * farthest + 3e-308


@dataclass(frozen=True)
class Chain:
    """A sum of functions of one coordinate with its first three derivatives, in torch and exactly.

    Attributes:
        value: The sum, which torch differentiates.
        gradient: Its derivative as a method of its own, which torch differentiates as well.
        exact: The function of coordinate k and its derivatives at a number, each with the size of its largest term.
    """

    value: Callable
    gradient: Callable
    exact: Callable[[int, float], list[tuple[mp.mpf, mp.mpf]]]


def torch_derivatives_are_exact(chain: Chain, points: np.ndarray, ulps: float):
    """Values and first to third derivatives by every method of torch are exact at points of shape (rows, n)."""
    rows, func = torch.as_tensor(points), torch.func
    want = [[chain.exact(k, float(number)) for k, number in enumerate(row)] for row in points]
    for got, terms in zip(chain.value(rows), want, strict=True):
        assert_rounded(got, (sum(t[0][0] for t in terms), sum(t[0][1] for t in terms)), ulps)

    def check(order: int, got: torch.Tensor, chosen: torch.Tensor | None = None):
        for i in range(len(rows)) if chosen is None else torch.nonzero(chosen)[:, 0].tolist():
            for number, term in zip(got[i].detach(), want[i], strict=True):
                assert_rounded(number, term[order], ulps)

    check(1, chain.gradient(rows))
    check(1, func.vmap(func.grad(chain.value))(rows))
    # If the sum overflows, forward mode loses digits of slopes below 1e-288.
    check(1, func.vmap(func.jacfwd(chain.value))(rows), torch.isfinite(chain.value(rows)))
    hessian = func.vmap(func.hessian(chain.value))(rows)
    jacobians = [func.vmap(jacobian(chain.gradient))(rows) for jacobian in (func.jacrev, func.jacfwd)]
    check(2, torch.diagonal(hessian, dim1=1, dim2=2))
    for matrix in (*jacobians, torch.stack([func.hessian(chain.value)(row) for row in rows])):
        torch.testing.assert_close(matrix, hessian, rtol=ulps * EPS, atol=0)
    assert not torch.any(hessian[:, ~torch.eye(points.shape[1], dtype=torch.bool)]), (
        "the Hessian of a sum over weights is diagonal"
    )
    x = rows.clone().requires_grad_()
    for order, total in enumerate([chain.value(x).sum()] * 3, 1):
        for _ in range(order):
            (slope,) = torch.autograd.grad(total, x, create_graph=True)
            total = slope.sum()
        check(order, slope)


def assert_rounded(got: torch.Tensor, want: tuple[mp.mpf, mp.mpf], ulps: float):
    """Assert that a number errs by at most ``ulps`` units in the last place of the size, or is inf if it overflows."""
    number, size = want
    error = ulps * EPS * size + ulps * mp.mpf(2) ** -1074
    if abs(number) + error > np.finfo(float).max and np.isinf(got := float(got)):
        assert got * number > 0
    else:
        assert abs(mp.mpf(float(got)) - number) <= error, f"{float(got)}, not {mp.nstr(number, 17)}"


def _gradcheck(*arguments, **options):
    with warnings.catch_warnings():  # torch 2.5 warns of a function that its own batches use
        warnings.filterwarnings("ignore", "Please use `torch.vmap`", FutureWarning)
        return torch.autograd.gradcheck(*arguments, **options)


def torch_differentiates_what_it_computes(potential: ib.Potential, x: np.ndarray, other: np.ndarray, **tolerances):
    """First and second derivatives in both modes, alone and in batches, agree with differences of each method."""
    check = _gradcheck
    batches = {"check_batched_grad": True, "check_batched_forward_grad": True}
    points = {name: torch.as_tensor(v).requires_grad_() for name, v in (("x", x), ("other", other))}
    points["z"] = potential.gradient(points["x"]).detach().requires_grad_()
    twice = {"terms": "x", "value": "x", "gradient": "x", "inverse_gradient": "z", "conjugate": "z"}
    for name, point in {**twice, "metric": "x", "hessian_diagonal": "x"}.items():
        assert check(getattr(potential, name), points[point], check_forward_ad=True, **batches, **tolerances)
    assert check(potential.divergence, (points["x"], points["other"]), check_forward_ad=True, **batches, **tolerances)
    for name, point in twice.items():
        both = (getattr(potential, name), points[point])
        assert torch.autograd.gradgradcheck(*both, check_fwd_over_rev=True, **tolerances)
    both = (points["x"], points["other"])
    assert torch.autograd.gradgradcheck(potential.divergence, both, check_fwd_over_rev=True, **tolerances)
    exponents = potential.effective_exponent(points["x"] - torch.as_tensor(potential.minimizer)).sum()
    with pytest.raises(ib.UnsupportedError, match="the effective exponent"):
        exponents.backward()


def divergences_of_close_points_have_exact_derivatives(potential: ib.Potential, x: np.ndarray, exact: Callable, rtol):
    """∂D/∂x = R'(x) − R'(x'), which cancels, and ∂D/∂x' = −(x − x') R''(x') are exact; ``exact`` is as in a Chain."""
    for closeness in (0.1, 1e-5, 1e-12, EPS, 0.0):
        points = torch.as_tensor(x), torch.as_tensor(x * (1 + closeness))
        slopes = torch.func.grad(potential.divergence, argnums=(0, 1))(*points)
        mixed = torch.func.jacfwd(torch.func.jacrev(potential.divergence, argnums=1))(*points)
        for k in range(len(x)):
            here, there = (exact(k, float(point[k])) for point in points)
            step = mp.mpf(float(points[0][k])) - mp.mpf(float(points[1][k]))
            for got, want in (
                (slopes[0][k], here[1][0] - there[1][0]),
                (slopes[1][k], -step * there[2][0]),
                (mixed[k, k], -there[2][0]),
            ):
                assert_rounded(got, (want, abs(want)), rtol / EPS)


def torch_rounds_once(potential: ib.Potential, x: np.ndarray):
    """In 16 and 32 bits, results and derivatives are those of double precision at the same points, rounded."""
    for dtype in (torch.float16, torch.bfloat16, torch.float32):
        given = torch.as_tensor(x, dtype=dtype)
        for name in METHODS + SUMS:
            method = getattr(potential, name)
            _same_bits(method(given), method(given.double()), dtype)
            if name != "effective_exponent":
                for jacobian in (torch.func.jacrev, torch.func.jacfwd):
                    _same_bits(jacobian(method)(given), jacobian(method)(given.double()), dtype)
        _same_bits(
            torch.func.hessian(potential.value)(given), torch.func.hessian(potential.value)(given.double()), dtype
        )


def _same_bits(got: torch.Tensor, exact: torch.Tensor, dtype: torch.dtype):
    assert got.dtype == dtype
    torch.testing.assert_close(got, exact.to(dtype), rtol=0, atol=0)


def a_copy_gives_the_same_numbers(potential: ib.Potential, x: np.ndarray):
    """Pickled and deep copies of a potential give its numbers bit by bit, if made before its first use or after."""
    for _ in range(2):
        copies = [pickle.loads(pickle.dumps(potential)), copy.deepcopy(potential)]  # noqa: S301
        for name in METHODS + SUMS:
            want = getattr(potential, name)(x)
            for other in copies:
                np.testing.assert_array_equal(getattr(other, name)(x), want)
        np.testing.assert_array_equal(copies[0].domain, potential.domain)


METHODS = ["terms", "gradient", "hessian_diagonal", "metric", "inverse_gradient", "effective_exponent"]
SUMS = ["value", "conjugate"]
ARRAYS = [
    pytest.param(lambda v: np.asarray(v, np.float32), 2e-6, id="numpy-float32"),
    pytest.param(lambda v: np.asarray(v, np.float64), 1e-14, id="numpy-float64"),
    pytest.param(lambda v: torch.as_tensor(v, dtype=torch.float32), 2e-6, id="torch-float32"),
    pytest.param(lambda v: torch.as_tensor(v, dtype=torch.float64), 1e-14, id="torch-float64"),
]


def types_are_preserved(potential: ib.Potential, x: np.ndarray, make, rtol: float):
    """Array type, dtype, device and shape (..., n) come back, with the values of float64 to the dtype's precision.

    The points x and x/2 must lie in the domain.
    """
    points = np.stack([x, x / 2, 3 * x / 4])[:, None, :]  # shape (3, 1, n)
    given = make(points)
    for name in METHODS + SUMS:
        got = getattr(potential, name)(given)
        _same_kind(got, given, points.shape if name in METHODS else points.shape[:-1])
        np.testing.assert_allclose(np.asarray(got), getattr(potential, name)(points), rtol=rtol, atol=rtol)
    divergence = potential.divergence(given, make(x))
    _same_kind(divergence, given, points.shape[:-1])
    np.testing.assert_allclose(np.asarray(divergence), potential.divergence(points, x), rtol=rtol, atol=rtol)


def _same_kind(got, given, shape):
    assert isinstance(got, type(given)) or (got.ndim == 0 and isinstance(got, np.generic))
    assert got.dtype == given.dtype
    assert str(getattr(got, "device", "cpu")) == str(getattr(given, "device", "cpu"))
    assert tuple(got.shape) == shape


def bad_input_is_refused(potential: ib.Potential, x: np.ndarray):
    """Nan and inf raise a ``DomainError``, complex numbers and a wrong number of coordinates an ``InputError``."""
    for name in [*METHODS, *SUMS]:
        method = getattr(potential, name)
        for bad in (np.nan, np.inf, -np.inf):
            broken = x.copy()
            broken[-1] = bad
            for array in (broken, torch.as_tensor(broken)):
                with pytest.raises(ib.DomainError, match=rf"index \({len(x) - 1},\)"):
                    method(array)
        with pytest.raises(InputError, match="real"):
            method(x.astype(complex))
        if potential.size is not None and potential.size > 1:
            with pytest.raises(InputError, match="coordinates"):
                method(np.append(x, 1.0))
    with pytest.raises(ib.DomainError):
        potential.divergence(x, x * np.nan)
