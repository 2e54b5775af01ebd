r"""The contract of every Bregman potential, whether or not it couples the coordinates.

A potential R is strictly convex on an open set. Its gradient (the *mirror map*) sends weights to dual variables, the
inverse of the gradient sends them back, and a gradient flow of the parameters is the mirror flow
:math:`\nabla R(x_t) = \nabla R(x_0) - \int_0^t \nabla f(x_s)\,ds` of the weights.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

import numpy as np

from implicit_bias.shown import Shown

Array = Any  # a NumPy array, a torch tensor or a JAX array; every method returns the kind it was given


class Potential(Shown, ABC):
    """A strictly convex potential R of weights x, shape ``(..., n)``, as flows and limits use it.

    A potential that is a sum over coordinates derives from :class:`~implicit_bias.SeparablePotential`, and solvers use
    that its Hessian is diagonal. The metric of every other potential is a matrix.
    """

    @property
    @abstractmethod
    def size(self) -> int | None:
        """Number of coordinates, or None when one formula serves any number."""

    @property
    @abstractmethod
    def minimizer(self) -> np.ndarray:
        """The x at which the gradient vanishes; without decay it is where training starts."""

    @abstractmethod
    def value(self, x: Array) -> Array:
        """R(x), shape ``(...)``."""

    def __call__(self, x: Array) -> Array:
        """R(x), as :meth:`value` gives it."""
        return self.value(x)

    @abstractmethod
    def gradient(self, x: Array) -> Array:
        """The mirror map ∇R(x), shape ``(..., n)``."""

    @abstractmethod
    def inverse_gradient(self, z: Array) -> Array:
        """The x with ∇R(x) = z, which is ∇R*(z); shape ``(..., n)``."""

    @abstractmethod
    def metric(self, x: Array) -> Array:
        """(∇²R(x))⁻¹, by which the flow of x preconditions the gradient, shape ``(..., n, n)``.

        Where R is separable it is the diagonal alone, shape ``(..., n)``.
        """

    @abstractmethod
    def conjugate(self, z: Array) -> Array:
        r"""The convex conjugate :math:`R^*(z) = \sup_x \langle x, z\rangle - R(x)`, shape ``(...)``."""

    @abstractmethod
    def divergence(self, x: Array, x2: Array) -> Array:
        r"""The Bregman divergence, shape ``(...)``.

        .. math:: D_R(x, x_2) = R(x) - R(x_2) - \langle\nabla R(x_2), x - x_2\rangle
        """

    def relaxations(self) -> Sequence[Potential]:
        """Easier potentials that lead to this one, the easiest first; none unless a class has some."""
        return []

    @abstractmethod
    def respond(self, z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The weight x = ∇R*(z), shape (n,), and the metric there, its derivative in z, without any checks.

        Solvers ask for both many times, at one z of shape (n,). Numbers that overflow are inf; solvers turn NumPy's
        warnings off. A potential may round each weight to within the rounding of the largest one.
        """
