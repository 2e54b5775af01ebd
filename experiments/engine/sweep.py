r"""Sweeps: one function over a grid of arguments, in parallel, with every result stored.

A task is a function at the top of a module and its arguments, JSON values or dataclasses of them. Its key is a digest
of both and of the code behind the function (:mod:`experiments.engine.code_version`), so a changed argument computes its
task again, and a changed module every task that imports it.
"""

from __future__ import annotations

import hashlib
import json
import os
import pickle
import sys
import time
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass, field, is_dataclass
from typing import get_type_hints

from threadpoolctl import threadpool_limits

from experiments.engine.code_version import OtherCodeError, code_version
from experiments.engine.store import Data, Result, Store
from experiments.engine.workers import Workers, in_this_process
from implicit_bias.errors import InputError

Function = Callable[..., Data]
NUMBERS_OF_THREADS = ("MKL_NUM_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS")  # in the environment


def silent(text: str, total: int) -> Callable[[], None]:
    """Show no progress."""
    return lambda: None


@dataclass
class Sweep:
    """Computes what is not in the store.

    Attributes:
        store: Where results are, and go.
        workers: They compute.
        progress: Takes a description and the number of tasks; returns a function to call after each of them.
        computed: How many tasks were computed, not found.
        used: Seconds that each task took when it was computed, now or before, by its key.
    """

    store: Store
    workers: Workers = in_this_process
    progress: Callable[[str, int], Callable[[], None]] = silent
    computed: int = 0
    used: dict[str, float] = field(default_factory=dict)

    def __call__(self, function: Function, grid: Sequence[Mapping[str, object]], text: str) -> list[Data]:
        """The function's results over a grid, in its order, as they are stored.

        Args:
            function: Gives named arrays; at the top of a module.
            grid: Keyword arguments of each task: JSON values, or dataclasses of them where the function says so.
            text: What the progress bar says.

        Raises:
            OtherCodeError: If a worker's code differs from this program's.
            StoreError: If a result cannot be stored.
            Exception: What the first task that fails raises, with a note of which and where, when all others are done.
        """
        described = [_described(arguments) for arguments in grid]
        keys = [task_key(function, arguments) for arguments in described]
        found = {key: result for key in dict.fromkeys(keys) if (result := self.store.load(key)) is not None}
        missing = {key: arguments for key, arguments in zip(keys, described, strict=True) if key not in found}
        failed: dict[str, Exception] = {}
        if missing:
            done = self.progress(text if not found else f"{text} ({len(found)} stored)", len(missing))
            tasks = [(function, arguments, key) for key, arguments in missing.items()]
            with closing(self.workers(run_task, tasks)) as outcomes:
                for key, outcome in outcomes:
                    if isinstance(outcome, Exception):
                        failed[key] = outcome
                    else:
                        found[key] = self.store.save(key, outcome)
                        self.computed += 1
                    done()
        if failed:
            first = next(failed[key] for key in missing if key in failed)
            first.add_note(f"{len(failed)} of {len(missing)} tasks failed; results of the others are stored.")
            raise first
        self.used |= {key: found[key].seconds for key in keys}
        return [found[key].data for key in keys]


def _described(arguments: Mapping[str, object]) -> str:
    """Arguments as JSON, which is the same in every program; a dataclass is an object of its fields."""
    try:
        return json.dumps(dict(arguments), sort_keys=True, allow_nan=False, default=_fields)
    except (TypeError, ValueError) as error:
        raise InputError(f"arguments of a task: expected JSON values, got {dict(arguments)!r} ({error}).") from None


def _fields(value: object) -> dict[str, object]:
    if is_dataclass(value) and not isinstance(value, type):
        return asdict(value)
    raise TypeError(f"{type(value).__name__} is neither a JSON value nor a dataclass")


def _arguments(function: Function, described: str) -> dict[str, object]:
    """Arguments from JSON; those that the function annotates with a dataclass are made from its fields."""
    kinds = get_type_hints(function)
    return {
        name: kinds[name](**value) if is_dataclass(kinds.get(name)) else value
        for name, value in json.loads(described).items()
    }


def task_key(function: Function, arguments: str) -> str:
    """The key of a task's result, 32 hexadecimal digits.

    Args:
        function: At the top of a module.
        arguments: Its keyword arguments as JSON.

    Raises:
        InputError: If workers could not find the function by its name.
        OtherCodeError: If its source changed after this program started.
    """
    module, name = function.__module__, getattr(function, "__qualname__", "")
    if module == "__main__" or getattr(sys.modules.get(module), name, None) is not function:
        raise InputError(f"function: expected one at the top of a module that can be imported, got {function!r}.")
    parts = (module, name, arguments, code_version(module))
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:32]


def run_task(function: Function, arguments: str, key: str) -> tuple[str, bytes | Exception]:
    """Compute a task; a worker calls this.

    It uses one thread, since tasks share the cores and results must not depend on how many there are. A library that
    loads meanwhile keeps to one thread as long as this process runs.

    Returns:
        The key, and the packed result or the exception of the task: it is no reason to stop the others.
    """
    if task_key(function, arguments) != key:
        raise OtherCodeError(
            f"{function.__qualname__}: this worker runs other code, or other versions of packages, than the program "
            "that sent the task; install the same on both."
        )
    began = time.perf_counter()
    try:
        with threadpool_limits(1), _one_thread_for_what_loads():
            data = function(**_arguments(function, arguments))
        return key, Result(data, time.perf_counter() - began).packed()
    except Exception as error:
        where = "".join(traceback.format_tb(error.__traceback__)[1:])
        error.add_note(f"in the task {function.__module__}.{function.__qualname__}, {arguments}\n{where}")
        return key, _portable(error)


@contextmanager
def _one_thread_for_what_loads() -> Iterator[None]:
    """Libraries that load meanwhile read how many threads they may use; the limit reaches those that are there."""
    before = {name: os.environ.get(name) for name in NUMBERS_OF_THREADS}
    os.environ |= dict.fromkeys(NUMBERS_OF_THREADS, "1")
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)  # another thread may have done so
            else:
                os.environ[name] = value


def _portable(error: Exception) -> Exception:
    """The error, or one with the same text if it cannot be pickled, which would take down the pool of processes."""
    try:
        pickle.loads(pickle.dumps(error))  # noqa: S301 - made a moment ago
    except Exception:
        replacement = RuntimeError(f"{type(error).__name__}: {error}")
        replacement.__notes__ = error.__notes__
        return replacement
    return error
