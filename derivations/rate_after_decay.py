"""The linear rate of the loss once regularization has ended."""

from dataclasses import replace

import numpy as np
import sympy as sp
from hypothesis import strategies as st

from derivations.lipschitz import least_metric
from derivations.mask import (
    CONFIRMED_BELOW,
    PREPRINT,
    SIZES,
    Violation,
    decay,
    judge_constant,
    prove,
    u0,
    v0,
    weight_velocity,
)
from derivations.trajectory import REGULARIZED, Instance, instances
from implicit_bias import Claim, Outcome, Verdict

STATEMENT = (
    r"f(x_t) - f^* \le (f(x_T) - f^*)\, e^{-\lambda \sigma_\infty (t - T)} \text{ for } t \ge T, \quad "
    r"\sigma_\infty = 2 \min_i u_{0,i} v_{0,i}\, e^{-4A_\infty}"
)
STATED = 2 * u0 * v0 * sp.exp(-4 * decay)  # the factor of λ


def check() -> Verdict:
    """Derive the rate; one that is stated too high is refuted by the loss f = x²/2, for which λ = 2 is sharp.

    With the stated rate that loss would lie below its bound at any two times after the decay; one pair refutes it.
    """
    least, excess = least_metric()
    if not excess.is_nonnegative:
        return Verdict(Outcome.INCONCLUSIVE, f"The sign of {excess} is open.")
    return judge_constant(
        STATED,
        least,
        prove(
            f"After T, df/dt = −Σ (∂_i f)²/R''; (1/R'')² exceeds its value {least} at x = 0, squared, by {excess} ≥ 0, "
            "and Grönwall's lemma gives the rate.",
            *weight_velocity()[1],
        ),
        STATEMENT,
        lambda instance: _violation(instance, least),
        instances(alpha=REGULARIZED, target=st.just(0.0))
        .filter(lambda instance: instance.w0 != 0)
        .map(_with_later_end),
    )


def _with_later_end(instance: Instance) -> Instance:
    """The decay ends at the time drawn, and the trajectory 1 later."""
    return replace(instance, off=instance.time, time=instance.time + 1)


def _violation(instance: Instance, least: sp.Expr) -> Violation:
    m, w, _ = instance.path(np.array([instance.off, instance.time]))
    early, late = np.abs(m * w)
    measured = float(2 * np.log(early / late) / (instance.time - instance.off))
    end = instance.end()
    stated, true = (2 * float(rate.subs({s: end[s.name] for s in rate.free_symbols})) for rate in (STATED, least))
    # Where the loss decays even more slowly than the derived rate, the measurement is at fault.
    excess = stated - measured if measured >= true - CONFIRMED_BELOW else np.nan
    return Violation(
        excess,
        f"Rate of f(x) = x²/2 between t = {instance.off:g} and {instance.time:g}, with decay until then: stated at "
        f"least {stated:.4f}, measured {measured:.4f}, derived at least {true:.4f}.",
        instance.numbers() | {"stated_rate": stated, "measured_rate": measured, "derived_rate": true},
    )


CLAIM = Claim(
    id="rate-after-decay",
    statement=STATEMENT,
    source=f"this project; what holds instead of {PREPRINT}, equation 5",
    hypotheses=(
        SIZES,
        r"h = \sum m^2 + w^2",
        r"\|\nabla f\|_2^2 \ge \lambda (f - f^*)",
        r"\alpha_t = 0 \text{ for } t \ge T",
    ),
    uses=("lipschitz",),
    check=check,
)
