"""One-shot pruning: strengths are chosen on held-out images, and only measured numbers decide and are reported."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.stats import t, ttest_1samp

from experiments.engine import Store, Sweep
from experiments.mask_in_the_mirror import figure2, pruning
from implicit_bias import Outcome
from implicit_bias.training import write_stand_in

SPARSITIES = np.array([0.0, 0.95, 0.98, 0.99])
LENET = figure2.tuned(pruning.LENET, {"dense": [0.0, 1e-2], "mask": [1e-2, 1e-1]}, epochs=1, share=0.1)
TINY = replace(
    figure2.QUICK, networks=[LENET], sparsities=[0.0, 0.9], tuning_sparsities=[0.9], decay_strengths=[0.0, 1e-2]
)


def measured(reference=0.95, **accuracy):
    """Data with the given mean accuracies at all sparsities, over three seeds, and that of the unpruned net."""
    means = np.array([*accuracy.values(), reference], dtype=float)
    # All methods share the luck of a seed; each has a tenth as much of its own.
    luck = np.array([-0.01, 0.0, 0.01])[None, :] + np.random.default_rng(0).normal(0, 1e-3, (len(means), 3))
    found = (means[:, None] + luck - luck.mean(axis=1, keepdims=True))[..., None] + np.zeros(len(SPARSITIES))
    means, found, reference_accuracy = means[:-1], found[:-1], found[-1:, :, 0]
    return {
        "network": np.array(["lenet"]),
        "title": np.array(["LeNet-300-100"]),
        "curve": np.array(list(accuracy)),
        "strengths": np.tile([1e-4, 1e-3, 1e-2], (1, len(means), 1)),
        "tuning_sparsity": SPARSITIES[1:],
        "validation_accuracy": np.tile(means[:, None, None], (1, 1, 3, len(SPARSITIES) - 1)),
        "chosen_strength": np.full((1, len(means)), 1e-3),
        "sparsity": SPARSITIES,
        "accuracy": found[None],
        "reference_accuracy": reference_accuracy,
        "decay_strength": np.array([0.0, 1e-2]),
        "decay_accuracy": np.full((2, len(SPARSITIES)), 0.9),
        "scale": np.array([0.5, 0.1]),
        "flow_scale": np.array([0.5, 0.12]),
        "decay_scale": np.array([0.5, 0.11]),
    }


def outcomes(data):
    return {claim.id.removeprefix("figure2/"): claim.verdict().outcome for claim in figure2.observations(data)}


def test_intervals_are_students():
    sample = np.random.default_rng(0).normal(size=(1, 5, 1))
    mean, half = pruning.mean_and_interval(sample)
    low, high = t.interval(0.95, 4, loc=sample.mean(), scale=sample.std(ddof=1) / np.sqrt(5))
    assert [mean.item() - half.item(), mean.item() + half.item()] == pytest.approx([low, high])


def test_differences_are_paired_by_seed():
    one, other = np.random.default_rng(0).uniform(0.5, 1, (2, 4))
    low, high = ttest_1samp(100 * (one - other), 0).confidence_interval(1 - 0.05 / 3)
    gap, half = pruning.paired_difference(one, other, 3)
    assert [gap - half, gap + half] == pytest.approx([low, high])


def test_runs_without_an_accuracy_decide_nothing():
    """A run that left the floating-point range says something about its learning rate alone."""
    data = measured(dense=0.5, spred=0.9, mask=0.945, pilot=0.945)
    data["accuracy"][0, 0, 1] = data["reference_accuracy"][0, 1] = np.nan  # dense
    found = outcomes(data)
    assert found["lenet/mask-ahead-of-dense"] is found["lenet/near-dense"] is Outcome.INCONCLUSIVE
    assert found["lenet/mask-ahead-of-spred"] is Outcome.SUPPORTED
    assert figure2.table(data).count("diverged") == len(SPARSITIES) + 1


def test_a_lead_needs_to_clear_the_interval_of_the_difference():
    leading = outcomes(measured(dense=0.5, l1=0.944, spred=0.9, mask=0.945, pilot=0.945))
    assert leading == {
        "lenet/mask-ahead-of-dense": Outcome.SUPPORTED,
        "lenet/mask-ahead-of-l1": Outcome.INCONCLUSIVE,
        "lenet/mask-ahead-of-spred": Outcome.SUPPORTED,
        "lenet/pilot-ahead-of-spred": Outcome.SUPPORTED,
        "lenet/pilot-ahead-of-mask": Outcome.INCONCLUSIVE,
        "lenet/near-dense": Outcome.SUPPORTED,
        "scale": Outcome.SUPPORTED,
    }
    behind = outcomes(measured(reference=0.97, dense=0.5, l1=0.97, spred=0.5, mask=0.9, pilot=0.8))
    assert behind["lenet/mask-ahead-of-l1"] is behind["lenet/near-dense"] is Outcome.REFUTED
    assert behind["lenet/pilot-ahead-of-mask"] is Outcome.REFUTED
    assert behind["lenet/mask-ahead-of-spred"] is Outcome.SUPPORTED


def test_networks_that_all_guess_lead_nobody():
    data = measured(dense=0.5, spred=0.9, mask=0.945, pilot=0.945)
    data["accuracy"][:, :, :, -1] = 0.1
    found = outcomes(data)
    assert found["lenet/mask-ahead-of-dense"] is found["lenet/pilot-ahead-of-spred"] is Outcome.INCONCLUSIVE


def test_the_cost_of_pruning_is_not_told_by_a_net_made_ready_for_it():
    """The decay of that net was chosen for accuracy after pruning, and costs accuracy before it."""
    assert outcomes(measured(reference=0.97, dense=0.92, mask=0.92, pilot=0.92))["lenet/near-dense"] is Outcome.REFUTED


def test_a_scale_that_does_not_decay_is_noticed():
    data = measured(dense=0.9, mask=0.9, pilot=0.9)
    data["scale"][1] = 0.5
    assert outcomes(data)["scale"] is not Outcome.SUPPORTED


def test_the_table_holds_every_number():
    data = measured(dense=0.5, mask=0.945, pilot=0.9)
    page = figure2.table(data)
    assert page.count("94.5 ± 2.") == len(SPARSITIES)
    assert page.count("| 0.001 |") == 3
    assert page.count("| 0.0001, 0.001, 0.01 |") == 3
    data["chosen_strength"][0, 1] = 1e-2
    assert figure2.table(data).count("| 0.01* |") == 1


class Recorder:
    """A sweep whose networks do best with the second strength on held-out images and with the first on test images."""

    def __init__(self):
        self.tasks = []

    def __call__(self, function, grid, text):
        self.tasks += grid
        return [self.result(task) for task in grid]

    def result(self, task):
        is_tuning = task["held_out"] is not None
        value = task["strength"] if is_tuning else 1 - task["strength"]
        return {
            "accuracy": np.full(len(task["sparsities"]), value),
            **{name: np.array(0.5) for name in ("scale", "flow_scale", "decay_scale")},
        }


def test_strengths_are_chosen_on_held_out_images():
    recorder = Recorder()
    data = figure2.compute(TINY, recorder)
    np.testing.assert_array_equal(data["chosen_strength"], [[1e-2, 1e-1]])
    np.testing.assert_allclose(data["accuracy"][0, 1], 0.9)
    tuning = [task for task in recorder.tasks if task["held_out"] is not None]
    assert {task["seed"] for task in tuning} == {0}
    assert len(tuning) == 4


def test_a_method_without_a_choice_is_not_tuned():
    network = replace(LENET, strengths={pruning.UNREGULARIZED: [0.0], "mask": [1e-2, 1e-1]})
    recorder = Recorder()
    data = figure2.compute(replace(TINY, networks=[network]), recorder)
    assert data["chosen_strength"][0, 0] == 0
    assert np.isnan(data["validation_accuracy"][0, 0]).all()
    assert not [task for task in recorder.tasks if task["held_out"] and task["curve"] == pruning.UNREGULARIZED]


@pytest.mark.parametrize("pooling", [1, 2])
def test_held_out_images_are_training_images(pooling):
    whole = pruning.images("mnist", 1.0, pooling, None, None)
    split = pruning.images("mnist", 1.0, pooling, None, 0.2)
    assert len(split.train) + len(split.test) == len(whole.train)
    held_out = {image.tobytes() for image in split.test.pixels.numpy()}
    assert held_out <= {image.tobytes() for image in whole.train.pixels.numpy()}
    assert torch.equal(split.train.labels.bincount() + split.test.labels.bincount(), whole.train.labels.bincount())


def test_smaller_images_are_means_of_squares_and_fewer_images_of_every_class():
    whole, small = (pruning.images("mnist", 1.0, pooling, None, None) for pooling in (1, 2))
    by_hand = whole.test.pixels[:5].double().reshape(5, 1, 14, 2, 14, 2).mean((3, 5))
    assert (by_hand - small.test.pixels[:5].double()).abs().max() <= 0.5
    fewer = pruning.images("mnist", 0.25, 1, None, None)
    assert fewer.train.labels.bincount().tolist() == (whole.train.labels.bincount() // 4).tolist()
    assert torch.equal(fewer.test.pixels, whole.test.pixels)


def test_runs_repeat_to_the_byte_and_draw(tmp_path):
    first = figure2.compute(TINY, Sweep(Store(tmp_path / "one")))
    again = figure2.compute(TINY, Sweep(Store(tmp_path / "two")))
    assert all(first[name].tobytes() == again[name].tobytes() for name in first)
    # A fifteenth of a full run still learns, and the scale after decay is that of the optimizer's steps.
    assert first["accuracy"][0, 0, :, 0].min() > 0.2
    np.testing.assert_allclose(first["scale"], first["decay_scale"], rtol=0.05)
    np.testing.assert_allclose(first["flow_scale"][0], 0.5)
    assert len(figure2.draw(first).axes) == 4


def test_predictions_of_the_scale_are_the_closed_form_for_small_steps():
    """With small steps, of which few belong to the start of momentum, both predictions are ½ exp(−4A)."""
    from types import SimpleNamespace

    result = SimpleNamespace(history=[SimpleNamespace(strength=0.1, learning_rate=1e-5)] * 2)
    flow, decay = pruning.predicted_scales(result, 5000)
    assert flow == pytest.approx(0.5 * np.exp(-4 * 0.1 * 1.0))
    assert decay == pytest.approx(flow, rel=1e-3)


@pytest.mark.parametrize(("name", "network"), [("cifar10", pruning.RESNET20), ("cifar100", pruning.RESNET18)])
def test_cifar_is_the_preprints_and_runs_from_files(name, network, tmp_path):
    settings = figure2.EXPERIMENT.settings(name)
    assert {settings.data_folder, settings.device} == {None, "cpu"}
    (whole,) = settings.networks
    assert whole.data == name
    assert (whole.epochs, whole.batch_size, whole.learning_rate, whole.masked_learning_rate) == (150, 256, 0.1, 0.2)
    folder = write_stand_in(tmp_path / "files", name, records=100)
    tiny = figure2.tuned(network, {"dense": [1e-4], "mask": [1e-4]}, epochs=1, model="convnet")
    small = replace(
        settings, networks=[tiny], sparsities=[0.0, 0.9], decay_strengths=[0.0, 1e-4], data_folder=str(folder)
    )
    data = figure2.compute(small, Sweep(Store(tmp_path / "store")))
    assert data["accuracy"].shape == (1, 2, 3, 2)


def test_every_method_has_as_many_strengths_to_choose_from():
    for network in (*figure2.SETTINGS.networks, *figure2.FULL.networks):
        assert set(network.strengths) == set(figure2.STRENGTHS)
        assert len({len(row) for curve, row in network.strengths.items() if curve != pruning.UNREGULARIZED}) == 1
