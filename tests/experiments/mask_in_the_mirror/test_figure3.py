"""Iterative pruning: gains are paired by seed, judging can fail, and runs repeat."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import ttest_1samp

from experiments.engine import Store, Sweep
from experiments.mask_in_the_mirror import figure3, pruning
from implicit_bias import Outcome
from implicit_bias.training import write_stand_in

LENET = replace(pruning.LENET, epochs=1, share=0.1, seeds=2)
TINY = replace(figure3.QUICK, networks=[LENET], cycles=3)


def measured(dense, mask, spread=1e-3):
    """Data with the given accuracies in all cycles; all methods share the luck of a seed."""
    luck = np.array([-0.02, 0.0, 0.02])
    own = spread * np.array([[-1, 2, -1], [1, 0, -1]])
    found = np.array([dense, mask])[:, None] + luck + own
    return {
        "network": np.array(["lenet"]),
        "title": np.array(["LeNet-300-100, 1 epoch"]),
        "seeds": np.array([3]),
        "rewind": np.array(["weights", "learning-rate"]),
        "curve": np.array(["dense", "mask"]),
        "strength": np.array([0.0, 1e-3]),
        "sparsity": 1 - pruning.KEPT_SHARE ** np.arange(26),
        "accuracy": np.broadcast_to(found[None, None, ..., None], (1, 2, 2, 3, 26)).copy(),
    }


def compared(data):
    """The data with the differences that belong to its accuracies."""
    found = figure3._differences(data["accuracy"][0], data["sparsity"], list(data["curve"]))
    return data | {"comparison": np.array(list(found)), "difference": np.array([list(found.values())])}


def outcomes(data):
    claims = figure3.observations(compared(data))
    return {claim.id.removeprefix("figure3/lenet/"): claim.verdict().outcome for claim in claims}


def test_a_gain_needs_to_clear_its_interval():
    def gained(data):
        found = outcomes(data)
        return {found["mask-improves-imp"], found["mask-improves-lrr"]}

    assert gained(measured(0.8, 0.9)) == {Outcome.SUPPORTED}
    assert gained(measured(0.9, 0.8)) == {Outcome.REFUTED}
    assert gained(measured(0.9, 0.901)) == {Outcome.INCONCLUSIVE}
    tied = measured(0.9, 0.9)
    tied["accuracy"][:, :, 1] = tied["accuracy"][:, :, 0]
    assert gained(tied) == {Outcome.INCONCLUSIVE}


def test_a_mask_that_changes_little_is_equivalent():
    found = outcomes(measured(0.9, 0.901, spread=1e-4))
    assert found["mask-equivalent-in-imp"] is found["mask-equivalent-in-lrr"] is Outcome.SUPPORTED
    assert outcomes(measured(0.8, 0.9))["mask-equivalent-in-imp"] is Outcome.REFUTED


def test_imp_competes_if_it_is_half_a_point_behind_at_most():
    name = "imp-with-the-mask-competes-with-lrr"
    assert outcomes(measured(0.9, 0.899, spread=1e-4))[name] is Outcome.SUPPORTED
    assert outcomes(measured(0.9, 0.8))[name] is Outcome.REFUTED


def test_gains_are_asked_of_high_sparsities_and_of_each_rewinding():
    data = measured(0.8, 0.9)
    data["accuracy"][0, 1, 1, :, data["sparsity"] >= 0.9] -= 0.2
    found = outcomes(data)
    assert (found["mask-improves-imp"], found["mask-improves-lrr"]) == (Outcome.SUPPORTED, Outcome.REFUTED)


def test_gains_are_paired_by_seed():
    data = measured(0.8, 0.9)
    low, high = ttest_1samp(100 * figure3.gains(data, 0)[0, :, 0], 0).confidence_interval(0.95)
    claim = figure3.observations(compared(data))[0]
    assert f"{(low + high) / 2:+.3g} ± {(high - low) / 2:.2g}" in claim.verdict().evidence


def test_the_table_holds_every_number():
    page = figure3.table(compared(measured(0.8, 0.9)))
    assert page.count("80.0 ± ") == page.count("90.0 ± ") == page.count("10.0 ± ") == 2 * 7


def test_runs_repeat_to_the_byte_and_draw(tmp_path):
    first = figure3.compute(TINY, Sweep(Store(tmp_path / "one")))
    again = figure3.compute(TINY, Sweep(Store(tmp_path / "two")))
    assert all(first[name].tobytes() == again[name].tobytes() for name in first)
    np.testing.assert_allclose(first["sparsity"], [0, 0.2, 0.36])
    # Before anything is pruned both rewindings train the same network.
    np.testing.assert_array_equal(first["accuracy"][:, 0, ..., 0], first["accuracy"][:, 1, ..., 0])
    assert first["accuracy"].min() > 0.2
    assert len(figure3.draw(first).axes) == 1


def test_a_run_that_leaves_the_floating_point_range_has_no_accuracy():
    training = replace(LENET, masked_learning_rate=1e6).training("mask")
    run = pruning.pruned_in_turn(training, "mask", 1e-3, "weights", 2, 0, [0], None, "cpu")
    np.testing.assert_array_equal(run["accuracy"], [[np.nan, np.nan]])


def test_runs_without_an_accuracy_decide_nothing():
    data = measured(0.8, 0.9)
    data["accuracy"][0, 1, 1, 2] = np.nan
    found = outcomes(data)
    assert (found["mask-improves-imp"], found["mask-improves-lrr"]) == (Outcome.SUPPORTED, Outcome.INCONCLUSIVE)
    claim = next(each for each in figure3.observations(compared(data)) if each.id.endswith("improves-lrr"))
    assert "in 1 of 3 seeds a run left the floating-point range" in claim.verdict().evidence
    assert figure3.table(compared(data)).count("diverged") == 2 * 7 + 1  # and in the sentence
    assert len(figure3.draw(data).axes) == 1


@pytest.mark.parametrize(("name", "network"), [("cifar10", pruning.RESNET20), ("cifar100", pruning.RESNET18)])
def test_cifar_runs_from_files(name, network, tmp_path):
    settings = figure3.EXPERIMENT.settings(name)
    assert {settings.data_folder, settings.device} == {None, "cpu"}
    assert settings.networks == [network]
    folder = write_stand_in(tmp_path / "files", name, records=100)
    tiny = replace(network, epochs=1, model="convnet", seeds=2)
    small = replace(settings, networks=[tiny], cycles=2, data_folder=str(folder))
    data = figure3.compute(small, Sweep(Store(tmp_path / "store")))
    assert data["accuracy"].shape == (1, 2, 2, 2, 2)
