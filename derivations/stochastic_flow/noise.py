"""The covariance of real SGD beside the model with one number for all weights: exactly, and in the gain of runs."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import sympy as sp

from derivations.stochastic_flow import PAPER
from derivations.stochastic_flow.flow import SQUARED
from implicit_bias import Outcome, Statement, Verdict
from implicit_bias.claims import Equation, Violation, corrected, judge
from implicit_bias.claims.verdict import Correction

residuals, entries = sp.symbols("r1 r2", real=True), sp.symbols("z1 z2", real=True)
OBSERVED = "corollary of stochastic-flow/loss-controls-the-scale; an observation of ours on its noise"
BATCH = r"g_B = \tfrac12 r_j Z_{ji} \text{ for one of two observations, drawn uniformly}, \ r = Zx - y"
LOSS = sum(each**2 for each in residuals) / 8
CURVATURE = sum(each**2 for each in entries) / 2


def second_moment() -> sp.Expr:
    """The mean of the squared slopes."""
    return sum((r * z / 2) ** 2 for r, z in zip(residuals, entries, strict=True)) / 2


@PAPER.claim(
    "isotropic-noise",
    statement=Statement(r"\mathbb{E}\, g_B^2 = L H = ", LOSS * CURVATURE),
    source=OBSERVED,
    hypotheses=(SQUARED, BATCH),
)
def isotropic_noise(statement: Statement) -> Verdict:
    """Average the squared slopes of two observations, and look at one that is fitted.

    The model takes residuals and data for independent, which holds in the mean over weights at best.
    """
    stated = statement.formula
    numbers = {"r1": Fraction(1), "r2": Fraction(0), "z1": Fraction(1), "z2": Fraction(0)}
    true = second_moment()
    product = residuals[0] ** 2 - residuals[1] ** 2
    correction = Correction(
        Statement(r"\mathbb{E}\, g_B^2 = L H + \operatorname{Cov}(r_j^2/4, Z_{ji}^2), \ \operatorname{Cov} = ",
                  product * (entries[0] ** 2 - entries[1] ** 2) / 16),
        judge.prove(
            "The mean of a product is the product of the means plus the covariance.",
            stated=Equation(
                LOSS * CURVATURE + product * (entries[0] ** 2 - entries[1] ** 2) / 16, true, "the second moment"
            ),
        ),
    )  # fmt: skip
    return judge.refute(
        "One observation is fitted, and the weight sees the other one alone: its squared slope is twice what the "
        "product of the means gives.",
        Violation(stated, true, numbers),
        correction=correction,
    )


@dataclass(frozen=True)
class Gains:
    """The gain of each weight, averaged over runs: as trained, by the second moments, by their isotropic model."""

    trained: np.ndarray
    by_moments: np.ndarray
    isotropic: np.ndarray


RUNS, OBSERVATIONS, WEIGHTS, STEPS = 40, 10, 20, 700
STEP, SCALE = 0.01, 0.3  # α² at the start is SCALE²


def gains() -> Gains:
    """Train x = uv by SGD with one observation a step, many runs at once, on one sparse problem."""
    generator = np.random.default_rng(0)
    Z = generator.normal(size=(OBSERVATIONS, WEIGHTS))
    target = np.zeros(WEIGHTS)
    target[:3] = 1.0, -1.0, 0.5
    y, squares = Z @ target, Z**2
    u, v = np.full((RUNS, WEIGHTS), SCALE * np.sqrt(2)), np.zeros((RUNS, WEIGHTS))
    drawn = generator.integers(OBSERVATIONS, size=(STEPS, RUNS))
    by_moments, isotropic = np.zeros(WEIGHTS), np.zeros(WEIGHTS)
    rows = np.arange(RUNS)
    for k in range(STEPS):
        residual = (u * v) @ Z.T - y
        mean = np.mean(residual**2, axis=0)
        by_moments += STEP**2 * mean @ squares / OBSERVATIONS
        isotropic += STEP**2 * np.mean(mean) * np.mean(squares, axis=0)
        move = STEP * residual[rows, drawn[k]][:, None] * Z[drawn[k]]
        u, v = u - move * v, v - move * u
    trained = -np.mean(np.log(np.abs(u**2 - v**2) / 2 / SCALE**2), axis=0)
    return Gains(trained, by_moments, isotropic)


TOLERANCE = 0.15
REASON = "Forty runs leave a few hundredths to chance, and the next order in the step as much."
MISSED = 0.4  # by how much the isotropic model is off in some weight


@PAPER.claim(
    "gain-of-a-weight",
    statement=(
        r"-\log(\alpha_\infty^2/\alpha_0^2) \approx \gamma^2 \sum_k \mathbb{E}\, g_{B,k}^2 \text{ for each weight of "
        r"SGD, while the isotropic model misses single weights by a multiple of what is left}"
    ),
    source=f"{OBSERVED}, measured",
    hypotheses=("one observation a step", r"\gamma \text{ small}", "normal data, sparse target"),
    uses=(corrected("isotropic-noise"),),
)
def gain_of_a_weight() -> Verdict:
    """Compare the scales at the end of runs with both sums along the runs."""
    found = gains()
    true, model = found.trained / found.by_moments, found.trained / found.isotropic
    evidence = (
        f"{RUNS} runs of SGD on {OBSERVATIONS} observations of {WEIGHTS} weights, {STEPS} steps of {STEP:g}. The "
        f"gain of a weight is {true.min():.2f} to {true.max():.2f} times what its second moments give, and "
        f"{model.min():.2f} to {model.max():.2f} times what the isotropic model gives."
    )
    deviation, missed = float(np.max(np.abs(true - 1))), float(np.max(np.abs(model - 1)))
    if missed < MISSED:
        return Verdict(Outcome.INCONCLUSIVE, evidence, missed)
    return judge.from_residual(deviation, TOLERANCE, evidence, tolerance_reason=REASON)
