"""Several engines on one database: who has a case, and until when an engine is taken to live."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Add the owner and the fence of a case, and the table of engines."""
    op.create_table(
        "engines",
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column("lease_until", sa.DateTime(timezone=True), nullable=False),
    )
    op.add_column("cases", sa.Column("owner", sa.String(32)))
    op.add_column("cases", sa.Column("fence", sa.Integer, nullable=False, server_default="0"))
    is_open = sa.text("status IN ('running', 'suspended')")
    op.create_index(
        "owned_cases", "cases", ["owner"], sqlite_where=is_open, postgresql_where=is_open
    )
    called = sa.text("parent IS NOT NULL")
    op.create_index(
        "called_cases", "cases", ["parent"], sqlite_where=called, postgresql_where=called
    )
