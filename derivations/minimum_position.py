"""After Theorem 3.1: where the minimum of the time-dependent potential lies."""

from dataclasses import replace

import sympy as sp
from hypothesis import strategies as st
from scipy.optimize import brentq

from derivations.mask import PREPRINT, SIZES_OR_EQUAL, decay, derived, in_uv, judge, u0, v0
from derivations.trajectory import REGULARIZED, Instance, instances
from implicit_bias import Claim, Verdict
from implicit_bias.claims import corrected

STATED = sp.exp(-2 * decay) * (u0**2 - v0**2) / 2


def check() -> Verdict:
    """Hold the stated minimizer against the weight at L_t = 0: there x_t is the minimizer.

    The R_{a_t} printed in Theorem 3.1 has neither: its minimum lies at 2e^{−2A} m_0 w_0.
    """
    true = in_uv(derived().minimizer)
    return judge(
        STATED,
        true,
        rf"\operatorname{{argmin}} R_{{a_t}} = {sp.latex(true)} = e^{{-4A}} m_0 w_0 \text{{ for }} |w_0| < m_0",
        lambda value, end, minimizer: abs(value(minimizer) - end["x"]),
        "|formula - m_t w_t| where L_t = 0",
        instances(alpha=REGULARIZED, target=st.none()).filter(lambda instance: instance.w0 != 0).map(_without_push),
    )


def _without_push(instance: Instance) -> Instance:
    """The same trajectory, but towards a target for which the accumulated gradient ends at zero.

    A weight that decays towards zero lies first beyond a target between its initial value and zero, then short of it.
    """

    def accumulated(target: float) -> float:
        return replace(instance, target=target).end()["L"]

    return replace(instance, target=brentq(accumulated, 0.0, instance.m0 * instance.w0, xtol=1e-15))


CLAIM = Claim(
    id="minimum-position",
    statement=r"\operatorname{argmin} R_{a_t} = e^{-2A} m_0 w_0",
    source=f"{PREPRINT}, after Theorem 3.1",
    hypotheses=(SIZES_OR_EQUAL, r"h = \sum m^2 + w^2"),
    uses=(corrected("thm-3.1"),),
    check=check,
)
