"""Nacson, Ravichandran, Srebro and Soudry on the step of gradient descent and diagonal linear networks.

Only the abstract could be read, as the proceedings of ICML 2022 (PMLR 162, pages 16270–16295) give it; no version on
arXiv was found. It says that a large step on data that are not centered can lead from the kernel to the rich regime
where the flow stays in the former, and that dynamically stable global minima have a bounded weighted 1-norm. The
theorems, the weights and constants of the bound and the result on generalization could not be read: the bounds here
are derived from that description, are sharp, and need not be those of the paper.
"""

from implicit_bias import Paper

PAPER = Paper(
    "step-size-bias",
    "Implicit bias of the step size in linear diagonal neural networks",
    "Nacson, Ravichandran, Srebro & Soudry",
    year=2022,
    note=" ".join((__doc__ or "").partition("\n\n")[2].split()),
)
