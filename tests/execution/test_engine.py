"""The engine for real: SQLite, asyncio, threads, failures, restarts."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from pydantic import BaseModel

from petriflow import Engine, Outcome, Workflow
from petriflow.execution import Record
from petriflow.net import Net, replay
from petriflow.net.errors import (
    DefinitionError,
    GuardError,
    NoBranchEnabled,
    NotProvenSound,
    PetriflowError,
    StoreError,
    UnknownCase,
    VariableError,
)
from petriflow.patterns import (
    discriminator,
    exclusive_choice,
    interleaved_routing,
    multi_choice,
    parallel,
    sequence,
    skip,
    when,
)
from petriflow.testing import VirtualClock
from petriflow.workflow import Task, TaskContext, task

from .test_case import trap

MEMORY = "sqlite://"


def step(name: str, **updates: Any) -> Task:
    """A coroutine task that returns these updates."""

    async def body(case: TaskContext) -> dict[str, Any]:
        return updates

    return task(name=name)(body)


async def run(workflow: Workflow, variables: dict[str, Any] | None = None, **more: Any) -> Outcome:
    async with Engine(MEMORY, workflows=[workflow], **more) as engine:
        return await (await engine.start(workflow, variables or {})).wait()


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110 - the condition is anything, not an event
            await asyncio.sleep(0.001)


class JumpingClock:
    """Time that passes at once, and remembers how long everybody wanted to sleep."""

    def __init__(self) -> None:
        self.time, self.slept = 1e9, []

    def now(self) -> float:
        return self.time

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.time += seconds
        await asyncio.sleep(0)


# -- running -------------------------------------------------------------------------------------


@pytest.mark.promise("RUN-2")
async def test_parallel_tasks_overlap_coroutines_and_threads_alike() -> None:
    """Each waits for all the others to have begun: one after the other would never end."""
    begun = threading.Barrier(3, timeout=10)

    def in_a_thread(case: TaskContext) -> None:
        begun.wait()

    async def in_the_loop(case: TaskContext) -> None:
        await asyncio.to_thread(begun.wait)

    flow = Workflow("w", parallel(in_a_thread, task(name="another")(in_a_thread), in_the_loop))
    assert (await run(flow)).completed


@pytest.mark.promise("FLOW-3")
async def test_guards_are_asked_in_order_on_one_snapshot() -> None:
    asked: list[tuple[str, int]] = []

    def guard(name: str, answer: bool) -> Callable[[Any], bool]:
        def ask(variables: Any) -> bool:
            asked.append((name, variables["x"]))
            return answer

        return ask

    choices = [when(guard("no", False), step("a")), when(guard("yes", True), step("b", x=2))]
    more = when(guard("also", True), step("c"))
    flow = Workflow("w", exclusive_choice(*choices, more, otherwise=step("d")))
    assert (await run(flow, {"x": 1})).variables == {"x": 2}
    assert asked == [("no", 1), ("yes", 1)]  # the first that is true wins

    asked.clear()
    flow = Workflow("w", multi_choice(*choices, more, otherwise=step("d", default=True)))
    outcome = await run(flow, {"x": 1})
    assert asked == [("no", 1), ("yes", 1), ("also", 1)]
    assert "default" not in outcome.variables


async def test_a_long_chain_of_choices_is_taken_in_one_turn() -> None:
    """Eight branches are decided by the linear chain: two taken, one event."""
    branches = [when(f"x % {n} == 0", step(f"t{n}", **{f"t{n}": True})) for n in range(2, 10)]
    flow = Workflow("w", multi_choice(*branches, otherwise=step("none", none=True)))
    assert (await run(flow, {"x": 35})).variables == {"x": 35, "t5": True, "t7": True}
    assert (await run(flow, {"x": 11})).variables == {"x": 11, "none": True}


@pytest.mark.promise("FLOW-4")
@pytest.mark.parametrize(
    ("guard", "error", "words"),
    [
        ("x > 10", NoBranchEnabled, r"choice 'w': no guard is true \(x > 10\)"),
        ("y > 10", GuardError, "no variable 'y'"),
        ("x > 'a'", GuardError, "choice 'w': guard .* failed"),
        (lambda v: v["nothing"], GuardError, "KeyError"),
    ],
)
async def test_a_choice_that_cannot_be_decided_keeps_the_token_and_can_be_retried(
    guard: Any, error: type[PetriflowError], words: str
) -> None:
    flow = Workflow("w", exclusive_choice(when(guard, step("a", done=1)), exhaustive=True))
    async with Engine(MEMORY, workflows=[flow]) as engine:
        case = await engine.start(flow, {"x": 1})
        for _ in range(2):
            with pytest.raises(error, match=words):
                await case.wait()
        assert case.status == "running"
        assert list(case.incidents) == ["w"]
        if guard == "x > 10":
            await case.retry({"x": 2})
            with pytest.raises(NoBranchEnabled):
                await case.wait()
            await case.retry({"x": 11})
            assert (await case.wait()).variables == {"x": 11, "done": 1}


@pytest.mark.promise("FLOW-5")
async def test_a_body_can_change_nothing_but_by_what_it_returns() -> None:
    async def meddle(case: TaskContext) -> None:
        with pytest.raises(TypeError):
            case.variables["x"] = 2
        case["items"].append("stolen")
        case.variables["items"].append("stolen")

    assert (await run(Workflow("w", meddle), {"x": 1, "items": []})).variables == {
        "x": 1, "items": [],
    }  # fmt: skip


@pytest.mark.promise("FLOW-5")
@pytest.mark.parametrize("result", [5, "text", ["x"], ("x", 1)])
async def test_a_result_that_is_no_mapping_fails_the_case_with_the_remedy(result: Any) -> None:
    calls = []

    @task(retries=3)
    async def wrong(case: TaskContext) -> Any:
        calls.append(case.attempt)
        return result

    outcome = await run(Workflow("w", sequence(wrong)))
    assert outcome.status == "failed"
    assert "task 'w/wrong': returned" in str(outcome.error)
    assert "returns a mapping of updates" in str(outcome.error)
    assert calls == [1]  # trying again would not help


class Order(BaseModel):
    total: Decimal
    day: date
    ticket: UUID
    note: str | None = None


@pytest.mark.promise("STORE-6")
async def test_values_of_the_model_come_back_equal_and_of_their_type(tmp_path: Path) -> None:
    ticket, seen = UUID(int=7), []

    async def write(case: TaskContext) -> dict[str, Any]:
        return {"total": Decimal("12.30"), "day": date(2026, 2, 3), "note": "ä\u2028"}

    async def read(case: TaskContext) -> None:
        seen.append(case.variables)
        assert case["total"] == Decimal("12.30")

    flow = Workflow("w", sequence(write, read), variables=Order)
    start = {"total": 1, "day": "2026-01-01", "ticket": ticket}
    async with Engine(f"sqlite:///{tmp_path / 'x.db'}", workflows=[flow]) as engine:
        assert (await (await engine.start(flow, start)).wait()).completed
    assert seen == [
        Order(total=Decimal("12.30"), day=date(2026, 2, 3), ticket=ticket, note="ä\u2028")
    ]


@pytest.mark.promise("FLOW-9")
@pytest.mark.promise("STORE-6")
async def test_what_does_not_fit_is_refused_and_named() -> None:
    flow = Workflow("w", sequence(step("bad", note=5)), variables=Order)
    good = {"total": 1, "day": "2026-01-01", "ticket": str(UUID(int=7))}
    async with Engine(MEMORY, workflows=[flow]) as engine:
        for wrong, name in [({**good, "day": "soon"}, "'day'"), ({**good, "x": 1}, "'x'")]:
            with pytest.raises(VariableError, match=name):
                await engine.start(flow, wrong)
        with pytest.raises(VariableError, match="begins with a mapping"):
            await engine.start(flow, [1])  # type: ignore[arg-type]
        assert await engine.open_cases() == ()
        outcome = await (await engine.start(flow, good)).wait()
        assert outcome.status == "failed"
        assert "variable 'note'" in str(outcome.error)
    outcome = await run(Workflow("w", sequence(step("bad", when={1, 2}))))
    assert "variable 'when' is a set and cannot be stored" in str(outcome.error)


# -- failing -------------------------------------------------------------------------------------


@pytest.mark.promise("RUN-3")
@pytest.mark.promise("RUN-4")
async def test_attempts_wait_longer_each_time_and_share_their_firing_id() -> None:
    clock, seen, moments = VirtualClock(now=0), [], []

    @task(retries=3, delay="10s", backoff=3)
    async def shaky(case: TaskContext) -> dict[str, int]:
        seen.append((case.attempt, case.firing_id))
        moments.append(clock.now())
        if case.attempt < 4:
            raise OSError("line is busy")
        return {"ok": 1}

    outcome = await run(Workflow("w", parallel(shaky, shaky)), clock=clock)
    assert outcome.completed
    assert moments == [0, 0, 10, 10, 40, 40, 130, 130]
    for n in (1, 2):
        assert sorted(a for a, id in seen if id.endswith(f"/{n}")) == [1, 2, 3, 4]
    assert len({id for _, id in seen}) == 2


@pytest.mark.promise("RUN-4")
async def test_after_the_last_attempt_the_case_is_failed_and_says_why() -> None:
    cleaned = asyncio.Event()

    async def other(case: TaskContext) -> None:
        try:
            await asyncio.sleep(60)
        finally:
            cleaned.set()

    @task(retries=1, delay=0)
    def breaks(case: TaskContext) -> None:
        raise ZeroDivisionError("no parts")

    flow = Workflow("w", parallel(other, breaks))
    records: list[Record] = []
    outcome = await run(flow, on_event=records.append)
    assert (outcome.status, outcome.error) == (
        "failed", "task 'w/breaks': ZeroDivisionError: no parts",
    )  # fmt: skip
    assert cleaned.is_set()
    failures = [r for r in records if r.kind == "TaskFailed"]
    assert [r.fired for r in failures] == [[], []]


@pytest.mark.promise("RUN-4")
async def test_an_attempt_that_takes_too_long_is_cancelled_and_tried_again() -> None:
    cancelled = []

    @task(retries=1, timeout=0.05, delay=0)
    async def slow(case: TaskContext) -> None:
        if case.attempt == 1:
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                cancelled.append(1)
                raise

    assert (await run(Workflow("w", sequence(slow)))).completed
    assert cancelled == [1]
    hopeless = task(name="hopeless", timeout=0.01)(slow.body)
    outcome = await run(Workflow("w", sequence(hopeless)))
    assert outcome.error == "task 'w/hopeless': took longer than 0.01 s"


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (SystemExit(3), "SystemExit: 3"),
        (asyncio.CancelledError(), "cancelled itself"),
        (TimeoutError("theirs"), "TimeoutError: theirs"),
    ],
)
async def test_a_body_that_leaves_in_an_odd_way_only_fails(
    error: BaseException, words: str
) -> None:
    async def odd(case: TaskContext) -> None:
        raise error

    outcome = await run(Workflow("w", odd))
    assert (outcome.status, words in str(outcome.error)) == ("failed", True)


# -- cancelling ----------------------------------------------------------------------------------


@pytest.mark.promise("RUN-6")
async def test_cancelling_stops_the_bodies_and_starts_nothing_new() -> None:
    begun, cleaned, later = asyncio.Event(), asyncio.Event(), []

    async def long(case: TaskContext) -> None:
        begun.set()
        try:
            await asyncio.sleep(60)
        finally:
            cleaned.set()

    async def never(case: TaskContext) -> None:
        later.append(1)

    flow = Workflow("w", sequence(long, never))
    async with Engine(MEMORY, workflows=[flow]) as engine:
        case = await engine.start(flow, {})
        await begun.wait()
        outcome = await case.cancel("customer called")
        assert (outcome.status, outcome.error) == ("cancelled", "customer called")
        await asyncio.wait_for(cleaned.wait(), 5)
        assert await case.wait() == outcome
        assert await case.cancel() == outcome
        assert (await engine.outcome(case.id)).status == "cancelled"
    assert not later


@pytest.mark.promise("RUN-5")
async def test_late_results_are_recorded_as_late() -> None:
    """A thread that cannot be cancelled, and a coroutine that does not heed it."""
    go, records = threading.Event(), []

    def thread(case: TaskContext) -> dict[str, int]:
        go.wait(10)
        return {"thread": 1}

    async def deaf(case: TaskContext) -> dict[str, int]:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            await asyncio.sleep(0)
        return {"deaf": 1}

    async def rest(case: TaskContext) -> None:
        go.set()
        await until(lambda: sum(r.late for r in records) == 2)

    flow = Workflow("w", discriminator(thread, deaf, step("quick", q=1), cancel=True, then=rest))
    outcome = await run(flow, on_event=records.append)
    assert outcome.completed
    assert outcome.variables == {"q": 1}
    assert {r.task for r in records if r.late} == {"w/thread", "w/deaf"}
    assert all(not r.fired and not r.delta for r in records if r.late)


# -- the gate, and other ways to say no ----------------------------------------------------------


@pytest.mark.promise("RUN-1")
async def test_what_is_not_proven_sound_is_not_run(monkeypatch: pytest.MonkeyPatch) -> None:
    flow = Workflow("w", trap())
    with pytest.raises(NotProvenSound, match=r"(?s)'w' is not run.*allow_unsound.*get stuck"):
        async with Engine(MEMORY, workflows=[flow]):
            pass
    outcome = await run(flow, allow_unsound=True)
    assert outcome.status == "deadlocked"

    from petriflow import analysis
    from petriflow.execution import gate as module

    def short(net: Net, **options: Any) -> Any:
        return analysis.verify(net, **options, max_markings=5)

    monkeypatch.setattr(module, "verify", short)
    big = Workflow("big", interleaved_routing(*map(step, "abcde")))
    with pytest.raises(NotProvenSound, match="big is unknown"):
        async with Engine(MEMORY, workflows=[big]):
            pass


async def test_an_engine_says_what_it_cannot_do() -> None:
    flow, other = Workflow("w", step("a")), Workflow("v", step("b"))
    engine = Engine(MEMORY, workflows=[flow])
    with pytest.raises(StoreError, match="not running"):
        await engine.start(flow)
    async with engine:
        with pytest.raises(DefinitionError, match=r"does not run 'v'.*it runs: 'w'"):
            await engine.start(other)
        with pytest.raises(DefinitionError, match="does not run 'nobody'"):
            await engine.start("nobody")
        with pytest.raises(UnknownCase, match="no case 'x'"):
            await engine.history("x")
        case = await engine.start("w", {})
        assert (await case.wait()).completed
        assert await engine.case(case.id) is case
        assert (await engine.history(case)).records == (await engine.history(case.id)).records
        assert await engine.outcome(case) == await engine.outcome(case.id)
        with pytest.raises(UnknownCase, match="no case 'x'"):
            await engine.case("x")
    with pytest.raises(StoreError, match="stopped"):
        await engine.start(flow)
    with pytest.raises(DefinitionError, match="two workflows are named 'w'"):
        Engine(MEMORY, workflows=[flow, Workflow("w", step("c"))])


async def test_whoever_listens_cannot_break_the_engine(caplog: pytest.LogCaptureFixture) -> None:
    def grumble(record: Record) -> None:
        raise RuntimeError("not my day")

    assert (await run(Workflow("w", step("a")), on_event=grumble)).completed
    assert "on_event failed" in caplog.text


@pytest.mark.promise("RUN-11")
async def test_run_is_arun_also_inside_a_running_loop() -> None:
    flow = Workflow("w", step("a", x=1), example={"y": 2})
    inside = flow.run()
    assert inside.variables == {"x": 1, "y": 2}
    assert (await flow.arun()).variables == inside.variables
    with pytest.raises(VariableError):
        flow.run({"x": object()})


@pytest.mark.promise("RUN-11")
def test_run_works_without_a_loop() -> None:
    assert Workflow("w", step("a", x=1)).run({}).completed


async def test_a_thousand_cases_at_once_and_each_history_replays(tmp_path: Path) -> None:
    flow = Workflow(
        "w",
        sequence(
            parallel(step("a"), step("b")),
            multi_choice(
                when("n % 2 == 0", step("c")), when("n % 3 == 0", step("d")), otherwise=skip
            ),
            discriminator(step("e"), step("f"), step("g"), required=2, then=step("h")),
        ),
    )
    async with Engine(f"sqlite:///{tmp_path / 'x.db'}", workflows=[flow]) as engine:
        cases = await asyncio.gather(*(engine.start(flow, {"n": n}) for n in range(1_000)))
        outcomes = await asyncio.gather(*(case.wait() for case in cases))
        assert {o.status for o in outcomes} == {"completed"}
        assert len({o.case_id for o in outcomes}) == 1_000
        for case in cases[::100]:
            fired = [t for record in await engine.history(case.id) for t in record.fired]
            *_, last = replay(flow.expanded, fired)
            assert list(last) == [flow.expanded.sink.id]
        assert await engine.open_cases() == ()


def test_an_engine_takes_workflows_only() -> None:
    flow = Workflow("w", step("a"))
    assert Engine(MEMORY, workflows=flow)
    with pytest.raises(DefinitionError, match="make it one: Workflow"):
        Engine(MEMORY, workflows=[flow.net])  # type: ignore[list-item]
