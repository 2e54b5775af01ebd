"""The paper that fixed the L2-to-L1 transition of u² − v², as the Proceedings of COLT 2020 print it.

Read: the whole text of the proceedings (volume 125, 39 pages), with its appendices A to H. Not read: the versions on
arXiv, so an equation that is wrong here may be right there. Not judged: the experiments, and Theorem 9 with Corollary
10 on matrix factorization in the kernel regime, which bound the distance of two flows of matrices.
"""

from implicit_bias import Paper

PAPER = Paper(
    "kernel-and-rich",
    "Kernel and Rich Regimes in Overparametrized Models",
    "Woodworth, Gunasekar, Lee, Moroshko, Savarese, Golan, Soudry & Srebro, PMLR 125",
    year=2020,
    note=" ".join((__doc__ or "").partition("\n\n")[2].split()),
)
