"""The exported script computes the same points and draws them, and a formula stays inside its string."""

import ast
import os
import subprocess
import sys

import numpy as np
import pytest

from implicit_bias.explore import Setting, compute, script, train
from implicit_bias.explore.catalogue import CATALOGUE

SETTINGS = [
    Setting("m*w", {"m": (1.0, 0.5), "w": (0.0, 0.1)}, "m**2 + w**2", decay=0.3, step=0.1),
    Setting("a*b*c", {"a": (0.5, 0.5), "b": (0.5, 0.5), "c": (0.5, 0.5)}),
    Setting("u**2", {"u": (0.2, 0.3)}, z=(1.0, -2.0), y=0.5),
]


@pytest.mark.parametrize("setting", SETTINGS, ids=lambda setting: setting.formula)
def test_the_lines_make_the_same_picture(setting, tmp_path):
    command = [sys.executable, "-W", "error", "-c", script(setting)]
    environment = {**os.environ, "MPLBACKEND": "agg"}
    run = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, env=environment)
    assert run.returncode == 0, run.stderr
    scene, steps = compute(setting), train(setting, 1e3)
    flow, limit, last = (
        np.array(line.split("[")[1].strip("]").split(), float) for line in run.stdout.splitlines()[-3:]
    )
    np.testing.assert_allclose(flow, scene.path[-1], atol=1e-6)
    np.testing.assert_allclose(limit, scene.landing, atol=1e-7)
    np.testing.assert_allclose(last, steps.x[-1], atol=1e-7)
    assert (tmp_path / "picture.png").stat().st_size > 10_000


def test_formulas_stay_strings():
    attack = "m')\nimport os; os.system('touch x') #\"\"\""
    tree = ast.parse(script(Setting(attack, {attack: (1.0, 1.0)}, attack)))
    imported = [alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names]
    assert imported == ["implicit_bias", "matplotlib.pyplot", "numpy"]
    assert sum(node.value == attack for node in ast.walk(tree) if isinstance(node, ast.Constant)) == 4


def test_every_entry_of_the_atlas_has_a_script():
    for entry in CATALOGUE:
        ast.parse(script(Setting(entry.formula, {name: (v, v) for name, v in entry.init.items()}, entry.regularizer)))
