"""``implicit-bias derive``."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer

from implicit_bias.cli.failing import bad_input_fails
from implicit_bias.errors import InputError

if TYPE_CHECKING:
    import sympy as sp

    from implicit_bias.symbolic import Derivation
    from implicit_bias.symbolic.assumptions import ResultNames

COMMAND = "implicit-bias derive"
ANY_SIGN = ""  # the key of a domain that is the same for all signs


def derive(
    formula: Annotated[str, typer.Argument(help="x = g(θ) of one weight, such as 'm*w'.", show_default=False)],
    params: Annotated[
        str | None, typer.Option(help="The names of its parameters, such as m,w.", show_default="all names in it")
    ] = None,
    regularizer: Annotated[
        str | None, typer.Option(help="The regularizer h(θ), such as 'm**2+w**2'.", show_default=False)
    ] = None,
    constants: Annotated[
        str | None, typer.Option(help="Names that are positive constants, such as c.", show_default=False)
    ] = None,
    latex: Annotated[bool, typer.Option("--latex", help="Print LaTeX.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON with formulas as text.")] = False,
) -> None:
    """Derive the Bregman potential of a parameterization.

    The formulas hold the weight x, its dual z, the decay A = ∫α dt and the
    initial values, such as m0 for m; if the given formula uses these letters
    itself, the results use others. Formulas that were not found are left out,
    and notes say why.

    Exits with 2 on bad input, and if g and h do not commute, since there is no
    potential then.

    For instance:

    implicit-bias derive "m*w" --regularizer "m**2+w**2"

    implicit-bias derive "u**2 - v**2" --latex

    implicit-bias derive "log(u) - log(v)" --json

    implicit-bias derive "c*m*w" --constants c
    """
    with bad_input_fails(COMMAND):
        if latex and as_json:
            raise InputError("give --latex or --json, not both.")
        from implicit_bias.symbolic import Parameterization
        from implicit_bias.symbolic import derive as derive_potential

        derivation = derive_potential(Parameterization(formula.strip(), params, regularizer, constants or ()))
    if latex:
        typer.echo(derivation.latex())
    elif as_json:
        typer.echo(json.dumps(_contents(derivation), indent=2, ensure_ascii=False))
    else:
        typer.echo(_text(derivation))


def _formulas(derivation: Derivation) -> dict[str, sp.Expr | None]:
    return {
        "potential": derivation.potential,
        "mirror_map": derivation.mirror_map,
        "inverse_mirror_map": derivation.inverse_mirror_map,
        "conjugate": derivation.conjugate,
        "metric": derivation.metric,
        "scale": derivation.scale,
        "minimizer": derivation.minimizer,
    }


def _left_sides(names: ResultNames) -> dict[str, str]:
    x, z, A = names.weight, names.dual, names.decay
    return {
        "potential": f"R_{A}({x})",
        "mirror_map": f"R_{A}'({x})",
        "inverse_mirror_map": f"{x}({z})",
        "conjugate": f"R_{A}*({z})",
        "metric": f"1/R_{A}''({x})",
        "scale": "a",
        "minimizer": f"argmin R_{A}",
    }


def _domains(derivation: Derivation) -> dict[str, list[str]]:
    """The ends of the open interval of weights, by the signs of the initial values that it depends on."""
    import sympy as sp

    from implicit_bias.symbolic.ranges import by_signs

    if derivation.domain is None:
        return {}
    ends = derivation.domain.inf, derivation.domain.sup
    cases = [where for end in ends for piece in end.atoms(sp.Piecewise) for _, where in piece.args]
    deciding = sorted({symbol for where in cases for symbol in where.free_symbols}, key=str)
    domains = {}
    for where, declared, back in by_signs(deciding):
        domains[" and ".join(map(str, where))] = [str(end.xreplace(declared).xreplace(back)) for end in ends]
    return domains


def _contents(derivation: Derivation) -> dict[str, Any]:
    domains = _domains(derivation)
    return {
        "output": str(derivation.parameterization.output),
        "params": list(derivation.parameterization.params),
        "constants": list(derivation.parameterization.constants),
        "names": _names(derivation),
        "regularizer": None if derivation.regularizer is None else str(derivation.regularizer),
        "closed_form": derivation.closed_form,
        "proved": derivation.proved,
        **{name: None if value is None else str(value) for name, value in _formulas(derivation).items()},
        "domain": domains.get(ANY_SIGN),
        "domain_by_sign": None if ANY_SIGN in domains else domains or None,
        "conditions": [f"{condition} > 0" for condition in derivation.conditions],
        "identities": [
            {"name": identity.name, "equation": identity.equation, "outcome": identity.outcome.value}
            for identity in derivation.identities
        ],
        "notes": list(derivation.notes),
    }


def _names(derivation: Derivation) -> dict[str, object]:
    """The names of the symbols in the formulas."""
    names = derivation.names
    initial = {param: names.initial(param) for param in derivation.parameterization.params}
    return {"weight": names.weight, "dual": names.dual, "decay": names.decay, "initial": initial}


def _text(derivation: Derivation) -> str:
    left = _left_sides(derivation.names)
    rows = [(derivation.names.weight, str(derivation.parameterization.output))]
    if derivation.regularizer is not None:
        rows.append(("h", str(derivation.regularizer)))
    rows += [(left[name], str(value)) for name, value in _formulas(derivation).items() if value is not None]
    width = max(len(name) for name, _ in rows)
    lines = [f"{name:{width}} = {value}" for name, value in rows]
    for where, (low, high) in _domains(derivation).items():
        lines.append(f"for {derivation.names.weight} in ({low}, {high})" + (f" if {where}" if where else ""))
    if derivation.conditions:
        lines.append(f"where {' and '.join(f'{condition} > 0' for condition in derivation.conditions)}")
    if not derivation.closed_form:
        lines.append("The potential has no closed form that we found; the library integrates it numerically.")
    outcomes = [identity.outcome.value for identity in derivation.identities]
    if outcomes:
        tally = ", ".join(f"{outcomes.count(outcome)} {outcome}" for outcome in dict.fromkeys(outcomes))
        lines.append(f"checked identities: {tally}")
    return "\n".join([*lines, *(f"note: {note}" for note in derivation.notes)])
