r"""Thousands of diagonal networks, trained as one batch: the transition from L2 to L1, measured on trajectories.

The runs (seeds × scales × schedules) share every operation of a step, and every step uses the buffers of the one
before. So a thousand networks of a hundred weights train in the time of some twenty, and their memory does not grow
with the number of steps.
"""

from __future__ import annotations

import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import ArrayLike

from implicit_bias.errors import DomainError, InputError, UnsupportedError, known_options
from implicit_bias.linear_map import DenseMap
from implicit_bias.masking.diagonal_networks import DiagonalNetworks
from implicit_bias.potential.family import MaskFamily, NoFamily
from implicit_bias.problem import Regression
from implicit_bias.schedule import Schedule
from implicit_bias.simulate.descent import PLAIN
from implicit_bias.simulate.discrete import plan, train
from implicit_bias.simulate.optimizer import SGD, WITHOUT_POTENTIAL, Optimizer, checked_optimizer
from implicit_bias.simulate.products import scale_and_shift
from implicit_bias.simulate.trajectory import Stats, Trajectory
from implicit_bias.status import Status, settle
from implicit_bias.validation import finite_array

_DEVICE = re.compile(r"cpu(:0)?|cuda(:(?P<index>0|[1-9]\d{0,3}))?")


@dataclass(frozen=True, eq=False)
class MaskFamilies:
    """The potentials of runs x = m ⊙ w.

    Attributes:
        m: Initial values, shape (runs, n).
        w: Initial values, shape (runs, n).
    """

    m: np.ndarray
    w: np.ndarray

    def __call__(self, run: int | None = None) -> MaskFamily:
        """The potentials of the run with this number."""
        return MaskFamily(self.m[run], self.w[run])

    def started(self, init: Mapping[str, np.ndarray]) -> MaskFamily:
        """The potentials of another start of one run.

        Raises:
            DomainError: Unless |w| < m.
        """
        lost = np.flatnonzero(~(np.abs(init["w"]) < init["m"]))
        if len(lost):
            error = DomainError("init: expected |w| < m for every weight.")
            error.condition, error.weight = "m0 - |w0|", int(lost[0])
            raise error
        return MaskFamily(init["m"], init["w"])

    @staticmethod
    def pulled_back(
        parameters: Mapping[str, np.ndarray], accumulated_gradient: np.ndarray, decay: float
    ) -> dict[str, np.ndarray]:
        """The start from which the flow leads to m and w: m ± w grow by ±L + 2A, and count with their sizes alone."""
        high, low = (parameters["m"] + sign * parameters["w"] for sign in (1, -1))
        high = np.abs(high) * np.exp(2 * decay + accumulated_gradient)
        low = np.abs(low) * np.exp(2 * decay - accumulated_gradient)
        return {"m": (high + low) / 2, "w": (high - low) / 2}

    def of_all(self, runs: np.ndarray) -> MaskFamily:
        """The potentials of several runs at once: their weights, run after run, are the coordinates."""
        return MaskFamily(self.m[runs].ravel(), self.w[runs].ravel())


@known_options
def initialization(weights: ArrayLike, scale: ArrayLike) -> dict[str, np.ndarray]:
    r"""Return the m and w with :math:`m \odot w = x` and :math:`m^2 - w^2 = 2a`: the start at weights x with scale a.

    .. math:: m = \sqrt{\sqrt{x^2 + a^2} + a}, \qquad w = x / m

    Args:
        weights: x, shape (n,) or (runs, n).
        scale: a > 0, a number, one for each run (runs,), or one for each weight of each run (runs, n).

    Raises:
        InputError: If shapes do not fit, numbers are not finite, a scale is not positive, or it is so small beside a
            weight that m and w would be equal in double precision.

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


@known_options
def ensemble(
    problem: Regression | Sequence[Regression],
    init: Mapping[str, ArrayLike],
    step: ArrayLike,
    steps: int,
    *,
    optimizer: Optimizer = PLAIN,
    schedule: Schedule | float | Sequence[Schedule | float] | None = None,
    batch_size: int | None = None,
    seed: ArrayLike = 0,
    record: ArrayLike = 100,
    products: bool = False,
    dtype: torch.dtype = torch.float64,
    device: str | torch.device = "cpu",
    throw: bool = False,
) -> Trajectory:
    r"""Train many networks x = m ⊙ w with the regularizer :math:`\alpha_k\sum m^2 + w^2`, all in one batch.

    Each run does what ``torch.optim.SGD`` with ``weight_decay`` :math:`2\alpha_k` does to m and w on the loss
    :math:`\frac{1}{2d}\|Z(m \odot w) - y\|^2`. An argument with an axis (runs) has one entry for each run; all runs
    share the others. To rounding, a run's numbers do not depend on the other runs, and a run that diverges leaves them
    alone.

    Args:
        problem: One for all runs or one for each, all of one shape, with the squared loss and dense data.
        init: Initial values of ``"m"`` and ``"w"``, |w| < m: numbers, or arrays of shape (n,) or (runs, n) or
            (runs, 1). :func:`initialization` computes them from weights and scales.
        step: Step size η > 0, a number or shape (runs,).
        steps: Number of steps.
        optimizer: Gradient descent, by default without momentum; or sign descent, Adam or AdamW, as for
            :func:`~implicit_bias.simulate.descent.descent`.
        schedule: Strength α, or a number for a constant one, evaluated at t = kη, with momentum too; one for all runs
            or a list with one for each.
        batch_size: Observations in a mini-batch, drawn as by :func:`~implicit_bias.simulate.descent.descent`. Without
            it every step takes all observations.
        seed: Seed of the mini-batches. A single number gives every run its own stream; with one seed for each run,
            shape (runs,), a run draws what it would draw alone.
        record: The number of records, evenly spaced from the start to the last step, or the step numbers to record, to
            which the last step is added. Memory grows with the records, not with the steps.
        products: Also accumulate the products over the steps, which say what potential each run has at every record
            without looking at where it is; in float64, see :class:`~implicit_bias.Trajectory`.
        dtype: ``torch.float64`` or ``torch.float32``, the precision of the training.
        device: Where to train, ``"cpu"`` or ``"cuda"``. On CUDA gradient descent replays many steps in one launch.
        throw: Raise when any run diverges, instead of reporting it in ``diverged`` and ``status``.

    Returns:
        A trajectory with an axis of runs. Its arrays are float64 NumPy arrays in main memory, whatever the training's
        precision and device, so records take no memory on the device, and potentials, projections and plots work on
        them as they are.

    Raises:
        InputError: If shapes, names or numbers do not fit, or torch cannot use the device.
        UnsupportedError: If a loss is not the squared one, or Z is not dense.
        SolverError: If a run diverges and ``throw`` is set; the error's ``result`` holds the other runs.

    >>> problem = Regression([[1.0, 2.0]], [3.0])
    >>> runs = ensemble(problem, initialization([0.0, 0.0], scale=[1e-2, 1.0, 1e2]), 1e-2, 2000)
    >>> (runs.x[-1] @ [1.0, 2.0]).round(3).tolist(), runs.diverged.tolist()
    ([3.0, 3.0, nan], [False, False, True])
    """
    began = time.perf_counter()
    problems = _problems(problem)
    d, n = problems[0].d, problems[0].n
    values = _initial_values(init, n)
    checked_optimizer(optimizer)
    if products and not isinstance(optimizer, SGD):
        raise InputError(f"products: {optimizer!r} multiplies m ± w by no numbers; leave products out.")
    place = _device(device, dtype)
    axes = {f"init[{name!r}]": value.shape[:-1] for name, value in values.items()} | {"problem": (len(problems),)}
    plans = plan(d, axes, step, steps, schedule, True, batch_size, seed, record)
    runs = plans.runs
    _check_dominance(values["m"], values["w"], "init", torch.finfo(dtype).tiny)
    m, w = (np.broadcast_to(values[name].copy(), (runs, n)) for name in ("m", "w"))

    with torch.inference_mode():
        usual = int(np.median(np.diff(plans.marks))) if len(plans.marks) > 1 else steps
        networks = DiagonalNetworks(problems, m, w, plans.eta, optimizer, dtype, place, products, usual)
        records, sound, k = train(networks, plans)
        parameters = networks.parameters()
    if not sound.all():
        for value in parameters.values():
            value[~sound] = np.nan
    made = _scales_and_shifts(problems, m, w, records) if products else {}
    result = Trajectory(
        t=plans.marks[:, None] * plans.eta,
        x=records["x"],
        loss=_losses(problems, records["x"]),
        dual=records["dual"],
        decay=records["decay"],
        status=Status.CONVERGED if np.all(sound) else Status.NOT_FINITE,
        stats=Stats(evaluations=k, jacobians=0, steps=k, wall_time=time.perf_counter() - began),
        problems=problems,
        families=MaskFamilies(m, w) if isinstance(optimizer, SGD) else NoFamily(WITHOUT_POTENTIAL),
        parameters={name: value[None] for name, value in parameters.items()},
        products=made,
        steps=plans.marks,
        diverged=~sound,
    )
    return settle(result, throw, "ensemble")


def _problems(problem: Regression | Sequence[Regression]) -> tuple[Regression, ...]:
    """The problem of all runs, or those of each, as a tuple."""
    problems = tuple(problem) if isinstance(problem, Sequence) else (problem,)
    strangers = [type(one).__name__ for one in problems if not isinstance(one, Regression)]
    if strangers or not problems:
        got = strangers[0] if strangers else "an empty list"
        raise InputError(f"problem: expected an ib.Regression, or a list with one for each run, got {got}.")
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
    """Raise ``InputError`` unless |w| < m in the precision of the training: elsewhere there is no potential."""
    bad = m - np.abs(w) <= 2 * tiny
    if bad.any():
        where = tuple(int(i) for i in np.argwhere(bad)[0])
        m, w = np.broadcast_arrays(m, w)
        raise InputError(
            f"{name}: expected |w| < m for every weight, got m={m[where]:g} and w={w[where]:g} at index {where}; "
            "a larger scale a, where m² − w² = 2a, or float64 keeps them apart."
        )


def _device(device: str | torch.device, dtype: torch.dtype) -> torch.device:
    if dtype not in (torch.float32, torch.float64):
        raise InputError(f"dtype: expected torch.float64 or torch.float32, got {dtype!r}.")
    name = str(device)
    found = _DEVICE.fullmatch(name)
    if found is None:
        raise InputError(f"device: expected 'cpu' or 'cuda', got {device!r}.")
    # Before torch reads the number, which it keeps in eight bits.
    if name.startswith("cuda") and int(found["index"] or 0) >= torch.cuda.device_count():
        raise InputError(
            f"device: got {device!r}, but torch sees {torch.cuda.device_count()} CUDA devices; choose another, or "
            "install a torch with CUDA."
        )
    return torch.device(name)


def _scales_and_shifts(
    problems: tuple[Regression, ...], m: np.ndarray, w: np.ndarray, records: Mapping[str, np.ndarray]
) -> dict[str, np.ndarray]:
    """The logarithm of the scale and the shift at every record, shape (k, runs, n)."""
    dual = records["dual"]
    gradient = np.concatenate(
        [
            problem.linear.adjoint(dual if len(problems) == 1 else dual[:, [run]])
            for run, problem in enumerate(problems)
        ],
        axis=1,
    )
    log_scale, shift = scale_and_shift(m, w, records["log_scale"], records["shift"], gradient)
    return {"log_scale": log_scale, "shift": shift}


def _losses(problems: tuple[Regression, ...], x: np.ndarray) -> np.ndarray:
    with np.errstate(all="ignore"):  # a diverging run may overflow here
        losses = [
            problem.prediction_loss(problem.linear.apply(x if len(problems) == 1 else x[:, [run]]))
            for run, problem in enumerate(problems)
        ]
    return np.concatenate(losses, axis=1)
