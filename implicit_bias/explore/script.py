"""The Python lines that make a picture again."""

from __future__ import annotations

from implicit_bias.explore.setting import Setting


def script(setting: Setting) -> str:
    """Return lines that draw a setting and derive its numbers by hand; formulas appear in them as strings only."""
    values = {name: tuple(float(value) for value in pair) for name, pair in setting.init.items()}
    regularizer = setting.regularizer or None
    return f"""\
from pathlib import Path

import implicit_bias as ib
from implicit_bias import plotting
from implicit_bias.explore import Setting, compute, draw

setting = Setting(
    formula={setting.formula!r},
    init={values!r},  # of the two weights
    regularizer={regularizer!r},
    decay={float(setting.decay)!r},
    z={tuple(map(float, setting.z))!r},
    y={float(setting.y)!r},
    step={setting.step!r},
)
scene = compute(setting)
plotting.save(draw(scene), Path("."), "picture")  # picture.png, .svg and .pdf

# The same point by hand.
parameterization = ib.Parameterization(setting.formula, list(setting.init))
derivation = ib.derive(parameterization, setting.regularizer)
potential = derivation.at(setting.init, setting.decay)
limit = ib.bregman_projection(ib.Regression([setting.z], [setting.y]), potential)
print(derivation.latex())
print("the flow ends at", scene.path[-1])
print("argmin R on the line", limit.x)
"""
