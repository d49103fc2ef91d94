"""Bodies on the machines of a Dask cluster (`petriflow[dask]`)."""

from __future__ import annotations

from concurrent.futures import Future
from typing import TYPE_CHECKING, Any

from petriflow.execution.executors.executor import WorkerDied
from petriflow.execution.executors.job import perform
from petriflow.net.errors import DefinitionError, say

if TYPE_CHECKING:
    from distributed import Client


class Dask:
    """Runs bodies on the cluster of a `distributed.Client`, which stays the user's to close.

    The workers must be able to import petriflow and the modules of the bodies. Nothing durable
    lives in the cluster: a worker or scheduler that dies only means that the body runs again,
    under the same firing. As long as its scheduler is away, the client waits for one to come back
    at the same address, for as long as its own `timeout`.

    Args:
        client: a client that is not asynchronous.

    Raises:
        DefinitionError: distributed is not installed, or the client is of another kind.
    """

    lost: tuple[type[BaseException], ...] = (WorkerDied,)

    def __init__(self, client: Client) -> None:
        try:
            from distributed import Client
        except ImportError as error:
            raise DefinitionError(
                "distributed is not installed; pip install 'petriflow[dask]'"
            ) from error
        if not isinstance(client, Client) or client.asynchronous:
            raise DefinitionError(
                f"Dask({client!r}): give a distributed.Client(asynchronous=False)"
            )
        self._client = client

    def submit(self, job: str, alone: bool) -> Future[str]:
        """Run a job; the scheduler gives one up that has cost it too many workers."""
        told: Future[str] = Future()
        remote = self._client.submit(perform, job, pure=False)

        def tell(done: Any) -> None:
            """Called in a thread of the client's."""
            if not told.set_running_or_notify_cancel():
                return
            try:
                told.set_result(done.result())
            except BaseException as error:  # a job tells of its own errors: this is the cluster's
                told.set_exception(WorkerDied(say(error)))

        def give_up(told: Future[str]) -> None:
            remote.release()  # then the cluster does not begin it, or forgets what comes of it

        remote.add_done_callback(tell)
        told.add_done_callback(give_up)
        return told

    def close(self) -> None:
        """Nothing: the client is the user's."""
