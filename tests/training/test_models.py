"""Models have the sizes and the initial weights of their sources."""

import pytest
import torch
from small_runs import images
from torch import nn

from implicit_bias.errors import InputError
from implicit_bias.training import MODELS, build


@pytest.mark.parametrize(
    ("name", "shape", "parameters"),
    [
        ("lenet", (1, 28, 28), 266_610),  # 785·300 + 301·100 + 101·10
        ("convnet", (1, 28, 28), 105_866),  # 160 + 4,640 + 1,569·64 + 650
        ("resnet20", (3, 32, 32), 269_722),  # the 0.27 million of its source, with weights and biases of the norms
        ("resnet18", (3, 32, 32), 11_173_962),
    ],
)
def test_sizes(name, shape, parameters):
    data = images(n=20, shape=shape, classes=10)
    model = build(name, data)
    assert sum(p.numel() for p in model.parameters()) == parameters
    assert model(torch.rand(2, *shape)).shape == (2, 10)


@pytest.mark.parametrize("name", MODELS)
def test_seeds_decide_the_weights_and_nothing_else(name):
    data = images(shape=(3, 8, 8))
    state = torch.get_rng_state()
    one, same, other = build(name, data), build(name, data), build(name, data, seed=1)
    assert torch.equal(torch.get_rng_state(), state)
    for first, second, third in zip(one.parameters(), same.parameters(), other.parameters(), strict=True):
        assert torch.equal(first, second)
        assert first.ndim == 1 or not torch.equal(first, third)


def test_weights_have_the_variance_of_their_fan_in():
    model = build("resnet18", images(shape=(3, 8, 8)))
    convolutions = [module for module in model.modules() if isinstance(module, nn.Conv2d)]
    assert convolutions
    for module in convolutions:
        fan_in = module.weight[0].numel()
        assert float(module.weight.detach().var()) == pytest.approx(2 / fan_in, rel=0.1)


def test_unknown_and_too_small():
    with pytest.raises(InputError, match="known: lenet, convnet"):
        build("transformer", images())
    with pytest.raises(InputError, match="at least 4"):
        build("convnet", images(shape=(1, 3, 3)))
