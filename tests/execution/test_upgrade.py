"""Stores of older versions are brought up to date, and go on."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from petriflow import Engine
from petriflow.execution.store import open_store, schema
from petriflow.execution.store.upgrade import FOLDER, upgrade
from petriflow.net import Marking, replay
from petriflow.testing import VirtualClock

from . import kept, kept_4
from .audit import audit
from .test_postgres import rows
from .test_store import url

STORES = Path(__file__).parent / "stores"


def old_store(file: Path, name: str = "version_1.sql") -> str:
    with closing(sqlite3.connect(file)) as db:
        db.executescript((STORES / name).read_text("utf-8"))
    return url(file)


def tables(file: Path) -> dict[str, Any]:
    """What SQLite itself says of the tables, without the order of columns and Alembic's own."""
    with closing(sqlite3.connect(file)) as db:
        names = [n for (n,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        return {
            name: (
                {row[1:] for row in db.execute(f"PRAGMA table_info({name})")},
                {row[2:5] for row in db.execute(f"PRAGMA foreign_key_list({name})")},
                {row[1] for row in db.execute(f"PRAGMA index_list({name})")},
            )
            for name in names
            if name != schema.REVISIONS
        }


@pytest.mark.promise("STORE-2")
@pytest.mark.promise("STORE-11")
async def test_cases_that_the_first_version_left_go_on_to_their_ends(tmp_path: Path) -> None:
    store = old_store(tmp_path / "x.db")
    kept.go.set()
    async with Engine(store, workflows=[kept.claim, kept.check]) as engine:
        (case,) = await engine.open_cases()
        assert case.variables["amount"] == "99.90"
        (called,) = (id for id in engine._handles if id != case.id)
        assert await engine.signal(called, "checked")
        assert await engine.signal(case, "answered")
        outcome = await case.wait()
        assert outcome.completed, outcome.error
        assert set(outcome.variables["seen"]) == {"begin", "thank", "work", "end"}
        history = await engine.history(case.id)
    fired = [t for record in history for t in record.fired]
    *_, last = replay(kept.claim.expanded, fired)
    assert last == Marking({kept.claim.expanded.sink.id: 1})
    assert [record.seq for record in history] == list(range(1, len(history) + 1))


def ends(*statuses: str) -> Any:
    """How the cases of a store may stand, whatever their workflow and variables."""
    return lambda workflow, variables: statuses


@pytest.mark.promise("STORE-2")
@pytest.mark.promise("STORE-11")
async def test_open_cases_of_every_kind_that_version_4_left_go_on_to_their_ends(
    tmp_path: Path,
) -> None:
    store = old_store(tmp_path / "x.db", "version_4.sql")
    open_store(store).close()
    found = audit(store, kept_4.flows, None, ends("running", "suspended", "completed"))
    assert found.clean(), str(found)  # its events lead to its states by today's rules, too
    assert found.ends == {"running": 7, "suspended": 2, "completed": 1}
    keys = dict(rows(store, "SELECT key, case_id FROM keys"))
    kept.go.set()
    kept_4.go.set()
    clock = VirtualClock(now=kept_4.BEGAN + 60, jumps=False)
    async with Engine(store, workflows=kept_4.flows, clock=clock) as engine:
        # what was begun and told under keys is known
        assert (await engine.start(kept.check, {"amount": "1"}, key="the first")).status == (
            "completed"
        )
        # an incident is tried again, and a task that is given up is undone
        await engine.retry(keys["incident"])
        await engine.signal(keys["incident"], "travelled")
        given_up = await engine.case(keys["given up"])
        assert (await given_up.wait()).status == "cancelled"
        # people: one item is offered, one is claimed
        work = {item.task: item for item in await engine.work()}
        assert {task: item.holder for task, item in work.items()} == {
            "paper/review": None,
            "paper/sign": "carl",
        }
        await engine.claim(work["paper/review"], by="ada", roles="reviewer")
        await engine.complete_task(work["paper/review"], {"ok": True}, by="ada", roles="reviewer")
        await engine.complete_task(work["paper/sign"], by="carl", roles="boss")
        # events that are told by what they are about, one of them before its case began
        assert await engine.tell("payment", about=7) == keys["order 7"]
        eight = await engine.start(kept_4.order, {"order_id": 8})
        assert (await eight.wait()).variables["by"] == "ada"
        # a suspended case, one that waits, and the cases that they call
        assert await engine.resume(keys["held"])
        for name in ("held", "open"):
            (called,) = rows(store, f"SELECT id FROM cases WHERE parent = '{keys[name]}'")[0]
            assert await engine.signal(called, "checked")
        assert await engine.signal(keys["held"], "answered")
        await clock.advance("7d")  # nobody answers the other; and the schedule has come due
        for name in ("incident", "paper", "order 7", "routes", "held", "open"):
            outcome = await (await engine.case(keys[name])).wait()
            assert outcome.completed, (name, outcome)
        assert "remind" in (await engine.outcome(keys["open"])).variables["seen"]
        nightly = rows(store, "SELECT key, case_id FROM keys WHERE key LIKE 'nightly@%'")
        assert len(nightly) == 7
        for _, id in nightly:
            assert await engine.tell("payment", about=99) in {case for _, case in nightly}, id
    found = audit(store, kept_4.flows, None, ends("completed", "cancelled"))
    assert found.clean(), str(found)
    assert found.ends == {"completed": 17, "cancelled": 1}


@pytest.mark.promise("STORE-11")
def test_an_old_file_is_brought_up_to_date_in_place_and_keeps_its_rows(tmp_path: Path) -> None:
    store = old_store(tmp_path / "old.db")
    with closing(sqlite3.connect(tmp_path / "old.db")) as db:
        before = db.execute("SELECT * FROM events ORDER BY case_id, seq").fetchall()
    open_store(store).close()
    open_store(store).close()  # and is left alone the next time
    with closing(sqlite3.connect(tmp_path / "old.db")) as db:
        assert db.execute("SELECT * FROM events ORDER BY case_id, seq").fetchall() == before
        assert db.execute("PRAGMA user_version").fetchone() == (schema.VERSION,)
        assert db.execute("PRAGMA foreign_key_check").fetchall() == []
    open_store(url(tmp_path / "new.db")).close()
    assert tables(tmp_path / "old.db") == tables(tmp_path / "new.db")


def test_the_migrations_make_the_tables_that_the_code_knows(tmp_path: Path) -> None:
    engine = sa.create_engine(url(tmp_path / "x.db"))
    with engine.begin() as connection:
        upgrade(connection)
        context = MigrationContext.configure(
            connection, opts={"version_table": schema.REVISIONS, "compare_type": True}
        )
        assert context.get_current_revision() == f"{schema.VERSION:04d}"
        assert compare_metadata(context, schema.metadata) == []
    engine.dispose()
    assert len(list(FOLDER.glob("v*.py"))) == schema.VERSION


def test_an_upgrade_that_fails_leaves_the_file_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = old_store(tmp_path / "x.db")

    def half(connection: sa.Connection, since: int) -> None:
        upgrade(connection, since)
        raise KeyboardInterrupt

    before = tables(tmp_path / "x.db")
    monkeypatch.setattr("petriflow.execution.store.sqlite.upgrade", half)
    with pytest.raises(KeyboardInterrupt):
        open_store(store)
    assert tables(tmp_path / "x.db") == before
    monkeypatch.undo()
    open_store(store).close()
