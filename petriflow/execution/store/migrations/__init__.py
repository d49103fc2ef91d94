"""One file a change of the tables, for Alembic. A file that was released never changes."""
