"""Changes of the tables, by Alembic: the files in `migrations`, one after another.

The revisions are numbered like `schema.VERSION`: version 2 of the tables is revision `0002`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import sqlalchemy as sa

from petriflow.execution.store import schema

FOLDER = Path(__file__).parent / "migrations"


def upgrade(connection: sa.Connection, since: int | None = None) -> None:
    """Bring the tables to the version that this petriflow knows, within the open transaction.

    Args:
        connection: to the database.
        since: the version of tables from a time before Alembic counted them.
    """
    # A second to load, and needed once in the life of a database.
    from alembic.config import Config
    from alembic.runtime.environment import EnvironmentContext
    from alembic.script import ScriptDirectory

    script = ScriptDirectory(FOLDER, version_locations=[FOLDER])

    def steps(revision: Any, context: Any) -> Any:
        return script._upgrade_revs("head", revision)

    with EnvironmentContext(Config(), script, fn=steps) as environment:
        environment.configure(connection=connection, version_table=schema.REVISIONS)
        if since is not None and not sa.inspect(connection).has_table(schema.REVISIONS):
            environment.get_context().stamp(script, f"{since:04d}")
        environment.run_migrations()
