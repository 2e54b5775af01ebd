"""From a formula to its potential, by algebra."""

from implicit_bias.symbolic.commuting import CommutingReport
from implicit_bias.symbolic.derivation import Derivation, derive
from implicit_bias.symbolic.design import design
from implicit_bias.symbolic.identities import Identity
from implicit_bias.symbolic.parameterization import Parameterization

__all__ = ["CommutingReport", "Derivation", "Identity", "Parameterization", "derive", "design"]
