"""The potential of the mask between a squared L2 norm and an L1 norm."""

from __future__ import annotations

import sympy as sp

from derivations.mask_in_the_mirror import PAPER as PREPRINT
from derivations.mask_in_the_mirror.setting import argue, at_scale
from derivations.ours import PAPER
from implicit_bias import Statement, Verdict
from implicit_bias.claims.equation import Equation

a, s, q, norm = sp.symbols("a s q X", positive=True)  # scale, |x|, arcsinh(s/a), and the norm that a statement names


@PAPER.claim(
    "l1-limit",
    statement=Statement("R_a(x) = ", norm * sp.log(1 / a) / 2, r" + O(1) \text{ as } a \to 0, \quad X = \|x\|_1"),
    source=f"what holds instead of the limit in {PREPRINT.citation}, after Theorem 3.1",
    hypotheses=(r"u_0 = v_0",),
    figure="figures/figure1c/figure.png",
)
def l1_limit(statement: Statement) -> Verdict:
    """For a small scale the potential is an L1 norm.

    Split off log(1/a) and show that the rest stays finite as a → 0; R_a is even, so x > 0 suffices.
    """
    root = sp.sqrt(s**2 + a**2)
    rest = (s * sp.log(s + root) - root) / 2
    return argue(
        "Weights add up, and R_a is even. The last term, ½[s log(s + √(s² + a²)) − √(s² + a²)], is continuous at a = "
        "0, where it is ½s(log 2s − 1): it stays bounded.",
        Equation(statement.formula.subs(norm, s) + rest, at_scale(a, s), "R_a(s), split"),
        Equation(rest.subs(a, 0), s * (sp.log(2 * s) - 1) / 2, "the rest at a = 0"),
    )


l2_norm, l4_norm, count = sp.symbols("X_2 X_4 n", positive=True)


@PAPER.claim(
    "l2-limit",
    statement=Statement(
        r"0 \le ",
        l2_norm**2 / (4 * a),
        r" - \Big(R_a(x) + ",
        count * a / 2,
        r"\Big) \le ",
        l4_norm**4 / (48 * a**3),
        r", \quad X_p = \|x\|_p, \text{ so } R_a + \tfrac{na}{2} \sim \tfrac{1}{4a}\|x\|_2^2 \text{ as } a \to \infty",
    ),
    hypotheses=(r"u_0 = v_0",),
    figure="figures/figure1c/figure.png",
)
def l2_limit(statement: Statement) -> Verdict:
    """For a large scale the potential is a squared L2 norm.

    Bound the second derivative of the error from both sides and integrate twice from zero.
    """
    square, constant, fourth = (each.subs({l2_norm: s, l4_norm: s, count: 1}) for each in statement.formulas)
    growth = at_scale(a, s)
    error = sp.diff(square - growth, s, 2)
    return argue(
        "Weights add up, and R_a is even. The error E = s²/(4a) − R_a(s) − a/2 has E(0) = E'(0) = 0 and "
        "E'' = 1/(2a) − 1/(2√(s² + a²)). As 1 − y²/2 ≤ (1 + y²)^(−1/2) ≤ 1 for y = s/a, E'' lies between 0 and "
        "s²/(4a³), and two integrations give both bounds; a times the second tends to zero. E'' over s²/(4a³) is "
        "2/(r(1 + r)) with r = √(1 + y²), which tends to 1 for y → 0, so no smaller fourth power will do.",
        Equation(error, 1 / (2 * a) - 1 / (2 * sp.sqrt(s**2 + a**2)), "E''"),
        (constant, -growth.subs(s, 0)),
        (sp.diff(square - growth, s).subs(s, 0), sp.Integer(0)),
        Equation(
            sp.diff(fourth, s, 2) * 2 * a**2,
            error * sp.sqrt(s**2 + a**2) * (a + sp.sqrt(s**2 + a**2)),
            "E'' is s²/(4a³) times 2/(r(1 + r))",
        ),
        (fourth.subs(s, a), a / 48),
    )


@PAPER.claim(
    "local-exponent",
    statement=Statement(
        r"p(s) = \frac{d \log (R_a(s) - R_a(0))}{d \log s} = ",
        1 / (1 - sp.tanh(q / 2) / q),
        r", \ q = ",
        sp.asinh(s / a),
        r", \ \text{falls from 2 to 1 as } s/a \text{ grows from } 0 \text{ to } \infty",
    ),
    hypotheses=(r"u_0 = v_0", r"s > 0"),
    figure="figures/figure1c/figure.png",
)
def local_exponent(statement: Statement) -> Verdict:
    """The local exponent of the potential, which measures where it stands between L2 and L1.

    Write the exponent s R'(s)/(R(s) − R(0)) in q = arcsinh(s/a) and show that it falls.
    """
    exponent, place = statement.formulas
    growth = at_scale(a, s) - at_scale(a, sp.Integer(0))
    ratio = sp.tanh(q / 2) / q
    return argue(
        "With s = a sinh q the exponent s R'/(R − R(0)) is q sinh q/(q sinh q − cosh q + 1), the stated one. The slope "
        "of tanh(q/2)/q is negative, as sinh q > q, and its limits are ½ for q → 0 and 0 for q → ∞: the exponent falls "
        "from 2 to 1.",
        (sp.sinh(place), s / a),
        (growth, (s * sp.asinh(s / a) - sp.sqrt(s**2 + a**2) + a) / 2),
        (sp.sinh(2 * sp.diff(at_scale(a, s), s)), s / a),
        Equation(sp.diff(ratio, q), (q - sp.sinh(q)) / (2 * q**2 * sp.cosh(q / 2) ** 2), "the slope of tanh(q/2)/q"),
        stated=Equation(exponent, q * sp.sinh(q) / (q * sp.sinh(q) - sp.cosh(q) + 1), "the exponent"),
    )
