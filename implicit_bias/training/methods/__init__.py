"""Methods that make a network sparse: the mask, the mask with PILoT, and their rivals."""

from implicit_bias.training.methods.continuous_sparsification import ContinuousSparsification
from implicit_bias.training.methods.mask import Mask, ScheduledMask, spred
from implicit_bias.training.methods.method import Method, MethodEntry
from implicit_bias.training.methods.plain import dense, l1, l1_mask, powerpropagation, soft_threshold

_ENTRIES = (
    MethodEntry("dense", "Dense", 0.02, dense),
    MethodEntry("l1", "L1 on x", 0.0004, l1),
    MethodEntry("l1-mask", "L1 on m", 0.002, l1_mask),
    MethodEntry("mask", "Mask", 0.004, Mask),
    MethodEntry("spred", "spred", 0.002, spred),
    MethodEntry("pilot", "PILoT", 0.004, ScheduledMask),
    MethodEntry("continuous-sparsification", "Sigmoid mask", 0.0002, ContinuousSparsification),
    MethodEntry("powerpropagation", "Powerpropagation", 0.003, powerpropagation),
    MethodEntry("str", "STR", 0.005, soft_threshold),
)
METHODS: dict[str, MethodEntry] = {entry.name: entry for entry in _ENTRIES}

__all__ = ["METHODS", "Method", "MethodEntry"]
