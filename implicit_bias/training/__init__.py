"""Training of networks on image data: data, models, methods, a loop that can be interrupted, and its results."""

# ruff: noqa: E402 - the check comes before what it is for

from implicit_bias.errors import require, unknown_name

require("train", "torch", "lightning_fabric", "safetensors")

from implicit_bias.training.data import DATA, ImageData, Images, load, write_stand_in
from implicit_bias.training.methods import METHODS, Method, MethodEntry
from implicit_bias.training.models import MODELS, build
from implicit_bias.training.population import iterative_population, train_population
from implicit_bias.training.population_result import Member, PopulationResult
from implicit_bias.training.result import EpochRecord, Progress, TrainingResult
from implicit_bias.training.sparsity_curve import SparsityCurve, iterative, one_shot
from implicit_bias.training.train import train

__all__ = [
    "DATA",
    "METHODS",
    "MODELS",
    "EpochRecord",
    "ImageData",
    "Images",
    "Member",
    "Method",
    "MethodEntry",
    "PopulationResult",
    "Progress",
    "SparsityCurve",
    "TrainingResult",
    "build",
    "iterative",
    "iterative_population",
    "load",
    "one_shot",
    "train",
    "train_population",
    "write_stand_in",
]


def __getattr__(name: str) -> object:
    raise unknown_name(__name__, name, __all__)
