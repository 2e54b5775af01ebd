"""Figures after Even, Pesme, Gunasekar and Flammarion on diagonal linear networks with large steps, one a module."""
