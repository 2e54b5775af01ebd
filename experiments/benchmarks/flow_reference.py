"""A trajectory that is accurate enough to measure the others by, with what two integrators differ by."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from experiments.benchmarks.flow_methods import FlowTask, dual, scipy_restarted


@dataclass(frozen=True)
class FlowReference:
    """A trajectory.

    Attributes:
        x: Shape (k, n).
        doubt: The largest distance, in any weight and at any time, from a trajectory in other variables by another
            method.
        misfit: ‖Zx − y‖₂ / ‖y‖₂ at the times, shape (k,).
    """

    x: np.ndarray
    doubt: float
    misfit: np.ndarray


def flow_reference(task: FlowTask, last_check: float) -> FlowReference:
    """Integrate in (m, w), explicitly and to the last digit, and compare with the dual.

    Args:
        task: The flow.
        last_check: The end of the explicit integration, which would take forever at late times; behind it the
            trajectory is that of the dual alone.
    """
    found = dual(task, rtol=1e-13, atol=1e-14)
    early = task.times <= last_check
    explicit = scipy_restarted("DOP853")(replace(task, times=task.times[early]))(3e-14, np.inf).x
    x = found.x.copy()
    x[early] = explicit
    misfit = np.linalg.norm(x @ task.problem.Z.T - task.problem.y, axis=1) / np.linalg.norm(task.problem.y)
    return FlowReference(x, float(np.max(np.abs(explicit - found.x[early]))), misfit)
