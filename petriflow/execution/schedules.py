"""Schedules: cases that begin by the calendar.

A schedule is a row with the moment at which it is due next. Every engine that has its workflow
looks, in a loop of its own, for what is due. It starts the case under a key made of the schedule's
name and that moment, and moves the row on afterwards: however many engines do so, and wherever one
of them dies, the case is begun once.
"""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, overload
from zoneinfo import ZoneInfo

from petriflow.analysis.display import Listing
from petriflow.execution.starting import Starting
from petriflow.execution.store import Schedule
from petriflow.net.errors import DefinitionError, PetriflowError, StoreError, UnknownCase
from petriflow.workflow import Workflow

log = logging.getLogger("petriflow")

#: Seconds after which is looked for schedules that others have added or taken away.
LOOK = 1.0


@dataclass(frozen=True, slots=True, repr=False)
class Calendar(Listing, Sequence[Schedule]):
    """Schedules, the next to come first; it shows itself as a table."""

    schedules: tuple[Schedule, ...]

    @overload
    def __getitem__(self, index: int) -> Schedule: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[Schedule, ...]: ...
    def __getitem__(self, index: int | slice) -> Schedule | tuple[Schedule, ...]:
        return self.schedules[index]

    def __len__(self) -> int:
        return len(self.schedules)

    @property
    def title(self) -> str:
        """How many there are, in a line."""
        return "1 schedule" if len(self) == 1 else f"{len(self) or 'no'} schedules"

    @property
    def headings(self) -> tuple[str, ...]:
        """The columns of the table."""
        return ("name", "workflow", "cron", "time zone", "next", "last case")

    def rows(self) -> Iterator[tuple[str, ...]]:
        """The schedules, one by one; times are those of their zones."""
        for s in self.schedules:
            at = datetime.fromtimestamp(s.next_at, zone(s.timezone)).strftime("%Y-%m-%d %H:%M:%S%z")
            yield s.name, s.workflow, s.cron, s.timezone, at, s.last_case or ""

    def __repr__(self) -> str:
        return f"<{self.title}>"


class Schedules(Starting):
    """The side of `Engine` that begins cases by the calendar."""

    _rescheduled: asyncio.Event
    #: what could not be begun, and is not tried again by this engine
    _failed: set[tuple[str, float]]

    async def schedule(
        self,
        name: str,
        workflow: Workflow | str,
        cron: str,
        *,
        variables: Mapping[str, Any] | None = None,
        timezone: str = "UTC",
    ) -> Schedule:
        """Have a case begin again and again; by whichever engine that has its workflow.

        A schedule of the same name is replaced; given again as it is, it goes on. Where no engine
        was running when it was due, once or often, one case begins as soon as there is one, for the
        latest of these times. The case of a time has the key `name@time`, such as
        `nightly@2026-11-25T06:00:00+01:00`.

        Args:
            name: what it is called.
            workflow: one of the engine's workflows, or its name; its cases begin in the version of
                the engine that begins them.
            cron: minute, hour, day of month, month and day of week, such as `"0 6 * * 1-5"`.
            variables: what each case begins with; by default the workflow's example.
            timezone: the IANA name of the time zone that the expression means. As with Debian's
                cron, what falls in the hour that summer time leaves out begins right after it, and
                what falls in the hour that comes twice begins once, unless it begins every hour.

        Raises:
            DefinitionError: the name is empty, the expression cannot be read or never comes, there
                is no such time zone, or the engine was not given this workflow.
            VariableError: the variables cannot be stored or do not fit the model.
        """
        self._check_open()
        found = self._find(workflow)
        made = new_schedule(name, found, cron, variables, timezone, self._clock.now())
        kept = await self._in_writer(self._store.keep_schedule, made)
        self._rescheduled.set()
        return kept

    async def unschedule(self, name: str) -> bool:
        """Have no further case begin by a schedule; whether there was one of this name."""
        self._check_open()
        return await self._in_writer(self._store.remove_schedule, name)

    async def schedules(self) -> Calendar:
        """The schedules of the store, the next to come first."""
        self.check()
        return Calendar(tuple(await self._in_writer(self._store.schedules)))

    async def _keep_schedules(self) -> None:
        """Begin whatever comes due, for ever."""
        while True:
            self._rescheduled.clear()
            due = math.inf
            try:
                due = await self._begin_due()
            except StoreError as error:  # a commit that needs the store will tell; else it passes
                log.warning("schedules were not looked at: %s", error)
                await asyncio.sleep(LOOK)
            except Exception:  # an engine without this loop would begin nothing
                log.exception("schedules were not looked at")
                await asyncio.sleep(LOOK)
            waits: list[asyncio.Future[Any]] = [asyncio.ensure_future(self._rescheduled.wait())]
            if due < math.inf:
                pause = max(0.0, due - self._clock.now())
                waits.append(asyncio.ensure_future(self._clock.sleep(pause)))
            if self._store.lease is not None:  # others may change the schedules
                waits.append(asyncio.ensure_future(asyncio.sleep(LOOK)))
            try:
                await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for one in waits:
                    one.cancel()

    async def _begin_due(self) -> float:
        """Begin the cases that are due; the answer is when the next one will be."""
        names = [workflow.name for workflow in self._workflows.values()]
        kept = await self._in_writer(self._store.schedules, names)
        now, first = self._clock.now(), math.inf
        for schedule in kept:
            at, later = schedule.next_at, schedule.next_at
            if at <= now:
                at = latest(schedule, now)
                later = following(schedule, now)
                if (schedule.name, at) not in self._failed:
                    await self._begin(schedule, at, later)
            first = min(first, later)
        return first

    async def _begin(self, schedule: Schedule, at: float, later: float) -> None:
        """Begin the case of a moment, once, and move the schedule on."""
        key = f"{schedule.name}@{moment(at, schedule.timezone).isoformat()}"
        workflow = self._find(schedule.workflow)
        try:
            schema = workflow.schema
            given = schema.mapping(schema.view(schedule.variables))
            id = (await self.start(workflow, given, key=key)).id
        except UnknownCase:  # begun, by an engine with another version
            known = await self._in_writer(self._store.keyed, workflow.name, key)
            id = known or ""
        except StoreError:
            raise
        except PetriflowError as error:
            self._failed.add((schedule.name, at))
            log.error("schedule %r began no case for %s: %s", schedule.name, key, error)
            return
        await self._in_writer(self._store.advance_schedule, schedule, later, id)


def new_schedule(
    name: str,
    workflow: Workflow,
    cron: str,
    variables: Mapping[str, Any] | None,
    timezone: str,
    now: float,
) -> Schedule:
    """A schedule that has been looked at; raises as `Engine.schedule`."""
    if not isinstance(name, str) or not name:
        raise DefinitionError(f"a schedule's name is a text that is not empty, not {name!r}")
    given = workflow.schema.initial(workflow.example if variables is None else variables)
    blank = Schedule(name, workflow.name, cron, timezone, given, now, now)
    return Schedule(name, workflow.name, cron, timezone, given, now, following(blank, now))


def following(schedule: Schedule, after: float) -> float:
    """When a schedule is due first after a moment."""
    return _times(schedule, moment(after, schedule.timezone), False)


def latest(schedule: Schedule, now: float) -> float:
    """When a schedule that is due was last due, until now: what was missed before is let be."""
    soon = moment(math.floor(now / 60) * 60 + 60, schedule.timezone)
    return max(schedule.next_at, _times(schedule, soon, True))


def _times(schedule: Schedule, start: datetime, back: bool) -> float:
    """The first time after a moment, or the last before it.

    Raises:
        DefinitionError: the expression cannot be read, or never comes.
    """
    from cronsim import CronSim, CronSimError

    told = f"schedule {schedule.name!r}: {schedule.cron!r}"
    remedy = (
        "write minute, hour, day of month, month and day of week, such as '0 6 * * 1-5' for six "
        "o'clock on workdays"
    )
    cron = schedule.cron
    if not isinstance(cron, str) or len(cron.split()) != 5:
        raise DefinitionError(f"{told} is no cron expression of five fields; {remedy}")
    try:
        times = CronSim(cron, start, reverse=back)
    except CronSimError as error:
        raise DefinitionError(f"{told} is no cron expression ({error}); {remedy}") from None
    with suppress(StopIteration):
        return next(times).timestamp()
    raise DefinitionError(f"{told} never comes; {remedy}")


def moment(at: float, timezone: str) -> datetime:
    """A moment as the clocks of a time zone show it."""
    return (datetime.fromtimestamp(0, UTC) + timedelta(seconds=at)).astimezone(zone(timezone))


def zone(name: str) -> ZoneInfo:
    """A time zone; raises DefinitionError."""
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError, TypeError):
        raise DefinitionError(
            f"there is no time zone {name!r}; write an IANA name, such as 'Europe/Berlin' or 'UTC'"
        ) from None
