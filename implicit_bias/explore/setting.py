"""The setting of a picture: formulas and numbers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Setting:
    r"""Two weights, each :math:`x_i = g(\theta_i)`, trained on one observation :math:`z\cdot x = y`.

    Attributes:
        formula: g, in the parameters of one weight.
        init: Initial values of the two weights by parameter name, in the order in which the formula names them.
        regularizer: h in the same parameters, or None.
        decay: :math:`A_\infty = \int\alpha_t\,dt`, spent as :math:`\alpha_t = A_\infty e^{-t}` in flow time.
        z: The two entries of z.
        y: The observation.
        step: The step size η of gradient descent.
    """

    formula: str
    init: Mapping[str, tuple[float, float]]
    regularizer: str | None = None
    decay: float = 0.0
    z: tuple[float, float] = (1.0, 2.0)
    y: float = 2.0
    step: float = 0.05
