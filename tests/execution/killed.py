"""A program that works a hundred cases off and is killed meanwhile: `killed.py STORE.db LOG`.

Every body appends a line to the log: what the outside world would have seen of it.
"""

import asyncio
import os
import sqlite3
import sys
from collections.abc import Callable, Coroutine
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


async def main(store: str) -> None:
    begun = 0
    if os.path.exists(store):
        with sqlite3.connect(store) as db:
            try:
                (begun,) = db.execute("SELECT count(*) FROM cases").fetchone()
            except sqlite3.OperationalError:
                begun = 0  # killed before the tables were made
        db.close()
    async with Engine(f"sqlite:///{store}", workflows=[flow]) as engine:
        new = [
            await engine.start(flow, {"n": n, "turns": 0, "seen": []}) for n in range(begun, CASES)
        ]
        del new
        await asyncio.gather(*(case.wait() for case in engine.cases))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
