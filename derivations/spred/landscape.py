"""The landscape of L(u ⊙ w) + λ/2 (‖u‖² + ‖w‖²) and that of L(v) + λ‖v‖₁."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import sympy as sp
from scipy.optimize import minimize

from derivations.spred import PAPER
from implicit_bias import Outcome, Statement, Verdict
from implicit_bias.claims import Equation, judge

u, w = sp.symbols("u w", real=True)
slope, curvature = sp.symbols("p c", real=True)  # of the loss in a weight, at a point
strength = sp.Symbol("lambda", positive=True)
weight, change = sp.symbols("v delta", positive=True)

LOSSES = (
    r"f(v) = L(v) + \lambda \|v\|_1",
    r"g(u, w) = L(u \odot w) + \tfrac{\lambda}{2} (\|u\|_2^2 + \|w\|_2^2),\ \lambda > 0",
)
SUMMARY = 'as summarized in A. K. Subramanian, "L1 Regularization in terms of L2", 2024'
EARLIER = 'an earlier version, "Sparsity by Redundancy"'
ESTABLISHED = (Outcome.PROVED, Outcome.ARGUED)
PENALTY = strength / 2 * (u**2 + w**2)


@PAPER.claim(
    "exact",
    statement=Statement(
        r"g(u, w) - f(u \odot w) = \sum_i ",
        strength / 2 * (sp.Abs(u) - sp.Abs(w)) ** 2,
        r",\ \text{ so } \inf g = \inf f,\ \text{ and } (u, w) \text{ minimizes } g \text{ if and only if } |u_i| = "
        r"|w_i| \text{ and } u \odot w \text{ minimizes } f",
    ),
    source=f"that it solves the L1 penalty exactly, {SUMMARY}",
    hypotheses=LOSSES,
)
def exact_solver(statement: Statement) -> Verdict:
    """Subtract the absolute weight from the squared penalty."""
    return judge.argue(
        "The losses agree, so the difference is that of the penalties, a square. It vanishes exactly for |u| = |w|, "
        "and each weight v is a product of such factors, √|v| and sgn(v) √|v|; so g ≥ f, each value of f is taken by "
        "g, and minima correspond.",
        Equation(
            (sp.sign(weight) * sp.sqrt(weight)) * sp.sqrt(weight) * (1 + change),
            weight + weight * change,
            says="the lift of a weight v > 0 (times 1 + δ); for v < 0 one factor changes its sign",
        ),
        stated=Equation(
            statement.formula,
            PENALTY - strength * sp.Abs(u) * sp.Abs(w),
            says="the penalties, with |uw| = |u||w|",
        ),
    )


@PAPER.claim(
    "stationary",
    statement=Statement(
        r"\nabla g(u, w) = 0 \implies ",
        sp.Abs(u),
        " = ",
        sp.Abs(w),
        r" \text{ in each entry}",
    ),
    source=SUMMARY,
    hypotheses=(*LOSSES, r"L \text{ differentiable}"),
)
def balanced_at_stationary_points(statement: Statement) -> Verdict:
    """Weigh both equations of stationarity by their own factors."""
    left, right = statement.formulas
    along_u = slope * w + sp.diff(PENALTY, u)
    along_w = slope * u + sp.diff(PENALTY, w)
    return judge.argue(
        "u ∂g/∂u − w ∂g/∂w loses the slope of the loss and is λ(u² − w²), which vanishes only for |u| = |w|.",
        stated=Equation(
            strength * (left - right) * (sp.Abs(u) + sp.Abs(w)),
            u * along_u - w * along_w,
            says="λ(|u| − |w|)(|u| + |w|) is u ∂g/∂u − w ∂g/∂w",
        ),
    )


@PAPER.claim(
    "local-minima",
    statement=Statement(
        r"(u, w) \text{ a local minimum of } g \implies u \odot w \text{ a local minimum of } f;\ "
        r"\text{ near it } g = f \text{ at } |u| = |w| = ",
        sp.sqrt(weight),
        r",\ v = |u w|",
    ),
    source=SUMMARY,
    hypotheses=(*LOSSES, r"L \text{ differentiable}"),
    uses=("exact", "stationary"),
)
def local_minima(statement: Statement, used: Mapping[str, Verdict]) -> Verdict:
    """Lift weights near the product continuously to balanced factors."""
    if any(verdict.outcome not in ESTABLISHED for verdict in used.values()):
        return Verdict(Outcome.INCONCLUSIVE, "It rests on claims that were not established.")
    size = statement.formula
    verdict = judge.argue(
        "A local minimum is stationary, so balanced. Weights v' near v = u ⊙ w lift to balanced factors near (u, w): "
        "sizes √|v'|, signs of u and w where v ≠ 0, and any signs with the right product where v = 0. There g = f, so "
        "f(v') = g(u', w') ≥ g(u, w) = f(v). Minima of g that BFGS finds, for a loss with two valleys, are local "
        "minima of f on a grid.",
        Equation(
            strength / 2 * (size**2 + size**2) * (1 + change),
            strength * weight + strength * weight * change,
            says="the squared penalty of two factors of the stated size is λv (times 1 + δ)",
        ),
        Equation(
            sp.sqrt(weight + change) - size,
            change / (sp.sqrt(weight + change) + sp.sqrt(weight)),
            says="the lift moves by at most the root of the change: it is continuous",
        ),
    )
    return judge.agreed(verdict, lambda: max(above_grid(seed) for seed in range(6)), GRID_TOLERANCE, GRID_REASON)


GRID_TOLERANCE = 1e-9
GRID_REASON = "BFGS ends where slopes are below 1e-9, and the loss is above its minimum by about their square."


def two_valleys(v: np.ndarray) -> np.ndarray:
    """A loss of one weight with minima near 1 and −1.2."""
    return (v - 1) ** 2 * (v + 1.2) ** 2


def above_grid(seed: int) -> float:
    """By how much f falls near a product that BFGS found for g, at λ = 0.3."""
    start = np.random.default_rng(seed).normal(size=2)
    found = minimize(
        lambda pair: float(two_valleys(pair[0] * pair[1]) + 0.15 * (pair @ pair)),
        start,
        method="BFGS",
        options={"gtol": 1e-9},
    ).x
    product = found[0] * found[1]
    near = product + np.linspace(-0.05, 0.05, 101)
    values = two_valleys(near) + 0.3 * np.abs(near)
    return float(two_valleys(product) + 0.3 * abs(product) - values.min())


@PAPER.claim(
    "one-to-one",
    statement=Statement(
        r"\text{The local minima of } g \text{ fall into disjoint sets, on each of which } g \text{ is constant, "
        r"one for each local minimum } v \text{ of } f:\ \{ u \odot w = v,\ ",
        u**2,
        " = ",
        w**2,
        r" \text{ in each entry} \}",
    ),
    source=f"{EARLIER}, before Theorem 3; the sets are derived here",
    hypotheses=(*LOSSES, r"L \text{ differentiable}"),
    uses=("exact", "stationary", "local-minima"),
)
def sets_of_minima(statement: Statement, used: Mapping[str, Verdict]) -> Verdict:
    """Show that each balanced factorization of a local minimum is one, by continuity of the product."""
    if any(verdict.outcome not in ESTABLISHED for verdict in used.values()):
        return Verdict(Outcome.INCONCLUSIVE, "It rests on claims that were not established.")
    left, right = statement.formulas
    return judge.argue(
        "Local minima of g are balanced, and their products are local minima of f. Conversely, near a balanced "
        "factorization of a local minimum v the products are near v, so g ≥ f ≥ f(v) = g there: it is a local minimum. "
        "So the sets, one for each v, are all local minima; they are disjoint as their products differ, and g = f(v) "
        "on each. The condition in the set is |u| = |w|, where g − f vanishes.",
        Equation(
            (left - right) * (sp.Abs(u) - sp.Abs(w)),
            (sp.Abs(u) - sp.Abs(w)) ** 2 * (sp.Abs(u) + sp.Abs(w)),
            says="the condition vanishes exactly with |u| − |w|",
        ),
    )


@PAPER.claim(
    "convex",
    statement=r"L \text{ convex} \implies \text{ every local minimum of } g \text{ is a global one}",
    source=f"the corollary in {EARLIER}, after Poon & Peyré 2021",
    hypotheses=(*LOSSES, r"L \text{ differentiable}"),
    uses=("exact", "local-minima"),
)
def no_bad_minima(used: Mapping[str, Verdict]) -> Verdict:
    """Combine both claims; f is convex with L."""
    if any(verdict.outcome not in ESTABLISHED for verdict in used.values()):
        return Verdict(Outcome.INCONCLUSIVE, "It rests on claims that were not established.")
    first, second, share = sp.symbols("a b s", nonnegative=True)
    return judge.argue(
        "The product of a local minimum of g is one of f, and f is convex as a sum of convex functions, so it is a "
        "global one, where g = f = inf f = inf g. That |v| is convex is the triangle inequality; between weights of "
        "opposite signs a and −b its chord is above it by the stated amount, which is at least 0.",
        Equation(
            (share * first + (1 - share) * second) ** 2 - (share * first - (1 - share) * second) ** 2,
            4 * share * (1 - share) * first * second,
            says="the squares of the chord and of the absolute value",
        ),
    )


@PAPER.claim(
    "zero",
    statement=Statement(
        r"\text{At } u_i = w_i = 0 \text{ the Hessian of } g \text{ in } (u_i, w_i) \text{ has the eigenvalues } ",
        strength + slope,
        r" \text{ and } ",
        strength - slope,
        r",\ p = \partial_i L(v):\ \text{ where } 0 \text{ is no local minimum of } f \text{ in } v_i \text{ to first "
        r"order, it is a strict saddle}",
    ),
    source="that the trick is benign, as summarized in the abstract; the criterion is derived here",
    hypotheses=(*LOSSES, r"L \text{ twice differentiable}"),
)
def strict_saddle(statement: Statement) -> Verdict:
    """Differentiate twice; the directions are u = w and u = −w."""
    plus, minus = statement.formulas
    loss = slope * u * w + curvature * (u * w) ** 2 / 2
    hessian = sp.hessian(loss + PENALTY, (u, w)).xreplace({u: sp.Integer(0), w: sp.Integer(0)})
    level = sp.Symbol("h", real=True)
    characteristic = (hessian[0, 0] - level) * (hessian[1, 1] - level) - hessian[0, 1] * hessian[1, 0]
    return judge.argue(
        "f has the one-sided slopes λ ± p at v_i = 0. If one is negative, so is an eigenvalue, and gradient descent "
        "leaves exponentially from almost all starts nearby; if both are positive, zero is a strict minimum in v_i and "
        "in (u_i, w_i). The curvature of the loss does not enter.",
        stated=Equation(
            (plus - level) * (minus - level), characteristic, says="the characteristic polynomial of the Hessian"
        ),
    )


@PAPER.claim(
    "thm-3.1",
    statement=Statement(
        r"\text{If } U = W,\ V = U \odot W \text{ and } f \text{ is differentiable along } \delta V, \text{ there "
        r"are } \delta U, \delta W \in \Theta(\delta V)^{",
        sp.Integer(1),
        r"} \text{ with } f(V + \delta V) = g(U + \delta U, W + \delta W)",
    ),
    source=f"{EARLIER}, Theorem 3, part 1",
    hypotheses=(
        *LOSSES,
        r"L \text{ differentiable}",
        r"\text{differentiable along } \delta V: t \mapsto f(V + t \delta V) \text{ has a derivative at } 0, "
        r"\text{ not only one-sided ones}",
    ),
)
def moves_away_from_kinks(statement: Statement) -> Verdict:
    """Move both factors to the roots of the new weight, entry by entry."""
    root = sp.sqrt(weight + change)
    return judge.argue(
        "Differentiable from both sides means δV_i = 0 where V_i = 0. Elsewhere V_i > 0 and δU = δW = √(V + δV) − √V, "
        "which is δV over a sum that tends to 2√V. With one-sided derivatives, which f always has, the statement would "
        "fail at V = 0: changes of the order δV move the product by (δV)² alone.",
        Equation(
            change**statement.formula,
            (root - sp.sqrt(weight)) * (root + sp.sqrt(weight)),
            says="the stated order is δU times a factor between √V and 3√V",
        ),
        Equation(
            strength / 2 * (root**2 + root**2) * (1 + slope),
            strength * (weight + change) + strength * (weight + change) * slope,
            says="the squared penalty of the new factors is λ(V + δV) (times 1 + p)",
        ),
    )


@PAPER.claim(
    "thm-3.2",
    statement=Statement(
        r"\text{If } U = W,\ V = U \odot W \text{ and } f \text{ is not differentiable along } \delta V, \text{ there "
        r"are } \delta U, \delta W \in \Theta(\delta V)^{",
        sp.Rational(1, 2),
        r"} \text{ with } f(V + \delta V) = g(U + \delta U, W + \delta W)",
    ),
    source=f"{EARLIER}, Theorem 3, part 2",
    hypotheses=(*LOSSES, r"\text{the direction is taken at } V_i = 0 \text{ with } \delta V_i \ne 0"),
)
def moves_at_kinks(statement: Statement) -> Verdict:
    """Factors of the size √|δV|, with the sign of δV on one of them."""
    size = sp.sqrt(change)
    return judge.argue(
        "At V = U = W = 0 take δU = √|δV| and δW = sgn(δV) √|δV|: their product is δV and their penalty λ|δV|. No "
        "smaller changes will do, as δU δW = δV. Entries with V_i ≠ 0 move as in part 1, by less.",
        Equation(
            change**statement.formula * (1 + weight),
            size + size * weight,
            says="the stated order is √δV (times 1 + v)",
        ),
        Equation(
            strength / 2 * (size**2 + size**2) * (1 + weight),
            strength * change + strength * change * weight,
            says="the penalty of the factors is λδV (times 1 + v)",
        ),
    )
