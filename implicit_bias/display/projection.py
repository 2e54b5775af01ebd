"""A Bregman projection: its weights and how well they are known."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from implicit_bias.display.card import Html, badge, beside, card, rows, text
from implicit_bias.display.picture import axes, picture
from implicit_bias.display.weights import draw_vector
from implicit_bias.limit import Projection
from implicit_bias.norm import norm
from implicit_bias.status import Status


def plot(projection: Projection, ax: Axes | None = None, **options: Any) -> Axes:
    """Draw the weights against their indices; :meth:`implicit_bias.Projection.plot` says how."""
    with axes(ax) as target:
        draw_vector(target, projection.x, options)
    return target


def html(projection: Projection) -> Html:
    """Status, residual, bound and picture."""
    x, bound = projection.x, projection.error_bound
    lines = [(text("status"), badge(projection.status))]
    if projection.status is not Status.CONVERGED:
        lines.append((text("advice"), text(projection.status.advice)))
    lines += [
        (text("KKT residual"), text(f"{projection.kkt_residual:.2g}")),
        (text("‖x − x*‖₂ at most"), text("unknown" if np.isinf(bound) else f"{bound:.2g}")),
        (text("Newton steps"), text(projection.iterations)),
        (text("weights"), text(f"{len(x)}, {len(projection.dual)} dual variables")),
        (text("‖x‖₁, ‖x‖₂"), text(f"{np.sum(np.abs(x)):.6g}, {norm(x):.6g}")),
    ]
    return card(text("Bregman projection"), beside(rows(lines), picture("The weights", partial(plot, projection))))
