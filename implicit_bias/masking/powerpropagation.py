r"""Powerpropagation, x = v |v|^{p−1}."""

from __future__ import annotations

import torch

from implicit_bias.errors import InputError, known_options
from implicit_bias.masking.factored_weight import FactoredWeight
from implicit_bias.validation import finite_array


@known_options
class Powerpropagation(FactoredWeight):
    r""":math:`x = v\,|v|^{p-1}`: a weight moves in proportion to :math:`|x|^{2 - 2/p}`, so large ones grow first.

    J. Schwarz, S. Jayakumar, R. Pascanu, P. Latham, Y. Teh, "Powerpropagation: a sparsity inducing weight
    reparameterisation", NeurIPS 2021. For p = 2 its gradient flow is that of a mask with :math:`m = |w|`, at twice
    the speed.

    Args:
        power: p >= 1.
    """

    names = ("v",)

    def __init__(self, power: float = 2.0) -> None:
        super().__init__()
        self.power = float(finite_array(power, "power", ndim=0))
        if self.power < 1:
            raise InputError(f"power: expected p >= 1, got {power}.")

    def forward(self, *factors: torch.Tensor) -> torch.Tensor:
        """Effective weights v |v|^{p−1}."""
        (v,) = factors
        # As v |v|^{p−1}, torch would compute the slope at 0 as 0 · ∞ for p < 2, where it is 0.
        return v if self.power == 1 else v.sign() * v.abs() ** self.power

    def right_inverse(self, x: torch.Tensor) -> torch.Tensor:
        """The factor v_0 = sign(x) |x|^{1/p}."""
        return x.sign() * x.abs() ** (1 / self.power)

    @property
    def formula(self) -> str:
        """``v*sqrt(v**2)**(p - 1)`` with the number for p."""
        return f"v*sqrt(v**2)**{self.power - 1!r}"

    def extra_repr(self) -> str:
        """The map, for the printed module."""
        return f"v*|v|^{self.power - 1:g}"
