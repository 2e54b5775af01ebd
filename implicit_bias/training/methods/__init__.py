"""Ways to make a network sparse: the mask with PILoT, and its rivals."""

from implicit_bias.training.methods.dense import Dense
from implicit_bias.training.methods.mask import Mask, PILoT, Spred
from implicit_bias.training.methods.method import Method

METHODS: dict[str, type[Method]] = {method.name: method for method in (Dense, Mask, Spred, PILoT)}

__all__ = ["METHODS", "Dense", "Mask", "Method", "PILoT", "Spred"]
