"""The workflows whose cases lie in `stores/version_4.sql`: open cases of every kind, as this
version of the tables holds them.

It was written by `python -m tests.execution.kept_4` on 2026-11-25 and is never written again: every
later version has to continue it. Its clock begins in January 2027.
"""

from __future__ import annotations

import asyncio
import os
import sqlite3
import tempfile
from contextlib import closing
from pathlib import Path
from typing import Any

from petriflow import Engine, TaskContext, Workflow, collect, human, task
from petriflow.patterns import (
    critical_section,
    discriminator,
    event,
    exclusive_choice,
    multiple_instances,
    parallel,
    sequence,
    structured_loop,
    timer,
    when,
)
from petriflow.testing import VirtualClock

from . import kept

BEGAN = 1_800_000_000.0
#: what holds bodies that are at work when the engine leaves
go = asyncio.Event()


def step(name: str, **updates: Any) -> Any:
    async def body(case: TaskContext) -> dict[str, Any]:
        return updates or {"seen": name}

    return task(name=name)(body)


def at_work(name: str, **more: Any) -> Any:
    async def body(case: TaskContext) -> dict[str, Any]:
        await go.wait()
        return {"seen": name}

    return task(name=name, **more)(body)


@task(name="unbook")
async def unbook(case: TaskContext) -> None:
    await go.wait()


@task(name="book", compensate=unbook)
async def book(case: TaskContext) -> dict[str, Any]:
    return {"booking": case.firing_id}


@task(name="pay", on_failure="incident")
async def pay(case: TaskContext) -> dict[str, Any]:
    if not go.is_set():
        raise OSError("the bank is closed")
    return {"paid": True}


#: an open incident; and one that is given up, whose task is being undone
trip = Workflow("trip", sequence(book, pay, event("travelled")))
#: work of people: one item is offered, one is claimed
paper = Workflow(
    "paper",
    parallel(
        human("review", role="reviewer", asks=["ok"]),
        human("sign", role="boss", deadline="30d"),
    ),
)
#: an event that is told by what it is about
order = Workflow("order", sequence(event("payment", about="order_id"), step("ship", sent=True)))
#: instances, a late branch of a discriminator, a lock, a loop, a choice without a branch
routes = Workflow(
    "routes",
    sequence(
        parallel(
            multiple_instances(at_work("copy"), "n", most=3, name="copies"),
            discriminator(step("quick"), at_work("late"), then=step("then"), name="race"),
            critical_section(at_work("red"), at_work("black"), name="ledger"),
        ),
        structured_loop(step("turn", turned=True), until="turned", name="rounds"),
        exclusive_choice(when("colour == 'red'", step("paint")), otherwise=step("leave")),
        timer("1d", name="dry"),
    ),
    merge={"seen": collect},
)
flows = [trip, paper, order, routes, kept.claim, kept.check]


async def begin(url: str, clock: VirtualClock) -> None:
    async with Engine(url, workflows=flows, clock=clock) as engine:
        done = await engine.start(kept.check, {"amount": "1"}, key="the first")
        await engine.signal(done, "checked", key="once")
        await done.wait()
        held = await engine.start(kept.claim, {"amount": "99.90"}, key="held")
        await engine.start(kept.claim, {"amount": "12"}, key="open")
        await engine.suspend(held, "until the summer is over")
        await engine.start(trip, key="incident")
        given_up = await engine.start(trip, key="given up")
        papers = await engine.start(paper, key="paper")
        await engine.start(order, {"order_id": 7}, key="order 7")
        await engine.tell("payment", about=8, payload={"by": "ada"}, keep=True)
        await engine.start(routes, {"n": 2, "seen": [], "colour": "blue"}, key="routes")
        await engine.schedule("nightly", order, "0 6 * * *", variables={"order_id": 99})
        await asyncio.sleep(1)  # all has happened that can
        await engine.cancel(given_up, "nobody travels")
        (item,) = [item for item in await engine.work() if item.task.endswith("sign")]
        await engine.claim(item, by="carl", roles="boss")
        await asyncio.sleep(0.5)
        assert (await engine.case(papers.id)).status == "running"


def write(file: Path) -> None:
    """Write the store as SQL."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "x.db"
        asyncio.run(begin(f"sqlite:///{path}", VirtualClock(now=BEGAN, jumps=False)))
        with closing(sqlite3.connect(path)) as db:
            version = db.execute("PRAGMA user_version").fetchone()[0]
            mark = db.execute("PRAGMA application_id").fetchone()[0]
            pragmas = [f"PRAGMA application_id = {mark};", f"PRAGMA user_version = {version};"]
            file.write_text("\n".join([*db.iterdump(), *pragmas]) + "\n", encoding="utf-8")


if __name__ == "__main__":
    target = Path(__file__).parent / "stores" / "version_4.sql"
    if target.exists() and "REWRITE" not in os.environ:
        raise SystemExit(f"{target.name} is there already, and is never written again")
    write(target)
