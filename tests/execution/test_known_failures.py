"""How other engines are known to have failed, each as a test that this one does not.

From the issues of their users: see "Known failures of others" in the plan. Each test is named after
its failure.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from petriflow import Engine, TaskContext, Workflow, reduce, task
from petriflow.execution.store import ownership
from petriflow.execution.store.sqlite import SqliteStore
from petriflow.net.errors import StoreError
from petriflow.patterns import deferred_choice, event, parallel, sequence, timer
from petriflow.testing import VirtualClock

from .cluster import Cluster
from .test_case import trap
from .test_engine import MEMORY, step, until
from .test_leases import expire
from .test_postgres import check_consistent, rows


class Gate:
    """Bodies that wait until they are let through; the first few of them for ever."""

    def __init__(self, hold: int = 0) -> None:
        self.hold = hold
        self.open = asyncio.Event()
        self.began: list[str] = []
        self.task = task(name="gate")(self)

    async def __call__(self, case: TaskContext) -> dict[str, Any]:
        self.began.append(case.firing_id)
        if len(self.began) <= self.hold:
            await asyncio.sleep(1e6)
        await self.open.wait()
        return {"done": True}


@asynccontextmanager
async def left_behind(url: str, flow: Workflow, number: int) -> AsyncIterator[list[str]]:
    """Cases whose engine is gone, as after kill -9: it renews no more, and its lease is over."""
    async with Engine(url, workflows=[flow]) as engine:
        ids = [(await engine.start(flow)).id for _ in range(number)]
        engine._leases.cancel()
        await asyncio.to_thread(expire, url)
        yield ids


async def until_there(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(40):
        while not await asyncio.to_thread(condition):  # noqa: ASYNC110 - the store is asked
            await asyncio.sleep(0.05)


def all_completed(url: str, number: int) -> Callable[[], bool]:
    """Whether so many cases have completed; while the server is away nobody knows."""

    def ask() -> bool:
        with suppress(sa.exc.OperationalError):
            found = rows(url, "SELECT status, count(*) FROM cases GROUP BY status")
            return [tuple(row) for row in found] == [("completed", number)]
        return False

    return ask


# -- recovery -------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.promise("STORE-9", "STORE-10")
async def test_cases_stranded_after_the_database_restarted_during_recovery(
    template: Cluster, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second engine takes over in portions, and the server goes away between two of them."""
    monkeypatch.setattr(ownership, "PORTION", 4)
    gate = Gate(hold=20)  # those of the engine that is gone
    gate.open.set()
    flow = Workflow("w", sequence(gate.task, step("end")))
    taken: list[int] = []
    restarts: list[asyncio.Task[None]] = []

    async def restart() -> None:
        await asyncio.to_thread(template.stop)
        await asyncio.to_thread(template.start)

    class Second(Engine):
        """The server is restarted as soon as it has some of the cases."""

        async def _take(self, stored: Any, again: bool = False) -> None:
            await super()._take(stored, again)
            taken.append(len(stored))
            if len(taken) == 2:
                restarts.append(asyncio.create_task(restart()))

    async with asyncio.timeout(50), left_behind(database, flow, 20):
        found = ""
        while not found or "what was committed is safe" in found:
            try:  # as a supervisor would: begin anew if the server is away
                async with Second(database, workflows=[flow]):
                    await until_there(all_completed(database, 20))
                    break
            except StoreError as error:
                found = str(error)
    assert len(taken) > 2
    await asyncio.gather(*restarts)
    check_consistent(database, flow)


@pytest.mark.promise("STORE-4", "STORE-10")
@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE cases SET control = '{}' WHERE id = :id",
        "UPDATE cases SET marking = '{\"nowhere\": 1}' WHERE id = :id",
        "DELETE FROM timers WHERE case_id = :id",
    ],
)
async def test_a_rescue_job_that_itself_stalls(store: str, damage: str) -> None:
    """One case cannot be gone on with; those beside it, before it and after it, are."""
    gate = Gate()
    flow = Workflow("w", parallel(sequence(gate.task, step("end")), timer("0.01s", name="soon")))
    patient = Workflow("p", parallel(gate.task, timer("7d", name="week")))
    clock = VirtualClock(jumps=False)
    async with Engine(store, workflows=[flow, patient], clock=clock) as engine:
        ids = [(await engine.start(flow)).id]
        bad = (await engine.start(patient)).id
        ids += [(await engine.start(flow)).id for _ in range(2)]
    change(store, damage, bad)
    gate.open.set()
    async with Engine(store, workflows=[flow, patient]) as engine:
        for id in ids:
            assert (await (await engine.case(id)).wait()).completed
        with pytest.raises(StoreError, match=f"case '{bad}' in the store is damaged"):
            await engine.cancel(bad)
        assert (await (await engine.start(flow)).wait()).completed


def change(url: str, statement: str, id: str) -> None:
    engine = sa.create_engine(url)
    with engine.begin() as connection:
        connection.execute(sa.text(statement), {"id": id})
    engine.dispose()


@pytest.mark.promise("STORE-7", "STORE-10")
async def test_cases_stranded_while_old_and_new_versions_overlap_in_a_deployment(
    database: str,
) -> None:
    """Each engine goes on with the cases of its own version; what an old one leaves waits for
    another of that version, and the new one neither takes it nor stalls.
    """
    gate = Gate()
    old = Workflow("w", sequence(step("a"), gate.task))
    new = Workflow("w", sequence(step("a"), step("between"), gate.task))
    async with Engine(database, workflows=[new]) as second:
        async with Engine(database, workflows=[old]) as first:
            one, two = await first.start(old), await second.start(new)
            await until(lambda: f"{one.id}/w/gate/2" in gate.began)
        third = await second.start(new)
        query = f"SELECT status, owner FROM cases WHERE id = '{one.id}'"
        ((status, _),) = await asyncio.to_thread(rows, database, query)
        assert status == "running"
        gate.open.set()
        assert (await two.wait()).completed
        assert (await third.wait()).completed
        async with Engine(database, workflows=[old]) as again:
            assert (await (await again.case(one.id)).wait()).completed
    assert sorted(gate.began) == sorted(
        [f"{one.id}/w/gate/2"] * 2 + [f"{case.id}/w/gate/3" for case in (two, third)]
    )


def test_a_pinned_version_that_vanished(store: str) -> None:
    """The database itself refuses to forget a definition that a case was begun with."""

    async def begin() -> None:
        flow = Workflow("w", sequence(event("go"), step("a")))
        async with Engine(store, workflows=[flow]) as engine:
            await engine.start(flow)

    asyncio.run(begin())
    engine = sa.create_engine(store)
    with engine.connect() as connection:
        if store.startswith("sqlite"):
            connection.exec_driver_sql("PRAGMA foreign_keys = ON")
        with pytest.raises(sa.exc.IntegrityError):
            connection.execute(sa.text("DELETE FROM definitions"))
    engine.dispose()


# -- cases ----------------------------------------------------------------------------------------


@pytest.mark.promise("RUN-7")
async def test_a_running_case_in_which_nothing_can_ever_happen() -> None:
    """It is `deadlocked`, at once, and says where its tokens lie."""
    flow = Workflow("stuck", trap())
    async with Engine(MEMORY, workflows=[flow], allow_unsound=True) as engine:
        case = await engine.start(flow)
        outcome = await asyncio.wait_for(case.wait(), 10)
        assert outcome.status == "deadlocked"
        assert "nothing can happen" in (outcome.error or "")
        assert not await engine.list(status="running")


@pytest.mark.promise("RUN-12", "RUN-13")
async def test_a_message_delivered_late_after_a_fixed_timeout() -> None:
    """The timeout decides once; what comes after it is not taken for what was waited for then, and
    is kept for whoever waits for it next.
    """
    flow = Workflow(
        "w",
        sequence(
            deferred_choice(
                sequence(event("answer"), step("thank", was="in time")),
                sequence(timer("1h", name="patience"), step("remind", was="too late")),
                name="reply",
            ),
            timer("1h", name="rest"),
            event("answer"),
        ),
    )
    clock = VirtualClock(jumps=False)
    async with Engine(MEMORY, workflows=[flow], clock=clock) as engine:
        case = await engine.start(flow)
        await clock.advance("61m")
        assert await engine.signal(case, "answer", {"text": "sorry"})
        assert case.variables["was"] == "too late"
        assert "text" not in case.variables
        await clock.advance("1h")
        assert (await case.wait()).variables == {"was": "too late", "text": "sorry"}


@pytest.mark.promise("FLOW-7")
@pytest.mark.parametrize("how", ["by default", "reduced"])
async def test_a_lost_update_when_two_parallel_branches_read_and_wrote_one_variable(
    how: str,
) -> None:
    """Both see the value of the split, and nobody's addition disappears in silence: it is an error
    that names the variable, or the two are merged as the workflow says.
    """
    both = asyncio.Barrier(2)

    def adds(name: str, more: int) -> Any:
        async def body(case: TaskContext) -> dict[str, Any]:
            before = case["n"]
            await both.wait()  # now the other has read it too
            return {"n": before + more}

        return task(name=name)(body)

    merge = {"n": reduce("old + new")} if how == "reduced" else {}
    flow = Workflow("w", parallel(adds("left", 1), adds("right", 10)), merge=merge)
    async with Engine(MEMORY, workflows=[flow]) as engine:
        outcome = await (await engine.start(flow, {"n": 0})).wait()
    if how == "reduced":
        assert outcome.variables == {"n": 11}
    else:
        assert outcome.status == "failed"
        assert "VariableConflict: variable 'n'" in (outcome.error or "")


# -- time in tests --------------------------------------------------------------------------------


async def test_a_session_wide_fixture_that_breaks_skipping_of_time() -> None:
    """A clock is its engine's alone: there is nothing of the process, the session or the loop that
    another engine, or another test, could leave switched on.
    """
    flow = Workflow("w", sequence(timer("30d", name="month"), step("end")))
    jumping, standing = VirtualClock(now=0), VirtualClock(now=0, jumps=False)
    async with (
        Engine(MEMORY, workflows=[flow], clock=standing) as still,
        Engine(MEMORY, workflows=[flow], clock=jumping) as quick,
        Engine(MEMORY, workflows=[flow]) as real,
    ):
        waiting, untouched = await still.start(flow), await real.start(flow)
        assert (await (await quick.start(flow)).wait()).completed
        assert jumping.now() == 30 * 86_400
        assert standing.now() == 0
        assert waiting.status == untouched.status == "running"
        await standing.advance("30d")
        assert (await waiting.wait()).completed
        assert jumping.now() == 30 * 86_400  # nobody waits on it: it stands
        assert untouched.status == "running"


def test_a_clock_of_an_earlier_loop_does_not_disturb_the_next() -> None:
    async def month(clock: VirtualClock) -> float:
        flow = Workflow("w", sequence(timer("30d", name="month"), step("end")))
        async with Engine(MEMORY, workflows=[flow], clock=clock) as engine:
            assert (await (await engine.start(flow)).wait()).completed
        return clock.now()

    kept = VirtualClock(now=0)
    assert asyncio.run(month(kept)) == 30 * 86_400
    assert asyncio.run(month(VirtualClock(now=0))) == 30 * 86_400
    assert asyncio.run(month(kept)) == 60 * 86_400  # the same one again, in a third loop


@pytest.mark.promise("STORE-4")
@pytest.mark.parametrize("when", ["define", "open_cases", "counts"])
async def test_a_store_that_fails_while_an_engine_begins_is_free_for_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, when: str
) -> None:
    """A database that is locked for a moment, say; else its file would be "in use" for ever."""
    store = f"sqlite:///{tmp_path / 'x.db'}"
    flow = Workflow("w", step("a"))

    def refuse(*_: Any) -> None:
        raise StoreError("the database is locked")

    with monkeypatch.context() as patch:
        patch.setattr(SqliteStore, when, refuse)
        with pytest.raises(StoreError, match="the database is locked"):
            await Engine(store, workflows=[flow]).__aenter__()
    async with Engine(store, workflows=[flow]) as engine:
        assert (await (await engine.start(flow)).wait()).completed
