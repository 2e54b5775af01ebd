"""Which separable regularizers keep the mirror flow of a sum g_1(m) + g_2(w)."""

import sympy as sp

from derivations.mask import MIRROR, m, w
from implicit_bias import Claim, Verdict
from implicit_bias.claims.judge import prove
from implicit_bias.symbolic.commuting import lie_bracket


def check() -> Verdict:
    """Compute the bracket for arbitrary functions; the mask is a case after a rotation of its parameters."""
    g1, g2, h1, h2 = (sp.Function(name) for name in ("g1", "g2", "h1", "h2"))
    bracket = _bracket(g1(m) + g2(w), h1(m) + h2(w))
    quotients = sp.Matrix([_weighted_slope(g1, h1, m), _weighted_slope(g2, h2, w)])
    u, v = (m + w) / sp.sqrt(2), (m - w) / sp.sqrt(2)
    turned = {m: u, w: v}  # orthogonal, so gradients turn with it
    return prove(
        "The bracket's components minus (g_i')² d/dθ (h_i'/g_i') simplify to zero for arbitrary g_i and h_i. So the "
        "bracket vanishes where g_i' ≠ 0 if and only if h_i'/g_i' is a constant c_i, which integrates to "
        "h_i = c_i g_i + const. The mask is the case g = (u² − v²)/2, h = u² + v², c = (2, −2): with u and v for the "
        "rotated m and w, m w − (u² − v²)/2 and m² + w² − (2 u²/2 + (−2)(−v²/2)) simplify to zero.",
        *(_pointwise(residual) for residual in bracket - quotients),
        m * w - ((m**2 - w**2) / 2).xreplace(turned),
        m**2 + w**2 - (2 * m**2 / 2 + (-2) * (-(w**2) / 2)).xreplace(turned),
    )


def _bracket(g: sp.Expr, h: sp.Expr) -> sp.Matrix:
    first, second = (sp.Matrix([sp.diff(f, m), sp.diff(f, w)]) for f in (g, h))
    return lie_bracket(first, second, (m, w))


def _weighted_slope(g: sp.Expr, h: sp.Expr, parameter: sp.Symbol) -> sp.Expr:
    """(g')² d/dθ (h'/g')."""
    slope = sp.diff(g(parameter), parameter)
    return slope**2 * sp.diff(sp.diff(h(parameter), parameter) / slope, parameter)


def _pointwise(residual: sp.Expr) -> sp.Expr:
    """The derivatives of unknown functions as independent numbers, which is what they are at one point."""
    derivatives = sorted(residual.atoms(sp.Derivative), key=str)
    return residual.xreplace({d: sp.Symbol(f"d{k}", real=True) for k, d in enumerate(derivatives)})


CLAIM = Claim(
    id="separable-terms",
    statement=(
        r"[\nabla (g_1(m) + g_2(w)),\, \nabla (h_1(m) + h_2(w))] = 0 \iff "
        r"h_1 = c_1 g_1 + \mathrm{const},\ h_2 = c_2 g_2 + \mathrm{const}"
    ),
    source=f"{MIRROR}, on separable parameterizations; derived here",
    hypotheses=(r"g_1', g_2' \ne 0", "all functions are twice differentiable, on intervals"),
    check=check,
)
