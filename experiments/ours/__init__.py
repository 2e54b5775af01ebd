"""Figures of this project's own, one a module."""
