"""The saved numbers as tables in Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from experiments.markdown_table import markdown_table

Record = Mapping[str, Any]  # as JSON keeps it

_INTRODUCTION = """# Benchmarks

Written by `make bench` (or `python -m experiments.benchmarks`). All ratios come from runs in turn, A, B, C, A, B, C, …,
on one machine; times are medians over the rounds. The same numbers are in the `.csv` and `.json` files beside this
page, with settings, versions and tolerances.

![Ratios of wall times and growth with the problem](figure.png)
"""


def page(records: Iterable[Record]) -> str:
    """The whole page."""
    return "\n".join([_INTRODUCTION, *(_section(record) for record in records)])


def _section(record: Record) -> str:
    rows, aims = record["rows"], record["aims"]
    keys = [key for key in rows[0] if any(row[key] not in (None, "") for row in rows)]
    parts = [
        f"## {record['title']}\n",
        f"{record['explanation']}\n",
        markdown_table(_heads(keys), [[_cell(row[key]) for key in keys] for row in rows]) + "\n",
    ]
    if aims:
        cells = [
            [
                aim["text"],
                ("≥ " if aim["larger_is_better"] else "≤ ") + _cell(aim["target"]),
                _cell(aim["measured"]),
                "reached" if aim["reached"] else "**missed**",
            ]
            for aim in aims
        ]
        parts.append(markdown_table(["aim", "target", "measured", ""], cells) + "\n")
    return "\n".join([*parts, _machine(record)])


def _machine(record: Record) -> str:
    found = record["environment"]
    versions = ", ".join(f"{name} {version}" for name, version in found["versions"].items())
    threads = f"{record['threads']} thread{'s' if record['threads'] > 1 else ''} for every method"
    return (
        f"{threads}; {found['cpus']} CPUs ({found['architecture']}), load average before the start "
        f"{found['load_before']}; {', '.join(found['thread_pools'])}; {versions}; {record['mode']} settings, "
        f"{record['seconds']:g} s in all.\n"
    )


def _heads(keys: Iterable[str]) -> list[str]:
    return [key.replace("_", " ") for key in keys]


def _cell(value: str | float | None) -> str:
    if value is None:
        return "–"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, str):
        return value
    if 1e4 <= abs(value) < 1e6:
        return f"{value:,.0f}"
    return f"{value:.3g}" if abs(value) < 1e3 else f"{value:,.0f}" if abs(value) < 1e6 else f"{value:.1e}"
