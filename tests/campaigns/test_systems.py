"""A sample of the campaign of hard systems, its record, and tests of its judge."""

import json
import math
from dataclasses import replace
from fractions import Fraction
from functools import cache

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
# Systems whose bound needs one term: without it the bound is false.
CARRIERS = [
    ("sizes", 5, "the rounding of the inverse mirror map"),
    ("single_row", 4, "the rounding of the inverse mirror map"),
    ("dependent_pairs", 24, "the distance that the gap allows, halved"),
    ("correlated", 12, "the distance that the gap allows, halved"),
    ("at_the_minimizer", 19, "the distance that the gap allows, halved"),
    ("mixed", 12, "the distance that the gap allows"),
    ("dependent_exactly", 7, "the low part of careful products"),
    ("scales_and_shifts", 8, "the low part of careful products"),
    ("dependent_sums", 22, "whether dependent rows agree exactly"),
    ("sparse", 37, "whether dependent rows agree exactly"),
    ("edge_of_range", 28, "whether dependent rows agree exactly"),
]


@cache
def judged(family, number):
    system = generate(family, number)
    return systems.judge(system, TRUTHS[system.digest])


def test_every_reference_is_kept():
    """The file has the reference of each system; after a change of a family, remove it and run the campaign."""
    assert {system.digest for system in systems.systems()} == set(TRUTHS)
    assert len(FAMILIES) >= 12


@pytest.mark.parametrize("family", FAMILIES)
def test_nothing_false_is_said(family):
    assert [j for number in SAMPLE if (j := judged(family, number)).offences] == []


@pytest.mark.parametrize(("family", "number", "term"), CARRIERS)
def test_each_term_carries_a_bound(family, number, term):
    assert judged(family, number).offences == (), term


def test_hardly_anything_is_given_up():
    solvable = [j for family in FAMILIES for number in SAMPLE if (j := judged(family, number)).is_solvable]
    assert len(solvable) > 50
    assert [j for j in solvable if not j.is_solved][1:] == []


def test_record():
    """In the recorded campaign nothing false was said and nearly every solvable system was solved."""
    total, families = RECORD["all"], RECORD["families"]
    assert total["systems"] == systems.COUNT
    assert set(families) == set(FAMILIES)
    assert {offence: total[offence] for offence in systems.OFFENCES} == dict.fromkeys(systems.OFFENCES, 0)
    assert total["solved"] >= 0.98 * total["solvable"]
    for family, row in families.items():
        assert row["solved"] >= 0.9 * row["solvable"], family
    assert total["bound_over_error"][1] <= 1e3


def test_references_solve_their_systems():
    """In rational numbers the stored x solves Zx = y to all of the digits that two doubles hold."""
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
    """With one row the stored x is a sinh(r z t) for the only t that gives y, by Newton's method in one variable."""
    system = generate("single_row", number)
    truth, rate = TRUTHS[system.digest], system.response.rate
    with mp.workdps(60):
        row, scale = [list(map(mp.mpf, v.tolist())) for v in (system.Z[0], system.response.scale)]
        target = mp.mpf(float(abs(system.y[0])))
        # The t at which one weight alone gives y is too large; zᵀx is convex and increases, so t falls to the zero.
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
        (PLAIN, FEASIBLE, answer([1e-9, 1.0 - 5e-10], 1.1e-9), ("violated",)),
        (PLAIN, FEASIBLE, answer([1e-9, 1.0 - 5e-10], 1.2e-9), ()),
        (PLAIN, FEASIBLE, answer([1e-9, 1.0 - 5e-10], 1.1e-9, ib.Status.STALLED), ("violated",)),
        (PLAIN, FEASIBLE, answer([5.0, 1.0], math.inf, ib.Status.STALLED), ()),
        (PLAIN, FEASIBLE, answer([5.0, 1.0], math.nan, ib.Status.STALLED), ("violated",)),
        (PLAIN, FEASIBLE, answer([5.0, 1.0], 6.0), ("misfit",)),
        (PLAIN, FEASIBLE, answer([math.inf, 1.0], 1.0, ib.Status.NOT_FINITE), ("violated",)),
        (PLAIN, FEASIBLE, answer([5.0, 1.0], math.inf, ib.Status.INFEASIBLE), ("wrong infeasible", "no certificate")),
        (PLAIN, replace(FEASIBLE, exponent=-400), answer([0.0, 2.0**-400], 2.0**-440, ib.Status.STALLED), ()),
        (
            PLAIN,
            replace(FEASIBLE, exponent=-400),
            answer([0.0, 1.1 * 2.0**-400], 2.0**-440, ib.Status.STALLED),
            ("violated",),
        ),
        (TWICE, INFEASIBLE, answer([1.0, 0.0, 0.0], 1e-3), ("violated", "misfit", "missed")),
        (TWICE, INFEASIBLE, answer([1.0, 0.0, 0.0], math.inf, ib.Status.STALLED), ("missed",)),
        (TWICE, replace(INFEASIBLE, distance=1e-9), answer([1.0, 0.0, 0.0], math.inf, ib.Status.STALLED), ()),
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
