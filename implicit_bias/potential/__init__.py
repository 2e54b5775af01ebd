"""Bregman potentials, one in each file; the laws in ``tests/potential/potential_laws.py`` hold for all of them."""

from implicit_bias.potential.base import Potential
from implicit_bias.potential.entropy import Entropy
from implicit_bias.potential.hyperbolic_entropy import HyperbolicEntropy
from implicit_bias.potential.numerical import NumericalPotential
from implicit_bias.potential.quadratic_forms import QuadraticForms
from implicit_bias.potential.separable import SeparablePotential
from implicit_bias.potential.spectral_hypentropy import SpectralHypentropy
from implicit_bias.potential.von_neumann_entropy import VonNeumannEntropy

__all__ = [
    "Entropy",
    "HyperbolicEntropy",
    "NumericalPotential",
    "Potential",
    "QuadraticForms",
    "SeparablePotential",
    "SpectralHypentropy",
    "VonNeumannEntropy",
]
