"""One step on x = u ⊙ v, exactly: by how much it shrinks the scale, and how it moves the dual variable."""

from __future__ import annotations

import sympy as sp

from derivations.large_stepsizes import PAPER
from implicit_bias import Outcome, Statement, Verdict
from implicit_bias.claims import Equation, judge

u, v = sp.symbols("u v", real=True, nonzero=True)
z = sp.Symbol("z", real=True)  # step times slope of the step's loss in x
GAIN = -sp.log((1 - z**2) ** 2) / 2
MOVE = sp.log(sp.Abs(1 - z) / sp.Abs(1 + z))
MODEL = r"x = u \odot v, \ \alpha_k^2 = |u_k^2 - v_k^2|/2 > 0"
STEP = r"u_{k+1} = u_k - \gamma v_k g_k, \ v_{k+1} = v_k - \gamma u_k g_k, \ z = \gamma g_k \ne \pm 1"
ANY_BATCH = r"g_k \text{ is the gradient in } x \text{ of the loss of any batch}"
EXPERIMENTS = "as summarized in the code that reproduces its experiments"
after_u, after_v = u - z * v, v - z * u


@PAPER.claim(
    "gain",
    statement=Statement(r"\alpha_{k+1}^2 = \alpha_k^2 e^{-q(\gamma g_k)}, \ q(z) = ", GAIN),
    source=EXPERIMENTS,
    hypotheses=(MODEL, STEP, ANY_BATCH),
)
def gain(statement: Statement) -> Verdict:
    """Take the step on u and v, and compare the squares of α²."""
    return judge.prove(
        "The step was taken on u and v. Both sides are 4 α⁴ after it, so the sum of q over the steps is the logarithm "
        "of α₀²/α_k².",
        stated=Equation(
            (u**2 - v**2) ** 2 * sp.exp(-2 * statement.formula), (after_u**2 - after_v**2) ** 2, "4α⁴ after the step"
        ),
    )


@PAPER.claim(
    "iterates",
    statement=Statement(
        r"x_{k+1} = \alpha_{k+1}^2 \sinh\big(\operatorname{arcsinh}(x_k/\alpha_k^2) + s\big), \ s = ",
        MOVE,
        r"\text{ at } z = \gamma g_k",
    ),
    source=f"{EXPERIMENTS} (the step); derived here",
    hypotheses=(MODEL, STEP, ANY_BATCH),
)
def iterates(statement: Statement) -> Verdict:
    """In u ± v a step is two multiplications; x/α² depends on their quotient alone."""
    plus, minus = sp.symbols("w_plus w_minus", positive=True)  # sizes, on which x and α depend alone
    return judge.prove(
        "x/α² = sinh log|(u + v)/(u − v)|, as x is a quarter of the difference of the squares of u ± v, and α² half of "
        "their product's size. The step adds s to that logarithm.",
        Equation(
            plus * minus / 2 * sp.sinh(sp.log(plus / minus)),
            (plus**2 - minus**2) / 4,
            "x as α² sinh log(w₊/w₋), for the sizes w± of u ± v",
        ),
        stated=Equation(
            sp.exp(2 * statement.formula) * (u + v) ** 2 * (after_u - after_v) ** 2,
            (after_u + after_v) ** 2 * (u - v) ** 2,
            "the squared quotient of u ± v after the step",
        ),
    )


@PAPER.claim(
    "positive-gain",
    statement=Statement(
        r"q(z) = -\tfrac12 \log (1 - z^2)^2 > 0 \text{ for } 0 < |z| < ",
        sp.sqrt(2),
        r"\text{, and } q(z) < 0 \text{ beyond}",
    ),
    source="corollary of large-stepsizes/gain",
    hypotheses=(r"z \ne \pm 1",),
)
def positive_gain(statement: Statement) -> Verdict:
    """Find the zero of q, and the sign of its derivative on both sides of the pole."""
    bound = statement.formula
    size = sp.Symbol("s", positive=True)
    if not bound.is_positive:
        return Verdict(Outcome.INCONCLUSIVE, "No size is below a bound that is not positive.")
    return judge.argue(
        "q is even, q(0) = 0, and q' = 1/(1 − z) − 1/(1 + z) = 2z/(1 − z²) is positive on (0, 1) and negative on "
        "(1, ∞), with q = +∞ at 1: so q > 0 between 0 and its other zero. A step with γ|g| beyond it makes "
        "the scale larger.",
        Equation(sp.diff(GAIN, z).xreplace({z: size}), 1 / (1 - size) - 1 / (1 + size), "q'"),
        stated=Equation(z**2 * (z**2 - bound**2), (1 - z**2) ** 2 - 1, "exp(−2q) − 1, negative below the bound"),
    )


@PAPER.claim(
    "shift",
    statement=Statement(
        r"b_{k+1} - b_k = \int_0^{\gamma g_k} ",
        -2 * z**2 / (1 - z**2),
        r"\, dz \text{ for } b_k = \operatorname{arcsinh}(x_k/\alpha_k^2) + 2\gamma \sum_{j<k} g_j: "
        r"\text{ of third order in the step}",
    ),
    source="corollary of large-stepsizes/iterates",
    hypotheses=(MODEL, STEP, r"\gamma |g_k| < 1"),
    uses=("iterates",),
)
def shift(statement: Statement) -> Verdict:
    """Differentiate what a step adds to the asymmetry b, log((1 − z)/(1 + z)) + 2z."""
    added = sp.log(1 - z) - sp.log(1 + z) + 2 * z
    return judge.prove(
        "The step adds log((1 − z)/(1 + z)) + 2z to b, which vanishes at z = 0; its derivative is the integrand.",
        stated=Equation(statement.formula, sp.diff(added, z), "the derivative of what a step adds", (1 - z**2,)),
    )


@PAPER.claim(
    "noise-adds-gain",
    statement=Statement(
        r"\mathbb{E}\, q(\gamma g_B) \ge q(\gamma\, \mathbb{E} g_B), \text{ as } q'' = ",
        2 * (1 + z**2) / (1 - z**2) ** 2,
        r" > 0",
    ),
    source="as summarized in the abstract (stochasticity helps); this inequality is derived here",
    hypotheses=(
        r"q(z) = -\tfrac12 \log (1 - z^2)^2 \text{, the gain of a step}",
        r"\gamma |g_B| < 1 \text{ for every batch } B",
        "both at the same weights",
    ),
    uses=("gain",),
)
def noise_adds_gain(statement: Statement) -> Verdict:
    """Differentiate q twice."""
    return judge.argue(
        "q is convex on (−1, 1), so Jensen's inequality compares the average gain of a random batch with that of all "
        "observations at once; they are equal only where all batches have one gradient.",
        stated=Equation(statement.formula, sp.diff(GAIN, z, 2), "q''"),
    )
