"""Even, Pesme, Gunasekar and Flammarion on diagonal linear networks: what step and batch do to the end of training.

Only the abstract, and the code of a public reproduction of the three experiments (alexandremr01/sgd-over-dlns), could
be read. The code gives the network x = u ⊙ v, its start u = √2 α, v = 0, the loss over n observations and the gain,
the sum of q(γ∇L) over the steps with q(z) = −½ log (1 − z²)². The theorems, the conditions on the step for convergence
and the constants of the bounds on the gain could not be read: what goes beyond abstract and code is derived here, and
sources say so.
"""

from implicit_bias import Paper

PAPER = Paper(
    "large-stepsizes",
    "(S)GD over diagonal linear networks: implicit bias, large stepsizes and edge of stability",
    "Even, Pesme, Gunasekar & Flammarion",
    arxiv="2302.08982",
    year=2023,
    note=" ".join((__doc__ or "").partition("\n\n")[2].split()),
)
