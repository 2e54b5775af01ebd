"""Domains, printed and numerical, against flows that are solved by hand: u' = g'(u) takes the time ∫ du/g'(u)."""

import random
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest
import sympy as sp
from scipy.optimize import brentq

import implicit_bias as ib


@dataclass(frozen=True)
class Form:
    """A function g(u) with its flow from a start above 0.

    Attributes:
        formula: g as text.
        g: The function.
        clock: A function of u that grows like time along the flow.
        parameter: The ends of the interval of u.
        times: The clock at these ends.
        weights: g at these ends.
    """

    formula: str
    g: Callable[[float], float]
    clock: Callable[[float], float]
    parameter: tuple[float, float]
    times: tuple[float, float]
    weights: tuple[float, float]

    def weight(self, time: float) -> float:
        """The value of g when the clock shows ``time``."""
        for end, weight in zip(self.times, self.weights, strict=True):
            if time == end:
                return weight
        low, high = (float(np.clip(end, -30, 1e9)) for end in self.parameter)
        inside = (1e-12 * (high - low) if np.isfinite(end) else 0.0 for end in self.parameter)
        low, high = low + next(inside), high - next(inside)
        with np.errstate(over="ignore"):
            return self.g(brentq(lambda u: self.clock(u) - time, low, high, xtol=1e-15, rtol=1e-14))


def _power(text):
    p = float(sp.Rational(text))
    scale = 1 / (p * (2 - p))
    times = (0.0, np.inf) if p < 2 else (-np.inf, 0.0)
    return Form(f"u**({text})", lambda u: u**p, lambda u: scale * u ** (2 - p), (0, np.inf), times, (0, np.inf))


LINE, INF = (-np.inf, np.inf), np.inf
FORMS = [
    *(_power(text) for text in ("1/2", "4/3", "3/2", "5/3", "7/4", "5/2", "3", "4")),
    Form("u**2", lambda u: u * u, lambda u: np.log(u) / 2, (0, INF), LINE, (0, INF)),
    Form("log(u)", np.log, lambda u: u * u / 2, (0, INF), (0, INF), LINE),
    Form("exp(u)", np.exp, lambda u: -np.exp(-u), LINE, (-INF, 0), (0, INF)),
    Form("log(1 + exp(u))", lambda u: np.logaddexp(0, u), lambda u: u - np.exp(-u), LINE, LINE, (0, INF)),
    Form("sinh(u)", np.sinh, lambda u: np.arctan(np.sinh(u)), LINE, (-np.pi / 2, np.pi / 2), LINE),
    Form("atan(u)", np.arctan, lambda u: u + u**3 / 3, LINE, LINE, (-np.pi / 2, np.pi / 2)),
    Form("asinh(u)", np.arcsinh, lambda u: (u * np.hypot(1, u) + np.arcsinh(u)) / 2, LINE, LINE, LINE),
    Form(
        "asin(u)",
        np.arcsin,
        lambda u: (u * np.sqrt(1 - u * u) + np.arcsin(u)) / 2,
        (-1, 1),
        (-np.pi / 4, np.pi / 4),
        (-np.pi / 2, np.pi / 2),
    ),
    Form("atanh(u)", np.arctanh, lambda u: u - u**3 / 3, (-1, 1), (-2 / 3, 2 / 3), LINE),
]
BY_NAME = {form.formula: form for form in FORMS}


def _ends(terms):
    """The ends of s and of x for a weighted sum of forms with their starts: the flow ends when the first one does."""
    starts = [form.clock(start) for _, form, start in terms]
    ends = []
    for side in (0, 1):
        own = [
            (form.times[side if weight > 0 else 1 - side] - start) / weight
            for (weight, form, _), start in zip(terms, starts, strict=True)
        ]
        s = max(own) if side == 0 else min(own)
        parts = [
            weight * (form.weights[side if weight > 0 else 1 - side] if mine == s else form.weight(start + weight * s))
            for (weight, form, _), start, mine in zip(terms, starts, own, strict=True)
        ]
        ends.append((s, sum(parts)))
    return tuple(s for s, _ in ends), tuple(x for _, x in ends)


def _sums():
    """Random sums of two forms, always the same."""
    generator = random.Random(20261128)  # noqa: S311
    for _ in range(8):
        one, other = generator.sample(FORMS, 2)
        yield (generator.choice([1, 2]), one, 0.7), (generator.choice([-1, 1]), other, 0.6)
    for text in ("4/3", "3/2", "5/3", "7/4", "5/4"):
        form = BY_NAME.get(f"u**({text})") or _power(text)
        yield (1, form, 0.7), (-1, form, 0.6)


CASES = [*(((1, form, 0.7),) for form in FORMS), *(((-2, form, 0.6),) for form in FORMS[3:5]), *_sums()]


def _formula(terms):
    return " + ".join(
        f"{weight}*({form.formula.replace('u', name)})" for (weight, form, _), name in zip(terms, "uv", strict=False)
    )


def _close(found, expected):
    return found == expected or abs(found - expected) <= 1e-6 * (1e-3 + abs(expected))


@pytest.mark.parametrize("terms", CASES, ids=_formula)
def test_numerical_domains_are_where_the_flow_leads(terms):
    """Each end of a numerical domain is right or lies inside the true domain, and queries beyond it are refused."""
    shape = ib.Parameterization(_formula(terms))
    R = ib.NumericalPotential(shape, {name: start for name, (*_, start) in zip(shape.params, terms, strict=True)})
    times, weights = _ends(terms)
    for found, expected, ask in ((R.dual_domain, times, R.inverse_gradient), (R.domain, weights, R.gradient)):
        for side, end, true in zip((-1, 1), found, expected, strict=True):
            assert _close(end, true) or side * end < side * true
            if np.isfinite(true):
                with pytest.raises(ib.DomainError):
                    ask(true + side * (1e-4 + 1e-4 * abs(true)))


# The domain of these has a formula. Other domains may have none, but not a wrong one.
PRINTED = {_formula(terms) for terms in CASES if len(terms) == 1 and "**" in terms[0][1].formula} - {"1*(u**(3/2))"}
PRINTED |= {f"1*(u**({p})) + -1*(v**({p}))" for p in ("4/3", "5/3", "5/4")}


@pytest.mark.parametrize("terms", CASES, ids=_formula)
def test_printed_domains_are_where_the_flow_leads(terms):
    found = ib.derive(_formula(terms), time_limit=10)
    if found.domain is None:
        assert _formula(terms) not in PRINTED
        return
    starts = {
        found.names.initial(name): sp.Rational(str(start)) for name, (*_, start) in zip("uv", terms, strict=False)
    }
    for domain, ends in zip((found.dual_domain, found.domain), _ends(terms), strict=True):
        at = domain.subs(starts | {"A": 0})
        assert _close(float(at.inf), ends[0])
        assert _close(float(at.sup), ends[1])
