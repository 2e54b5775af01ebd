"""Training x = u ⊙ v in plain NumPy, and the projections at which it ends."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from implicit_bias.validation import FloatArray


@dataclass(frozen=True)
class Run:
    """How runs ended, one a row: u and v, and what the steps added up to.

    Attributes:
        u: Final values.
        v: Final values.
        gain: The sum of q(γg) over the steps.
        accumulated: The sum of γg.
    """

    u: FloatArray
    v: FloatArray
    gain: FloatArray
    accumulated: FloatArray

    @property
    def x(self) -> FloatArray:
        """The weights."""
        return self.u * self.v


def train(
    Z: FloatArray, y: FloatArray, u: FloatArray, v: FloatArray, step: FloatArray, steps: int, seed: int | None = None
) -> Run:
    """Train on several problems at once; with a seed, each step sees one observation of each, drawn uniformly.

    Args:
        Z: Data, shape (problems, n, weights).
        y: Targets, shape (problems, n); the loss is ‖Zx − y‖²/(2n).
        u: Initial values, shape (problems, weights).
        v: Initial values, shape (problems, weights).
        step: One for each problem.
        steps: Their number.
        seed: Of the observations that are drawn; None takes all of them.
    """
    count, n, _ = Z.shape
    rows, gamma = np.arange(count), np.asarray(step)[:, None]
    drawn = None if seed is None else np.random.default_rng(seed).integers(n, size=(steps, count))
    gain, accumulated = np.zeros_like(u), np.zeros_like(u)
    for k in range(steps):
        x = u * v
        if drawn is None:
            residual = (Z @ x[:, :, None])[:, :, 0] - y
            g = (residual[:, None, :] @ Z)[:, 0] / n
        else:
            z = Z[rows, drawn[k]]
            g = (np.sum(z * x, axis=1) - y[rows, drawn[k]])[:, None] * z
        move = gamma * g
        gain -= np.log(np.abs(1 - move**2))
        accumulated += move
        u, v = u - move * v, v - move * u
    return Run(u, v, gain, accumulated)


def own_ends(run: Run, Z: FloatArray, y: FloatArray, scale: float) -> FloatArray:
    """The projections of the potentials that runs have reached; nan where a run is far from its data or diverged.

    Args:
        run: Runs from x = 0.
        Z: Their data.
        y: Their targets.
        scale: α² at the start, of all weights.
    """
    ends = np.full(run.x.shape, np.nan)
    for each, x in enumerate(run.x):
        reached = scale * np.exp(-run.gain[each])
        asymmetry = np.arcsinh(x / reached) + 2 * run.accumulated[each]
        if np.all(np.isfinite(asymmetry)) and np.linalg.norm(Z[each] @ x - y[each]) < 1:
            ends[each] = projected(Z[each], y[each], reached, asymmetry)
    return ends


def projected(Z: FloatArray, y: FloatArray, scale: FloatArray, shift: FloatArray) -> FloatArray:
    """The minimizer of Σ ½[x arcsinh(x/a) − √(x² + a²) − bx] on {Zx = y}, by Newton's method in the multipliers."""
    multipliers = np.zeros(len(y))

    def objective(at: FloatArray) -> float:
        return float(np.sum(scale * np.cosh(np.clip(shift + 2 * Z.T @ at, -700, 700))) / 2 - y @ at)

    for _ in range(200):
        argument = shift + 2 * Z.T @ multipliers
        residual = Z @ (scale * np.sinh(argument)) - y
        if np.max(np.abs(residual)) < 1e-13 * max(1.0, float(np.max(np.abs(y)))):
            break
        direction = np.linalg.solve((Z * (2 * scale * np.cosh(argument))) @ Z.T, residual)
        length, now, slope = 1.0, objective(multipliers), float(residual @ direction)
        while length > 1e-6 and objective(multipliers - length * direction) > now - 1e-4 * length * slope:
            length /= 2
        multipliers = multipliers - length * direction
    return scale * np.sinh(shift + 2 * Z.T @ multipliers)
