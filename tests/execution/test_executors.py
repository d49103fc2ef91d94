"""Bodies in threads and in other processes, whose deaths lose nothing; room for so many at once."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from petriflow import Engine, TaskContext, Workflow, task
from petriflow.execution.executors import Processes
from petriflow.net.errors import DefinitionError
from petriflow.patterns import parallel, sequence

from . import elsewhere
from .test_engine import MEMORY, until


@pytest.fixture
def processes() -> Iterator[dict[str, Any]]:
    """Two processes, and at the end nobody is left."""
    pool = Processes(2)
    yield {"executors": {"process": pool}}
    if pool._pool is not None:
        pool._pool.shutdown(wait=True)


class Crowd:
    """A body that counts how many of it are at work, and in which order cases had their turn."""

    def __init__(self) -> None:
        self.now = self.most = 0
        self.turns: list[str] = []

    async def __call__(self, case: TaskContext) -> None:
        self.turns.append(case.case_id)
        self.now += 1
        self.most = max(self.most, self.now)
        try:
            await asyncio.sleep(0.002)
        finally:
            self.now -= 1


# -- threads and processes -----------------------------------------------------------------------


async def test_a_coroutine_may_run_in_a_thread_with_a_loop_of_its_own() -> None:
    flow = Workflow("w", elsewhere.awaits_in_a_thread)
    async with Engine(MEMORY, workflows=flow) as engine:
        outcome = await (await engine.start(flow)).wait()
    assert outcome.variables["thread"].startswith("petriflow-task")


@pytest.mark.slow
async def test_bodies_run_in_another_process_with_the_values_of_their_model(
    processes: dict[str, Any],
) -> None:
    told = Workflow("told", sequence(elsewhere.tells, elsewhere.awaits))
    dated = Workflow("dated", elsewhere.next_day, variables=elsewhere.Dated)
    bad = Workflow("bad", elsewhere.returns_nonsense)
    async with Engine(MEMORY, workflows=[told, dated, bad], **processes) as engine:
        case = await engine.start(told)
        outcome = await case.wait()
        assert outcome.variables["pid"] != os.getpid()
        assert outcome.variables["firing"] == f"{case.id}/told/tells/1"
        case = await engine.start(dated, {"day": date(2026, 2, 28), "days": 1})
        await case.wait()
        assert (await engine.outcome(case.id)).variables == {"day": "2026-03-01", "days": 1}
        assert "a task returns a mapping" in ((await (await engine.start(bad)).wait()).error or "")


@pytest.mark.slow
async def test_an_error_elsewhere_is_judged_by_its_class_and_its_bases(
    processes: dict[str, Any],
) -> None:
    flow = Workflow("w", elsewhere.raises)
    async with Engine(MEMORY, workflows=flow, **processes) as engine:
        case = await engine.start(flow)
        outcome = await case.wait()
        told = [r.error for r in await engine.history(case.id) if r.kind == "TaskFailed"]
    assert told == ["OurError: again"] * 2 + ["ZeroDivisionError: division by zero"]
    assert outcome.status == "failed"


@pytest.mark.promise("RUN-22")
@pytest.mark.slow
async def test_a_process_that_dies_only_means_the_body_again_under_the_same_firing(
    tmp_path: Path, processes: dict[str, Any]
) -> None:
    flow = Workflow("w", elsewhere.dies_once)
    async with Engine(MEMORY, workflows=flow, **processes) as engine:
        case = await engine.start(flow, {"folder": str(tmp_path)})
        outcome = await case.wait()
        kinds = [r.kind for r in await engine.history(case.id)]
    assert outcome.variables["lives"]
    assert elsewhere.notes(tmp_path) == [f"{case.id}/w/1"] * 2
    assert kinds == ["CaseStarted", "TaskCompleted"]  # no retry was asked for, and none was used


@pytest.mark.promise("RUN-22")
@pytest.mark.slow
async def test_a_body_that_kills_every_process_fails_and_takes_no_other_case_with_it(
    tmp_path: Path, processes: dict[str, Any]
) -> None:
    poison = Workflow("poison", elsewhere.dies)
    good = Workflow("good", sequence(elsewhere.takes_long, elsewhere.tells))
    async with Engine(MEMORY, workflows=[poison, good], **processes) as engine:
        victims = [await engine.start(good, {}) for _ in range(4)]
        case = await engine.start(poison, {"folder": str(tmp_path)})
        outcome = await case.wait()
        others = [await victim.wait() for victim in victims]
    assert outcome.status == "failed"
    assert "its worker died" in (outcome.error or "")
    attempts = Counter(line.rsplit(" ")[-1] for line in elsewhere.notes(tmp_path))
    assert attempts["2"] >= 1
    assert [(o.status, o.variables["attempt"]) for o in others] == [("completed", 1)] * 4


def local(case: TaskContext) -> None: ...


@pytest.mark.promise("RUN-22")
@pytest.mark.parametrize("body", [lambda case: None, partial(local), Crowd()])
async def test_a_body_that_cannot_be_imported_is_refused_when_the_engine_starts(body: Any) -> None:
    flow = Workflow("w", task(name="t", executor="process")(body))
    with pytest.raises(DefinitionError, match=r"the body of task 'w' .* at the top of a module"):
        async with Engine(MEMORY, workflows=flow):
            pass
    async with Engine(MEMORY, workflows=Workflow("w", task(executor="process")(local))):
        pass  # this one can be imported


async def test_an_executor_that_is_not_there_is_named_with_those_that_are() -> None:
    flow = Workflow("w", task(executor="gpu")(local))
    with pytest.raises(DefinitionError, match=r"'w' names the executor 'gpu'.*'thread', 'process'"):
        async with Engine(MEMORY, workflows=flow):
            pass
    flow = Workflow("w", task(executor="process", heartbeat=3)(local))
    with pytest.raises(DefinitionError, match="a heartbeat is not heard"):
        async with Engine(MEMORY, workflows=flow):
            pass


def test_dask_is_loaded_only_where_it_is_asked_for() -> None:
    code = (
        "import petriflow.execution.executors.dask, sys;"
        "print([m for m in sys.modules if m.startswith(('dask', 'distributed'))])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_where_a_body_runs_is_no_part_of_the_definition() -> None:
    hashes = {
        Workflow("w", task(**options)(local)).content_hash
        for options in ({}, {"executor": "process"}, {"limit": 3})
    }
    assert len(hashes) == 1


@pytest.mark.parametrize("limit", [0, -1, 1.5, True, "3"])
def test_a_limit_is_a_number_of_bodies(limit: Any) -> None:
    with pytest.raises(DefinitionError, match="limit="):
        task(limit=limit)(local)
    with pytest.raises(DefinitionError, match="limit="):
        Engine(MEMORY, workflows=[], limit=limit)


# -- limits --------------------------------------------------------------------------------------


def wide(name: str, crowd: Crowd, width: int, **options: Any) -> Workflow:
    """A workflow with so many tasks at once, all of one body."""
    one = task(name="t", **options)(crowd)
    return Workflow(name, parallel(*[one] * width))


@pytest.mark.promise("RUN-23")
@pytest.mark.parametrize(("own", "overall", "most"), [(3, None, 3), (None, 4, 4), (5, 2, 2)])
async def test_no_more_bodies_work_at_once_than_the_limits_allow(
    own: int | None, overall: int | None, most: int
) -> None:
    crowd = Crowd()
    flow = wide("w", crowd, 8, limit=own)
    async with Engine(MEMORY, workflows=flow, limit=overall) as engine:
        cases = [await engine.start(flow) for _ in range(4)]
        for case in cases:
            assert (await case.wait()).completed
    assert crowd.most == most
    assert len(crowd.turns) == 32


@pytest.mark.promise("RUN-23")
async def test_a_case_with_many_attempts_stands_in_the_way_of_no_other() -> None:
    crowd = Crowd()
    big, small = wide("big", crowd, 30), wide("small", crowd, 2)
    async with Engine(MEMORY, workflows=[big, small], limit=1) as engine:
        first = await engine.start(big)
        await until(lambda: crowd.turns)
        second = await engine.start(small)
        await second.wait()
        seen = crowd.turns[: max(n for n, id in enumerate(crowd.turns) if id == second.id) + 1]
        await first.wait()
    begun = seen.index(second.id)
    assert len(seen) - begun <= 4  # its two turns, with at most one of the other between and after
    assert begun <= 30 - 10


async def test_a_task_that_waits_for_its_own_limit_leaves_the_room_to_others() -> None:
    gate = asyncio.Event()

    async def hold(case: TaskContext) -> None:
        await gate.wait()

    held = task(name="held", limit=1)(hold)
    poison, good = Workflow("poison", parallel(*[held] * 9)), wide("good", Crowd(), 3)
    async with Engine(MEMORY, workflows=[poison, good], limit=2) as engine:
        case = await engine.start(poison)
        await until(lambda: case.at_work)
        for _ in range(5):
            assert (await (await engine.start(good)).wait()).completed
        assert case.status == "running"
        gate.set()
        assert (await case.wait()).completed


async def test_a_pause_takes_no_room_and_what_is_withdrawn_gives_its_room_back() -> None:
    async def fails(case: TaskContext) -> None:
        raise ValueError

    async def hold(case: TaskContext) -> None:
        await asyncio.sleep(60)

    poison = Workflow("poison", task(retries=9, delay=60)(fails))
    held, good = Workflow("held", parallel(*[hold] * 5)), wide("good", Crowd(), 3)
    async with Engine(MEMORY, workflows=[poison, held, good], limit=1) as engine:
        await engine.start(poison)
        assert (await (await engine.start(good)).wait()).completed
        blocks = await engine.start(held)
        waits = await engine.start(good)
        await blocks.cancel()
        assert (await waits.wait()).completed


async def test_a_deadline_passes_also_in_the_line() -> None:
    async def hold(case: TaskContext) -> None:
        await asyncio.sleep(60)

    begun: list[str] = []

    async def hurried(case: TaskContext) -> None:
        begun.append(case.case_id)

    held, late = Workflow("held", hold), Workflow("late", task(deadline=0.05)(hurried))
    async with Engine(MEMORY, workflows=[held, late], limit=1) as engine:
        await engine.start(held)
        outcome = await (await engine.start(late)).wait()
    assert outcome.error == "task 'late': took longer than its deadline of 0.05 s"
    assert begun == []
