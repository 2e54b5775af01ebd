"""The flow of X = U Uᵀ from a small start: a theorem for commuting measurements, and the conjecture for all."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import sympy as sp

from derivations.greedy_low_rank.counterexample import LOG10_SCALES, excess_traces
from derivations.matrix_factorization import PAPER
from implicit_bias import Outcome, Regression, Statement, Verdict, VonNeumannEntropy, bregman_projection
from implicit_bias.claims import Equation, judge

FLOW = r"U' = -(\nabla f(UU^\top) + \nabla f(UU^\top)^\top) U"
START = r"U_0 U_0^\top = \alpha I"
COMMUTING = r"A_i \text{ symmetric and commuting}"
ABSTRACT = "as summarized in the abstract"
start, entropy = sp.Symbol("alpha", positive=True), sp.Symbol("E", real=True)
exponent = sp.Symbol("w", real=True)  # of an eigenvalue exp(w)
order = sp.Symbol("n", positive=True, integer=True)
slope, other_slope, entry = sp.symbols("g_i g_j x_ij", real=True)


def established(used: Mapping[str, Verdict]) -> bool:
    """Whether all claims that an argument rests on are proved or argued."""
    return all(verdict.outcome in (Outcome.PROVED, Outcome.ARGUED) for verdict in used.values())


@PAPER.claim(
    "commuting-flow",
    statement=Statement(
        r"\tfrac{d}{dt} x_{ij} = ",
        -2 * (slope + other_slope) * entry,
        r" \text{ in the eigenbasis of } \nabla f(X), \text{ with eigenvalues } g_i, g_j: \ X_t = \alpha e^{-4 L_t}",
    ),
    source=f"{ABSTRACT} (theoretical evidence); derived here",
    hypotheses=(FLOW, START, COMMUTING),
)
def commuting_flow(statement: Statement) -> Verdict:
    """Differentiate an entry of U Uᵀ for two rows of U, in a basis in which ∇f is diagonal."""
    row, other_row = (sp.Matrix(sp.symbols(f"{name}1 {name}2", real=True)) for name in "uv")
    moved, other_moved = -2 * slope * row, -2 * other_slope * other_row
    return judge.argue(
        "∇f(X) is a combination of the A_i, so it is diagonal in their joint eigenbasis at all times, and row i of U "
        "follows u' = −2 g_i u. By the stated rate the entries with i ≠ j, which start at 0, stay there, and the "
        "others follow x' = −4 g x, so log x = log α − 4∫g. The identity is for rows of two entries; more add such "
        "terms.",
        stated=Equation(
            statement.formula.xreplace({entry: row.dot(other_row)}),
            sp.expand(moved.dot(other_row) + row.dot(other_moved)),
            says="the rate of the entry ⟨u, v⟩",
        ),
    )


@PAPER.claim(
    "commuting-trace",
    statement=Statement(
        r"\operatorname{tr} X_\infty - S \le ",
        (entropy + order) / sp.log(1 / start),
        r", \text{ with } S = \operatorname{tr} X_* \text{ the least trace and } E = \operatorname{tr}(X_* \log X_* - "
        r"X_*): \text{ as } \alpha \to 0 \text{ the nuclear norm becomes least}",
    ),
    source=f"{ABSTRACT} (theoretical evidence); the bound is derived here",
    hypotheses=(FLOW, START, COMMUTING, r"\alpha < 1", r"X_t \to X_\infty,\ f(X_\infty) = 0"),
    uses=("commuting-flow", "matrix-mirror/von-neumann"),
)
def commuting_trace(statement: Statement, used: Mapping[str, Verdict]) -> Verdict:
    """Compare the minimizer of the entropy with that of the trace, and bound the entropy below by −n."""
    if not established(used):
        return Verdict(Outcome.INCONCLUSIVE, "That the flow ends at the least entropy is not established.")
    term = sp.exp(exponent) * (exponent - 1)
    verdict = judge.argue(
        "With L = log(1/α) > 0, X_∞ has the least Σ (x log x − x) + L tr X among all X that fit. Compared with X_*, "
        "L (tr X_∞ − S) ≤ E − Σ (x log x − x). With x = exp(w) a term is exp(w)(w − 1), whose slope w exp(w) changes "
        "its sign at w = 0 alone, where the term is −1. So the sum is at least −n, and division by L gives the bound.",
        Equation(sp.diff(term, exponent), exponent * sp.exp(exponent), says="the slope of a term"),
        stated=Equation(statement.formula, (entropy + order) / -sp.log(start), says="the bound, with L = −log α"),
    )
    return judge.agreed(
        verdict,
        _excess_over_the_bound,
        1e-9,
        "Projections are converged to a relative 1e-12, of traces of a few units.",
    )


def _excess_over_the_bound() -> float:
    """The largest excess of tr X − S over the bound, on commuting measurements with a known least trace."""
    generator, worst = np.random.default_rng(0), -np.inf
    for _ in range(5):
        vectors = np.linalg.qr(generator.normal(size=(4, 4)))[0]
        values = generator.uniform(-1, 1, size=(2, 4))
        values[0, 3], values[1, 3] = 1.0, generator.uniform(0.5, 1)  # ⟨A_1, X⟩ <= tr X, with equality along the last
        size = generator.uniform(0.5, 3)  # X_* = size v_4 v_4ᵀ
        rows = [((vectors * each) @ vectors.T).ravel() for each in values]
        for log_scale in (-1.0, -5.0, -50.0):
            found = bregman_projection(Regression(rows, size * values[:, 3]), VonNeumannEntropy(4, log_scale=log_scale))
            bound = (size * np.log(size) - size + 4) / -log_scale
            worst = max(worst, float(np.trace(found.x.reshape(4, 4))) - size - bound)
    return max(worst, 0.0)


@PAPER.claim(
    "conjecture",
    statement=r"X_\infty \to \operatorname{argmin} \{ \|X\|_* : X \succeq 0,\ \langle A_i, X \rangle = y_i \} "
    r"\text{ as } \alpha \to 0, \text{ whatever the } A_i",
    source=f"{ABSTRACT}, for gradient descent with small enough steps; here its limit, the flow",
    hypotheses=(FLOW, START, r"f(X_\infty) = 0"),
    uses=("greedy-low-rank/counterexample",),
)
def conjecture(used: Mapping[str, Verdict]) -> Verdict:
    """Show the measured gaps of the counterexample, which do not shrink with the start, but decide no limit."""
    found = used["greedy-low-rank/counterexample"]
    if found.outcome is not Outcome.SUPPORTED:
        return Verdict(Outcome.INCONCLUSIVE, "No instance is established on which the trace stays above the least one.")
    gaps = excess_traces()
    return Verdict(
        Outcome.INCONCLUSIVE,
        "On two measurements of 3 × 3 matrices whose least trace is certified to be 1, the trace at the end is "
        + ", ".join(f"{1 + gap:.6f} from α = 1e{at:g}" for gap, at in zip(gaps, LOG10_SCALES, strict=True))
        + ". These numbers speak against the conjecture at three scales, and prove no limit.",
    )
