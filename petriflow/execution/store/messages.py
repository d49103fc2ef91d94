"""Events that are told by what they are about, and the cases that wait for them."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import fields
from itertools import islice
from typing import Any

import sqlalchemy as sa

from petriflow.execution.store import schema
from petriflow.execution.store.store import Message

#: How many messages are looked at together.
MOST = 1_000
#: How many pairs of an event and what it is about a statement names.
PAIRS = 500

_messages, _subscriptions = schema.messages.c, schema.subscriptions.c
_ALL = sa.select(*(_messages[field.name] for field in fields(Message)))
_FREE = sa.text("messages.taken_by IS NULL")  # in the words of the partial index


def _listed(connection: sa.Connection, query: sa.Select[Any]) -> list[Message]:
    return [Message(**row) for row in connection.execute(query).mappings()]


def found(connection: sa.Connection, id: str) -> Message | None:
    """The message of this id."""
    return next(iter(_listed(connection, _ALL.where(_messages.id == id))), None)


def withdraw(connection: sa.Connection, id: str) -> None:
    """Forget a message that nobody has taken."""
    connection.execute(sa.delete(schema.messages).where(_messages.id == id, _FREE))


def subscribers(connection: sa.Connection, event: str, about: str) -> list[tuple[str, str]]:
    """The cases that wait for it and their definitions, the one that has waited longest first."""
    query = (
        sa.select(_subscriptions.case_id, schema.cases.c.definition)
        .join(schema.cases, schema.cases.c.id == _subscriptions.case_id)
        .where(_subscriptions.event == event, _subscriptions.about == about)
        .order_by(_subscriptions.at, _subscriptions.case_id)
    )
    return [(row.case_id, row.definition) for row in connection.execute(query)]


def wanted(connection: sa.Connection, of: Collection[tuple[str, str]] | None) -> list[Message]:
    """The free messages of these pairs, or those that any case waits for; the oldest first."""
    query = _ALL.where(_FREE).order_by(_messages.at, _messages.id).limit(MOST)
    if of is None:
        pair = _subscriptions.event == _messages.event, _subscriptions.about == _messages.about
        return _listed(connection, query.where(sa.exists().where(*pair)))
    pairs, found = iter(of), list[Message]()
    while some := list(islice(pairs, PAIRS)):
        these = sa.tuple_(_messages.event, _messages.about).in_(some)
        found += _listed(connection, query.where(these))
    return found
