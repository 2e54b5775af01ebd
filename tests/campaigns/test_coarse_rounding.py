"""Error bounds hold where one operation at a time rounds a million times more coarsely.

In double precision most terms of a bound hide behind each other: whichever is dropped, the rest exceeds the error.
Here one operation errs by far more than the others, and says so, so the bound needs the term for that operation.
"""

import math
from dataclasses import replace

import numpy as np
import pytest

import implicit_bias as ib
from implicit_bias.limit import row_basis
from implicit_bias.limit.dual_newton import DualNewton
from implicit_bias.linear_map import CombinedRowsMap, DenseMap
from tests.campaigns import systems
from tests.campaigns.system_families import generate
from tests.campaigns.system_truth import load

TRUTHS = load(systems.RECORD / "systems.npz")
FAMILIES = (
    "gaussian",
    "dependent_pairs",
    "dependent_sums",
    "dependent_exactly",
    "scales_and_shifts",
    "entropy",
    "spare_column",
    "integers",
    "correlated",
    "l1_faces",
    "at_the_minimizer",
)
NUMBERS = range(4)
SIZE = 1e-8  # the share by which the coarse operation errs
STATED_OVER_TRUE_ERROR = 1.001


def coarse_sums(monkeypatch, name, size, rng):
    """Makes careful products Zx or Zᵀν err by the share ``size`` of the sum of their terms' magnitudes."""
    careful, absolute = getattr(DenseMap, name), getattr(DenseMap, name.replace("careful", "absolute"))

    def product(self, v):
        found, noise = careful(self, v), size * absolute(self, np.abs(v))
        return replace(found, high=found.high + signs(rng, noise), error=found.error + STATED_OVER_TRUE_ERROR * noise)

    monkeypatch.setattr(DenseMap, name, product)


def coarse_products(monkeypatch, size, rng):
    coarse_sums(monkeypatch, "careful_apply", size, rng)


def coarse_adjoints(monkeypatch, size, rng):
    coarse_sums(monkeypatch, "careful_adjoint", size, rng)


def coarse_responses(monkeypatch, size, rng):
    """Makes the inverse mirror map err by the share ``size`` of the metric."""
    for potential in (ib.HyperbolicEntropy, ib.Entropy):
        response, error = potential.inverse_gradient_at, potential.response_error

        def off(self, z, response=response):
            x = response(self, z)
            return x + signs(rng, size * self.metric_at(x)) if np.ndim(x) else x

        def announced(self, z, z_error, x, error=error):
            return error(self, z, z_error, x) + STATED_OVER_TRUE_ERROR * size * self.metric_at(x)

        monkeypatch.setattr(potential, "inverse_gradient_at", off)
        monkeypatch.setattr(potential, "response_error", announced)


def coarse_entries(monkeypatch, size, rng):
    """Makes the entries of the conditions and their right-hand sides err by the share ``size``."""
    basis = row_basis._basis

    def off(linear, y, kept, dropped, **more):
        if len(kept):
            entries = linear.columns(np.arange(linear.shape[1]))
            tail, doubt = getattr(linear, "tail", 0.0), getattr(linear, "doubt", 0.0)
            noise = size * np.abs(entries)
            linear = CombinedRowsMap(entries, tail + signs(rng, noise), doubt + STATED_OVER_TRUE_ERROR * noise)
            tail, doubt = more.pop("y_tail", None), more.pop("y_doubt", None)
            noise = size * np.abs(y)
            more["y_tail"] = signs(rng, noise) + (0.0 if tail is None else tail)
            more["y_doubt"] = STATED_OVER_TRUE_ERROR * noise + (0.0 if doubt is None else doubt)
        return basis(linear, y, kept, dropped, **more)

    monkeypatch.setattr(row_basis, "_basis", off)


def coarse_corrections(monkeypatch, size, rng):
    """Makes corrections leave some of the residual, and the shortest change that follows them as well."""
    for owner, name in ((DualNewton, "correction"), (row_basis.RowBasis, "least_change")):
        plain = getattr(owner, name)

        def off(self, *arguments, plain=plain):
            change = plain(self, *arguments)
            return change + signs(rng, 1e6 * size * np.abs(change))

        monkeypatch.setattr(owner, name, off)


def signs(rng, noise):
    return noise * rng.choice([-1.0, 1.0], np.shape(noise))


@pytest.mark.parametrize(
    "coarse", [coarse_products, coarse_adjoints, coarse_responses, coarse_entries, coarse_corrections]
)
def test_bounds_hold_where_rounding_is_coarse(coarse, monkeypatch):
    rng = np.random.default_rng(0)
    judged = []
    for system in (generate(family, number) for family in FAMILIES for number in NUMBERS):
        truth = TRUTHS[system.digest]
        if truth.kind == "feasible":
            with monkeypatch.context() as patch:
                coarse(patch, SIZE, rng)
                judged.append(systems.judge(system, truth))
    assert [j for j in judged if {"violated", "raised"} & set(j.offences)] == []
    bounded = [j for j in judged if math.isfinite(j.bound)]
    assert len(bounded) >= 0.8 * len(judged)
