r"""Sweeps: one function over a grid of arguments, in parallel, with every result stored.

A task is a function at the top of a module and its arguments, which are JSON values. Its key is a digest of both and of
the code behind the function (:mod:`experiments.engine.code_version`), so a changed argument or changed code computes
again what it touches and nothing else.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from threadpoolctl import threadpool_limits

from experiments.engine.code_version import code_version
from experiments.engine.store import Data, Result, Store
from experiments.engine.workers import Workers, in_this_process

Function = Callable[..., Data]


class OtherCodeError(RuntimeError):
    """A worker has other code than the program that gave it the task, so its result would be stored under a lie."""


def silent(text: str, total: int) -> Callable[[], None]:
    """Show no progress."""
    return lambda: None


@dataclass
class Sweep:
    """Computes what is not in the store.

    Attributes:
        store: Where results are, and go.
        workers: Who computes.
        progress: Called with a description and the number of tasks; gives what to call after each of them.
        computed: How many tasks were computed, not found.
        used: Seconds that each task took when it was computed, now or before, by its key.
    """

    store: Store
    workers: Workers = in_this_process
    progress: Callable[[str, int], Callable[[], None]] = silent
    computed: int = 0
    used: dict[str, float] = field(default_factory=dict)

    def __call__(self, function: Function, grid: Sequence[Mapping[str, object]], text: str) -> list[Data]:
        """The function's results over a grid, in its order.

        Args:
            function: Gives named arrays; at the top of a module.
            grid: Keyword arguments of each task, JSON values.
            text: What the progress bar says.

        Raises:
            OtherCodeError: If a worker's code differs from this program's.
            Exception: What a task raises, with a note of which; results of others are stored.
        """
        keys = [task_key(function, arguments) for arguments in grid]
        found = {key: result for key in set(keys) if (result := self.store.load(key)) is not None}
        missing = {key: arguments for key, arguments in zip(keys, grid, strict=True) if key not in found}
        if missing:
            done = self.progress(text if not found else f"{text} ({len(found)} stored)", len(missing))
            tasks = [(function, arguments, key) for key, arguments in missing.items()]
            for key, result in self.workers(run_task, tasks):
                self.store.save(key, result)
                found[key] = result
                self.computed += 1
                done()
        self.used |= {key: found[key].seconds for key in keys}
        return [found[key].data for key in keys]


def task_key(function: Function, arguments: Mapping[str, object]) -> str:
    """What a task's result is stored under, 32 hexadecimal digits.

    Raises:
        ValueError: If an argument is not a JSON value: those alone are the same in every program.
    """
    name = getattr(function, "__qualname__", repr(function))
    if "<" in name or "." in name:
        raise ValueError(f"function: expected one at the top of a module, got {name}.")
    try:
        described = json.dumps(dict(arguments), sort_keys=True, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise ValueError(f"arguments of {name}: expected JSON values, got {dict(arguments)!r} ({error}).") from None
    parts = (function.__module__, name, described, code_version(function.__module__, name))
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:32]


def run_task(function: Function, arguments: Mapping[str, object], key: str) -> tuple[str, Result]:
    """Compute a task where it is: called by a worker.

    On one thread, since tasks share the cores, and so that results do not depend on how many there are.
    """
    if task_key(function, arguments) != key:
        raise OtherCodeError(
            f"{function.__qualname__}: this worker runs other code, or other versions of packages, than the program "
            "that sent the task; install the same on both."
        )
    began = time.perf_counter()
    try:
        with threadpool_limits(1):
            data = function(**arguments)
    except Exception as error:
        error.add_note(f"in the task {function.__module__}.{function.__qualname__}({json.dumps(dict(arguments))})")
        raise
    return key, Result(data, time.perf_counter() - began)
