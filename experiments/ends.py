"""Ends of runs: how well they fit, how far they are from elsewhere, and the limits of their own steps."""

from __future__ import annotations

import numpy as np

from implicit_bias import HyperbolicEntropy, Regression, Status, Trajectory, bregman_projection


def misfit(problem: Regression, x: np.ndarray) -> np.ndarray:
    """‖Zx − y‖₂/‖y‖₂ of all x, whose last axis is of weights."""
    return np.linalg.norm(x @ problem.Z.T - problem.y, axis=-1) / np.linalg.norm(problem.y)


def relative_distance(x: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """‖x − reference‖₂/‖reference‖₂ of all x, whose last axis is of weights; one reference for all, or one for each."""
    return np.linalg.norm(x - reference, axis=-1) / np.linalg.norm(reference, axis=-1)


def own_limits(problem: Regression, runs: Trajectory) -> np.ndarray:
    """The limits of the steps that runs of the mask took, shape (runs, n); nan of a run that diverged.

    Each is argmin {R(x) : Zx = y} of the potential R of scale and shift that the products over the steps of a run have
    made of its start; where the run itself ended is not used. It is nan where it was not found to the tolerance.
    """
    log_scale, shift = runs.products["log_scale"][-1], runs.products["shift"][-1]
    limits = np.full_like(log_scale, np.nan)
    for run in np.flatnonzero(~runs.diverged):
        potential = HyperbolicEntropy(log_scale=log_scale[run], shift=shift[run])
        found = bregman_projection(problem, potential, throw=False)
        if found.status is Status.CONVERGED:
            limits[run] = found.x
    return limits


def rounding(runs: Trajectory) -> np.ndarray:
    """The relative distance that rounding leaves between ends and the limits of their own steps, shape (runs,).

    An error δ of a shift or a log-scale moves x by √(x² + a²) δ. Each step rounds a factor by up to half a unit. Once
    its moves are below that, all are lost while the dual adds them up, so δ is up to k units in k steps.
    """
    steps = int(np.asarray(runs.steps)[-1])
    x, scale = runs.x[-1], np.exp(runs.products["log_scale"][-1])
    amplified = np.linalg.norm(np.hypot(x, scale), axis=-1) / np.linalg.norm(x, axis=-1)
    return np.finfo(float).eps * steps * amplified
