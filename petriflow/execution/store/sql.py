"""What the stores have in common: one set of statements, through SQLAlchemy Core."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass, fields
from typing import Any

import orjson  # a case's state is written at every commit; four times as fast as json
import sqlalchemy as sa

from petriflow.execution.notify import Notifier, Silent
from petriflow.execution.store import calendar, messages, schema
from petriflow.execution.store.calendar import Schedule
from petriflow.execution.store.listing import (
    OpenIncident,
    Summary,
    Which,
    incidents,
    purge,
    summaries,
)
from petriflow.execution.store.store import Batch, Message, Order, Record, StoredCase
from petriflow.execution.store.versions import Definition, definitions, forget
from petriflow.execution.store.work import COLUMNS, WhichWork, WorkItem, values, work_items
from petriflow.net.errors import UnknownCase
from petriflow.workflow.variables import Data

#: the columns of a case that its engine knows
CASE = [schema.cases.c[field.name] for field in fields(StoredCase)]
cases = schema.cases.c
# In the words of the partial indexes, so that a planner knows that they will do.
OPEN = sa.text("cases.status IN ('running', 'suspended')")
ACTIVE = sa.text("cases.status IN ('running', 'suspended') AND cases.active")


def stored(rows: sa.CursorResult[Any]) -> list[StoredCase]:
    """The cases of rows of the columns `CASE`."""
    return [StoredCase(**row) for row in rows.mappings()]


class SqlStore:
    """Cases in a database that SQLAlchemy is connected to."""

    #: the dialect's own `insert`, which knows ON CONFLICT
    _insert: Callable[[sa.Table], Any]
    #: `column IN values`, for any number of values
    _among: Callable[[sa.ColumnElement[str], Collection[str]], sa.ColumnElement[bool]]
    _engine: sa.Engine
    _name: str
    _statements: Statements
    #: the definitions that this engine has
    _defined: dict[str, tuple[str, Data, float]]
    #: the name of the engine that uses the store, for the cases that it has
    engine: str

    def close(self) -> None:
        self._engine.dispose()

    def notifier(self) -> Notifier:
        return Silent()

    def define(self, hash: str, name: str, document: Data, now: float) -> None:
        row = {"hash": hash, "name": name, "document": document, "created_at": now}
        with self._transaction() as connection:
            connection.execute(self._insert(schema.definitions).on_conflict_do_nothing(), row)
        self._defined[hash] = name, document, now

    def definition(self, hash: str) -> Data:
        query = sa.select(schema.definitions.c.document).where(schema.definitions.c.hash == hash)
        with self._transaction() as connection:
            found: Data = connection.execute(query).scalar_one()
        return found

    def definitions(self) -> list[Definition]:
        with self._transaction() as connection:
            return definitions(connection)

    def cases(self, ids: Collection[str]) -> dict[str, StoredCase]:
        with self._transaction() as connection:
            query = sa.select(*CASE).where(self._among(cases.id, ids))
            found = {case.id: case for case in stored(connection.execute(query))}
        return {id: found[id] if id in found else self.case(id) for id in ids}

    def work_of(self, ids: Collection[str]) -> list[WorkItem]:
        with self._transaction() as connection:
            query = sa.select(*COLUMNS).where(self._among(schema.work_items.c.case_id, ids))
            return [WorkItem(**row) for row in connection.execute(query).mappings()]

    def of_definition(self, hash: str) -> list[str]:
        query = sa.select(cases.id).where(OPEN, cases.definition == hash)
        with self._transaction() as connection:
            return list(connection.execute(query.order_by(cases.created_at, cases.id)).scalars())

    def forget(self, hash: str) -> Definition:
        with self._transaction() as connection:
            return forget(connection, hash)

    def schedules(self, workflows: Collection[str] | None = None) -> list[Schedule]:
        with self._transaction() as connection:
            return calendar.schedules(connection, workflows)

    def keep_schedule(self, schedule: Schedule) -> Schedule:
        with self._transaction() as connection:
            return calendar.keep(connection, self._insert, schedule)

    def remove_schedule(self, name: str) -> bool:
        with self._transaction() as connection:
            return calendar.remove(connection, name)

    def advance_schedule(self, schedule: Schedule, next_at: float, case: str) -> None:
        with self._transaction() as connection:
            calendar.advance(connection, schedule, next_at, case)

    def release(self, ids: Collection[str]) -> None:
        mine = sa.update(schema.cases).where(self._among(cases.id, ids))
        with self._transaction() as connection:
            connection.execute(mine.where(cases.owner == self.engine).values(owner=None))

    def commit(self, batch: Batch) -> frozenset[str]:
        with self._transaction() as connection:
            self._write(connection, batch)
        return frozenset()

    def _write(self, connection: sa.Connection, batch: Batch) -> None:
        born = {r.case_id for r in batch.records if r.seq == 1}
        gone = [key for key, due in batch.timers.items() if due is None]
        due = [(*key, at) for key, at in batch.timers.items() if at is not None]
        use = self._statements
        for statement, rows in (
            (use.new_case, [new_case(c, self.engine) for c in batch.cases if c.id in born]),
            (use.old_case, [old_case(c) for c in batch.cases if c.id not in born]),
            (use.move, [(hash, name, id) for id, hash, name in batch.moved]),
            (use.event, [event(r) for r in batch.records]),
            (use.timer, due),
            (use.no_timer, gone),
            (use.told, batch.inbox),
            (use.key, batch.keys),
            (use.answer, [(encode(said), id) for id, (_, said) in batch.answers.items()]),
            (use.no_incident, [*batch.incidents]),
            (use.no_subscription, [*batch.subscriptions]),
            (use.subscription, [(*k, *row) for k, row in batch.subscriptions.items() if row]),
            (use.taken, [message(m) for m in batch.taken]),
            (use.incident, [(*key, *row) for key, row in batch.incidents.items() if row]),
            (use.item, [values(item) for _, item in batch.work.values() if item is not None]),
            (use.no_item, [(id,) for id, (_, item) in batch.work.items() if item is None]),
        ):
            if rows:
                connection.exec_driver_sql(statement, rows)

    def timers(self, of: Collection[str] | None = None) -> dict[tuple[str, str], float]:
        query = sa.select(schema.timers)
        if of is not None:
            query = query.where(self._among(schema.timers.c.case_id, of))
        with self._transaction() as connection:
            rows = connection.execute(query).all()
        return {(row.case_id, row.timer): row.due for row in rows}

    def told(self, case_id: str, key: str) -> bool:
        table = schema.inbox.c
        query = sa.select(table.at).where(table.case_id == case_id, table.key == key)
        with self._transaction() as connection:
            return connection.execute(query).first() is not None

    def keyed(self, workflow: str, key: str) -> str | None:
        table = schema.keys.c
        query = sa.select(table.case_id).where(table.workflow == workflow, table.key == key)
        with self._transaction() as connection:
            return connection.execute(query).scalar_one_or_none()

    @property
    def lease(self) -> float | None:
        return None

    def renew(
        self, definitions: Collection[str], mine: Mapping[str, int]
    ) -> tuple[frozenset[str], list[StoredCase]]:
        return frozenset(), []

    def open_cases(self, definitions: Collection[str]) -> list[StoredCase]:
        with self._transaction() as connection:
            return self._have(connection, ACTIVE, cases.definition.in_(definitions))

    def _have(
        self, connection: sa.Connection, *which: sa.ColumnElement[bool] | sa.TextClause
    ) -> list[StoredCase]:
        """Note that this engine has these cases."""
        have = sa.update(schema.cases).where(*which, cases.owner.is_distinct_from(self.engine))
        connection.execute(have.values(owner=self.engine, fence=cases.fence + 1))
        query = sa.select(*CASE).where(*which).order_by(cases.created_at)
        return stored(connection.execute(query))

    def foreign(self, definitions: Collection[str]) -> list[tuple[str, str, str | None]]:
        query = sa.select(cases.id, cases.workflow, cases.parent)
        with self._transaction() as connection:
            others = sa.select(schema.definitions.c.hash)
            others = others.where(schema.definitions.c.hash.not_in(definitions))
            hashes = connection.execute(others).scalars().all()
            query = query.where(cases.definition.in_(hashes), OPEN)
            return [(row.id, row.workflow, row.parent) for row in connection.execute(query)]

    def acquire(
        self, ids: Collection[str], definitions: Collection[str]
    ) -> tuple[list[StoredCase], list[StoredCase]]:
        with self._transaction() as connection:
            family = together(connection, self._among(cases.id, ids), definitions)
            which = self._among(cases.id, family), OPEN
            mine = sa.select(cases.id).where(*which, cases.owner == self.engine)
            had = set(connection.execute(mine).scalars())
            found = self._have(connection, *which)
        return [c for c in found if c.id in had], [c for c in found if c.id not in had]

    def due(
        self, definitions: Collection[str], before: float, limit: int
    ) -> list[tuple[float, str, str]]:
        timers = schema.timers.c
        query = sa.select(timers.due, timers.case_id, timers.timer).where(timers.due <= before)
        query = self._mine_to_ring(query, definitions).order_by(timers.due).limit(limit)
        with self._transaction() as connection:
            return [(row.due, row.case_id, row.timer) for row in connection.execute(query)]

    def _mine_to_ring(self, query: sa.Select[Any], definitions: Collection[str]) -> sa.Select[Any]:
        return query

    def changed(self, known: Mapping[str, int]) -> list[StoredCase]:
        query = sa.select(*CASE).where(self._among(cases.id, known))
        versions = sa.select(cases.id, cases.version).where(self._among(cases.id, known))
        with self._transaction() as connection:
            new = [id for id, version in connection.execute(versions) if version != known[id]]
            query = sa.select(*CASE).where(self._among(cases.id, new))
            return stored(connection.execute(query)) if new else []

    def counts(self) -> dict[str, int]:
        query = sa.select(cases.workflow, sa.func.count()).where(OPEN).group_by(cases.workflow)
        with self._transaction() as connection:
            return {row[0]: row[1] for row in connection.execute(query)}

    def order(self, order: Order) -> None:
        with self._transaction() as connection:
            connection.execute(sa.insert(schema.orders), asdict(order))

    def answer(self, order: str) -> Data | None:
        query = sa.select(schema.orders.c.answer).where(schema.orders.c.id == order)
        with self._transaction() as connection:
            answer: Data | None = connection.execute(query).scalar_one_or_none()
            return answer

    def open_orders(self, definitions: Collection[str]) -> list[Order]:
        orders = schema.orders
        query = (
            sa.select(*(orders.c[field.name] for field in fields(Order)))
            .join(schema.cases, cases.id == orders.c.case_id)
            .where(orders.c.answer.is_(None), cases.definition.in_(definitions))
            .order_by(orders.c.at)
        )
        with self._transaction() as connection:
            query = query.where(self._may_have(connection))
            return [Order(**row) for row in connection.execute(query).mappings()]

    def _may_have(self, connection: sa.Connection) -> sa.ColumnElement[bool]:
        """Whether a case is this engine's, or may be."""
        return sa.true()

    @property
    def guests(self) -> bool:
        return False

    def tell(self, message: Message) -> Message:
        with self._transaction() as connection:
            new = self._insert(schema.messages).on_conflict_do_nothing()
            connection.execute(new, asdict(message))
            return messages.found(connection, message.id) or message

    def message(self, id: str) -> Message | None:
        with self._transaction() as connection:
            return messages.found(connection, id)

    def withdraw(self, message: str) -> None:
        with self._transaction() as connection:
            messages.withdraw(connection, message)

    def subscribers(self, event: str, about: str) -> list[tuple[str, str]]:
        with self._transaction() as connection:
            return messages.subscribers(connection, event, about)

    def wanted(self, of: Collection[tuple[str, str]] | None = None) -> list[Message]:
        with self._transaction() as connection:
            return messages.wanted(connection, of)

    def case(self, id: str) -> StoredCase:
        with self._transaction() as connection:
            found = stored(connection.execute(sa.select(*CASE).where(cases.id == id)))
        if not found:
            raise UnknownCase(f"store {self._name!r} has no case {id!r}")
        return found[0]

    def summary(self, id: str) -> Summary:
        query = sa.select(*(cases[field.name] for field in fields(Summary))).where(cases.id == id)
        with self._transaction() as connection:
            row = connection.execute(query).mappings().first()
        if row is None:
            raise UnknownCase(f"store {self._name!r} has no case {id!r}")
        return Summary(**row)

    def summaries(self, which: Which) -> list[Summary]:
        with self._transaction() as connection:
            return summaries(connection, which)

    def incidents(self, workflow: str | None, limit: int | None) -> list[OpenIncident]:
        with self._transaction() as connection:
            return incidents(connection, workflow, limit)

    def work(self, which: WhichWork) -> list[WorkItem]:
        with self._transaction() as connection:
            return work_items(connection, which)

    def purge(self, before: float) -> int:
        with self._transaction() as connection:
            return purge(connection, before)

    def history(self, case_id: str) -> list[Record]:
        self.case(case_id)
        query = (
            sa.select(schema.events)
            .where(schema.events.c.case_id == case_id)
            .order_by(schema.events.c.seq)
        )
        with self._transaction() as connection:
            return [Record(**row) for row in connection.execute(query).mappings()]

    def _transaction(self) -> AbstractContextManager[sa.Connection]:
        """All that is done within is done or nothing; what the database refuses is a StoreError."""
        raise NotImplementedError


def together(
    connection: sa.Connection, which: sa.ColumnElement[bool], definitions: Collection[str]
) -> list[str]:
    """The ids of some open cases with those that called them and those that they call: they are had
    together. Left out are those of other definitions, with all that they call.
    """
    fields = cases.id, cases.parent, cases.definition
    callers = sa.select(*fields).where(which, cases.status.in_(schema.OPEN))
    up = callers.cte("callers", recursive=True)
    caller, called = schema.cases.alias("caller").c, schema.cases.alias("called").c
    up = up.union(
        sa.select(caller.id, caller.parent, caller.definition)
        .join(up, caller.id == up.c.parent)
        .where(caller.status.in_(schema.OPEN))
    )
    down = sa.select(up).cte("family", recursive=True)
    down = down.union(
        sa.select(called.id, called.parent, called.definition)
        .join(down, called.parent == down.c.id)
        .where(called.status.in_(schema.OPEN))
    )
    found = {row.id: row for row in connection.execute(sa.select(down))}

    def known(id: str) -> bool:
        parent = found[id].parent
        return found[id].definition in definitions and (parent not in found or known(parent))

    return [id for id in found if known(id)]


# The statements of a commit are compiled once and given plain tuples: a group commit holds
# thousands of rows, and SQLAlchemy's handling of each parameter costs more than SQLite's work.

_STATE = (
    "status", "marking", "variables", "control", "version", "error", "updated_at", "active",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Statements:
    """The text of the statements that a commit is made of."""

    new_case: str
    old_case: str
    move: str
    event: str
    timer: str
    no_timer: str
    told: str
    key: str
    answer: str
    no_incident: str
    incident: str
    item: str
    no_item: str
    no_subscription: str
    subscription: str
    taken: str


def compiled(dialect: sa.Dialect) -> Statements:
    """The statements of a commit in a database's own words."""

    def text(statement: Any) -> str:
        return str(statement.compile(dialect=dialect))

    cases, timers, orders = schema.cases, schema.timers, schema.orders
    incidents, subscriptions = schema.incidents, schema.subscriptions
    work = schema.work_items
    return Statements(
        text(
            sa.insert(cases).values({c.name: sa.bindparam(c.name) for c in (*CASE, cases.c.owner)})
        ),
        text(
            sa.update(cases)
            .where(cases.c.id == sa.bindparam("case"))
            .values({name: sa.bindparam(f"new_{name}") for name in _STATE})
        ),
        text(
            sa.update(cases)
            .where(cases.c.id == sa.bindparam("case"))
            .values(definition=sa.bindparam("new_definition"), workflow=sa.bindparam("new_name"))
        ),
        text(sa.insert(schema.events)),
        text(sa.insert(timers)),
        text(
            sa.delete(timers)
            .where(timers.c.case_id == sa.bindparam("case"))
            .where(timers.c.timer == sa.bindparam("name"))
        ),
        text(sa.insert(schema.inbox)),
        text(sa.insert(schema.keys)),
        text(
            sa.update(orders)
            .where(orders.c.id == sa.bindparam("order"))
            .values(answer=sa.bindparam("said"))
        ),
        text(
            sa.delete(incidents)
            .where(incidents.c.case_id == sa.bindparam("case"))
            .where(incidents.c.incident == sa.bindparam("name"))
        ),
        text(sa.insert(incidents)),
        # in the same words on both databases; an item keeps the time of its offer
        text(sa.insert(work))
        + " ON CONFLICT (id) DO UPDATE SET workflow = excluded.workflow, task = excluded.task,"
        + " role = excluded.role, holder = excluded.holder, claimed_at = excluded.claimed_at",
        text(sa.delete(work).where(work.c.id == sa.bindparam("item"))),
        text(
            sa.delete(subscriptions)
            .where(subscriptions.c.case_id == sa.bindparam("case"))
            .where(subscriptions.c.transition == sa.bindparam("name"))
        ),
        text(sa.insert(subscriptions)),
        # One that only those hear who wait for it is not kept before.
        text(sa.insert(schema.messages))
        + " ON CONFLICT (id) DO UPDATE SET taken_by = excluded.taken_by",
    )


def new_case(c: StoredCase, owner: str) -> tuple[Any, ...]:
    """The values of `new_case`, in the order of the table's columns."""
    return (
        c.id,
        c.definition,
        c.workflow,
        c.parent,
        None if c.call is None else encode(c.call),
        c.status,
        encode(c.marking),
        encode(c.variables),
        encode(c.control),
        c.version,
        c.error,
        c.created_at,
        c.updated_at,
        owner,
        c.fence,
        c.active,
    )


def old_case(c: StoredCase) -> tuple[Any, ...]:
    """The values of `old_case`, in the order of `_STATE`, and the id."""
    return (
        c.status,
        encode(c.marking),
        encode(c.variables),
        encode(c.control),
        c.version,
        c.error,
        c.updated_at,
        c.active,
        c.id,
    )


def event(r: Record) -> tuple[Any, ...]:
    """The values of `event`, in the order of the table's columns."""
    return (
        r.case_id,
        r.seq,
        r.at,
        r.kind,
        encode(r.data),
        encode(r.fired),
        encode(r.delta),
        r.late,
    )


def message(m: Message) -> tuple[Any, ...]:
    """The values of `taken`, in the order of the table's columns."""
    return m.id, m.event, m.about, encode(m.payload), m.at, m.taken_by


def encode(data: Any) -> str:
    """Plain JSON data as text."""
    try:
        return orjson.dumps(data).decode()
    except TypeError:  # a whole number beyond 64 bits
        return json.dumps(data, separators=(",", ":"))
