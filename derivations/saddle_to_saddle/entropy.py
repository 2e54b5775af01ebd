"""The potential of the flow, its limit, and the equations in accelerated time and in arc length."""

from __future__ import annotations

from collections.abc import Mapping

import sympy as sp

from derivations.saddle_to_saddle import PAPER
from implicit_bias import Outcome, Statement, Verdict
from implicit_bias.claims import judge
from implicit_bias.claims.equation import Equation

RESTATED = "as summarized in Declèves, Boursier & Flammarion"
NETWORK = r"F(u, v) = L(u \odot v), \quad u' = -\nabla_u F, \quad v' = -\nabla_v F"
BALANCE = r"\beta = u \odot v, \quad u_i^2 - v_i^2 = 2\mu > 0"
weight = sp.Symbol("beta", positive=True)  # |β_i|; the potential is even
scale = sp.Symbol("mu", positive=True)
logarithm = sp.Symbol("Lambda", positive=True)  # log(1/μ)
dual = sp.Symbol("q", real=True)


def established(used: Mapping[str, Verdict]) -> bool:
    """Whether all claims that an argument rests on are proved or argued."""
    return all(verdict.outcome in (Outcome.PROVED, Outcome.ARGUED) for verdict in used.values())


@PAPER.claim(
    "hyperbolic-entropy",
    statement=Statement(
        r"\frac{d}{dt} \nabla \phi_\mu(\beta_t) = -\nabla L(\beta_t) \text{ with } \phi_\mu(\beta) = \sum_i ",
        weight * sp.asinh(weight / scale) / 2 - sp.sqrt(weight**2 + scale**2) / 2,
    ),
    source=f"{RESTATED}, equation 3",
    hypotheses=(NETWORK, BALANCE),
)
def hyperbolic_entropy(statement: Statement) -> Verdict:
    """Compare the curvature of the stated potential with u² + v², by which the product slows its gradient."""
    v, more = sp.symbols("v d", positive=True)
    u = v + more
    at = {weight: u * v, scale: (u**2 - v**2) / 2}
    return judge.prove(
        "u' = −v g and v' = −u g with g = ∂L/∂β, so u² − v² stays 2μ and β' = −(u² + v²) g. The curvature of the "
        "stated potential at β = uv is 1/(u² + v²), so d(φ')/dt = φ'' β' = −g; for negative β both are even.",
        Equation((weight**2 + scale**2).xreplace(at), (u**2 + v**2) ** 2 / 4, says="√(β² + μ²) is half of u² + v²"),
        stated=Equation(
            1 / sp.diff(statement.formula, weight, 2),
            2 * sp.sqrt(weight**2 + scale**2),
            says="one over the curvature is 2√(β² + μ²)",
        ),
    )


@PAPER.claim(
    "entropy-limit",
    statement=Statement(
        r"\phi_\mu(\beta) \,/\, \Big(",
        sp.log(1 / scale) / 2,
        r"\Big) \to \|\beta\|_1 \text{ as } \mu \to 0",
    ),
    source=f"{RESTATED}, Section 3.2",
    uses=("hyperbolic-entropy",),
)
def entropy_limit(statement: Statement, used: Mapping[str, Verdict]) -> Verdict:
    """Split the stated divisor off the potential, and see that the rest stays bounded."""
    if not established(used):
        return Verdict(Outcome.INCONCLUSIVE, "The potential is not established.")
    root = sp.sqrt(weight**2 + scale**2)
    potential = weight * sp.asinh(weight / scale) / 2 - root / 2
    return judge.argue(
        "φ_μ(β) minus |β| times the stated divisor is ½|β| log(|β| + √(β² + μ²)) − ½√(β² + μ²), which tends to "
        "½|β|(log 2|β| − 1) as μ → 0. The divisor tends to infinity, so the ratio tends to |β|; at β = 0 it is "
        "−μ/log(1/μ) → 0.",
        Equation(
            (potential - weight * statement.formula).rewrite(sp.log),
            weight * sp.log(weight + root) / 2 - root / 2,
            says="the potential without its leading term",
        ),
    )


@PAPER.claim(
    "dual-variable",
    statement=Statement(
        r"\beta_i = ",
        (sp.exp(-(1 - dual) * logarithm) - sp.exp(-(1 + dual) * logarithm)) / 2,
        r"\text{ in accelerated time, with } q = -\int_0^\tau \partial_i L(\beta(s))\, ds,\ \Lambda = \log\tfrac1\mu; "
        r"\text{ so } q(\tau) \in \partial \|\beta(\tau)\|_1 \text{ as } \mu \to 0",
    ),
    source=f"{RESTATED}, equations 5 and 6 with the start at zero; the closed form is derived here",
    hypotheses=(
        NETWORK,
        BALANCE,
        r"t = \tfrac12 \Lambda \tau",
        r"\beta(0) = 0",
        r"\beta \text{ bounded up to the time } \tau \text{ as } \mu \to 0",
    ),
    uses=("hyperbolic-entropy", "entropy-limit"),
)
def dual_variable(statement: Statement, used: Mapping[str, Verdict]) -> Verdict:
    """Solve the integrated mirror flow for β; a weight of finite size pins q to its sign."""
    if not established(used):
        return Verdict(Outcome.INCONCLUSIVE, "The potential or its limit is not established.")
    return judge.argue(
        "Divided by ½Λ, the integrated mirror flow is arcsinh(β/μ)/Λ = q, as the slope of φ_μ at zero is zero. The "
        "stated β is μ sinh(Λq). So |β| ≤ ½ e^(−(1 − |q|)Λ) → 0 where |q| < 1 stays away from one; and where |β| "
        "stays between two positive numbers, |q| − 1 = O(1/Λ), with the sign of β; and |q| ≤ 1 + O(1/Λ) where |β| is "
        "bounded: in the limit q is a subgradient of ‖β‖₁.",
        stated=Equation(
            statement.formula,
            sp.exp(-logarithm) * sp.sinh(logarithm * dual).rewrite(sp.exp),
            says="μ sinh(Λq)",
        ),
    )


@PAPER.claim(
    "arc-length",
    statement=Statement(
        r"\Big\| \frac{d\hat\beta}{dr} \Big\| = 1 - \frac{d\tau}{dr}, \text{ that is, } ",
        sp.Symbol("s", positive=True) / (1 + sp.Symbol("s", positive=True)),
        " = ",
        1 - 1 / (1 + sp.Symbol("s", positive=True)),
        r"\text{ with } r = \tau + \int_0^\tau \|\beta'\|,\ s = \|\beta'(\tau)\|",
    ),
    source=f"{RESTATED}, proof of Theorem 4, on Appendix E of the paper",
)
def arc_length(statement: Statement) -> Verdict:
    """Differentiate the new clock: it runs at the rate 1 + ‖β'‖, so the path has speed at most one in it."""
    speed = sp.Symbol("s", positive=True)
    path, rest = statement.formulas
    angle = sp.Symbol("phi", real=True)
    run = 1 + sp.sqrt((speed * sp.cos(angle)) ** 2 + (speed * sp.sin(angle)) ** 2)  # dr/dτ for β' = s(cos φ, sin φ)
    return judge.argue(
        "dr/dτ = 1 + ‖β'‖, so dτ/dr = 1/(1 + s), and β moves at the speed s/(1 + s) in r. Both add up to one, so all "
        "paths are Lipschitz with constant one in r, whatever the scale: that is what compactness needs.",
        Equation(rest, 1 - 1 / run, says="one minus the rate of τ"),
        stated=Equation(path, speed / run, says="the speed in r of a path in the plane of two weights"),
    )


@PAPER.claim(
    "saddle",
    statement=Statement(
        r"\text{Where } u_i = v_i = 0 \text{ and } \partial_i L(\beta) = g > 0, \text{ the least curvature of } "
        r"F \text{ in } (u_i, v_i) \text{ is } ",
        -sp.Symbol("g", positive=True),
    ),
    source="abstract and introduction, on jumps between saddles of the training loss",
    hypotheses=(NETWORK, r"u_j = v_j = 0 \text{ or } \partial_j L(\beta) = 0 \text{ for each } j"),
)
def saddle(statement: Statement) -> Verdict:
    """Look at the curvature of the loss along every direction in the two parameters of one weight."""
    g, angle = sp.Symbol("g", positive=True), sp.Symbol("phi", real=True)
    return judge.argue(
        "∂F/∂u_j = v_j ∂_jL and ∂F/∂v_j = u_j ∂_jL all vanish, as both factors of a weight do, or its ∂_jL: the "
        "point is critical. Along (cos φ, sin φ) in (u_i, v_i) the second derivative of F is 2g cos φ sin φ, as "
        "β_i is of second order there. It exceeds the stated one by g (cos φ + sin φ)², which vanishes at φ = "
        "−π/4: the least curvature is −g, so a plateau with a gradient left is a strict saddle.",
        Equation(
            2 * g * sp.cos(angle) * sp.sin(angle) - statement.formula,
            g * (sp.cos(angle) + sp.sin(angle)) ** 2,
            says="the excess of the curvature along (cos φ, sin φ)",
        ),
    )
