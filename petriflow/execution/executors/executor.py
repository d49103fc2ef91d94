"""`Executor`: what an engine needs of whoever runs bodies elsewhere."""

from __future__ import annotations

from concurrent.futures import Future
from typing import Protocol

from petriflow.net.errors import TaskError


class WorkerDied(TaskError):
    """The process that ran a body ended before the body did."""


class Executor(Protocol):
    """Runs `petriflow.execution.executors.job.perform` on jobs, which are texts, and so are the
    answers. Nothing of it is durable: the engine submits again what has got lost.
    """

    #: with which errors a job ends whose worker was lost
    lost: tuple[type[BaseException], ...]

    def submit(self, job: str, alone: bool) -> Future[str]:
        """Run a job.

        A job that lost its worker is submitted again with `alone`: then no other job may be able
        to take its worker down.
        """
        ...

    def close(self) -> None:
        """The engine is left; nothing is submitted any more."""
        ...
