r"""Closed forms of sums of powers whose exponents are constants, such as u^D − v^D: every D ≠ 2 at once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import sympy as sp

from implicit_bias.errors import UnsupportedError
from implicit_bias.symbolic.assumptions import DECAY, Constant, X, Z, constants_in, initial, is_constant
from implicit_bias.symbolic.candidate import Candidate
from implicit_bias.symbolic.identities import Statement
from implicit_bias.symbolic.sympy_call import sympy_call

# Where θ stands in equations: θ = θ₀ b^(1/(2 − p)) along the flow, or y of x = c y^p.
_BRACKET, _SIZE = sp.symbols("b y", positive=True)


@dataclass(frozen=True)
class _Term:
    r"""c θ^p in g and e θ^p in h, with θ > 0; all but θ are numbers or constants.

    As :math:`\theta^{2-p}` moves at a constant rate, :math:`\theta = \theta_0 B^{1/(2-p)}` on the flow, where
    :math:`B = 1 + p(2-p)\theta_0^{p-2}(cs - eA)`.
    """

    symbol: sp.Symbol
    factor: sp.Expr
    pull: sp.Expr
    power: sp.Expr

    @property
    def start(self) -> sp.Symbol:
        return initial(self.symbol)

    @property
    def rate(self) -> sp.Expr:
        """The slope of B in cs − eA."""
        return self.power * (2 - self.power) * self.start ** (self.power - 2)

    @property
    def bracket(self) -> sp.Expr:
        """B."""
        return 1 + self.rate * (self.factor * Z - self.pull * DECAY)

    def raised(self, bracket: sp.Expr, degree: sp.Expr | int) -> sp.Expr:
        """θ to some degree, where B has some value."""
        return self.start**degree * bracket ** (degree / (2 - self.power))

    @property
    def spent(self) -> sp.Expr:
        """1 − B on the flow of h alone, which ends where this grows to 1: at θ = 0 for p < 2, at ∞ for p > 2."""
        return self.rate * self.pull * DECAY

    def in_time(self, formula: sp.Expr) -> sp.Expr:
        """The derivative in cs − eA of a formula in the value of B."""
        return self.rate * sp.diff(formula, _BRACKET)


def has_powers_of_constants(formula: sp.Expr) -> bool:
    """Whether a parameter stands in the base of a power whose exponent holds constants."""
    return any(constants_in(power.exp) and not is_constant(power.base) for power in formula.atoms(sp.Pow))


def by_powers(g: sp.Expr, h: sp.Expr, symbols: Sequence[sp.Symbol]) -> tuple[Candidate, tuple[str, ...]]:
    r"""The formulas of :math:`g = \sum_k c_k\theta_k^{p_k}` and :math:`h = \sum_k e_k\theta_k^{p_k}`, θ > 0.

    By Euler's identity :math:`R_A^* = \sum_k \theta_k^2/(2p_k)`. A single power is inverted as well.

    Returns:
        The candidate, and sentences on what is missing, and on how much decay leaves a minimizer.

    Raises:
        UnsupportedError: If g or h has another form, or an exponent may be 2 and is no constant itself.
    """
    terms = _terms(g, h, symbols)
    curve = sp.Add(*(term.factor * term.raised(term.bracket, term.power) for term in terms))
    found: dict[str, object] = {
        "inverse_mirror_map": curve,
        "conjugate": sp.Add(*(term.raised(term.bracket, 2) / (2 * term.power) for term in terms)),
        "minimizer": curve.xreplace({Z: sp.Integer(0)}),
        **_ranges(terms),
    }
    cases = [case for term in terms for case in _cases(term)]
    statements = [
        Statement(
            "the flow starts at θ₀",
            r"\theta(0,0)=\theta_0",
            [term.raised(term.bracket, 1).xreplace({Z: sp.S.Zero, DECAY: sp.S.Zero}) - term.start for term in terms],
        ),
        Statement(
            "θ follows ∇g in s",
            r"\partial_s\theta=\nabla g(\theta)",
            [case.factor * _excess_speed(case) for case in cases],
        ),
        Statement(
            "θ follows −∇h in A",
            r"\partial_A\theta=-\nabla h(\theta)",
            [-case.pull * _excess_speed(case) for case in cases],
        ),
        Statement(
            "∇R* is the slope of R*",
            r"\partial_z R_A^*=\nabla R_A^*",
            [
                case.factor * case.in_time(case.raised(_BRACKET, 2) / (2 * case.power))
                - case.factor * case.raised(_BRACKET, case.power)
                for case in cases
            ],
        ),
    ]
    notes = [
        f"The minimizer exists only while {term.spent} < 1; at 1 the regularizer's flow has ended in {term.symbol}."
        for term in terms
        if not term.spent.is_nonpositive
    ]
    if len(terms) == 1:
        found |= _inverted(terms[0])
        statements += _of_inverted(cases)
    else:
        notes.append(f"x(s) = {curve} is not solved for s: it adds up several powers.")
    poles = dict.fromkeys(2 - term.power for term in terms if not (2 - term.power).is_nonzero)
    if poles and len(terms) > 1:
        name = min(constants_in(*poles), key=str)
        notes.append(f"The range of x(s) depends on whether {name} exceeds 2: write k + 2 in its place to have it.")
    conditions = (*(pole**2 for pole in poles), *(term.start for term in terms))
    return Candidate(found, conditions, statements), tuple(notes)


def _terms(g: sp.Expr, h: sp.Expr, symbols: Sequence[sp.Symbol]) -> list[_Term]:
    factors, pulls = _powers(g, symbols), _powers(h, symbols)
    terms = []
    for symbol in symbols:
        factor, power = factors.get(symbol, (sp.S.Zero, sp.S.One))
        pull, same = pulls.get(symbol, (sp.S.Zero, power))
        if factor == 0 or sp.expand(same - power) != 0:
            raise UnsupportedError(f"{symbol} has different powers in {g} and {h}.")
        if not power.is_positive or not ((2 - power).is_nonzero or isinstance(power, Constant)):
            raise UnsupportedError(f"The exponent {power} is not known to be positive and other than 2.")
        terms.append(_Term(sp.Symbol(symbol.name, positive=True), factor, pull, power))
    return terms


def _powers(formula: sp.Expr, symbols: Sequence[sp.Symbol]) -> dict[sp.Symbol, tuple[sp.Expr, sp.Expr]]:
    """Factor and exponent by parameter, of a sum with one power of each."""
    found: dict[sp.Symbol, tuple[sp.Expr, sp.Expr]] = {}
    for part in sp.Add.make_args(sympy_call(sp.expand_mul, formula)):
        if part == 0:
            continue
        factor, moving = part.as_independent(*symbols, as_Add=False)
        base, power = moving.as_base_exp()
        if base not in symbols or base in found or not is_constant(power):
            raise UnsupportedError(f"{formula} is no sum with one power of each parameter.")
        found[base] = (factor, power)
    return found


def _cases(term: _Term) -> Iterator[_Term]:
    """The term with exponents that are known not to be 2; together they are all of its exponents."""
    if (2 - term.power).is_nonzero:
        yield term
        return
    more = sp.Symbol("k", positive=True)
    for side in (1, -1):  # equations may well hold below 0, too
        yield replace(term, power=2 + side * more)


def _excess_speed(case: _Term) -> sp.Expr:
    """The speed of θ in cs − eA minus the slope of θ^p, where B has the value b."""
    return case.in_time(case.raised(_BRACKET, 1)) - case.power * case.raised(_BRACKET, 1) ** (case.power - 1)


def _inverted(term: _Term) -> dict[str, object]:
    """The formulas in x of a single power, x = c θ^p."""
    c, e, p = term.factor, term.pull, term.power
    size = X / c  # θ^p
    tilt = e * DECAY / c - term.start ** (2 - p) / (p * (2 - p) * c)
    return {
        "potential": size ** (2 / p) / (2 * (2 - p)) + tilt * X,
        "mirror_map": size ** ((2 - p) / p) / (p * (2 - p) * c) + tilt,
        "metric": (c * p) ** 2 * size ** (2 - 2 / p),
    }


def _of_inverted(cases: Sequence[_Term]) -> list[Statement]:
    """Equations for the formulas in x, at x = c y^p; there B is (y/θ₀)^(2 − p)."""
    residuals: list[list[sp.Expr]] = [[], [], [], []]
    for case in cases:
        c, p = case.factor, case.power
        weight = c * _SIZE**p
        formulas = {name: formula for name, formula in _inverted(case).items() if isinstance(formula, sp.Expr)}
        at_weight = {name: formula.xreplace({X: weight}) for name, formula in formulas.items()}
        bracket = (_SIZE / case.start) ** (2 - p)
        slope = sp.diff(at_weight["potential"], _SIZE) / sp.diff(weight, _SIZE)
        residuals[0].append(case.bracket.xreplace({Z: at_weight["mirror_map"]}) - bracket)
        residuals[0].append(c * case.raised(bracket, p) - weight)
        residuals[1].append(slope - at_weight["mirror_map"])
        conjugate = case.raised(bracket, 2) / (2 * p)
        residuals[2].append(at_weight["potential"] + conjugate - weight * at_weight["mirror_map"])
        residuals[3].append(at_weight["metric"] - (c * p * _SIZE ** (p - 1)) ** 2)
    named = (
        ("∇R* inverts ∇R", r"\nabla R_A^*(R_A'(x))=x"),
        ("∇R is the slope of R", r"\partial_x R_A=R_A'"),
        ("R and R* are conjugate", r"R_A(x)+R_A^*(R_A'(x))=x\,R_A'(x)"),
        ("the metric is ‖∇g‖²", r"1/R_A''(g(\theta))=\|\nabla g(\theta)\|^2"),
    )
    return [Statement(*words, found) for words, found in zip(named, residuals, strict=True)]


def _ranges(terms: Sequence[_Term]) -> dict[str, object]:
    """The domain and the dual domain, as far as signs are known: above 2, B falls to 0 and θ grows to ∞."""
    signs = {sp.sign(term.factor) for term in terms}
    if not signs <= {sp.S.One, sp.S.NegativeOne}:
        return {}
    ends = {sp.S.One: (sp.S.Zero, sp.oo), sp.S.NegativeOne: (-sp.oo, sp.S.Zero)}
    domain = sp.S.Reals if len(signs) > 1 else sp.Interval.open(*ends[signs.pop()])
    if not all((term.power - 2).is_positive for term in terms):
        return {"domain": domain} if len(terms) == 1 else {}
    lower, upper = [-sp.oo], [sp.oo]
    for term in terms:
        reach = term.start ** (2 - term.power) / (term.power * (term.power - 2))
        side = upper if term.factor.is_positive else lower
        side.append((term.pull * DECAY + reach) / term.factor)
    return {"domain": domain, "dual_domain": sp.Interval.open(sp.Max(*lower), sp.Min(*upper))}
