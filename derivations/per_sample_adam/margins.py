"""Sign descent and the L∞ margin, and data on which Adam with one sample a step rescales no entry by itself."""

from __future__ import annotations

import numpy as np
import sympy as sp

from derivations.per_sample_adam import PAPER
from implicit_bias import Adam, Parameterization, Regression, Statement, Verdict, descent, max_margin
from implicit_bias.claims import Equation, judge

SEPARATED = (
    r"b_n = y_n z_n, \ q_n = \langle b_n, x \rangle, "
    r"\ \gamma_\infty = \max_{\Vert u \Vert_\infty \le 1} \min_n \langle b_n, u \rangle > 0"
)
SUMMARY = "as summarized in the abstract"
time, first, margin = sp.symbols("t l_0 gamma", positive=True)
size, step = sp.symbols("c a", positive=True)  # |z_nk| for all k, and the slope of the loss of the sample
mean = sp.Symbol("v", positive=True)
beta = sp.Symbol("beta2", positive=True)


@PAPER.claim(
    "sign-flow",
    statement=Statement(
        r"\frac{\min_n q_n(x_t)}{\Vert x_t \Vert_\infty} \ge ",
        (margin * time - sp.log(first)) / time,
        r"\to \gamma_\infty \text{ for } x' = -\operatorname{sgn} \nabla L, \ x_0 = 0, \ L = \sum_n e^{-q_n}, "
        r"\ l_0 = L(0), \ \gamma = \gamma_\infty",
    ),
    source=f"{SUMMARY} (the full-batch regime has an L∞ bias), for the flow of sign descent; derived here",
    hypotheses=(SEPARATED,),
)
def sign_flow(statement: Statement) -> Verdict:
    """Bound the speed of log(1/L) from below by the largest margin, and the size of the weights by the time."""
    path = sp.log(1 / first) + margin * time
    x, u = sp.symbols("x1 x2", real=True), sp.symbols("u1 u2", real=True)
    rows = sp.Matrix(2, 2, sp.symbols("b11 b12 b21 b22", real=True))
    weights, direction = sp.Matrix(x), sp.Matrix(u)
    losses = [sp.exp(-q) for q in rows * weights]
    return judge.argue(
        "−d log L/dt is ‖∇L‖₁/L, and ‖∇L‖₁ ≥ −⟨∇L, u⟩ = Σ e^(−q_n) ⟨b_n, u⟩ ≥ γ_∞ L for the u of the largest margin. "
        "So log(1/L) ≥ log(1/L(0)) + γ_∞ t, while min q_n ≥ log(1/L) as every e^(−q_n) ≤ L. The entries of x have "
        "speeds of at most 1, so ‖x_t‖_∞ ≤ t. No margin over ‖x‖_∞ exceeds γ_∞, so the quotient tends to it, and the "
        "gap is at most log L(0)/t.",
        Equation(
            -sum(sp.diff(sum(losses), each) * along for each, along in zip(x, u, strict=True)),
            sum(loss * along for loss, along in zip(losses, rows * direction, strict=True)),
            says="−⟨∇L, u⟩ of two samples and two weights",
        ),
        stated=Equation(statement.formula, path / time, says="the stated bound"),
    )


@PAPER.claim(
    "equal-sizes",
    statement=Statement(
        r"v_{k,t+1} = ",
        beta * mean + (1 - beta) * step**2 * size**2,
        r"\text{ for every } k, \ |z_{nk}| = c_n: \text{ Adam with one sample a step rescales all entries alike}",
    ),
    source=f"{SUMMARY} (data sets on which incremental Adam leaves the L∞ margin for that in L2); derived here",
    hypotheses=(
        r"|z_{nk}| = c_n \text{ for all } k",
        r"v_{k,0} = 0",
        "any loss of margins",
    ),
)
def equal_sizes(statement: Statement) -> Verdict:
    """Insert the gradient of one sample, whose entries differ in sign alone."""
    gradient = -step * size  # of an entry, or its negative
    return judge.argue(
        "The gradient of sample n is a z_n with the slope a of its loss, so its entries are ±ac_n. By induction v is "
        "the same in all entries, whatever the order of the samples, β₁, β₂ and ε, and so is what Adam divides by. Its "
        "steps are those of heavy ball with a step that adapts, in the span of the samples; with all samples "
        "in each step the entries differ in general.",
        stated=Equation(
            statement.formula, mean + (1 - beta) * (gradient**2 - mean), says="the mean of squares after a step"
        ),
    )


SAMPLES, WEIGHTS, SEED = 6, 5, 1
STEP, TIME = 0.004, 50.0


@PAPER.claim(
    "departure",
    statement=(
        r"\text{on data with } |z_{nk}| = c_n, \text{ full-batch Adam reaches the } L_\infty \text{ margin and not the "
        r"direction of that in } L_2; \text{ with one sample a step it is the other way round}"
    ),
    source=f"{SUMMARY}; the data are ours",
    hypotheses=(
        SEPARATED,
        "one draw of random signs, six samples and five weights",
        "β₁ = 0.9, β₂ = 0.95, ε = 0, constant step",
    ),
    uses=("equal-sizes",),
)
def departure() -> Verdict:
    """Train by both, and compare shares of the L∞ margin and cosines with the direction of the L2 margin."""
    full, single = trained(None), trained(1)
    residual = max(0.99 - full["linf"], single["linf"] - 0.8, full["cosine"] - 0.93, 0.998 - single["cosine"], 0.0)
    return judge.from_residual(
        residual,
        0.0,
        f"After t = {TIME:g} at steps of {STEP:g}: with all samples {full['linf']:.4f} of the L∞ margin and a cosine "
        f"of {full['cosine']:.4f} with the L2 direction; with one, {single['linf']:.4f} and {single['cosine']:.4f}.",
        refuted_above=0.05,
        deviation=residual,
    )


def trained(batch_size: int | None) -> dict[str, float]:
    """The share of the L∞ margin, and the cosine with the direction of largest L2 margin, after Adam."""
    rng = np.random.default_rng(SEED)
    samples = rng.choice([-1.0, 1.0], (SAMPLES, WEIGHTS)) * rng.uniform(0.5, 2, SAMPLES)[:, None]
    problem = Regression(samples, np.sign(samples @ rng.standard_normal(WEIGHTS)), loss="logistic")
    run = descent(
        problem,
        Parameterization("x", ["x"]),
        {"x": rng.standard_normal(WEIGHTS) * 1e-3},
        STEP,
        round(TIME / STEP),
        optimizer=Adam(0.9, 0.95, eps=0.0),
        batch_size=batch_size,
    )
    x = run.x[-1]
    share = np.min(problem.y * (samples @ x)) / np.max(np.abs(x)) / max_margin(problem, "linf").margin
    cosine = x @ max_margin(problem, "l2").direction / np.linalg.norm(x)
    return {"linf": float(share), "cosine": float(cosine)}
