"""With constant strength, training the mask is LASSO."""

import sympy as sp

from derivations.mask import m, prove, slope, strength, w
from implicit_bias import Claim, Verdict

gradient_at = {p: sp.diff(m * w, p) * slope + strength * sp.diff(m**2 + w**2, p) for p in (m, w)}


def check() -> Verdict:
    """Compare both objectives on the fibre m w = x, then both conditions for a stationary point."""
    m_size, w_size, sign = sp.Symbol("M", nonnegative=True), sp.Symbol("W", nonnegative=True), sp.Symbol("s", real=True)
    # At m = w = 0 a coordinate's own block of the Hessian; f'' does not enter, as it is multiplied by m and w.
    hessian = sp.Matrix([[sp.diff(gradient_at[p], q) for q in (m, w)] for p in (m, w)])
    return prove(
        "α(m² + w²) − 2α|mw| = α(|m| − |w|)² ≥ 0, with equality if |m| = |w|: so the least value on mw = x is 2α|x|. "
        "At a stationary point m ∂_m − w ∂_w = 2α(m² − w²) vanishes, so w = sm with s = ±1; if x ≠ 0, then "
        "∂_m = m(sf' + 2α) gives f' = −2α sign x, the LASSO's condition. If x = 0, then m = w = 0, where the Hessian "
        "has the eigenvalues 2α ± f' and is positive semi-definite if and only if |f'| ≤ 2α, again the LASSO's "
        "condition. Conversely a minimizer of the LASSO, balanced, minimizes the loss of m and w.",
        strength * (m_size**2 + w_size**2) - 2 * strength * m_size * w_size - strength * (m_size - w_size) ** 2,
        m * gradient_at[m] - w * gradient_at[w] - 2 * strength * (m**2 - w**2),
        gradient_at[m].xreplace({w: sign * m}) - m * (sign * slope + 2 * strength),
        hessian.trace() - 4 * strength,
        hessian.det() - (2 * strength - slope) * (2 * strength + slope),
    )


CLAIM = Claim(
    id="lasso",
    statement=(
        r"\min\{\alpha(m^2 + w^2) : m w = x\} = 2\alpha|x|, \text{ and the second-order stationary points "
        r"minimize } f(x) + 2\alpha\|x\|_1"
    ),
    source="this project",
    hypotheses=(r"f \text{ convex, twice differentiable}", r"\alpha_t = \alpha > 0"),
    check=check,
)
