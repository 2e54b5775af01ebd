"""After Theorem 3.1: where the minimum of the time-dependent potential lies."""

import sympy as sp
from scipy.optimize import brentq

from derivations.mask import PREPRINT, SIZES, Instance, decay, derived, in_uv, judge, u0, v0
from implicit_bias import Claim, Verdict

STATED = sp.exp(-2 * decay) * (u0**2 - v0**2) / 2


def check() -> Verdict:
    """Hold the stated minimizer against the weight at L_t = 0.

    The target is chosen so that the accumulated gradient happens to vanish at the end; there x_t is the minimizer.
    """
    true = in_uv(derived().minimizer)
    return judge(
        STATED,
        true,
        rf"\operatorname{{argmin}} R_{{a_t}} = {sp.latex(true)} = e^{{-4A}} m_0 w_0",
        lambda value, end, minimizer: abs(value(minimizer) - end["x"]),
        "|formula - m_t w_t| where L_t = 0",
        _instance_without_push(),
    )


def _instance_without_push() -> Instance:
    """A trajectory whose accumulated gradient ends at zero: its target is a root."""

    def instance(target: float) -> Instance:
        return Instance(w0=0.5, target=target, alpha=0.25)

    return instance(brentq(lambda target: instance(target).end()["L"], 0.0, 1.0, xtol=1e-15))


CLAIM = Claim(
    id="minimum-position",
    statement=r"\operatorname{argmin} R_{a_t} = e^{-2A} m_0 w_0",
    source=f"{PREPRINT}, after Theorem 3.1",
    hypotheses=(SIZES, r"h = \sum m^2 + w^2"),
    uses=("thm-3.1",),
    check=check,
)
