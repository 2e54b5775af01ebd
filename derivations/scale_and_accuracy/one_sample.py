"""One sample of positive entries: the path of the flow of the exponential loss, in closed form."""

from __future__ import annotations

import sympy as sp

from derivations.scale_and_accuracy import PAPER
from implicit_bias import Outcome, Statement, Verdict
from implicit_bias.claims import Equation, judge

alpha, z, entry, first, gap = sp.symbols("alpha z x x2 g", positive=True)
MODEL = r"w = u_+^2 - u_-^2, \ u_\pm(0) = \alpha \mathbf{1}, \ L = e^{-\gamma}, \ \gamma = \langle x, w \rangle"
CLOCK = r"z = 4 \int_0^t e^{-\gamma}"
LARGER = r"x_1 = x_2 + g > x_2 > 0"


@PAPER.claim(
    "path",
    statement=Statement("w_i = ", 2 * alpha**2 * sp.sinh(z * entry), ", x = x_i"),
    source="as summarized in the abstract (a study of the trajectories of gradient flow); one sample, derived here",
    hypotheses=(MODEL, CLOCK),
    uses=("kernel-and-rich/thm-1",),
)
def path(statement: Statement) -> Verdict:
    """Solve the flow of both parameters in the clock z."""
    plus, minus = alpha * sp.exp(z * entry / 2), alpha * sp.exp(-z * entry / 2)
    loss, weight = sp.symbols("ell p", positive=True)  # e^(−γ), and u₊
    return judge.prove(
        "The flow is u₊' = 2xu₊e^(−γ), u₋' = −2xu₋e^(−γ). With dz = 4e^(−γ) dt this is du₊/dz = xu₊/2 and du₋/dz = "
        "−xu₋/2, so that u± = α e^(±zx/2).",
        *((sp.diff(each, z), sign * entry / 2 * each) for each, sign in ((plus, 1), (minus, -1))),
        (sp.diff(weight**2, weight) * entry * loss, entry * weight / 2 * 4 * loss),
        stated=Equation(statement.formula, plus**2 - minus**2, says="the weight of the flow"),
    )


@PAPER.claim(
    "path-of-minimizers",
    statement=Statement(
        r"w(t) = \arg\min_{\langle x, w \rangle \ge \gamma(t)} Q_\alpha(w), \quad \nabla Q_\alpha(w) = ",
        sp.asinh(sp.Symbol("w", real=True) / (2 * alpha**2)),
    ),
    source="as summarized in the abstract (the implicit bias of the trajectories); one sample, derived here",
    hypotheses=(MODEL, CLOCK),
    uses=("path", "kernel-and-rich/thm-1"),
)
def path_of_minimizers(statement: Statement) -> Verdict:
    """The slope of Q along the path is a multiple of the sample, and the multiplier z is not negative."""
    slope = statement.formula.xreplace({sp.Symbol("w", real=True): 2 * alpha**2 * sp.sinh(z * entry)})
    return judge.argue(
        "∇Q of the weight is z x_i by the identity, with the same z ≥ 0 for all coordinates. With the strict convexity "
        "of Q these are the conditions of optimality for a margin of at least γ(t).",
        stated=Equation(
            sp.sinh(slope) + 1,
            sp.expand((sp.exp(z * entry) - sp.exp(-z * entry)) / 2) + 1,
            says="sinh of the slope, plus 1",
        ),
    )


@PAPER.claim(
    "kernel-end",
    statement=Statement(
        r"\lim_{\gamma/\alpha^2 \to 0} w_2/w_1 = ", first / (first + gap), r" = x_2/x_1, \text{ the L2 margin}"
    ),
    source="as summarized in review 1 of NeurIPS 2020 (kernel regime above a loss); one sample, derived here",
    hypotheses=(MODEL, LARGER),
    uses=("path", "scale-against-margin"),
)
def kernel_end(statement: Statement) -> Verdict:
    """γ/α² grows with z from 0; expand the ratio there."""
    ratio = statement.formula
    second = first + gap
    return judge.argue(
        "γ/α² = 2Σx_i sinh(zx_i) increases from 0 with z, so that γ/α² → 0 is z → 0. There sinh(zx) = zx + O(z³), and "
        "the ratio of the weights tends to that of the slopes x_2 and x_1 of sinh(zx) at z = 0.",
        Equation(
            ratio * sp.diff(sp.sinh(z * second), z).xreplace({z: sp.Integer(0)}) + gap,
            first * (1 + gap / first),
            says="the stated ratio times the slope of sinh(zx_1), plus g",
        ),
    )


@PAPER.claim(
    "rich-end",
    statement=Statement(
        r"0 < w_2/w_1 \le ",
        sp.exp(-gap * z),
        r", \text{ which tends to } 0 \text{ for } \gamma/\alpha^2 \to \infty: \text{ the L1 margin}",
    ),
    source="as summarized in review 1 of NeurIPS 2020 (rich regime below a loss); one sample, derived here",
    hypotheses=(MODEL, CLOCK, LARGER),
    uses=("path", "scale-against-margin"),
)
def rich_end(statement: Statement) -> Verdict:
    """Split the ratio of the weights into exponentials."""
    second = first + gap
    return judge.argue(
        "The ratio is e^(−gz)(1 − e^(−2zx_2))/(1 − e^(−2zx_1)) by the identity, and the fraction is between x_2/x_1 "
        "and 1, to which it tends for large z: the bound is sharp there. γ/α² increases with z to infinity, and e₁ is "
        "the direction of the least L1 norm for a margin.",
        Equation(
            statement.formula * (1 - sp.exp(-2 * z * first)) * sp.sinh(z * second),
            (sp.sinh(z * first) * (1 - sp.exp(-2 * z * second))).rewrite(sp.exp),
            says="the ratio of the weights",
        ),
    )


@PAPER.claim(
    "in-between",
    statement=Statement(
        r"w_2/w_1 = ",
        1 / (2 * sp.cosh(z / 2)),
        r" \text{ for } x = (1, \tfrac12), \text{ every value between } \tfrac12 \text{ (L2) and } 0 \text{ (L1)}",
    ),
    source="as summarized in the abstract (in between, the limits do not capture the bias); one sample, derived here",
    hypotheses=(MODEL, CLOCK),
    uses=("path",),
)
def in_between(statement: Statement) -> Verdict:
    """Halve the argument of sinh."""
    return judge.argue(
        "The ratio falls continuously from ½ to 0 while z, and with it γ/α², runs from 0 to infinity.",
        stated=Equation(statement.formula * sp.sinh(z), sp.sinh(z / 2), says="the ratio of the weights"),
    )


@PAPER.claim(
    "ridiculous-accuracy",
    statement=Statement(
        r"w_2/w_1 = \tfrac1{10} \text{ for } x = (1, \tfrac12) \text{ is reached at the loss } ",
        sp.exp(-42 * sp.sqrt(6) * alpha**2),
        r", \text{ which is below } 10^{-100} \text{ for } \alpha \ge \tfrac32",
    ),
    source="as summarized in the abstract (some limits only show at accuracies beyond 1e-100); derived here",
    hypotheses=(MODEL,),
    uses=("path", "in-between"),
)
def ridiculous_accuracy(statement: Statement) -> Verdict:
    """Solve for z, and insert it into the margin."""
    stated = statement.formula
    if not stated.is_real:
        return Verdict(Outcome.INCONCLUSIVE, f"The stated loss {stated} is not real.")
    clock = 2 * sp.log(5 + 2 * sp.sqrt(6))  # cosh(z/2) is 5
    margin = 2 * alpha**2 * (sp.sinh(clock) + sp.sinh(clock / 2) / 2)
    return judge.argue(
        "cosh(z/2) = 5 gives the ratio 1/10, and the margin there is 42√6 α². At α = 3/2 it is 231.4…, more than "
        "100 ln 10 = 230.2…; it grows with α, and the ratio is larger at any larger loss.",
        (sp.cosh(clock / 2).rewrite(sp.exp), sp.Integer(5)),
        (-sp.log(stated), margin.rewrite(sp.exp)),
    )
