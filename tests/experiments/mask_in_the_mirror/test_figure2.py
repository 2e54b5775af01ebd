"""One-shot pruning: strengths are chosen on held-out images, and only measured numbers decide and are reported."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.stats import t

from experiments.engine import Store, Sweep
from experiments.mask_in_the_mirror import comparisons, figure2, pruning
from implicit_bias import Outcome
from implicit_bias.training import write_stand_in

SPARSITIES = np.array([0.0, 0.95, 0.98, 0.99])
LENET = figure2.tuned(
    pruning.LENET, {"dense": [0.0, 1e-2], "mask": [1e-2, 1e-1]}, epochs=1, share=0.1, seeds=2, together=1
)
TINY = replace(figure2.QUICK, networks=[LENET], sparsities=[0.0, 0.9], tuning_sparsities=[0.9])


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
        "seeds": np.array([3]),
        "curve": np.array(list(accuracy)),
        "strengths": np.tile([1e-4, 1e-3, 1e-2], (1, len(means), 1)),
        "tuning_sparsity": SPARSITIES[1:],
        "validation_accuracy": np.tile(means[:, None, None], (1, 1, 3, len(SPARSITIES) - 1)),
        "chosen_strength": np.full((1, len(means)), 1e-3),
        "sparsity": SPARSITIES,
        "accuracy": found[None],
        "reference_accuracy": reference_accuracy,
    }


def compared(data):
    """The data with the differences that belong to its accuracies."""
    seeds = int(data["seeds"][0])
    accuracy = dict(zip(data["curve"], data["accuracy"][0], strict=True))
    found = comparisons.one_shot_differences(accuracy, data["reference_accuracy"][0], data["sparsity"])
    assert all(len(values) >= seeds for values in found.values())
    return data | {"comparison": np.array(list(found)), "difference": np.array([list(found.values())])}


def outcomes(data):
    claims = figure2.observations(compared(data))
    return {claim.id.removeprefix("figure2/"): claim.verdict().outcome for claim in claims}


def test_intervals_are_students():
    sample = np.random.default_rng(0).normal(size=(1, 5, 1))
    mean, half = pruning.mean_and_interval(sample)
    low, high = t.interval(0.95, 4, loc=sample.mean(), scale=sample.std(ddof=1) / np.sqrt(5))
    assert [mean.item() - half.item(), mean.item() + half.item()] == pytest.approx([low, high])


def test_runs_without_an_accuracy_decide_nothing():
    """A run that left the floating-point range says something about its learning rate alone."""
    data = measured(dense=0.5, spred=0.9, mask=0.945, pilot=0.945)
    data["accuracy"][0, 0, 1] = data["reference_accuracy"][0, 1] = np.nan  # dense
    found = outcomes(data)
    assert found["lenet/mask-ahead-of-dense"] is found["lenet/near-dense"] is Outcome.INCONCLUSIVE
    assert found["lenet/mask-ahead-of-spred"] is Outcome.SUPPORTED
    # Dense's accuracies, the net that is not pruned, the mask against it, and one pair at three sparsities.
    assert figure2.table(compared(data)).count("diverged") == len(SPARSITIES) + 1 + 1 + 3


def test_a_lead_needs_to_clear_the_interval_of_the_difference():
    leading = outcomes(measured(dense=0.5, l1=0.944, spred=0.9, mask=0.945, pilot=0.945))
    assert leading == {
        "lenet/mask-ahead-of-dense": Outcome.SUPPORTED,
        "lenet/mask-equivalent-to-dense": Outcome.REFUTED,
        "lenet/mask-ahead-of-l1": Outcome.INCONCLUSIVE,
        "lenet/mask-equivalent-to-l1": Outcome.INCONCLUSIVE,
        "lenet/mask-ahead-of-spred": Outcome.SUPPORTED,
        "lenet/mask-equivalent-to-spred": Outcome.REFUTED,
        "lenet/pilot-ahead-of-spred": Outcome.SUPPORTED,
        "lenet/pilot-equivalent-to-spred": Outcome.REFUTED,
        "lenet/pilot-ahead-of-mask": Outcome.INCONCLUSIVE,
        "lenet/pilot-equivalent-to-mask": Outcome.INCONCLUSIVE,
        "lenet/near-dense": Outcome.SUPPORTED,
    }
    behind = outcomes(measured(reference=0.99, dense=0.5, l1=0.98, spred=0.5, mask=0.9, pilot=0.8))
    assert behind["lenet/mask-ahead-of-l1"] is behind["lenet/near-dense"] is Outcome.REFUTED
    assert behind["lenet/pilot-ahead-of-mask"] is Outcome.REFUTED
    assert behind["lenet/mask-ahead-of-spred"] is Outcome.SUPPORTED


def test_methods_that_differ_by_less_than_half_a_point_are_equivalent():
    data = measured(dense=0.5, l1=0.945, spred=0.9, mask=0.945, pilot=0.945)
    data["accuracy"][0, 1] = data["accuracy"][0, 3] + [[1e-4], [-1e-4], [2e-4]]
    found = outcomes(data)
    assert found["lenet/mask-equivalent-to-l1"] is Outcome.SUPPORTED
    assert found["lenet/mask-ahead-of-l1"] is Outcome.INCONCLUSIVE
    assert "| Mask − L1 on x | -0.01 ± 0.04 equivalent |" in figure2.table(compared(data))


def test_seeds_that_a_network_lacks_are_no_failures():
    data = measured(dense=0.5, spred=0.9, mask=0.945, pilot=0.945)
    expected, table = outcomes(data), figure2.table(compared(data))
    data["accuracy"] = np.pad(data["accuracy"], [(0, 0), (0, 0), (0, 2), (0, 0)], constant_values=np.nan)
    data["reference_accuracy"] = np.pad(data["reference_accuracy"], [(0, 0), (0, 2)], constant_values=np.nan)
    assert outcomes(data) == expected
    assert figure2.table(compared(data)) == table


def test_networks_that_all_guess_lead_nobody():
    data = measured(dense=0.5, spred=0.9, mask=0.945, pilot=0.945)
    data["accuracy"][:, :, :, -1] = 0.1
    found = outcomes(data)
    assert found["lenet/mask-ahead-of-dense"] is found["lenet/pilot-ahead-of-spred"] is Outcome.INCONCLUSIVE


def test_the_cost_of_pruning_is_not_told_by_a_net_made_ready_for_it():
    """The decay of that net was chosen for accuracy after pruning, and costs accuracy before it."""
    assert outcomes(measured(reference=0.99, dense=0.92, mask=0.92, pilot=0.92))["lenet/near-dense"] is Outcome.REFUTED


def test_the_table_holds_every_number():
    data = measured(dense=0.5, mask=0.945, pilot=0.9)
    page = figure2.table(compared(data))
    assert page.count("94.5 ± 2.") == len(SPARSITIES)
    assert page.count("| 0.001 |") == 3
    assert page.count("| 0.0001, 0.001, 0.01 |") == 3
    data["chosen_strength"][0, 1] = 1e-2
    assert figure2.table(compared(data)).count("| 0.01* |") == 1


class Recorder:
    """A sweep whose networks do best with one strength on held-out images and with the weakest on test images."""

    def __init__(self, held_out):
        self.tasks, self.held_out = [], held_out

    def __call__(self, function, grid, text):
        self.tasks += grid
        return [{"accuracy": self.accuracy(task)} for task in grid]

    def accuracy(self, task):
        value = self.held_out(task["strength"]) if task["held_out"] is not None else 1 - task["strength"]
        return np.full((len(task["seeds"]), len(task["sparsities"])), value)

    def tuned(self, curve):
        return sorted({task["strength"] for task in self.tasks if task["held_out"] and task["curve"] == curve})


def test_strengths_are_chosen_on_held_out_images():
    recorder = Recorder(lambda strength: strength)
    data = figure2.compute(TINY, recorder)
    np.testing.assert_array_equal(data["chosen_strength"], [[1e-2, 1e-1]])
    np.testing.assert_allclose(data["accuracy"][0, 1], 0.9)
    tuning = [task for task in recorder.tasks if task["held_out"] is not None]
    assert [task["seeds"] for task in tuning] == [[0]] * 4


@pytest.mark.parametrize(
    ("optimum", "expected"),
    [
        (3e-1, [1e-2, 1e-1, 1.0]),
        (5e1, [1e-2, 1e-1, 1.0, 1e1, 1e2, 1e3]),
        (1e-4, [0.0, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1]),
        (1e-1, [1e-2, 1e-1, 1.0]),
        (0.0, [0.0, 1e-2, 1e-1]),
    ],
)
def test_an_optimum_at_an_end_extends_the_grid(optimum, expected):
    """Until it is inside, or strength 0 is as good; accuracies are highest where strengths are the optimum."""
    recorder = Recorder(lambda strength: 1 - abs(np.log1p(1e6 * strength) - np.log1p(1e6 * optimum)) / 40)
    data = figure2.compute(replace(TINY, most_extensions=9), recorder)
    tried = recorder.tuned("mask")
    assert tried == pytest.approx(expected)
    chosen = data["chosen_strength"][0, 1]
    assert tried[0] < chosen < tried[-1] or chosen == 0


def test_strength_zero_that_is_as_good_within_its_interval_ends_the_search():
    row = {0.0: np.array([[0.90], [0.91], [0.92]]), 1e-3: np.array([[0.91], [0.91], [0.92]]), 1e-2: np.zeros((3, 1))}
    assert figure2._extension(row) == []
    row[0.0] -= 0.1
    assert figure2._extension(row) == [1e-4]
    del row[0.0]
    assert figure2._extension(row) == [0.0]
    row[1e-3][0] = np.nan
    assert figure2._best(row) == 1e-3  # a run that failed counts as the worst, the others stay


def test_a_method_without_a_choice_is_not_tuned():
    network = replace(LENET, strengths={pruning.UNREGULARIZED: [0.0], "mask": [1e-2, 1e-1]})
    recorder = Recorder(lambda strength: strength)
    data = figure2.compute(replace(TINY, networks=[network]), recorder)
    assert data["chosen_strength"][0, 0] == 0
    assert np.isnan(data["validation_accuracy"][0, 0]).all()
    assert recorder.tuned(pruning.UNREGULARIZED) == []


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
    # A fifteenth of a full run still learns.
    assert first["accuracy"][0, 0, :, 0].min() > 0.2
    assert len(figure2.draw(first).axes) == 2


def test_tasks_of_several_seeds_give_the_same_rows(tmp_path):
    alone, together = (
        figure2.compute(replace(TINY, networks=[replace(LENET, together=many)]), Sweep(Store(tmp_path / str(many))))
        for many in (1, 2)
    )
    np.testing.assert_allclose(alone["accuracy"], together["accuracy"], atol=5e-3)


def test_differences_are_points_of_accuracy_paired_by_seed():
    data = compared(measured(dense=0.5, spred=0.9, mask=0.945, pilot=0.945))
    by_hand = 100 * (data["accuracy"][0, 2, :, 2] - data["accuracy"][0, 1, :, 2])
    (k,) = np.flatnonzero(data["comparison"] == "mask minus spred at 98 %")
    np.testing.assert_allclose(data["difference"][0, k], by_hand)
    (k,) = np.flatnonzero(data["comparison"] == "allowed loss of the mask")
    lost = 100 * (data["reference_accuracy"][0] - data["accuracy"][0, 2, :, 2])
    np.testing.assert_allclose(data["difference"][0, k], 2 - lost)


def test_the_plan_has_fourteen_comparisons_of_a_network():
    """Ten pairs and a loss in figure 2, two gains and a rivalry in figure 3."""
    accuracy = {curve: np.zeros((2, len(SPARSITIES))) for curve in figure2.STRENGTHS}
    one_shot = comparisons.one_shot_differences(accuracy, np.zeros(2), SPARSITIES)
    in_turn = comparisons.iterative_differences(
        {(r, c): np.zeros(2) for r in ("imp", "lrr") for c in ("dense", "mask")}
    )
    assert len({name.partition(" at ")[0] for name in one_shot}) + len(in_turn) == 14
    assert len(one_shot) == 3 * 10 + 1


@pytest.mark.parametrize(("name", "network"), [("cifar10", pruning.RESNET20), ("cifar100", pruning.RESNET18)])
def test_cifar_is_the_preprints_and_runs_from_files(name, network, tmp_path):
    settings = figure2.EXPERIMENT.settings(name)
    assert {settings.data_folder, settings.device} == {None, "cpu"}
    (whole,) = settings.networks
    assert whole.data == name
    assert (whole.epochs, whole.batch_size, whole.learning_rate, whole.masked_learning_rate) == (150, 256, 0.1, 0.2)
    folder = write_stand_in(tmp_path / "files", name, records=100)
    tiny = figure2.tuned(network, {"dense": [1e-4], "mask": [1e-4]}, epochs=1, model="convnet")
    small = replace(settings, networks=[tiny], sparsities=[0.0, 0.9], data_folder=str(folder))
    data = figure2.compute(small, Sweep(Store(tmp_path / "store")))
    assert data["accuracy"].shape == (1, 2, 3, 2)


def test_every_method_has_as_many_strengths_to_choose_from():
    for network in (*figure2.SETTINGS.networks, *figure2.FULL.networks):
        assert set(network.strengths) == set(figure2.STRENGTHS)
        assert len({len(row) for curve, row in network.strengths.items() if curve != pruning.UNREGULARIZED}) == 1
