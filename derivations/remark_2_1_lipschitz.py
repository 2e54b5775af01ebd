"""Remark 2.1: the Lipschitz constant of ∇R."""

from derivations import lipschitz
from derivations.mask import PREPRINT, SIZES, Instance, judge_constant, u0, v0
from implicit_bias import Claim, Verdict

STATED = u0 * v0  # the scale a itself


def check() -> Verdict:
    """Compare the stated constant with a difference quotient of ∇R = −L between two points of a trajectory."""
    instance = Instance(m0=0.5, time=0.01)
    end = instance.end()
    quotient = abs(end["L"] / end["x"])  # the trajectory starts at x = 0 and L = 0
    bound = float(STATED.subs({u0: end["u0"], v0: end["v0"]}))
    return judge_constant(
        STATED,
        lipschitz.STATED,
        lipschitz.check(),
        r"L_R = 1/(2a), \quad a = u_0 v_0",
        f"|R'(x_t) − R'(x_0)|/|x_t − x_0| on a trajectory of m and w is {quotient:.4f}; stated {bound:g}.",
        quotient - bound,
        {"m0": 0.5, "w0": 0.0, "target": 1.0, "time": 0.01, "quotient": quotient, "stated": bound},
    )


CLAIM = Claim(
    id="rem-2.1-lipschitz",
    statement=r"\nabla R_a \text{ has the Lipschitz constant } L_R = a",
    source=f"{PREPRINT}, Remark 2.1",
    hypotheses=(SIZES, r"A = 0"),
    uses=("lipschitz",),
    check=check,
)
