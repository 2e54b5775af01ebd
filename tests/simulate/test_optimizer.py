"""Optimizers that rescale each parameter: against torch's, one step after another, and in the limit of small steps."""

import numpy as np
import pytest
import torch

import implicit_bias as ib
from implicit_bias import masking
from implicit_bias.errors import InputError
from implicit_bias.schedule import Geometric

PROBLEM = ib.Regression.sample(6, 9, 2, seed=3)
MASK = ib.Parameterization("m*w", regularizer="m**2 + w**2")
INIT = {"m": np.linspace(0.8, 1.2, 9), "w": np.linspace(-0.3, 0.52, 9)}
STEPS = 40
INFINITY = float("inf")


def torch_run(make, gradient_decay, step, batches=None):
    """Every x of a run of torch's optimizer; ``gradient_decay`` is α_k of the penalty, or None."""
    Z, y = (torch.tensor(np.array(a)) for a in (PROBLEM.Z, PROBLEM.y))
    m, w = (torch.nn.Parameter(torch.tensor(INIT[name])) for name in "mw")
    optimizer = make([m, w], step)
    found = []
    for k in range(STEPS + 1):
        found.append((m * w).detach().numpy().copy())
        for group in optimizer.param_groups:
            group["weight_decay"] = 2 * gradient_decay(k * step)
        optimizer.zero_grad()
        (0.5 * torch.mean((Z @ (m * w) - y) ** 2)).backward()
        optimizer.step()
    return np.array(found)


@pytest.mark.parametrize("strength", [0.0, 0.3])
@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (ib.Adam(), lambda p, lr: torch.optim.Adam(p, lr=lr)),
        (ib.Adam(0.5, 0.9, 1e-3), lambda p, lr: torch.optim.Adam(p, lr=lr, betas=(0.5, 0.9), eps=1e-3)),
        (ib.AdamW(), lambda p, lr: torch.optim.AdamW(p, lr=lr)),
        (ib.AdamW(0.8, 0.95, 1e-6), lambda p, lr: torch.optim.AdamW(p, lr=lr, betas=(0.8, 0.95), eps=1e-6)),
    ],
)
def test_every_step_is_torchs(ours, theirs, strength):
    schedule = Geometric(strength, tau=0.4)
    run = ib.descent(PROBLEM, MASK, INIT, 0.02, STEPS, optimizer=ours, schedule=schedule, record=range(STEPS + 1))
    np.testing.assert_allclose(run.x, torch_run(theirs, schedule, 0.02), rtol=0, atol=1e-14)
    many = masking.ensemble(
        PROBLEM, INIT, [0.02, 0.01], STEPS, optimizer=ours, schedule=schedule, record=range(STEPS + 1)
    )
    np.testing.assert_allclose(many.x[:, 0], run.x, rtol=0, atol=1e-13)
    np.testing.assert_allclose(many.dual[:, 0], run.dual, rtol=0, atol=1e-13)
    np.testing.assert_allclose(many.decay[:, 0], run.decay, rtol=0, atol=1e-15)


@pytest.mark.parametrize("decoupled", [False, True])
def test_sign_descent_by_hand_and_as_the_end_of_adam(decoupled):
    step, alpha = 0.01, 0.3
    sign = ib.SignDescent(decoupled=decoupled)
    run = ib.descent(PROBLEM, MASK, INIT, step, STEPS, optimizer=sign, schedule=alpha, record=range(STEPS + 1))
    m, w = INIT["m"].copy(), INIT["w"].copy()
    for k in range(STEPS + 1):
        np.testing.assert_allclose(run.x[k], m * w, rtol=0, atol=1e-14)
        slope = PROBLEM.Z.T @ (PROBLEM.Z @ (m * w) - PROBLEM.y) / 6
        inside, beside = (0.0, 2 * alpha) if decoupled else (2 * alpha, 0.0)
        moves = np.sign(w * slope + inside * m) + beside * m, np.sign(m * slope + inside * w) + beside * w
        m, w = m - step * moves[0], w - step * moves[1]
    adam = (ib.AdamW if decoupled else ib.Adam)(0.0, 0.0, 0.0)
    for optimizer, tolerance in ((adam, 1e-14), (type(adam)(0.0, 0.0, 1e-9), 1e-6)):
        other = ib.descent(PROBLEM, MASK, INIT, step, STEPS, optimizer=optimizer, schedule=alpha)
        np.testing.assert_allclose(other.x[-1], run.x[-1], rtol=0, atol=tolerance)
    many = masking.ensemble(PROBLEM, INIT, step, STEPS, optimizer=sign, schedule=alpha)
    np.testing.assert_allclose(many.x[-1, 0], run.x[-1], rtol=0, atol=1e-13)


def test_an_entry_without_a_gradient_stays():
    one = ib.Regression([[1.0]], [2.0])
    run = ib.descent(one, MASK, {"m": 1.0, "w": 0.0}, 0.1, 1, optimizer=ib.SignDescent())
    assert run.parameters["m"][1, 0] == 1.0
    assert run.parameters["w"][1, 0] == pytest.approx(0.1)


@pytest.mark.parametrize("w", [0.5, -0.5])
def test_small_steps_of_sign_descent_follow_its_potential(w):
    """A weight whose gradient keeps its sign, under decoupled decay: z' = 1 − κα z, to first order in the step."""
    one, alpha, time = ib.Regression([[1.0]], [50.0]), 0.3, 1.0
    derivation = ib.derive(MASK, dynamics=ib.SteepestDescent(INFINITY))
    rate = float(derivation.dual_rate) * alpha
    z = (1 - np.exp(-rate * time)) / rate
    exact = float(derivation.inverse_mirror_map.subs({"m0": 1.0, "w0": w, "A": alpha * time, "z": z}))
    steps = np.array([100, 200, 400, 800])
    sign = ib.SignDescent(decoupled=True)
    errors = np.array(
        [
            abs(ib.descent(one, MASK, {"m": 1.0, "w": w}, time / k, k, optimizer=sign, schedule=alpha).x[-1, 0] - exact)
            for k in steps
        ]
    )
    assert np.all(errors * steps < 2.0)
    if w > 0:  # from below 0 the step in which w changes its sign adds an error that is not smooth in the step
        np.testing.assert_allclose(np.log2(errors[:-1] / errors[1:]), 1.0, atol=0.02)


@pytest.mark.parametrize("optimizer", [ib.SignDescent(), ib.Adam(), ib.AdamW()])
def test_there_is_no_potential(optimizer):
    run = ib.descent(PROBLEM, MASK, INIT, 0.01, 5, optimizer=optimizer)
    many = masking.ensemble(PROBLEM, INIT, 0.01, 5, optimizer=optimizer)
    assert not run.products
    for asked in (run.effective_init, run.potential, run.limit, run.flow_potential, run.gain, many.of_run(0).limit):
        with pytest.raises(ib.UnsupportedError, match="rescale every entry of the gradient"):
            asked()
    with pytest.raises(ib.UnsupportedError, match="follows no gradient flow"):
        ib.training_limit(PROBLEM, MASK, INIT, step=0.01, optimizer=optimizer)


def test_what_optimizers_refuse():
    for wrong in ({"beta1": 1.0}, {"beta2": -0.1}, {"eps": -1.0}):
        with pytest.raises(InputError, match=next(iter(wrong))):
            ib.Adam(**wrong)
    assert ib.AdamW(0, 0, 0) == ib.AdamW(0.0, 0.0, 0.0) != ib.Adam(0.0, 0.0, 0.0)
    with pytest.raises(InputError, match="decoupled"):
        ib.SignDescent(decoupled=1)
    with pytest.raises(InputError, match=r"expected an ib\.SGD, ib\.SignDescent"):
        ib.descent(PROBLEM, MASK, INIT, 0.01, 5, optimizer="adam")
