"""Bounds on projections onto margins where data are hard: units, rows that depend on others, margins near zero."""

import itertools
from fractions import Fraction

import mpmath as mp
import numpy as np
import pytest

import implicit_bias as ib
from tests.limit.exact_paths import kernel
from tests.limit.test_projection import exact_projection

KINDS = ("equal", "nearly equal", "close", "small margin", "unit", "units of rows", "units of columns", "multiple")


def hard(kind, seed):
    """Labels, most of them separable, with few rows and columns, so that all active sets can be tried."""
    rng = np.random.default_rng(seed)
    d, n = int(rng.integers(2, 5)), int(rng.integers(2, 6))
    Z = rng.integers(-3, 4, (d, n)).astype(float) if seed % 2 else np.round(rng.standard_normal((d, n)), 3)
    truth = rng.standard_normal(n)
    y = np.where(Z @ truth >= 0, 1.0, -1.0)
    match kind:
        case "equal":
            Z[1], y[1] = Z[0], y[0]
        case "nearly equal":
            Z[1], y[1] = Z[0] * (1 + 2.0 ** -int(rng.integers(10, 52))), y[0]
        case "close":
            Z[1], y[1] = Z[0] + 10.0 ** -rng.integers(6, 16) * rng.standard_normal(n), y[0]
        case "small margin":
            # The rows would cancel but for a little of the truth.
            k = int(rng.integers(1, d))
            combined = (rng.integers(1, 4, k) * y[:k]) @ Z[:k]
            Z[-1] = y[-1] * (10.0 ** -rng.integers(2, 14) * truth - combined)
        case "unit":
            Z *= 10.0 ** int(rng.integers(-150, 151))
        case "units of rows":
            Z *= 10.0 ** rng.integers(-100, 101, (d, 1)).astype(float)
        case "units of columns":
            Z *= 10.0 ** rng.integers(-8, 9, n).astype(float)
        case "multiple":
            Z[-1], y[-1] = Z[0] * 10.0 ** -int(rng.integers(0, 9)), y[0]
    scale = 10.0 ** rng.uniform(-12, 4) if seed % 3 else 10.0 ** rng.uniform(-300, 0)
    shift = 0.0 if seed % 5 else float(np.round(rng.standard_normal(), 2))
    return Z, y, ib.HyperbolicEntropy(scale=scale, shift=shift)


def exact_end(Z, y, potential, found):
    """The projection to 45 digits: of all independent sets of rows, the one that satisfies all conditions."""
    n = Z.shape[1]
    a, b, rate = mp.mpf(float(potential.scale)), mp.mpf(float(potential.shift)), mp.mpf(potential.rate)
    tiny = mp.mpf(10) ** -45
    signed = mp.matrix([[mp.mpf(float(v)) for v in row] for row in y[:, None] * Z])
    sets = (chosen for k in range(len(y) + 1) for chosen in itertools.combinations(range(len(y)), k))
    for chosen in itertools.chain([tuple(np.flatnonzero(found.multipliers))], sets):
        rows = list(chosen)
        if rows and kernel([[Fraction(float(v)) for v in Z[i]] for i in rows])[0]:
            continue
        x = mp.matrix([a * mp.sinh(b)] * n)
        if rows:
            x = exact_projection(Z[rows], y[rows], potential, found.dual[rows])
        if x is None or min(signed * mp.matrix(list(x))) < 1 - tiny:
            continue
        if rows:
            active = mp.matrix([[signed[i, j] for j in range(n)] for i in rows])
            multipliers = mp.lu_solve(active * active.T, active * mp.matrix([(mp.asinh(v / a) - b) / rate for v in x]))
            if min(multipliers) < -tiny * (1 + max(map(abs, multipliers))):
                continue
        return x
    return None


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("seed", range(6))
def test_no_finite_bound_is_below_the_error(kind, seed):
    Z, y, potential = hard(kind, seed)
    found = ib.bregman_projection(ib.Regression(Z, y, loss="logistic"), potential, constraint=">=", throw=False)
    if found.error_bound == np.inf:
        return
    with mp.workdps(700):
        want = exact_end(Z, y, potential, found)
        assert want is not None
        error = mp.norm(mp.matrix([mp.mpf(float(v)) - w for v, w in zip(found.x, want, strict=True)]))
        assert error <= found.error_bound


def test_most_bounds_are_finite():
    """An infinite bound is always true; four of five of these have a finite one."""
    finite = 0
    for kind, seed in itertools.product(KINDS, range(6)):
        Z, y, potential = hard(kind, seed)
        found = ib.bregman_projection(ib.Regression(Z, y, loss="logistic"), potential, constraint=">=", throw=False)
        finite += bool(found.error_bound < np.inf)
    assert finite > 0.75 * 6 * len(KINDS)
