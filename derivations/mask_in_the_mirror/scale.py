"""The scale of the potential under decay, and what becomes of the potential as it shrinks."""

from __future__ import annotations

from functools import cache

import numpy as np
import sympy as sp
from scipy.integrate import solve_ivp

from derivations.mask_in_the_mirror import PAPER
from derivations.mask_in_the_mirror.judging import DECAYING, judge
from derivations.mask_in_the_mirror.lipschitz import ENTROPY, START, a
from derivations.mask_in_the_mirror.potential import SCALE_3_1, THEOREM_2_1, mirror_map_at
from derivations.mask_in_the_mirror.setting import (
    REGULARIZER,
    SIZES,
    SIZES_OR_EQUAL,
    WEIGHT,
    accumulated,
    closed_form,
    decay,
    derived,
    in_uv,
    m,
    prove,
    u0,
    v0,
    w,
    x,
)
from derivations.mask_in_the_mirror.solution import LEMMA_A_1
from implicit_bias import Correction, Outcome, Statement, Verdict
from implicit_bias.claims import Equation, corrected
from implicit_bias.claims.equation import Violation
from implicit_bias.claims.judge import argue, from_residual, refute
from implicit_bias.claims.judge import prove as prove_alone

SINE = sp.sinh(sp.log(u0 / v0) - 2 * accumulated)
LEMMA_A_2 = SCALE_3_1


def derived_scale() -> Correction:
    """The scale of the flow."""
    true = in_uv(derived().scale)
    return Correction(
        f"a_t = {sp.latex(true)}",
        prove("With this scale the formula is m_t w_t.", (true * SINE, WEIGHT), *closed_form()),
    )


@PAPER.claim(
    "lem-a.2",
    statement=Statement(r"x_t = a_t \sinh(\log(u_0/v_0) - 2L_t) \text{ with } a_t = ", LEMMA_A_2),
    source="Lemma A.2",
    hypotheses=(SIZES, REGULARIZER),
    uses=(corrected("lem-a.1"),),
)
def lemma_a_2(statement: Statement) -> Verdict:
    """Hold x_t = a_t sinh(log(u_0/v_0) − 2L_t) against the product of m and w, in closed form and integrated."""
    stated = statement.formula * SINE
    return judge(
        Equation(stated, WEIGHT, "a_t sinh(log(u₀/v₀) − 2L) against m_t w_t"),
        *closed_form(),
        evidence="With the stated scale the formula is m_t w_t.",
        correction=derived_scale,
        deviation=lambda value, end: abs(value(stated) - end["x"]),
        trajectory=DECAYING,
    )


@PAPER.claim(
    "lem-a.2-proof",
    statement=Statement(
        r"\text{By } x_t e^{4A} = a_0 \sinh(\log(u_0/v_0) - 2L_t) \text{ with } x_t = ",
        LEMMA_A_1,
        r" \text{ the scale } a_t \text{ is } ",
        LEMMA_A_2,
    ),
    source="proof of Lemma A.2, by Lemma A.1 as printed, against the lemma's own a_t",
    hypotheses=(SIZES, REGULARIZER),
    uses=(corrected("lem-a.1"), corrected("lem-a.2")),
)
def lemma_a_2_proof(statement: Statement) -> Verdict:
    """Divide the weight that the proof starts from by the hyperbolic sine: the scale is not the one that it ends with.

    The proof multiplies x_t by e^(4A), so its scale falls like e^(−4A); the lemma, which it proves, states e^(−2A).
    """
    weight, scale = statement.formulas
    return judge(
        Equation(scale * SINE, weight, "the weight by the lemma's scale against the weight of its proof"),
        (LEMMA_A_1, 2 * u0 * v0 * sp.exp(-4 * decay) * SINE),
        evidence="The scale of the proof is that of the lemma.",
        correction=lambda: Correction(
            r"\text{The printed steps give } a_t = 2u_0v_0 e^{-4A} \text{, and with the ½ that Lemma A.1 lacks } "
            r"a_t = u_0v_0 e^{-4A}",
            prove(
                "The printed weight is 2u₀v₀e^(−4A) sinh(log(u₀/v₀) − 2L), and the weight of the flow half of it.",
                (LEMMA_A_1, 2 * u0 * v0 * sp.exp(-4 * decay) * SINE),
                (in_uv(derived().scale) * SINE, WEIGHT),
                *closed_form(),
            ),
        ),
    )


def potential_at(scale: sp.Expr) -> sp.Expr:
    """R_a(x) of one weight as it is printed in Theorem 3.1 and before Lemma A.2, with its ½."""
    return (x * sp.asinh(x / scale) - sp.sqrt(x**2 + scale**2) - x * sp.log(u0 / v0)) / 2


@PAPER.claim(
    "before-lem-a.2",
    statement=Statement(
        r"\text{If } x_t = a_t \sinh(\log(u_0/v_0) - 2L_t) \text{, then } \nabla R_{a_t}(x_t) = -L_t \text{ for } "
        r"R_a(x) = \sum_i ",
        potential_at(a),
    ),
    source="before Lemma A.2, on the prefactor",
    hypotheses=(SIZES, r"a_t > 0"),
)
def before_lemma_a_2(statement: Statement) -> Verdict:
    """Hold ∇R_a against its inverse; the prefactor ½ of Theorem 3.1 and of the proof of Lemma A.2 is right."""
    mirror_map = sp.diff(statement.formula, x)
    return prove(
        "∇R_a is ½(arcsinh(x/a) − log(u₀/v₀)), so that a sinh(2∇R_a(x) + log(u₀/v₀)) is x: ∇R_a is the inverse of "
        "−L ↦ a sinh(log(u₀/v₀) − 2L).",
        Equation(mirror_map_at(a, sp.Rational(1, 2)), mirror_map, "½(arcsinh(x/a) − log(u₀/v₀)) by differentiation"),
        stated=Equation(a * sp.sinh(2 * mirror_map + sp.log(u0 / v0)), x, "a sinh(2∇R_a(x) + log(u₀/v₀)) against x"),
    )


@PAPER.claim(
    "eq-9",
    statement=Statement(
        r"\frac{dR_a}{da} = \sum_i ",
        -(x**2 * sp.Abs(a) + a**3) / (2 * a**2 * sp.sqrt(a**2 + x**2)),
    ),
    source="equation 9, the derivative",
    hypotheses=(SIZES, r"u_0/v_0 \text{ fixed}", r"a > 0"),
)
def equation_9(statement: Statement) -> Verdict:
    """Differentiate the R_a printed before Lemma A.2 in a; a > 0, so that |a| = a."""
    return prove_alone(
        "The stated derivative is that of R_a in a.",
        stated=Equation(statement.formula, sp.diff(potential_at(a), a), "dR_a/da"),
    )


@PAPER.claim(
    "eq-9-signs",
    statement=Statement(
        r"\frac{dR_a}{da} = \sum_i ",
        -(x**2 * sp.Abs(a) + a**3) / (2 * a**2 * sp.sqrt(a**2 + x**2)),
        r" \le 0 \text{ and } \frac{da_t}{dt} \le 0",
    ),
    source="equation 9, the signs",
    hypotheses=(SIZES, r"u_0/v_0 \text{ fixed}", r"a > 0", r"\alpha_t \ge 0"),
    uses=("eq-9",),
)
def equation_9_signs(statement: Statement) -> Verdict:
    """Read off the signs; the scale falls as printed, by e^(−2A), and as derived, by e^(−4A)."""
    return argue(
        "dR_a/da is −½√(x² + a²)/a, which is negative for a > 0. By A' = α the printed scale has a' = −2αa and the "
        "derived one a' = −4αa, which α ≥ 0 makes at most zero.",
        Equation(statement.formula, -sp.sqrt(x**2 + a**2) / (2 * a), "dR_a/da in another form"),
        stated=Equation(statement.formula, sp.diff(potential_at(a), a), "dR_a/da"),
    )


@PAPER.claim(
    "rem-2.1-entropy",
    statement=Statement(r"R(x) = \sum_i ", THEOREM_2_1, r" \text{ is } \sum_i ", ENTROPY),
    source="Remark 2.1, on equation 2 and the hyperbolic entropy",
    hypotheses=(r"w_0 = 0", r"m_0 = \sqrt{a}"),
)
def remark_2_1_entropy(statement: Statement) -> Verdict:
    """Put w_0 = 0 and m_0 = √a into equation 2: it is a quarter of the entropy, which is written without prefactor."""
    (potential, entropy), root = statement.formulas, sp.sqrt(x**2 + a**2)
    return judge(
        Equation(entropy, potential.subs(START, simultaneous=True), "the entropy against equation 2"),
        evidence="Equation 2 is the entropy.",
        correction=lambda: Correction(
            r"R(x) = \tfrac14 \sum_i x_i \operatorname{arcsinh}(x_i/a) - \sqrt{x_i^2 + a^2}",
            prove_alone(
                "Equation 2 is a quarter of the entropy, here in its logarithmic form.",
                (4 * potential.subs(START, simultaneous=True), x * sp.log((x + root) / a) - root),
            ),
        ),
    )


size = sp.Symbol("x", positive=True)  # of a weight, in what is even in it
ROOT = sp.sqrt(size**2 + a**2)
REST = size * sp.log(size + ROOT) - ROOT  # the entropy without log(1/a)|x|


@PAPER.claim(
    "rem-2.1",
    statement=Statement(
        r"\sum_i ", ENTROPY, r" \sim \sum_i ", sp.log(1 / a) * sp.Abs(x), r" \text{ as } a \to 0, |x/a| \to \infty"
    ),
    source="Remark 2.1, on the entropy without prefactor",
    hypotheses=(r"x \ne 0 \text{ fixed, so } |x_i/a| \to \infty \text{ where } x_i \ne 0",),
)
def remark_2_1(statement: Statement) -> Verdict:
    """Split off log(1/a)|x|; the rest stays finite as a → 0. Both sides are even in x, so x > 0 suffices."""
    entropy, norm = (formula.subs(x, size) for formula in statement.formulas)
    return argue(
        "The entropy is log(1/a)|x| + |x| log(|x| + √(x² + a²)) − √(x² + a²), and what is added to log(1/a)|x| is "
        "continuous at a = 0, where it is |x|(log 2|x| − 1): divided by log(1/a)|x| it vanishes, so the ratio tends "
        "to 1. Where x_i = 0 the entropy is −a, which vanishes.",
        stated=Equation(norm + REST, entropy, "the stated leading term and the rest against the entropy"),
    )


@PAPER.claim(
    "small-scale",
    statement=Statement(
        r"R_a(x) = \sum_i ", potential_at(a), r" \sim \sum_i ", sp.log(1 / a) * sp.Abs(x), r" \text{ as } a \to 0"
    ),
    source="after Theorem 3.1, on the R_a with prefactor ½ printed there",
    hypotheses=(SIZES_OR_EQUAL,),
    uses=("rem-2.1",),
)
def small_scale(statement: Statement) -> Verdict:
    """Split off the leading term of R_a for u_0 = v_0: its factor is ½, so the ratio tends to ½.

    One scale contradicts no limit; so the counterexample contradicts that the ratio is above 3/4 for some a below it,
    by a bound that holds for all smaller a.
    """
    potential, norm = (formula.subs({x: size, v0: u0}, simultaneous=True) for formula in statement.formulas)
    proof = argue(
        "For u₀ = v₀, R_a(x) is ½ log(1/a)|x| + ½(|x| log(|x| + √(x² + a²)) − √(x² + a²)), and what is added is "
        "continuous at a = 0, so the ratio to log(1/a)|x| tends to ½; another u₀/v₀ adds x log(u₀/v₀)/2, which does "
        "not depend on a.",
        stated=Equation(size * sp.log(1 / a) / 2 + REST / 2, potential, "the leading term and the rest against R_a"),
    )
    if proof.outcome is not Outcome.ARGUED:
        return proof
    if norm == size * sp.log(1 / a) / 2:
        return proof
    numbers = {"x": 1, "a": sp.Rational(1, 4)}
    return refute(
        "For x = 1 the rest is at most zero for a ≤ 1/4, as log(1 + √(1 + a²)) ≤ √(1 + a²), so R_a(x) is at most half "
        "of log(1/a)|x| for all these a, and the ratio does not tend to 1; below, ¾ log(1/a)|x| exceeds R_a(x) at "
        "a = 1/4.",
        Violation(norm * sp.Rational(3, 4), potential, numbers, ">"),
        *proof.identities,
        correction=Correction(r"R_a(x) \sim \tfrac12 \log(1/a)\, \|x\|_1", proof),
    )


@PAPER.claim(
    "scaling",
    statement=Statement(
        r"\text{The start } m_0 = \sqrt{|x_0|}, \ w_0 = x_0/m_0 \text{ of spred has the scaling } 2u_0v_0 = ",
        sp.Integer(0),
    ),
    source="section 2, end",
    hypotheses=(r"x_0 \ne 0",),
)
def scaling(statement: Statement) -> Verdict:
    """Compute 2u_0v_0 = m_0² − w_0² of a balanced start."""
    start = sp.Symbol("x0", real=True, nonzero=True)
    first = sp.sqrt(sp.Abs(start))
    second = start / first
    return prove_alone(
        "2u₀v₀ is m₀² − w₀², and m₀² = w₀² for m₀ = √|x₀|, w₀ = x₀/√|x₀|.",
        (2 * (m + w) / sp.sqrt(2) * (m - w) / sp.sqrt(2), m**2 - w**2),
        stated=Equation(second**2 + statement.formula, first**2, "w₀² and the stated scaling against m₀²"),
    )


@PAPER.claim(
    "scaling-better",
    statement=Statement(r"\text{The scaling } 2u_0v_0 = ", sp.Integer(1), r" \text{ is better than that of spred}"),
    source="section 2, end",
    hypotheses=(
        r"f(x) = \|Zx - y\|_2^2/(2d) \text{ for a sparse truth, } d < n",
        "in the mean error of random problems, without decay",
    ),
    uses=("scaling",),
)
def scaling_better(statement: Statement) -> Verdict:
    """Train from both starts with the same x_0, on small problems like those of figure 1a, without decay."""
    scale = float(statement.formula)
    if not scale > 0:
        return Verdict(Outcome.INCONCLUSIVE, f"A start with |w_0| < m_0 has a scaling above zero, not {scale:g}.")
    errors = np.array([[recovery_error(seed, each) for each in (scale, 0.0)] for seed in range(SEEDS)]).mean(axis=0)
    return from_residual(
        float(errors[0] / errors[1]),
        1.0,
        f"Mean ‖x_T − x*‖₂ over {SEEDS} problems (d = 12, n = 24, 2 weights of the truth not zero, T = {TIME:g}): "
        f"{errors[0]:.3f} from 2u₀v₀ = {scale:g}, {errors[1]:.3f} from a balanced start, which fixes the signs.",
        tolerance_reason="A ratio below 1 is what the statement says.",
    )


SEEDS = 6
TIME = 40.0  # flow time


@cache
def recovery_error(seed: int, scale: float) -> float:
    """‖x_T − x*‖₂ from m_0w_0 = x_0 ~ N(0, 1/√n) with m_0² − w_0² = scale."""
    generator = np.random.default_rng(seed)
    data = generator.normal(size=(12, 24))
    truth, first = np.zeros(24), generator.normal(size=24) / np.sqrt(24)
    truth[:2] = 1, -1
    m = np.sqrt((scale + np.sqrt(scale**2 + 4 * first**2)) / 2)

    def velocity(t: float, state: np.ndarray) -> np.ndarray:
        pull = data.T @ (data @ (state[:24] * state[24:] - truth)) / 12
        return np.concatenate([-state[24:] * pull, -state[:24] * pull])

    path = solve_ivp(velocity, (0, TIME), np.concatenate([m, first / m]), "LSODA", rtol=1e-7, atol=1e-9)
    return float(np.linalg.norm(path.y[:24, -1] * path.y[24:, -1] - truth))
