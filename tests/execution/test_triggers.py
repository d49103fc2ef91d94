"""Events and timers: who gets them, what is kept, what is lost, and what survives a restart."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from petriflow import Engine, TaskContext, Workflow, collect, task
from petriflow.net.errors import (
    DefinitionError,
    UndeclaredChoice,
    UnknownCase,
    VariableError,
)
from petriflow.patterns import (
    Event,
    Fragment,
    cancel_case,
    cancel_instances,
    cancel_region,
    cancellable,
    complete_instances,
    critical_section,
    deferred_choice,
    event,
    explicit_termination,
    growing_instances,
    interleaved_routing,
    milestone,
    multiple_instances,
    sequence,
    skip,
    timer,
)
from petriflow.testing import VirtualClock

from .test_engine import MEMORY, step, until


def engine(*flows: Workflow, store: str = MEMORY, **more: Any) -> Engine:
    return Engine(store, workflows=flows, **more)


OFFER = deferred_choice(
    sequence(event("accepted"), step("ship", how="shipped")),
    sequence(event("declined"), step("archive", how="archived")),
    sequence(timer("7d", name="week"), step("remind", how="reminded")),
)


@pytest.mark.promise("RUN-12")
@pytest.mark.parametrize(("happens", "how"), [("accepted", "shipped"), ("declined", "archived")])
async def test_the_first_event_decides_and_its_payload_is_written(happens: str, how: str) -> None:
    flow = Workflow("offer", OFFER)
    async with engine(flow) as running:
        case = await running.start(flow)
        assert set(case.waits_for) == {
            "offer/sequence-1/accepted.happens",
            "offer/sequence-2/declined.happens",
            "offer/sequence-3/week.happens",
        }
        assert await running.signal(case, happens, {"by": "ada"})
        outcome = await case.wait()
        assert outcome.variables == {"by": "ada", "how": how}
        with pytest.raises(UnknownCase):
            await running.signal(case, "declined")


@pytest.mark.promise("RUN-12")
async def test_a_timer_decides_if_nothing_happens_before(tmp_path: Path) -> None:
    flow = Workflow("offer", OFFER)
    async with engine(flow, clock=VirtualClock()) as running:
        outcome = await (await running.start(flow)).wait()
        assert outcome.variables == {"how": "reminded"}


@pytest.mark.promise("RUN-13")
async def test_a_persistent_event_waits_and_a_transient_one_is_lost() -> None:
    go = asyncio.Event()

    async def hold(case: TaskContext) -> None:
        await go.wait()

    kept = Workflow("kept", sequence(hold, event("x")))
    lost = Workflow("lost", sequence(hold, event("x", transient=True)))
    async with engine(kept, lost) as running:
        one, other = await running.start(kept), await running.start(lost)
        assert await running.signal(one, "x", {"n": 1})
        assert not await running.signal(other, "x", {"n": 1})
        go.set()
        assert (await one.wait()).variables == {"n": 1}
        assert (await other.settle()).status == "running"
        assert (await running.history(other.id))[1].late
        assert await running.signal(other, "x", {"n": 2})
        assert (await other.wait()).variables == {"n": 2}


@pytest.mark.promise("STORE-8")
async def test_timers_and_kept_events_survive_a_restart(tmp_path: Path) -> None:
    store = f"sqlite:///{tmp_path / 'x.db'}"
    clock = VirtualClock(jumps=False)
    flow = Workflow("w", sequence(event("first"), timer("1h"), event("second"), step("end", z=1)))
    async with engine(flow, store=store, clock=clock) as running:
        case = await running.start(flow)
        assert await running.signal(case, "second", {"y": 1}, key="k")
        assert await running.signal(case, "first")
        assert case.waits_for == ("w/timer-2.happens",)
    await clock.advance(3599)
    async with engine(flow, store=store, clock=clock) as running:
        (case,) = await running.open_cases()
        assert not await running.signal(case, "second", {"y": 2}, key="k")
        await clock.advance(0.5)
        assert case.waits_for == ("w/timer-2.happens",)
        await clock.advance(0.5)
        assert (await case.wait()).variables == {"y": 1, "z": 1}


@pytest.mark.promise("STORE-8")
async def test_an_event_told_twice_at_once_under_one_key_happens_once(store: str) -> None:
    flow = Workflow("w", sequence(event("go"), step("a"), event("go"), step("b")))
    async with Engine(store, workflows=[flow]) as engine:
        case = await engine.start(flow)
        told = [engine.signal(case.id, "go", {"n": n}, key="k") for n in range(3)]
        assert sorted(await asyncio.gather(*told)) == [False, False, True]
        assert [r.kind for r in await engine.history(case.id)].count("EventReceived") == 1
        assert await engine.signal(case, "go", key="another")
        assert (await case.wait()).completed


async def test_an_event_that_the_workflow_does_not_know_or_that_does_not_fit_is_refused() -> None:
    flow = Workflow("w", sequence(event("x"), step("a")))
    async with engine(flow) as running:
        case = await running.start(flow)
        with pytest.raises(DefinitionError, match="does not wait for 'y'; it knows 'x'"):
            await running.signal(case, "y")
        with pytest.raises(VariableError, match="'when'"):
            await running.signal(case, "x", {"when": object()})
        assert case.waits_for == ("w/x.happens",)


async def test_a_running_task_and_a_whole_region_are_cancelled_for_real() -> None:
    cancelled: list[str] = []

    def long(name: str) -> Any:
        async def body(case: TaskContext) -> None:
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                cancelled.append(name)
                raise

        return task(name=name)(body)

    flow = Workflow(
        "w",
        cancellable(
            sequence(long("a"), step("never")), long("b"), by=event("stop"), then=step("c", c=1)
        ),
    )
    async with engine(flow) as running:
        case = await running.start(flow)
        await asyncio.sleep(0)
        await running.signal(case, "stop")
        assert (await case.wait()).variables == {"c": 1}
        await until(lambda: sorted(cancelled) == ["a", "b"])

    region = Workflow(
        "r",
        cancel_region(
            long("a"),
            beside=sequence(event("go"), step("b")),
            by=event("stop"),
            then=step("c", c=1),
        ),
    )
    async with engine(region) as running:
        case = await running.start(region)
        await asyncio.sleep(0)
        await running.signal(case, "stop")
        assert (await case.wait()).variables == {"c": 1}

    ending = Workflow("e", explicit_termination(step("a", a=1), long("b")))
    async with engine(ending) as running:
        assert (await (await running.start(ending)).wait()).variables == {"a": 1}


@pytest.mark.parametrize("block", [critical_section, interleaved_routing])
async def test_only_one_at_a_time(block: Any) -> None:
    inside: list[str] = []
    together: list[int] = []

    def part(name: str) -> Any:
        async def body(case: TaskContext) -> None:
            inside.append(name)
            together.append(len(inside))
            await asyncio.sleep(0.001)
            inside.remove(name)

        return task(name=name)(body)

    flow = Workflow("w", block(*map(part, "abc")))
    async with engine(flow) as running:
        assert (await (await running.start(flow)).wait()).completed
    assert together == [1, 1, 1]


async def test_a_milestone_is_open_until_it_is_left() -> None:
    flow = Workflow(
        "w",
        milestone(
            step("open"),
            sequence(event("close"), step("closed")),
            sequence(event("ask"), step("answer", answer=42)),
            expired=step("too_late", answer=0),
        ),
    )
    async with engine(flow) as running:
        early, late = await running.start(flow), await running.start(flow)
        await running.signal(early, "ask")
        await running.signal(early, "close")
        assert (await early.wait()).variables == {"answer": 42}
        await running.signal(late, "close")
        assert (await late.wait()).variables == {"answer": 0}


def instance(case: TaskContext) -> dict[str, Any]:
    return {"seen": case.instance}


@pytest.mark.promise("RUN-15")
async def test_as_many_instances_as_the_data_say() -> None:
    flow = Workflow(
        "w", multiple_instances(instance, "len(items)", most=3), merge={"seen": collect}
    )
    async with engine(flow) as running:
        case = await running.start(flow, {"items": [1, 2], "seen": []})
        assert sorted((await case.wait()).variables["seen"]) == [0, 1]
        case = await running.start(flow, {"items": [1, 2, 3, 4], "seen": []})
        outcome = await case.settle()
        assert outcome.status == "running"
        assert "a number from 1 to 3 is needed" in (outcome.error or "")
        await case.retry({"items": [1, 2, 3]})
        assert sorted((await case.wait()).variables["seen"]) == [0, 1, 2]


@pytest.mark.promise("RUN-15")
async def test_instances_are_added_while_others_run() -> None:
    flow = Workflow(
        "w",
        growing_instances(instance, add=event("more"), most=5, close=Event("enough")),
        merge={"seen": collect},
    )
    async with engine(flow) as running:
        case = await running.start(flow, {"seen": []})
        for _ in range(2):
            await running.signal(case, "more")
        await running.signal(case, "enough")
        assert sorted((await case.wait()).variables["seen"]) == [0, 1, 2]


def late(name: str) -> Any:
    return sequence(event(f"{name}-done"), step(name))


@pytest.mark.promise("RUN-14")
@pytest.mark.parametrize(
    ("body", "names"),
    [
        (deferred_choice(step("a"), step("b")), ["'w/a.start'", "'w/b.start'"]),
        (deferred_choice(step("a"), event("x")), ["'w/a.start'", "'w/x.happens'"]),
        (cancellable(step("a"), by=step("b")), ["'w/b.start'", "'w.done'"]),
        (cancel_case(step("a"), step("b")), ["'w.cancel'", "'w.join'"]),
        (cancel_instances(step("a"), 2, by=step("b")), ["'w/b.start'", "'w.join'"]),
        (complete_instances(step("a"), 2), ["'w.force'", "'w.join'"]),
        (growing_instances(step("a"), add=event("x"), most=2), ["'w.close'", "'w/x.happens'"]),
        (
            cancel_region(step("a"), beside=step("b"), by=event("x")),
            ["'w/b.start'", "'w/x.happens'"],
        ),
    ],
)
async def test_a_choice_that_nobody_makes_is_refused(body: Fragment, names: list[str]) -> None:
    with pytest.raises(UndeclaredChoice) as refused:
        async with engine(Workflow("w", body)):
            pass
    for name in names:
        assert name in str(refused.value)


async def test_what_a_milestone_or_a_lock_decides_is_no_undeclared_choice() -> None:
    blocks = [
        milestone(step("a"), late("b"), late("c"), expired=skip),
        critical_section(sequence(step("a"), step("b")), step("c")),
        deferred_choice(late("a"), late("b"), sequence(timer(1), step("c"))),
    ]
    async with engine(*(Workflow(f"w{n}", body) for n, body in enumerate(blocks))):
        pass
