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
