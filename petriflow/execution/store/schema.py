"""The tables. An event's row and its case's new state are written in one transaction."""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    Boolean,
    Column,
    DateTime,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    text,
    true,
)

#: Counts up with every change of these tables, each of which is a file in `migrations`; a store
#: of a newer version is refused.
VERSION = 4

#: Where Alembic notes the version; a database may hold tables, and revisions, of others.
REVISIONS = "petriflow_version"

#: The states of cases that have not ended.
OPEN = ("running", "suspended")

#: Marks a SQLite file as a store of ours ("PFlw"), in the file's header.
APPLICATION = 0x50466C77

metadata = MetaData()

definitions = Table(
    "definitions",
    metadata,
    Column("hash", String(64), primary_key=True),
    Column("name", Text, nullable=False),
    Column("document", JSON, nullable=False),
    Column("created_at", Float, nullable=False),
)

cases = Table(
    "cases",
    metadata,
    Column("id", Text, primary_key=True),
    Column("definition", ForeignKey("definitions.hash"), nullable=False),
    Column("workflow", Text, nullable=False),
    # of a case that was called: by which case, in which firing, how deep, and with what
    Column("parent", Text),
    Column("call", JSON),
    Column("status", String(16), nullable=False),
    Column("marking", JSON, nullable=False),
    Column("variables", JSON, nullable=False),
    Column("control", JSON, nullable=False),
    Column("version", Integer, nullable=False),
    Column("error", Text),
    Column("created_at", Float, nullable=False),
    Column("updated_at", Float, nullable=False),
    # which engine has the case, and how often it has changed hands
    Column("owner", String(32)),
    Column("fence", Integer, nullable=False, server_default="0"),
    # whether an engine has something to do for it: bodies, questions, calls; a case that only waits
    # for events, timers and people is a row, and no engine needs to have it
    Column("active", Boolean, nullable=False, server_default=true()),
    Index(
        "owned_cases",
        "owner",
        sqlite_where=text("status IN ('running', 'suspended')"),
        postgresql_where=text("status IN ('running', 'suspended')"),
    ),
    Index(
        "called_cases",
        "parent",
        sqlite_where=text("parent IS NOT NULL"),
        postgresql_where=text("parent IS NOT NULL"),
    ),
    Index(
        "active_cases",
        "owner",
        sqlite_where=text("status IN ('running', 'suspended') AND active"),
        postgresql_where=text("status IN ('running', 'suspended') AND active"),
    ),
    # Only open cases are looked for at a start, and most cases of an old store are closed.
    Index(
        "open_cases",
        "definition",
        sqlite_where=text("status = 'running'"),
        postgresql_where=text("status = 'running'"),
    ),
    Index(
        "suspended_cases",
        "definition",
        sqlite_where=text("status = 'suspended'"),
        postgresql_where=text("status = 'suspended'"),
    ),
)

#: the engines that share the database; one row is renewed, not those of a million cases
engines = Table(
    "engines",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("lease_until", DateTime(timezone=True), nullable=False),
)

events = Table(
    "events",
    metadata,
    Column("case_id", ForeignKey("cases.id"), primary_key=True),
    Column("seq", Integer, primary_key=True),
    Column("at", Float, nullable=False),
    Column("kind", String(32), nullable=False),
    Column("data", JSON, nullable=False),
    Column("fired", JSON, nullable=False),
    Column("delta", JSON, nullable=False),
    Column("late", Boolean, nullable=False),
    sqlite_with_rowid=False,
)

timers = Table(
    "timers",
    metadata,
    Column("case_id", ForeignKey("cases.id"), primary_key=True),
    Column("timer", Text, primary_key=True),
    Column("due", Float, nullable=False, index=True),
    sqlite_with_rowid=False,
)

#: the names under which cases were started, so that one started twice is one case
keys = Table(
    "keys",
    metadata,
    Column("workflow", Text, primary_key=True),
    Column("key", Text, primary_key=True),
    Column("case_id", ForeignKey("cases.id"), nullable=False, index=True),
    sqlite_with_rowid=False,
)

#: the events told from outside, so that one told twice under one key happens once
inbox = Table(
    "inbox",
    metadata,
    Column("case_id", ForeignKey("cases.id"), primary_key=True),
    Column("key", Text, primary_key=True),
    Column("event", Text, nullable=False),
    Column("at", Float, nullable=False),
    sqlite_with_rowid=False,
)

#: where open cases wait for a person; the case's own state says so too, and this lists them all
incidents = Table(
    "incidents",
    metadata,
    Column("case_id", ForeignKey("cases.id"), primary_key=True),
    # a choice, or a firing; and the choice or the task
    Column("incident", Text, primary_key=True),
    Column("element", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("error", Text, nullable=False),
    Column("since", Float, nullable=False),
    sqlite_with_rowid=False,
)

#: what is asked of a case by somebody whose engine does not have it; its engine answers
orders = Table(
    "orders",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("case_id", ForeignKey("cases.id"), nullable=False, index=True),
    Column("kind", String(32), nullable=False),
    Column("data", JSON, nullable=False),
    Column("at", Float, nullable=False),
    # `None` until the order is carried out: then {"result": …} or {"error": …, "kind": …}
    Column("answer", JSON(none_as_null=True)),
    Index(
        "open_orders",
        "case_id",
        sqlite_where=text("answer IS NULL"),
        postgresql_where=text("answer IS NULL"),
    ),
    sqlite_with_rowid=False,
)

#: who waits for an event that is told by what it is about, such as an order's number
subscriptions = Table(
    "subscriptions",
    metadata,
    Column("case_id", ForeignKey("cases.id"), primary_key=True),
    Column("transition", Text, primary_key=True),
    Column("event", Text, nullable=False),
    Column("about", Text, nullable=False),
    Column("at", Float, nullable=False),
    Index("subscribed_events", "event", "about"),
    sqlite_with_rowid=False,
)

#: the events told by what they are about that nobody has taken yet
messages = Table(
    "messages",
    metadata,
    Column("id", Text, primary_key=True),
    Column("event", Text, nullable=False),
    Column("about", Text, nullable=False),
    Column("payload", JSON, nullable=False),
    Column("at", Float, nullable=False),
    # the case that has taken it, or '' if it was lost; kept, so that one told twice under one id
    # happens once
    Column("taken_by", Text),
    Index(
        "open_messages",
        "event",
        "about",
        sqlite_where=text("taken_by IS NULL"),
        postgresql_where=text("taken_by IS NULL"),
    ),
    sqlite_with_rowid=False,
)

#: the work lists of people; an item's id is the firing of its task
work_items = Table(
    "work_items",
    metadata,
    Column("id", Text, primary_key=True),
    Column("case_id", ForeignKey("cases.id"), nullable=False, index=True),
    Column("workflow", Text, nullable=False),
    Column("task", Text, nullable=False),
    Column("role", Text, nullable=False),
    Column("holder", Text),
    Column("offered_at", Float, nullable=False),
    Column("claimed_at", Float),
    # its number, where several instances of the task run at once
    Column("instance", Integer),
    Index("offered_work", "role", "offered_at"),
    sqlite_with_rowid=False,
)

#: what begins by the calendar
schedules = Table(
    "schedules",
    metadata,
    Column("name", Text, primary_key=True),
    Column("workflow", Text, nullable=False),
    Column("cron", Text, nullable=False),
    Column("timezone", Text, nullable=False),
    Column("variables", JSON, nullable=False),
    Column("created_at", Float, nullable=False),
    Column("next_at", Float, nullable=False, index=True),
    Column("last_case", Text),
    sqlite_with_rowid=False,
)
