"""Where pruning begins to cost: the interpolation, the predictions of the scale, and verdicts that can fail."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from experiments.engine import Store, Sweep
from experiments.ours import onset
from implicit_bias import Outcome

SPARSITY = 1 - 0.8 ** np.arange(26)
SCALES = np.array([0.5, 0.1, 0.01])


def measured(left, above=None):
    """Data of three scales and four seeds, in which pruning costs 2 points from a fraction of weights left on."""
    left = np.asarray(left, dtype=float)[:, None] * np.exp(
        0.01 * np.array([[-1, 1, 2, -2], [1, -2, 0, 1], [2, 0, 1, -3]])
    )
    accuracy = 0.9 - 0.02 * np.clip(np.log(left[..., None] / (1 - SPARSITY)) / np.log(1.25), -0.5, 0.5) - 0.01
    return {
        "title": np.array("LeNet"),
        "strength": np.array([0.0, 1e-3, 3e-3]),
        "sparsity": SPARSITY,
        "accuracy": accuracy,
        "scale": np.repeat(SCALES[:, None], 4, axis=1),
        "above": left if above is None else np.repeat(np.asarray(above, dtype=float)[:, None], 4, axis=1),
        "gain": np.full((3, 4, 3), 0.1),
        "shift": np.full((3, 4, 3), 0.1),
        "flow_scale": np.repeat(SCALES[:, None], 4, axis=1),
        "decay_scale": np.repeat(SCALES[:, None], 4, axis=1),
    }


def outcomes(data):
    return {claim.id.removeprefix("onset/"): claim.verdict().outcome for claim in onset.observations(data)}


def test_the_onset_lies_where_a_line_between_two_sparsities_has_lost_a_point():
    sparsity = np.array([0.0, 0.5, 0.75, 0.875])
    accuracy = np.array(
        [[0.9, 0.9, 0.88, 0.5], [0.9, 0.895, 0.895, 0.89], [0.9, 0.9, 0.9, 0.9], [0.9, np.nan, 0.9, 0.9]]
    )
    found = onset.onset(accuracy, sparsity)
    np.testing.assert_allclose(found[:2], [0.5 / np.sqrt(2), 0.125])
    assert np.isnan(found[2:]).all()


def test_a_scale_that_does_not_decay_is_noticed():
    data = measured([0.3, 0.1, 0.03])
    assert outcomes(data)["scale"] is Outcome.SUPPORTED
    data["scale"] = np.full((3, 4), 0.5)
    assert outcomes(data)["scale"] is not Outcome.SUPPORTED


@pytest.mark.parametrize(
    ("left", "expected"),
    [
        ([0.3, 0.1, 0.03], Outcome.SUPPORTED),
        ([0.3, 0.1, 0.15], Outcome.REFUTED),
        ([0.3, 0.1, 0.1], Outcome.INCONCLUSIVE),
    ],
)
def test_every_step_of_the_scale_has_to_move_the_onset(left, expected):
    assert outcomes(measured(left))["later"] is expected


def test_runs_that_never_lose_a_point_decide_nothing():
    data = measured([0.3, 0.1, 0.03])
    data["accuracy"][2] = 0.9
    found = outcomes(data)
    assert found["later"] is found["above-scale"] is Outcome.INCONCLUSIVE


def test_weights_above_the_scale_have_to_be_those_that_are_needed():
    left = [0.3, 0.1, 0.03]
    assert outcomes(measured(left, above=left))["above-scale"] is Outcome.SUPPORTED
    assert outcomes(measured(left, above=[0.3, 0.1, 0.9]))["above-scale"] is Outcome.REFUTED
    assert outcomes(measured(left, above=[0.3, 0.1, 0.0]))["above-scale"] is Outcome.REFUTED


def test_predictions_of_the_scale_are_the_closed_form_for_small_steps():
    """With small steps, of which few belong to the start of momentum, both predictions are ½ exp(−4A)."""
    flow, decay = onset.predicted_scales([SimpleNamespace(strength=0.1, learning_rate=1e-5)] * 2, 5000)
    assert flow == pytest.approx(0.5 * np.exp(-4 * 0.1 * 1.0))
    assert decay == pytest.approx(flow, rel=1e-3)


def test_runs_repeat_to_the_byte_and_draw(tmp_path):
    tiny = replace(onset.QUICK, network=replace(onset.QUICK.network, epochs=1, share=0.1), strengths=(0.0, 1e-2))
    first, again = (onset.compute(tiny, Sweep(Store(tmp_path / name))) for name in ("one", "two"))
    assert all(first[name].tobytes() == again[name].tobytes() for name in first)
    # The scale after decay is that of the optimizer's steps, and the record's gain is against the flow's.
    np.testing.assert_allclose(first["scale"], first["decay_scale"], rtol=0.05)
    np.testing.assert_allclose(first["flow_scale"][0], 0.5)
    np.testing.assert_allclose(0.5 * np.exp(-first["gain"][0, :, 1]), first["scale"][0], rtol=1e-4)
