"""Other parameterizations: where printed constants may come from, and three layers."""

from __future__ import annotations

import math

import sympy as sp

from derivations.mask_in_the_mirror.potential import PREFACTOR_2_1, SCALE_3_1, THEOREM_2_1, potential_with
from derivations.mask_in_the_mirror.setting import decay, u0, v0, x
from derivations.ours import PAPER
from implicit_bias import Outcome, Parameterization, Verdict, derive
from implicit_bias.symbolic.zero_test import simplified_to_zero


@PAPER.claim(
    "origin-of-constants",
    statement=(
        r"x = u^2 - v^2 \text{ has the potential printed in Theorem 2.1; under } h = \tfrac12 \sum u^2 + v^2 "
        r"\text{ it keeps the prefactor } \tfrac14, \text{ and its scale } 2u_0v_0e^{-2A} \text{ is the one printed in "
        r"Theorem 3.1}"
    ),
    hypotheses=(r"u_0, v_0 > 0",),
)
def origin_of_constants() -> Verdict:
    """Where the preprint's constants may come from: some are right for another parameterization.

    Derive x = u² − v² with h = (u² + v²)/2 and compare with the constants of Theorems 2.1 and 3.1.
    """
    other = derive(Parameterization("u**2 - v**2", ["u", "v"]), "(u**2 + v**2)/2", time_limit=math.inf)
    if other.potential is None or other.scale is None:
        return Verdict(Outcome.INCONCLUSIVE, "No closed form was found for u² − v².")
    dressed = {"x": x, "A": decay, "u0": u0, "v0": v0}
    potential, scale = (
        found.xreplace({s: dressed[s.name] for s in found.free_symbols}) for found in (other.potential, other.scale)
    )
    differences = (
        sp.expand(potential.xreplace({decay: sp.Integer(0)}) - THEOREM_2_1),
        scale - SCALE_3_1,
        sp.expand(potential - potential_with(PREFACTOR_2_1, scale)),
    )
    if not other.proved or not all(simplified_to_zero(difference) for difference in differences):
        return Verdict(Outcome.INCONCLUSIVE, "The formulas were not shown to be equal.")
    return Verdict(
        Outcome.PROVED,
        "Three differences simplify to zero: of the potential derived for u² − v², at A = 0, and the one printed in "
        "Theorem 2.1; of its scale under decay and the one printed in Theorem 3.1; and of its form under decay and "
        "that of Theorem 2.1 with this scale. The prefactor ½ of Theorem 3.1 is that of x = m w instead.",
    )


DEGREE = 4


@PAPER.claim(
    "three-layers",
    statement=(
        r"[\nabla (abc), \nabla (a^2 + b^2 + c^2)] \ne 0, \text{ and of the polynomials up to degree 4 only the "
        r"multiples of } abc \text{ commute with it, up to constants}"
    ),
    source="by the condition of Li, Wang, Lee & Arora, NeurIPS 2022",
)
def three_layers() -> Verdict:
    """Weight decay on three diagonal layers is no time-dependent mirror flow.

    Compute the bracket with weight decay, and all polynomials that commute with the product.
    """
    layers = Parameterization("a*b*c", ["a", "b", "c"])
    report = layers.commutes_with("a**2 + b**2 + c**2")
    if report.outcome is not Outcome.REFUTED:
        return Verdict(Outcome.INCONCLUSIVE, f"Expected a non-zero bracket, got {report}.")
    found = layers.commuting_regularizers(DEGREE)
    if found != [sp.prod(layers.symbols)]:
        return Verdict(Outcome.INCONCLUSIVE, f"Of degree up to {DEGREE} these commute: {found}.")
    return Verdict(
        Outcome.PROVED,
        f"{report}. The kernel of the bracket on the coefficients of all polynomials up to degree {DEGREE}, by exact "
        "linear algebra, holds a·b·c and nothing else.",
    )
