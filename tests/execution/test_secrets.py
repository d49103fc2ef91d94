"""Secret variables at work: whatever happens, no channel tells a value."""

from __future__ import annotations

import asyncio
import json
import logging
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import pytest
from pydantic import BaseModel, SecretStr

from petriflow import Engine, TaskContext, Workflow, call, secret, task
from petriflow.execution import Record
from petriflow.execution.executors import Processes
from petriflow.execution.history import History
from petriflow.execution.observer import Observer
from petriflow.execution.telemetry import JsonFormatter, Logs, Traces
from petriflow.net.errors import DefinitionError, NoBranchEnabled, VariableError
from petriflow.patterns import event, exclusive_choice, parallel, sequence, when

from .test_engine import step

VALUE, LATER = "sword'fish-77", "hunter-2222"


class Typed(BaseModel):
    n: int = 0
    password: SecretStr
    later: Annotated[str, secret] = ""


def login(case: TaskContext) -> dict[str, Any]:
    """Fails once, and says what with; then it works."""
    if case.attempt == 1:
        given = case["password"]
        plain = given.get_secret_value() if isinstance(given, SecretStr) else given
        raise PermissionError(f"cannot log in with {plain!r}: {case!r}")
    return {"later": LATER, "n": 1}


@task(name="refused", retries=0)
async def refused(case: TaskContext) -> Any:
    raise ValueError("refused " + json.dumps({"a": case["later"]}))


def flow(**more: Any) -> Workflow:
    """Every kind of trouble that quotes variables, one after the other."""
    return Workflow(
        "login",
        sequence(
            task(name="log in", retries=2)(login),
            exclusive_choice(when("n > 5", step("go")), name="open", exhaustive=True),
            event("changed"),
            refused,
        ),
        example={"password": VALUE},
        **more,
    )


class Nosy(Observer):
    """Sees the case, and fails with all that it has seen."""

    def committed(self, case: Any, record: Record) -> None:
        raise RuntimeError(f"I saw {dict(case.variables)} and {record}")


@pytest.fixture(params=["typed", "untyped"])
def secretive(request: pytest.FixtureRequest) -> Workflow:
    if request.param == "typed":
        return flow(variables=Typed)
    return flow(secret=["password", "later"])


def spans() -> tuple[Traces, Any]:
    sdk = pytest.importorskip("opentelemetry.sdk.trace")
    export = pytest.importorskip("opentelemetry.sdk.trace.export")
    memory = pytest.importorskip("opentelemetry.sdk.trace.export.in_memory_span_exporter")
    provider, exporter = sdk.TracerProvider(), memory.InMemorySpanExporter()
    provider.add_span_processor(export.SimpleSpanProcessor(exporter))
    return Traces(provider), exporter


@pytest.mark.promise("FLOW-11")
async def test_no_channel_tells_a_secret(
    store: str, secretive: Workflow, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    traces, exporter = spans()
    told: list[str] = []

    def on_event(record: Record) -> None:
        told.append(repr(record))
        raise RuntimeError(f"nosy {record}")

    async with Engine(
        store,
        workflows=[secretive],
        allow_unsound=True,
        on_event=on_event,
        observers=[Logs(), Nosy(), traces],
    ) as engine:
        handle = await engine.start(secretive)
        with pytest.raises(NoBranchEnabled) as stuck:
            await handle.wait()
        told += [str(stuck.value), repr(handle.incidents), str(await engine.explain(handle.id))]
        await handle.retry({"n": 9})
        await handle.settle()
        await engine.signal(handle.id, "changed", {"later": LATER + "!"})
        ended = await handle.wait()
        assert ended.variables["password"] == VALUE  # the program has it, and its repr has not
        assert ended.variables["later"] == LATER + "!"
        assert "refused" in str(ended.error)
        explanation = await engine.explain(handle.id)
        history = await engine.history(handle.id)
        assert history[0].data["variables"]["password"] == "***"
        table = history.to_pandas()
        told += [repr(ended), repr(await engine.outcome(handle.id)), repr(handle), str(ended)]
        told += [str(explanation), explanation._repr_html_(), json.dumps(explanation.to_json())]
        told += [str(history), repr(history), history._repr_html_(), table.to_string()]
        told += [table.to_csv(), repr(list(history))]
        told.append(repr(await engine.list()))
    told += [JsonFormatter().format(record) for record in caplog.records]
    told += [span.to_json() for span in exporter.get_finished_spans()]
    told.append(caplog.text)
    assert len(told) > 30
    for text in told:
        assert "fish-77" not in text, text
        assert LATER not in text, text
    assert "cannot log in with" in caplog.text  # it was looked for where it could have been
    assert any(re.search(r"cannot log in with .{1,3}\*\*\*", text) for text in told)


MODEL = """
from petriflow import Workflow, task
from petriflow.patterns import event, sequence

@task(name="a")
def a(case): return {"seen": len(case["password"])}

@task(name="b")
def b(case): raise ValueError("no " + case["password"])

w = Workflow("w", sequence(a, event("go"), b), secret=["password"])
"""


@pytest.fixture
def model(tmp_path: Path) -> str:
    file = tmp_path / "model.py"
    file.write_text(MODEL)
    return str(file)


@pytest.mark.promise("FLOW-11")
def test_no_command_tells_a_secret(
    store: str, model: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    import sys

    from petriflow.cli import main

    def said(*arguments: str) -> str:
        before, sys.argv = sys.argv, ["petriflow", *arguments, "--store", store]
        try:
            with pytest.raises(SystemExit) as end:
                main()
        finally:
            sys.argv = before
        out, err = capsys.readouterr()
        assert end.value.code in (None, 0, 1, 3), err
        return err + out

    given = json.dumps({"password": VALUE})
    texts = [said("run", model, "--input", given, "--json")]
    id = json.loads(texts[0].splitlines()[-1])["case"]
    assert json.loads(texts[0].splitlines()[-1])["variables"]["password"] == "***"

    def look() -> Iterator[str]:
        for command in (["list"], ["show", id], ["history", id], ["explain", id]):
            for more in ([], ["--json"]):
                yield said("cases", *command, *more)
        yield said("cases", "explain", id, "--model", model)

    texts += look()
    texts.append(said("cases", "signal", id, "go", "--model", model))
    texts.append(said("run", model, "--continue"))
    texts += look()
    assert sum("no ***" in text for text in texts) >= 5
    assert [text for text in texts if "fish-77" in text] == []


@task(name="elsewhere", executor="process")
def elsewhere(case: TaskContext) -> Any:
    if case["n"]:
        return {"later": {1: LATER}}
    raise ValueError(f"no {case['password']}")


async def test_what_fails_in_another_process_is_masked_too() -> None:
    plain = Workflow("w", elsewhere, secret=["password", "later"])
    async with Engine(
        "sqlite://", workflows=[plain], executors={"process": Processes(1)}
    ) as engine:
        errors = []
        for n in (0, 1):
            handle = await engine.start(plain, {"password": VALUE, "n": n})
            errors.append((await handle.wait()).error or "")
    assert "ValueError: no ***" in errors[0]
    assert LATER not in errors[1]


async def test_guards_have_the_values() -> None:
    def by_function(variables: Any) -> bool:
        given: bool = variables.password.get_secret_value() == VALUE
        return given

    for guard in (when(f'password == "{VALUE}"', step("yes")), when(by_function, step("yes"))):
        typed = Workflow("w", exclusive_choice(guard, otherwise=step("no")), variables=Typed)
        async with Engine("sqlite://", workflows=[typed]) as engine:
            handle = await engine.start(typed, {"password": VALUE})
            await handle.wait()
            fired = [t for record in await engine.history(handle.id) for t in record.fired]
        assert any("yes" in t for t in fired)
        assert not any("no.start" in t for t in fired)


async def test_a_conflict_of_secrets_is_told_without_them() -> None:
    racing = Workflow(
        "w", parallel(step("a", password="one-secret"), step("b", password="two-secret")),
        secret=["password"],
    )  # fmt: skip
    async with Engine("sqlite://", workflows=[racing]) as engine:
        ended = await (await engine.start(racing)).wait()
    assert ended.status == "failed"
    assert "'password' was written as *** and, concurrently, as ***" in str(ended.error)


async def test_a_start_that_is_refused_tells_no_secret() -> None:
    closed = Workflow("w", step("a"), secret=["password"])
    async with Engine("sqlite://", workflows=[closed]) as engine:
        with pytest.raises(VariableError) as refusal:
            await engine.start(closed, {"password": {1: VALUE}})
    assert "fish-77" not in str(refusal.value)
    assert "'password'" in str(refusal.value)


async def test_a_called_workflow_has_to_keep_the_secrets_of_its_caller() -> None:
    loose, closed = Workflow("inner", step("a")), Workflow("inner", step("a"), secret=["password"])
    outer = Workflow("outer", sequence(call(loose)), secret=["password"])
    message = "'outer' calls 'inner', and variable 'password' is secret only in 'outer': mark it in"
    with pytest.raises(DefinitionError, match=message):
        await Engine("sqlite://", workflows=[outer]).__aenter__()
    for flows in (
        [Workflow("outer", call(closed), secret=["password"])],
        [Workflow("o", call(closed))],
    ):
        engine = Engine("sqlite://", workflows=flows)
        if flows[0].secret:
            async with engine:
                assert (await (await engine.start(flows[0])).wait()).completed
        else:
            with pytest.raises(DefinitionError, match="secret only in 'inner'"):
                await engine.__aenter__()


async def test_a_history_is_a_sequence_and_a_table() -> None:
    plain = Workflow("w", sequence(step("a", n=1), step("b")))
    async with Engine("sqlite://", workflows=[plain]) as engine:
        handle = await engine.start(plain)
        await handle.wait()
        history = await engine.history(handle.id)
    assert isinstance(history, History)
    assert [r.kind for r in history] == ["CaseStarted", "TaskCompleted", "TaskCompleted"]
    assert len(history[1:]) == 2
    assert (history[-1].seq, history[-1] in history) == (3, True)
    assert repr(history) == f"<history of case {handle.id} of 'w': 3 events>"
    assert "TaskCompleted  w/a" in str(history)
    assert history._repr_html_().count("<tr>") == 4
    table = history.to_pandas()
    assert list(table.index) == [1, 2, 3]
    assert list(table["task"])[1:] == ["w/a", "w/b"]
    assert str(table["at"].dt.tz) == "UTC"
    assert table.loc[2, "data"]["updates"] == {"n": 1}
    assert table.loc[1, "fired"] == ["w/a.start"]
    assert not table["late"].any()


async def test_secrets_survive_a_restart(store: str) -> None:
    waiting = Workflow("w", sequence(event("go"), step("a")), variables=Typed)
    async with Engine(store, workflows=[waiting]) as engine:
        id = (await engine.start(waiting, {"password": VALUE})).id
    async with Engine(store, workflows=[waiting]) as engine:
        await engine.signal(id, "go")
        ended = await asyncio.wait_for((await engine.case(id)).wait(), 10)
    assert ended.variables["password"] == VALUE
