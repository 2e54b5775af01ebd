"""Statements on sign descent and Adam, tested by small steps, by torch's Adam and by another linear program."""

import numpy as np
import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy.optimize import linprog
from statements import about, few

seeds = st.integers(0, 10_000)


def data(seed, d=3, n=5):
    rng = np.random.default_rng(seed)
    return rng, rng.standard_normal((d, n))


def largest_margin(rows):
    """The largest smallest product of the rows with a weight in the unit box."""
    d, n = rows.shape
    return -linprog(
        np.append(np.zeros(n), -1.0), np.hstack([-rows, np.ones((d, 1))]), np.zeros(d), bounds=[(-1, 1)] * n + [(0, 9)]
    ).fun


@about("per-sample-adam/sign-flow")
@few
@given(seeds, st.floats(2.0, 8.0))
def test_small_steps_of_sign_descent_keep_the_bound(seed, time):
    rows = data(seed)[1]
    best = largest_margin(rows)
    assume(best > 0.1)
    x, step = np.zeros(5), 1e-3
    for _ in range(round(time / step)):
        x += step * np.sign(np.exp(-rows @ x) @ rows)
    share = np.min(rows @ x) / np.max(np.abs(x))
    assert share <= best * (1 + 1e-9)
    assert share >= (best * time - np.log(3)) / time - 10 * step * np.max(np.sum(np.abs(rows), axis=1))


@about("per-sample-adam/equal-sizes")
@few
@given(seeds, st.floats(0.0, 0.9), st.floats(0.5, 0.999))
def test_one_sample_a_step_with_entries_of_equal_size_leaves_equal_means_of_squares(seed, beta1, beta2):
    rng, _ = data(seed)
    rows = rng.choice([-1.0, 1.0], (4, 5)) * rng.uniform(0.5, 2, 4)[:, None]
    x = torch.zeros(5, dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.Adam([x], lr=0.1, betas=(beta1, beta2))
    for k in rng.integers(0, 4, 30):
        optimizer.zero_grad()
        torch.nn.functional.softplus(-torch.tensor(rows[k]) @ x).backward()
        optimizer.step()
    squares = optimizer.state[x]["exp_avg_sq"].numpy()
    np.testing.assert_allclose(squares, squares[0], rtol=1e-9)


@about("per-sample-adam/departure")
def test_torch_departs_from_the_full_batch_on_signs():
    """Other data: the cosine with the direction of the least norm with margins of 1, by torch's Adam."""
    rng = np.random.default_rng(11)
    rows = rng.choice([-1.0, 1.0], (4, 8)) * rng.uniform(0.5, 2, 4)[:, None]
    best, cosines, shares = largest_margin(rows), [], []
    direction = np.linalg.pinv(rows) @ np.ones(4)
    assert np.all(np.linalg.solve(rows @ rows.T, np.ones(4)) > 0)  # all samples are active
    for batch in (4, 1):
        x = torch.zeros(8, dtype=torch.float64, requires_grad=True)
        optimizer = torch.optim.Adam([x], lr=0.01, betas=(0.9, 0.95), eps=1e-30)
        for step in range(4000):
            chosen = torch.tensor(rows if batch == 4 else rows[[step % 4]])
            optimizer.zero_grad()
            torch.nn.functional.softplus(-chosen @ x).mean().backward()
            optimizer.step()
        w = x.detach().numpy()
        cosines.append(w @ direction / np.linalg.norm(w) / np.linalg.norm(direction))
        shares.append(np.min(rows @ w) / np.max(np.abs(w)) / best)
    assert shares[0] > 0.95
    assert shares[0] > shares[1] + 0.05
    assert cosines[1] > 0.99
    assert cosines[1] > cosines[0]
    assert cosines[0] == pytest.approx(cosines[0])
