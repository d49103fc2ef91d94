"""Figures, traces and logs, read with the libraries of those who will read them."""

from __future__ import annotations

import asyncio
import builtins
import json
import logging
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from petriflow import Engine, TaskContext, Workflow, call, task
from petriflow.execution.observer import Observer
from petriflow.execution.telemetry import JsonFormatter, Logs, Metrics, Traces
from petriflow.net.errors import DefinitionError
from petriflow.patterns import discriminator, event, parallel, sequence

from .test_engine import MEMORY, JumpingClock, step, until
from .test_leases import expire

parser = pytest.importorskip("prometheus_client.parser")
trace_sdk = pytest.importorskip("opentelemetry.sdk.trace")


def figures(metrics: Metrics) -> dict[tuple[str, str, str], float]:
    """What Prometheus reads: by sample, workflow and task; buckets left out."""
    return {
        (s.name, s.labels.get("workflow", ""), s.labels.get("task", "")): s.value
        for family in parser.text_string_to_metric_families(metrics.expose().decode())
        for s in family.samples
        if "le" not in s.labels and not s.name.endswith("_created")
    }


class Trouble:
    """A body that fails so many times."""

    def __init__(self, times: int) -> None:
        self.left = times

    async def __call__(self, case: TaskContext) -> None:
        if self.left:
            self.left -= 1
            raise ValueError("not yet")


@pytest.mark.promise("RUN-24")
async def test_each_metric_counts_what_its_name_says() -> None:
    good = Workflow("good", sequence(task(name="a", retries=2, delay=4)(Trouble(2)), step("b")))
    bad = Workflow("bad", task(name="c")(Trouble(9)))
    metrics, clock = Metrics(), JumpingClock()
    async with Engine(MEMORY, workflows=[good, bad], observers=[metrics], clock=clock) as engine:
        for flow in (good, bad, bad):
            await (await engine.start(flow)).wait()
    read = figures(metrics)
    assert {key: n for key, n in read.items() if key[1] and "seconds" not in key[0]} == {
        ("active_workflows", "good", ""): 0,
        ("active_workflows", "bad", ""): 0,
        ("completed_workflows_total", "good", ""): 1,
        ("failed_workflows_total", "bad", ""): 2,
        ("failed_task_attempts_total", "good", "good/a"): 2,
        ("failed_task_attempts_total", "bad", "bad"): 2,
        ("queued_tasks", "good", "good/a"): 0,
        ("queued_tasks", "good", "good/b"): 0,
        ("queued_tasks", "bad", "bad"): 0,
        ("running_tasks", "good", "good/a"): 0,
        ("running_tasks", "good", "good/b"): 0,
        ("running_tasks", "bad", "bad"): 0,
    }
    assert read["task_duration_seconds_count", "good", "good/a"] == 3
    assert read["workflow_duration_seconds_count", "good", ""] == 1
    assert read["workflow_duration_seconds_sum", "good", ""] == 12  # the pauses: 4 and 8
    assert read["task_duration_seconds_sum", "good", "good/a"] == 0  # a pause is no work


async def test_a_task_counts_as_queued_in_its_pause_and_as_running_at_work() -> None:
    open_it = asyncio.Event()

    async def hold(case: TaskContext) -> None:
        await open_it.wait()

    flow = Workflow("w", parallel(hold, task(name="again", retries=1, delay=99)(Trouble(1))))
    metrics = Metrics()
    async with Engine(MEMORY, workflows=flow, observers=[metrics]) as engine:
        case = await engine.start(flow)
        await until(lambda: figures(metrics).get(("queued_tasks", "w", "w/again")) == 1)
        assert figures(metrics)["running_tasks", "w", "w/hold"] == 1
        assert figures(metrics)["active_workflows", "w", ""] == 1
        await case.cancel()
        read = figures(metrics)
    assert read["cancelled_workflows_total", "w", ""] == 1
    assert {n for key, n in read.items() if key[0] in ("queued_tasks", "running_tasks")} == {0}
    assert not any(key[0] == "completed_workflows_total" for key in read)


async def test_what_loses_a_race_is_not_left_running() -> None:
    async def never(case: TaskContext) -> None:
        await asyncio.sleep(999)

    flow = Workflow("w", discriminator(step("quick"), never, cancel=True, then=step("then")))
    metrics = Metrics()
    async with Engine(MEMORY, workflows=flow, observers=[metrics]) as engine:
        await (await engine.start(flow)).wait()
    read = figures(metrics)
    assert {n for key, n in read.items() if key[0] in ("queued_tasks", "running_tasks")} == {0}
    counts = {key[2]: n for key, n in read.items() if key[0] == "task_duration_seconds_count"}
    assert {task.rpartition("/")[2]: n for task, n in counts.items()} == {"quick": 1, "then": 1}


@pytest.mark.promise("RUN-24")
async def test_a_case_that_another_engine_continues_is_counted_once_and_from_its_beginning(
    tmp_path: Path,
) -> None:
    flow = Workflow("w", sequence(step("a"), event("go"), step("b")))
    store, clock = f"sqlite:///{tmp_path / 'cases.db'}", JumpingClock()
    first, second = Metrics(), Metrics()
    async with Engine(store, workflows=flow, observers=[first], clock=clock) as engine:
        case = await engine.start(flow)
        await case.settle()
        assert figures(first)["active_workflows", "w", ""] == 1
    assert figures(first)["active_workflows", "w", ""] == 0
    clock.time += 3600
    async with Engine(store, workflows=flow, observers=[second], clock=clock) as engine:
        assert figures(second)["active_workflows", "w", ""] == 1
        await engine.signal(case.id, "go")
        await (await engine.case(case.id)).wait()
    for metrics, ended in ((first, None), (second, 1)):
        read = figures(metrics)
        assert read["active_workflows", "w", ""] == 0
        assert read.get(("completed_workflows_total", "w", "")) == ended
        assert read.get(("workflow_duration_seconds_count", "w", "")) == ended
    assert figures(second)["workflow_duration_seconds_sum", "w", ""] == 3600
    assert ("task_duration_seconds_count", "w", "w/a") not in figures(second)


async def test_two_engines_in_one_process_count_apart_or_together() -> None:
    flow = Workflow("w", step("a"))
    apart, also, together = Metrics(), Metrics(), Metrics()
    async with (
        Engine(MEMORY, workflows=flow, observers=[apart, together]) as one,
        Engine(MEMORY, workflows=flow, observers=[also, together]) as two,
    ):
        for engine in (one, two):
            await (await engine.start(flow)).wait()
    done = [figures(m)["completed_workflows_total", "w", ""] for m in (apart, also, together)]
    assert done == [1, 1, 2]


async def test_metrics_are_served_until_they_are_stopped() -> None:
    metrics = Metrics()
    url, stop = metrics.serve(0)
    assert url.startswith("http://127.0.0.1:")  # nobody else's business, unless one says so
    try:
        served = await asyncio.to_thread(lambda: urllib.request.urlopen(url).read())
    finally:
        stop()
    assert b"# TYPE active_workflows gauge" in served
    with pytest.raises(OSError, match="refused"):
        await asyncio.to_thread(urllib.request.urlopen, url)


@pytest.mark.promise("CLI-11")
def test_a_port_that_is_taken_is_told() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(DefinitionError, match=rf"port {port} of '127.0.0.1' \(.*in use"):
            Metrics().serve(port)
    with pytest.raises(DefinitionError, match="cannot be served on port 70000"):
        Metrics().serve(70000)


@pytest.mark.promise("RUN-24")
async def test_the_writer_tells_what_it_wrote_and_how_long_it_took() -> None:
    flow = Workflow("w", sequence(step("a"), step("b")))
    metrics = Metrics()
    async with Engine(MEMORY, workflows=flow, observers=[metrics]) as engine:
        case = await engine.start(flow)
        await case.wait()
        events = len(await engine.history(case.id))
    read = figures(metrics)
    assert read["committed_events_total", "", ""] == events == 3
    assert 1 <= read["commit_duration_seconds_count", "", ""] <= 3
    assert read["commit_duration_seconds_sum", "", ""] > 0
    assert read["commit_queue_events", "", ""] == 0
    assert read["lease_renewed_timestamp_seconds", "", ""] == 0  # nobody shares a SQLite file
    assert not any(key[0] in ("taken_workflows_total", "lost_workflows_total") for key in read)


@pytest.mark.promise("RUN-24")
async def test_what_engines_take_from_each_other_is_counted(database: str) -> None:
    door, begun = asyncio.Event(), []

    async def hold(case: TaskContext) -> None:
        begun.append(case.firing_id)
        await door.wait()

    flow = Workflow("w", sequence(hold, event("go"), step("b")))
    first, second = Metrics(), Metrics()
    async with Engine(database, workflows=flow, observers=[first]) as one:
        await one.start(flow)
        await until(lambda: len(begun) == 1)
        one._leases.cancel()  # it is away
        expire(database)
        async with Engine(database, workflows=flow, observers=[second]) as two:
            await until(lambda: figures(second).get(("taken_workflows_total", "w", "")) == 1)
            door.set()
            await until(lambda: figures(first).get(("lost_workflows_total", "w", "")) == 1)
            assert figures(first)["active_workflows", "w", ""] == 0
            await until(lambda: figures(second).get(("active_workflows", "w", "")) == 1)
            await until(lambda: figures(second)["lease_renewed_timestamp_seconds", "", ""] > 0)
            assert not two._stopping


def test_an_engine_loads_no_library_of_telemetry_that_is_not_asked_for() -> None:
    code = (
        "import petriflow.execution, petriflow.execution.telemetry as t, sys; t.Logs();"
        "print([m for m in sys.modules if m.startswith(('prometheus', 'opentelemetry'))])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


async def test_without_the_libraries_metrics_name_the_remedy_and_traces_do_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    real = builtins.__import__

    def missing(name: str, *args: Any, **more: Any) -> Any:
        if name.split(".")[0] in ("prometheus_client", "opentelemetry"):
            raise ImportError(name)
        return real(name, *args, **more)

    monkeypatch.setattr(builtins, "__import__", missing)
    with pytest.raises(DefinitionError, match=r"pip install 'petriflow\[metrics\]'"):
        Metrics()
    flow = Workflow("w", task(name="a", retries=1, delay=0)(Trouble(1)))
    async with Engine(MEMORY, workflows=flow, observers=[Traces()]) as engine:
        assert (await (await engine.start(flow)).wait()).completed


# -- traces --------------------------------------------------------------------------------------


def recording() -> tuple[Any, Any]:
    """A tracer provider, and the exporter that holds what it was given."""
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

    provider, exporter = trace_sdk.TracerProvider(), InMemorySpanExporter()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    return provider, exporter


async def test_a_case_is_a_span_and_each_attempt_a_span_in_it() -> None:
    provider, exporter = recording()
    tracer = provider.get_tracer("user")

    async def inside(case: TaskContext) -> None:
        with tracer.start_as_current_span("in the loop"):
            await asyncio.sleep(0)

    def threaded(case: TaskContext) -> None:
        with tracer.start_as_current_span("in a thread"):
            pass

    shaky = task(name="shaky", retries=1, delay=4)(Trouble(1))
    flow = Workflow("w", sequence(shaky, parallel(inside, threaded)))
    engine = Engine(MEMORY, workflows=flow, observers=[Traces(provider)], clock=JumpingClock())
    async with engine:
        case = await engine.start(flow)
        await case.wait()
    spans = exporter.get_finished_spans()
    [root] = [s for s in spans if s.parent is None]
    assert root.name == "w"
    assert dict(root.attributes) == {
        "petriflow.case_id": case.id,
        "petriflow.workflow": "w",
        "petriflow.status": "completed",
    }
    assert root.end_time - root.start_time == 4_000_000_000
    assert {s.context.trace_id for s in spans} == {root.context.trace_id}
    failed, second = [s for s in spans if s.name == "w/shaky"]
    assert failed.status.status_code.name == "ERROR"
    assert failed.attributes["petriflow.error"] == "ValueError: not yet"
    assert second.status.status_code.name == "UNSET"
    assert [s.attributes["petriflow.attempt"] for s in (failed, second)] == [1, 2]
    assert {s.attributes["petriflow.firing_id"] for s in (failed, second)} == {
        f"{case.id}/w/shaky/1"
    }
    attempts = {s.context.span_id: s.name for s in spans if s.parent == root.context}
    assert sorted(attempts.values()) == [
        "w/parallel-2/inside", "w/parallel-2/threaded", "w/shaky", "w/shaky",
    ]  # fmt: skip
    around = {s.name: attempts[s.parent.span_id] for s in spans if s.name.startswith("in ")}
    assert around == {"in the loop": "w/parallel-2/inside", "in a thread": "w/parallel-2/threaded"}


async def test_the_span_of_a_called_case_lies_in_the_attempt_that_calls_it() -> None:
    provider, exporter = recording()
    inner = Workflow("inner", sequence(step("a"), step("b")))
    outer = Workflow("outer", sequence(call(inner, name="call"), step("last")))
    async with Engine(MEMORY, workflows=[outer, inner], observers=[Traces(provider)]) as engine:
        await (await engine.start(outer)).wait()
    spans = exporter.get_finished_spans()
    names = {s.context.span_id: s.name for s in spans}
    assert {s.name: s.parent and names[s.parent.span_id] for s in spans} == {
        "inner/a": "inner",
        "inner/b": "inner",
        "inner": "outer/call",
        "outer/call": "outer",
        "outer/last": "outer",
        "outer": None,
    }


async def test_no_span_is_left_open_whatever_becomes_of_the_case(tmp_path: Path) -> None:
    provider, exporter = recording()

    async def hold(case: TaskContext) -> None:
        await asyncio.sleep(999)

    flow, bad = Workflow("w", hold), Workflow("bad", task(name="c")(Trouble(9)))
    observers, store = [Traces(provider)], f"sqlite:///{tmp_path / 'cases.db'}"
    async with Engine(store, workflows=[flow, bad], observers=observers) as engine:
        await (await engine.start(bad)).wait()
        await (await engine.start(flow)).cancel()
        left = await engine.start(flow)
    async with Engine(store, workflows=[flow, bad], observers=observers) as engine:
        await engine.cancel(left.id)
    told = [
        (
            s.name,
            s.attributes.get("petriflow.status"),
            s.attributes.get("petriflow.continued", False),
            s.status.status_code.name,
        )
        for s in exporter.get_finished_spans()
        if s.parent is None
    ]
    assert told == [
        ("bad", "failed", False, "ERROR"),
        ("w", "cancelled", False, "UNSET"),
        ("w", "running", False, "UNSET"),
        ("w", "cancelled", True, "UNSET"),
    ]


# -- logs ----------------------------------------------------------------------------------------


@pytest.mark.promise("RUN-24")
async def test_every_log_line_carries_its_case_and_none_its_variables(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG, "petriflow.cases")
    flow = Workflow(
        "w", sequence(task(name="a", retries=1, delay=0)(Trouble(1)), step("b", x="pw"))
    )
    async with Engine(MEMORY, workflows=flow, observers=[Logs()]) as engine:
        case = await engine.start(flow, {"password": "hunter2"})
        await case.wait()
    assert {r.case_id for r in caplog.records} == {case.id}  # type: ignore[attr-defined]
    lines = [json.loads(JsonFormatter().format(r)) for r in caplog.records]
    assert [line["level"] for line in lines if line["level"] != "DEBUG"] == [
        "INFO", "WARNING", "INFO",
    ]  # fmt: skip
    [trouble] = [line for line in lines if line["level"] == "WARNING"]
    assert (trouble["task"], trouble["error"]) == ("w/a", "ValueError: not yet")
    assert lines[-1]["status"] == "completed"
    assert [line["attempt"] for line in lines if "attempt" in line] == [1, 2, 1]
    told = json.dumps(lines)
    assert "hunter2" not in told
    assert "pw" not in told


def test_a_logged_exception_is_part_of_its_json_line() -> None:
    try:
        raise ValueError("why")
    except ValueError:
        record = logging.LogRecord("n", 40, "f", 1, "%s!", ("ouch",), sys.exc_info())
    line = json.loads(JsonFormatter().format(record))
    assert line["message"] == "ouch!"
    assert "ValueError: why" in line["exception"]


async def test_an_observer_that_fails_disturbs_nobody(caplog: pytest.LogCaptureFixture) -> None:
    class Bad(Observer):
        def committed(self, case: Any, record: Any) -> None:
            raise RuntimeError("observer")

    metrics, flow = Metrics(), Workflow("w", step("a"))
    async with Engine(MEMORY, workflows=flow, observers=[Bad(), metrics]) as engine:
        case = await engine.start(flow)
        assert (await case.wait()).completed
    assert figures(metrics)["completed_workflows_total", "w", ""] == 1
    assert {r.case_id for r in caplog.records} == {case.id}  # type: ignore[attr-defined]
    assert "Bad.committed failed for case" in caplog.text
