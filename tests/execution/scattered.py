"""Cases whose bodies run on a Dask cluster that loses a worker or its scheduler again and again."""

from __future__ import annotations

import asyncio
import os
import random
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from petriflow import Engine, TaskContext, Workflow, collect, task
from petriflow.execution.executors.dask import Dask
from petriflow.patterns import parallel, sequence

from .havoc import ROOT, Tell


def note(case: TaskContext) -> None:
    log = os.open(case["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.write(log, f"{case.firing_id} {os.getpid()}\n".encode())
    os.close(log)


@task(executor="dask", retries=30, delay=0.05, longest=0.2)
def left(case: TaskContext) -> Mapping[str, Any]:
    note(case)
    time.sleep(0.01 * (case["n"] % 4))
    return {"seen": "left"}


@task(executor="dask", retries=30, delay=0.05, longest=0.2)
def right(case: TaskContext) -> Mapping[str, Any]:
    note(case)
    return {"seen": "right"}


async def end(case: TaskContext) -> Mapping[str, Any]:
    note(case)
    return {"seen": "end"}


flow = Workflow("scattered", sequence(parallel(left, right), end), merge={"seen": collect})


class Scattered:
    """A scheduler and two workers, each a process of its own."""

    def __init__(self) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.address = f"tcp://127.0.0.1:{self.port}"
        self.scheduler = self._begin("scheduler", "--host=127.0.0.1", f"--port={self.port}")
        self.workers = [self._worker(), self._worker()]

    def _worker(self) -> subprocess.Popen[bytes]:
        return self._begin("worker", self.address, "--nthreads=2", "--no-nanny")

    def _begin(self, what: str, *options: str) -> subprocess.Popen[bytes]:
        path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
        return subprocess.Popen(
            [sys.executable, "-m", f"distributed.cli.dask_{what}", *options, "--no-dashboard"],
            env=os.environ | {"PYTHONPATH": path},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def lose(self, chance: random.Random) -> None:
        """Kill one of them, and have another in its place."""
        if chance.random() < 0.2:
            _end(self.scheduler)
            self.scheduler = self._begin("scheduler", "--host=127.0.0.1", f"--port={self.port}")
        else:
            n = chance.randrange(2)
            _end(self.workers[n])
            self.workers[n] = self._worker()

    def close(self) -> None:
        for process in (*self.workers, self.scheduler):
            _end(process)


def _end(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    process.wait()


async def lose_again_and_again(
    url: str, log: Path, chance: random.Random, most: int, tell: Tell = bool
) -> int:
    """Begin cases while parts of the cluster are killed; the answer is how many cases."""
    from distributed import Client

    cluster, begun, over = Scattered(), 0, asyncio.Event()
    client = await asyncio.to_thread(partial(Client, cluster.address, timeout=60))

    async def clients(engine: Engine) -> None:
        nonlocal begun
        while not over.is_set():
            begun += 1
            case = await engine.start(flow, {"n": begun, "log": str(log), "seen": []})
            assert (await case.wait()).completed

    try:
        async with Engine(url, workflows=[flow], executors={"dask": Dask(client)}) as engine:
            working = [asyncio.create_task(clients(engine)) for _ in range(8)]
            for _ in range(most):
                await asyncio.sleep(1.5 + 2 * chance.random())  # whoever comes back takes a second
                await asyncio.to_thread(cluster.lose, chance)
                tell()
            over.set()
            async with asyncio.timeout(120):
                await asyncio.gather(*working)
    finally:
        await asyncio.to_thread(client.close)
        await asyncio.to_thread(cluster.close)
    return begun
