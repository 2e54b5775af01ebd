"""For a large scale the potential is a squared L2 norm."""

import sympy as sp

from derivations.mask import at_scale, prove
from implicit_bias import Claim, Verdict

STATED_FACTOR = sp.Rational(1, 4)


def check() -> Verdict:
    """Bound the second derivative from both sides and integrate twice from zero.

    With x = a y, R_a = a G(y) and 4 G''(y) = 2/√(1+y²) lies between 2 − y² and 2, as 1 − q/2 ≤ (1+q)^{−1/2} ≤ 1.
    """
    a, y = sp.Symbol("a", positive=True), sp.Symbol("y", real=True)
    shape = sp.expand((at_scale(a, a * y) + a / 2) / a)
    second = 1 / (2 * sp.sqrt(1 + y**2))
    leading = STATED_FACTOR * y**2
    return prove(
        "With y = x/a, G = (R_a + a/2)/a is a function of y with G(0) = G'(0) = 0 and G'' = 1/(2√(1+y²)) (identities "
        "that simplify to zero). As 1 − y²/2 ≤ (1+y²)^(−1/2) ≤ 1, two integrations give "
        "0 ≤ x²/(4a) − R_a(x) − a/2 ≤ x⁴/(48a³), and a times the error tends to zero.",
        sp.diff(shape, y, 2) - second,
        shape.xreplace({y: sp.Integer(0)}),
        sp.diff(shape, y).xreplace({y: sp.Integer(0)}),
        sp.diff(leading, y, 2) - second.xreplace({y: sp.Integer(0)}),
    )


CLAIM = Claim(
    id="l2-limit",
    statement=(
        r"0 \le \tfrac{1}{4a}\|x\|_2^2 - \big(R_a(x) + \tfrac{na}{2}\big) \le \tfrac{1}{48a^3}\|x\|_4^4, "
        r"\text{ so } R_a + \tfrac{na}{2} \sim \tfrac{1}{4a}\|x\|_2^2 \text{ as } a \to \infty"
    ),
    source="this project",
    hypotheses=(r"u_0 = v_0",),
    figure="figures/figure1c/figure.png",
    check=check,
)
