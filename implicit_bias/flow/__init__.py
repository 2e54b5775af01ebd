"""Flows: in the trained parameters, and in the dual variables of the loss."""

from implicit_bias.flow.gradient_flow import gradient_flow
from implicit_bias.flow.mirror_flow import mirror_flow
from implicit_bias.flow.solution import FlowSolution, FlowStats

__all__ = ["FlowSolution", "FlowStats", "gradient_flow", "mirror_flow"]
