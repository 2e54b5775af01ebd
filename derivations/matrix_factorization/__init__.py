"""Gunasekar et al., 2017, on gradient descent on a factorization X = U Uᵀ with a small start.

Only the abstract could be read. It states the conjecture that is judged here, and speaks of theoretical evidence for
it; what commuting measurements have to do with it is derived here, with a rate.
"""

from implicit_bias import Paper

PAPER = Paper(
    "matrix-factorization",
    "Implicit Regularization in Matrix Factorization",
    "Gunasekar, Woodworth, Bhojanapalli, Neyshabur & Srebro",
    arxiv="1705.09280",
    year=2017,
    note=" ".join((__doc__ or "").partition("\n\n")[2].split()),
)
