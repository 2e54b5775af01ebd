r"""Closed forms by way of the flow: x(s) from the flows of ∇g and ∇h, and its inverse, the mirror map."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import sympy as sp

from implicit_bias.errors import UnsupportedError
from implicit_bias.symbolic.assumptions import DECAY, X, Z, initial, plain, slope
from implicit_bias.symbolic.candidate import ATTEMPT_TIME_SHARE, Candidate, duality, shorter, speed
from implicit_bias.symbolic.identities import Statement
from implicit_bias.symbolic.inversion import invert
from implicit_bias.symbolic.joint_flow import JointFlow
from implicit_bias.symbolic.ranges import bases, intervals
from implicit_bias.symbolic.real_roots import real_roots
from implicit_bias.symbolic.separation import real_logarithms
from implicit_bias.symbolic.sine_formulas import SineFormulas
from implicit_bias.symbolic.smoothness import ends_of_flow
from implicit_bias.symbolic.solving import solutions
from implicit_bias.symbolic.sympy_call import sympy_call
from implicit_bias.symbolic.time_limit import Deadline
from implicit_bias.symbolic.zero_test import vanishes


def along_the_flow(flow: JointFlow, g: sp.Expr, h: sp.Expr, deadline: Deadline) -> Candidate:
    """x(s; A) and where it starts."""
    if not flow.theta.has(Z):
        raise UnsupportedError("The flow of ∇g does not move.")
    curve = flow.along(g)
    minimizer = sp.factor_terms(shorter(curve.xreplace({Z: sp.Integer(0)}), deadline))
    gradients = [sp.Matrix([slope(function, s) for s in flow.symbols]) for function in (g, h)]
    start = sp.Matrix([initial(s) for s in flow.symbols])
    origin = dict.fromkeys((Z, DECAY), sp.Integer(0))
    statements = [
        Statement("the flow starts at θ₀", r"\theta(0,0)=\theta_0", list(flow.theta.xreplace(origin) - start)),
        Statement(
            "θ follows ∇g in s",
            r"\partial_s\theta=\nabla g(\theta)",
            list(flow.theta.diff(Z) - flow.along(gradients[0])),
        ),
        Statement(
            "θ follows −∇h in A",
            r"\partial_A\theta=-\nabla h(\theta)",
            list(flow.theta.diff(DECAY) + flow.along(gradients[1])),
        ),
    ]
    return Candidate({"inverse_mirror_map": curve, "minimizer": minimizer}, (), statements, _region(flow))


def by_sine(flow: JointFlow, g: sp.Expr, moved: Candidate, deadline: Deadline) -> Candidate:
    """The formulas where x(s) = a·sinh(r s + b)."""
    curve, minimizer = moved.formulas["inverse_mirror_map"], moved.formulas["minimizer"]
    form = deadline.run("Recognizing a hyperbolic sine", invert, curve, Z, share=ATTEMPT_TIME_SHARE)
    formulas = SineFormulas.of(form.rate)
    instance = {formulas.scale: form.scale, formulas.shift: form.shift}
    metric = formulas.metric.xreplace(instance)
    # Most hold for every a > 0 and b, so they are checked before the initial values are put in.
    statements = [
        *moved.statements,
        Statement("∇R* is x(s)", r"\nabla R_A^*(s)=X(s)", [formulas.inverse_mirror_map.xreplace(instance) - curve]),
        *duality(formulas.potential, formulas.mirror_map, formulas.inverse_mirror_map, formulas.conjugate),
        # Both sides are positive, so their squares decide; the squares have no root to simplify.
        Statement(
            "the metric is ‖∇g‖²",
            r"(1/R_A''(X))^2=\|\nabla g(\theta)\|^4",
            [metric.xreplace({X: curve}) ** 2 - flow.along(speed(g, flow.symbols)) ** 2],
        ),
        Statement("the minimizer has zero slope", r"R_A'(X(0))=0", [curve.xreplace({Z: sp.Integer(0)}) - minimizer]),
    ]
    found: dict[str, object] = {
        "potential": formulas.potential.xreplace(instance),
        "mirror_map": formulas.mirror_map.xreplace(instance),
        "inverse_mirror_map": formulas.inverse_mirror_map.xreplace(instance),
        "conjugate": formulas.conjugate.xreplace(instance),
        "metric": metric,
        "scale": form.scale,
        "log_scale": form.log_scale,
        "shift": form.shift,
        "rate": form.rate,
        "minimizer": minimizer,
        "domain": sp.S.Reals,
        "dual_domain": sp.S.Reals,
    }
    if _levels(flow, g):
        found |= {"domain": None, "dual_domain": None, **_ranges(flow, g, curve, deadline)}
    return Candidate(found, form.conditions, statements)


def by_inversion(flow: JointFlow, g: sp.Expr, moved: Candidate, deadline: Deadline) -> Candidate:
    """The formulas where x(s) can be solved for s but has no scale and shift."""
    curve, minimizer = moved.formulas["inverse_mirror_map"], moved.formulas["minimizer"]
    conditions = _region(flow)
    mirror_map = deadline.run("Inverting x(s)", _inverse, curve, conditions)
    mirror_map = shorter(mirror_map, deadline)
    conjugate = deadline.run("Integrating x(s)", sympy_call, sp.integrate, curve, Z)
    if conjugate.has(sp.Integral):
        raise UnsupportedError(f"SymPy finds no integral of {curve}.")
    conjugate = real_logarithms(conjugate, Z, sp.Integer(0))
    metric = shorter(1 / sp.diff(mirror_map, X), deadline)
    potential = sp.expand(real_roots(shorter(X * mirror_map - conjugate.xreplace({Z: mirror_map}), deadline)))
    statements = [
        *moved.statements,
        *duality(potential, mirror_map, curve, conjugate),
        Statement(
            "the metric is ‖∇g‖²",
            r"1/R_A''(X)=\|\nabla g(\theta)\|^2",
            [metric.xreplace({X: curve}) - flow.along(speed(g, flow.symbols))],
        ),
        Statement("the minimizer has zero slope", r"R_A'(X(0))=0", [mirror_map.xreplace({X: minimizer})]),
    ]
    found: dict[str, object] = {
        "potential": potential,
        "mirror_map": mirror_map,
        "inverse_mirror_map": curve,
        "conjugate": conjugate,
        "metric": metric,
        "minimizer": minimizer,
        **_ranges(flow, g, curve, deadline),
    }
    return Candidate(found, (), statements, conditions)


def curve_alone(flow: JointFlow, g: sp.Expr, moved: Candidate, deadline: Deadline) -> Candidate:
    """x(s) and its range, where x(s) cannot be inverted."""
    ranges = _ranges(flow, g, moved.formulas["inverse_mirror_map"], deadline)
    return replace(moved, formulas=moved.formulas | ranges)


def _ranges(flow: JointFlow, g: sp.Expr, curve: sp.Expr, deadline: Deadline) -> dict[str, object]:
    """The domains as formulas, if SymPy finds them."""
    levels = _levels(flow, g)
    ends = deadline.run("Finding the range of x(s)", intervals, flow.theta, levels, curve, flow.symbols, Z)
    return {} if ends is None else {"domain": ends[0], "dual_domain": ends[1]}


def _levels(flow: JointFlow, g: sp.Expr) -> list[sp.Expr]:
    """Functions along the flow that are zero where the flow of ∇g ends."""
    declared = {plain(s): s for s in flow.symbols}
    gradient = plain(sp.Matrix([slope(g, s) for s in flow.symbols]))
    return [flow.along(level.xreplace(declared)) for level in ends_of_flow(plain(g), gradient, list(declared))]


def _inverse(curve: sp.Expr, conditions: Sequence[sp.Expr]) -> sp.Expr:
    """The mirror map, s as a function of x: the branch on which s = 0 where the curve starts."""
    start = curve.xreplace({Z: sp.Integer(0)})
    for candidate in solutions(curve, Z, X):
        if vanishes(candidate.xreplace({X: start}), conditions, proof_time=0).holds:
            return candidate
    raise UnsupportedError(f"x(s) = {curve} is not solved for s, which stands in several terms.")


def _region(flow: JointFlow) -> tuple[sp.Expr, ...]:
    """Expressions that are positive as long as the flow exists."""
    origin = dict.fromkeys((Z, DECAY), sp.Integer(0))
    return tuple(base * base.xreplace(origin) for base in bases(flow.theta, Z))
