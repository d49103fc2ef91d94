"""Which store a URL means."""

from __future__ import annotations

from pathlib import Path

import sqlalchemy as sa

from petriflow.execution.store.sqlite import SqliteStore, file_version
from petriflow.execution.store.store import Store
from petriflow.net.errors import StoreError


def open_store(url: str) -> Store:
    """Open a store, making its tables on first use.

    Args:
        url: `sqlite:///cases.db` for a file, `sqlite://` for one in memory.

    Raises:
        StoreError: the URL is none of these, or the file cannot be used; the message says why.
    """
    return SqliteStore(sqlite_url(url))


def store_exists(url: str) -> bool:
    """Whether there is a store at a URL already; a store in memory never is."""
    file = sa.make_url(url).database if url.startswith("sqlite:") else None
    return bool(file) and Path(str(file)).is_file()


def store_version(url: str) -> int | None:
    """The version of the tables at a URL; `None` where there are none yet. Changes nothing.

    Raises:
        StoreError: the URL is none of a store, the database cannot be reached, or is not ours.
    """
    parsed = sqlite_url(url)
    return file_version(Path(parsed.database)) if parsed.database else None


def upgrade_store(url: str) -> int | None:
    """Bring the tables at a URL up to date, making them where there are none.

    Returns:
        The version that the tables were of, as `store_version`.

    Raises:
        StoreError: as `open_store`.
    """
    version = store_version(url)
    SqliteStore(sqlite_url(url)).close()  # which does it on every opening
    return version


def sqlite_url(url: str) -> sa.URL:
    """The parts of a URL; raises StoreError."""
    try:
        parsed = sa.make_url(url)
    except sa.exc.ArgumentError:
        raise StoreError(f"{url!r} is not a store URL; write sqlite:///cases.db") from None
    if parsed.get_backend_name() != "sqlite":
        raise StoreError(
            f"store {parsed.render_as_string()!r}: only SQLite is supported; "
            "write sqlite:///cases.db, or sqlite:// for one in memory"
        )
    return parsed
