"""Two measurements of 3 × 3 matrices that do not commute: the flow's trace is not the least one."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import sympy as sp

from derivations.greedy_low_rank import PAPER
from implicit_bias import (
    MatrixParameterization,
    Outcome,
    Regression,
    Statement,
    Verdict,
    gradient_flow,
    mirror_distance,
)
from implicit_bias.claims import Equation, judge

FIRST = sp.diag(-3, 1, 2)
SECOND = sp.Matrix([[-1, 1, 2], [1, 0, 2], [2, 2, 2]])
OBSERVED = (2, 2)
LEAST = sp.diag(0, 0, 1)
SLACK = (sp.Rational(5, 2), sp.Rational(1, 2), 0)
INSTANCE = (
    r"A_1 = \operatorname{diag}(-3, 1, 2),\ A_2 = \begin{pmatrix} -1 & 1 & 2 \\ 1 & 0 & 2 \\ 2 & 2 & 2 \end{pmatrix},\ "
    r"y = (2, 2)"
)
LOG10_SCALES = (-4, -8, -12)
LEAST_GAP = 0.07
FACTOR = MatrixParameterization("U @ U.T", {"U": (3, 3)})


def inner(one: sp.Matrix, two: sp.Matrix) -> sp.Expr:
    """⟨A, X⟩ = tr AᵀX."""
    return (one.T * two).trace()


def flows() -> list[tuple[np.ndarray, float, float]]:
    """The end X, its loss and the largest distance from a mirror flow, from αI at each scale."""
    rows = [np.array(each.tolist(), dtype=float).ravel() for each in (FIRST, SECOND)]
    problem, found = Regression(rows, OBSERVED), []
    for power in LOG10_SCALES:
        start = {"U": 10.0 ** (power / 2) * np.eye(3)}
        flow = gradient_flow(problem, FACTOR, start, [1.0, 5.0, 20.0, 100.0, 1e4], rtol=1e-11, method="LSODA")
        distance = float(mirror_distance(problem, FACTOR, flow.parameters).max())
        found.append((flow.x[-1].reshape(3, 3), float(flow.loss[-1]), distance))
    return found


def excess_traces() -> list[float]:
    """The excess tr X − 1 at the end of each flow."""
    return [float(np.trace(X)) - 1 for X, _, _ in flows()]


@PAPER.claim(
    "least-trace",
    statement=Statement(
        r"\operatorname{tr} X \ge ", sp.Rational(1, 2) * OBSERVED[0], r", \text{ for all } X \succeq 0 \text{ with } "
        r"\langle A_i, X \rangle = y_i, \text{ and } e_3 e_3^\top \text{ alone attains it}",
    ),
    source="an instance for the counterexamples of the abstract; found and certified here",
    hypotheses=(INSTANCE,),
)  # fmt: skip
def least_trace(statement: Statement) -> Verdict:
    """Certify the value of the semidefinite program by a point and by multipliers of its dual."""
    X = sp.Matrix(3, 3, lambda i, j: sp.Symbol(f"x{min(i, j) + 1}{max(i, j) + 1}", real=True))
    size = sp.Symbol("t", positive=True)
    slack = sp.eye(3) - FIRST / 2
    if (inner(FIRST, LEAST), inner(SECOND, LEAST)) != OBSERVED or slack != sp.diag(*SLACK):
        return Verdict(Outcome.INCONCLUSIVE, "e₃e₃ᵀ does not fit, or the slack is another one.")
    return judge.argue(
        "With the multipliers (½, 0) the slack I − ½A_1 = diag(5/2, 1/2, 0) is positive semidefinite, so tr X − ½⟨A_1, "
        "X⟩ = (5/2)x₁₁ + (1/2)x₂₂ ≥ 0, and ⟨A_1, X⟩ = 2 gives the bound. Equality needs x₁₁ = x₂₂ = 0, hence zeros in "
        "these rows and columns of a semidefinite X, and ⟨A_1, X⟩ = 2 leaves x₃₃ = 1. That X fits both measurements.",
        stated=Equation(
            size * (X.trace() - statement.formula * inner(FIRST, X) / OBSERVED[0]),
            sp.expand(size * inner(slack, X)),
            says="tr X less the bound for ⟨A_1, X⟩ = 2 is ⟨slack, X⟩; times t",
        ),
    )


@PAPER.claim(
    "counterexample",
    statement=r"\operatorname{tr} X_\infty > \min \operatorname{tr} X \text{ by the amount in the evidence, from }"
    r"U_0 U_0^\top = \alpha I \text{ at all scales } \alpha \text{ that were tried}",
    source="as summarized in the abstract (counterexamples to the conjecture of Gunasekar et al.), on another instance",
    hypotheses=(INSTANCE, r"U' = -(\nabla f(UU^\top) + \nabla f(UU^\top)^\top) U"),
    uses=("least-trace",),
)
def counterexample(used: Mapping[str, Verdict]) -> Verdict:
    """Integrate the flow at three scales, and compare its trace with the certified one."""
    if used["least-trace"].outcome is not Outcome.ARGUED:
        return Verdict(Outcome.INCONCLUSIVE, "The least trace is not certified.")
    found = flows()
    if max(loss for _, loss, _ in found) > 1e-20:
        return Verdict(Outcome.INCONCLUSIVE, "A flow has not arrived at its data.")
    traces = [float(np.trace(X)) for X, _, _ in found]
    seconds = [float(np.linalg.eigvalsh(X)[1]) for X, _, _ in found]
    return judge.from_residual(
        max(LEAST_GAP - (min(traces) - 1), 0.0),
        1e-8,
        f"The traces are {', '.join(f'{trace:.6f}' for trace in traces)} at α = 1e-4, 1e-8, 1e-12, beside the least "
        f"one, 1: {LEAST_GAP} more or above. The second "
        f"eigenvalues are {', '.join(f'{value:.1e}' for value in seconds)}: the ends become a matrix of rank one that "
        f"is not e₃e₃ᵀ. The distance from a mirror flow is up to {max(d for _, _, d in found):.2f}.",
        tolerance_reason="The stated amount is more than 1e-3 below what is measured; the integrator errs by 1e-9.",
    )
