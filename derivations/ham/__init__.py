"""Statements of "Hyperbolic Aware Minimization: Implicit Bias for Sparsity", ICLR 2026, on exponential steps.

The paper itself could not be read beyond its abstract. Read were the README of the authors' code, which prints the
algorithm, and a summary of version 2, "Paper Notes" of zhaoyang97 on ICLR 2026, which prints the exponential update of
the mask, the flow, its metric and both ends of its potential. The formula of the potential, the factors in its ends and
the order of contraction and gradient are derived here. Its experiments, and what it says on noise and on contraction in
linear regression, were not read.
"""

from implicit_bias import Paper

PAPER = Paper(
    "ham",
    "Hyperbolic Aware Minimization: Implicit Bias for Sparsity",
    "Jacobs, Gadhikar, Rubio-Madrigal & Burkholz",
    arxiv="2506.02630",
    year=2025,
    note=" ".join((__doc__ or "").partition("\n\n")[2].split()),
)
README = "the README of the authors' code"
NOTES = 'as summarized in "Paper Notes" of zhaoyang97 on ICLR 2026'
