"""How results look: cards in a notebook (Jupyter, marimo), and plots on axes; a file for each part of the pipeline.

Only :class:`implicit_bias.shown.Shown` imports this package, when a result is to be shown, and the explorer.
A card is HTML that needs nothing from the network: formulas are MathML, pictures are inline, on white.
"""

from __future__ import annotations

from functools import singledispatch
from typing import Any

from matplotlib.axes import Axes

from implicit_bias.claims import Claim, Ledger
from implicit_bias.claims.verdict import Verdict
from implicit_bias.display import claims, flow, limit, potential
from implicit_bias.display.card import Html
from implicit_bias.display.flow import plot_loss
from implicit_bias.limit import Projection, SaddlePath, Transition
from implicit_bias.potential import QuadraticForms, SeparablePotential, SpectralHypentropy, VonNeumannEntropy
from implicit_bias.simulate import TrainingLimit, Trajectory

__all__ = ["html", "plot", "plot_loss"]


@singledispatch
def html(result: object) -> Html:
    """The card of a result."""
    from implicit_bias.display import algebra  # not above, as SymPy takes a second to load

    return algebra.html(result)


@singledispatch
def plot(result: object, *args: Any, **options: Any) -> Axes:
    """Draw a result; its method ``plot`` describes the options."""
    raise TypeError(f"{type(result).__name__}: there is no plot of it.")


html.register(Claim, claims.claim_html)
html.register(Ledger, claims.ledger_html)
html.register(Verdict, claims.verdict_html)
html.register(Trajectory, flow.html)
html.register(QuadraticForms, potential.forms_html)
html.register(SeparablePotential, potential.html)
html.register(SpectralHypentropy, potential.spectral_html)
html.register(VonNeumannEntropy, potential.spectral_html)
html.register(Projection, limit.projection_html)
html.register(TrainingLimit, limit.training_limit_html)
html.register(Transition, limit.transition_html)
html.register(SaddlePath, limit.saddle_path_html)
plot.register(Trajectory, flow.plot)
plot.register(SeparablePotential, potential.plot)
plot.register(Projection, limit.plot_projection)
plot.register(Transition, limit.plot_transition)
plot.register(SaddlePath, limit.plot_saddle_path)
