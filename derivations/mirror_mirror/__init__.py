"""Statements of "Mirror, Mirror of the Flow", ICML 2025, on what regularization does to a mirror flow.

The text of the paper could not be read, but its abstract, and reviews of its version of 2024, which is called
"Time-Dependent Mirror Flows and Where to Find Them". The reviews restate its theorems: the time-dependent mirror flow
with a_t = −∫α, the condition on separable parameterizations, the potential of commuting quadratic forms, convergence
for contracting potentials whose decay ends, and the range of u^(2k) − v^(2k). Sources therefore never give numbers of
theorems. "Derived here" marks formulas that no source gives in full.

A is the decay ∫α, so the paper's a is −A.
"""

from implicit_bias import Paper

PAPER = Paper(
    "mirror-mirror",
    "Mirror, Mirror of the Flow",
    "Jacobs, Zhou & Burkholz",
    year=2025,
    note=" ".join((__doc__ or "").partition("\n\n")[2].split()),
)
REVIEWS = "as summarized in reviews of its version of 2024"
