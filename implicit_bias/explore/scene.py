r"""Every number of the picture: level sets of R, the flow's path, where it lands, and the curves of one weight."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import cast

import numpy as np

from implicit_bias.explore.deriving import derived
from implicit_bias.explore.refused import RefusedError, refusals
from implicit_bias.explore.setting import Setting
from implicit_bias.explore.side_by_side import SideBySide
from implicit_bias.explore.tabulated import PointField, TabulatedPotential
from implicit_bias.limit import bregman_projection
from implicit_bias.potential import NumericalPotential, SeparablePotential
from implicit_bias.potential.separable_map import SeparableMap
from implicit_bias.problem import Regression
from implicit_bias.schedule import Geometric
from implicit_bias.simulate import descent, gradient_flow, mirror_flow
from implicit_bias.symbolic.derivation import Derivation
from implicit_bias.symbolic.parameterization import Parameterization

Interval = tuple[float, float]

MOST_STEPS = 500  # of gradient descent
_LEAST_STEPS = 50  # enough to see whether it converges
_GRID_POINTS = 101  # along each axis of the plane
_CURVE_POINTS = 161
# Level sets pass here, as fractions of the way from argmin R to where the flow lands.
_LEVELS = np.array([0.2, 0.4, 0.6, 0.8, 1.0, 1.25, 1.5, 1.75, 2.0, 2.5, 3.0])
_TIME_CONSTANTS = 20.0  # after as many, what decays exponentially is over
_MOST_PATH_POINTS = 500
_WINDOW_SIZES = np.array([1.0, 1.5, 2.0, 3.0, 4.0, 6.0, 8.0, 10.0])  # half widths, times a power of ten


@dataclass(frozen=True, eq=False)
class Scene:
    r"""The numbers of a picture.

    Attributes:
        setting: The setting that they belong to.
        closed_form: Whether R is a formula.
        window: The ends of both axes of the plane, ((low, high), (low, high)).
        grid: Weights along the two axes inside the domain, each of shape (k_i,).
        excess: R − min R on the grid, shape (k_2, k_1).
        levels: Increasing values of R − min R whose level sets are drawn.
        landing_level: R − min R where the flow lands.
        start: x_0, shape (2,).
        path: The flow from its start to its end, shape (k, 2).
        landing: argmin {R : z·x = y}, shape (2,).
        gap: ‖end of the path − landing‖₂.
        minimizer: argmin R, shape (2,).
        minimum_l1: The ends of the segment of least L1 norm on the line, shape (2, 2); equal where it is a point.
        minimum_l2: The point of least L2 norm, shape (2,).
        descent: Steps of gradient descent, shape (k, 2), or None.
        descent_note: Their label, or an empty string.
        x: Weights, shape (2, k): a row for each weight.
        potential: R_i − min R_i, shape (2, k).
        mirror_map: R_i', shape (2, k).
        metric: 1/R_i'', shape (2, k).
        distance: Distances upwards from the minimizer, shape (2, k).
        exponent: The local exponent of R_i at these distances, shape (2, k).
        landing_exponent: The same at the distance of the landing point, shape (2,).
        alike: Whether both weights have the same potential.
    """

    setting: Setting
    closed_form: bool
    window: tuple[Interval, Interval]
    grid: tuple[np.ndarray, np.ndarray]
    excess: np.ndarray
    levels: np.ndarray
    landing_level: float
    start: np.ndarray
    path: np.ndarray
    landing: np.ndarray
    gap: float
    minimizer: np.ndarray
    minimum_l1: np.ndarray
    minimum_l2: np.ndarray
    descent: np.ndarray | None
    descent_note: str
    x: np.ndarray
    potential: np.ndarray
    mirror_map: np.ndarray
    metric: np.ndarray
    distance: np.ndarray
    exponent: np.ndarray
    landing_exponent: np.ndarray
    alike: bool


def compute(setting: Setting) -> Scene:
    """Compute the picture of a setting.

    Raises:
        RefusedError: If there is nothing to draw; its message is one sentence.
    """
    derivation = derived(setting.formula, setting.regularizer)
    with refusals("picture"), np.errstate(all="ignore"):  # overflow is looked for where it matters
        return _compute(setting, derivation)


def _compute(setting: Setting, derivation: Derivation) -> Scene:
    z, y = np.array(setting.z, dtype=float), float(setting.y)
    if not np.any(z):
        raise RefusedError("picture", "With z = 0 there is no constraint: move one entry of z.")
    init = {name: np.asarray(values, dtype=float) for name, values in setting.init.items()}
    family = _family(derivation, init)
    start = np.asarray(family(0.0).minimizer, dtype=float)
    minimum_l1, minimum_l2 = _minimum_l1(z, y), y * z / (z @ z)
    reach = 1e3 * (1.0 + float(np.max(np.abs([start, minimum_l2, *minimum_l1]))))
    singles, both = _potentials(derivation, init, family(setting.decay), setting.decay, reach)
    _check_reachable(both, z, y)
    found = bregman_projection(Regression(z[None], [y]), both)
    landing, center = found.x, np.broadcast_to(both.minimizer, 2)
    path, time = _path(setting, derivation, init, start, both, landing, float(found.dual[0]))
    window, unit = _window(np.array([start, center, landing, minimum_l2, *minimum_l1, np.zeros(2)]))
    grid = _inside(singles[0], *window[0], _GRID_POINTS), _inside(singles[1], *window[1], _GRID_POINTS)
    parts = [_excess(single, axis) for single, axis in zip(singles, grid, strict=True)]
    curves = [_curves(single, ends, unit) for single, ends in zip(singles, window, strict=True)]
    steps, note = (None, "") if setting.step is None else _descent(setting, derivation, init, time, setting.step)
    level = float(both.divergence(landing, center))
    return Scene(
        setting=setting,
        closed_form=derivation.closed_form,
        window=window,
        grid=grid,
        excess=parts[1][:, None] + parts[0][None, :],
        levels=_levels(both, landing, level, float(np.max(parts[0]) + np.max(parts[1]))),
        landing_level=level,
        start=start,
        path=path,
        landing=landing,
        gap=float(np.linalg.norm(path[-1] - landing)),
        minimizer=center,
        minimum_l1=minimum_l1,
        minimum_l2=minimum_l2,
        descent=steps,
        descent_note=note,
        **{name: np.stack([curve[name] for curve in curves]) for name in curves[0]},
        landing_exponent=np.array([
            float(single.effective_exponent(np.array(value - middle)))
            for single, value, middle in zip(singles, landing, center, strict=True)
        ]),
        alike=singles[0] is singles[1],
    )  # fmt: skip


def _family(derivation: Derivation, init: dict[str, np.ndarray]) -> Callable[[float], SeparablePotential]:
    """The potentials that a start has at each decay."""
    # All potentials that a derivation makes are separable, which the type of Derivation.family does not say.
    return cast("Callable[[float], SeparablePotential]", derivation.family(init))


def _potentials(
    derivation: Derivation, init: dict[str, np.ndarray], potential: SeparablePotential, decay: float, reach: float
) -> tuple[tuple[SeparablePotential, SeparablePotential], SeparablePotential]:
    """The potential of each weight, the same object where both start alike, and that of both together."""
    is_alike = all(values[0] == values[1] for values in init.values())
    if isinstance(potential, NumericalPotential):
        starts, functions = potential.parameters(potential.minimizer), _functions(derivation.parameterization)
        first = TabulatedPotential(*functions, starts[:, 0], reach)
        singles = first, first if is_alike else TabulatedPotential(*functions, starts[:, 1], reach)
        return singles, SideBySide(singles)
    first, second = (_family(derivation, {name: values[k] for name, values in init.items()})(decay) for k in range(2))
    return (first, first if is_alike else second), potential


@lru_cache(maxsize=128)
def _functions(parameterization: Parameterization) -> tuple[SeparableMap, PointField]:
    """The functions of a parameterization, compiled once: for arrays, and for one point."""
    return parameterization.separable_map(), parameterization.field_at_point()


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


def _path(
    setting: Setting, derivation: Derivation, init: dict[str, np.ndarray], start: np.ndarray,
    potential: SeparablePotential, landing: np.ndarray, nu: float,
) -> tuple[np.ndarray, float]:  # fmt: skip
    """The weights along the flow, shape (k, 2), and how long it was followed.

    The residual shrinks from its first value and its integral is ν. So the flow is on its way for about ν over the
    first residual, and then converges at the rate Σ z_i² / R_i''.
    """
    problem, schedule = _problem(setting), _schedule(setting, derivation)
    z, y = problem.Z[0], float(problem.y[0])
    first = [abs(value) for value in (z @ start - y, y if schedule else 0.0) if value]
    rate = float(np.sum(z**2 * potential.metric(landing)))
    travel = 4 * abs(nu) / min(first) if first else 0.0
    time = min(_TIME_CONSTANTS / max(rate, 1e-30) + (_TIME_CONSTANTS if schedule else 0.0) + travel, 1e30)
    if not first:
        return np.stack([start, start]), time
    if isinstance(potential, SideBySide):
        flow = gradient_flow(
            problem, derivation.parameterization, init, time,
            schedule=schedule, rtol=1e-7, atol=1e-12, method="LSODA", throw=False,
        )  # fmt: skip
    else:
        # It uses the logarithm of the scale; decay may leave parameters far below rounding.
        flow = mirror_flow(problem, derivation, init, time, schedule=schedule, rtol=1e-6, atol=1e-8, throw=False)
    return _thinned(flow.x), time


def _thinned(path: np.ndarray) -> np.ndarray:
    """A few hundred points of a path at most, among them the first and the last."""
    chosen = np.unique(np.linspace(0, len(path) - 1, min(len(path), _MOST_PATH_POINTS)).round().astype(int))
    return path[chosen]


def _problem(setting: Setting) -> Regression:
    return Regression([setting.z], [setting.y])


def _schedule(setting: Setting, derivation: Derivation) -> Geometric | None:
    return None if derivation.regularizer is None else Geometric(setting.decay, 1.0)


def _descent(
    setting: Setting, derivation: Derivation, init: dict[str, np.ndarray], time: float, step: float
) -> tuple[np.ndarray, str]:
    """Gradient descent for as long as the flow was followed, up to ``MOST_STEPS`` steps, and its label."""
    count = int(min(max(np.ceil(time / step), _LEAST_STEPS), MOST_STEPS))
    runs = descent(
        _problem(setting), derivation.parameterization, init, step, count,
        schedule=_schedule(setting, derivation), record=np.arange(count), throw=False,
    )  # fmt: skip
    sound = np.all(np.isfinite(runs.x), axis=1)
    label = f"gradient descent, η = {step:g}"
    return runs.x[sound], label + (f": {count} steps" if np.all(sound) else f": diverged within {count} steps")


def _minimum_l1(z: np.ndarray, y: float) -> np.ndarray:
    """The ends of the segment of least ‖x‖₁ on z·x = y."""
    largest = np.flatnonzero(np.abs(z) == np.max(np.abs(z)))
    ends = np.zeros((2, 2))
    for row, k in enumerate((largest[0], largest[-1])):
        ends[row, k] = y / z[k]
    return ends


def _window(points: np.ndarray) -> tuple[tuple[Interval, Interval], float]:
    """A square around points, rounded so that it does not move with every slider, and its half width."""
    low, high = np.min(points, axis=0), np.max(points, axis=0)
    half = 0.62 * float(np.max(high - low)) or 1.0
    power = 10.0 ** np.floor(np.log10(half))
    half = float(_WINDOW_SIZES[np.searchsorted(_WINDOW_SIZES, half / power * (1 - 1e-9))] * power)
    x1, x2 = (float(center) for center in np.round((low + high) / 2 / (half / 4)) * (half / 4))
    return ((x1 - half, x1 + half), (x2 - half, x2 + half)), half


def _inside(potential: SeparablePotential, low: float, high: float, count: int) -> np.ndarray:
    """Weights between two values that lie in the domain."""
    ends = [float(np.squeeze(end)) for end in potential.domain]
    margin = 1e-3 * (high - low)
    return np.linspace(low if low > ends[0] else ends[0] + margin, high if high < ends[1] else ends[1] - margin, count)


def _excess(potential: SeparablePotential, x: np.ndarray) -> np.ndarray:
    """R − min R of one weight, elementwise; a difference of values of R would cancel where R is flat."""
    return np.asarray(potential.divergence_terms_at(x, np.full_like(x, float(np.squeeze(potential.minimizer)))))


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


def _curves(potential: SeparablePotential, window: Interval, unit: float) -> dict[str, np.ndarray]:
    """The curves of one weight."""
    x, center = _inside(potential, *window, _CURVE_POINTS), float(np.squeeze(potential.minimizer))
    room = 0.999 * (float(np.squeeze(potential.domain[1])) - center)
    distance = np.geomspace(min(1e-6 * unit, 1e-6 * room), min(1e2 * unit, room), _CURVE_POINTS)
    return {
        "x": x,
        "potential": _excess(potential, x),
        "mirror_map": np.asarray(potential.gradient(x)),
        "metric": np.asarray(potential.metric(x)),
        "distance": distance,
        "exponent": np.asarray(potential.effective_exponent(distance)),
    }
