"""Figures, traces and logs of an engine at work: observers for `Engine(observers=[…])`.

`Metrics` needs `petriflow[metrics]`, `Traces` needs `petriflow[tracing]`; both libraries are
imported when the observer is made. None of them ever sees a case's variables.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from petriflow.execution.events import StartTask
from petriflow.execution.handle import CaseHandle
from petriflow.execution.observer import Observer
from petriflow.execution.store import Record
from petriflow.net.errors import DefinitionError

if TYPE_CHECKING:
    from opentelemetry.trace import Span, TracerProvider
    from prometheus_client import CollectorRegistry

#: The events with which an attempt of a task ends.
ENDS = ("TaskCompleted", "TaskFailed")
#: Upper bounds of the histograms' buckets, in seconds: from a millisecond to a month.
SECONDS = (
    0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30, 60, 300, 1800, 3600, 4 * 3600, 86400,
    7 * 86400, 30 * 86400,
)  # fmt: skip


@dataclass(slots=True)
class _Attempt:
    """An attempt's workflow and task, when it is due to begin, and when it began."""

    labels: tuple[str, str]
    due: float
    began: float | None = None


class Metrics(Observer):
    """Prometheus metrics, in a registry of their own.

    By workflow: `active_workflows`, `workflow_duration_seconds` (from the case's beginning to its
    end, restarts included), and `completed_workflows_total`, `failed_workflows_total`,
    `cancelled_workflows_total`, `deadlocked_workflows_total`. By workflow and task:
    `task_duration_seconds` (of one attempt), `failed_task_attempts_total`, `queued_tasks` (attempts
    in their pause or waiting for room), `running_tasks`, and `task_queue_seconds` (how long an
    attempt waited beyond its pause). A case that calls another is counted beside it.

    A case counts in the engine that commits its end, once. `active_workflows` are the open cases
    of the engines that have this observer now.

    Of leases, by workflow: `taken_workflows_total` (cases that were continued from the store, after
    an earlier engine or one that is gone), `lost_workflows_total` (those that another engine took
    because this one was away for longer than its lease); and `lease_renewed_timestamp_seconds`
    (when the engine last said that it lives; 0 where no other shares its store). Of the writer:
    `commit_duration_seconds`, `committed_events_total`, and `commit_queue_events` (how many events
    had come together while the last commit was made; where it grows, the store is too slow).

    Raises:
        DefinitionError: prometheus_client is not installed.

    >>> from petriflow import Engine
    >>> metrics = Metrics()
    >>> engine = Engine("sqlite://", workflows=[], observers=[metrics])
    >>> b"active_workflows" in metrics.expose()
    True
    """

    def __init__(self) -> None:
        try:
            from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
        except ImportError as error:
            raise DefinitionError(
                "prometheus_client is not installed; pip install 'petriflow[metrics]'"
            ) from error
        self.registry: CollectorRegistry = CollectorRegistry()
        case, both, own = ["workflow"], ["workflow", "task"], self.registry

        def seconds(name: str, what: str, labels: list[str]) -> Histogram:
            return Histogram(name, what, labels, registry=own, buckets=SECONDS)

        self._active = Gauge("active_workflows", "Open cases", case, registry=own)
        self._ends = {
            status: Counter(f"{status}_workflows", f"Cases that {status}", case, registry=own)
            for status in ("completed", "failed", "cancelled", "deadlocked")
        }
        self._case_seconds = seconds("workflow_duration_seconds", "From begin to end", case)
        self._task_seconds = seconds("task_duration_seconds", "Of one attempt", both)
        self._queue_seconds = seconds("task_queue_seconds", "Waited for room", both)
        self._failures = Counter("failed_task_attempts", "Failed attempts", both, registry=own)
        self._queued = Gauge("queued_tasks", "Attempts that are to begin", both, registry=own)
        self._running = Gauge("running_tasks", "Attempts at work", both, registry=own)
        self._taken = Counter("taken_workflows", "Continued from the store", case, registry=own)
        self._lost = Counter("lost_workflows", "Taken by another engine", case, registry=own)
        self._renewed = Gauge(
            "lease_renewed_timestamp_seconds", "When the lease was last renewed", registry=own
        )
        self._commit_seconds = seconds("commit_duration_seconds", "Of one commit", [])
        self._events = Counter("committed_events", "Events stored", registry=own)
        self._waiting = Gauge("commit_queue_events", "Events for the next commit", registry=own)
        self._attempts: dict[str, dict[str, _Attempt]] = {}

    def expose(self) -> bytes:
        """The figures now, in Prometheus' text format."""
        from prometheus_client import generate_latest

        return generate_latest(self.registry)

    def serve(self, port: int, host: str = "127.0.0.1") -> tuple[str, Callable[[], None]]:
        """Answer Prometheus, in a thread: to this machine only, unless another host is named.

        Returns:
            The address, such as `http://127.0.0.1:9464/metrics`, and a function that ends it. With
            port 0 the system chooses a free port.

        Raises:
            DefinitionError: the port cannot be had.
        """
        from prometheus_client import start_http_server

        try:
            server, thread = start_http_server(port, host, self.registry)
        except (OSError, OverflowError) as error:
            raise DefinitionError(
                f"metrics cannot be served on port {port} of {host!r} ({error}); choose another "
                "port, or 0 for any that is free"
            ) from error

        def stop() -> None:
            server.shutdown()
            server.server_close()
            thread.join()

        return f"http://{host}:{server.server_port}/metrics", stop

    def opened(self, case: CaseHandle, at: float, continued: bool) -> None:
        """Count it among the active ones, once."""
        if continued:  # it is among those that were counted
            self._taken.labels(case.workflow.name).inc()
        else:
            self._active.labels(case.workflow.name).inc()

    def counted(self, workflow: str, change: int) -> None:
        """So many more are active."""
        self._active.labels(workflow).inc(change)

    def ended(self, case: CaseHandle, at: float) -> None:
        """Count its end and the time since its beginning."""
        self._forget(case)
        self._active.labels(case.workflow.name).dec()
        self._ends[case.status].labels(case.workflow.name).inc()
        self._case_seconds.labels(case.workflow.name).observe(max(0.0, at - case.created_at))

    def left(self, case: CaseHandle, at: float) -> None:
        """It is not active here any more."""
        if case.refused:
            self._lost.labels(case.workflow.name).inc()
        self._active.labels(case.workflow.name).dec()
        self._forget(case)

    def _forget(self, case: CaseHandle) -> None:
        for firing_id in list(self._attempts.get(case.id, ())):
            self._end(case, firing_id)
        self._attempts.pop(case.id, None)

    def queued(self, case: CaseHandle, command: StartTask, at: float) -> None:
        """Count it among those that are to begin."""
        attempts = self._attempts.setdefault(case.id, {})
        if command.firing_id not in attempts:
            attempt = _Attempt((case.workflow.name, command.task), at + command.delay)
            attempts[command.firing_id] = attempt
            self._queued.labels(*attempt.labels).inc()

    def began(self, case: CaseHandle, command: StartTask, at: float) -> None:
        """It has left the queue."""
        attempt = self._attempts[case.id][command.firing_id]
        if attempt.began is not None:
            return
        attempt.began = at
        self._queued.labels(*attempt.labels).dec()
        self._running.labels(*attempt.labels).inc()
        self._queue_seconds.labels(*attempt.labels).observe(max(0.0, at - attempt.due))

    def committed(self, case: CaseHandle, record: Record) -> None:
        """The end of an attempt gives its time."""
        if record.kind not in ENDS or record.late:
            return
        firing_id = record.data["firing_id"]
        if record.kind == "TaskFailed":
            self._failures.labels(case.workflow.name, record.task).inc()
        began = self._end(case, firing_id)
        if began is not None:
            seconds = self._task_seconds.labels(case.workflow.name, record.task)
            seconds.observe(max(0.0, record.at - began))

    def withdrawn(self, case: CaseHandle, firing_id: str, at: float) -> None:
        """It is neither queued nor running any more."""
        self._end(case, firing_id)

    def wrote(self, events: int, seconds: float, waiting: int) -> None:
        """Count what is stored, and what waits to be."""
        self._commit_seconds.observe(seconds)
        self._events.inc(events)
        self._waiting.set(waiting)

    def renewed(self, at: float) -> None:
        """Note when."""
        self._renewed.set(at)

    def _end(self, case: CaseHandle, firing_id: str) -> float | None:
        """Take the attempt off; the answer is when it began."""
        attempt = self._attempts.get(case.id, {}).pop(firing_id, None)
        if attempt is None:
            return None
        gauge = self._queued if attempt.began is None else self._running
        gauge.labels(*attempt.labels).dec()
        return attempt.began


class Traces(Observer):
    """OpenTelemetry traces: a span a case, and in it a span an attempt of a task.

    Spans made by a body lie in its attempt's; those of a called case lie in its caller's attempt.
    A case that an engine continues has a span of its own there, from its beginning on, marked
    `petriflow.continued`. Where opentelemetry is not installed nothing happens.

    Args:
        provider: where the spans go; by default the process's global tracer provider.
    """

    def __init__(self, provider: TracerProvider | None = None) -> None:
        self._spans: dict[str, Span] = {}
        self._attempts: dict[str, dict[str, Span]] = {}
        try:
            from opentelemetry import trace
        except ImportError:
            self._tracer = None
        else:
            self._tracer = trace.get_tracer("petriflow", tracer_provider=provider)

    def opened(self, case: CaseHandle, at: float, continued: bool) -> None:
        """Begin the case's span."""
        attributes: dict[str, Any] = {
            "petriflow.case_id": case.id,
            "petriflow.workflow": case.workflow.name,
        }
        if continued:
            attributes["petriflow.continued"] = True
        caller = self._attempts.get(case.parent_id, {}).get(case.firing_id)
        if span := self._begin(case.workflow.name, caller, attributes, case.created_at):
            self._spans[case.id] = span

    def began(self, case: CaseHandle, command: StartTask, at: float) -> None:
        """Begin the attempt's span, and make it the one around what the body does."""
        if command.firing_id in self._attempts.get(case.id, ()):
            return
        attributes = {
            "petriflow.case_id": case.id,
            "petriflow.workflow": case.workflow.name,
            "petriflow.task": command.task,
            "petriflow.firing_id": command.firing_id,
            "petriflow.attempt": command.attempt,
        }
        if span := self._begin(command.task, self._spans.get(case.id), attributes, at):
            from opentelemetry import context, trace

            self._attempts.setdefault(case.id, {})[command.firing_id] = span
            task = case.workflow.bodies[command.task]
            if task.calls is None and task.role is None:
                context.attach(trace.set_span_in_context(span))  # the asyncio task is the body's

    def _begin(self, name: str, parent: Span | None, attributes: Any, at: float) -> Span | None:
        if self._tracer is None:
            return None
        from opentelemetry import context, trace

        around = context.Context()
        if parent is not None:
            around = trace.set_span_in_context(parent, around)
        return self._tracer.start_span(
            name, context=around, attributes=attributes, start_time=_nanoseconds(at)
        )

    def committed(self, case: CaseHandle, record: Record) -> None:
        """End the attempt's span where the event ends the attempt."""
        ends = record.kind in ENDS and not record.late
        if ends and (span := self._taken(case, record.data["firing_id"])):
            _end(span, record.at, record.error)

    def withdrawn(self, case: CaseHandle, firing_id: str, at: float) -> None:
        """End the attempt's span; the attempt has neither completed nor failed."""
        if span := self._taken(case, firing_id):
            span.set_attribute("petriflow.withdrawn", True)
            _end(span, at, None)

    def _taken(self, case: CaseHandle, firing_id: str) -> Span | None:
        return self._attempts.get(case.id, {}).pop(firing_id, None)

    def ended(self, case: CaseHandle, at: float) -> None:
        """End the case's span."""
        self._attempts.pop(case.id, None)
        if span := self._spans.pop(case.id, None):
            span.set_attribute("petriflow.status", case.status)
            trouble = case.status in ("failed", "deadlocked")
            _end(span, at, (case._case.error or case.status) if trouble else None)

    def stopped(self, at: float) -> None:
        """End the spans of cases that only waited."""
        for span in self._spans.values():
            _end(span, at, None)
        self._spans.clear()

    def left(self, case: CaseHandle, at: float) -> None:
        """End the case's span and those of its attempts; another engine begins its own."""
        for firing_id in list(self._attempts.get(case.id, ())):
            self.withdrawn(case, firing_id, at)
        self._attempts.pop(case.id, None)
        if span := self._spans.pop(case.id, None):
            span.set_attribute("petriflow.status", case.status)
            _end(span, at, None)


def _end(span: Span, at: float, error: str | None) -> None:
    if error is not None:
        from opentelemetry.trace import Status, StatusCode

        span.set_attribute("petriflow.error", error)
        span.set_status(Status(StatusCode.ERROR, error))
    span.end(end_time=_nanoseconds(at))


def _nanoseconds(at: float) -> int:
    return int(at * 1_000_000_000)


class Logs(Observer):
    """Log records of what is committed, on the logger `petriflow.cases`.

    Every record carries `case_id` and `workflow`, and as far as there are any `event`, `seq`,
    `task`, `firing_id`, `attempt`, `status` and `error`, as attributes (`extra=`). The beginning
    and the end of a case are told at INFO, trouble at WARNING, a failed case at ERROR, and all the
    rest at DEBUG.
    """

    def __init__(self) -> None:
        self._log = logging.getLogger("petriflow.cases")

    def _tell(self, level: int, case: CaseHandle, words: str, **more: Any) -> None:
        extra = {"case_id": case.id, "workflow": case.workflow.name}
        extra |= {name: value for name, value in more.items() if value is not None}
        self._log.log(level, "case %s of %s " + words, case.id, case.workflow.name, extra=extra)

    def opened(self, case: CaseHandle, at: float, continued: bool) -> None:
        """A case begins, or goes on."""
        self._tell(logging.INFO, case, "is continued" if continued else "begins")

    def committed(self, case: CaseHandle, record: Record) -> None:
        """An event is stored."""
        trouble = record.error is not None and not record.late
        level = logging.WARNING if trouble else logging.DEBUG
        if self._log.isEnabledFor(level):
            words = f"records {record.kind}" + (" (late)" if record.late else "")
            if trouble:
                words += " with an error"
            self._tell(
                level,
                case,
                words,
                event=record.kind,
                seq=record.seq,
                task=record.task,
                firing_id=record.data.get("firing_id"),
                error=record.error,
            )

    def began(self, case: CaseHandle, command: StartTask, at: float) -> None:
        """An attempt begins."""
        self._tell(
            logging.DEBUG,
            case,
            "begins an attempt",
            task=command.task,
            firing_id=command.firing_id,
            attempt=command.attempt,
        )

    def ended(self, case: CaseHandle, at: float) -> None:
        """A case has ended."""
        level = logging.ERROR if case.status in ("failed", "deadlocked") else logging.INFO
        self._tell(level, case, case.status, status=case.status, error=case._case.error)

    def left(self, case: CaseHandle, at: float) -> None:
        """A case waits for another engine."""
        self._tell(logging.INFO, case, "is left to the next engine", status=case.status)


#: What every log record has; all else was given by `extra=`.
_USUAL = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime"}


class JsonFormatter(logging.Formatter):
    """One JSON object a line: time, level, logger, message, and all that `extra=` gave.

    >>> record = logging.makeLogRecord({"msg": "hello", "levelname": "INFO", "case_id": "7"})
    >>> record.created, record.name = 0.0, "petriflow"
    >>> print(JsonFormatter().format(record))
    {"time": "1970-01-01T00:00:00+00:00", "level": "INFO", "logger": "petriflow", \
"message": "hello", "case_id": "7"}
    """

    def format(self, record: logging.LogRecord) -> str:
        """The record as one line of JSON."""
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        line |= {name: value for name, value in vars(record).items() if name not in _USUAL}
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False, default=str)
