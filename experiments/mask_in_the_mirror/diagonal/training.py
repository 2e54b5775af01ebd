"""Training in small steps: every pair of initial weights and schedule, as one batch of runs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from experiments.engine import Data, Sweep
from experiments.mask_in_the_mirror.diagonal import setting
from implicit_bias import Regression, schedule
from implicit_bias.simulate.mini_batches import MiniBatches


def trained(
    kind: str,
    problem: Mapping[str, int],
    starts: Mapping[str, int],
    plans: Sequence[setting.Plan],
    step: float,
    marks: Sequence[int],
    batch_size: int | None = None,
    batch_seeds: Sequence[int] = (),
) -> Data:
    """Train: ``x`` at the marks, shape (schedules, starts, marks, n).

    Args:
        kind: ``mask``, ``l1-mask``, ``l1`` or ``spred``.
        problem: See :func:`experiments.mask_in_the_mirror.diagonal.setting.problem_of`.
        starts: See :func:`experiments.mask_in_the_mirror.diagonal.setting.starts_of`.
        plans: Schedules of the strength.
        step: η.
        marks: Numbers of the recorded steps.
        batch_size: Observations in a mini-batch; all if not given.
        batch_seeds: Of the mini-batches, one for each start.
    """
    regression, weights = Regression.sample(**problem), setting.initial_weights(**starts)
    strengths, recorded = [setting.schedule_of(plan) for plan in plans], np.asarray(marks)
    runs = [one for one in strengths for _ in weights]
    init = {name: np.tile(value, (len(plans), 1)) for name, value in setting.start(kind, weights).items()}
    seeds = np.tile(np.asarray(batch_seeds, dtype=int), len(plans))
    if kind == "mask":
        import torch

        from implicit_bias.masking.ensembles import ensemble

        torch.set_num_threads(1)  # tasks share the cores
        x = ensemble(
            regression, init, step, int(recorded[-1]), schedule=runs, batch_size=batch_size,
            seed=0 if batch_size is None else seeds, record=recorded,
        ).x  # fmt: skip
    else:
        batches = None if batch_size is None else MiniBatches(regression.d, batch_size, seeds, len(runs))
        x = np.stack(list(_subgradient_descent(kind, regression, init, runs, step, recorded, batches)))
    return {"x": np.moveaxis(x.reshape(len(x), len(plans), len(weights), regression.n), 0, 2)}


def _subgradient_descent(
    kind: str,
    problem: Regression,
    init: Mapping[str, np.ndarray],
    strengths: Sequence[schedule.Schedule],
    step: float,
    marks: np.ndarray,
    batches: MiniBatches | None,
) -> Iterator[np.ndarray]:
    """Plain steps for what ensembles do not cover: L1 on x, L1 on m, and m² = w². Yields x (runs, n) at the marks.

    The subgradient of |·| at 0 is 0. Where m = ±w both parameters make the same moves, so they stay so to the last bit.
    """
    Z, places, last = problem.Z, set(marks.tolist()), int(marks[-1])
    parameters = [value.copy() for value in init.values()]
    chunk = 100
    moves = weights = np.empty(0)
    for k in range(last + 1):
        if k % chunk == 0:
            times = step * np.arange(k, k + chunk)
            moves = step * np.stack([one(times) for one in strengths], axis=1)[:, :, None]
            if batches is not None:
                weights = batches.weights(range(k, k + chunk), Z)
        x = parameters[0] if kind == "l1" else parameters[0] * parameters[1]
        if k in places:
            yield x.copy()
        slope = problem.prediction_gradient(x @ Z.T)
        if batches is not None:
            slope *= weights[k % chunk]
        pull, shrinkage = step * slope @ Z, moves[k % chunk]
        if kind == "l1":
            x -= pull + shrinkage * np.sign(x)
        else:
            m, w = parameters
            if kind == "l1-mask":
                parameters = [m - pull * w - shrinkage * np.sign(m), w - pull * m]
            else:
                parameters = [m - pull * w - 2 * shrinkage * m, w - pull * m - 2 * shrinkage * w]


def train_at_two_steps(
    kinds: Sequence[str],
    plans: Mapping[str, setting.Plan],
    settings: setting.Settings,
    sweep: Sweep,
    text: str,
) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Weights of training at the step and at the coarse one by kind, each (schedules, starts, records, n)."""
    step, factor, marks = settings.step, settings.coarse, setting.recorded(settings)
    shared = {
        "problem": setting.problem_of(settings),
        "starts": setting.starts_of(settings),
        "plans": list(plans.values()),
    }
    grid = [{"kind": kind, "step": step, "marks": marks.tolist(), **shared} for kind in kinds]
    grid += [{"kind": kind, "step": factor * step, "marks": (marks // factor).tolist(), **shared} for kind in kinds]
    found = [result["x"] for result in sweep(trained, grid, f"{text}: training")]
    return dict(zip(kinds, found, strict=False)), dict(zip(kinds, found[len(kinds) :], strict=True))
