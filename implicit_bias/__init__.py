"""Verify theories of implicit bias: derive potentials, integrate flows, solve limits, train, and compare."""

import lazy_loader as _lazy

# The public names stand in __init__.pyi, where type checkers read them too; each module loads when it is first used.
__getattr__, __dir__, __all__ = _lazy.attach_stub(__name__, __file__)
