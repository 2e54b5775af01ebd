"""Baek, Song and Yun on Adam with one sample a step, for logistic regression on labels that can be separated.

Only the abstract could be read, of arXiv v1 and v3. It says that full-batch Adam tends to the largest L∞ margin, that
incremental Adam can deviate from it, on some data sets to the largest L2 margin, and that a proxy for β₂ → 1 maximizes
the margin of a Mahalanobis norm that depends on the data. The construction of the data sets, the theorems and the proxy
could not be read: every source here says "as summarized in the abstract", and the data are ours. That full-batch Adam
tends to the L∞ margin is also the abstract of Zhang, Zou and Cao, "The implicit bias of Adam on separable data".
"""

from implicit_bias import Paper

PAPER = Paper(
    "per-sample-adam",
    "Implicit Bias of Per-sample Adam on Separable Data: Departure from the Full-batch Regime",
    "Baek, Song & Yun",
    arxiv="2510.26303",
    year=2025,
    note=" ".join((__doc__ or "").partition("\n\n")[2].split()),
)
