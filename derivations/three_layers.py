"""Weight decay on three diagonal layers is no time-dependent mirror flow."""

import sympy as sp

from implicit_bias import Claim, Outcome, Parameterization, Verdict

DEGREE = 4


def check() -> Verdict:
    """Compute the bracket with weight decay, and all polynomials that commute with the product."""
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


CLAIM = Claim(
    id="three-layers",
    statement=(
        r"[\nabla (abc), \nabla (a^2 + b^2 + c^2)] \ne 0, \text{ and of the polynomials up to degree 4 only the "
        r"multiples of } abc \text{ commute with it, up to constants}"
    ),
    source="this project; condition of Li, Wang, Lee & Arora, NeurIPS 2022",
    check=check,
)
