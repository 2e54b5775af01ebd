"""The spectral hypentropy: what its statements on matrices ask of singular values."""

from __future__ import annotations

from fractions import Fraction

import sympy as sp

from derivations.exponentiated_gradient import PAPER
from derivations.exponentiated_gradient.hypentropy import SCALE, beta, conjugate, z
from implicit_bias import Correction, Verdict
from implicit_bias.claims import Statement
from implicit_bias.claims.equation import Violation
from implicit_bias.claims.judge import argue, refute

tau = sp.Symbol("tau", positive=True)
m = sp.Symbol("m", positive=True, integer=True)
a, b = sp.symbols("a b", real=True)


@PAPER.claim(
    "lem-18",
    statement=Statement(
        r"\frac{(\phi_\beta^*)'(b) - (\phi_\beta^*)'(a)}{b - a} \le ", beta * sp.cosh(a) + beta * sp.cosh(b)
    ),
    source="proof of Lemma 18, where Lemma 17 is applied",
    hypotheses=(SCALE, r"a \ne b", r"\phi_\beta^*(z) = \beta \cosh z"),
    uses=("conjugate",),
)
def mean_slope_of_the_conjugate(statement: Statement) -> Verdict:
    """The mean value inequality behind the smoothness of the conjugate. Half of the right side is enough."""
    half = sp.Symbol("h", positive=True)
    place = {b: a + 2 * half}
    slope = sp.diff(conjugate.statement.formulas[0], z)
    quotient = (slope.xreplace({z: b}) - slope.xreplace({z: a})) / (b - a)
    return argue(
        "Let b = a + 2h with h > 0 (both sides are symmetric). The left side is tanh(h)/(2h) times the right one, an "
        "identity, and 0 < tanh(h)/h < 1. So even half of the right side bounds it, and this half is the best factor "
        "(h → 0): Lemma 17 applies with c = 1 instead of 2, which doubles the moduli of Lemma 16 and Theorem 14.",
        (statement.formula.xreplace(place) * sp.tanh(half) / (2 * half), quotient.xreplace(place)),
    )


@PAPER.claim(
    "thm-14",
    statement=Statement(
        r"\Phi_\beta \text{ is } ", 1 / (2 * (tau + beta * m)),
        r"\text{-strongly convex in the trace norm over } \{X : \|X\|_1 \le \tau\}",
    ),
    source="Theorem 14",
    hypotheses=(SCALE, r"m = \min\{m, n\}", r"\|\cdot\|_1 \text{ is the trace norm}"),
    uses=("lem-18", "conjugate"),
)  # fmt: skip
def spectral_modulus(statement: Statement) -> Verdict:
    """Strong convexity of the spectral hypentropy, with the printed proof and its sets put right."""
    sigma, eigenvalue = sp.Symbol("sigma", positive=True), sp.Symbol("lambda", real=True)
    root = sp.sqrt(beta**2 + sigma**2)
    symmetric = 1 / (2 * (2 * tau + beta * 2 * m))  # Lemma 16 on matrices of trace norm ≤ 2τ and rank ≤ 2m
    block = sp.Matrix([[0, sigma], [sigma, 0]])
    return argue(
        "Lemma 17 (Juditsky and Nemirovski) with the inequality of Lemma 18 bounds the second derivative of Φ* along a "
        "symmetric H of spectral norm 1 and rank at most r by 2Σ√(β² + σ_i²) ≤ 2(τ + βr), as β + σ − √(β² + σ²) = "
        "2βσ/(β + σ + √(β² + σ²)) > 0. By duality Φ is 1/(2(τ + βr))-strongly convex on symmetric matrices of trace "
        "norm at most τ. The symmetrization S(X) has the eigenvalues ±σ_i, so it doubles the trace norm and the rank: "
        "2τ and 2m in the places of τ and r. Φ(S(X)) = 2Φ(X) and ‖S(X)‖₁² = 4‖X‖₁² double the modulus, which gives "
        "the stated one. It is not the best: with the factor of Lemma 18 halved, it doubles.",
        (beta + sigma - root, 2 * beta * sigma / (beta + sigma + root)),
        ((eigenvalue - sigma) * (eigenvalue + sigma), (eigenvalue * sp.eye(2) - block).det()),
        (statement.formula, symmetric * 4 / 2),
    )


@PAPER.claim(
    "thm-14-sets",
    statement=Statement(
        r"\|S(X)\|_1 \le ", tau, r" \text{ for all } X \text{ with } \|X\|_1 \le ", 2 * tau,
        r", \text{ where } S(X) = \begin{pmatrix} 0 & X \\ X^T & 0 \end{pmatrix}",
    ),
    source="proof of Theorem 14, where {S(X)} is called compatible",
    hypotheses=(r"\|\cdot\|_1 \text{ is the trace norm}",),
)  # fmt: skip
def symmetrized_ball(statement: Statement) -> Verdict:
    """The printed proof exchanges the two radii; with the right ones it arrives at the printed theorem."""
    bound, radius = statement.formulas
    sigma, eigenvalue = sp.Symbol("sigma", positive=True), sp.Symbol("lambda", real=True)
    block = sp.Matrix([[0, sigma], [sigma, 0]])
    eigenvalues = ((eigenvalue - sigma) * (eigenvalue + sigma), (eigenvalue * sp.eye(2) - block).det())
    correction = argue(
        "S(X) has the eigenvalues ±σ_i(X): for one singular value the characteristic polynomial is (λ − σ)(λ + σ), and "
        "singular vectors split S(X) into such blocks. So ‖S(X)‖₁ = 2‖X‖₁, and the radii τ and 2τ belong to "
        "X and S(X).",
        eigenvalues,
    )
    return refute(
        "The 1 × 1 matrix X whose entry is the radius 2τ has the trace norm 2τ, and S(X) has the eigenvalues ±2τ, so "
        "the trace norm 4τ.",
        Violation(sp.Abs(radius) + sp.Abs(-radius), bound, {"tau": Fraction(1)}, ">"),
        eigenvalues,
        correction=Correction(
            r"\|S(X)\|_1 = 2\|X\|_1 \le 2\tau \text{ for all } X \text{ with } \|X\|_1 \le \tau", correction
        ),
    )
