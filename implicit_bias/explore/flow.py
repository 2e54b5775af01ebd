r"""The flow's path in the picture, followed by its parameters.

It shares no code with the projection that finds its end, so that their agreement is evidence. Weights and time both
advance evenly: in the variable σ with

.. math:: \frac{d\sigma}{dt} = \sqrt{\frac{\lVert x'(t)\rVert^2}{L^2} + \frac{1}{(t + t_0)^2}}

a weight moves by L, or the time grows e-fold, in one unit, so that neither a jump nor a plateau takes many points.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import exp, hypot, isfinite

import numpy as np
from scipy.integrate import odeint

PointMap = Callable[[Sequence[float]], Sequence[float]]

_UNITS_PER_PIECE = 5.0  # of σ
_POINTS_PER_PIECE = 40
_MOST_PIECES = 24
_MOST_STEPS = 2000  # of the solver from one point to the next
_TOLERANCE = 1e-7  # relative, of the parameters, where a weight moves no more than they do
_LEAST_TOLERANCE = 1e-13  # that LSODA keeps in double precision
_SEEN = 1e-3  # of the picture's length: what an eye can tell from a smooth curve
_FITTED = 1e-9  # a relative residual, and a strength of decay, after which nothing is seen to move


@dataclass(frozen=True, eq=False)
class Path:
    """The flow as far as it was followed.

    Attributes:
        time: Times from 0 on, shape (k,).
        x: The weights, shape (k, 2).
        resolved: Whether errors of the integration are too small to be seen. They are not where the weights are small
            differences of huge numbers, and where without decay a weight seems to turn, which it never does.
    """

    time: np.ndarray
    x: np.ndarray
    resolved: bool


def followed(maps: PointMap, theta: np.ndarray, z: tuple[float, float], y: float, decay: float, time: float) -> Path:
    r"""Follow :math:`\theta_i' = -(z\cdot x - y)z_i\nabla g(\theta_i) - \alpha_t\nabla h(\theta_i)`.

    Args:
        maps: From the p parameters of one weight to g, ∇g and, with a regularizer, ∇h: 1 + p or 1 + 2p numbers.
        theta: θ at the start, shape (p, 2).
        z: The entries of z.
        y: The observation.
        decay: A of :math:`\alpha_t = A e^{-t}`.
        time: How long to follow it; less far where floating-point numbers end.
    """
    p = len(theta)
    start = theta.T.ravel().tolist()
    first = [maps(start[:p]), maps(start[p:])]
    residual = z[0] * first[0][0] + z[1] * first[1][0] - y
    speed = hypot(*(residual * z[i] * hypot(*first[i][1 : 1 + p]) ** 2 for i in range(2)))
    length = 0.3 * (hypot(first[0][0], first[1][0]) + abs(y) / hypot(*z) or 1.0)
    shortest = min(1.0, length / speed if speed > 0 else 1.0, time)  # t₀

    coordinates, decays = range(1, 1 + p), len(first[0]) > 1 + p

    def velocity(state: np.ndarray, _: float) -> list[float]:
        at = state.tolist()
        t = at.pop()
        try:
            one, two = maps(at[:p]), maps(at[p:])
            r, alpha = z[0] * one[0] + z[1] * two[0] - y, decay * exp(-t)
            # Sums written out: this is called a thousand times for a picture.
            moves, squared = [], 0.0
            for push, found in ((-r * z[0], one), (-r * z[1], two)):
                change = 0.0
                for j in coordinates:
                    slope = found[j]
                    move = push * slope - alpha * found[j + p] if decays else push * slope
                    change += slope * move
                    moves.append(move)
                squared += change * change
            rate = hypot(squared**0.5 / length, 1 / (max(t, 0.0) + shortest))
            moves = [each / rate for each in moves]
            moves.append(1 / rate)
        except (ArithmeticError, ValueError):
            return [0.0] * (2 * p + 1)
        return moves if isfinite(sum(moves)) else [0.0] * (2 * p + 1)

    pieces, steps = [np.array([[*start, 0.0]])], np.linspace(0.0, _UNITS_PER_PIECE, _POINTS_PER_PIECE + 1)
    size = float(np.max(np.abs(theta))) or 1.0
    # By how much of the length a weight moves if its parameters move by all of their size.
    leverage = max(hypot(*found[1 : 1 + p]) for found in first) * hypot(*start) / length
    relative = max(_TOLERANCE / max(1.0, leverage), _LEAST_TOLERANCE)
    absolute = np.append(np.full(2 * p, relative * _TOLERANCE**0.25 * size), _TOLERANCE * shortest)
    for _ in range(_MOST_PIECES):
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")  # where LSODA gives up, the path ends
            states, info = odeint(
                velocity, pieces[-1][-1], steps, rtol=relative, atol=absolute, full_output=True, mxstep=_MOST_STEPS
            )
        arrived = np.logical_and.accumulate((np.asarray(info["tcur"]) >= steps[1:]) & np.isfinite(states[1:]).all(1))
        pieces.append(states[1:][arrived])
        if not arrived.all() or states[-1, -1] >= time or states[-1, -1] <= pieces[-2][-1, -1]:
            break
        at = states[-1].tolist()
        ends = [z[i] * maps(at[i * p : (i + 1) * p])[0] for i in range(2)]
        if (
            abs(ends[0] + ends[1] - y) <= _FITTED * (abs(ends[0]) + abs(ends[1]) + abs(y))
            and decay * exp(-at[-1]) <= _FITTED
        ):
            break
    states = np.concatenate(pieces)
    states = states[: 1 + int(np.searchsorted(states[:, -1], time))]
    x = np.array([[maps(state[i * p : (i + 1) * p])[0] for i in range(2)] for state in states[:, :-1].tolist()])
    turns = not decay and any(_turns(x[:, k], _SEEN * length) for k in range(2))
    return Path(states[:, -1], x, leverage * relative <= _SEEN and not turns)


def _turns(values: np.ndarray, slack: float) -> bool:
    """Whether values that should rise, or fall, do both by more than some slack."""
    risen, fallen = (float(np.max(np.maximum.accumulate(v) - v)) for v in (-values, values))
    return min(risen, fallen) > slack


def moved(maps: PointMap, theta: Sequence[float], target: float) -> np.ndarray | None:
    r"""The parameters of one weight after :math:`d\theta/dx = \nabla g/\lVert\nabla g\rVert^2` has led it to a target.

    Everything that the flow of ∇g conserves stays as it is, such as the scale of a mask, so that the start moves and
    the shape of R does not.

    Returns:
        θ of shape (p,) with g(θ) = target, or None if the flow does not reach it.
    """
    p, x = len(theta), maps(theta)[0]
    if target == x:
        return np.asarray(theta, dtype=float)
    if not isfinite(x):  # g is not real there
        return None

    def velocity(at: np.ndarray, _: float) -> list[float]:
        try:
            gradient = maps(at.tolist())[1 : 1 + p]
            squared = sum(slope * slope for slope in gradient)
            change = [slope / squared for slope in gradient]
        except (ArithmeticError, ValueError):
            return [0.0] * p
        return change if isfinite(sum(change)) else [0.0] * p

    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")  # where LSODA gives up, the target is not reached
        found = odeint(velocity, theta, [x, target], rtol=1e-10, atol=1e-14, mxstep=_MOST_STEPS)[-1]
    reached = maps(found.tolist())[0]
    return found if isfinite(reached) and abs(reached - target) <= 1e-6 * (abs(target) + abs(x)) else None
