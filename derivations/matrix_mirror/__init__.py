"""Wu and Rebeschini on mirror descent for matrix sensing.

Only the abstract, the first paragraphs of the introduction and the published code (algorithms.py and the script of
Figures 1 and 2) could be read. Claims say what these say; constants that the abstract leaves out are derived here.
Spectral functions of a matrix are stated by their terms, one for each singular value or eigenvalue.
"""

from implicit_bias import Paper

PAPER = Paper(
    "matrix-mirror",
    "Implicit regularization in matrix sensing via mirror descent",
    "Wu & Rebeschini",
    arxiv="2105.13831",
    year=2021,
    note=" ".join((__doc__ or "").partition("\n\n")[2].split()),
)
