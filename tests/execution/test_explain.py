"""`explain`: where a case is and what it waits for, open, ended, suspended or unknown here."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from petriflow import Engine, TaskContext, Workflow, task
from petriflow.net.errors import UnknownCase
from petriflow.patterns import (
    deferred_choice,
    event,
    exclusive_choice,
    parallel,
    sequence,
    timer,
    when,
)

from .test_case import trap
from .test_engine import MEMORY, step, until
from .test_lifecycle import Door, Sundial, stored


@pytest.mark.promise("RUN-20")
async def test_it_names_the_running_tasks_and_what_the_join_lacks() -> None:
    door = Door()
    flow = Workflow("w", sequence(parallel(door.task, step("quick")), step("end")))
    async with Engine(MEMORY, workflows=[flow]) as engine:
        case = await engine.start(flow, {"secret": "xyzzy"})
        await until(lambda: case.at_work == ("w/parallel-1/door",) and case._case.seq == 2)
        await engine.committed()
        told = await engine.explain(case)
        assert (told.status, told.registered, told.last_error) == ("running", True, None)
        assert [(w.kind, w.element) for w in told.waits] == [
            ("task", "w/parallel-1/door"),
            ("tokens", "w/parallel-1.join"),
        ]
        assert "lacks a token" in told.waits[1].why
        assert "brought by the completion of 'door'" in told.waits[1].why
        for form in (str(told), told._repr_html_(), json.dumps(told.to_json())):
            assert "w/parallel-1/door" in form
            assert "xyzzy" not in form
        door.open.set()
        await case.wait()
        ended = await engine.explain(case.id)
        assert (ended.status, ended.waits) == ("completed", ())
        assert str(ended) == f"case {case.id} of 'w' completed"
        with pytest.raises(UnknownCase):
            await engine.explain("nobody")


@pytest.mark.promise("RUN-20")
async def test_it_names_events_and_timers_and_when_they_are_due() -> None:
    offer = deferred_choice(
        sequence(event("yes"), step("ship")), sequence(timer("1h"), step("remind"))
    )
    flow = Workflow("w", offer)
    async with Engine(MEMORY, workflows=[flow], clock=Sundial()) as engine:
        told = await engine.explain(await engine.start(flow, {}))
    assert [(w.kind, w.element, w.why) for w in told.waits] == [
        ("event", "w/sequence-1/yes.happens", "the event 'yes' has not been told"),
        # 1e9 seconds after 1970 is 01:46:40 on the 9th of September 2001; and an hour
        ("timer", "w/sequence-2/timer-1.happens", "due 2001-09-09 02:46:40 UTC"),
    ]


@pytest.mark.promise("RUN-20")
async def test_it_names_an_incident_and_the_last_error() -> None:
    tries: list[int] = []

    @task(name="shaky", retries=1, delay=0)
    async def shaky(case: TaskContext) -> None:
        tries.append(1)
        if len(tries) == 1:
            raise RuntimeError("the printer is out of paper")

    flow = Workflow(
        "w", sequence(shaky, exclusive_choice(when("x > 0", step("a")), otherwise=step("b")))
    )
    async with Engine(MEMORY, workflows=[flow]) as engine:
        case = await engine.start(flow, {})  # there is no x
        await until(lambda: case.incidents)
        told = await engine.explain(case)
        ((path, error),) = case.incidents.items()
        assert [(w.kind, w.element, w.why) for w in told.waits] == [("incident", path, error)]
        assert told.last_error == "RuntimeError: the printer is out of paper"
        assert "out of paper" in str(told)


async def test_an_attempt_to_come_tells_what_became_of_the_one_before() -> None:
    @task(name="shaky", retries=3, delay=60)
    async def shaky(case: TaskContext) -> None:
        raise RuntimeError("no paper")

    flow = Workflow("w", shaky)
    async with Engine(MEMORY, workflows=[flow], clock=Sundial()) as engine:
        case = await engine.start(flow, {})
        await until(lambda: case._case.seq == 2)
        await engine.committed()
        (wait,) = (await engine.explain(case)).waits
    assert (wait.kind, wait.element) == ("task", "w")
    assert "attempt 2" in wait.why
    assert "no paper" in wait.why


async def test_a_suspended_case_tells_why_and_what_would_happen_next() -> None:
    door = Door()
    flow = Workflow("w", sequence(door.task, step("next")))
    async with Engine(MEMORY, workflows=[flow]) as engine:
        case = await engine.start(flow, {})
        await until(lambda: door.came)
        await case.suspend("an audit")
        told = await engine.explain(case)
        assert [w.kind for w in told.waits] == ["task"]
        assert "suspended" in told.title
        assert "an audit" in told.title
        door.open.set()
        await until(lambda: not case.at_work)
        await engine.committed()
        (wait,) = (await engine.explain(case)).waits
        assert (wait.kind, wait.element) == ("step", "w/next.start")
        assert "when the case is resumed" in wait.why


@pytest.mark.promise("RUN-20")
async def test_ends_tell_why() -> None:
    @task(name="broken")
    async def broken(case: TaskContext) -> None:
        raise RuntimeError("no")

    flows = [Workflow("failing", broken), Workflow("stuck", trap())]
    async with Engine(MEMORY, workflows=flows, allow_unsound=True) as engine:
        told = []
        for flow in flows:
            case = await engine.start(flow, {})
            await case.wait()
            told.append(str(await engine.explain(case)))
    assert "failed: task 'failing': RuntimeError: no" in told[0]
    assert "deadlocked: nothing can happen in [stuck.mid]" in told[1]


@pytest.mark.promise("RUN-20")
async def test_a_case_whose_definition_is_not_here_says_so(tmp_path: Path) -> None:
    door = Door()
    flow = Workflow("w", parallel(door.task, sequence(event("go"), step("a"))))
    async with Engine(stored(tmp_path), workflows=[flow]) as engine:
        case = await engine.start(flow, {})
    async with Engine(stored(tmp_path), workflows=[Workflow("v", step("a"))]) as engine:
        assert dict(engine.left) == {case.id: "w"}
        told = await engine.explain(case.id)
    assert not told.registered
    assert "not registered" in str(told)
    assert [(w.kind, w.element) for w in told.waits] == [
        ("task", "w/door"),
        ("event", "w/sequence-2/go.happens"),
    ]
