"""Statements of "Exponentiated Gradient Meets Gradient Descent", ALT 2020, on the hypentropy and its updates.

The whole paper was read, with its appendices, in the version of the proceedings (PMLR 117, pages 386 to 407). The
preprint arXiv:1902.01903 was not compared with it.
"""

from implicit_bias import Paper

PAPER = Paper(
    "exponentiated-gradient",
    "Exponentiated Gradient Meets Gradient Descent",
    "Ghai, Hazan & Singer",
    year=2020,
    note=" ".join((__doc__ or "").partition("\n\n")[2].split()),
)
