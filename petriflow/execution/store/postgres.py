"""The store on PostgreSQL, by psycopg 3: one connection, many cases' events in one transaction."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql
from sqlalchemy.pool import QueuePool

from petriflow.execution.store import schema
from petriflow.execution.store.sql import SqlStore, compiled, encode
from petriflow.execution.store.upgrade import upgrade
from petriflow.net.errors import StoreError

#: Seconds until a server that does not answer counts as unreachable.
PATIENCE = 10


class PostgresStore(SqlStore):
    """Cases in a PostgreSQL database whose tables `petriflow db upgrade` has made."""

    _insert = staticmethod(postgresql.insert)
    _statements = compiled(postgresql.dialect(paramstyle="format"))  # type: ignore[no-untyped-call]

    def __init__(self, url: sa.URL) -> None:
        self._engine = connect(url)
        self._name = self._engine.url.render_as_string()
        try:
            self._prepare()
        except BaseException:
            self.close()
            raise

    def _prepare(self) -> None:
        with self._transaction() as connection:
            version = revision(connection)
        if version is None or version < schema.VERSION:
            what = "there are no tables yet" if version is None else f"tables of version {version}"
            raise StoreError(
                f"store {self._name!r}: {what}, and version {schema.VERSION} is needed; run "
                "`petriflow db upgrade --store URL` once"
            )
        refuse_newer(self._name, version)

    def _reason(self, error: sa.exc.DBAPIError) -> str:
        return reason(error)


def connect(url: sa.URL) -> sa.Engine:
    """An engine of SQLAlchemy's; nothing is connected yet."""
    if url.drivername not in ("postgresql", "postgresql+psycopg"):
        raise StoreError(
            f"store {url.render_as_string()!r}: PostgreSQL is reached by psycopg; write "
            "postgresql+psycopg://user@host/database"
        )
    try:
        return sa.create_engine(
            url.set(drivername="postgresql+psycopg"),
            poolclass=QueuePool,
            pool_size=1,
            isolation_level="READ COMMITTED",  # what the fences count on, whatever the server's is
            connect_args={"connect_timeout": PATIENCE},
            json_serializer=encode,
        )
    except ModuleNotFoundError as error:
        raise StoreError(
            f"PostgreSQL needs {error.name}; install it: pip install 'petriflow[postgres]'"
        ) from None


def revision(connection: sa.Connection) -> int | None:
    """The version of the tables, read without Alembic; `None` where there are none."""
    if not sa.inspect(connection).has_table(schema.REVISIONS):
        return None
    query = sa.text(f"SELECT version_num FROM {schema.REVISIONS}")
    found = connection.execute(query).scalar_one_or_none()
    return None if found is None else int(found)


def database_version(url: sa.URL) -> int | None:
    """The version of the tables at a URL; raises StoreError."""
    with visit(url) as connection:
        return revision(connection)


def upgrade_database(url: sa.URL) -> int | None:
    """Bring the tables at a URL up to date; the answer is the version that they were of."""
    with visit(url) as connection:
        # Two upgrades at once: the second waits, and finds nothing left to do.
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(schema.APPLICATION)))
        version = revision(connection)
        refuse_newer(url.render_as_string(), version or 0)
        upgrade(connection)
        return version


@contextmanager
def transaction(engine: sa.Engine) -> Iterator[sa.Connection]:
    """One transaction; what the database refuses is a StoreError."""
    try:
        with engine.begin() as connection:
            yield connection
    except sa.exc.DBAPIError as error:
        raise StoreError(f"store {engine.url.render_as_string()!r}: {reason(error)}") from error


@contextmanager
def visit(url: sa.URL) -> Iterator[sa.Connection]:
    """One transaction on a database, and nothing left of it."""
    engine = connect(url)
    try:
        with transaction(engine) as connection:
            yield connection
    finally:
        engine.dispose()


def reason(error: sa.exc.DBAPIError) -> str:
    """What the database said, and what a person can do about it."""
    said = str(error.orig).strip().partition("\n")[0]
    if error.connection_invalidated or isinstance(error, sa.exc.OperationalError):
        return (
            f"the database cannot be reached ({said}); see that its server runs and that the URL "
            "is right; what was committed is safe"
        )
    return f"{said}; what was committed is safe"


def refuse_newer(name: str, version: int) -> None:
    """Leave tables alone that a newer petriflow has made."""
    if version > schema.VERSION:
        raise StoreError(
            f"store {name!r} was written by a newer petriflow (tables of version {version}, this "
            f"one knows {schema.VERSION}); update petriflow"
        )
