"""The engine of sweeps: tasks run in parallel, here or on a cluster, and every result is stored once."""

from experiments.engine.store import Data, Store
from experiments.engine.sweep import Sweep
from experiments.engine.workers import Workers, connect, on_cluster, processes

__all__ = ["Data", "Store", "Sweep", "Workers", "connect", "on_cluster", "processes"]
