"""The average of the trajectory and the Lasso: exactly on monotone paths, approximately in general."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import sympy as sp

from derivations.dln_lasso_path import PAPER
from derivations.dln_lasso_path.setting import (
    LOSS,
    SQUARED,
    START,
    FloatArray,
    averages,
    decay,
    inverse,
    level,
    m11,
    m12,
    m22,
    objective,
    place,
    positive_minimizer,
    r1,
    r2,
    time,
    x1,
    x2,
)
from implicit_bias import Outcome, Statement, Verdict
from implicit_bias.claims import Equation, judge

ESTABLISHED = (Outcome.PROVED, Outcome.ARGUED)
LOG = 2000.0  # log 1/ε of the trajectories
GAP_TOLERANCE = 1e-4  # of the objective
GAP_REASON = "The gap vanishes with ε; at the ε of these trajectories it is below 1e-6."
PLACES = np.array([0.5, 1.0, 1.5, 2.5])


def established(used: Mapping[str, Verdict]) -> bool:
    """Whether all claims that a theorem rests on were shown."""
    return all(verdict.outcome in ESTABLISHED for verdict in used.values())


def has_clock(clock: sp.Expr, rate: int) -> bool:
    """Whether s is ``rate`` t/log(1/ε), as in the flow that was reduced to squares (4) or has two factors (2)."""
    return sp.diff(clock, time) * level == rate


def _pair(first: sp.Expr, second: sp.Expr, third: sp.Expr, fourth: sp.Expr) -> sp.Expr:
    return first * third + second * fourth


z1, z2, e1, e2, s1, s2 = sp.symbols("z_1 z_2 e_1 e_2 d_1 d_2", real=True)  # z, z^ε and dz/ds
MATRIX = sp.Matrix([[m11, m12], [m12, m22]])
GROWTH = 1 + place * decay
DUAL = [
    -place * r + GROWTH + image for r, image in zip((r1, r2), (m11 * z1 + m12 * z2, m12 * z1 + m22 * z2), strict=True)
]
DISTANCE = (m11 * (e1 - z1) ** 2 + 2 * m12 * (e1 - z1) * (e2 - z2) + m22 * (e2 - z2) ** 2) / 2  # Δ^ε


@PAPER.claim(
    "thm-3.2-energy",
    statement=Statement(
        r"\mathrm{Lasso}(\bar x^\varepsilon(s), s) - \mathrm{PosLasso}_*(s) = ",
        sp.Symbol("E", real=True) / place**2,
        r",\ E = \langle w(s), z^\varepsilon(s) - z(s) \rangle + \tfrac12 \| z^\varepsilon(s) - z(s) \|_M^2,\ "
        r"z^\varepsilon = s \bar x^\varepsilon,\ z = s x(s)",
    ),
    source="proof of Theorem 3.2",
    hypotheses=(*SQUARED, r"w = -s r + (1 + s \lambda) \mathbf{1} + M z"),
)
def suboptimality(statement: Statement) -> Verdict:
    """Expand both objectives for two weights."""
    (energy,) = statement.formula.free_symbols - {place}

    def lasso(first: sp.Expr, second: sp.Expr) -> sp.Expr:
        return LOSS.xreplace({x1: first, x2: second}) + (decay + 1 / place) * (first + second)

    bracket = DUAL[0] * (e1 - z1) + DUAL[1] * (e2 - z2) + DISTANCE
    return judge.prove(
        "Both objectives are quadratic on x ≥ 0, and the slope of the second one at x(s) is w(s)/s.",
        Equation(
            statement.formula.xreplace({energy: bracket}),
            lasso(e1 / place, e2 / place) - lasso(z1 / place, z2 / place),
            says="E/s² is the difference of the objectives",
        ),
    )


@PAPER.claim(
    "thm-3.2",
    statement=Statement(
        r"\limsup_{\varepsilon \to 0} \mathrm{Lasso}(\bar x^\varepsilon(s), s) \le \mathrm{PosLasso}_*(s) + C ",
        (1 + decay * place)
        * (sp.sqrt(sp.Symbol("zeta", nonnegative=True)) / place + sp.Symbol("zeta", nonnegative=True) / place**2),
        r",\ \zeta = z^\downarrow(s) = \sum_i \int_0^s (1 + u) (z_i'(u))_- du,\ s = ",
        4 * time / level,
    ),
    source="Theorem 3.2, with equations (2.4) and (3.6)",
    hypotheses=(
        *SQUARED,
        START,
        r"x(\mu) \text{ a minimizer of } \ell(x) + (\lambda + \tfrac1\mu) \|x\|_1 \text{ over } x \ge 0,\ z = \mu x",
        r"x(\mu) \text{ absolutely continuous on compact sets}",
        r"C \text{ depends on } d, M, r, \lambda, \alpha \text{ alone}",
    ),
    uses=("eq-4.3", "lem-4.10", "lem-4.11", "prop-4.1", "thm-3.2-energy"),
)
def approximate_path(statement: Statement, used: Mapping[str, Verdict]) -> Verdict:
    """Follow the proof: identities for two weights, and bounds of their terms in words."""
    if not established(used):
        return Verdict(Outcome.INCONCLUSIVE, "It rests on claims that were not established.")
    rate, clock = statement.formulas
    if not has_clock(clock, 4):
        return Verdict(Outcome.INCONCLUSIVE, "The clock is not that of equation (4.3).")
    (zeta,) = rate.free_symbols - {decay, place}
    w1, w2 = sp.symbols("w_1 w_2", real=True)  # w^ε
    start1, start2 = sp.symbols("w_10 w_20", real=True)  # w^ε(0)
    v1, v2 = sp.symbols("v_1 v_2", positive=True)  # x^ε
    written = {
        w1: start1 - place * r1 + m11 * e1 + m12 * e2 + place * decay,
        w2: start2 - place * r2 + m12 * e1 + m22 * e2 + place * decay,
    }
    change = sp.diff(DISTANCE, e1) * v1 + sp.diff(DISTANCE, e2) * v2
    change += sp.diff(DISTANCE, z1) * s1 + sp.diff(DISTANCE, z2) * s2
    terms = (
        _pair(v1, v2, w1, w2)
        - _pair(v1, v2, *DUAL)
        - _pair(s1, s2, w1, w2)
        + _pair(s1, s2, *DUAL)
        + _pair(v1 - s1, v2 - s2, 1 - start1, 1 - start2)
    )
    energy = DUAL[0] * (e1 - z1) + DUAL[1] * (e2 - z2) + DISTANCE

    def moved(quantity: sp.Expr) -> sp.Expr:
        return sp.diff(quantity, place) + sum(
            sp.diff(quantity, each) * speed for each, speed in ((e1, v1), (e2, v2), (z1, s1), (z2, s2))
        )

    scaled = [moved(dual / GROWTH) for dual in DUAL]
    return judge.argue(
        "d/ds ½‖z^ε − z‖²_M has six terms (identity). As ε → 0, x log x is bounded below, x^ε is bounded uniformly "
        "(Proposition 4.1) and 1 − w^ε(0) = 2 log|α|/Λ. So ⟨x^ε, w^ε⟩, the terms with 1 − w^ε(0) and the growing "
        "part of −⟨z', w^ε⟩ are O((1 + z↑')/Λ); −⟨x^ε, w⟩ ≤ 0; ⟨z', w⟩ = 0 by complementarity; and w^ε ≤ C(1 + s) "
        "bounds the falling part by C times the rate of z↓. So ½‖z^ε − z‖²_M ≤ C z↓(s) + o(1). The energy E, divided"
        " by 1 + λs, changes by the same terms without the two that have w, and by ⟨d/ds (w/(1 + λs)), z^ε − z⟩ ≤ "
        "‖r‖ ‖z^ε − z‖_M by Lemma 4.11. So E ≤ C(1 + λs)(s √z↓ + z↓) + o(1). Divided by s² this is the stated rate.",
        Equation(
            rate * place**2,
            (1 + decay * place) * (place * sp.sqrt(zeta) + zeta),
            says="the stated rate is (1 + λs)(s √ζ + ζ)/s²",
        ),
        Equation(change, terms.xreplace(written), says="d/ds ½‖z^ε − z‖²_M, two weights"),
        Equation(
            moved(energy / GROWTH),
            _pair(scaled[0], scaled[1], e1 - z1, e2 - z2)
            + (_pair(v1 - s1, v2 - s2, *DUAL) + change) / GROWTH
            - decay * DISTANCE / GROWTH**2,
            says="d/ds E/(1 + λs), two weights",
        ),
    )


LASSO_PATH = r"x(\mu) \text{ a minimizer of } \ell(x) + (\lambda + \tfrac1\mu) \|x\|_1"


@PAPER.claim(
    "thm-3.1",
    statement=Statement(
        r"\mathrm{Lasso}(\bar x^\varepsilon(s), s) \to \mathrm{PosLasso}_*(s),\ "
        r"\mathrm{Lasso}(x, \mu) = \ell(x) + \Big( ",
        decay + 1 / inverse,
        r" \Big) \|x\|_1,\ s = ",
        4 * time / level,
    ),
    source="Theorem 3.1, with equations (1.3) and (3.5)",
    hypotheses=(
        *SQUARED,
        START,
        LASSO_PATH + r" \text{ over } x \ge 0",
        r"\mu x(\mu) \text{ nondecreasing in each entry}",
    ),
    uses=("thm-3.2", "lem-4.11"),
)
def exact_positive_path(statement: Statement, used: Mapping[str, Verdict]) -> Verdict:
    """One weight in closed form, a reduction to Theorem 3.2, and trajectories against minimizers by enumeration."""
    if not established(used):
        return Verdict(Outcome.INCONCLUSIVE, "It rests on claims that were not established.")
    penalty, clock = statement.formulas
    if not has_clock(clock, 4):
        return Verdict(Outcome.INCONCLUSIVE, "The clock is not that of equation (4.3).")
    m, pull, start = sp.symbols("m k alpha", positive=True)  # k = r − λ
    begin = sp.exp(-level) * start**2
    grown = begin * sp.exp(4 * pull * time)
    x = pull * grown / (pull + m * (grown - begin))
    area = sp.log(1 + m * (grown - begin) / pull) / (4 * m)  # ∫ x dt
    verdict = judge.argue(
        "On a monotone path z↓ = 0, so Theorem 3.2 leaves no gap, and no average does better than the minimum. A "
        "monotone path is absolutely continuous (Lemma 4.12): Mz is Lipschitz by Lemma 4.11, so a singular part of "
        "dz would point along some v ≥ 0 with Mv = 0, in entries with w = 0, but ⟨w, v⟩ = (1 + μλ) Σ v_i then, as "
        "⟨r, v⟩ = 0. One weight shows the clock: with k = r − λ, s x̄ is (1/(mΛ)) log(1 + (mα²/k)(ε^(1−ks) − ε)), "
        "which tends to max(ks − 1, 0)/m, s times the minimizer "
        f"max(k − 1/s, 0)/m. Trajectories of three weights at log ε = −{LOG:.0f} come within {GAP_TOLERANCE} of the "
        "minimum that trying all supports finds, for M with entries of one sign off the diagonal, whose paths are "
        "monotone.",
        Equation(sp.diff(x, time), 4 * x * (pull - m * x), says="the flow of one weight in closed form"),
        Equation(sp.diff(area, time), x, says="and its integral"),
        Equation(
            (decay + pull - penalty.xreplace({inverse: place})) / m * place,
            (pull * place - 1) / m,
            says="s times the stationary point (r − penalty)/m of the stated objective is (ks − 1)/m",
        ),
    )
    return judge.agreed(
        verdict, lambda: max(largest_gap(seed, penalty, clock) for seed in range(2)), GAP_TOLERANCE, GAP_REASON
    )


def largest_gap(seed: int, penalty: sp.Expr, clock: sp.Expr) -> float:
    """How far the objective at the averages is above its minimum, for one M with a monotone path."""
    generator = np.random.default_rng(seed)
    off = -generator.uniform(0, 0.3, size=(3, 3))
    M = off + off.T + np.diag(generator.uniform(1.3, 2, size=3))
    r, alpha, strength = generator.uniform(0, 3, size=3), generator.uniform(0.5, 2, size=3), 0.1 * seed
    return _gap(M, r, alpha, strength, penalty, clock)


def _gap(M: FloatArray, r: FloatArray, alpha: FloatArray, strength: float, penalty: sp.Expr, clock: sp.Expr) -> float:
    rate = float(sp.diff(clock, time) * level)
    found = averages(M, r, strength, alpha, LOG, PLACES, rate)
    penalties = [float(penalty.xreplace({decay: sp.Float(strength), inverse: sp.Float(mu)})) for mu in PLACES]
    gaps = [
        objective(M, r, cost, x) - objective(M, r, cost, positive_minimizer(M, r, cost))
        for cost, x in zip(penalties, found, strict=True)
    ]
    return float(np.max(np.abs(gaps)))


@PAPER.claim(
    "thm-2.1",
    statement=Statement(
        r"\mathrm{Lasso}(\bar x^\varepsilon(s), s) \to \mathrm{Lasso}_*(s),\ \mathrm{Lasso}(x, \mu) = \ell(x) + \Big( ",
        decay + 1 / inverse,
        r" \Big) \|x\|_1,\ s = ",
        2 * time / level,
    ),
    source="Theorem 2.1, with equations (1.3) and (2.2)",
    hypotheses=(
        r"x = u \circ v,\ L(u, v) = \ell(x) + \tfrac{\lambda}{2} (\|u\|^2 + \|v\|^2)",
        *SQUARED[1:],
        r"u(0) = \sqrt{\varepsilon} \beta,\ v(0) = \sqrt{\varepsilon} \gamma,\ \beta_i \ne \pm \gamma_i",
        LASSO_PATH,
        r"\mu x(\mu) \text{ monotone in each entry}",
    ),
    uses=("thm-3.1", "lem-5.1", "sec-5.1.2"),
)
def exact_path(statement: Statement, used: Mapping[str, Verdict]) -> Verdict:
    """Reduce to squares with half the clock, and compare trajectories of u and v with Lasso minimizers."""
    if not established(used):
        return Verdict(Outcome.INCONCLUSIVE, "It rests on claims that were not established.")
    penalty, clock = statement.formulas
    if not has_clock(clock, 2) or penalty != decay + 1 / inverse:
        return Verdict(Outcome.INCONCLUSIVE, "The clock or the penalty is not that of Theorem 3.1 for half the time.")
    beta, gamma = sp.symbols("beta gamma", real=True)
    verdict = judge.argue(
        "With p^± = (u ± v)/2 and the clock t/2 the flow is that of squares with M̃, r̃ and α = (β ± γ)/2, which does "
        "not vanish; s is the same. A monotone path z has parts (z_+, z_-) that do not decrease (z starts at 0). So "
        "Theorem 3.1 applies to them, and Lemma 5.1 bounds the Lasso at x̄ by the positive one at the averages of the "
        f"parts, and equates the minima. Trajectories of two weights at log ε = −{LOG:.0f} come within {GAP_TOLERANCE} "
        "of the minimum that trying all supports and signs finds.",
        Equation(
            ((beta + gamma) / 2) ** 2 - ((beta - gamma) / 2) ** 2, beta * gamma, says="the start of both flows, over ε"
        ),
    )
    worst = 0.0
    for seed in range(2):
        generator = np.random.default_rng(seed)
        tilt = generator.uniform(-0.4, 0.4)
        M, r = np.array([[1.0, tilt], [tilt, 1.5]]), generator.normal(size=2) * 2
        doubled, pulls = np.block([[M, -M], [-M, M]]), np.concatenate([r, -r])
        alpha = generator.uniform(0.3, 1, size=4)
        worst = max(worst, _signed_gap(M, r, doubled, pulls, alpha, 0.2 * seed, penalty, clock))
    return judge.agreed(verdict, lambda: worst, GAP_TOLERANCE, GAP_REASON)


def _signed_gap(
    M: FloatArray,
    r: FloatArray,
    doubled: FloatArray,
    pulls: FloatArray,
    alpha: FloatArray,
    strength: float,
    penalty: sp.Expr,
    clock: sp.Expr,
) -> float:
    """As :func:`largest_gap`; dp/dt is that of squares in t/2, so the rate of the reduced clock is twice this one's."""
    rate = 2 * float(sp.diff(clock, time) * level)
    parts = averages(doubled, pulls, strength, alpha, LOG, PLACES, rate)
    gaps = []
    for mu, part in zip(PLACES, parts, strict=True):
        cost = float(penalty.xreplace({decay: sp.Float(strength), inverse: sp.Float(mu)}))
        least = min(
            objective(M, r, cost, sign * positive_minimizer(M * np.outer(sign, sign), sign * r, cost))
            for sign in (np.array(pair) for pair in ((1, 1), (1, -1), (-1, 1), (-1, -1)))
        )
        gaps.append(abs(objective(M, r, cost, part[:2] - part[2:]) - least))
    return float(max(gaps))


@PAPER.claim(
    "thm-2.2",
    statement=Statement(
        r"\limsup_{\varepsilon \to 0} \mathrm{Lasso}(\bar x^\varepsilon(s), s) \le \mathrm{Lasso}_*(s) + C ",
        (1 + decay * place)
        * (sp.sqrt(sp.Symbol("zeta", nonnegative=True)) / place + sp.Symbol("zeta", nonnegative=True) / place**2),
        r",\ \zeta = \sum_i \int_0^s (1 + u) \big[ ((z_i)_+')_- + ((z_i)_-')_- \big] du,\ s = ",
        2 * time / level,
    ),
    source="Theorem 2.2, with equations (2.3) and (2.4)",
    hypotheses=(
        r"x = u \circ v,\ L(u, v) = \ell(x) + \tfrac{\lambda}{2} (\|u\|^2 + \|v\|^2)",
        *SQUARED[1:],
        r"u(0) = \sqrt{\varepsilon} \beta,\ v(0) = \sqrt{\varepsilon} \gamma,\ \beta_i \ne \pm \gamma_i",
        LASSO_PATH,
        r"x(\mu) \text{ absolutely continuous on compact sets}",
        r"C \text{ depends on } d, M, r, \lambda, \beta, \gamma \text{ alone}",
    ),
    uses=("thm-3.2", "lem-5.1", "sec-5.1.2"),
)
def approximate_signed_path(statement: Statement, used: Mapping[str, Verdict]) -> Verdict:
    """Reduce to Theorem 3.2 as in Theorem 2.1."""
    if not established(used):
        return Verdict(Outcome.INCONCLUSIVE, "It rests on claims that were not established.")
    rate, clock = statement.formulas
    if not has_clock(clock, 2):
        return Verdict(Outcome.INCONCLUSIVE, "The clock is not that of Theorem 3.2 for half the time.")
    (zeta,) = rate.free_symbols - {decay, place}
    return judge.argue(
        "The parts (x_+, x_-) of the path are a path of the positive Lasso with M̃ and r̃ (Lemma 5.1), absolutely "
        "continuous as x is, and their z↓ is the stated integral. The flow is that of squares with half the clock. "
        "Theorem 3.2 then bounds the positive objective at the averages of the parts, which is at least that of the "
        "Lasso at x̄, and both minima agree.",
        Equation(
            rate * place**2,
            (1 + decay * place) * (place * sp.sqrt(zeta) + zeta),
            says="the stated rate is (1 + λs)(s √ζ + ζ)/s²",
        ),
    )
