"""Cases that only wait, incidents, orders, correlated events, work lists of people, schedules."""

import json

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

    incidents = op.create_table(
        "incidents",
        sa.Column("case_id", sa.Text, sa.ForeignKey("cases.id"), primary_key=True),
        sa.Column("incident", sa.Text, primary_key=True),
        sa.Column("element", sa.Text, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("error", sa.Text, nullable=False),
        sa.Column("since", sa.Float, nullable=False),
        sqlite_with_rowid=False,
    )
    _list_incidents(incidents)
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
        sa.Column("at", sa.Float, nullable=False),
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
        sa.Column("instance", sa.Integer),
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


def _list_incidents(table: sa.Table) -> None:
    """Where open cases wait at a choice; until now only their own state said so."""
    names = ("id", "status", "control", "updated_at")
    cases = sa.table("cases", *(sa.column(name) for name in names))
    text = sa.cast(cases.c.control, sa.Text)
    query = sa.select(cases.c.id, text.label("control"), cases.c.updated_at).where(
        cases.c.status.in_(("running", "suspended")), text.not_like('%"incidents":{}%')
    )
    rows = [
        {
            "case_id": row.id,
            "incident": path,
            "element": path,
            "kind": kind,
            "error": error,
            "since": row.updated_at,
        }
        for row in op.get_bind().execute(query)
        for path, (kind, error) in json.loads(row.control)["incidents"].items()
    ]
    if rows:
        op.get_bind().execute(sa.insert(table), rows)
