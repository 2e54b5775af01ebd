"""Limits of flows: Bregman projections, their path over the scales of a potential, saddles, and largest margins."""

from implicit_bias.limit.bregman_projection import bregman_projection
from implicit_bias.limit.max_margin import MaxMargin, max_margin
from implicit_bias.limit.projection import Projection
from implicit_bias.limit.saddle_to_saddle import SaddlePath, saddle_to_saddle
from implicit_bias.limit.transition import Transition, transition

__all__ = [
    "MaxMargin",
    "Projection",
    "SaddlePath",
    "Transition",
    "bregman_projection",
    "max_margin",
    "saddle_to_saddle",
    "transition",
]
