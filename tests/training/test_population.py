"""Many runs as one batch, against the same runs one by one."""

import copy
import functools
import threading
from typing import ClassVar

import numpy as np
import pytest
import torch
from torch import nn

import implicit_bias as ib
from implicit_bias import training
from implicit_bias.files import FolderInUseError
from implicit_bias.training import iterative_population, train_population
from implicit_bias.training.methods import METHODS
from implicit_bias.training.population import _bytes
from implicit_bias.training.stack import Stack

DIGITS = training.load("digits")
SMALL = training.ImageData(
    "small", DIGITS.train.take(torch.arange(330)), DIGITS.test.take(torch.arange(100)), classes=10, augment=True
)
OPTIONS = {"epochs": 2, "batch_size": 100, "precision": "64-true", "learning_rate": 0.05}
NUMBERS = (
    "epoch", "learning_rate", "train_loss", "train_accuracy", "test_loss", "test_accuracy", "l1_norm", "strength",
    "sparsity",
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


SHARED, PART, MADE = lenet(0), nn.Linear(64, 10), METHODS["mask"](0.1)


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


class TestOneByOne:
    @pytest.mark.parametrize("build", [lenet, narrow])
    @pytest.mark.parametrize("name", METHODS)
    def test_every_member_is_the_run_that_train_makes(self, name, build):
        """For every method, with strengths and without, order and augmentation by seed, and weights that are tied."""
        entry = METHODS[name]
        strengths = [0.0, 20 * entry.usual_strength]
        found = train_population(build, SMALL, entry, strengths, [3, 1], members_at_once=3, **OPTIONS)
        assert [(member.strength, member.seed) for member in found.members] == [
            (s, k) for s in strengths for k in (3, 1)
        ]
        for member in found.members:
            assert_same(member, alone(build, entry, member), 1e-10)

    def test_single_precision_for_fifty_steps(self):
        """Rounding alone differs, before it is amplified."""
        options = {"precision": "32-true", "batch_size": 66, "epochs": 10}
        entry = METHODS["mask"]
        found = train_population(lenet, SMALL, entry, [1e-4], [0, 1, 2], **{**OPTIONS, **options})
        for member in found.members:
            single = alone(lenet, entry, member, **options)
            for name, values in single.model.state_dict().items():
                difference = (member.result.model.state_dict()[name] - values).norm() / values.norm()
                assert difference < 1e-4

    @pytest.mark.parametrize("momentum", [0.0, 0.9])
    @pytest.mark.parametrize("schedule", ["constant", "step", lambda time: 1 - time])
    def test_momentum_and_schedules(self, momentum, schedule):
        options = {"momentum": momentum, "schedule": schedule, "epochs": 3}
        (member,) = train_population(lenet, SMALL, METHODS["pilot"], [1e-3], [5], **{**OPTIONS, **options}).members
        assert_same(member, alone(lenet, METHODS["pilot"], member, **options), 1e-10)

    def test_each_run_has_the_strength_that_pilot_gives_it(self):
        found = train_population(lenet, SMALL, METHODS["pilot"], [1e-4, 1e-2], [0], **{**OPTIONS, "epochs": 5})
        last = [member.result.history[-1].strength for member in found.members]
        first = [member.result.history[0].strength for member in found.members]
        assert first == [1e-4, 1e-2]
        assert last[0] != first[0]
        assert last[1] / first[1] != last[0] / first[0]

    def test_groups_give_the_same(self):
        few, many = (
            train_population(lenet, SMALL, METHODS["mask"], [1e-4], range(5), members_at_once=size, **OPTIONS)
            for size in (2, 5)
        )
        np.testing.assert_allclose(few.l1_norm, many.l1_norm, rtol=1e-12)

    def test_one_shot(self):
        found = train_population(lenet, SMALL, METHODS["mask"], [0.0, 1e-3], [0, 1], **OPTIONS)
        sparsities = [0.0, 0.5, 0.95]
        for row, member in zip(found.one_shot(sparsities), found.members, strict=True):
            single = alone(lenet, METHODS["mask"], member)
            np.testing.assert_array_equal(row, training.one_shot(single.model, SMALL, sparsities).accuracy)
        assert found.accuracy.shape == (4, 2)
        np.testing.assert_array_equal(found.accuracy[:, -1], found.one_shot([0.0])[:, 0])


class Peculiar(nn.Module):
    """A frozen layer, one that no output needs, one that is used twice, normalization and attention."""

    def __init__(self):
        super().__init__()
        self.embed = nn.Linear(8, 6)
        self.frozen = nn.Linear(6, 6)
        self.frozen.requires_grad_(False)
        self.unused = nn.Linear(6, 6)
        self.norm = nn.LayerNorm(6)
        self.attention = nn.MultiheadAttention(6, 2, batch_first=True)
        self.twice = torch.nn.utils.parametrizations.weight_norm(nn.Linear(6, 6, bias=False))
        self.last = nn.Linear(6, 10)

    def forward(self, images):
        hidden = self.norm(self.frozen(self.embed(images[:, 0])))
        hidden = hidden + self.attention(hidden, hidden, hidden, need_weights=False)[0]
        return self.last(self.twice(torch.tanh(self.twice(hidden))).mean(1))


def peculiar(seed):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return Peculiar()


@pytest.mark.filterwarnings("ignore:There is a performance drop")  # torch takes attention apart, run by run
@pytest.mark.parametrize("strength", [0.0, 1e-3])
@pytest.mark.parametrize("name", ["dense", "l1"])
def test_what_has_no_gradient_stays_as_it_was(name, strength):
    """Frozen and unused parameters, of which an optimizer's weight decay takes no notice either."""
    entry = METHODS[name]
    found = train_population(peculiar, SMALL, entry, [strength], [0, 1], **OPTIONS)
    for member in found.members:
        assert_same(member, alone(peculiar, entry, member), 1e-10)
        before, after = peculiar(member.seed).double().state_dict(), member.result.model.state_dict()
        assert torch.equal(after["frozen.weight"], before["frozen.weight"])
        if name == "dense":
            assert torch.equal(after["unused.weight"], before["unused.weight"])


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


class TestFailures:
    @pytest.mark.parametrize("victim", [0, 2])
    def test_nan_in_one_run_leaves_the_others_as_they_are(self, victim, monkeypatch):
        """To the last bit, also where the first run, which stands for the architecture, fails."""
        entry = METHODS["mask"]
        healthy = train_population(lenet, SMALL, entry, [1e-4], [0, 1, 2], members_at_once=3, **OPTIONS)
        gradients = Stack.gradients
        calls = []

        def poisoned(self, images, labels, strengths):
            calls.extend([1] * (len(images) == 3))
            if len(calls) == 6:  # the second of four steps of the second epoch
                self.parameters["fc1.bias"][victim, 0] = float("nan")
            return gradients(self, images, labels, strengths)

        monkeypatch.setattr(Stack, "gradients", poisoned)
        found = train_population(lenet, SMALL, entry, [1e-4], [0, 1, 2], members_at_once=3, **OPTIONS)
        for k, (member, other) in enumerate(zip(found.members, healthy.members, strict=True)):
            if k == victim:
                assert member.failure == "the loss is nan or inf at epoch 2, step 2 of 4 (step 6 in all)"
                assert member.result.status is ib.Status.NOT_FINITE
                assert len(member.result.history) == 1
                continue
            assert member.failure is None
            for name, values in other.result.model.state_dict().items():
                assert torch.equal(member.result.model.state_dict()[name], values)
        np.testing.assert_array_equal(np.isnan(found.accuracy[victim]), [False, True])
        np.testing.assert_array_equal(np.isnan(found.one_shot([0.5])[:, 0]), np.arange(3) == victim)
        assert "1 failed" in repr(found)

    def test_a_step_that_is_too_long_ends_its_run_where_train_ends(self):
        strengths = [1e-4, 1e3]
        found = train_population(lenet, SMALL, METHODS["mask"], strengths, [0], **OPTIONS)
        assert [member.failure is None for member in found.members] == [True, False]
        bad = found.members[1]
        with pytest.raises(ib.SolverError, match="epoch 1, step") as caught:
            training.train(lenet(0), SMALL, METHODS["mask"](1e3), **OPTIONS)
        assert bad.failure is not None
        assert bad.failure in str(caught.value)

    def test_all_runs_fail(self):
        found = train_population(lenet, SMALL, METHODS["mask"], [1e3], [0, 1], **{**OPTIONS, "epochs": 5})
        assert np.isnan(found.accuracy).all()


def interrupt_after(epoch):
    def interrupt(progress):
        if progress.epoch == epoch:
            raise KeyboardInterrupt

    return interrupt


class TestCheckpoints:
    def test_a_population_continues_bit_by_bit(self, tmp_path):
        case = {"build": lenet, "data": SMALL, "method": METHODS["pilot"], "strengths": [1e-3], "seeds": [0, 1]}
        options = {**OPTIONS, "epochs": 4}
        whole = train_population(**case, **options)
        steps = []

        def interrupt(progress):
            steps.append(progress)
            if progress.epoch == 3:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            train_population(**case, **options, checkpoints=tmp_path, progress=interrupt)
        assert sorted(path.name for path in tmp_path.glob("*.safetensors")) == [
            "0.001-0.safetensors", "0.001-1.safetensors"
        ]  # fmt: skip
        with pytest.raises(ib.InputError, match="holds a run already"):
            train_population(**case, **options, checkpoints=tmp_path)
        resumed = train_population(**case, **options, checkpoints=tmp_path, resume=True)
        for ours, theirs in zip(resumed.members, whole.members, strict=True):
            assert_same(ours, theirs.result, 0.0)
        again = train_population(**case, **options, checkpoints=tmp_path, resume=True)  # nothing is left to do
        np.testing.assert_array_equal(again.accuracy, whole.accuracy)

    @pytest.mark.parametrize("name", ["mask", "ham", "continuous-sparsification", "dense"])
    def test_train_and_a_population_continue_each_other(self, name, tmp_path):
        entry = METHODS[name]
        options = {**OPTIONS, "epochs": 3}
        strength = entry.usual_strength
        whole = alone(lenet, entry, training.Member(strength, 1, None, None), epochs=3)

        def stop(progress):
            if progress.epoch == 2:
                raise KeyboardInterrupt

        path = tmp_path / f"{strength!r}-1.safetensors"
        with pytest.raises(KeyboardInterrupt):
            training.train(lenet(1), SMALL, entry(strength), seed=1, checkpoint=path, progress=stop, **options)
        (member,) = train_population(
            lenet, SMALL, entry, [strength], [1], checkpoints=tmp_path, resume=True, **options
        ).members
        assert_same(member, whole, 1e-10)
        path.unlink()
        with pytest.raises(KeyboardInterrupt):
            train_population(lenet, SMALL, entry, [strength], [1], checkpoints=tmp_path, progress=stop, **options)
        resumed = training.train(lenet(1), SMALL, entry(strength), seed=1, checkpoint=path, resume=True, **options)
        assert_same(member, resumed, 1e-10)

    @pytest.mark.parametrize("name", ["continuous-sparsification", "mask"])
    def test_runs_at_different_epochs_go_on_together(self, name, tmp_path):
        """A seed that joins later, and a sigmoid whose temperature is another one in every epoch."""
        entry, options = METHODS[name], {**OPTIONS, "epochs": 3}
        strength = entry.usual_strength
        with pytest.raises(KeyboardInterrupt):
            train_population(
                lenet, SMALL, entry, [strength], [0], **options, checkpoints=tmp_path, progress=interrupt_after(2)
            )
        found = train_population(lenet, SMALL, entry, [strength], [0, 1], **options, checkpoints=tmp_path, resume=True)
        for member in found.members:
            assert_same(member, alone(lenet, entry, member, epochs=3), 1e-10)

    def test_two_populations_do_not_write_one_folder(self, tmp_path):
        told = []

        def other(progress):
            def run():
                with pytest.raises(FolderInUseError) as caught:
                    train_population(lenet, SMALL, METHODS["mask"], checkpoints=tmp_path, **OPTIONS)
                told.append(str(caught.value))

            if not told:
                thread = threading.Thread(target=run)
                thread.start()
                thread.join()

        train_population(lenet, SMALL, METHODS["mask"], checkpoints=tmp_path, progress=other, **OPTIONS)
        assert told

    def test_nothing_of_the_models_is_shared_at_the_end(self):
        found = train_population(lenet, SMALL, METHODS["mask"], [0.0], [0, 1], **OPTIONS)
        first, second = (member.result.model for member in found.members)
        before = copy.deepcopy(second.state_dict())
        with torch.no_grad():
            for parameter in first.parameters():
                parameter.zero_()
                assert parameter.untyped_storage().nbytes() == _bytes(parameter)
        assert all(torch.equal(values, before[name]) for name, values in second.state_dict().items())


class TestIterative:
    @pytest.mark.parametrize("rewind", ["weights", "learning-rate"])
    @pytest.mark.parametrize("name", ["dense", "mask"])
    def test_cycles_are_those_of_single_runs(self, name, rewind):
        entry, strengths, seeds = METHODS[name], [0.0, 1e-4], [0, 1]
        options = {**OPTIONS, "cycles": 3, "keep": 0.5, "rewind": rewind, "warm_up": 1, "epochs": 1}
        found = iterative_population(lenet, SMALL, entry, strengths, seeds, **options)
        pairs = [(strength, seed) for strength in strengths for seed in seeds]
        for (strength, seed), curve in zip(pairs, found, strict=True):
            single = training.iterative(lenet(seed), SMALL, lambda s=strength: entry(s), seed=seed, **options)
            assert curve is not None
            np.testing.assert_array_equal(curve.sparsity, single.sparsity)
            np.testing.assert_array_equal(curve.accuracy, single.accuracy)

    def test_a_run_that_fails_has_no_curve(self):
        counted = []
        found = iterative_population(
            lenet, SMALL, METHODS["mask"], [1e-4, 1e3], [0], **OPTIONS, cycles=2, progress=counted.append
        )
        assert found[0] is not None
        assert found[1] is None
        assert counted == [1, 2]


class TestStarts:
    STARTS: ClassVar = {
        "mask": [{}, {"beta": 0.1}, {"beta": 3.0}],
        "l1-mask": [{"beta": 0.0}, {"beta": 2.0}],
        "pilot": [{"beta": 0.1, "delta": 1.5}, {"beta": 1.0, "delta": 1.05}],
        "continuous-sparsification": [{"start": 0.0}, {"start": 0.5, "final_temperature": 20.0}],
        "str": [{"start": -10.0}, {"start": -4.0}],
        "ham": [{"growth": 1.0}, {"growth": 5.0}],
    }

    @pytest.mark.parametrize("name", STARTS)
    def test_every_member_is_the_run_that_train_makes(self, name):
        """Scales of masks, first thresholds and gates, and what a method adapts by itself, all in one batch."""
        entry, starts = METHODS[name], self.STARTS[name]
        strengths, options = [entry.usual_strength], {"members_at_once": 4, **OPTIONS}
        found = train_population(lenet, SMALL, entry, strengths, [3, 1], starts, **options)
        assert [(member.start, member.seed) for member in found.members] == [(s, k) for s in starts for k in (3, 1)]
        for member in found.members:
            numbers = member.start
            assert_same(member, alone(lenet, lambda s, n=numbers: entry(s, **n), member), 1e-10)
        assert found.members[0].result.history[-1].l1_norm != found.members[2].result.history[-1].l1_norm

    def test_checkpoints_tell_them_apart(self, tmp_path):
        starts, case = [{"beta": 0.5}, {"beta": 2}], (lenet, SMALL, METHODS["mask"], [1e-4], [0])
        whole = train_population(*case, starts, **OPTIONS)
        with pytest.raises(KeyboardInterrupt):
            train_population(*case, starts, checkpoints=tmp_path, progress=interrupt_after(2), **OPTIONS)
        names = sorted(path.name for path in tmp_path.glob("*.safetensors"))
        assert names == ["0.0001-0-beta=0.5.safetensors", "0.0001-0-beta=2.0.safetensors"]
        resumed = train_population(*case, starts, checkpoints=tmp_path, resume=True, **OPTIONS)
        for ours, theirs in zip(resumed.members, whole.members, strict=True):
            assert_same(ours, theirs.result, 0.0)

    def test_cycles(self):
        options, starts = {**OPTIONS, "cycles": 2, "epochs": 1}, [{"beta": 0.2}, {"beta": 1.0}]
        found = iterative_population(lenet, SMALL, METHODS["mask"], [1e-4], [0], starts, **options)
        for start, curve in zip(starts, found, strict=True):
            single = training.iterative(lenet(0), SMALL, lambda s=start: METHODS["mask"](1e-4, **s), **options)
            np.testing.assert_array_equal(curve.accuracy, single.accuracy)

    @pytest.mark.parametrize(
        ("method", "starts", "message"),
        [
            ("mask", [], "starts: expected one or more different"),
            ("mask", [{"beta": 1}, {"beta": 1.0}], "starts: expected one or more different"),
            ("mask", {"beta": 1.0}, "starts: expected a list"),
            ("mask", [0.1], "starts: expected mappings of names to numbers"),
            ("mask", [{"beta": "large"}], "starts: beta"),
            ("mask", [{"beta": float("nan")}], "starts: beta"),
            ("mask", [{"beta": -1.0}], "beta: expected a non-negative number"),
            ("mask", [{"gamma": 1.0}], "starts: the method cannot be made with gamma"),
            ("dense", [{"beta": 1.0}], "starts: the method cannot be made with beta"),
            (
                "powerpropagation",
                [{"power": 2.0}, {"power": 3.0}],
                "starts: the network of seed 0 and start .*computes",
            ),
        ],
    )
    def test_bad_starts(self, method, starts, message):
        with pytest.raises(ib.InputError, match=message):
            train_population(lenet, SMALL, METHODS[method], [0.0], [0], starts, **OPTIONS)


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


class TestRunningStatistics:
    @pytest.mark.parametrize(("build", "epochs"), [(with_norm, 3), (resnet, 1)])
    @pytest.mark.parametrize("name", ["mask", "l1"])
    def test_every_member_has_its_own(self, build, epochs, name):
        """Means, variances and counts of batches are those of each run alone, and so is all that depends on them."""
        entry, options = METHODS[name], {**OPTIONS, "epochs": epochs}
        found = train_population(build, SMALL, entry, [0.0, 1e-3], [2, 7], members_at_once=3, **options)
        for member in found.members:
            assert_same(member, alone(build, entry, member, epochs=epochs), 1e-9)

    def test_checkpoints_hold_them(self, tmp_path):
        whole = train_population(with_norm, SMALL, METHODS["mask"], [1e-3], [0, 1], **OPTIONS)
        options = {**OPTIONS, "epochs": 1, "schedule": "constant"}
        train_population(with_norm, SMALL, METHODS["mask"], [1e-3], [0, 1], checkpoints=tmp_path, **options)
        again = train_population(
            with_norm, SMALL, METHODS["mask"], [1e-3], [0, 1], checkpoints=tmp_path, resume=True,
            **{**OPTIONS, "schedule": "constant"},
        )  # fmt: skip
        straight = train_population(
            with_norm, SMALL, METHODS["mask"], [1e-3], [0, 1], **{**OPTIONS, "schedule": "constant"}
        )
        for member, other in zip(again.members, straight.members, strict=True):
            assert_same(member, other.result, 0)
        assert any(
            not torch.equal(whole.members[0].result.model.state_dict()[name], values)
            for name, values in straight.members[0].result.model.state_dict().items()
        )

    def test_nan_in_one_run_leaves_the_statistics_of_the_others(self):
        def broken(seed):
            model = with_norm(seed)
            if seed == 1:
                model[1].bias.data[0] = float("nan")
            return model

        healthy = train_population(with_norm, SMALL, METHODS["mask"], [1e-3], [0, 1, 2], **OPTIONS)
        found = train_population(broken, SMALL, METHODS["mask"], [1e-3], [0, 1, 2], **OPTIONS)
        assert [member.failure is None for member in found.members] == [True, False, True]
        for k in (0, 2):
            assert_same(found.members[k], healthy.members[k].result, 0)


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


@pytest.mark.cuda
@pytest.mark.parametrize("name", ["mask", "ham"])
def test_a_gpu_gives_the_same(name):
    entry = METHODS[name]
    here, there = (
        train_population(lenet, SMALL, entry, [1e-4], [0, 1], device=device, **OPTIONS) for device in ("cpu", "cuda")
    )
    np.testing.assert_allclose(there.l1_norm, here.l1_norm, rtol=1e-9)
