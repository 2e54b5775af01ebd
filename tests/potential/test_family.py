"""The family of the mask, which is written by hand, is the one that is derived from its formula."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import implicit_bias as ib
from implicit_bias.potential.family import MaskFamily, NoFamily

DERIVED = ib.derive("m*w", "m**2 + w**2")


@given(m=st.floats(1e-3, 1e3), ratio=st.floats(-0.999, 0.999), decay=st.floats(0, 300))
def test_the_family_of_the_mask_is_the_derived_one(m, ratio, decay):
    start = {"m": np.array([m, 1.0]), "w": np.array([m * ratio, 0.5])}
    found, want = MaskFamily(**start)(decay), DERIVED.at(start, decay)
    np.testing.assert_allclose(found.log_scale, want.log_scale, rtol=1e-13, atol=1e-13)
    np.testing.assert_allclose(found.shift, want.shift, rtol=1e-12, atol=1e-13)
    assert found.rate == want.rate


def test_weights_may_have_decayed_unevenly():
    """Each weight may have its own decay, as the weights of several runs side by side have."""
    family = MaskFamily(np.array([1.0, 2.0]), np.array([0.1, 0.2]))
    together = family(np.array([0.3, 0.7]))
    for k, decay in enumerate((0.3, 0.7)):
        assert together.log_scale[k] == family(decay).log_scale[k]


def test_where_there_is_none_it_says_why():
    with pytest.raises(ib.UnsupportedError, match="no potential here"):
        NoFamily("There is no potential here.")()


@given(
    log_scale=st.lists(st.floats(-900, 300), min_size=2, max_size=4),
    exponent=st.floats(0, 900),
    z=st.floats(-5, 5),
)
def test_a_shrunk_entropy_is_the_one_at_the_smaller_scale(log_scale, exponent, z):
    """Also where the scale underflows; a flow asks for it at every step."""
    shift = np.linspace(-0.5, 0.5, len(log_scale))
    found = ib.HyperbolicEntropy(log_scale=log_scale, shift=shift).shrunk(exponent)
    want = ib.HyperbolicEntropy(log_scale=np.array(log_scale) - exponent, shift=shift)
    dual = np.full(len(log_scale), z)
    np.testing.assert_array_equal(found.gradient(dual), want.gradient(dual))
    np.testing.assert_allclose(found.respond(dual), want.respond(dual), rtol=1e-15)


@pytest.mark.parametrize(("regularizer", "shrinks"), [("u**2 + v**2", True), ("u**2", False)])
def test_decay_that_moves_the_shift_is_no_shrinkage(regularizer, shrinks):
    """Against flows of the decay alone: u e^(−2A), and v as well if it decays."""
    derived, start, decay = ib.derive("u**2 - v**2", regularizer), {"u": [1.0, 0.7], "v": [0.5, 0.6]}, 0.3
    assert (derived._potentials._shrinkage is not None) == shrinks
    shrunk = {name: np.multiply(value, np.exp(-2 * decay * (name == "u" or shrinks))) for name, value in start.items()}
    found, want = derived.at(start, decay), derived.at(shrunk)
    np.testing.assert_allclose(found.log_scale, want.log_scale, rtol=1e-13)
    np.testing.assert_allclose(found.shift, want.shift, rtol=1e-13)
