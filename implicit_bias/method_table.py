"""The table of training methods; it loads no torch, so the command line can offer their names at once."""

from __future__ import annotations

# Name on the command line, label in figures, strength to begin with, and where in implicit_bias.training.methods the
# function or class is that makes the method. MethodEntry says more on each.
METHOD_TABLE: tuple[tuple[str, str, float, str], ...] = (
    ("dense", "Dense", 0.02, "plain.dense"),
    ("l1", "L1 on x", 0.0004, "plain.l1"),
    ("l1-mask", "L1 on m", 0.002, "plain.l1_mask"),
    ("mask", "Mask", 0.004, "mask.Mask"),
    ("spred", "spred", 0.002, "mask.spred"),
    ("pilot", "PILoT", 0.004, "mask.ScheduledMask"),
    ("continuous-sparsification", "Sigmoid mask", 0.0002, "continuous_sparsification.ContinuousSparsification"),
    ("powerpropagation", "Powerpropagation", 0.003, "plain.powerpropagation"),
    ("str", "STR", 0.005, "plain.soft_threshold"),
)
