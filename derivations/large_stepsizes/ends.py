"""Where runs with large steps end: at a projection of their own, nearer or farther from the sparse solution."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import sympy as sp

from derivations.large_stepsizes import PAPER
from derivations.large_stepsizes.gain import ANY_BATCH, EXPERIMENTS, MODEL, STEP
from derivations.large_stepsizes.runs import own_ends, projected, train
from implicit_bias import HyperbolicEntropy, Outcome, Regression, Statement, Verdict, bregman_projection
from implicit_bias.claims import Equation, judge

x, shift, accumulated = sp.symbols("x b L", real=True)
alpha, gamma = sp.symbols("alpha gamma", positive=True)
POTENTIAL = (x * sp.asinh(x / alpha**2) - sp.sqrt(x**2 + alpha**4) - shift * x) / 2
SQUARED = r"L(x) = \|Zx - y\|^2/(2n)"
SMALL = 0.1  # α at the start, as in the reproduced experiments


def small_start(problems: int, weights: int) -> tuple[np.ndarray, np.ndarray]:
    """U = √2 α and v = 0."""
    return np.full((problems, weights), np.sqrt(2) * SMALL), np.zeros((problems, weights))


END_STEPS = 1500
ENDS = {"all observations": (0.15, None), "one observation a step": (0.1, 0)}  # step, and seed of the draws
END_TOLERANCE = 1e-8
END_REASON = "What is left of the loss after these steps moves the end by less than a billionth or two."


@PAPER.claim(
    "limit",
    statement=Statement(
        r"x_\infty = \operatorname{argmin}\{\textstyle\sum R(x): Zx = y\}, \ R(x) = ",
        POTENTIAL,
        r"\text{ at } \alpha_\infty^2 = \alpha_0^2 e^{-\sum_k q(\gamma g_k)}, \ b_\infty = \lim b_k",
    ),
    source="as summarized in the abstract (the solution solves a problem of implicit regularisation); derived here",
    hypotheses=(MODEL, STEP, ANY_BATCH, r"Z x_\infty = y, \ \alpha_\infty > 0"),
    uses=("gain", "iterates"),
)
def limit(statement: Statement) -> Verdict:
    """Insert the form of the iterates into the slope of R; measure the distance of real ends to the projection."""
    formula = statement.formula
    slope = Equation(
        sp.diff(formula, x).subs(shift, sp.asinh(x / alpha**2) + 2 * accumulated),
        -accumulated,
        "R' for b = arcsinh(x/α²) + 2L",
    )
    shown = judge.argue(
        "By the form of the iterates R'(x_k) = −L_k, where L_k adds up γ g_k in the row space of Z; so does the limit, "
        "as the row space is closed. R is strictly convex, R'' = 1/(2√(x² + α⁴)).",
        Equation(sp.diff(formula, x, 2) ** 2, 1 / (4 * (x**2 + alpha**4)), "R'' squared"),
        stated=slope,
    )
    if shown.outcome is not Outcome.ARGUED:
        return shown
    found = {}
    for name, (step, seed) in ENDS.items():
        problem = Regression.sample(6, 9, 2, seed=3)
        u, v = np.linspace(0.8, 1.2, problem.n)[None], np.linspace(-0.3, 0.5, problem.n)[None]
        run = train(problem.Z[None], problem.y[None], u, v, np.array([step]), END_STEPS, seed)
        scale = np.abs(u**2 - v**2)[0] / 2 * np.exp(-run.gain[0])
        asymmetry = np.arcsinh(run.x[0] / scale) + 2 * run.accumulated[0]
        own = bregman_projection(problem, HyperbolicEntropy(log_scale=np.log(scale), shift=asymmetry)).x
        found[name] = np.linalg.norm(run.x[0] - own) / np.linalg.norm(own)
        second = projected(problem.Z, problem.y, scale, asymmetry)
        found[name] = max(found[name], np.linalg.norm(run.x[0] - second) / np.linalg.norm(own))
    numbers = ", ".join(f"{name} {value:.1e}" for name, value in found.items())
    if not max(found.values()) <= END_TOLERANCE:
        return Verdict(Outcome.INCONCLUSIVE, f"The runs do not fit the argument: {numbers}.", max(found.values()))
    evidence = f"{shown.evidence} Relative distance of real ends to two solvers' projections: {numbers}."
    return replace(shown, evidence=evidence)


PROBLEMS, OBSERVATIONS, WEIGHTS, SUPPORT = 16, 10, 20, 2
TAKEN = {"all observations": (0.9, None, 600), "one observation a step": (0.3, 0, 1200)}  # of the critical step


@PAPER.claim(
    "large-steps",
    statement=(
        r"\|x_{SGD} - x^*\| < \|x_{flow} - x^*\| < \|x_{GD} - x^*\| "
        r"\text{ in the median over sparse problems, for large steps}"
    ),
    source="as summarized in the abstract (large steps help SGD and can hinder GD on sparse problems)",
    hypotheses=(MODEL, STEP, SQUARED, "observations are normal, and weights few and of order one"),
    uses=("limit",),
)
def large_steps() -> Verdict:
    """Compare the ends of runs with large steps with the end of the flow, which small steps approach."""
    generator = np.random.default_rng(0)
    Z = generator.normal(size=(PROBLEMS, OBSERVATIONS, WEIGHTS))
    sparse = np.zeros((PROBLEMS, WEIGHTS))
    sparse[:, :SUPPORT] = generator.choice([-1, 1], size=(PROBLEMS, SUPPORT)) * generator.uniform(
        0.5, 1.5, size=(PROBLEMS, SUPPORT)
    )
    y = (Z @ sparse[:, :, None])[:, :, 0]
    start = np.full(WEIGHTS, SMALL**2), np.zeros(WEIGHTS)
    flow = np.array([projected(Z[each], y[each], *start) for each in range(PROBLEMS)])
    metric = 2 * np.sqrt(flow**2 + SMALL**4)
    sharpness = [np.linalg.eigvalsh(Z[each] * metric[each] @ Z[each].T)[-1] / OBSERVATIONS for each in range(PROBLEMS)]
    u, v = small_start(PROBLEMS, WEIGHTS)
    ratios, misfit = {}, {}
    with np.errstate(all="ignore"):
        for name, (fraction, seed, steps) in TAKEN.items():
            run = train(Z, y, u, v, 2 * fraction / np.array(sharpness), steps, seed)
            ends = own_ends(run, Z, y, SMALL**2)
            distance = np.linalg.norm(ends - sparse, axis=1) / np.linalg.norm(flow - sparse, axis=1)
            ratios[name] = float(np.median(distance[np.isfinite(distance)]))
            misfit[name] = int(np.sum(~np.isfinite(distance)))
    whole, single = (ratios[name] for name in TAKEN)
    evidence = (
        f"{PROBLEMS} problems with {OBSERVATIONS} observations, {WEIGHTS} weights, {SUPPORT} of them not zero; α = "
        f"{SMALL:g}. Distance to the sparse solution over that of the flow's end, in the median: {whole:.3f} for all "
        f"observations at {TAKEN['all observations'][0]:g} of the critical step, {single:.3f} for one observation at "
        f"{TAKEN['one observation a step'][0]:g} of it ({sum(misfit.values())} runs diverged)."
    )
    return judge.from_residual(
        max(1 - whole, single - 1),
        -0.02,
        evidence,
        tolerance_reason="A median that is closer to one is no clear order.",
    )


GAIN_STEPS = {None: 400, 0: 800}  # by seed; then no gain of a weight moves by more than a thousandth
LARGE, FEW = 100.0, 4


@PAPER.claim(
    "gain-on-the-support",
    statement=(
        r"\text{for GD the mean gain on the support exceeds that off it by a larger factor than for SGD, "
        r"whose gain off it is larger than that of GD anywhere}"
    ),
    source=f"{EXPERIMENTS} (the shape of the gain)",
    hypotheses=(MODEL, STEP, SQUARED, "as many normal observations as half the weights; few large weights"),
    uses=("gain",),
)
def gain_on_the_support() -> Verdict:
    """Repeat the experiment on two data sets: add the gain up, and compare it with the scale at the end."""
    runs, n, weights = 2, 50, 100
    Z = np.random.default_rng(0).normal(size=(runs, n, weights))
    sparse = np.zeros(weights)
    sparse[:FEW] = LARGE * (-1.0) ** np.arange(FEW)
    u, v = small_start(runs, weights)
    of = {}
    disagreement = 0.0
    for seed, steps in GAIN_STEPS.items():
        run = train(Z, Z @ sparse, u, v, np.full(runs, 1e-3), steps, seed)
        from_end = -np.log(np.abs(run.u**2 - run.v**2) / 2 / SMALL**2)
        disagreement = max(disagreement, float(np.max(np.abs(from_end - run.gain))))
        of[seed] = np.mean(run.gain[:, :FEW]), np.mean(run.gain[:, FEW:])
    (on, off), (noisy_on, noisy_off) = of[None], of[0]
    evidence = (
        f"{runs} data sets with {n} observations of {weights} weights, {FEW} of them ±{LARGE:g}, α = {SMALL:g}, step "
        f"0.001. Mean gain on and off the support: {on:.3g} and {off:.3g} for all observations, {noisy_on:.3g} and "
        f"{noisy_off:.3g} for one observation a step; the scales at the end agree with the sums to {disagreement:.0e}."
    )
    if disagreement > 1e-5:
        return Verdict(Outcome.INCONCLUSIVE, evidence, disagreement)
    return judge.from_residual(
        max(noisy_on / noisy_off / (on / off), on / noisy_off),
        0.5,
        evidence,
        tolerance_reason="A factor of two between both quotients is no matter of chance.",
    )


BEYOND = (1.1, 1.2)  # times the critical step
EDGE_STEPS = 2000
EDGE_TOLERANCE = 0.01  # of λγ/2
EDGE_REASON = "Ends lie slightly below the edge, as the last oscillations still move the scale."


@PAPER.claim(
    "edge-of-stability",
    statement=Statement(
        r"\lambda_{\max}\big(Z \operatorname{diag}(u^2 + v^2) Z^\top/n\big) \approx ",
        2 / gamma,
        r"\text{ with } u^2 + v^2 = ",
        2 * sp.sqrt(x**2 + alpha**4),
        r"\text{ at the end of GD slightly beyond the critical step of the flow's end}",
    ),
    source="as summarized in the abstract (the edge of stability); the numbers are derived here",
    hypotheses=(MODEL, STEP, SQUARED, "GD converges"),
    uses=("limit",),
)
def edge_of_stability(statement: Statement) -> Verdict:
    """The curvature at the end is a function of x and α; measure it on runs beyond the critical step."""
    edge, metric = statement.formulas
    first, second = sp.symbols("u v", real=True)
    plus, minus = sp.symbols("w_plus w_minus", positive=True)  # sizes of u ± v
    inserted = {x: (plus**2 - minus**2) / 4, alpha: sp.sqrt(plus * minus / 2)}
    shown = judge.prove(
        "x and α depend on the sizes of u ± v alone.",
        Equation(
            ((first + second) ** 2 + (first - second) ** 2) / 2, first**2 + second**2, "u² + v² by the squares of u ± v"
        ),
        stated=Equation(metric.subs(inserted, simultaneous=True) ** 2, ((plus**2 + minus**2) / 2) ** 2, "(u² + v²)²"),
    )
    if shown.outcome is not Outcome.PROVED or not metric.subs({x: 1, alpha: 1}).is_positive:
        return replace(shown, outcome=Outcome.INCONCLUSIVE) if shown.outcome is Outcome.PROVED else shown
    problem = Regression.sample(6, 9, 2, seed=3)
    scale = np.full(problem.n, SMALL**2)
    flow = projected(problem.Z, problem.y, scale, np.zeros(problem.n))
    steps = np.array(BEYOND) * 2 / sharpness_of(problem, 2 * np.sqrt(flow**2 + scale**2))
    data = np.repeat(problem.Z[None], len(steps), axis=0), np.repeat(problem.y[None], len(steps), axis=0)
    run = train(*data, *small_start(len(steps), problem.n), steps, EDGE_STEPS)
    gaps = [
        abs(sharpness_of(problem, metric_at_end) / float(edge.subs(gamma, step)) - 1)
        for step, metric_at_end in zip(steps, run.u**2 + run.v**2, strict=True)
    ]
    misfit = float(np.max(np.abs(run.x @ problem.Z.T - problem.y)))
    evidence = (
        f"A random problem (d = 6, n = 9), α = {SMALL:g}, at "
        + ", ".join(
            f"{times:g} of the critical step: |λγ/2 − 1| = {gap:.1e}" for times, gap in zip(BEYOND, gaps, strict=True)
        )
        + f"; the data are fitted to {misfit:.0e}."
    )
    if misfit > 1e-5:
        return Verdict(Outcome.INCONCLUSIVE, evidence)
    verdict = judge.from_residual(max(gaps), EDGE_TOLERANCE, evidence, tolerance_reason=EDGE_REASON)
    return replace(verdict, identities=shown.identities)


def sharpness_of(problem: Regression, metric: np.ndarray) -> float:
    """The largest eigenvalue of Z diag(metric) Zᵀ/n."""
    return float(np.linalg.eigvalsh(problem.Z * metric @ problem.Z.T)[-1] / problem.d)
