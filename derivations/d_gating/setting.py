"""One gated group: a primary weight of two entries, two gates, and the product of all other gates."""

from __future__ import annotations

import sympy as sp

first, second = sp.symbols("omega_1 omega_2", real=True)  # the primary weight of a group
gate, other = sp.symbols("gamma_1 gamma_2", real=True)  # two of its gates
rest = sp.Symbol("rho", real=True)  # the product of the other D − 3 gates
pull_1, pull_2 = sp.symbols("g_1 g_2", real=True)  # the gradient of the loss in the weight of the group
strength, depth = sp.symbols("lambda D", positive=True)
step = sp.Symbol("eta", positive=True)
time = sp.Symbol("t", nonnegative=True)

PARAMETERS = (first, second, gate, other)


def slopes() -> dict[sp.Symbol, sp.Expr]:
    """The gradient of the gated objective in its parameters.

    Differentiates the penalty and the loss; the loss is replaced by its linear part, which has the same gradient.
    """
    product = gate * other * rest
    loss = pull_1 * first * product + pull_2 * second * product
    penalty = strength / depth * (first**2 + second**2 + gate**2 + other**2)
    return {parameter: sp.diff(loss + penalty, parameter) for parameter in PARAMETERS}


def along_flow(quantity: sp.Expr) -> sp.Expr:
    """The time derivative of a quantity on the gradient flow."""
    return sp.expand(-sum(sp.diff(quantity, parameter) * slope for parameter, slope in slopes().items()))


def after_step(quantity: sp.Expr) -> sp.Expr:
    """A quantity after one step of gradient descent."""
    moved = {parameter: parameter - step * slope for parameter, slope in slopes().items()}
    return sp.expand(quantity.xreplace(moved))


IMBALANCES = (first**2 + second**2 - gate**2, gate**2 - other**2)  # of the weight and a gate, of two gates
HYPOTHESES = (
    r"w_j = \omega_j \prod_{d=1}^{D-1} \gamma_{j,d},\ D \ge 2",
    r"L(\omega, \Gamma) = L_0(\omega \blacktriangleright \gamma^\odot) + \tfrac{\lambda}{D} "
    r"(\|\omega\|_2^2 + \|\Gamma\|_F^2),\ \lambda > 0",
)
