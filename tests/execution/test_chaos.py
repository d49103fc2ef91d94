"""Whatever dies, stops or is taken away, at whatever moment: every firing is committed once, every
case ends as its workflow allows, and no effect is there that the histories do not tell of.

Modest numbers; `benchmarks/chaos.py` does the same with large ones.
"""

from __future__ import annotations

import asyncio
import random
import sqlite3
import time
from collections.abc import Coroutine
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from petriflow.execution.store import sqlite
from petriflow.net.errors import StoreError

from . import mixed
from .audit import Audit, audit
from .cluster import Cluster
from .havoc import Engines, kill_again_and_again, pause_past_the_lease, restart_under_load
from .test_postgres import rows

pytestmark = pytest.mark.slow


def look(url: str, log: Path | None, number: int) -> Audit:
    """All is well, and all is there."""
    found = audit(url, mixed.everything, log, mixed.allowed)
    assert found.clean(), str(found)
    query = "SELECT count(*) FROM cases WHERE parent IS NULL"
    assert rows(url, query) == [(number,)]
    return found


@pytest.mark.promise("STORE-2")
def test_kill_9_at_random_moments_on_sqlite(tmp_path: Path) -> None:
    url, log = f"sqlite:///{tmp_path / 'x.db'}", tmp_path / "log"
    kills = kill_again_and_again(Engines(url, log, 150), 1, random.Random(5), most=25)
    assert kills >= 5
    found = look(url, log, 150)
    assert found.bodies > found.tasks * 0.9
    assert found.ends["failed"] >= 1


@pytest.mark.promise("STORE-10")
def test_kill_9_of_engines_that_race_on_postgresql(database: str, tmp_path: Path) -> None:
    log = tmp_path / "log"
    assert kill_again_and_again(Engines(database, log, 120), 3, random.Random(6), most=6) >= 2
    look(database, log, 120)


@pytest.mark.promise("STORE-10")
def test_engines_that_are_stopped_past_their_lease(database: str, tmp_path: Path) -> None:
    log = tmp_path / "log"
    pauses = pause_past_the_lease(Engines(database, log, 240), 3, random.Random(7), most=5)
    assert pauses >= 2
    look(database, log, 240)
    assert rows(database, "SELECT count(*) FROM cases WHERE fence > 1") > [(0,)]


@pytest.mark.promise("STORE-9")
def test_postgresql_stopped_and_restarted_under_load(
    template: Cluster, database: str, tmp_path: Path
) -> None:
    log = tmp_path / "log"
    restarts = restart_under_load(
        Engines(database, log, 150), 2, template, random.Random(8), most=4
    )
    assert restarts >= 2
    look(database, log, 150)


@pytest.mark.promise("STORE-4")
def test_a_disk_that_is_full_again_and_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each engine has a little more room than the one before, until there is enough."""
    url, log = f"sqlite:///{tmp_path / 'x.db'}", tmp_path / "log"
    configure, pages, full = sqlite._configure, 120, 0

    def little_room(connection: Any, record: Any) -> None:
        configure(connection, record)
        connection.execute(f"PRAGMA max_page_count = {pages}").close()

    monkeypatch.setattr(sqlite, "_configure", little_room)
    with mixed.noted(log):
        while said := trouble(mixed.main(url, 90, full)):
            assert "the disk is full; what was committed is safe" in said
            full += 1
            pages += 8
    assert full >= 2
    look(url, log, 90)


@pytest.mark.promise("STORE-4")
def test_a_database_that_another_program_locks_again_and_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """For a moment it is waited for; for longer than SQLite's patience it stops the engine."""
    file, log, chance = tmp_path / "x.db", tmp_path / "log", random.Random(9)
    url, stopped = f"sqlite:///{file}", 0
    configure = sqlite._configure

    def impatient(connection: Any, record: Any) -> None:
        configure(connection, record)
        connection.execute("PRAGMA busy_timeout = 200").close()

    monkeypatch.setattr(sqlite, "_configure", impatient)

    async def lock_it() -> None:
        while True:
            await asyncio.sleep(chance.random() * 0.3)
            if log.exists():
                seconds = 0.4 if stopped < 3 else 0.05
                await asyncio.to_thread(locked, file, seconds)

    async def work() -> None:
        locker = asyncio.create_task(lock_it())
        try:
            await mixed.main(url, 90, stopped)
        finally:
            locker.cancel()
            await asyncio.gather(locker, return_exceptions=True)

    with mixed.noted(log):
        while said := trouble(work()):
            assert "locked by another program" in said
            stopped += 1
            assert stopped < 50
    assert stopped >= 1  # how often depends on where in its work a lock meets the engine
    look(url, log, 90)


def trouble(work: Coroutine[Any, Any, None]) -> str:
    """What stopped an engine; nothing if it has done its work."""
    try:
        asyncio.run(asyncio.wait_for(work, 60))
    except StoreError as error:
        return str(error)
    return ""


def locked(file: Path, seconds: float) -> None:
    with closing(sqlite3.connect(file, isolation_level=None)) as db:
        db.execute("BEGIN IMMEDIATE")
        time.sleep(seconds)
        db.execute("ROLLBACK")


# -- the judge itself -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("statement", "verdict"),
    [
        ("UPDATE cases SET marking = '{}'", "does not lead to its marking"),
        ("UPDATE cases SET status = 'failed'", "do not lead to its state"),
        ("UPDATE cases SET variables = replace(variables, 'begin', 'x')", "lead to its state"),
        ("DELETE FROM events WHERE seq = 3", "its events have gaps"),
        ("UPDATE events SET fired = '[]' WHERE seq = 3", "does not lead to its marking"),
        ("UPDATE events SET data = json_replace(data, '$.firing_id', 'x')", "never began"),
    ],
)
def test_the_judge_finds_what_is_wrong(tmp_path: Path, statement: str, verdict: str) -> None:
    file, log = tmp_path / "x.db", tmp_path / "log"
    with mixed.noted(log):
        asyncio.run(mixed.main(f"sqlite:///{file}", 4, 1))
    look(f"sqlite:///{file}", log, 4)
    with closing(sqlite3.connect(file)) as db, db:
        db.execute(statement)
    found = audit(f"sqlite:///{file}", mixed.everything, log, mixed.allowed)
    assert any(verdict in said for said in [*found.doubled, *found.lost, *found.wrong]), found


def test_the_judge_misses_a_body_and_sees_one_too_many(tmp_path: Path) -> None:
    file, log = tmp_path / "x.db", tmp_path / "log"
    with mixed.noted(log):
        asyncio.run(mixed.main(f"sqlite:///{file}", 4, 1))
    first, *others = log.read_text().splitlines()
    log.write_text("\n".join(others))
    found = audit(f"sqlite:///{file}", mixed.everything, log, mixed.allowed)
    assert found.lost == [f"{first.split()[0]} completed, but no body ran"]
    log.write_text("\n".join([first, *others, "other/task/1 77"]))
    found = audit(f"sqlite:///{file}", mixed.everything, log, mixed.allowed)
    assert found.doubled == ["a body ran for other/task/1, which no history began"]
