"""The products over the steps of a mask, against steps at 50 digits, torch's optimizers, and the ends of runs."""

import mpmath as mp
import numpy as np
import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st

import implicit_bias as ib
from implicit_bias.schedule import Geometric, Harmonic
from implicit_bias.simulate.products import MaskProducts

MASK = ib.Parameterization("m*w", regularizer="m**2 + w**2")
PROBLEM = ib.Regression.sample(6, 9, 2, seed=3)
INIT = {"m": np.linspace(0.8, 1.2, 9), "w": np.linspace(-0.3, 0.5, 9)}
numbers = st.floats(-2, 2, allow_subnormal=False)
steps_taken = st.lists(st.tuples(numbers, st.floats(0.01, 0.9), st.floats(0, 0.5)), min_size=1, max_size=12)
modes = st.sampled_from([(0.0, False), (0.9, False), (0.5, False), (0.9, True)])


class InDigits(MaskProducts):
    """The same recursion on numbers of mpmath, without arrays."""

    def __init__(self, momentum, nesterov, decoupled):
        self.momentum, self._nesterov, self._decoupled = mp.mpf(momentum), nesterov, decoupled
        self.log_scale, self.shift, *self._memory = (np.array(mp.mpf(0), dtype=object) for _ in range(4))
        self._remembers, self._xp = False, InMpmath


class InMpmath:
    """What the recursion calls, on arrays without axes that hold a number of mpmath."""

    log, abs = staticmethod(mp.log), staticmethod(abs)


def trained_by_hand(taken, momentum, nesterov, decoupled):
    """M and w of torch's definitions of SGD and of decoupled decay, at 50 digits."""
    m, w, memory = mp.mpf("1.1"), mp.mpf("0.3"), [mp.mpf(0), mp.mpf(0)]
    beta = mp.mpf(momentum)
    for gradient, step, strength in taken:
        g, eta, alpha = mp.mpf(gradient), mp.mpf(step), mp.mpf(strength)
        slopes = [w * g, m * g] if decoupled else [w * g + 2 * alpha * m, m * g + 2 * alpha * w]
        memory = [beta * old + slope for old, slope in zip(memory, slopes, strict=True)]
        moves = [slope + beta * b for slope, b in zip(slopes, memory, strict=True)] if nesterov else memory
        shrink = 2 * eta * alpha if decoupled else 0
        m, w = m - shrink * m - eta * moves[0], w - shrink * w - eta * moves[1]
    return m, w


@given(steps_taken, modes, st.booleans())
def test_the_products_give_the_weight_to_50_digits(taken, mode, decoupled):
    """X = a sinh β whatever the sequence, also past sign changes of a factor."""
    with mp.workdps(60):
        products = InDigits(*mode, decoupled)
        for gradient, step, strength in taken:
            products.step(mp.mpf(gradient), mp.mpf(step), mp.mpf(strength))
        m, w = trained_by_hand(taken, *mode, decoupled)
        p, q = mp.mpf("1.1") + mp.mpf("0.3"), mp.mpf("1.1") - mp.mpf("0.3")
        x = p * q / 2 * mp.exp(products.log_scale[()]) * mp.sinh(mp.log(p / q) + products.shift[()])
        assert abs(x - m * w) < mp.mpf(10) ** -40 * (m**2 + w**2)


@given(st.lists(st.tuples(numbers, st.sampled_from([0.0, 0.5, 0.9])), min_size=3, max_size=8))
def test_the_momentum_may_change_and_vanish_for_a_while(taken):
    """Against SGD of torch, which then keeps its buffer as it is."""
    m, w = (torch.tensor(value, dtype=torch.float64, requires_grad=True) for value in (1.1, 0.3))
    sgd = torch.optim.SGD([m, w], lr=0.1)
    products = MaskProducts(np.zeros(()))
    for gradient, momentum in taken:
        sgd.param_groups[0]["momentum"] = products.momentum = momentum
        sgd.zero_grad()
        (gradient * m * w).backward()
        sgd.step()
        products.step(np.float64(gradient), 0.1, 0.0)
    x = 1.4 * 0.8 / 2 * np.exp(products.log_scale) * np.sinh(np.log(1.4 / 0.8) + products.shift)
    size = float(m.detach() ** 2 + w.detach() ** 2)
    # Where a factor nearly vanishes, its logarithm loses digits; x is off by rounding of m² + w² all the same.
    assert abs(x) == pytest.approx(abs(float(m.detach() * w.detach())), abs=1e-10 * size)


@given(
    steps_taken.filter(lambda taken: len(taken) > 2),
    modes,
    st.sampled_from(["gradient", "step", "strength", "momentum"]),
)
def test_a_small_change_of_one_number_is_noticed(taken, mode, what):
    """So the agreement is no tautology."""
    with mp.workdps(60):
        changed = [tuple(map(mp.mpf, each)) for each in taken]
        first = changed[0]
        change = mp.mpf(1e-6)
        if what in ("gradient", "step", "strength"):
            place = ("gradient", "step", "strength").index(what)
            changed[0] = tuple(value + change * (k == place) for k, value in enumerate(first))
        momentum = mode[0] + 1e-6 if what == "momentum" else mode[0]
        exact = InDigits(mode[0], mode[1], False)
        for each in taken:
            exact.step(*map(mp.mpf, each))
        assume(mp.isfinite(exact.log_scale[()]))  # no factor was multiplied by zero
        products = InDigits(momentum, mode[1], False)
        for each in changed:
            products.step(*each)
        moved = abs(products.log_scale - exact.log_scale) + abs(products.shift - exact.shift)
        # Where a gradient and a strength are zero, or no momentum acts, a change of the step or of β changes nothing.
        is_idle = (what == "step" and abs(first[0]) + abs(first[2]) < 1e-2) or (
            what == "momentum" and (mode[0] == 0 or sum(abs(g) + a for g, _, a in taken[:-1]) < 1e-2)
        )
        assert is_idle or moved > 1e-9


RUNS = [
    {"step": 0.05, "steps": 6000},
    {"step": 0.05, "steps": 6000, "schedule": Geometric(0.3, tau=0.5)},
    {"step": 0.85, "steps": 6000},
    {"step": 0.05, "steps": 6000, "batch_size": 1, "schedule": Geometric(0.3, tau=0.5)},
    {"step": 0.05, "steps": 6000, "batch_size": 1},
    {"step": 0.02, "steps": 8000, "optimizer": ib.SGD(0.97)},
    {"step": 0.02, "steps": 8000, "optimizer": ib.SGD(0.97), "schedule": Geometric(0.02, tau=0.2)},
    {"step": 0.1, "steps": 30_000, "optimizer": ib.SGD(0.5), "schedule": Geometric(0.1, tau=0.5)},
    {"step": 0.1, "steps": 30_000, "optimizer": ib.SGD(0.5, nesterov=True)},
]


@pytest.mark.parametrize("options", RUNS)
def test_a_run_that_fits_its_data_ends_at_its_own_projection(options):
    """To rounding, where the flow's projection is far off; and both ways to the potential agree at every record."""
    run = ib.descent(PROBLEM, MASK, INIT, record=9, **options)
    assert run.loss[-1] < 1e-24
    limit = run.limit()
    assert np.linalg.norm(run.x[-1] - limit.x) <= 1e-10 * np.linalg.norm(limit.x)
    assert limit.remaining == pytest.approx(np.linalg.norm(run.x[-1] - limit.x), rel=1e-12)
    assert run.flow_limit().remaining is None
    assert np.linalg.norm(run.x[-1] - run.flow_limit().x) > 1e-4 * np.linalg.norm(limit.x)
    for k in range(len(run.t)):
        potential = run.potential(k)
        np.testing.assert_allclose(potential.log_scale, run.products["log_scale"][k], rtol=0, atol=1e-11)
        np.testing.assert_allclose(potential.shift, run.products["shift"][k], rtol=0, atol=1e-11)
        np.testing.assert_allclose(potential.gradient(run.x[k]), -run.accumulated_gradient[k], rtol=0, atol=1e-12)
    np.testing.assert_allclose(run.gain(), run.flow_potential().log_scale - potential.log_scale)
    np.testing.assert_allclose(run.shift(), potential.shift - run.flow_potential().shift)


def test_the_limit_of_an_unfinished_run_says_that_the_run_has_still_to_go():
    """Its end is another one, as the steps still to be made move the potential, by more than the bound on the limit."""
    early, late = (ib.descent(PROBLEM, MASK, INIT, 0.85, steps) for steps in (2, 6000))
    limit = early.limit()
    assert limit.remaining == pytest.approx(np.linalg.norm(early.x[-1] - limit.x), rel=1e-12)
    assert np.linalg.norm(late.x[-1] - limit.x) > 1e3 * limit.error_bound
    assert np.linalg.norm(late.x[-1] - limit.x) < limit.remaining
    assert f"a flow without decay from the last record, {limit.remaining:.2g} away" in repr(limit)
    side_by_side = ib.descent(PROBLEM, MASK, INIT, np.array([0.1, 0.85]), 2)
    assert side_by_side.limit(1).remaining == pytest.approx(limit.remaining, rel=1e-9)


CUBES = ib.Parameterization("u**3 - v**3", regularizer="u**3 + v**3")
CUBES_INIT = {"u": 0.9, "v": np.linspace(0.7, 1.0, 9)}
PAIR = ib.Parameterization(["a*b", "(a**2 + b**2)/2"], regularizer="a**2 + b**2")
LINE = ib.Regression([[1.0, 2.0]], [2.0])
TRIPLE = ib.Parameterization(["a**2/2", "b**2/2", "c**2/2 + a**2/2"], regularizer="a**2 + b**2 + c**2")
PLANE = ib.Regression([[1.0, 2.0, 0.0], [0.0, 1.0, 1.0]], [1.0, 2.0])
OTHERS = [
    (PROBLEM, CUBES, CUBES_INIT, {"step": 0.02}),
    (PROBLEM, CUBES, CUBES_INIT, {"step": 0.02, "schedule": Geometric(0.05, tau=0.5)}),
    (PROBLEM, CUBES, CUBES_INIT, {"step": 0.01, "optimizer": ib.SGD(0.5), "schedule": Geometric(0.05, tau=0.2)}),
    (LINE, PAIR, {"a": 1.0, "b": 0.2}, {"step": 0.05, "schedule": Geometric(0.05, tau=0.5)}),
    (PLANE, TRIPLE, {"a": 1.0, "b": 0.8, "c": 0.6}, {"step": 0.1}),
    (PLANE, TRIPLE, {"a": 1.0, "b": 0.8, "c": 0.6}, {"step": 0.1, "batch_size": 1, "schedule": 0.0}),
]


@pytest.mark.parametrize(("problem", "parameterization", "init", "options"), OTHERS)
def test_runs_of_other_parameterizations_end_at_their_own_projections(problem, parameterization, init, options):
    run = ib.descent(problem, parameterization, init, steps=6000, record=2, **options)
    assert run.loss[-1] < 1e-24
    limit = run.limit()
    assert np.linalg.norm(run.x[-1] - limit.x) <= 1e-10 * np.linalg.norm(limit.x)
    assert np.linalg.norm(run.x[-1] - run.flow_limit().x) > 1e-5 * np.linalg.norm(limit.x)


@pytest.mark.parametrize(
    ("formula", "regularizer", "init", "schedule"),
    [
        ("u**3 - v**3", "u**3 + v**3", {"u": 0.9, "v": np.linspace(0.7, 1.0, 9)}, Geometric(0.05, tau=0.5)),
        ("u**2", "u**2", {"u": np.linspace(0.5, 1.0, 9)}, Harmonic(0.02, tau=0.5)),
        ("a*b*c", None, {"a": 1.0, "b": 0.6, "c": np.linspace(0.4, 0.9, 9)}, None),
    ],
)
def test_the_effective_start_leads_back_by_another_code(formula, regularizer, init, schedule):
    """The gradient flow from it, integrated with constant slope L and strength A over a unit of time."""
    from scipy.integrate import solve_ivp

    parameterization = ib.Parameterization(formula, regularizer=regularizer)
    run = ib.descent(PROBLEM, parameterization, init, 0.02, 200, schedule=schedule, record=3)
    start = run.effective_init()
    L, A = run.accumulated_gradient[-1], run.decay[-1]
    weight = 4
    names, theta = list(start), np.array([value[weight] for value in start.values()])

    def slopes(expression, point):
        step = 1e-30j
        found = []
        for k in range(len(point)):
            moved = dict(zip(names, point.astype(complex) + step * (np.arange(len(point)) == k), strict=True))
            found.append(np.imag(eval(expression, {}, moved)) / 1e-30)  # noqa: S307 - a formula of this test
        return np.array(found)

    def velocity(_, point):
        pull = slopes(formula, point) * -L[weight]
        return pull - A * slopes(regularizer, point) if regularizer else pull

    end = solve_ivp(velocity, (0, 1), theta, "LSODA", rtol=1e-11, atol=1e-12).y[:, -1]
    expected = [run.parameters[name][-1, weight] for name in names]
    np.testing.assert_allclose(end, expected, rtol=1e-8, atol=1e-10)
    assert max(np.max(np.abs(start[name] - init[name])) for name in names) > 1e-5
    np.testing.assert_allclose(run.potential().gradient(run.x[-1]), -L, rtol=0, atol=1e-8)


def test_along_a_flow_the_effective_start_is_the_start():
    flow = ib.gradient_flow(PROBLEM, MASK, INIT, [0.5, 2.0], schedule=Geometric(0.3, tau=0.5))
    for k in (0, 1):
        start = flow.effective_init(k)
        for name, value in INIT.items():
            np.testing.assert_allclose(start[name], value, rtol=0, atol=1e-8)
    dual = ib.mirror_flow(PROBLEM, ib.derive(MASK), INIT, [1.0])
    with pytest.raises(ib.InputError, match="no parameters"):
        dual.effective_init()


def test_a_vanished_factor_has_no_scale():
    """Gradient descent with step 1 on f = (x − y)²/2 can multiply a factor by zero: then nothing moves it again."""
    products = MaskProducts(np.zeros(2))
    with np.errstate(divide="ignore"):
        products.step(np.array([1.0, 0.5]), 1.0, 0.0)
    assert products.log_scale[0] == -np.inf
    assert np.isfinite(products.log_scale[1])


@given(steps_taken, modes)
def test_torch_and_numpy_agree(taken, mode):
    ours, theirs = MaskProducts(np.zeros(1), *mode), MaskProducts(torch.zeros(1, dtype=torch.float64), *mode)
    with np.errstate(all="ignore"):
        for gradient, step, strength in taken:
            ours.step(np.array([gradient]), step, strength)
            theirs.step(torch.tensor([gradient], dtype=torch.float64), step, strength)
    np.testing.assert_allclose(theirs.log_scale.numpy(), ours.log_scale, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(theirs.shift.numpy(), ours.shift, rtol=1e-12, atol=1e-12)


def test_steps_have_no_momentum_if_none_is_given():
    products = MaskProducts(np.zeros(()))
    for _ in range(2):
        products.step(np.float64(0.5), 0.1, 0.0)
    assert products.log_scale == pytest.approx(2 * (np.log(0.95) + np.log(1.05)), rel=1e-15)
