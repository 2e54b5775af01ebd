r"""Steps along a flow some of whose directions settle much faster than the flow moves on.

An explicit method must resolve the fastest direction even after it has settled, as :math:`\cos u \to 0` does along the
flow of :math:`v\sin u`, where v grows and u settles at the rate v. The linearly implicit Euler method need not; its
results for 1, 2, ... substeps, extrapolated to infinitely many, have a high order.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

Field = Callable[[np.ndarray], np.ndarray]

_COLUMNS = 9  # of the extrapolation; more of them amplify rounding errors
_TOLERANCE = 1e-12  # relative
_HALVINGS = 6  # of a step that is not accurate


def advance(
    field: Field, jacobian: Field, state: np.ndarray, unit: np.ndarray, halvings: int = _HALVINGS
) -> np.ndarray:
    """Integrate a field over unit time, for m systems at once.

    Args:
        field: The derivative of the states, shape (r, m). It must not depend on the rows beyond the first p, unless
            these are smooth.
        jacobian: The derivative of the first p rows of the field in the first p rows of the state, shape (p, p, m).
        state: The states at the start, shape (r, m).
        unit: The sizes of their entries, for absolute tolerances, shape (r, m).
        halvings: How often a step may be halved.

    Returns:
        The states at the end, nan for systems that could not be followed.
    """
    end, error = _extrapolated(field, jacobian(state), state)
    with np.errstate(all="ignore"):
        allowed = _TOLERANCE * (np.abs(end) + unit)
        accurate = np.all(error <= allowed, axis=0)
    rest = state if halvings else np.full_like(state, np.nan)
    for _ in range(2):
        if np.all(accurate | np.any(np.isnan(rest), axis=0)):
            break
        rest = advance(lambda y: field(y) / 2, lambda y: jacobian(y) / 2, rest, unit, halvings - 1)
    return np.where(accurate, end, rest)


def _extrapolated(field: Field, slopes: np.ndarray, state: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The states after unit time, and an estimate of their errors."""
    p = len(slopes)
    blocks = np.nan_to_num(np.moveaxis(slopes, -1, 0), posinf=0.0, neginf=0.0)
    row: list[np.ndarray] = []
    for substeps in range(1, _COLUMNS + 1):
        try:
            inverse = np.moveaxis(np.linalg.inv(np.eye(p) - blocks / substeps), 0, -1)
        except np.linalg.LinAlgError:  # a slope is exactly 1 over the substep; it is not in half of the step
            return state, np.full_like(state, np.inf)
        moved = state
        for _ in range(substeps):
            move = field(moved) / substeps
            move[:p] = np.einsum("ijm,jm->im", inverse, move[:p])
            moved = moved + move
        fresh = [moved]
        for k, coarse in enumerate(row):
            fresh.append(fresh[k] + (fresh[k] - coarse) / (substeps / (substeps - k - 1) - 1))
        row = fresh
    return row[-1], np.abs(row[-1] - row[-2])
