"""Symbols and hypotheses of all claims: one moment of a gradient flow, in coordinates in which θ is the first axis."""

from __future__ import annotations

from collections.abc import Mapping

import sympy as sp

from implicit_bias import Outcome, Verdict

order = sp.Symbol("L", positive=True)  # L, of homogeneity
length = sp.Symbol("rho", positive=True)  # ρ = ‖θ‖
loss = sp.Symbol("ell", positive=True)  # the training loss, Σ e^(−q_n)
count = sp.Symbol("N", positive=True)  # of samples
margin = sp.Symbol("gamma", positive=True)  # a normalized margin

HOMOGENEOUS = r"\Phi(c\theta; x) = c^L\, \Phi(\theta; x) \text{ for all } c > 0, \text{ with a chain rule}"
EXPONENTIAL = r"\mathcal{L}(\theta) = \sum_{n=1}^N e^{-q_n(\theta)}, \quad q_n = y_n \Phi(\theta; x_n)"
FLOW = r"\frac{d\theta}{dt} \in -\partial^\circ \mathcal{L}(\theta)"
SEPARATED = r"\mathcal{L}(\theta(t_0)) < 1 \text{ and } t > t_0"
SUBMISSION = "as submitted to ICLR 2020"


def established(used: Mapping[str, Verdict]) -> bool:
    """Whether all claims that an argument rests on are proved or argued."""
    return all(verdict.outcome in (Outcome.PROVED, Outcome.ARGUED) for verdict in used.values())
