"""Where the preprint's constants come from: they are right for another parameterization."""

import math

import sympy as sp

from derivations import theorem_3_1
from derivations.mask import decay, u0, v0, x
from implicit_bias import Claim, Outcome, Parameterization, Verdict, derive
from implicit_bias.symbolic.zero_test import simplified_to_zero


def check() -> Verdict:
    """Derive x = u² − v² with h = (u² + v²)/2 and compare with the formula of Theorem 3.1."""
    other = derive(Parameterization("u**2 - v**2", ["u", "v"]), "(u**2 + v**2)/2", time_limit=math.inf)
    if other.potential is None:
        return Verdict(Outcome.INCONCLUSIVE, "No closed form was found for u² − v².")
    dressed = {"x": x, "A": decay, "u0": u0, "v0": v0}
    potential = other.potential.xreplace({s: dressed[s.name] for s in other.potential.free_symbols})
    if not other.proved or not simplified_to_zero(sp.expand(potential - theorem_3_1.STATED)):
        return Verdict(Outcome.INCONCLUSIVE, "The two formulas were not shown to be equal.")
    return Verdict(Outcome.PROVED, "The potential derived for u² − v² minus the one of Theorem 3.1 simplifies to zero.")


CLAIM = Claim(
    id="origin-of-constants",
    statement=(
        r"\text{The potential stated in Theorem 3.1 is that of } x = u^2 - v^2 \text{ trained with } "
        r"h = \tfrac12 \sum u^2 + v^2."
    ),
    source="this project",
    hypotheses=(r"u_0, v_0 > 0",),
    check=check,
)
