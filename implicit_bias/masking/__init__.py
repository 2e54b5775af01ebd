r"""The theory on torch models: masks x = m ⊙ w and their rivals on any module, PILoT, pruning, ensembles of runs."""

# ruff: noqa: E402 - the check for torch comes before the imports that need it

from implicit_bias.errors import require, unknown_name

require("torch", "torch")

from implicit_bias.masking.ensemble_checks import (
    LimitDistance,
    RelativeNorms,
    distance_to_limit,
    effective_exponent,
    mirror_residual,
    relative_norms,
)
from implicit_bias.masking.ensembles import ensemble, initialization
from implicit_bias.masking.factored_weight import Factor, FactoredWeight
from implicit_bias.masking.ham import HAM
from implicit_bias.masking.mirror_record import MirrorIdentity, MirrorRecord
from implicit_bias.masking.pilot import PILoT, decay_strength, masked_groups, masked_norm
from implicit_bias.masking.powerpropagation import Powerpropagation
from implicit_bias.masking.product import Product
from implicit_bias.masking.pruning import keep_, kept_weights, prune_, sparsity
from implicit_bias.masking.reparameterize import effective_weights, factors, mask, reparameterize, unmask
from implicit_bias.masking.scheduled_decay import ScheduledDecay
from implicit_bias.masking.sigmoid_mask import SigmoidMask
from implicit_bias.masking.soft_threshold import SoftThreshold
from implicit_bias.masking.weight_tensors import is_weight

__all__ = [
    "HAM",
    "Factor",
    "FactoredWeight",
    "LimitDistance",
    "MirrorIdentity",
    "MirrorRecord",
    "PILoT",
    "Powerpropagation",
    "Product",
    "RelativeNorms",
    "ScheduledDecay",
    "SigmoidMask",
    "SoftThreshold",
    "decay_strength",
    "distance_to_limit",
    "effective_exponent",
    "effective_weights",
    "ensemble",
    "factors",
    "initialization",
    "is_weight",
    "keep_",
    "kept_weights",
    "mask",
    "masked_groups",
    "masked_norm",
    "mirror_residual",
    "prune_",
    "relative_norms",
    "reparameterize",
    "sparsity",
    "unmask",
]


def __getattr__(name: str) -> object:
    raise unknown_name(__name__, name, __all__)
