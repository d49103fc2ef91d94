"""The definitions that a store keeps, and the cases that use them."""

from __future__ import annotations

from dataclasses import dataclass

import sqlalchemy as sa

from petriflow.execution.store import schema
from petriflow.net.errors import DefinitionError, StoreError


@dataclass(frozen=True, slots=True)
class Definition:
    """A version of a workflow that a store keeps, and how many cases use it.

    `hash` is the workflow's `content_hash`, `created_at` when it was first given to an engine, in
    seconds since 1970. The cases that ended count as long as their histories are kept.
    """

    hash: str
    name: str
    created_at: float
    open_cases: int
    ended_cases: int


def definitions(connection: sa.Connection) -> list[Definition]:
    """All that are kept, by name, the newest first."""
    kept, cases = schema.definitions.c, schema.cases.c
    open_cases = sa.func.count(cases.id).filter(cases.status.in_(schema.OPEN))
    query = (
        sa.select(kept.hash, kept.name, kept.created_at, open_cases, sa.func.count(cases.id))
        .join_from(schema.definitions, schema.cases, cases.definition == kept.hash, isouter=True)
        .group_by(kept.hash)
        .order_by(kept.name, kept.created_at.desc(), kept.hash)
    )
    return [
        Definition(hash, name, created_at, open, all - open)
        for hash, name, created_at, open, all in connection.execute(query)
    ]


def forget(connection: sa.Connection, hash: str) -> Definition:
    """Remove a definition that no case uses; what it was.

    Args:
        connection: to the database, within a transaction.
        hash: its content hash, or enough of its beginning.

    Raises:
        DefinitionError: there is none, or several begin so.
        StoreError: cases use it.
    """
    found = named(connection, hash)
    # From here on no case begins with it: that would need a lock on the same row.
    locked = sa.select(schema.definitions.c.hash).where(schema.definitions.c.hash == found.hash)
    connection.execute(locked.with_for_update())
    found = named(connection, found.hash)
    if found.open_cases or found.ended_cases:
        raise StoreError(
            f"definition {found.hash[:12]} of {found.name!r} is used by {_number(found.open_cases)}"
            f" open and {_number(found.ended_cases)} ended cases: let the open ones end, or move "
            "them by `petriflow cases migrate`; `petriflow cases purge` removes the ended ones "
            "with their histories"
        )
    connection.execute(sa.delete(schema.definitions).where(schema.definitions.c.hash == found.hash))
    return found


def named(connection: sa.Connection, hash: str) -> Definition:
    """The definition whose hash begins so."""
    found = [d for d in definitions(connection) if hash and d.hash.startswith(hash)]
    if len(found) == 1:
        return found[0]
    if found:
        raise DefinitionError(f"{len(found)} definitions begin with {hash!r}; name more of it")
    raise DefinitionError(
        f"the store keeps no definition {hash!r}; `petriflow db definitions` lists them"
    )


def _number(count: int) -> str:
    return "no" if count == 0 else str(count)
