"""Remark 2.1: the Lipschitz constant of ∇R."""

from dataclasses import replace

import numpy as np

from derivations import lipschitz
from derivations.mask import PREPRINT, Violation, judge_constant, u0, v0
from derivations.trajectory import Instance, instances
from implicit_bias import Claim, Verdict
from implicit_bias.claims.judge import quarters

STATED = 2 * u0 * v0  # the scale a = m_0² of Remark 2.1


def check() -> Verdict:
    """Compare the stated constant with difference quotients of ∇R, in each of three readings of R.

    They are the potential of the flow, whose ∇R = −L is read off at the ends of trajectories, the entropy that the
    remark writes down, and the R of Theorem 2.1, a quarter of it.
    """
    return judge_constant(
        STATED,
        lipschitz.STATED,
        lipschitz.check(),
        r"L_R = 1/(2u_0v_0) = 1/a \text{ for the potential of the flow and } a = 2u_0v_0 = m_0^2",
        _violation,
        instances(target=quarters(0.25, 2)).map(lambda instance: replace(instance, w0=0.0)),
    )


def _violation(instance: Instance) -> Violation:
    end, a = instance.end(), instance.m0**2  # the trajectory starts at x = 0 and L = 0
    entropy = float(np.arcsinh(end["x"] / a) / end["x"])
    quotients = {"flow": abs(end["L"] / end["x"]), "entropy": entropy, "theorem_2_1": entropy / 4}
    return Violation(
        min(quotients.values()) - a,
        f"|R'(x) − R'(0)|/|x| at the end x of a trajectory of m and w from w_0 = 0, m_0 = √a: {quotients['flow']:.4f} "
        f"for the potential of the flow, {quotients['entropy']:.4f} for the entropy of Remark 2.1, "
        f"{quotients['theorem_2_1']:.4f} for the R of Theorem 2.1; stated at most a = {a:g}. The largest quotients are "
        "1/a, 1/a and 1/(4a).",
        instance.numbers() | {f"quotient_{name}": value for name, value in quotients.items()} | {"stated": a},
    )


CLAIM = Claim(
    id="rem-2.1-lipschitz",
    statement=r"\nabla R \text{ has the Lipschitz constant } L_R = a, \text{ in whichever of three readings of } R",
    source=f"{PREPRINT}, Remark 2.1, last line",
    hypotheses=(r"w_0 = 0", r"m_0 = \sqrt{a}", r"\alpha = 0"),
    uses=("lipschitz", "rem-2.1"),
    check=check,
)
