"""Theorem 2.2: for a convex loss the flow minimizes it."""

import sympy as sp

from derivations.convergence import END, SEEDS, run
from derivations.lemma_a_3 import MINIMIZER, change
from derivations.mask import PREPRINT, SIZES, decay, prove, slope, strength, weight_velocity, x
from implicit_bias import Claim, Outcome, Verdict
from implicit_bias.claims import corrected


def check() -> Verdict:
    """Prove the Lyapunov identity and hold the bound that follows against trajectories."""
    # t(f − f*) is at most the integral of f − f*, as f decreases, so the sharper bound on the integral is tested.
    # The excess is compared with what the integrator leaves of it, 1e-9 at rtol = 1e-10.
    runs = [run(seed) for seed in SEEDS]
    worst = max(integral / bound for _, integral, bound in runs)
    if not (worst <= 1 and all(excess <= 1e-9 for excess, _, _ in runs)):
        return Verdict(Outcome.INCONCLUSIVE, f"On a random problem ∫(f − f*)/D reached {worst:.3g}.", worst, 1.0)
    still = {strength: sp.Integer(0), decay: sp.Integer(0)}
    return prove(
        "d/dt D_R(x*, x_t) + ⟨∇f, x_t − x*⟩ simplifies to zero; for convex f the product is at least f(x_t) − f*, and "
        "f decreases along the flow, so t(f(x_t) − f*) ≤ D_R(x*, x_0). D_R(x*, ·) has bounded level sets, so the "
        f"flow exists for all t. On {len(runs)} random log-cosh problems ∫(f − f*)dt is at most {worst:.2g} of "
        f"D_R(x*, x_0), and f − f* is at most {max(abs(excess) for excess, _, _ in runs):.0e} at t = {END:g}.",
        (change() + slope * (x - MINIMIZER)).xreplace(still),
        *weight_velocity()[1],
    )


CLAIM = Claim(
    id="thm-2.2",
    statement=r"\lim_{t\to\infty} f(x_t) = \min f, \text{ with } t\,(f(x_t) - f(x^*)) \le D_R(x^*, x_0)",
    source=(
        f"this project, a weaker form of {PREPRINT}, Theorem 2.2, with a bound (as printed: quasi-convex f, "
        "convergence of the iterates x_t; not judged)"
    ),
    hypotheses=(SIZES, r"\alpha = 0", r"f \text{ convex and smooth with minimizer } x^*"),
    uses=(corrected("thm-2.1"),),
    check=check,
)
