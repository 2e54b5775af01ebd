"""Many runs as one batch, against the same runs one by one."""

from typing import ClassVar

import numpy as np
import pytest
import torch
from torch import nn

import implicit_bias as ib
from implicit_bias import training
from implicit_bias.training import iterative_population, train_population
from implicit_bias.training.methods import METHODS
from implicit_bias.training.stack import Stack
from tests.training.small_populations import (
    OPTIONS,
    SMALL,
    alone,
    assert_same,
    interrupt_after,
    lenet,
    narrow,
    resnet,
    with_norm,
)


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


@pytest.mark.cuda
@pytest.mark.parametrize("name", ["mask", "ham"])
def test_a_gpu_gives_the_same(name):
    entry = METHODS[name]
    here, there = (
        train_population(lenet, SMALL, entry, [1e-4], [0, 1], device=device, **OPTIONS) for device in ("cpu", "cuda")
    )
    np.testing.assert_allclose(there.l1_norm, here.l1_norm, rtol=1e-9)
