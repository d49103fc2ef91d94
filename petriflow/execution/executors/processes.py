"""Bodies in processes of this machine, fresh ones (`spawn`) that share nothing with the engine."""

from __future__ import annotations

import multiprocessing
import os
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool

from petriflow.execution.executors.job import perform


class Processes:
    """A pool of processes, made when it is first needed, and anew when a process has died.

    A process that dies takes the whole pool down. So whatever ran there is run again in a pool of
    one process, where only its own death counts against it.

    Args:
        workers: how many processes; by default as many as the machine has cores.
    """

    lost: tuple[type[BaseException], ...] = (BrokenProcessPool,)

    def __init__(self, workers: int | None = None) -> None:
        self._workers = workers or os.cpu_count() or 1
        self._pool: ProcessPoolExecutor | None = None

    def submit(self, job: str, alone: bool) -> Future[str]:
        """Run a job in a process of the pool, or in one of its own."""
        if alone:
            pool = _pool(1)
            future = pool.submit(perform, job)
            pool.shutdown(wait=False)  # it ends with its job
            return future
        try:
            self._pool = self._pool or _pool(self._workers)
            return self._pool.submit(perform, job)
        except BrokenProcessPool:
            self._pool = _pool(self._workers)
            return self._pool.submit(perform, job)

    def close(self) -> None:
        """Begin nothing further; what runs cannot be stopped, and runs to its end."""
        if self._pool is not None:
            self._pool.shutdown(wait=False, cancel_futures=True)


def _pool(workers: int) -> ProcessPoolExecutor:
    return ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("spawn"))
