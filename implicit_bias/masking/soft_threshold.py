r"""Soft threshold weight reparameterization (STR), x = sign(w)(|w| − σ(s))₊ with one threshold for each tensor."""

from __future__ import annotations

import torch

from implicit_bias.errors import known_options
from implicit_bias.masking.factored_weight import FactoredWeight
from implicit_bias.validation import finite_array


@known_options
class SoftThreshold(FactoredWeight):
    r""":math:`x = \mathrm{sign}(w)\,(|w| - \sigma(s))_+`, with a trained scalar s for each tensor.

    A. Kusupati et al., "Soft threshold weight reparameterization for learnable sparsity", ICML 2020. Weight decay acts
    on w and on s: for s < 0 it raises the threshold.

    Args:
        start: s_0; σ(s_0) is the first threshold. Nonzero weights start beyond it, so that x stays what it was.
    """

    names = ("w", "s")

    def __init__(self, start: float = -10.0) -> None:
        super().__init__()
        self.start = float(finite_array(start, "start", ndim=0))

    def forward(self, *factors: torch.Tensor) -> torch.Tensor:
        """Effective weights sign(w)(|w| − σ(s))₊."""
        w, s = factors
        return w.sign() * torch.relu(w.abs() - torch.sigmoid(s))

    def right_inverse(self, x: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """The factors w_0 = x + sign(x) σ(s_0) and s_0."""
        s = torch.as_tensor(self.start, dtype=x.dtype, device=x.device)
        return x + x.sign() * torch.sigmoid(s), s
