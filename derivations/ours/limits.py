"""The potential of the mask between a squared L2 norm and an L1 norm."""

from __future__ import annotations

import sympy as sp

from derivations.mask_in_the_mirror import PAPER as PREPRINT
from derivations.mask_in_the_mirror.setting import at_scale, prove
from derivations.ours import PAPER
from implicit_bias import Outcome, Verdict

L1_FACTOR = sp.Rational(1, 2)


@PAPER.claim(
    "l1-limit",
    statement=r"R_a(x) = \tfrac12 \|x\|_1 \log\tfrac1a + O(1) \text{ as } a \to 0",
    source=f"what holds instead of the limit in {PREPRINT.citation}, after Theorem 3.1",
    hypotheses=(r"u_0 = v_0",),
    figure="figures/figure1c/figure.png",
)
def l1_limit() -> Verdict:
    """For a small scale the potential is an L1 norm.

    Split off log(1/a) and show that the rest stays finite as a → 0; R_a is even, so x > 0 suffices.
    """
    a, size = sp.symbols("a x", positive=True)
    root = sp.sqrt(size**2 + a**2)
    rest = (size * sp.log(size + root) - root) / 2
    limit = rest.xreplace({a: sp.Integer(0)})
    if not sp.simplify(limit).is_finite:
        return Verdict(Outcome.INCONCLUSIVE, f"The limit {limit} of the remainder was not shown to be finite.")
    return prove(
        "R_a(x) − ½|x| log(1/a) − ½[|x| log(|x| + √(x² + a²)) − √(x² + a²)] simplifies to zero, and the last term is "
        "continuous at a = 0, where it is ½|x|(log 2|x| − 1).",
        at_scale(a, size) - L1_FACTOR * size * sp.log(1 / a) - rest,
    )


L2_FACTOR = sp.Rational(1, 4)


@PAPER.claim(
    "l2-limit",
    statement=(
        r"0 \le \tfrac{1}{4a}\|x\|_2^2 - \big(R_a(x) + \tfrac{na}{2}\big) \le \tfrac{1}{48a^3}\|x\|_4^4, "
        r"\text{ so } R_a + \tfrac{na}{2} \sim \tfrac{1}{4a}\|x\|_2^2 \text{ as } a \to \infty"
    ),
    hypotheses=(r"u_0 = v_0",),
    figure="figures/figure1c/figure.png",
)
def l2_limit() -> Verdict:
    """For a large scale the potential is a squared L2 norm.

    Bound the second derivative from both sides and integrate twice from zero.

    With x = a y, R_a = a G(y) and 4 G''(y) = 2/√(1+y²) lies between 2 − y² and 2, as 1 − q/2 ≤ (1+q)^{−1/2} ≤ 1.
    """
    a, y = sp.Symbol("a", positive=True), sp.Symbol("y", real=True)
    shape = sp.expand((at_scale(a, a * y) + a / 2) / a)
    second = 1 / (2 * sp.sqrt(1 + y**2))
    leading = L2_FACTOR * y**2
    return prove(
        "With y = x/a, G = (R_a + a/2)/a is a function of y with G(0) = G'(0) = 0 and G'' = 1/(2√(1+y²)) (identities "
        "that simplify to zero). As 1 − y²/2 ≤ (1+y²)^(−1/2) ≤ 1, two integrations give "
        "0 ≤ x²/(4a) − R_a(x) − a/2 ≤ x⁴/(48a³), and a times the error tends to zero.",
        sp.diff(shape, y, 2) - second,
        shape.xreplace({y: sp.Integer(0)}),
        sp.diff(shape, y).xreplace({y: sp.Integer(0)}),
        sp.diff(leading, y, 2) - second.xreplace({y: sp.Integer(0)}),
    )


@PAPER.claim(
    "local-exponent",
    statement=(
        r"p(s) = \frac{d \log (R_a(s) - R_a(0))}{d \log s} = \frac{1}{1 - \tanh(q/2)/q}, \ "
        r"q = \operatorname{arcsinh}(s/a), "
        r"\ \text{falls from 2 to 1 as } s/a \text{ grows from } 0 \text{ to } \infty"
    ),
    hypotheses=(r"u_0 = v_0", r"s > 0"),
    figure="figures/figure1c/figure.png",
)
def local_exponent() -> Verdict:
    """The local exponent of the potential, which measures where it stands between L2 and L1.

    Write the exponent s R'(s)/(R(s) − R(0)) in q = arcsinh(s/a) and show that it falls.
    """
    a, s, q = sp.symbols("a s q", positive=True)
    potential = at_scale(a, s)
    growth = potential - at_scale(a, sp.Integer(0))
    ratio = sp.tanh(q / 2) / q
    return prove(
        "R(s) − R(0) − ½[s arcsinh(s/a) − √(s² + a²) + a] and R'(s) − ½ arcsinh(s/a) simplify to zero, so with "
        "s = a sinh q the exponent s R'/(R − R(0)) is q sinh q/(q sinh q − cosh q + 1), which equals "
        "1/(1 − tanh(q/2)/q). The slope of tanh(q/2)/q is (q − sinh q)/(2q² cosh²(q/2)), negative as sinh q > q, and "
        "its limits are ½ for q → 0 and 0 for q → ∞: the exponent falls from 2 to 1.",
        growth - (s * sp.asinh(s / a) - sp.sqrt(s**2 + a**2) + a) / 2,
        sp.diff(potential, s) - sp.asinh(s / a) / 2,
        q * sp.sinh(q) * (1 - ratio) - (q * sp.sinh(q) - sp.cosh(q) + 1),
        sp.diff(ratio, q) - (q - sp.sinh(q)) / (2 * q**2 * sp.cosh(q / 2) ** 2),
        sp.limit(ratio, q, 0) - sp.Rational(1, 2),
        sp.limit(ratio, q, sp.oo),
    )
