r"""An atlas of potentials: for each parameterization its formula, its potential, its metric and its local exponent.

Formulas are derived, not looked up; where none exists in closed form the potential comes from a flow that is
integrated, and is marked as numerical.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np
import sympy as sp
from matplotlib import pyplot as plt
from matplotlib.figure import Figure
from matplotlib.gridspec import SubplotSpec

from experiments.engine import Data, Sweep
from experiments.excess import excess
from experiments.experiment import Experiment
from implicit_bias import Claim, Outcome, Parameterization, SeparablePotential, Verdict, derive, plotting
from implicit_bias.claims.judge import from_residual


@dataclass(frozen=True)
class Entry:
    """A parameterization and the members of its family that are shown.

    Attributes:
        init: Initial values by parameter, in units of γ.
        regularizer: h, if there is one.
        sizes: The values of γ, a member each; if not given those of the settings.
        decays: The decays, a member each, in place of sizes.
    """

    init: Mapping[str, float]
    regularizer: str | None = None
    sizes: Sequence[float] | None = None
    decays: Sequence[float] | None = None


# By the formula of g.
ENTRIES = {
    "u": Entry({"u": 0.0}, sizes=[1.0]),
    "m*w": Entry({"m": 2**0.5, "w": 0.0}),
    "m*w, decay": Entry({"m": 2**0.5, "w": 0.0}, "m**2 + w**2", decays=[0.0, 0.5, 1.0]),
    "u**2 - v**2": Entry({"u": 1.0, "v": 1.0}),
    "u**4 - v**4": Entry({"u": 1.0, "v": 1.0}),
    "u**2": Entry({"u": 1.0}),
    "a*b*c": Entry({"a": 1.0, "b": 1.0, "c": 1.0}),
    "log(u) - log(v)": Entry({"u": 1.0, "v": 1.0}),
    "sinh(u)": Entry({"u": 0.0}, sizes=[1.0]),
    "tanh(u)": Entry({"u": 0.0}, sizes=[1.0]),
    "atan(u)": Entry({"u": 0.0}, sizes=[1.0]),
    "exp(u)": Entry({"u": 0.0}, sizes=[1.0]),
    "sigmoid(m)*w": Entry({"m": 0.0, "w": 0.0}, sizes=[1.0]),
}


@dataclass(frozen=True)
class Settings:
    """The entries and their curves.

    Attributes:
        entries: Names in :data:`ENTRIES`.
        sizes: Values of γ where an entry has none of its own.
        points: Of each curve.
        reach: Curves go from minus this weight to this weight, if the domain does.
    """

    entries: Sequence[str] = tuple(ENTRIES)
    sizes: Sequence[float] = (1.0, 0.5, 0.25)
    points: int = 101
    reach: float = 2.0


LONGEST_FORMULA = 175  # characters of LaTeX that fit into the width
SMALL_PRINT_LENGTH = 200  # of those that fit in small print only


def compute(settings: Settings, sweep: Sweep) -> Data:
    """The curves of every entry, with its derived formulas as text."""
    shared = {"sizes": settings.sizes, "points": settings.points, "reach": settings.reach}
    rows = sweep(derived, [{"name": name, **shared} for name in settings.entries], "atlas")
    return {name: np.stack([row[name] for row in rows]) for name in rows[0]}


def derived(name: str, sizes: Sequence[float], points: int, reach: float) -> Data:
    """One entry: the curves of up to three members (missing ones are nan) and its formulas."""
    entry = ENTRIES[name]
    output = name.split(",")[0]
    derivation = derive(Parameterization(output, sorted(entry.init)), entry.regularizer)
    if entry.decays is not None:
        values = entry.decays
        potentials = [derivation.at(entry.init, decay) for decay in values]
    else:
        values = entry.sizes or sizes
        potentials = [derivation.at({p: v * size for p, v in entry.init.items()}) for size in values]
    potentials = [cast("SeparablePotential", R) for R in potentials]  # as one formula acts on every weight
    drawn = [_curves(R, points, reach) for R in potentials]
    missing = [np.full(points, np.nan)] * (3 - len(drawn))
    return {
        **{key: np.stack([curves[key] for curves in drawn] + missing) for key in drawn[0]},
        "typed": np.array(output),
        "name": np.array(_title(output, entry.regularizer)),
        "formula": np.array(_formula(derivation.latex(), derivation.closed_form)),
        "member_text": np.array(_members(entry, values)),
        "closed_form": np.array(derivation.closed_form),
        "metric_error": np.array(np.max([_metric_error(R, points, reach) for R in potentials])),
        "domain": np.array([float(np.squeeze(end)) for end in potentials[0].domain]),
        "members": np.array(len(potentials)),
    }


def _title(output: str, regularizer: str | None) -> str:
    """The formulas of g and h, as they are written by hand."""
    written = [("x", output)] + ([("h", regularizer)] if regularizer else [])
    return ",\\ \\ ".join(f"{name} = {_spaced(sp.latex(sp.sympify(f)))}" for name, f in written)


def _members(entry: Entry, values: Sequence[float]) -> str:
    """The start of a row, and what changes from one of its curves to the next."""
    names, start = (
        ", ".join(texts) for texts in zip(*((f"{p}_0", _number(v)) for p, v in entry.init.items()), strict=True)
    )
    bracketed = [f"({each})" if len(entry.init) > 1 else each for each in (names, start)]
    if len(values) == 1:
        return f"${bracketed[0]} = {bracketed[1]}$"
    changing, letter = ("", "A") if entry.decays is not None else (r"\gamma\,", r"\gamma")
    if bracketed[1] == "1":
        bracketed[1], changing = "", changing.removesuffix(r"\,")
    listed = r",\ ".join(f"{v:g}" for v in values)
    return f"${bracketed[0]} = {changing}{bracketed[1]}$; light to dark: ${letter} = {listed}$"


def _number(value: float) -> str:
    return r"\sqrt{2}" if value == 2**0.5 else f"{value:g}"


def _large(formula: str) -> str:
    """The formula with fractions in full size, but for those inside of them."""
    text, depth, inside = "", 0, []
    for part in re.split(r"(\\frac|[{}])", formula):
        if part == r"\frac" and not inside:
            part, inside = r"\dfrac", [depth, depth]  # until two groups have closed at this depth
        elif part == "{":
            depth += 1
        elif part == "}":
            depth -= 1
            if inside and inside[-1] == depth:
                inside.pop()
        text += part
    return text


def _spaced(latex: str) -> str:
    """The formula with room between a factor and a function, which Matplotlib leaves out."""
    return re.sub(r"(?<=[\w}]) (?=\\(?:operatorname|log|sinh|cosh|tanh|sin|cos|tan))", r"\\, ", latex)


def _window(potential: SeparablePotential, points: int, reach: float) -> np.ndarray:
    """Weights around the minimizer inside the domain."""
    low, high = (float(np.squeeze(end)) for end in potential.domain)
    left, right = max(low, -reach), min(high, reach)
    margin = 0.01 * (right - left)
    return np.linspace(left + margin * (left == low), right - margin * (right == high), points)


def _curves(potential: SeparablePotential, points: int, reach: float) -> Data:
    """R − min R, the metric and the local exponent upwards of the minimizer."""
    x, center = _window(potential, points, reach), float(np.squeeze(potential.minimizer))
    high = float(np.squeeze(potential.domain[1]))
    s = np.geomspace(1e-3, min(1e2, 0.99 * (high - center)), points)
    return {
        "x": x,
        "excess": np.asarray(potential.terms(x) - potential.terms(np.full(1, center))),
        "metric": np.asarray(potential.metric(x)),
        "s": s,
        "exponent": np.asarray(potential.effective_exponent(s)),
    }


def _metric_error(potential: SeparablePotential, points: int, reach: float) -> float:
    """The relative distance of the slope of R' from one over the metric, by central differences."""
    x = _window(potential, points, reach)[5:-5:5]
    step = 1e-5 * (np.abs(x) + 0.1)
    slope = (potential.gradient(x + step) - potential.gradient(x - step)) / (2 * step)
    return float(np.max(np.abs(slope * potential.metric(x) - 1)))


def _formula(latex: str, closed: bool) -> str:
    """The lines of a derivation's LaTeX block that are shown, each as mathematics of its own."""
    if not closed:
        return f"${_spaced(latex)}$"
    block = _spaced(latex).removeprefix("\\begin{aligned}\n").removesuffix("\n\\end{aligned}")
    lines = [line.replace("&", "") for line in block.split(" \\\\\n")]
    known = {line.split(" = ")[0].strip(): line for line in lines}
    first = known["R_A(x)"] if len(known["R_A(x)"]) <= LONGEST_FORMULA else known["R_A'(x)"]
    return "\n".join(f"${line.strip()}$" for line in (first, known["1/R_A''(x)"]))


def draw(data: Data) -> Figure:
    """One row for each parameterization: text, potential, metric, exponent."""
    count = len(data["name"])
    height = 0.5 + 1.85 * count
    figure = plt.figure(figsize=(9.2, height))
    # Set by hand: the constrained layout of so many panels differs from run to run in the last digit.
    grid = figure.add_gridspec(
        count, 4, width_ratios=[4.3, 1, 1, 1], left=0.005, right=0.985, bottom=0.4 / height, top=1 - 0.25 / height,
        wspace=0.32, hspace=0.55,
    )  # fmt: skip
    for row in range(count):
        _draw_text(figure, grid[row, 0], data, row)
        panels = [figure.add_subplot(grid[row, column]) for column in (1, 2, 3)]
        total = data["members"][row]
        colours = plotting.sequence(total)
        for k in range(total):
            for axes, (across, up) in zip(panels, (("x", "excess"), ("x", "metric"), ("s", "exponent")), strict=True):
                axes.plot(data[across][row, k], data[up][row, k], color=colours[k], lw=1.1)
        for axes, name in ((panels[0], "excess"), (panels[1], "metric")):
            # Near the ends of a bounded domain the potential runs away.
            values = data[name][row]
            axes.set_ylim(0, 1.05 * min(np.nanmax(values), 20 * np.nanmedian(values)))
        top = 3.1 if np.nanmax(data["exponent"][row]) > 2.2 else 2.1
        panels[2].set(xscale="log", xlim=(1e-3, 1e2), ylim=(0.9, top))
        panels[2].set_xticks([1e-3, 1e-1, 1e1])
        panels[2].set_yticks([1, 2, 3] if top > 3 else [1, 1.5, 2])
        low, high = data["domain"][row]
        for axes in panels:
            axes.tick_params(labelsize=7, pad=1.5)
            if axes is not panels[2]:
                axes.set_xlim(max(-2, low), min(2, high))
                axes.set_xticks([x for x in (-2, -1, 0, 1, 2) if low - 1e-6 <= x <= high + 1e-6])
            axes.minorticks_off()
        if row == 0:
            for axes, title in zip(panels, ("potential R − min R", "metric 1/R''", "local exponent p(s)"), strict=True):
                axes.set_title(title)
        if row == count - 1:
            for axes, label in zip(panels, ("weight x", "weight x", "distance from argmin R"), strict=True):
                axes.set_xlabel(label, fontsize=7)
    return figure


def _halves(line: str) -> tuple[str, str]:
    """A long sum of LaTeX in two lines, broken before the sign outside of brackets that is nearest to the middle."""
    depth, signs = 0, []
    for k, letter in enumerate(line):
        depth += (letter in "{(") - (letter in "})")
        if depth == 0 and letter in "+-" and k > 1 and line[k - 1] == " " and "=" in line[:k]:
            signs.append(k)
    middle = min(signs, key=lambda k: abs(k - len(line) / 2))
    return f"{line[:middle].strip()}$", f"${line[middle:]}"


def _draw_text(figure: Figure, place: SubplotSpec, data: Data, row: int) -> None:
    axes = figure.add_subplot(place)
    axes.set_axis_off()
    low, high = (f"{end:.3g}".replace("inf", "∞").replace("-", "−") for end in data["domain"][row])
    note = f"domain ({low}, {high}),   {data['member_text'][row]}"
    mark = "" if data["closed_form"][row] else "   numerical"
    colour = plotting.COLOURS["truth" if data["closed_form"][row] else "flow"]  # a flow makes what has no formula
    axes.text(0, 1.12, f"${data['name'][row]}${mark}", fontsize=13, color=colour, va="top", transform=axes.transAxes)
    for line, height in zip(str(data["formula"][row]).split("\n"), (0.61, 0.08), strict=False):
        if len(line) < SMALL_PRINT_LENGTH:
            axes.text(0.03, height, _large(line), fontsize=11, va="center", transform=axes.transAxes)
            continue
        for part, above, left in zip(_halves(line), (0.13, -0.13), (0.03, 0.1), strict=True):
            axes.text(left, height + above, part, fontsize=11, va="center", transform=axes.transAxes)
    axes.text(0.03, -0.24, note, fontsize=8.5, color=plotting.GREYS["note"], va="center", transform=axes.transAxes)


def claims(data: Data) -> list[Claim]:
    """Claims about every row."""
    present = np.arange(data["exponent"].shape[1]) < data["members"][:, None]

    def metric() -> Verdict:
        worst = int(np.argmax(data["metric_error"]))
        return from_residual(
            float(data["metric_error"].max()), 1e-3,
            f"R'' · metric is 1 to {data['metric_error'].max():.0e} in all {len(data['name'])} rows; least exactly for "
            f"x = {data['typed'][worst]}.",
            tolerance_reason="Central differences over a step of 1e-6 or more see an R' that is right to 1e-10.",
        )  # fmt: skip

    def quadratic() -> Verdict:
        gap = float(np.max(np.abs(data["exponent"][present][:, 0] - 2)))
        return from_residual(
            gap, 0.05,
            f"At s = 1e-3 every exponent is within {gap:.3f} of 2.",
            tolerance_reason="At this distance the third derivative of R still acts.",
        )  # fmt: skip

    def convex() -> Verdict:
        least = float(np.min(data["metric"][present]))
        if least <= 0:
            return Verdict(Outcome.REFUTED, f"The metric falls to {least:.1g}.", counterexample={"metric": least})
        text = f"R − min R is nowhere negative, and the metric is {least:.1g} or more."
        fall = excess(-data["excess"][present], -least)
        return from_residual(fall, 1e-12, text, tolerance_reason="Rounding of R where it is least.")

    source = "this project"
    return [
        Claim("atlas/metric", r"(\nabla^2 R)^{-1} = \text{metric}", source, check=metric),
        Claim("atlas/quadratic", r"s \to 0: p(s) \to 2", source, check=quadratic),
        Claim("atlas/convex", r"R - \min R \ge 0, \; R'' > 0", source, check=convex),
    ]


EXPERIMENT = Experiment(
    name="atlas",
    title="An atlas of parameterizations and the potentials that govern them",
    caption=(
        "Each parameterization with its derived potential and metric; then R − min R, the metric 1/R″ and the local "
        "exponent of R, for some decays A or initial values, which γ multiplies. Where no closed form exists the "
        "potential comes from a flow that is integrated, and is marked so."
    ),
    expectation=(
        "Theory: every separable parameterization has a potential, convex on its domain, whose metric is ‖∇g‖² along "
        "the flow, and which is quadratic at its minimum."
    ),
    configuration={"default": Settings(), "quick": Settings(("u", "u**2", "u**2 - v**2", "exp(u)"), points=41)},
    compute=compute,
    draw=draw,
    claims=claims,
)
