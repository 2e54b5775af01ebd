"""The path of a vanishing scale in exact arithmetic, by trying all supports, and systems on which to try it."""

from fractions import Fraction
from itertools import combinations

import numpy as np
from hypothesis import strategies as st

import implicit_bias as ib


def generic(seed):
    """A random system whose solutions are all dense."""
    rng = np.random.default_rng(seed)
    d = int(rng.integers(2, 9))
    n = d + int(rng.integers(1, d + 3))
    return ib.Regression(rng.standard_normal((d, n)), rng.standard_normal(d))


def solved(columns, y):
    """The least-squares solution on independent columns, in fractions, or None if they depend on each other."""
    k = len(columns)
    rows = [[sum(a * b for a, b in zip(u, v, strict=True)) for v in columns] for u in columns]
    rows = [[*row, sum(a * b for a, b in zip(u, y, strict=True))] for row, u in zip(rows, columns, strict=True)]
    for i in range(k):
        pivot = next((r for r in range(i, k) if rows[r][i]), None)
        if pivot is None:
            return None
        rows[i], rows[pivot] = rows[pivot], rows[i]
        rows[i] = [value / rows[i][i] for value in rows[i]]
        for r in range(k):
            if r != i:
                rows[r] = [a - rows[r][i] * b for a, b in zip(rows[r], rows[i], strict=True)]
    return [row[-1] for row in rows]


def kernel(columns):
    """How many combinations of columns vanish, and the one that does if there is just one."""
    k, rows, pivots = len(columns), [list(row) for row in zip(*columns, strict=True)], []
    for c in range(k):
        r = len(pivots)
        pivot = next((i for i in range(r, len(rows)) if rows[i][c]), None)
        if pivot is None:
            continue
        rows[r], rows[pivot] = rows[pivot], rows[r]
        rows[r] = [value / rows[r][c] for value in rows[r]]
        for i in range(len(rows)):
            if i != r:
                rows[i] = [a - rows[i][c] * b for a, b in zip(rows[i], rows[r], strict=True)]
        pivots.append(c)
    free = [c for c in range(k) if c not in pivots]
    if len(free) != 1:
        return len(free), []
    found = [Fraction(0)] * k
    found[free[0]] = Fraction(1)
    for i, c in enumerate(pivots):
        found[c] = -rows[i][free[0]]
    return 1, found


def only_zero(on, off):
    """Whether no other combination of columns vanishes in which those of ``off`` have no negative weight.

    If those of ``on`` are independent, such combinations are a pointed cone, and the supports of its rays are minimal.
    """
    if on and kernel(on)[0]:
        return False
    for size in range(1, len(off) + 1):
        for chosen in combinations(off, size):
            count, weights = kernel([*on, *chosen])
            last = weights[len(on) :]
            if count == 1 and (all(w >= 0 for w in last) or all(w <= 0 for w in last)):
                return False
    return True


def exact_minimizer(Z, y, walls):
    """The minimizer within the walls and its Zᵀ(y − Zx), by trying all supports, and whether it is the only one."""
    n, active = len(walls), [i for i, wall in enumerate(walls) if wall]
    columns = [[row[i] for row in Z] for i in range(n)]
    for size in range(len(active) + 1):
        for support in combinations(active, size):
            weights = solved([columns[i] for i in support], y)
            if weights is None or any(w * walls[i] <= 0 for w, i in zip(weights, support, strict=True)):
                continue
            x = [Fraction(0)] * n
            for w, i in zip(weights, support, strict=True):
                x[i] = w
            rest = [b - sum(a * v for a, v in zip(row, x, strict=True)) for row, b in zip(Z, y, strict=True)]
            push = [sum(a * r for a, r in zip(column, rest, strict=True)) for column in columns]
            if all(push[i] * walls[i] <= 0 for i in active):
                free = [i for i in active if push[i] == 0]
                signed = {i: [walls[i] * value for value in columns[i]] for i in free}
                others = [signed[i] for i in free if x[i] == 0]
                return x, push, only_zero([signed[i] for i in free if x[i]], others)
    raise AssertionError("no support fits")


def exact_path(Z, y):
    """Times, plateaus, whether several weights arrived at once, and whether a jump had no unique end."""
    n, d = len(Z[0]), len(Z)
    Z = [[Fraction(value) for value in row] for row in Z]
    y = [Fraction(value) for value in y]
    walls, s, time = [0] * n, [Fraction(0)] * n, Fraction(0)
    x, push, _ = exact_minimizer(Z, y, walls)
    times, plateaus, ties = [], [x], []
    while True:
        moving = [i for i in range(n) if push[i] != 0]
        if not moving:
            return times, plateaus, ties, False
        waits = {i: ((1 if push[i] > 0 else -1) - s[i]) / (Fraction(2, d) * push[i]) for i in moving}
        wait = min(waits.values())
        time += wait
        s = [value + wait * Fraction(2, d) * p for value, p in zip(s, push, strict=True)]
        walls = [int(value) if abs(value) == 1 else 0 for value in s]
        x, push, is_unique = exact_minimizer(Z, y, walls)
        if not is_unique:
            return times, plateaus, ties, True
        times.append(time)
        plateaus.append(x)
        ties.append(sum(value == wait for value in waits.values()) > 1)


small = st.integers(2, 5).flatmap(
    lambda n: st.integers(1, 3).flatmap(
        lambda d: st.tuples(
            st.lists(st.lists(st.integers(-3, 3), min_size=n, max_size=n), min_size=d, max_size=d),
            st.lists(st.integers(-4, 4), min_size=d, max_size=d),
        )
    )
)


@st.composite
def hard_systems(draw):
    """Small integers in several units, with columns that nearly agree, and tenths, whose columns depend nearly."""
    Z, y = draw(small)
    Z, y = np.array(Z, float), np.array(y, float)
    d, n = Z.shape
    kind = draw(st.sampled_from(["rows", "columns", "near", "tenths"]))
    powers = np.array(draw(st.lists(st.integers(-20, 20), min_size=8, max_size=8)))
    if kind == "rows":
        Z = Z * 2.0 ** powers[:d, None]
    elif kind == "columns":
        Z = Z * 2.0 ** powers[:n]
    elif kind == "near":
        Z[:, 0] = Z[:, 1] + np.sign(powers[:d]) * 2.0 ** -draw(st.integers(4, 30))
    else:
        Z, y = Z / 10, y / 10
    return Z, y
