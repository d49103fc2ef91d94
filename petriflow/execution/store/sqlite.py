"""The store on SQLite: WAL, `synchronous=FULL`, one writer, many events in one transaction."""

from __future__ import annotations

import hashlib
import json
import platform
import secrets
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import filelock  # the operating system's file lock, gone with its process, the same everywhere
import sqlalchemy as sa
from sqlalchemy.dialects import sqlite
from sqlalchemy.pool import StaticPool

from petriflow.execution.store import schema
from petriflow.execution.store.sql import SqlStore, compiled, encode
from petriflow.execution.store.store import Order, StoredCase
from petriflow.execution.store.upgrade import upgrade
from petriflow.net.errors import StoreError, StoreInUse
from petriflow.workflow.variables import Data


def _among(column: sa.ColumnElement[str], values: Collection[str]) -> sa.ColumnElement[bool]:
    """`column IN values` with one parameter, for SQLite takes 32,766 of them at most."""
    listed = sa.func.json_each(encode(list(values))).table_valued("value")
    return column.in_(sa.select(listed.c.value))


class SqliteStore(SqlStore):
    """Cases in one SQLite file, or in memory."""

    _insert = staticmethod(sqlite.insert)
    _among = staticmethod(_among)
    _statements = compiled(sqlite.dialect(paramstyle="qmark"))

    def __init__(self, url: sa.URL) -> None:
        self.engine = secrets.token_hex(16)
        self._name = url.database or "in memory"
        self._defined = {}
        self._lock = self._own(url.database)
        self._engine = sa.create_engine(
            url,
            poolclass=StaticPool,
            connect_args={"timeout": 5.0, "check_same_thread": False},
            json_serializer=encode,
            hide_parameters=True,  # they hold the values of cases, and stand in tracebacks
        )
        sa.event.listen(self._engine, "connect", _configure)
        sa.event.listen(self._engine, "begin", self._begin)
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
            raise StoreInUse(
                f"store {file!r} is in use by another engine, and one at a time has a SQLite file; "
                "stop that one, or have both share a postgresql:// store"
            ) from None
        except OSError as error:
            raise StoreError(f"store {file!r} cannot be opened: {error}") from None
        return lock

    def _begin(self, connection: sa.Connection) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    def _prepare(self) -> None:
        with self._transaction() as connection:
            version = connection.exec_driver_sql("PRAGMA user_version").scalar_one()
            if version == 0:  # a test holds these tables to what the migrations make
                schema.metadata.create_all(connection)
            elif version < schema.VERSION:
                upgrade(connection, since=version)
            connection.exec_driver_sql(f"PRAGMA user_version = {schema.VERSION}")

    def identity(self) -> str:
        # Its engine's name where it is in memory; a file is reached from its own machine.
        file = self._engine.url.database
        where = f"{platform.node()}:{Path(file).resolve()}" if self._lock and file else self.engine
        return hashlib.sha256(where.encode()).hexdigest()[:32]

    @property
    def guests(self) -> bool:
        return self._lock is not None

    def close(self) -> None:
        super().close()
        if self._lock is not None:
            self._lock.release()

    @contextmanager
    def _transaction(self) -> Iterator[sa.Connection]:
        try:
            with self._engine.begin() as connection:
                yield connection
        except sa.exc.DBAPIError as error:
            raise StoreError(f"store {self._name!r}: {self._reason(error)}") from error
        except json.JSONDecodeError as error:
            raise StoreError(
                f"store {self._name!r}: a row is damaged ({error}); restore the file"
            ) from error

    def _reason(self, error: sa.exc.DBAPIError) -> str:
        said = str(error.orig)
        if "locked" in said or "busy" in said:
            return "the database is locked by another program; close it there and try again"
        if "not a database" in said or "malformed" in said:
            return f"the file is damaged or no SQLite file ({said}); restore it or take another"
        if "full" in said:
            return "the disk is full; what was committed is safe, make room and start again"
        return f"{said}; what was committed is safe"


class SqliteReader(SqliteStore):
    """A store to look at, also while an engine has it: nothing is written, and nobody waits."""

    def _own(self, file: str | None) -> None:
        _require_ours(Path(file or ""))

    def _begin(self, connection: sa.Connection) -> None:
        connection.exec_driver_sql("BEGIN")

    def _prepare(self) -> None:
        with self._transaction() as connection:
            connection.exec_driver_sql("PRAGMA query_only = ON")
            self._require_current(connection)

    def _require_current(self, connection: sa.Connection) -> None:
        version = connection.exec_driver_sql("PRAGMA user_version").scalar_one()
        if version != schema.VERSION:
            raise StoreError(
                f"store {self._name!r}: its tables are of version {version}, and version "
                f"{schema.VERSION} is needed; run `petriflow db upgrade --store URL` once"
            )


class SqliteGuest(SqliteReader):
    """A store that another engine has: its guest has no case, and leaves orders for that engine."""

    def _begin(self, connection: sa.Connection) -> None:
        SqliteStore._begin(self, connection)

    def _prepare(self) -> None:
        with self._transaction() as connection:
            self._require_current(connection)

    def open_cases(self, definitions: Collection[str]) -> list[StoredCase]:
        return []

    def acquire(
        self, ids: Collection[str], definitions: Collection[str]
    ) -> tuple[list[StoredCase], list[StoredCase]]:
        return [], []

    def open_orders(self, definitions: Collection[str]) -> list[Order]:
        return []

    def answer(self, order: str) -> Data | None:
        said = super().answer(order)
        if said is None and self._is_left():
            open_ = schema.orders.c.id == order, schema.orders.c.answer.is_(None)
            with self._transaction() as connection:
                connection.execute(sa.delete(schema.orders).where(*open_))
            if (said := super().answer(order)) is None:
                raise StoreError(
                    f"store {self._name!r}: the engine that had it has ended before it did this; "
                    "nothing was done, say it again"
                )
        return said

    def _is_left(self) -> bool:
        """Whether no engine has the file any more."""
        lock = filelock.FileLock(f"{Path(self._name).resolve()}.lock")
        try:
            lock.acquire(timeout=0)
        except filelock.Timeout:
            return False
        lock.release()
        return True


def _require_ours(path: Path) -> None:
    """Refuse any file but a store of a version that we know, or none yet."""
    if (version := file_version(path) or 0) > schema.VERSION:
        raise StoreError(
            f"store {str(path)!r} was written by a newer petriflow (tables of version {version}, "
            f"this one knows {schema.VERSION}); update petriflow"
        )


def file_version(path: Path) -> int | None:
    """The version of a store's tables by the file's header alone, for SQLite would write to it;
    `None` where there is no file yet. Raises StoreError if it is not a store.
    """
    try:
        with path.open("rb") as file:
            header = file.read(100)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise StoreError(f"store {str(path)!r} cannot be opened: {error}") from None
    if not header:
        return None
    if len(header) < 100 or not header.startswith(b"SQLite format 3\0"):
        raise StoreError(
            f"store {str(path)!r} is damaged or no SQLite file; restore it or take another"
        )
    if int.from_bytes(header[68:72]) != schema.APPLICATION:
        raise StoreError(f"store {str(path)!r} is a database of something else; take another file")
    return int.from_bytes(header[60:64])


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
