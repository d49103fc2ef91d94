"""Several engines on one PostgreSQL database: races, kill -9, and engines that were away."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import sqlalchemy as sa

from petriflow import Engine, TaskContext, Workflow, call, task
from petriflow.execution.handle import CaseHandle
from petriflow.execution.store import Batch, Unreachable, open_store, ownership
from petriflow.net.errors import DefinitionError, UnknownCase
from petriflow.patterns import event, parallel, sequence, timer

from .sharing import called, count_open, flow
from .test_engine import step, until
from .test_postgres import check_consistent, rows
from .test_store import event as record
from .test_store import state

PROGRAM = Path(__file__).parent / "sharing.py"


def worker(url: str, log: Path, number: int) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, str(PROGRAM), url, str(number)],
        env={**os.environ, "SHARING_LOG": str(log)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def check_all(url: str, log: Path, number: int) -> None:
    """Every case has ended as it should, every firing was committed once, nothing is missing."""
    assert count_open(url) == 0
    check_consistent(url, flow)
    check_consistent(url, called)
    statuses = Counter(tuple(row) for row in rows(url, "SELECT workflow, status FROM cases"))
    assert statuses == {("sharing", "completed"): number, ("called", "completed"): number}
    done = Counter(
        data["firing_id"]
        for (data,) in rows(
            url, "SELECT data FROM events WHERE kind = 'TaskCompleted' AND NOT late"
        )
    )
    assert set(done.values()) == {1}
    firings = {line.split()[0] for line in log.read_text().splitlines()}
    assert len(firings) == 5 * number
    assert firings <= set(done)
    for (variables,) in rows(url, "SELECT variables FROM cases WHERE workflow = 'sharing'"):
        values = variables["scopes"][""][2]
        assert len(values["seen"][0]) == len(set(values["seen"][0])) == 5
        assert values["found"][0] == values["n"][0]


def stop(*workers: subprocess.Popen[bytes]) -> None:
    for child in workers:
        child.kill()
        child.communicate()


def expire(url: str) -> None:
    """Have every engine be taken for dead."""
    engine = sa.create_engine(url)
    with engine.begin() as connection:
        connection.execute(sa.text("UPDATE engines SET lease_until = now() - interval '1 s'"))
    engine.dispose()


# -- processes ------------------------------------------------------------------------------------


@pytest.mark.promise("STORE-10")
@pytest.mark.slow
def test_what_a_killed_engine_had_is_taken_over_by_the_others(
    database: str, tmp_path: Path
) -> None:
    log = tmp_path / "log"
    first, second = worker(database, log, 40), worker(database, log, 40)
    try:
        assert first.stdout is not None
        assert first.stdout.readline() == b"started\n"
        first.kill()
        assert second.wait(60) == 0, second.communicate()[1].decode()
    finally:
        stop(first, second)
    assert rows(database, "SELECT count(*) FROM cases WHERE fence > 1") > [(0,)]
    ((started,),) = rows(database, "SELECT count(*) FROM cases WHERE parent IS NULL")
    check_all(database, log, started)


@pytest.mark.promise("STORE-10")
@pytest.mark.slow
def test_an_engine_that_was_stopped_past_its_lease_does_no_harm(
    database: str, tmp_path: Path
) -> None:
    log = tmp_path / "log"
    first = second = worker(database, log, 40)
    try:
        assert first.stdout is not None
        assert first.stdout.readline() == b"started\n"
        first.send_signal(signal.SIGSTOP)
        second = worker(database, log, 0)
        deadline = time.monotonic() + 60
        while rows(database, "SELECT count(*) FROM cases WHERE fence > 1") == [(0,)]:
            assert time.monotonic() < deadline, "nothing was taken over"
            time.sleep(0.05)
        first.send_signal(signal.SIGCONT)
        for child in (first, second):
            assert child.wait(60) == 0, child.communicate()[1].decode()
    finally:
        stop(first, second)
    check_all(database, log, 40)


# -- two engines in one process -------------------------------------------------------------------


@pytest.mark.promise("STORE-10")
async def test_engines_that_race_have_each_case_once(database: str) -> None:
    seen: list[str] = []

    async def body(case: TaskContext) -> None:
        seen.append(case.firing_id)
        await asyncio.sleep(0.01)

    small = Workflow("w", sequence(body, parallel(body, body)))
    first, second = (Engine(database, workflows=[small]) for _ in range(2))
    async with first as one, second as two:
        cases = await asyncio.gather(*(e.start(small) for e in [one, two] * 20))
        assert all(end.completed for end in await asyncio.gather(*(c.wait() for c in cases)))
    assert len(seen) == len(set(seen)) == 120
    check_consistent(database, small)


class Door:
    """A body that works until the door is opened."""

    def __init__(self) -> None:
        self.open = asyncio.Event()
        self.begun = 0
        self.task = task(name="held")(self._body)

    async def _body(self, case: TaskContext) -> None:
        self.begun += 1
        await self.open.wait()


@pytest.mark.promise("STORE-10")
async def test_what_an_engine_begins_after_it_was_buried_is_taken_over_too(database: str) -> None:
    """It was away, had nothing, and was forgotten; comes back, begins a case, and dies at once."""
    seen: list[str] = []

    async def hold(case: TaskContext) -> None:
        seen.append(case.firing_id)
        await asyncio.sleep(60)

    small = Workflow("w", hold)
    one, two = (Engine(database, workflows=[small]) for _ in range(2))
    async with one, two:
        one._leases.cancel()  # it is away, and will not renew again
        expire(database)
        alive = "SELECT count(*) FROM engines"
        await until_there(lambda: rows(database, alive) == [(1,)])
        case = await one.start(small)
        await until_there(lambda: case.id in two._handles)
        assert seen == [f"{case.id}/w/1"] * 2


@pytest.mark.slow
@pytest.mark.promise("STORE-10")
async def test_an_engine_that_was_stopped_within_a_commit_keeps_no_case_from_others(
    database: str,
) -> None:
    """The server waits for what it would have sent next, with the rows of its cases locked."""

    async def hold(case: TaskContext) -> None:
        await asyncio.sleep(60)

    small = Workflow("w", hold)
    async with Engine(database, workflows=[small]) as one:
        case = await one.start(small)
        one._leases.cancel()
        name = {"application_name": one._store.engine}  # type: ignore[attr-defined]
        stopped = sa.create_engine(database, connect_args=name)
        with stopped.connect() as commit:
            commit.execute(sa.text("SELECT id FROM cases FOR UPDATE"))
            expire(database)
            async with Engine(database, workflows=[small]) as two:
                assert case.id not in two._handles  # it is locked
                await until_there(lambda: case.id in two._handles)
            with pytest.raises(sa.exc.OperationalError):
                commit.execute(sa.text("SELECT 1"))
            commit.invalidate()
        stopped.dispose()


async def until_there(condition: Callable[[], bool]) -> None:
    """Wait for what another engine does in its own time."""
    async with asyncio.timeout(30):
        while not await asyncio.to_thread(condition):  # noqa: ASYNC110
            await asyncio.sleep(0.05)


async def test_an_engine_that_leaves_hands_its_cases_over_at_once(database: str) -> None:
    door = Door()
    small = Workflow("w", sequence(door.task, step("a")))
    async with Engine(database, workflows=[small]) as one:
        case = await one.start(small)
        await until(lambda: door.begun == 1)
        async with Engine(database, workflows=[small]) as two:
            assert not two._handles
    async with Engine(database, workflows=[small]) as three:
        assert list(three._handles) == [case.id]
        door.open.set()
        assert (await (await three.case(case.id)).wait()).completed
    assert door.begun == 2


@pytest.mark.promise("STORE-12")
async def test_a_case_that_only_waits_is_had_by_whichever_engine_is_told(database: str) -> None:
    small = Workflow("w", sequence(event("go"), step("a"), event("on"), step("b")))
    first, second = (Engine(database, workflows=[small]) for _ in range(2))
    async with first as one, second as two:
        case = await one.start(small)
        waiter = asyncio.create_task(case.wait())
        for engine, told in ((two, "go"), (one, "on")):
            assert not one._handles
            assert await engine.signal(case.id, told)
            await until(lambda: not one._handles and not two._handles)
        assert (await asyncio.wait_for(waiter, 30)).completed
        there = await two.case(case.id)
        assert (await there.wait()).completed
    check_consistent(database, small)


@pytest.mark.promise("STORE-12")
async def test_timers_of_cases_that_only_wait_ring_once_whoever_set_them(database: str) -> None:
    small = Workflow("w", sequence(timer("1s", name="soon"), step("a"), timer("1s"), step("b")))
    first, second = (Engine(database, workflows=[small]) for _ in range(2))
    async with first as one:
        cases = [await one.start(small) for _ in range(20)]
        async with second as two:
            ends = await asyncio.wait_for(asyncio.gather(*(case.wait() for case in cases)), 30)
            assert all(end.completed for end in ends)
            assert not two._handles
    check_consistent(database, small)
    ((rung,),) = rows(database, "SELECT count(*) FROM events WHERE kind = 'TimerFired'")
    assert rung == 40


@pytest.mark.promise("STORE-12")
async def test_the_timers_of_an_engine_that_is_gone_ring_all_the_same(database: str) -> None:
    small = Workflow("w", sequence(timer("1s", name="soon"), step("a")))
    async with Engine(database, workflows=[small]) as two:
        async with Engine(database, workflows=[small]) as one:
            id = (await one.start(small)).id
        there = await two.case(id)
        assert (await asyncio.wait_for(there.wait(), 30)).completed


@pytest.mark.promise("STORE-12")
async def test_orders_about_a_case_are_carried_out_by_the_engine_that_has_it(database: str) -> None:
    door = Door()
    small = Workflow("w", parallel(door.task, sequence(event("go"), step("a"))))
    first, second = (Engine(database, workflows=[small]) for _ in range(2))
    async with first as one, second as two:
        case = await one.start(small)
        await until(lambda: door.begun == 1)
        assert await two.suspend(case.id, "wait")
        assert case.status == "suspended"
        assert not await two.suspend(case.id)
        assert await two.resume(case.id)
        with pytest.raises(DefinitionError, match="does not wait for 'stop'; it knows 'go'"):
            await two.signal(case.id, "stop")
        assert await two.signal(case.id, "go", {"by": "ada"}, key="once")
        assert not await two.signal(case.id, "go", {"by": "ada"}, key="once")
        there = await two.case(case.id)
        waiter = asyncio.create_task(there.wait())
        door.open.set()
        outcome = await asyncio.wait_for(waiter, 30)
        assert outcome.variables["by"] == "ada"
        assert door.begun == 1
    check_consistent(database, small)


async def test_an_order_that_finds_the_server_away_is_taken_up_again(database: str) -> None:
    class Unlucky(Engine):
        """Whose store cannot be reached while it carries out its first order."""

        times = 0

        async def _order_suspend(self, handle: CaseHandle, reason: str) -> bool:
            self.times += 1
            if self.times == 1:
                raise Unreachable("the server is being restarted")
            return await super()._order_suspend(handle, reason)

    async def hold(case: TaskContext) -> None:
        await asyncio.sleep(60)

    small = Workflow("w", hold)
    async with Unlucky(database, workflows=[small]) as one:
        case = await one.start(small)
        async with Engine(database, workflows=[small]) as two:
            assert await asyncio.wait_for(two.suspend(case.id), 30)
        assert one.times == 2
        assert case.status == "suspended"


@pytest.mark.promise("STORE-12")
async def test_an_order_to_an_engine_that_dies_is_carried_out_once_by_the_next(
    database: str,
) -> None:
    door = Door()
    small = Workflow("w", parallel(door.task, sequence(event("go"), step("a"))))
    kept = open_store(database)  # an engine that has the case and does nothing
    async with Engine(database, workflows=[small]) as one:
        case = await one.start(small)
        await until(lambda: door.begun == 1)
    assert [row.id for row in kept.open_cases([small.content_hash])] == [case.id]
    async with Engine(database, workflows=[small]) as two:
        told = asyncio.create_task(two.signal(case.id, "go"))
        query = "SELECT count(*) FROM orders WHERE answer IS NULL"
        await until(lambda: rows(database, query) == [(1,)])
        kept.close()
        assert await asyncio.wait_for(told, 30)
        door.open.set()
        assert (await (await two.case(case.id)).wait()).completed
    kinds = [k for (k,) in rows(database, "SELECT kind FROM events WHERE NOT late ORDER BY seq")]
    assert kinds.count("EventReceived") == 1
    check_consistent(database, small)


async def test_a_case_and_those_that_it_calls_are_taken_over_together(database: str) -> None:
    inner = Workflow("inner", sequence(event("go"), step("a")))
    outer = Workflow("outer", sequence(parallel(call(inner), timer("7d", name="week")), step("b")))
    both = [outer, inner]
    async with Engine(database, workflows=both) as one, Engine(database, workflows=both) as two:
        case = await one.start(outer)
        child = f"{case.id}/"
        await until(lambda: any(id.startswith(child) for id in one._handles))
        await one.committed()
        expire(database)
        await asyncio.wait_for(until(lambda: len(two._handles) == 2 or len(one._handles) == 2), 30)
        taken = await asyncio.to_thread(rows, database, "SELECT DISTINCT owner, fence FROM cases")
        assert len(taken) == 1  # both have the same owner and the same fence


async def test_a_commit_for_a_case_that_was_taken_over_is_refused_and_told(
    database: str, caplog: pytest.LogCaptureFixture
) -> None:
    door = Door()
    small = Workflow("w", sequence(door.task, step("a")))
    async with Engine(database, workflows=[small]) as one:
        case, other = await one.start(small), await one.start(small)
        await until(lambda: door.begun == 2)
        one._leases.cancel()  # it is away
        expire(database)
        kept = open_store(database)
        assert {row.id for row in kept.open_cases([small.content_hash])} == {case.id, other.id}
        waiter = asyncio.create_task(case.wait())
        door.open.set()
        await until(lambda: not one._handles)
        assert "was taken over by another engine" in caplog.text
        assert (case.status, case.refused, waiter.done()) == ("running", True, False)
        third = await one.start(small)  # and works on
        assert (await third.wait()).completed
        waiter.cancel()
        kept.close()
    assert rows(database, f"SELECT count(*) FROM events WHERE case_id = '{case.id}'") == [(1,)]


def test_of_a_batch_only_the_cases_of_another_engine_are_left_out(database: str) -> None:
    first, second = open_store(database), open_store(database)
    first.define("0" * 64, "w", {}, 1.0)
    first.commit(Batch([state("a", 1), state("b", 1)], [record("a", 1), record("b", 1)]))
    assert second.open_cases(["0" * 64]) == []
    expire(database)
    (row, _) = second.open_cases(["0" * 64])
    assert row.id in "ab"
    more = Batch(
        [state("a", 2), state("c", 1), state("a/t/1", 1, parent="a")],
        [record("a", 2), record("c", 1), record("a/t/1", 1)],
        {("a", "t"): 1.0, ("c", "t"): 2.0},
    )
    assert first.commit(more) == {"a", "a/t/1"}
    assert first.case("a").version == 1
    assert first.case("c").version == 1
    assert first.timers(["a", "c"]) == {("c", "t"): 2.0}
    assert second.commit(Batch([replace(state("a", 2), fence=2)], [record("a", 2)])) == frozenset()
    first.close()
    second.close()


async def test_cases_are_taken_in_portions_and_none_is_left(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    door = Door()
    small = Workflow("w", sequence(door.task, step("a")))
    async with Engine(database, workflows=[small]) as one:
        ids = {(await one.start(small)).id for _ in range(10)}
        await until(lambda: door.begun == 10)
    monkeypatch.setattr(ownership, "PORTION", 3)
    async with Engine(database, workflows=[small]) as two:
        assert set(two._handles) == ids


@pytest.mark.slow
def test_a_commit_of_very_many_cases_is_one_commit(database: str) -> None:
    """More than the 65,535 parameters that PostgreSQL takes in one statement."""
    store = open_store(database)
    store.define("0" * 64, "w", {}, 1.0)
    ids = [f"c{n}" for n in range(70_000)]
    for seq in (1, 2):
        batch = Batch([state(id, seq) for id in ids], [record(id, seq) for id in ids])
        assert store.commit(batch) == frozenset()
    assert rows(database, "SELECT count(*), min(version) FROM cases") == [(70_000, 2)]
    store.close()


async def test_a_key_that_two_engines_use_at_once_is_one_case(database: str) -> None:
    small = Workflow("w", sequence(event("go"), step("a")))
    first, second = (Engine(database, workflows=[small]) for _ in range(2))
    async with first as one, second as two:
        found = await asyncio.gather(
            *(e.start(small, key=f"k{n}") for n in range(10) for e in (one, two))
        )
        assert len({case.id for case in found}) == 10
        for case in found[::2]:
            await one.signal(case, "go")
            assert (await asyncio.wait_for(case.wait(), 30)).completed
    assert rows(database, "SELECT count(*) FROM cases") == [(10,)]
    assert rows(database, "SELECT count(*) FROM keys") == [(10,)]


async def test_who_waits_for_what_another_has_just_got_lets_the_others_run(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The second asks when the first has its answer and nobody has been told of it yet."""

    async def at_once(self: Engine, ids: list[str]) -> None: ...

    monkeypatch.setattr(Engine, "_acquire", at_once)

    async def second() -> None:
        for _ in range(2):  # the first has asked, and it has been done
            await asyncio.sleep(0)
        with pytest.raises(UnknownCase):
            await engine.suspend("nothing")

    async with Engine("sqlite://", workflows=[flow]) as engine:
        first = asyncio.create_task(engine.suspend("nothing"))
        async with asyncio.timeout(10):
            await second()
        with pytest.raises(UnknownCase):
            await first
