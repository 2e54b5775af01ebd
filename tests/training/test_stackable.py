"""Which networks and methods a population trains as alone, and which it refuses."""

import functools

import pytest
import torch
from torch import nn

import implicit_bias as ib
from implicit_bias import training
from implicit_bias.training import train_population
from implicit_bias.training.methods import METHODS
from tests.training.small_populations import (
    OPTIONS,
    SMALL,
    Narrow,
    alone,
    assert_same,
    interrupt_after,
    lenet,
    with_cumulative_average,
)

SHARED, PART, MADE = lenet(0), nn.Linear(64, 10), METHODS["mask"](0.1)


class Counting(nn.Module):
    """A buffer that counts passes."""

    def __init__(self):
        super().__init__()
        self.inner = nn.Linear(64, 10)
        self.register_buffer("passes", torch.zeros(()))

    def forward(self, images):
        self.passes = self.passes + 1
        return self.inner(images.flatten(1))


class Recurrent(nn.Module):
    """A layer that torch.func.vmap does not know."""

    def __init__(self):
        super().__init__()
        self.inner, self.last = nn.LSTM(8, 12, batch_first=True), nn.Linear(12, 10)

    def forward(self, images):
        return self.last(self.inner(images[:, 0])[0][:, -1])


class Noisy(nn.Module):
    """Noise without a layer of its own."""

    def __init__(self):
        super().__init__()
        self.inner = nn.Linear(64, 10)

    def forward(self, images):
        hidden = self.inner(images.flatten(1))
        return hidden + 0.1 * torch.randn_like(hidden) if self.training else hidden


class Odd(nn.Module):
    """Two layers, with a change for each of the tests."""

    def __init__(self, change, seed):
        super().__init__()
        self.change, self.seed = change, seed
        self.first, self.last = nn.Linear(64, 12), nn.Linear(12, 10)
        if change == "some are frozen":
            self.first.requires_grad_(not seed)
        if change == "all are frozen":
            self.requires_grad_(False)
        if change == "one buffer in two places":
            self.register_buffer("shift", torch.full((12,), 0.1 * seed))
            self.first.register_buffer("shift", self.shift)
        if change == "two names":
            self.norm = nn.BatchNorm1d(12)
            self.first_again, self.norm_again = self.first, self.norm
        if change == "a buffer that no checkpoint holds":
            self.register_buffer("shift", torch.full((12,), 0.1 * seed), persistent=False)

    def forward(self, images):
        hidden = self.first(images.flatten(1))
        if self.change == "a number of its own":
            hidden = hidden * (1 + self.seed)
        if self.change == "a number of its own in tests" and not self.training:
            hidden = hidden * (1 + self.seed)
        if self.change == "a branch on images" and images.max() > 0:
            hidden = hidden * 2
        if self.change == "a branch in tests" and not self.training and images.max() > 0:
            hidden = hidden * 2
        if self.change == "two names":
            hidden = self.norm(self.first_again(images.flatten(1)) + self.norm_again(hidden))
        if "buffer" in self.change:
            hidden = hidden + self.shift
            if self.change == "one buffer in two places":
                hidden = hidden + self.first.shift
        return self.last(torch.relu(hidden))


def odd(change):
    def build(seed):
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            return Odd(change, seed)

    return build


class Stepping(training.Method):
    """A method of a user's own."""

    def __init__(self, strength=0.0, kind="hook"):
        super().__init__(strength, decay=2.0)
        self._kind = kind

    def parameter_groups(self, model):
        groups = super().parameter_groups(model)
        if self._kind == "rate":
            groups[0]["lr"] = 0.01
        if self._kind == "absent":
            groups.append({"params": [nn.Parameter(torch.zeros(1))], "weight_decay": 0.0})
        if self._kind == "left out":
            groups[1]["params"] = groups[1]["params"][1:]
        return groups

    def start(self, model, optimizer, epochs):
        if self._kind == "hook":
            optimizer.register_step_post_hook(lambda *_: model.last.weight.data.clamp_(-0.1, 0.1))

    def penalty(self, model):
        return super().penalty(model) if self._kind != "penalty" else model.last.weight.square().sum()


class TestOddModelsAndMethods:
    """Each has the numbers that train gives it, or is refused by a sentence."""

    @pytest.mark.parametrize(
        "change", ["", "one buffer in two places", "a buffer that no checkpoint holds", "two names"]
    )
    def test_equal_to_train(self, change):
        build = odd(change)
        found = train_population(build, SMALL, METHODS["mask"], [0.0, 1e-3], [0, 1, 2], members_at_once=4, **OPTIONS)
        for member in found.members:
            assert_same(member, alone(build, METHODS["mask"], member), 1e-10)
        if change == "one buffer in two places":  # torch separates it where precision changes
            options = {**OPTIONS, "precision": "32-true"}
            (member,) = train_population(build, SMALL, METHODS["mask"], [0.0], [1], **options).members
            assert member.result.model.shift is member.result.model.first.shift

    @pytest.mark.parametrize(
        ("change", "error", "message"),
        [
            ("some are frozen", ib.InputError, "networks of one architecture"),
            ("all are frozen", ib.InputError, "all parameters of Odd are frozen"),
            ("a number of its own", ib.InputError, "build: the network of seed 1 computes something else"),
            ("a number of its own in tests", ib.InputError, "build: the network of seed 1 computes something else"),
            ("a branch on images", ib.UnsupportedError, "vmap cannot compute several Odd at once"),
        ],
    )
    def test_networks_that_are_refused(self, change, error, message):
        with pytest.raises(error, match=message):
            train_population(odd(change), SMALL, METHODS["dense"], [0.0], [0, 1], **OPTIONS)

    def test_a_branch_in_tests_is_as_alone(self):
        """All runs are tested on the same images, so torch can take it."""
        build = odd("a branch in tests")
        for member in train_population(build, SMALL, METHODS["mask"], [0.0], [0, 1], **OPTIONS).members:
            assert_same(member, alone(build, METHODS["mask"], member), 1e-10)

    @pytest.mark.parametrize(
        ("kind", "message"),
        [
            ("hook", "Stepping acts on every step of its optimizer by hooks"),
            ("rate", "Stepping gives a group of parameters lr of its own"),
            ("absent", "Stepping trains parameters that are not in the model"),
            ("penalty", "the penalty of Stepping is not its strength times"),
        ],
    )
    def test_methods_that_are_refused(self, kind, message):
        with pytest.raises(ib.UnsupportedError, match=message):
            train_population(odd(""), SMALL, lambda s: Stepping(s, kind), [1e-3], [0, 1], **OPTIONS)

    def test_a_parameter_that_a_method_leaves_out_stays(self):
        method = functools.partial(Stepping, kind="left out")
        for member in train_population(odd(""), SMALL, method, [1e-3], [0, 1], **OPTIONS).members:
            assert_same(member, alone(odd(""), method, member), 1e-10)
            before = odd("")(member.seed).double()
            assert torch.equal(member.result.model.first.bias, before.first.bias)

    def test_a_batch_larger_than_the_data(self):
        options = {**OPTIONS, "batch_size": 5000}
        for member in train_population(lenet, SMALL, METHODS["pilot"], [1e-3], [0, 1], **options).members:
            assert_same(member, alone(lenet, METHODS["pilot"], member, batch_size=5000), 1e-10)

    @pytest.mark.parametrize("epoch", [3, 4, 5])
    def test_groups_of_unequal_sizes_go_on_after_an_interruption(self, epoch, tmp_path):
        """Of five runs two and two and one train at once; epochs 3 and 4 are those of the second group."""
        case, options = (lenet, SMALL, METHODS["pilot"], [1e-3], range(5)), {**OPTIONS, "members_at_once": 2}
        whole = train_population(*case, **options)
        with pytest.raises(KeyboardInterrupt):
            train_population(*case, **options, checkpoints=tmp_path, progress=interrupt_after(epoch))
        resumed = train_population(*case, **options, checkpoints=tmp_path, resume=True)
        for ours, theirs in zip(resumed.members, whole.members, strict=True):
            assert_same(ours, theirs.result, 1e-12)


def with_dropout(seed):
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 10), nn.Dropout(0.5))


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"strengths": []}, ib.InputError, "strengths: expected one or more different"),
        ({"strengths": [0.1, 0.1]}, ib.InputError, "strengths: expected one or more different"),
        ({"strengths": [-1.0]}, ib.InputError, "strengths"),
        ({"strengths": 0.1}, ib.InputError, r"strengths: expected a list, such as \[0.1\]"),
        ({"strengths": "0.1"}, ib.InputError, "strengths: expected a list"),
        ({"seeds": 3}, ib.InputError, "seeds: expected a list"),
        ({"members_at_once": 0}, ib.InputError, "members_at_once: expected at least 1"),
        ({"seeds": [0, 0]}, ib.InputError, "seeds: expected one or more different"),
        ({"seeds": [-1]}, ib.InputError, "seed"),
        ({"epochs": 0}, ib.InputError, "epochs: expected at least 1"),
        ({"batch_size": 0}, ib.InputError, "batch_size: expected at least 1"),
        ({"members_at_once": -1}, ib.InputError, "members_at_once: expected at least 1"),
        ({"precision": "bf16-mixed"}, ib.InputError, "precision: expected '32-true' or '64-true'"),
        ({"device": "mps"}, ib.InputError, "device: "),
        ({"resume": True}, ib.InputError, "name the folder"),
        ({"build": with_cumulative_average}, ib.UnsupportedError, "several Sequential at once"),
        ({"build": with_dropout}, ib.UnsupportedError, "model: draws random numbers"),
        (
            {"build": lambda seed: Counting()},
            ib.UnsupportedError,
            "passes changes in every pass in a way that torch.func.vmap loses",
        ),
        ({"build": lambda seed: Noisy()}, ib.UnsupportedError, "draws random numbers"),
        (
            {"build": lambda seed: Recurrent(), "method": METHODS["dense"]},
            ib.UnsupportedError,
            "several Recurrent at once",
        ),
        (
            {"build": lambda seed: nn.Sequential(nn.Flatten(), PART)},
            ib.InputError,
            "build: expected a new one in every call, got one, or parts of one",
        ),
        ({"build": lambda seed: SHARED}, ib.InputError, "build: expected a new one in every call"),
        (
            {"method": lambda strength: MADE},
            ib.InputError,
            "method: expected a new one in every call",
        ),
        ({"build": lambda seed: "lenet"}, ib.InputError, "model: expected a torch.nn.Module"),
        ({"build": lambda seed: Narrow(5 + seed)}, ib.InputError, "build: expected networks of one architecture"),
        (
            {"build": lambda seed: nn.Sequential(nn.Conv2d(1, 10, 8, bias=not seed), nn.Flatten())},
            ib.InputError,
            "one architecture",
        ),
        ({"method": lambda strength: "mask"}, ib.InputError, "method: expected a Method"),
        (
            {"method": lambda strength: METHODS["powerpropagation"](strength, power=2 + strength)},
            ib.InputError,
            "differ in strength alone",
        ),
    ],
)
def test_bad_input(change, error, message):
    case = {"build": lenet, "data": SMALL, "method": METHODS["mask"], "strengths": [0.0, 0.5], "seeds": [0, 1]}
    with pytest.raises(error, match=message):
        train_population(**{**case, **OPTIONS, **change})
