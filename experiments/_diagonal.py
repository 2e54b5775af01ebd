r"""What figures 1a and 1b of the preprint share: a sparse regression, ways to train on it, and what theory says.

The problem has d = 40 observations of n = 100 weights, standard normal data, and 5 non-zero weights x*. Training starts
at weights x_init ~ N(0, I/√n), a variance of 1/√n for each weight, with m_0² − w_0² = 1 (so a_0 = u_0v_0 = 1/2) or, for
spred, with m_0² − w_0² = 0. All times are t = step × η, the unit of flow time.

The preprint's step is 1e-4. Steps here are 8e-3 for the loss ‖Zx − y‖²/(2d), which are the moves that 1e-4 makes for
‖Zx − y‖². Beside training runs the flow, for which there is no step at all: the curves agree to O(η).

Seven schedules: four constant strengths, and three that decay from c. The k-th epoch of a decaying one is an interval
of flow time: α is c/k and c/k² with k = 1 + t/τ, and c 0.95^k with k = t/(τ log(1/0.95)). Their time constants τ are
such that all three spend the same decay until the last step, so that theory gives the mask one limit for all of them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cache

import numpy as np
from joblib import Parallel, delayed
from scipy.optimize import brentq

from experiments.experiment import Track
from implicit_bias import (
    HyperbolicEntropy,
    Parameterization,
    Regression,
    Verdict,
    bregman_projection,
    derive,
    gradient_flow,
    mirror_flow,
    schedule,
)
from implicit_bias.claims import from_residual
from implicit_bias.flow.mini_batches import mini_batches

SETTINGS = {
    "d": 40,
    "n": 100,
    "sparsity": 5,
    "problem_seed": 0,
    "start_seed": 1,
    "starts": 5,
    "constants": [3e-3, 1e-2, 3e-2, 1e-1],
    "first_strength": 1.0,
    "total_decay": 8.0,
    "step": 8e-3,
    "coarse": 4,
    "steps": 125_000,
    "flow_beyond": 100,
    "records": 120,
    "jobs": 2,
}
QUICK = SETTINGS | {
    "constants": [1e-2, 1e-1],
    "starts": 2,
    "steps": 2_500,
    "records": 30,
    "flow_beyond": 2,
    "jobs": 1,
}
SCALE = 0.5  # a_0 = (m_0² − w_0²)/2
ROUNDING = 1e-6  # up to here a distance may be the flow solver's or the projection's own error
MASK = Parameterization("m*w", ["m", "w"])
# How the three settings of the preprint, and spred's initialization, are called in the pictures.
LABELS = {
    "mask": "m ⊙ w, decay of m and w",
    "l1-mask": "m ⊙ w, L1 on m only",
    "l1": "x, L1",
    "spred": "m ⊙ w from $m_0^2 = w_0^2$ (spred)",
}


def sparse_problem(settings: Mapping[str, object]) -> Regression:
    """The regression with its sparse truth."""
    return Regression.sample(settings["d"], settings["n"], settings["sparsity"], settings["problem_seed"])


def initial_weights(settings: Mapping[str, object]) -> np.ndarray:
    """x_init, shape (starts, n); fewer starts are the first of more."""
    rng = np.random.default_rng(settings["start_seed"])
    return rng.standard_normal((settings["starts"], settings["n"])) * settings["n"] ** -0.25


def end_time(settings: Mapping[str, object]) -> float:
    """The last t = step × η."""
    return settings["step"] * settings["steps"]


def constants(settings: Mapping[str, object]) -> dict[str, schedule.Schedule]:
    """The constant strengths by name."""
    return {f"constant {c:g}": schedule.Constant(c) for c in settings["constants"]}


def schedules(settings: Mapping[str, object]) -> dict[str, schedule.Schedule]:
    """All seven schedules by name."""
    c, total, end = settings["first_strength"], settings["total_decay"], end_time(settings)

    def tau(kind: type[schedule.Harmonic] | type[schedule.Quadratic] | type[schedule.Geometric]) -> float:
        return brentq(lambda tau: float(kind(c, tau).integral(end)) - total, 1e-3 * total / c, 1e3 * end, xtol=1e-13)

    decaying = {
        "harmonic": schedule.Harmonic,
        "quadratic": schedule.Quadratic,
        "geometric": schedule.Geometric,
    }
    return constants(settings) | {name: kind(c, tau(kind)) for name, kind in decaying.items()}


def start(kind: str, weights: np.ndarray) -> dict[str, np.ndarray]:
    """Initial parameters of a setting at the given weights."""
    if kind == "l1":
        return {"x": weights}
    if kind == "spred":
        root = np.sqrt(np.abs(weights))
        return {"m": root, "w": np.sign(weights) * root}
    from implicit_bias.masking.ensembles import initialization

    return initialization(weights, SCALE)


def recorded(settings: Mapping[str, object]) -> np.ndarray:
    """Recorded steps, evenly spaced in log t, all of them multiples of the coarse step."""
    factor = settings["coarse"]
    return factor * np.unique(np.geomspace(1, settings["steps"] // factor, settings["records"]).round().astype(int))


def flow_times(settings: Mapping[str, object]) -> np.ndarray:
    """Times of a flow: those of the recorded steps, and on from there to ``flow_beyond`` times the end."""
    further = np.unique(np.geomspace(1, settings["flow_beyond"], settings["records"] // 2))
    later = end_time(settings) * further[further > 1]
    return np.concatenate([settings["step"] * recorded(settings), later])


def train(
    kind: str,
    problem: Regression,
    weights: np.ndarray,
    strengths: Sequence[schedule.Schedule],
    step: float,
    marks: np.ndarray,
    batch_size: int | None = None,
    seeds: np.ndarray | None = None,
) -> np.ndarray:
    """Train every pair of initial weights and schedule: x at the marks, shape (schedules, starts, marks, n).

    Args:
        kind: ``mask``, ``l1-mask``, ``l1`` or ``spred``.
        problem: Data and loss.
        weights: x_init, shape (starts, n).
        strengths: Schedules of the strength.
        step: η.
        marks: Numbers of the recorded steps.
        batch_size: Observations in a mini-batch; all if not given.
        seeds: Of the mini-batches, one for each of the initial weights.
    """
    runs = [one for one in strengths for _ in weights]
    init = {name: np.tile(value, (len(strengths), 1)) for name, value in start(kind, weights).items()}
    batch_seeds = None if seeds is None else np.tile(seeds, len(strengths))
    if kind == "mask":
        import torch

        from implicit_bias.masking.ensembles import ensemble

        torch.set_num_threads(1)  # settings share the cores
        random = {} if batch_seeds is None else {"batch_size": batch_size, "seed": batch_seeds}
        x = ensemble(problem, init, step, int(marks[-1]), runs, record=marks, **random).x
    else:
        batches = None
        if batch_size is not None and batch_seeds is not None:
            batches = mini_batches(problem.d, batch_size, batch_seeds, len(runs))
        x = np.stack(list(subgradient_descent(kind, problem, init, runs, step, marks, batches)))
    return np.moveaxis(x.reshape(len(x), len(strengths), len(weights), problem.n), 0, 2)


def subgradient_descent(
    kind: str,
    problem: Regression,
    init: Mapping[str, np.ndarray],
    strengths: Sequence[schedule.Schedule],
    step: float,
    marks: np.ndarray,
    batches: Iterator[np.ndarray] | None = None,
) -> Iterator[np.ndarray]:
    """Plain steps for what ensembles do not cover: L1 on x, L1 on m, and m² = w². Yields x (runs, n) at the marks.

    The subgradient of |·| at 0 is 0. Where m = ±w both parameters make the same moves, so they stay so to the last bit.
    """
    Z, places, last = problem.Z, set(marks.tolist()), int(marks[-1])
    parameters = [value.copy() for value in init.values()]
    chunk = 1000
    moves = np.empty(0)
    for k in range(last + 1):
        if k % chunk == 0:
            times = step * np.arange(k, k + chunk)
            moves = step * np.stack([one(times) for one in strengths], axis=1)[:, :, None]
        x = parameters[0] if kind == "l1" else parameters[0] * parameters[1]
        if k in places:
            yield x.copy()
        slope = problem.prediction_gradient(x @ Z.T)
        if batches is not None:
            slope *= next(batches)
        pull, shrinkage = step * slope @ Z, moves[k % chunk]
        if kind == "l1":
            x -= pull + shrinkage * np.sign(x)
        else:
            m, w = parameters
            if kind == "l1-mask":
                parameters = [m - pull * w - shrinkage * np.sign(m), w - pull * m]
            else:
                parameters = [m - pull * w - 2 * shrinkage * m, w - pull * m - 2 * shrinkage * w]


@cache
def _derivation():
    return derive(MASK, "m**2 + w**2")


def flow(
    kind: str, problem: Regression, weights: np.ndarray, strength: schedule.Schedule, times: np.ndarray
) -> np.ndarray:
    """The flow of ``mask`` or ``spred`` from each of the initial weights: x at the times, shape (starts, times, n)."""
    paths = []
    for one in weights:
        init = start(kind, one)
        if kind == "mask":
            path = mirror_flow(problem, _derivation(), times, init, strength, rtol=1e-8, atol=1e-10)
        else:
            path = gradient_flow(problem, MASK, init, times, "m**2 + w**2", strength, rtol=1e-7, atol=1e-10)
        paths.append(path.x)
    return np.stack(paths)


def potential(weights: np.ndarray, decay: float) -> HyperbolicEntropy:
    """The mask's potential after a decay A, from initial weights (n,)."""
    return HyperbolicEntropy(log_scale=np.log(SCALE) - 4 * decay, shift=np.arcsinh(weights / SCALE))


def limits(problem: Regression, weights: np.ndarray, decay: float) -> np.ndarray:
    """Argmin {R_a : Zx = y} at the scale that a decay leaves, for each of the initial weights, shape (starts, n)."""
    return np.stack([bregman_projection(problem.Z, problem.y, potential(one, decay)).x for one in weights])


def potential_gap(problem: Regression, weights: np.ndarray, decay: float, ends: np.ndarray) -> np.ndarray:
    """Distance of each trained end x to argmin {R_a : Zx' = Zx}, which it is for the flow at any time, shape (starts,).

    The mirror identity ∇R_a(x) = −Zᵀν says so: x is optimal among all weights with the same predictions.
    """
    targets = [
        bregman_projection(problem.Z, problem.Z @ end, potential(one, decay), tol=1e-10).x
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


def in_parallel(tasks: Sequence[tuple], settings: Mapping[str, object], track: Track, text: str) -> list:
    """Results of functions with their arguments, in order; those that take longest come first."""
    results = Parallel(n_jobs=settings["jobs"], return_as="generator")(delayed(f)(*rest) for f, *rest in tasks)
    return [next(results) for _ in track(tasks, text)]


def train_both(
    kinds: Sequence[str],
    strengths: Sequence[schedule.Schedule],
    settings: Mapping[str, object],
    track: Track,
    text: str,
) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Training at the step and at the coarse one, and the flows where there are any, by setting.

    Each array has the shape (schedules, starts, records, n); flows go on beyond the last recorded step.
    """
    problem, weights, marks = sparse_problem(settings), initial_weights(settings), recorded(settings)
    step, factor = settings["step"], settings["coarse"]
    flowing = [kind for kind in kinds if kind in ("mask", "spred")]
    tasks = [(train, kind, problem, weights, strengths, step, marks) for kind in kinds]
    tasks += [(train, kind, problem, weights, strengths, factor * step, marks // factor) for kind in kinds]
    tasks += [(flow, kind, problem, weights, one, flow_times(settings)) for kind in flowing for one in strengths]
    found = in_parallel(tasks, settings, track, text)
    fine, coarse = found[: len(kinds)], found[len(kinds) : 2 * len(kinds)]
    flows = np.reshape(found[2 * len(kinds) :], (len(flowing), *fine[0].shape[:2], -1, problem.n))
    return (
        dict(zip(kinds, fine, strict=True)),
        dict(zip(kinds, coarse, strict=True)),
        dict(zip(flowing, flows, strict=True)),
    )


def first_order(fine: np.ndarray, coarse: np.ndarray, factor: float, text: str) -> Verdict:
    """The verdict on errors that should be O(η), from the same errors at a step that is ``factor`` times longer.

    Args:
        fine: Errors of all runs.
        coarse: Errors of the same runs at the longer step.
        factor: Ratio of the steps.
        text: What the errors are.
    """
    ratio = np.where(fine <= ROUNDING, 0.0, fine / coarse)
    return from_residual(
        float(np.max(ratio)),
        2 / factor,
        f"{text}: at most {np.max(fine):.1e}, and {np.max(coarse):.1e} at a step {factor:g} times longer; "
        f"the largest ratio is {np.max(ratio):.2f}.",
        tolerance_reason=f"An error proportional to the step falls to 1/{factor:g}; twice that is for higher orders.",
    )
