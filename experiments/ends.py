"""Ends of runs: how well they fit, how far they are from elsewhere, and the limits of their own steps."""

from __future__ import annotations

import numpy as np

from implicit_bias import HyperbolicEntropy, Regression, Trajectory, bregman_projection


def misfit(problem: Regression, x: np.ndarray) -> np.ndarray:
    """‖Zx − y‖₂/‖y‖₂ of all x, whose last axis is of weights."""
    return np.linalg.norm(x @ problem.Z.T - problem.y, axis=-1) / np.linalg.norm(problem.y)


def relative_distance(x: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """‖x − reference‖₂/‖reference‖₂ of all x, whose last axis is of weights; one reference for all, or one for each."""
    return np.linalg.norm(x - reference, axis=-1) / np.linalg.norm(reference, axis=-1)


def own_limits(problem: Regression, runs: Trajectory) -> np.ndarray:
    """The limits of the steps that runs of the mask took, shape (runs, n).

    Each is argmin {R(x) : Zx = y} of the potential R of scale and shift that the products over the steps of a run have
    made of its start; where the run itself ended is not used.
    """
    made = zip(runs.products["log_scale"][-1], runs.products["shift"][-1], strict=True)
    potentials = (HyperbolicEntropy(log_scale=log_scale, shift=shift) for log_scale, shift in made)
    return np.stack([bregman_projection(problem, potential).x for potential in potentials])
