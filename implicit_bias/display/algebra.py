"""Cards of symbolic results: formulas, where they hold, the identities behind them, and the graph of an example."""

from __future__ import annotations

from collections.abc import Callable
from functools import singledispatch
from typing import cast

import sympy as sp
from matplotlib.axes import Axes

from implicit_bias.claims.verdict import Outcome
from implicit_bias.display import potential as of_potential
from implicit_bias.display.card import Html, badge, card, displayed, folded, formula, joined, line, rows, text
from implicit_bias.display.picture import picture
from implicit_bias.errors import DomainError
from implicit_bias.plotting import sequence
from implicit_bias.potential import SeparablePotential
from implicit_bias.symbolic.commuting import CommutingReport
from implicit_bias.symbolic.derivation import Derivation
from implicit_bias.symbolic.parameterization import Parameterization

DECAYS = (0.0, 0.25, 0.5, 1.0)


@singledispatch
def html(result: object) -> Html:
    """The card of a result of algebra."""
    raise TypeError(f"{type(result).__name__}: there is no card for it.")


@html.register
def _(parameterization: Parameterization) -> Html:
    """Formulas and parameters."""
    if parameterization.separable:
        kind = "separable: every weight has parameters of its own"
    else:
        kind = f"coupled: {len(parameterization.outputs)} weights share their parameters"
    parameters = ", ".join(sp.latex(symbol) for symbol in parameterization.symbols)
    details = [(text("parameters"), formula(parameters)), (text("kind"), text(kind))]
    if parameterization.constants:
        constants = ", ".join(sp.latex(sp.Symbol(name)) for name in parameterization.constants)
        details.insert(1, (text("constants"), formula(constants)))
    equations = [line(displayed(f"{left} = {right}")) for left, right in parameterization.equations()]
    return card(
        text("Parameterization"),
        *equations,
        rows(details),
    )


@html.register
def _(report: CommutingReport) -> Html:
    """The bracket, what was concluded, and a witness where it does not vanish."""
    bracket = rf"[\nabla {_name(report.fields[0])}, \nabla {_name(report.fields[1])}]"
    lines = [(text("outcome"), badge(report.outcome))]
    if not report.holds:
        components = ", ".join(sp.latex(component) for component in report.bracket)
        lines.append((formula(bracket), displayed(rf"\left( {components} \right)")))
    if report.witness is not None:
        where = ", ".join(f"{name} = {value:g}" for name, value in report.witness.items())
        values = ", ".join(f"{float(value):g}" for value in report.bracket.subs(report.witness))
        lines.append((text("witness"), text(f"({values}) at {where}")))
    return card(formula(f"{bracket} = 0"), rows(lines))


def _name(field: str) -> str:
    """``g1`` as LaTeX."""
    return field[0] + (f"_{{{field[1:]}}}" if field[1:] else "")


@html.register
def _(derivation: Derivation) -> Html:
    """Formulas, domain, identities, notes, and the graph of an example."""
    parameterization, h = derivation.parameterization, derivation.regularizer
    weight = sp.latex(sp.Symbol(derivation.names.weight))
    title = f"{weight} = {sp.latex(parameterization.output)}" + ("" if h is None else rf", \quad h = {sp.latex(h)}")
    lines = [(formula(left), displayed(right)) for left, right in derivation.equations()]
    if derivation.domain is not None:
        by_sign = "it depends on the signs of the initial values: see .domain"
        is_one = not derivation.domain.has(sp.Piecewise)
        lines.append((text("domain"), formula(sp.latex(derivation.domain)) if is_one else text(by_sign)))
    if derivation.conditions:
        conditions = r",\ ".join(f"{sp.latex(condition)} > 0" for condition in derivation.conditions)
        lines.append((text("where"), formula(conditions)))
    if not derivation.closed_form:
        lines.append((text("closed form"), text("none found: .at(init) integrates the flow instead")))
    parts = [rows(lines)]
    if derivation.identities:
        outcomes = [identity.outcome for identity in derivation.identities]
        tally = [text(f"{outcomes.count(o)} ") + badge(o) for o in Outcome if o in outcomes]
        entries = ((badge(i.outcome), joined([text(i.name), formula(i.equation)])) for i in derivation.identities)
        parts.append(folded(joined([text("identities that were checked:"), *map(Html, tally)]), rows(entries)))
    if derivation.notes:
        parts.append(folded(text("notes"), joined((Html(f"<p>{text(note)}</p>") for note in derivation.notes), "")))
    init = _example(derivation)
    if init is not None:
        parts.append(_family(derivation, init))
    return card(Html(text("Derivation of ") + formula(title)), *parts)


def _example(derivation: Derivation) -> dict[str, float] | None:
    """Initial values that the derivation covers, if possible zero but for the first; None if it needs more."""
    if not derivation.closed_form or derivation.parameterization.constants:
        return None  # a numerical potential takes long, and constants have no numbers yet
    names = derivation.parameterization.params
    for rest in (0.0, 0.5, 1.0):
        init = dict(zip(names, (1.0, *[rest] * (len(names) - 1)), strict=True))
        try:
            derivation.at(init)
        except DomainError:
            continue
        return init
    return None


def _family(derivation: Derivation, init: dict[str, float]) -> Html:
    # All potentials that a derivation makes are separable, which the type of Derivation.family does not say.
    family = cast("Callable[[float], SeparablePotential]", derivation.family(init))
    decays = DECAYS if derivation.regularizer is not None else DECAYS[:1]

    def draw(ax: Axes) -> None:
        for k, decay in enumerate(decays):
            colour = sequence(len(decays))[k]
            of_potential.plot(family(decay), ax=ax, label=f"{derivation.names.decay} = {decay:g}", color=colour)
        ax.set_xlabel(f"weight ${derivation.names.weight}$")
        ax.set_ylabel(f"$R_{derivation.names.decay}({derivation.names.weight})$")
        if len(decays) > 1:
            ax.legend()

    where = ", ".join(f"{derivation.names.initial(name)} = {value:g}" for name, value in init.items())
    return Html(picture(f"The potential for {where}", draw) + f"<small>for instance, {text(where)}</small>")
