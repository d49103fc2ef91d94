"""Where cases are kept."""

from petriflow.execution.store.store import Record, Store, StoredCase, open_store

__all__ = ["Record", "Store", "StoredCase", "open_store"]
