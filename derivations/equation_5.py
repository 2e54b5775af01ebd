"""Theorem 3.2, equation 5: the linear rate after regularization has ended."""

import numpy as np
import sympy as sp

from derivations.lipschitz import least_metric
from derivations.mask import (
    PREPRINT,
    SIZES,
    Instance,
    decay,
    judge_constant,
    prove,
    u0,
    v0,
    weight_velocity,
)
from implicit_bias import Claim, Outcome, Verdict

STATED = 2 * u0 * v0 * sp.exp(-2 * decay)  # the factor of λ


def check() -> Verdict:
    """Measure the rate for f = x²/2, for which λ = 2 is sharp, between two times after the decay has ended.

    A rate is what remains when prefactors do not matter: with the stated one the loss would lie below any multiple of
    its bound in the end.
    """
    least, excess = least_metric()
    if not excess.is_nonnegative:
        return Verdict(Outcome.INCONCLUSIVE, f"The sign of {excess} is open.")
    instance = Instance(w0=0.5, target=0.0, alpha=0.5, off=1.0, time=20.0)
    m, w, _ = instance.path(np.array([10.0, 20.0]))
    measured = float(np.log((m * w)[0] ** 2 / (m * w)[1] ** 2) / 10)
    at_end = instance.end()
    stated, true = (2 * float(r.subs({s: at_end[s.name] for s in r.free_symbols})) for r in (STATED, least))
    if measured < true - 1e-9:
        return Verdict(Outcome.INCONCLUSIVE, f"The measured rate {measured:.6g} is below the derived one {true:.6g}.")
    return judge_constant(
        STATED,
        least,
        prove(
            f"After T, df/dt = −Σ (∂_i f)²/R''; (1/R'')² exceeds its value {least} at x = 0, squared, by {excess} ≥ 0, "
            "and Grönwall's lemma gives the rate.",
            least - 2 * u0 * v0 * sp.exp(-4 * decay),
            *weight_velocity()[1],
        ),
        r"f(x_t) - f^* \le (f(x_T) - f^*)\, e^{-2\lambda \min_i u_{0,i} v_{0,i} e^{-4A_\infty} (t - T)}",
        f"Rate of f(x) = x²/2 between t = 10 and 20 after decay until t = 1: stated at least {stated:.4f}, measured "
        f"{measured:.4f}, derived at least {true:.4f}.",
        stated - measured,
        {"m0": 1.0, "w0": 0.5, "target": 0.0, "alpha": 0.5, "off": 1.0, "from": 10.0, "to": 20.0}
        | {"stated_rate": stated, "measured_rate": measured, "derived_rate": true},
    )


CLAIM = Claim(
    id="eq-5",
    statement=(
        r"f(x_t) - f^* \le (f(x_T) - f^*)\, e^{-\lambda a_\infty (t - T)}, \quad "
        r"a_\infty = 2 \min_i u_{0,i} v_{0,i}\, e^{-2A_\infty}"
    ),
    source=f"{PREPRINT}, Theorem 3.2 and equation 5",
    hypotheses=(SIZES, r"\|\nabla f\|_2^2 \ge \lambda (f - f^*)", r"\alpha_t = 0 \text{ for } t \ge T"),
    uses=("lipschitz", "lem-a.2"),
    check=check,
)
