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
)

#: Counts up with every change of these tables, each of which is a file in `migrations`; a store
#: of a newer version is refused.
VERSION = 3

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
    Column("due", Float, nullable=False),
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
