"""From a formula to its potential, by algebra."""

import lazy_loader as _lazy

# Each module loads when it is first used: the worker process needs but few of them.
__getattr__, __dir__, __all__ = _lazy.attach_stub(__name__, __file__)
