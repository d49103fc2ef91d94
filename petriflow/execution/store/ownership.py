"""Whose a case is, where several engines share a database.

An engine lives until its lease runs out, by the database's clock; it renews the lease with one
row, however many cases it has. A case names its owner and carries a fence, a number that counts
up whenever it changes hands. A commit locks the rows of its cases and leaves out those whose owner
or fence is not what this engine was given, so that one that was away for too long does no harm.

A case that only waits (it is not `active`) is nobody's work: any engine may have it at any time,
and none has to take it over. A case and the cases that it calls change hands together.
"""

from __future__ import annotations

import math
import secrets
import time
from collections.abc import Collection, Mapping

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from petriflow.execution.store import schema
from petriflow.execution.store.sql import ACTIVE, CASE, OPEN, stored, together
from petriflow.execution.store.store import Batch, StoredCase

#: For how many seconds an engine that is not heard of is taken to live.
LEASE = 3.0
#: How many cases, and those that they call, are taken at once: less than a lease's work.
PORTION = 5_000

cases, engines = schema.cases.c, schema.engines.c
_until = sa.func.clock_timestamp() + sa.func.make_interval(0, 0, 0, 0, 0, 0, LEASE)
_is_open = cases.status.in_(schema.OPEN)


class Ownership:
    """What one engine has; every method is a part of the caller's transaction."""

    def __init__(self) -> None:
        self.engine = secrets.token_hex(16)
        #: when it last renewed its lease, by this machine's clock; and whether it was late since
        self.heard = -math.inf
        self._was_away = False

    def enter(self, connection: sa.Connection) -> None:
        """Begin to live, or go on; its row may have been removed while it was away."""
        insert = postgresql.insert(schema.engines).values(id=self.engine, lease_until=_until)
        connection.execute(
            insert.on_conflict_do_update(index_elements=["id"], set_={"lease_until": _until})
        )

    def leave(self, connection: sa.Connection) -> None:
        """Let others have the cases at once."""
        update = sa.update(schema.engines).where(engines.id == self.engine)
        connection.execute(update.values(lease_until=sa.func.clock_timestamp()))

    def renew(self, connection: sa.Connection, mine: Mapping[str, int]) -> frozenset[str]:
        """Go on living; the answer is what others have taken, having thought this engine dead."""
        lived = self._lives(connection) and not self._was_away
        self.enter(connection)
        self._was_away = False
        return frozenset() if lived else self._lost(connection, mine)

    def _come_back(self, connection: sa.Connection) -> None:
        """Whatever an engine that was away makes its own is a living one's, or nobody would know
        that it has to be taken over from it once more.
        """
        if time.monotonic() - self.heard > LEASE / 2:
            self._was_away |= not self._lives(connection)
            self.enter(connection)

    def _lives(self, connection: sa.Connection) -> bool:
        query = sa.select(engines.lease_until > sa.func.clock_timestamp())
        return bool(connection.execute(query.where(engines.id == self.engine)).scalar())

    def _lost(self, connection: sa.Connection, mine: Mapping[str, int]) -> frozenset[str]:
        """The cases, given by id and fence, that are another's now."""
        query = sa.select(cases.id, cases.fence).where(
            among(cases.id, mine), cases.owner == self.engine
        )
        held = {row.id: row.fence for row in connection.execute(query)}
        return frozenset(id for id, fence in mine.items() if held.get(id) != fence)

    def _dead(self, connection: sa.Connection) -> list[str]:
        query = sa.select(engines.id).where(
            engines.lease_until <= sa.func.clock_timestamp(), engines.id != self.engine
        )
        return list(connection.execute(query).scalars())

    def take(self, connection: sa.Connection, definitions: Collection[str]) -> list[StoredCase]:
        """Take active cases of these definitions that nobody has, or an engine that is dead: a
        portion. What another engine is taking at this moment is left to it.
        """
        dead = self._dead(connection)
        if dead:
            self._bury(connection, dead)
        caller = schema.cases.alias("caller")
        calls = sa.exists().where(caller.c.id == cases.parent, caller.c.status.in_(schema.OPEN))
        free = (
            sa.select(cases.id)
            .where(ACTIVE, cases.definition.in_(definitions), ~calls)
            .where(sa.or_(cases.owner.is_(None), cases.owner.in_(dead)))
            .limit(PORTION)
            .with_for_update(skip_locked=True)
        )
        first = connection.execute(free).scalars().all()
        return self._take_families(connection, first) if first else []

    def _bury(self, connection: sa.Connection, dead: Collection[str]) -> None:
        """End what is left of engines that are dead: one that was stopped in the middle of a
        commit would keep its rows locked, and one that has nothing any more is forgotten.
        """
        connection.execute(
            sa.text(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE application_name = ANY(:dead) AND usename = current_user "
                "AND xact_start < clock_timestamp() - make_interval(secs => :lease)"
            ),
            {"dead": list(dead), "lease": LEASE},
        )
        empty = ~sa.exists().where(cases.owner == engines.id, ACTIVE)
        still = engines.lease_until <= sa.func.clock_timestamp()  # again, once locked
        connection.execute(sa.delete(schema.engines).where(engines.id.in_(dead), still, empty))

    def may_have(self, connection: sa.Connection) -> sa.ColumnElement[bool]:
        """Whether a case is this engine's, or may be: no other that lives is at work for it."""
        return sa.or_(
            cases.owner == self.engine,
            sa.not_(cases.active),
            cases.owner.is_(None),
            cases.owner.in_(self._dead(connection)),
        )

    def acquire(
        self, connection: sa.Connection, ids: Collection[str], definitions: Collection[str]
    ) -> tuple[list[StoredCase], list[StoredCase]]:
        """Take those of these cases that may be had: those that were had last, and the others."""
        family = together(connection, among(cases.id, ids), definitions)
        free = (
            sa.select(cases.id, cases.owner)
            .where(among(cases.id, family), OPEN)
            .where(self.may_have(connection))
            .order_by(cases.id)
            .with_for_update()
        )
        first, kept = list[str](), list[str]()
        for id, owner in connection.execute(free):
            (kept if owner == self.engine else first).append(id)
        query = sa.select(*CASE).where(among(cases.id, kept))
        again = stored(connection.execute(query)) if kept else []
        return again, self._take_families(connection, first) if first else []

    def _take_families(self, connection: sa.Connection, first: Collection[str]) -> list[StoredCase]:
        self._come_back(connection)
        family = (
            sa.select(sa.func.unnest(sa.cast(list(first), sa.ARRAY(sa.Text))).label("id"))
            .cte("family", recursive=True)
        )  # fmt: skip
        called = sa.select(cases.id).join(family, cases.parent == family.c.id).where(_is_open)
        family = family.union_all(called)
        update = (
            sa.update(schema.cases)
            .where(cases.id == family.c.id)
            .values(owner=self.engine, fence=cases.fence + 1)
            .returning(*CASE)
        )
        # callers first, the oldest first
        taken = stored(connection.execute(update))
        return sorted(taken, key=lambda case: (case.created_at, len(case.id)))

    def guard(self, connection: sa.Connection, batch: Batch) -> frozenset[str]:
        """Lock the cases of a batch; the answer is those that may not be written."""
        self._come_back(connection)
        events: dict[str, int] = {}
        fences = {c.id: c.fence for c in batch.cases}
        born = set()
        for record in batch.records:
            events[record.case_id] = events.get(record.case_id, 0) + 1
            if record.seq == 1:
                born.add(record.case_id)
        before = {c.id: c.version - events.get(c.id, 0) for c in batch.cases if c.id not in born}
        callers = {c.parent for c in batch.cases if c.id in born and c.parent}
        query = (
            sa.select(cases.id, cases.fence, cases.version, cases.status)
            .where(among(cases.id, before.keys() | callers), cases.owner == self.engine)
            .order_by(cases.id)
            .with_for_update()
        )
        mine = set()
        for id, fence, version, status in connection.execute(query):
            # A case that has ended changes hands no more; late events may still come for it.
            held = fences.get(id, fence) == fence or status not in schema.OPEN
            if held and before.get(id, version) == version:
                mine.add(id)
        refused = before.keys() - mine
        refused |= {c.id for c in batch.cases if c.parent in callers - mine and c.id in born}
        return frozenset(refused | self._known(connection, batch) | self._beaten(connection, batch))

    def _known(self, connection: sa.Connection, batch: Batch) -> set[str]:
        """The new cases whose key another engine has used meanwhile."""
        found = set()
        keys = schema.keys.c
        for workflow, key, id in sorted(batch.keys):
            name = sa.func.hashtextextended(f"{workflow}\n{key}", schema.APPLICATION)
            connection.execute(sa.select(sa.func.pg_advisory_xact_lock(name)))
            query = sa.select(keys.case_id).where(keys.workflow == workflow, keys.key == key)
            if connection.execute(query).first():
                found.add(id)
        return found

    def _beaten(self, connection: sa.Connection, batch: Batch) -> set[str]:
        """The cases that would take a message that another one has taken meanwhile."""
        found = set()
        for message in sorted(batch.taken, key=lambda message: message.id):
            name = sa.func.hashtextextended(f"message\n{message.id}", schema.APPLICATION)
            connection.execute(sa.select(sa.func.pg_advisory_xact_lock(name)))
            query = sa.select(schema.messages.c.taken_by)
            query = query.where(schema.messages.c.id == message.id)
            if connection.execute(query).scalar_one_or_none() is not None:
                found.add(message.taken_by or "")
        return found

    def holds(self, connection: sa.Connection, batch: Batch) -> frozenset[str]:
        """The cases of a batch that have its last event already: all that it wrote, or none."""
        last = {(r.case_id, r.seq) for r in batch.records}
        query = sa.select(cases.id, cases.version).where(
            among(cases.id, {id for id, _ in last}), cases.owner == self.engine
        )
        return frozenset(id for id, version in connection.execute(query) if (id, version) in last)


def among(column: sa.ColumnElement[str], values: Collection[str]) -> sa.ColumnElement[bool]:
    """`column IN values` with one parameter, for PostgreSQL takes 65,535 of them at most."""
    return column == sa.any_(sa.cast(list(values), sa.ARRAY(sa.Text)))


def without(batch: Batch, refused: Collection[str]) -> Batch:
    """What a batch holds of other cases than these."""
    return Batch(
        [case for case in batch.cases if case.id not in refused],
        [record for record in batch.records if record.case_id not in refused],
        {key: due for key, due in batch.timers.items() if key[0] not in refused},
        [told for told in batch.inbox if told[0] not in refused],
        [key for key in batch.keys if key[2] not in refused],
        {order: said for order, said in batch.answers.items() if said[0] not in refused},
        subscriptions={k: row for k, row in batch.subscriptions.items() if k[0] not in refused},
        taken=[message for message in batch.taken if message.taken_by not in refused],
        incidents={key: row for key, row in batch.incidents.items() if key[0] not in refused},
        work={id: item for id, item in batch.work.items() if item[0] not in refused},
        moved=[move for move in batch.moved if move[0] not in refused],
    )
