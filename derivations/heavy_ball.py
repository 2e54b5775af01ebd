"""Momentum does not change where training goes, only how fast."""

from derivations.discretization import check_order
from implicit_bias import Claim, Verdict

MOMENTA = (0.5, 0.8)


def stated_speed(momentum: float) -> float:
    """The flow time that passes while steps × η grows by one."""
    return 1 / (1 - momentum)


def check() -> Verdict:
    """Halve the step of heavy ball again and again, and compare with the flow at the faster time."""
    return check_order({momentum: stated_speed(momentum) for momentum in MOMENTA})


CLAIM = Claim(
    id="heavy-ball",
    statement=(
        r"\max_{k\eta \le T} \|x_k - x_{t=k\eta/(1-\beta)}\|_2 = O(\eta) \text{ for } "
        r"\theta_{k+1} = \theta_k - \eta\,b_k,\; b_k = \beta b_{k-1} + \partial g^T \nabla f + \alpha_t \nabla h"
    ),
    source="Kovachki, Stuart, Continuous Time Analysis of Momentum Methods, JMLR 22(17), 2021, on vanishing steps",
    hypotheses=(r"x = m \odot w", r"h = \sum m^2 + w^2", "full batches", r"0 \le \beta < 1 \text{ fixed}"),
    uses=("discretization",),
    check=check,
)
