"""Flows: in the trained parameters, in the dual variables of the loss, and in discrete time."""

from implicit_bias.flow.descent import Descent, descent
from implicit_bias.flow.gradient_flow import gradient_flow
from implicit_bias.flow.mirror_flow import mirror_flow
from implicit_bias.flow.solution import FlowSolution, FlowStats

__all__ = ["Descent", "FlowSolution", "FlowStats", "descent", "gradient_flow", "mirror_flow"]
