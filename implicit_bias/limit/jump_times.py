r"""A bound on when the path of a vanishing scale jumps, next to when it was computed to jump.

The exact path of ν is the flow of a convex function, so two paths never move apart: with s = −2Zᵀν,

.. math:: \frac{d}{d\tau}\|\hat\nu - \nu\|^2 = -\frac1d \sum_i (\hat x_i - x_i)(\hat s_i - s_i) ,

and no term is negative as long as each weight that is not zero has its s at its wall. Therefore rounding errors add
up, but errors of earlier jumps do not grow. While both paths wait at the same point they part by the error of the
residual alone. While one has jumped and the other has not, which takes at most as long as the bound on that jump, the
computed s misses the walls by its rounding ε, and :math:`\|\hat\nu - \nu\|^2` grows by at most
:math:`\frac1d\sum_i\varepsilon_i(|\hat x_i| + |x_i|)` per unit of time. At the end of a wait an s that is off by δ and
moves at the speed v arrives at most :math:`\delta/|v|` early or late.

All of this needs that both paths jump between the same points. That is certain while one weight arrives at a time, well
before any other could, and no weight that may be zero is kept at its wall. From the first jump on at which it is not,
the bound is infinite.
"""

from __future__ import annotations

import numpy as np

from implicit_bias.careful_sum import UNIT_ROUNDOFF, sum_error
from implicit_bias.limit.signed_least_squares import SignedFit
from implicit_bias.linear_map import EntriesMap
from implicit_bias.norm import norm
from implicit_bias.validation import BoolArray, FloatArray

_SLACK = 1.01  # covers the rounding of the few operations that add up a bound


class JumpTimes:
    """Bounds on the times of the jumps so far.

    Args:
        linear: Z, shape (d, n), of moderate size.

    Attributes:
        bounds: For each jump so far, how far its time may be off.
    """

    def __init__(self, linear: EntriesMap) -> None:
        self.bounds: list[float] = []
        self._linear = linear
        self._lengths = _SLACK * linear.column_norms(np.ones(linear.shape[0]))
        # Bounds on the distance of ν to the exact one, on the rounding of times, and on the last jump.
        self._off, self._clock, self._last = 0.0, 0.0, 0.0
        self._wait, self._s, self._blur = 0.0, np.zeros(linear.shape[1]), np.zeros(linear.shape[1])

    def wait(self, fit: SignedFit, before: FloatArray, after: FloatArray, wait: float, end: float) -> None:
        """Take a wait at a point into account.

        Args:
            fit: The point.
            before: ν at its start, shape (d,).
            after: ν at its end, shape (d,).
            wait: How long it was.
            end: The time at its end.
        """
        d = self._linear.shape[0]
        rounding = 8 * UNIT_ROUNDOFF * (norm(before) + wait / d * norm(fit.residual))
        self._off += _SLACK * (wait / d * fit.residual_error + rounding)
        self._clock += 2 * UNIT_ROUNDOFF * end
        self._wait, self._s = wait, -2 * self._linear.adjoint(after)
        self._blur = 4 * sum_error(d) * self._linear.absolute_adjoint(np.abs(after))

    def jump(self, old: SignedFit, new: SignedFit, signs: FloatArray, arrived: BoolArray) -> None:
        """Note the bound on the jump between two points, at the end of the last wait.

        Args:
            old: The point before.
            new: The point after.
            signs: The walls after the jump, 0 where s is at none, shape (n,).
            arrived: Which entries of s arrived at theirs, shape (n,).
        """
        factor, d = 2 / self._linear.shape[0], self._linear.shape[0]
        speed, doubt = factor * np.abs(old.push), _SLACK * factor * old.push_error
        unsure = _SLACK * (2 * self._lengths * self._off + self._blur)
        missed = np.abs(self._s - signs)
        first = int(np.argmax(arrived))
        slowest = speed[first] - doubt[first]
        late = _SLACK * float((missed + unsure)[first] / slowest) if slowest > 0 else np.inf
        others = ~old.is_held
        others[first] = False
        farthest = (np.abs(self._s) + unsure + late * (speed + doubt))[others]
        held = np.abs(old.x[old.is_held])
        is_certain = np.all(held > old.error_bound) and np.all(farthest < 1 - 4 * UNIT_ROUNDOFF)
        if not (is_certain and self._last + late < self._wait):
            self._off = late = np.inf
        self.bounds.append(_SLACK * (late + self._clock))
        if late == np.inf:
            return
        # How far the two paths may part until both have jumped.
        drift = np.where(old.x != 0, speed + doubt, 0.0)
        drift += np.where(new.x != 0, factor * (np.abs(new.push) + _SLACK * new.push_error), 0.0)
        wall = missed + self._blur + late * drift
        sizes = np.abs(old.x) + np.abs(new.x)
        sizes = np.where(sizes > 0, sizes + old.error_bound + new.error_bound, 0.0)
        parted = _SLACK * late / d * float(np.sum(wall * sizes))
        errors = old.residual_error + new.residual_error
        self._off = _SLACK * (float(np.hypot(self._off, np.sqrt(parted))) + late / d * errors)
        self._last = late
