r"""Diagonal networks trained at many scales as one ensemble, to be held against the limits that theory gives them.

They are trained by heavy ball; times are flow time, steps × η / (1 − β).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from experiments.ends import misfit, own_limits, relative_distance, rounding
from experiments.engine import Data
from experiments.ours.regressions import regression
from implicit_bias.schedule import Constant, Geometric, Schedule
from implicit_bias.simulate import SGD


@dataclass(frozen=True)
class Training:
    """The networks and their training.

    Attributes:
        trained_log10_scales: log₁₀ a of the networks that start at their scale.
        decayed_log10_scales: The same of those that decay to it.
        seeds: Of the starts.
        momentum: β.
        step: η of the networks that start at their scale.
        step_with_decay: η of those that decay to it, whose scale a step moves by more.
        largest_step_times_scale: Where a is large η is this over a.
        steps: How many.
        records: Times that are recorded, evenly spaced in log t.
        first_time: The first of them.
        decay_time: Time constant of the decay.
        asymmetry: Standard deviation of x_0 over the scale at the start, as far as that is below the next number.
        largest_start: Larger starts would move the limits visibly away from those of a start at zero.
    """

    trained_log10_scales: Sequence[float]
    decayed_log10_scales: Sequence[float]
    seeds: Sequence[int]
    momentum: float
    step: float
    step_with_decay: float
    largest_step_times_scale: float
    steps: int
    records: int
    first_time: float
    decay_time: float
    asymmetry: float
    largest_start: float


def trained_at_scales(problem: Mapping[str, int], training: Training, device: str = "cpu") -> Data:
    """One ensemble: scales × seeds from their own scale, and again from scale 1 with decay that ends at the scale.

    Args:
        problem: See :func:`experiments.ours.regressions.regression`.
        training: The networks.
        device: Where to train them.

    Returns:
        By run: the scale reached, exponents over time, norms, error against the truth, distance to the flow's limit and
        to the limit of its own steps and what rounding leaves of that, misfit.
    """
    import torch

    from implicit_bias.masking.ensemble_checks import distance_to_limit, effective_exponent, mirror_residual
    from implicit_bias.masking.ensembles import ensemble, initialization

    torch.set_num_threads(1)  # the same sums in the same order on every machine
    target = regression(problem)
    truth = np.asarray(target.truth)
    # Each run: the final log10 a, the seed of the start, and whether decay leads there from scale 1.
    runs = [
        (float(scale), seed, decays)
        for decays, scales in ((False, training.trained_log10_scales), (True, training.decayed_log10_scales))
        for scale in scales
        for seed in training.seeds
    ]
    start_scale = np.array([1.0 if decays else 10**scale for scale, _, decays in runs])
    noise = {seed: np.random.default_rng([1, seed]).standard_normal(target.n) for seed in training.seeds}
    # Larger starts would move the limits away from those of a start at zero, which the lines show.
    start = np.stack(
        [
            training.asymmetry * min(a, training.largest_start) * noise[seed]
            for (_, seed, _), a in zip(runs, start_scale, strict=True)
        ]
    )
    plans = [
        _Slowed(
            Geometric(-scale * np.log(10) / 4 / training.decay_time, training.decay_time) if decays else Constant(0.0),
            training.momentum,
        )
        for scale, _, decays in runs
    ]
    steps = np.array([training.step_with_decay if decays else training.step for _, _, decays in runs])
    sizes = np.minimum(steps, training.largest_step_times_scale / start_scale)
    # Evenly spaced in the logarithm of time, and the start.
    first = training.first_time * (1 - training.momentum) / training.step
    marks = np.unique([0, *np.geomspace(max(1.0, first), training.steps, training.records).round().astype(int)])
    # The ensemble takes α at t = steps × η, but momentum makes of it 1/(1 − β) times the decay.
    init = initialization(start, start_scale)
    networks = ensemble(
        target,
        init,
        sizes,
        training.steps,
        schedule=plans,
        optimizer=SGD(training.momentum),
        record=marks,
        products=True,
        device=device,
    )
    ends = distance_to_limit(networks)
    reached = np.log10((init["m"] ** 2 - init["w"] ** 2).mean(axis=1) / 2) - 4 * networks.decay[-1] / np.log(10)
    return {
        "run_log10_scale": reached,
        "run_seed": np.array([seed for _, seed, _ in runs]),
        "run_decays": np.array([decays for _, _, decays in runs]),
        "run_step": sizes,
        "run_t": networks.t / (1 - training.momentum),
        "run_decay": networks.decay,
        "run_exponent": effective_exponent(networks),
        "run_l1": np.abs(networks.x[-1]).sum(axis=-1),
        "run_l2": np.linalg.norm(networks.x[-1], axis=-1),
        "run_limit_l1": np.abs(ends.limit).sum(axis=-1),
        "run_limit_l2": np.linalg.norm(ends.limit, axis=-1),
        "run_error": relative_distance(networks.x[-1], truth),
        "run_distance": ends.distance / np.linalg.norm(ends.limit, axis=-1),
        "run_own_distance": relative_distance(networks.x[-1], own_limits(target, networks)),
        "run_own_rounding": rounding(networks),
        "run_misfit": misfit(target, networks.x[-1]),
        "run_identity": mirror_residual(networks)[-1] / np.max(np.abs(networks.accumulated_gradient[-1]), axis=-1),
        "run_diverged": networks.diverged,
        "steps": np.array(training.steps),
    }


class _Slowed(Schedule):
    """A schedule over flow time, read by steps × η of a training whose momentum moves 1/(1 − β) times as fast."""

    def __init__(self, schedule: Schedule, momentum: float) -> None:
        self.schedule, self.speed = schedule, 1 / (1 - momentum)

    def __call__(self, t: ArrayLike) -> np.ndarray:
        return self.schedule(np.asarray(t) * self.speed)

    def integral(self, t: ArrayLike) -> np.ndarray:
        return self.schedule.integral(np.asarray(t) * self.speed) / self.speed

    @property
    def total(self) -> float:
        return self.schedule.total / self.speed
