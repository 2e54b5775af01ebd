r"""Thousands of diagonal networks, trained as one batch: the transition from L2 to L1, measured on trajectories.

The runs (seeds × scales × schedules) share every operation of a step, and every step shares its buffers with the one
before, so that a thousand networks of a hundred weights train in the time of some twenty, and their memory does not
grow with the number of steps.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np
import torch
from numpy.typing import ArrayLike

from implicit_bias.errors import InputError, UnsupportedError
from implicit_bias.flow.mini_batches import check_seeds, mini_batches
from implicit_bias.flow.solution import FlowStats
from implicit_bias.flow.steps import recorded_steps, step_sizes
from implicit_bias.linear_map import DenseMap
from implicit_bias.masking.diagonal_networks import DiagonalNetworks
from implicit_bias.potential import HyperbolicEntropy
from implicit_bias.problem import Regression
from implicit_bias.schedule import Schedule
from implicit_bias.status import Status
from implicit_bias.validation import finite_array, whole_number

T = TypeVar("T")

_ROUND = 1000  # steps after which a training without a sound run ends
_MOST_STRENGTHS = 200_000  # strengths that are computed and kept at a time


@dataclass(frozen=True, eq=False)
class Ensemble:
    r"""Recorded steps of many trained networks x = m ⊙ w.

    Everything is a float64 NumPy array in main memory, whatever the training's precision and device: records take no
    memory there, and potentials, projections and plots work on them as they are.

    Attributes:
        steps: Numbers k of the recorded steps, shape (k,); step 0 is the start.
        t: steps × η, shape (k, runs). With momentum β a run follows the flow at time t / (1 − β).
        x: Effective weights, shape (k, runs, n).
        loss: f(x) on all observations, shape (k, runs).
        dual: Accumulated gradient ν of the loss in its predictions, shape (k, runs, d), as in
            :class:`~implicit_bias.flow.descent.Descent`: with momentum the sum of the moves that it makes of the
            gradients, so that :math:`\nabla R_{a_k}(x_k) = -Z^T\nu_k + O(\eta)` for every optimizer.
        decay: A_k, the strengths accumulated in the same way, shape (k, runs).
        init: m and w at the start, each of shape (runs, n).
        parameters: m and w at the end, likewise.
        diverged: Whether a run left the floating-point range, shape (runs,). From there on everything recorded of it
            is nan, except steps and t.
        stats: The cost: gradients evaluated (one a step for all runs together) and wall time.
        problems: One problem for all runs, or one for each.
    """

    steps: np.ndarray
    t: np.ndarray
    x: np.ndarray
    loss: np.ndarray
    dual: np.ndarray
    decay: np.ndarray
    init: Mapping[str, np.ndarray] = field(repr=False)
    parameters: Mapping[str, np.ndarray] = field(repr=False)
    diverged: np.ndarray
    stats: FlowStats
    problems: tuple[Regression, ...] = field(repr=False)

    @property
    def runs(self) -> int:
        """Number of runs."""
        return self.x.shape[1]

    @property
    def status(self) -> tuple[Status, ...]:
        """How each run ended: ``NOT_FINITE`` if it diverged."""
        return tuple(Status.NOT_FINITE if diverged else Status.CONVERGED for diverged in self.diverged)

    @property
    def accumulated_gradient(self) -> np.ndarray:
        r""":math:`L_k = Z^T\nu_k`, of the shape of x."""
        Z = np.stack([problem.Z for problem in self.problems])
        return (self.dual.swapaxes(0, 1) @ Z).swapaxes(0, 1)

    def problem(self, run: int) -> Regression:
        """The problem of one run."""
        return self.problems[run % len(self.problems)]

    def potential(self, runs: int | np.ndarray, record: int = -1) -> HyperbolicEntropy:
        r"""The potential :math:`R_{a_k}` of one run at a record, from its start and its decay so far.

        Args:
            runs: A run; or several, whose weights are then the coordinates of one potential, run after run.
            record: Index of the record.
        """
        m, w = self.init["m"][runs], self.init["w"][runs]
        # A product of m − w and m + w may underflow.
        low, high = np.log(m - w), np.log(m + w)
        log_scale = low + high - np.log(2) - 4 * self.decay[record, runs][..., None]
        return HyperbolicEntropy(log_scale=log_scale.ravel(), shift=(high - low).ravel())

    def __repr__(self) -> str:
        return (
            f"Ensemble({self.runs} runs, {len(self.steps)} records to step {self.steps[-1]}, "
            f"{np.sum(self.diverged)} diverged)"
        )


def initialization(weights: ArrayLike, scale: ArrayLike) -> dict[str, np.ndarray]:
    r"""The m and w with :math:`m \odot w = x` and :math:`m^2 - w^2 = 2a`: the start at weights x with scale a.

    .. math:: m = \sqrt{\sqrt{x^2 + a^2} + a}, \qquad w = x / m

    Args:
        weights: x, shape (n,) or (runs, n).
        scale: a > 0, a number, one for each run (runs,), or one for each weight of each run (runs, n).

    Raises:
        InputError: If shapes do not fit, numbers are not finite, or a scale is not positive, or too small beside a
            weight: m and w would be equal in double precision.

    >>> start = initialization([0.0, 1.0], scale=[1e-4, 1.0])
    >>> start["m"].shape, (start["m"] * start["w"]).tolist()
    ((2, 2), [[0.0, 1.0], [0.0, 1.0]])
    """
    x, a = finite_array(weights, "weights"), finite_array(scale, "scale")
    if x.ndim not in (1, 2) or x.size == 0:
        raise InputError(f"weights: expected shape (n,) or (runs, n), got {x.shape}.")
    if a.ndim > 2 or a.size == 0 or np.min(a) <= 0:
        raise InputError(f"scale: expected a positive number or an array of them, got {scale}.")
    if a.ndim == 1:
        a = a[:, None]
    try:
        x, a = np.broadcast_arrays(x, a)
    except ValueError:
        raise InputError(
            f"scale: expected a number or shape (runs,) or (runs, n) to match weights of shape {x.shape}, got shape "
            f"{np.shape(scale)}."
        ) from None
    m = np.sqrt(np.hypot(x, a) + a)
    w = x / m
    _check_dominance(m, w, "scale", np.finfo(float).tiny)
    return {"m": m, "w": w}


def ensemble(
    problem: Regression | Sequence[Regression],
    init: Mapping[str, ArrayLike],
    step: ArrayLike,
    steps: int,
    schedule: Schedule | Sequence[Schedule] | None = None,
    *,
    momentum: float = 0.0,
    batch_size: int | None = None,
    seed: ArrayLike = 0,
    record: ArrayLike = 100,
    dtype: torch.dtype = torch.float64,
    device: str | torch.device = "cpu",
) -> Ensemble:
    r"""Train many networks x = m ⊙ w with the regularizer :math:`\alpha_k\sum m^2 + w^2`, all in one batch.

    Each run is what ``torch.optim.SGD`` with ``weight_decay`` :math:`2\alpha_k` makes of m and w on the loss
    :math:`\frac{1}{2d}\|Z(m \odot w) - y\|^2`. Whatever has an axis (runs) has as many entries as the others, or is
    shared by all. To rounding, a run's numbers do not depend on the others, and one that diverges is a status.

    Args:
        problem: One for all runs, or one for each, all of one shape; the squared loss on dense data.
        init: Initial values of ``"m"`` and ``"w"``, |w| < m: numbers, or arrays of shape (n,) or (runs, n) or
            (runs, 1). :func:`initialization` makes them of weights and scales.
        step: Step size η > 0, a number or shape (runs,).
        steps: Number of steps.
        schedule: Strength α, evaluated at t = kη, with momentum too; one for all runs or a list with one for each.
        momentum: β of heavy ball, 0 <= β < 1; 0 is plain gradient descent.
        batch_size: Observations in a mini-batch, drawn as by :func:`~implicit_bias.flow.descent.descent`; all
            observations in every step if not given.
        seed: Seed of the mini-batches. From a number every run gets its own stream; given one seed each, shape
            (runs,), a run draws what it would draw alone.
        record: The number of records, evenly spaced from the start to the last step; or the step numbers to record,
            to which the last step is added. Memory grows with the records, not with the steps.
        dtype: ``torch.float64`` or ``torch.float32``, the precision of the training.
        device: Where to train, ``"cpu"`` or ``"cuda"``.

    Raises:
        InputError: If shapes, names or numbers do not fit, or torch cannot use the device.
        UnsupportedError: If a loss is not the squared one, or Z is not dense.

    >>> problem = Regression([[1.0, 2.0]], [3.0])
    >>> runs = ensemble(problem, initialization([0.0, 0.0], scale=[1e-2, 1.0, 1e2]), 1e-2, 2000)
    >>> (runs.x[-1] @ [1.0, 2.0]).round(3).tolist(), runs.diverged.tolist()
    ([3.0, 3.0, nan], [False, False, True])
    """
    began = time.perf_counter()
    problems = _problems(problem)
    d, n = problems[0].d, problems[0].n
    last = whole_number(steps, "steps")
    if last < 1:
        raise InputError(f"steps: expected a positive integer, got {steps}.")
    marks, eta, seeds = recorded_steps(record, last), step_sizes(step, last), check_seeds(seed)
    if batch_size is None and seeds.ndim:
        raise InputError("seed: expected a number without a batch_size, as only mini-batches are random.")
    schedules = () if schedule is None else _listed(schedule, Schedule, "schedule")
    values = _initial_values(init, n)
    beta = float(finite_array(momentum, "momentum", ndim=0))
    if not 0 <= beta < 1:
        raise InputError(f"momentum: expected 0 <= momentum < 1, got {momentum}.")
    place = _device(device, dtype)
    runs = _number_of_runs(
        {f"init[{name!r}]": value.shape[:-1] for name, value in values.items()}
        | {"step": eta.shape, "seed": seeds.shape, "problem": (len(problems),), "schedule": (len(schedules) or 1,)}
    )
    m, w = (np.broadcast_to(values[name], (runs, n)).copy() for name in ("m", "w"))
    _check_dominance(m, w, "init", torch.finfo(dtype).tiny)
    eta = np.broadcast_to(eta, runs)

    shapes = {"x": (n,), "dual": (d,), "decay": ()}
    records = {name: np.full((len(marks), runs, *shape), np.nan) for name, shape in shapes.items()}
    sound, row, k = np.ones(runs, dtype=bool), 0, 0
    with torch.inference_mode():
        networks = DiagonalNetworks(problems, m, w, eta, beta, dtype, place)
        nothing = itertools.repeat(None)
        batches = nothing if batch_size is None else _batches(networks, d, batch_size, seeds)
        shrinkages = nothing if schedule is None else _shrinkages(networks, schedules, eta, last)
        while True:
            if k == marks[row] or k % _ROUND == 0:
                sound &= networks.finite()
            if k == marks[row]:
                for name, found in networks.state().items():
                    records[name][row, sound] = found[sound]
                row += 1
            if k == last or not sound.any():
                break
            networks.advance(next(batches), next(shrinkages))
            k += 1
        parameters = networks.parameters()
    for value in parameters.values():
        value[~sound] = np.nan
    return Ensemble(
        steps=marks,
        t=marks[:, None] * eta,
        **records,
        loss=_losses(problems, records["x"]),
        init={"m": m, "w": w},
        parameters=parameters,
        diverged=~sound,
        stats=FlowStats(evaluations=k, jacobians=0, steps=k, wall_time=time.perf_counter() - began),
        problems=problems,
    )


def _listed(value: T | Sequence[T], kind: type[T], name: str) -> tuple[T, ...]:
    """One for all runs, or one for each, as a tuple."""
    listed = tuple(value) if isinstance(value, Sequence) else (value,)
    strangers = [type(one).__name__ for one in listed if not isinstance(one, kind)]
    if strangers or not listed:
        got = strangers[0] if strangers else "an empty list"
        raise InputError(f"{name}: expected an ib {kind.__name__}, or a list with one for each run, got {got}.")
    return listed


def _problems(problem: Regression | Sequence[Regression]) -> tuple[Regression, ...]:
    problems = _listed(problem, Regression, "problem")
    shape = problems[0].linear.shape
    for one in problems:
        if one.kind != "squared" or type(one).prediction_gradient is not Regression.prediction_gradient:
            raise UnsupportedError(f"problem: ensemble covers the squared loss alone, got {one!r}; use ib.descent.")
        if not isinstance(one.linear, DenseMap):
            raise UnsupportedError(
                "problem: ensemble covers dense data, got a sparse Z or an operator; use Z.toarray()."
            )
        if one.linear.shape != shape:
            raise InputError(f"problem: expected Z of one shape in all runs, got {shape} and {one.linear.shape}.")
    return problems


def _initial_values(init: Mapping[str, ArrayLike], n: int) -> dict[str, np.ndarray]:
    if not isinstance(init, Mapping) or set(init) != {"m", "w"}:
        raise InputError(f"init: expected a dict with the initial values of m and w, got {_described(init)}.")
    values = {name: np.atleast_1d(finite_array(value, f"init[{name!r}]")) for name, value in init.items()}
    for name, value in values.items():
        if value.ndim > 2 or value.shape[-1] not in (1, n) or value.size == 0:
            raise InputError(
                f"init[{name!r}]: expected a number or an array of shape ({n},), (runs, {n}) or (runs, 1) to match Z, "
                f"got shape {np.shape(init[name])}."
            )
    return values


def _described(init: object) -> str:
    return f"the names {sorted(map(str, init))}" if isinstance(init, Mapping) else type(init).__name__


def _check_dominance(m: np.ndarray, w: np.ndarray, name: str, tiny: float) -> None:
    """Raise ``InputError`` unless |w| < m, by what the precision can hold: elsewhere there is no potential."""
    bad = np.argwhere(m - np.abs(w) <= 2 * tiny)
    if len(bad):
        where = tuple(int(i) for i in bad[0])
        raise InputError(
            f"{name}: expected |w| < m for every weight, got m={m[where]:g} and w={w[where]:g} at index {where}; "
            "a larger scale a, where m² − w² = 2a, or float64 keeps them apart."
        )


def _device(device: str | torch.device, dtype: torch.dtype) -> torch.device:
    if dtype not in (torch.float32, torch.float64):
        raise InputError(f"dtype: expected torch.float64 or torch.float32, got {dtype!r}.")
    try:
        place = torch.device(device)
    except (RuntimeError, TypeError):
        raise InputError(f"device: expected 'cpu' or 'cuda', got {device!r}.") from None
    if place.type not in ("cpu", "cuda"):
        raise InputError(f"device: expected 'cpu' or 'cuda', got {device!r}.")
    if place.type == "cuda" and (place.index or 0) >= torch.cuda.device_count():
        raise InputError(
            f"device: got {device!r}, but torch sees {torch.cuda.device_count()} CUDA devices; choose another, or "
            "install a torch with CUDA."
        )
    return place


def _number_of_runs(axes: Mapping[str, tuple[int, ...]]) -> int:
    try:
        return int(np.prod(np.broadcast_shapes(*axes.values())))
    except ValueError:
        counts = ", ".join(f"{name}: {shape[0]}" for name, shape in axes.items() if shape and shape[0] > 1)
        raise InputError(f"runs: expected the same number of runs everywhere, got {counts}.") from None


def _batches(networks: DiagonalNetworks, d: int, size: int, seeds: np.ndarray) -> Iterator[torch.Tensor]:
    """The weights of the observations in one step after another."""
    return map(networks.tensor, mini_batches(d, size, seeds, networks.runs))


def _shrinkages(
    networks: DiagonalNetworks, schedules: tuple[Schedule, ...], eta: np.ndarray, last: int
) -> Iterator[torch.Tensor]:
    """2ηα, with α at t = kη, in one step after another."""
    groups: dict[int, list[int]] = {}
    for run in range(networks.runs):
        groups.setdefault(id(schedules[run % len(schedules)]), []).append(run)
    # One call of a schedule costs as much as a step, so it is asked for many steps at once.
    many = max(1, _MOST_STRENGTHS // networks.runs)
    for begin in range(0, last, many):
        t = np.arange(begin, min(begin + many, last))[:, None] * eta
        alpha = np.empty_like(t)
        for members in groups.values():
            alpha[:, members] = schedules[members[0] % len(schedules)](t[:, members])
        yield from networks.tensor((2 * eta * alpha)[..., None]).unbind()


def _losses(problems: tuple[Regression, ...], x: np.ndarray) -> np.ndarray:
    with np.errstate(all="ignore"):  # a diverging run may overflow here
        losses = [
            problem.prediction_loss(problem.linear.apply(x if len(problems) == 1 else x[:, [run]]))
            for run, problem in enumerate(problems)
        ]
    return np.concatenate(losses, axis=1)
