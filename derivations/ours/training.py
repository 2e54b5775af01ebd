"""Trained networks obey the mirror identity of their own potential to rounding, be they diagonal or deep."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import sympy as sp

from derivations.ours import PAPER
from derivations.ours.convergence import ESTABLISHED
from implicit_bias import (
    SGD,
    HyperbolicEntropy,
    Outcome,
    Parameterization,
    Regression,
    Statement,
    Trajectory,
    Verdict,
    bregman_projection,
    descent,
)
from implicit_bias.claims import Equation
from implicit_bias.claims.judge import argue, from_residual, prove
from implicit_bias.schedule import Geometric, Harmonic, Schedule

if TYPE_CHECKING:
    from torch import nn

x, shift, accumulated, argument = sp.symbols("x b L beta", real=True)
scale = sp.Symbol("a", positive=True)
EXACT = ("discretization", "heavy-ball", "nesterov")
PRODUCTS = (
    r"a_k = |p_0 q_0| \prod_{j<k} |r_j^+ r_j^-|,\ \beta_k = \log|p_0/q_0| + \sum_{j<k} \log|r_j^+/r_j^-|, "
    r"\text{ with } p, q = (m \pm w)/\sqrt2 \text{ and } r^\pm \text{ from gradients, steps, strengths, momentum alone}"
)
OPTIMIZERS = "gradient descent, heavy ball or Nesterov's variant with coupled decay"
BATCHES = "any steps, strengths and mini-batches for which no factor vanishes"
SUMS = r"L_k \text{ adds up the moves that the optimizer makes of } \partial f/\partial x"


@dataclass(frozen=True)
class Setting:
    """How some networks were trained.

    Attributes:
        optimizer: Its momentum.
        batch_size: Observations in a mini-batch; None for all.
        step: η.
    """

    optimizer: SGD
    batch_size: int | None
    step: float


SETTINGS = {
    "gradient descent": Setting(SGD(), None, 0.15),
    "mini-batches of 3": Setting(SGD(), 3, 0.15),
    "heavy ball, β = 0.9": Setting(SGD(0.9), None, 0.05),
    "Nesterov, β = 0.9": Setting(SGD(0.9, nesterov=True), None, 0.02),
    "mini-batches of 3 with β = 0.8": Setting(SGD(0.8), 3, 0.02),
}
STEPS = 300
SCALES = (1e-3, 0.1, 1.0)
PROBLEMS = 2
RECORDS = 5
IDENTITY_TOLERANCE = 1e-11
IDENTITY_REASON = (
    "A step rounds m and w to 1e-16 of them, and the smaller one of p and q to as much of the larger one, which is up "
    "to some thousand times larger at these scales; hundreds of steps add up."
)


def start_at(weights: np.ndarray, at: float) -> dict[str, np.ndarray]:
    """m_0 w_0 = weights and m_0² − w_0² = 2a, for the scale a."""
    m0 = np.sqrt(np.hypot(weights, at) + at)
    return {"m": m0, "w": weights / m0}


def trained(setting: Setting) -> Iterator[Trajectory]:
    """Diagonal networks: for each problem and scale one without decay, with geometric and with harmonic decay."""
    mask = Parameterization("m*w", regularizer="m**2 + w**2")
    strengths: list[Schedule | float] = [0.0, Geometric(0.2, tau=5 * setting.step), Harmonic(0.02, tau=setting.step)]
    for seed in range(PROBLEMS):
        problem = Regression.sample(6, 12, 2, seed=seed)
        weights = np.random.default_rng(seed).normal(0, 1e-3, problem.n)
        for at in SCALES:
            yield descent(
                problem,
                mask,
                start_at(weights, at),
                setting.step,
                STEPS,
                optimizer=setting.optimizer,
                schedule=strengths,
                batch_size=setting.batch_size,
                seed=seed,
                record=RECORDS,
            )


@PAPER.claim(
    "training-identity",
    statement=Statement(
        r"\nabla R_{a_k, b_k}(x_k) = -L_k \text{ exactly, with } R_{a,b}'(x) = ", (sp.asinh(x / scale) - shift) / 2,
        r",\ b_k = ", argument + 2 * accumulated,
        r"\text{ at } \beta = \beta_k,\ L = L_k",
    ),
    hypotheses=(r"x = m \odot w", r"h = \sum m^2 + w^2", OPTIMIZERS, BATCHES, PRODUCTS, SUMS),
    uses=EXACT,
)  # fmt: skip
def training_identity(statement: Statement, used: Mapping[str, Verdict]) -> Verdict:
    """Training in steps obeys a mirror identity of its own: on runs with large steps, to rounding.

    The products know nothing of the weights, so that their agreement with them is evidence.
    """
    if not all(verdict.outcome in ESTABLISHED for verdict in used.values()):
        return Verdict(Outcome.INCONCLUSIVE, "The products of one step are not established.")
    mirror_map, asymmetry = statement.formulas
    shown = prove("The mirror map at x_k = a_k sinh β_k.", stated=identity_of_a_weight(mirror_map, asymmetry))
    if shown.outcome is not Outcome.PROVED:
        return shown
    gradient = sp.lambdify((x, scale, shift), mirror_map, "numpy")
    found, of_flow = {}, {}
    for name, setting in SETTINGS.items():
        residuals = [residual(run, gradient, asymmetry) for run in trained(setting)]
        found[name], of_flow[name] = np.max(residuals, axis=0)
    evidence = (
        f"{3 * len(SCALES) * PROBLEMS} networks for each optimizer ({PROBLEMS} problems with d=6, n=12; scales "
        f"{', '.join(f'{each:g}' for each in SCALES)}; no, geometric and harmonic decay), {STEPS} steps. Largest "
        f"residual at {RECORDS} records, with a and β from the products and x = m ⊙ w as trained, and beside it "
        "that of the flow's potential: "
        + "; ".join(f"{name} {found[name]:.1e} ({of_flow[name]:.1e})" for name in SETTINGS)
        + "."
    )
    verdict = from_residual(max(found.values()), IDENTITY_TOLERANCE, evidence, tolerance_reason=IDENTITY_REASON)
    return replace(verdict, identities=shown.identities)


def identity_of_a_weight(mirror_map: sp.Expr, asymmetry: sp.Expr) -> Equation:
    """That R'(a sinh β) is −L."""
    at = mirror_map.subs({x: scale * sp.sinh(argument), shift: asymmetry}, simultaneous=True)
    return Equation(at, -accumulated, "R' at x = a sinh β")


def residual(run: Trajectory, gradient, asymmetry: sp.Expr) -> tuple[float, float]:
    """Largest |R'(x_k) + L_k| of some runs, with the potential of the products and with that of the flow."""
    if np.any(run.diverged):
        return np.inf, np.inf
    # The trajectory keeps b_k, as β_k + 2L_k; what is stated is applied to β_k.
    reached = run.products["shift"] - 2 * run.accumulated_gradient
    stated = sp.lambdify((argument, accumulated), asymmetry, "numpy")(reached, run.accumulated_gradient)
    exact = gradient(run.x, np.exp(run.products["log_scale"]), stated) + run.accumulated_gradient
    flows = [
        run.flow_potential(k, each).gradient(run.x[k, each]) + run.accumulated_gradient[k, each]
        for k in range(len(run.t))
        for each in range(run.runs or 0)
    ]
    return float(np.max(np.abs(exact))), float(np.max(np.abs(flows)))


ENDS = {
    "gradient descent": Setting(SGD(), None, 0.05),
    "gradient descent beyond the critical step": Setting(SGD(), None, 0.85),
    "mini-batches of 1": Setting(SGD(), 1, 0.05),
    "heavy ball, β = 0.5": Setting(SGD(0.5), None, 0.1),
    "Nesterov, β = 0.5": Setting(SGD(0.5, nesterov=True), None, 0.1),
}
END_STEPS = 4000
END_TOLERANCE = 1e-10  # of ‖x − argmin‖₂/‖argmin‖₂
FITTED = 1e-24  # of the loss


@PAPER.claim(
    "run-limit",
    statement=r"x_\infty = \operatorname{argmin}\{R_{a_\infty, b_\infty}(x) : Zx = y\} \text{ if } Z x_\infty = y",
    hypotheses=(
        r"x = m \odot w",
        r"h = \sum m^2 + w^2",
        OPTIMIZERS,
        BATCHES,
        PRODUCTS,
        r"f_k \text{ a function of } Zx \text{ for every batch}",
        r"x_k, a_k, b_k \text{ converge, } a_\infty > 0",
    ),
    uses=EXACT,
)
def run_limit(used: Mapping[str, Verdict]) -> Verdict:
    """A run that fits its data ends at a projection, whatever its steps: that of the potential of its products."""
    if not all(verdict.outcome in ESTABLISHED for verdict in used.values()):
        return Verdict(Outcome.INCONCLUSIVE, "The products of one step are not established.")
    gaps, of_flow = {}, {}
    for name, setting in ENDS.items():
        gaps[name], of_flow[name] = distances_to_ends(setting)
    numbers = (
        f"On a random problem with d = 6, n = 9, {END_STEPS} steps, without and with decay, the relative distance to "
        "the argmin for the products' potential, and to that for the flow's, is at most: "
        + "; ".join(f"{name} {gaps[name]:.1e} ({of_flow[name]:.1e})" for name in ENDS)
        + "."
    )
    worst = max(gaps.values())
    if not worst <= END_TOLERANCE:
        return Verdict(Outcome.INCONCLUSIVE, f"The argument does not fit the numbers. {numbers}", worst, END_TOLERANCE)
    return argue(
        "Each step keeps x_k = a_k sinh β_k, so ∇R_{a_k, b_k}(x_k) = −L_k with b_k = β_k + 2L_k. Each ∂f_k/∂x is in "
        "the row space of Z, hence L_k, too. The row space is closed and ∇R_{a,b}(x) continuous in x, a > 0 and b, so "
        "∇R_{a_∞, b_∞}(x_∞) is in it. With Zx_∞ = y these are the conditions of optimality, and R is strictly convex: "
        f"R'' = 1/(2√(x² + a²)) > 0. {numbers}",
        identity_of_a_weight((sp.asinh(x / scale) - shift) / 2, argument + 2 * accumulated),
        Equation(sp.diff((sp.asinh(x / scale) - shift) / 2, x) ** 2, 1 / (4 * (x**2 + scale**2)), "R'' squared"),
    )


def distances_to_ends(setting: Setting) -> tuple[float, float]:
    """The largest relative distance of a run's end to its own projection, and to the flow's, without and with decay."""
    problem, mask = Regression.sample(6, 9, 2, seed=3), Parameterization("m*w", regularizer="m**2 + w**2")
    init = {"m": np.linspace(0.8, 1.2, problem.n), "w": np.linspace(-0.3, 0.5, problem.n)}
    decay = Geometric(0.2, tau=0.5 * (1 - setting.optimizer.momentum))
    runs = descent(
        problem,
        mask,
        init,
        setting.step,
        END_STEPS,
        optimizer=setting.optimizer,
        schedule=[0.0, decay],
        batch_size=setting.batch_size,
        record=2,
    )
    if not np.all(runs.loss[-1] < FITTED):
        return np.inf, np.inf
    found = []
    for run in range(2):
        log_scale, asymmetry = (runs.products[name][-1, run] for name in ("log_scale", "shift"))
        own = bregman_projection(problem, HyperbolicEntropy(log_scale=log_scale, shift=asymmetry)).x
        size = np.linalg.norm(own)
        found.append([np.linalg.norm(runs.x[-1, run] - each) / size for each in (own, runs.flow_limit(run).x)])
    distance, of_flow = np.max(found, axis=0)
    return float(distance), float(of_flow)


NETWORK_TOLERANCE = 1e-10
NETWORK_REASON = "Rounding, as in ours/training-identity; the steps are fewer, and the weights far more."
NETWORK_STEPS = 40
RATE, MOMENTUM = 0.3, 0.9
ALPHA = 0.005
IMAGES = 100
WORDS, WIDTH, LENGTH, TEXTS = 12, 8, 6, 16  # of the network with attention, and of what it reads


def network_identities(steps: int = NETWORK_STEPS) -> dict:
    """Train two masked networks in float64 on all data at once, and give the identity of each layer by its name.

    LeNet-300-100 classifies images; a network with attention, whose embedding also is its last layer, predicts the word
    before the one it reads.
    """
    import torch
    from torch.nn import functional

    from implicit_bias import masking
    from implicit_bias.training import build, load

    data = load("mnist")
    pixels, labels = data.train.pixels[:IMAGES].double() / 255, data.train.labels[:IMAGES]
    texts = torch.randint(WORDS, (TEXTS, LENGTH), generator=torch.Generator().manual_seed(0))
    tasks = {
        "LeNet": (build("lenet", data, seed=0), pixels, labels),
        "attention": (_network_with_attention(), texts, texts.roll(1, dims=1)),
    }
    found = {}
    for name, (model, given, expected) in tasks.items():
        masked = masking.mask(model.double())
        optimizer = torch.optim.SGD(masked.parameters(), RATE, momentum=MOMENTUM)
        masking.decay_strength(optimizer, ALPHA)
        record = masking.MirrorRecord(masked, optimizer)
        for _ in range(steps):
            optimizer.zero_grad()
            outputs = masked(given)
            functional.cross_entropy(outputs.flatten(0, -2), expected.flatten()).backward()
            optimizer.step()
        found |= {f"{name}: {layer}": record[layer] for layer in record}
    return found


def _network_with_attention() -> nn.Module:
    """Embedding, attention, two dense layers and the embedding again, from a seed of its own."""
    import torch
    from torch import nn

    class Network(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embedding = nn.Embedding(WORDS, WIDTH)
            self.norm = nn.LayerNorm(WIDTH)
            self.attention = nn.MultiheadAttention(WIDTH, num_heads=2, batch_first=True)
            self.dense = nn.Sequential(nn.Linear(WIDTH, 2 * WIDTH), nn.GELU(), nn.Linear(2 * WIDTH, WIDTH))
            self.last = nn.Linear(WIDTH, WORDS, bias=False)
            self.last.weight = self.embedding.weight

        def forward(self, text: torch.Tensor) -> torch.Tensor:
            x = self.embedding(text)
            read = self.norm(x)
            x = x + self.attention(read, read, read, need_weights=False)[0]
            return self.last(x + self.dense(x))

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return Network()


@PAPER.claim(
    "network-identity",
    statement=(
        r"\nabla R_{a_k, b_k}(x_k) = -L_k \text{ exactly, for every masked weight of a network, whatever its loss, "
        r"with } R_{a, b} \text{ of ours/training-identity}"
    ),
    hypotheses=(
        r"x = m \odot w",
        r"h = \sum m^2 + w^2 \text{ on the masked weights}",
        OPTIMIZERS,
        BATCHES,
        PRODUCTS,
        SUMS,
    ),
    uses=("training-identity",),
)
def network_identity() -> Verdict:
    """The exact mirror identity, weight by weight, in masked networks that were really trained with large steps."""
    found = network_identities()
    worst = max(each.relative_residual for each in found.values())
    of_flow = max(each.flow_relative_residual for each in found.values())
    weights = sum(each.x.size for each in found.values())
    evidence = (
        f"LeNet-300-100 on {IMAGES} images of MNIST, and a network with attention and a tied embedding on {TEXTS} "
        f"random texts, with masks (β = 1) in float64: {NETWORK_STEPS} steps of {RATE:g} with momentum {MOMENTUM:g} "
        f"and weight decay 2α = {2 * ALPHA:g}. The largest |∇R(x) + L| over all {weights:,} weights is {worst:.1e} of "
        f"the largest |L| of its layer with the products' potential, {of_flow:.2g} with the flow's."
    )
    return from_residual(worst, NETWORK_TOLERANCE, evidence, tolerance_reason=NETWORK_REASON)
