# SPDX-License-Identifier: GPL-3.0-or-later
"""Many tasks of the same kind: one after the other, shared among processes, or among machines by Dask.

    for number, result in in_processes(4)(work, tasks): ...      as they end, in any order

Whatever shares them out, each task's result comes once. For processes and Dask `work` and the tasks must be
picklable. A worker never outlives the process that it works for.
"""

from __future__ import annotations

import functools
import math
import os
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import CancelledError, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from multiprocessing import get_context, parent_process
from multiprocessing.connection import wait
from pathlib import Path
from typing import Any, Protocol, TypeVar

from dofkit.files import PhotoError

Task = TypeVar("Task")
Result = TypeVar("Result")


class Share(Protocol[Task, Result]):
    """Shares tasks out and yields (number of the task, result) as they end."""

    def __call__(self, work: Callable[[Task], Result], tasks: Sequence[Task], /) -> Iterable[tuple[int, Result]]:
        """Call `work` with every task."""


@dataclass(frozen=True)
class Once:
    """What `build(*arguments)` gives, built once in each process that calls it: only its recipe travels.

    >>> from operator import itemgetter
    >>> Once(itemgetter, (1,))("abc")
    'b'
    """

    build: Callable[..., Callable[..., Any]]
    arguments: tuple[Any, ...] = ()

    def __call__(self, *given: Any) -> Any:
        """Call what was built."""
        return _built(self.build, self.arguments)(*given)


@functools.cache
def _built(build: Callable[..., Callable[..., Any]], arguments: tuple[Any, ...]) -> Callable[..., Any]:
    return build(*arguments)


def cores(container: Path = Path("/sys/fs/cgroup")) -> int:
    """How many cores this process can keep busy: those that it may run on, or its container's share of time.

    Parameters
    ----------
    container
        Where Linux tells the share of a container (control groups, version 2).

    Examples
    --------
    >>> 1 <= cores() <= os.cpu_count()
    True
    """
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    try:
        quota, period = map(int, (container / "cpu.max").read_text().split())
    except (OSError, ValueError):  # no container, or one without a limit ("max 100000")
        return allowed
    return max(1, min(allowed, math.ceil(quota / period)))


def in_turn(work: Callable[[Any], Any], tasks: Sequence[Any], /) -> Iterator[tuple[int, Any]]:
    """Do one task after the other in this process.

    >>> list(in_turn(abs, [-1, 2]))
    [(0, 1), (1, 2)]
    """
    for number, task in enumerate(tasks):
        yield number, work(task)


def in_processes(workers: int) -> Share[Any, Any]:
    """Share tasks among processes of this machine, which share its cores."""

    def run(work: Callable[[Any], Any], tasks: Sequence[Any]) -> Iterator[tuple[int, Any]]:
        threads = max(1, cores() // workers)
        try:
            with ProcessPoolExecutor(workers, get_context("spawn"), _begin, (threads,)) as pool:
                numbers = {pool.submit(work, task): i for i, task in enumerate(tasks)}
                try:
                    for future in as_completed(numbers):
                        yield numbers[future], future.result()
                except BaseException:
                    pool.shutdown(wait=False, cancel_futures=True)
                    raise
        except BrokenProcessPool as error:
            raise PhotoError("a worker was killed, perhaps for want of memory: start the same command "
                             "again, with fewer --workers; what is made stays") from error

    return run


def _begin(threads: int) -> None:
    """Take a share of the cores, and end when the process that gives the tasks is killed: wait for it for ever else."""
    os.environ.setdefault("OMP_NUM_THREADS", str(threads))  # before torch and NumPy are imported
    parent = parent_process()
    assert parent is not None

    def watch(sentinel: int) -> None:
        wait([sentinel])
        os._exit(1)

    threading.Thread(target=watch, args=(parent.sentinel,), daemon=True).start()


def by_dask(scheduler: str) -> Share[Any, Any]:
    """Share tasks among the workers of a Dask scheduler, which must see the folders under the same names.

    What a worker had in hand when it was lost is done by the others, what it had finished and not yet handed over too.

    Parameters
    ----------
    scheduler
        Its address, tcp://HOST:PORT.
    """

    def run(work: Callable[[Any], Any], tasks: Sequence[Any]) -> Iterator[tuple[int, Any]]:
        with _client(scheduler) as client:
            from distributed import KilledWorker
            from distributed import as_completed as as_dask_completed

            futures = client.map(work, tasks, pure=False)
            numbers = {future.key: i for i, future in enumerate(futures)}
            try:
                for future in as_dask_completed(futures):
                    yield numbers[future.key], future.result()
            except KilledWorker as error:
                raise PhotoError("several workers died of the same task, perhaps for want of memory: give them more "
                                 "(dask worker --memory-limit), and start the same command again") from error
            except CancelledError as error:
                raise PhotoError(f"the Dask scheduler at {scheduler} has gone: start it and its workers, then the same "
                                 "command again") from error

    return run


def _client(scheduler: str) -> Any:
    """A connection to a scheduler that has workers."""
    try:
        from distributed import Client
    except ImportError as error:
        raise PhotoError("Dask is not installed: pip install 'dofkit[dask]'") from error
    try:
        client = Client(scheduler, timeout=10)
    except (OSError, ValueError) as error:
        raise PhotoError(f"no Dask scheduler answers at {scheduler} ({error}): start one with `dask scheduler`, "
                         "and workers with `dask worker`") from error
    try:
        client.wait_for_workers(1, timeout=10)
    except TimeoutError as error:
        client.close()
        raise PhotoError(f"the Dask scheduler at {scheduler} has no workers: start some with "
                         f"`dask worker {scheduler} --nthreads 1`") from error
    return client
