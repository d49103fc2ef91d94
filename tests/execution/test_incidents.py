"""Incidents and compensation in an engine: orders, restarts, bodies, and what a person is told."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

import pytest

from petriflow import Engine, TaskContext, Workflow, call, human, task
from petriflow.execution.clerk import Clerk
from petriflow.net.errors import (
    DefinitionError,
    TaskError,
    UnknownCase,
    VariableError,
)
from petriflow.patterns import (
    event,
    exclusive_choice,
    multi_choice,
    multiple_instances,
    parallel,
    sequence,
    when,
)
from petriflow.testing import VirtualClock
from petriflow.workflow import Task

from .test_engine import MEMORY, step, until

Undo = Callable[[TaskContext], Any]


class World:
    """What the bodies have done, as the world sees it."""

    def __init__(self) -> None:
        self.seen: list[str] = []
        self.broken: set[str] = set()
        self.contexts: list[TaskContext] = []

    def does(self, name: str, **updates: Any) -> Callable[[TaskContext], Any]:
        async def body(case: TaskContext) -> dict[str, Any]:
            self.seen.append(name)
            self.contexts.append(case)
            if name in self.broken:
                raise OSError(f"{name} is broken")
            return updates

        return body

    def step(self, name: str, *, undo: dict[str, Any] | None = None, **limits: Any) -> Task:
        """A task that can be undone by `-name`."""
        back = task(name=f"un{name}", **(undo or {}))(self.does(f"-{name}"))
        return task(name=name, compensate=back, **limits)(self.does(name, **{name: 1}))


@pytest.fixture
def world() -> World:
    return World()


# -- incidents -------------------------------------------------------------------------------


def tough(world: World, **limits: Any) -> Workflow:
    return Workflow(
        "w",
        sequence(
            parallel(
                task(name="tough", on_failure="incident", **limits)(world.does("tough", tough=1)),
                step("other", other=1),
            ),
            step("end", end=1),
        ),
    )


@pytest.mark.promise("RUN-25")
async def test_a_person_has_a_failed_task_tried_again_after_a_restart(
    world: World, store: str
) -> None:
    world.broken = {"tough"}
    flow = tough(world, retries=2, delay="1h")
    async with Engine(store, workflows=[flow], clock=VirtualClock()) as engine:
        case = await engine.start(flow, {"x": 1})
        with pytest.raises(TaskError, match="task 'w/parallel-1/tough': OSError: tough is broken"):
            await case.wait()
        assert (case.status, case.at_work, len(case.incidents)) == ("running", (), 1)
        assert world.seen == ["tough"] * 3
        told = await engine.explain(case)
        assert ("incident", "w/parallel-1/tough") in [(w.kind, w.element) for w in told.waits]
        assert all(w.kind != "task" for w in told.waits)
        (before,) = await engine.incidents()

    async with Engine(store, workflows=[flow], clock=VirtualClock()) as engine:
        (found,) = await engine.incidents()
        assert found == before
        assert (found.case_id, found.workflow, found.kind) == (case.id, "w", "TaskFailed")
        assert found.element == "w/parallel-1/tough"
        world.seen.clear()
        assert await engine.retry(case.id, {"x": 2}, incident="tough", by="ada")
        await until(lambda: len(world.seen) == 3)
        await until_incident(engine)
        world.broken.clear()
        assert await engine.retry(case.id)
        await until_ended(engine, case.id)
        outcome = await engine.outcome(case.id)
        assert outcome.variables == {"x": 2, "tough": 1, "other": 1, "end": 1}
        assert await engine.incidents() == ()
        history = await engine.history(case.id)
    contexts = world.contexts
    assert {c.firing_id for c in contexts} == {found.incident}
    assert [c.attempt for c in contexts] == list(range(1, 8))
    assert [c["x"] for c in contexts] == [1, 1, 1, 2, 2, 2, 2]
    (resolved, _) = [r for r in history if r.kind == "IncidentResolved"]
    assert resolved.data["by"] == "ada"


async def until_incident(engine: Engine) -> None:
    async with asyncio.timeout(10):
        while not await engine.incidents():  # noqa: ASYNC110 - it is the store that knows
            await asyncio.sleep(0.001)


async def until_ended(engine: Engine, id: str) -> str:
    async with asyncio.timeout(20):
        while True:
            status = (await engine.outcome(id)).status
            if status not in ("running", "suspended"):
                return status
            await asyncio.sleep(0.001)


@pytest.mark.promise("RUN-25")
async def test_a_person_skips_a_task_or_fails_the_case(world: World) -> None:
    world.broken = {"tough"}
    flow = tough(world)
    async with Engine(MEMORY, workflows=[flow]) as engine:
        one, two = await engine.start(flow, {}), await engine.start(flow, {})
        for case in (one, two):
            with pytest.raises(TaskError):
                await case.wait()
        assert [i.case_id for i in await engine.incidents(workflow="w")] == [one.id, two.id]
        assert len(await engine.incidents(limit=1)) == 1
        assert await engine.incidents(workflow="other") == ()
        await one.skip("tough", {"tough": "by hand"})
        assert (await one.wait()).variables == {"tough": "by hand", "other": 1, "end": 1}
        await two.fail("tough", "nobody knows")
        outcome = await two.wait()
        assert (outcome.status, outcome.error) == (
            "failed",
            "task 'w/parallel-1/tough': OSError: tough is broken (given up: nobody knows)",
        )


@pytest.mark.promise("RUN-26")
async def test_at_a_choice_a_person_tries_again_names_the_branch_or_fails_the_case() -> None:
    flow = Workflow(
        "w",
        sequence(
            exclusive_choice(
                when("x > 0", step("plus", way="+")),
                when("x < 0", step("minus", way="-")),
                exhaustive=True,
                name="sign",
            ),
            multi_choice(
                when("x > 5", step("big", big=1)),
                when("x > 7", step("huge", huge=1)),
                otherwise=step("small", small=1),
                name="size",
            ),
        ),
    )
    async with Engine(MEMORY, workflows=[flow]) as engine:
        taken, corrected, failed = [await engine.start(flow, {"x": 0}) for _ in range(3)]
        with pytest.raises(DefinitionError, match=r"give take=, one of 'plus', 'minus'"):
            await taken.skip("sign")
        with pytest.raises(DefinitionError, match="cannot take 'no'"):
            await taken.skip("sign", take="no")
        with pytest.raises(DefinitionError, match="cannot take"):
            await taken.skip("sign", take=["plus", "minus"])
        await taken.suspend()
        with pytest.raises(DefinitionError, match="is suspended; resume it, then skip"):
            await taken.skip("sign", take="minus")
        await taken.resume()
        await until(lambda: taken.incidents)
        await taken.skip("sign", {"x": 6}, take="minus")
        assert (await taken.wait()).variables == {"x": 6, "way": "-", "big": 1}
        assert await corrected.retry({"x": 1})
        assert (await corrected.wait()).variables == {"x": 1, "way": "+", "small": 1}
        await failed.fail("w/sign", "zero")
        assert "no guard is true" in ((await failed.wait()).error or "")
        assert (await failed.wait()).error.endswith("(given up: zero)")  # type: ignore[union-attr]


async def test_a_number_of_instances_is_named_in_the_same_way() -> None:
    flow = Workflow("w", multiple_instances(step("copy"), "n", most=5, name="many"))
    async with Engine(MEMORY, workflows=[flow]) as engine:
        case = await engine.start(flow, {"n": 7})
        with pytest.raises(DefinitionError, match="asks for a number: give take=, from 1 to 5"):
            await case.skip(next(iter(case.incidents)), take=6)
        await case.skip(next(iter(case.incidents)), take=3)
        assert (await case.wait()).completed
        fired = [t for r in await engine.history(case.id) for t in r.fired]
        assert sum(t.endswith("copy.complete") for t in fired) == 3


@pytest.mark.promise("RUN-25")
async def test_an_incident_that_is_not_there_is_an_error_that_names_those_that_are(
    world: World,
) -> None:
    world.broken = {"tough"}
    flow = Workflow(
        "w", multiple_instances(task(name="t", on_failure="incident")(world.does("tough")), 2)
    )
    async with Engine(MEMORY, workflows=[flow, Workflow("fine", step("a"))]) as engine:
        case = await engine.start(flow, {})
        await until(lambda: len(case.incidents) == 2)
        one, two = case.incidents
        with pytest.raises(
            UnknownCase, match="has no incident 'u'; it waits for a person at 'w/t'"
        ):
            await case.retry(incident="u")
        with pytest.raises(DefinitionError, match=f"several are 't': {one!r}, {two!r}; name one"):
            await case.skip("t")
        with pytest.raises(DefinitionError, match="is a task and has no branches"):
            await case.skip(one, take="b")
        with pytest.raises(VariableError):
            await case.skip(one, {"x": object()})
        await case.skip(one)
        await case.skip("t")
        assert (await case.wait()).completed
        with pytest.raises(UnknownCase):
            await engine.retry("nobody")
        with pytest.raises(UnknownCase):
            await engine.skip(case.id, "t")


async def test_a_case_that_waits_for_nobody_says_so(world: World) -> None:
    go = asyncio.Event()

    async def wait(case: TaskContext) -> None:
        await go.wait()

    flow = Workflow("w", wait)
    async with Engine(MEMORY, workflows=[flow]) as engine:
        case = await engine.start(flow, {})
        assert not await case.retry()
        with pytest.raises(UnknownCase, match="it waits for no person"):
            await case.fail("wait")
        go.set()
        assert (await case.wait()).completed


@pytest.mark.promise("RUN-25")
async def test_a_late_end_of_an_attempt_that_was_given_up_changes_nothing() -> None:
    """A plain function cannot be stopped: it returns when the firing has long been skipped."""
    go, ended = threading.Event(), threading.Event()

    def slow(case: TaskContext) -> dict[str, Any]:
        if case.attempt == 1:
            go.wait(10)
            ended.set()
        return {"by": case.attempt}

    hard = task(name="hard", timeout="10ms", on_failure="incident")(slow)
    flow = Workflow("w", sequence(hard, step("end", end=1)))
    async with Engine(MEMORY, workflows=[flow]) as engine:
        case = await engine.start(flow, {})
        with pytest.raises(TaskError, match=r"took longer than 0\.01 s"):
            await case.wait()
        go.set()
        await asyncio.to_thread(ended.wait)
        assert len(case.incidents) == 1
        await case.retry()
        assert (await case.wait()).variables == {"by": 2, "end": 1}
        history = await engine.history(case.id)
    assert [r.kind for r in history] == [
        "CaseStarted", "TaskFailed", "IncidentResolved", "TaskCompleted", "TaskCompleted",
    ]  # fmt: skip
    assert not any(r.late for r in history)


async def test_a_retried_task_has_its_whole_deadline_again(world: World) -> None:
    clock = VirtualClock()

    async def slow(case: TaskContext) -> None:
        world.seen.append("slow")
        await clock.sleep(60 if len(world.seen) == 1 else 29)

    flow = Workflow("w", task(name="slow", deadline="30s", on_failure="incident")(slow))
    async with Engine(MEMORY, workflows=[flow], clock=clock) as engine:
        case = await engine.start(flow, {})
        with pytest.raises(TaskError, match="took longer than its deadline of 30 s"):
            await case.wait()
        await clock.sleep(1000)
        await case.retry()
        assert (await case.wait()).completed


async def test_a_called_case_that_fails_is_an_incident_of_its_caller(world: World) -> None:
    world.broken = {"a"}
    inner = Workflow("inner", task(name="a")(world.does("a", a=1)))
    flow = Workflow("w", sequence(call(inner, on_failure="incident"), step("end", end=1)))
    async with Engine(MEMORY, workflows=[flow]) as engine:
        case = await engine.start(flow, {})
        with pytest.raises(TaskError, match="failed: task 'inner': OSError: a is broken"):
            await case.wait()
        world.broken.clear()
        await case.retry()
        assert (await case.wait()).variables == {"a": 1, "end": 1}


async def test_a_persons_task_that_is_overdue_is_offered_again_by_a_retry_and_can_be_undone(
    world: World,
) -> None:
    back = task(name="back")(world.does("-sign"))
    sign = human("sign", role="boss", deadline="3d", on_failure="incident", compensate=back)
    flow = Workflow("w", sequence(sign, task(name="pay")(world.does("pay"))))
    world.broken = {"pay"}
    clock = VirtualClock(jumps=False)
    async with Engine(MEMORY, workflows=[flow], clock=clock) as engine:
        case = await engine.start(flow, {})
        (item,) = await engine.work("boss")
        await engine.claim(item, by="ada", roles="boss")
        await clock.advance("4d")
        await until_incident(engine)
        assert "took longer than its deadline" in (await engine.incidents())[0].error
        assert not await engine.work("boss")
        await engine.retry(case, incident="sign")
        (again,) = await engine.work("boss")
        assert (again.id, again.holder) == (item.id, None)
        await engine.claim(again, by="bob", roles="boss")
        await engine.complete_task(again, {"signed": True}, by="bob")
        assert (await case.wait()).status == "failed"
    assert world.seen == ["pay", "-sign"]


# -- compensation ----------------------------------------------------------------------------


def trip(world: World, **undo: Any) -> Workflow:
    return Workflow(
        "trip",
        sequence(
            world.step("flight", undo=undo),
            world.step("hotel", undo=undo),
            parallel(world.step("car", undo=undo), task(name="pay")(world.does("pay"))),
        ),
    )


@pytest.mark.promise("RUN-27")
async def test_a_case_that_fails_undoes_what_it_did_and_is_failed_then(
    world: World, store: str
) -> None:
    world.broken = {"pay"}
    flow = trip(world)
    async with Engine(store, workflows=[flow], clock=VirtualClock()) as engine:
        case = await engine.start(flow, {"who": "ada"})
        outcome = await case.wait()
        history = await engine.history(case.id)
    assert (outcome.status, outcome.error) == (
        "failed",
        "task 'trip/parallel-3/pay': OSError: pay is broken",
    )
    booked = [name for name in world.seen if name in ("flight", "hotel", "car")]
    undone = [name for name in world.seen if name.startswith("-")]
    completed = [r.data["firing_id"] for r in history if r.kind == "TaskCompleted" and not r.late]
    done = [f for f in completed if ".undo/" not in f]
    assert [f.replace(".undo/", "/") for f in completed if ".undo/" in f] == done[::-1]
    assert undone == [f"-{name}" for name in reversed(booked)][-len(undone) :]
    last = world.contexts[-1]
    assert last.undoes == f"{case.id}/trip/flight/1"
    assert last.firing_id == f"{case.id}/trip/flight.undo/1"
    assert (last["who"], last["flight"], last["hotel"]) == ("ada", 1, 1)


@pytest.mark.promise("RUN-27")
async def test_a_cancelled_case_is_told_at_once_and_is_cancelled_when_all_is_undone(
    world: World,
) -> None:
    """The body that was at work has cleaned up before the first undo begins."""

    async def pay(case: TaskContext) -> None:
        try:
            await asyncio.sleep(600)
        finally:
            await asyncio.sleep(0.05)
            world.seen.append("cleaned up")

    flow = Workflow("w", sequence(world.step("a"), world.step("b"), pay))
    async with Engine(MEMORY, workflows=[flow]) as engine:
        case = await engine.start(flow, {})
        await until(lambda: case.at_work == ("w/pay",))
        await asyncio.sleep(0.01)
        outcome = await engine.cancel(case, "no money")
        assert (outcome.status, outcome.error) == ("running", "it is being given up: no money")
        told = await engine.explain(case)
        assert "is being given up (no money): undoing 'w/b', then 'w/a'" in str(told)
        assert not await engine.retry(case)
        again = await engine.cancel(case, "once more")
        assert again.error == "it is being given up: no money"
        outcome = await case.wait()
        assert (outcome.status, outcome.error) == ("cancelled", "no money")
    assert world.seen == ["a", "b", "cleaned up", "-b", "-a"]


@pytest.mark.promise("RUN-27")
@pytest.mark.parametrize("executor", ["thread", "process"])
async def test_an_undo_runs_where_its_task_says(executor: str) -> None:
    back = task(name="back", executor=executor)(undo_elsewhere)
    flow = Workflow("w", sequence(task(name="a", compensate=back)(give), task(name="b")(refuse)))
    async with Engine(MEMORY, workflows=[flow]) as engine:
        outcome = await (await engine.start(flow, {})).wait()
    assert outcome.status == "failed"
    assert outcome.variables["undid"] == outcome.case_id + "/w/a/1"


def give(case: TaskContext) -> dict[str, Any]:
    return {"given": 1}


def refuse(case: TaskContext) -> None:
    raise ValueError("no")


def undo_elsewhere(case: TaskContext) -> dict[str, Any]:
    return {"undid": case.undoes}


@pytest.mark.promise("RUN-28")
@pytest.mark.parametrize("way", ["retry", "skip", "fail"])
async def test_an_undo_that_fails_for_good_waits_for_a_person_across_a_restart(
    world: World, store: str, way: str
) -> None:
    world.broken = {"pay", "-hotel"}
    flow = trip(world, retries=2, delay="1h")
    async with Engine(store, workflows=[flow], clock=VirtualClock()) as engine:
        case = await engine.start(flow, {})
        with pytest.raises(TaskError, match=r"task 'trip/hotel\.undo': OSError: -hotel is broken"):
            await case.wait()
        assert world.seen.count("-hotel") == 3
        (incident,) = await engine.incidents()
        assert incident.element == "trip/hotel.undo"
    async with Engine(store, workflows=[flow], clock=VirtualClock()) as engine:
        world.broken.discard("-hotel")
        if way == "retry":
            await engine.retry(case.id)
        elif way == "skip":
            await engine.skip(case.id, "hotel.undo", {"by_hand": True})
        else:
            await engine.fail(case.id, "hotel.undo", "no such hotel")
        assert await until_ended(engine, case.id) == "failed"
        outcome = await engine.outcome(case.id)
    assert world.seen.count("-hotel") == (4 if way == "retry" else 3)
    assert ("-flight" in world.seen) == (way != "fail")
    if way == "fail":
        assert "not undone: 'trip/hotel', 'trip/flight'" in (outcome.error or "")
    else:
        assert outcome.error == "task 'trip/parallel-3/pay': OSError: pay is broken"
    assert ("by_hand" in outcome.variables) == (way == "skip")


@pytest.mark.promise("RUN-28")
async def test_a_suspended_case_undoes_nothing_also_after_a_restart(
    world: World, store: str
) -> None:
    go = asyncio.Event()

    async def pay(case: TaskContext) -> None:
        await go.wait()

    flow = Workflow("w", sequence(world.step("a"), world.step("b"), pay))
    async with Engine(store, workflows=[flow]) as engine:
        case = await engine.start(flow, {})
        await until(lambda: case.at_work == ("w/pay",))
        assert await case.suspend("wait")
        assert (await case.cancel("enough")).status == "suspended"
        told = str(await engine.explain(case))
        assert "is suspended" in told
        assert "then it goes on being given up (enough): undoing 'w/b', then 'w/a'" in told
    async with Engine(store, workflows=[flow]) as engine:
        await asyncio.sleep(0.05)
        assert world.seen == ["a", "b"]
        assert await engine.resume(case.id)
        assert await until_ended(engine, case.id) == "cancelled"
    assert world.seen == ["a", "b", "-b", "-a"]


@pytest.mark.promise("RUN-29")
async def test_a_caller_waits_until_the_case_that_it_calls_is_undone(world: World) -> None:
    go = asyncio.Event()

    async def wait(case: TaskContext) -> None:
        await go.wait()

    inner = Workflow("inner", sequence(world.step("i"), wait))
    done = Workflow("done", world.step("d"))
    whole = task(name="whole")(world.does("-whole"))
    flow = Workflow("outer", sequence(world.step("o"), call(done, compensate=whole), call(inner)))
    async with Engine(MEMORY, workflows=[flow]) as engine:
        case = await engine.start(flow, {})
        await until(lambda: world.seen == ["o", "d", "i"])
        await until(lambda: any(h.at_work == ("inner/wait",) for h in engine._handles.values()))
        called = next(h for h in engine._handles.values() if h.workflow is inner)
        await case.cancel("enough")
        outcome = await case.wait()
        assert outcome.status == "cancelled"
        assert (await engine.outcome(called.id)).status == "cancelled"
    assert world.seen == ["o", "d", "i", "-i", "-whole", "-o"]


@pytest.mark.promise("RUN-29")
async def test_an_undo_that_fails_in_a_called_case_holds_its_caller_also_after_a_restart(
    world: World, store: str
) -> None:
    world.broken = {"-i"}
    go = asyncio.Event()

    async def wait(case: TaskContext) -> None:
        await go.wait()

    inner = Workflow("inner", sequence(world.step("i"), wait))
    flow = Workflow("outer", sequence(world.step("o"), call(inner)))
    async with Engine(store, workflows=[flow]) as engine:
        case = await engine.start(flow, {})
        await until(lambda: any(h.at_work == ("inner/wait",) for h in engine._handles.values()))
        await case.cancel("enough")
        await until_incident(engine)
    async with Engine(store, workflows=[flow]) as engine:
        (incident,) = await engine.incidents()
        assert incident.element == "inner/i.undo"
        told = await engine.explain(case.id)
        assert "the case that it called is being given up as well" in str(told)
        assert (await engine.outcome(case.id)).status == "running"
        assert "-o" not in world.seen
        await engine.skip(incident.case_id, "i.undo")
        assert await until_ended(engine, case.id) == "cancelled"
        history = await engine.history(incident.case_id)
    assert world.seen == ["o", "i", "-i", "-o"]
    assert [r.kind for r in history].count("CancelRequested") == 1


async def test_a_case_called_off_before_it_began_holds_nobody(world: World) -> None:
    """The call is stored and its case is to begin after the commit, when all is given up."""
    inner = Workflow("inner", step("i"))
    flow = Workflow("outer", sequence(world.step("o"), call(inner)))
    async with Engine(MEMORY, workflows=[flow]) as engine:
        orders: list[asyncio.Task[Any]] = []

        def give_up(record: Any) -> None:
            if record.kind == "TaskCompleted" and record.task == "outer/o":
                cancel = engine.cancel(record.case_id, "enough")
                orders.append(asyncio.get_running_loop().create_task(cancel))

        engine._on_event = give_up
        case = await engine.start(flow, {})
        assert (await case.wait()).status == "cancelled"
        assert len(await engine.list(limit=None)) == 1
    assert world.seen[-1] == "-o"


async def test_what_is_told_of_a_case_is_plain_data(world: World) -> None:
    world.broken = {"tough"}
    flow = tough(world)
    async with Engine(MEMORY, workflows=[flow]) as engine:
        case = await engine.start(flow, {})
        with pytest.raises(TaskError):
            await case.wait()
        (incident,) = await engine.incidents()
        assert set(asdict(incident)) == {
            "case_id", "workflow", "incident", "element", "kind", "error", "since",
        }  # fmt: skip
        outcome = await case.settle()
        assert (outcome.status, outcome.error) == ("running", incident.error)


@pytest.mark.promise("RUN-25")
async def test_a_called_case_is_mended_with_its_caller_at_hand_or_not_at_all(
    world: World, store: str
) -> None:
    """Its end is told to its caller, so whoever reaches for the one has the other as well."""
    world.broken = {"i"}
    inner = Workflow("inner", task(name="i", on_failure="incident")(world.does("i", i=1)))
    flow = Workflow("outer", sequence(call(inner), step("end", end=1)))
    async with Engine(store, workflows=[flow]) as engine:
        case = await engine.start(flow, {})
        await until_incident(engine)
        (incident,) = await engine.incidents()
    async with Clerk(store, workflows=[inner]) as clerk:
        with pytest.raises(UnknownCase, match=r"was called by case .* of workflow 'outer'"):
            await clerk.skip(incident.case_id, "inner")
    async with Clerk(store, workflows=[flow]) as clerk:
        await clerk.skip(incident.case_id, "inner", {"i": "by hand"})
    async with Engine(store, workflows=[flow]) as engine:
        assert await until_ended(engine, case.id) == "completed"
        assert (await engine.outcome(case.id)).variables == {"i": "by hand", "end": 1}


@pytest.mark.promise("RUN-29")
async def test_a_case_is_given_up_with_the_one_that_it_calls_by_an_engine_that_reached_for_it(
    world: World, store: str
) -> None:
    """A command line cancels; the caller and the called case lie in the store, and the next engine
    undoes both."""
    inner = Workflow("inner", sequence(world.step("i"), event("go")))
    flow = Workflow("outer", sequence(world.step("o"), call(inner)))
    async with Engine(store, workflows=[flow]) as engine:
        case = await engine.start(flow, {})
        await until(lambda: world.seen == ["o", "i"])
        await until(lambda: any(h.waits_for for h in engine._handles.values()))
        await engine.committed()
    async with Clerk(store, workflows=[flow]) as clerk:
        assert (await clerk.cancel(case.id, "enough")).status == "running"
        assert world.seen == ["o", "i"]
    async with Engine(store, workflows=[flow]) as engine:
        assert await until_ended(engine, case.id) == "cancelled"
        called = f"{case.id}/outer/inner/2"
        assert (await engine.outcome(called)).status == "cancelled"
    assert world.seen == ["o", "i", "-i", "-o"]
