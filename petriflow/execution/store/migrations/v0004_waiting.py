"""Cases that only wait, orders, correlated events, work lists of people, schedules."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Add the column that says who needs an engine, and the tables."""
    op.add_column(
        "cases", sa.Column("active", sa.Boolean, nullable=False, server_default=sa.true())
    )
    active = sa.text("status IN ('running', 'suspended') AND active")
    op.create_index(
        "active_cases", "cases", ["owner"], sqlite_where=active, postgresql_where=active
    )
    op.create_index("ix_timers_due", "timers", ["due"])

    op.create_table(
        "orders",
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column("case_id", sa.Text, sa.ForeignKey("cases.id"), nullable=False, index=True),
        sa.Column("kind", sa.String(32), nullable=False),
        sa.Column("data", sa.JSON, nullable=False),
        sa.Column("at", sa.Float, nullable=False),
        sa.Column("answer", sa.JSON),
        sqlite_with_rowid=False,
    )
    unanswered = sa.text("answer IS NULL")
    op.create_index(
        "open_orders", "orders", ["case_id"], sqlite_where=unanswered, postgresql_where=unanswered
    )
    op.create_table(
        "subscriptions",
        sa.Column("case_id", sa.Text, sa.ForeignKey("cases.id"), primary_key=True),
        sa.Column("transition", sa.Text, primary_key=True),
        sa.Column("event", sa.Text, nullable=False),
        sa.Column("about", sa.Text, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_index("subscribed_events", "subscriptions", ["event", "about"])
    op.create_table(
        "messages",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("event", sa.Text, nullable=False),
        sa.Column("about", sa.Text, nullable=False),
        sa.Column("payload", sa.JSON, nullable=False),
        sa.Column("at", sa.Float, nullable=False),
        sa.Column("taken_by", sa.Text),
        sqlite_with_rowid=False,
    )
    free = sa.text("taken_by IS NULL")
    op.create_index(
        "open_messages", "messages", ["event", "about"], sqlite_where=free, postgresql_where=free
    )
    op.create_table(
        "work_items",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("case_id", sa.Text, sa.ForeignKey("cases.id"), nullable=False, index=True),
        sa.Column("workflow", sa.Text, nullable=False),
        sa.Column("task", sa.Text, nullable=False),
        sa.Column("role", sa.Text, nullable=False),
        sa.Column("holder", sa.Text),
        sa.Column("offered_at", sa.Float, nullable=False),
        sa.Column("claimed_at", sa.Float),
        sqlite_with_rowid=False,
    )
    op.create_index("offered_work", "work_items", ["role", "offered_at"])
    op.create_table(
        "schedules",
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("workflow", sa.Text, nullable=False),
        sa.Column("cron", sa.Text, nullable=False),
        sa.Column("timezone", sa.Text, nullable=False),
        sa.Column("variables", sa.JSON, nullable=False),
        sa.Column("created_at", sa.Float, nullable=False),
        sa.Column("next_at", sa.Float, nullable=False, index=True),
        sa.Column("last_case", sa.Text),
        sqlite_with_rowid=False,
    )
