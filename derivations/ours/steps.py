"""One step of training, exactly: the numbers by which it multiplies the factors of the mask, whatever the loss."""

from __future__ import annotations

from dataclasses import dataclass

import sympy as sp

from derivations.ours import PAPER
from implicit_bias import Statement, Verdict
from implicit_bias.claims import Equation
from implicit_bias.claims.judge import prove

p, q = sp.symbols("p q", real=True, nonzero=True)  # (m ± w)/√2 before a step
g = sp.Symbol("g", real=True)  # slope of the step's loss in x = mw
eta = sp.Symbol("eta", positive=True)
alpha, beta = sp.symbols("alpha beta", nonnegative=True)  # strength of m² + w², and momentum
high, low = sp.symbols("r_plus r_minus", real=True, nonzero=True)
mu_plus, mu_minus = sp.symbols("mu_plus mu_minus", real=True)  # the buffers of p and q over p and q
# Of the step before.
s_plus, s_minus = sp.symbols("s_plus s_minus", real=True, nonzero=True)  # r⁺ and r⁻
nu_plus, nu_minus = sp.symbols("nu_plus nu_minus", real=True)  # μ⁺ and μ⁻

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
    size_p, size_q, size_high, size_low = (sp.Abs(each) for each in (p, q, high, low))
    carried = size_p * size_q * size_high * size_low
    argument = sp.log(size_p / size_q) + sp.log(size_high / size_low)
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


@dataclass(frozen=True)
class Stepped:
    """The p and q after a step with momentum, and the buffers of them in it.

    Attributes:
        factors: p and q.
        buffers: Of p and of q.
    """

    factors: tuple[sp.Expr, sp.Expr]
    buffers: tuple[sp.Expr, sp.Expr]


def stepped(nesterov: bool, decoupled: bool) -> Stepped:
    """Take a step on m and w, after one that multiplied p and q by s⁺ and s⁻ and left the buffers ν⁺p and ν⁻q.

    Args:
        nesterov: Whether the step looks ahead.
        decoupled: Whether decay acts on m and w beside the buffer rather than through it.
    """
    m, w = weights(s_plus * p, s_minus * q)
    of_m, of_w = weights(nu_plus * p, nu_minus * q)
    along_m, along_w = slopes(m, w, sp.Integer(0) if decoupled else alpha)
    of_m, of_w = beta * of_m + along_m, beta * of_w + along_w
    move_m, move_w = (along_m + beta * of_m, along_w + beta * of_w) if nesterov else (of_m, of_w)
    shrunk = 1 - 2 * eta * alpha if decoupled else sp.Integer(1)
    return Stepped(weights(shrunk * m - eta * move_m, shrunk * w - eta * move_w), weights(of_m, of_w))


def check_products(statement: Statement, *, nesterov: bool = False, decoupled: bool = False) -> Verdict:
    """Take a step on m and w as the optimizer does, and compare buffers and factors with what is stated."""
    of_p, of_q, plus, minus = statement.formulas
    found, recursion = stepped(nesterov, decoupled), {mu_plus: of_p, mu_minus: of_q}
    return prove(
        "The step was taken on m and w as the optimizer does, after any step that multiplied p and q by s⁺ and s⁻ and "
        "left buffers of ν⁺p and ν⁻q. The first step begins with ν = 0 and s = 1, and each carries the form on "
        "as that of gradient descent does.",
        Equation(of_p * s_plus * p, found.buffers[0], "the buffer of p is μ⁺p"),
        Equation(of_q * s_minus * q, found.buffers[1], "the buffer of q is μ⁻q"),
        Equation(minus.xreplace(recursion) * s_minus * q, found.factors[1], "q after the step"),
        hyperbolic_form(),
        stated=Equation(plus.xreplace(recursion) * s_plus * p, found.factors[0], "p after the step"),
    )


COUPLED = (beta * nu_plus / s_plus + 2 * alpha + g, beta * nu_minus / s_minus + 2 * alpha - g)
FORM = (
    r"x_{k+1} = a_{k+1} \sinh\beta_{k+1},\ a_{k+1} = a_k |r_{plus} r_{minus}|,\ "
    r"\beta_{k+1} = \beta_k + \log|r_{plus}/r_{minus}| \text{ with } \mu_{plus} = "
)
BEFORE = r",\ \text{where } s, \nu \text{ are } r, \mu \text{ of the step before}"
MOMENTUM = (*DEFINITIONS, r"0 \le \beta < 1", "momentum as torch.optim.SGD defines it")


@PAPER.claim(
    "heavy-ball",
    statement=Statement(
        FORM, COUPLED[0], r",\ \mu_{minus} = ", COUPLED[1],
        r",\ r_{plus} = ", 1 - eta * mu_plus, r",\ r_{minus} = ", 1 - eta * mu_minus,
        BEFORE,
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
        FORM, COUPLED[0], r",\ \mu_{minus} = ", COUPLED[1],
        r",\ r_{plus} = ", 1 - eta * (beta * mu_plus + 2 * alpha + g),
        r",\ r_{minus} = ", 1 - eta * (beta * mu_minus + 2 * alpha - g),
        BEFORE,
    ),
    hypotheses=MOMENTUM,
    uses=("discretization",),
)  # fmt: skip
def nesterov(statement: Statement) -> Verdict:
    """Nesterov's momentum multiplies p and q by numbers of its own."""
    return check_products(statement, nesterov=True)


@PAPER.claim(
    "decoupled-decay",
    statement=Statement(
        FORM, beta * nu_plus / s_plus + g, r",\ \mu_{minus} = ", beta * nu_minus / s_minus - g,
        r",\ r_{plus} = ", 1 - 2 * eta * alpha - eta * mu_plus,
        r",\ r_{minus} = ", 1 - 2 * eta * alpha - eta * mu_minus,
        BEFORE,
    ),
    hypotheses=(*MOMENTUM, "decay multiplies the parameters beside the momentum, as in AdamW"),
    uses=("discretization",),
)  # fmt: skip
def decoupled_decay(statement: Statement) -> Verdict:
    """Heavy ball with decoupled decay, which stays out of the buffer."""
    return check_products(statement, decoupled=True)
