"""Factorizations of matrices from unbalanced starts."""

from __future__ import annotations

import sympy as sp

from derivations.ours import PAPER
from implicit_bias import Statement, Verdict
from implicit_bias.claims import Equation, judge

first, second = sp.symbols("u v", positive=True)
dual = sp.Symbol("z", real=True)  # a singular value of −L
rate = sp.Symbol("s", real=True)  # a singular value of ∇f


@PAPER.claim(
    "unbalanced-factors",
    statement=Statement(
        r"\text{The flow of } X = UV^\top \text{ from } U_0 U_0^\top = uI,\ V_0 V_0^\top = vI,\ U_0 V_0^\top = 0 "
        r"\text{ is the mirror flow of the hyperbolic entropy of singular values of scale } ",
        (first + second) / 2,
    ),
    source="this project",
    hypotheses=(r"A_i^\top A_j \text{ and } A_i A_j^\top \text{ symmetric}",),
)
def unbalanced_factors(statement: Statement) -> Verdict:
    """Solve the flow of one pair of singular vectors, and compare with a sinh 2z."""
    grown, mixed = sp.cosh(dual), sp.sinh(dual)
    return judge.argue(
        "The measurements, and with them ∇f, have common singular vectors p_i, q_i. Along one pair a = Uᵀp and b = Vᵀq "
        "follow a' = −s b, b' = −s a, so with z = −∫s they are a = cosh z a_0 + sinh z b_0 and b = sinh z a_0 + "
        "cosh z b_0, where |a_0|² = u, |b_0|² = v and ⟨a_0, b_0⟩ = 0. Those of different pairs stay orthogonal. The "
        "singular value ⟨a, b⟩ is (u + v) cosh z sinh z, and α sinh 2z is ∇R* of the entropy of scale α. Where the "
        "matrix is not square, vectors without a partner stay as they are, and do not enter X.",
        Equation(
            sp.diff(grown * mixed * (first + second), dual),
            first * (grown**2 + mixed**2) + second * (mixed**2 + grown**2),
            says="d⟨a, b⟩/dz = |a|² + |b|²",
        ),
        stated=Equation(
            (statement.formula * sp.sinh(2 * dual)).rewrite(sp.exp),
            (grown * mixed * (first + second)).rewrite(sp.exp),
            says="the singular value ⟨a, b⟩",
        ),
    )
