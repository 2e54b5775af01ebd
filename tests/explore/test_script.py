"""The exported script draws the same picture, and a formula stays inside its string."""

import ast
import subprocess
import sys

import numpy as np
import pytest

from implicit_bias.explore import Setting, compute, draw, script
from implicit_bias.explore.picture import svg


@pytest.mark.parametrize(
    "setting",
    [
        Setting("m*w", {"m": (1.0, 0.5), "w": (0.0, 0.1)}, "m**2 + w**2", decay=0.3, step=0.1),
        Setting("a*b*c", {"a": (0.5, 0.5), "b": (0.5, 0.5), "c": (0.5, 0.5)}),
    ],
    ids=lambda setting: setting.formula,
)
def test_the_lines_make_the_same_picture(setting, tmp_path):
    run = subprocess.run(
        [sys.executable, "-W", "error", "-c", script(setting)], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    scene = compute(setting)
    drawn = (tmp_path / "picture.svg").read_text("utf-8")
    assert drawn[drawn.index("<svg") :] == svg(draw(scene))
    ends, limit = (np.array(line.split("[")[1].strip("]").split(), float) for line in run.stdout.splitlines()[-2:])
    np.testing.assert_allclose(ends, scene.path[-1], atol=1e-7)
    np.testing.assert_allclose(limit, scene.landing, atol=1e-7)


def test_formulas_stay_strings():
    attack = "m')\nimport os; os.system('touch x') #\"\"\""
    tree = ast.parse(script(Setting(attack, {attack: (1.0, 1.0)}, attack)))
    assert [node.names[0].name for node in ast.walk(tree) if isinstance(node, ast.Import)] == ["implicit_bias"]
    assert sum(node.value == attack for node in ast.walk(tree) if isinstance(node, ast.Constant)) == 3
