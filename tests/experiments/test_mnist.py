"""Accuracy against sparsity: what is chosen, what is reported, and that nothing is reported that was not measured."""

import numpy as np
import pytest
from scipy.stats import t, ttest_1samp

from experiments import mnist
from experiments.experiment import silent
from implicit_bias import Outcome

SPARSITIES = np.array([0.0, 0.95, 0.98, 0.99])


def measured(**accuracy):
    """Data with the given accuracies at all sparsities, and three seeds around them."""
    means = np.array([accuracy[name] for name in accuracy], dtype=float)
    # All methods share the luck of a seed; each has a tenth of it for itself.
    luck = np.array([-0.01, 0.0, 0.01])[None, :] + np.random.default_rng(0).normal(0, 1e-3, (len(means), 3))
    found = (means[:, None] + luck - luck.mean(axis=1, keepdims=True))[..., None] + np.zeros(len(SPARSITIES))
    return {
        "method": np.array(list(accuracy)),
        "strengths": np.tile([1e-3, 1e-2], (len(means), 1)),
        "validation_accuracy": np.tile(means[:, None, None], (1, 2, len(SPARSITIES))),
        "chosen_strength": np.full((len(means), len(SPARSITIES)), 1e-3),
        "sparsity": SPARSITIES,
        "epochs": np.array(60),
        "accuracy": found,
    }


def outcomes(data):
    return {claim.id.removeprefix("mnist/"): claim.verdict().outcome for claim in mnist.observations(data)}


def test_intervals_are_students():
    sample = np.random.default_rng(0).normal(size=(1, 5, 1))
    mean, half = mnist.mean_and_interval(sample)
    low, high = t.interval(0.95, 4, loc=sample.mean(), scale=sample.std(ddof=1) / np.sqrt(5))
    assert [mean.item() - half.item(), mean.item() + half.item()] == pytest.approx([low, high])


def test_a_lead_needs_to_clear_the_interval_of_the_difference():
    leading = outcomes(measured(dense=0.5, l1=0.944, spred=0.9, pilot=0.945))
    assert leading == {
        "ahead-of-dense": Outcome.SUPPORTED,
        "ahead-of-l1": Outcome.INCONCLUSIVE,
        "ahead-of-spred": Outcome.SUPPORTED,
        "near-dense": Outcome.SUPPORTED,
    }
    behind = outcomes(measured(dense=0.97, l1=0.97, spred=0.5, pilot=0.9))
    assert behind["ahead-of-l1"] is behind["near-dense"] is Outcome.REFUTED
    assert behind["ahead-of-spred"] is Outcome.SUPPORTED


def test_differences_are_paired_by_seed():
    data = measured(dense=0.5, pilot=0.9)
    gaps = 100 * (data["accuracy"][1, :, 2] - data["accuracy"][0, :, 0])
    low, high = ttest_1samp(gaps, 0).confidence_interval(1 - 0.05 / 3)
    gap, half = mnist.difference(data, ("pilot", 0.98), ("dense", 0.0), 3)
    assert [gap - half, gap + half] == pytest.approx([low, high])


def test_the_table_holds_every_number():
    page = mnist.table(measured(dense=0.5, pilot=0.945))
    assert page.count("94.5 ± 2.") == len(SPARSITIES)
    assert page.count("(0.001)") == 2 * len(SPARSITIES)
    assert "of 2 for each method" in page
    data = measured(dense=0.5, pilot=0.945)
    data["chosen_strength"][0, 1] = 1e-2
    assert mnist.table(data).count("(0.01*)") == 1


def test_strengths_are_chosen_on_held_out_images_for_each_sparsity(monkeypatch):
    """A stand-in for training, whose best strength grows with sparsity, and whose test accuracy says otherwise."""
    seen = []

    def accuracies(name, strength, seed, settings, tuning):
        seen.append((name, strength, seed, tuning))
        if tuning:
            return np.array([1 - strength, strength])
        return np.full(2, 10 * strength + seed)

    monkeypatch.setattr(mnist, "trained_accuracies", accuracies)
    monkeypatch.setattr(mnist, "Parallel", lambda **kwargs: lambda jobs: (f(*args) for f, args, _ in jobs))
    settings = mnist.QUICK | {"strengths": {"dense": [0.1, 0.3], "pilot": [0.2, 0.4]}, "sparsities": [0.0, 0.9]}
    data = mnist.compute(settings, silent)
    np.testing.assert_allclose(data["chosen_strength"], [[0.1, 0.3], [0.2, 0.4]])
    np.testing.assert_allclose(data["accuracy"][0], [[1.0, 3.0], [2.0, 4.0]])
    assert {seed for *_, seed, tuning in seen if tuning} == {settings["seeds"][0]}


def test_modes_differ_in_size_alone():
    assert mnist.SETTINGS.keys() == mnist.FULL.keys() == mnist.QUICK.keys()
    assert set(mnist.SETTINGS["strengths"]) == set(mnist.FULL["strengths"])


def test_runs_do_not_see_test_images_while_tuning():
    whole, split = mnist._data(None), mnist._data(0.2)
    assert len(split.train) + len(split.test) == len(whole.train)
    held_out = {image.tobytes() for image in split.test.pixels.numpy()}
    assert held_out <= {image.tobytes() for image in whole.train.pixels.numpy()}
