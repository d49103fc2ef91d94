"""Odd bodies, odd guards, odd moments: nothing hangs, nothing is lost, nobody else is disturbed."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import pytest

from petriflow import Engine, TaskContext, Workflow, collect, last_wins, task
from petriflow.execution import Record
from petriflow.net.errors import StoreError, UnknownCase, VariableError
from petriflow.patterns import (
    discriminator,
    event,
    exclusive_choice,
    parallel,
    sequence,
    skip,
    when,
)

from .test_engine import MEMORY, run, step, until


class OddError(BaseException):
    """No Exception, so that `except Exception` misses it."""


class NoWordsError(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no words")


def raising(error: BaseException, *, plain: bool) -> Any:
    async def coroutine(case: TaskContext) -> None:
        raise error

    def function(case: TaskContext) -> None:
        raise error

    return task(name="odd")(function if plain else coroutine)


@pytest.mark.parametrize("plain", [True, False])
@pytest.mark.parametrize(
    ("error", "words"),
    [
        (OddError("why"), "OddError: why"),
        (NoWordsError(), "its message cannot be made"),
        (StopIteration(3), "StopIteration"),
        (ValueError("caf\udce9"), r"ValueError: caf\udce9"),
        (GeneratorExit(), "GeneratorExit"),
    ],
)
async def test_whatever_a_body_raises_the_case_hears_of_it(
    error: BaseException, words: str, plain: bool
) -> None:
    other = Workflow("other", sequence(step("a"), step("b", b=1)))
    flow = Workflow("w", raising(error, plain=plain))
    async with Engine(MEMORY, workflows=[flow, other]) as engine:
        case, neighbour = await engine.start(flow), await engine.start(other)
        async with asyncio.timeout(5):
            outcome = await case.wait()
            assert (await neighbour.wait()).completed
    assert outcome.status == "failed"
    assert words in (outcome.error or "")


@pytest.mark.parametrize("error", [OddError("why"), NoWordsError(), KeyError("x")])
async def test_whatever_a_guard_raises_the_case_waits_with_a_reason_and_a_whole_log(
    error: BaseException,
) -> None:
    def guard(variables: Any) -> bool:
        if variables["broken"]:
            raise error
        return True

    flow = Workflow(
        "w", sequence(step("a"), exclusive_choice(when(guard, step("b")), otherwise=skip))
    )
    async with Engine(MEMORY, workflows=[flow]) as engine:
        case = await engine.start(flow, {"broken": True})
        async with asyncio.timeout(5):
            outcome = await case.settle()
        assert outcome.status == "running"
        assert "'w/exclusive_choice-2'" in (outcome.error or "")
        await case.retry({"broken": False})
        assert (await case.wait()).completed
        assert [r.seq for r in await engine.history(case.id)] == [1, 2, 3, 4, 5, 6]


@pytest.mark.parametrize("reason", ["caf\udce9", ValueError("x"), {"a": 1}])
async def test_any_reason_will_do_to_cancel(reason: Any) -> None:
    async def hold(case: TaskContext) -> None:
        await asyncio.sleep(60)

    flow = Workflow("w", hold)
    async with Engine(MEMORY, workflows=[flow]) as engine:
        case = await engine.start(flow)
        assert (await case.cancel(reason)).status == "cancelled"
        assert (await engine.history(case.id))[-1].kind == "CancelRequested"


@pytest.mark.promise("FLOW-3")
async def test_a_guard_cannot_change_what_the_next_one_sees() -> None:
    def spoils(variables: Any) -> bool:
        variables["items"].append(1)
        return False

    def empty(variables: Any) -> bool:
        return len(variables["items"]) == 0

    choice = exclusive_choice(when(spoils, step("a")), when(empty, step("b", b=1)), exhaustive=True)
    outcome = await run(Workflow("w", choice), {"items": []})
    assert outcome.variables == {"items": [], "b": 1}


@pytest.mark.promise("FLOW-8")
async def test_a_cancelling_block_that_ends_a_branch_keeps_the_branch() -> None:
    async def hold(case: TaskContext) -> None:
        await asyncio.sleep(60)

    inner = discriminator(step("a", a=1), hold, cancel=True)
    two = discriminator(inner, step("x", x=1), required=2)
    assert (await run(Workflow("w", two))).variables == {"a": 1, "x": 1}
    after = discriminator(sequence(step("p", p=1), inner), step("z", z=1), required=2)
    assert (await run(Workflow("w", after))).variables == {"p": 1, "a": 1, "z": 1}


@pytest.mark.promise("FLOW-7")
async def test_the_last_write_wins_also_against_a_late_branch() -> None:
    go, done = asyncio.Event(), asyncio.Event()

    async def early(case: TaskContext) -> dict[str, Any]:
        return {"x": "earlier"}

    async def late(case: TaskContext) -> None:
        done.set()
        await go.wait()

    async def then(case: TaskContext) -> dict[str, Any]:
        await done.wait()
        return {"x": "later"}

    def after(case: TaskContext) -> None:
        pass

    block = discriminator(step("quick"), sequence(early, late), then=sequence(then, after))
    flow = Workflow("w", block, merge={"x": last_wins})
    async with Engine(MEMORY, workflows=[flow]) as engine:
        case = await engine.start(flow)
        await until(lambda: case.variables.get("x") == "later")
        go.set()
        assert (await case.wait()).variables == {"x": "later"}


async def test_nobody_outside_can_reach_into_a_case() -> None:
    async def seen(case: TaskContext) -> dict[str, Any]:
        return {"seen": list(case["items"])}

    flow = Workflow("w", sequence(step("a"), seen))
    async with Engine(MEMORY, workflows=[flow]) as engine:
        case = await engine.start(flow, {"items": []})
        case.variables["items"].append("injected")
        assert (await case.wait()).variables == {"items": [], "seen": []}


async def test_a_correction_counts_once() -> None:
    def choice(n: str) -> Any:
        return exclusive_choice(when("go", step(f"t{n}")), exhaustive=True, name=n)

    flow = Workflow("w", parallel(choice("p"), choice("q")), merge={"log": collect})
    async with Engine(MEMORY, workflows=[flow]) as engine:
        case = await engine.start(flow, {"log": [], "go": False})
        with pytest.raises(VariableError, match="'log' would be added once for each"):
            await case.retry({"go": True, "log": "fixed"})
        with pytest.raises(UnknownCase, match="has no incident 'w/r'"):
            await case.retry(incident="w/r")
        await case.retry({"go": True, "log": "fixed"}, incident="w/p")
        await case.retry({"go": True}, incident="w/q")
        assert (await case.wait()).variables == {"go": True, "log": ["fixed"]}


# -- the moments of stopping and cancelling -------------------------------------------------------


@pytest.mark.promise("STORE-2")
@pytest.mark.parametrize("fails", [False, True])
async def test_a_function_that_ends_while_the_engine_stops_is_run_again_by_the_next(
    tmp_path: Path, fails: bool
) -> None:
    runs: list[int] = []
    first = [True]

    async def tidy(case: TaskContext) -> None:
        if first[0]:
            try:
                await asyncio.sleep(60)
            finally:
                await asyncio.sleep(0.2)

    def work(case: TaskContext) -> dict[str, Any]:
        runs.append(1)
        if len(runs) == 1:
            time.sleep(0.1)
            if fails:
                raise ValueError("card refused")
        return {"paid": True}

    flow = Workflow("w", parallel(tidy, work))
    store = f"sqlite:///{tmp_path / 'x.db'}"
    async with Engine(store, workflows=[flow]) as engine:
        await engine.start(flow)
        await until(lambda: runs)
    first[0] = False
    async with Engine(store, workflows=[flow]) as engine:
        (case,) = await engine.open_cases()
        assert (await case.wait()).variables == {"paid": True}
    assert len(runs) == 2


async def test_no_body_begins_while_the_engine_stops(tmp_path: Path) -> None:
    begun: list[str] = []

    async def stubborn(case: TaskContext) -> dict[str, Any]:
        with suppress(asyncio.CancelledError):
            await asyncio.sleep(60)
        return {"a": 1}

    def after(case: TaskContext) -> None:
        begun.append("after")

    flow = Workflow("w", sequence(stubborn, after))
    store = f"sqlite:///{tmp_path / 'x.db'}"
    async with Engine(store, workflows=[flow]) as engine:
        await engine.start(flow)
        await asyncio.sleep(0)
    assert begun == []
    async with Engine(store, workflows=[flow]) as engine:
        (case,) = await engine.open_cases()
        assert (await case.wait()).variables == {"a": 1}
    assert begun == ["after"]


@pytest.mark.promise("RUN-6")
async def test_no_body_begins_after_its_case_was_cancelled(tmp_path: Path) -> None:
    begun: list[str] = []

    def after(case: TaskContext) -> None:
        begun.append("after")

    flow = Workflow("w", sequence(step("a"), after))
    async with Engine(f"sqlite:///{tmp_path / 'x.db'}", workflows=[flow]) as engine:
        for turns in range(6):
            case = await engine.start(flow)
            await until(lambda: any("after" in r.task for r in case._case.running.values()))  # noqa: B023
            for _ in range(turns):
                await asyncio.sleep(0)
            started = len(begun)
            await case.cancel()
            await asyncio.sleep(0.02)
            assert len(begun) - started <= (turns > 3)


async def test_a_cancelled_body_has_time_to_clean_up_though_the_engine_stops() -> None:
    said: list[str] = []

    async def bad(case: TaskContext) -> None:
        await asyncio.sleep(0.01)
        raise ValueError

    async def slow(case: TaskContext) -> None:
        try:
            await asyncio.sleep(60)
        finally:
            await asyncio.sleep(0.1)
            said.append("released")

    assert (await run(Workflow("w", parallel(bad, slow)))).status == "failed"
    assert said == ["released"]


async def test_who_starts_cases_while_the_engine_stops_is_told() -> None:
    async def hold(case: TaskContext) -> None:
        await asyncio.sleep(60)

    flow = Workflow("w", hold)
    engine = await Engine(MEMORY, workflows=[flow]).__aenter__()

    async def more() -> None:
        while True:
            await engine.start(flow)

    starting = asyncio.create_task(more())
    await asyncio.sleep(0.02)
    await engine.__aexit__(None, None, None)
    async with asyncio.timeout(5):
        with pytest.raises(StoreError, match="stopped"):
            await starting


def test_a_program_that_is_interrupted_ends() -> None:
    async def hold(case: TaskContext) -> None:
        await asyncio.sleep(60)

    async def serve(flow: Workflow, up: asyncio.Event) -> None:
        async with Engine(MEMORY, workflows=[flow]) as engine:
            case = await engine.start(flow)
            up.set()
            await case.wait()

    async def main() -> asyncio.Task[None]:
        up = asyncio.Event()
        serving = asyncio.create_task(serve(Workflow("w", hold), up))
        await up.wait()
        return serving  # asyncio.run cancels whatever is left, the engine's own tasks too

    assert asyncio.run(main()).cancelled()


async def test_an_observer_that_is_cancelled_stops_nobody() -> None:
    def observer(record: Record) -> None:
        raise asyncio.CancelledError

    async with Engine(MEMORY, workflows=[Workflow("w", step("a"))], on_event=observer) as engine:
        async with asyncio.timeout(5):
            assert (await (await engine.start("w", {})).wait()).completed


async def test_an_engine_is_used_once() -> None:
    engine = Engine(MEMORY, workflows=[Workflow("w", step("a"))])
    async with engine:
        pass
    with pytest.raises(StoreError, match="make another one"):
        await engine.__aenter__()


@pytest.mark.promise("STORE-3")
async def test_a_link_to_the_file_is_the_file(tmp_path: Path) -> None:
    flow = Workflow("w", step("a"))
    async with Engine(f"sqlite:///{tmp_path / 'x.db'}", workflows=[flow]):
        (tmp_path / "link.db").symlink_to(tmp_path / "x.db")
        with pytest.raises(StoreError, match="in use by another engine"):
            await Engine(f"sqlite:///{tmp_path / 'link.db'}", workflows=[flow]).__aenter__()


@pytest.mark.promise("RUN-4")
async def test_an_error_of_ours_that_a_body_raises_is_tried_again_like_any_other() -> None:
    tries: list[int] = []

    @task(retries=2, delay=0)
    async def inner(case: TaskContext) -> None:
        tries.append(case.attempt)
        if case.attempt < 3:
            raise VariableError("from somewhere inside")

    assert (await run(Workflow("w", inner))).completed
    assert tries == [1, 2, 3]


@pytest.mark.promise("STORE-4")
async def test_a_file_with_a_row_that_is_not_json_is_told_as_damaged(tmp_path: Path) -> None:
    flow = Workflow("w", hold)
    store = f"sqlite:///{tmp_path / 'x.db'}"
    async with Engine(store, workflows=[flow]) as engine:
        await engine.start(flow)
    damage(tmp_path / "x.db", "marking = '{bad'")
    with pytest.raises(StoreError, match="damaged"):
        await Engine(store, workflows=[flow]).__aenter__()


@pytest.mark.promise("STORE-4")
@pytest.mark.parametrize("what", ["control = '{}'", "variables = '[]'"])
async def test_a_damaged_case_is_told_as_such_and_stops_no_other(tmp_path: Path, what: str) -> None:
    flow = Workflow("w", sequence(event("go"), hold))
    store = f"sqlite:///{tmp_path / 'x.db'}"
    async with Engine(store, workflows=[flow]) as engine:
        ids = [(await engine.start(flow)).id for _ in range(3)]
        for id in ids[:2]:
            await engine.signal(id, "go")
    damage(tmp_path / "x.db", f"{what} WHERE id IN ('{ids[0]}', '{ids[2]}')")
    async with Engine(store, workflows=[flow]) as engine:
        assert (await engine.case(ids[1])).at_work == ("w/hold",)
        for id in ids[0], ids[2]:
            with pytest.raises(StoreError, match=f"{id}.*damaged"):
                await engine.signal(id, "go")
            with pytest.raises(StoreError, match=f"{id}.*damaged"):
                await engine.case(id)


async def hold(case: TaskContext) -> None:
    await asyncio.sleep(60)


def damage(file: Path, what: str) -> None:
    with closing(sqlite3.connect(file)) as db:
        db.execute(f"UPDATE cases SET {what}")
        db.commit()
