"""Wrong calls across the library: each is one sentence that names the argument, and no traceback from inside."""

from functools import cache

import numpy as np
import pytest
import torch
from torch import nn

import implicit_bias as ib
from implicit_bias import masking, training

P = ib.Regression.sample(3, 6, 2)
M = ib.Parameterization("m*w", regularizer="m**2 + w**2")
I = {"m": np.ones(6), "w": np.zeros(6)}  # noqa: E741
H = ib.HyperbolicEntropy(scale=1.0)


def net():
    return nn.Sequential(nn.Linear(4, 3), nn.ReLU(), nn.Linear(3, 2))


def sgd(model):
    return torch.optim.SGD(model.parameters(), lr=0.1)


@cache
def digits():
    return training.load("digits")


def lenet(seed=0):
    return training.build("lenet", digits(), seed)


def run():
    return ib.descent(P, M, I, 0.05, 5)


MASK = training.METHODS["mask"]
# What is called, and the argument that the sentence begins with.
CALLS = {
    # numbers and arrays
    "Z is None": (lambda: ib.Regression(None, [1]), "Z"),
    "y is None": (lambda: ib.Regression([[1, 2]], None), "y"),
    "y is a string": (lambda: ib.Regression([[1, 2]], "y"), "y"),
    "y has two axes": (lambda: ib.Regression([[1, 2]], [[1]]), "y"),
    "Z is empty": (lambda: ib.Regression([[]], [1]), "Z"),
    "Z holds nan": (lambda: ib.Regression([[1, np.nan]], [1]), "Z"),
    "x is None": (lambda: P.loss(None), "x"),
    "momentum is None": (lambda: ib.SGD(None), "momentum"),
    "step is None": (lambda: ib.training_limit(P, M, I, step=None), "step"),
    "step is a list of lists": (lambda: ib.descent(P, M, I, [[0.1]], 10), "step"),
    "steps is None": (lambda: ib.descent(P, M, I, 0.1, None), "steps"),
    "t is None": (lambda: ib.gradient_flow(P, M, I, None), "t"),
    "t falls": (lambda: ib.gradient_flow(P, M, I, [2, 1]), "t"),
    "c is None": (lambda: ib.schedule.Geometric(None, tau=1), "c"),
    "tol is None": (lambda: ib.bregman_projection(P, H, tol=None), "tol"),
    "decay is None": (lambda: ib.derive("m*w").at(m=1.0, w=0.0, decay=None), "decay"),
    "w is None": (lambda: ib.derive("m*w").at(m=1.0, w=None), "init"),
    "beta is None": (lambda: masking.mask(net(), beta=None), "beta"),
    "sparsity is per cent": (lambda: masking.prune_(net(), 98), "sparsity"),
    "sparsity is None": (lambda: masking.prune_(net(), None), "sparsity"),
    "weights are None": (lambda: masking.initialization(None, 1.0), "weights"),
    "start is a string": (lambda: masking.HAM(sgd(net()), 1.0).potential("a"), "start"),
    # objects of another kind
    "a string for a parameterization": (lambda: ib.gradient_flow(P, "m*w", I, 1.0), "parameterization"),
    "a derivation for a parameterization": (lambda: ib.descent(P, ib.derive("m*w"), I, 0.1, 5), "parameterization"),
    "problem and parameterization exchanged": (lambda: ib.gradient_flow(M, P, I, 1.0), "problem"),
    "a parameterization for a derivation": (lambda: ib.mirror_flow(P, M, I, 1.0), "mirror_flow"),
    "a derivation for a potential": (lambda: ib.bregman_projection(P, ib.derive("m*w")), "potential"),
    "a name for an optimizer": (lambda: ib.descent(P, M, I, 0.1, 5, optimizer="sgd"), "optimizer"),
    "a formula for a numerical potential": (lambda: ib.NumericalPotential("m*w", {"m": 1.0}), "parameterization"),
    "no start of a numerical potential": (lambda: ib.NumericalPotential(M, None), "init"),
    "a number for a shape": (lambda: ib.SpectralHypentropy(3, 1.0), "shape"),
    "no optimizer of PILoT": (lambda: masking.PILoT(None, epochs=3), "optimizer"),
    "a model for an optimizer": (lambda: masking.PILoT(net(), epochs=3), "optimizer"),
    "no optimizer of a strength": (lambda: masking.decay_strength(None, 1), "optimizer"),
    "no optimizer of a decay": (lambda: masking.ScheduledDecay(None, 0.1), "optimizer"),
    "no optimizer of HAM": (lambda: masking.HAM(None, 1.0), "optimizer"),
    "no optimizer of a norm": (lambda: masking.masked_norm(None), "optimizer"),
    "no optimizer of a record": (lambda: masking.MirrorRecord(masking.mask(net()), None), "optimizer"),
    "a name for names": (lambda: masking.MirrorRecord(masking.mask(net()), None, select="0.weight"), "select"),
    "a name for a choice": (lambda: masking.mask(net(), select="0.weight"), "select"),
    "names for a choice": (lambda: masking.sparsity(net(), select=["0.weight"]), "select"),
    "no booleans": (lambda: masking.keep_(net(), None), "kept"),
    "a list of booleans": (lambda: masking.keep_(net(), {"0.weight": [True]}), "kept"),
    "an array of booleans": (lambda: masking.keep_(net(), {"0.weight": np.ones((3, 4), bool)}), "kept"),
    "no parametrization": (lambda: masking.reparameterize(net(), None), "parametrization"),
    "a function that makes none": (lambda: masking.reparameterize(net(), lambda name: 3), "parametrization"),
    "a single run": (lambda: masking.distance_to_limit(run()), "ensemble"),
    "no ensemble": (lambda: masking.mirror_residual(None), "ensemble"),
    "no ensemble of norms": (lambda: masking.relative_norms(None), "ensemble"),
    "a number for a folder": (lambda: training.load("cifar10", 3), "data folder"),
    "no data for a network": (lambda: training.build("lenet", None), "data"),
    "no data to train on": (lambda: training.train(net(), None, MASK(), epochs=1), "data"),
    "a name for a method": (lambda: training.train(net(), digits(), "mask", epochs=1), "method"),
    "a number for a file": (lambda: training.train(lenet(), digits(), MASK(), epochs=1, checkpoint=3), "checkpoint"),
    "a number for a bar": (lambda: training.train(lenet(), digits(), MASK(), epochs=1, progress=3), "progress"),
    "a name for a network": (lambda: training.train_population("lenet", digits(), MASK, epochs=1), "build"),
    "a method for its maker": (lambda: training.train_population(lenet, digits(), MASK(), epochs=1), "method"),
    "a method for its maker in turn": (
        lambda: training.iterative(lenet(), digits(), MASK(), cycles=1, epochs=1),
        "method",
    ),
    "no test images": (lambda: training.one_shot(lenet(), None), "data"),
    "a number for fractions": (lambda: training.one_shot(lenet(), digits(), 0.5), "sparsities"),
    "no pixels": (lambda: training.Images(None, None), "pixels"),
    "no images": (lambda: training.ImageData("mine", None, None, 3), "train"),
}


@pytest.mark.parametrize("name", CALLS)
def test_a_wrong_call_is_one_sentence_about_its_argument(name):
    call, argument = CALLS[name]
    with pytest.raises(ib.InputError) as caught:
        call()
    said = str(caught.value)
    assert said.startswith(argument)
    assert said.endswith(".")
    assert "nan" not in said or "nan" in name  # nobody gave one


def test_names_of_a_single_run_and_of_several():
    assert masking.relative_norms(masking.ensemble(P, I, [0.05, 0.1], 5)).l1.shape[1] == 2
    with pytest.raises(AttributeError, match=r"implicit_bias.schedule has no 'Geometrc' \(did you mean Geometric\?\)"):
        _ = ib.schedule.Geometrc
