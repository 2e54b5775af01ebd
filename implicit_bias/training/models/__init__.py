"""Networks for images, by name."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import nn

from implicit_bias.errors import InputError, Table, did_you_mean, known_options
from implicit_bias.training.data.images import ImageData, check_data
from implicit_bias.training.models.convnet import ConvNet
from implicit_bias.training.models.lenet import LeNet
from implicit_bias.training.models.resnet import ResNet, resnet18, resnet20
from implicit_bias.validation import seed_number

MODELS: Table[Callable[[tuple[int, int, int], int], nn.Module]] = Table(
    lenet=LeNet,
    convnet=ConvNet,
    resnet20=resnet20,
    resnet18=resnet18,
)

__all__ = ["MODELS", "ConvNet", "LeNet", "ResNet", "build", "resnet18", "resnet20"]


@known_options
def build(name: str, data: ImageData, seed: int = 0) -> nn.Module:
    r"""A new network for a data set, with weights of variance 2 / fan-in (K. He et al., 2015) and biases 0.

    Args:
        name: A key of :data:`MODELS`.
        data: The data set, for the shape of images and the number of classes.
        seed: The seed of the initial weights; PyTorch's global generator stays as it is.

    Raises:
        InputError: If there is no such model, or the images are too small for it, or the seed is none.
    """
    if name not in MODELS:
        raise InputError(f"model: no model is called {name!r}{did_you_mean(name, MODELS)}; known: {', '.join(MODELS)}.")
    check_data(data)
    generator = torch.Generator().manual_seed(seed_number(seed))
    with torch.random.fork_rng(devices=[]):
        model = MODELS[name](data.shape, data.classes)
    for module in model.modules():
        if isinstance(module, nn.Linear | nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, nonlinearity="relu", generator=generator)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
    return model
