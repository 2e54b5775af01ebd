"""Statements of "Never Saddle for Reparameterized Steepest Descent as Mirror Flow", ICLR 2026.

The text of the paper could not be read, but its abstract, reviews of the version that was submitted, and a public note
on the accepted one. The note restates the flow with exponent q, the balance of the factors under decoupled decay, the
metric of two factors, the exponent of the metric, the coercivity of a start with one factor zero and the regularizer
that decoupled decay induces; it says that the limit is no longer characterized as for gradient flow. Sources therefore
never give numbers of theorems. "Derived here" marks formulas that no source gives.

The paper's decay contracts each factor at the rate α. Here it is the flow of m² + w² with strength α, hence at 2α.
"""

from implicit_bias import Paper

PAPER = Paper(
    "never-saddle",
    "Never Saddle for Reparameterized Steepest Descent as Mirror Flow",
    "Jacobs, Zhou & Burkholz",
    arxiv="2603.02064",
    year=2026,
    note=" ".join((__doc__ or "").partition("\n\n")[2].split()),
)
NOTE = "as summarized in a public note on the accepted version"
