"""What begins by the calendar: the schedules that a store keeps."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any

import sqlalchemy as sa

from petriflow.execution.store import schema
from petriflow.workflow.variables import Data


@dataclass(frozen=True, slots=True)
class Schedule:
    """A case that begins again and again, by a cron expression in a time zone.

    `next_at` is when it is due next, in seconds since 1970, `last_case` the case that it began
    last. The variables are not shown, since some may be secret.
    """

    name: str
    workflow: str
    cron: str
    timezone: str
    variables: Data = field(repr=False)
    created_at: float
    next_at: float
    last_case: str | None = None


_table = schema.schedules.c
COLUMNS = [_table[f.name] for f in fields(Schedule)]


def schedules(
    connection: sa.Connection, workflows: Collection[str] | None = None
) -> list[Schedule]:
    """All that are kept, or those of these workflows, the next to come first."""
    query = sa.select(*COLUMNS).order_by(_table.next_at, _table.name)
    if workflows is not None:
        query = query.where(_table.workflow.in_(list(workflows)))
    return [Schedule(**row) for row in connection.execute(query).mappings()]


def keep(connection: sa.Connection, insert: Any, schedule: Schedule) -> Schedule:
    """Keep a schedule in place of the one of its name. One that says the same goes on as it was:
    whoever gives it again at every start of a program loses no time that is due.
    """
    query = sa.select(*COLUMNS).where(_table.name == schedule.name)
    row = connection.execute(query).mappings().one_or_none()
    if row is not None:
        before = Schedule(**row)
        same = replace(
            schedule,
            created_at=before.created_at,
            next_at=before.next_at,
            last_case=before.last_case,
        )
        if same == before:
            return before
    values = asdict(schedule)
    statement = insert(schema.schedules).values(values)
    connection.execute(statement.on_conflict_do_update(index_elements=["name"], set_=values))
    return schedule


def remove(connection: sa.Connection, name: str) -> bool:
    """Remove a schedule; whether there was one. The cases that it began are kept."""
    gone = connection.execute(sa.delete(schema.schedules).where(_table.name == name))
    return gone.rowcount > 0


def advance(connection: sa.Connection, schedule: Schedule, next_at: float, case: str) -> None:
    """Note that a schedule has begun a case, unless it was changed or another engine has done it
    meanwhile.
    """
    was = sa.update(schema.schedules).where(
        _table.name == schedule.name, _table.next_at == schedule.next_at
    )
    connection.execute(was.values(next_at=next_at, last_case=case))
