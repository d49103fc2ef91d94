"""Lists of cases, and the removal of old ones."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from petriflow import Engine, Workflow, call
from petriflow.execution.store import Which, open_store, read_store
from petriflow.net.errors import DefinitionError, StoreError, UnknownCase
from petriflow.patterns import event, sequence, timer

from .test_case import trap
from .test_engine import step
from .test_lifecycle import Sundial, stored
from .test_postgres import rows

ENDING = Workflow("ending", step("a", a=1))
WAITING = Workflow("waiting", sequence(event("go"), timer("1h"), step("b")))
STUCK = Workflow("stuck", trap())


async def test_a_list_has_the_cases_asked_for_the_newest_first(store: str) -> None:
    clock = Sundial()
    flows = [ENDING, WAITING, STUCK]
    started: list[tuple[str, str, float]] = []
    async with Engine(store, workflows=flows, allow_unsound=True, clock=clock) as engine:
        for n in range(9):
            clock.time += 10
            case = await engine.start(flows[n % 3], {})
            await case.settle()
            if n == 4:
                await case.suspend()
            started.append((case.id, flows[n % 3].name, clock.time))
        await engine.committed()
        status = {"ending": "completed", "waiting": "running", "stuck": "deadlocked"}
        expected = [
            (id, name, "suspended" if n == 4 else status[name], at)
            for n, (id, name, at) in enumerate(started)
        ][::-1]

        async def listed(**which: Any) -> list[tuple[str, str, str, float]]:
            found = await engine.list(**which)
            return [(s.id, s.workflow, s.status, s.created_at) for s in found]

        assert await listed() == expected
        assert await listed(limit=4) == expected[:4]
        for state in ("completed", "running", "suspended", "deadlocked", "failed"):
            assert await listed(status=state) == [e for e in expected if e[2] == state]
        assert await listed(workflow=WAITING) == [e for e in expected if e[1] == "waiting"]
        assert await listed(workflow="ending", status="running") == []
        since = started[5][2]
        assert await listed(since=since) == [e for e in expected if e[3] >= since]
        assert await listed(since=datetime.fromtimestamp(since, UTC)) == expected[:4]
        for wrong in ({"status": "done"}, {"limit": 0}):
            with pytest.raises(DefinitionError):
                await engine.list(**wrong)  # type: ignore[arg-type]


async def test_a_file_that_an_engine_has_can_be_looked_at_and_not_be_changed(
    tmp_path: Path,
) -> None:
    with pytest.raises(StoreError, match="there is no store"):
        read_store(stored(tmp_path))
    async with Engine(stored(tmp_path), workflows=[ENDING, WAITING]) as engine:
        case = await engine.start(WAITING, {})
        reader = read_store(stored(tmp_path))
        assert [s.id for s in reader.summaries(Which())] == [case.id]
        await (await engine.start(ENDING, {})).wait()
        assert len(reader.summaries(Which())) == 2
        assert reader.history(case.id) == list(await engine.history(case.id))
        with pytest.raises(StoreError, match="readonly"):
            reader.purge(2e9)
        with pytest.raises(StoreError, match="in use by another engine"):
            open_store(stored(tmp_path))
        reader.close()
        await engine.start(ENDING, {})
        assert len(await engine.list()) == 3


async def test_called_cases_are_not_listed_and_go_with_their_callers(store: str) -> None:
    flow = Workflow("caller", sequence(call(ENDING), step("after")))
    clock = Sundial()
    async with Engine(store, workflows=[flow, WAITING], clock=clock) as engine:
        old = await engine.start(flow, {}, key="one")
        await old.wait()
        clock.time += 1
        open_ = await engine.start(WAITING, {}, key="one")
        await engine.signal(open_, "go", key="told")
        clock.time += 100
        new = await engine.start(flow, {})
        await new.wait()
        assert [s.id for s in await engine.list()] == [new.id, open_.id, old.id]
        kept = {id: list(await engine.history(id)) for id in (new.id, open_.id)}
    opened = open_store(store)
    assert opened.purge(clock.time - 50) == 1
    assert opened.purge(clock.time - 50) == 0
    with pytest.raises(UnknownCase):
        opened.case(old.id)
    assert opened.keyed("caller", "one") is None
    assert opened.keyed("waiting", "one") == open_.id
    assert opened.told(open_.id, "told")
    assert [*opened.timers()] == [(open_.id, "waiting/timer-2.happens#2")]
    assert {id: opened.history(id) for id in kept} == kept
    opened.close()
    left = {id for (id,) in rows(store, "SELECT id FROM cases")}
    assert {c for (c,) in rows(store, "SELECT DISTINCT case_id FROM events")} == left
    assert len(left) == 3  # two that were started, and what the newer of them called
    async with Engine(store, workflows=[flow, WAITING], clock=clock) as engine:
        assert (await engine.start(flow, {}, key="one")).id != old.id


async def test_an_engine_at_work_removes_what_ended_long_ago(store: str) -> None:
    clock = Sundial()
    async with Engine(store, workflows=[ENDING], clock=clock) as engine:
        old = await engine.start(ENDING, {})
        await old.wait()
        clock.time += 3600
        new = await engine.start(ENDING, {})
        await new.wait()
        assert [await engine.purge(age) for age in ("2h", "30m", "30m")] == [0, 1, 0]
        assert [case.id for case in await engine.list()] == [new.id]
        with pytest.raises(DefinitionError, match="older_than"):
            await engine.purge("long ago")
