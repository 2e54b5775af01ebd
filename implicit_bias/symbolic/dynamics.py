r"""Steepest descent in an L_p norm, of which gradient flow and sign descent are cases."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import sympy as sp

from implicit_bias.errors import InputError, known_options
from implicit_bias.potential.separable_map import steepest
from implicit_bias.validation import FloatArray


@known_options
@dataclass(frozen=True)
class SteepestDescent:
    r"""The steepest descent of a loss in the :math:`L_p` norm of the parameters, in continuous time.

    With 1/p + 1/q = 1 and the gradient G of the loss in the parameters it is

    .. math:: \theta_i' = -\operatorname{sgn}(G_i)\,|G_i|^{q-1} .

    For p = 2 it is gradient flow, for p = ∞ sign descent, the flow that idealizes Adam. Of one weight x = g(θ) the
    parameters move along a fixed curve, :math:`d\theta_i/ds = \operatorname{sgn}(\partial_i g)|\partial_i g|^{q-1}`, on
    which :math:`dx/ds = \sum_i|\partial_i g|^q`. So x follows a mirror flow in which
    :math:`\operatorname{sgn}(f')|f'|^{q-1}` takes the place of f':

    .. math:: R'(x)' = -\operatorname{sgn}(f')\,|f'|^{q-1}, \qquad 1/R'' = \sum_i|\partial_i g|^q .

    The accumulated :math:`\int\operatorname{sgn}(f')|f'|^{q-1}\,dt` is a combination of the rows of Z for q = 2 alone.
    So for every other p the end of training is in general not the point with Zx = y at which R is least.

    Attributes:
        order: p, 1 < p ≤ ∞.
        decoupled: Whether decay is decoupled, as in AdamW: θ' gains −α∇h. Otherwise α∇h is part of the gradient G. For
            p = 2 that is the same.

    Raises:
        InputError: If the order is no number above 1, or ``decoupled`` is no bool.

    >>> SteepestDescent(3).exponent
    3/2
    >>> SteepestDescent(float("inf")).exponent
    1
    """

    order: float | Fraction
    decoupled: bool = True

    def __post_init__(self) -> None:
        is_number = isinstance(self.order, (int, float, Fraction)) and not isinstance(self.order, bool)
        if not is_number or not self.order > 1:
            raise InputError(f"order: expected 1 < p <= inf, got {self.order!r}; 2 is gradient flow, inf sign descent.")
        if not isinstance(self.decoupled, bool):
            raise InputError(f"decoupled: expected True or False, got {self.decoupled!r}.")

    @property
    def exponent(self) -> sp.Rational:
        """Q = p/(p − 1), exactly; for a float, of the number that it is printed as."""
        if self.order == float("inf"):
            return sp.Integer(1)
        order = sp.Rational(repr(self.order) if isinstance(self.order, float) else str(self.order))
        return order / (order - 1)

    def direction(self, gradient: FloatArray) -> FloatArray:
        """sgn(G)|G|^(q − 1), elementwise."""
        return steepest(gradient, float(self.exponent))


def steepest_field(gradient: sp.Matrix, exponent: sp.Expr) -> sp.Matrix:
    """dθ/ds for a column ∂g: sgn(∂g)|∂g|^(q − 1), entry by entry; for q = 2 the gradient itself."""
    if exponent == 2:
        return gradient
    return gradient.applyfunc(lambda slope: sp.sign(slope) * sp.Abs(slope) ** (exponent - 1))
