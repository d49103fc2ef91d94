"""Retry policies, deadlines and heartbeats: who is tried again, when, and for how long."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from petriflow import Engine, TaskContext, Workflow, task
from petriflow.execution import Record
from petriflow.net.errors import DefinitionError
from petriflow.patterns import discriminator, sequence

from .test_engine import MEMORY, JumpingClock, step, until


class HandClock:
    """Time that passes only when a test says so."""

    def __init__(self) -> None:
        self.time = 1e9
        self.sleepers: list[tuple[float, asyncio.Future[None]]] = []

    def now(self) -> float:
        return self.time

    async def sleep(self, seconds: float) -> None:
        waker: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.sleepers.append((self.time + seconds, waker))
        await waker

    async def advance(self, seconds: float) -> None:
        end = self.time + seconds
        while due := [w for w in self.sleepers if w[0] <= end and not w[1].done()]:
            self.time, waker = min(due, key=lambda w: w[0])
            waker.set_result(None)
            await asyncio.sleep(0.02)
        self.time = end
        await asyncio.sleep(0.02)


class Raises:
    """A body that raises one error after the other, and then is done."""

    def __init__(self, *errors: BaseException) -> None:
        self.errors = list(errors)
        self.attempts: list[int] = []

    async def __call__(self, case: TaskContext) -> None:
        self.attempts.append(case.attempt)
        if self.errors:
            raise self.errors.pop(0)


# -- which errors --------------------------------------------------------------------------------


@pytest.mark.promise("RUN-21")
@pytest.mark.parametrize(
    ("policy", "errors", "attempts"),
    [
        ({}, [ValueError(), KeyError()], 3),
        ({"retry_on": ConnectionError}, [ConnectionResetError(), ConnectionError()], 3),
        ({"retry_on": ConnectionError}, [ConnectionError(), ValueError()], 2),
        ({"retry_on": [OSError, KeyError]}, [ValueError()], 1),
        ({"give_up_on": ValueError}, [KeyError(), UnicodeError()], 2),
        ({"retry_on": OSError, "give_up_on": (FileNotFoundError,)}, [FileNotFoundError()], 1),
    ],
)
@pytest.mark.parametrize("plain", [False, True])
async def test_only_the_named_errors_are_tried_again(
    policy: dict[str, Any], errors: list[BaseException], attempts: int, plain: bool
) -> None:
    body = Raises(*errors)
    called = body.__call__

    def threaded(case: TaskContext) -> None:
        asyncio.run(called(case))

    bound = task(name="t", retries=5, delay=0, **policy)(threaded if plain else body)
    async with Engine(MEMORY, workflows=Workflow("w", bound)) as engine:
        outcome = await (await engine.start("w")).wait()
    assert body.attempts == list(range(1, attempts + 1))
    assert outcome.completed == (attempts > len(errors))


@pytest.mark.parametrize(("policy", "attempts"), [("retry_on", [1, 2]), ("give_up_on", [1])])
async def test_a_body_that_cancels_itself_is_judged_by_the_same_policy(
    policy: str, attempts: list[int]
) -> None:
    options: dict[str, Any] = {policy: asyncio.CancelledError}
    body = Raises(asyncio.CancelledError())
    flow = Workflow("w", task(name="t", retries=5, delay=0, **options)(body))
    async with Engine(MEMORY, workflows=flow) as engine:
        await (await engine.start(flow)).wait()
    assert body.attempts == attempts


async def test_a_final_error_is_stored_as_final_so_that_the_history_says_why_it_ended() -> None:
    bound = task(name="t", retries=5, delay=0, give_up_on=ValueError)(
        Raises(KeyError(), ValueError())
    )
    async with Engine(MEMORY, workflows=Workflow("w", bound)) as engine:
        case = await engine.start("w")
        await case.wait()
        told = [r.data["final"] for r in await engine.history(case.id) if r.kind == "TaskFailed"]
    assert told == [False, True]


async def test_a_timeout_is_a_timeout_error_to_the_policy() -> None:
    async def slow(case: TaskContext) -> None:
        if case.attempt < 3:
            await asyncio.sleep(60)

    kept = task(name="t", retries=5, delay=0, timeout=0.02, retry_on=TimeoutError)(slow)
    given_up = task(name="t", retries=5, delay=0, timeout=0.02, give_up_on=TimeoutError)(slow)
    flows = [Workflow("kept", kept), Workflow("given_up", given_up)]
    async with Engine(MEMORY, workflows=flows) as engine:
        assert (await (await engine.start("kept")).wait()).completed
        outcome = await (await engine.start("given_up")).wait()
    assert outcome.error == "task 'given_up': took longer than 0.02 s"


# -- pauses --------------------------------------------------------------------------------------


@pytest.mark.promise("RUN-21")
@given(
    jitter=st.floats(0, 1),
    longest=st.none() | st.floats(0.1, 100),
    firing=st.text(max_size=9),
    attempt=st.integers(2, 60),
)
def test_a_pause_lies_between_its_bounds_and_is_the_same_at_every_reading(
    jitter: float, longest: float | None, firing: str, attempt: int
) -> None:
    bound = task(delay=2, backoff=3, jitter=jitter, longest=longest)(lambda case: None)
    full = min(2 * 3.0 ** (attempt - 2), longest or float("inf"))
    pause = bound.wait_before(attempt, firing)
    assert full * (1 - jitter) - 1e-9 <= pause <= full
    assert pause == bound.wait_before(attempt, firing)


def test_chance_spreads_the_pauses_of_many_cases_evenly() -> None:
    bound = task(delay=10, jitter=0.5)(lambda case: None)
    pauses = [bound.wait_before(2, f"case-{n}/w/a/1") for n in range(2000)]
    tenths = [sum(5 + k / 2 <= p < 5.5 + k / 2 for p in pauses) for k in range(10)]
    assert sum(tenths) == 2000
    assert min(tenths) > 130  # of 200 expected; five standard deviations


async def test_the_engine_keeps_the_pauses_of_the_policy() -> None:
    clock = JumpingClock()
    body = Raises(*[ValueError()] * 5)
    bound = task(name="t", retries=5, delay=1, backoff=3, longest="10s")(body)
    async with Engine(MEMORY, workflows=Workflow("w", bound), clock=clock) as engine:
        assert (await (await engine.start("w")).wait()).completed
    assert clock.slept == [1, 3, 9, 10, 10]


# -- deadlines -----------------------------------------------------------------------------------


async def test_a_deadline_ends_all_attempts_and_pauses_together() -> None:
    clock, attempts = HandClock(), []

    async def slow(case: TaskContext) -> None:
        attempts.append(case.attempt)
        if case.attempt == 1:
            raise ValueError
        await asyncio.sleep(60)

    bound = task(retries=9, delay=4, deadline="10s")(slow)
    async with Engine(MEMORY, workflows=Workflow("w", bound), clock=clock) as engine:
        case = await engine.start("w")
        await until(lambda: clock.sleepers)
        await clock.advance(9.9)
        assert case.status == "running"
        await clock.advance(0.1)
        outcome = await case.wait()
    assert attempts == [1, 2]
    assert outcome.error == "task 'w': took longer than its deadline of 10 s"


async def test_a_pause_that_would_pass_the_deadline_is_not_waited_for() -> None:
    clock = JumpingClock()
    body = Raises(*[ValueError()] * 9)
    bound = task(name="t", retries=9, delay=2, deadline=10)(body)  # pauses: 2, 4, 8
    async with Engine(MEMORY, workflows=Workflow("w", bound), clock=clock) as engine:
        case = await engine.start("w")
        outcome = await case.wait()
    assert clock.time < 1e9 + 100
    assert outcome.error == "task 'w': no attempt is left before its deadline of 10 s"


@pytest.mark.promise("RUN-21")
async def test_a_deadline_outlives_its_engine(tmp_path: Path) -> None:
    store, clock = tmp_path / "cases.db", HandClock()
    begun: list[int] = []

    async def slow(case: TaskContext) -> None:
        begun.append(case.attempt)
        await asyncio.sleep(60)

    flow = Workflow("w", task(deadline=100)(slow))
    async with Engine(f"sqlite:///{store}", workflows=flow, clock=clock) as engine:
        case = await engine.start(flow)
        await until(lambda: begun)
    clock.time += 60
    async with Engine(f"sqlite:///{store}", workflows=flow, clock=clock) as engine:
        again = await engine.case(case.id)
        await until(lambda: len(begun) == 2)
        await clock.advance(39)
        assert again.status == "running"
        await clock.advance(1)
        assert (await again.wait()).error == "task 'w': took longer than its deadline of 100 s"
    with closing(sqlite3.connect(store)) as db:
        assert db.execute("SELECT * FROM timers").fetchall() == []


async def test_no_deadline_is_left_behind_by_what_completes_or_is_withdrawn(tmp_path: Path) -> None:
    store = tmp_path / "cases.db"

    async def never(case: TaskContext) -> None:
        await asyncio.sleep(60)

    quick = task(name="quick", deadline=100)(Raises())
    loses = task(name="loses", deadline=100)(never)
    flow = Workflow("w", sequence(discriminator(quick, loses, cancel=True, then=step("x")), never))
    async with Engine(f"sqlite:///{store}", workflows=flow) as engine:
        case = await engine.start(flow)
        await until(lambda: case.at_work == ("w/never",))
        await engine.committed()
        with closing(sqlite3.connect(store)) as db:
            assert db.execute("SELECT * FROM timers").fetchall() == []


# -- heartbeats ----------------------------------------------------------------------------------


@pytest.mark.promise("RUN-21")
async def test_a_body_that_beats_may_be_long_and_one_that_falls_silent_is_tried_again() -> None:
    clock = HandClock()
    records: list[Record] = []

    async def long(case: TaskContext) -> dict[str, int]:
        for _ in range(5):
            await clock.sleep(20)
            case.heartbeat()
        if case.attempt == 1:
            await asyncio.sleep(60)
        return {"attempt": case.attempt}

    flow = Workflow("w", task(retries=1, delay=0, heartbeat="30s")(long))
    async with Engine(MEMORY, workflows=flow, clock=clock, on_event=records.append) as engine:
        case = await engine.start(flow)
        await until(lambda: clock.sleepers)
        await clock.advance(129)
        assert [r.kind for r in records] == ["CaseStarted"]
        await clock.advance(1)
        assert records[-1].error == "gave no heartbeat for 30 s"
        await clock.advance(100)
        outcome = await case.wait()
    assert outcome.variables == {"attempt": 2}


async def test_the_heart_of_a_plain_function_beats_from_its_thread() -> None:
    clock, go, beats = HandClock(), threading.Semaphore(0), 0

    def long(case: TaskContext) -> None:
        nonlocal beats
        for _ in range(3):
            go.acquire(timeout=10)
            case.heartbeat()
            beats += 1

    flow = Workflow("w", task(heartbeat=30)(long))
    async with Engine(MEMORY, workflows=flow, clock=clock) as engine:
        case = await engine.start(flow)
        await until(lambda: clock.sleepers)
        for n in range(3):
            await clock.advance(29)
            go.release()
            await until(lambda n=n: beats == n + 1)
        assert (await case.wait()).completed
    assert clock.time == 1e9 + 87


def test_a_body_that_is_called_by_itself_may_beat() -> None:
    TaskContext("c", "f", 1, {}).heartbeat()


# -- definitions ---------------------------------------------------------------------------------


def test_a_task_without_the_new_options_hashes_as_before_and_each_option_counts() -> None:
    def body(case: TaskContext) -> None: ...

    plain = Workflow("w", task(retries=2, timeout=5)(body))
    name = "test_a_task_without_the_new_options_hashes_as_before_and_each_option_counts"
    assert plain.document()["tasks"] == {
        "w": [f"{name}.<locals>.body", "body", 2, 5.0, 1.0, 2.0]  # what the first version hashed
    }
    options: list[dict[str, Any]] = [
        {"jitter": 0.5}, {"longest": 5}, {"retry_on": OSError}, {"give_up_on": OSError},
        {"deadline": 5}, {"heartbeat": 5},
    ]  # fmt: skip
    hashes = {Workflow("w", task(retries=2, timeout=5, **o)(body)).content_hash for o in options}
    assert len(hashes | {plain.content_hash}) == 7


@pytest.mark.parametrize(
    ("option", "words"),
    [
        ({"jitter": 2}, "jitter=2"),
        ({"longest": 0}, "longest=0 leaves no time"),
        ({"deadline": 0}, "deadline=0 leaves no time"),
        ({"heartbeat": "0s"}, "heartbeat='0s' leaves no time"),
        ({"retry_on": ValueError()}, "is not a class of exceptions"),
        ({"give_up_on": [int]}, "is not a class of exceptions"),
    ],
)
def test_an_option_that_makes_no_sense_names_the_task(option: dict[str, Any], words: str) -> None:
    with pytest.raises(DefinitionError, match=r"task 'pay': .*" + words.replace("(", r"\(")):
        task(name="pay", **option)(lambda case: None)
