"""Statements of "Differentiable Sparsity via D-Gating", NeurIPS 2025: products of gates and group penalties.

The whole text was read, with its proofs, in a copy that left out most displayed formulas. All constants stated here
also stand in running text: the balance and the penalties in the proofs of Corollary 1 and Theorem 1, the rates after
Lemma 2 and in Lemma 4, the second order in its footnote 2. Equations (7), (13) and (18) themselves could not be read.
"""

from implicit_bias import Paper

PAPER = Paper(
    "d-gating",
    "Differentiable Sparsity via D-Gating: Simple and Versatile Structured Penalization",
    "Kolb, Frost, Bischl & Rügamer",
    arxiv="2509.23898",
    year=2025,
    note=" ".join((__doc__ or "").partition("\n\n")[2].split()),
)
