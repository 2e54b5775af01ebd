r"""Every number of the picture: level sets of R, the flow's path, where it lands, and the curves of one weight."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import cast

import numpy as np

from implicit_bias.explore.deriving import derived
from implicit_bias.explore.flow import PointMap, followed, moved
from implicit_bias.explore.refused import RefusedError, refusals
from implicit_bias.explore.setting import Setting
from implicit_bias.explore.side_by_side import SideBySide
from implicit_bias.explore.tabulated import Tables
from implicit_bias.limit import bregman_projection
from implicit_bias.potential import NumericalPotential, SeparablePotential
from implicit_bias.problem import Regression
from implicit_bias.symbolic.compiled import compiled_at_point
from implicit_bias.symbolic.derivation import Derivation
from implicit_bias.symbolic.parameterization import Parameterization

Interval = tuple[float, float]
_Init = tuple[tuple[str, tuple[float, float]], ...]

_POINTS = 121  # along each axis of the plane, and of each curve
# Level sets pass here, as fractions of the way from argmin R to where the flow lands.
_LEVELS = np.array([0.2, 0.4, 0.6, 0.8, 1.0, 1.25, 1.5, 1.75, 2.0, 2.5, 3.0])
_TIME_CONSTANTS = 20.0  # after as many, what decays exponentially is over
_KEPT = 16  # potentials that stay while the observation moves
_WINDOW_SIZES = np.array([1.0, 1.5, 2.0, 3.0, 4.0, 6.0, 8.0, 10.0])  # half widths, times a power of ten


@dataclass(frozen=True, eq=False)
class Scene:
    r"""The numbers of a picture.

    Attributes:
        setting: The setting that they belong to.
        closed_form: Whether R is a formula.
        window: The ends of both axes of the plane, ((low, high), (low, high)).
        levels: Increasing values of R − min R whose level sets are drawn.
        landing_level: R − min R where the flow lands.
        start: x_0, shape (2,).
        path: The flow from its start to its end, shape (k, 2).
        time: The flow times of its points, shape (k,).
        resolved: Whether the path is accurate enough to be drawn.
        landing: argmin {R : z·x = y}, shape (2,).
        gap: ‖end of the path − landing‖₂.
        minimizer: argmin R, shape (2,).
        minimum_l1: The ends of the segment of least L1 norm on the line, shape (2, 2); equal where it is a point.
        minimum_l2: The point of least L2 norm, shape (2,).
        x: Weights along the two axes of the window, inside the domain, shape (2, k): a row for each weight.
        potential: R_i − min R_i, shape (2, k); sums of an entry of each row are R − min R in the plane.
        mirror_map: R_i', shape (2, k).
        metric: 1/R_i'', shape (2, k).
        side: 1 where a weight lands above its minimizer, −1 where it lands below, shape (2,).
        distance: Distances from the minimizer on that side, shape (2, k).
        exponent: The local exponent of R_i at these distances, shape (2, k).
        landing_exponent: The same at the distance of the landing point, shape (2,).
        alike: Whether both weights have the same potential.
    """

    setting: Setting
    closed_form: bool
    window: tuple[Interval, Interval]
    levels: np.ndarray
    landing_level: float
    start: np.ndarray
    path: np.ndarray
    time: np.ndarray
    resolved: bool
    landing: np.ndarray
    gap: float
    minimizer: np.ndarray
    minimum_l1: np.ndarray
    minimum_l2: np.ndarray
    x: np.ndarray
    potential: np.ndarray
    mirror_map: np.ndarray
    metric: np.ndarray
    side: np.ndarray
    distance: np.ndarray
    exponent: np.ndarray
    landing_exponent: np.ndarray
    alike: bool


def compute(setting: Setting, window: tuple[Interval, Interval] | None = None) -> Scene:
    """Compute the picture of a setting.

    Args:
        setting: What to draw.
        window: The ends of both axes, of equal length; by default a square around all points.

    Raises:
        RefusedError: If there is nothing to draw; its message is one sentence.
    """
    derivation = derived(setting.formula, setting.regularizer)
    with refusals("picture"), np.errstate(all="ignore"):  # overflow is looked for where it matters
        scene = _compute(setting, derivation, window)
    points = np.concatenate([scene.start, scene.landing, scene.minimum_l2, np.ravel(scene.minimum_l1)])
    if not np.all(np.isfinite([*points, *np.ravel(scene.window), scene.landing_level, scene.gap])):
        raise RefusedError("picture", "This picture needs numbers beyond double precision: choose others.")
    return scene


def started_at(setting: Setting, x: tuple[float, float]) -> Setting:
    """The setting whose start has moved to other weights along the flow of ∇g, which leaves the shape of R as it is.

    Raises:
        RefusedError: If the flow does not lead there.
    """
    maps = _point_map(derived(setting.formula, setting.regularizer).parameterization)
    found = []
    for k in range(2):
        with refusals("picture"):
            theta = moved(maps, [float(values[k]) for values in setting.init.values()], x[k])
        if theta is None:
            raise RefusedError(
                "picture", f"No start was found at x{'₁₂'[k]} = {x[k]:.3g}: the flow of ∇g could not be followed there."
            )
        found.append(theta)
    init = {name: (float(found[0][j]), float(found[1][j])) for j, name in enumerate(setting.init)}
    return replace(setting, init=init)


def _compute(setting: Setting, derivation: Derivation, window: tuple[Interval, Interval] | None) -> Scene:
    z, y = np.array(setting.z, dtype=float), float(setting.y)
    if not np.any(z):
        raise RefusedError("picture", "With z = 0 there is no constraint: move one entry of z.")
    minimum_l1, minimum_l2 = _minimum_l1(z, y), y * z / (z @ z)
    start, both = _potential(derivation, tuple(setting.init.items()), setting.decay)
    if isinstance(both, NumericalPotential):
        reach = 1e3 * (1.0 + float(np.max(np.abs([start, minimum_l2, *minimum_l1]))))
        # Rounded, so that a table serves while the observation moves.
        both = _tabulated(derivation, tuple(setting.init.items()), setting.decay, 10.0 ** np.ceil(np.log10(reach)))
    _check_reachable(both, z, y)
    found = bregman_projection(Regression(z[None], [y]), both)
    landing, center = found.x, np.broadcast_to(both.minimizer, 2)
    duration = _duration(setting, start, both, landing, float(found.dual[0]))
    theta = derivation.parameterization.start(setting.init)
    path = followed(_point_map(derivation.parameterization), theta, setting.z, y, setting.decay, duration)
    if window is None:
        window = _window(np.array([start, center, landing, minimum_l2, *minimum_l1, np.zeros(2)]))
    x = _inside(both, window)
    # R need not be symmetric, so each weight's exponent is that of the side of argmin R to which it goes.
    side = np.where(landing < center, -1.0, 1.0)
    distance = _distances(both, center, side, (window[0][1] - window[0][0]) / 2)
    for k, far in enumerate(np.abs(landing - center)):  # one of the points is where the circle is drawn
        if distance[0, k] <= far <= distance[-1, k]:
            distance[np.argmin(np.abs(np.log(distance[:, k] / far))), k] = far
    exponent = both.effective_exponent(np.concatenate([side * distance, (landing - center)[None]]))
    # R − min R; a difference of values of R would cancel where R is flat.
    excess = np.asarray(both.divergence_terms_at(x, np.broadcast_to(center, x.shape)))
    level = float(both.divergence(landing, center))
    return Scene(
        setting=setting,
        closed_form=derivation.closed_form,
        window=window,
        levels=_levels(both, landing, level, float(np.sum(np.max(excess, axis=0)))),
        landing_level=level,
        start=start,
        path=path.x,
        time=path.time,
        resolved=path.resolved,
        landing=landing,
        gap=float(np.linalg.norm(path.x[-1] - landing)),
        minimizer=center,
        minimum_l1=minimum_l1,
        minimum_l2=minimum_l2,
        x=x.T,
        potential=excess.T,
        mirror_map=np.asarray(both.gradient(x)).T,
        metric=np.asarray(both.metric(x)).T,
        side=side,
        distance=distance.T,
        exponent=exponent[:-1].T,
        landing_exponent=exponent[-1],
        alike=all(first == second for first, second in setting.init.values()),
    )


@lru_cache(maxsize=_KEPT)
def _potential(derivation: Derivation, init: _Init, decay: float) -> tuple[np.ndarray, SeparablePotential]:
    """x_0 and the potential of both weights."""
    # All potentials that a derivation makes are separable, which the type of Derivation.family does not say.
    family = cast("Callable[[float], SeparablePotential]", derivation.family(dict(init)))
    return np.asarray(family(0.0).minimizer, dtype=float), family(decay)


@lru_cache(maxsize=_KEPT)
def _tabulated(derivation: Derivation, init: _Init, decay: float, reach: float) -> SeparablePotential:
    """The same potential as a table for each weight, or as one for both where they start alike."""
    _, potential = _potential(derivation, init, decay)
    starts = cast("NumericalPotential", potential).parameters(potential.minimizer)
    tables = _tables(derivation.parameterization)
    first = tables.at(starts[:, 0], reach)
    return first if np.array_equal(*starts.T) else SideBySide([first, tables.at(starts[:, 1], reach)])


@lru_cache(maxsize=_KEPT)
def _tables(parameterization: Parameterization) -> Tables:
    return Tables(parameterization.separable_map(), parameterization.field_at_point())


@lru_cache(maxsize=128)
def _point_map(parameterization: Parameterization) -> PointMap:
    """g, ∇g and, with a regularizer, ∇h at the parameters of one weight."""
    g, h = parameterization.output, parameterization.regularizer
    pull = [] if h is None else parameterization.gradient(h).flat()
    return compiled_at_point(parameterization.symbols, [g, *parameterization.gradient(g).flat(), *pull])


def _check_reachable(potential: SeparablePotential, z: np.ndarray, y: float) -> None:
    """Raise ``RefusedError`` if no x in the domain has z·x = y."""
    low, high = (np.broadcast_to(np.asarray(end, dtype=float), 2) for end in potential.domain)
    ends = np.stack([np.where(z == 0, 0.0, z) * np.where(z == 0, 0.0, end) for end in (low, high)])
    least, most = np.sum(np.min(ends, axis=0)), np.sum(np.max(ends, axis=0))
    if not least < y < most:
        box = " and ".join(f"{_end(a)} < x{k} < {_end(b)}" for k, a, b in zip("₁₂", low, high, strict=True))
        raise RefusedError(
            "picture",
            f"No weights that this parameterization can reach in double precision satisfy z·x = {y:g}: {box}.",
        )


def _end(value: float) -> str:
    """An end of a domain as text; a table only comes close to an end at 0 or at infinity, so those are rounded."""
    if abs(value) >= 1e3:
        return "∞" if value > 0 else "−∞"
    return "0" if abs(value) < 1e-9 else f"{value:.3g}".replace("-", "−")


def _duration(
    setting: Setting, start: np.ndarray, potential: SeparablePotential, landing: np.ndarray, nu: float
) -> float:
    """How long to follow the flow.

    The residual shrinks from its first value and its integral is ν. So the flow is on its way for about ν over the
    first residual, and then converges at the rate Σ z_i² / R_i''.
    """
    z, y, decays = np.array(setting.z), setting.y, setting.regularizer is not None
    first = [abs(value) for value in (z @ start - y, y if decays else 0.0) if value]
    rate = float(np.sum(z**2 * potential.metric(landing)))
    travel = 4 * abs(nu) / min(first) if first else 0.0
    return float(min(_TIME_CONSTANTS / max(rate, 1e-30) + (_TIME_CONSTANTS if decays else 0.0) + travel, 1e30))


def _minimum_l1(z: np.ndarray, y: float) -> np.ndarray:
    """The ends of the segment of least ‖x‖₁ on z·x = y."""
    largest = np.flatnonzero(np.abs(z) == np.max(np.abs(z)))
    ends = np.zeros((2, 2))
    for row, k in enumerate((largest[0], largest[-1])):
        ends[row, k] = y / z[k]
    return ends


def _window(points: np.ndarray) -> tuple[Interval, Interval]:
    """A square around points, rounded so that it does not move with every slider."""
    low, high = np.min(points, axis=0), np.max(points, axis=0)
    half = 0.62 * float(np.max(high - low)) or 1.0
    power = 10.0 ** np.floor(np.log10(half))
    half = float(_WINDOW_SIZES[np.searchsorted(_WINDOW_SIZES, half / power * (1 - 1e-9))] * power)
    x1, x2 = (float(center) for center in np.round((low + high) / 2 / (half / 4)) * (half / 4))
    return (x1 - half, x1 + half), (x2 - half, x2 + half)


def _inside(potential: SeparablePotential, window: tuple[Interval, Interval]) -> np.ndarray:
    """Weights along both axes of a window that lie in the domain, shape (k, 2)."""
    low, high = np.array(window).T
    margin = 1e-3 * (high - low)
    first, last = potential.domain
    return np.linspace(np.where(low > first, low, first + margin), np.where(high < last, high, last - margin), _POINTS)


def _distances(potential: SeparablePotential, center: np.ndarray, side: np.ndarray, unit: float) -> np.ndarray:
    """Distances from the minimizer on one side of it, evenly on a logarithmic scale, shape (k, 2)."""
    low, high = (np.broadcast_to(end, 2) for end in potential.domain)
    room = 0.999 * np.where(side < 0, center - low, high - center)
    return np.geomspace(np.minimum(1e-6 * unit, 1e-6 * room), np.minimum(1e2 * unit, room), _POINTS)


def _levels(potential: SeparablePotential, landing: np.ndarray, level: float, top: float) -> np.ndarray:
    """R − min R on the way to where the flow lands, and beyond; if that is argmin R, even roots up to the top."""
    center = np.broadcast_to(potential.minimizer, 2)
    points = center + _LEVELS[:, None] * (landing - center)
    low, high = potential.domain
    points = points[np.all((points > low) & (points < high), axis=1)]
    values = np.asarray(potential.divergence(points, np.broadcast_to(center, points.shape)))
    if not level > 1e-9 * top:
        values = top * np.linspace(0.1, 0.9, 9) ** 2
    return np.unique(values[np.isfinite(values) & (values > 0)])
