"""The flow of x = u²: its mirror flow, its rescaled dual variable, and its reduction from x = u v."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction

import sympy as sp

from derivations.dln_lasso_path import PAPER
from derivations.dln_lasso_path.setting import (
    LOSS,
    SQUARED,
    START,
    TILTED,
    along_flow,
    decay,
    level,
    m11,
    m12,
    m22,
    r1,
    r2,
    time,
    velocity,
    x1,
    x2,
)
from implicit_bias import Outcome, Statement, Verdict
from implicit_bias.claims import Correction, Equation, Violation, judge

pull = sp.Symbol("g", real=True)  # ∂ℓ/∂x_i
reference, size = sp.symbols("y alpha", positive=True)


@PAPER.claim(
    "eq-3.3",
    statement=Statement(
        r"\tfrac{d}{dt} x_1 = ",
        -4 * x1 * pull - 4 * decay * x1,
        r",\ g = \partial_1 \ell(x),\ \text{ and so for each weight}",
    ),
    source="equation (3.3)",
    hypotheses=SQUARED,
)
def flow_of_squares(statement: Statement) -> Verdict:
    """Differentiate x = u² along the gradient flow of u."""
    return judge.prove(
        "2u times minus the gradient of L in u, for two weights; the second one follows by exchanging the names.",
        stated=Equation(statement.formula.xreplace({pull: sp.diff(LOSS, x1)}), velocity()[0], says="dx_1/dt"),
    )


@PAPER.claim(
    "eq-4.2",
    statement=Statement(
        r"h(x) = \sum_i h_i,\ h_1 = ",
        (x1 * sp.log(x1) - x1) / 4,
        r",\ \partial_1 h = ",
        sp.log(x1) / 4,
        r",\ \tfrac{d}{dt} \nabla h(x) = -\nabla \tilde L(x),\ D(x, y) = \sum_i D_i,\ D_1 = ",
        (x1 * sp.log(x1 / reference) - x1 + reference) / 4,
        r",\ y = y_1,\ \text{ and so for each weight}",
    ),
    source="equations (4.1) and (4.2)",
    hypotheses=(*SQUARED, r"\tilde L(x) = \ell(x) + \lambda \langle 1, x \rangle"),
)
def mirror_flow(statement: Statement) -> Verdict:
    """Differentiate the entropy along the flow, and form its divergence."""
    entropy, slope, divergence = statement.formulas
    at_reference = {x1: reference}
    return judge.prove(
        "The slope of the entropy moves against the gradient of L̃, and its divergence is the stated one.",
        Equation(along_flow(sp.diff(entropy, x1)), -sp.diff(TILTED, x1), says="d/dt ∂h/∂x_1 = −∂L̃/∂x_1"),
        stated=Equation(
            divergence,
            entropy - entropy.xreplace(at_reference) - slope.xreplace(at_reference) * (x1 - reference),
            says="h(x) − h(y) − h'(y)(x − y), with the stated slope",
        ),
    )


@PAPER.claim(
    "eq-4.3",
    statement=Statement(
        "s = ",
        4 * time / level,
        r",\ w_1 = ",
        -sp.log(x1) / level,
        r",\ \tfrac{d}{ds} w = M x - r + \lambda \mathbf{1},\ 1 - w_1(0) = ",
        2 * sp.log(size) / level,
        r",\ \alpha = |\alpha_1|,\ \text{ and so for each weight}",
    ),
    source="equations (3.5) and (4.3); the start from the proof of Theorem 3.2",
    hypotheses=(*SQUARED, START),
)
def rescaled_dual(statement: Statement) -> Verdict:
    """Change the clock of the dual variable, and evaluate it at the start."""
    clock, dual, start = statement.formulas
    return judge.prove(
        "dw/dt divided by ds/dt is the gradient of L̃; at x = εα² with log ε = −Λ the dual variable is 1 − 2 log α/Λ.",
        Equation(along_flow(dual) / sp.diff(clock, time), sp.diff(TILTED, x1), says="dw_1/ds = (Mx − r + λ)_1"),
        stated=Equation(
            1 - start, sp.expand_log(dual.xreplace({x1: sp.exp(-level) * size**2})) + 0, says="w(0) at x = εα²"
        ),
    )


@PAPER.claim(
    "lem-4.2",
    statement=Statement(
        r"\tfrac{d}{dt} \tilde L(x) = ",
        -4 * x1 * sp.Symbol("G_1", real=True) ** 2 - 4 * x2 * sp.Symbol("G_2", real=True) ** 2,
        r" \le 0,\ G_i = \partial_i \tilde L(x),\ \text{ here for two weights}",
    ),
    source="Lemma 4.2",
    hypotheses=(*SQUARED, r"\tilde L(x) = \ell(x) + \lambda \langle 1, x \rangle"),
)
def descent(statement: Statement) -> Verdict:
    """Differentiate L̃ along the flow."""
    slopes = {sp.Symbol(f"G_{i}", real=True): sp.diff(TILTED, x) for i, x in enumerate((x1, x2), 1)}
    return judge.prove(
        "The derivative along the flow is minus four times a sum of squares with the positive weights x_i.",
        Equation(statement.formula.xreplace(slopes), along_flow(TILTED), says="dL̃/dt"),
    )


@PAPER.claim(
    "lem-4.3-constant",
    statement=Statement(
        r"\|M x(t)\| \le ",
        2 * sp.Symbol("N", positive=True) * (sp.Symbol("A", real=True) + 2 * sp.Symbol("C_1", positive=True)),
        r",\ N = \|M\|,\ A = \|M^{1/2} x_*\|^2 - 2 \ell(x_*),\ \tilde L(x(t)) \le C_1",
    ),
    source="the constant in the proof of Lemma 4.3",
    hypotheses=(
        *SQUARED,
        START,
        r"\lambda = 0,\ 0 < \varepsilon \le 1",
        r"x_* \text{ the shortest minimizer of } \ell",
    ),
)
def bound_of_images(statement: Statement) -> Verdict:
    """Compare with the trajectory of one weight with M = m and r = m.

    The proof bounds ‖Mx‖² by the constant and then writes that the lemma holds with it, without the root.
    """
    names = {symbol.name: symbol for symbol in statement.formula.free_symbols}
    m, start = sp.symbols("m epsilon", positive=True)
    grown = start * sp.exp(4 * m * time)
    x = grown / (1 - start + grown)  # from ε (α = 1) to the minimizer 1
    quantities = {names["N"]: m, names["A"]: m - 2 * (m / 2 - m)}
    bound = statement.formula.xreplace(quantities)
    exact = {"m": Fraction(1, 8), "epsilon": Fraction(1, 2), "t": Fraction(4), "C_1": Fraction(1, 1000)}
    flow_of_one = Equation(sp.diff(x, time), -4 * x * (m * x - m), says="one weight from ε solves the flow")
    energy = Equation(
        (m * x) ** 2 - 2 * m * (m + 2 * (m * x**2 / 2 - m * x) - 2 * (m / 2 - m)),
        -(m**2) * (x - 2) ** 2,
        says="‖Mx‖² minus the printed bound with L̃(x) for C_1",
    )
    return judge.refute(
        "One weight with M = r = m = 1/8 and α = 1 (or two, the second with M = r = 0) has L̃(x) = m(x²/2 − x) < 0 all "
        "the time, so C_1 = 1/1000 will do. The printed bound is then 4m² + 4mC_1 = 0.063, and Mx tends to m.",
        Violation(m * x, bound, exact, ">"),
        flow_of_one,
        correction=Correction(
            r"\|M x(t)\|^2 \le 2 \|M\| \big( \|M^{1/2} x_*\|^2 + 2 C_1 - 2 \ell(x_*) \big)",
            judge.argue(
                "Mx is M^(1/2) times M^(1/2)x, so ‖Mx‖² ≤ ‖M‖ ‖M^(1/2)x‖² ≤ 2‖M‖ (‖M^(1/2)x_*‖² + "
                "‖M^(1/2)(x − x_*)‖²), and the last square is 2ℓ(x) − 2ℓ(x_*) ≤ 2C_1 − 2ℓ(x_*), as M x_* = r. On the "
                "trajectory above the difference of both sides, with L̃(x) for C_1, is m²(x − 2)².",
                flow_of_one,
                energy,
                *_squares(),
            ),
        ),
    )


def _squares() -> list[Equation]:
    """‖M^(1/2)(x − x_*)‖² = 2ℓ(x) − 2ℓ(x_*) for two weights, and the parallelogram for M^(1/2)x."""
    y1, y2 = sp.symbols("y_1 y_2", real=True)
    optimal = {r1: m11 * y1 + m12 * y2, r2: m12 * y1 + m22 * y2}
    loss = LOSS.xreplace(optimal)
    apart = m11 * (x1 - y1) ** 2 + 2 * m12 * (x1 - y1) * (x2 - y2) + m22 * (x2 - y2) ** 2
    a, b = sp.symbols("a b", real=True)
    return [
        Equation(apart, 2 * loss - 2 * loss.xreplace({x1: y1, x2: y2}), says="‖M^(1/2)(x − x_*)‖² = 2ℓ(x) − 2ℓ(x_*)"),
        Equation(2 * a**2 + 2 * (b - a) ** 2 - b**2, (b - 2 * a) ** 2, says="b² ≤ 2a² + 2(b − a)²"),
    ]


@PAPER.claim(
    "lem-4.4",
    statement=Statement(
        r"x(t) = \operatorname{argmin} \{ \sum_i D_i : x \ge 0,\ M x = M x(t) \},\ D_1 = ",
        (x1 * sp.log(x1 / reference) - x1 + reference) / 4,
        r",\ y = x_1(0),\ \text{ and so for each weight}",
    ),
    source="Lemma 4.4",
    hypotheses=(*SQUARED, START, r"\lambda = 0"),
    uses=("eq-4.2",),
)
def projection_at_all_times(statement: Statement, used: Mapping[str, Verdict]) -> Verdict:
    """Show that the slope of the divergence lies in the range of M; two weights with a kernel of M."""
    if used["eq-4.2"].outcome is not Outcome.PROVED:
        return Verdict(Outcome.INCONCLUSIVE, "The mirror flow was not established.")
    slope = sp.diff(statement.formula, x1)
    a1, a2, moved = sp.symbols("a_1 a_2 c", real=True)
    singular = {m11: a1**2, m12: a1 * a2, m22: a2**2, r1: moved * a1, r2: moved * a2, decay: sp.Integer(0)}
    speeds = [speed.xreplace(singular) for speed in velocity()]
    second = slope.xreplace({x1: x2})
    entropy = (x1 * sp.log(x1) - x1) / 4
    at_reference = {x1: reference}
    return judge.argue(
        "The divergence is strictly convex, so a positive point is the minimizer if and only if its slope is "
        "orthogonal to the kernel of M. The slope vanishes at the start and moves by r − Mx, which is in the range of "
        "M. For M = aaᵀ, r = ca, the component along the kernel (−a_2, a_1) does not move at all.",
        Equation(
            -a2 * sp.diff(slope, x1) * speeds[0] + moved,
            moved - a1 * sp.diff(second, x2) * speeds[1],
            says="the slope of the divergence along the kernel is conserved (with c on both sides)",
        ),
        Equation(
            sp.diff(slope, x1) * velocity()[0].xreplace({decay: sp.Integer(0)}),
            -sp.diff(LOSS, x1),
            says="its first entry moves by (r − Mx)_1",
        ),
        stated=Equation(
            statement.formula,
            entropy - entropy.xreplace(at_reference) - sp.diff(entropy, x1).xreplace(at_reference) * (x1 - reference),
            says="the divergence of h = ¼ Σ (x log x − x), whose slope vanishes at x = y",
        ),
    )


u, v = sp.symbols("u v", real=True)


@PAPER.claim(
    "sec-5.1.2",
    statement=Statement(
        r"p^{+} = ",
        (u + v) / 2,
        r",\ p^{-} = ",
        (u - v) / 2,
        r",\ \tilde t = ",
        time / 2,
        r" \text{ turn the flow of } \ell(u \circ v) + \tfrac{\lambda}{2} (\|u\|^2 + \|v\|^2) \text{ into that of } "
        r"\ell((p^+)^2 - (p^-)^2) + \lambda (\|p^+\|^2 + \|p^-\|^2)",
    ),
    source="Section 5.1.2, equations (5.1) and (5.2)",
)
def reduction_to_squares(statement: Statement) -> Verdict:
    """Differentiate p along the flow of u and v, for one weight and a loss with the slope g."""
    plus, minus, clock = statement.formulas
    p, q = sp.symbols("p q", real=True)
    speed = {u: -v * pull - decay * u, v: -u * pull - decay * v}
    reduced = pull * (p**2 - q**2) + decay * (p**2 + q**2)  # the loss has the slope g in x
    here = {p: plus, q: minus}

    def moved(quantity: sp.Expr) -> sp.Expr:
        return sum(sp.diff(quantity, each) * speed[each] for each in (u, v)) / sp.diff(clock, time)

    return judge.prove(
        "Each weight moves by itself given the slope of the loss. The weights are p⁺² − p⁻², and with half the clock "
        "both p follow the negative gradient of the reduced loss.",
        Equation(moved(plus), -sp.diff(reduced, p).xreplace(here), says="dp⁺/dt̃"),
        Equation(moved(minus), -sp.diff(reduced, q).xreplace(here), says="dp⁻/dt̃"),
        stated=Equation(plus**2 - minus**2, u * v, says="the weight"),
    )
