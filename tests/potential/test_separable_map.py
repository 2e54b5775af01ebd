"""A flow can start where its velocity is real and does not vanish."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import implicit_bias as ib
from implicit_bias.potential.separable_map import SeparableMap, check_start

# Only g and its gradient decide where a flow can start; neither map has levels.
WITHOUT_LEVELS = (lambda t: t, lambda t: np.empty((0, *t.shape[1:])), lambda t: np.zeros(t.shape[1:]))
# g = √a · b is not real for a < 0; its gradient (b/(2√a), √a) is infinite at a = 0 and never vanishes.
ROOT = SeparableMap(
    lambda t: np.sqrt(t[0]) * t[1], lambda t: np.stack([t[1] / (2 * np.sqrt(t[0])), np.sqrt(t[0])]), *WITHOUT_LEVELS
)
PRODUCT = SeparableMap(lambda t: t[0] * t[1], lambda t: t[::-1], *WITHOUT_LEVELS)
NAMES = ("a", "b")
values = st.sampled_from([-2.0, 0.0, 0.5, 3.0])


@given(st.lists(st.tuples(values, values), min_size=1, max_size=4))
def test_a_saddle_and_what_is_not_real_are_refused_at_the_first_coordinate(columns):
    start = np.array(columns).T
    for function, is_bad, why in [
        (PRODUCT, lambda a, b: a == b == 0, "saddle that training never leaves"),
        (ROOT, lambda a, b: a < 0 or a == b == 0, "no finite real number"),  # 0/0 in the last case
    ]:
        bad = [k for k, column in enumerate(columns) if is_bad(*column)]
        if not bad:
            check_start(function, start, NAMES)
            continue
        a, b = columns[bad[0]]
        with pytest.raises(ib.DomainError) as caught:
            check_start(function, start, NAMES)
        assert f"a0 = {a:g}, b0 = {b:g} at coordinate {bad[0]} ({len(bad)} such)" in str(caught.value)
        assert why in str(caught.value)


def test_a_gradient_that_vanishes_in_one_parameter_alone_is_no_saddle():
    check_start(PRODUCT, np.array([1.0, 0.0]), NAMES)
    with pytest.raises(ib.DomainError, match=r"a0 = 0, b0 = 0 at coordinate 0 \(1 such\)"):
        check_start(PRODUCT, np.array([0.0, 0.0]), NAMES)


def test_a_component_of_the_gradient_that_is_not_real_is_refused():
    """A start is refused if g and one component of its gradient are real but the other component is not."""
    half = SeparableMap(lambda t: t[0], lambda t: np.stack([np.ones_like(t[0]), np.log(t[1])]), *WITHOUT_LEVELS)
    check_start(half, np.array([[1.0], [2.0]]), NAMES)
    with pytest.raises(ib.DomainError, match="no finite real number"):
        check_start(half, np.array([[1.0], [-2.0]]), NAMES)
