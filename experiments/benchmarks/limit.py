r"""The limit of the flow at a small scale, against general convex solvers.

The dual of :math:`\min \{R(x) : Zx = y\}` is
:math:`\min_\nu \frac{a}{r}\sum_i \cosh(r (Z^T\nu)_i) + y^T\nu`, two exponential cones for every weight.
"""

from __future__ import annotations

# The competitors are installed by the bench extra alone, and imported where they are used.
# pyright: reportMissingImports=false
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import LinearConstraint, minimize

from experiments.benchmarks.benchmark import Aim, Benchmark, Row, Track
from experiments.benchmarks.environment import installed
from experiments.benchmarks.timing import in_turn
from implicit_bias import HyperbolicEntropy, Regression, bregman_projection

OURS = "implicit_bias"
CLARABEL = "CVXPY + Clarabel, dual"
TRUST_CONSTR = "SciPy trust-constr, primal"


@dataclass(frozen=True)
class Size:
    """A problem, and the rounds of each other solver: fewer where one takes half a minute."""

    d: int
    n: int
    rounds: Mapping[str, int]


@dataclass(frozen=True)
class Settings:
    """log₁₀ of the limit's scale, the seed of the problems, the library's rounds, and the problems."""

    log10_scale: float = -4.0
    seed: int = 0
    rounds: int = 5
    problems: Sequence[Size] = (
        Size(20, 100, {CLARABEL: 5, TRUST_CONSTR: 5}),
        Size(40, 1000, {CLARABEL: 5}),
        Size(100, 10_000, {CLARABEL: 3}),
    )


QUICK = Settings(problems=(Size(5, 20, {CLARABEL: 2, TRUST_CONSTR: 2}),), rounds=2)

Solve = Callable[[], np.ndarray]


def ours(problem: Regression, potential: HyperbolicEntropy) -> Solve:
    """Newton's method in the dual."""
    return lambda: bregman_projection(problem, potential).x


def clarabel(problem: Regression, potential: HyperbolicEntropy) -> Solve:
    """Clarabel with its own tolerances, modelling included; the factor a/2r is moved into the exponents."""
    import cvxpy as cp

    def solve() -> np.ndarray:
        nu = cp.Variable(problem.d)
        angle = potential.rate * (problem.Z.T @ nu)
        shift = float(potential.log_scale) - np.log(2 * potential.rate)
        conjugate = cp.sum(cp.exp(angle + shift)) + cp.sum(cp.exp(-angle + shift))
        cp.Problem(cp.Minimize(conjugate + problem.y @ nu)).solve(solver=cp.CLARABEL, max_threads=1)
        return potential.inverse_gradient(-problem.Z.T @ np.asarray(nu.value))

    return solve


def trust_constr(problem: Regression, potential: HyperbolicEntropy) -> Solve:
    """SciPy's interior-point and trust-region method with exact derivatives, from the least-squares solution."""

    def solve() -> np.ndarray:
        found = minimize(
            lambda x: (float(potential.value(x)), potential.gradient(x)),
            np.linalg.lstsq(problem.Z, problem.y, rcond=None)[0],
            jac=True,
            hess=lambda x: np.diag(potential.hessian_diagonal(x)),
            method="trust-constr",
            # pyright takes the type of SciPy's bounds from their defaults, which are numbers.
            constraints=LinearConstraint(problem.Z, problem.y, problem.y),  # pyright: ignore[reportArgumentType]
            options={"gtol": 1e-10, "xtol": 1e-14, "maxiter": 5000},
        )
        return found.x

    return solve


@dataclass(frozen=True)
class Solver:
    """The package that a solver needs, and what prepares it for a problem."""

    package: str
    prepare: Callable[[Regression, HyperbolicEntropy], Solve]


SOLVERS = {
    OURS: Solver("implicit_bias", ours),
    CLARABEL: Solver("cvxpy", clarabel),
    TRUST_CONSTR: Solver("scipy", trust_constr),
}


def measure(settings: Settings, track: Track) -> list[Row]:
    """One row for every problem and method."""
    potential = HyperbolicEntropy(log_scale=settings.log10_scale * np.log(10))
    rows = []
    for size in track(settings.problems, "limit"):
        problem = Regression.sample(size.d, size.n, sparsity=5, seed=settings.seed)
        rows += _compare(problem, potential, {OURS: settings.rounds, **size.rounds})
    return rows


def _compare(problem: Regression, potential: HyperbolicEntropy, rounds: Mapping[str, int]) -> list[Row]:
    found: dict[str, np.ndarray] = {}

    def keeping(name: str, solve: Solve) -> Callable[[], None]:
        return lambda: found.update({name: solve()})

    tasks = {
        name: keeping(name, SOLVERS[name].prepare(problem, potential))
        for name in rounds
        if installed(SOLVERS[name].package)
    }
    timings = in_turn(tasks, {name: rounds[name] for name in tasks})
    own = bregman_projection(problem, potential)
    return [
        {
            "d": problem.d,
            "n": problem.n,
            "method": name,
            "seconds": timing.median,
            "ratio": timing.over(timings[OURS]),
            "misfit": float(np.linalg.norm(problem.Z @ found[name] - problem.y) / np.linalg.norm(problem.y)),
            "distance": float(np.max(np.abs(found[name] - own.x))),
            "kkt_residual": own.kkt_residual if name == OURS else None,
            "error_bound": own.error_bound if name == OURS else None,
            "rounds": len(timing.seconds),
            "cores": round(timing.cores, 2),
        }
        for name, timing in timings.items()
    ]


def aims(rows: list[Row]) -> list[Aim]:
    """Speed and residual at the largest problem."""
    largest = [row for row in rows if row["n"] == max(row["n"] for row in rows)]
    where = f"limit at d = {largest[0]['d']}, n = {largest[0]['n']:,}, scale 1e-4"
    found = [Aim(f"{where}: times faster than {CLARABEL}", 500, r["ratio"]) for r in largest if r["method"] == CLARABEL]
    found += [Aim(f"{where}: KKT residual", 1e-12, r["kkt_residual"], False) for r in largest if r["method"] == OURS]
    return found


BENCHMARK = Benchmark(
    name="limit",
    title="The limit of the flow: argmin {R(x) : Zx = y} at scale 1e-4",
    explanation=(
        "Ratio: the method's wall time over that of the library, median of the ratios in single rounds. Distance: the "
        "largest entry of the difference to the library's x, whose own error bound (in exact arithmetic, in the L2 "
        "norm) is in its row. Clarabel's time contains CVXPY's modelling and its tolerances are the default ones, so "
        "that it stops at a larger error."
    ),
    configuration={"default": Settings(), "quick": QUICK},
    threads=1,
    measure=measure,
    aims=aims,
)
