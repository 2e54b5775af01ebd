"""``implicit-bias limit``."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from implicit_bias.cli.failing import bad_input_fails
from implicit_bias.cli.named_numbers import named_numbers
from implicit_bias.errors import InputError, did_you_mean

if TYPE_CHECKING:
    import numpy as np

    from implicit_bias.limit import Projection
    from implicit_bias.potential import Potential

COMMAND = "implicit-bias limit"
MASK = ("m*w", "m,w", "m**2 + w**2")
WEIGHTS_SHOWN = 10


@dataclass(frozen=True)
class Trained:
    """The options from which a potential is derived, besides the initial values; None where one is not given.

    Attributes:
        parameterization: g, of one weight.
        params: The names of its parameters.
        regularizer: h.
        decay: A = ∫α dt.
    """

    parameterization: str | None
    params: str | None
    regularizer: str | None
    decay: float | None


def limit(
    data: Annotated[Path, typer.Argument(help=".npz with Z and y, or .csv with y as its last column or called y.")],
    scale: Annotated[float | None, typer.Option(help="The scale a > 0 of a hyperbolic entropy.")] = None,
    log_scale: Annotated[float | None, typer.Option(help="Its logarithm, for scales that underflow.")] = None,
    init: Annotated[
        list[str] | None, typer.Option(metavar="NAME=NUMBER", help="Initial value of a parameter, for all weights.")
    ] = None,
    decay: Annotated[
        float | None, typer.Option(help="Decay A = ∫α dt >= 0, for initial values.", show_default="0")
    ] = None,
    parameterization: Annotated[
        str | None, typer.Option(metavar="FORMULA", help="x = g(θ) of one weight.", show_default=MASK[0])
    ] = None,
    params: Annotated[str | None, typer.Option(help="The names of its parameters.", show_default=MASK[1])] = None,
    regularizer: Annotated[
        str | None, typer.Option(help="The regularizer h(θ); none if you give another g.", show_default=MASK[2])
    ] = None,
    tol: Annotated[float, typer.Option(help="Tolerance on the KKT residual.")] = 1e-12,
    output: Annotated[Path | None, typer.Option(help="Write x, dual, residual and bound to this .npz.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, with all weights.")] = False,
) -> None:
    """Compute where training ends: the x with Zx = y that minimizes a potential.

    The potential is a hyperbolic entropy of the given scale, or it is derived
    from a parameterization, its initial values and the decay. The .npz file may
    hold initial values for each weight, as arrays m0 and w0.

    Exits with 1 if the solver fails or no x satisfies Zx = y, and with 2 on bad
    input.

    For instance:

    implicit-bias limit system.npz --scale 1e-8

    implicit-bias limit table.csv --init m=1 --init w=0 --decay 0.5 --json

    implicit-bias limit system.npz --parameterization "u**2-v**2" --init u=1 --init v=1 --output x.npz
    """
    with bad_input_fails(COMMAND):
        from implicit_bias.cli.system_file import read_system
        from implicit_bias.limit import bregman_projection
        from implicit_bias.problem import Regression

        if output is not None:
            _check_output(output, data)
        arrays = read_system(data)
        trained = Trained(parameterization, params, regularizer, decay)
        potential = _potential(scale, log_scale, init or [], trained, arrays)
        found = bregman_projection(Regression(arrays["Z"], arrays["y"]), potential, tol=tol)
        if output is not None:
            _write(output, found)
    if as_json:
        typer.echo(json.dumps(_contents(found, potential)))
    else:
        typer.echo(_text(found))
    if output is not None:
        typer.echo(f"wrote {output}", err=True)


def _check_output(output: Path, data: Path) -> None:
    """Refuse, before anything is computed, an output file that cannot be written or holds the data."""
    if output.suffix.lower() != ".npz":
        raise InputError(f"--output: expected a file called .npz, got {output}.")
    if output.resolve() == data.resolve():
        raise InputError(f"--output: {output} holds the data; name another file.")
    if not output.parent.is_dir():
        raise InputError(f"--output: there is no folder {output.parent}.")


def _potential(
    scale: float | None,
    log_scale: float | None,
    init: list[str],
    trained: Trained,
    arrays: Mapping[str, np.ndarray],
) -> Potential:
    """A hyperbolic entropy of the scale, or the potential that is derived for the initial values."""
    from implicit_bias.potential import HyperbolicEntropy
    from implicit_bias.symbolic import Parameterization, derive

    if scale is not None or log_scale is not None:
        more = [name for name, value in {"init": init or None, **asdict(trained)}.items() if value is not None]
        if more:
            raise InputError(
                f"--{more[0]}: goes with initial values, which set the scale themselves; leave out one of them."
            )
        if scale is not None and not scale > 0:
            raise InputError(f"--scale: expected a positive number, got {scale:g}; give a tiny one by --log-scale.")
        return HyperbolicEntropy(scale, log_scale=log_scale)
    formula, names, h = trained.parameterization, trained.params, trained.regularizer
    if formula is None:
        formula, names, h = MASK[0], MASK[1] if names is None else names, MASK[2] if h is None else h
    model = Parameterization(formula, names, h)
    values: dict[str, Any] = {name: arrays[f"{name}0"] for name in model.params if f"{name}0" in arrays}
    given = named_numbers("--init", init)
    unknown = next((name for name in given if name not in model.params), None)
    if unknown is not None:
        hint = did_you_mean(unknown, model.params)
        raise InputError(
            f"--init: {model.output} has no parameter {unknown!r}{hint}; it has {', '.join(model.params)}."
        )
    values |= given
    missing = [name for name in model.params if name not in values]
    if missing:
        raise InputError(
            f"give --scale, --log-scale, or an initial value of every parameter: --init {missing[0]}=NUMBER."
        )
    return derive(model).at(values, trained.decay or 0.0)


def _write(output: Path, found: Projection) -> None:
    from io import BytesIO

    import numpy as np

    from implicit_bias.files import write_whole

    archive = BytesIO()
    np.savez(
        archive,
        x=found.x,
        dual=found.dual,
        kkt_residual=found.kkt_residual,
        error_bound=found.error_bound,
        iterations=found.iterations,
        status=found.status.value,
    )
    write_whole(output, archive.getvalue())


def _contents(found: Projection, potential: Potential) -> dict[str, Any]:
    return {
        "potential": repr(potential),
        "status": found.status.value,
        "kkt_residual": found.kkt_residual,
        "error_bound": found.error_bound if math.isfinite(found.error_bound) else None,  # JSON has no inf
        "iterations": found.iterations,
        "x": found.x.tolist(),
        "dual": found.dual.tolist(),
    }


def _text(found: Projection) -> str:
    import numpy as np

    from implicit_bias.norm import norm

    x, bound = found.x, found.error_bound
    order = np.argsort(-np.abs(x), kind="stable")[:WEIGHTS_SHOWN]
    lines = [
        f"{len(x)} weights, {len(found.dual)} equations: {found.status.value} in {found.iterations} Newton steps",
        f"KKT residual   {found.kkt_residual:.2g}",
        f"‖x − x*‖₂      {'not bounded' if math.isinf(bound) else f'at most {bound:.2g}'}",
        f"‖x‖₁, ‖x‖₂     {np.sum(np.abs(x)):.6g}, {norm(x):.6g}",
        "largest weights" if len(x) > WEIGHTS_SHOWN else "weights, largest first",
        *(f"{f'x[{i}]':>14} = {x[i]: .12g}" for i in order),
    ]
    if len(x) > WEIGHTS_SHOWN:
        lines.append(f"… and {len(x) - WEIGHTS_SHOWN} more; --json or --output gives all")
    return "\n".join(lines)
