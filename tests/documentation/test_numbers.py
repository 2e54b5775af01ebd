"""The measured numbers that pages state are the recorded ones."""

import csv
import re

import pytest

from tests.documentation.pages import ROOT, TEXTS

# The measured numbers that pages state. Neither make figures nor make bench writes here.
RECORDED = ROOT / "experiments" / "recorded" / "pages"


def measured(name, **wanted):
    """One number of the recorded benchmarks."""
    column = wanted.pop("column")
    with (RECORDED / f"{name}.csv").open(encoding="utf-8") as file:
        found = [row for row in csv.DictReader(file) if all(row[key] == value for key, value in wanted.items())]
    assert len(found) == 1, (name, wanted, found)
    return float(found[0][column])


def test_differences_of_the_results_are_those_of_the_table():
    """All of LeNet's, row by row, with what was decided; and the numbers in the sentences below them."""
    results = TEXTS["docs/results.md"]
    lenet = (RECORDED / "figure2.md").read_text("utf-8").split("## ")[1].splitlines()
    pairs = [line for line in lenet if line.startswith(("| difference", "| Mask −", "| PILoT −"))]
    assert len(pairs) == 11
    assert "\n".join([pairs[0], "| --- | --- | --- | --- |", *pairs[1:]]) in results
    in_turn = (RECORDED / "figure3.md").read_text("utf-8").split("## ")[1]
    for method in ("IMP", "LRR"):
        mean, half = re.search(rf"{method} with the mask − without: \+(\S+) ± (\S+)", in_turn).groups()
        assert f"{mean} ± {half}" in " ".join(results.split())
    onset = [line.split(" | ") for line in (RECORDED / "onset.md").read_text("utf-8").splitlines() if "±" in line]
    (first, *_, last), sentence = onset, " ".join(results.split())
    assert f"from {first[-2]} % at scale {first[3]} to {last[-2].split()[0]} % at {last[3]}." in sentence
    assert f"falls from {first[-3]} % to {last[-3]} %" in sentence
    assert f"grow from {float(first[-1].strip(' |')):.1g} % to {last[-1].strip(' |')} %" in sentence


def test_numbers_of_benchmarks_are_the_recorded_ones():
    def flow(method, end):
        return measured("flow", column="ratio", n="100", end=end, method=method)

    results, simulate = (" ".join(TEXTS[page].split()) for page in ("docs/results.md", "docs/simulate.md"))
    assert round(1 / flow("diffrax Dopri8", "10.0")) == 5
    assert int(flow("diffrax Dopri8", "10000.0")) == 25
    assert flow("SciPy DOP853", "10.0") == pytest.approx(1, abs=0.2)
    assert flow("SciPy DOP853", "10000.0") > 100
    assert "five times faster than it up to t = 10 and 25 times slower" in results
    assert "five times faster up to t = 10, and 25 times slower" in simulate
    for method, stated in (("SciPy DOP853", "DOP853 takes 1.4 times"), ("SciPy LSODA", "LSODA on m and w 0.8 times")):
        ratio = measured("decaying_flow", column="ratio", n="100", end="500.0", method=method)
        assert f"{ratio:.1f} times" in stated
        assert stated in simulate
    clarabel = measured("limit", column="ratio", n="10000", method="CVXPY + Clarabel, dual")
    assert round(clarabel) == 265
    assert "some 265 times faster" in results
    ensembles = measured("ensemble", column="ratio", method="ensemble, one run after another")
    for text in (results, simulate):
        assert f"train {round(ensembles)} times faster than one after another" in text
    for model, stated in (("convnet", "1.05"), ("lenet", "1.2")):
        ratio = measured("masked_step", column="ratio", model=model, variant="masked")
        assert f"{ratio:.3g}" == stated
        assert stated in results
    for method in ("dense", "mask"):
        ratio = measured("population", column="ratio", method=method, variant="population")
        assert f" {ratio:.2f} of" in results
