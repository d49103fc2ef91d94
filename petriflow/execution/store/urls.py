"""Which store a URL means."""

from __future__ import annotations

from pathlib import Path

import sqlalchemy as sa

from petriflow.execution.store.postgres import PostgresStore, database_version, upgrade_database
from petriflow.execution.store.sqlite import SqliteGuest, SqliteReader, SqliteStore, file_version
from petriflow.execution.store.store import Store
from petriflow.net.errors import StoreError, StoreInUse


def open_store(url: str) -> Store:
    """Open a store. A SQLite file gets its tables on first use, and the changes of newer versions;
    a PostgreSQL database gets both by `upgrade_store` alone, for others may be using it.

    Args:
        url: `sqlite:///cases.db` for a file, `sqlite://` for one in memory, or
            `postgresql+psycopg://user@host/database`.

    Raises:
        StoreError: the URL is none of these, or the store cannot be used; the message says why.
    """
    parsed = _parse(url)
    return SqliteStore(parsed) if _is_sqlite(parsed) else PostgresStore(parsed)


def visit_store(url: str) -> Store:
    """Open a store to give orders; one that another engine has, as its guest: that engine carries
    them out.

    Raises:
        StoreError: as `open_store`.
    """
    try:
        return open_store(url)
    except StoreInUse:
        return SqliteGuest(_parse(url))


def read_store(url: str) -> Store:
    """Open a store that is there already to look at it, also while an engine has it.

    Raises:
        StoreError: there is no such store, or it cannot be used; the message says why.
    """
    if not store_exists(url):
        raise StoreError(f"there is no store {url!r}")
    parsed = _parse(url)
    return SqliteReader(parsed) if _is_sqlite(parsed) else PostgresStore(parsed)


def store_exists(url: str) -> bool:
    """Whether there is a store at a URL already; a store in memory never is."""
    parsed = _parse(url)
    if not _is_sqlite(parsed):
        return database_version(parsed) is not None
    return bool(parsed.database) and Path(str(parsed.database)).is_file()


def store_version(url: str) -> int | None:
    """The version of the tables at a URL; `None` where there are none yet. Changes nothing.

    Raises:
        StoreError: the URL is none of a store, the database cannot be reached, or is not ours.
    """
    parsed = _parse(url)
    if not _is_sqlite(parsed):
        return database_version(parsed)
    return file_version(Path(parsed.database)) if parsed.database else None


def upgrade_store(url: str) -> int | None:
    """Bring the tables at a URL up to date, making them where there are none.

    Returns:
        The version that the tables were of, as `store_version`.

    Raises:
        StoreError: as `open_store`.
    """
    parsed = _parse(url)
    if not _is_sqlite(parsed):
        return upgrade_database(parsed)
    version = store_version(url)
    SqliteStore(parsed).close()  # which does it on every opening
    return version


def _parse(url: str) -> sa.URL:
    try:
        parsed = sa.make_url(url)
    except sa.exc.ArgumentError:
        raise StoreError(f"{url!r} is not a store URL; write sqlite:///cases.db") from None
    if parsed.get_backend_name() not in ("sqlite", "postgresql"):
        raise StoreError(
            f"store {parsed.render_as_string()!r}: only SQLite and PostgreSQL are supported; write "
            "sqlite:///cases.db, sqlite:// for one in memory, or postgresql+psycopg://host/database"
        )
    return parsed


def _is_sqlite(url: sa.URL) -> bool:
    return url.get_backend_name() == "sqlite"
