"""What a projection onto inequalities has to know beside the equations of its active rows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from implicit_bias.careful_sum import SMALLEST, UNIT_ROUNDOFF, sum_error
from implicit_bias.linear_map import EntriesMap
from implicit_bias.validation import FloatArray


@dataclass(frozen=True, eq=False)
class Inequalities:
    """Inequalities s_i z_iᵀx >= b_i that the active rows leave.

    Attributes:
        rows: The z_i, shape (k, n); None if there are none.
        signs: The s_i, −1 or 1, shape (k,).
        least: The b_i > 0, shape (k,).
        exceeded: A bound on how far the minimizer may exceed each condition of the active rows, in units of the duality
            gap, shape (r,): one over the multiplier of a row, and inf where that is zero.
    """

    rows: EntriesMap | None
    signs: FloatArray
    least: FloatArray
    exceeded: FloatArray

    def hold_near(self, x: FloatArray, shift: FloatArray, width: FloatArray) -> bool:
        """Whether all hold, rounding included, for every weight within a width of x + shift; all of shape (n,)."""
        return bool(np.all(self.room(x, shift, width) > 0))

    def room(self, x: FloatArray, shift: FloatArray, width: FloatArray) -> FloatArray:
        """A lower bound on s_i z_iᵀx̃ − b_i over those weights x̃, shape (k,)."""
        if self.rows is None:
            return np.empty(0)
        reached, moved = self.rows.careful_apply(x), self.rows.apply(shift)
        n = len(x)
        unsure = 1.01 * self.rows.absolute_apply(width + sum_error(n) * np.abs(shift)) + reached.error + n * SMALLEST
        value = self.signs * (reached.high + (reached.low + moved)) - self.least
        terms = np.abs(reached.high) + np.abs(reached.low) + np.abs(moved) + self.least
        return value - unsure - 4 * UNIT_ROUNDOFF * (terms + unsure)
