"""A file to begin with: the claims of an invented paper on one masked weight, x = m w with weight decay.

Copy it, replace the paper and its claims by yours, and run
``implicit-bias judge my_paper.py --html page.html --json ledger.json``. The guide "Check your own paper" explains it
step by step.
"""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction

import numpy as np
import sympy as sp
from scipy.integrate import solve_ivp

from implicit_bias.claims import Correction, Equation, Outcome, Paper, Statement, Verdict, Violation, corrected, judge

PAPER = Paper(
    "one-weight",
    "Notes on one masked weight",
    "A. Author",
    year=2026,
    note="Invented, to show how a paper is checked. Two of its six statements are wrong.",
)

# Declare as much as the paper assumes: it decides where an identity has to hold.
m, w = sp.symbols("m w", real=True)
slope = sp.Symbol("g", real=True)  # f'(x)
m0, w0, decay, c, t, step = sp.symbols("m0 w0 alpha c t eta", positive=True)

# The paper's flow, and its solution where f' = -c, as a computer algebra system finds it.
FLOW = {m: -w * slope - 2 * decay * m, w: -m * slope - 2 * decay * w}
SOLUTION = {
    m: sp.exp(-2 * decay * t) * (m0 * sp.cosh(c * t) + w0 * sp.sinh(c * t)),
    w: sp.exp(-2 * decay * t) * (w0 * sp.cosh(c * t) + m0 * sp.sinh(c * t)),
}
SOLVES = [
    Equation(sp.diff(SOLUTION[part], t), FLOW[part].subs({**SOLUTION, slope: -c}), says=f"It solves {part}' = …")
    for part in (m, w)
]


@PAPER.claim(
    "lem-1",
    statement=Statement(r"\tfrac{d}{dt}(m^2 - w^2) = ", -4 * decay * (m**2 - w**2)),
    source="Lemma 1",
    hypotheses=(r"h = m^2 + w^2",),
)
def lemma_1(statement: Statement) -> Verdict:
    """Prove: the statement is an identity, and both sides come from different sources."""
    return judge.prove("The chain rule along the flow.", stated=(statement.formula, 2 * m * FLOW[m] - 2 * w * FLOW[w]))


@PAPER.claim(
    "thm-2",
    statement=Statement(r"m_t^2 - w_t^2 = ", (m0**2 - w0**2) * sp.exp(-4 * decay * t)),
    source="Theorem 2",
    hypotheses=(r"\alpha \text{ constant}",),
    uses=("lem-1",),
)
def theorem_2(statement: Statement, used: Mapping[str, Verdict]) -> Verdict:
    """Argue: words lead from identities to the statement."""
    if used["lem-1"].outcome is not Outcome.PROVED:
        return Verdict(Outcome.INCONCLUSIVE, "It rests on Lemma 1.")
    return judge.argue(
        "By Lemma 1 the rate of m² − w² does not depend on f, so one f decides. For f' = −c the solution is known.",
        *SOLVES,
        stated=(statement.formula, SOLUTION[m] ** 2 - SOLUTION[w] ** 2),
    )


@PAPER.claim(
    "eq-3",
    statement=Statement("m_t + w_t = ", (m0 + w0) * sp.exp((c - decay) * t)),
    source="equation 3",
    hypotheses=("f' = -c",),
)
def equation_3(statement: Statement) -> Verdict:
    """Refute: a wrong constant. The numbers at which it fails are found by ``prove``."""
    found = SOLUTION[m] + SOLUTION[w]
    true = (m0 + w0) * sp.exp((c - 2 * decay) * t)
    correction = Correction(
        f"m_t + w_t = {sp.latex(true)}", judge.prove("The sum of the solution.", *SOLVES, stated=(true, found))
    )
    return judge.prove("The sum.", *SOLVES, stated=(statement.formula, found), correction=correction)


@PAPER.claim(
    "cor-4",
    statement=Statement(r"\log(m_t + w_t) = \log(m_0 + w_0) - ", (2 * decay - c) * t, r" \to -\infty"),
    source="Corollary 4",
    hypotheses=(r"2\alpha > c",),
    uses=(corrected("eq-3"),),
)
def corollary_4(statement: Statement) -> Verdict:
    """Use what holds instead of a refuted claim."""
    return judge.argue(
        "By equation 3 as corrected. The rate is positive under the hypothesis, so the right side falls without bound.",
        (sp.log(m0 + w0) - statement.formula, sp.log(SOLUTION[m] + SOLUTION[w])),
        conditions=(2 * decay - c,),
    )


@PAPER.claim(
    "rem-5",
    statement=Statement(
        r"|1 - \eta(c + 2\alpha)| \le ", sp.Integer(1), r"\text{, so gradient descent shrinks } |m - w|"
    ),
    source="Remark 5",
)
def remark_5(statement: Statement) -> Verdict:
    """Refute by a search: a hypothesis is missing, and random instances find where."""
    shrinking = step * (c + 2 * decay)
    factor = sp.Abs(1 - shrinking)

    def at(size: float) -> Violation:
        numbers = {"eta": Fraction(size), "c": Fraction(1), "alpha": Fraction(1)}
        return Violation(factor, statement.formula, numbers, ">")

    smallest = judge.search(judge.quarters(0.25, 4), lambda size: abs(1 - 3 * size) > float(statement.formula)).smallest
    if smallest is None:
        return Verdict(Outcome.INCONCLUSIVE, "No step up to 4 contradicts it.")
    one_step = (m - w) + step * (FLOW[m] - FLOW[w]).subs(slope, -c)
    return judge.refute(
        "A step multiplies m − w by 1 − η(c + 2α), which is below −1 for a large η.",
        at(smallest),
        Equation(one_step, (m - w) * (1 - shrinking), says="One step of gradient descent."),
        correction=Correction(
            r"s = \eta(c + 2\alpha) \le 2: \ |1 - s| \le 1",
            judge.argue(
                "For 0 ≤ s ≤ 2, s(2 − s) is not negative.", (1 - (1 - shrinking) ** 2, shrinking * (2 - shrinking))
            ),
        ),
    )


@PAPER.claim(
    "fig-6",
    statement=Statement("(m_t^2 - w_t^2)/(m_0^2 - w_0^2) = ", sp.exp(-4 * decay * t)),
    source="figure 6",
    hypotheses=(r"f(x) = \tfrac12 (x - 1)^2, \ m_0 = 1, \ w_0 = \tfrac12, \ \alpha = \tfrac15",),
)
def figure_6(statement: Statement) -> Verdict:
    """Support by numbers: integrate the definition, which knows no formula."""

    def velocity(_: float, state: np.ndarray) -> list[float]:
        first, second = state
        pull = first * second - 1
        return [-second * pull - 0.4 * first, -first * pull - 0.4 * second]

    times = np.linspace(0, 3, 31)
    path = solve_ivp(velocity, (0, 3), [1.0, 0.5], "DOP853", times, rtol=1e-12, atol=1e-13).y
    stated = sp.lambdify((decay, t), statement.formula)(0.2, times)
    residual = float(np.abs((path[0] ** 2 - path[1] ** 2) / 0.75 - stated).max())
    return judge.from_residual(
        residual,
        1e-9,
        f"Integrated by SciPy; the largest deviation is {residual:.1g}.",
        refuted_above=1e-6,
        tolerance_reason="The integrator is asked for 1e-12 a step and takes some 30 steps.",
        alpha=0.2,
        deviation=residual,
    )
