"""Methods that make a network sparse: the mask, the mask with PILoT, and their rivals."""

from collections.abc import Callable
from importlib import import_module

from implicit_bias.method_table import METHOD_TABLE
from implicit_bias.training.methods.method import Method, MethodEntry


def _made_by(place: str) -> Callable[..., Method]:
    """The function or class at ``module.name`` of this package."""
    module, _, name = place.partition(".")
    return getattr(import_module(f"{__name__}.{module}"), name)


METHODS: dict[str, MethodEntry] = {
    name: MethodEntry(name, label, usual_strength, _made_by(place))
    for name, label, usual_strength, place in METHOD_TABLE
}

__all__ = ["METHODS", "Method", "MethodEntry"]
