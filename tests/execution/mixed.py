"""An engine as a process of its own, for tests that kill it, stop it and take its store away:
`mixed.py URL LOG NUMBER`.

It begins cases until there are NUMBER of them, some that route, some that wait for the outside,
some that run a task many times, and works until all have ended. Beside it a restless world looks
at the cases: it tells them of events, suspends and resumes them, and cancels some. Every body
appends its firing to the log: what the outside would have seen of it.
"""

from __future__ import annotations

import asyncio
import os
import random
import sys
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import AsyncExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

import sqlalchemy as sa

from petriflow import Engine, TaskContext, Workflow, call, collect, human, task
from petriflow.net.errors import ItemConflict, StoreError, UnknownCase, UnknownItem
from petriflow.patterns import (
    cancel_region,
    critical_section,
    deferred_choice,
    discriminator,
    event,
    multi_choice,
    multiple_instances,
    parallel,
    sequence,
    structured_loop,
    timer,
    when,
)

T = TypeVar("T")
#: How many cases are begun together.
TOGETHER = 10
_log: int | None = None


@contextmanager
def noted(log: Path) -> Iterator[None]:
    """Have the bodies append to this file."""
    global _log
    _log = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    try:
        yield
    finally:
        os.close(_log)
        _log = None


def note(case: TaskContext) -> None:
    """What the outside sees of a body; a short write at a file's end is whole or not at all."""
    if _log is not None:
        os.write(_log, f"{case.firing_id} {os.getpid()}\n".encode())


def step(name: str, **updates: Any) -> Any:
    async def body(case: TaskContext) -> Mapping[str, Any]:
        note(case)
        await asyncio.sleep(0.002 * (case["n"] % 5))
        return updates or {"seen": name}

    return task(name=name)(body)


async def count(case: TaskContext) -> Mapping[str, Any]:
    note(case)
    return {"turns": case["turns"] + 1}


@task(retries=2, delay="0.001s")
def flaky(case: TaskContext) -> Mapping[str, Any]:
    """Fails at first in every third case, and in the end in every tenth."""
    note(case)
    if case["n"] % 10 == 8 or (case.attempt == 1 and case["n"] % 3 == 0):
        raise OSError("the network is down")
    return {"seen": "flaky"}


async def look(case: TaskContext) -> Mapping[str, Any]:
    note(case)
    await asyncio.sleep(0.005)
    return {"found": case["n"]}


#: Choices, loops, discriminators that hold and that cancel.
routes = Workflow(
    "routes",
    sequence(
        step("begin"),
        parallel(step("left"), sequence(step("right"), flaky), name="both"),
        multi_choice(
            when("n % 2 == 0", step("two")),
            when("n % 3 == 0", step("three")),
            otherwise=step("none"),
            name="divisors",
        ),
        structured_loop(count, until="turns >= n % 4", name="rounds"),
        discriminator(step("one"), step("other"), then=step("then"), name="race"),
        discriminator(step("hare"), step("tortoise"), cancel=True, name="cancelling"),
    ),
    merge={"seen": collect},
)
called = Workflow("called", sequence(look, timer("0.02s", name="pause")))
#: Events, timers, a withdrawn region, and a case that calls another.
talks = Workflow(
    "talks",
    sequence(
        step("ask"),
        cancel_region(
            sequence(step("work"), call(called), step("more")),
            beside=sequence(timer("0.3s", name="patience"), step("decide")),
            by=event("stop"),
            then=step("stopped"),
            name="negotiation",
        ),
        deferred_choice(
            sequence(event("answered"), step("thank")),
            sequence(timer("0.4s", name="silence"), step("remind")),
            name="reply",
        ),
        event("paid"),
        step("close"),
    ),
    merge={"seen": collect},
)
#: Several instances of a called case, and tasks that must not run at once.
crowds = Workflow(
    "crowds",
    sequence(
        multiple_instances(call(called), "1 + n % 3", most=3, name="copies"),
        critical_section(step("red"), step("black"), name="ledger"),
        step("sum"),
    ),
    merge={"seen": collect, "found": collect},
)


def booking(name: str) -> Any:
    async def undo(case: TaskContext) -> None:
        note(case)
        await asyncio.sleep(0.003)

    async def body(case: TaskContext) -> Mapping[str, Any]:
        note(case)
        await asyncio.sleep(0.003)
        return {"seen": name}

    return task(name=name, compensate=task(name=f"un{name}", retries=1)(undo))(body)


@task(on_failure="incident")
async def pay(case: TaskContext) -> Mapping[str, Any]:
    """Waits for a person in every third case."""
    note(case)
    if case["n"] % 3 == 0 and case.attempt == 1:
        raise OSError("the bank is closed")
    return {"seen": "pay"}


#: Tasks that can be undone, work of a person, and incidents.
sagas = Workflow(
    "sagas",
    sequence(
        parallel(booking("room"), booking("flight"), name="book"),
        human("approve", role="boss"),
        pay,
        step("post"),
    ),
    merge={"seen": collect},
)
flows = (routes, talks, crowds, sagas)
everything = (*flows, called)


def allowed(workflow: str, variables: Mapping[str, Any]) -> set[str]:
    """How a case may end."""
    if workflow == "called":
        return {"completed", "cancelled"}
    n = variables["n"]
    usual = "failed" if workflow == "routes" and n % 10 == 8 else "completed"
    return {usual, "cancelled"} if n % 5 == 3 else {usual}


async def begin(engine: Engine, number: int) -> None:
    """Begin the cases that are not there yet, each under its number, in their order."""
    begun = len(await patiently(engine, lambda: engine.list(limit=None)))
    for n in range(max(0, begun - 2 * TOGETHER), number, TOGETHER):
        few = range(n, min(n + TOGETHER, number))
        await asyncio.gather(*(begin_one(engine, n) for n in few))


async def begin_one(engine: Engine, n: int) -> None:
    variables = {"n": n, "turns": 0, "seen": [], "found": -1}
    if flows[n % 4] is crowds:
        variables["found"] = []
    with suppress(UnknownCase):  # another engine was quicker
        await patiently(engine, lambda: engine.start(flows[n % 4], variables, key=f"{n}"))


async def patiently(engine: Engine, ask: Callable[[], Awaitable[T]]) -> T:
    """Ask until the store answers, or the engine has failed."""
    while True:
        try:
            return await ask()
        except StoreError:
            engine.check()
        await asyncio.sleep(0.05)


@contextmanager
def elsewhere(engine: Engine) -> Iterator[None]:
    """The case has ended, another engine has it or takes it just now, or the server is away."""
    try:
        yield
    except (UnknownCase, UnknownItem, ItemConflict, StoreError):
        engine.check()  # unless the engine itself has failed


async def world(engine: Engine, chance: random.Random) -> None:
    """Suspend and resume, tell events, cancel: whatever comes to its mind."""
    while True:
        for status in ("running", "suspended"):
            with elsewhere(engine):
                for found in await engine.list(status=status, limit=60):
                    with elsewhere(engine):
                        await meet(engine, found.id, found.workflow, status, chance)
        await asyncio.sleep(0.02)


async def meet(engine: Engine, id: str, workflow: str, status: str, chance: random.Random) -> None:
    kind = chance.random()
    if status == "suspended":
        if kind < 0.6:
            await engine.resume(id)
    elif kind < 0.04:
        await engine.suspend(id, "the world was in the mood")
    elif kind < 0.12:
        n = (await engine.outcome(id)).variables["n"]
        if n % 5 == 3:
            await engine.cancel(id, "the world had enough")
    elif workflow == "sagas":
        for item in await engine.work(case=id):
            await engine.complete_task(item, {"seen": "approve"}, by="world", roles="boss")
        for incident in await engine.incidents(workflow="sagas"):
            with elsewhere(engine):
                await engine.retry(incident.case_id, incident=incident.incident)
    elif workflow == "talks":
        name = chance.choice(("stop", "answered", "paid"))
        await engine.signal(id, name, {"seen": name}, key=name)


def remaining(url: str, number: int) -> int:
    """How many of the cases have not ended, or not begun; by a connection of its own."""
    engine = sa.create_engine(url)
    try:
        with engine.connect() as connection:
            query = sa.text(
                "SELECT count(*) FROM cases WHERE parent IS NULL AND status NOT IN"
                " ('running', 'suspended')"
            )
            ended: int = connection.execute(query).scalar_one()
    except sa.exc.OperationalError:  # its server is being restarted
        return number
    finally:
        engine.dispose()
    return number - ended


async def entered(url: str) -> Engine:
    """An engine; as a supervisor would, begin again while the server is not there."""
    while True:
        try:
            return await Engine(url, workflows=list(everything)).__aenter__()
        except StoreError as error:
            if "see that its server runs" not in str(error):
                raise
        await asyncio.sleep(0.1)


async def main(url: str, number: int, seed: int) -> None:
    async with AsyncExitStack() as around:
        engine = await entered(url)
        around.push_async_exit(engine)
        restless = asyncio.create_task(world(engine, random.Random(seed)))
        try:
            await begin(engine, number)
            while await asyncio.to_thread(remaining, url, number):
                engine.check()
                await asyncio.sleep(0.1)
                if restless.done():
                    restless.result()
        finally:
            restless.cancel()
            await asyncio.gather(restless, return_exceptions=True)


if __name__ == "__main__":
    with noted(Path(sys.argv[2])):
        try:
            asyncio.run(main(sys.argv[1], int(sys.argv[3]), os.getpid()))
        except StoreError as error:
            sys.exit(f"StoreError: {error}")
