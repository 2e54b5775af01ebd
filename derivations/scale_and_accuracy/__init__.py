"""The paper on classification by diagonal linear networks: the scale of the start against the accuracy of training.

Read: the abstract and the first page of arXiv v1, and the reviews of NeurIPS 2020, which summarize the results. Not
read: the theorems, so their numbers and hypotheses are not quoted; every source here says "as summarized in".

What is decided here follows from identities, from one training sample, for which the whole path of the flow of the
exponential loss is known in closed form, and for several samples from a duality gap and from projections onto the
inequalities y_n ⟨x_n, w⟩ ≥ 1. What is not: the rates of the paper's theorems, and the numbers of its own data sets.
"""

from implicit_bias import Paper

PAPER = Paper(
    "scale-and-accuracy",
    "Implicit Bias in Deep Linear Classification: Initialization Scale vs Training Accuracy",
    "Moroshko, Woodworth, Gunasekar, Lee, Srebro & Soudry",
    arxiv="2007.06738",
    year=2020,
    note=" ".join((__doc__ or "").partition("\n\n")[2].split()),
)
