"""Cases that were started under a key, and those that are suspended."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Make the table of keys and the index of suspended cases."""
    suspended = sa.text("status = 'suspended'")
    op.create_index(
        "suspended_cases",
        "cases",
        ["definition"],
        sqlite_where=suspended,
        postgresql_where=suspended,
    )
    op.create_table(
        "keys",
        sa.Column("workflow", sa.Text, primary_key=True),
        sa.Column("key", sa.Text, primary_key=True),
        sa.Column("case_id", sa.Text, sa.ForeignKey("cases.id"), nullable=False, index=True),
        sqlite_with_rowid=False,
    )
