"""Many cases at once: summaries of them, and the removal of old ones."""

from __future__ import annotations

from dataclasses import dataclass, fields

import sqlalchemy as sa

from petriflow.execution.store import schema


@dataclass(frozen=True, slots=True)
class Summary:
    """A case in a line. The times are in seconds since 1970, `updated_at` that of its last event.

    `pandas.DataFrame(summaries)` makes a table of a list of them.
    """

    id: str
    workflow: str
    status: str
    created_at: float
    updated_at: float
    error: str | None


@dataclass(frozen=True, slots=True)
class Which:
    """Which cases to list: those in a state, of a workflow, begun since a time; so many at most."""

    status: str | None = None
    workflow: str | None = None
    since: float | None = None
    limit: int | None = 100


@dataclass(frozen=True, slots=True)
class OpenIncident:
    """Where a case waits for a person: at which choice or task, why, and since when.

    `incident` names it: the choice, or the firing of the task. `since` is in seconds since 1970.
    """

    case_id: str
    workflow: str
    incident: str
    element: str
    kind: str
    error: str
    since: float


def incidents(
    connection: sa.Connection, workflow: str | None, limit: int | None
) -> list[OpenIncident]:
    """Where cases wait for a person, the oldest first."""
    table, cases = schema.incidents.c, schema.cases.c
    query = sa.select(
        table.case_id, cases.workflow, table.incident, table.element, table.kind, table.error,
        table.since,
    ).join(schema.cases, cases.id == table.case_id)  # fmt: skip
    if workflow is not None:
        query = query.where(cases.workflow == workflow)
    query = query.order_by(table.since, table.case_id, table.incident).limit(limit)
    return [OpenIncident(**row) for row in connection.execute(query).mappings()]


def summaries(connection: sa.Connection, which: Which) -> list[Summary]:
    """The cases that were started and not called by others, the newest first."""
    table = schema.cases.c
    query = sa.select(*(table[field.name] for field in fields(Summary)))
    query = query.where(table.parent.is_(None))
    if which.status is not None:
        query = query.where(table.status == which.status)
    if which.workflow is not None:
        query = query.where(table.workflow == which.workflow)
    if which.since is not None:
        query = query.where(table.created_at >= which.since)
    query = query.order_by(table.created_at.desc(), table.id.desc()).limit(which.limit)
    return [Summary(**row) for row in connection.execute(query).mappings()]


def purge(connection: sa.Connection, before: float) -> int:
    """Remove the cases that ended before a time, with those that they called and all that is
    stored of them; how many were started ones. Messages go that were told before that time.
    """
    cases = schema.cases
    connection.execute(sa.delete(schema.messages).where(schema.messages.c.at < before))
    ended = (
        sa.select(cases.c.id)
        .where(cases.c.parent.is_(None), cases.c.updated_at < before)
        .where(cases.c.status.not_in(("created", *schema.OPEN)))
    )
    count = connection.execute(sa.select(sa.func.count()).select_from(ended.subquery()))
    number: int = count.scalar_one()
    family = ended.cte("family", recursive=True)
    family = family.union(sa.select(cases.c.id).join(family, cases.c.parent == family.c.id))
    gone = [row.id for row in connection.execute(sa.select(family.c.id))]
    for start in range(0, len(gone), 500):  # a statement holds so many parameters, no more
        some = gone[start : start + 500]
        for table in reversed(schema.metadata.sorted_tables):
            if "case_id" in table.c:
                connection.execute(sa.delete(table).where(table.c.case_id.in_(some)))
        connection.execute(sa.delete(cases).where(cases.c.id.in_(some)))
    return number
