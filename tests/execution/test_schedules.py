"""Schedules: cases that begin by the calendar, once, whoever runs and whoever dies."""

from __future__ import annotations

import asyncio
import logging
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from pydantic import BaseModel

from petriflow import Engine, Workflow
from petriflow.execution.schedules import following, latest, new_schedule
from petriflow.execution.store import Schedule
from petriflow.net.errors import DefinitionError, StoreError, VariableError
from petriflow.patterns import event, sequence
from petriflow.testing import VirtualClock

from .test_engine import step, until

flow = Workflow("report", step("a"))
BERLIN = ZoneInfo("Europe/Berlin")
#: a Wednesday
NOW = datetime(2026, 3, 25, 12, tzinfo=BERLIN).timestamp()


def at(moment: float) -> str:
    return datetime.fromtimestamp(moment, BERLIN).strftime("%d.%m. %H:%M %z")


async def begun(engine: Engine) -> list[str]:
    """When cases have begun, the first first."""
    return [at(summary.created_at) for summary in reversed(await engine.list(limit=None))]


@pytest.mark.promise("SCHEDULE-1")
async def test_days_of_a_schedule_pass_in_milliseconds_and_summer_time_is_heeded(
    store: str,
) -> None:
    clock = VirtualClock(NOW, jumps=False)
    async with Engine(store, workflows=[flow], clock=clock) as engine:
        kept = await engine.schedule("nightly", flow, "0 6 * * 1-5", timezone="Europe/Berlin")
        assert at(kept.next_at) == "26.03. 06:00 +0100"
        await clock.advance("8d")
        assert await begun(engine) == [
            "26.03. 06:00 +0100", "27.03. 06:00 +0100",
            "30.03. 06:00 +0200", "31.03. 06:00 +0200", "01.04. 06:00 +0200", "02.04. 06:00 +0200",
        ]  # fmt: skip
        (schedule,) = await engine.schedules()
        assert at(schedule.next_at) == "03.04. 06:00 +0200"
        assert schedule.last_case == (await engine.list())[0].id
        key = "nightly@2026-04-02T06:00:00+02:00"
        assert (await engine.start(flow, key=key)).id == schedule.last_case
        assert await engine.unschedule("nightly")
        assert not await engine.unschedule("nightly")
        await clock.advance("30d")
        assert len(await begun(engine)) == 6


def times(cron: str, start: datetime, number: int) -> list[str]:
    blank = new_schedule("s", flow, cron, None, "Europe/Berlin", start.timestamp())
    found = [blank.next_at]
    while len(found) < number:
        found.append(following(blank, found[-1]))
    return [at(moment) for moment in found]


def test_hours_that_are_left_out_or_come_twice() -> None:
    spring, autumn = (
        datetime(2026, 3, 28, 12, tzinfo=BERLIN),
        datetime(2026, 10, 24, 12, tzinfo=BERLIN),
    )
    assert times("30 2 * * *", spring, 2) == ["29.03. 03:00 +0200", "30.03. 02:30 +0200"]
    assert times("30 2 * * *", autumn, 2) == ["25.10. 02:30 +0200", "26.10. 02:30 +0100"]
    early = datetime(2026, 10, 25, 1, 45, tzinfo=BERLIN)
    assert times("0 * * * *", early, 3) == [
        "25.10. 02:00 +0200", "25.10. 02:00 +0100", "25.10. 03:00 +0100",
    ]  # fmt: skip


@pytest.mark.promise("SCHEDULE-2")
async def test_of_the_times_that_were_missed_the_latest_is_made_up_for(store: str) -> None:
    clock = VirtualClock(NOW, jumps=False)
    async with Engine(store, workflows=[flow], clock=clock) as engine:
        await engine.schedule("hourly", flow, "15 * * * *", timezone="Europe/Berlin")
    late = VirtualClock(NOW + 3 * 86_400 + 1234.5, jumps=False)
    async with Engine(store, workflows=[flow], clock=late) as engine:
        await late.advance("1h")
        keys = [f"hourly@2026-03-28T{hour}:15:00+01:00" for hour in ("12", "13")]
        ids = [(await engine.start(flow, key=key)).id for key in keys]
        assert [s.id for s in reversed(await engine.list())] == ids


def test_the_latest_time_that_was_missed_is_found_without_counting() -> None:
    blank = new_schedule("s", flow, "* * * * *", None, "UTC", 0.0)
    assert (blank.next_at, latest(blank, 60.0), latest(blank, 119.9)) == (60, 60, 60)
    assert latest(blank, 50 * 365.25 * 86_400 + 59) == 50 * 365.25 * 86_400


@pytest.mark.promise("SCHEDULE-1")
async def test_several_engines_begin_each_case_once(database: str) -> None:
    clock = VirtualClock(NOW, jumps=False)

    def engine() -> Engine:
        return Engine(database, workflows=[flow], clock=clock)

    async with engine() as one, engine() as two, engine() as three:
        await one.schedule("often", flow, "*/10 * * * *")
        await until(lambda: clock._due() < 1e10)
        for other in (two, three):
            other._rescheduled.set()
        await clock.advance("2h")
        await asyncio.sleep(0)
        found = await begun(two)
        assert len(found) == len(set(found)) == 12
        assert all(not e._failed for e in (one, two, three))


async def test_a_schedule_of_another_process_is_seen(database: str) -> None:
    clock = VirtualClock(NOW, jumps=False)
    async with Engine(database, workflows=[flow], clock=clock) as one:
        async with Engine(database, workflows=[flow], clock=VirtualClock(NOW, jumps=False)) as two:
            await two.schedule("soon", flow, "1 * * * *", timezone="Europe/Berlin")
        await until(lambda: clock._due() < 1e10)
        await clock.advance("2m")
        assert len(await begun(one)) == 1


@pytest.mark.promise("SCHEDULE-1")
async def test_one_that_died_between_the_case_and_the_row_begins_it_no_second_time(
    store: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = VirtualClock(NOW, jumps=False)
    async with Engine(store, workflows=[flow], clock=clock) as engine:
        await engine.schedule("s", flow, "0 * * * *")

        def die(*_: Any) -> None:
            raise StoreError("gone")

        monkeypatch.setattr(engine._store, "advance_schedule", die)
        await clock.advance("1h")
        assert len(await begun(engine)) == 1
    async with Engine(store, workflows=[flow], clock=clock) as engine:
        await clock.advance("1s")
        await until(lambda: clock._due() < 1e10)
        assert len(await begun(engine)) == 1
        (schedule,) = await engine.schedules()
        assert schedule.next_at > clock.now()
        assert schedule.last_case == (await engine.list())[0].id


async def test_a_schedule_that_is_given_again_goes_on_and_one_that_differs_begins_anew(
    store: str,
) -> None:
    clock = VirtualClock(NOW, jumps=False)
    async with Engine(store, workflows=[flow], clock=clock) as engine:
        first = await engine.schedule("s", flow, "0 6 * * *")
        await clock.advance("1h")
        assert await engine.schedule("s", flow, "0 6 * * *") == first
        changed = await engine.schedule("s", "report", "30 12 * * *", variables={"n": 1})
        assert changed.next_at > clock.now()
        assert list(await engine.schedules()) == [changed]
        await clock.advance("1d")
        (summary,) = await engine.list()
        assert (await engine.outcome(summary.id)).variables == {"n": 1}


async def test_variables_have_the_types_of_the_model_and_are_not_shown(store: str) -> None:
    class Model(BaseModel):
        model_config = {"strict": True}
        since: datetime
        password: str

    seen: list[Any] = []

    async def body(case: Any) -> None:
        seen.append(case.variables.since)

    typed = Workflow("typed", body, variables=Model, secret=["password"])
    clock = VirtualClock(NOW, jumps=False)
    async with Engine(store, workflows=[typed], clock=clock) as engine:
        since = datetime(2026, 1, 1, tzinfo=UTC)
        with pytest.raises(VariableError, match="does not fit Model"):
            await engine.schedule("s", typed, "* * * * *", variables={"since": 1, "password": ""})
        kept = await engine.schedule(
            "s", typed, "* * * * *", variables={"since": since, "password": "swordfish"}
        )
        calendar = await engine.schedules()
        for text in (repr(kept), str(calendar), repr(calendar), calendar._repr_html_()):
            assert "swordfish" not in text
        assert "s     typed     * * * * *  UTC" in str(calendar)
        await clock.advance("1m")
        await until(lambda: seen == [since])


@pytest.mark.promise("SCHEDULE-3")
@pytest.mark.parametrize(
    ("cron", "why"),
    [
        ("x", "no cron expression of five fields; write minute, hour"),
        ("* * * * * *", "no cron expression of five fields"),
        ("61 * * * *", r"is no cron expression \(Bad minute\)"),
        ("0 0 30 2 *", r"is no cron expression \(Bad day-of-month\)"),
        (None, "no cron expression of five fields"),
    ],
)
async def test_an_expression_that_cannot_be_read_is_refused(cron: Any, why: str) -> None:
    async with Engine("sqlite://", workflows=[flow]) as engine:
        with pytest.raises(DefinitionError, match=why):
            await engine.schedule("s", flow, cron)
        assert len(await engine.schedules()) == 0


@pytest.mark.promise("SCHEDULE-3")
@pytest.mark.parametrize("timezone", ["Nowhere/Else", "Europe", "../x", "", None])
async def test_an_unknown_time_zone_is_refused(timezone: Any) -> None:
    async with Engine("sqlite://", workflows=[flow]) as engine:
        with pytest.raises(DefinitionError, match=r"there is no time zone .* such as 'Europe/Ber"):
            await engine.schedule("s", flow, "* * * * *", timezone=timezone)


async def test_what_else_is_refused() -> None:
    async with Engine("sqlite://", workflows=[flow]) as engine:
        with pytest.raises(DefinitionError, match="this engine does not run 'other'"):
            await engine.schedule("s", "other", "* * * * *")
        with pytest.raises(DefinitionError, match="name is a text that is not empty"):
            await engine.schedule("", flow, "* * * * *")


async def test_a_schedule_whose_variables_fit_no_more_is_told_of_and_stops_no_other(
    store: str, caplog: pytest.LogCaptureFixture
) -> None:
    class Model(BaseModel):
        n: int

    clock = VirtualClock(NOW, jumps=False)
    async with Engine(store, workflows=[flow], clock=clock) as engine:
        await engine.schedule("bad", flow, "* * * * *")
        await engine.schedule("good", flow, "*/2 * * * *", variables={"n": 1})
    typed = Workflow("report", step("a"), variables=Model)
    async with Engine(store, workflows=[typed], clock=clock) as engine:
        await clock.advance("4m")
        assert len(await begun(engine)) == 2
    errors = [r.getMessage() for r in caplog.records if r.levelno == logging.ERROR]
    assert len(errors) == 4
    assert "schedule 'bad' began no case for bad@2026-03-25T11:01:00+00:00: " in errors[0]


async def test_schedules_of_workflows_that_an_engine_does_not_run_wait(store: str) -> None:
    clock = VirtualClock(NOW, jumps=False)
    other = Workflow("other", sequence(event("go"), step("a")))
    async with Engine(store, workflows=[flow], clock=clock) as engine:
        await engine.schedule("s", flow, "0 * * * *")
    async with Engine(store, workflows=[other], clock=clock) as engine:
        await clock.advance("1d")
        assert await engine.list() == ()
        (schedule,) = await engine.schedules()
        assert isinstance(schedule, Schedule)
        assert schedule.next_at < clock.now()
