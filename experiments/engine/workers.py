r"""Tasks are computed by this process, some processes of this machine (joblib), or a cluster (Dask)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Protocol, TypeVar, cast
from warnings import catch_warnings, simplefilter

from joblib import Parallel, delayed, parallel_config

from implicit_bias.errors import InputError

if TYPE_CHECKING:
    from distributed import Client

T = TypeVar("T")
_SECONDS_TO_CONNECT = 10


class Workers(Protocol):
    """Calls a function with each of some tuples of arguments, and yields results as they come, in any order."""

    def __call__(self, function: Callable[..., T], tasks: Iterable[tuple]) -> Generator[T]:
        """Yield each task's result; raise what a task raised; when closed, leave out tasks that have not begun."""
        ...


def in_this_process(function: Callable[..., T], tasks: Iterable[tuple]) -> Generator[T]:
    """One after another."""
    return (function(*task) for task in tasks)


def processes(jobs: int) -> Workers:
    """Processes of this machine.

    Args:
        jobs: How many; 1 is this process alone, -1 are as many as there are cores.
    """
    if jobs == 1:
        return in_this_process

    def run(function: Callable[..., T], tasks: Iterable[tuple]) -> Generator[T]:
        # Single tasks, as a result is safe when it has come back; in batches they would come back late.
        with parallel_config("loky", inner_max_num_threads=1):
            batches: dict[str, Any] = {"batch_size": 1}  # pyright takes its type from the default, "auto"
            pool = Parallel(n_jobs=jobs, pre_dispatch="2 * n_jobs", return_as="generator_unordered", **batches)
        outcomes = cast("Generator[T]", pool(delayed(function)(*task) for task in tasks))  # by return_as
        try:
            for outcome in outcomes:  # noqa: UP028 - would close it before the warning is silenced
                yield outcome
        finally:
            with catch_warnings():  # whoever closes this knows that not all was computed
                simplefilter("ignore")
                outcomes.close()

    return run


def connect(address: str) -> Client:
    """A connection to a Dask scheduler, whose workers must have this project installed.

    Args:
        address: Such as ``tcp://10.0.0.5:8786``.

    Raises:
        InputError: If nothing answers there, or Dask is not installed.
    """
    try:
        from distributed import Client
    except ImportError:
        raise InputError("Dask is missing; install it by pip install 'implicit-bias[cluster]'.") from None
    try:
        # A client that finds nobody stays behind half made. When the garbage collector removes it while the next one
        # is being made, Dask waits for ever for a lock that it holds itself; so first without a client.
        with ThreadPoolExecutor(1) as thread:  # in a notebook an event loop runs in this one
            thread.submit(lambda: asyncio.run(_knock(address))).result()
        return Client(address, timeout=_SECONDS_TO_CONNECT)
    except (OSError, TimeoutError, ValueError) as error:
        raise InputError(f"no Dask scheduler answers at {address} ({type(error).__name__}).") from None


async def _knock(address: str) -> None:
    """Ask a scheduler who it is, over a connection such as a client's."""
    from distributed import Security, rpc

    arguments = Security().get_connection_args("client")
    async with (
        asyncio.timeout(_SECONDS_TO_CONNECT),  # Dask's own limit does not end a wait for a greeting
        rpc(address, timeout=_SECONDS_TO_CONNECT, connection_args=arguments) as scheduler,
    ):
        await scheduler.identity()


def on_cluster(client: Client) -> Workers:
    """The workers of a Dask cluster; tasks of a worker that is lost go to another one.

    Results come back here and are stored here, so the workers need no folder in common.
    """
    from distributed import as_completed

    def run(function: Callable[..., T], tasks: Iterable[tuple]) -> Generator[T]:
        waiting = [client.submit(function, *task, pure=False) for task in tasks]
        try:
            for future in as_completed(waiting):
                yield future.result()
                future.release()
        finally:
            client.cancel(waiting)

    return run
