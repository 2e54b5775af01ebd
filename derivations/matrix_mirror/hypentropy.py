"""The spectral hypentropy: its mirror map in the published code, its two limits, and a bound on nuclear norms."""

from __future__ import annotations

from collections.abc import Mapping

import sympy as sp

from derivations.matrix_mirror import PAPER
from implicit_bias import Outcome, Statement, Verdict
from implicit_bias.claims import judge
from implicit_bias.claims.equation import Equation

size = sp.Symbol("sigma", nonnegative=True)  # a singular value
scale = sp.Symbol("beta", positive=True)
dual = sp.Symbol("xi", real=True)  # an eigenvalue of ∇Φ(X)
HYPENTROPY = size * sp.asinh(size / scale) - sp.sqrt(size**2 + scale**2)


def established(used: Mapping[str, Verdict]) -> bool:
    """Whether all claims that an argument rests on are proved or argued."""
    return all(verdict.outcome in (Outcome.PROVED, Outcome.ARGUED) for verdict in used.values())


@PAPER.claim(
    "code-update",
    statement=Statement(
        r"X = \tfrac{\beta}{2} (e^{\Xi} - e^{-\Xi}) \text{ with } \Xi = \nabla \Phi_\beta(X), \quad "
        r"\Phi_\beta(X) = \sum_i ",
        HYPENTROPY,
        r"\text{ over the singular values } \sigma \text{ of } X",
    ),
    source="the update of md in algorithms.py of the published code; the formula of the potential is derived here",
    hypotheses=("X symmetric",),
)
def update(statement: Statement) -> Verdict:
    """Put the slope of the stated potential into the update of the code."""
    step = scale / 2 * (sp.exp(dual) - sp.exp(-dual))
    slope = sp.diff(statement.formula, size)
    return judge.argue(
        "A spectral function of a symmetric X has the gradient that has the slopes of its terms as eigenvalues, in the "
        "eigenbasis of X. The slope of the stated term is arcsinh(σ/β), whose inverse is the update of the code, "
        "eigenvalue by eigenvalue; for a negative eigenvalue both are odd.",
        Equation(
            step.xreplace({dual: sp.log(size / scale + sp.sqrt(size**2 / scale**2 + 1))}), size, says="the inverse"
        ),
        stated=Equation(slope, sp.asinh(size / scale), says="the slope of the stated term"),
    )


@PAPER.claim(
    "small-scale",
    statement=Statement(
        r"\Phi_\beta(X) \,/\, ",
        sp.log(1 / scale),
        r" \to \|X\|_* \text{ as } \beta \to 0",
    ),
    source="abstract, on a quantity related to the nuclear norm; the factor is derived here",
    hypotheses=(r"\Phi_\beta \text{ of the claim on the code's update}", r"X \text{ fixed}"),
    uses=("code-update",),
)
def nuclear_limit(statement: Statement, used: Mapping[str, Verdict]) -> Verdict:
    """Split the stated factor off each term, and see that the rest stays bounded."""
    if not established(used):
        return Verdict(Outcome.INCONCLUSIVE, "The potential is not established.")
    root, positive = sp.sqrt(size**2 + scale**2), sp.Symbol("s", positive=True)
    return judge.argue(
        "A term is σ times the stated factor plus σ log(σ + √(σ² + β²)) − √(σ² + β²), which tends to σ(log 2σ − 1), or "
        "to zero for σ = 0. The factor tends to infinity, and the sum of the singular values is the nuclear norm.",
        Equation(
            (HYPENTROPY - size * statement.formula).rewrite(sp.log).xreplace({size: positive}),
            (size * sp.log(size + root) - root).xreplace({size: positive}),
            says="a term without its leading part",
        ),
    )


@PAPER.claim(
    "large-scale",
    statement=Statement(
        r"\Phi_\beta(X) + n\beta \approx \|X\|_F^2 \text{ times } ",
        1 / (2 * scale),
        r", \text{ from below, with an error of at most } ",
        size**4 / (24 * scale**3),
        r"\text{ for each singular value}",
    ),
    source="abstract, on a quantity related to the Frobenius norm; factor and error are derived here",
    uses=("code-update",),
)
def frobenius_limit(statement: Statement, used: Mapping[str, Verdict]) -> Verdict:
    """Compare second derivatives, and integrate twice from zero."""
    if not established(used):
        return Verdict(Outcome.INCONCLUSIVE, "The potential is not established.")
    factor, error = statement.formulas
    ratio = sp.Symbol("r", nonnegative=True)  # √(1 + σ²/β²) − 1
    return judge.argue(
        "The second derivative in σ of factor times σ² is 1/β, that of a term is 1/√(σ² + β²), and that of the "
        "error is σ²/(2β³). With w = √(1 + σ²/β²) = 1 + r, β times the difference 1/β − 1/√(σ² + β²) is 1 − 1/w "
        "= r/w ≥ 0, and it falls short of ½(w² − 1), which is β times the error's, by r(r² + 3r)/(2w) ≥ 0. All "
        "three vanish to second order at σ = 0, after adding β to a term: integrating twice gives both bounds.",
        Equation(
            sp.diff(factor * size**2 - HYPENTROPY, size, 2),
            1 / scale - 1 / sp.sqrt(size**2 + scale**2),
            says="the curvature of the difference",
        ),
        Equation(
            scale * sp.diff(error, size, 2).xreplace({size: scale * sp.sqrt((1 + ratio) ** 2 - 1)})
            - ratio / (1 + ratio),
            ratio * (ratio**2 + 3 * ratio) / (2 * (1 + ratio)),
            says="the excess of the error's curvature, times β",
        ),
    )


cut, total = sp.symbols("s S", positive=True)  # a free number, and the nuclear norm of the competitor
rank = sp.Symbol("n", positive=True)


@PAPER.claim(
    "nuclear-bound",
    statement=Statement(
        r"\|X_\infty\|_* \le ",
        (total * sp.asinh(total / scale) + rank * (sp.sqrt(cut**2 + scale**2) - scale)) / sp.asinh(cut / scale),
        r"\text{ for every interpolator of nuclear norm } S, \text{ every } s > 0 \text{ and } n \text{ singular "
        r"values}",
    ),
    source="abstract, on recovery as by nuclear-norm minimization; the bound is derived here",
    hypotheses=(r"X_\infty \text{ minimizes } \Phi_\beta \text{ among the interpolators}",),
    uses=("code-update",),
)
def nuclear_bound(statement: Statement, used: Mapping[str, Verdict]) -> Verdict:
    """Bound the potential below by a tangent and above by a chord."""
    if not established(used):
        return Verdict(Outcome.INCONCLUSIVE, "The potential is not established.")
    term = HYPENTROPY + scale
    tangent = term.xreplace({size: cut}) + sp.diff(term, size).xreplace({size: cut}) * (size - cut)
    lower = sp.asinh(cut / scale) * size - (sp.sqrt(cut**2 + scale**2) - scale)
    return judge.argue(
        "With β added, a term is convex, so it lies above its tangent at s, which is arcsinh(s/β) σ − √(s² + β²) + β. "
        "And it is at most σ arcsinh(σ/β) ≤ σ arcsinh(S/β), as √(σ² + β²) ≥ β. Summed over the singular values of "
        "X_∞ and of the competitor, Φ(X_∞) ≤ Φ(competitor) is the stated bound; as β → 0 for fixed s it tends to S.",
        Equation(tangent, lower, says="the tangent at s"),
        Equation(
            statement.formula,
            total * sp.asinh(total / scale) / sp.asinh(cut / scale)
            + rank * (sp.sqrt(cut**2 + scale**2) - scale) / sp.asinh(cut / scale),
            says="the nuclear norm at which the sums of both bounds agree",
        ),
    )
