"""``implicit-bias notebooks``."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer

from implicit_bias.cli.failing import bad_input_fails
from implicit_bias.errors import InputError
from implicit_bias.files import write_whole
from implicit_bias.notebooks import NAMES, source


def notebooks(
    folder: Annotated[Path, typer.Argument(help="Where to write them; made if it is not there.")] = Path("notebooks"),
) -> None:
    """Write the notebooks into a folder, to run and to change: marimo programs, beginning with ten_minutes.py.

    A file that is there and differs, such as one you have changed, is kept, and nothing is written. Running them needs
    marimo, torch and the judge: pip install 'implicit-bias[notebooks]'.

    For instance:

    implicit-bias notebooks

    implicit-bias notebooks tour
    """
    with bad_input_fails("implicit-bias notebooks"):
        sources = {folder / f"{name}.py": source(name) for name in NAMES}
        differ = [path.name for path, text in sources.items() if path.exists() and path.read_bytes() != text.encode()]
        if differ:
            raise InputError(f"{folder} holds other files named {', '.join(differ)}: name another folder.")
        folder.mkdir(parents=True, exist_ok=True)
        for path, text in sources.items():
            write_whole(path, text)
    typer.echo(f"Wrote {len(sources)} notebooks. Open the first: marimo edit {folder / NAMES[0]}.py")
    if find_spec("marimo") is None:
        typer.echo("marimo is not installed: pip install 'implicit-bias[notebooks]'.")
