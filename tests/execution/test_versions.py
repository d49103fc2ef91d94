"""Versions of workflows: definitions in use, and cases that move from one version to another."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
import sqlalchemy as sa
from pydantic import BaseModel

from petriflow import Engine, TaskContext, Workflow, call, human, task
from petriflow.execution import Case, CaseHandle
from petriflow.execution.events import from_data
from petriflow.execution.migration import obstacle
from petriflow.execution.program import program
from petriflow.execution.store import open_store
from petriflow.net import Marking, Net
from petriflow.net.errors import DefinitionError, MigrationError, StoreError, UnknownCase
from petriflow.patterns import (
    deferred_choice,
    event,
    exclusive_choice,
    parallel,
    sequence,
    timer,
    when,
)
from petriflow.testing import VirtualClock

from .test_engine import step, until
from .test_leases import expire

AT = "w/go"


def version(*steps: Any, name: str = "w", **more: Any) -> Workflow:
    """A workflow that first waits for the event `go`."""
    return Workflow(name, sequence(event("go"), *steps), **more)


old = version(step("a"))
new = version(step("a"), step("b", b=1))


async def waiting(store: str, flow: Workflow, number: int = 1, **variables: Any) -> list[str]:
    """Cases that wait for `go`, and whose engine is gone."""
    async with Engine(store, workflows=[flow]) as engine:
        return [(await engine.start(flow, variables)).id for _ in range(number)]


def check_replay(url: str, id: str, flow: Workflow) -> None:
    """The stored state is what the stored events lead to, whichever versions they are of."""
    store = open_store(url)
    try:
        stored, history = store.case(id), store.history(id)
    finally:
        store.close()
    case = Case.replay(program(flow), id, (from_data(r.kind, r.data) for r in history))
    assert (case.seq, case.status) == (stored.version, stored.status)
    assert case.marking == Marking(stored.marking)
    tokens: dict[str, int] = {}
    for record in history:
        for place, n in record.delta.items():
            tokens[place] = tokens.get(place, 0) + n
    assert {p: n for p, n in tokens.items() if n} == stored.marking
    assert stored.definition == flow.content_hash


# -- definitions ----------------------------------------------------------------------------------


@pytest.mark.promise("VERSION-1")
async def test_a_definition_is_kept_as_long_as_a_case_or_its_history_needs_it(store: str) -> None:
    ids = await waiting(store, old, 2)
    async with Engine(store, workflows=[old]) as engine:
        await engine.signal(ids[0], "go")
        await (await engine.case(ids[0])).wait()
        with pytest.raises(StoreError, match="this engine runs 'w' in this version"):
            await engine.forget(old.content_hash)
    async with Engine(store, workflows=[new], clock=VirtualClock(4e9)) as engine:
        one, other = await engine.definitions()
        assert (one.hash, one.open_cases, one.ended_cases) == (new.content_hash, 0, 0)
        assert (other.hash, other.open_cases, other.ended_cases) == (old.content_hash, 1, 1)
        with pytest.raises(StoreError, match="used by 1 open and 1 ended cases: let the open ones"):
            await engine.forget(old.content_hash[:10])
        await engine.migrate(ids[1], to=new)
        with pytest.raises(StoreError, match="used by no open and 1 ended cases"):
            await engine.forget(old.content_hash)
        await engine.purge("1d")
        assert (await engine.forget(old.content_hash[:10])).hash == old.content_hash
        assert [d.hash for d in await engine.definitions()] == [new.content_hash]
        with pytest.raises(DefinitionError, match="keeps no definition 'beef'"):
            await engine.forget("beef")


async def test_an_engine_whose_definition_was_forgotten_begins_cases_all_the_same(
    database: str,
) -> None:
    async with Engine(database, workflows=[old]) as one, Engine(database, workflows=[new]) as two:
        await two.forget(old.content_hash)
        assert len(await two.definitions()) == 1
        assert (await one.start(old)).status == "running"
        assert len(await two.definitions()) == 2


# -- migration ------------------------------------------------------------------------------------


@pytest.mark.promise("VERSION-2")
async def test_waiting_cases_go_on_in_a_new_version_whose_engine_knows_no_other(store: str) -> None:
    ids = await waiting(store, old, 3, n=1)
    async with Engine(store, workflows=[new]) as engine:
        assert set(engine.left) == set(ids)
        told = await engine.migrate(ids, to=new, check=True)
        assert [(m.verdict, m.before, m.after) for m in told.moves] == [
            ("fits", "[w/go.in]", "[w/go.in]")
        ] * 3
        assert not told.applied
        assert "3 cases can be moved to version" in str(told)
        assert set(engine.left) == set(ids)
        done = await engine.migrate(ids, to=new)
        assert done.applied
        assert not engine.left
        for id in ids:
            assert await engine.signal(id, "go")
            ended = await (await engine.case(id)).wait()
            assert (ended.status, ended.variables) == ("completed", {"n": 1, "b": 1})
        kinds = [record.kind for record in await engine.history(ids[0])]
        assert kinds[:2] == ["CaseStarted", "Migrated"]
        assert f"Migrated       {new.content_hash[:12]}" in str(await engine.history(ids[0]))
    for id in ids:
        check_replay(store, id, new)


@pytest.mark.promise("VERSION-3")
async def test_all_are_moved_or_none(store: str) -> None:
    ids = await waiting(store, old, 2)
    async with Engine(store, workflows=[old]) as engine:
        await engine.signal(ids[1], "go")
        await (await engine.case(ids[1])).wait()
    async with Engine(store, workflows=[new]) as engine:
        with pytest.raises(MigrationError) as refusal:
            await engine.migrate(ids, to=new)
        assert "no case is moved to version" in str(refusal.value)
        assert "1 of 2 cases cannot be" in str(refusal.value)
        assert "it has ended: it is completed" in str(refusal.value)
        assert set(engine.left) == {ids[0]}
        assert len(await engine.history(ids[0])) == 1
        with pytest.raises(UnknownCase):
            await engine.migrate([ids[0], "nobody"], to=new)
        assert len(await engine.history(ids[0])) == 1
    async with Engine(store, workflows=[old]) as engine:  # and it goes on where it was
        await engine.signal(ids[0], "go")
        assert (await (await engine.case(ids[0])).wait()).completed


async def test_tokens_without_an_image_are_named_and_a_mapping_says_where_they_go(
    store: str,
) -> None:
    before = Workflow("w", sequence(step("a"), event("go"), step("c")))
    after = Workflow("w", sequence(step("start"), event("go"), step("c"), step("d")))
    async with Engine(store, workflows=[before]) as engine:
        handle = await engine.start(before)
        await handle.settle()
        id = handle.id
    async with Engine(store, workflows=[after]) as engine:
        with pytest.raises(
            MigrationError, match=r"tokens on 'w/a.out', .* places=\{'w/a.out': …\}"
        ):
            await engine.migrate(id, to=after)
        with pytest.raises(DefinitionError, match="'w' has nothing called 'w/begin'"):
            await engine.migrate(id, to=after, places={"w/a": "w/begin"})
        with pytest.raises(DefinitionError, match="version has nothing called 'w/x'"):
            await engine.migrate(id, to=after, places={"w/x": "w/start"})
        done = await engine.migrate(id, to=after, places={"w/a": "w/start"})
        assert (done.moves[0].before, done.moves[0].after) == ("[w/a.out]", "[w/start.out]")
        await engine.signal(id, "go")
        assert (await (await engine.case(id)).wait()).completed
    check_replay(store, id, after)


@pytest.mark.promise("VERSION-3")
async def test_a_case_is_refused_where_it_could_not_end(store: str) -> None:
    """One token in one of two branches: the join would wait for the other for ever."""
    before = Workflow("w", sequence(step("x"), event("a")))
    after = Workflow("w", sequence(step("x"), parallel(event("a"), event("b"), name="p")))
    async with Engine(store, workflows=[before]) as engine:
        handle = await engine.start(before)
        await handle.settle()
    async with Engine(store, workflows=[after]) as engine:
        with pytest.raises(MigrationError, match="its end could never be reached from there"):
            await engine.migrate(handle.id, to=after, places={"w/x.out": "w/p/a.in"})
        await engine.migrate(handle.id, to=after)
        for name in "ab":
            await engine.signal(handle.id, name)
        assert (await (await engine.case(handle.id)).wait()).completed
    check_replay(store, handle.id, after)


def test_obstacles_are_what_the_net_says() -> None:
    net = (
        Net.build("n").places("i", "o", "p", "q", "r", "s", "z")
        .transition("t", "i", "p").transition("u", "p", "o")
        .transition("v", "q", ["q", "r"]).transition("w", "r", "o")
        .transition("x", "s", ["p", "z"]).transition("y", "s", "p").transition("k", ["o", "z"], "o")
        .final("o").done()
    )  # fmt: skip
    assert obstacle(net, Marking({"p": 1})) is None
    assert "could never be reached" in str(obstacle(net, Marking({"p": 2})))
    assert "left over at its end: [o + z]" in str(obstacle(net, Marking({"s": 1})))
    assert "heap up without end on r" in str(obstacle(net, Marking({"q": 1})))
    assert "could never be reached" in str(obstacle(net, Marking({})))
    stuck = (
        Net.build("n").places("i", "o", "p", "d")
        .transition("t", "i", "o").transition("u", "p", "o").transition("v", "p", "d")
        .final("o").done()
    )  # fmt: skip
    assert obstacle(stuck, Marking({"p": 1})) == "it could never end after 'v'"


async def test_bodies_at_work_begin_anew_under_their_firing(store: str) -> None:
    seen: list[tuple[str, str]] = []
    go = asyncio.Event()

    def work(name: str) -> Any:
        async def body(case: TaskContext) -> dict[str, Any]:
            seen.append((name, case.firing_id))
            await go.wait()
            return {"by": name}

        return task(name=name)(body)

    before, after = Workflow("w", work("old")), Workflow("v", sequence(work("new"), step("z")))
    async with Engine(store, workflows=[before, after]) as engine:
        handle = await engine.start(before)
        await until(lambda: bool(seen))
        with pytest.raises(MigrationError, match="task 'w' is at work, and 'v' is no task of the"):
            await engine.migrate(handle, to=after)
        done = await engine.migrate(handle, to=after, places={"w": "v/new"})
        assert done.moves[0].reason == "the body of 'v/new' begins anew"
        await until(lambda: len(seen) == 2)
        go.set()
        ended = await handle.wait()
        assert (ended.status, ended.variables) == ("completed", {"by": "new"})
        assert handle.workflow is after
    assert seen[0] == ("old", seen[1][1])
    check_replay(store, handle.id, after)


async def test_a_body_that_does_not_heed_its_cancellation_counts_no_more(store: str) -> None:
    began, release = list[int](), asyncio.Event()

    async def stubborn(case: TaskContext) -> dict[str, Any]:
        began.append(1)
        try:
            await release.wait()
        except asyncio.CancelledError:
            await release.wait()
        return {"by": "old"}

    async def good(case: TaskContext) -> dict[str, Any]:
        began.append(2)
        await release.wait()
        return {"by": "new"}

    before, after = Workflow("w", task(name="t")(stubborn)), Workflow("v", task(name="t")(good))
    async with Engine(store, workflows=[before, after]) as engine:
        handle = await engine.start(before)
        await until(lambda: began == [1])
        await engine.migrate([handle], to=after)
        await until(lambda: began == [1, 2])
        release.set()
        assert (await handle.wait()).variables == {"by": "new"}


async def test_a_suspended_case_stays_suspended(store: str) -> None:
    ids = await waiting(store, old)
    async with Engine(store, workflows=[old]) as engine:
        await engine.suspend(ids[0])
    async with Engine(store, workflows=[new]) as engine:
        await engine.migrate(ids, to=new)
        handle = await engine.case(ids[0])
        assert handle.status == "suspended"
        await engine.signal(handle, "go")
        assert handle.at_work == ()
        await handle.resume()
        assert (await handle.wait()).variables == {"b": 1}
    check_replay(store, ids[0], new)


async def test_a_timer_keeps_its_moment_and_one_that_is_gone_does_not_ring(store: str) -> None:
    def offer(*, week: str, other: str) -> Workflow:
        return Workflow(
            "w",
            parallel(
                deferred_choice(
                    event("x"), sequence(timer(week, name="week"), step("late", late=1))
                ),
                deferred_choice(
                    event("y"), sequence(timer("3d", name=other), step("gone", gone=other))
                ),
            ),
        )

    clock = VirtualClock(0, jumps=False)
    before, after = offer(week="7d", other="three"), offer(week="70d", other="drei")
    async with Engine(store, workflows=[before], clock=clock) as engine:
        id = (await engine.start(before)).id
    await clock.advance("1d")
    async with Engine(store, workflows=[after], clock=clock) as engine:
        done = await engine.migrate(id, to=after)
        assert "/three.happens' is not waited for any more" in done.moves[0].reason
        assert len(engine._timers) == 2
        await clock.advance("2.5d")  # three days from the beginning: nothing
        handle = await engine.case(id)
        assert dict(handle.variables) == {}
        await clock.advance("1d")  # three days from the migration
        await until(lambda: "gone" in str(handle._case.marking) or bool(handle._case.delta))
        await clock.advance("3d")  # a week from the beginning
        ended = await asyncio.wait_for(handle.wait(), 10)
    assert ended.variables == {"late": 1, "gone": "drei"}
    check_replay(store, id, after)


async def test_a_choice_that_is_stuck_is_asked_anew(store: str) -> None:
    def choosing(guard: str) -> Workflow:
        choice = exclusive_choice(when(guard, step("yes")), exhaustive=True, name="c")
        return Workflow("w", sequence(step("a"), choice))

    before, after = choosing("n > 5"), choosing("n > 0")
    async with Engine(store, workflows=[before]) as engine:
        handle = await engine.start(before, {"n": 1})
        with pytest.raises(Exception, match="no guard is true"):
            await handle.wait()
        assert len(await engine.incidents()) == 1
        id = handle.id
    async with Engine(store, workflows=[after]) as engine:
        await engine.migrate(id, to=after)
        assert (await (await engine.case(id)).wait()).completed
        assert await engine.incidents() == ()


async def test_variables_are_made_for_the_new_version(store: str) -> None:
    class Model(BaseModel):
        total: int
        currency: str = "EUR"

    typed = version(step("a"), variables=Model)
    ids = await waiting(store, old, total="12", junk=True)
    async with Engine(store, workflows=[typed]) as engine:
        with pytest.raises(MigrationError, match="do not fit the new version: variable 'junk' is"):
            await engine.migrate(ids, to=typed)
        with pytest.raises(MigrationError, match="variables= failed: KeyError: 'x'"):
            await engine.migrate(ids, to=typed, variables=lambda v: {"total": v["x"]})
        with pytest.raises(MigrationError, match="returned list, not a mapping"):
            await engine.migrate(ids, to=typed, variables=lambda v: [v])  # type: ignore[arg-type]
        await engine.migrate(ids, to=typed, variables=lambda v: {"total": int(v["total"])})
        handle = await engine.case(ids[0])
        assert handle.variables == {"total": 12, "currency": "EUR"}
        await engine.signal(handle, "go")
        assert (await handle.wait()).variables == {"total": 12, "currency": "EUR"}
    check_replay(store, ids[0], typed)


async def test_branches_keep_their_variables(store: str) -> None:
    def branching(*more: Any) -> Workflow:
        return Workflow(
            "w",
            sequence(
                parallel(
                    sequence(step("a", a=1), event("x"), name="left"),
                    sequence(step("b", b=2), event("y"), name="right"),
                    name="p",
                ),
                *more,
            ),
        )

    before, after = branching(), branching(step("end"))
    flat = Workflow("w", sequence(step("a"), event("x"), step("b"), event("y")))
    async with Engine(store, workflows=[before]) as engine:
        handle = await engine.start(before)
        await handle.settle()
        id = handle.id
    async with Engine(store, workflows=[flat]) as engine:
        with pytest.raises(MigrationError, match="has tokens on"):
            await engine.migrate(id, to=flat)
    async with Engine(store, workflows=[after]) as engine:
        await engine.migrate(id, to=after)
        for name in "xy":
            await engine.signal(id, name)
        assert (await (await engine.case(id)).wait()).variables == {"a": 1, "b": 2}
    check_replay(store, id, after)


async def test_events_that_nobody_has_taken_are_kept_or_the_case_is_refused(store: str) -> None:
    early = Workflow("w", sequence(event("go"), step("a"), event("kept")))
    ids = await waiting(store, early)
    async with Engine(store, workflows=[early]) as engine:
        assert await engine.signal(ids[0], "kept")
    plain = version(step("a"), event("kept", transient=True))
    async with Engine(store, workflows=[plain]) as engine:
        with pytest.raises(MigrationError, match="keeps the event 'kept' that nobody has taken"):
            await engine.migrate(ids, to=plain)
    longer = version(step("a"), step("b"), event("kept"))
    async with Engine(store, workflows=[longer]) as engine:
        await engine.migrate(ids, to=longer)
        await engine.signal(ids[0], "go")
        assert (await (await engine.case(ids[0])).wait()).completed


async def test_a_caller_goes_on_with_the_case_that_it_called(store: str) -> None:
    inner = Workflow("inner", sequence(event("in"), step("i", i=1)))

    def outer(*more: Any) -> Workflow:
        return Workflow("outer", sequence(step("a"), call(inner), *more))

    before, after = outer(), outer(step("end", end=1))
    async with Engine(store, workflows=[before]) as engine:
        handle = await engine.start(before)
        await until(lambda: len(engine._handles) == 2)
        await engine.committed()
        id = handle.id
    async with Engine(store, workflows=[after]) as engine:
        await engine.migrate(id, to=after)
        (child,) = (h for h in engine._handles if h != id)
        assert await engine.signal(child, "in")
        ended = await asyncio.wait_for((await engine.case(id)).wait(), 10)
    assert ended.variables == {"i": 1, "end": 1}
    check_replay(store, id, after)


async def test_a_called_case_moves_where_its_caller_is_known_too(store: str) -> None:
    inner = Workflow("inner", sequence(event("in"), step("i", i=1)))
    better = Workflow("inner", sequence(event("in"), step("i", i=1), step("j", j=2)))
    outer = Workflow("outer", sequence(step("a"), call("inner")))
    async with Engine(store, workflows=[outer, inner]) as engine:
        handle = await engine.start(outer)
        await until(lambda: len(engine._handles) == 2)
        await engine.committed()
        (child,) = (id for id in engine._handles if id != handle.id)
    async with Engine(store, workflows=[better]) as engine:
        with pytest.raises(MigrationError, match="or was called by one"):
            await engine.migrate(child, to=better)
    async with Engine(store, workflows=[outer, better]) as engine:
        await engine.migrate(child, to=better)
        assert await engine.signal(child, "in")
        ended = await asyncio.wait_for((await engine.case(handle.id)).wait(), 10)
    assert ended.variables == {"i": 1, "j": 2}
    check_replay(store, child, better)


async def test_a_case_moves_twice_and_is_renamed(store: str) -> None:
    ids = await waiting(store, old)
    third = version(step("a"), step("c", c=3), name="renamed")
    for flow in (new, third):
        async with Engine(store, workflows=[flow]) as engine:
            await engine.migrate(ids, to=flow)
    async with Engine(store, workflows=[third]) as engine:
        await engine.signal(ids[0], "go")
        assert (await (await engine.case(ids[0])).wait()).variables == {"c": 3}
        (summary,) = await engine.list()
        assert summary.workflow == "renamed"
        with pytest.raises(MigrationError, match="it has ended"):
            await engine.migrate(ids, to=third)
    check_replay(store, ids[0], third)


async def test_a_case_of_another_engine_is_refused_as_long_as_that_is_at_work(
    database: str,
) -> None:
    go = asyncio.Event()

    async def hold(case: TaskContext) -> None:
        await go.wait()

    before, after = Workflow("w", hold), Workflow("w", sequence(task(name="x")(hold), step("b")))
    async with Engine(database, workflows=[before]) as one:
        handle = await one.start(before)
        idle = await one.start(before)
        await one.suspend(idle)
        async with Engine(database, workflows=[after]) as two:
            with pytest.raises(MigrationError, match="another engine is at work for it"):
                await two.migrate(handle.id, to=after, places={"w": "w/x"})
            go.set()
            assert (await handle.wait()).completed  # nothing was taken from it


async def test_who_waits_for_a_case_is_told_that_it_went_to_a_version_of_others(
    database: str,
) -> None:
    async with Engine(database, workflows=[old]) as one, Engine(database, workflows=[new]) as two:
        handle = await one.start(old)
        await handle.settle()
        gone = asyncio.create_task(handle.wait())
        await asyncio.sleep(0)
        await two.migrate(handle.id, to=new)
        with pytest.raises(UnknownCase, match="was moved to another version of workflow 'w'"):
            await asyncio.wait_for(gone, 20)
        await two.signal(handle.id, "go")
        assert (await (await two.case(handle.id)).wait()).completed


# -- known failures of others ---------------------------------------------------------------------


@pytest.mark.promise("VERSION-4")
async def test_no_case_is_stranded_while_old_and_new_versions_overlap(database: str) -> None:
    """A deployment: engines with the old and the new version run beside each other."""
    handles: list[CaseHandle] = []
    async with Engine(database, workflows=[old]) as one, Engine(database, workflows=[new]) as two:
        for n in range(20):
            engine, flow = (one, old) if n % 2 else (two, new)
            handles.append(await engine.start(flow, {"n": n}, key=str(n)))
        for n, handle in enumerate(handles):
            engine = one if n % 2 else two
            await engine.signal(handle, "go")
        ends = await asyncio.gather(*(handle.wait() for handle in handles))
        assert all(end.completed for end in ends)
        assert [("b" in end.variables) for end in ends] == [n % 2 == 0 for n in range(20)]
        with pytest.raises(UnknownCase, match="is of another version of workflow 'w'"):
            await two.start(new, key="1")


@pytest.mark.promise("VERSION-4")
async def test_a_case_whose_version_nobody_has_is_told_of_and_goes_on_when_it_comes_back(
    store: str,
) -> None:
    ids = await waiting(store, old)
    async with Engine(store, workflows=[new]) as engine:
        told = await engine.explain(ids[0])
        assert not told.registered
        assert "its definition is not registered here: an engine that has" in str(told)
        assert dict(engine.left) == {ids[0]: "w"}
        with pytest.raises(UnknownCase, match="is of another version of workflow 'w'"):
            await engine.signal(ids[0], "go")
        assert [s.id for s in await engine.list(status="running")] == ids
        assert [d.open_cases for d in await engine.definitions()] == [0, 1]
    async with Engine(store, workflows=[old]) as engine:
        await engine.signal(ids[0], "go")
        assert (await (await engine.case(ids[0])).wait()).completed


@pytest.mark.promise("VERSION-4")
async def test_bodies_of_a_killed_engine_of_the_old_version_wait_for_one_that_has_it(
    database: str,
) -> None:
    go = asyncio.Event()

    async def hold(case: TaskContext) -> None:
        await go.wait()

    flow = Workflow("held", hold)
    killed = Engine(database, workflows=[flow])
    await killed.__aenter__()
    handle = await killed.start(flow)
    expire(database)
    async with Engine(database, workflows=[new]) as engine:
        assert dict(engine.left) == {handle.id: "held"}
    go.set()
    async with Engine(database, workflows=[flow]) as engine:
        assert (await asyncio.wait_for((await engine.case(handle.id)).wait(), 20)).completed
    await killed.__aexit__(None, None, None)
    database_engine = sa.create_engine(database)
    database_engine.dispose()


# -- what is under way for people and outside -----------------------------------------------------


async def test_work_items_go_to_the_role_of_the_new_version_and_stay_with_who_holds_them(
    store: str,
) -> None:
    def reviews(role: str, name: str, *more: Any, flow: str = "w") -> Workflow:
        tasks = [human(name=f"{name}{n}", role=role, deadline="9d") for n in (1, 2)]
        return Workflow(flow, sequence(parallel(*tasks, name="p"), *more))

    before, after = reviews("clerk", "look"), reviews("boss", "check", step("z"), flow="v")
    clock = VirtualClock(0, jumps=False)
    async with Engine(store, workflows=[before], clock=clock) as engine:
        id = (await engine.start(before)).id
        first, second = sorted(item.id for item in await engine.work(role="clerk"))
        await engine.claim(first, by="ada", roles=["clerk"])
    await clock.advance("5d")
    async with Engine(store, workflows=[after], clock=clock) as engine:
        await engine.migrate(
            id, to=after, places={"w/p/look1": "v/p/check1", "w/p/look2": "v/p/check2"}
        )
        assert len(await engine.work(role="clerk")) == 0
        items = {item.id: item for item in await engine.work(role="boss")}
        assert {i: (item.task, item.holder, item.offered_at) for i, item in items.items()} == {
            first: ("v/p/check1", "ada", 0.0),
            second: ("v/p/check2", None, 0.0),
        }
        assert all(item.workflow == "v" for item in items.values())
        await engine.complete_task(first, {"ok": True}, by="ada", roles=["boss"])
        await engine.complete_task(second, {}, by="bob", roles=["boss"])
        assert (await (await engine.case(id)).wait()).variables == {"ok": True}
    check_replay(store, id, after)


async def test_a_task_of_people_becomes_one_with_a_body_and_the_other_way_round(
    store: str,
) -> None:
    async def hold(case: TaskContext) -> None:
        await asyncio.sleep(999)

    byhand = Workflow("w", sequence(step("a"), human(name="t", role="clerk"), step("z")))
    machine = Workflow("w", sequence(step("a"), step("t", by="machine"), step("z")))
    slow = Workflow("w", sequence(step("a"), task(name="t")(hold), step("z")))
    async with Engine(store, workflows=[byhand]) as engine:
        handle = await engine.start(byhand)
        await handle.settle()
        assert len(await engine.work()) == 1
    async with Engine(store, workflows=[machine]) as engine:
        await engine.migrate(handle.id, to=machine)
        ended = await (await engine.case(handle.id)).wait()
        assert ended.variables == {"by": "machine"}
        assert len(await engine.work()) == 0
    async with Engine(store, workflows=[slow]) as engine:
        handle = await engine.start(slow)
        await until(lambda: bool(handle.at_work))
    async with Engine(store, workflows=[byhand]) as engine:
        await engine.migrate(handle.id, to=byhand)
        (item,) = await engine.work(role="clerk")
        await engine.complete_task(item.id, {}, by="ada", roles=["clerk"])
        assert (await (await engine.case(handle.id)).wait()).completed
    check_replay(store, handle.id, byhand)


async def test_events_by_what_they_are_about_find_the_case_in_its_new_version(store: str) -> None:
    def paying(*more: Any, about: str = "order") -> Workflow:
        return Workflow("w", sequence(event("paid", about=about), *more))

    before, after = paying(step("a")), paying(step("a"), step("b", b=1), about="number")
    async with Engine(store, workflows=[before]) as engine:
        id = (await engine.start(before, {"order": 7, "number": "N-7"})).id
    async with Engine(store, workflows=[after]) as engine:
        await engine.migrate(id, to=after)
        assert await engine.tell("paid", about="N-7", key="m1")
        assert (await asyncio.wait_for((await engine.case(id)).wait(), 10)).completed
    check_replay(store, id, after)


async def test_a_timer_that_cannot_ring_from_the_new_marking_does_not(store: str) -> None:
    def flow(*between: Any) -> Workflow:
        return Workflow("w", sequence(step("a"), *between, timer("1d", name="day"), step("z")))

    before, after = flow(), flow(event("first"))
    clock = VirtualClock(0, jumps=False)
    async with Engine(store, workflows=[before], clock=clock) as engine:
        id = (await engine.start(before)).id
        await until(lambda: len(engine._timers) == 1)
        await engine.committed()
    async with Engine(store, workflows=[after], clock=clock) as engine:
        done = await engine.migrate(id, to=after)
        assert "is not waited for any more" in done.moves[0].reason
        await clock.advance("2d")
        handle = await engine.case(id)
        assert handle.waits_for == ("w/first.happens",)
        await engine.signal(id, "first")
        await clock.advance("2d")
        assert (await handle.wait()).completed
    check_replay(store, id, after)


@pytest.mark.promise("VERSION-3")
async def test_none_is_moved_if_one_is_lost_before_the_commit(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = await waiting(database, old, 3)
    async with Engine(database, workflows=[new]) as engine:
        commit = engine._store.commit

        def late(batch: Any) -> Any:
            if batch.moved:
                other = sa.create_engine(database)
                with other.begin() as connection:
                    take = "UPDATE cases SET owner = 'other', fence = fence + 1 WHERE id = :id"
                    connection.execute(sa.text(take), {"id": ids[1]})
                other.dispose()
            return commit(batch)

        monkeypatch.setattr(engine._store, "commit", late)
        with pytest.raises(MigrationError, match="taken over by another engine meanwhile; nothing"):
            await engine.migrate(ids, to=new)
        assert [len(await engine.history(id)) for id in ids] == [1, 1, 1]
        assert [d.open_cases for d in await engine.definitions()] == [0, 3]
        assert set(engine.left) == set(ids)
        monkeypatch.undo()
        async with Engine(database, workflows=[old]) as other:  # nothing of them stays here
            for id in (ids[0], ids[2]):
                await other.signal(id, "go")
                assert (await (await other.case(id)).wait()).completed
