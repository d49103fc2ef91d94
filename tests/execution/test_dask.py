"""Bodies on a Dask cluster: whoever dies there, it only means another attempt."""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from petriflow import Engine, Workflow
from petriflow.execution.executors.dask import Dask
from petriflow.net.errors import DefinitionError

from . import elsewhere
from .test_engine import MEMORY

distributed = pytest.importorskip("distributed")
dask = pytest.importorskip("dask")

# the threads and sockets of a cluster whose parts are killed
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]


@pytest.fixture
def client() -> Iterator[Any]:
    """Of a cluster of two processes, where a job that kills its worker is given up at once."""
    settings = {"distributed.scheduler.allowed-failures": 0}
    with (
        dask.config.set(settings),
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, dashboard_address=None
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        yield client


async def test_a_worker_that_is_killed_only_means_another_attempt_under_the_same_firing(
    client: Any, tmp_path: Path
) -> None:
    flow = Workflow("w", elsewhere.dies_once_on_dask)
    async with Engine(MEMORY, workflows=flow, executors={"dask": Dask(client)}) as engine:
        case = await engine.start(flow, {"folder": str(tmp_path)})
        async with asyncio.timeout(60):
            outcome = await case.wait()
    assert outcome.completed
    assert outcome.variables["lives"]
    assert elsewhere.notes(tmp_path) == [f"{case.id}/w/1"] * 2


async def test_a_body_that_kills_every_worker_fails_in_the_end(client: Any, tmp_path: Path) -> None:
    flow = Workflow("w", elsewhere.dies_on_dask)
    async with Engine(MEMORY, workflows=flow, executors={"dask": Dask(client)}) as engine:
        case = await engine.start(flow, {"folder": str(tmp_path)})
        async with asyncio.timeout(60):
            outcome = await case.wait()
    assert outcome.status == "failed"
    assert "its worker died" in (outcome.error or "")
    # each of the two attempts ran once more, since its worker may have died of another's fault
    assert elsewhere.notes(tmp_path) == [f"{case.id}/w/1 {n}" for n in (1, 1, 2, 2)]


def cluster(port: int) -> list[subprocess.Popen[bytes]]:
    """A scheduler and a worker, each a process of its own."""
    path = os.pathsep.join([str(Path.cwd()), os.environ.get("PYTHONPATH", "")])
    commands = (
        ["dask_scheduler", "--host", "127.0.0.1", "--port", str(port), "--no-dashboard"],
        ["dask_worker", f"tcp://127.0.0.1:{port}", "--nthreads=1", "--no-nanny", "--no-dashboard"],
    )
    return [
        subprocess.Popen(
            [sys.executable, "-m", f"distributed.cli.{name}", *options],
            env=os.environ | {"PYTHONPATH": path},
            stderr=subprocess.DEVNULL,
        )
        for name, *options in commands
    ]


def kill(processes: list[subprocess.Popen[bytes]]) -> None:
    for process in processes:
        process.kill()
        process.wait()


async def test_a_scheduler_that_is_killed_only_means_another_attempt_when_it_is_back(
    tmp_path: Path,
) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    flow = Workflow("w", elsewhere.waits_on_dask)
    parts = cluster(port)
    try:
        connect = partial(distributed.Client, f"tcp://127.0.0.1:{port}", timeout=30)
        client = await asyncio.to_thread(connect)
        try:
            async with (
                asyncio.timeout(90),
                Engine(MEMORY, workflows=flow, executors={"dask": Dask(client)}) as engine,
            ):
                case = await engine.start(flow, {"folder": str(tmp_path)})
                while not elsewhere.notes(tmp_path):  # noqa: ASYNC110 - another process writes
                    await asyncio.sleep(0.05)
                kill(parts)
                parts = cluster(port)
                (tmp_path / "go").touch()
                outcome = await case.wait()
        finally:
            await asyncio.to_thread(client.close)
    finally:
        kill(parts)
    assert outcome.completed
    assert set(elsewhere.notes(tmp_path)) == {f"{case.id}/w/1"}
    assert len(elsewhere.notes(tmp_path)) >= 2


def test_an_asynchronous_client_or_another_thing_is_refused() -> None:
    with pytest.raises(DefinitionError, match=r"give a distributed\.Client"):
        Dask("tcp://127.0.0.1:8786")  # type: ignore[arg-type]
