"""The workflow whose cases lie in `stores/version_1.sql`, a store as the first version wrote it.

It was written by `begin` with the code of 2026-11-25, and is never written again: every later
version has to continue it. One case has ended; one waits for an event and a timer, beside a case
that it called, and a body of it was at work when the engine left.
"""

from __future__ import annotations

import asyncio
from decimal import Decimal
from typing import Any

from pydantic import BaseModel

from petriflow import Engine, TaskContext, Workflow, call, collect, task
from petriflow.patterns import deferred_choice, event, parallel, sequence, timer


class Claim(BaseModel):
    amount: Decimal = Decimal("12.50")
    seen: list[str] = []
    answer: str = ""


go = asyncio.Event()


def step(name: str) -> Any:
    async def body(case: TaskContext) -> dict[str, Any]:
        return {"seen": name}

    return task(name=name)(body)


@task(name="work")
async def work(case: TaskContext) -> dict[str, Any]:
    await go.wait()
    return {"seen": "work"}


@task(name="look")
async def look(case: TaskContext) -> dict[str, Any]:
    return {"answer": "fine"}


check = Workflow("check", sequence(look, event("checked")), variables=Claim)
claim = Workflow(
    "claim",
    sequence(
        step("begin"),
        parallel(
            deferred_choice(
                sequence(event("answered"), step("thank")),
                sequence(timer("7d", name="week"), step("remind")),
                name="reply",
            ),
            call(check),
            work,
        ),
        step("end"),
    ),
    variables=Claim,
    merge={"seen": collect},
)


async def begin(url: str) -> None:
    async with Engine(url, workflows=[claim, check]) as engine:
        ended = await engine.start(check, {"amount": "1"})
        await engine.signal(ended, "checked")
        await ended.wait()
        open = await engine.start(claim, {"amount": "99.90"})
        await asyncio.sleep(0.5)  # all has happened that can
        assert any(task.endswith("/work") for task in open.at_work), open.at_work
        assert len(engine._handles) == 2
