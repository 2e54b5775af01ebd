"""Ways to make a network sparse: the mask with PILoT, and its rivals."""

from implicit_bias.training.methods.continuous_sparsification import ContinuousSparsification
from implicit_bias.training.methods.dense import Dense
from implicit_bias.training.methods.l1 import L1, L1Mask
from implicit_bias.training.methods.mask import Mask, PILoT, Spred
from implicit_bias.training.methods.method import Method
from implicit_bias.training.methods.powerpropagation import Powerpropagation
from implicit_bias.training.methods.soft_threshold import SoftThreshold

METHODS: dict[str, type[Method]] = {
    method.name: method
    for method in (
        Dense, L1, L1Mask, Mask, Spred, PILoT, ContinuousSparsification, Powerpropagation, SoftThreshold
    )
}  # fmt: skip

__all__ = [
    "L1",
    "METHODS",
    "ContinuousSparsification",
    "Dense",
    "L1Mask",
    "Mask",
    "Method",
    "PILoT",
    "Powerpropagation",
    "SoftThreshold",
    "Spred",
]
