"""Wind, Antun and Hansen on which L1 minimizer diagonal linear networks of each depth choose as the start vanishes.

Only the abstract could be read: the flow from tiny starts approximates minimizers of basis pursuit, and which one, if
there are several, depends on the depth. Which one it is, is derived here; the paper's sharp bounds in the size of the
start, and their tie to the hardness of approximation, were not read and are not judged.
"""

from implicit_bias import Paper

PAPER = Paper(
    "generalized-hardness",
    "Implicit regularization in AI meets generalized hardness of approximation in optimization: "
    "Sharp results for diagonal linear networks",
    "Wind, Antun & Hansen",
    arxiv="2307.07410",
    year=2023,
    note=" ".join((__doc__ or "").partition("\n\n")[2].split()),
)
