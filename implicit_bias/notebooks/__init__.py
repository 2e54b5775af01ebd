"""Guides to play with: marimo notebooks, which ``implicit-bias notebooks`` writes into a folder of yours."""

from __future__ import annotations

from pathlib import Path

FOLDER = Path(__file__).resolve().parent
# In the order in which to read them.
NAMES = (
    "ten_minutes",
    "derive_your_own",
    "l2_to_l1",
    "where_does_my_run_end",
    "check_a_paper",
    "sparsify",
    "design_a_bias",
)


def source(name: str) -> str:
    """The program that a notebook is."""
    return (FOLDER / f"{name}.py").read_text(encoding="utf-8")
