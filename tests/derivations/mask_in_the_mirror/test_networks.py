"""The preprint's statements on networks: recomputed from the recorded differences by SciPy, and no errata."""

import json

import numpy as np
import pytest
from scipy import stats

from derivations.errata import errata
from derivations.mask_in_the_mirror import PAPER, networks
from implicit_bias import Ledger, Outcome, Verdict

ROOT = networks.FIGURES.parent
CLAIMS = {claim.id.removeprefix(f"{PAPER.key}/"): claim for claim in PAPER.claims if claim.module.endswith(".networks")}


def test_the_margin_is_that_of_the_plan():
    from experiments.mask_in_the_mirror import comparisons

    assert comparisons.MARGIN == networks.MARGIN


@pytest.mark.parametrize("name", CLAIMS)
def test_decided_verdicts_have_the_sign_of_students_interval(name):
    """A decision of the family is one of each comparison alone; and the figure's own verdict is the same."""
    _, figure, key, network = name.split("-")
    with np.load(ROOT / "figures" / f"figure{figure}" / "data.npz") as data:
        n = list(data["network"]).index(network)
        wanted = {
            "baseline": "mask minus dense", "l1": "mask minus l1", "spred": "mask minus spred", "imp": "imp",
            "lrr": "lrr", "competes": "imp with the mask against lrr",
        }[key]  # fmt: skip
        rows = [
            data["difference"][n][k][: data["seeds"][n]]
            for k, each in enumerate(data["comparison"])
            if str(each).split(" at ")[0] == wanted
        ]
    assert len(rows) == (3 if figure == "2" else 1)
    intervals = [stats.ttest_1samp(row, 0).confidence_interval(0.95) for row in rows]
    outcome = CLAIMS[name].verdict().outcome
    if outcome is Outcome.SUPPORTED:
        assert all(low > 0 for low, _ in intervals)
    elif outcome is Outcome.REFUTED:
        assert any(high < 0 for _, high in intervals)
    saved = json.loads((ROOT / "figures" / f"figure{figure}" / "manifest.json").read_text("utf-8"))["verdicts"]
    twin = {
        "baseline": "mask-ahead-of-dense", "l1": "mask-ahead-of-l1", "spred": "mask-ahead-of-spred",
        "imp": "mask-improves-imp", "lrr": "mask-improves-lrr", "competes": "imp-with-the-mask-competes-with-lrr",
    }[key]  # fmt: skip
    assert saved[f"figure{figure}/{network}/{twin}"]["outcome"] == outcome.value


def test_what_fails_on_other_networks_is_no_erratum():
    refuted = [claim for claim in CLAIMS.values() if claim.verdict().outcome is Outcome.REFUTED]
    assert refuted
    text = errata(Ledger(refuted, papers=[PAPER]).run())
    assert "main text on figure" not in text


def test_a_failed_run_decides_nothing(tmp_path, monkeypatch):
    with np.load(networks.FIGURES / "figure2" / "data.npz") as data:
        changed = dict(data)
    changed["difference"][0, 0, 3] = np.nan
    (tmp_path / "figure2").mkdir()
    np.savez(tmp_path / "figure2" / "data.npz", **changed)
    monkeypatch.setattr(networks, "FIGURES", tmp_path)
    verdict = networks.judged("figure2", "lenet", str(changed["comparison"][0]).split(" at ")[0])
    assert isinstance(verdict, Verdict)
    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert "floating-point range" in verdict.evidence
