"""The life of a case in an engine: started once, suspended, resumed, cancelled."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from petriflow import Engine, TaskContext, Workflow, call, task
from petriflow.execution.clerk import Clerk
from petriflow.net import Marking, replay
from petriflow.net.errors import DefinitionError, StoreError, UnknownCase
from petriflow.patterns import (
    deferred_choice,
    event,
    parallel,
    sequence,
    timer,
)

from .test_engine import MEMORY, JumpingClock, step, until
from .test_postgres import rows


def stored(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'x.db'}"


class Sundial:
    """A clock that goes on when it is told to."""

    def __init__(self) -> None:
        self.time = 1e9

    def now(self) -> float:
        return self.time

    async def sleep(self, seconds: float) -> None:
        due = self.time + seconds
        while self.time < due:  # noqa: ASYNC110 - the test sets the time
            await asyncio.sleep(0.001)


class Door:
    """A task that waits at a door, and counts who came."""

    def __init__(self, name: str = "door") -> None:
        self.open, self.came = asyncio.Event(), 0

        async def body(case: TaskContext) -> dict[str, Any]:
            self.came += 1
            await self.open.wait()
            return {name: self.came}

        self.task = task(name=name, retries=2, delay=60)(body)


# -- one key, one case ----------------------------------------------------------------------------


@pytest.mark.promise("RUN-18")
async def test_started_again_under_the_same_key_it_is_the_same_case(store: str) -> None:
    flow, other = (
        Workflow("w", sequence(event("go"), step("a"))),
        Workflow("v", sequence(event("go"), step("a"))),
    )
    async with Engine(store, workflows=[flow, other]) as engine:
        one = await engine.start(flow, {"n": 1}, key="order-1")
        many = await asyncio.gather(
            *(engine.start(flow, {"n": n}, key=f"order-{n % 3}") for n in range(30))
        )
        assert len({case.id for case in many}) == 3
        assert many[1] is one
        assert one.variables == {"n": 1}
        assert len(await engine.open_cases()) == 3
        assert (await engine.start(other, key="order-1")).id != one.id  # a key is its workflow's
        assert (await engine.start(flow)).id != (await engine.start(flow)).id


@pytest.mark.promise("RUN-18")
async def test_a_key_is_known_after_a_restart_and_after_the_end_of_its_case(
    store: str,
) -> None:
    flow = Workflow("w", sequence(event("go"), step("a", done=True)))
    async with Engine(store, workflows=[flow]) as engine:
        first = await engine.start(flow, {"n": 1}, key="k")
    async with Engine(store, workflows=[flow]) as engine:
        again = await engine.start(flow, {"n": 2}, key="k")
        assert (again.id, again.variables) == (first.id, {"n": 1})
        await engine.signal(again, "go")
        await again.wait()
        ended = await engine.start(flow, {"n": 3}, key="k")
        assert (await ended.wait()).variables == {"n": 1, "done": True}
        assert (ended.id, await engine.open_cases()) == (first.id, ())
        assert not await ended.suspend()
    newer = Workflow("w", sequence(event("go"), step("b")))
    async with Engine(store, workflows=[newer]) as engine:
        with pytest.raises(UnknownCase, match="another version of workflow 'w'"):
            await engine.start(newer, key="k")


async def test_a_start_that_nobody_waits_for_any_more_still_is_the_only_one(
    store: str,
) -> None:
    flow = Workflow("w", sequence(event("go"), step("a")))
    async with Engine(store, workflows=[flow]) as engine:
        impatient = [asyncio.create_task(engine.start(flow, key="k")) for _ in range(3)]
        await asyncio.sleep(0)
        impatient[0].cancel()
        ids = {(await start).id for start in impatient[1:]}
        ids.add((await engine.start(flow, key="k")).id)
        assert len(ids) == len(await engine.open_cases()) == 1


@pytest.mark.parametrize("key", ["", 7])
async def test_a_key_is_a_text(key: Any) -> None:
    flow = Workflow("w", step("a"))
    async with Engine(MEMORY, workflows=[flow]) as engine:
        with pytest.raises(DefinitionError, match="a key is a text"):
            await engine.start(flow, key=key)


# -- suspend and resume ---------------------------------------------------------------------------


@pytest.mark.promise("RUN-19")
async def test_a_suspended_case_lets_a_body_finish_and_starts_nothing_until_it_is_resumed() -> None:
    door = Door()
    flow = Workflow("w", sequence(door.task, step("after", after=True)))
    async with Engine(MEMORY, workflows=[flow]) as engine:
        case = await engine.start(flow, {})
        await until(lambda: door.came)
        assert await case.suspend("an audit")
        assert not await case.suspend()
        assert (case.status, (await case.settle()).status) == ("suspended", "suspended")
        door.open.set()
        await until(lambda: not case.at_work)
        await asyncio.sleep(0.05)
        assert (case.at_work, case.status) == ((), "suspended")
        assert await engine.resume(case.id)
        assert not await case.resume()
        assert (await case.wait()).variables == {"door": 1, "after": True}
        kinds = [record.kind for record in await engine.history(case.id)]
    assert kinds == ["CaseStarted", "Suspended", "TaskCompleted", "Resumed", "TaskCompleted"]


async def test_a_body_at_work_is_not_begun_a_second_time_when_its_case_is_resumed() -> None:
    door = Door()
    flow = Workflow("w", door.task)
    async with Engine(MEMORY, workflows=[flow]) as engine:
        case = await engine.start(flow, {})
        await until(lambda: door.came)
        for _ in range(3):
            await case.suspend()
            await case.resume()
        door.open.set()
        assert (await case.wait()).variables == {"door": 1}


@pytest.mark.promise("RUN-19")
async def test_a_suspended_case_stays_so_after_a_restart_and_begins_its_bodies_when_resumed(
    store: str,
) -> None:
    door = Door()
    flow = Workflow("w", sequence(door.task, step("after", after=True)))
    async with Engine(store, workflows=[flow]) as engine:
        case = await engine.start(flow, {})
        await until(lambda: door.came)
        await case.suspend()
    door.open.set()
    async with Engine(store, workflows=[flow]) as engine:
        (case,) = await engine.open_cases()
        assert case.status == "suspended"
        await asyncio.sleep(0.05)
        assert door.came == 1
        assert await case.resume()
        assert (await case.wait()).variables == {"door": 2, "after": True}


async def test_an_attempt_that_waits_for_its_time_does_not_begin_in_a_suspended_case() -> None:
    tries: list[int] = []
    clock = Sundial()

    async def shaky(case: TaskContext) -> None:
        tries.append(case.attempt)
        if case.attempt == 1:
            raise RuntimeError("not yet")

    flow = Workflow("w", task(name="shaky", retries=1, delay=60)(shaky))
    async with Engine(MEMORY, workflows=[flow], clock=clock) as engine:
        case = await engine.start(flow, {})
        await until(lambda: case._case.seq == 2)
        await case.suspend()
        await asyncio.sleep(0.01)
        clock.time += 61
        await asyncio.sleep(0.05)
        assert tries == [1]
        await case.resume()
        await asyncio.sleep(0.05)
        clock.time += 61
        assert (await case.wait()).completed
    assert tries == [1, 2]


async def test_the_first_event_decides_also_while_the_case_is_suspended() -> None:
    offer = deferred_choice(
        sequence(event("yes"), step("ship", how="shipped")),
        sequence(timer("1h"), step("remind", how="reminded")),
    )
    flow = Workflow("w", offer)
    clock = Sundial()
    async with Engine(MEMORY, workflows=[flow], clock=clock) as engine:
        case = await engine.start(flow, {})
        await case.suspend()
        assert await engine.signal(case, "yes", {"by": "ada"})
        clock.time += 3601
        await asyncio.sleep(0.02)
        assert (case.status, case.at_work, case.waits_for) == ("suspended", (), ())
        await case.resume()
        assert (await case.wait()).variables == {"by": "ada", "how": "shipped"}


async def test_a_called_case_is_suspended_and_resumed_with_its_caller() -> None:
    door = Door()
    child = Workflow("child", sequence(door.task, step("inner", inner=True)))
    flow = Workflow("w", sequence(call(child), step("outer", outer=True)))
    async with Engine(MEMORY, workflows=[flow, child]) as engine:
        case = await engine.start(flow, {})
        await until(lambda: door.came)
        assert await case.suspend()
        (inner,) = [h for h in engine._handles.values() if h.parent_id]
        assert inner.status == "suspended"
        door.open.set()
        await asyncio.sleep(0.05)
        assert "inner" not in inner.variables
        await case.resume()
        assert (await case.wait()).variables == {"door": 1, "inner": True, "outer": True}


async def test_a_suspended_case_can_be_cancelled() -> None:
    door = Door()
    flow = Workflow("w", door.task)
    async with Engine(MEMORY, workflows=[flow]) as engine:
        case = await engine.start(flow, {})
        await case.suspend()
        outcome = await engine.cancel(case, "no longer wanted")
        assert (outcome.status, outcome.error) == ("cancelled", "no longer wanted")
        for order in (engine.suspend, engine.resume):
            with pytest.raises(UnknownCase, match="not open: it is cancelled"):
                await order(case)


async def test_what_is_stored_replays_through_every_pause(store: str) -> None:
    flow = Workflow("w", sequence(*(parallel(step(f"a{n}"), step(f"b{n}")) for n in range(5))))
    async with Engine(store, workflows=[flow], clock=JumpingClock()) as engine:
        case = await engine.start(flow, {})
        pauses = 0
        while not case.told:
            pauses += await case.suspend() if not case.told else 0
            await asyncio.sleep(0)
            await case.resume()
        assert pauses
        records = await engine.history(case.id)
        assert (await engine.outcome(case.id)).completed
    assert [record.seq for record in records] == list(range(1, len(records) + 1))
    *_, last = replay(flow.expanded, [t for record in records for t in record.fired])
    assert last == Marking(flow.expanded.sink.id)


async def test_a_clerk_takes_orders_and_begins_no_body_and_the_next_engine_carries_them_out(
    store: str,
) -> None:
    door = Door()
    door.open.set()
    flow = Workflow("w", sequence(event("go"), timer("1h"), door.task))
    clock = Sundial()
    async with Engine(store, workflows=[flow], clock=clock) as engine:
        case = await engine.start(flow, {})
    async with Clerk(store, workflows=[flow], clock=clock) as clerk:
        assert await clerk.suspend(case.id)
        assert await clerk.signal(case.id, "go", {"by": "ada"})
        assert await clerk.resume(case.id)
        clock.time += 7200
        await asyncio.sleep(0.02)
        assert (await clerk.case(case.id)).waits_for == ("w/timer-2.happens",)
    clock.time += 3600  # the timer was begun in the clerk's hands, and it is late by now
    async with Engine(store, workflows=[flow], clock=clock) as engine:
        (case,) = await engine.open_cases()
        assert (await case.wait()).variables == {"by": "ada", "door": 1}


@pytest.mark.promise("STORE-15")
async def test_the_engine_that_has_a_file_carries_out_what_a_clerk_is_told(tmp_path: Path) -> None:
    door = Door()
    flow = Workflow("w", parallel(door.task, sequence(event("go"), step("a"))))
    store = f"sqlite:///{tmp_path / 'x.db'}"
    async with Engine(store, workflows=[flow]) as engine:
        case, other = await engine.start(flow, {}), await engine.start(flow, {})
        async with Clerk(store, workflows=[flow]) as clerk:
            assert await clerk.suspend(case.id)
            assert case.status == "suspended"
            assert await clerk.resume(case.id)
            assert await clerk.signal(case.id, "go", {"by": "ada"}, key="k")
            assert not await clerk.signal(case.id, "go", {"by": "ada"}, key="k")
            with pytest.raises(DefinitionError, match="does not wait for 'stop'"):
                await clerk.signal(case.id, "stop")
            with pytest.raises(UnknownCase, match="no case 'x'"):
                await clerk.suspend("x")
            door.open.set()
            outcome = await asyncio.wait_for(case.wait(), 10)
            assert (outcome.status, outcome.variables["by"]) == ("completed", "ada")
            with pytest.raises(UnknownCase, match="is not open: it is completed"):
                await clerk.suspend(case.id)
            assert other.at_work or other.waits_for
            waits = asyncio.create_task(clerk.suspend(other.id))
            await until(lambda: other.status == "suspended")
            assert await asyncio.wait_for(waits, 10)


@pytest.mark.promise("STORE-15")
async def test_an_order_to_an_engine_that_ends_before_it_is_not_kept(tmp_path: Path) -> None:
    flow = Workflow("w", sequence(event("go"), step("a")))
    store = f"sqlite:///{tmp_path / 'x.db'}"
    async with Engine(store, workflows=[flow]) as engine:
        case = await engine.start(flow, {})
        engine._leases.cancel()  # it looks for no orders any more
        clerk = await Clerk(store, workflows=[flow]).__aenter__()
        told = asyncio.create_task(clerk.signal(case.id, "go"))
        await until(lambda: rows(store, "SELECT count(*) FROM orders") == [(1,)])
    with pytest.raises(StoreError, match="nothing was done, say it again"):
        await asyncio.wait_for(told, 10)
    await clerk.__aexit__(None, None, None)
    assert rows(store, "SELECT count(*) FROM orders") == [(0,)]
    async with Engine(store, workflows=[flow]) as engine:
        assert await engine.signal(case.id, "go")
        assert (await (await engine.case(case.id)).wait()).completed
