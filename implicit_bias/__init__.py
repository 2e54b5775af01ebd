"""Verify theories of implicit bias: derive potentials, integrate flows, solve limits, train, and compare."""

import lazy_loader as _lazy

# __init__.pyi lists the public names, for type checkers too. Each module loads when it is first used.
__getattr__, __dir__, __all__ = _lazy.attach_stub(__name__, __file__)
