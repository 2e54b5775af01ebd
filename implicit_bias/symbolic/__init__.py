"""From a formula to its potential, by algebra."""

from implicit_bias.symbolic.commuting import CommutingReport
from implicit_bias.symbolic.derivation import Derivation, Identity, derive
from implicit_bias.symbolic.parameterization import Parameterization

__all__ = ["CommutingReport", "Derivation", "Identity", "Parameterization", "derive"]
