"""Tasks for tests of sweeps that need the library, or others."""

import threading
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from small_tasks import random_walk


def describe(value):
    if isinstance(value, list):
        value.append("mine alone")
    return {"type": np.array(type(value).__name__), "size": np.array(len(value) if hasattr(value, "__len__") else -1)}


@dataclass(frozen=True)
class Walk:
    seed: int
    steps: Sequence[int]


def walk_as_told(walk: Walk, name: str):
    return {name: random_walk(walk.seed, *walk.steps)["walk"]}


def refuse(seed):
    from implicit_bias import DomainError

    if seed % 3 == 0:
        raise DomainError(f"{seed} is outside")
    return random_walk(seed)


def fail(seed, how):
    from implicit_bias import Parameterization, Regression, derive, mirror_flow

    if seed % 3:
        return random_walk(seed)
    if how == "solver":
        potential = derive(Parameterization("u**2 - v**2", ["u", "v"])).at({"u": 1.0, "v": 1.0})
        return {"x": mirror_flow(Regression.sample(3, 6, 1), potential, t=1e3, max_steps=1).x}
    if how == "commuting":
        derive(Parameterization("u*v*w", ["u", "v", "w"]), "u**4")
    if how == "unpicklable":
        raise Stubborn(threading.Lock(), seed)
    return {"not an array": object()} if how == "object" else [1.0]


class Stubborn(Exception):  # noqa: N818
    def __init__(self, lock, seed):
        super().__init__(f"stubborn {seed}")
        self.lock = lock


def threads(seed):
    import torch

    return {"threads": np.array(torch.get_num_threads())}


def not_here(seed):
    return {"seed": np.array(seed)}


def spoiled_curves(settings, sweep):
    """What figure 1c computes, with every array turned round."""
    from experiments.mask_in_the_mirror.figure1c import compute

    return {name: values[::-1].copy() for name, values in compute(settings, sweep).items()}
