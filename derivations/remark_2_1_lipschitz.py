"""Remark 2.1: the Lipschitz constant of ∇R."""

from derivations import lipschitz
from derivations._search import quarters
from derivations.mask import PREPRINT, SIZES, Violation, judge_constant, u0, v0
from derivations.trajectory import Instance, instances
from implicit_bias import Claim, Verdict

STATED = u0 * v0  # the scale a itself
LARGEST = 2 * u0 * v0  # the scale as the preprint's theorem 2.1 has it


def check() -> Verdict:
    """Compare the stated constant with difference quotients of ∇R = −L between the ends of trajectories."""
    return judge_constant(
        STATED,
        lipschitz.STATED,
        lipschitz.check(),
        r"L_R = 1/(2a), \quad a = u_0 v_0",
        _violation,
        instances(target=quarters(0.25, 2)).filter(lambda instance: instance.m0 * instance.w0 != instance.target),
    )


def _violation(instance: Instance) -> Violation:
    end = instance.end()
    quotient = abs(end["L"] / (end["x"] - instance.m0 * instance.w0))  # the trajectory starts at L = 0
    bound = float(LARGEST.subs({u0: end["u0"], v0: end["v0"]}))
    return Violation(
        quotient - bound,
        f"|R'(x_t) − R'(x_0)|/|x_t − x_0| on a trajectory of m and w is {quotient:.4f}; stated at most {bound / 2:g} "
        f"for the scale u₀v₀ of the flow, {bound:g} for the 2u₀v₀ of the preprint.",
        instance.numbers() | {"quotient": quotient, "stated": bound},
    )


CLAIM = Claim(
    id="rem-2.1-lipschitz",
    statement=r"\nabla R_a \text{ has the Lipschitz constant } L_R = a",
    source=f"{PREPRINT}, Remark 2.1",
    hypotheses=(SIZES, r"A = 0"),
    uses=("lipschitz",),
    check=check,
)
