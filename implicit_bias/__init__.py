"""Verify theories of implicit bias: derive potentials, integrate flows, solve limits, train, and compare."""

import lazy_loader as _lazy

__version__ = "0.1.0"

# __init__.pyi lists the public names, for type checkers too. Each module loads when it is first used.
_load, __dir__, __all__ = _lazy.attach_stub(__name__, __file__)


def __getattr__(name: str) -> object:
    try:
        return _load(name)
    except AttributeError:
        if name in __all__ or name.startswith("_"):
            raise
    from implicit_bias.errors import unknown_name

    what_limit_means = " (did you mean bregman_projection or training_limit?)"  # the module of this name holds both
    raise unknown_name(__name__, name, __all__, what_limit_means if name == "limit" else None)
