"""The store on PostgreSQL, by psycopg 3: one connection, many cases' events in one transaction."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, suppress
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql
from sqlalchemy.pool import QueuePool

from petriflow.execution.notify import Notifier, Postgres
from petriflow.execution.store import schema
from petriflow.execution.store.ownership import LEASE, Ownership, among, without
from petriflow.execution.store.sql import OPEN, SqlStore, cases, compiled, encode
from petriflow.execution.store.store import Batch, StoredCase, Unreachable
from petriflow.execution.store.upgrade import upgrade
from petriflow.net.errors import StoreError

#: Seconds until a server that does not answer counts as unreachable.
PATIENCE = 10
#: Seconds that a commit waits for a server that is restarted.
RESTART = 30


class PostgresStore(SqlStore):
    """Cases in a PostgreSQL database whose tables `petriflow db upgrade` has made."""

    _insert = staticmethod(postgresql.insert)
    _among = staticmethod(among)
    _statements = compiled(
        postgresql.dialect(paramstyle="format")  # type: ignore[no-untyped-call]
    )

    def __init__(self, url: sa.URL) -> None:
        self._mine = Ownership()
        self.engine = self._mine.engine
        self._defined = {}
        self._engine = connect(url, self.engine)
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
        with self._transaction() as connection:
            self._mine.enter(connection)

    def close(self) -> None:
        with suppress(StoreError), self._transaction() as connection:
            self._mine.leave(connection)
        super().close()

    def notifier(self) -> Notifier:
        _, arguments = self._engine.dialect.create_connect_args(self._engine.url)
        names = {"connect_timeout": PATIENCE, "application_name": "petriflow hints"}
        return Postgres(self._name, {**arguments, **names})

    def identity(self) -> str:
        query = (
            "SELECT system_identifier || '/' || d.oid FROM pg_control_system(), pg_database d "
            "WHERE datname = current_database()"
        )
        with self._transaction() as connection:
            return str(connection.execute(sa.text(query)).scalar_one())

    @property
    def lease(self) -> float | None:
        return LEASE

    def renew(
        self, definitions: Collection[str], mine: Mapping[str, int]
    ) -> tuple[frozenset[str], list[StoredCase]]:
        now = time.monotonic()
        with self._transaction() as connection:
            lost = self._mine.renew(connection, mine)
        self._mine.heard = now
        if lost:  # what its engine still does for them is to be over before they may come back
            return lost, []
        return lost, self.open_cases(definitions)

    def open_cases(self, definitions: Collection[str]) -> list[StoredCase]:
        with self._transaction() as connection:
            return self._mine.take(connection, definitions)

    def acquire(
        self, ids: Collection[str], definitions: Collection[str]
    ) -> tuple[list[StoredCase], list[StoredCase]]:
        with self._transaction() as connection:
            return self._mine.acquire(connection, ids, definitions)

    def _mine_to_ring(self, query: sa.Select[Any], definitions: Collection[str]) -> sa.Select[Any]:
        query = query.join(schema.cases, cases.id == schema.timers.c.case_id)
        return query.where(
            OPEN,
            cases.definition.in_(definitions),
            sa.or_(sa.not_(cases.active), cases.owner == self.engine),
        )

    def counts(self) -> dict[str, int]:
        query = sa.select(cases.workflow, sa.func.count()).group_by(cases.workflow)
        with self._transaction() as connection:
            found = connection.execute(query.where(OPEN, cases.owner == self.engine))
            return {row[0]: row[1] for row in found}

    def _may_have(self, connection: sa.Connection) -> sa.ColumnElement[bool]:
        return self._mine.may_have(connection)

    def commit(self, batch: Batch) -> frozenset[str]:
        until = time.monotonic() + RESTART
        again = False
        while True:
            try:
                return self._commit(batch, again)
            except Unreachable:
                if time.monotonic() > until:
                    raise
            except StoreError as error:
                if not self._forgotten(error):
                    raise
                continue
            again = True
            time.sleep(0.2)

    def _forgotten(self, error: StoreError) -> bool:
        """Whether a definition of this engine was removed meanwhile; then it is there again."""
        diagnosis = getattr(getattr(error.__cause__, "orig", None), "diag", None)
        if getattr(diagnosis, "constraint_name", None) != "cases_definition_fkey":
            return False
        for hash, row in self._defined.items():
            self.define(hash, *row)
        return True

    def _commit(self, batch: Batch, again: bool) -> frozenset[str]:
        """One attempt. The connection may have gone after the last one had been committed."""
        with self._transaction() as connection:
            if again and (written := self._mine.holds(connection, batch)):
                return frozenset(case.id for case in batch.cases if case.id not in written)
            refused = self._mine.guard(connection, batch)
            together = frozenset(id for id, _, _ in batch.moved)
            refused |= together if refused & together else frozenset()
            allowed = without(batch, refused) if refused else batch
            self._write(connection, allowed)
        return refused

    def _transaction(self) -> AbstractContextManager[sa.Connection]:
        return transaction(self._engine)


def connect(url: sa.URL, name: str = "petriflow") -> sa.Engine:
    """An engine of SQLAlchemy's by this name for the server; nothing is connected yet."""
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
            # An engine that is stopped within a transaction does not keep its cases from others.
            connect_args={
                "connect_timeout": PATIENCE,
                "application_name": name,
                "options": f"-c idle_in_transaction_session_timeout={int(LEASE * 1000)}",
            },
            json_serializer=encode,
            hide_parameters=True,  # they hold the values of cases, and stand in tracebacks
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
        said = str(error.orig).strip().partition("\n")[0]
        name = engine.url.render_as_string()
        if error.connection_invalidated or isinstance(error, sa.exc.OperationalError):
            # Without a code of its own it is the connection that failed.
            answered = getattr(error.orig, "sqlstate", None)
            what = "does not go on" if answered else "cannot be reached"
            raise Unreachable(
                f"store {name!r}: the database {what} ({said}); see that its server runs and has "
                "room, and that the URL is right; what was committed is safe"
            ) from error
        raise StoreError(f"store {name!r}: {said}; what was committed is safe") from error


@contextmanager
def visit(url: sa.URL) -> Iterator[sa.Connection]:
    """One transaction on a database, and nothing left of it."""
    engine = connect(url)
    try:
        with transaction(engine) as connection:
            yield connection
    finally:
        engine.dispose()


def refuse_newer(name: str, version: int) -> None:
    """Leave tables alone that a newer petriflow has made."""
    if version > schema.VERSION:
        raise StoreError(
            f"store {name!r} was written by a newer petriflow (tables of version {version}, this "
            f"one knows {schema.VERSION}); update petriflow"
        )
