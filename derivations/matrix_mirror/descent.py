"""Where mirror descent ends, and how gradient descent on a factorization approximates it."""

from __future__ import annotations

from collections.abc import Mapping

import sympy as sp

from derivations.matrix_mirror import PAPER
from derivations.matrix_mirror.hypentropy import established
from implicit_bias import Outcome, Statement, Verdict
from implicit_bias.claims import judge
from implicit_bias.claims.equation import Equation

COMMUTING = r"A_i \text{ symmetric and commuting, } U_0 \text{ a multiple of the identity}"
RISK = r"f(X) = \tfrac{1}{2m} \sum_i (\langle A_i, X \rangle - y_i)^2"
rate, slope = sp.Symbol("eta", positive=True), sp.Symbol("g", real=True)  # η; an eigenvalue of ∇f(X)
eigenvalue, start = sp.symbols("x alpha", positive=True)


@PAPER.claim(
    "same-divergence",
    statement=Statement(
        r"D_\Phi(X', X_{t+1}) - D_\Phi(X', X_t) = D_\Phi(X_t, X_{t+1}) - ",
        2 * rate * sp.Symbol("f", nonnegative=True),
        r"\text{ with } f = f(X_t), \text{ for every } X' \text{ with } f(X') = 0",
    ),
    source="abstract, on the analysis by Bregman divergences; the formula is derived here",
    hypotheses=(RISK, r"\nabla\Phi(X_{t+1}) = \nabla\Phi(X_t) - \eta \nabla f(X_t)"),
)
def same_divergence(statement: Statement) -> Verdict:
    """Expand the divergences for two measurements of two entries, with arbitrary values and slopes of the potential."""
    values = sp.symbols("phi0 phi1 phi2", real=True)  # Φ at X', X_t and X_{t+1}
    goal, now, after, before = (sp.Matrix(sp.symbols(f"{c}1 {c}2", real=True)) for c in ("x'", "x", "z", "p"))
    rows = sp.Matrix(2, 2, sp.symbols("a11 a12 a21 a22", real=True))
    residual = rows * (now - goal)  # as rows · X' = y
    gradient = rows.T * residual / 2  # m = 2
    moved = before - rate * gradient  # ∇Φ(X_{t+1})
    left = (values[0] - values[2] - moved.dot(goal - after)) - (values[0] - values[1] - before.dot(goal - now))
    right = values[1] - values[2] - moved.dot(now - after)
    risk = residual.dot(residual) / 4
    return judge.argue(
        "Both sides are expanded with Φ and ∇Φ as free numbers, for two entries and two measurements; more add like "
        "terms. As f is quadratic, ⟨∇f(X), X − X'⟩ = 2f(X). The right side does not contain X', so D(X', X_t) falls by "
        "the same amount for all interpolators X': the limit, at which one divergence vanishes, is the interpolator "
        "nearest to X_0.",
        Equation(
            sp.expand(right - statement.formula.xreplace({sp.Symbol("f", nonnegative=True): risk})),
            left,
            says="the change of the divergence to X'",
        ),
    )


@PAPER.claim(
    "von-neumann",
    statement=Statement(
        r"\lim X_t = \operatorname{argmin} \{ \sum_i ",
        eigenvalue * sp.log(eigenvalue) - eigenvalue + eigenvalue * sp.log(1 / start),
        r": X \succeq 0,\ f(X) = 0 \} \text{ over the eigenvalues } x \text{ of } X, \text{ from } X_0 = \alpha I",
    ),
    source="abstract and md in algorithms.py, for the spectral entropy; the formula is derived, and D → 0 added, here",
    hypotheses=(
        RISK,
        "X positive semidefinite",
        r"\text{mirror descent converges to an interpolator } X_\infty,\ D_\Phi(X_\infty, X_t) \to 0",
    ),
    uses=("same-divergence",),
)
def von_neumann(statement: Statement, used: Mapping[str, Verdict]) -> Verdict:
    """Compute the divergence to a multiple of the identity: an entropy, and log(1/α) times the nuclear norm."""
    if not established(used):
        return Verdict(Outcome.INCONCLUSIVE, "That divergences fall alike is not established.")
    entropy = eigenvalue * sp.log(eigenvalue) - eigenvalue
    at = {eigenvalue: start}
    divergence = entropy - entropy.xreplace(at) - sp.diff(entropy, eigenvalue).xreplace(at) * (eigenvalue - start)
    return judge.argue(
        "The code's update ∇Φ(X) = log X belongs to Φ(X) = tr(X log X − X). Since ∇Φ(αI) = log α · I, its divergence "
        "to αI is the stated sum plus nα. For an interpolator X', D(X', X_t) − D(X_∞, X_t) never changes and is at "
        "least 0 in the limit, so X_∞ minimizes that divergence among the interpolators. The last term is log(1/α) "
        "times the trace, the nuclear norm of a positive semidefinite matrix, which dominates as α → 0.",
        stated=Equation(statement.formula + start, divergence, says="the divergence of one eigenvalue to α"),
    )


@PAPER.claim(
    "factorized-step",
    statement=Statement(
        r"U \leftarrow (I - \tfrac{\eta}{2} \nabla f) U \text{ takes an eigenvalue } x \text{ of } UU^T \text{ to } ",
        eigenvalue * (1 - rate * slope / 2) ** 2,
        r" = ",
        eigenvalue * sp.exp(-rate * slope),
        r" - ",
        eigenvalue * rate**2 * slope**2 / 4,
        r" + O(\eta^3), \text{ where } x e^{-\eta g} \text{ is the step of mirror descent}",
    ),
    source="abstract; steps of gd (η/4, doubled) and md (η) as in the code of Figure 1; the error is derived here",
    hypotheses=(COMMUTING, RISK),
)
def factorized_step(statement: Statement) -> Verdict:
    """Expand both updates in the step, in a joint eigenbasis."""
    factorized, mirrored, error = statement.formulas
    factor = sp.Symbol("u", positive=True)
    taylor = sum(sp.diff(mirrored, rate, k).subs(rate, 0) * rate**k / sp.factorial(k) for k in range(3))
    return judge.argue(
        "In a joint eigenbasis a factor u becomes u − 2(η/4) g u, so x = u² is multiplied by (1 − ηg/2)². Mirror "
        "descent with the spectral entropy adds −ηg to log x. The difference is the stated one plus terms of "
        "third order, so gradient descent with a quarter of the step is a first-order approximation, and as η → "
        "0 both are one flow.",
        Equation(
            factorized.xreplace({eigenvalue: factor**2}),
            sp.expand((factor - 2 * (rate / 4) * slope * factor) ** 2),
            says="the step of gd on an eigenvalue",
        ),
        Equation(taylor - error, factorized, says="both agree up to second order"),
        Equation(sp.log(mirrored), sp.log(eigenvalue) - rate * slope, says="md adds −ηg to the logarithm"),
    )


@PAPER.claim(
    "factorized-indefinite",
    statement=Statement(
        r"\text{From } U_0 = V_0 = \sqrt{\alpha} I \text{ the flow of } X = UU^T - VV^T \text{ is mirror flow "
        r"with } \Phi_\beta, \ \beta = ",
        2 * start,
    ),
    source="abstract; gd and md in algorithms.py, which give both the same α; the relation is derived here",
    hypotheses=(COMMUTING, RISK),
    uses=("code-update", "factorized-step"),
)
def factorized_indefinite(statement: Statement, used: Mapping[str, Verdict]) -> Verdict:
    """Solve the flow of one eigenvalue of each factor, and compare its metric with the curvature of Φ_β."""
    if not established(used):
        return Verdict(Outcome.INCONCLUSIVE, "The update or the factorized step is not established.")
    dual = sp.Symbol("xi", real=True)  # −∫ g
    u, v = (sp.sqrt(start) * sp.exp(sign * dual / 2) for sign in (1, -1))
    return judge.argue(
        "With η as the unit of time u' = −½ g u and v' = +½ g v, so u² = α e^ξ and v² = α e^(−ξ) with ξ = −∫g, and "
        "x = u² − v² is β sinh ξ for the stated β, the update of mirror descent. So gd and md of the published code, "
        "called with one α for matrices that are not semidefinite, have the entropies Φ_2α and Φ_α.",
        Equation(
            (sp.diff(u, dual) * v - u * sp.diff(v, dual)) / start,
            sp.cosh(dual) ** 2 - sp.sinh(dual) ** 2,
            says="rates ±½",
        ),
        stated=Equation(
            statement.formula * sp.sinh(dual).rewrite(sp.exp),
            u**2 - v**2,
            says="β sinh ξ is the eigenvalue of the flow",
        ),
    )
