"""The flow with noise in the row space: its scale shrinks by the quadratic variation, and its end is a projection."""

from __future__ import annotations

import sympy as sp

from derivations.stochastic_flow import PAPER
from implicit_bias import Statement, Verdict
from implicit_bias.claims import Equation, judge

# x = w₊² − w₋² in the coordinates u = (w₊ + w₋)/2 and v = (w₊ − w₋)/2, where w₊w₋ = u² − v².
u, v = sp.symbols("u v", positive=True)
g, s = sp.symbols("g s", real=True)  # slope of the loss in x, and size of the noise
gamma, loss, curvature = sp.symbols("gamma L H", positive=True)
x = sp.Symbol("x", real=True)
alpha = sp.Symbol("alpha", positive=True)
FLOW = r"dw_\pm = \mp w_\pm \odot (2 \nabla L\, dt - s\, dB), \ x = w_+^2 - w_-^2"
SQUARED = r"L(x) = \|Zx - y\|^2/(4n)"
NOISE = (
    r"s_i^2 = 4\gamma \big(\tfrac1n \sum_j (r_j/2)^2\big) \big(\tfrac1n \sum_j Z_{ji}^2\big), \ r = Zx - y: "
    r"\text{ residuals and data of SGD with the step } \gamma \text{ vary as if independent}"
)
RESULT = "as summarized by Lyu and Zhu (the scale is smaller than at the start)"


def ito(f: sp.Expr) -> tuple[sp.Expr, sp.Expr]:
    """Drift and noise of f(u, v) for du = v(−2g dt + s dB), dv = u(−2g dt + s dB)."""
    first = sp.diff(f, u) * v + sp.diff(f, v) * u
    second = sp.diff(f, u, 2) * v**2 + 2 * sp.diff(f, u, v) * u * v + sp.diff(f, v, 2) * u**2
    return -2 * g * first + s**2 * second / 2, s * first


@PAPER.claim(
    "scale",
    statement=Statement(
        r"d \log(w_+ w_-) = -\big(", s**2, r"\big)\, dt, \text{ without noise}"
    ),
    source=f"{RESULT}; derived here",
    hypotheses=(FLOW,),
)  # fmt: skip
def scale(statement: Statement) -> Verdict:
    """Itô's formula for log(u² − v²)."""
    drift, noise = ito(sp.log(u**2 - v**2))
    return judge.prove(
        "Itô's formula in u = (w₊ + w₋)/2 and v = (w₊ − w₋)/2. The noise of w₊ and that of w₋ cancel, their quadratic "
        "variations add up.",
        (noise, sp.Integer(0)),
        stated=Equation(-statement.formula, drift, "the drift", (u - v,)),
    )


@PAPER.claim(
    "loss-controls-the-scale",
    statement=Statement(
        r"\alpha_\infty^2 = \alpha_0^2 \exp\Big(-\int_0^\infty ",
        4 * gamma * loss * curvature,
        r"\, dt\Big), \ \alpha^2 = w_+ w_-, \ L = L(x_t), \ H = \tfrac1n \operatorname{diag}(Z^\top Z)",
    ),
    source="as summarized in the abstract (slow convergence of the loss strengthens the bias); derived here",
    hypotheses=(FLOW, SQUARED, NOISE),
    uses=("scale",),
)
def loss_controls_the_scale(statement: Statement) -> Verdict:
    """Write the noise by three residuals and three observations of a weight."""
    residuals, entries = sp.symbols("r1:4", real=True), sp.symbols("z1:4", real=True)
    known = {
        loss: sum(each**2 for each in residuals) / 12,
        curvature: sum(each**2 for each in entries) / 3,
    }
    noise = 4 * gamma * (sum((each / 2) ** 2 for each in residuals) / 3) * (sum(each**2 for each in entries) / 3)
    return judge.argue(
        "By the claim on the scale its logarithm falls by s² dt. The mean of (r/2)² is the loss, for any number of "
        "observations as for three. All is positive, so the scale shrinks, and the longer the loss stays large, the "
        "more.",
        Equation(
            sp.expand(known[loss] * curvature), curvature * (sum((each / 2) ** 2 for each in residuals) / 3), "L H"
        ),
        stated=Equation(sp.expand(statement.formula.subs(known, simultaneous=True)), noise, "s² by the loss"),
    )


POTENTIAL = (x * sp.asinh(x / (2 * alpha**2)) - sp.sqrt(x**2 + 4 * alpha**4) + 2 * alpha**2) / 4


@PAPER.claim(
    "solution",
    statement=Statement(
        r"x_\infty = \operatorname{argmin}\{\textstyle\sum Q(x): Zx = y\} \text{ at } \alpha_\infty, \ Q(x) = ",
        POTENTIAL,
    ),
    source="as summarized by Lyu and Zhu, equation 10",
    hypotheses=(
        FLOW,
        r"w_+(0) = w_-(0)",
        r"s\, dB \text{ in the row space of } Z",
        r"x_t \to x_\infty, \ Z x_\infty = y",
    ),
    uses=("scale",),
)
def solution(statement: Statement) -> Verdict:
    """Itô's formula for log(w₊/w₋), which is 4Q'."""
    formula = statement.formula
    drift, noise = ito(sp.log((u + v) / (u - v)))
    inserted = {x: 4 * u * v, alpha: sp.sqrt(u**2 - v**2)}
    return judge.argue(
        "Q'(x) = ¼ arcsinh(x/(2α²)), and x = 2α² sinh log(w₊/w₋), so 4Q' is log(w₊/w₋). It is zero at the start and "
        "moves by −4g dt + 2s dB, as Itô's corrections of w₊ and of w₋ cancel: it stays in the row space of Z. Q is "
        "strictly convex, so the end is its only minimizer among the solutions.",
        (formula.subs(x, 0), sp.Integer(0)),
        Equation(drift, -4 * g, "the drift of log(w₊/w₋)", (u - v,)),
        Equation(noise, 2 * s, "its noise", (u - v,)),
        Equation(
            (sp.sinh(sp.log((u + v) / (u - v))) * 2 * (u**2 - v**2)).rewrite(sp.exp),
            inserted[x],
            "x as 2α² sinh log(w₊/w₋)",
            (u - v,),
        ),
        stated=Equation(sp.diff(formula, x), sp.asinh(x / (2 * alpha**2)) / 4, "Q'"),
    )
