"""From a formula to its potential, by algebra."""

from typing import Any

import lazy_loader as _lazy

# Each module loads when it is first used, as the worker process needs only a few of them.
_load, __dir__, __all__ = _lazy.attach_stub(__name__, __file__)


def __getattr__(name: str) -> Any:
    if name in __all__:  # whoever asks for one soon reads a formula: start the worker process meanwhile
        from implicit_bias.symbolic.template import start

        start()
    return _load(name)
