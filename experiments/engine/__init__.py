"""The engine of sweeps: tasks run in parallel, here or on a cluster, and every result is stored once."""

from experiments.engine.code_version import OtherCodeError
from experiments.engine.store import Data, Store, StoreError
from experiments.engine.sweep import Sweep
from experiments.engine.workers import Workers, connect, on_cluster, processes

__all__ = ["Data", "OtherCodeError", "Store", "StoreError", "Sweep", "Workers", "connect", "on_cluster", "processes"]
