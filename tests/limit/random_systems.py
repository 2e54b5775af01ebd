"""Random systems Zx = y whose rows do not depend on each other, and one that is known to be hard."""

import numpy as np
from hypothesis import assume
from hypothesis import strategies as st


@st.composite
def instances(draw, max_d=4):
    """Small systems with integer or real entries, often with fewer active weights than observations."""
    d = draw(st.integers(2, max_d))
    n = draw(st.integers(d + 1, 2 * d))
    entry = st.integers(-3, 3) if draw(st.booleans()) else st.floats(-3, 3).map(lambda v: round(v, 3))
    Z = np.array([[float(draw(entry)) for _ in range(n)] for _ in range(d)])
    values = np.linalg.svd(Z, compute_uv=False)
    # Singular systems have a test of their own, and for nearly singular ones doubles can promise no error.
    assume(values[-1] > 0.05)
    weights = np.zeros(n)
    for k in range(draw(st.integers(1, n))):
        weights[k] = draw(entry)
    return Z, Z @ weights


log_scales = st.one_of(st.floats(-690, 0), st.floats(-12, 2))
STALLED = (
    # A plain Newton step is noise in directions that no active weight sees, and the line search loses the rest of it.
    np.array([[-2.0, 2.0, 2.0, -1.0], [3.0, -2.0, 3.0, -1.0], [0.0, 1.0, 2.0, -1.0]]),
    np.array([-4.0, 6.0, 0.0]),
)
