"""Claims: statements of a theory that can be checked, grouped by paper, and the ledger of their verdicts.

A claim that fails is not an exception but a result: its verdict carries a counterexample, and what holds instead.
"""

import lazy_loader as _lazy

# The public names stand in __init__.pyi. They load lazily: symbolic/ needs Outcome alone, and judge needs symbolic/.
__getattr__, __dir__, __all__ = _lazy.attach_stub(__name__, __file__)
