"""Statements of "Smoothing the Edges", Machine Learning 2026, on Hadamard products with squared penalties.

The paper itself could not be read. Read were its abstracts (of the first and the latest version), summaries on the
pages of emergentmind ("Hadamard-Based Weight Smoothing in Sparse Learning", "GHPP") and sciencestack, and what later
papers of its authors print. So no theorem is cited by its number, and the constants are derived here.
"""

from implicit_bias import Paper

PAPER = Paper(
    "smoothing-the-edges",
    "Smoothing the Edges: Smooth Optimization for Sparse Regularization using Hadamard Overparametrization",
    "Kolb, Müller, Bischl & Rügamer",
    arxiv="2307.03571",
    year=2023,
    note=" ".join((__doc__ or "").partition("\n\n")[2].split()),
)
