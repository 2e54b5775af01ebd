"""A bug of the library keeps its traceback: nothing turns it into a message for the user or into a result."""

import numpy as np
import pytest
from typer.testing import CliRunner

import implicit_bias as ib
from implicit_bias.cli import app
from implicit_bias.limit import projection
from implicit_bias.symbolic import derivation, inversion, worker

MASK = ("m*w", "--regularizer", "m**2+w**2")


@pytest.fixture(params=[TypeError, ValueError])
def bug(request):
    return request.param("a helper is broken")


@pytest.fixture
def broken(bug, monkeypatch):
    """A function that replaces a helper of a module by one that raises the bug."""

    def helper(*_, **__):
        raise bug

    return lambda module, name: monkeypatch.setattr(module, name, helper)


@pytest.fixture
def broken_algebra(broken, monkeypatch):
    """Breaks the algebra, and lets it run in this process, as a worker process would have the unbroken helper."""
    monkeypatch.setattr(worker, "_asked", lambda *_: None)
    derivation._proved.cache_clear()
    broken(inversion, "_is_zero")


@pytest.fixture
def system(tmp_path):
    np.savez(tmp_path / "system.npz", Z=[[1.0, 2.0]], y=[2.0])
    return str(tmp_path / "system.npz")


@pytest.mark.usefixtures("broken_algebra")
def test_in_a_derivation(bug):
    with pytest.raises(type(bug)) as caught:
        ib.derive("m*w", "m**2+w**2")
    assert caught.value is bug


@pytest.mark.usefixtures("broken_algebra")
def test_in_a_derivation_on_the_command_line(bug):
    result = CliRunner().invoke(app, ["derive", *MASK])
    assert result.exception is bug
    assert result.exit_code == 1


def test_in_a_projection(bug, broken):
    broken(projection, "error_bound")
    with pytest.raises(type(bug)) as caught:
        ib.bregman_projection(ib.Regression([[1.0, 2.0]], [2.0]), ib.HyperbolicEntropy(scale=1.0))
    assert caught.value is bug


def test_in_a_projection_on_the_command_line(bug, broken, system):
    broken(projection, "error_bound")
    result = CliRunner().invoke(app, ["limit", system, "--scale", "1"])
    assert result.exception is bug
    assert result.exit_code == 1


@pytest.mark.parametrize("method", ["LSODA", "BDF", "DOP853"])
@pytest.mark.parametrize("dense", [False, True])
def test_in_a_flow(bug, method, dense):
    """A flow reports a ValueError of SciPy's linear algebra, which inf and nan cause, as a status, but no other one."""

    class Broken(ib.schedule.Constant):
        def __call__(self, t):
            if np.any(np.asarray(t) > 0.5):
                raise bug
            return super().__call__(t)

    mask = ib.Parameterization("m*w", regularizer="m**2 + w**2")
    start = {"m": 1.0, "w": 0.3}
    with pytest.raises(type(bug)) as caught:
        ib.gradient_flow(
            ib.Regression([[1.0, 2.0]], [1.0]), mask, start, [1.0], schedule=Broken(0.1), method=method, dense=dense
        )
    assert caught.value is bug
    assert caught.traceback[-1].name == "__call__"


def test_in_training_on_the_command_line(bug, broken, tmp_path):
    broken(ib.training, "train")
    result = CliRunner().invoke(app, ["train", "--data", "digits", "--output", str(tmp_path / "run")])
    assert result.exception is bug
    assert result.exit_code == 1
