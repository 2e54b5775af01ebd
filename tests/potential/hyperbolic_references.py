"""Cases of the hyperbolic entropy over its whole range, and its formulas in mpmath by definition."""

import math

import mpmath as mp
import numpy as np
import potential_laws as laws
from hypothesis import strategies as st

from implicit_bias import HyperbolicEntropy

EPS = laws.EPS
LOG_RANGE = 690.0  # exp(±690) is 1e±300
logs = st.floats(-LOG_RANGE, LOG_RANGE)
signs = st.sampled_from([-1.0, 1.0])
shifts = st.one_of(st.just(0.0), st.floats(-3, 3), st.floats(-300, 300))
rates = st.sampled_from([0.5, 2.0, 4.0])


def point(log_scale, log_ratio, sign):
    """An x of about ±a·exp(log_ratio), kept where neither x log x nor x² / a overflows in sums."""
    return sign * math.exp(min(max(log_scale + log_ratio, -680.0), 680.0))


@st.composite
def cases(draw):
    n = draw(st.integers(1, 3))
    log_scale = np.array([draw(logs) for _ in range(n)])
    shift = np.array([draw(shifts) for _ in range(n)])
    # Minimizers beyond the floating-point range are tested on their own.
    shift = np.clip(shift, -680 + np.abs(log_scale), 680 - np.abs(log_scale)) * (np.abs(log_scale) < 680)
    potential = HyperbolicEntropy(log_scale=log_scale, shift=shift, rate=draw(rates))
    x, other = (np.array([point(s, draw(logs), draw(signs)) for s in log_scale]) for _ in range(2))
    if draw(st.booleans()):  # close points, down to neighbouring numbers
        other = x * (1 + draw(signs) * 10.0 ** draw(st.floats(-16, -1)))
    return case(potential, x, other)


def case(potential, x, other):
    return laws.Case(potential, x, other, dual_rounding(potential, x) + dual_rounding(potential, other))


def dual_rounding(potential, x):
    """The rounding of R'(x): a few units in the last place of arcsinh(x/a), b and log a."""
    angle = potential.rate * np.abs(potential.gradient(x)) + np.abs(potential.shift)
    return 8 * EPS * (1 + angle + np.abs(potential.shift) + np.abs(potential.log_scale)) / potential.rate


def parameters(potential, k):
    """a, b and r of a coordinate, and the relative rounding of a, which is not 0 if only log a is known."""
    number = {name: np.ravel(getattr(potential, name)) for name in ("scale", "log_scale", "shift")}
    a, log_a, b = (mp.mpf(float(values[k % len(values)])) for values in number.values())
    r = mp.mpf(potential.rate)
    return (mp.exp(log_a), b, r, abs(log_a)) if log_a < -708 else (a, b, r, mp.mpf(0))


def exact_chain(potential, k, x):
    """R and its first three derivatives at a weight by definition, each with the size of what is rounded."""
    a, b, r, blur = parameters(potential, k)
    x = mp.mpf(x)
    angle, radius = mp.asinh(x / a), mp.sqrt(x * x + a * a)
    rounded = (abs(angle) + abs(b) + min(1, abs(angle)) * blur) / r
    share = 1 + min(1, (a / radius) ** 2) * blur
    return [
        ((x * (angle - b) - radius) / r, abs(x) * rounded + radius * share / r),
        ((angle - b) / r, rounded),
        (1 / (r * radius), share / (r * radius)),
        # −M' R''², where M' = r x/√(x² + a²) may lie below the normal numbers.
        (-x / (r * radius**3), share * abs(x) / (r * radius**3) + mp.mpf(2) ** -1074 / EPS / (r * radius) ** 2),
    ]


def exact_dual_chain(potential, k, z):
    """R* and its first three derivatives; q = r z + b rounds by |q| units, which the exponential hands on."""
    a, b, r, blur = parameters(potential, k)
    q = r * mp.mpf(z) + b
    cosine, sine = a * mp.cosh(q), a * mp.sinh(q)
    # If the scale or exp(q) leaves the normal numbers, the exponent is q + log a and has the rounding of that sum.
    unit = 1 + abs(r * z) + abs(b) + (abs(mp.log(a)) if abs(q) > 700 else blur)
    numbers = cosine / r, sine, r * cosine, r * r * sine
    factors = 1 / r, 1, r, r * r
    return [
        (number, cosine * factor * unit + mp.mpf(2) ** -1074 * factor / laws.EPS)
        for number, factor in zip(numbers, factors, strict=True)
    ]
