r"""The mask x = m ⊙ w, and deeper products of factors."""

from __future__ import annotations

import torch

from implicit_bias.errors import InputError, known_options
from implicit_bias.masking.factored_weight import FactoredWeight
from implicit_bias.validation import positive_number, whole_number

_LETTERS = ("m", "w", "p", "q", "r", "s")  # z means a dual point elsewhere


@known_options
class Product(FactoredWeight):
    r"""x = m ⊙ w (or m ⊙ w ⊙ p, …), which starts with :math:`m_0^2 - w_0^2 = \beta` in every weight.

    For depth two :math:`m_0^2 = (\beta + \sqrt{\beta^2 + 4x^2})/2 \ge |x|` and :math:`w_0 = x/m_0`, so the scale of its
    potential is :math:`a_0 = \beta/2` (see :class:`implicit_bias.HyperbolicEntropy`). Deeper products put the sign into
    w and the same :math:`m_0 > 0` into all other factors: :math:`m_0^{2(D-1)}(m_0^2 - \beta) = x^2`. They have no
    potential that weight decay only rescales (m·w·p commutes with nothing but itself).

    With β = 0 (spred) a weight starts balanced, |m_0| = |w_0|, and never changes its sign; one that starts at 0 stays
    there.

    Args:
        beta: The conserved imbalance β >= 0.
        depth: The number D of factors, 2 to 6.
    """

    def __init__(self, beta: float = 1.0, depth: int = 2) -> None:
        super().__init__()
        self.beta = positive_number(beta, "beta", zero_allowed=True)
        if not 2 <= whole_number(depth, "depth") <= len(_LETTERS):
            raise InputError(f"depth: expected 2 to {len(_LETTERS)} factors, got {depth}.")
        self.names = _LETTERS[:depth]

    def forward(self, *factors: torch.Tensor) -> torch.Tensor:
        """The product of all factors."""
        x = factors[0]
        for factor in factors[1:]:
            x = x * factor
        return x

    def right_inverse(self, x: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """Factors whose squares differ by β, with the sign of x in w."""
        # In half precision the two roots would lose a third of the digits of x, and squares would leave its range.
        wide = x.detach().to(torch.float32 if x.device.type == "mps" else torch.float64)
        others = len(self.names) - 1
        m = _balanced_root(wide.abs(), self.beta, others)
        w = torch.where(m > 0, wide / m**others, 0)
        factors = {"m": m, "w": w}
        return tuple(factors.get(name, m).to(x.dtype).clone() for name in self.names)

    @property
    def formula(self) -> str:
        """The product, such as ``m*w`` or ``m*w*p``."""
        return "*".join(self.names)

    def extra_repr(self) -> str:
        """The map and β, for the printed module."""
        return f"{self.formula}, beta={self.beta:g}"


def _balanced_root(size: torch.Tensor, beta: float, others: int) -> torch.Tensor:
    """The root m >= 0 of m^{2·others}(m² − β) = size²."""
    if others == 1:
        half = torch.full_like(size, beta / 2)
        return torch.sqrt(half + torch.hypot(half, size))
    # For r = m² the function r^{others}(r − β) is convex and increasing beyond β, so Newton's method falls to the root
    # from above.
    root = beta + size ** (2 / (others + 1))
    for _ in range(60):
        power = root ** (others - 1)
        slope = power * ((others + 1) * root - others * beta)
        excess = power * root * (root - beta) - size**2
        root = torch.where(slope > 0, (root - excess / slope).clamp(min=beta), root)
    return torch.sqrt(root)
