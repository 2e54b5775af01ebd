"""Trajectories of flows, in the trained parameters or in the dual variables of the loss, and of training in steps."""

from implicit_bias.simulate.descent import descent
from implicit_bias.simulate.gradient_flow import gradient_flow
from implicit_bias.simulate.mirror_distance import mirror_distance
from implicit_bias.simulate.mirror_flow import mirror_flow
from implicit_bias.simulate.optimizer import SGD, Adam, AdamW, SignDescent
from implicit_bias.simulate.prediction import TrainingLimit, critical_step, training_limit
from implicit_bias.simulate.trajectory import Stats, Trajectory

__all__ = [
    "SGD",
    "Adam",
    "AdamW",
    "SignDescent",
    "Stats",
    "TrainingLimit",
    "Trajectory",
    "critical_step",
    "descent",
    "gradient_flow",
    "mirror_distance",
    "mirror_flow",
    "training_limit",
]
