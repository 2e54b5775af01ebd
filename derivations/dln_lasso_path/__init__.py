"""Statements of "Diagonal Linear Networks and the Lasso Regularization Path", on averages of training trajectories.

The whole text of the third version (March 2026) was read, with its proofs; its figure was not.
"""

from implicit_bias import Paper

PAPER = Paper(
    "dln-lasso-path",
    "Diagonal Linear Networks and the Lasso Regularization Path",
    "Berthier",
    arxiv="2509.18766",
    version=3,
    year=2025,
    note=" ".join((__doc__ or "").partition("\n\n")[2].split()),
)
