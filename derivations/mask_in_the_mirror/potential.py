"""The potential of the mask, its Hessian and its minimum: Theorems 2.1 and 3.1 and what is printed after them."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import sympy as sp
from scipy.optimize import brentq

from derivations.mask_in_the_mirror import PAPER
from derivations.mask_in_the_mirror.judging import (
    DECAYING,
    along_the_flow,
    judge,
    mirror_deviation,
    on_the_trajectory,
    without_decay,
)
from derivations.mask_in_the_mirror.setting import (
    REGULARIZER,
    SIZES,
    SIZES_OR_EQUAL,
    START,
    WEIGHT,
    accumulated,
    argue,
    closed_form,
    decay,
    derived,
    in_uv,
    prove,
    u0,
    v0,
    weight_velocity,
    x,
)
from derivations.mask_in_the_mirror.trajectory import Instance
from implicit_bias import Correction, Statement, Verdict
from implicit_bias.claims import Equation, corrected

NO_DECAY = {decay: sp.Integer(0)}


def potential_with(prefactor: sp.Expr, scale: sp.Expr) -> sp.Expr:
    """One term of the sum that the preprint's potentials are, which differ in prefactor and scale."""
    return prefactor * (x * sp.asinh(x / scale) - sp.sqrt(x**2 + scale**2) - x * sp.log(u0 / v0))


def mirror_map_at(scale: sp.Expr, prefactor: sp.Expr) -> sp.Expr:
    """The slope of one of these potentials."""
    return prefactor * (sp.asinh(x / scale) - sp.log(u0 / v0))


PREFACTOR_2_1, SCALE_2_1 = sp.Rational(1, 4), 2 * u0 * v0
PREFACTOR_3_1, SCALE_3_1 = sp.Rational(1, 2), 2 * u0 * v0 * sp.exp(-2 * decay)
THEOREM_2_1 = potential_with(PREFACTOR_2_1, SCALE_2_1)  # equation 2
THEOREM_3_1 = potential_with(PREFACTOR_3_1, SCALE_3_1)


@cache
def derived_potential() -> Correction:
    """The potential of the flow, with decay or without."""
    true = in_uv(derived().potential)
    return Correction(
        rf"d\nabla R_{{a_t}}(x_t) = -\nabla f(x_t)\,dt \text{{ with }} R_{{a_t}}(x) = \sum_i {sp.latex(true)} "
        r"\text{ for } |w_0| < m_0",
        prove(
            "The change of ∇R(x_t) along the flow of m and w is −∇f, for every ∇f and α; A = 0 is the case α = 0.",
            along_the_flow(true),
            *weight_velocity()[1],
        ),
    )


@PAPER.claim(
    "thm-2.1",
    statement=Statement(r"d\nabla R(x_t) = -\nabla f(x_t)\,dt \text{ with } R(x) = \sum_i ", THEOREM_2_1),
    source="Theorem 2.1 and equation 2",
    hypotheses=(SIZES, r"\alpha = 0"),
    uses=(corrected("lem-a.1"),),
)
def theorem_2_1(statement: Statement) -> Verdict:
    """Differentiate ∇R(x_t) along the flow, and hold its change against L on a trajectory in closed form."""
    potential = statement.formula
    return judge(
        without_decay(along_the_flow(potential)),
        *weight_velocity()[1],
        *closed_form(),
        evidence="The change of ∇R(x_t) along the flow is −∇f, for every ∇f.",
        correction=derived_potential,
        instance=without_decay(on_the_trajectory(potential)),
        deviation=mirror_deviation(potential),
    )


@PAPER.claim(
    "thm-2.1-bregman",
    statement=Statement(r"\sum_i ", THEOREM_2_1, r" \text{ is a Bregman function}"),
    source="Theorem 2.1, on the R of equation 2",
    hypotheses=(SIZES,),
)
def theorem_2_1_bregman(statement: Statement) -> Verdict:
    """Find the conjugate of the printed potential: the conditions hold for every prefactor and scale above zero.

    A Bregman function is continuous and strictly convex, the sublevel sets of D(x, ·) are bounded, and D(x, x_k) → 0
    where x_k → x.
    """
    slope_of_r, dual = mirror_map_at(SCALE_2_1, PREFACTOR_2_1), sp.Symbol("z", real=True)
    conjugate = u0 * v0 * sp.cosh(4 * dual + sp.log(u0 / v0)) / 2
    return argue(
        "R'' = ¼/√(x² + 4u₀²v₀²) > 0 on the whole line, so R is smooth and strictly convex, and D(x, x_k) → 0 by "
        "continuity. R* is ½u₀v₀ cosh(4z + log(u₀/v₀)), as R(x) + R*(R'(x)) = x R'(x); it outgrows all linear "
        "functions, so D(x, y) = R(x) + R*(R'(y)) − x R'(y) is bounded only where R'(y) is, which is where y is.",
        Equation(sp.diff(statement.formula, x), slope_of_r, "∇R of the printed R"),
        Equation(1 / sp.diff(slope_of_r, x), 4 * sp.sqrt(x**2 + 4 * u0**2 * v0**2), "1/R''"),
        Equation(statement.formula + conjugate.xreplace({dual: slope_of_r}), x * slope_of_r, "R(x) + R*(R'(x))"),
    )


@PAPER.claim(
    "thm-3.1",
    statement=Statement(
        r"d\nabla R_{a_t}(x_t) = -\nabla f(x_t)\,dt \text{ with } R_{a_t}(x) = \sum_i ",
        THEOREM_3_1,
        r", \quad A = \int_0^t \alpha_s\,ds",
    ),
    source="Theorem 3.1",
    hypotheses=(SIZES_OR_EQUAL, REGULARIZER),
    uses=(corrected("lem-a.2"),),
)
def theorem_3_1(statement: Statement) -> Verdict:
    """Differentiate ∇R_{a_t}(x_t) along the flow, and hold its change against L on a trajectory in closed form.

    The prefactor is right; the scale is not, already without decay. For |w_0| = m_0, which the theorem admits, u_0 v_0
    is zero and no formula of this form is defined; the counterexample has |w_0| < m_0.
    """
    potential = statement.formula
    return judge(
        along_the_flow(potential),
        *weight_velocity()[1],
        *closed_form(),
        evidence="The change of ∇R(x_t) along the flow is −∇f, for every ∇f and α.",
        correction=derived_potential,
        instance=on_the_trajectory(potential),
        deviation=mirror_deviation(potential),
        trajectory=DECAYING,
    )


@PAPER.claim(
    "thm-2.1-thm-3.1",
    statement=Statement(
        r"\text{For } \alpha = 0 \text{ the potentials of equation 2 and Theorem 3.1 agree up to an affine function: }",
        THEOREM_2_1,
        r" \text{ and } ",
        THEOREM_3_1.xreplace(NO_DECAY),
    ),
    source="Theorem 2.1 beside Theorem 3.1, two statements on one flow",
    hypotheses=(SIZES, r"\alpha = 0"),
)
def theorems_2_1_and_3_1(statement: Statement) -> Verdict:
    """Compare the Hessians: d∇R(x_t) = −∇f dt fixes R''(x) wherever the flow goes, as R''(x_t)x_t' = −f'(x_t)."""
    first, second = statement.formulas
    return judge(
        Equation(sp.diff(first, x, 2), sp.diff(second, x, 2), "R'' of equation 2 against that of Theorem 3.1 at A = 0"),
        evidence="The Hessians agree.",
        correction=derived_potential,
    )


def derived_metric() -> sp.Expr:
    """(∇²R)⁻¹ of the flow without decay."""
    return in_uv(derived().metric).xreplace(NO_DECAY)


@PAPER.claim(
    "inverse-hessian",
    statement=Statement(
        r"(\nabla^2 R(x))^{-1} = \operatorname{diag} ",
        sp.sqrt(x**2 + 4 * u0**2 * v0**2),
        r" \text{ for the } R \text{ of the flow}",
    ),
    source="after Theorem 2.3",
    hypotheses=(SIZES, r"\alpha = 0"),
    uses=(corrected("thm-2.1"),),
)
def inverse_hessian(statement: Statement) -> Verdict:
    """Hold the stated inverse Hessian against the velocity x' = −(∇²R)⁻¹f'; it is right at x = 0 and only there."""
    stated = statement.formula
    weight = WEIGHT.xreplace(NO_DECAY)
    return judge(
        Equation(stated, derived_metric(), "the stated inverse Hessian against the derived one"),
        *weight_velocity()[1],
        *closed_form(),
        evidence="The stated formula is the derived metric: x' = −(∇²R)⁻¹∇f.",
        correction=lambda: Correction(
            rf"(\nabla^2 R(x))^{{-1}} = \operatorname{{diag}} {sp.latex(derived_metric())}",
            prove(
                "It is m² + w², which preconditions the gradient; the stated one is right at x = 0 and too small "
                "elsewhere: its square falls short by 3x².",
                *weight_velocity()[1],
                (derived_metric() ** 2 - (x**2 + 4 * u0**2 * v0**2), 3 * x**2),
            ),
        ),
        instance=Equation(stated.xreplace({x: weight}), -sp.diff(weight, accumulated), "(∇²R(x_t))⁻¹ against −dx/dL"),
        deviation=lambda value, end: abs(value(stated) * end["slope"] + end["x_velocity"]),
    )


@PAPER.claim(
    "inverse-hessian-of-eq-2",
    statement=Statement(
        r"(\nabla^2 R(x))^{-1} = \operatorname{diag} ",
        sp.sqrt(x**2 + 4 * u0**2 * v0**2),
        r" \text{ for } R(x) = \sum_i ",
        THEOREM_2_1,
    ),
    source="after Theorem 2.3, with the R of equation 2",
    hypotheses=(SIZES,),
)
def inverse_hessian_of_equation_2(statement: Statement) -> Verdict:
    """Differentiate the printed potential twice."""
    stated, potential = statement.formulas
    hessian = sp.diff(potential, x, 2)
    return judge(
        Equation(stated * hessian, sp.Integer(1), "the stated inverse Hessian times R'' of equation 2"),
        evidence="The product of the stated inverse and of R'' is 1.",
        correction=lambda: Correction(
            r"(\nabla^2 R(x))^{-1} = 4 \operatorname{diag} \sqrt{x^2 + 4u_0^2v_0^2} \text{ for the } R \text{ of "
            r"equation 2}",
            prove(
                "The product of the corrected inverse and of R'' is 1.",
                (4 * sp.sqrt(x**2 + 4 * u0**2 * v0**2) * sp.diff(THEOREM_2_1, x, 2), sp.Integer(1)),
            ),
        ),
    )


@PAPER.claim(
    "sigma",
    statement=Statement(
        r"z^T (\nabla^2 R(x))^{-1} z \ge \sigma \|z\|_2^2 \text{ for all } x, z, \text{ at best } \sigma = \min_i ",
        2 * u0 * v0,
    ),
    source="after Theorem 2.3, on equation 4",
    hypotheses=(SIZES, r"\alpha = 0"),
    uses=(corrected("inverse-hessian"),),
)
def sigma(statement: Statement) -> Verdict:
    """Find the least entry of the inverse Hessian, as derived and as printed; both have it at x = 0."""
    stated = statement.formula
    return argue(
        "The derived and the printed inverse Hessian are √(σ² + 4x²) and √(σ² + x²), so both are least at x = 0, where "
        "they are σ. They are diagonal, so σ is the largest constant for which equation 4 holds. The R of equation 2 "
        "itself has four times the printed inverse: equation 4 holds for it, too, though not at best.",
        *weight_velocity()[1],
        (sp.sqrt(x**2 + 4 * u0**2 * v0**2), sp.sqrt(x**2 + stated**2)),
        stated=Equation(
            stated * sp.sqrt(1 + 4 * x**2 / stated**2), derived_metric(), "√(σ² + 4x²) against the inverse Hessian"
        ),
    )


def slope_at(potential: sp.Expr, minimum: sp.Expr) -> Equation:
    """∇R vanishes at the stated minimum."""
    return Equation(sp.diff(potential, x).xreplace({x: minimum}), sp.Integer(0), "∇R at the stated minimum")


def minimum_of(prefactor: sp.Rational, scale: sp.Expr, potential: sp.Expr) -> tuple[sp.Expr, tuple[Equation, ...]]:
    """Where ∇R = prefactor (arcsinh(x/scale) − log(u_0/v_0)) vanishes, and the identities behind it."""
    minimum = sp.expand(scale * (u0 / v0 - v0 / u0) / 2)
    return minimum, (
        Equation(sp.diff(potential, x), mirror_map_at(scale, prefactor), "∇R of the printed R"),
        Equation(minimum, scale * sp.sinh(sp.log(u0 / v0)), "where arcsinh(x/scale) = log(u₀/v₀)"),
    )


WHERE_LEAST = "∇R vanishes there, as sinh inverts arcsinh, and R is strictly convex, so that it is least there."


@PAPER.claim(
    "r-minimal-at-start",
    statement=Statement(
        r"\operatorname{argmin} R = ", START, r" = m_0 \odot w_0 \text{ for } R(x) = \sum_i ", THEOREM_2_1
    ),
    source="after Theorem 2.1, with the R of equation 2",
    hypotheses=(SIZES, r"\alpha = 0"),
)
def minimal_at_start(statement: Statement) -> Verdict:
    """Differentiate the printed potential; it is least at twice the stated place.

    For the potential of the flow the stated place is right.
    """
    stated, potential = statement.formulas
    minimum, steps = minimum_of(PREFACTOR_2_1, SCALE_2_1, potential)
    return judge(
        Equation(stated, minimum, "the stated minimum against that of the R of equation 2"),
        *steps,
        evidence=WHERE_LEAST,
        in_words=True,
        correction=lambda: Correction(
            rf"\operatorname{{argmin}} R = {sp.latex(minimum)} = 2 m_0 w_0 \text{{ for the }} R \text{{ of equation 2, "
            r"and } m_0 w_0 \text{ for that of the flow}",
            argue(WHERE_LEAST, *steps),
        ),
        instance=slope_at(potential, stated),
    )


MINIMUM = sp.exp(-2 * decay) * START


@PAPER.claim(
    "minimum-position",
    statement=Statement(
        r"\operatorname{argmin} R_{a_t} = ",
        MINIMUM,
        r" = e^{-2A} m_0 \odot w_0 \text{ for the } R_{a_t} \text{ of the flow}",
    ),
    source="after Theorem 3.1",
    hypotheses=(SIZES_OR_EQUAL, REGULARIZER),
    uses=(corrected("thm-3.1"),),
)
def minimum_position(statement: Statement) -> Verdict:
    """Hold the stated minimizer against the weight at L_t = 0, where ∇R_{a_t}(x_t) = −L_t makes x_t the minimizer."""
    stated = statement.formula
    without_pull = WEIGHT.xreplace({accumulated: sp.Integer(0)})
    return judge(
        Equation(stated, without_pull, "the stated minimum against the weight at L = 0"),
        *closed_form(),
        evidence="Where L_t = 0, ∇R_{a_t}(x_t) = −L_t vanishes, so the weight is the minimizer of the convex R_{a_t}.",
        in_words=True,
        correction=lambda: Correction(
            r"\operatorname{argmin} R_{a_t} = e^{-4A} m_0 \odot w_0 \text{ for } |w_0| < m_0",
            argue(
                "∇R*(0) is the minimizer.",
                (in_uv(derived().minimizer), sp.exp(-4 * decay) * START),
                (without_pull, in_uv(derived().inverse_mirror_map).xreplace({sp.Symbol("z"): sp.Integer(0)})),
            ),
        ),
        deviation=lambda value, end: abs(value(stated) - end["x"]),
        trajectory=without_push(DECAYING),
    )


@PAPER.claim(
    "minimum-of-thm-3.1",
    statement=Statement(
        r"\operatorname{argmin} R_{a_t} = ",
        MINIMUM,
        r" = e^{-2A} m_0 \odot w_0 \text{ for } R_{a_t}(x) = \sum_i ",
        THEOREM_3_1,
    ),
    source="after Theorem 3.1, with the R_{a_t} printed there",
    hypotheses=(SIZES, REGULARIZER),
)
def minimum_of_theorem_3_1(statement: Statement) -> Verdict:
    """Differentiate the printed potential; it is least at twice the stated place, already without decay."""
    stated, potential = statement.formulas
    minimum, steps = minimum_of(PREFACTOR_3_1, SCALE_3_1, potential)
    return judge(
        Equation(stated, minimum, "the stated minimum against that of the R of Theorem 3.1"),
        *steps,
        evidence=WHERE_LEAST,
        in_words=True,
        correction=lambda: Correction(
            rf"\operatorname{{argmin}} R_{{a_t}} = {sp.latex(minimum)} = 2 e^{{-2A}} m_0 w_0 \text{{ for the }} R "
            r"\text{ of Theorem 3.1, and } e^{-4A} m_0 w_0 \text{ for that of the flow}",
            argue(WHERE_LEAST, *steps),
        ),
        instance=slope_at(potential, stated),
    )


def without_push(instance: Instance) -> Instance:
    """The same trajectory, but towards a target for which the accumulated gradient ends at zero.

    A weight that decays towards zero lies first beyond a target between its initial value and zero, then short of it.
    """

    def pull(target: float) -> float:
        return replace(instance, target=target).end()["L"]

    return replace(instance, target=brentq(pull, 0.0, instance.m0 * instance.w0, xtol=1e-15))
