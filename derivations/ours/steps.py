"""One step of training, exactly: the numbers by which it multiplies the factors of the mask, whatever the loss."""

from __future__ import annotations

import sympy as sp

from derivations.ours import PAPER
from implicit_bias import Statement, Verdict
from implicit_bias.claims import Equation
from implicit_bias.claims.judge import prove

p, q = sp.symbols("p q", real=True, nonzero=True)  # (m ± w)/√2 before a step
g = sp.Symbol("g", real=True)  # slope of the step's loss in x = mw
eta = sp.Symbol("eta", positive=True)
alpha, beta = sp.symbols("alpha beta", nonnegative=True)  # strength of m² + w², and momentum
high, low = sp.symbols("r_plus r_minus", real=True, nonzero=True)  # the numbers r⁺ and r⁻ of the step before
mu, nu = sp.symbols("mu_plus mu_minus", real=True)  # the buffer over the factor, in the step before
before = sp.Symbol("eta_before", positive=True)

ANY_STEP = (
    r"g = \partial f_k/\partial x \text{ at } x_k, \text{ for any loss } f_k, \text{ such as that of a mini-batch}"
)
DEFINITIONS = (
    r"x = m \odot w",
    r"h = \sum m^2 + w^2",
    r"m_0^2 \ne w_0^2",
    r"r^\pm \ne 0",
    ANY_STEP,
    r"\eta, \alpha \text{ may differ from step to step}",
)


def weights(plus: sp.Expr, minus: sp.Expr) -> tuple[sp.Expr, sp.Expr]:
    """The m and w, or the p and q, of a pair of the others: (plus ± minus)/√2."""
    return (plus + minus) / sp.sqrt(2), (plus - minus) / sp.sqrt(2)


def slopes(m: sp.Expr, w: sp.Expr, strength: sp.Expr) -> tuple[sp.Expr, sp.Expr]:
    """The derivatives of the loss with the regularizer in m and w."""
    return w * g + 2 * strength * m, m * g + 2 * strength * w


def hyperbolic_form() -> Equation:
    """That products carry x = a sinh β on: a is multiplied by |r⁺r⁻|, and log|r⁺/r⁻| is added to β."""
    carried = sp.Abs(p * q) * sp.Abs(high * low)
    argument = sp.log(sp.Abs(p / q)) + sp.log(sp.Abs(high / low))
    after = ((high * p) ** 2 - (low * q) ** 2) / 2
    return Equation(
        carried * sp.sinh(argument), after, "a|r⁺r⁻| sinh(β + log|r⁺/r⁻|) is the product of the new m and w"
    )


@PAPER.claim(
    "discretization",
    statement=Statement(
        r"x_{k+1} = a_{k+1} \sinh\beta_{k+1},\ a_{k+1} = a_k |r^+ r^-|,\ "
        r"\beta_{k+1} = \beta_k + \log|r^+/r^-| \text{ with } r^+ = ", 1 - eta * (2 * alpha + g),
        r",\ r^- = ", 1 - eta * (2 * alpha - g),
        r" \text{ for } \theta_{k+1} = \theta_k - \eta\,(\partial g^T \nabla f_k + \alpha \nabla h)",
    ),
    hypotheses=DEFINITIONS,
)  # fmt: skip
def discretization(statement: Statement) -> Verdict:
    """Gradient descent multiplies p and q = (m ± w)/√2, so a step of any size keeps the form of the weight.

    Take the step on m and w, and compare with the products.
    """
    plus, minus = statement.formulas
    m, w = weights(p, q)
    along_m, along_w = slopes(m, w, alpha)
    m, w = m - eta * along_m, w - eta * along_w
    after_p, after_q = weights(m, w)
    return prove(
        "The step was taken on m and w as the optimizer does. a₀ = |p₀q₀| and β₀ = log|p₀/q₀|, as 2x = p² − q², and "
        "each step carries the form on.",
        Equation(minus * q, after_q, "q after the step"),
        Equation(((plus * p) ** 2 - (minus * q) ** 2) / 2, m * w, "x after the step"),
        hyperbolic_form(),
        stated=Equation(plus * p, after_p, "p after the step"),
    )


def stepped(nesterov: bool, decoupled: bool) -> tuple[sp.Expr, sp.Expr]:
    """The p and q after two steps of momentum on m and w: one with the buffers μp and νq, and one with slope g.

    Args:
        nesterov: Whether the second step looks ahead.
        decoupled: Whether decay acts on m and w beside the buffer rather than through it.
    """
    m, w = weights(p, q)
    buffers = weights(mu * p, nu * q)
    # Only the buffers of the step before matter, so its decay may stand in them.
    m, w = m - before * buffers[0], w - before * buffers[1]
    pushes = slopes(m, w, sp.Integer(0) if decoupled else alpha)
    buffers = tuple(beta * buffer + push for buffer, push in zip(buffers, pushes, strict=True))
    moves = tuple(push + beta * b for b, push in zip(buffers, pushes, strict=True)) if nesterov else buffers
    shrunk = 1 - 2 * eta * alpha if decoupled else sp.Integer(1)
    return weights(shrunk * m - eta * moves[0], shrunk * w - eta * moves[1])


def check_products(statement: Statement, *, nesterov: bool = False, decoupled: bool = False) -> Verdict:
    """Compose two steps on m and w, and compare p and q with r⁺ and r⁻ of the second one."""
    of_first = {high: 1 - before * mu, low: 1 - before * nu}
    plus, minus = (formula.xreplace(of_first) for formula in statement.formulas)
    after_p, after_q = stepped(nesterov, decoupled)
    return prove(
        "Two steps were composed on m and w as the optimizer takes them: the first with the buffers μ⁺p and μ⁻q, which "
        "multiplies p and q by r = 1 − ημ, and the second with the slope g. Where the buffer is b = μp before the "
        "first step's move, it is βμ/r times the new p after it, so μ follows the stated recursion. It begins with "
        "μ = 0 and r = 1, and each step carries the form on as that of gradient descent does.",
        Equation(minus * of_first[low] * q, after_q, "q after both steps"),
        hyperbolic_form(),
        stated=Equation(plus * of_first[high] * p, after_p, "p after both steps"),
    )


FORM = (
    r"x_{k+1} = a_{k+1} \sinh\beta_{k+1},\ a_{k+1} = a_k |r_k^+ r_k^-|,\ "
    r"\beta_{k+1} = \beta_k + \log|r_k^+/r_k^-| \text{ with } r_k^+ = "
)
BUFFERS = (
    r",\ \mu^\pm \text{ the buffer over the factor, and } r^\pm, \mu^\pm \text{ on the right side those of step } k-1"
)
MOMENTUM = (*DEFINITIONS, r"0 \le \beta < 1", "as torch.optim.SGD defines the momentum")


@PAPER.claim(
    "heavy-ball",
    statement=Statement(
        FORM, 1 - eta * (beta * mu / high + 2 * alpha + g), r",\ r_k^- = ", 1 - eta * (beta * nu / low + 2 * alpha - g),
        BUFFERS,
    ),
    hypotheses=MOMENTUM,
    uses=("discretization",),
)  # fmt: skip
def heavy_ball(statement: Statement) -> Verdict:
    """Heavy ball multiplies p and q, too: by numbers that gradients, steps, strengths and β give."""
    return check_products(statement)


@PAPER.claim(
    "nesterov",
    statement=Statement(
        FORM, 1 - eta * (2 * alpha + g + beta * (beta * mu / high + 2 * alpha + g)),
        r",\ r_k^- = ", 1 - eta * (2 * alpha - g + beta * (beta * nu / low + 2 * alpha - g)),
        BUFFERS,
    ),
    hypotheses=MOMENTUM,
    uses=("discretization",),
)  # fmt: skip
def nesterov(statement: Statement) -> Verdict:
    """Nesterov's momentum multiplies p and q by numbers of their own."""
    return check_products(statement, nesterov=True)


@PAPER.claim(
    "decoupled-decay",
    statement=Statement(
        FORM, 1 - 2 * eta * alpha - eta * (beta * mu / high + g),
        r",\ r_k^- = ", 1 - 2 * eta * alpha - eta * (beta * nu / low - g),
        BUFFERS,
    ),
    hypotheses=(*MOMENTUM, r"\text{decay multiplies } \theta \text{ beside the momentum, as in AdamW}"),
    uses=("discretization",),
)  # fmt: skip
def decoupled_decay(statement: Statement) -> Verdict:
    """Heavy ball with decoupled decay, which stays out of the buffer."""
    return check_products(statement, decoupled=True)
