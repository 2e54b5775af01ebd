"""The answers to a page's questions, as plain data: what a formula is, what its picture shows, how a run goes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from functools import lru_cache
from math import isfinite
from typing import Any

import numpy as np

from implicit_bias.errors import InputError
from implicit_bias.explore.catalogue import CATALOGUE, DECAYS, SCALES, STEPS, usual_start
from implicit_bias.explore.deriving import derived
from implicit_bias.explore.refused import RefusedError, refusals
from implicit_bias.explore.run import train
from implicit_bias.explore.scene import Scene, compute, started_at
from implicit_bias.explore.script import script
from implicit_bias.explore.setting import Setting
from implicit_bias.explore.typeset import remark, typeset

LARGEST_NUMBER = 1e30  # that a page may ask for
_DIGITS = 6  # of numbers that are drawn
_CURVES = ("x", "potential", "mirror_map", "metric", "distance", "exponent")


def atlas() -> dict[str, Any]:
    """The parameterizations to choose from, and the values of sliders that are not even."""
    entries = [asdict(entry) for entry in CATALOGUE]
    return {"entries": entries, "scales": SCALES, "decays": DECAYS, "steps": STEPS}


def derive_atlas() -> None:
    """Derive all of the atlas, so that later it comes at once."""
    for entry in CATALOGUE:
        _formulas(entry.formula, entry.regularizer)


def answer(question: str, asked: object) -> dict[str, Any]:
    """Answer ``formulas``, ``picture`` or ``run``.

    Args:
        question: One of these names.
        asked: The data of a page: for ``formulas`` its two formulas, and the rest of a :class:`Setting` if it goes on
            from one; otherwise a setting and what changes.

    Returns:
        The answer, or ``refused``: the sentence, its field, and regularizers that would do.

    Raises:
        InputError: If the page asks for anything else.
    """
    if question not in _ANSWERS or not isinstance(asked, Mapping):
        raise InputError(f"expected an object for one of {', '.join(_ANSWERS)}, got {question!r}")
    try:
        return _ANSWERS[question](asked)
    except RefusedError as error:
        return {"refused": {"field": error.field, "sentence": str(error), "alternatives": list(error.alternatives)}}


def _formulas_answer(asked: Mapping[str, Any]) -> dict[str, Any]:
    found = _formulas(_text(asked, "formula").strip(), _text(asked, "regularizer").strip())
    return {**found, "restart": _restart(_setting(asked), found["names"], found["start"]) if "init" in asked else ""}


def _restart(setting: Setting, names: list[str], usual: Mapping[str, float]) -> str:
    """One sentence if a formula has no picture from the start of a setting but has one from its usual start."""
    if set(setting.init) != set(names):
        return ""
    kept = {name: setting.init[name] for name in names}
    if _is_drawn(replace(setting, init=kept)) or not _is_drawn(
        replace(setting, init={name: (value, value) for name, value in usual.items()})
    ):
        return ""
    start = ", ".join(f"{name}\u00a0=\u00a0{value:g}" for name, value in usual.items()).replace("-", "−")
    return f"This formula has no picture from the start of the last one, so it begins at its usual start: {start}."


def _is_drawn(setting: Setting) -> bool:
    try:
        compute(setting)
    except RefusedError:
        return False
    return True


@lru_cache(maxsize=128)
def _formulas(formula: str, regularizer: str) -> dict[str, Any]:
    # The start belongs to the formula: another regularizer leaves it where it is.
    alone, derivation = derived(formula, ""), derived(formula, regularizer)
    with refusals("formula"):
        start = usual_start(alone)
    return {
        "names": list(derivation.parameterization.params),
        "start": start,
        "formulas": typeset(derivation),
        "remark": remark(derivation),
    }


def _picture_answer(asked: Mapping[str, Any]) -> dict[str, Any]:
    setting = _setting(asked)
    if "start" in asked:
        setting = started_at(setting, _pair(asked["start"], "start"))
    window = asked.get("window")
    scene = compute(setting, None if window is None else _window(window))
    return {"init": {name: list(values) for name, values in setting.init.items()}, **_drawn(scene)}


def _drawn(scene: Scene) -> dict[str, Any]:
    return {
        "window": scene.window,
        "levels": _numbers(scene.levels),
        "landing_level": scene.landing_level,
        "start": scene.start.tolist(),
        "path": _numbers(scene.path),
        "time": _numbers(scene.time),
        "resolved": scene.resolved,
        "landing": scene.landing.tolist(),
        "gap": scene.gap,
        "minimum_l1": scene.minimum_l1.tolist(),
        "minimum_l2": scene.minimum_l2.tolist(),
        "curves": {name: _numbers(getattr(scene, name)) for name in _CURVES},
        "side": scene.side.tolist(),
        "landing_distance": _numbers(np.abs(scene.landing - scene.minimizer)),
        "landing_exponent": _numbers(scene.landing_exponent),
        "alike": scene.alike,
    }


def _run_answer(asked: Mapping[str, Any]) -> dict[str, Any]:
    setting = _setting(asked)
    run = train(setting, _number(asked.get("time"), "time"))
    return {
        "step": run.step,
        "x": _numbers(run.x),
        "limit": None if run.limit is None else run.limit.tolist(),
        "note": run.note,
        "script": script(setting),
    }


def _numbers(array: np.ndarray) -> Any:
    """An array as lists of numbers with as many digits as a picture shows, None for what is not finite."""
    if array.ndim > 1:
        return [_numbers(row) for row in array]
    return [float(f"{value:.{_DIGITS}g}") if isfinite(value) else None for value in array.tolist()]


def _setting(asked: Mapping[str, Any]) -> Setting:
    init = asked.get("init")
    if not isinstance(init, Mapping):
        raise InputError("init: expected an object of pairs")
    step = _number(asked.get("step"), "step")
    if step <= 0:
        raise InputError(f"step: expected a positive number, got {step:g}")
    return Setting(
        formula=_text(asked, "formula").strip(),
        init={str(name): _pair(pair, "init") for name, pair in init.items()},
        regularizer=_text(asked, "regularizer").strip() or None,
        decay=_number(asked.get("decay"), "decay"),
        z=_pair(asked.get("z"), "z"),
        y=_number(asked.get("y"), "y"),
        step=step,
    )


def _window(value: object) -> tuple[tuple[float, float], tuple[float, float]]:
    if not (isinstance(value, list) and len(value) == 2):
        raise InputError("window: expected two pairs")
    (left, right), (low, high) = found = _pair(value[0], "window"), _pair(value[1], "window")
    if not (right > left and high > low):
        raise InputError(f"window: expected increasing pairs, got {value}")
    return found


def _pair(value: object, name: str) -> tuple[float, float]:
    if not (isinstance(value, list) and len(value) == 2):
        raise InputError(f"{name}: expected two numbers")
    return _number(value[0], name), _number(value[1], name)


def _number(value: object, name: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) <= LARGEST_NUMBER:
        raise InputError(f"{name}: expected a number of at most {LARGEST_NUMBER:g} in size")
    return float(value)


def _text(asked: Mapping[str, Any], name: str) -> str:
    value = asked.get(name)
    if not isinstance(value, str):
        raise InputError(f"{name}: expected a text")
    return value


_ANSWERS: dict[str, Callable[[Mapping[str, Any]], dict[str, Any]]] = {
    "formulas": _formulas_answer,
    "picture": _picture_answer,
    "run": _run_answer,
}
