r"""Closed forms of one parameter by way of the metric, for maps whose flow has no formula."""

from __future__ import annotations

import sympy as sp

from implicit_bias.errors import UnsupportedError
from implicit_bias.symbolic.assumptions import DECAY, X, Z, initial
from implicit_bias.symbolic.candidate import ATTEMPT_TIME_SHARE, STEP_TIME_SHARE, Candidate
from implicit_bias.symbolic.identities import Statement
from implicit_bias.symbolic.ranges import covered
from implicit_bias.symbolic.real_roots import real_roots
from implicit_bias.symbolic.separation import real_logarithms
from implicit_bias.symbolic.solving import solutions
from implicit_bias.symbolic.sympy_call import sympy_call
from implicit_bias.symbolic.time_limit import Deadline
from implicit_bias.symbolic.zero_test import vanishes


def by_metric(g: sp.Expr, h: sp.Expr, symbols: list[sp.Symbol], deadline: Deadline) -> Candidate:
    r"""The formulas of one parameter from the metric, :math:`R''(x) = 1/g'(\theta)^2` at :math:`\theta = g^{-1}(x)`.

    A commuting h has :math:`h' = c g'`, so that decay is a flow back: it adds :math:`cA` to the mirror map.
    """
    if len(symbols) > 1:
        raise UnsupportedError(
            f"g has {len(symbols)} parameters, so 1/R'' = ‖∇g‖² is a function of x along its flow alone, which has to "
            "be solved first."
        )
    if g.is_polynomial():
        raise UnsupportedError("The metric of a polynomial is not integrated: its flow is solved instead.")
    if not _is_smooth(g):
        raise UnsupportedError(f"g = {g} is not known to be smooth everywhere, so 1/R'' = g'² is not integrated.")
    (symbol,) = symbols
    slope, start = sp.diff(g, symbol), g.xreplace({symbol: initial(symbol)})
    metric, potential, mirror_map = deadline.run(
        "Integrating the metric", _integrated_metric, g, h, symbol, share=STEP_TIME_SHARE
    )
    try:
        curve = deadline.run("Solving ∇R for x", _solved, mirror_map, start, share=ATTEMPT_TIME_SHARE)
    except UnsupportedError:
        curve = None
    ends = deadline.run("Finding the range of x(s)", _range, g, symbol, mirror_map)
    origin = {X: start, DECAY: sp.Integer(0)}
    statements = [
        Statement("1/R″ is ‖∇g‖²", r"1/R_A''(g(\theta))=\|\nabla g(\theta)\|^2", [metric.xreplace({X: g}) - slope**2]),
        Statement("∇R is the slope of R", r"\partial_x R_A=R_A'", [sp.diff(potential, X) - mirror_map]),
        Statement("R″ is the slope of ∇R", r"\partial_x R_A'=R_A''", [sp.diff(mirror_map, X) - 1 / metric]),
        Statement(
            "decay moves ∇R as −∇h moves θ",
            r"\partial_A R_A'=\partial h/\partial g",
            [mirror_map.diff(DECAY) * slope - sp.diff(h, symbol)],
        ),
        Statement("the slope at the start is zero", r"R_0'(g(\theta_0))=0", [mirror_map.xreplace(origin)]),
    ]
    found: dict[str, object] = {
        "potential": potential,
        "mirror_map": mirror_map,
        "metric": metric,
        "domain": ends[0],
        "dual_domain": ends[1],
    }
    if curve is not None:
        found |= {"inverse_mirror_map": curve, "minimizer": curve.xreplace({Z: sp.Integer(0)})}
        statements.append(
            Statement("∇R* inverts ∇R", r"\nabla R_A^*(R_A'(x))=x", [curve.xreplace({Z: mirror_map}) - X])
        )
    elif not mirror_map.has(DECAY):
        found["minimizer"] = start
    return Candidate(found, (), statements, _inside(ends[0]))


def _integrated_metric(g: sp.Expr, h: sp.Expr, symbol: sp.Symbol) -> tuple[sp.Expr, sp.Expr, sp.Expr]:
    """1/R'', R and R'."""
    start, slope = g.xreplace({symbol: initial(symbol)}), sp.diff(g, symbol)
    for branch in solutions(g, symbol, X):
        if not vanishes(branch.xreplace({X: g}) - symbol, proof_time=0).holds:
            continue
        metric = sp.factor_terms(sympy_call(sp.simplify, slope.xreplace({symbol: branch}) ** 2))
        clock = real_logarithms(sympy_call(sp.integrate, 1 / metric, X), X, start)
        if clock.has(sp.Integral):
            continue
        pull = sympy_call(sp.simplify, sp.diff(h, symbol) / slope)
        mirror_map = clock - sympy_call(sp.simplify, clock.xreplace({X: start})) + pull * DECAY
        potential = real_logarithms(sympy_call(sp.integrate, sp.expand(mirror_map), X), X, start)
        if not potential.has(sp.Integral, sp.Piecewise):
            return metric, real_roots(potential), real_roots(mirror_map)
    raise UnsupportedError(f"No closed form of the integral of R'' = 1/g'² was found for g = {g}.")


def _range(g: sp.Expr, symbol: sp.Symbol, mirror_map: sp.Expr) -> tuple[sp.Set | None, sp.Set | None]:
    """The range of a monotone g, and of ∇R on it. None where g may turn, as the range then depends on the start."""
    ends = [sympy_call(sp.limit, g, symbol, end) for end in (0 if symbol.is_positive else -sp.oo, sp.oo)]
    if not all(end.is_number and end.is_extended_real for end in ends) or not _keeps_its_sign(sp.diff(g, symbol)):
        return None, None
    domain = (min(ends), max(ends))
    dual = covered(mirror_map, domain, X)
    return sp.Interval.open(*domain), dual and sp.Interval.open(*dual)


def _inside(domain: sp.Set | None) -> tuple[sp.Expr, ...]:
    """Expressions that are positive on an open interval of x."""
    ends = () if domain is None else (X - domain.inf, domain.sup - X)
    return tuple(end for end in ends if end.is_finite is not False)


def _keeps_its_sign(slope: sp.Expr) -> bool:
    """Whether SymPy knows that a slope vanishes nowhere."""
    forms = (slope, sp.simplify(slope), sp.factor(sp.together(slope.rewrite(sp.exp))))
    return any(form.is_positive or form.is_negative for form in forms)


def _solved(mirror_map: sp.Expr, start: sp.Expr) -> sp.Expr | None:
    """The inverse mirror map, where ∇R can be solved for x."""
    origin = dict.fromkeys((Z, DECAY), sp.Integer(0))
    for candidate in solutions(mirror_map, X, Z):
        if vanishes(candidate.xreplace(origin) - start, proof_time=0).holds:
            return candidate
    return None


def _is_smooth(g: sp.Expr) -> bool:
    """Whether g is smooth on the whole line, or for positive parameters where they are declared so."""
    powers = [p.base for p in g.atoms(sp.Pow) if not (p.exp.is_Integer and p.exp.is_positive) and p.base != sp.E]
    inside = [logarithm.args[0] for logarithm in g.atoms(sp.log)]
    kinks = g.has(sp.Abs, sp.sign, sp.tan, sp.asin, sp.acos, sp.acosh, sp.atanh)
    return not kinks and all(e.is_positive for e in (*powers, *inside))
