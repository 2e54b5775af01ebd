"""Theorem 3.3: with finite total decay the flow ends at the interpolator of least final potential."""

from derivations import theorem_3_2
from derivations.mask import DECAY, POTENTIAL, PREPRINT, SIZES
from derivations.optimality import check_limit
from implicit_bias import Claim, Verdict, schedule
from implicit_bias.claims import corrected


def check() -> Verdict:
    """Prove the conditions of optimality at the end, and compare flows with the projection at the total decay."""
    return check_limit(schedule.Geometric(0.5, 0.5), theorem_3_2.check())


CLAIM = Claim(
    id="thm-3.3",
    statement=r"\lim_{t\to\infty} x_t = \operatorname{argmin}\{R_{a_\infty}(x) : Zx = y\}",
    source=(
        f"this project, a special case of {PREPRINT}, Theorem 3.3: the squared loss (as printed: f(x) = f̃(Zx − y); not "
        "judged)"
    ),
    hypotheses=(SIZES, r"h = \sum m^2 + w^2", DECAY, r"f(x) = \|Zx - y\|_2^2 / (2d)", "y in the range of Z", POTENTIAL),
    uses=(
        corrected("thm-3.1"),
        "thm-3.2",
    ),
    figure="figures/digit/figure.png",
    check=check,
)
