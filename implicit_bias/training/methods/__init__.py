"""Methods that make a network sparse: the mask, the mask with PILoT, and their rivals."""

from collections.abc import Callable

from implicit_bias.errors import Table
from implicit_bias.method_table import METHOD_TABLE
from implicit_bias.training.methods.continuous_sparsification import ContinuousSparsification
from implicit_bias.training.methods.ham import HyperbolicSteps
from implicit_bias.training.methods.mask import Mask, ScheduledMask, spred
from implicit_bias.training.methods.method import Method, MethodEntry
from implicit_bias.training.methods.plain import dense, l1, l1_mask, powerpropagation, soft_threshold

_MAKERS: dict[str, Callable[..., Method]] = {
    "dense": dense,
    "l1": l1,
    "l1-mask": l1_mask,
    "mask": Mask,
    "spred": spred,
    "pilot": ScheduledMask,
    "continuous-sparsification": ContinuousSparsification,
    "powerpropagation": powerpropagation,
    "str": soft_threshold,
    "ham": HyperbolicSteps,
}
METHODS: Table[MethodEntry] = Table(
    (name, MethodEntry(name, label, usual_strength, _MAKERS[name])) for name, label, usual_strength in METHOD_TABLE
)

__all__ = ["METHODS", "Method", "MethodEntry"]
