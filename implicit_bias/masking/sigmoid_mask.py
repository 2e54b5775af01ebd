r"""The mask of continuous sparsification, x = w ⊙ σ(τs)."""

from __future__ import annotations

import torch

from implicit_bias.masking.factored_weight import FactoredWeight
from implicit_bias.validation import finite_array, positive_number


class SigmoidMask(FactoredWeight):
    r"""x = w ⊙ σ(τ s), whose temperature τ is raised during training until the mask is 0 or 1.

    P. Savarese, H. Silva, M. Maire, "Winning the lottery with continuous sparsification", NeurIPS 2020.

    Args:
        start: The same s_0 for every weight.
        temperature: τ > 0; assign :attr:`temperature` to change it.

    Attributes:
        temperature: τ, a tensor that the state dict holds.
    """

    names = ("w", "s")
    temperature: torch.Tensor

    def __init__(self, start: float = 0.0, temperature: float = 1.0) -> None:
        super().__init__()
        self.start = float(finite_array(start, "start", ndim=0))
        self.register_buffer("temperature", torch.tensor(positive_number(temperature, "temperature")))

    def forward(self, *factors: torch.Tensor) -> torch.Tensor:
        """Effective weights w ⊙ σ(τs)."""
        w, s = factors
        return w * torch.sigmoid(self.temperature.to(s.dtype) * s)

    def right_inverse(self, x: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """s_0 everywhere, and w_0 = x / σ(τ s_0)."""
        s = torch.full_like(x, self.start)
        return x / torch.sigmoid(self.temperature.to(x.dtype) * s), s

    @property
    def formula(self) -> str:
        """``w/(1 + exp(-tau*s))`` with the present number for tau."""
        return f"w/(1 + exp(-{float(self.temperature)!r}*s))"

    def extra_repr(self) -> str:
        """What the printed module shows."""
        return f"w*sigmoid({float(self.temperature):g}*s)"
