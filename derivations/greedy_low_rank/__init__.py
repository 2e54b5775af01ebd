"""Li, Luo and Lyu, 2021, on greedy low-rank learning.

Only the abstract could be read. The instance that is judged here was found by this project; the paper's own may be
another one. That the flow from an infinitesimal start is the paper's greedy algorithm is not judged.
"""

from implicit_bias import Paper

PAPER = Paper(
    "greedy-low-rank",
    "Towards Resolving the Implicit Bias of Gradient Descent for Matrix Factorization: Greedy Low-Rank Learning",
    "Li, Luo & Lyu",
    arxiv="2012.09839",
    year=2021,
    note=" ".join((__doc__ or "").partition("\n\n")[2].split()),
)
