"""The store on SQLite: WAL, `synchronous=FULL`, one writer, many events in one transaction.

A store is used from one thread. It knows rows, not cases: what they mean is the engine's matter.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import filelock  # the operating system's file lock, gone with its process, the same everywhere
import orjson  # a case's state is written at every commit; four times as fast as json
import sqlalchemy as sa
from sqlalchemy.dialects import sqlite
from sqlalchemy.pool import StaticPool

from petriflow.execution.store import schema
from petriflow.net.errors import StoreError, UnknownCase
from petriflow.workflow.variables import Data


@dataclass(frozen=True, slots=True)
class Record:
    """One event of a case as it is stored: what happened, and what the net did.

    `fired` are the transitions in order, `delta` the change of each place's tokens. A late event
    came for a firing that was already gone and changed nothing.
    """

    case_id: str
    seq: int
    at: float
    kind: str
    data: Data
    fired: list[str]
    delta: dict[str, int]
    late: bool

    @property
    def task(self) -> str | None:
        """The id of the task that the event is about."""
        firing = self.data.get("firing_id")
        return None if firing is None else firing[len(self.case_id) + 1 :].rpartition("/")[0]

    @property
    def error(self) -> str | None:
        """The error that the event tells of."""
        found: str | None = self.data.get("error")
        return found


@dataclass(frozen=True, slots=True)
class StoredCase:
    """A case's row: its last committed state."""

    id: str
    definition: str
    workflow: str
    status: str
    marking: Data
    variables: Data
    control: Data
    version: int
    error: str | None
    created_at: float
    updated_at: float
    parent: str | None = None
    call: Any = None


@dataclass(slots=True)
class Batch:
    """What one commit writes, all of it or nothing."""

    cases: list[StoredCase] = field(default_factory=list)
    records: list[Record] = field(default_factory=list)
    #: (case, timer) → when it is due; `None` for one that nobody waits for any more
    timers: dict[tuple[str, str], float | None] = field(default_factory=dict)
    #: (case, key, event, at) of the events that were told from outside
    inbox: list[tuple[str, str, str, float]] = field(default_factory=list)


class Store(Protocol):
    """What an engine needs of a database."""

    def close(self) -> None:
        """Give everything back."""
        ...

    def define(self, hash: str, name: str, document: Data, now: float) -> None:
        """Keep a definition; one that is there already stays as it is."""
        ...

    def commit(self, batch: Batch) -> None:
        """Write events and the states they led to, all or nothing."""
        ...

    def timers(self) -> dict[tuple[str, str], float]:
        """When the timers that are waited for are due, by case and timer."""
        ...

    def told(self, case_id: str, key: str) -> bool:
        """Whether an event was told under this key before."""
        ...

    def open_cases(self) -> list[StoredCase]:
        """Every case that has not ended, the oldest first."""
        ...

    def case(self, id: str) -> StoredCase:
        """One case; raises UnknownCase."""
        ...

    def history(self, case_id: str) -> list[Record]:
        """A case's events in order; raises UnknownCase."""
        ...


def open_store(url: str) -> Store:
    """Open a store, making its tables on first use.

    Args:
        url: `sqlite:///cases.db` for a file, `sqlite://` for one in memory.

    Raises:
        StoreError: the URL is none of these, or the file cannot be used; the message says why.
    """
    try:
        parsed = sa.make_url(url)
    except sa.exc.ArgumentError:
        raise StoreError(f"{url!r} is not a store URL; write sqlite:///cases.db") from None
    if parsed.get_backend_name() != "sqlite":
        raise StoreError(
            f"store {parsed.render_as_string()!r}: only SQLite is supported; "
            "write sqlite:///cases.db, or sqlite:// for one in memory"
        )
    return SqliteStore(parsed)


def store_exists(url: str) -> bool:
    """Whether there is a store at a URL already; a store in memory never is."""
    file = sa.make_url(url).database if url.startswith("sqlite:") else None
    return bool(file) and Path(str(file)).is_file()


class SqliteStore:
    """Cases in one SQLite file, or in memory."""

    def __init__(self, url: sa.URL) -> None:
        self._name = url.database or "in memory"
        self._lock = self._own(url.database)
        self._engine = sa.create_engine(
            url,
            poolclass=StaticPool,
            connect_args={"timeout": 5.0, "check_same_thread": False},
            json_serializer=encode,
        )
        sa.event.listen(self._engine, "connect", _configure)
        sa.event.listen(self._engine, "begin", _begin)
        try:
            self._prepare()
        except BaseException:
            self.close()
            raise

    def _own(self, file: str | None) -> filelock.FileLock | None:
        """Take the file for this engine alone; the lock goes with the process, even by kill -9."""
        if not file or file == ":memory:":
            return None
        path = Path(file).resolve()  # one lock, by whatever links the file is reached
        if not path.parent.is_dir():
            raise StoreError(
                f"store {file!r}: the folder {str(path.parent)!r} does not exist; make it first"
            )
        _require_ours(path)
        lock = filelock.FileLock(f"{path}.lock")
        try:
            lock.acquire(timeout=0)
        except filelock.Timeout:
            raise StoreError(
                f"store {file!r} is in use by another engine; stop that one, or take another file"
            ) from None
        except OSError as error:
            raise StoreError(f"store {file!r} cannot be opened: {error}") from None
        return lock

    def _prepare(self) -> None:
        with self._transaction() as connection:
            version = connection.exec_driver_sql("PRAGMA user_version").scalar_one()
            if version < schema.VERSION:
                schema.metadata.create_all(connection)
                connection.exec_driver_sql(f"PRAGMA user_version = {schema.VERSION}")

    def close(self) -> None:
        self._engine.dispose()
        if self._lock is not None:
            self._lock.release()

    def define(self, hash: str, name: str, document: Data, now: float) -> None:
        with self._transaction() as connection:
            row = {"hash": hash, "name": name, "document": document, "created_at": now}
            connection.execute(sa.insert(schema.definitions).prefix_with("OR IGNORE"), row)

    def commit(self, batch: Batch) -> None:
        born = {r.case_id for r in batch.records if r.seq == 1}
        gone = [key for key, due in batch.timers.items() if due is None]
        due = [(*key, at) for key, at in batch.timers.items() if at is not None]
        with self._transaction() as connection:
            for statement, rows in (
                (_NEW_CASE, [_new_case(c) for c in batch.cases if c.id in born]),
                (_OLD_CASE, [_old_case(c) for c in batch.cases if c.id not in born]),
                (_EVENT, [_event(r) for r in batch.records]),
                (_TIMER, due),
                (_NO_TIMER, gone),
                (_TOLD, batch.inbox),
            ):
                if rows:
                    connection.exec_driver_sql(statement, rows)

    def timers(self) -> dict[tuple[str, str], float]:
        with self._transaction() as connection:
            rows = connection.execute(sa.select(schema.timers)).all()
        return {(row.case_id, row.timer): row.due for row in rows}

    def told(self, case_id: str, key: str) -> bool:
        table = schema.inbox.c
        query = sa.select(table.at).where(table.case_id == case_id, table.key == key)
        with self._transaction() as connection:
            return connection.execute(query).first() is not None

    def open_cases(self) -> list[StoredCase]:
        query = (
            sa.select(schema.cases)
            .where(schema.cases.c.status == "running")
            .order_by(schema.cases.c.created_at)
        )
        with self._transaction() as connection:
            return [StoredCase(**row) for row in connection.execute(query).mappings()]

    def case(self, id: str) -> StoredCase:
        with self._transaction() as connection:
            query = sa.select(schema.cases).where(schema.cases.c.id == id)
            row = connection.execute(query).mappings().one_or_none()
        if row is None:
            raise UnknownCase(f"store {self._name!r} has no case {id!r}")
        return StoredCase(**row)

    def history(self, case_id: str) -> list[Record]:
        self.case(case_id)
        query = (
            sa.select(schema.events)
            .where(schema.events.c.case_id == case_id)
            .order_by(schema.events.c.seq)
        )
        with self._transaction() as connection:
            return [Record(**row) for row in connection.execute(query).mappings()]

    @contextmanager
    def _transaction(self) -> Iterator[sa.Connection]:
        try:
            with self._engine.begin() as connection:
                yield connection
        except sa.exc.DBAPIError as error:
            raise StoreError(f"store {self._name!r}: {_reason(error)}") from error
        except json.JSONDecodeError as error:
            raise StoreError(
                f"store {self._name!r}: a row is damaged ({error}); restore the file"
            ) from error


# The statements of a commit are compiled once and given plain tuples: a group commit holds
# thousands of rows, and SQLAlchemy's handling of each parameter costs more than SQLite's work.

_STATE = ("status", "marking", "variables", "control", "version", "error", "updated_at")
_DIALECT = sqlite.dialect(paramstyle="qmark")
_NEW_CASE = str(sa.insert(schema.cases).compile(dialect=_DIALECT))
_OLD_CASE = str(
    sa.update(schema.cases)
    .where(schema.cases.c.id == sa.bindparam("case"))
    .values({name: sa.bindparam(f"new_{name}") for name in _STATE})
    .compile(dialect=_DIALECT)
)
_EVENT = str(sa.insert(schema.events).compile(dialect=_DIALECT))
_TIMER = str(sa.insert(schema.timers).compile(dialect=_DIALECT))
_NO_TIMER = str(
    sa.delete(schema.timers)
    .where(schema.timers.c.case_id == sa.bindparam("case"))
    .where(schema.timers.c.timer == sa.bindparam("name"))
    .compile(dialect=_DIALECT)
)
_TOLD = str(sa.insert(schema.inbox).compile(dialect=_DIALECT))


def _new_case(c: StoredCase) -> tuple[Any, ...]:
    """The values of `_NEW_CASE`, in the order of the table's columns."""
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
    )


def _old_case(c: StoredCase) -> tuple[Any, ...]:
    """The values of `_OLD_CASE`, in the order of `_STATE`, and the id."""
    return (
        c.status,
        encode(c.marking),
        encode(c.variables),
        encode(c.control),
        c.version,
        c.error,
        c.updated_at,
        c.id,
    )


def _event(r: Record) -> tuple[Any, ...]:
    """The values of `_EVENT`, in the order of the table's columns."""
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


def encode(data: Any) -> str:
    """Plain JSON data as text."""
    try:
        return orjson.dumps(data).decode()
    except TypeError:  # a whole number beyond 64 bits
        return json.dumps(data, separators=(",", ":"))


def _require_ours(path: Path) -> None:
    """Refuse any file but a store, or none yet, by its header alone: SQLite would write to it."""
    try:
        with path.open("rb") as file:
            header = file.read(100)
    except FileNotFoundError:
        return
    except OSError as error:
        raise StoreError(f"store {str(path)!r} cannot be opened: {error}") from None
    if not header:
        return
    if len(header) < 100 or not header.startswith(b"SQLite format 3\0"):
        raise StoreError(
            f"store {str(path)!r} is damaged or no SQLite file; restore it or take another"
        )
    if int.from_bytes(header[68:72]) != schema.APPLICATION:
        raise StoreError(f"store {str(path)!r} is a database of something else; take another file")
    if (version := int.from_bytes(header[60:64])) > schema.VERSION:
        raise StoreError(
            f"store {str(path)!r} was written by a newer petriflow (tables of version {version}, "
            f"this one knows {schema.VERSION}); update petriflow"
        )


def _configure(connection: Any, _: Any) -> None:
    connection.isolation_level = None  # transactions begin below, not where sqlite3 thinks
    cursor = connection.cursor()
    # The mark comes before the WAL, so that it is in the header of the file itself.
    cursor.execute("PRAGMA application_id")
    if cursor.fetchone() != (schema.APPLICATION,):
        cursor.execute(f"PRAGMA application_id = {schema.APPLICATION}")
    for pragma in ("journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin(connection: sa.Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE")


def _reason(error: sa.exc.DBAPIError) -> str:
    said = str(error.orig)
    if "locked" in said or "busy" in said:
        return "the database is locked by another program; close it there and try again"
    if "not a database" in said or "malformed" in said:
        return f"the file is damaged or no SQLite file ({said}); restore it or take another"
    if "full" in said:
        return "the disk is full; what was committed is safe, make room and start again"
    return f"{said}; what was committed is safe"
