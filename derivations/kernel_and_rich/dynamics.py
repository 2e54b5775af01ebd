"""The equations of the flows in the paper's appendices, by differentiating its losses."""

from __future__ import annotations

import sympy as sp

from derivations.kernel_and_rich import PAPER
from derivations.kernel_and_rich.setting import dual
from implicit_bias import Correction, Statement, Verdict
from implicit_bias.claims import Equation, judge

# One sample with the entry x of one coordinate: the residual r and the weights at one moment.
u, v = sp.symbols("u v", real=True, nonzero=True)
x, label, residual, velocity = sp.symbols("x y r udot", real=True)
plus, minus = sp.symbols("p m", positive=True)
LOSS = r"L(w) = \sum_n (f(w, x_n) - y_n)^2"  # of Section 2
PRODUCT = r"f((u, v), x) = \sum_i u_i v_i x_i"


@PAPER.claim(
    "eq-11",
    statement=Statement(r"\frac{d}{dt} |u| = ", -sp.sign(u) * velocity, r", \ \mathit{udot} = \dot u"),
    source="equation (11), and equation (13) for v",
    hypotheses=(PRODUCT,),
)
def change_of_a_magnitude(statement: Statement) -> Verdict:
    """Differentiate |u| = √(u²)."""
    exact = u * velocity / sp.Abs(u)
    return judge.prove(
        "The derivative of √(u²) along the flow.",
        stated=Equation(statement.formula, exact, says="the derivative of |u|"),
        correction=Correction(
            r"\frac{d}{dt} |u| = \operatorname{sign}(u)\, \dot u",
            judge.prove("As u/|u| is the sign of u.", stated=Equation(sp.sign(u) * velocity, exact)),
        ),
    )


@PAPER.claim(
    "eq-12",
    statement=Statement(r"\frac{d}{dt} |u| = ", -2 * residual**2 * sp.sign(u) * v * x, r", \ r = f - y"),
    source="equation (12), for one sample and one coordinate, and equation (14) for v",
    hypotheses=(PRODUCT, LOSS),
)
def flow_of_a_magnitude(statement: Statement) -> Verdict:
    """Differentiate the loss in u: the residual enters once."""
    slope = sp.diff((u * v * x - label) ** 2, u).xreplace({label: u * v * x - residual})
    exact = -slope * u / sp.Abs(u)
    right = -2 * residual * sp.sign(u) * v * x
    return judge.prove(
        "The derivative of |u| is sign(u) times −∂L/∂u.",
        stated=Equation(statement.formula, exact, says="the derivative of |u| along the flow"),
        correction=Correction(
            rf"\frac{{d}}{{dt}} |u| = {sp.latex(right)}",
            judge.prove("The residual enters the gradient of a square once.", stated=Equation(right, exact)),
        ),
    )


START_U, START_V = sp.symbols("u0 v0", real=True)


@PAPER.claim(
    "equal-magnitudes",
    statement=Statement(u**2 - v**2, " = ", START_U**2 - START_V**2, r"\text{, so } |u_0| = |v_0| \text{ stays so}"),
    source="Appendix C, which says it for |u_0| = |v_0|",
    hypotheses=(PRODUCT, "any differentiable loss of f"),
)
def equal_magnitudes(statement: Statement) -> Verdict:
    """Solve the flow in its accumulated gradient: u' = v and v' = u."""
    now, before = statement.formulas
    solved = {
        u: START_U * sp.cosh(dual) + START_V * sp.sinh(dual),
        v: START_V * sp.cosh(dual) + START_U * sp.sinh(dual),
    }
    return judge.prove(
        "In the time s = −∫ ∂L/∂(uv) the flow is du/ds = v and dv/ds = u, whose solution is inserted.",
        stated=Equation(now.xreplace(solved), before, says="u² − v² along the flow"),
    )


@PAPER.claim(
    "eq-15",
    statement=Statement(r"\dot w_+ = ", -2 * x * residual * plus, r", \ r = \langle w_+^2 - w_-^2, x \rangle - y"),
    source="equation (15), for one sample and one coordinate, with w₊ written p",
    hypotheses=(LOSS,),
)
def flow_of_squares(statement: Statement) -> Verdict:
    """Differentiate the loss: the chain rule doubles twice, for the square of the residual and that of the weight."""
    gap = (plus**2 - minus**2) * x - label
    exact = sp.expand(-sp.diff(gap**2, plus))
    right = -4 * x * residual * plus
    return judge.prove(
        "The flow of the loss in w₊.",
        stated=Equation(statement.formula.xreplace({residual: gap}), exact, says="−∂L/∂w₊"),
        correction=Correction(
            rf"\dot w_+ = {sp.latex(right)}, \text{{ and twice the printed exponents in (16) to (18)}}",
            judge.prove(
                "The chain rule doubles twice: for the square of the residual, and for that of the weight.",
                stated=Equation(right.xreplace({residual: gap}), exact, says="−∂L/∂w₊"),
            ),
        ),
    )


beyond = sp.Symbol("k", positive=True, integer=True)  # D − 2
depth = beyond + 2


@PAPER.claim(
    "eq-50",
    statement=Statement(
        r"\dot w_+ = ", -depth * x * residual * plus ** (depth - 1), r", \ r = \langle w_+^D - w_-^D, x \rangle - y"
    ),
    source="equation (50), for one sample and one coordinate, with w₊ written p; equations (52) and (55) likewise",
    hypotheses=(LOSS, r"D = k + 2, \ k \ge 1"),
)
def flow_of_powers(statement: Statement) -> Verdict:
    """Differentiate the loss: the square of the residual gives a factor of 2."""
    gap = (plus**depth - minus**depth) * x - label
    exact = sp.expand(-sp.diff(gap**2, plus))
    right = -2 * depth * x * residual * plus ** (depth - 1)
    return judge.prove(
        "The flow of the loss in w₊.",
        stated=Equation(statement.formula.xreplace({residual: gap}), exact, says="−∂L/∂w₊"),
        correction=Correction(
            rf"\dot w_+ = {sp.latex(right)} \text{{ (the printed equation is that of the loss }} L/2)",
            judge.prove(
                "The square of the residual gives a factor of 2.",
                stated=Equation(right.xreplace({residual: gap}), exact, says="−∂L/∂w₊"),
            ),
        ),
    )


mu = sp.Symbol("mu", positive=True)
accumulated = sp.Symbol("A", real=True)  # the entry of Xᵀ ∫ r


@PAPER.claim(
    "eq-67",
    statement=Statement(
        r"\delta = ",
        2 * mu**2 * sp.sinh(-4 * accumulated),
        r", \ \Delta = ",
        2 * mu**2 * sp.cosh(-4 * accumulated),
        r", \ A = \mathcal{X}^\top \int r",
    ),
    source="equation (67)",
    hypotheses=(
        r"L = \sum_n (\langle UV^\top, X_n \rangle - y_n)^2, \ X_n \text{ diagonal}",
        r"U(0) = [\sqrt 2 \mu I, 0], \ V(0) = [0, \sqrt 2 \mu I]",
        r"\delta = \operatorname{diag}(UV^\top), \ \Delta = \tfrac12 \operatorname{diag}(UU^\top + VV^\top)",
    ),
)
def wide_diagonal_factors(statement: Statement) -> Verdict:
    """Solve the flow of one row of U and V, and insert it."""
    first, second = statement.formulas
    time = -2 * accumulated  # U' = −2 A' V and V' = −2 A' U
    scale = sp.sqrt(2) * mu
    row_u = (scale * sp.cosh(time), scale * sp.sinh(time))
    row_v = (scale * sp.sinh(time), scale * sp.cosh(time))
    return judge.prove(
        "A row of the flow is U' = −2A'V, V' = −2A'U, where A' is the entry of Xᵀr, so its two entries that start at "
        "√2 μ become √2 μ cosh(2A) and the others −√2 μ sinh(2A). Their products are the stated functions.",
        *((sp.diff(each, accumulated), -2 * other) for each, other in zip(row_u, row_v, strict=True)),
        Equation(second, sum(each**2 for each in (*row_u, *row_v)) / 2, says="Δ"),
        stated=Equation(first, sum(each * other for each, other in zip(row_u, row_v, strict=True)), says="δ"),
    )


width = sp.Symbol("k", positive=True)
spread, entry = sp.symbols("alpha sigma", positive=True)


@PAPER.claim(
    "thm-4-scale",
    statement=Statement(r"\mu^2 = ", entry * sp.sqrt(width) / 2, r" \text{ as } k \to \infty"),
    source="Theorem 4, on the scale; that the limit of the flow is continuous in its start is added here",
    hypotheses=(
        r"U(0), V(0) \in \mathbb{R}^{d \times k} \text{ have entries } \mathcal{N}(0, \alpha^2)",
        r"\sigma = \alpha^2 \sqrt k \to 0 \text{, the magnitude of the entries of } U(0) V(0)^\top",
        r"\text{the minimizer is that of } Q_\mu(\beta) = \sum_i \mu^2 q(\beta_i/\mu^2)",
        r"\text{the limit of the flow is continuous in its start as } k \to \infty",
    ),
    uses=("eq-67", "thm-1"),
)
def scale_of_a_wide_model(statement: Statement) -> Verdict:
    """Compare the lifted matrix of the random start with that of the start of equation (67)."""
    stated = statement.formula.xreplace({entry: spread**2 * sp.sqrt(width)})
    return judge.argue(
        "By the law of large numbers UUᵀ and VVᵀ are α²k I up to a relative error that vanishes, while the entries of "
        "UVᵀ have the standard deviation σ = α²√k, which is smaller by √k. The flow of δ depends on the start through "
        "the lifted matrix alone, so that the start of equation (67) with 2μ² = α²k is as good, and its δ is the "
        "weight of Theorem 1 with α = μ. By the identity this is the stated μ. (That the limits in k and in the time "
        "of the flow may be exchanged is a hypothesis here.)",
        Equation(2 * stated + spread, spread * (1 + spread * width), says="2μ², the diagonal entries of UUᵀ, plus α"),
    )


gradient = sp.Symbol("G", real=True)


@PAPER.claim(
    "symmetric-flow",
    statement=Statement(
        r"\dot M = ", gradient * u**2 + u**2 * gradient, r", \ M = W W^\top = u^2, \ G = \nabla \tilde L(M)"
    ),
    source="Section 6, for W of one entry u",
    hypotheses=(r"L(W) = \tilde L(W W^\top), \ \dot W = -\nabla L(W)",),
)
def symmetric_flow(statement: Statement) -> Verdict:
    """Apply the chain rule to W ↦ L̃(W Wᵀ)."""
    matrix = u**2
    flow = -gradient * sp.diff(matrix, u)  # −dL/du
    exact = sp.diff(matrix, u) * flow
    rows = sp.symbols("w1 w2", real=True)
    g11, g12, g22 = sp.symbols("G11 G12 G22", real=True)
    factor, slopes = sp.Matrix(rows), sp.Matrix([[g11, g12], [g12, g22]])
    velocity = -sp.Matrix(
        [sum(slopes[i, j] * sp.diff(rows[i] * rows[j], w) for i in (0, 1) for j in (0, 1)) for w in rows]
    )
    moved = velocity * factor.T + factor * velocity.T
    corrected_flow = -2 * (slopes * factor * factor.T + factor * factor.T * slopes)
    return judge.prove(
        "dM/dt along the flow of W.",
        stated=Equation(statement.formula + u**2, exact + u**2, says="dM/dt + M"),
        correction=Correction(
            r"\dot M = -2 (\nabla \tilde L(M) M + M \nabla \tilde L(M)) \text{ for symmetric } \nabla \tilde L",
            judge.prove(
                "For W of two entries, entry by entry.",
                *((sp.expand(moved[i]), corrected_flow[i]) for i in range(4)),
            ),
        ),
    )
