"""Remark 2.1: the hyperbolic entropy, without prefactor, for a small scale."""

import sympy as sp

from derivations import theorem_2_1
from derivations.mask import PREPRINT, u0, v0, x
from implicit_bias import Claim, Outcome, Verdict
from implicit_bias.claims.judge import prove

STATED_FACTOR = sp.Integer(1)


def check() -> Verdict:
    """Split off log(1/a) and show that the rest stays finite as a → 0; the entropy is even, so x > 0 suffices."""
    a, size = sp.symbols("a x", positive=True)
    root = sp.sqrt(size**2 + a**2)
    entropy, rest = size * sp.asinh(size / a) - root, size * sp.log(size + root) - root
    limit = rest.xreplace({a: sp.Integer(0)})
    if not sp.simplify(limit).is_finite:
        return Verdict(Outcome.INCONCLUSIVE, f"The limit {limit} of the remainder was not shown to be finite.")
    start = {u0: sp.sqrt(a / 2), v0: sp.sqrt(a / 2), x: size}  # m_0 = √a, w_0 = 0
    return prove(
        "x arcsinh(x/a) − √(x² + a²) − |x| log(1/a) − [|x| log(|x| + √(x² + a²)) − √(x² + a²)] simplifies to zero, and "
        "the last term is continuous at a = 0, where it is |x|(log 2|x| − 1): divided by |x| log(1/a) it vanishes. "
        "The R printed in Theorem 2.1 is a quarter of this entropy for m_0 = √a, w_0 = 0 (a difference that simplifies "
        "to zero), so Remark 2.1 identifies the two up to a factor.",
        entropy - STATED_FACTOR * size * sp.log(1 / a) - rest,
        theorem_2_1.STATED.subs(start, simultaneous=True) - entropy / 4,
    )


CLAIM = Claim(
    id="rem-2.1",
    statement=(
        r"\sum_i x_i \operatorname{arcsinh}(x_i/a) - \sqrt{x_i^2 + a^2} \sim \log(1/a)\, \|x\|_1 \text{ as } a \to 0, "
        r"\text{ the ratio tending to } 1"
    ),
    source=f"{PREPRINT}, Remark 2.1, on the entropy without prefactor",
    hypotheses=(r"x \ne 0 \text{ fixed, so } |x_i/a| \to \infty \text{ where } x_i \ne 0",),
    check=check,
)
