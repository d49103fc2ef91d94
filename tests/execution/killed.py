"""A program that works a hundred cases off and is killed meanwhile: `killed.py STORE.db LOG`.

Every body appends a line to the log: what the outside world would have seen of it.
"""

import asyncio
import os
import sqlite3
import sys
from collections.abc import Callable, Coroutine
from contextlib import closing
from pathlib import Path
from typing import Any

from petriflow import Engine, TaskContext, Workflow, collect, task
from petriflow.patterns import (
    discriminator,
    exclusive_choice,
    multi_choice,
    parallel,
    sequence,
    structured_loop,
    when,
)

CASES = 100
log = Path(os.environ.get("KILLED_LOG", os.devnull))


def say(case: TaskContext) -> None:
    with log.open("a") as file:
        file.write(f"{case.firing_id} {case.attempt}\n")


def step(name: str) -> Callable[[TaskContext], Coroutine[Any, Any, dict[str, Any]]]:
    async def body(case: TaskContext) -> dict[str, Any]:
        say(case)
        await asyncio.sleep(0.002 * (case["n"] % 5))
        return {"seen": name}

    return task(name=name)(body)


async def count(case: TaskContext) -> dict[str, Any]:
    say(case)
    return {"turns": case["turns"] + 1}


@task(retries=1, delay="0.001s")
def flaky(case: TaskContext) -> dict[str, Any]:
    say(case)
    if case.attempt == 1 and case["n"] % 3 == 0:
        raise OSError("the network is down")
    return {"seen": "flaky"}


flow = Workflow(
    "killed",
    sequence(
        step("begin"),
        parallel(step("left"), sequence(step("right"), flaky), name="both"),
        exclusive_choice(when("n % 2 == 0", step("even")), otherwise=step("odd"), name="parity"),
        multi_choice(
            when("n % 2 == 0", step("two")),
            when("n % 3 == 0", step("three")),
            otherwise=step("none"),
            name="divisors",
        ),
        structured_loop(count, until="turns >= n % 4", name="rounds"),
        discriminator(step("one"), step("other"), then=step("end"), name="race"),
        discriminator(step("hare"), step("tortoise"), cancel=True, name="cancelling"),
    ),
    merge={"seen": collect},
)


def begun(store: str) -> int:
    """How many cases the store has; none if the last run was killed before it made the tables."""
    if not os.path.exists(store):
        return 0
    with closing(sqlite3.connect(store)) as db:
        if not db.execute("SELECT 1 FROM sqlite_master WHERE name = 'cases'").fetchall():
            return 0
        count: int = db.execute("SELECT count(*) FROM cases").fetchone()[0]
        return count


async def main(store: str) -> None:
    first = begun(store)
    async with Engine(f"sqlite:///{store}", workflows=[flow]) as engine:
        for n in range(first, CASES):
            await engine.start(flow, {"n": n, "turns": 0, "seen": []})
        await asyncio.gather(*(case.wait() for case in await engine.open_cases()))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
