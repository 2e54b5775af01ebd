"""The flows and the limits of trained networks, and the distance of a trained weight from being a minimizer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache

import numpy as np

from experiments.engine import Data, Sweep
from experiments.mask_in_the_mirror.diagonal import setting
from implicit_bias import (
    HyperbolicEntropy,
    Regression,
    Verdict,
    bregman_projection,
    derive,
    gradient_flow,
    mirror_flow,
    schedule,
)
from implicit_bias.claims.judge import from_residual
from implicit_bias.potential.family import MaskFamily

LARGEST_ERROR = 1e-2  # ‖x − x*‖₂/‖x*‖₂ of a recovery "exact" to the eye
ROUNDING = 1e-6  # up to here a distance may be the flow solver's or the projection's own error


def flowed(
    kind: str, problem: Mapping[str, int], starts: Mapping[str, int], plan: setting.Plan, times: Sequence[float]
) -> Data:
    """The flow of ``mask`` or ``spred`` from each of the starts: ``x`` at the times, shape (starts, times, n)."""
    regression, strength, paths = Regression.sample(**problem), setting.schedule_of(plan), []
    for weights in setting.initial_weights(**starts):
        init = setting.start(kind, weights)
        if kind == "mask":
            path = mirror_flow(regression, _derivation(), init, times, schedule=strength, rtol=1e-8, atol=1e-10)
        else:
            path = gradient_flow(
                regression,
                setting.MASK.with_regularizer(setting.REGULARIZER),
                init,
                times,
                schedule=strength,
                rtol=1e-7,
                atol=1e-10,
            )
        paths.append(path.x)
    return {"x": np.stack(paths)}


@cache
def _derivation():
    return derive(setting.MASK, setting.REGULARIZER)


def flows(
    kinds: Sequence[str], plans: Mapping[str, setting.Plan], settings: setting.Settings, sweep: Sweep, text: str
) -> dict[str, np.ndarray]:
    """Weights of flows by kind, (schedules, starts, times, n); they go on beyond the last recorded step."""
    grid = [
        {
            "kind": kind,
            "plan": plan,
            "problem": setting.problem_of(settings),
            "starts": setting.starts_of(settings),
            "times": setting.flow_times(settings).tolist(),
        }
        for kind in kinds
        for plan in plans.values()
    ]
    found = [result["x"] for result in sweep(flowed, grid, f"{text}: flows")]
    return {kind: np.stack(found[k * len(plans) : (k + 1) * len(plans)]) for k, kind in enumerate(kinds)}


def potential(weights: np.ndarray, decay: float) -> HyperbolicEntropy:
    """The mask's potential after a decay A, from initial weights (n,)."""
    return MaskFamily(**setting.start("mask", weights))(decay)


def limits(problem: Regression, weights: np.ndarray, decay: float) -> np.ndarray:
    """Argmin {R_a : Zx = y} at the scale that a decay leaves, for each of the initial weights, shape (starts, n)."""
    return np.stack([bregman_projection(problem, potential(one, decay)).x for one in weights])


def limits_of_plans(
    problem: Regression, weights: np.ndarray, plans: Mapping[str, setting.Plan], end: float
) -> np.ndarray:
    """Limits of the mask under every plan, shape (schedules, starts, n).

    A constant strength α leads to the LASSO solution of strength 2α, a decaying one to the Bregman projection; its
    decay counts up to the flow time ``end``.
    """
    found = []
    for plan in plans.values():
        strength = setting.schedule_of(plan)
        if isinstance(strength, schedule.Constant):
            found.append(np.tile(lasso(problem, 2 * strength.c), (len(weights), 1)))
        else:
            found.append(limits(problem, weights, float(strength.integral(end))))
    return np.stack(found)


def potential_gap(problem: Regression, weights: np.ndarray, decay: float, ends: np.ndarray) -> np.ndarray:
    """Distance of each trained end x to argmin {R_a : Zx' = Zx}, which it is for the flow at any time, shape (starts,).

    The mirror identity ∇R_a(x) = −Zᵀν says so: x is optimal among all weights with the same predictions.
    """
    targets = [
        bregman_projection(Regression(problem.Z, problem.Z @ end), potential(one, decay), tol=1e-10).x
        for one, end in zip(weights, ends, strict=True)
    ]
    return np.linalg.norm(ends - np.stack(targets), axis=-1)


def lasso(problem: Regression, strength: float, signs: np.ndarray | None = None) -> np.ndarray:
    """Argmin f(x) + strength ‖x‖₁, shape (n,); with ``signs``, among the weights of these signs."""
    from sklearn.linear_model import Lasso

    signed = problem.Z if signs is None else problem.Z * signs
    model = Lasso(strength, fit_intercept=False, tol=1e-10, max_iter=1_000_000, positive=signs is not None)
    found = model.fit(signed, problem.y).coef_
    return found if signs is None else found * signs


def distance(x: np.ndarray, other: np.ndarray) -> np.ndarray:
    """‖x − other‖₂ over the last axis."""
    return np.linalg.norm(x - other, axis=-1)


def first_order(fine: np.ndarray, coarse: np.ndarray, factor: float, text: str) -> Verdict:
    """The verdict on errors that should be O(η), from the same errors at a step that is ``factor`` times longer.

    Args:
        fine: Errors of all runs.
        coarse: Errors of the same runs at the longer step.
        factor: Ratio of the steps.
        text: The name of the errors.
    """
    # Where an error grows much faster than the step, the step is too long for errors to be proportional to it.
    is_usable = np.isfinite(fine) & np.isfinite(coarse) & (coarse <= factor**2 * fine)
    ratio = np.where(fine <= ROUNDING, 0.0, np.where(is_usable, fine / coarse, np.nan))
    return from_residual(
        float(np.max(ratio)),
        factor**-0.75,
        f"{text}: at most {np.max(fine):.1e}, and {np.max(coarse):.1e} at a step {factor:g} times longer; "
        f"the largest ratio is {np.max(ratio):.2f}.",
        tolerance_reason=f"An error proportional to the step falls to 1/{factor:g}, one proportional to its square "
        f"root to {factor**-0.5:.2g}; the middle of their orders divides them.",
    )


def recovered(errors: np.ndarray, text: str) -> Verdict:
    """The verdict on recovery of x*, from errors relative to its norm."""
    return from_residual(
        float(errors.max()),
        LARGEST_ERROR,
        text,
        tolerance_reason="One per cent cannot be told from exact in a plot.",
    )
