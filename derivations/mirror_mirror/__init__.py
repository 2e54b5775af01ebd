"""Statements of "Mirror, Mirror of the Flow", ICML 2025, on what regularization does to a mirror flow."""

from implicit_bias import Paper

PAPER = Paper("mirror-mirror", "Mirror, Mirror of the Flow", "Jacobs, Zhou & Burkholz", year=2025)
