"""Small populations, and the same runs one by one."""

import pytest
import torch
from torch import nn

from implicit_bias import training

DIGITS = training.load("digits")
SMALL = training.ImageData(
    "small", DIGITS.train.take(torch.arange(330)), DIGITS.test.take(torch.arange(100)), classes=10, augment=True
)
OPTIONS = {"epochs": 2, "batch_size": 100, "precision": "64-true", "learning_rate": 0.05}
NUMBERS = (
    "epoch", "learning_rate", "train_loss", "train_accuracy", "test_loss", "test_accuracy", "l1_norm", "strength",
    "tiny_weights",
)  # fmt: skip


class Narrow(nn.Module):
    """A convolution, two linear layers and a gain, and two names for one weight."""

    def __init__(self, width=6):
        super().__init__()
        self.conv = nn.Conv2d(1, width, 3, padding=1)
        self.first = nn.Linear(width * 16, 12)
        self.again = nn.Linear(12, 12, bias=False)
        self.twice = nn.Linear(12, 12, bias=False)
        self.twice.weight = self.again.weight
        self.gain = nn.Parameter(torch.ones(12))
        self.last = nn.Linear(12, 10)

    def forward(self, images):
        hidden = torch.relu(nn.functional.avg_pool2d(self.conv(images), 2)).flatten(1)
        hidden = torch.tanh(self.first(hidden)) * self.gain
        return self.last(torch.tanh(self.twice(torch.tanh(self.again(hidden)))))


def narrow(seed):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return Narrow()


def lenet(seed):
    return training.build("lenet", SMALL, seed)


def alone(build, method, member, **options):
    options = {**OPTIONS, **options}
    return training.train(build(member.seed), SMALL, method(member.strength), seed=member.seed, throw=False, **options)


def assert_same(member, single, tolerance):
    assert len(member.result.history) == len(single.history)
    for ours, theirs in zip(member.result.history, single.history, strict=True):
        for name in NUMBERS:
            assert getattr(ours, name) == pytest.approx(getattr(theirs, name), rel=tolerance, abs=tolerance), name
    ours, theirs = member.result.model.state_dict(), single.model.state_dict()
    assert ours.keys() == theirs.keys()
    for name, values in theirs.items():
        torch.testing.assert_close(ours[name], values, rtol=tolerance, atol=tolerance)


def interrupt_after(epoch):
    def interrupt(progress):
        if progress.epoch == epoch:
            raise KeyboardInterrupt

    return interrupt


def with_norm(seed, **options):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return nn.Sequential(
            nn.Flatten(), nn.Linear(64, 20), nn.BatchNorm1d(20, **options), nn.ReLU(), nn.Linear(20, 10)
        )


def with_cumulative_average(seed):
    return with_norm(seed, momentum=None)


def resnet(seed):
    return training.build("resnet20", SMALL, seed)
