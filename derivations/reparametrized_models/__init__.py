"""Statements of "Implicit Bias of Gradient Descent on Reparametrized Models", NeurIPS 2022, on commuting fields.

The paper itself (arXiv:2207.04036) could not be read. Chapter 5 of the thesis of T. Wang, one of its two first authors
("Algorithm Dynamics in Modern Statistical Learning", Yale, 2024), is drawn from it, with minor changes. Sections 5.2
to 5.6 were read, the proof of Lemma 5.3.8 and a part of that of Theorem 5.3.16, and the poster and the slides of the
paper. Sources therefore name places in the thesis. The theorems that others cite as 4.14, 4.16 and 4.17 of the preprint
are 5.3.14, 5.3.16 and 5.3.17 there. Whether the paper has the misprints below, too, is not known, but for the direction
of the flows: the poster and the slides define it in the same way.
"""

from implicit_bias import Paper

PAPER = Paper(
    "reparametrized-models",
    "Implicit Bias of Gradient Descent on Reparametrized Models",
    "Li, Wang, Lee & Arora",
    year=2022,
    note=" ".join((__doc__ or "").partition("\n\n")[2].split()),
)
