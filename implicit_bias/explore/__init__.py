"""The potential explorer: pictures of the solution that a parameterization prefers, of one observation of two weights.

:func:`compute` turns a :class:`Setting` into a :class:`Scene` of numbers, :func:`draw` the scene into a figure, and
:func:`script` the setting into Python lines that make the same picture. ``app.py`` shows all of it in the browser.
"""

from implicit_bias.explore.picture import draw
from implicit_bias.explore.scene import Scene, compute
from implicit_bias.explore.script import script
from implicit_bias.explore.setting import Setting

__all__ = ["Scene", "Setting", "compute", "draw", "script"]
