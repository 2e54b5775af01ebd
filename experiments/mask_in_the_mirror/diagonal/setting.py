r"""The problem, the starts, the schedules and the times, all made from settings.

Seven schedules: four constant strengths, and three that decay from c. The k-th epoch of a decaying one is an interval
of flow time: α is c/k and c/k² with k = 1 + t/τ, and c 0.95^k with k = t/(τ log(1/0.95)). Their time constants τ are
such that all three spend the same decay until the last step, so that theory gives the mask one limit for all of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np
from scipy.optimize import root_scalar

from implicit_bias import Parameterization, Regression, schedule

S = TypeVar("S", bound="Settings")


@dataclass(frozen=True)
class Settings:
    """The problem, the starts, the schedules and the steps.

    Attributes:
        d: Number of observations.
        n: Number of weights.
        sparsity: Number of non-zero weights of x*.
        problem_seed: Seed of Z and x*.
        start_seed: Seed of x_init.
        starts: How many x_init there are.
        constants: The constant strengths.
        first_strength: Where the decaying strengths start.
        total_decay: The decay that each of these spends until the last step.
        step: η.
        coarse: How many times longer the steps are in a second training.
        steps: How many there are in the first.
        flow_beyond: How many times longer the flow is followed than training.
        records: At how many steps the weights are kept.
    """

    d: int = 40
    n: int = 100
    sparsity: int = 5
    problem_seed: int = 0
    start_seed: int = 1
    starts: int = 5
    constants: Sequence[float] = (3e-3, 1e-2, 3e-2, 1e-1)
    first_strength: float = 1.0
    total_decay: float = 8.0
    step: float = 8e-3
    coarse: int = 4
    steps: int = 125_000
    flow_beyond: int = 100
    records: int = 120


def quick(settings: S) -> S:
    """A small version of settings."""
    return replace(settings, constants=(1e-2, 1e-1), starts=2, steps=2_500, records=30, flow_beyond=5000)


SCALE = 0.5  # a_0 = (m_0² − w_0²)/2
MASK, REGULARIZER = Parameterization("m*w", ["m", "w"]), "m**2 + w**2"
# How the three settings of the preprint, and spred's initialization, are called in the pictures.
LABELS = {
    "mask": "m ⊙ w, decay of m and w",
    "l1-mask": "m ⊙ w, L1 on m only",
    "l1": "x, L1",
    "spred": "m ⊙ w from $m_0^2 = w_0^2$ (spred)",
}
_DECAYING = {"harmonic": schedule.Harmonic, "quadratic": schedule.Quadratic, "geometric": schedule.Geometric}
Plan = tuple[str, Sequence[float]]
"""A schedule as JSON: its kind and its numbers, such as ``("harmonic", [1.0, 20.0])``."""


def problem_of(settings: Settings) -> dict[str, int]:
    """The arguments of :meth:`implicit_bias.Regression.sample`."""
    return {"d": settings.d, "n": settings.n, "sparsity": settings.sparsity, "seed": settings.problem_seed}


def starts_of(settings: Settings) -> dict[str, int]:
    """The arguments of :func:`initial_weights`."""
    return {"n": settings.n, "seed": settings.start_seed, "count": settings.starts}


def sparse_problem(settings: Settings) -> Regression:
    """The regression with its sparse truth."""
    return Regression.sample(**problem_of(settings))


def initial_weights(n: int, seed: int, count: int) -> np.ndarray:
    """x_init, shape (count, n); fewer starts are the first of more."""
    return np.random.default_rng(seed).standard_normal((count, n)) * n**-0.25


def start(kind: str, weights: np.ndarray) -> dict[str, np.ndarray]:
    """Initial parameters of a setting at the given weights."""
    if kind == "l1":
        return {"x": weights}
    if kind == "spred":
        root = np.sqrt(np.abs(weights))
        return {"m": root, "w": np.sign(weights) * root}
    from implicit_bias.masking.ensembles import initialization

    return initialization(weights, SCALE)


def end_time(settings: Settings) -> float:
    """The last t = step × η."""
    return settings.step * settings.steps


def constant_plans(settings: Settings) -> dict[str, Plan]:
    """The constant strengths by name."""
    return {f"constant {c:g}": ("constant", [c]) for c in settings.constants}


def plans(settings: Settings) -> dict[str, Plan]:
    """All seven schedules by name."""
    c, total, end = settings.first_strength, settings.total_decay, end_time(settings)

    def tau(kind: type[schedule.Harmonic] | type[schedule.Quadratic] | type[schedule.Geometric]) -> float:
        bracket = (1e-3 * total / c, 1e3 * end)
        return root_scalar(lambda tau: float(kind(c, tau).integral(end)) - total, bracket=bracket, xtol=1e-13).root

    return constant_plans(settings) | {name: (name, [c, tau(kind)]) for name, kind in _DECAYING.items()}


def schedule_of(plan: Plan) -> schedule.Schedule:
    """The schedule of a plan."""
    kind, numbers = plan
    return schedule.Constant(*numbers) if kind == "constant" else _DECAYING[kind](*numbers)


def recorded(settings: Settings) -> np.ndarray:
    """Recorded steps, evenly spaced in log t, all of them multiples of the coarse step."""
    factor = settings.coarse
    return factor * np.unique(np.geomspace(1, settings.steps // factor, settings.records).round().astype(int))


def flow_times(settings: Settings) -> np.ndarray:
    """Times of a flow: those of the recorded steps, and on from there to ``flow_beyond`` times the end."""
    further = np.unique(np.geomspace(1, settings.flow_beyond, settings.records // 2))
    later = end_time(settings) * further[further > 1]
    return np.concatenate([settings.step * recorded(settings), later])
