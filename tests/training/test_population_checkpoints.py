"""Populations that are interrupted and go on."""

import copy
import threading

import numpy as np
import pytest
import torch

import implicit_bias as ib
from implicit_bias import training
from implicit_bias.files import FolderInUseError
from implicit_bias.training import train_population
from implicit_bias.training.methods import METHODS
from implicit_bias.training.population import _bytes
from tests.training.small_populations import (
    OPTIONS,
    SMALL,
    alone,
    assert_same,
    interrupt_after,
    lenet,
)


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
