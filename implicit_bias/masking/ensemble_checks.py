r"""Measures on an ensemble what theory says of trained networks: mirror identity, exponent, end point and norms."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy.optimize import linprog

from implicit_bias.errors import InputError, UnsupportedError
from implicit_bias.masking.ensembles import MaskFamilies
from implicit_bias.potential import HyperbolicEntropy
from implicit_bias.problem import Regression
from implicit_bias.simulate.trajectory import Trajectory
from implicit_bias.status import Status


def mirror_residual(ensemble: Trajectory) -> np.ndarray:
    r"""The deviation from the mirror identity, :math:`\|\nabla R_{a_k}(x_k) + L_k\|_\infty`, shape (k, runs).

    It vanishes along the flow. Training leaves O(η) of it at fixed time, also at scales as small as 1e-30. It is nan
    where a run has diverged.
    """
    _check_ensemble(ensemble)
    accumulated = ensemble.accumulated_gradient
    residual = np.full(ensemble.loss.shape, np.nan)
    for k, sound, potential in _potentials(ensemble):
        gradient = potential.gradient(ensemble.x[k, sound].ravel()).reshape(len(sound), -1)
        residual[k, sound] = np.max(np.abs(gradient + accumulated[k, sound]), axis=-1)
    return residual


def effective_exponent(ensemble: Trajectory) -> np.ndarray:
    r"""The local exponent of :math:`R_{a_k}` at x_k on the ray from its minimizer, shape (k, runs).

    .. math:: p_k = \frac{d \log(R_{a_k}(x_{\min} + \tau s) - R_{a_k}(x_{\min}))}{d \log \tau}\bigg|_{\tau=1}
              = \frac{\langle s, \nabla R_{a_k}(x_k)\rangle}{R_{a_k}(x_k) - R_{a_k}(x_{\min})}

    with :math:`s = x_k - x_{\min}`.

    It is 2 where the potential acts on x_k like a squared L2 norm, as at the start, and tends to 1 where it acts like
    an L1 norm. It is nan where a run has diverged.
    """
    _check_ensemble(ensemble)
    exponent = np.full(ensemble.loss.shape, np.nan)
    for k, sound, potential in _potentials(ensemble):
        x = ensemble.x[k, sound].ravel()
        shift = x - potential.minimizer
        # The numerators and the ratios p_i of single coordinates give the denominators without cancellation near x_min.
        growth = np.abs(shift * potential.gradient(x))
        shares = np.stack([growth, growth / potential.effective_exponent(shift)]).reshape(2, len(sound), -1)
        total, excess = shares.sum(axis=-1)
        exponent[k, sound] = np.where(excess > 0, total / np.where(excess > 0, excess, 1.0), 2.0)
    return exponent


@dataclass(frozen=True, eq=False)
class LimitDistance:
    """How far an ensemble is from where theory says it ends.

    Attributes:
        distance: ‖x_k − x*‖₂ at every record, shape (k, runs).
        limit: x*, the Bregman projection for the potential with the decay of the last record, shape (runs, n).
        error_bound: A bound on the error of x* itself, shape (runs,).
        status: How each projection ended; NOT_FINITE for a run that had diverged. Without a limit all numbers are nan.
    """

    distance: np.ndarray
    limit: np.ndarray
    error_bound: np.ndarray
    status: tuple[Status, ...]

    def __repr__(self) -> str:
        failed = sum(status is not Status.CONVERGED for status in self.status)
        return f"LimitDistance({len(self.status)} runs, {failed} without a limit)"


def distance_to_limit(ensemble: Trajectory) -> LimitDistance:
    r"""The distance to :math:`\operatorname{argmin}\{R_{a}(x) : Zx = y\}`, where a is the scale at the last record.

    That is the limit of the flow if no more decay follows. Training ends within O(η) of it, once its loss is small.

    Raises:
        InputError: If the problems have no fewer observations than weights, or there is no axis of runs.
    """
    _check_ensemble(ensemble)
    limit, error_bound = np.full(ensemble.x.shape[1:], np.nan), np.full(ensemble.diverged.shape, np.nan)
    status = [Status.NOT_FINITE if diverged else Status.CONVERGED for diverged in ensemble.diverged]
    for run in map(int, np.flatnonzero(~ensemble.diverged)):
        found = ensemble.flow_limit(run, throw=False)
        status[run] = found.status
        if found.status is Status.CONVERGED:
            limit[run] = found.x
            error_bound[run] = found.error_bound
    return LimitDistance(np.linalg.norm(ensemble.x - limit, axis=-1), limit, error_bound, tuple(status))


@dataclass(frozen=True, eq=False)
class RelativeNorms:
    """The norms of the weights in units of the smallest ones that interpolate.

    Attributes:
        l1: ‖x_k‖₁ / min {‖x‖₁ : Zx = y}, shape (k, runs).
        l2: ‖x_k‖₂ / min {‖x‖₂ : Zx = y}, shape (k, runs).
        least_l1: min {‖x‖₁ : Zx = y} of each problem, shape (problems,).
        least_l2: min {‖x‖₂ : Zx = y} of each problem, shape (problems,).
    """

    l1: np.ndarray
    l2: np.ndarray
    least_l1: np.ndarray
    least_l2: np.ndarray


def relative_norms(ensemble: Trajectory) -> RelativeNorms:
    """The L1 and L2 norms of the weights relative to those of basis pursuit and of least squares.

    For a run that interpolates both are at least 1; the first is 1 at the L1 end of the transition, the second at the
    L2 end. Both are nan where a run has diverged.

    Raises:
        InputError: If no weights satisfy Zx = y, y = 0, where both least norms are 0, or there is no axis of runs.
    """
    _check_ensemble(ensemble)
    least_l1 = np.array([_least_l1(problem) for problem in ensemble.problems])
    least_l2 = np.array([_least_l2(problem) for problem in ensemble.problems])
    return RelativeNorms(
        l1=np.linalg.norm(ensemble.x, ord=1, axis=-1) / least_l1,
        l2=np.linalg.norm(ensemble.x, axis=-1) / least_l2,
        least_l1=least_l1,
        least_l2=least_l2,
    )


def _check_ensemble(ensemble: Trajectory) -> None:
    """Raise ``InputError`` for anything but a trajectory with an axis of runs."""
    if not isinstance(ensemble, Trajectory) or ensemble.runs is None:
        got = "one without that axis" if isinstance(ensemble, Trajectory) else type(ensemble).__name__
        raise InputError(
            f"ensemble: expected a trajectory with an axis of runs, such as masking.ensemble gives, got {got}."
        )


def _least_l1(problem: Regression) -> float:
    """The smallest L1 norm: min Σ p + q over p, q >= 0 with Z(p − q) = y."""
    if not np.any(problem.y):
        raise InputError("relative_norms: expected y other than 0, since the least norms are 0 for y = 0.")
    found = linprog(np.ones(2 * problem.n), A_eq=np.hstack([problem.Z, -problem.Z]), b_eq=problem.y, method="highs")
    if not found.success:
        raise InputError(f"relative_norms: no weights with Zx = y were found ({found.message.strip()}).")
    return float(found.fun)


def _least_l2(problem: Regression) -> float:
    return float(np.linalg.norm(np.linalg.lstsq(problem.Z, problem.y)[0]))


def _potentials(ensemble: Trajectory) -> Iterator[tuple[int, np.ndarray, HyperbolicEntropy]]:
    """For each record, the runs that have not diverged, and one potential for the weights of all of them."""
    families, n = ensemble.families, ensemble.x.shape[-1]
    if not isinstance(families, MaskFamilies):
        raise UnsupportedError(f"ensemble: expected a trajectory that masking.ensemble trained, got {ensemble!r}.")
    for k, weights in enumerate(ensemble.x):
        sound = np.flatnonzero(np.isfinite(weights).all(axis=-1))
        if len(sound):
            yield k, sound, families.of_all(sound)(np.repeat(ensemble.decay[k, sound], n))
