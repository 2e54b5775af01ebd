"""Statements of Matt & Stöger, 2025, on how fast limits approach the ℓ1 minimizer as the initialization shrinks.

Only the abstract could be read (that of both versions), so the exponents are the paper's, and everything else, the
constant ϱ as a linear program, the bounds and the example, is derived here. The abstract's α is taken to be the size of
the effective weights at which the linear rate of depths D ≥ 3 is exact: factors start at α^(1/D).
"""

from implicit_bias import Paper

PAPER = Paper(
    "null-space-rate",
    "Linear regression with overparameterized linear neural networks: "
    "Tight upper and lower bounds for implicit ℓ1-regularization",
    "Matt & Stöger",
    arxiv="2506.01143",
    year=2025,
    note=" ".join((__doc__ or "").partition("\n\n")[2].split()),
)
