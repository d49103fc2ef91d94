"""An engine as a process of its own, for tests that kill it or stop it: `sharing.py URL LOG [N]`.

It starts N cases, and works until no case of the database is open, its own or another engine's.
Every body appends a line to the log: what the outside world would have seen of it.
"""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from petriflow import Engine, TaskContext, Workflow, call, collect, task
from petriflow.patterns import exclusive_choice, parallel, sequence, timer, when

log = Path(os.environ.get("SHARING_LOG", os.devnull))


def write(line: str) -> None:
    with log.open("a") as file:
        file.write(line)


def step(name: str) -> Any:
    async def body(case: TaskContext) -> dict[str, Any]:
        write(f"{case.firing_id} {os.getpid()}\n")
        await asyncio.sleep(0.01 * (case["n"] % 7))
        return {"seen": name}

    return task(name=name)(body)


@task(name="inner")
async def inner(case: TaskContext) -> dict[str, Any]:
    await asyncio.sleep(0.01)
    return {"found": case["n"]}


called = Workflow("called", sequence(inner, timer("0.05s", name="pause")))
flow = Workflow(
    "sharing",
    sequence(
        step("begin"),
        parallel(step("left"), sequence(step("right"), call(called)), timer("1s", name="wait")),
        exclusive_choice(when("n % 2 == 0", step("even")), otherwise=step("odd"), name="parity"),
        step("end"),
    ),
    merge={"seen": collect},
)


def count_open(url: str) -> int:
    engine = sa.create_engine(url)
    with engine.connect() as connection:
        query = sa.text("SELECT count(*) FROM cases WHERE status = 'running'")
        found: int = connection.execute(query).scalar_one()
    engine.dispose()
    return found


async def main(url: str, number: int) -> None:
    async with Engine(url, workflows=[flow, called]) as engine:
        for n in range(number):
            await engine.start(flow, {"n": n, "seen": [], "found": -1})
        print("started", flush=True)
        while await asyncio.to_thread(count_open, url):  # noqa: ASYNC110 – of other processes too
            await asyncio.sleep(0.1)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2])))
