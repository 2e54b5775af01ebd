r"""Masks on the weights of any module, without changing the function that it computes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TypeVar

import torch
from torch import nn
from torch.nn.utils import parametrize

from implicit_bias.errors import InputError, UnsupportedError, known_options
from implicit_bias.masking.factored_weight import Factor, FactoredWeight
from implicit_bias.masking.product import Product
from implicit_bias.masking.replaced import mark_replaced
from implicit_bias.masking.weight_tensors import (
    Select,
    WeightTensor,
    masked_tensors,
    original_names,
    registered,
    selected_tensors,
    weight_tensors,
    with_own_class,
)

Module = TypeVar("Module", bound=nn.Module)


@known_options
def mask(module: Module, beta: float | Mapping[str, float] = 1.0, select: Select | None = None) -> Module:
    r"""Train x = m ⊙ w in place of the weights x of a module, from :math:`m_0 w_0 = x`, :math:`m_0^2 - w_0^2 = \beta`.

    The module is changed in place and computes the same function as before. Copies, compilation, automatic mixed
    precision and distributed training work as before, tied weights share their factors, and pruned weights stay 0.
    State dicts hold the two factors; load them without ``assign=True``, which would replace the factors by plain
    parameters.

    Make the optimizer afterwards, since the old parameters are gone: the first step of one that holds them raises an
    error. Initialize by assignment, ``layer.weight = nn.init.xavier_uniform_(torch.empty_like(layer.weight))``, which
    computes the factors anew; an initializer applied to ``layer.weight`` itself changes a product that nothing keeps.

    Args:
        module: Any module: linear, convolutional, embedding and attention weights are masked.
        beta: β >= 0, a number or one for each masked tensor, by name. The initial scale of the potential is β/2.
        select: Which tensors, as a function of name and tensor. Without it :func:`is_weight` chooses by the kind of
            module, and biases and norms stay dense.

    Returns:
        The module.

    Raises:
        InputError: If there is nothing to mask, a tensor is masked already, frozen, not of floating-point numbers or
            not finite, or β is negative or names another tensor. Nothing is changed then.
        UnsupportedError: If something else computes a tensor or one that it is tied to (``torch.nn.utils.prune``,
            weight or spectral normalization, any other parametrization), changes it in place (``max_norm``), or keeps
            references to it (a recurrent layer). The message names the tensor and what to do; nothing is changed then.

    >>> layer = nn.Linear(3, 2)
    >>> before = layer.weight.detach().clone()
    >>> m, w = mask(layer).parametrizations.weight.parameters()
    >>> bool(torch.allclose(m * w, before) and torch.allclose(m**2 - w**2, torch.ones(2, 3)))
    True
    """
    if not isinstance(beta, Mapping):
        common = Product(beta).beta
        return reparameterize(module, lambda name: Product(common), select)
    betas = {name: Product(value).beta for name, value in beta.items()}
    chosen = {tensor.name for tensor in _selected(module, select)}
    if chosen != betas.keys():
        raise InputError(
            f"beta: expected a number for each of {_listed(chosen)}; missing: {_listed(chosen - betas.keys())}, "
            f"unknown: {_listed(betas.keys() - chosen)}."
        )
    return reparameterize(module, lambda name: Product(betas[name]), select)


@known_options
def reparameterize(
    module: Module, parametrization: Callable[[str], FactoredWeight], select: Select | None = None
) -> Module:
    """Train the factors of any :class:`FactoredWeight` in place of the weights of a module, as :func:`mask` does.

    Args:
        module: Changed in place.
        parametrization: Makes a new parametrization for the tensor of the given name.
        select: As in :func:`mask`.

    Returns:
        The module.

    Raises:
        InputError: As in :func:`mask`; or if ``parametrization`` is no function that makes one, or its
            ``right_inverse`` gives no factors for the weights.
        UnsupportedError: As in :func:`mask`.

    >>> reparameterize(nn.Linear(2, 2), lambda name: Product(beta=0.0, depth=3)).parametrizations.weight[0]
    Product(m*w*p, beta=0)
    """
    if isinstance(parametrization, (type, nn.Module)) or not callable(parametrization):
        given = parametrization if isinstance(parametrization, type) else type(parametrization)
        given = given if issubclass(given, FactoredWeight) else Product
        raise InputError(
            "parametrization: expected a function that makes one for the tensor of a name, such as "
            f"lambda name: {given.__name__}(…), got {parametrization!r}."
        )
    chosen = _selected(module, select)
    made = [parametrization(tensor.name) for tensor in chosen]
    for new in made:
        if not isinstance(new, FactoredWeight):
            raise InputError(f"parametrization: expected a function that makes a FactoredWeight, got {new!r} from it.")
    if len({id(new) for new in made}) < len(made):
        raise InputError(
            "parametrization: expected a new one for every tensor, got one for several; make it in the function."
        )
    for tensor, new in zip(chosen, made, strict=True):
        _check_start(tensor, new)
    for tensor, new in zip(chosen, made, strict=True):
        pruning = tensor.pruning
        replaced = tensor.trained
        if pruning is not None:
            _make_dense(tensor)
        factors: list[Factor] | None = None
        for holder, attribute in tensor.holders:
            parametrize.register_parametrization(with_own_class(holder), attribute, new)
            held = registered(holder, attribute)
            keys = original_names(held)
            if factors is None:
                originals = [getattr(held, key).detach() for key in keys]
                factors = [Factor(data, new, letter) for data, letter in zip(originals, new.names, strict=True)]
            for key, factor in zip(keys, factors, strict=True):
                setattr(held, key, factor)
            if pruning is not None:
                parametrize.register_parametrization(holder, attribute, pruning)
                new.pruning = (pruning,)
        for parameter in replaced:
            mark_replaced(parameter, tensor.name)
    return module


def unmask(module: Module) -> Module:
    """Leave the effective weights x as plain, dense parameters; the module computes the same function.

    Pruned weights become plain zeros, which may be trained again, in dense tensors as in masked ones.

    Args:
        module: Changed in place. Make the optimizer afterwards.

    Returns:
        The module.

    Raises:
        InputError: If nothing is masked or pruned.
    """
    changed = [tensor for tensor in weight_tensors(module) if tensor.mask is not None or tensor.pruning is not None]
    if not changed:
        raise InputError("module: nothing in it is masked or pruned, so there is nothing to unmask.")
    for tensor in changed:
        _make_dense(tensor)
    return module


def effective_weights(module: nn.Module) -> dict[str, torch.Tensor]:
    """The effective weights x of all masked tensors by their names in the dense model; empty for a dense model.

    They are attached to the graph of the factors, so torch can differentiate a penalty on x.
    """
    return {tensor.name: tensor.value for tensor in masked_tensors(module)}


def factors(module: nn.Module) -> dict[str, dict[str, torch.Tensor]]:
    """The trained factors of all masked tensors: by the tensor's name, then by letter.

    >>> sorted(factors(mask(nn.Linear(2, 2)))["weight"])
    ['m', 'w']
    """
    return {tensor.name: tensor.factors for tensor in masked_tensors(module)}


def _make_dense(tensor: WeightTensor) -> None:
    """Take every parametrization off, and leave x as one plain parameter of all holders."""
    for parameter in tensor.trained:
        mark_replaced(parameter, tensor.name)
    dense: nn.Parameter | None = None
    for holder, attribute in tensor.holders:
        parametrize.remove_parametrizations(with_own_class(holder), attribute)
        if dense is None:
            dense = nn.Parameter(getattr(holder, attribute).detach())
        setattr(holder, attribute, dense)


def _selected(module: nn.Module, select: Select | None) -> list[WeightTensor]:
    """The tensors to parametrize, after every check, so that nothing after it can fail halfway."""
    chosen = selected_tensors(module, select)
    tensors = weight_tensors(module)
    if not chosen:
        raise InputError(
            f"module: no weight in {type(module).__name__} to mask; expected the weight of a linear, convolutional, "
            "embedding or attention layer, one with two axes or more called weight, or a select(name, tensor) that "
            f"accepts one of {_listed(tensor.name for tensor in tensors)}."
        )
    for tensor in chosen:
        _check(tensor)
        below = set(map(id, tensor.trained))
        for other in tensors:
            if other.name != tensor.name and not below.isdisjoint(map(id, other.trained)):
                form = (
                    other.other[0] if other.other else "implicit_bias.masking" if other.parametrizations else "nothing"
                )
                raise UnsupportedError(
                    f"{tensor.name}: shares its parameter with {other.name}, on which {form} acts, so a mask would "
                    f"separate them; give both the same form, or {_LEAVE_OUT}"
                )
    return chosen


_LEAVE_OUT = "leave it out: select=lambda name, tensor: …"


def _check(tensor: WeightTensor) -> None:
    name, other = tensor.name, tensor.other
    if other is not None:
        raise UnsupportedError(f"{name}: is computed by {other[0]}; remove that first, {other[1]}, or {_LEAVE_OUT}")
    if tensor.mask is not None:
        raise InputError(f"{name}: is masked already; unmask the module first, or {_LEAVE_OUT}")
    if any(isinstance(holder, nn.RNNBase) for holder, _ in tensor.holders):
        raise UnsupportedError(
            f"{name}: a recurrent layer keeps references to its weights; build it from cells, or {_LEAVE_OUT}"
        )
    if any(getattr(holder, "max_norm", None) is not None for holder, _ in tensor.holders):
        raise UnsupportedError(
            f"{name}: max_norm shrinks rows in place, which would not reach the factors; set it to None, or "
            f"{_LEAVE_OUT}"
        )
    value = tensor.value
    if not value.is_floating_point():
        raise InputError(f"{name}: expected floating-point weights, got {value.dtype}; convert it, or {_LEAVE_OUT}")
    if not value.requires_grad:
        raise InputError(f"{name}: is frozen (requires_grad=False); unfreeze it, or {_LEAVE_OUT}")
    if not bool(torch.isfinite(value).all()):
        raise InputError(f"{name}: holds nan or inf; initialize it again, or {_LEAVE_OUT}")


def _check_start(tensor: WeightTensor, new: FactoredWeight) -> None:
    """Raise ``InputError`` unless the factors give x back in its precision; with an extreme β or x they leave it."""
    x = tensor.value.detach()
    found = new.right_inverse(x)
    starts = found if isinstance(found, tuple) else (found,)
    if len(starts) != len(new.names):
        raise InputError(
            f"{tensor.name}: right_inverse of {type(new).__name__} gives {_counted(len(starts), 'tensor')} for "
            f"{_counted(len(new.names), 'name')} ({', '.join(new.names)}); return one for each name."
        )
    back = new(*starts)
    eps = torch.finfo(x.dtype).eps
    # A few roundings, of roots and products, and of a power p, which multiplies the rounding of a factor by p.
    bad = torch.nonzero(~((back - x).abs() <= 32 * eps * x.abs() + 4 * eps * x.abs().max()))
    if len(bad):
        where = tuple(bad[0].tolist())
        raise InputError(
            f"{tensor.name}: {new} cannot start at the weight {float(x[where]):g} at {where} in {x.dtype}, where its "
            f"factors give {float(back[where]):g}; take more moderate numbers for it{_FINER.get(x.dtype, '')}, and "
            "check that its right_inverse undoes its forward."
        )


# The next precision, where there is one.
_FINER = {torch.float16: " or float32", torch.bfloat16: " or float32", torch.float32: " or float64"}


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def _listed(names: Iterable[str]) -> str:
    return ", ".join(sorted(names)) or "none"
