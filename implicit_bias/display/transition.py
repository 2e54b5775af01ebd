"""The way from L2 to L1: limits against the scale of the potential."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from implicit_bias.display.card import Html, badge, beside, card, rows, text
from implicit_bias.display.picture import axes, picture
from implicit_bias.display.weights import draw_curves, span
from implicit_bias.limit import Transition
from implicit_bias.plotting import COLOURS
from implicit_bias.status import Status


def plot(transition: Transition, ax: Axes | None = None, **options: Any) -> Axes:
    """Draw weights against log a; :meth:`implicit_bias.Transition.plot` says how."""
    order = np.argsort(-transition.log_scales, kind="stable")
    with axes(ax) as target:
        draw_curves(target, transition.log_scales[order], transition.x[order], COLOURS["projection"], options)
        target.set_xlabel("$\\log\\,a$")
        target.xaxis.set_inverted(True)  # decay lowers the scale: time would run to the right
    return target


def html(transition: Transition) -> Html:
    """Status, numbers and picture."""
    scales = transition.log_scales
    lines = [(text("status"), badge(transition.status))]
    if transition.status is not Status.CONVERGED:
        lines.append((text("advice"), text(transition.status.advice)))
    lines += [
        (text("scales"), text(f"{len(scales)}, log a from {np.max(scales):g} to {np.min(scales):g}")),
        (text("drawn"), text(span(transition.x))),
        (text("KKT residual"), text(f"at most {np.max(transition.kkt_residual):.2g}")),
        (text("‖x − x*‖₂ at most"), text(f"{np.max(transition.error_bound):.2g}")),
        (text("Newton steps"), text(np.sum(transition.iterations))),
    ]
    drawing = picture("Weights against the scale", partial(plot, transition))
    return card(text("From L2 to L1"), beside(rows(lines), drawing))
