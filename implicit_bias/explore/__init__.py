"""The potential explorer: what a parameterization prefers, for two weights and one observation, in pictures.

A :class:`Setting` becomes a :class:`Scene` of numbers (:func:`compute`), the scene a figure (:func:`draw`), and the
setting the Python lines that make the same picture (:func:`script`). ``app.py`` shows all of it in the browser.
"""

from implicit_bias.explore.picture import draw
from implicit_bias.explore.scene import Scene, compute
from implicit_bias.explore.script import script
from implicit_bias.explore.setting import Setting

__all__ = ["Scene", "Setting", "compute", "draw", "script"]
