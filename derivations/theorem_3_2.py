"""Theorem 3.2: for a convex loss and finite total decay the flow minimizes the loss."""

from derivations import lemma_a_3
from derivations.convergence import END, SEEDS, run
from derivations.mask import DECAY, PREPRINT, SIZES
from implicit_bias import Claim, Outcome, Verdict


def check() -> Verdict:
    """Rest on the Lyapunov function and hold the bound that follows against trajectories."""
    proof = lemma_a_3.check()
    if proof.outcome is not Outcome.PROVED:
        return Verdict(Outcome.INCONCLUSIVE, f"The Lyapunov function is not proved: {proof.evidence}")
    # The excess is compared with what the integrator leaves of it, 1e-9 at rtol = 1e-10.
    runs = [run(seed, strength=0.5) for seed in SEEDS]
    worst = max(integral / bound for _, integral, bound in runs)
    if not (worst <= 1 and all(excess <= 1e-9 for excess, _, _ in runs)):
        return Verdict(Outcome.INCONCLUSIVE, f"On a random problem ∫(f − f*)/W_0 reached {worst:.3g}.", worst, 1.0)
    return Verdict(
        Outcome.PROVED,
        "W_t ≥ 0, as D ≥ 0 and R_a grows with decay, so the identity dW/dt ≤ −(f − f*) gives ∫(f − f*)dt ≤ W_0. "
        "D_{R_a}(x*, x_t) ≤ W_t ≤ W_0 bounds x_t: per weight D_{R_a}(q, x) grows like ½|x|, uniformly in a between "
        "a_∞ > 0 and a_0. So df/dt ≤ −4α⟨x, ∇f⟩ ≤ Cα: f(x_t) − CA_t decreases, hence f(x_t) "
        "converges, and an integrable excess can only converge to zero. "
        f"On {len(runs)} random log-cosh problems with α = e^(−t)/2 the integral is at most {worst:.2g} of W_0, and "
        f"f − f* is at most {max(abs(excess) for excess, _, _ in runs):.0e} at t = {END:g}.",
    )


CLAIM = Claim(
    id="thm-3.2",
    statement=r"\lim_{t\to\infty} f(x_t) = \min f, \text{ with } \int_0^\infty (f(x_t) - f(x^*))\,dt \le W_0",
    source=(
        f"this project, a weaker form of {PREPRINT}, Theorem 3.2, with a bound (as printed: quasi-convex f, "
        "convergence of the iterates x_t; not judged)"
    ),
    hypotheses=(SIZES, DECAY, r"f \text{ convex and smooth with minimizer } x^*", r"h = \sum m^2 + w^2"),
    uses=("lem-a.3", "decay-monotone"),
    check=check,
)
