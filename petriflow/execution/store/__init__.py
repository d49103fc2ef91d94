"""Where cases are kept."""

from petriflow.execution.store.calendar import Schedule
from petriflow.execution.store.listing import OpenIncident, Summary, Which
from petriflow.execution.store.schema import VERSION
from petriflow.execution.store.store import (
    Batch,
    Message,
    Order,
    Record,
    Store,
    StoredCase,
    Unreachable,
)
from petriflow.execution.store.urls import (
    open_store,
    read_store,
    store_exists,
    store_version,
    upgrade_store,
    visit_store,
)
from petriflow.execution.store.versions import Definition
from petriflow.execution.store.work import WhichWork, WorkItem

__all__ = [
    "VERSION",
    "Batch",
    "Definition",
    "Message",
    "OpenIncident",
    "Order",
    "Record",
    "Schedule",
    "Store",
    "StoredCase",
    "Summary",
    "Unreachable",
    "Which",
    "WhichWork",
    "WorkItem",
    "open_store",
    "read_store",
    "store_exists",
    "store_version",
    "upgrade_store",
    "visit_store",
]
