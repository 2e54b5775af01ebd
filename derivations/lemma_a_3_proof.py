"""Proof of Lemma A.3: how the loss changes along the flow."""

import sympy as sp

from derivations import lemma_a_2
from derivations.mask import (
    PREPRINT,
    SIZES,
    derived,
    in_uv,
    judge,
    prove,
    slope,
    strength,
    weight_velocity,
    x,
)
from derivations.trajectory import REGULARIZED, instances
from implicit_bias import Claim, Outcome, Verdict
from implicit_bias.claims import corrected


def stated(scale: sp.Expr) -> sp.Expr:
    """The preprint's f' x', for a given a_t."""
    return -sp.sqrt(x**2 + scale**2) * slope**2 - 2 * strength * x * slope


def check() -> Verdict:
    """Hold both rates of change against f'(x) x' on trajectories, for the preprint's a_t and for the derived one."""
    velocity, identities = weight_velocity()
    proof = prove("The velocity of x was derived from those of m and w.", *identities)
    if proof.outcome is not Outcome.PROVED:
        return Verdict(Outcome.INCONCLUSIVE, f"The velocity of x is not proved: {proof.evidence}")
    return judge(
        (stated(lemma_a_2.STATED), stated(in_uv(derived().scale))),
        sp.expand(slope * velocity),
        r"df = -\sum_i \big(2\sqrt{x_i^2 + a_{t,i}^2}\,(\partial_i f)^2 + 4\alpha_t x_i \partial_i f\big)\,dt",
        lambda value, end, change: abs(value(change) - end["slope"] * end["x_velocity"]),
        "|formula - f'(x) x'|, with whichever a_t brings the stated formula closer,",
        instances(alpha=REGULARIZED),
    )


CLAIM = Claim(
    id="lem-a.3-df",
    statement=r"df = -\sum_i \big(\sqrt{x_i^2 + a_{t,i}^2}\,(\partial_i f)^2 + 2\alpha_t x_i \partial_i f\big)\,dt",
    source=f"{PREPRINT}, proof of Lemma A.3",
    hypotheses=(SIZES, r"h = \sum m^2 + w^2"),
    uses=(
        corrected("lem-a.2"),
        corrected("inverse-hessian"),
    ),
    check=check,
)
