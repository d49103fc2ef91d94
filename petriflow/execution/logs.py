"""What has run, as an event log: for process-mining tools, and to hold it against the net."""

from __future__ import annotations

from datetime import UTC, datetime

from petriflow.execution.store import Record, Store, Which
from petriflow.formats.event_log import EventLog, LoggedEvent, Trace
from petriflow.workflow import Workflow


def event_log(store: Store, workflow: Workflow) -> EventLog:
    """The log of the stored cases of a workflow, in just this version, the oldest first.

    An event tells that a task began or was done; `petriflow:task` is its id. Variables are not
    told. Only what was committed is in the log, and so it always fits the net.
    """
    found = store.summaries(Which(None, workflow.name, None, None))
    traces = []
    for summary in reversed(found):
        stored = store.case(summary.id)
        if stored.definition != workflow.content_hash:
            continue
        events = [
            event for record in store.history(summary.id) for event in _events(record, workflow)
        ]
        traces.append(Trace(summary.id, tuple(events), {"petriflow:status": stored.status}))
    return EventLog(tuple(traces), workflow.name)


def _events(record: Record, workflow: Workflow) -> list[LoggedEvent]:
    at = datetime.fromtimestamp(record.at, UTC)
    found = []
    for id in record.fired:
        task, _, kind = id.rpartition(".")
        if kind in ("start", "complete") and task in workflow.tasks:
            by = record.data.get("by") if task == record.task else None
            name = workflow.tasks[task].name
            found.append(LoggedEvent(name, at, kind, by or None, {"petriflow:task": task}))
    return found
