"""Where cases are kept."""

from petriflow.execution.store.store import (
    Batch,
    Record,
    Store,
    StoredCase,
    open_store,
    store_exists,
)

__all__ = ["Batch", "Record", "Store", "StoredCase", "open_store", "store_exists"]
