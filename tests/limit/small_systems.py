"""Systems so small that algebra gives their error bound, and helpers to evaluate it at a point."""

from dataclasses import dataclass
from types import SimpleNamespace

import numpy as np

from implicit_bias.limit import error_bound as module
from implicit_bias.limit.dual_newton import DualNewton
from implicit_bias.limit.error_bound import Evaluation
from implicit_bias.limit.row_basis import _basis
from implicit_bias.linear_map import CombinedRowsMap, DenseMap

U = 2.0**-10  # the unit roundoff that ``coarse`` pretends
PRODUCT = 2.0**-6  # the error of a product Zx in units of ‖z‖‖x‖ that ``coarse_products`` pretends


@dataclass
class Quadratic:
    """R(x) = Σ x²/2m: the divergence of s is s²/2m and the metric m everywhere."""

    m: np.ndarray
    domain: tuple = (-np.inf, np.inf)

    def metric_at(self, x):
        return self.m

    def divergence_terms_at(self, x, y):
        return (x - y) ** 2 / (2 * self.m)

    def gradient_at(self, x):
        return x / self.m

    def separation(self, x, gap):
        return np.sqrt(2 * self.m * gap)


def conditions(Z, y=None, tail=None, doubt=None, **more):
    """The conditions Zx = y with rows as they are; ``tail`` and ``doubt`` make combined rows of them."""
    Z = np.asarray(Z, dtype=float)
    y = np.zeros(len(Z)) if y is None else np.asarray(y, dtype=float)
    zero = np.zeros_like(Z)
    linear = DenseMap(Z)
    if tail is not None or doubt is not None:
        linear = CombinedRowsMap(Z, zero if tail is None else tail, zero if doubt is None else doubt)
    return _basis(linear, y, np.arange(len(Z)), np.arange(0), is_exact=True, **more)


def solver_at(rows, metric):
    """A Newton solver that is linearized where the metric is ``metric``."""
    solver = DualNewton(rows.linear, rows.y, 10)
    solver.linearize(SimpleNamespace(metric=np.asarray(metric, dtype=float)))
    return solver


def evaluation(r, n, metric=None, x=None, z=None, wobble=None, residual=None, doubt=None):
    def given_or(value, size):
        return np.zeros(size) if value is None else np.asarray(value, dtype=float)

    metric = np.ones(n) if metric is None else np.asarray(metric, dtype=float)
    return Evaluation(
        np.zeros(r), given_or(z, n), given_or(x, n), metric, given_or(wobble, n), given_or(residual, r),
        given_or(doubt, r),
    )  # fmt: skip


def between(got, required, slack):
    """Assert that ``got`` is an upper bound on ``required`` and exceeds it by at most the share ``slack``."""
    assert np.all(np.asarray(required) <= np.asarray(got))
    assert np.all(np.asarray(got) <= np.asarray(required) * (1 + slack) + 1e-150)


def coarse(monkeypatch):
    """Let bounds be computed as if doubles had ten bits; the numbers keep their 53."""
    monkeypatch.setattr(module, "UNIT_ROUNDOFF", U)
    monkeypatch.setattr(module, "sum_error", lambda terms: 0.0)


def coarse_products(monkeypatch):
    """Let bounds be computed as if each product Zx had an error of ``PRODUCT``."""
    monkeypatch.setattr(module, "sum_error", lambda terms: terms * PRODUCT)
