"""Limits: Bregman projections with their error bounds, where a run ends, the way from L2 to L1, paths of saddles."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from implicit_bias.display.card import Html, badge, beside, card, rows, text
from implicit_bias.display.picture import axes, draw_curves, draw_vector, picture, span
from implicit_bias.limit import Projection, SaddlePath, Transition
from implicit_bias.norm import norm
from implicit_bias.plotting import COLOURS
from implicit_bias.simulate import TrainingLimit
from implicit_bias.status import Status


def plot_projection(projection: Projection, ax: Axes | None = None, **options: Any) -> Axes:
    """Draw the weights against their indices; see :meth:`implicit_bias.Projection.plot`."""
    with axes(ax) as target:
        draw_vector(target, projection.x, options)
    return target


def projection_html(projection: Projection) -> Html:
    """Status, residual, bound and picture."""
    x, bound = projection.x, projection.error_bound
    lines = [(text("status"), badge(projection.status))]
    if projection.status is not Status.CONVERGED:
        lines.append((text("advice"), text(projection.status.advice)))
    if projection.remaining is not None:
        end = "a flow without decay from it would end here"
        lines.append((text("the last record"), text(f"{projection.remaining:.2g} away; {end}")))
    lines += [
        (text("KKT residual"), text(f"{projection.kkt_residual:.2g}")),
        (text("‖x − x*‖₂ at most"), text("unknown" if np.isinf(bound) else f"{bound:.2g}")),
        (text("Newton steps"), text(projection.iterations)),
        (text("weights"), text(f"{len(x)}, {len(projection.dual)} dual variables")),
        (text("‖x‖₁, ‖x‖₂"), text(f"{np.sum(np.abs(x)):.6g}, {norm(x):.6g}")),
    ]
    return card(
        text("Bregman projection"), beside(rows(lines), picture("The weights", partial(plot_projection, projection)))
    )


def training_limit_html(found: TrainingLimit) -> Html:
    """Status, steps and how far they move the end, with a picture of it."""
    lines = [(text("status"), badge(found.status))]
    if found.status is not Status.CONVERGED:
        lines.append((text("advice"), text(found.status.advice)))
    lines += [(text("step"), text(f"{found.step:g}")), (text("critical step"), text(f"{found.critical_step:.4g}"))]
    parts = [rows(lines)]
    if found.potential is not None:
        moved = float(np.max(np.abs(found.x - found.flow.x), initial=0.0))
        parts = [rows([*lines, (text("off the flow's limit by at most"), text(f"{moved:.2g}"))])]
        parts.append(picture("The predicted weights", lambda ax: draw_vector(ax, found.x, {})))
    return card(text("Where training ends"), beside(*parts))


def plot_transition(transition: Transition, ax: Axes | None = None, **options: Any) -> Axes:
    """Draw weights against log a; see :meth:`implicit_bias.Transition.plot`."""
    order = np.argsort(-transition.log_scales, kind="stable")
    with axes(ax) as target:
        draw_curves(target, transition.log_scales[order], transition.x[order], COLOURS["projection"], options)
        target.set_xlabel("$\\log\\,a$")
        target.xaxis.set_inverted(True)  # decay lowers the scale: time would run to the right
    return target


def transition_html(transition: Transition) -> Html:
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
    drawing = picture("Weights against the scale", partial(plot_transition, transition))
    return card(text("From L2 to L1"), beside(rows(lines), drawing))


def plot_saddle_path(path: SaddlePath, ax: Axes | None = None, **options: Any) -> Axes:
    """Draw weights as steps against τ; see :meth:`implicit_bias.SaddlePath.plot`."""
    last = path.times[-1] if len(path.times) else min(path.horizon, 1.0)
    at = np.concatenate([[0.0], path.times, [min(1.1 * last, path.horizon)]])
    with axes(ax) as target:
        drawn = np.vstack([path.x, path.x[-1:]])
        draw_curves(target, at, drawn, COLOURS["projection"], {"drawstyle": "steps-post"} | options)
        target.set_xlabel(r"$\tau = t\,/\,\log(1/a)$")
    return target


def saddle_path_html(path: SaddlePath) -> Html:
    """Status, numbers and picture."""
    lines = []
    if path.status is not Status.CONVERGED:
        lines = [(text("status"), badge(path.status)), (text("advice"), text(path.status.advice))]
    last = f", the last at τ = {path.times[-1]:.6g}" if len(path.times) else ""
    lines += [
        (text("jumps"), text(f"{len(path.times)}{last}")),
        (text("several weights at once"), text(f"at {np.sum(path.ties)} jumps")),
        (text("known up to τ"), text(f"{path.horizon:.3g}")),
        (text("loss"), text(f"{path.loss[0]:.6g} to {path.loss[-1]:.2g}")),
        (text("drawn"), text(span(path.x))),
        (text("‖x − x*‖₂ at most"), text(f"{np.max(path.error_bound):.2g}")),
    ]
    drawing = picture("Weights that jump from saddle to saddle", partial(plot_saddle_path, path))
    return card(text("Saddle to saddle"), beside(rows(lines), drawing))
