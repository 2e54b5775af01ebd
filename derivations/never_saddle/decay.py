"""Decay of two factors under steepest descent: decoupled, which keeps a potential, against coupled."""

from __future__ import annotations

import sympy as sp

from derivations.never_saddle import PAPER
from implicit_bias import Verdict
from implicit_bias.claims import Statement
from implicit_bias.claims.equation import Equation
from implicit_bias.claims.judge import argue, prove

x, level, q, strength, time = sp.symbols("x lambda q alpha t", positive=True)
m0, w0 = sp.symbols("m0 w0", positive=True)
decay = sp.Symbol("A", positive=True)


@PAPER.claim(
    "decoupled-decay",
    statement=Statement(
        r"z' = -\operatorname{sgn}(f')|f'|^{q-1} - \kappa\alpha_t z,\ z = R_{A_t}'(x_t),\ \kappa = ",
        2 * (2 - q),
        r",\ 1/R_A'' = \sqrt{4|x|^q + \lambda^2 e^{-4qA}}",
    ),
    source="derived here",
    hypotheses=(r"x = m w", r"\theta' = -\operatorname{sgn}(\nabla f)|\nabla f|^{q-1} - 2\alpha_t\theta"),
    uses=("balance", "two-factors"),
)
def decoupled_decay(statement: Statement) -> Verdict:
    """Decoupled decay moves the potential, as for gradient flow, and also forgets what the dual variable has summed."""

    def bend(at: sp.Expr, balance: sp.Expr) -> sp.Expr:
        return 1 / sp.sqrt(4 * at**q + balance**2)

    moved = bend(x, level * sp.exp(-2 * q * decay))
    scaled = sp.exp(4 * decay) * bend(sp.exp(4 * decay) * x, level)
    return argue(
        "Decay alone sends x to e^(−4A)x and λ to e^(−2qA)λ. So R_A'(x) = e^(−κA)R_0'(e^(4A)x), whose slope in x is "
        "that R_A'' for one κ alone; it vanishes where decay alone has led. Its derivative in A is −κR_A'(x) + "
        "4xR_A''(x). With x' = −sgn(f')|f'|^(q−1)/R_A''(x) − 4αx, z' has the terms ∓4αxR_A''(x), which cancel.",
        stated=Equation(sp.exp(-2 * statement.formula * decay), (moved / scaled) ** 2, says="the square of e^(−κA)"),
    )


@PAPER.claim(
    "coupled-decay",
    statement=Statement(
        r"|m_t| - |w_t| = ",
        m0 - w0,
        r" \text{ if decay is coupled, } ",
        (m0 - w0) * sp.exp(-2 * strength * time),
        r" \text{ if it is decoupled}",
    ),
    source="derived here",
    hypotheses=(r"x = m w,\ q = 1", r"h = m^2 + w^2", r"f' > 0,\ m, w > 0 \text{ up to time } t"),
)
def coupled_decay(statement: Statement) -> Verdict:
    """Inside the sign, decay that pulls as the loss does changes nothing, and so leaves the balance as it is."""
    coupled, decoupled = statement.formulas
    m, w = ((first + 1 / (2 * strength)) * sp.exp(-2 * strength * time) - 1 / (2 * strength) for first in (m0, w0))
    return prove(
        "With f' > 0 both entries of ∇f + α∇h are positive: m' = w' = −1. Decoupled, m' = −1 − 2αm and w' = −1 − 2αw.",
        Equation(sp.diff(m, time), -1 - 2 * strength * m, says="m under decoupled decay"),
        Equation(sp.diff(w, time), -1 - 2 * strength * w, says="w under decoupled decay"),
        Equation(decoupled, m - w, says="the balance under decoupled decay"),
        stated=Equation(
            coupled * (m0 + w0 - 2 * time), (m0 - time) ** 2 - (w0 - time) ** 2, says="m² − w² under coupled decay"
        ),
    )
