"""Statements of "spred: Solving L1 Penalty with SGD", ICML 2023, on factors with a squared penalty.

The paper itself could not be read. Read were its abstracts of versions 1 and 5, one page of an earlier version
("Sparsity by Redundancy") around its Theorem 3, and a summary, A. K. Subramanian, "L1 Regularization in terms of L2",
2024. The normalization λ/2 (‖u‖² + ‖w‖²) is that of the summary. Its experiments were not read, nor what it says on
learning dynamics and on other powers.
"""

from implicit_bias import Paper

PAPER = Paper(
    "spred",
    "spred: Solving L1 Penalty with SGD",
    "Ziyin & Wang",
    arxiv="2210.01212",
    year=2023,
    note=" ".join((__doc__ or "").partition("\n\n")[2].split()),
)
