"""Steps of the proof of Lemma A.3, and Remark 3.1."""

from __future__ import annotations

from collections.abc import Mapping

import sympy as sp

from derivations.mask_in_the_mirror import PAPER
from derivations.mask_in_the_mirror.setting import (
    SIZES,
    argue,
    decay,
    derived,
    in_uv,
    prove,
    slope,
    strength,
    u0,
    v0,
    weight_velocity,
    x,
)
from derivations.ours.convergence import ESTABLISHED, POINT, divergence
from implicit_bias import Correction, Outcome, Statement, Verdict
from implicit_bias.claims import corrected
from implicit_bias.claims.equation import Equation, Violation
from implicit_bias.claims.judge import refute
from implicit_bias.symbolic.zero_test import vanishes

scale = sp.Symbol("a", positive=True)
PRINTED_SCALE = 2 * u0 * v0 * sp.exp(-2 * decay)
CORRECTED_CHANGE = -2 * sp.sqrt(x**2 + scale**2) * slope**2 - 4 * strength * x * slope


@PAPER.claim(
    "lem-a.3-df",
    statement=Statement(
        r"\frac{d}{dt} f(x_t) = \sum_i ",
        -(sp.sqrt(x**2 + scale**2) * slope**2 + 2 * strength * x * slope),
        r", \quad slope = \partial_i f, \ a = a_{t,i}",
    ),
    source="proof of Lemma A.3, with the a_t printed in Lemma A.2 or the derived one",
    hypotheses=(SIZES, r"h = \sum m^2 + w^2"),
    uses=(corrected("lem-a.2"), corrected("inverse-hessian")),
)
def change_of_the_loss(statement: Statement) -> Verdict:
    """Hold the rate of change against f'(x) x', for the preprint's a_t and for the derived one."""
    velocity, identities = weight_velocity()
    true, derived_scale = slope * velocity, in_uv(derived().scale)
    readings = [statement.formula.subs(scale, each) for each in (derived_scale, PRINTED_SCALE)]
    for reading in readings:
        if vanishes(reading - true).outcome is Outcome.PROVED:
            return prove("f' x' for the derived velocity of x.", *identities, stated=(reading, true))
    corrected_form = Equation(CORRECTED_CHANGE.subs(scale, derived_scale), true, "f'(x) x'")
    return refute(
        "f'(x) x' differs from the stated rate for the derived a_t and for the printed one, here at u_0 = v_0 = 1 "
        "without decay. The violation is the smaller one of the two differences.",
        Violation(
            sp.Min(*(sp.Abs(reading - true) for reading in readings)),
            sp.Integer(0),
            {"u0": 1, "v0": 1, "A": 0, "alpha": 0, "x": 1, "slope": 1},
            ">",
        ),
        *identities,
        correction=Correction(
            rf"\frac{{d}}{{dt}} f(x_t) = \sum_i {sp.latex(CORRECTED_CHANGE)}, \ a = {sp.latex(derived_scale)}",
            prove("f' x' for the derived velocity of x.", *identities, stated=corrected_form),
        ),
    )


time = sp.Symbol("t", positive=True)
count = sp.Symbol("k", positive=True, integer=True)
BUMP = sp.Max(0, 1 - 4**count * sp.Abs(time - count))  # the strength near the time k


@PAPER.claim(
    "lem-a.3-strength",
    statement=r"\int_0^\infty \alpha_t\,dt < \infty \implies \alpha_t \to 0",
    source="proof of Lemma A.3",
    hypotheses=(r"\alpha_t \ge 0",),
    uses=("lem-a.3",),
)
def strength_tends_to_zero(used: Mapping[str, Verdict]) -> Verdict:
    """Refute it by bumps of height 1 whose areas are summable."""
    if used["lem-a.3"].outcome not in ESTABLISHED:
        return Verdict(Outcome.INCONCLUSIVE, "Lemma A.3 is not established.")
    width, side = sp.Symbol("s", positive=True), sp.Symbol("h", positive=True)
    rising = width - width**2 / (2 * side)  # ∫_0^s (1 − r/h) dr

    def areas(last: sp.Expr) -> sp.Expr:
        return (1 - 4**-last) / 3

    return refute(
        "The continuous α_t = Σ_k max(0, 1 − 4^k |t − k|), k = 1, 2, …, has bumps that do not overlap, of the areas "
        "4^(−k), so ∫α = 1/3. It is 1 at every whole time, and so does not tend to 0: were it below ½ from some time "
        "on, as it would be, some whole k would contradict it, such as k = 9. Finite total decay is all that the lemma "
        "needs, and with it the lemma holds.",
        Violation(BUMP, sp.Rational(1, 2), {"k": 9, "t": 9}, ">"),
        (sp.diff(rising, width), 1 - width / side),
        (2 * rising.subs(width, side), side),
        Equation(areas(count) - areas(count - 1), 4**-count, "the areas add up to (1 − 4^(−k))/3"),
        correction=Correction(
            r"\int_0^\infty \alpha_t\,dt < \infty \text{ suffices for Lemma A.3}, \ \alpha_t \to 0 \text{ is not "
            r"needed}",
            used["lem-a.3"],
        ),
    )


convexity, gap = sp.symbols("mu D", positive=True)
end, now = sp.symbols("x_oo x_t", real=True)


@PAPER.claim(
    "lem-a.3-distance",
    statement=Statement(
        r"\|x_\infty - x_t\| \le ",
        convexity / 2 * gap,
        r", \quad D = D_{R_{a_t}}(x_\infty, x_t)",
    ),
    source="end of the proof of Lemma A.3",
    hypotheses=(SIZES, r"R_{a_t} \text{ is } \mu\text{-strongly convex, on a set that holds the path}"),
    uses=(corrected("thm-3.1"),),
)
def distance_at_the_end(statement: Statement) -> Verdict:
    """Refute it for one weight of scale 1, by the points 0 and 1, between which R has μ = R''(1)."""
    still = {decay: sp.Integer(0), u0: scale / v0}
    between = sp.expand(divergence().xreplace(still).subs({POINT: end, x: now}, simultaneous=True))
    curvature = 1 / in_uv(derived().metric).xreplace(still)
    allowed = statement.formula.subs({convexity: curvature.subs(x, now), gap: between}, simultaneous=True)
    second = sp.diff(divergence(), POINT, 2)
    stated = Equation(second, 1 / in_uv(derived().metric).subs(x, POINT), "∂²D/∂q² = R''(q)")
    correction = argue(
        "D_R(q, x) and its slope in q vanish at q = x, and its second derivative in q is R''(q) ≥ μ. Integrating twice "
        "gives D ≥ (μ/2)(q − x)² for each weight, and weights add up.",
        stated,
        (sp.diff(divergence(), POINT).subs(POINT, x), sp.Integer(0)),
    )
    return refute(
        "One weight with a = 1, x_∞ = 0 and x_t = 1, such as at the start from m_0 w_0 = 1 on f = x²/2: between them "
        "R'' = 1/(2√(1 + x²)) is at least μ = 1/(2√2), and D = (√2 − 1)/2. The bound allows 0.037, but the distance "
        "is 1.",
        Violation(sp.Abs(end - now), allowed, {"a": 1, "x_oo": 0, "x_t": 1}, ">"),
        stated,
        correction=Correction(r"\|x_\infty - x_t\|^2 \le \tfrac{2}{\mu}\, D_{R_{a_t}}(x_\infty, x_t)", correction),
    )


bound, size, apart = sp.symbols("C X Y", nonnegative=True)


@PAPER.claim(
    "rem-3.1",
    statement=Statement(
        r"-\nabla f(x)^T x \le ",
        bound * size - apart**2,
        r", \quad X = \|x^*\|, \ Y = \|x - x^*\|",
    ),
    source="Remark 3.1, where one-sided inverse Lipschitz continuity is read with the constant 1",
    hypotheses=(
        r"\langle \nabla f(x) - \nabla f(y), x - y \rangle \ge \|x - y\|_2^2",
        r"\|\nabla f(x)\|_2 \le C",
        r"\nabla f(x^*) = 0",
    ),
)
def remark_3_1(statement: Statement) -> Verdict:
    """Split the product at x*, and show that f = (x − x*)²/2 attains the bound."""
    pull, step, target = sp.symbols("g c q", positive=True)
    loss = (x - target) ** 2 / 2
    attained = (-sp.diff(loss, x) * x).subs(x, target - step)
    return argue(
        "−⟨∇f, x⟩ = −⟨∇f, x − x*⟩ − ⟨∇f, x*⟩; with ∇f(x*) = 0 the first term is at most −‖x − x*‖², and the second "
        "one at most C‖x*‖ by Cauchy and Schwarz. For one weight and f = (x − q)²/2 at x = q − c, 0 < c = C, both "
        "sides are equal, so neither term can be improved by a factor. If the hypothesis has another constant before "
        "‖x − y‖², so must the bound.",
        Equation(-pull * x, -pull * (x - target) - pull * target, "split at x*"),
        (
            statement.formula.subs({bound: step, size: target, apart: step}, simultaneous=True),
            sp.expand(attained),
        ),
    )
