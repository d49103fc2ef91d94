"""The work lists of people: what is on offer, and who holds what."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import sqlalchemy as sa

from petriflow.execution.store import schema


@dataclass(frozen=True, slots=True)
class WorkItem:
    """A task of a case that waits for a person. The times are in seconds since 1970.

    `task` is the task's id in its workflow, `instance` its number where several run at once.
    """

    id: str
    case_id: str
    workflow: str
    task: str
    role: str
    holder: str | None
    offered_at: float
    claimed_at: float | None
    instance: int | None = None


@dataclass(frozen=True, slots=True)
class WhichWork:
    """Which items to list; what is `None` is not asked for."""

    roles: tuple[str, ...] | None = None
    holder: str | None = None
    workflow: str | None = None
    case_id: str | None = None
    limit: int | None = 100
    ids: Sequence[str] | None = None


_table = schema.work_items.c
COLUMNS = [_table[field.name] for field in fields(WorkItem)]


def work_items(connection: sa.Connection, which: WhichWork) -> list[WorkItem]:
    """The items, those that have waited longest first."""
    query = sa.select(*COLUMNS)
    for column, wanted in (
        (_table.holder, which.holder),
        (_table.workflow, which.workflow),
        (_table.case_id, which.case_id),
    ):
        if wanted is not None:
            query = query.where(column == wanted)
    if which.roles is not None:
        query = query.where(_table.role.in_(which.roles))
    if which.ids is not None:
        query = query.where(_table.id.in_(which.ids))
    query = query.order_by(_table.offered_at, _table.id).limit(which.limit)
    return [WorkItem(**row) for row in connection.execute(query).mappings()]


def values(item: WorkItem) -> tuple[object, ...]:
    """The values of a row, in the order of the table's columns."""
    return tuple(getattr(item, column.name) for column in schema.work_items.columns)
