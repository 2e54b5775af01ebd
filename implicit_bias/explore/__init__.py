"""The potential explorer: pictures of the solution that a parameterization prefers, of one observation of two weights.

:func:`compute` turns a :class:`Setting` into a :class:`Scene` of numbers, :func:`train` into a :class:`Run` with finite
steps, and :func:`script` into Python lines that make the same picture. ``server.py`` answers a browser with them, and
``page/`` holds what the browser draws them with.
"""

from implicit_bias.explore.run import Run, train
from implicit_bias.explore.scene import Scene, compute
from implicit_bias.explore.script import script
from implicit_bias.explore.setting import Setting

__all__ = ["Run", "Scene", "Setting", "compute", "script", "train"]
