"""Pesme and Flammarion on the small-scale limit of diagonal linear networks, as later work by one of them restates it.

Of the paper itself only the abstract and the introduction could be read. Its construction was read as Declèves,
Boursier and Flammarion restate it in "Statistical Benefits of Fine-Tuning from Pretrained Initialization in Diagonal
Linear Networks" (Section 3.2 and Appendix A, where they cite its Theorems 2 and 3, Propositions 6 and 8 and Appendix
E); claims take the start at zero, which is the original case. The paper's own normalizations were not read.
"""

from implicit_bias import Paper

PAPER = Paper(
    "saddle-to-saddle",
    "Saddle-to-saddle dynamics in diagonal linear networks",
    "Pesme & Flammarion",
    arxiv="2304.00488",
    year=2023,
    note=" ".join((__doc__ or "").partition("\n\n")[2].split()),
)
