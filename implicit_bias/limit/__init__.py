"""Limits of flows: Bregman projections, and their path over the scales of a potential."""

from implicit_bias.limit.projection import Projection, bregman_projection
from implicit_bias.limit.transition import Transition, transition

__all__ = ["Projection", "Transition", "bregman_projection", "transition"]
