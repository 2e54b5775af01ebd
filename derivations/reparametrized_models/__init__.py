"""Statements of "Implicit Bias of Gradient Descent on Reparametrized Models", NeurIPS 2022, on commuting fields.

The paper itself could not be read. Chapter 5 of T. Wang's thesis, "Algorithm Dynamics in Modern Statistical Learning"
(Yale, 2024), says that it is based on the paper, by one of its two first authors; it was read in full, and the poster
and the slides of the paper, which print the same definitions. Sources therefore name places in the thesis. The
theorems that others cite as 4.14, 4.16 and 4.17 of the preprint are 5.3.14, 5.3.16 and 5.3.17 there. Whether the
misprints below are in the paper, too, is not known, but for the direction of the flows, which the poster and the slides
share.
"""

from implicit_bias import Paper

PAPER = Paper(
    "reparametrized-models",
    "Implicit Bias of Gradient Descent on Reparametrized Models",
    "Li, Wang, Lee & Arora",
    arxiv="2207.04036",
    year=2022,
)
