r"""Derivatives of potentials in torch: the derivative of each formula is another formula, not that of its operations.

The formulas of a potential switch between branches, cut off and take signs, so that they are exact from the smallest
numbers to the largest; the derivative of such operations is not the derivative of the function. So the derivative of R
is its gradient, that of the gradient is :math:`R''`, that of :math:`\nabla R^*` is the metric there, and so on, in
reverse and in forward mode, to any order for which there is a formula. Only one of the modes may be a forward one.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch._functorch import eager_transforms

from implicit_bias.errors import UnsupportedError
from implicit_bias.potential.derivative_rules import derivatives

if TYPE_CHECKING:
    from implicit_bias.potential.separable import SeparablePotential

Check = Callable[[torch.Tensor, str], torch.Tensor]


def evaluate(potential: SeparablePotential, formula: str, check: Check, points: dict[str, Any]) -> torch.Tensor:
    """A formula of a potential at checked points, some of which are tensors, in double precision.

    Args:
        potential: The potential.
        formula: The name of a method that takes as many arrays of one shape, and acts on each entry.
        check: Takes a point and its name, and raises an error if it cannot be used.
        points: Real tensors or arrays by name, which broadcast with each other and with the potential.

    Returns:
        A tensor of float64 on their device, or on the CPU if that device has no float64.
    """
    device = next(p.device for p in points.values() if isinstance(p, torch.Tensor))
    device = "cpu" if device.type == "mps" else device  # Apple's graphics processors have no float64
    exact = [torch.as_tensor(p).to(device, torch.float64) for p in points.values()]
    shape = torch.broadcast_shapes(*(p.shape for p in exact), () if potential.size is None else (potential.size,))
    return _Formula.apply(potential, formula, (check, tuple(points)), *(p.expand(shape) for p in exact))


class _Formula(torch.autograd.Function):
    """A formula of a potential at points of one shape, entry by entry."""

    @staticmethod
    def forward(
        potential: SeparablePotential, formula: str, check: tuple[Check, tuple[str, ...]] | None, *points: torch.Tensor
    ) -> torch.Tensor:
        if check is not None:
            for point, name in zip(points, check[1], strict=True):
                check[0](point, name)
        with np.errstate(over="ignore", divide="ignore"):  # a backward pass calls this directly
            result = getattr(potential, formula)(*points)
        return result.clone() if any(result is point for point in points) else result

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: torch.Tensor) -> None:
        ctx.potential, ctx.formula = inputs[:2]
        ctx.save_for_backward(*inputs[_FIRST:])
        ctx.save_for_forward(*inputs[_FIRST:])

    @staticmethod
    def backward(ctx: Any, *cotangents: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        slopes = _slopes(ctx)
        wanted = ctx.needs_input_grad[_FIRST:]
        found = (_times(cotangents[0], slope()) if want else None for slope, want in zip(slopes, wanted, strict=True))
        return (*(None,) * _FIRST, *found)

    @staticmethod
    def jvp(ctx: Any, *tangents: torch.Tensor | None) -> torch.Tensor:
        # torch drops what a custom function owes to an outer forward pass, without a word. Nothing public tells of one.
        if eager_transforms.JVP_NESTING > 1:
            raise UnsupportedError(
                "torch takes the derivative of one forward pass by another one for 0 here; take torch.func.hessian, or "
                "torch.func.jacrev for one of the two."
            )
        terms = [
            _times(tangent, slope())
            for slope, tangent in zip(_slopes(ctx), tangents[_FIRST:], strict=True)
            if tangent is not None
        ]
        return terms[0] if len(terms) == 1 else torch.add(*terms)

    @staticmethod
    def vmap(info: Any, in_dims: tuple[int | None, ...], *inputs: Any) -> tuple[torch.Tensor, int]:
        """Make the batch the first axis of all points, since the formulas take any number of axes."""
        points = [
            point.unsqueeze(0) if axis is None else point.movedim(axis, 0)
            for point, axis in zip(inputs[_FIRST:], in_dims[_FIRST:], strict=True)
        ]
        shape = (info.batch_size, *points[0].shape[1:])
        return _Formula.apply(*inputs[:_FIRST], *(point.expand(shape) for point in points)), 0


_FIRST = 3  # the index of the first point among the arguments of _Formula


def _slopes(ctx: Any) -> list[Callable[[], torch.Tensor]]:
    """Functions that compute the derivative of a formula in each point."""
    rules = derivatives(ctx.formula, type(ctx.potential).__name__)

    def at(formula: str, *points: torch.Tensor) -> torch.Tensor:
        return _Formula.apply(ctx.potential, formula, None, *points)

    points = ctx.saved_tensors
    return [lambda rule=rule: rule(at, _times, *points) for rule in rules]


def _times(factor: torch.Tensor, slope: torch.Tensor) -> torch.Tensor:
    """The product; it is 0 where the factor is 0, even if the slope overflows, as nothing then depends on it."""
    largest = torch.finfo(slope.dtype).max
    return factor * torch.where(factor == 0, slope.clamp(-largest, largest), slope)
