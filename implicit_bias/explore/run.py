"""A run of gradient descent with finite steps, and where it ends exactly."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from implicit_bias.errors import DomainError, UnsupportedError
from implicit_bias.explore.deriving import derived
from implicit_bias.explore.refused import refusals
from implicit_bias.explore.setting import Setting
from implicit_bias.problem import Regression
from implicit_bias.schedule import Geometric
from implicit_bias.simulate import descent
from implicit_bias.status import SolverError

MOST_STEPS = 500
_RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
_LEAST_STEPS = 50  # enough to see whether it converges


@dataclass(frozen=True, eq=False)
class Run:
    """The steps of a run.

    Attributes:
        step: η.
        x: The weights before each step, shape (k, 2), as long as they are finite.
        limit: Where the potential of the run's own effective initialization says that it ends, shape (2,), or None
            where the run diverged or has no such potential.
        gap: ‖last x − limit‖₂, inf without a limit.
        note: One sentence on it.
    """

    step: float
    x: np.ndarray
    limit: np.ndarray | None
    gap: float
    note: str


def train(setting: Setting, time: float) -> Run:
    """Train a setting by gradient descent for some flow time, in 50 to 500 steps.

    Raises:
        RefusedError: If it cannot be trained.
    """
    derivation = derived(setting.formula, setting.regularizer)
    step = float(setting.step)
    count = int(min(max(np.ceil(time / step), _LEAST_STEPS), MOST_STEPS))
    schedule = None if derivation.regularizer is None else Geometric(setting.decay, 1.0)
    with refusals("picture"), np.errstate(all="ignore"):
        run = descent(
            Regression([setting.z], [setting.y]), derivation.parameterization, dict(setting.init), step, count,
            schedule=schedule, record=np.arange(count + 1), throw=False,
        )  # fmt: skip
    sound = np.logical_and.accumulate(np.all(np.isfinite(run.x), axis=1))
    x = run.x[sound]
    if not sound.all() or np.abs(run.x).max() > 1e12:
        note = f"The run diverged within {count} steps: choose a smaller η."
        return Run(step, x, None, np.inf, note)
    try:
        with np.errstate(all="ignore"):
            limit = run.limit().x
    except (DomainError, SolverError, UnsupportedError):
        note = f"The run made {count} steps; no potential tells its limit in double precision."
        return Run(step, x, None, np.inf, note)
    gap = float(np.linalg.norm(x[-1] - limit))
    if gap > 1e-3 * (1 + float(np.abs(limit).max())):
        note = f"After {count} steps the run has not arrived: its exact limit is still {in_words(gap)} away."
    else:
        note = f"After {count} steps the run has arrived at its exact limit, to within {in_words(gap)}."
    return Run(step, x, limit, gap, note)


def in_words(distance: float) -> str:
    """A distance as one reads it: two digits, and a power of ten only where it is small or large.

    >>> in_words(0.9541), in_words(3.2e-9), in_words(12345.0), in_words(0.0)
    ('0.95', '3·10⁻⁹', '1·10⁴', 'rounding')
    """
    if not distance:
        return "rounding"
    if 1e-3 <= distance < 1e3:
        return f"{float(f'{distance:.2g}'):g}"
    digit, _, power = f"{distance:.0e}".partition("e")
    return f"{digit}·10{str(int(power)).translate(_RAISED)}"
