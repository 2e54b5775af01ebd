"""A sample of the campaign of hard systems, its record, and whether the judge sees what it is there to see."""

import json
import math
from dataclasses import replace
from fractions import Fraction

import mpmath as mp
import numpy as np
import pytest

import implicit_bias as ib
from tests.campaigns import systems
from tests.campaigns.system_families import FAMILIES, Response, System, generate
from tests.campaigns.system_truth import Truth, load

TRUTHS = load(systems.RECORD / "systems.npz")
RECORD = json.loads((systems.RECORD / "systems.json").read_text("utf-8"))
SAMPLE = range(3)  # of each family


def judged(family, number):
    system = generate(family, number)
    return systems.judge(system, TRUTHS[system.digest])


def test_every_reference_is_kept():
    """Whoever changes a family runs the campaign again, which proves what is new."""
    assert {system.digest for system in systems.systems()} == set(TRUTHS)
    assert len(FAMILIES) >= 12


@pytest.mark.parametrize("family", FAMILIES)
def test_nothing_false_is_said(family):
    judgements = [judged(family, number) for number in SAMPLE]
    assert [j for j in judgements if j.offences] == []
    assert all(j.is_solved for j in judgements if j.is_solvable)


def test_record():
    """The whole campaign: nothing false, and hardly ever given up."""
    total, families = RECORD["all"], RECORD["families"]
    assert total["systems"] == systems.COUNT
    assert set(families) == set(FAMILIES)
    assert {offence: total[offence] for offence in systems.OFFENCES} == dict.fromkeys(systems.OFFENCES, 0)
    assert total["solved"] >= 0.98 * total["solvable"]
    for family, row in families.items():
        assert row["solved"] >= 0.9 * row["solvable"], family
    assert total["bound_over_error"][1] <= 1e3


def test_references_solve_their_systems():
    """Zx = y for the stored x, in rational numbers, to all of the digits that two doubles hold."""
    for system in systems.systems(count=200):
        truth = TRUTHS[system.digest]
        if truth.kind != "feasible":
            continue
        unit = Fraction(2) ** truth.exponent
        x = [(Fraction(a) + Fraction(b)) * unit for a, b in zip(truth.high.tolist(), truth.low.tolist(), strict=True)]
        size = sum(map(abs, x))
        for row, value in zip(system.Z.tolist(), system.y.tolist(), strict=True):
            terms = [Fraction(entry) * weight for entry, weight in zip(row, x, strict=True)]
            largest = max(map(abs, row))
            assert abs(sum(terms) - Fraction(value)) <= Fraction(1e-30) * Fraction(largest) * size


@pytest.mark.parametrize("number", range(0, 40, 3))
def test_references_of_one_row(number):
    """With one row, x_i = a sinh(r z_i t) for the only t that gives y: by Newton's method in one variable."""
    system = generate("single_row", number)
    truth, rate = TRUTHS[system.digest], system.response.rate
    with mp.workdps(60):
        row, scale = [list(map(mp.mpf, v.tolist())) for v in (system.Z[0], system.response.scale)]
        target = mp.mpf(float(abs(system.y[0])))
        # From where one weight alone explains y; a convex increasing function lets Newton's method fall to its zero.
        t = min(mp.asinh(target / (a * abs(z))) / (rate * abs(z)) for a, z in zip(scale, row, strict=True) if z)
        for _ in range(40):
            x = [a * mp.sinh(rate * z * t) for a, z in zip(scale, row, strict=True)]
            slope = sum(rate * a * z * z * mp.cosh(rate * z * t) for a, z in zip(scale, row, strict=True))
            t -= (mp.fdot(row, x) - target) / slope
        size = max(map(abs, x)) or mp.mpf(1)
        sign, unit = mp.sign(float(system.y[0])), mp.mpf(2) ** truth.exponent
        got = [(mp.mpf(h) + mp.mpf(v)) * unit for h, v in zip(truth.high.tolist(), truth.low.tolist(), strict=True)]
        assert max(abs(v - sign * w) for v, w in zip(got, x, strict=True)) <= mp.mpf(10) ** -30 * size


PLAIN = System("", 0, np.array([[1.0, 2.0]]), np.array([2.0]), Response(np.array([1e-300, 1e-300])))
TWICE = System("", 0, np.array([[1.0, 2.0, 0.0], [2.0, 4.0, 0.0]]), np.array([1.0, 3.0]), Response(np.ones(3)))
FEASIBLE = Truth("feasible", 1.0, 0.0, np.array([0.0, 1.0]), np.zeros(2))
INFEASIBLE = Truth("infeasible", 1.0, 0.2)


def answer(x, bound, status=ib.Status.CONVERGED, certificate=None):
    return ib.Projection(np.array(x), np.zeros(1), 0.0, bound, 1, status, certificate)


@pytest.mark.parametrize(
    ("system", "truth", "found", "offences"),
    [
        (PLAIN, FEASIBLE, answer([0.0, 1.0], 1e-15), ()),
        (PLAIN, FEASIBLE, answer([0.0, 1.0], 0.0), ()),
        (PLAIN, FEASIBLE, answer([1e-9, 1.0], 0.99e-9), ("violated",)),
        (PLAIN, FEASIBLE, answer([1e-9, 1.0], 1.01e-9), ()),
        (PLAIN, FEASIBLE, answer([1e-9, 1.0], 0.99e-9, ib.Status.STALLED), ("violated",)),
        (PLAIN, FEASIBLE, answer([5.0, 1.0], math.inf, ib.Status.STALLED), ()),
        (PLAIN, FEASIBLE, answer([5.0, 1.0], math.nan), ("violated",)),
        (PLAIN, FEASIBLE, answer([math.inf, 1.0], 1.0, ib.Status.NOT_FINITE), ("violated",)),
        (PLAIN, FEASIBLE, answer([5.0, 1.0], math.inf, ib.Status.INFEASIBLE), ("wrong infeasible", "no certificate")),
        (PLAIN, replace(FEASIBLE, exponent=-400), answer([0.0, 2.0**-400], 2.0**-440), ()),
        (PLAIN, replace(FEASIBLE, exponent=-400), answer([0.0, 1.1 * 2.0**-400], 2.0**-440), ("violated",)),
        (TWICE, INFEASIBLE, answer([1.0, 0.0, 0.0], 1e-3), ("violated", "missed")),
        (TWICE, INFEASIBLE, answer([1.0, 0.0, 0.0], math.inf), ("missed",)),
        (TWICE, replace(INFEASIBLE, distance=1e-9), answer([1.0, 0.0, 0.0], math.inf), ()),
        (TWICE, INFEASIBLE, answer([1.0, 0.0, 0.0], math.inf, ib.Status.INFEASIBLE, np.array([2.0, -1.0])), ()),
        (
            TWICE,
            INFEASIBLE,
            answer([1.0, 0.0, 0.0], math.inf, ib.Status.INFEASIBLE, np.array([2.0, -1.0 - 1e-14])),
            ("no certificate",),
        ),
        (
            replace(TWICE, y=np.array([1.0, 2.0 + 4 * systems.EPS])),
            INFEASIBLE,
            answer([1.0, 0.0, 0.0], math.inf, ib.Status.INFEASIBLE, np.array([2.0, -1.0])),
            ("no certificate",),
        ),
    ],
)
def test_the_judge_sees(system, truth, found, offences, monkeypatch):
    monkeypatch.setattr(ib, "bregman_projection", lambda *_, **__: found)
    assert systems.judge(system, truth).offences == offences
    assert systems.judge(system, truth).is_solved == (found.status is ib.Status.CONVERGED and found.error_bound < 9)


def test_the_judge_goes_on(monkeypatch):
    def fail(*_, **__):
        raise ZeroDivisionError

    monkeypatch.setattr(ib, "bregman_projection", fail)
    judgement = systems.judge(PLAIN, FEASIBLE)
    assert (judgement.offences, judgement.status) == (("raised",), "ZeroDivisionError")
    assert not judgement.is_solved


def test_campaign_writes_its_record(tmp_path, capsys):
    assert systems.main(["--count", "2", "--family", "gaussian", "--record", str(tmp_path)]) == 0
    assert "| gaussian | 2 | 2 converged, bound | 0 |" in capsys.readouterr().out
    assert json.loads((tmp_path / "systems.json").read_text("utf-8"))["all"]["solved"] == 2
    assert "solved" in (tmp_path / "systems.md").read_text("utf-8")
