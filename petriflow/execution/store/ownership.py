"""Whose a case is, where several engines share a database.

An engine lives until its lease runs out, by the database's clock; it renews the lease with one
row, however many cases it has. A case names its owner and carries a fence, a number that counts
up whenever it changes hands. A commit locks the rows of its cases and leaves out those whose owner
or fence is not what this engine was given, so that one that was away for too long does no harm.

A case and the cases that it calls change hands together.
"""

from __future__ import annotations

import secrets
from collections.abc import Collection

import sqlalchemy as sa

from petriflow.execution.store import schema
from petriflow.execution.store.sql import CASE
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
        self._fences: dict[str, int] = {}

    def enter(self, connection: sa.Connection) -> None:
        """Begin to live."""
        row = {"id": self.engine, "lease_until": _until}
        connection.execute(sa.insert(schema.engines).values(row))

    def leave(self, connection: sa.Connection) -> None:
        """Let others have the cases at once."""
        self._live_until(connection, sa.func.clock_timestamp())

    def renew(self, connection: sa.Connection) -> frozenset[str]:
        """Go on living; the answer is what others have taken, having thought this engine dead."""
        query = sa.select(engines.lease_until > sa.func.clock_timestamp())
        lived = connection.execute(query.where(engines.id == self.engine)).scalar_one()
        self._live_until(connection, _until)
        return frozenset() if lived else self.lost(connection)

    def _live_until(self, connection: sa.Connection, moment: sa.ColumnElement[object]) -> None:
        update = sa.update(schema.engines).where(engines.id == self.engine)
        connection.execute(update.values(lease_until=moment))

    def lost(self, connection: sa.Connection) -> frozenset[str]:
        """The cases that this engine had and that are another's now; it has them no more."""
        query = sa.select(cases.id, cases.fence).where(cases.owner == self.engine, _is_open)
        mine = {row.id: row.fence for row in connection.execute(query)}
        gone = frozenset(id for id, fence in self._fences.items() if mine.get(id) != fence)
        for id in gone:
            del self._fences[id]
        return gone

    def take(self, connection: sa.Connection, definitions: Collection[str]) -> list[StoredCase]:
        """Take cases of these definitions that nobody has, or an engine that is dead: a portion.

        What another engine is taking at this moment is left to it.
        """
        query = sa.select(engines.id).where(engines.lease_until <= sa.func.clock_timestamp())
        dead = connection.execute(query).scalars().all()
        caller = schema.cases.alias("caller")
        calls = sa.exists().where(caller.c.id == cases.parent, caller.c.status.in_(schema.OPEN))
        free = (
            sa.select(cases.id)
            .where(_is_open, cases.definition.in_(definitions), ~calls)
            .where(sa.or_(cases.owner.is_(None), cases.owner.in_(dead)))
            .limit(PORTION)
            .with_for_update(skip_locked=True)
        )
        first = connection.execute(free).scalars().all()
        if not first:
            return []
        return self._take_families(connection, first)

    def _take_families(self, connection: sa.Connection, first: Collection[str]) -> list[StoredCase]:
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
            .returning(*CASE, cases.fence)
        )
        taken = []
        for row in connection.execute(update).mappings():
            fields = dict(row)
            self._fences[fields["id"]] = fields.pop("fence")
            taken.append(StoredCase(**fields))
        # callers first, the oldest first
        return sorted(taken, key=lambda case: (case.created_at, len(case.id)))

    def foreign(self, connection: sa.Connection, definitions: Collection[str]) -> list[StoredCase]:
        """The open cases of other definitions, whoever has them."""
        query = sa.select(*CASE).where(_is_open, cases.definition.not_in(definitions))
        return [StoredCase(**row) for row in connection.execute(query).mappings()]

    def guard(self, connection: sa.Connection, batch: Batch) -> frozenset[str]:
        """Lock the cases of a batch; the answer is those that may not be written."""
        events: dict[str, int] = {}
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
            held = self._fences.get(id) == fence or status not in schema.OPEN
            if held and before.get(id, version) == version:
                mine.add(id)
        refused = before.keys() - mine
        refused |= {c.id for c in batch.cases if c.parent in callers - mine and c.id in born}
        return frozenset(refused | self._known(connection, batch))

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

    def holds(self, connection: sa.Connection, batch: Batch) -> frozenset[str]:
        """The cases of a batch that have its last event already: all that it wrote, or none."""
        last = {(r.case_id, r.seq) for r in batch.records}
        query = sa.select(cases.id, cases.version).where(
            among(cases.id, {id for id, _ in last}), cases.owner == self.engine
        )
        return frozenset(id for id, version in connection.execute(query) if (id, version) in last)

    def written(self, batch: Batch) -> None:
        """Know the cases of a batch that was committed."""
        born = {r.case_id for r in batch.records if r.seq == 1}
        for case in batch.cases:
            if case.status not in schema.OPEN:
                self._fences.pop(case.id, None)
            elif case.id in born:
                self._fences[case.id] = 1


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
    )
