"""Pesme, Pillaud-Vivien and Flammarion on stochastic gradient flow of diagonal linear networks.

Only the abstract could be read, and what Lyu and Zhu ("On the role of momentum in the implicit bias of gradient
descent for diagonal linear networks", equation 10) say about the result: from u = v the flow's end minimizes the
hyperbolic entropy of a scale that is strictly smaller than at the start, and the integral of the loss controls by how
much. The abstract adds that slow convergence helps. The theorems, their constants and their rates could not be read:
the formula for the scale is derived here from noise of the covariance that makes the loss appear, and sources say so.
"""

from implicit_bias import Paper

PAPER = Paper(
    "stochastic-flow",
    "Implicit bias of SGD for diagonal linear networks: a provable benefit of stochasticity",
    "Pesme, Pillaud-Vivien & Flammarion",
    arxiv="2106.09524",
    year=2021,
    note=" ".join((__doc__ or "").partition("\n\n")[2].split()),
)
