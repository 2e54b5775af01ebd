"""Theorem 2.4: without regularization the flow ends at the interpolator of least potential."""

from derivations.mask import PREPRINT, SIZES
from derivations.optimality import check_limit
from implicit_bias import Claim, Verdict


def check() -> Verdict:
    """Compare the end of the parameters' flow with the Bregman projection."""
    return check_limit(None)


CLAIM = Claim(
    id="thm-2.4",
    statement=r"\lim_{t\to\infty} x_t = \operatorname{argmin}\{R(x) : Zx = y\}",
    source=f"{PREPRINT}, Theorem 2.4",
    hypotheses=(SIZES, r"\alpha = 0", r"f(x) = \|Zx - y\|_2^2 / (2d)", "y in the range of Z"),
    uses=("thm-2.1",),
    check=check,
)
