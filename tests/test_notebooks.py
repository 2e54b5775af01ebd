"""Every notebook runs, its cells compute what its text says, and its committed export is up to date."""

import base64
import email
import itertools
import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest

import implicit_bias as ib

pytest.importorskip("marimo")
pytest.importorskip("nbformat")

import nbformat
from matplotlib import pyplot as plt
from typer.testing import CliRunner

from derivations.mask_in_the_mirror.potential import theorem_2_1, theorem_3_1
from experiments.notebooks import export
from implicit_bias import notebooks
from implicit_bias.claims.verdict import Outcome
from implicit_bias.cli import app
from implicit_bias.plotting import Picture

ROOT = Path(__file__).resolve().parents[1]

LARGEST = 1_000_000  # bytes
FORBIDDEN = {
    "a machine's path": re.compile(r"/(?:home|root|tmp|Users|private|var|opt|work|mnt|venv)/"),
    "a path on Windows": re.compile(r"[A-Z]:\\\\Users"),
    "a memory address": re.compile(r"\bat 0x[0-9a-f]{6,}"),
    "a marimo component": re.compile(r"<marimo-"),
}


def close(value, wanted, tolerance):
    return abs(value - wanted) <= tolerance


def same_formula(defs, claim):
    """The notebook's claim has the formula of the ledger's, and its verdict with the correction agrees."""
    ours, theirs = defs[claim.check.__name__].statement.formula, claim.statement.formula
    assert ours == theirs
    assert defs["verdict"].outcome is Outcome.REFUTED
    assert defs["verdict"].correction.verdict.outcome is Outcome.PROVED


def ten_minutes(defs):
    assert defs["distance"] < 1e-6  # the flow has not quite ended
    assert defs["limit"].error_bound < 1e-10
    assert defs["error"] < 0.5 * defs["least_squares_error"]
    same_formula(defs, theorem_2_1)
    exact = (ib.HyperbolicEntropy(scale=np.exp(-4 * dose) / 2) for dose in (defs["enough"], defs["enough"] - 0.25))
    problem = defs["problem"]
    off = [np.linalg.norm(ib.bregman_projection(problem, R).x - problem.truth) for R in exact]
    assert off[0] < 0.01 * np.linalg.norm(problem.truth) < off[1]


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
    assert str(defs["growing"].mirror_map) == "atan(x) - atan(sinh(u0))"
    assert close(defs["growing_exponents"], [2.0, 1.0], 1e-2).all()


def l2_to_l1(defs):
    assert defs["gap_l2"] < 1e-8
    assert defs["gap_l1"] < 1e-6
    assert np.max(np.diff(defs["l1"])) < 1e-9
    assert np.min(np.diff(defs["l2"])) > -1e-9
    assert max(defs["decay_gaps"].values()) < 1e-6
    assert all(close(np.log(scale), -4 * dose, 1e-12) for dose, scale in defs["reached"].items())
    assert not defs["networks"].diverged.any()
    assert defs["excess"] < 0.05
    assert close(defs["needed_scale"], 1e-3, 1e-15)


def where_does_my_run_end(defs):
    flow, prediction, own = (defs["distances"][key] for key in ("flow", "prediction", "own"))
    assert own.max() < 1e-12
    assert np.all(flow[1:3] / flow[:2] > 1.9)
    assert np.all(flow[1:3] / flow[:2] < 2.3)
    assert np.all(prediction[1:3] / prediction[:2] > 3.6)
    assert np.all(prediction < flow)
    assert all(gap["prediction"] < gap["flow"] and gap["own"] < 1e-12 for gap in defs["gaps"].values())
    beyond = defs["factors"] > 1
    assert close(defs["stable_up_to"][~beyond] / defs["critical"], 1, 5e-3).all()
    assert np.all(defs["stable_up_to"] > defs["factors"] * defs["critical"])
    assert defs["status"] is ib.Status.UNSTABLE
    assert defs["bold_gap"] < 1e-12
    # The text on scales: each run's own products, which know gradients and strengths alone, say the same.
    runs = defs["runs"]
    for k in range(len(defs["steps"])):
        gain = np.log(0.5) - 4 * runs.decay[-1, k] - runs.products["log_scale"][-1, k]
        assert close(gain, runs.gain(run=k), 1e-9).all()
    assert close(defs["answer"], 0.1 / 6, 1e-15)
    assert close(defs["moved"]["ball"], defs["moved"]["plain"], 0.1 * defs["moved"]["plain"])


def check_a_paper(defs):
    assert defs["residuals"]["derived"].max() < 1e-9
    assert defs["residuals"]["stated"].max() > 0.1
    assert defs["verdict"].outcome is Outcome.REFUTED
    assert defs["own_verdict"].outcome is Outcome.REFUTED
    assert defs["own_verdict"].residual > 1e-3
    assert defs["own_verdict"].correction.verdict.outcome is Outcome.PROVED
    assert abs(defs["measured"]["claimed"] - defs["measured"]["integrated"]) > 1e-3
    assert [change for change, outcome in defs["outcomes"].items() if outcome != "REFUTED"] == ["all × 2"]
    same_formula(defs, theorem_3_1)
    assert [verdict.outcome.value for verdict in defs["checked"].verdicts.values()].count("REFUTED") == 2
    assert (defs["repaired"].outcome, defs["slower"].outcome) == (Outcome.PROVED, Outcome.REFUTED)


def sparsify(defs):
    assert defs["unchanged"] < 1e-5
    assert all(result.history[-1].test_accuracy > 0.9 for result in defs["results"].values())
    assert defs["results"]["pilot"].history[-1].l1_norm < 0.5 * defs["results"]["dense"].history[-1].l1_norm
    assert defs["accuracy"]["pilot"] > defs["accuracy"]["dense"]
    assert max(defs["relative"].values()) < 1e-2
    assert all(defs["halved"][name] < 0.6 * residual for name, residual in defs["relative"].items())
    assert defs["spared"]["pilot"] > defs["spared"]["dense"]


def design_a_bias(defs):
    assert max(defs["gaps"].values()) < 1e-5
    assert defs["gaps"][2.0] < 1e-9
    assert defs["bounded_gap"] < 1e-5
    assert "kink" in defs["refusal"]
    assert str(defs["wished"].output) == "sinh(u)"


CHECKS = {
    check.__name__: check
    for check in (
        ten_minutes, derive_your_own, l2_to_l1, where_does_my_run_end, check_a_paper, sparsify, design_a_bias
    )
}  # fmt: skip


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
    assert 8 <= len(document.cells) <= 26
    outputs = [output for cell in document.cells for output in cell.get("outputs", ())]
    assert {output.output_type for output in outputs} == {"display_data"}
    pictures = [output.data["image/png"] for output in outputs if "image/png" in output.data]
    assert pictures
    assert all(base64.b64decode(picture).startswith(b"\x89PNG") for picture in pictures)
    assert document.cells[0].source.startswith("# ")
    # Whoever sees no picture reads what there is to see, in the metadata of the output and in place of the picture.
    for output in outputs:
        if "image/png" in output.data:
            assert len(output.metadata["image/png"]["alt"]) > 40
            assert output.data["text/plain"] == output.metadata["image/png"]["alt"]


@pytest.mark.parametrize("name", export.NAMES)
def test_drawing_is_folded_and_exercises_have_folded_answers(name):
    """Code that draws is folded, in marimo and in the export, and so is each answer, with the code that finds it."""
    cells = committed(name).cells
    drawing = [cell for cell in cells if cell.cell_type == "code" and "plt.subplots(" in cell.source]
    assert drawing
    for cell in drawing:
        assert cell.metadata["jupyter"]["source_hidden"], cell.source
        assert cell.metadata["tags"] == ["hide-input"]
        assert not re.search(r"\b(gradient_flow|mirror_flow|descent|bregman_projection|train|ensemble)\(", cell.source)
    exercises = [number for number, cell in enumerate(cells) if "## Exercise" in cell.source]
    assert exercises
    for number in exercises:
        answer = cells[number + 1]
        assert answer.cell_type == "markdown"
        assert answer.source.startswith("<details>\n<summary>Answer</summary>")
        assert answer.source.endswith("</details>")
    assert not any("///" in cell.source for cell in cells)


def test_a_picture_needs_its_text():
    figure = plt.figure(figsize=(2.0, 1.0))
    plt.close(figure)
    page = Picture(figure, 'A "quoted" <b>')._repr_html_()
    assert 'alt="A &quot;quoted&quot; &lt;b&gt;"' in page
    assert "width:220px" in page
    with pytest.raises(ib.InputError, match="got an empty one"):
        Picture(figure, " ")


def test_all_notebooks_are_listed():
    """A notebook is a marimo file beside the exporter."""
    found = {path.stem for path in notebooks.FOLDER.glob("*.py")} - {"__init__"}
    assert found == set(export.NAMES) == set(CHECKS) == {path.stem for path in export.FOLDER.glob("*.ipynb")}


def test_the_command_writes_them_and_keeps_what_was_changed(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for _ in range(2):  # the second time nothing differs
        done = CliRunner().invoke(app, ["notebooks"])
        assert done.exit_code == 0
        assert "marimo edit notebooks/ten_minutes.py" in done.output
    assert {path.stem for path in Path("notebooks").iterdir()} == set(export.NAMES)
    changed = Path("notebooks", "sparsify.py")
    changed.write_bytes(b"# mine \xff\n")
    Path("notebooks", "l2_to_l1.py").unlink()
    done = CliRunner().invoke(app, ["notebooks"])
    assert done.exit_code == 2
    assert "implicit-bias notebooks: notebooks holds other files named sparsify.py: name another" in done.output
    assert changed.read_bytes() == b"# mine \xff\n"
    assert not Path("notebooks", "l2_to_l1.py").exists()


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """The wheel of this checkout, and a folder into which it is unpacked; the packages it needs are those here."""
    pytest.importorskip("hatch_fancy_pypi_readme")
    build = pytest.importorskip("hatchling.build")
    folder = tmp_path_factory.mktemp("wheel")
    here = Path.cwd()
    os.chdir(ROOT)
    try:
        name = build.build_wheel(str(folder))
    finally:
        os.chdir(here)
    with zipfile.ZipFile(folder / name) as archive:
        archive.extractall(folder / "installed")
    return folder / "installed"


@pytest.mark.parametrize("name", export.NAMES)
def test_notebooks_run_from_the_wheel(wheel, name, tmp_path):
    """A notebook is a script that runs from any folder, with nothing of the checkout in sight."""
    (wheel / "sitecustomize.py").write_text(
        "import sys\nsys.modules['derivations'] = sys.modules['experiments'] = None\n", "utf-8"
    )
    ours = os.environ | {"PYTHONPATH": str(wheel), "MPLBACKEND": "Agg", "OMP_NUM_THREADS": "1"}
    ask = "import implicit_bias as ib; print(ib.__file__); from implicit_bias.cli import app; app(['notebooks', '.'])"
    done = subprocess.run([sys.executable, "-c", ask], cwd=tmp_path, capture_output=True, text=True, env=ours)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(str(wheel))
    done = subprocess.run([sys.executable, f"{name}.py"], cwd=tmp_path, capture_output=True, text=True, env=ours)
    assert done.returncode == 0, done.stderr


def test_the_wheel_describes_itself_without_relative_links_or_development_extras(wheel):
    (file,) = wheel.glob("*.dist-info/METADATA")
    metadata = email.message_from_string(file.read_text("utf-8"))
    assert set(metadata.get_all("Provides-Extra")) == {
        "torch", "train", "judge", "experiments", "jax", "cluster", "explore", "notebooks"
    }  # fmt: skip
    assert not re.search(r"pytest|pdoc|ruff|pyright|playwright|nbformat", " ".join(metadata.get_all("Requires-Dist")))
    text, readme = metadata.get_payload(), (ROOT / "README.md").read_text("utf-8")
    assert re.findall(r"\]\((?!https?:)", readme)
    assert re.findall(r"\]\((?!https?:)", text) == []
    assert "![" not in text
    assert re.findall(r"```.*?```", text, re.DOTALL) == re.findall(r"```.*?```", readme, re.DOTALL)
    assert metadata.get_all("Project-URL") is None  # there is no public address


def test_no_program_of_the_project_is_in_the_wheel(wheel):
    assert {path.name.partition("-")[0] for path in wheel.iterdir()} <= {
        "implicit_bias", "sitecustomize.py", "__pycache__"
    }  # fmt: skip
    assert (wheel / "implicit_bias" / "notebooks" / "ten_minutes.py").is_file()


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
