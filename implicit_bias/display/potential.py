"""A potential: its formula and its graph."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import ArrayLike

from implicit_bias.display.card import Html, beside, card, displayed, line, rows, text
from implicit_bias.display.picture import axes, look, picture
from implicit_bias.errors import InputError
from implicit_bias.plotting import sequence
from implicit_bias.potential import QuadraticForms, SeparablePotential, SpectralHypentropy, VonNeumannEntropy
from implicit_bias.validation import finite_array

POINTS = 201
MOST_CURVES = 6  # in one plot
SHADES = 4  # of potentials that share axes, as far apart as thin lines need
_VALUES_AT_ONCE = 1_000_000
_LEAST_REACH = 2.0  # of the drawn weights: initializations make weights of order one


def plot(
    potential: SeparablePotential,
    x: ArrayLike | None = None,
    ax: Axes | None = None,
    *,
    normalize: bool = False,
    **options: Any,
) -> Axes:
    """Draw R_i(x_i) for up to six different coordinates; see :meth:`implicit_bias.SeparablePotential.plot`."""
    grid = _window(potential) if x is None else finite_array(x, "x", ndim=1)[:, None]
    if grid.size == 0:
        raise InputError("x: expected weights to draw at, got none.")
    chosen = _chosen(potential)
    values = _terms(potential, grid, chosen, potential.terms)
    if normalize:  # R − min R is the divergence from the minimizer, where no digits cancel
        rise = _terms(potential, grid, chosen, lambda x: potential.divergence_terms_at(x, potential.minimizer))
        values = rise / np.max(rise, axis=0)
    grid = np.broadcast_to(grid[:, chosen] if grid.shape[1] > 1 else grid, values.shape)
    names = [f"coordinate {i}" for i in chosen]
    seen: list[np.ndarray] = []
    colours = sequence(len(chosen))
    with axes(ax) as target:
        for name, colour, weights, curve in zip(names, colours, grid.T, values.T, strict=True):
            if any(np.array_equal(curve, other) for other in seen):
                continue  # coordinates that start alike share their potential
            seen.append(curve)
            usual = {"label": name, "color": colour} if len(chosen) > 1 else _next_look(len(target.lines))
            target.plot(weights, curve, **look(options, **usual))
        target.set_xlabel("weight $x$")
        target.set_ylabel(r"$(R(x) - \min R)\,/\,$largest shown" if normalize else "potential $R(x)$")
    return target


def _next_look(drawn: int) -> dict[str, Any]:
    """The look of one more potential on axes with so many lines: from light to dark, then again with other dashes."""
    shades = sequence(SHADES)
    return {"color": shades[drawn % SHADES], "linestyle": ("-", "--", ":", "-.")[drawn // SHADES % 4]}


def html(potential: SeparablePotential) -> Html:
    """Formula, numbers and graph."""
    shown = [(name, getattr(potential, name)) for name in potential.settings]
    lines = [(text(name), text(_range(value))) for name, value in shown]
    lines.append((text("argmin R"), text(_range(potential.minimizer))))
    lines.append((text("coordinates"), text("any number" if potential.size is None else potential.size)))

    def draw(ax: Axes) -> None:
        plot(potential, ax=ax)
        if len(ax.lines) > 1:
            ax.legend()

    parts = [line(displayed(potential.formula))] if potential.formula else []
    graph = picture("Graph of the potential", draw)
    return card(text(type(potential).__name__), *parts, beside(rows(lines), graph))


def forms_html(potential: QuadraticForms) -> Html:
    """Numbers of a potential that couples its coordinates, and so has no graph."""
    lines = [("coordinates", potential.size), ("parameters", len(potential.components))]
    lines += [("decay A", f"{potential.decay:.6g}"), ("argmin R", _range(potential.minimizer))]
    formula = r"R(x) = \sup_z \langle x, z\rangle - \tfrac14 \|\exp(-AB + \sum_i z_i A_i)\,\theta_0\|^2"
    return card(text("QuadraticForms"), line(displayed(formula)), rows([(text(a), text(b)) for a, b in lines]))


def spectral_html(potential: VonNeumannEntropy | SpectralHypentropy) -> Html:
    """Numbers of a potential of matrices."""
    if isinstance(potential, VonNeumannEntropy):
        shape, formula = (
            (potential.order, potential.order),
            r"R_S(X) = \tfrac1r \operatorname{tr}(X\log X - X\log S - X)",
        )
        scales = [("eigenvalues of log S", _range(np.linalg.eigvalsh(potential.log_scale)))]
        scales.append(("rate r", f"{potential.rate:.6g}"))
    else:
        shape, scales = potential.shape, [("log a", f"{potential.log_scale:.6g}")]
        formula = (
            r"R_a(X) = \tfrac12 \sum_i \sigma_i \operatorname{arcsinh}\tfrac{\sigma_i}{a} - \sqrt{\sigma_i^2 + a^2}"
        )
    lines = [("matrices", f"{shape[0]} × {shape[1]}"), *scales]
    name = type(potential).__name__
    return card(text(name), line(displayed(formula)), rows([(text(a), text(b)) for a, b in lines]))


def _range(value: ArrayLike) -> str:
    """A number, or the range of several numbers."""
    low, high = float(np.min(value)), float(np.max(value))
    return f"{low:.6g}" if low == high else f"{low:.6g} to {high:.6g}"


def _chosen(potential: SeparablePotential) -> np.ndarray:
    """Coordinates to draw, evenly spaced."""
    size = potential.size or 1
    return np.unique(np.linspace(0, size - 1, min(size, MOST_CURVES)).astype(int))


def _window(potential: SeparablePotential) -> np.ndarray:
    """Weights to draw, shape (k, n) or (k, 1): from −2 to 2, or further where the minimizers are, inside the domain."""
    center = np.atleast_1d(potential.minimizer)
    reach = np.maximum(_LEAST_REACH, 2 * np.abs(center))
    low, high = (np.broadcast_to(end, center.shape) for end in potential.domain)
    left, right = np.maximum(low, -reach), np.minimum(high, reach)
    # The ends of the domain are not in it.
    shares = np.linspace(0, 1, POINTS + 2)[1:-1, None]
    return left + shares * (right - left)


def _terms(
    potential: SeparablePotential, grid: np.ndarray, chosen: np.ndarray, of: Callable[[np.ndarray], np.ndarray]
) -> np.ndarray:
    """A function of all weights at the chosen coordinates, shape (k, chosen), without holding those of all at once."""
    size = potential.size or 1
    step = max(1, _VALUES_AT_ONCE // size)
    parts = [
        of(np.broadcast_to(grid[k : k + step], (len(grid[k : k + step]), size)))[:, chosen]
        for k in range(0, len(grid), step)
    ]
    return np.concatenate(parts)
