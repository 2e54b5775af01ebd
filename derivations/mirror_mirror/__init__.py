"""Statements of "Mirror, Mirror of the Flow", ICML 2025, on what regularization does to a mirror flow.

The text of the paper could not be read; only its abstract could, and three reviews of its version of 2024 ("Time-
Dependent Mirror Flows and Where to Find Them", submitted to ICLR 2025), which restate its theorems: the time-dependent
mirror flow with a_t = −∫α, the condition on separable parameterizations, commuting quadratic forms with their Q_a,
convergence if a contracting R and α_t = 0 from some time on, optimality, and the range of u^(2k) − v^(2k). Sources
therefore never give numbers of theorems. "Derived here" marks formulas that no source gives in full.

A is the decay ∫α, so the paper's a is −A.
"""

from implicit_bias import Paper

PAPER = Paper("mirror-mirror", "Mirror, Mirror of the Flow", "Jacobs, Zhou & Burkholz", year=2025)
REVIEWS = "as summarized in stored reviews of its version of 2024"
