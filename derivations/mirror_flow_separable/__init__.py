"""Pesme, Dragomir and Flammarion on mirror flow for separable classification.

Only the abstract, the first paragraphs of the introduction and summaries of the figures could be read: the horizon
function is defined by the limit of the normalized sublevel sets of the potential. Its theorems, its formula for
separable potentials and its list of examples were not; formulas here are derived from that definition, and sources
say so.
"""

from implicit_bias import Paper

PAPER = Paper(
    "mirror-flow-separable",
    "Implicit bias of mirror flow on separable data",
    "Pesme, Dragomir & Flammarion",
    arxiv="2406.12763",
    year=2024,
    note=" ".join((__doc__ or "").partition("\n\n")[2].split()),
)
