"""What a store holds, of either kind; and which files and databases are refused."""

from __future__ import annotations

import asyncio
import json
import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from petriflow import Engine, TaskContext, Workflow
from petriflow.execution.store import Batch, Record, StoredCase, open_store
from petriflow.net import Marking, replay
from petriflow.net.errors import StoreError, UnknownCase
from petriflow.patterns import Fragment, parallel, sequence

from .test_engine import step, until


def url(file: Path) -> str:
    return f"sqlite:///{file}"


def state(id: str, version: int, **more: Any) -> StoredCase:
    given = {
        "status": "running",
        "marking": {"p": 1},
        "variables": {},
        "control": {},
        "error": None,
    }
    return StoredCase(
        id, "0" * 64, "w", version=version, created_at=1, updated_at=1, **(given | more)
    )


def event(id: str, seq: int, **more: Any) -> Record:
    given = {"kind": "X", "data": {}, "fired": [], "delta": {}, "late": False}
    return Record(id, seq, 1.0, **(given | more))


# -- what is written ------------------------------------------------------------------------------


@pytest.mark.promise("STORE-1")
def test_a_commit_is_all_or_nothing(store: str) -> None:
    kept = open_store(store)
    kept.define("0" * 64, "w", {}, 1.0)
    kept.commit(Batch([state("a", 1)], [event("a", 1)]))
    with pytest.raises(StoreError):  # the third event is there already
        kept.commit(
            Batch(
                [state("a", 2, marking={"q": 1}), state("b", 1)],
                [event("a", 2), event("b", 1), event("a", 1)],
                {("a", "t"): 3.0},
                [("a", "key", "e", 1.0)],
            )
        )
    assert kept.case("a").marking == {"p": 1}
    assert [record.seq for record in kept.history("a")] == [1]
    assert kept.timers() == {}
    assert not kept.told("a", "key")
    with pytest.raises(UnknownCase, match="'b'"):
        kept.case("b")
    kept.commit(Batch([state("a", 2)], [event("a", 2)]))
    assert kept.case("a").version == 2
    kept.close()


@pytest.mark.promise("STORE-1")
async def test_whatever_is_stored_when_a_body_begins_is_the_replay_of_its_events(
    tmp_path: Path,
) -> None:
    file = tmp_path / "x.db"
    looked: list[str] = []

    def look(case: TaskContext) -> None:
        """By a connection of its own, as another program would."""
        with closing(sqlite3.connect(file)) as db:
            db.execute("BEGIN")  # one snapshot for both questions
            (marking,) = db.execute("SELECT marking FROM cases").fetchone()
            rows = db.execute("SELECT fired FROM events ORDER BY seq").fetchall()
        fired = [t for (text,) in rows for t in json.loads(text)]
        *_, last = replay(flow.expanded, fired)
        assert last == Marking(json.loads(marking))
        task_id = case.firing_id.removeprefix(f"{case.case_id}/").rpartition("/")[0]
        assert f"{task_id}.start" in fired
        looked.append(task_id)

    flow = Workflow("w", sequence(look, parallel(look, sequence(step("a"), look)), look))
    async with Engine(url(file), workflows=[flow]) as engine:
        outcome = await (await engine.start(flow)).wait()
    assert outcome.completed, outcome.error
    assert len(looked) == 4


@pytest.mark.promise("STORE-5")
async def test_wal_and_full_synchronisation(tmp_path: Path) -> None:
    store = open_store(url(tmp_path / "x.db"))
    with store._engine.connect() as connection:  # type: ignore[attr-defined]
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar_one() == "wal"
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar_one() == 2  # FULL
        assert connection.exec_driver_sql("PRAGMA foreign_keys").scalar_one() == 1
    store.close()


def test_whole_numbers_of_any_size_are_kept(store: str) -> None:
    kept = open_store(store)
    kept.define("0" * 64, "w", {}, 1.0)
    kept.commit(
        Batch([state("a", 1, variables={"n": 2**70})], [event("a", 1, data={"n": -(2**70)})])
    )
    assert kept.case("a").variables == {"n": 2**70}
    assert kept.history("a")[0].data == {"n": -(2**70)}
    kept.close()


# -- one engine a file ----------------------------------------------------------------------------


@pytest.mark.promise("STORE-3")
async def test_a_second_engine_is_refused_while_the_first_goes_on(tmp_path: Path) -> None:
    flow = Workflow("w", step("a"))
    file = tmp_path / "x.db"
    async with Engine(url(file), workflows=[flow]) as first:
        with pytest.raises(StoreError, match=r"x\.db.*in use by another engine"):
            await Engine(url(file), workflows=[flow]).__aenter__()
        assert (await (await first.start(flow)).wait()).completed
    async with Engine(url(file), workflows=[flow]) as second:  # the first has left
        assert (await (await second.start(flow)).wait()).completed


@pytest.mark.promise("STORE-3")
def test_an_engine_of_another_process_is_refused_too(tmp_path: Path) -> None:
    store = open_store(url(tmp_path / "x.db"))
    code = (
        f"from petriflow.execution.store import open_store; open_store({url(tmp_path / 'x.db')!r})"
    )
    other = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert other.returncode == 1
    assert "in use by another engine" in other.stderr
    store.close()


# -- files that are refused -----------------------------------------------------------------------


def foreign(file: Path) -> None:
    with closing(sqlite3.connect(file)) as db:
        db.execute("CREATE TABLE recipes (name)")
        db.commit()


def newer(file: Path) -> None:
    open_store(url(file)).close()
    with closing(sqlite3.connect(file)) as db:
        db.execute("PRAGMA user_version = 99")


def torn(file: Path) -> None:
    open_store(url(file)).close()
    file.write_bytes(file.read_bytes()[:5000])


def scrambled(file: Path) -> None:
    open_store(url(file)).close()
    content = file.read_bytes()
    file.write_bytes(content[:100] + bytes(b ^ 0x5A for b in content[100:4096]) + content[4096:])


@pytest.mark.promise("STORE-4")
@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda file: file.write_text("Dear diary, " * 99), "damaged or no SQLite file"),
        (lambda file: file.write_bytes(b"SQLite format 3\0"), "damaged or no SQLite file"),
        (torn, "damaged or no SQLite file"),
        (scrambled, "damaged or no SQLite file"),
        (foreign, "database of something else"),
        (newer, "written by a newer petriflow.*update petriflow"),
        (lambda file: file.mkdir(), "cannot be opened"),
    ],
    ids=["text", "stump", "torn", "scrambled", "foreign", "newer", "folder"],
)
async def test_a_file_that_is_no_store_of_ours_is_refused_and_stays_as_it_is(
    tmp_path: Path, make: Callable[[Path], object], words: str
) -> None:
    file = tmp_path / "x.db"
    make(file)
    before = file.read_bytes() if file.is_file() else b""
    with pytest.raises(StoreError, match=rf"x\.db.*{words}"):
        async with Engine(url(file), workflows=[Workflow("w", step("a"))]):
            pass
    assert (file.read_bytes() if file.is_file() else b"") == before


@pytest.mark.slow
@pytest.mark.promise("STORE-4")
def test_a_file_that_another_program_has_locked_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "x.db"
    open_store(url(file)).close()
    before = file.read_bytes()
    with closing(sqlite3.connect(file)) as db:
        db.execute("BEGIN EXCLUSIVE")
        with pytest.raises(StoreError, match=r"x\.db.*locked by another program"):
            open_store(url(file))
    assert file.read_bytes() == before
    open_store(url(file)).close()  # and is free again


@pytest.mark.promise("STORE-4")
@pytest.mark.parametrize(
    ("store", "words"),
    [
        ("sqlite:////no/such/folder/x.db", "folder '/no/such/folder' does not exist"),
        ("x.db", "not a store URL"),
        ("postgresql+asyncpg://me:secret@host/db", "reached by psycopg"),
        ("mysql://me:secret@host/db", "only SQLite and PostgreSQL are supported"),
    ],
)
def test_a_url_that_names_no_store_is_refused(store: str, words: str) -> None:
    with pytest.raises(StoreError, match=words) as refused:
        open_store(store)
    assert "secret" not in str(refused.value)


def test_a_store_that_fails_stops_the_engine_and_says_so(tmp_path: Path) -> None:
    """A disk that fills up: nothing further is told or started."""

    async def main() -> None:
        flow = Workflow("w", sequence(step("a"), step("b")))
        async with Engine(url(tmp_path / "x.db"), workflows=[flow]) as engine:

            def full(batch: Batch) -> None:
                raise StoreError("the disk is full")

            case = await engine.start(flow)
            engine._store.commit = full  # type: ignore[method-assign]
            with pytest.raises(StoreError, match="disk is full"):
                await case.wait()
            with pytest.raises(StoreError, match="disk is full"):
                await engine.start(flow)
        async with Engine(url(tmp_path / "x.db"), workflows=[flow]) as engine:
            (case,) = await engine.open_cases()
            assert (await case.wait()).completed

    asyncio.run(main())


# -- continuing -----------------------------------------------------------------------------------


@pytest.mark.promise("STORE-7")
async def test_a_case_of_another_definition_waits_for_an_engine_that_has_it(store: str) -> None:
    go = asyncio.Event()

    def definition(*after: Any) -> Fragment:
        async def hold(case: TaskContext) -> None:
            await go.wait()

        return sequence(hold, *after)

    old = Workflow("w", definition())
    new = Workflow("w", definition(step("more")))
    async with Engine(store, workflows=[old]) as engine:
        id = (await engine.start(old)).id
    go.set()
    async with Engine(store, workflows=[new]) as engine:
        assert await engine.open_cases() == ()
        assert (await engine.outcome(id)).status == "running"
        assert (await (await engine.start(new)).wait()).completed
    async with Engine(store, workflows=[old]) as engine:
        (case,) = await engine.open_cases()
        assert case.id == id
        assert (await case.wait()).completed


@pytest.mark.promise("RUN-3")
async def test_a_task_that_an_engine_left_running_runs_again_under_the_same_firing(
    store: str,
) -> None:
    seen: list[str] = []
    go = asyncio.Event()

    async def hold(case: TaskContext) -> None:
        seen.append(case.firing_id)
        await go.wait()

    flow = Workflow("w", hold)
    async with Engine(store, workflows=[flow]) as engine:
        await engine.start(flow)
        await until(lambda: seen)
    go.set()
    async with Engine(store, workflows=[flow]) as engine:
        (case,) = await engine.open_cases()
        assert (await case.wait()).completed
    assert len(seen) == 2
    assert len(set(seen)) == 1


def test_the_folder_holds_nothing_but_the_store_when_the_engine_has_left(tmp_path: Path) -> None:
    Workflow("w", step("a")).run(store=url(tmp_path / "x.db"))
    assert sorted(os.listdir(tmp_path)) == ["x.db", "x.db.lock"]
