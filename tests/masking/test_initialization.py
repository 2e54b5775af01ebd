"""The start of an ensemble has the given weights and the given scale."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from implicit_bias.errors import InputError
from implicit_bias.masking import Product
from implicit_bias.masking.ensembles import initialization

WEIGHTS = np.linspace(-0.3, 0.4, 9)


@given(
    st.lists(st.floats(-100, 100), min_size=1, max_size=5),
    st.floats(-12, 12).map(lambda power: 10.0**power),
)
def test_weights_and_imbalance(weights, scale):
    start = initialization(weights, scale)
    m, w = start["m"], start["w"]
    np.testing.assert_allclose(m * w, weights, rtol=1e-14, atol=1e-300)
    np.testing.assert_allclose(m**2 - w**2, 2 * scale, rtol=0, atol=4e-15 * np.max(m**2))
    assert np.all(np.abs(w) < m)


def test_the_start_is_that_of_a_mask():
    """The scale a belongs to a mask with β = 2a."""
    start = initialization(WEIGHTS, 0.35)
    m, w = Product(beta=0.7).right_inverse(torch.tensor(WEIGHTS))
    np.testing.assert_allclose(start["m"], m.numpy(), rtol=1e-14)
    np.testing.assert_allclose(start["w"], w.numpy(), rtol=1e-14, atol=1e-16)


def test_shapes():
    assert initialization(np.zeros(4), 1.0)["m"].shape == (4,)
    assert initialization(np.zeros(4), np.ones(3))["m"].shape == (3, 4)
    assert initialization(np.zeros((3, 4)), np.ones(3))["w"].shape == (3, 4)
    assert initialization(np.zeros(4), np.ones((3, 4)))["w"].shape == (3, 4)
    squares = initialization([0.0], [1e-300, 2.0])["m"] ** 2
    np.testing.assert_allclose(squares, [[2e-300], [4.0]], rtol=1e-15)


@pytest.mark.parametrize(
    ("weights", "scale", "message"),
    [
        (1.0, 1.0, "weights: expected shape"),
        (np.zeros((2, 2, 2)), 1.0, "weights: expected shape"),
        ([], 1.0, "weights: expected shape"),
        ([np.nan], 1.0, "weights: .* nan"),
        ([1.0], 0.0, "scale: expected a positive"),
        ([1.0], [1.0, -1.0], "scale: expected a positive"),
        ([1.0], [], "scale: expected a positive"),
        ([1.0], "small", "scale: expected an array"),
        (np.zeros((3, 4)), np.ones(2), r"scale: .* \(3, 4\), got shape \(2,\)"),
        ([1.0], 1e-30, r"\|w\| < m"),
    ],
)
def test_bad_input(weights, scale, message):
    with pytest.raises(InputError, match=message):
        initialization(weights, scale)
