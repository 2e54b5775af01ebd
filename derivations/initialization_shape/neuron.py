"""One hidden neuron, w̃ = a w: a mirror flow in a warped time, and the q that the notebook gives for it."""

from __future__ import annotations

import sympy as sp

from derivations.initialization_shape import PAPER
from implicit_bias import Statement, Verdict
from implicit_bias.claims import Equation, judge

# Two entries of w stand for any number: along w̃ and across it.
a = sp.Symbol("a", positive=True)
w1, w2, slope1, slope2, delta, shape = sp.symbols("w1 w2 g1 g2 delta s", real=True)
n, alpha = sp.symbols("n alpha", positive=True)  # n = ‖w̃‖
MODEL = r"f = a \langle w, x \rangle, \ \tilde w = a w, \ a > 0"
BALANCE = r"\delta = a^2 - \|w\|^2"
NOTEBOOK = "as summarized in the notebook for Section 6"
ROOT = sp.sqrt(n**2 + delta**2 / 4)
RADIAL = (n**2 - delta / 2 * (delta / 2 + ROOT)) * sp.sqrt(ROOT - delta / 2) / n


@PAPER.claim(
    "balance",
    statement=Statement(r"a^2 - \|w\|^2 = ", 4 * alpha * shape / (1 - shape**2), r" \text{ for all } t"),
    source=NOTEBOOK,
    hypotheses=(MODEL, r"a(0)^2 = \alpha (1 + s)/(1 - s), \ \|w(0)\|^2 = \alpha (1 - s)/(1 + s), \ |s| < 1"),
)
def balance(statement: Statement) -> Verdict:
    """Differentiate along the flow, and insert the start."""
    along = 2 * a * (-(slope1 * w1 + slope2 * w2)) - 2 * w1 * (-a * slope1) - 2 * w2 * (-a * slope2)
    return judge.prove(
        "Along ȧ = −⟨g, w⟩, ẇ = −a g, with g the gradient in w̃, the derivative of a² − ‖w‖² vanishes; at the start "
        "it is the stated number.",
        along,
        stated=Equation(
            statement.formula,
            alpha * (1 + shape) / (1 - shape) - alpha * (1 - shape) / (1 + shape),
            says="a² − ‖w‖² at the start",
            conditions=(1 - shape**2,),
        ),
    )


@PAPER.claim(
    "radial-slope",
    statement=Statement(
        r"\hat q(n) = ", RADIAL, r", \quad \hat q'(n) = ", sp.Rational(3, 2) * sp.sqrt(ROOT - delta / 2)
    ),
    source=f"{NOTEBOOK}: the first term of q, whose slope its second term uses at the start",
    hypotheses=(r"n = \|\tilde w\| > 0",),
)
def radial_slope(statement: Statement) -> Verdict:
    """Write both in r = √(n² + δ²/4), in which the first term is (r − δ)√(r + δ/2)."""
    radial, slope = statement.formulas
    total, half = sp.symbols("p m", positive=True)  # r + δ/2 and r − δ/2, whose product is n²
    inserted = {n: sp.sqrt(total * half), delta: total - half}
    in_them = radial.subs(inserted, simultaneous=True)
    slope_in_them = slope.subs(inserted, simultaneous=True)
    known = {sp.sqrt(total * half + (total - half) ** 2 / 4): (total + half) / 2}
    value = sp.sqrt(total) * (3 * half - total) / 2
    return judge.prove(
        "With p = r + δ/2 and m = r − δ/2, so that n² = pm, the first term is √p (3m − p)/2, and its derivative "
        "for fixed δ, where dp = dm = dr and n dn = r dr, is the stated slope.",
        Equation(in_them.xreplace(known), value, says="the first term in p and m"),
        stated=Equation(
            slope_in_them.xreplace(known) * (total + half) / 2,
            sp.sqrt(total * half) * (sp.diff(value, total) + sp.diff(value, half)),
            says="r q̂'(n) = n dq̂/dr",
        ),
    )


@PAPER.claim(
    "warped-mirror",
    statement=Statement(
        r"\nabla^2 \hat q(\|\tilde w\|) \, \big(a^2 I + w w^\top\big) = ",
        sp.Rational(3, 2) * a,
        r"\, I, \text{ so } \tfrac{d}{dt} \nabla \hat q(\|\tilde w\|) = -\tfrac32 a \nabla L(\tilde w)",
    ),
    source=f"{NOTEBOOK} and the abstract (beyond infinitesimal mirror descent); the factor is derived here",
    hypotheses=(MODEL, BALANCE),
    uses=("radial-slope", "balance"),
)
def warped_mirror(statement: Statement) -> Verdict:
    """Use polar coordinates: ∇² has the eigenvalue q̂'' along w̃ and q̂'/n across it."""
    norm = sp.Symbol("omega", positive=True)  # ‖w‖, so that n = a ω and q̂' = 3ω/2
    slope = sp.Rational(3, 2) * norm
    # With δ fixed a da = ω dω, so that dn = a dω + ω da = (a + ω²/a) dω.
    curvature = sp.Rational(3, 2) / (a + norm**2 / a)
    velocity = (
        -(a**2) * slope1 - w1 * (w1 * slope1 + w2 * slope2),
        -(a**2) * slope2 - w2 * (w1 * slope1 + w2 * slope2),
    )
    moved = (
        -(slope1 * w1 + slope2 * w2) * w1 + a * (-a * slope1),
        -(slope1 * w1 + slope2 * w2) * w2 + a * (-a * slope2),
    )
    return judge.prove(
        "√(r − δ/2) is ‖w‖ = ω, so q̂' = 3ω/2 by the claim on the slope. The matrix a²I + wwᵀ has the eigenvalue a² + "
        "ω² along w and a² across it, the Hessian q̂'' and q̂'/n. Both products are the stated number, and the flow of "
        "w̃ = a w is −(a²I + wwᵀ)∇L.",
        *((sp.expand(first), sp.expand(second)) for first, second in zip(moved, velocity, strict=True)),
        Equation((a * norm) ** 2 + (a**2 - norm**2) ** 2 / 4, ((a**2 + norm**2) / 2) ** 2, says="r²"),
        Equation(curvature * (a**2 + norm**2), statement.formula, says="along w"),
        stated=Equation(
            statement.formula * (1 + norm), slope / (a * norm) * a**2 + slope * a, says="across w, times 1 + ω"
        ),
    )


@PAPER.claim(
    "stationary-start",
    statement=Statement(
        r"q(\tilde w) = \hat q(\|\tilde w\|) - c\, \frac{\langle \tilde w_0, \tilde w \rangle}{\|\tilde w_0\|}, \ c = ",
        sp.Rational(3, 2) * sp.sqrt(ROOT - delta / 2),
        r" \text{ at } n = \|\tilde w_0\|, \text{ is stationary at } \tilde w_0",
    ),
    source=NOTEBOOK,
    hypotheses=(r"\tilde w_0 \ne 0",),
    uses=("radial-slope",),
)
def stationary_start(statement: Statement) -> Verdict:
    """Differentiate the radial term along w̃_0, in r."""
    total, half = sp.symbols("p m", positive=True)  # r + δ/2 and r − δ/2 at the start
    inserted = statement.formula.subs({n: sp.sqrt(total * half), delta: total - half}, simultaneous=True)
    factor = inserted.xreplace({sp.sqrt(total * half + (total - half) ** 2 / 4): (total + half) / 2})
    value = sp.sqrt(total) * (3 * half - total) / 2  # the first term
    slope = sp.sqrt(total * half) / ((total + half) / 2) * (sp.diff(value, total) + sp.diff(value, half))
    return judge.prove(
        "The gradient of the first term at w̃_0 is q̂'(‖w̃_0‖) w̃_0/‖w̃_0‖, that of the second one −c w̃_0/‖w̃_0‖.",
        stated=Equation(factor, slope, says="q̂' at the start"),
    )


@PAPER.claim(
    "neuron-regularizer",
    statement=Statement(
        r"\tilde w(\infty) = \arg\min_{X \tilde w = y} q(\tilde w), \ q = ",
        RADIAL,
        r" - \langle z_0, \tilde w \rangle, \ n = \|\tilde w\|",
    ),
    source=NOTEBOOK,
    hypotheses=(
        MODEL,
        BALANCE,
        r"a > 0 \text{ throughout}, \ \tilde w(t) \to \tilde w(\infty) \ne 0",
        r"z_0 = \nabla \hat q \text{ at } \tilde w_0 \ne 0, L \text{ a loss of } X \tilde w, \ X \tilde w(\infty) = y",
    ),
    uses=("warped-mirror", "stationary-start"),
)
def minimizer(statement: Statement) -> Verdict:
    """The gradient of q is in the row space at all times, as it begins at zero; q is convex."""
    total, half = sp.symbols("p m", positive=True)
    inserted = statement.formula.subs({n: sp.sqrt(total * half), delta: total - half}, simultaneous=True)
    radial = inserted.xreplace({sp.sqrt(total * half + (total - half) ** 2 / 4): (total + half) / 2})
    value = sp.sqrt(total) * (3 * half - total) / 2
    return judge.argue(
        "∇q is zero at the start, and by the claim on the warped flow its derivative is −(3/2) a ∇L, which lies in the "
        "row space of X; so does ∇q at the limit. q̂ is convex and increasing in the norm: q̂' = (3/2)√(r − δ/2) is "
        "positive and grows. So q is strictly convex, and the limit is the only minimizer of q on {Xw̃ = y}. The "
        "identity is the first term in p = r + δ/2 and m = r − δ/2, with n² = pm, whose slope that claim uses.",
        Equation((total + half) / 2 * (total + half) / 2 - (total - half) ** 2 / 4, total * half, says="n²"),
        Equation(radial, value, says="the radial term"),
    )
