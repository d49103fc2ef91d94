"""Cases that call cases: their own markings, one fate with their callers, recursion with an end."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from petriflow import Engine, TaskContext, Workflow, call, collect
from petriflow.net.errors import DefinitionError, NotProvenSound
from petriflow.patterns import (
    cancellable,
    event,
    exclusive_choice,
    multiple_instances,
    parallel,
    sequence,
    skip,
    structured_loop,
    when,
)

from .test_engine import MEMORY, step, until


def double(case: TaskContext) -> dict[str, Any]:
    return {"n": case["n"] * 2}


@pytest.mark.promise("RUN-16")
async def test_a_called_case_has_the_callers_variables_and_gives_back_what_it_changed() -> None:
    child = Workflow("child", sequence(double, step("mark", made="yes")))
    flow = Workflow("w", sequence(call(child), call(child), step("end")))
    async with Engine(MEMORY, workflows=[flow]) as engine:
        case = await engine.start(flow, {"n": 1, "kept": "x"})
        assert (await case.wait()).variables == {"n": 4, "kept": "x", "made": "yes"}
        fired = [t for record in await engine.history(f"{case.id}/w/child/1") for t in record.fired]
        assert fired == [
            f"child/{t}.{w}" for t in ("double", "mark") for w in ("start", "complete")
        ]


class Typed(BaseModel):
    n: int
    m: int = 0


async def test_a_typed_child_takes_what_it_declares_and_a_typed_caller_too() -> None:
    child = Workflow("child", step("set", m=7), variables=Typed)
    flow = Workflow("w", call(child))
    async with Engine(MEMORY, workflows=[flow]) as engine:
        assert (await (await engine.start(flow, {"n": 1, "z": 2})).wait()).variables == {
            "n": 1,
            "z": 2,
            "m": 7,
        }
        failed = await (await engine.start(flow, {"z": 2})).wait()
        assert failed.status == "failed"
        assert "'n'" in (failed.error or "")


@pytest.mark.promise("RUN-16")
async def test_instances_of_a_call_do_not_mix_their_tokens() -> None:
    def note(case: TaskContext) -> dict[str, Any]:
        return {"seen": case["instance"]}

    child = Workflow(
        "child", sequence(parallel(step("p"), step("q")), note), merge={"seen": collect}
    )
    flow = Workflow("w", multiple_instances(call(child), 3), merge={"seen": collect})
    async with Engine(MEMORY, workflows=[flow]) as engine:
        case = await engine.start(flow, {"seen": []})
        outcome = await case.wait()
        assert outcome.completed, outcome.error
        assert sorted(x for (x,) in outcome.variables["seen"]) == [0, 1, 2]


@pytest.mark.promise("RUN-16")
async def test_a_child_is_cancelled_with_its_caller_in_one_commit(tmp_path: Path) -> None:
    stopped: list[str] = []

    async def hold(case: TaskContext) -> None:
        try:
            await asyncio.sleep(60)
        finally:
            stopped.append(case.case_id)

    file = tmp_path / "x.db"
    inner = Workflow("inner", hold)
    outer = Workflow("outer", call(inner))
    flow = Workflow("w", cancellable(call(outer), by=event("stop")))
    async with Engine(f"sqlite:///{file}", workflows=[flow]) as engine:
        case = await engine.start(flow)
        await until(lambda: len(engine._bodies._running) == 1)
        assert await engine.open_cases() == (case,)
        await engine.signal(case, "stop")
        assert (await case.wait()).completed
        await until(lambda: len(stopped) == 1)
        with closing(sqlite3.connect(file)) as db:
            rows = db.execute("SELECT workflow, status FROM cases ORDER BY workflow").fetchall()
    assert rows == [("inner", "cancelled"), ("outer", "cancelled"), ("w", "completed")]


async def test_a_child_that_fails_fails_its_caller() -> None:
    def bad(case: TaskContext) -> None:
        raise OSError("no network")

    flow = Workflow("w", call(Workflow("child", bad)))
    async with Engine(MEMORY, workflows=[flow]) as engine:
        outcome = await (await engine.start(flow)).wait()
        assert outcome.status == "failed"
        assert "no network" in (outcome.error or "")


@pytest.mark.promise("RUN-16")
async def test_children_survive_a_restart(tmp_path: Path) -> None:
    child = Workflow("child", sequence(event("go"), double))
    flow = Workflow("w", sequence(call(child), step("end")))
    store = f"sqlite:///{tmp_path / 'x.db'}"
    async with Engine(store, workflows=[flow]) as engine:
        case = await engine.start(flow, {"n": 4})
        await until(lambda: f"{case.id}/w/child/1" in engine._handles)
    async with Engine(store, workflows=[flow]) as engine:
        (again,) = await engine.open_cases()
        await engine.signal(f"{case.id}/w/child/1", "go")
        assert (await again.wait()).variables == {"n": 8}


@pytest.mark.promise("RUN-17")
async def test_a_workflow_may_call_itself_if_it_can_end_without() -> None:
    def down(case: TaskContext) -> dict[str, Any]:
        return {"n": case["n"] - 1}

    def up(case: TaskContext) -> dict[str, Any]:
        return {"depth": case["depth"] + 1}

    deep = Workflow(
        "deep",
        exclusive_choice(when("n > 0", sequence(down, call("deep"), up)), otherwise=skip),
        example={"n": 20, "depth": 0},
    )
    async with Engine(MEMORY, workflows=[deep]) as engine:
        outcome = await (await engine.start(deep)).wait()
        assert outcome.variables == {"n": 0, "depth": 20}, outcome.error
        too_deep = await (await engine.start(deep, {"n": 1000, "depth": 0})).wait()
        assert too_deep.status == "failed"
        assert "levels deep" in (too_deep.error or "")


@pytest.mark.promise("RUN-17")
@pytest.mark.parametrize(
    "flows",
    [
        [Workflow("f", call("f"))],
        [Workflow("f", call("g")), Workflow("g", sequence(step("a"), call("f")))],
        [Workflow("f", structured_loop(call("f"), until="x"))],
    ],
)
async def test_a_recursion_without_an_end_is_refused(flows: list[Workflow]) -> None:
    with pytest.raises(NotProvenSound, match=r"'[fg]' is not run: it can end only by calling"):
        await Engine(MEMORY, workflows=flows).__aenter__()


async def test_a_call_of_an_unknown_workflow_is_refused() -> None:
    with pytest.raises(DefinitionError, match="does not run 'nobody'"):
        await Engine(MEMORY, workflows=[Workflow("w", call("nobody"))]).__aenter__()
    with pytest.raises(DefinitionError, match="give a Workflow"):
        call(3)  # type: ignore[arg-type]
