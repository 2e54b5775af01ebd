"""The preprint "Mask in the Mirror", as its first version prints it.

It was read in full, in a machine-converted text with its equations. The second version, which is the text of ICLR 2025,
was not read.
"""

from implicit_bias import Paper

PAPER = Paper(
    "mask-in-the-mirror",
    "Mask in the Mirror: Implicit Sparsification",
    "Jacobs & Burkholz",
    arxiv="2408.09966",
    version=1,
    year=2024,
    note=" ".join((__doc__ or "").partition("\n\n")[2].split()),
)
