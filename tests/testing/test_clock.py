"""`VirtualClock`: moments come in their order, and none comes while something is going on."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest

from petriflow import Engine, Workflow, task
from petriflow.net.errors import DefinitionError
from petriflow.patterns import deferred_choice, event, parallel, sequence, timer
from petriflow.testing import VirtualClock

DAY = 24 * 3600
MEMORY = "sqlite://"


def now(case: Any) -> None: ...


async def test_whoever_sleeps_shorter_wakes_first_whoever_began_first() -> None:
    clock, woken = VirtualClock(now=0), list[tuple[float, str]]()

    async def sleeper(name: str, *naps: float) -> None:
        for nap in naps:
            await clock.sleep(nap)
            woken.append((clock.now(), name))

    await asyncio.gather(
        sleeper("a", 7 * DAY),
        sleeper("b", DAY, DAY),
        sleeper("c", 1.5 * DAY),
        sleeper("d", 2 * DAY),
    )
    assert woken == [
        (DAY, "b"), (1.5 * DAY, "c"), (2 * DAY, "d"), (2 * DAY, "b"), (7 * DAY, "a"),
    ]  # fmt: skip


async def test_a_clock_that_only_advances_stands_still_between() -> None:
    clock, woken = VirtualClock(now=0, jumps=False), list[float]()

    async def hourly() -> None:
        for _ in range(3):
            await clock.sleep(3600)
            woken.append(clock.now())

    sleeper = asyncio.create_task(hourly())
    await clock.advance("59m")
    assert (woken, clock.now()) == ([], 3540)
    await clock.advance("61m")
    assert (woken, clock.now()) == ([3600, 7200], 7200)
    await clock.advance("10h")
    assert (woken, clock.now()) == ([3600, 7200, 10800], 7200 + 36000)
    await sleeper


async def test_who_is_cancelled_is_not_waited_for() -> None:
    clock = VirtualClock(now=0)
    sleeper = asyncio.create_task(clock.sleep(DAY))
    await asyncio.sleep(0)
    sleeper.cancel()
    await clock.sleep(2 * DAY)
    assert clock.now() == 2 * DAY


async def test_a_clock_that_jumps_is_not_advanced() -> None:
    with pytest.raises(DefinitionError, match="jumps=False"):
        await VirtualClock().advance(1)


async def test_a_wait_without_end_is_no_moment() -> None:
    clock = VirtualClock(now=0)
    forever = asyncio.create_task(clock.sleep(float("inf")))
    await clock.sleep(1)
    assert clock.now() == 1
    assert not forever.done()
    forever.cancel()


# -- with an engine --------------------------------------------------------------------------------


@pytest.mark.parametrize("body", ["thread", "loop"])
async def test_a_body_that_is_at_work_is_not_overtaken_by_a_timer(body: str) -> None:
    """The deadline is a week from now; the body takes a moment of real time, in a thread, or many
    rounds of the loop, or two days on the clock.
    """
    clock = VirtualClock(now=0)

    def in_a_thread(case: Any) -> dict[str, bool]:
        time.sleep(0.05)
        return {"done": True}

    async def in_the_loop(case: Any) -> dict[str, bool]:
        await clock.sleep(2 * DAY)
        return {"done": True}

    work = task(name="work")(in_a_thread if body == "thread" else in_the_loop)
    flow = Workflow("w", parallel(work, deferred_choice(event("x"), sequence(timer("7d"), now))))
    ends = []
    async with Engine(
        MEMORY, workflows=flow, clock=clock, on_event=lambda r: ends.append((r.kind, r.at))
    ) as engine:
        assert (await (await engine.start(flow)).wait()).completed
    done = next(at for kind, at in ends if kind == "TaskCompleted")
    assert done == (0 if body == "thread" else 2 * DAY)
    assert ("TimerFired", 7 * DAY) in ends


async def test_no_moment_comes_while_the_store_is_slow(monkeypatch: pytest.MonkeyPatch) -> None:
    """A commit that takes long is no reason for the time-out of a task that has not begun."""
    clock = VirtualClock(now=0)
    begun = []

    async def work(case: Any) -> None:
        begun.append(clock.now())

    flow = Workflow("w", parallel(work, deferred_choice(event("x"), sequence(timer(1), now))))
    async with Engine(MEMORY, workflows=flow, clock=clock) as engine:
        commit = engine._store.commit

        def slow(*args: Any, **more: Any) -> Any:
            time.sleep(0.03)
            return commit(*args, **more)

        monkeypatch.setattr(engine._store, "commit", slow)
        waiting = asyncio.create_task(clock.sleep(0.5))
        assert (await (await engine.start(flow)).wait()).completed
        await waiting
    assert begun == [0]


async def test_a_hundred_cases_with_timers_of_days_ring_in_order() -> None:
    clock, rung = VirtualClock(now=0), list[tuple[float, float]]()

    async def note(case: Any) -> None:
        rung.append((clock.now(), case["days"]))

    flows = [Workflow(f"w{n}", sequence(timer(f"{n}d"), note)) for n in range(1, 11)]
    async with Engine(MEMORY, workflows=flows, clock=clock) as engine:
        cases = [
            await engine.start(flow, {"days": n})
            for n, flow in reversed([*enumerate(flows, 1)])
            for _ in range(10)
        ]
        assert all([(await case.wait()).completed for case in cases])
    assert len(rung) == 100
    # Those started while the others wait may find that time has moved on; each waits its days.
    assert [at for at, _ in rung] == sorted(at for at, _ in rung)
    assert all(at >= days * DAY for at, days in rung)
