"""The local exponent of the potential, which measures where it stands between L2 and L1."""

import sympy as sp

from derivations.mask import at_scale, prove
from implicit_bias import Claim, Verdict


def check() -> Verdict:
    """Write the exponent s R'(s)/(R(s) − R(0)) in q = arcsinh(s/a) and show that it falls."""
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


CLAIM = Claim(
    id="local-exponent",
    statement=(
        r"p(s) = \frac{d \log (R_a(s) - R_a(0))}{d \log s} = \frac{1}{1 - \tanh(q/2)/q}, \ "
        r"q = \operatorname{arcsinh}(s/a), "
        r"\ \text{falls from 2 to 1 as } s/a \text{ grows from } 0 \text{ to } \infty"
    ),
    source="this project",
    hypotheses=(r"u_0 = v_0", r"s > 0"),
    figure="figures/figure1c/figure.png",
    check=check,
)
