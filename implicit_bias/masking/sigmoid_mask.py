r"""The mask of continuous sparsification, x = w ⊙ σ(τs)."""

from __future__ import annotations

import torch

from implicit_bias.errors import known_options
from implicit_bias.masking.factored_weight import FactoredWeight
from implicit_bias.validation import finite_array, positive_number


@known_options
class SigmoidMask(FactoredWeight):
    r"""x = w ⊙ σ(τ s), whose temperature τ rises during training until the mask is 0 or 1.

    P. Savarese, H. Silva, M. Maire, "Winning the lottery with continuous sparsification", NeurIPS 2020.

    Args:
        start: s_0, the same for every weight.
        temperature: The first τ > 0.

    Attributes:
        temperature: The present τ, a tensor in the state dict; assign to it to change τ.
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
        """The factors w_0 = x / σ(τ s_0) and s_0."""
        s = torch.full_like(x, self.start)
        return x / torch.sigmoid(self.temperature.to(x.dtype) * s), s

    @property
    def formula(self) -> str:
        """``w/(1 + exp(-tau*s))`` with the present τ as a number."""
        return f"w/(1 + exp(-{float(self.temperature)!r}*s))"

    def extra_repr(self) -> str:
        """The map, for the printed module."""
        return f"w*sigmoid({float(self.temperature):g}*s)"
