"""The mirror identity, weight by weight, in a masked LeNet that was really trained."""

from __future__ import annotations

import numpy as np

from derivations.mask import PREPRINT
from implicit_bias import Claim, Verdict
from implicit_bias.claims import corrected
from implicit_bias.claims.judge import from_residual

STATED_ORDER = 1.0
TOLERANCE = 0.1
TOLERANCE_REASON = "The error's next term, in η², shifts the order by some hundredths for the steps taken here."
TIME = 0.5  # flow time
STEPS = (20, 40, 80)
ALPHA = 0.05
IMAGES = 100


def identities(steps: int, alpha: float = ALPHA) -> dict:
    """Train LeNet-300-100 with masks on all images at once, in float64, and give the identity of each layer."""
    import torch
    from torch.nn import functional

    from implicit_bias import masking
    from implicit_bias.training import build, load

    data = load("mnist")
    pixels, labels = data.train.pixels[:IMAGES].double() / 255, data.train.labels[:IMAGES]
    model = masking.mask(build("lenet", data, seed=0).double())
    optimizer = torch.optim.SGD(model.parameters(), TIME / steps)
    masking.decay_strength(optimizer, alpha)
    record = masking.MirrorRecord(model, optimizer)
    for _ in range(steps):
        optimizer.zero_grad()
        functional.cross_entropy(model(pixels), labels).backward()
        optimizer.step()
    return {name: record[name] for name in record}


def check() -> Verdict:
    """Halve the step twice, and fit the order of the largest residual over all weights of all layers."""
    runs = [identities(steps) for steps in STEPS]
    worst = np.array([max(float(np.max(each.residual)) for each in run.values()) for run in runs])
    order = -np.polyfit(np.log(STEPS), np.log(worst), 1)[0]
    weights = sum(each.x.size for each in runs[0].values())
    largest = max(float(np.max(np.abs(each.accumulated_gradient))) for each in runs[-1].values())
    evidence = (
        f"LeNet-300-100 with masks (β = 1) on {IMAGES} images of MNIST, gradient descent with weight decay 2α = "
        f"{2 * ALPHA:g} to the time {TIME:g} in {', '.join(map(str, STEPS))} steps: the largest |∇R(x) + L| over all "
        f"{weights:,} weights is {', '.join(f'{w:.1e}' for w in worst)} where |L| reaches {largest:.2g}; order "
        f"{order:.3f}."
    )
    return from_residual(abs(order - STATED_ORDER), TOLERANCE, evidence, tolerance_reason=TOLERANCE_REASON)


CLAIM = Claim(
    id="network-identity",
    statement=(
        r"\nabla R_{A_k}(x_k) = -L_k + O(\eta) \text{ for every masked weight of a network, whatever its loss, with } "
        r"L_k = \eta \sum_{j<k} \partial f(x_j)/\partial x"
    ),
    source=f"this project; the identity of {PREPRINT}, Theorem 3.1, with corrected constants, on trained networks",
    hypotheses=(r"x = m \odot w", r"h = \sum m^2 + w^2 \text{ on the masked weights}", "full batches"),
    uses=(
        corrected("thm-3.1"),
        "discretization",
    ),
    check=check,
)
