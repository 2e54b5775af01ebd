"""The paper on the shape of the initialization: layers of unequal size, and mirror descent with a warped time.

Read: the abstract and the first page of arXiv v1, and a public notebook that programs Sections 4 and 6, with the Q of
Theorem 4.1, the q of Theorem 6.1 and the start by scale α and shape s. Not read: the text of the theorems, so their
hypotheses are not quoted; every source here says "as summarized in". Deeper networks, leaky ReLU and several neurons
are left out for that reason.
"""

from implicit_bias import Paper

PAPER = Paper(
    "initialization-shape",
    "On the Implicit Bias of Initialization Shape: Beyond Infinitesimal Mirror Descent",
    "Azulay, Moroshko, Nacson, Woodworth, Srebro, Globerson & Soudry",
    arxiv="2102.09769",
    year=2021,
    note=" ".join((__doc__ or "").partition("\n\n")[2].split()),
)
