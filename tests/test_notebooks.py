"""Every notebook runs, its cells compute what its text says, and its committed export is up to date."""

import base64
import itertools
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import derivations

pytest.importorskip("marimo")
pytest.importorskip("nbformat")

import nbformat
from matplotlib import pyplot as plt

from experiments.notebooks import export
from implicit_bias.claims.verdict import Outcome

LARGEST = 1_000_000  # bytes
FORBIDDEN = {
    "a machine's path": re.compile(r"/(?:home|root|tmp|Users|private|var|opt|work|mnt|venv)/"),
    "a path on Windows": re.compile(r"[A-Z]:\\\\Users"),
    "a memory address": re.compile(r"\bat 0x[0-9a-f]{6,}"),
    "a marimo component": re.compile(r"<marimo-"),
}


def close(value, wanted, tolerance):
    return abs(value - wanted) <= tolerance


def ten_minutes(defs):
    assert defs["distance"] < 1e-6  # the flow has not quite ended
    assert defs["limit"].error_bound < 1e-10
    assert defs["error"] < 0.5 * defs["least_squares_error"]
    assert defs["verdict"].outcome is Outcome.REFUTED
    assert defs["verdict"].correction.verdict.outcome is Outcome.PROVED


def derive_your_own(defs):
    assert defs["complaints"]["sigmoid(m)*w"] == "fine"
    assert all(answer != "fine" for formula, answer in defs["complaints"].items() if formula != "sigmoid(m)*w")
    assert not defs["report"].holds
    assert defs["gaps"]["m²"] > 0.1
    assert defs["gaps"]["m² + w²"] < 1e-8
    assert [len(found) for found in defs["regularizers"].values()] == [2, 2, 1, 1, 2]
    assert defs["derivation"].proved
    assert defs["difference"] < 1e-9
    widths = [float(np.max(high) - np.min(low)) for low, high in defs["ranges"].values()]
    assert all(narrow < wide for wide, narrow in itertools.pairwise(widths))
    assert max(defs["residual"].values()) < 1e-9


def l2_to_l1(defs):
    assert defs["gap_l2"] < 1e-8
    assert defs["gap_l1"] < 1e-6
    assert np.max(np.diff(defs["l1"])) < 1e-9
    assert np.min(np.diff(defs["l2"])) > -1e-9
    assert max(defs["decay_gaps"].values()) < 1e-6
    assert all(close(np.log(scale), -4 * dose, 1e-12) for dose, scale in defs["reached"].items())
    assert not defs["networks"].diverged.any()
    assert defs["excess"] < 0.05


def check_a_paper(defs):
    assert defs["residuals"]["derived"].max() < 1e-9
    assert defs["residuals"]["stated"].max() > 0.1
    assert defs["verdict"].outcome is Outcome.REFUTED
    assert defs["own_verdict"].outcome is Outcome.REFUTED
    assert defs["own_verdict"].residual > 1e-3
    assert defs["own_verdict"].correction.verdict.outcome is Outcome.PROVED
    assert abs(defs["measured"]["claimed"] - defs["measured"]["integrated"]) > 1e-3
    assert [change for change, outcome in defs["outcomes"].items() if outcome != "REFUTED"] == ["all × 2"]
    claims = derivations.ledger()  # of what was observed on networks nothing else is proved
    observed = sum(
        outcome == "REFUTED" and claims[name].observation
        for name, outcome in derivations.recorded().items()
        if name in claims
    )
    assert defs["tally"]["REFUTED"] == defs["corrections"].total() + observed


def sparsify(defs):
    assert defs["unchanged"] < 1e-5
    assert all(result.history[-1].test_accuracy > 0.9 for result in defs["results"].values())
    assert defs["results"]["pilot"].history[-1].l1_norm < 0.5 * defs["results"]["dense"].history[-1].l1_norm
    assert defs["accuracy"]["pilot"] > defs["accuracy"]["dense"]
    assert max(defs["relative"].values()) < 1e-2
    assert all(defs["halved"][name] < 0.6 * residual for name, residual in defs["relative"].items())


def design_a_bias(defs):
    assert max(defs["gaps"].values()) < 1e-5
    assert defs["gaps"][2.0] < 1e-9
    assert defs["bounded_gap"] < 1e-5
    assert "kink" in defs["refusal"]


CHECKS = {
    check.__name__: check for check in (ten_minutes, derive_your_own, l2_to_l1, check_a_paper, sparsify, design_a_bias)
}


def committed(name):
    return nbformat.read(export.FOLDER / f"{name}.ipynb", as_version=4)


def sources(document, kind):
    return [cell.source for cell in document.cells if cell.cell_type == kind]


def without_numbers(text):
    return re.sub(r"\d[\d.,]*(?:e[+-]?\d+)?", "#", text)


@pytest.mark.parametrize("name", export.NAMES)
def test_notebook_runs_and_keeps_its_word(name):
    """A notebook runs, its numbers are those that the text states, and the committed export has the same cells."""
    document, defs = export.execute(name)
    assert plt.get_fignums() == []
    CHECKS[name](defs)
    stored = committed(name)
    assert sources(stored, "code") == sources(document, "code"), "stale: run make notebooks"
    # Processors round differently, so numbers in text may differ in their last digits.
    texts = [[without_numbers(text) for text in sources(each, "markdown")] for each in (stored, document)]
    assert texts[0] == texts[1], "stale: run make notebooks"
    kinds = [[[sorted(o.data) for o in cell.get("outputs", ())] for cell in each.cells] for each in (stored, document)]
    assert kinds[0] == kinds[1], "stale: run make notebooks"


@pytest.mark.parametrize("name", export.NAMES)
def test_export_is_clean(name):
    path = export.FOLDER / f"{name}.ipynb"
    text = path.read_text(encoding="utf-8")
    assert len(text.encode()) < LARGEST
    readable = re.sub(r'base64,[\w+/=]+|"image/png": "[^"]*"', "", text)  # an encoded picture may spell anything
    for what, pattern in FORBIDDEN.items():
        assert not pattern.search(readable), f"{path.name} holds {what}"
    document = committed(name)
    nbformat.validate(document)
    assert 8 <= len(document.cells) <= 16
    outputs = [output for cell in document.cells for output in cell.get("outputs", ())]
    assert {output.output_type for output in outputs} == {"display_data"}
    pictures = [output.data["image/png"] for output in outputs if "image/png" in output.data]
    assert pictures
    assert all(base64.b64decode(picture).startswith(b"\x89PNG") for picture in pictures)
    assert document.cells[0].source.startswith("# ")


def test_all_notebooks_are_listed():
    """A notebook is a marimo file beside the exporter."""
    found = {path.stem for path in export.FOLDER.glob("*.py")} - {"export"}
    assert found == set(export.NAMES) == set(CHECKS) == {path.stem for path in export.FOLDER.glob("*.ipynb")}


def test_a_notebook_is_a_script(tmp_path):
    """``python notebook.py`` runs a notebook from any folder; we try the quickest."""
    done = subprocess.run(
        [sys.executable, export.FOLDER / "check_a_paper.py"], cwd=tmp_path, capture_output=True, text=True, timeout=300,
        env=os.environ | {"MPLBACKEND": "Agg"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


def test_slider_and_unknown_output():
    """The export turns a slider into a sentence, as a page has no slider to move."""
    mo = pytest.importorskip("marimo")
    cell, slider = nbformat.v4.new_code_cell("decay"), mo.ui.slider(0, 2, step=0.5, value=1.5)
    export._fill(cell, slider, {id(slider): "decay"})
    assert "`decay.value` = 1.5" in cell.outputs[0].data["text/markdown"]
    with pytest.raises(SystemExit, match="no_such"):
        export.main(["no_such"])


def test_experiments_do_not_see_the_folder():
    from experiments import registry

    assert "notebooks" not in registry()
    assert not (Path(export.FOLDER) / "__init__.py").exists()
