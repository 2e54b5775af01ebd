r"""Gradient flow of many runs side by side, as one field of velocities."""

from __future__ import annotations

import numpy as np
import sympy as sp

from implicit_bias.problem import FloatArray, Regression
from implicit_bias.symbolic.compiled import compiled
from implicit_bias.symbolic.parameterization import Parameterization


class BatchedFlow:
    r"""The field of gradient flow, for states of many runs.

    .. math::

        \dot\theta = -\partial g^T Z^T\nabla_p f - \alpha\nabla h, \quad \dot\nu = \nabla_p f, \quad \dot A = \alpha

    A state is a row of numbers for each run, shape (runs, p n + d + 1): the p parameters of n weights, the gradient ν
    accumulated in the d predictions, and the decay A. To the last bit, a run's numbers do not depend on the others.

    Args:
        problem: Dense data and loss.
        parameterization: A separable x = g(θ).
        regularizer: h(θ) of one coordinate, if any.
    """

    def __init__(
        self, problem: Regression, parameterization: Parameterization, regularizer: str | sp.Expr | None
    ) -> None:
        self._problem = problem
        self._p = len(parameterization.params)
        formulas = [parameterization.output, *parameterization.gradient(parameterization.output)]
        if regularizer is not None:
            formulas += list(parameterization.gradient(parameterization.regularizer(regularizer)))
        self._compiled = compiled(parameterization.symbols, formulas)

    def start(self, theta: FloatArray) -> FloatArray:
        """The state at parameters of shape (runs, p, n), before any gradient or decay."""
        runs = len(theta)
        return np.concatenate([theta.reshape(runs, -1), np.zeros((runs, self._problem.d + 1))], axis=1)

    def parameters(self, state: FloatArray) -> FloatArray:
        """θ, shape (p, runs, n)."""
        p, n = self._p, self._problem.n
        return state[:, : p * n].reshape(-1, p, n).swapaxes(0, 1)

    def dual(self, state: FloatArray) -> FloatArray:
        """ν, shape (runs, d)."""
        return state[:, -self._problem.d - 1 : -1]

    def decay(self, state: FloatArray) -> FloatArray:
        """A, shape (runs,)."""
        return state[:, -1]

    def evaluate(self, state: FloatArray) -> FloatArray:
        """g, the p components of ∇g and, with a regularizer, those of ∇h, shape (1 + p [+ p], runs, n)."""
        return self._compiled(self.parameters(state))

    def velocity(self, values: FloatArray, weights: FloatArray | float, alpha: FloatArray) -> FloatArray:
        """The field of a state.

        Args:
            values: What :meth:`evaluate` gives of it.
            weights: Of the observations, shape (runs, d), or 1.
            alpha: Strength of the regularizer, shape (runs, 1).
        """
        x, slopes, pulls = values[0], values[1 : self._p + 1], values[self._p + 1 :]
        pressure = weights * self._problem.prediction_gradient(self._predictions(x))
        motion = -slopes * (pressure[:, None, :] @ self._problem.Z)[:, 0, :]
        if len(pulls):
            motion -= alpha * pulls
        return np.concatenate([*motion, pressure, alpha], axis=1)

    def loss(self, x: FloatArray) -> FloatArray:
        """f(x) on all observations, shape (runs,), for weights of shape (runs, n)."""
        return self._problem.prediction_loss(self._predictions(x))

    def _predictions(self, x: FloatArray) -> FloatArray:
        # One product for each run: BLAS rounds the rows of a larger product in ways that depend on their number.
        return (x[:, None, :] @ self._problem.Z.T)[:, 0, :]
