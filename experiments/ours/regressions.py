r"""The regressions of the experiments, made from JSON values, so that they can be arguments of tasks."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from scipy.optimize import linprog

from implicit_bias import Regression


def regression(problem: Mapping[str, int]) -> Regression:
    r"""A random sparse regression, or a digit measured by random projections.

    Args:
        problem: The arguments of :meth:`implicit_bias.Regression.sample`; or ``image``, the number of a
            training image of MNIST, ``measurements`` d and ``seed`` for :math:`Z_{ij} \sim N(0, 1/d)`.
    """
    if "image" not in problem:
        return Regression.sample(**problem)
    from implicit_bias.training import load

    truth = load("mnist").train.pixels[problem["image"]].numpy().ravel() / 255
    d, n = problem["measurements"], len(truth)
    Z = np.random.default_rng(problem["seed"]).standard_normal((d, n)) / np.sqrt(d)
    return Regression(Z, Z @ truth, truth=truth)


def basis_pursuit(problem: Regression) -> np.ndarray:
    """Argmin {‖x‖₁ : Zx = y} by a linear program, shape (n,)."""
    n = problem.n
    result = linprog(np.ones(2 * n), A_eq=np.hstack([problem.Z, -problem.Z]), b_eq=problem.y, method="highs")
    return result.x[:n] - result.x[n:]
