"""Regularizing the mask m alone destroys the mirror flow."""

from derivations.mask import PREPRINT
from implicit_bias import Claim, Outcome, Parameterization, Verdict


def check() -> Verdict:
    """Compute [∇(m w), ∇(m²)]."""
    report = Parameterization("m*w", ["m", "w"]).commutes_with("m**2")
    if report.outcome is not Outcome.REFUTED:
        return Verdict(Outcome.INCONCLUSIVE, f"Expected a non-zero bracket, got {report}.")
    return Verdict(Outcome.PROVED, f"{report}.")


CLAIM = Claim(
    id="only-m",
    statement=r"[\nabla (m w), \nabla (m^2)] \ne 0",
    source=f"{PREPRINT}, section 3, on regularizing m alone",
    check=check,
)
