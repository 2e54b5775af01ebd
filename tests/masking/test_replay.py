"""Steps that a GPU replays: here the operations are written down once and done again, as a CUDA graph does it.

A graph holds kernels with the addresses of their arguments. What the recorder below cannot replay, a graph cannot
either: a tensor that takes the place of another, a number that was read in between, a count of steps.
"""

import numpy as np
import pytest
import torch
from torch.utils import _pytree as pytree
from torch.utils._python_dispatch import TorchDispatchMode

import implicit_bias as ib
from implicit_bias.masking import replay
from implicit_bias.masking.diagonal_networks import MOST_STEPS_OF_A_GRAPH
from implicit_bias.masking.ensembles import ensemble, initialization
from implicit_bias.schedule import Geometric, Harmonic
from implicit_bias.simulate import SGD

PROBLEM = ib.Regression.sample(6, 9, 2, seed=3)
PROBLEMS = [ib.Regression.sample(6, 9, 2, seed=seed) for seed in range(3)]
INIT = initialization(np.linspace(-0.3, 0.4, 9), np.array([0.01, 1.0, 0.1]))
READ = (torch.ops.aten._local_scalar_dense.default, torch.ops.aten.equal.default, torch.ops.aten.nonzero.default)


class Recorder(TorchDispatchMode):
    """Writes down every operation with the very tensors that it read and gave."""

    def __init__(self):
        super().__init__()
        self.operations = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        assert func not in READ, f"{func} waits for the device"
        given = func(*args, **(kwargs or {}))
        self.operations.append((func, args, kwargs or {}, given))
        return given

    def replay(self):
        for func, args, kwargs, given in self.operations:
            for new, place in zip(pytree.tree_leaves(func(*args, **kwargs)), pytree.tree_leaves(given), strict=True):
                if isinstance(new, torch.Tensor) and new.data_ptr() != place.data_ptr():
                    place.copy_(new)


def recorded(count):
    """In place of the capture of a CUDA graph; the list ``count`` gets an entry for each replay."""

    def captures(device):
        def captured(work):
            # A capture does no work, so what it did to the tensors is undone.
            recorder, before = Recorder(), [(tensor, tensor.clone()) for tensor in tensors_of(work)]
            with recorder:
                work()
            for tensor, value in before:
                tensor.copy_(value)

            def again():
                count.append(1)
                recorder.replay()

            return again

        return captured

    return captures


def tensors_of(work):
    """All tensors that the networks of the work hold, for a capture to leave as they were."""
    step = next(cell.cell_contents for cell in work.__closure__ if callable(cell.cell_contents))
    networks = step.__self__
    held = [*vars(networks).values()]
    if networks._products is not None:
        held += [networks._products.log_scale, networks._products.shift, *networks._products._memory]
    return [value for value in held if isinstance(value, torch.Tensor)]


@pytest.mark.parametrize("problem", [PROBLEM, PROBLEMS], ids=["one problem", "many problems"])
@pytest.mark.parametrize("optimizer", [SGD(), SGD(0.8), SGD(0.9, nesterov=True)])
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"products": True},
        {"schedule": Geometric(0.3, tau=0.5), "batch_size": 4, "seed": [5, 6, 7], "products": True},
        {"schedule": [Geometric(0.3, tau=0.5), Harmonic(0.4, tau=0.3), Geometric(0.1, tau=0.5)]},
        {"batch_size": 3},
    ],
    ids=["plain", "products", "all", "schedules", "batches"],
)
def test_replayed_steps_are_the_steps_themselves(monkeypatch, problem, optimizer, options):
    """To the last bit, between marks that whole graphs do not reach, and over several blocks of inputs."""
    case = {"problem": problem, "init": INIT, "step": 0.02, "steps": 433, "optimizer": optimizer, **options}
    case["record"] = [0, 1, 70, 260, 301, 433]
    eager = ensemble(**case)
    count = []
    monkeypatch.setattr("implicit_bias.simulate.discrete._MOST_NUMBERS", 3000)
    for module in ("replay", "diagonal_networks"):
        monkeypatch.setattr(f"implicit_bias.masking.{module}.captures", recorded(count))
    replayed = ensemble(**case)
    assert len(count) >= 3  # the first is done without a graph
    for name in ("x", "dual", "decay", "loss"):
        np.testing.assert_array_equal(getattr(replayed, name), getattr(eager, name))
    for name, values in eager.products.items():
        np.testing.assert_array_equal(replayed.products[name], values)
    for name, values in eager.parameters.items():
        np.testing.assert_array_equal(replayed.parameters[name], values)


@pytest.mark.parametrize("optimizer", [ib.Adam(), ib.AdamW(), ib.SignDescent()])
def test_adam_counts_its_steps_and_is_not_captured(monkeypatch, optimizer):
    case = {"problem": PROBLEM, "init": INIT, "step": 0.01, "steps": 160, "optimizer": optimizer, "record": 2}
    eager, count = ensemble(**case), []
    for module in ("replay", "diagonal_networks"):
        monkeypatch.setattr(f"implicit_bias.masking.{module}.captures", recorded(count))
    np.testing.assert_array_equal(ensemble(**case).x, eager.x)
    assert not count


@pytest.mark.parametrize(("records", "replays"), [(2, 3), (5, 3), (41, 39), ([0, 3, 100, 200], 2)])
def test_graphs_fit_between_the_records(monkeypatch, records, replays):
    """200 steps: 50 at a time, or as many as there are from one record to the next; the first ones go without."""
    case, count = {"problem": PROBLEM, "init": INIT, "step": 0.01, "steps": 200, "record": records}, []
    eager = ensemble(**case)
    for module in ("replay", "diagonal_networks"):
        monkeypatch.setattr(f"implicit_bias.masking.{module}.captures", recorded(count))
    np.testing.assert_array_equal(ensemble(**case).x, eager.x)
    assert len(count) == replays


def test_a_processor_has_no_graphs():
    assert replay.captures(torch.device("cpu")) is None
    calls = []
    work = replay.Replay(lambda: calls.append(1), torch.device("cpu"))
    for _ in range(3):
        work()
    assert len(calls) == 3


@pytest.mark.cuda
@pytest.mark.parametrize("options", [{}, {"batch_size": 4, "schedule": Geometric(0.3, tau=0.5), "products": True}])
def test_a_graph_on_a_gpu_agrees_with_the_processor(options):
    case = {"problem": PROBLEM, "init": INIT, "step": 0.02, "steps": 10 * MOST_STEPS_OF_A_GRAPH + 7, **options}
    case["optimizer"] = SGD(0.8)
    here, there = (ensemble(**case, device=device) for device in ("cpu", "cuda"))
    np.testing.assert_allclose(there.x, here.x, rtol=1e-11, atol=1e-12)
    for name, values in here.products.items():
        np.testing.assert_allclose(there.products[name], values, rtol=1e-11, atol=1e-11)
