"""Lemma A.3: a Lyapunov function under regularization."""

import sympy as sp

from derivations.mask import (
    DECAY,
    PREPRINT,
    SIZES,
    decay,
    derived,
    in_uv,
    prove,
    slope,
    strength,
    weight_velocity,
    x,
)
from implicit_bias import Claim, Outcome, Verdict
from implicit_bias.claims import corrected

MINIMIZER = sp.Symbol("q", real=True)  # x*


def change() -> sp.Expr:
    """The time derivative of D_{R_A}(x*, x_t) − R_A(x*), which differs from W_t by a constant."""
    potential, (velocity, _) = in_uv(derived().potential), weight_velocity()
    lyapunov = -potential - sp.diff(potential, x) * (MINIMIZER - x)
    return sp.diff(lyapunov, x) * velocity + sp.diff(lyapunov, decay) * strength


def check() -> Verdict:
    """Differentiate along the flow of x; convexity of the loss decides the sign."""
    metric = in_uv(derived().metric)
    if not metric.is_positive:
        return Verdict(Outcome.INCONCLUSIVE, f"The sign of {metric} is open.")
    return prove(
        "Per coordinate dW/dt + α(∇²R)⁻¹ + f'·(x − x*) simplifies to zero. The metric is positive, and for convex f "
        "⟨∇f, x − x*⟩ ≥ f(x) − f* ≥ 0, so dW/dt ≤ −(f(x_t) − f*) ≤ 0.",
        change() + strength * metric + slope * (x - MINIMIZER),
        *weight_velocity()[1],
    )


CLAIM = Claim(
    id="lem-a.3",
    statement=(
        r"W_t = D_{R_{a_t}}(x^*, x_t) + R_{a_\infty}(x^*) - R_{a_t}(x^*) \text{ is non-increasing, with } "
        r"\frac{dW_t}{dt} \le -(f(x_t) - f(x^*))"
    ),
    source=(
        f"this project, for convex f and the W_t written here, of {PREPRINT}, Lemma A.3 (as printed: quasi-convex f, "
        "bounded iterates that converge to a critical point; not judged)"
    ),
    hypotheses=(SIZES, r"f \text{ convex with minimizer } x^*", DECAY, r"h = \sum m^2 + w^2"),
    uses=(
        corrected("thm-3.1"),
        "decay-monotone",
    ),
    check=check,
)
