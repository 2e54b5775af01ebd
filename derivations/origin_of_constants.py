"""Where the preprint's constants may come from: some are right for another parameterization."""

import math

import sympy as sp

from derivations import theorem_2_1, theorem_3_1
from derivations.mask import decay, u0, v0, x
from implicit_bias import Claim, Outcome, Parameterization, Verdict, derive
from implicit_bias.symbolic.zero_test import simplified_to_zero


def check() -> Verdict:
    """Derive x = u² − v² with h = (u² + v²)/2 and compare with the constants of Theorems 2.1 and 3.1."""
    other = derive(Parameterization("u**2 - v**2", ["u", "v"]), "(u**2 + v**2)/2", time_limit=math.inf)
    if other.potential is None or other.scale is None:
        return Verdict(Outcome.INCONCLUSIVE, "No closed form was found for u² − v².")
    dressed = {"x": x, "A": decay, "u0": u0, "v0": v0}
    potential, scale = (
        found.xreplace({s: dressed[s.name] for s in found.free_symbols}) for found in (other.potential, other.scale)
    )
    differences = (
        sp.expand(potential.xreplace({decay: sp.Integer(0)}) - theorem_2_1.STATED),
        scale - theorem_3_1.SCALE,
        sp.expand(potential - theorem_2_1.potential_with(theorem_2_1.PREFACTOR, scale)),
    )
    if not other.proved or not all(simplified_to_zero(difference) for difference in differences):
        return Verdict(Outcome.INCONCLUSIVE, "The formulas were not shown to be equal.")
    return Verdict(
        Outcome.PROVED,
        "Three differences simplify to zero: of the potential derived for u² − v², at A = 0, and the one printed in "
        "Theorem 2.1; of its scale under decay and the one printed in Theorem 3.1; and of its form under decay and "
        "that of Theorem 2.1 with this scale. The prefactor ½ of Theorem 3.1 is that of x = m w instead.",
    )


CLAIM = Claim(
    id="origin-of-constants",
    statement=(
        r"x = u^2 - v^2 \text{ has the potential printed in Theorem 2.1; under } h = \tfrac12 \sum u^2 + v^2 "
        r"\text{ it keeps the prefactor } \tfrac14, \text{ and its scale } 2u_0v_0e^{-2A} \text{ is the one printed in "
        r"Theorem 3.1}"
    ),
    source="this project",
    hypotheses=(r"u_0, v_0 > 0",),
    check=check,
)
