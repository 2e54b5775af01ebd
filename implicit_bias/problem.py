r"""Data and loss: the only place where the factors 1/d and ½ appear."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike
from scipy.sparse.linalg import LinearOperator
from scipy.special import expit

from implicit_bias.errors import InputError, did_you_mean, known_options
from implicit_bias.linear_map import Design, LinearMap, linear_map
from implicit_bias.validation import FloatArray, finite_array, read_only, whole_number

Loss = Literal["squared", "logistic", "exponential"]


@dataclass(frozen=True)
class _Terms:
    """The loss of one prediction p of y, and its first and second derivatives in p."""

    value: Callable[[FloatArray, FloatArray], FloatArray]
    slope: Callable[[FloatArray, FloatArray], FloatArray]
    bend: Callable[[FloatArray, FloatArray], FloatArray]


_LOSSES: dict[Loss, _Terms] = {
    "squared": _Terms(lambda p, y: (p - y) ** 2 / 2, lambda p, y: p - y, lambda p, y: np.ones(np.shape(p))),
    "logistic": _Terms(
        lambda p, y: np.logaddexp(0, -y * p),
        lambda p, y: -y * expit(-y * p),
        lambda p, y: expit(-y * p) * expit(y * p),
    ),
    "exponential": _Terms(
        lambda p, y: np.exp(-y * p),
        lambda p, y: -y * np.exp(-y * p),
        lambda p, y: np.exp(-y * p),
    ),
}


@known_options
class Regression:
    r"""Linear regression or classification: a loss of the predictions Zx, averaged over d observations.

    The squared loss is :math:`f(x) = \frac{1}{2d}\|Zx-y\|_2^2`, the logistic loss
    :math:`f(x) = \frac1d\sum_i \log(1 + e^{-y_i z_i^T x})` for labels :math:`y_i = \pm1`, and the exponential loss
    :math:`f(x) = \frac1d\sum_i e^{-y_i z_i^T x}`.

    Args:
        Z: Design matrix, shape (d, n): an array, a sparse array of SciPy, or a SciPy ``LinearOperator``. A float64
            array is not copied; :attr:`Z` is a read-only view of it.
        y: Observations, shape (d,); labels −1 and 1 for the logistic and the exponential loss.
        loss: ``"squared"``, ``"logistic"`` or ``"exponential"``.
        truth: The weights that generated y, shape (n,), if they are known.

    Raises:
        InputError: If shapes do not match, or the data contain nan or inf.

    >>> problem = Regression([[1.0, 2.0]], [3.0])
    >>> float(problem.loss([1.0, 1.0])), problem.gradient([0.0, 0.0]).tolist()
    (0.0, [-3.0, -6.0])
    """

    def __init__(self, Z: Design, y: ArrayLike, loss: Loss = "squared", truth: ArrayLike | None = None) -> None:
        linear, target = check_system(Z, y)
        if not isinstance(loss, str) or loss not in _LOSSES:
            hint = did_you_mean(str(loss), _LOSSES)
            raise InputError(f"loss: expected one of {', '.join(map(repr, _LOSSES))}, got {loss!r}{hint}.")
        if loss != "squared" and not np.all(np.abs(target) == 1):
            k = int(np.flatnonzero(np.abs(target) != 1)[0])
            raise InputError(f"y: the {loss} loss expects labels -1 and 1, got {target[k]:g} at index {k}.")
        if truth is not None:
            truth = finite_array(truth, "truth", ndim=1)
            if truth.shape != linear.shape[1:]:
                raise InputError(f"truth: expected shape ({linear.shape[1]},) to match Z, got {truth.shape}.")
        self.linear: LinearMap = linear
        self.y: FloatArray = target
        self.truth: FloatArray | None = truth
        self.kind: Loss = loss

    def __repr__(self) -> str:
        return f"Regression(d={self.d}, n={self.n}, loss={self.kind!r})"

    @classmethod
    @known_options
    def sample(cls, d: int, n: int, sparsity: int, seed: int = 0) -> Regression:
        r"""Draw a sparse recovery problem: y = Z x* without noise, Z and the non-zero weights of x* standard normal.

        Args:
            d: Number of observations.
            n: Number of weights, n > d.
            sparsity: Number of non-zero weights, 1 to n.
            seed: Seed of NumPy's default generator.

        Raises:
            InputError: If the problem would not be underdetermined, or sparsity does not fit.
        """
        d, n, sparsity = whole_number(d, "d"), whole_number(n, "n"), whole_number(sparsity, "sparsity")
        if not 1 <= d < n:
            raise InputError(
                f"Regression.sample: expected 1 <= d < n (an underdetermined problem, where the bias decides), "
                f"got d={d}, n={n}."
            )
        if not 1 <= sparsity <= n:
            raise InputError(f"sparsity: expected 1 to n={n} non-zero weights, got {sparsity}.")
        if whole_number(seed, "seed") < 0:
            raise InputError(f"seed: expected a non-negative integer, got {seed}.")
        rng = np.random.default_rng(seed)
        Z = rng.standard_normal((d, n))
        truth = np.zeros(n)
        truth[rng.choice(n, sparsity, replace=False)] = rng.standard_normal(sparsity)
        return cls(Z, Z @ truth, truth=truth)

    @property
    def Z(self) -> Any:
        """The design matrix, shape (d, n), of the kind that you gave: an array, a sparse array or an operator."""
        return self.linear.matrix

    @property
    def d(self) -> int:
        """Number of observations."""
        return self.linear.shape[0]

    @property
    def n(self) -> int:
        """Number of weights."""
        return self.linear.shape[1]

    def loss(self, x: ArrayLike) -> FloatArray:
        """f(x), shape ``(...)`` for x of shape ``(..., n)``."""
        return self.prediction_loss(self.linear.apply(self._weights(x)))

    def gradient(self, x: ArrayLike) -> FloatArray:
        """∇f(x), shape ``(..., n)``."""
        return self.linear.adjoint(self.prediction_gradient(self.linear.apply(self._weights(x))))

    def prediction_loss(self, p: FloatArray) -> FloatArray:
        """The loss as a function of the predictions p = Zx, shape ``(..., d)`` to ``(...)``."""
        return np.mean(_LOSSES[self.kind].value(p, self.y), axis=-1)

    def prediction_gradient(self, p: FloatArray) -> FloatArray:
        """The gradient of the loss in the predictions p = Zx, shape ``(..., d)``: the velocity of the dual."""
        return _LOSSES[self.kind].slope(p, self.y) / self.d

    def prediction_hessian(self, p: FloatArray) -> FloatArray:
        """The diagonal of the Hessian of the loss in the predictions p = Zx, shape ``(..., d)``."""
        return _LOSSES[self.kind].bend(p, self.y) / self.d

    def _weights(self, x: ArrayLike) -> FloatArray:
        weights = finite_array(x, "x")
        if weights.ndim == 0 or weights.shape[-1] != self.n:
            raise InputError(f"x: expected shape (..., {self.n}) to match Z, got {weights.shape}.")
        return weights


def check_system(Z: Design, y: ArrayLike) -> tuple[LinearMap, FloatArray]:
    """Return Z (d, n) as a linear map and y (d,) as an array, or raise ``InputError`` that names the misfit."""
    linear = linear_map(Z)
    if isinstance(Z, LinearOperator):
        try:
            linear.adjoint(np.zeros(linear.shape[0]))
        except NotImplementedError:
            raise InputError(
                "Z: expected a LinearOperator with rmatvec=, the product with its transpose, got one without; every "
                "gradient Zᵀν needs it."
            ) from None
    target = read_only(finite_array(y, "y", ndim=1))
    if target.shape != (linear.shape[0],):
        raise InputError(f"y: expected shape ({linear.shape[0]},), one value per row of Z, got {target.shape}.")
    return linear, target
