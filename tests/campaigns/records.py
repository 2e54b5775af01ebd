"""Writes the record of a campaign as a JSON file and as a table."""

import json
from pathlib import Path

FOLDER = Path(__file__).parent / "record"


def write(name, title, entries):
    """Write ``name``.json and ``name``.md with the entries, each a value by its description."""
    FOLDER.mkdir(exist_ok=True)
    (FOLDER / f"{name}.json").write_text(json.dumps(entries, indent=2) + "\n", "utf-8")
    rows = "".join(f"| {key} | {value} |\n" for key, value in entries.items())
    (FOLDER / f"{name}.md").write_text(f"# {title}\n\n| | |\n|---|---|\n{rows}", "utf-8")
