"""For a small scale the potential is an L1 norm."""

import sympy as sp

from derivations.mask import PREPRINT, at_scale, prove
from implicit_bias import Claim, Outcome, Verdict

STATED_FACTOR = sp.Rational(1, 2)


def check() -> Verdict:
    """Split off log(1/a) and show that the rest stays finite as a → 0; R_a is even, so x > 0 suffices."""
    a, size = sp.symbols("a x", positive=True)
    root = sp.sqrt(size**2 + a**2)
    rest = (size * sp.log(size + root) - root) / 2
    limit = rest.xreplace({a: sp.Integer(0)})
    if not sp.simplify(limit).is_finite:
        return Verdict(Outcome.INCONCLUSIVE, f"The limit {limit} of the remainder was not shown to be finite.")
    return prove(
        "R_a(x) − ½|x| log(1/a) − ½[|x| log(|x| + √(x² + a²)) − √(x² + a²)] simplifies to zero, and the last term is "
        "continuous at a = 0, where it is ½|x|(log 2|x| − 1).",
        at_scale(a, size) - STATED_FACTOR * size * sp.log(1 / a) - rest,
    )


CLAIM = Claim(
    id="l1-limit",
    statement=r"R_a(x) = \tfrac12 \|x\|_1 \log\tfrac1a + O(1) \text{ as } a \to 0",
    source=f"this project; what holds instead of the limit in {PREPRINT}, after Theorem 3.1",
    hypotheses=(r"u_0 = v_0",),
    figure="figures/figure1c/figure.png",
    check=check,
)
