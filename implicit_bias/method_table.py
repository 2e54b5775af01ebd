"""The table of training methods; it loads no torch, so the command line can offer their names at once."""

from __future__ import annotations

# Name on the command line, label in figures, and strength to begin with; what makes a method stands by its name in
# implicit_bias/training/methods/__init__.py. MethodEntry says more on each.
METHOD_TABLE: tuple[tuple[str, str, float], ...] = (
    ("dense", "Dense", 0.02),
    ("l1", "L1 on x", 0.0004),
    ("l1-mask", "L1 on m", 0.002),
    ("mask", "Mask", 0.004),
    ("spred", "spred", 0.002),
    ("pilot", "PILoT", 0.004),
    ("continuous-sparsification", "Sigmoid mask", 0.0002),
    ("powerpropagation", "Powerpropagation", 0.003),
    ("str", "STR", 0.005),
    ("ham", "HAM", 0.001),
)
USUAL_STRENGTHS = {name: strength for name, _, strength in METHOD_TABLE}
