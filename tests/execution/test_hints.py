"""Hints between engines: others look at once, and a connection that is lost loses nothing."""

from __future__ import annotations

import asyncio
import logging

import pytest
import sqlalchemy as sa

from petriflow import Engine, Workflow
from petriflow.execution import notify, orders
from petriflow.execution.notify import Link, Postgres, Silent
from petriflow.execution.store import open_store
from petriflow.patterns import event, sequence

from .test_engine import step, until


class Heard:
    """What a notifier was told of, by whom it may be waited for."""

    def __init__(self) -> None:
        self.topics: list[str] = []

    def __call__(self, topic: str) -> None:
        self.topics.append(topic)

    async def next(self, topic: str) -> None:
        await until(lambda: topic in self.topics)


def cut(url: str) -> None:
    """End all connections for hints, as a restart of the server would."""
    engine = sa.create_engine(url)
    with engine.begin() as connection:
        connection.execute(
            sa.text(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE application_name = 'petriflow hints' AND datname = current_database()"
            )
        )
    engine.dispose()


def notifier(url: str) -> Postgres:
    store = open_store(url)
    made = store.notifier()
    store.close()
    assert isinstance(made, Postgres)
    return made


@pytest.mark.promise("STORE-13")
async def test_a_hint_is_heard_by_the_others_and_not_by_its_giver(database: str) -> None:
    one, other, heard, own = notifier(database), notifier(database), Heard(), Heard()
    one.open(own)
    other.open(heard)
    try:
        await until(lambda: one.up and other.up)
        one.hint("order 1")
        one.hint("case 2")
        await heard.next("case 2")
        assert heard.topics == [notify.ALL, "order 1", "case 2"]
        assert own.topics == [notify.ALL]
        for n in range(notify.MOST + 1):
            one.hint(f"case {n}")
        one.hint("answer 3")
        await heard.next("answer 3")
        assert heard.topics[3:] == ["case *", "answer 3"]
    finally:
        await one.close()
        await other.close()


@pytest.mark.promise("STORE-13")
async def test_a_lost_connection_is_told_once_and_made_again(
    database: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "petriflow")
    one, other, heard = notifier(database), notifier(database), Heard()
    one.open(Heard())
    other.open(heard)
    try:
        await until(lambda: one.up and other.up)
        await asyncio.to_thread(cut, database)
        await until(lambda: heard.topics == [notify.ALL] * 2 and one.up)  # it may have missed some
        one.hint("order 1")
        await heard.next("order 1")
    finally:
        await one.close()
        await other.close()
    said = [r.message for r in caplog.records]
    assert sum("cannot be reached" in line for line in said) == 2  # once each
    assert sum("again" in line for line in said) == 2


async def test_what_cannot_be_reached_is_told_once_and_keeps_nobody_waiting(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(notify, "QUICK", 0.001)
    attempts: list[None] = []

    class Nowhere(Link):
        name = "nowhere"

        async def connected(self) -> None:
            attempts.append(None)
            raise OSError("nobody is there")

    link = Nowhere()
    link.open(Heard())
    link.hint("order 1")
    await until(lambda: len(attempts) > 3)
    await link.close()
    assert [r.message for r in caplog.records] == [
        "nowhere cannot be reached (nobody is there); it goes on without"
    ]


@pytest.mark.promise("STORE-13")
async def test_by_hints_alone_an_order_is_passed_on_and_an_end_is_told(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def only_renew(engine: Engine) -> None:
        while True:
            await asyncio.sleep(1)
            await engine._renew()

    monkeypatch.setattr(orders, "QUICK", 60.0)  # so that nobody looks but for a hint
    monkeypatch.setattr(Engine, "_keep_leases", only_renew)
    busy = asyncio.Event()

    async def hold(case: object) -> None:
        await busy.wait()

    held = Workflow("held", sequence(hold, event("end")))
    async with (
        Engine(database, workflows=[held]) as one,
        Engine(database, workflows=[held]) as other,
    ):
        await until(lambda: one._notifier.up and other._notifier.up)  # type: ignore[attr-defined]
        mine = await one.start(held)  # has a body, so that the other one passes its orders on
        assert await asyncio.wait_for(other.signal(mine.id, "end"), 20)
        waits = asyncio.create_task((await other.case(mine.id)).wait())
        await until(lambda: mine.id in other._watched)
        busy.set()
        assert (await asyncio.wait_for(waits, 20)).completed


async def test_whoever_begins_to_wait_for_a_case_that_has_ended_elsewhere_is_told_at_once(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    flow = Workflow("w", sequence(event("go"), step("a")))

    async def only_renew(engine: Engine) -> None:
        while True:
            await asyncio.sleep(1)
            await engine._renew()

    monkeypatch.setattr(Engine, "_keep_leases", only_renew)
    monkeypatch.setattr(notify.Link, "open", lambda link, heard: None)  # and no hint comes
    monkeypatch.setattr(notify.Link, "close", Silent.close)
    async with Engine(database, workflows=[flow]) as one, Engine(database, workflows=[flow]) as two:
        mine = await one.start(flow)
        await two.signal(mine.id, "go")
        assert (await (await two.case(mine.id)).wait()).completed
        assert (await asyncio.wait_for(mine.wait(), 20)).completed
