"""The potential Q_α of u² − v², and the tangent kernel at its start."""

from __future__ import annotations

import sympy as sp

from derivations.kernel_and_rich import PAPER
from derivations.kernel_and_rich.setting import alpha, beta, dual, omega, z
from implicit_bias import Outcome, Statement, Verdict
from implicit_bias.claims import Equation, judge


@PAPER.claim(
    "q",
    statement=Statement(
        r"q(z) = \int_0^z \operatorname{arcsinh}(u/2)\, du = ", 2 - sp.sqrt(4 + z**2) + z * sp.asinh(z / 2)
    ),
    source="Theorem 1",
)
def antiderivative(statement: Statement) -> Verdict:
    """Differentiate the stated antiderivative; its value at zero settles the constant."""
    stated = statement.formula
    at_zero = stated.xreplace({z: sp.Integer(0)})
    if not at_zero.is_real:
        return Verdict(Outcome.INCONCLUSIVE, f"The stated function is {at_zero} at zero, which is not real.")
    return judge.prove(
        "The derivative of the stated function is arcsinh(z/2), and both sides vanish at z = 0.",
        (at_zero, sp.Integer(0)),
        stated=Equation(sp.diff(stated, z), sp.asinh(z / 2), says="the slope of q"),
    )


SQUARE = alpha**2 * omega**2


@PAPER.claim(
    "thm-1",
    statement=Statement(
        r"\beta^\infty = \arg\min_{X\beta = y} \sum_i Q(\beta_i), \quad Q(\beta) = ",
        SQUARE * (2 - sp.sqrt(4 + (beta / SQUARE) ** 2) + beta / SQUARE * sp.asinh(beta / (2 * SQUARE))),
    ),
    source="Theorem 1 (general case), with the shape w_0 written ω",
    hypotheses=(
        r"\beta = w_+^2 - w_-^2, \ w_+(0) = w_-(0) = \alpha \omega",
        r"0 < \alpha < \infty, \ \omega_i \ne 0",
        r"\text{the flow converges to } \beta^\infty \text{ with } X\beta^\infty = y",
    ),
    uses=("q",),
)
def implicit_regularizer(statement: Statement) -> Verdict:
    """Solve the flow in w, and see that ∇Q of its weight is the accumulated gradient, which lies in the row space."""
    stated = statement.formula
    at_zero = stated.xreplace({beta: sp.Integer(0)})
    if not at_zero.is_real:
        return Verdict(Outcome.INCONCLUSIVE, f"The stated Q is {at_zero} at zero, which is not real.")
    trained = SQUARE * (sp.exp(2 * dual) - sp.exp(-2 * dual))  # w₊² − w₋² with w± = αω e^(±s)
    return judge.argue(
        "The flow multiplies w₊ and w₋ by e^s and e^(−s), where s = −c ∫ Xᵀr with c > 0 from the loss: the slopes of "
        "β in w₊ and w₋ are 2w₊ and −2w₋. So β = α²ω²(e^(2s) − e^(−2s)), and the identities give ∇Q(β) = 2s, which "
        "lies in the row space of X at any time, hence at the limit. Q is strictly convex, as its second derivative is "
        "positive. A point of {Xβ = y} whose ∇Q lies in the row space is therefore the only minimizer of Q there.",
        Equation(2 * SQUARE * sp.sinh(2 * dual), trained, says="the weight of the flow is 2α²ω² sinh(2s)"),
        (at_zero, sp.Integer(0)),
        Equation(sp.diff(stated, beta, 2), 1 / sp.sqrt(4 * SQUARE**2 + beta**2), says="Q'' is positive"),
        Equation(2 * SQUARE * sp.sinh(sp.diff(stated, beta)), beta, says="∇Q inverts s ↦ 2α²ω² sinh(2s), as 2s"),
    )


@PAPER.claim(
    "kernel-at-start",
    statement=Statement(r"K_{w(0)}(x, x') = ", 8 * alpha**2, r"\langle x, x' \rangle"),
    source="Section 4",
    hypotheses=(r"f = \langle w_+^2 - w_-^2, x \rangle, \ w_+(0) = w_-(0) = \alpha \mathbf{1}",),
)
def kernel_at_start(statement: Statement) -> Verdict:
    """Differentiate the model in its parameters; the kernel is a sum over coordinates."""
    x, y = sp.symbols("x1 x2", real=True), sp.symbols("y1 y2", real=True)
    plus, minus = sp.symbols("p1 p2", real=True), sp.symbols("m1 m2", real=True)
    at_x, at_y = (sum((plus[i] ** 2 - minus[i] ** 2) * each[i] for i in range(2)) for each in (x, y))
    kernel = sum(sp.diff(at_x, w) * sp.diff(at_y, w) for w in (*plus, *minus))
    at_start = kernel.xreplace(dict.fromkeys((*plus, *minus), alpha))
    return judge.prove(
        "The kernel is the sum over the parameters of the products of the slopes of f at x and at x', here for two "
        "coordinates; further ones are further terms.",
        stated=Equation(statement.formula * (x[0] * y[0] + x[1] * y[1]), at_start, says="the kernel at the start"),
    )


depth, power = sp.symbols("D k", positive=True)


@PAPER.claim(
    "kernel-of-scaled-start",
    statement=Statement(r"K_{\alpha w_0} = ", alpha ** (2 * (depth - 1)), r"\, K_{w_0}"),
    source="Section 3",
    hypotheses=(r"f \text{ is } D\text{-homogeneous in } w",),
)
def kernel_of_scaled_start(statement: Statement) -> Verdict:
    """Differentiate a homogeneous monomial of two weights, with exponents that are symbols."""
    first, second = sp.symbols("w1 w2", positive=True)
    model = first**power * second ** (depth - power)
    kernel = sum(sp.diff(model, w) ** 2 for w in (first, second))
    scaled = kernel.subs({first: alpha * first, second: alpha * second}, simultaneous=True)
    return judge.argue(
        "Differentiate f(αw) = α^D f(w) in w: ∇f at αw_0 is α^(D−1) times ∇f at w_0, and the kernel is a product of "
        "two of them. For a monomial of two weights the identity shows it; a monomial attains the exponent, so it is "
        "sharp.",
        stated=Equation(statement.formula * kernel, scaled, says="the kernel of w₁^k w₂^(D−k) at αw_0"),
    )
