"""How fast the loss falls under regularization: equation 5 and the proof of Lemma A.3."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import sympy as sp
from hypothesis import strategies as st

from derivations.mask_in_the_mirror import PAPER
from derivations.mask_in_the_mirror.judging_before import Violation, judge, refute
from derivations.mask_in_the_mirror.scale import LEMMA_A_2
from derivations.mask_in_the_mirror.setting import (
    DECAY,
    SIZES,
    SIZES_OR_EQUAL,
    decay,
    derived,
    in_uv,
    prove,
    slope,
    strength,
    u0,
    v0,
    weight_velocity,
    x,
)
from derivations.mask_in_the_mirror.trajectory import REGULARIZED, Instance, instances
from derivations.ours.rates import rate_after_decay
from implicit_bias import Outcome, Verdict
from implicit_bias.claims import corrected


def stated_change(scale: sp.Expr) -> sp.Expr:
    """The preprint's f' x', for a given a_t."""
    return -sp.sqrt(x**2 + scale**2) * slope**2 - 2 * strength * x * slope


@PAPER.claim(
    "lem-a.3-df",
    statement=r"df = -\sum_i \big(\sqrt{x_i^2 + a_{t,i}^2}\,(\partial_i f)^2 + 2\alpha_t x_i \partial_i f\big)\,dt",
    source="proof of Lemma A.3",
    hypotheses=(SIZES, r"h = \sum m^2 + w^2"),
    uses=(corrected("lem-a.2"), corrected("inverse-hessian")),
)
def lemma_a_3_proof() -> Verdict:
    """Hold both rates of change against f'(x) x' on trajectories, for the preprint's a_t and for the derived one."""
    velocity, identities = weight_velocity()
    proof = prove("The velocity of x was derived from those of m and w.", *identities)
    if proof.outcome is not Outcome.PROVED:
        return Verdict(Outcome.INCONCLUSIVE, f"The velocity of x is not proved: {proof.evidence}")
    return judge(
        (stated_change(LEMMA_A_2), stated_change(in_uv(derived().scale))),
        sp.expand(slope * velocity),
        r"df = -\sum_i \big(2\sqrt{x_i^2 + a_{t,i}^2}\,(\partial_i f)^2 + 4\alpha_t x_i \partial_i f\big)\,dt",
        lambda value, end, change: abs(value(change) - end["slope"] * end["x_velocity"]),
        "|formula - f'(x) x'|, with whichever a_t brings the stated formula closer,",
        instances(alpha=REGULARIZED),
    )


EQUATION_5 = 2 * u0 * v0 * sp.exp(-2 * decay)  # the factor of λ, a_∞
LATE = 20.0  # flow time at which the bound is tried


@PAPER.claim(
    "eq-5",
    statement=(
        r"f(x_t) - f(x^*) \le B e^{-\lambda a_\infty t} \text{ for all } t, \quad "
        r"B = (f(x_0) - f(x^*))\, e^{C \|x^*\| \int_0^\infty \alpha_s ds}, \quad "
        r"a_\infty = 2 \min_i u_{0,i} v_{0,i}\, e^{-2A_\infty}"
    ),
    source="Theorem 3.2, equation 5, with the scale of Theorem 3.1",
    hypotheses=(
        SIZES_OR_EQUAL,
        r"h = \sum m^2 + w^2",
        DECAY,
        r"f \text{ quasi-convex, } \nabla f \text{ locally Lipschitz, } \operatorname{argmin} f \ne \emptyset",
        r"\|\nabla f\|_2^2 \ge \lambda (f - f(x^*))",
        r"C \text{ from the smoothness of } f",
    ),
    uses=("ours/rate-after-decay", corrected("thm-3.1")),
)
def equation_5(used: Mapping[str, Verdict]) -> Verdict:
    """Hold the bound against a lower bound on the loss f = x²/2 of one weight, whose strength α ends at a time T.

    There x* = 0, so that B = f(x_0) whatever C is, and λ = 2 is sharp. The lower bound needs no integrator.
    """
    steps = prove("", *_after_decay(), *weight_velocity()[1])
    if steps.outcome is not Outcome.PROVED:
        return Verdict(Outcome.INCONCLUSIVE, f"The lower bound on the loss is not proved: {steps.evidence}")
    return refute(
        used["ours/rate-after-decay"],
        rate_after_decay.statement,
        _violation,
        instances(alpha=REGULARIZED, target=st.just(0.0))
        .filter(lambda instance: instance.w0 != 0)
        .map(lambda instance: replace(instance, off=instance.time, time=LATE)),
    )


def _after_decay() -> tuple[sp.Expr, ...]:
    """Once the decay is over a weight falls like x = a/sinh(c + 2at), which solves x' = −2x√(x² + a²).

    The root is a coth(c + 2at), where all is positive.
    """
    a, c, t = sp.symbols("a c t", positive=True)
    weight, root = a / sp.sinh(c + 2 * a * t), a * sp.coth(c + 2 * a * t)
    return root**2 - weight**2 - a**2, sp.diff(weight, t) + 2 * weight * root


@dataclass(frozen=True)
class Fall:
    """The loss f = x²/2 at a late time over the first one: at least, as measured, and at most by equation 5."""

    proved: float
    measured: float
    stated: float


def fall(instance: Instance) -> Fall:
    """The three for one weight that is pulled to zero, without decay from the time ``off`` on."""
    m0, w0, alpha, off = instance.m0, instance.w0, instance.alpha, instance.off
    first, scale = abs(m0 * w0), (m0**2 - w0**2) / 2  # |x_0| and u_0 v_0
    last = scale * np.exp(-4 * alpha * off)
    # |x|' = −|x|(2√(x² + a²) + 4α), where |x| and a fall, so the rate is largest at the start.
    held = first * np.exp(-(2 * np.hypot(first, scale) + 4 * alpha) * off)
    least = last / np.sinh(np.arcsinh(last / held) + 2 * last * (instance.time - off))
    end = instance.end()
    rate = 2 * float(EQUATION_5.subs({s: end[s.name] for s in EQUATION_5.free_symbols}))
    return Fall(float((least / first) ** 2), (end["x"] / first) ** 2, float(np.exp(-rate * instance.time)))


def _violation(instance: Instance) -> Violation:
    found = fall(instance)
    excess = float(np.log(found.proved / found.stated))
    return Violation(
        # A trajectory below its proved lower bound would mean that one of the two is wrong.
        excess if found.measured >= found.proved else np.nan,
        f"For f = x²/2, x* = 0 and B = f(x_0), with α = {instance.alpha:g} until t = {instance.off:g}: at "
        f"t = {instance.time:g} equation 5 allows f(x_t)/f(x_0) ≤ {found.stated:.3g}. It is {found.measured:.3g} on a "
        f"trajectory of m and w, and at least {found.proved:.3g} by hand: |x| falls at most at the rate "
        "2√(x_0² + a_0²) + 4α until the decay ends, and then like a/sinh(c + 2at).",
        instance.numbers()
        | {"stated": found.stated, "measured": found.measured, "proved": found.proved, "log_excess": excess},
        "What is compared with the stated bound is a lower bound in closed form, evaluated in double precision.",
    )
