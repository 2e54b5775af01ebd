"""This project's statements; some are weaker forms, parts or special cases of printed ones, or hold instead of them."""

from implicit_bias import Paper

PAPER = Paper("ours", "this project", authors="")
