r"""Schedules of the regularization strength :math:`\alpha_t` with their exact integrals.

A commuting regularizer acts through the integral :math:`A_t = \int_0^t \alpha_s\,ds` alone, which we call the *decay*.
Every schedule gives it in closed form, without numerical integration.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from numbers import Real

import numpy as np
from numpy.typing import ArrayLike

from implicit_bias.errors import InputError, known_options, unknown_name
from implicit_bias.validation import FloatArray, finite_array, positive_number

__all__ = ["Constant", "Geometric", "Harmonic", "Pulse", "Quadratic", "Schedule", "SwitchOff"]


def __getattr__(name: str) -> object:
    raise unknown_name(__name__, name, __all__)


class Schedule(ABC):
    r"""A regularization strength :math:`\alpha_t \ge 0` over flow time :math:`t \ge 0`."""

    @abstractmethod
    def __call__(self, t: ArrayLike) -> FloatArray:
        r"""The strength :math:`\alpha_t`, for each entry of ``t``."""

    @abstractmethod
    def integral(self, t: ArrayLike) -> FloatArray:
        r"""The decay :math:`A_t = \int_0^t \alpha_s\,ds`, in closed form, for each entry of ``t``."""

    @property
    @abstractmethod
    def total(self) -> float:
        r"""The total decay :math:`A_\infty`, which may be ``inf``."""

    @property
    def breakpoints(self) -> tuple[float, ...]:
        """The times at which the strength jumps, where integrators restart."""
        return ()


def _times(t: ArrayLike) -> FloatArray:
    if type(t) is float and 0 <= t < math.inf:  # flows ask thousands of times
        return np.asarray(t)
    times = finite_array(t, "t")
    if np.any(times < 0):
        raise InputError(f"t: expected flow times >= 0, got {np.min(times)}.")
    return times


def _settle(schedule: Schedule, **values: float) -> None:
    """Store checked numbers in a frozen schedule."""
    for name, value in values.items():
        object.__setattr__(schedule, name, value)


@known_options
@dataclass(frozen=True)
class Constant(Schedule):
    r""":math:`\alpha_t = c`, so :math:`A_t = ct`.

    Args:
        c: Strength, >= 0.

    >>> float(Constant(0.5).integral(4.0))
    2.0
    """

    c: float

    def __post_init__(self) -> None:
        _settle(self, c=positive_number(self.c, "c", zero_allowed=True))

    def __call__(self, t: ArrayLike) -> FloatArray:  # noqa: D102
        return np.full_like(_times(t), self.c)

    def integral(self, t: ArrayLike) -> FloatArray:  # noqa: D102
        return self.c * _times(t)

    @property
    def total(self) -> float:  # noqa: D102
        return np.inf if self.c > 0 else 0.0


@known_options
@dataclass(frozen=True)
class _Decaying(Schedule):
    """A schedule with start value ``c`` and time constant ``tau``."""

    c: float
    tau: float

    def __post_init__(self) -> None:
        _settle(self, c=positive_number(self.c, "c", zero_allowed=True), tau=positive_number(self.tau, "tau"))


class Harmonic(_Decaying):
    r""":math:`\alpha_t = c/(1+t/\tau)`, so :math:`A_t = c\tau\log(1+t/\tau)`, unbounded for c > 0.

    Args:
        c: Strength at t = 0, >= 0.
        tau: Flow time after which the strength has halved, > 0.
    """

    def __call__(self, t: ArrayLike) -> FloatArray:  # noqa: D102
        return self.c / (1 + _times(t) / self.tau)

    def integral(self, t: ArrayLike) -> FloatArray:  # noqa: D102
        return self.c * self.tau * np.log1p(_times(t) / self.tau)

    @property
    def total(self) -> float:  # noqa: D102
        return np.inf if self.c > 0 else 0.0


class Quadratic(_Decaying):
    r""":math:`\alpha_t = c/(1+t/\tau)^2`, so :math:`A_t = ct/(1+t/\tau)` and :math:`A_\infty = c\tau`.

    Args:
        c: Strength at t = 0, >= 0.
        tau: Flow time at which half of the total decay has passed, > 0.
    """

    def __call__(self, t: ArrayLike) -> FloatArray:  # noqa: D102
        shrinkage = 1 + _times(t) / self.tau
        return self.c / shrinkage / shrinkage

    def integral(self, t: ArrayLike) -> FloatArray:  # noqa: D102
        times = _times(t)
        return self.c * self.tau * (times / (times + self.tau))

    @property
    def total(self) -> float:  # noqa: D102
        return self.c * self.tau


class Geometric(_Decaying):
    r""":math:`\alpha_t = c\,e^{-t/\tau}`, so :math:`A_t = c\tau(1-e^{-t/\tau})` and :math:`A_\infty = c\tau`.

    The discrete schedule :math:`c\,q^k` with step :math:`\eta` is :math:`\tau = -\eta/\log q`.

    Args:
        c: Strength at t = 0, >= 0.
        tau: Time constant in flow time, > 0.
    """

    def __call__(self, t: ArrayLike) -> FloatArray:  # noqa: D102
        return self.c * np.exp(-_times(t) / self.tau)

    def integral(self, t: ArrayLike) -> FloatArray:  # noqa: D102
        return -self.c * self.tau * np.expm1(-_times(t) / self.tau)

    @property
    def total(self) -> float:  # noqa: D102
        return self.c * self.tau


@known_options
@dataclass(frozen=True)
class SwitchOff(Schedule):
    """Follow another schedule until a time, then stay at zero, so that the decay no longer grows.

    Args:
        schedule: The schedule to follow first; a number stands for a constant strength.
        time: Flow time at which the strength becomes zero, > 0.

    >>> SwitchOff(Constant(2.0), time=3.0).total
    6.0
    """

    schedule: Schedule
    time: float

    def __post_init__(self) -> None:
        object.__setattr__(self, "schedule", as_schedule(self.schedule))
        _settle(self, time=positive_number(self.time, "time"))

    def __call__(self, t: ArrayLike) -> FloatArray:  # noqa: D102
        return np.where(_times(t) < self.time, self.schedule(t), 0.0)

    def integral(self, t: ArrayLike) -> FloatArray:  # noqa: D102
        return self.schedule.integral(np.minimum(_times(t), self.time))

    @property
    def total(self) -> float:  # noqa: D102
        return float(self.schedule.integral(self.time))

    @property
    def breakpoints(self) -> tuple[float, ...]:  # noqa: D102
        return (*(b for b in self.schedule.breakpoints if b < self.time), self.time)


@known_options
@dataclass(frozen=True)
class Pulse(Schedule):
    """A constant strength in one interval of time, and zero outside it.

    Args:
        start: Flow time at which it begins, >= 0.
        length: Its duration, > 0.
        dose: The total decay, >= 0.

    >>> Pulse(start=1.0, length=2.0, dose=3.0).integral([1.0, 2.0, 5.0]).tolist()
    [0.0, 1.5, 3.0]
    """

    start: float
    length: float
    dose: float

    def __post_init__(self) -> None:
        _settle(
            self,
            start=positive_number(self.start, "start", zero_allowed=True),
            length=positive_number(self.length, "length"),
            dose=positive_number(self.dose, "dose", zero_allowed=True),
        )

    def __call__(self, t: ArrayLike) -> FloatArray:  # noqa: D102
        time = _times(t)
        return np.where((time >= self.start) & (time < self.start + self.length), self.dose / self.length, 0.0)

    def integral(self, t: ArrayLike) -> FloatArray:  # noqa: D102
        return self.dose * np.clip((_times(t) - self.start) / self.length, 0.0, 1.0)

    @property
    def total(self) -> float:  # noqa: D102
        return self.dose

    @property
    def breakpoints(self) -> tuple[float, ...]:  # noqa: D102
        end = self.start + self.length
        return (self.start, end) if self.start else (end,)


def as_schedule(schedule: object) -> Schedule:
    """Return a schedule: a number stands for a constant strength.

    Raises:
        InputError: If the argument is neither.
    """
    if isinstance(schedule, Schedule):
        return schedule
    if isinstance(schedule, (bool, str)) or not isinstance(schedule, Real):
        raise InputError(f"schedule: expected an ib.schedule object or a number, got {schedule!r}.")
    return Constant(positive_number(float(schedule), "schedule", zero_allowed=True))


def checked_schedule(schedule: Schedule | float | str | None, has_regularizer: bool) -> Schedule:
    """Return a schedule as :func:`as_schedule` does; None stands for no decay.

    Raises:
        InputError: If the argument is not a schedule or a number, or there is no regularizer to act on.
    """
    if schedule is None:
        return Constant(0.0)
    checked = as_schedule(schedule)
    if not has_regularizer:
        raise InputError(
            "schedule: there is no regularizer that it could act on; give one, as in "
            "ib.Parameterization('m*w', regularizer='m**2 + w**2')."
        )
    return checked
