"""Theorem 2.4: without regularization the flow ends at the interpolator of least potential."""

from derivations import theorem_2_2
from derivations.mask import POTENTIAL, PREPRINT, SIZES
from derivations.optimality import check_limit
from implicit_bias import Claim, Verdict
from implicit_bias.claims import corrected


def check() -> Verdict:
    """Prove the conditions of optimality at the end, and compare flows with the projection."""
    return check_limit(None, theorem_2_2.check())


CLAIM = Claim(
    id="thm-2.4",
    statement=r"\lim_{t\to\infty} x_t = \operatorname{argmin}\{R(x) : Zx = y\}",
    source=(
        f"this project, a special case of {PREPRINT}, Theorem 2.4: the squared loss (as printed: f(x) = f̃(Zx − y); not "
        "judged)"
    ),
    hypotheses=(SIZES, r"\alpha = 0", r"f(x) = \|Zx - y\|_2^2 / (2d)", "y in the range of Z", POTENTIAL),
    uses=(
        corrected("thm-2.1"),
        "thm-2.2",
    ),
    check=check,
)
