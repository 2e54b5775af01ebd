"""Second derivatives by pairs of torch.func's modes: each pair is right or raises, and none returns a wrong 0."""

import itertools

import pytest
import torch

import implicit_bias as ib
from implicit_bias.errors import UnsupportedError

# torch itself warns when it first differentiates in forward mode.
pytestmark = pytest.mark.filterwarnings("ignore:.torch.jit.script. is deprecated")
POTENTIALS = {
    "hyperbolic": ib.HyperbolicEntropy(scale=0.1),
    "entropy": ib.Entropy(scale=2.0),
    "numerical": ib.NumericalPotential(ib.Parameterization("u**3 - v**3"), {"u": [0.5], "v": [0.7]}),
}
MODES = {"reverse": torch.func.jacrev, "forward": torch.func.jacfwd}


def second(outer, inner, method, x):
    return MODES[outer](MODES[inner](lambda point: method(point).sum() + (point**4).sum()))(x)


@pytest.mark.parametrize("method", ["value", "gradient", "conjugate", "inverse_gradient"])
@pytest.mark.parametrize("name", POTENTIALS)
def test_two_passes_agree_unless_both_are_forward(name, method):
    function, x = getattr(POTENTIALS[name], method), torch.tensor([0.05], dtype=torch.float64)
    wanted = second("reverse", "reverse", function, x)
    for pair in itertools.product(MODES, MODES):
        if pair != ("forward", "forward"):
            torch.testing.assert_close(second(*pair, function, x), wanted, rtol=1e-12, atol=0)
    with pytest.raises(UnsupportedError, match="jacrev"):
        second("forward", "forward", function, x)


def test_one_forward_pass_and_more_backward_ones():
    """One forward pass under two backward ones gives R''' = −x / (r (x² + a²)^(3/2)) with r = 2."""
    x = torch.tensor([0.05], dtype=torch.float64)
    third = torch.func.jacrev(torch.func.jacrev(torch.func.jacfwd(POTENTIALS["hyperbolic"].value)))
    torch.testing.assert_close(third(x).squeeze(), (-x / (2 * (x**2 + 0.01) ** 1.5)).squeeze())


@pytest.mark.parametrize("axis", [0, 1, 2, -2])
@pytest.mark.parametrize("method", ["gradient", "inverse_gradient"])
@pytest.mark.parametrize("name", POTENTIALS)
def test_vmap_over_any_axis(name, method, axis):
    function = getattr(POTENTIALS[name], method)
    x = torch.linspace(0.1, 0.4, 24, dtype=torch.float64).reshape(2, 3, 4, 1)  # one weight in the last axis
    found = torch.func.vmap(function, in_dims=axis)(x)
    torch.testing.assert_close(found, torch.stack([function(part) for part in x.unbind(axis)]), rtol=1e-12, atol=1e-15)
