"""The trajectories are bounded uniformly in time and in the size of the start; some paths are monotone."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import sympy as sp

from derivations.dln_lasso_path import PAPER
from derivations.dln_lasso_path.setting import SQUARED, START, level, m11, m12, m22, positive_minimizer, x1
from implicit_bias import Outcome, Statement, Verdict
from implicit_bias.claims import Equation, corrected, judge

ESTABLISHED = (Outcome.PROVED, Outcome.ARGUED)
size = sp.Symbol("alpha", positive=True)


@PAPER.claim(
    "eq-4.8",
    statement=Statement(
        "",
        level * x1 / 8,
        r" - C_1 \le D(x_1, x_1(0)) \le C_2 \Lambda x_1 + ",
        x1**2 / 4,
        r" + 1,\ \text{ for one weight } x_1 \ge 0 \text{ and } \Lambda = \log \tfrac1\varepsilon \ge "
        r"\Lambda_0(\alpha),\ C_1, C_2 \text{ universal}",
    ),
    source="equation (4.8), whose bounds are sums over the weights",
    hypotheses=(*SQUARED, START, r"D(x, y) = \tfrac14 \sum_i x_i \log(x_i/y_i) - x_i + y_i"),
)
def entropy_against_length(statement: Statement) -> Verdict:
    """Subtract both bounds; what is left has a sign for small ε."""
    lower, quadratic = statement.formulas
    start = size**2 * sp.exp(-level)
    divergence = (x1 * sp.log(x1) - x1 * sp.log(start) - x1 + start) / 4
    grown = sp.log(x1) * x1
    return judge.argue(
        "Above the lower bound are ¼(x log x + x(Λ/2 − 1 − 2 log α) + εα²), where x log x ≥ −1/e: C_1 = 1/(4e) and "
        "Λ ≥ 2 + 4 log α will do. Below the upper one, with C_2 = ½, are ¼(x² − x log x) ≥ 0, x(Λ/4 + ¼ + ½ log α) ≥ 0 "
        "and 1 − εα²/4 ≥ 0 for small ε. Sums over the weights change the constants by the dimension alone, as ‖x‖ ≤ "
        "‖x‖₁ ≤ √d ‖x‖.",
        Equation(
            divergence - lower,
            (grown + x1 * (level / 2 - 1 - 2 * sp.log(size)) + start) / 4,
            says="above the lower bound",
        ),
        Equation(
            level * x1 / 2 + quadratic + 1 - divergence,
            (x1**2 - grown) / 4 + x1 * (level / 4 + sp.Rational(1, 4) + sp.log(size) / 2) + 1 - start / 4,
            says="below the upper bound",
        ),
    )


@PAPER.claim(
    "prop-4.1",
    statement=r"\|x(t)\| \le C \text{ for all } t \ge 0 \text{ and all } \varepsilon < \varepsilon_0(\alpha),\ "
    r"C \text{ depending on } d, M, r, \lambda, \alpha \text{ alone}",
    source="Proposition 4.1, with Lemmas 4.5 and 4.7",
    hypotheses=(*SQUARED, START),
    uses=("eq-4.8", "lem-4.2", "lem-4.4", corrected("lem-4.3-constant")),
)
def bounded_trajectories(used: Mapping[str, Verdict]) -> Verdict:
    """Compare the trajectory with the shortest nonnegative point of the same image."""
    if any(verdict.outcome not in ESTABLISHED for verdict in used.values()):
        return Verdict(Outcome.INCONCLUSIVE, "It rests on claims that were not established.")
    c4, c5, c6, image = sp.symbols("C_4 C_5 C_6 Y", positive=True)
    return judge.argue(
        "If λ > 0 or M is positive definite, L̃ is coercive on x ≥ 0 and does not grow along the flow. Otherwise λ = 0, "
        "Mx(t) is bounded, and x(t) minimizes D(·, x(0)) among the nonnegative points of its image Y. The shortest one "
        "of them, b, is at most max_I ‖(M_I)†‖ times as long as Y: by Carathéodory Y is a nonnegative combination of "
        "independent columns M_I, whose coefficients are (M_I)† Y. So Λ‖x‖/8 − C_1 ≤ D(x) ≤ D(b) ≤ "
        "C_2 Λ‖b‖ + ‖b‖²/4 + 1, and dividing by Λ/8, with Λ ≥ 8, bounds ‖x‖ by C(1 + ‖Y‖²).",
        Equation(
            8 / level * (c4 + c5 * level * image + c6 * image**2),
            c4 + 8 * c5 * image + c6 * image**2 - (1 - 8 / level) * (c4 + c6 * image**2),
            says="8/Λ times the bound is at most C_4 + 8C_5 Y + C_6 Y² for Λ ≥ 8",
        ),
    )


@PAPER.claim(
    "sec-3.1",
    statement=r"M \succ 0 \text{ with } M_{ij} \le 0 \text{ for } i \ne j \implies \mu x(\mu) \text{ does not "
    r"decrease in any entry, for the positive Lasso}",
    source="Section 3.1, after Theorem 3.1",
    hypotheses=(r"x(\mu) \text{ the minimizer of } \ell(x) + (\lambda + \tfrac1\mu) \|x\|_1 \text{ over } x \ge 0",),
)
def monotone_paths() -> Verdict:
    """Less penalty cannot shrink a weight where weights only pull each other up; random paths on a grid."""
    pull1, pull2, more = sp.symbols("q_1 q_2 h", real=True)
    determinant = m11 * m22 - m12**2

    def first(slope1: sp.Expr, slope2: sp.Expr) -> sp.Expr:
        return (m22 * slope1 - m12 * slope2) / determinant

    worst = 0.0
    for seed in range(20):
        generator = np.random.default_rng(seed)
        off = -generator.uniform(0, 1, size=(4, 4))
        M = np.tril(off, -1) + np.tril(off, -1).T
        M += np.diag(-M.sum(axis=1) + generator.uniform(0.1, 1, size=4))  # dominant, so positive definite
        r, strength = generator.normal(size=4) * 2, 0.1 * (seed % 3)
        grid = np.geomspace(0.1, 30, 12)
        path = np.array([mu * positive_minimizer(M, r, strength + 1 / mu) for mu in grid])
        worst = max(worst, float(-np.diff(path, axis=0).min()))
    verdict = judge.argue(
        "The positive Lasso is the complementarity problem of Mx − q, q = r − λ − 1/μ. For such M its solution is the "
        "least x ≥ 0 with Mx ≥ q: the entrywise minimum of two such points is another one, as off-diagonal entries are "
        "at most 0, and at the least point each positive entry has (Mx)_i = q_i. A larger μ raises q, so that fewer "
        "points qualify and the least one cannot fall; μx(μ) then grows as well. On a fixed support of two weights the "
        "growth of x_1 with both slopes is (M_22 − M_12)h/det M ≥ 0. Twenty random paths agree.",
        Equation(
            first(pull1 + more, pull2 + more) - first(pull1, pull2),
            (m22 - m12) * more / determinant,
            says="the growth of x_1 on a support of two",
        ),
    )
    return judge.agreed(verdict, lambda: worst, MONOTONE_TOLERANCE, "The minimizers solve linear systems to rounding.")


MONOTONE_TOLERANCE = 1e-9
