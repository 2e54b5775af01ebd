"""The positive Lasso as a complementarity problem, its path, and the Lasso as a positive one."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import sympy as sp

from derivations.dln_lasso_path import PAPER
from derivations.dln_lasso_path.setting import decay, inverse, m11, m12, m22
from implicit_bias import Statement, Verdict
from implicit_bias.claims import Correction, Equation, Violation, judge

slope = sp.Symbol("r", real=True)
r_i = sp.Symbol("r_i", real=True)
largest = sp.Symbol("rho", nonnegative=True)  # ‖r − λ1‖_∞
excess, curvature = sp.symbols("delta m", positive=True)
later = sp.Symbol("nu", positive=True)  # a second inverse penalty
PATH = (
    r"w = -\mu r + (1 + \mu \lambda) \mathbf{1} + M z,\ w \ge 0,\ z \ge 0,\ \langle w, z \rangle = 0",
    r"M \succeq 0,\ r \in \mathrm{Span}\, M,\ \lambda \ge 0",
)


@PAPER.claim(
    "lem-4.10",
    statement=Statement(
        r"w(\mu) = ",
        1 + inverse * decay - inverse * r_i,
        r" \text{ in entry } i \text{ and } z(\mu) = 0 \text{ is the only solution for } 0 \le \mu < ",
        1 / sp.Max(largest, 1),
        r",\ \rho = \|r - \lambda \mathbf{1}\|_\infty",
    ),
    source="Lemma 4.10; that the threshold cannot be larger for one weight is derived here",
    hypotheses=PATH,
)
def path_near_zero(statement: Statement) -> Verdict:
    """Bound w from below, and reach zero at the threshold with one weight."""
    dual, threshold = statement.formulas
    one_weight = {largest: 1 + excess, r_i: decay + 1 + excess}
    return judge.argue(
        "w_i = 1 − μ(r_i − λ) ≥ 1 − μρ > 0 below the threshold. For two solutions ⟨w − w', z − z'⟩ is ‖z − z'‖²_M ≥ 0 "
        "and −⟨w, z'⟩ − ⟨w', z⟩ ≤ 0, so both vanish, and w > 0 forces z' = 0. For one weight with r − λ = ρ = 1 + δ "
        "the stated w is 0 at the threshold and negative beyond it: there the range cannot be longer.",
        Equation(dual, 1 - inverse * (r_i - decay), says="w_i = 1 − μ(r_i − λ)"),
        dual.xreplace({inverse: threshold}).xreplace(one_weight),
    )


@PAPER.claim(
    "lem-4.11",
    statement=Statement(
        r"\Big\| \tfrac{d}{d\mu} \tfrac{w(\mu)}{1 + \mu \lambda} \Big\|_{M^\dagger} \le ",
        sp.Symbol("R", nonnegative=True),
        r",\ R = \|r\|_{M^\dagger},\ \text{ with equality for some paths}",
    ),
    source="Lemma 4.11; that the bound is attained is derived here",
    hypotheses=PATH,
)
def speed_of_the_dual_path(statement: Statement) -> Verdict:
    """Compare two solutions; M is the identity on its range after a change of coordinates."""
    bound = statement.formula
    (name,) = bound.free_symbols
    z, z2, w, w2 = sp.symbols("z z_2 w w_2", nonnegative=True)
    a, b = 1 + inverse * decay, 1 + later * decay
    solved = -inverse * slope + a + curvature * z  # w(μ) for one weight with M = m
    solved2 = -later * slope + b + curvature * z2
    apart = solved / a - solved2 / b
    y1, y2 = sp.symbols("y_1 y_2", positive=True)
    image = (m11 * y1 + m12 * y2, m12 * y1 + m22 * y2)  # My = −r, which is positive for positive M
    squared = m11 * y1**2 + 2 * m12 * y1 * y2 + m22 * y2**2  # ‖r‖² in M†
    inverted = (m22 * image[0] ** 2 - 2 * m12 * image[0] * image[1] + m11 * image[1] ** 2) / (m11 * m22 - m12**2)
    return judge.argue(
        "With δ the difference of w/(1 + μλ) at μ and ν, ‖δ‖² in M† is −(μ/(1 + μλ) − ν/(1 + νλ))⟨δ, M†r⟩ + "
        "⟨δ, z/(1 + μλ) − z_2/(1 + νλ)⟩, and the last product is at most 0 by complementarity and signs. So "
        "‖δ‖ ≤ |μ/(1 + μλ) − ν/(1 + νλ)| ‖r‖, and the derivative of μ/(1 + μλ) is 1/(1 + μλ)² ≤ 1. Without decay and "
        "with r < 0, z stays 0 and the speed is exactly ‖r‖.",
        Equation(
            apart**2 / curvature,
            -(inverse / a - later / b) * apart * slope / curvature + apart * (z / a - z2 / b),
            says="‖δ‖² for one weight",
        ),
        Equation(
            (w / a - w2 / b) * (z / a - z2 / b),
            w * z / a**2 + w2 * z2 / b**2 - w * z2 / (a * b) - w2 * z / (a * b),
            says="the last product, of whose terms the first two vanish",
        ),
        Equation(
            bound.xreplace({name: sp.sqrt(squared)}) * sp.sqrt(squared),
            inverted,
            says="two weights with r = −My < 0 and no decay have w = 1 + μMy and the speed ‖r‖ (times ‖r‖)",
        ),
    )


@PAPER.claim(
    "lem-4.11-display",
    statement=Statement(
        r"\Big\| \tfrac{w(\mu)}{1 + \mu \lambda} - \tfrac{w(\nu)}{1 + \nu \lambda} \Big\|_{M^\dagger}^2 \le ",
        sp.Abs(inverse - later) * sp.Symbol("R", nonnegative=True),
        r",\ R = \|r\|_{M^\dagger}",
    ),
    source="the last display in the proof of Lemma 4.11",
    hypotheses=PATH,
    uses=("lem-4.11",),
)
def display_with_a_square(statement: Statement) -> Verdict:
    """Insert one weight with M = 1, r = −1 and no decay, whose z stays 0; the square is one too many."""
    change = 1 + curvature * inverse - (1 + curvature * later)  # of w, for r = −m, M = 1
    (name,) = statement.formula.free_symbols - {inverse, later}
    fractions = {"mu": Fraction(3), "nu": Fraction(1), "m": Fraction(1)}
    return judge.refute(
        "For M = 1, r = −1, λ = 0 the path is z = 0, w = 1 + μ: between μ = 3 and ν = 1 the left side is 4, the right "
        "one 2. The inequality before it, with the norm on its right side, gives the bound without the square.",
        Violation(change**2, statement.formula.xreplace({name: curvature}), fractions, ">"),
        Equation(
            change * (change + 1),
            curvature**2 * (inverse - later) ** 2 + curvature * (inverse - later),
            says="the path w = 1 + mμ moves by m(μ − ν)",
        ),
        correction=Correction(
            r"\Big\| \tfrac{w(\mu)}{1 + \mu \lambda} - \tfrac{w(\nu)}{1 + \nu \lambda} \Big\|_{M^\dagger} "
            r"\le |\mu - \nu|\, \|r\|_{M^\dagger}",
            judge.argue(
                "The inequality before the display bounds the square of the left side by itself times |μ/(1 + μλ) − "
                "ν/(1 + νλ)| ‖r‖; dividing by it leaves the norm, and μ/(1 + μλ) is 1-Lipschitz.",
                Equation(
                    inverse / (1 + inverse * decay) - later / (1 + later * decay),
                    (inverse - later) / ((1 + inverse * decay) * (1 + later * decay)),
                    says="the difference of μ/(1 + μλ), whose denominator is at least 1",
                ),
            ),
        ),
    )


y, n = sp.symbols("y_pos y_neg", nonnegative=True)
penalty = sp.Symbol("kappa", positive=True)  # λ + 1/μ


@PAPER.claim(
    "lem-5.1",
    statement=Statement(
        r"\widetilde{\mathrm{Lasso}}(y^+, y^-) - \mathrm{Lasso}(y^+ - y^-) = \sum_i ",
        2 * penalty * sp.Min(y, n),
        r" \ge 0,\ \kappa = \lambda + \tfrac1\mu,\ \text{ so both problems have the same minimum, and the parts "
        r"} (z_+, z_-) \text{ of a minimizer } z \text{ minimize the first}",
    ),
    source="Lemma 5.1; the difference, which it only compares with zero, is derived here",
    hypotheses=(r"y^+, y^- \ge 0", r"\tilde M = \begin{pmatrix} M & -M \\ -M & M \end{pmatrix},\ \tilde r = (r, -r)"),
)
def lasso_as_positive_lasso(statement: Statement) -> Verdict:
    """Compare both objectives; the quadratic parts agree, and the norms differ by the common part."""
    p1, p2, q1, q2, r1, r2 = sp.symbols("p_1 p_2 q_1 q_2 r_1 r_2", real=True)
    doubled = sp.Matrix(
        [[m11, m12, -m11, -m12], [m12, m22, -m12, -m22], [-m11, -m12, m11, m12], [-m12, -m22, m12, m22]]
    )
    point = sp.Matrix([p1, p2, q1, q2])
    apart = (p1 - q1, p2 - q2)
    loss = m11 * apart[0] ** 2 / 2 + m12 * apart[0] * apart[1] + m22 * apart[1] ** 2 / 2 - r1 * apart[0] - r2 * apart[1]
    split = (point.T * doubled * point)[0] / 2 - (sp.Matrix([[r1, r2, -r1, -r2]]) * point)[0]
    a, d = sp.symbols("a d", nonnegative=True)  # the smaller one, and what the other one has more
    return judge.argue(
        "The quadratic parts agree, so the objectives differ by κ(y⁺ + y⁻ − |y⁺ − y⁻|) in each entry, twice the "
        "smaller of both: zero exactly where one of them vanishes, that is where ⟨y⁺, y⁻⟩ = 0. The parts of z do so. "
        "Hence each value of the first objective is at least one of the second, and each value of the second one is "
        "taken by the first.",
        Equation(split, loss, says="the quadratic parts, for two weights"),
        *(
            Equation(
                statement.formula.xreplace(here) + penalty**2,
                penalty * (2 * a + d - sp.Abs(here[y] - here[n]) + penalty),
                says=f"the difference of the norms where y⁺ is the {which} one (plus κ²)",
            )
            for which, here in (("smaller", {y: a, n: a + d}), ("larger", {y: a + d, n: a}))
        ),
    )


INSTANCES = 400
FREQUENCY_TOLERANCE = 0.08


@PAPER.claim(
    "sec-2.2",
    statement=Statement(
        r"\mu \mapsto \mu x(\mu) \text{ is monotone with probability } ",
        sp.Rational(19, 25),
        r" \text{ over the instances}",
    ),
    source="Section 2.2",
    hypotheses=(
        r"\ell(x) = \tfrac12 \|Xx - y\|^2,\ X \in \mathbb{R}^{3 \times 4},\ \lambda = 0",
        "all entries of X and y are independent and standard normal",
    ),
)
def share_of_monotone_paths(statement: Statement) -> Verdict:
    """Follow random paths from kink to kink; between kinks z is affine in μ."""
    generator = np.random.default_rng(0)
    instances = [(generator.normal(size=(3, 4)), generator.normal(size=3)) for _ in range(INSTANCES)]
    share = float(np.mean([is_monotone(X.T @ X, X.T @ y) for X, y in instances]))
    return judge.from_residual(
        abs(share - float(statement.formula)),
        FREQUENCY_TOLERANCE,
        f"Of {INSTANCES} random paths {share:.3f} are monotone.",
        refuted_above=2 * FREQUENCY_TOLERANCE,
        tolerance_reason="Three standard deviations of the difference of frequencies, of 1000 and 400 instances.",
        share=share,
        stated=float(statement.formula),
    )


def is_monotone(M: np.ndarray, r: np.ndarray) -> bool:
    """Whether all |μx_i(μ)| grow along the Lasso path, for M of a rank at least the number of active weights."""
    signs = np.zeros(len(r))
    mu = 1 / np.abs(r).max()
    signs[np.argmax(np.abs(r))] = np.sign(r[np.argmax(np.abs(r))])
    for _ in range(50):
        active = np.flatnonzero(signs)
        block = M[np.ix_(active, active)]
        growth, offset = np.linalg.solve(block, np.array([r[active], signs[active]]).T).T  # z = μ growth − offset
        if (growth * signs[active] < -1e-9).any():
            return False
        correlation = r - M[:, active] @ growth, M[:, active] @ offset  # μr − Mz is affine in μ
        idle = np.flatnonzero(signs == 0)
        if len(idle) == 0 or len(active) >= np.linalg.matrix_rank(M):
            return True  # nothing enters any more, and what is active grows
        with np.errstate(divide="ignore", invalid="ignore"):
            kinks = np.array([(side - correlation[1][idle]) / correlation[0][idle] for side in (1, -1)])
        kinks[~(kinks > mu * (1 + 1e-9))] = np.inf
        side, which = np.unravel_index(np.argmin(kinks), kinks.shape)
        if not np.isfinite(kinks[side, which]):
            return True
        mu = kinks[side, which]
        signs[idle[which]] = (1, -1)[side]
    raise RuntimeError("the path has more than 50 kinks")
