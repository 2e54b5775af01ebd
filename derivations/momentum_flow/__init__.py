"""Papazov, Pesme and Flammarion on gradient descent with momentum, seen as a flow of second order.

Only the abstract and the first page of the introduction could be read, and what Lyu and Zhu ("On the role of momentum
in the implicit bias of gradient descent for diagonal linear networks") say about it: one quantity, λ = γ/(1 − β)² for
the step γ and the momentum β, fixes the path; a problem of implicit regularization gives the recovered solution;
small λ help sparse solutions; the speed vanishes at the start. The theorems could not be read. The flow and its
balance are derived here, and sources say so. That the flow overstates what heavy ball with a fixed β does to the scale
is an observation about the reader's use of it, not an error of the paper, which compares at a fixed λ as γ → 0.
"""

from implicit_bias import Paper

PAPER = Paper(
    "momentum-flow",
    "Leveraging continuous time to understand momentum when training diagonal linear networks",
    "Papazov, Pesme & Flammarion",
    arxiv="2403.05293",
    version=1,
    year=2024,
    note=" ".join((__doc__ or "").partition("\n\n")[2].split()),
)
