r"""Closed forms of steepest descent for a product of two parameters, by way of the balance that it conserves."""

from __future__ import annotations

import sympy as sp

from implicit_bias.errors import UnsupportedError
from implicit_bias.symbolic.assumptions import DECAY, X, Z, initial
from implicit_bias.symbolic.candidate import Candidate
from implicit_bias.symbolic.dynamics import steepest_field
from implicit_bias.symbolic.identities import Statement

_SIDE = sp.Symbol("y", positive=True)  # |x| or |z + b|, with which formulas on one side of 0 have no absolute values
_LEVEL = sp.Symbol("l", positive=True)  # λ


def by_balance(g: sp.Expr, h: sp.Expr, symbols: list[sp.Symbol], exponent: sp.Expr) -> Candidate:
    r"""The formulas for :math:`g = c\,m\,w` and :math:`h = \tfrac r2(m^2 + w^2)`.

    Steepest descent conserves :math:`\lambda = |m|^q - |w|^q`, and decoupled decay contracts it by :math:`e^{-qrA}`. So
    :math:`1/R_A'' = |c|^q(|m|^q + |w|^q) = |c|^q\sqrt{4|x/c|^q + \lambda_A^2}`. For q = 1 its inverse is integrated.

    Raises:
        UnsupportedError: If g or h has another form.
    """
    factor, rate = _factors(g, h, symbols)
    m, w = symbols
    start = {symbol: initial(symbol) for symbol in symbols}
    size = sp.Abs(factor)
    balance = sp.Abs(m) ** exponent - sp.Abs(w) ** exponent
    metric = size**exponent * sp.sqrt(4 * sp.Abs(X / factor) ** exponent + _LEVEL**2)
    level = balance.xreplace(start) * sp.exp(-exponent * rate * DECAY)
    minimizer = g.xreplace(start) * sp.exp(-2 * rate * DECAY)
    statements = _balance_statements(g, metric, balance, symbols, exponent, rate)
    if exponent != 1:
        found = {"metric": metric.xreplace({_LEVEL: level}), "minimizer": minimizer}
        return Candidate(found, (), statements)
    found, more, tilt = _of_sign_descent(size)
    # With m > |w| ≥ 0, w says where on the curve x starts.
    shift = sp.sign(factor) * initial(w) * sp.exp(-rate * DECAY)
    instance = {_LEVEL: level, tilt: shift}
    formulas = {name: formula.xreplace(instance) for name, formula in found.items()}
    formulas |= {"metric": metric.xreplace({_LEVEL: level}), "minimizer": minimizer}
    # Together m > |w|; exchanges and changes of sign lead there from every other start.
    conditions = tuple(initial(m) + sign * initial(w) for sign in (-1, 1))
    return Candidate({**formulas, "domain": sp.S.Reals, "dual_domain": sp.S.Reals}, conditions, [*statements, *more])


def _factors(g: sp.Expr, h: sp.Expr, symbols: list[sp.Symbol]) -> tuple[sp.Expr, sp.Expr]:
    """The factor c of g and the rate r of h."""
    if len(symbols) != 2:
        raise UnsupportedError("Under steepest descent, closed forms are found for products of two parameters alone.")
    m, w = symbols
    factor, rate = sp.simplify(g / (m * w)), sp.diff(h, m, 2)
    if factor.has(m, w) or rate.has(m, w) or sp.expand(h - rate * (m**2 + w**2) / 2) != 0:
        raise UnsupportedError(
            "Under steepest descent, closed forms are found for products of two parameters, with the sum of their "
            f"squares as regularizer, got g = {g} and h = {h}."
        )
    return factor, rate


def _balance_statements(
    g: sp.Expr, metric: sp.Expr, balance: sp.Expr, symbols: list[sp.Symbol], exponent: sp.Expr, rate: sp.Expr
) -> list[Statement]:
    """Each equation on the quadrants m > 0 of both signs of w; the others follow by g(−m, −w) = g(m, w)."""
    sizes = [sp.Symbol(f"{symbol.name}_size", positive=True) for symbol in symbols]
    quadrants = [dict(zip(symbols, (sizes[0], sign * sizes[1]), strict=True)) for sign in (1, -1)]
    gradient = sp.Matrix([g.diff(symbol) for symbol in symbols])
    field = steepest_field(gradient, exponent)
    # Differentiated where the sizes are positive, as SymPy's derivative of an absolute value is longer.
    conserved, contracted, speed = [], [], []
    for quadrant in quadrants:
        signs = [quadrant[symbol] / size for symbol, size in zip(symbols, sizes, strict=True)]
        slopes = [sign * balance.xreplace(quadrant).diff(size) for sign, size in zip(signs, sizes, strict=True)]
        here = field.xreplace(quadrant)
        conserved.append(sp.Add(*(slope * part for slope, part in zip(slopes, here, strict=True))))
        pull = [rate * quadrant[symbol] for symbol in symbols]
        moved = sp.Add(*(slope * part for slope, part in zip(slopes, pull, strict=True)))
        contracted.append(moved - exponent * rate * balance.xreplace(quadrant))
        reached = metric.xreplace({X: g}).xreplace({_LEVEL: balance}).xreplace(quadrant)
        speed.append(reached**2 - gradient.xreplace(quadrant).dot(here) ** 2)
    return [
        Statement("the balance is conserved", r"\partial_s(|m|^q-|w|^q)=0", conserved),
        Statement("decay contracts the balance", r"\partial_A\lambda_A=-qr\lambda_A", contracted),
        Statement("the metric is Σ|∂g|^q", r"(1/R_A''(g(\theta)))^2=(\sum_i|\partial_i g|^q)^2", speed),
    ]


def _of_sign_descent(size: sp.Expr) -> tuple[dict[str, sp.Expr], list[Statement], sp.Symbol]:
    """The formulas for q = 1 in λ and the shift b, the equations for them, and the symbol of b."""
    tilt = sp.Symbol("b", real=True)

    def potential(x: sp.Expr, root: sp.Expr) -> sp.Expr:
        return size * root**3 / 12 - _LEVEL * sp.Abs(x) / 2 - tilt * x

    def mirror_map(x: sp.Expr, root: sp.Expr) -> sp.Expr:
        return sp.sign(x) * (root - _LEVEL) / 2 - tilt

    def inverse(moved: sp.Expr) -> sp.Expr:
        return size * moved * (sp.Abs(moved) + _LEVEL)

    def conjugate(moved: sp.Expr) -> sp.Expr:
        return size * (sp.Abs(moved) ** 3 / 3 + _LEVEL * moved**2 / 2 - _LEVEL**3 / 12)

    def root_at(x: sp.Expr) -> sp.Expr:
        return sp.sqrt(4 * sp.Abs(x) / size + _LEVEL**2)

    slopes, inverts, slopes_of_dual, conjugates = [], [], [], []
    for x in (_SIDE, -_SIDE):  # and z + b, on either side of 0
        moved, root, reached = x, 2 * _SIDE + _LEVEL, inverse(x)
        slopes.append(sp.diff(potential(x, root_at(x)), _SIDE) * sp.sign(x) - mirror_map(x, root_at(x)))
        inverts += [root_at(reached) ** 2 - root**2, mirror_map(reached, root) - (moved - tilt)]
        slopes_of_dual.append(sp.diff(conjugate(moved), _SIDE) * sp.sign(x) - reached)
        conjugates.append(potential(reached, root) + conjugate(moved) - reached * (moved - tilt))
    statements = [
        Statement("∇R inverts ∇R*", r"R_A'(\nabla R_A^*(z))=z", inverts),
        Statement("∇R is the slope of R", r"\partial_x R_A=R_A'", slopes),
        Statement("∇R* is the slope of R*", r"\partial_z R_A^*=\nabla R_A^*", slopes_of_dual),
        Statement("R and R* are conjugate", r"R_A(x)+R_A^*(R_A'(x))=x\,R_A'(x)", conjugates),
    ]
    found = {
        "potential": potential(X, root_at(X)),
        "mirror_map": mirror_map(X, root_at(X)),
        "inverse_mirror_map": inverse(Z + tilt),
        "conjugate": conjugate(Z + tilt),
    }
    return found, statements, tilt
