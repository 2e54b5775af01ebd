"""Lyu and Li on the margin of homogeneous networks, under gradient flow with the exponential loss.

The main text was read as it was submitted to ICLR 2020, with all its formulas: Sections 1 to 6. Of the appendices a
text without displayed formulas was read, so the constants of Lemmas C.8 and C.9 and of Theorem A.9 were not; where a
claim gives constants there, its source says that they are derived here. The later versions on arXiv were not read.
"""

from implicit_bias import Paper

PAPER = Paper(
    "homogeneous-margin",
    "Gradient descent maximizes the margin of homogeneous neural networks",
    "Lyu & Li",
    arxiv="1906.05890",
    year=2020,
    note=" ".join((__doc__ or "").partition("\n\n")[2].split()),
)
