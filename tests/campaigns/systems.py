"""Campaign: Bregman projections of 1,000 hard systems against proved solutions of at least 30 digits.

    python -m tests.campaigns.systems [--count 1000] [--seed S] [--family NAME] [--cache FILE] [--record FOLDER]

References are slow, so a file keeps them by a hash of their system; to prove new ones takes python-flint. The library's
answers are judged in seconds.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
from scipy.sparse import csr_array
from scipy.sparse.linalg import aslinearoperator

import implicit_bias as ib
from tests.campaigns.system_families import FAMILIES, SEED, System, generate
from tests.campaigns.system_truth import DIGITS, Truth, load, save

RECORD = Path(__file__).parent / "record"
COUNT = 1000
EPS = 2.0**-52
# A contradiction must be found if y is farther than this from every feasible one, relative to ‖y‖, with scaled rows.
MISSED_DISTANCE = 1e-8
# Up to this condition number of the scaled rows the solver has to converge on feasible systems, with a bound.
SOLVABLE_CONDITION = 1e12
# The rounding of the entries of a certificate and of sums of their products, relative to the terms.
CERTIFICATE_ROUNDING = 8 * EPS
# Rows that depend on others up to the last bit of their entries have such a condition number. Taken exactly they have
# solutions of some 1e15 times the data; up to the last bit they have none, so a certificate is a right answer as well.
ROUNDED_CONDITION = 1e15
# Converged means that Zx is y up to this share of y or Z argmin R, or up to this share of the terms of Zx.
MISFIT, MISFIT_ROUNDING = 1e-8, 1e3 * EPS
OFFENCES = ("violated", "wrong infeasible", "missed", "no certificate", "misfit", "raised")


@dataclass(frozen=True)
class Judgement:
    """The library's answer to one system, compared with the truth.

    Attributes:
        family, number: The system.
        truth: "feasible", "infeasible" or "outside".
        condition, distance: Those of the scaled rows.
        status: The status of the library's solver, or the exception it raised.
        bound: Its error bound over ‖x*‖₂; inf if it gave none, and not divided if there is no x*.
        error: ‖x − x*‖₂ over ‖x*‖₂; nan if there is no x*.
        offences: The :data:`OFFENCES` that it committed.
        seconds: Wall time.
    """

    family: str
    number: int
    truth: str
    condition: float
    distance: float
    status: str
    bound: float
    error: float
    offences: tuple[str, ...]
    seconds: float

    @property
    def is_solvable(self) -> bool:
        """Whether the solver has to converge on it with a finite bound."""
        return self.truth == "feasible" and self.condition <= SOLVABLE_CONDITION

    @property
    def is_solved(self) -> bool:
        return self.status == ib.Status.CONVERGED.value and math.isfinite(self.bound)

    @property
    def slack(self) -> float:
        """Bound over error, where the error counts as at least the rounding of x."""
        return self.bound / max(self.error, EPS)


def judge(system: System, truth: Truth) -> Judgement:
    """Let the library project, and compare its answer with the truth."""
    status, bound, error, offences = "", math.inf, math.nan, []
    began = time.perf_counter()
    try:
        found = ib.bregman_projection(ib.Regression(_matrix(system), system.y), _potential(system), throw=False)
    except Exception as fault:  # any exception is a finding, and the campaign goes on
        status = type(fault).__name__
        offences.append("raised")
    else:
        status = found.status.value
        bound = math.inf if found.error_bound is None else found.error_bound
        if truth.kind == "feasible":
            error, bound, is_false = _compare(found.x, bound, truth)
            offences += ["violated"] * is_false
        elif bound != math.inf:
            offences.append("violated")  # a bound on the distance to a solution that does not exist
        if found.status is ib.Status.CONVERGED:
            offences += ["misfit"] * (not fits(system, found.x))
        if found.status is ib.Status.INFEASIBLE:
            is_certified = is_certificate(system, found.certificate)
            if truth.kind == "feasible" and is_certified and truth.condition > ROUNDED_CONDITION:
                status += " within rounding"
            else:
                offences += ["wrong infeasible"] * (truth.kind != "infeasible")
            offences += ["no certificate"] * (not is_certified)
        elif truth.kind == "infeasible" and truth.distance > MISSED_DISTANCE:
            offences.append("missed")
    seconds = time.perf_counter() - began
    return Judgement(
        system.family,
        system.number,
        truth.kind,
        truth.condition,
        truth.distance,
        status,
        bound,
        error,
        tuple(offences),
        seconds,
    )


def is_certificate(system: System, nu: np.ndarray | None) -> bool:
    """Whether Zᵀν = 0 up to rounding in every column, and yᵀν ≠ 0 beyond rounding; decided in rational numbers."""
    if nu is None or not np.all(np.isfinite(nu)):
        return False
    exact = [Fraction(v) for v in nu.tolist()]

    def share(column: np.ndarray) -> tuple[Fraction, Fraction]:
        terms = [Fraction(v) * w for v, w in zip(column.tolist(), exact, strict=True)]
        return abs(sum(terms)), sum(map(abs, terms)) * Fraction(CERTIFICATE_ROUNDING)

    level, rounding = share(system.y)
    return level > rounding and all(part <= noise for part, noise in map(share, system.Z.T))


def fits(system: System, x: np.ndarray) -> bool:
    """Whether Zx is about y, or as near as rounding allows, after rows are scaled to a largest entry of about 1."""
    if not np.all(np.isfinite(x)):
        return False
    minimizer = np.broadcast_to(_potential(system).minimizer, x.shape)
    weights, center = ([Fraction(v) for v in values.tolist()] for values in (x, minimizer))
    misfit, rounding, start, target = [], [], [], []
    for row, value, exponent in zip(system.Z, system.y, np.frexp(np.max(np.abs(system.Z), axis=1))[1], strict=True):
        unit = Fraction(2) ** -int(exponent)
        entries = [unit * Fraction(v) for v in row.tolist()]
        terms = [v * w for v, w in zip(entries, weights, strict=True)]
        target.append(unit * Fraction(value))
        start.append(sum(v * w for v, w in zip(entries, center, strict=True)))
        misfit.append(sum(terms) - target[-1])
        rounding.append(sum(map(abs, terms)))
    largest = max(map(abs, [*rounding, *target, *start])) or Fraction(1)
    off, terms, *wanted = (
        math.hypot(*(float(v / largest) for v in values)) for values in (misfit, rounding, start, target)
    )
    return off <= MISFIT * max(wanted) + MISFIT_ROUNDING * terms


def _compare(x: np.ndarray, bound: float, truth: Truth) -> tuple[float, float, bool]:
    """Error and bound over ‖x*‖₂, and whether the bound is false."""
    if not np.all(np.isfinite(x)):
        return math.inf, bound, bound < math.inf
    with np.errstate(over="ignore", under="ignore"):
        scaled = np.ldexp(x, -truth.exponent)
        bound = float(np.ldexp(bound, -truth.exponent))
    difference = [math.fsum(parts) for parts in zip(scaled, -truth.high, -truth.low, strict=True)]
    error, size = math.hypot(*difference), math.hypot(*truth.high)
    # Smaller errors are beyond the proved digits of the reference.
    is_false = bound < error * (1 - 1e-12) and error > 10.0 ** (1 - DIGITS) * size
    return error / (size or 1.0), bound / (size or 1.0), is_false or math.isnan(bound) or bound < 0


def _matrix(system: System) -> object:
    kinds = {"dense": np.asarray, "sparse": csr_array, "operator": aslinearoperator}
    return kinds[system.kind](system.Z)


def _potential(system: System) -> ib.Potential:
    response = system.response
    scale = response.scale if np.ptp(response.scale) else float(response.scale[0])
    given = {"log_scale" if response.is_logarithm else "scale": scale, "rate": response.rate}
    return ib.Entropy(**given) if response.is_positive else ib.HyperbolicEntropy(**given, shift=response.shift)


def systems(count: int = COUNT, seed: int = SEED, families: Iterable[str] = FAMILIES) -> Iterator[System]:
    """About ``count`` systems, evenly over the families."""
    families = list(families)
    for number in range(max(1, round(count / len(families)))):
        yield from (generate(family, number, seed) for family in families)


def truths(wanted: list[System], cache: Path | None) -> list[Truth]:
    """The truths of the systems, from the cache, or proved now and added to it."""
    known = load(cache) if cache is not None and cache.exists() else {}
    missing = [system for system in wanted if system.digest not in known]
    if missing:
        from tests.campaigns.system_reference import solve  # needs python-flint

        for k, system in enumerate(missing):
            known[system.digest] = solve(system)
            if k % 50 == 0:
                print(f"proved {k} of {len(missing)} references", flush=True)
        if cache is not None:
            save(cache, known)
    return [known[system.digest] for system in wanted]


def summary(judgements: list[Judgement]) -> dict[str, object]:
    """Counts and quantiles of one family, or of all."""
    solvable = [j for j in judgements if j.is_solvable]
    slack = [j.slack for j in solvable if j.is_solved]
    statuses = Counter(f"{j.status}, {'bound' if math.isfinite(j.bound) else 'no bound'}" for j in judgements)
    return {
        "systems": len(judgements),
        "truth": dict(sorted(Counter(j.truth for j in judgements).items())),
        "status": dict(sorted(statuses.items())),
        **{offence: sum(offence in j.offences for j in judgements) for offence in OFFENCES},
        "solvable": len(solvable),
        "solved": sum(j.is_solved for j in solvable),
        "bound_over_error": [float(f"{q:.3g}") for q in np.quantile(slack, [0.1, 0.5, 0.9, 1.0])] if slack else None,
        "seconds": float(f"{np.mean([j.seconds for j in judgements]):.2g}"),
    }


def table(judgements: list[Judgement]) -> str:
    """The record in Markdown: a row for each family, then every offence."""
    lines = [
        "| family | systems | status | " + " | ".join(OFFENCES) + " | solved | bound / error: median (most) |",
        "|---" * (5 + len(OFFENCES)) + "|",
    ]
    for family in [*dict.fromkeys(j.family for j in judgements), "all"]:
        row = summary([j for j in judgements if family in (j.family, "all")])
        status = "; ".join(f"{count} {name}" for name, count in row["status"].items())
        quantiles = row["bound_over_error"]
        slack = f"{quantiles[1]:.2g} ({quantiles[-1]:.2g})" if quantiles else "–"
        counts = " | ".join(str(row[offence]) for offence in OFFENCES)
        lines.append(
            f"| {family} | {row['systems']} | {status} | {counts} | {row['solved']} of {row['solvable']} | {slack} |"
        )
    lines += [
        "",
        f"Solvable: feasible, and the condition number of the scaled rows is at most {SOLVABLE_CONDITION:g}; "
        "solved: converged, with a bound. Errors below the rounding of x count as that.",
        "",
    ]
    lines += [
        f"- {j.family} {j.number}: {', '.join(j.offences)}; {j.truth}, condition {j.condition:.2g}, distance "
        f"{j.distance:.2g}; {j.status}, error {j.error:.2g}, bound {j.bound:.2g}"
        for j in judgements
        if j.offences
    ]
    return "\n".join(lines).rstrip() + "\n"


def record(judgements: list[Judgement], folder: Path) -> None:
    """Write the table as ``systems.md`` and its numbers as ``systems.json``."""
    families = dict.fromkeys(j.family for j in judgements)
    numbers = {family: summary([j for j in judgements if j.family == family]) for family in families}
    text = json.dumps({"all": summary(judgements), "families": numbers}, indent=1, ensure_ascii=False)
    folder.mkdir(exist_ok=True, parents=True)
    (folder / "systems.json").write_text(text + "\n", encoding="utf-8")
    (folder / "systems.md").write_text("# Projections of hard systems\n\n" + table(judgements), encoding="utf-8")


def main(arguments: list[str] | None = None) -> int:
    """Judge the library, print the table, and return 1 if anything it said was false."""
    parser = argparse.ArgumentParser(prog="python -m tests.campaigns.systems", description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=COUNT, help="how many systems, evenly over the families")
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--family", choices=list(FAMILIES), help="this family alone")
    parser.add_argument("--cache", type=Path, help="file of references; that of the record by default for its seed")
    parser.add_argument(
        "--record", type=Path, help="folder for the table; by default only the whole campaign writes one"
    )
    options = parser.parse_args(arguments)
    is_whole = (options.count, options.seed, options.family) == (COUNT, SEED, None)
    cache = options.cache or (RECORD / "systems.npz" if options.seed == SEED else None)
    wanted = list(systems(options.count, options.seed, [options.family] if options.family else FAMILIES))
    judgements = [judge(*pair) for pair in zip(wanted, truths(wanted, cache), strict=True)]
    judgements.sort(key=lambda j: (list(FAMILIES).index(j.family), j.number))
    print(table(judgements))
    if options.record or is_whole:
        record(judgements, options.record or RECORD)
    return int(any(j.offences for j in judgements))


if __name__ == "__main__":
    raise SystemExit(main())
