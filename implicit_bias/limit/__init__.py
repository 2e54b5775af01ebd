"""Limits of flows: Bregman projections, their path over the scales of a potential, and directions of largest margin."""

from implicit_bias.limit.bregman_projection import bregman_projection
from implicit_bias.limit.max_margin import MaxMargin, max_margin
from implicit_bias.limit.projection import Projection
from implicit_bias.limit.transition import Transition, transition

__all__ = ["MaxMargin", "Projection", "Transition", "bregman_projection", "max_margin", "transition"]
