# SPDX-License-Identifier: GPL-3.0-or-later
"""Many tasks of the same kind, shared out: among processes of this machine, or among machines by Dask.

    for number, result in in_processes(4)(work, tasks): ...      as they end, in any order

`work` and the tasks must be picklable. A worker never outlives the process that it works for.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context, parent_process
from multiprocessing.connection import wait
from typing import Any, Protocol, TypeVar

from dofkit.files import PhotoError

Task = TypeVar("Task")
Result = TypeVar("Result")


class Share(Protocol[Task, Result]):
    """Shares tasks out and yields (number of the task, result) as they end."""

    def __call__(self, work: Callable[[Task], Result], tasks: Sequence[Task], /) -> Iterable[tuple[int, Result]]:
        """Call `work` with every task."""


def in_processes(workers: int) -> Share[Any, Any]:
    """Share tasks among processes of this machine."""

    def run(work: Callable[[Any], Any], tasks: Sequence[Any]) -> Iterator[tuple[int, Any]]:
        try:
            with ProcessPoolExecutor(workers, get_context("spawn"), _end_with_parent) as pool:
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


def _end_with_parent() -> None:
    """Let a worker end when the process that gives it tasks is killed: it would wait for ever."""
    parent = parent_process()
    assert parent is not None

    def watch(sentinel: int) -> None:
        wait([sentinel])
        os._exit(1)

    threading.Thread(target=watch, args=(parent.sentinel,), daemon=True).start()


def by_dask(scheduler: str) -> Share[Any, Any]:
    """Share tasks among the workers of a Dask scheduler, which must see the folders under the same names.

    Parameters
    ----------
    scheduler
        Its address, tcp://HOST:PORT.
    """

    def run(work: Callable[[Any], Any], tasks: Sequence[Any]) -> Iterator[tuple[int, Any]]:
        try:
            from distributed import Client
            from distributed import as_completed as as_dask_completed
        except ImportError as error:
            raise PhotoError("Dask is not installed: pip install 'dofkit[dask]'") from error
        try:
            client = Client(scheduler, timeout=10)
        except (OSError, ValueError) as error:
            raise PhotoError(f"no Dask scheduler answers at {scheduler} ({error}): start one with `dask scheduler`, "
                             "and workers with `dask worker`") from error
        with client:
            futures = client.map(work, tasks, pure=False, retries=3)
            numbers = {future.key: i for i, future in enumerate(futures)}
            for future in as_dask_completed(futures):
                yield numbers[future.key], future.result()

    return run
