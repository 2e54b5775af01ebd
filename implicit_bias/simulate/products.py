r"""The numbers by which steps multiply the factors of a mask: the exact counterpart of the flow's decay and dual."""

from __future__ import annotations

from typing import Any

import numpy as np
from array_api_compat import array_namespace

from implicit_bias.validation import FloatArray


class MaskProducts:
    r"""The products by which training in steps moves the potential of x = m ⊙ w, whatever the loss and the batches.

    With :math:`p, q = (m \pm w)/\sqrt2` a step multiplies each of p and q by a number of its own. For the gradient
    :math:`g_k` of the step's loss in x, the strength :math:`\alpha_k` of m² + w² (torch's ``weight_decay`` is 2α), the
    step size :math:`\eta_k` and the momentum β, the factor with sign σ (+ for p, − for q) is multiplied by

    .. math:: r_k = 1 - \eta_k\mu_k, \qquad \mu_k = \beta\mu_{k-1}/r_{k-1} + e_k, \qquad e_k = \sigma g_k + 2\alpha_k

    for heavy ball, and by :math:`1 - \eta_k(e_k + \beta\mu_k)` for Nesterov's variant. With decoupled decay
    :math:`2\alpha_k` stays out of :math:`e_k` and :math:`r_k` falls by :math:`2\eta_k\alpha_k`. Exactly, for any steps,
    also where a factor changes its sign,

    .. math:: x_k = a_k\sinh\beta_k, \quad a_k = a_0\prod|r^+r^-|, \quad \beta_k = b_0 + \sum\log|r^+/r^-|.

    Nothing is read from the parameters after the step or from the optimizer's buffers, so that agreement with them is
    evidence. Arrays may be NumPy's or torch's; the sums of logarithms are kept in their precision, in the same memory
    from the first step to the last.

    Args:
        like: An array of the shape of x, in the precision of the sums.
        momentum: β; ``momentum`` may be set anew before any step.
        nesterov: Whether the momentum is Nesterov's.
        decoupled: Whether decay is decoupled, as in AdamW: it does not enter the momentum.

    Attributes:
        log_scale: :math:`\log(a_k/a_0)`; −inf where a factor was multiplied by zero.
        shift: :math:`\beta_k - b_0`; not finite there.

    Source: for plain steps without decay, Even, Pesme, Gunasekar, Flammarion, "(S)GD over diagonal linear networks",
        NeurIPS 2023; the momentum and the decay follow in the same way from the definitions above.
    """

    def __init__(self, like: Any, momentum: float = 0.0, nesterov: bool = False, decoupled: bool = False) -> None:
        xp = array_namespace(like)
        self._xp, self.momentum, self._nesterov, self._decoupled = xp, momentum, nesterov, decoupled
        self.log_scale, self.shift = xp.zeros_like(like), xp.zeros_like(like)
        self._memory = [xp.zeros_like(like), xp.zeros_like(like)]  # μ/r of p and of q
        self._remembers = False  # whether a step with momentum was made

    def step(self, gradient: Any, step: Any, strength: Any) -> None:
        """Take one step.

        Args:
            gradient: g_k, of the shape of x.
            step: η_k, a number or an array that broadcasts to the shape of x.
            strength: α_k, likewise.
        """
        logs = []
        for k, sign in enumerate((1.0, -1.0)):
            push = sign * gradient if self._decoupled else sign * gradient + 2.0 * strength
            move = self.momentum * self._memory[k] + push
            taken = push + self.momentum * move if self._nesterov else move
            ratio = 1.0 - step * taken
            if self._decoupled:
                ratio = ratio - 2.0 * step * strength
            if self.momentum:
                self._memory[k][...] = move / ratio
            elif self._remembers:  # torch keeps its buffer through steps without momentum
                self._memory[k][...] = self._memory[k] / ratio
            logs.append(self._xp.log(self._xp.abs(ratio)))
        self._remembers = self._remembers or bool(self.momentum)
        self.log_scale += logs[0] + logs[1]
        self.shift += logs[0] - logs[1]


def scale_and_shift(
    m: FloatArray, w: FloatArray, log_scale: FloatArray, shift: FloatArray, gradient: FloatArray
) -> tuple[FloatArray, FloatArray]:
    r"""The logarithm of the scale and the shift of the potential that steps have made of a start.

    The mirror identity :math:`R'(x_k) = -L_k` holds for the entropy of scale :math:`a_k` and shift
    :math:`\beta_k + 2L_k`.

    Args:
        m: m_0, of the shape of x.
        w: w_0.
        log_scale: That of :class:`MaskProducts`, with any axes before those of x.
        shift: Likewise.
        gradient: L_k, the accumulated gradient in x.
    """
    with np.errstate(all="ignore"):  # a start with m² = w² has no potential, and a run that diverged none later
        high, low = np.log(np.abs(m + w)), np.log(np.abs(m - w))
        return high + low - np.log(2) + log_scale, high - low + shift + 2 * gradient
