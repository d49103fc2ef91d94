"""Stores on PostgreSQL: cases run on them, and databases that are refused."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import sqlalchemy as sa

from petriflow import Engine, Workflow, collect
from petriflow.cli import main
from petriflow.execution.store import (
    VERSION,
    Batch,
    open_store,
    postgres,
    store_version,
    upgrade_store,
)
from petriflow.net import Marking, replay
from petriflow.net.errors import StoreError
from petriflow.patterns import event, parallel, sequence

from . import kept
from .cluster import Cluster
from .test_engine import JumpingClock, step
from .test_store import event as record
from .test_store import state


def rows(url: str, query: str) -> list[Any]:
    """By a connection of its own, as another program would."""
    engine = sa.create_engine(url)
    with engine.connect() as connection:
        found = list(connection.execute(sa.text(query)).all())
    engine.dispose()
    return found


def check_consistent(url: str, flow: Workflow) -> None:
    """The stored markings are what the stored events lead to, by the one firing rule."""
    net = flow.expanded
    for id, marking, version in rows(
        url, f"SELECT id, marking, version FROM cases WHERE workflow = '{flow.name}'"
    ):
        events = rows(url, f"SELECT seq, fired FROM events WHERE case_id = '{id}' ORDER BY seq")
        assert [seq for seq, _ in events] == list(range(1, version + 1))
        fired = [t for _, some in events for t in some]
        *_, last = [net.initial_marking, *replay(net, fired)]
        assert last == Marking(marking)


@pytest.mark.promise("STORE-9")
@pytest.mark.promise("STORE-1")
async def test_cases_run_from_their_beginning_to_their_end(database: str) -> None:
    flow = Workflow(
        "w",
        sequence(parallel(step("a", seen="a"), step("b", seen="b")), step("c", seen="c")),
        merge={"seen": collect},
    )
    async with Engine(database, workflows=[flow]) as engine:
        cases = [await engine.start(flow, {"seen": [], "n": n}) for n in range(20)]
        ends = await asyncio.gather(*(case.wait() for case in cases))
        assert all(end.completed for end in ends)
        assert [end.variables["n"] for end in ends] == list(range(20))
        assert (await engine.outcome(cases[3].id)).variables == ends[3].variables
        assert all(sorted(end.variables["seen"]) == ["a", "b", "c"] for end in ends)
    check_consistent(database, flow)


@pytest.mark.promise("STORE-8")
async def test_events_timers_and_called_cases_go_on_with_the_next_engine(database: str) -> None:
    kept.go.clear()
    await kept.begin(database)
    kept.go.set()
    clock = JumpingClock()
    async with Engine(database, workflows=[kept.claim, kept.check], clock=clock) as engine:
        (case,) = await engine.open_cases()
        (called,) = (id for id in engine._handles if id != case.id)
        assert await engine.signal(called, "checked", key="once")
        outcome = await case.wait()
    assert outcome.completed, outcome.error
    check_consistent(database, kept.claim)
    check_consistent(database, kept.check)


@pytest.mark.promise("STORE-9")
async def test_cases_go_on_when_the_server_is_restarted(template: Cluster, database: str) -> None:
    flow = Workflow(
        "w", sequence(*(step(f"s{n}", seen=str(n)) for n in range(8))), merge={"seen": collect}
    )
    async with Engine(database, workflows=[flow]) as engine:
        for _ in range(3):
            cases = [engine.start(flow, {"seen": []}) for _ in range(30)]
            started = asyncio.gather(*cases)
            await asyncio.sleep(0.02)
            await asyncio.to_thread(template.stop)
            await asyncio.to_thread(template.start)
            ends = await asyncio.gather(*(case.wait() for case in await started))
            assert [end.variables["seen"] for end in ends] == [[str(n) for n in range(8)]] * 30
    check_consistent(database, flow)
    assert rows(database, "SELECT count(*) FROM cases") == [(90,)]


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_commit_whose_connection_is_lost_is_made_once(
    database: str, monkeypatch: pytest.MonkeyPatch, when: str
) -> None:
    """Lost before the server has committed, or after it, when nobody is told."""
    store = open_store(database)
    store.define("0" * 64, "w", {}, 1.0)
    real, times = postgres.transaction, iter(range(9))

    @contextmanager
    def torn(engine: sa.Engine) -> Iterator[sa.Connection]:
        first = next(times) == 0
        with real(engine) as connection:
            yield connection
            if first and when == "before":
                raise postgres.Unreachable("gone")
        if first and when == "after":
            raise postgres.Unreachable("gone")

    monkeypatch.setattr(postgres, "transaction", torn)
    batch = Batch([state("a", 1), state("b", 1)], [record("a", 1), record("b", 1)])
    assert store.commit(batch) == frozenset()
    assert store.commit(Batch([state("a", 2)], [record("a", 2)])) == frozenset()
    assert [event.seq for event in store.history("a")] == [1, 2]
    assert [event.seq for event in store.history("b")] == [1]
    store.close()


async def test_a_text_that_postgresql_cannot_hold_stops_nobody(database: str) -> None:
    """U+0000 cannot stand in its texts, but may stand in JSON."""
    flow = Workflow("w", sequence(event("go"), step("a", said="x\0y")))
    async with Engine(database, workflows=[flow]) as engine:
        case = await engine.start(flow)
        with pytest.raises(StoreError, match="NUL"):
            await engine.signal(case, "go", key="a\0b")
        assert await engine.signal(case, "go", {"n": "\0"}, key="ab")
        assert (await case.wait()).variables == {"said": "x\0y", "n": "\0"}


# -- databases that are refused -------------------------------------------------------------------


def test_a_server_that_is_not_there_is_told() -> None:
    with pytest.raises(StoreError, match="cannot be reached") as refused:
        open_store("postgresql+psycopg://me:secret@127.0.0.1:1/x")
    assert "secret" not in str(refused.value)


def test_a_database_that_is_not_there_is_told(cluster: Cluster) -> None:
    with pytest.raises(StoreError, match=r"no_such.*does not exist"):
        open_store(cluster.url("no_such"))


@pytest.mark.promise("STORE-9")
def test_a_database_without_tables_is_refused_until_it_is_upgraded(empty_database: str) -> None:
    with pytest.raises(StoreError, match=r"no tables yet.*`petriflow db upgrade"):
        open_store(empty_database)
    assert store_version(empty_database) is None
    assert upgrade_store(empty_database) is None
    assert upgrade_store(empty_database) == VERSION
    open_store(empty_database).close()


def test_a_database_of_another_version_is_refused(database: str) -> None:
    engine = sa.create_engine(database)
    for version, words in (("0001", "petriflow db upgrade"), ("0099", "a newer petriflow")):
        with engine.begin() as connection:
            connection.execute(sa.text(f"UPDATE petriflow_version SET version_num = '{version}'"))
        with pytest.raises(StoreError, match=words):
            open_store(database)
    with pytest.raises(StoreError, match="a newer petriflow"):
        upgrade_store(database)
    engine.dispose()


def test_an_upgrade_does_not_touch_tables_of_others(empty_database: str) -> None:
    engine = sa.create_engine(empty_database)
    with engine.begin() as connection:
        connection.execute(sa.text("CREATE TABLE cases (recipe text)"))
    engine.dispose()
    with pytest.raises(StoreError, match="already exists"):
        upgrade_store(empty_database)
    assert rows(empty_database, "SELECT tablename FROM pg_tables WHERE schemaname = 'public'") == [
        ("cases",)
    ]


def test_the_command_line_upgrades_and_tells_the_version(
    empty_database: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    said = []
    for command in ("status", "upgrade", "status"):
        arguments = ["petriflow", "db", command, "--store", empty_database, "--json"]
        monkeypatch.setattr(sys, "argv", arguments)
        with pytest.raises(SystemExit) as exit:
            main()
        said.append((exit.value.code or 0, json.loads(capsys.readouterr().out)))
    assert [code for code, _ in said] == [1, 0, 0]
    assert said[1][1] == {"before": None, "version": VERSION}
    assert said[2][1]["current"] is True
