"""`run`: one case, or those that are open, to their ends."""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

from petriflow.cli.common import (
    AsJson,
    Target,
    app,
    notes,
    print_json,
    screen,
)
from petriflow.formats.target import load_target
from petriflow.net.errors import DefinitionError, StoreError
from petriflow.patterns.fragment import Event
from petriflow.workflow import Workflow

if TYPE_CHECKING:
    from petriflow.execution import CaseHandle, Outcome, Record
    from petriflow.execution.observer import Observer


@app.command()
def run(
    target: Target,
    given: Annotated[
        str | None,
        typer.Option(
            "--input",
            help="The case's variables: a JSON object, or @FILE. By default the model's example.",
            show_default=False,
        ),
    ] = None,
    store: Annotated[str, typer.Option(help="Where cases are kept.")] = "sqlite:///petriflow.db",
    go_on: Annotated[
        bool, typer.Option("--continue", help="Continue the open cases of the store instead.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Run a case to its end; every step is stored before the next begins.

    Exit code 0 completed, 1 failed, cancelled or deadlocked, 3 waiting for a person or an event.
    Example: `petriflow run models/order.py --input '{"total": 12}'`
    """
    workflow = load_target(target)
    if not isinstance(workflow, Workflow):
        raise DefinitionError(f"{workflow.name!r} is a bare net; only a Workflow has tasks to run")
    if go_on and given is not None:
        raise DefinitionError("--continue takes cases as they are; leave --input out")
    variables = _input(workflow, given)
    out = notes if as_json else screen
    results = asyncio.run(_run(workflow, variables, store, go_on, out))
    if as_json:
        print_json({"cases": results} if go_on else results[0])
    elif not results:
        screen.print(f"no open case of {workflow.name!r} in {store}", markup=False)
    codes = {"completed": 0, "running": 3, "suspended": 3}
    raise typer.Exit(max((codes.get(r["status"], 1) for r in results), default=0, key=_gravity))


def _gravity(code: int) -> int:
    """Of several exit codes, failure is told before waiting."""
    return {0: 0, 3: 1, 1: 2}[code]


async def _run(
    workflow: Workflow, variables: Any, store: str, go_on: bool, out: Console
) -> list[dict[str, Any]]:
    from petriflow.execution import Engine
    from petriflow.execution.store import store_exists

    if go_on and not store_exists(store):
        raise StoreError(f"there is no store {store!r} with cases to continue")
    began = time.perf_counter()
    started: dict[tuple[str, str], float] = {}
    tell = _teller(workflow, out, started)
    others: list[dict[str, Any]] = []
    seen: dict[str, CaseHandle] = {}

    def continued(case: CaseHandle) -> None:
        if case.id not in seen and case.workflow.name == workflow.name and not case.parent_id:
            seen[case.id] = case
            out.print(f"case {case.id} of {workflow.name}, continued", style="bold", markup=False)
            for task in case.at_work:
                started[case.id, task] = time.time()
                out.print(f"  [dim]▸ {_label(task)}[/]")

    observers = [_watcher(continued)] if go_on else []
    async with Engine(store, workflows=[workflow], on_event=tell, observers=observers) as engine:
        if go_on:  # those at work went on as the engine was entered, and may have ended by now
            for case in await engine.open_cases():
                continued(case)
            cases = list(seen.values())
        else:
            cases = [await engine.start(workflow, variables)]
        for id, name in engine.left.items() if go_on else ():
            if name == workflow.name:
                why = (
                    "it was started with another version of this workflow, and waits for that one: "
                    "continue it with the old file"
                )
                notes.print(f"case {id} of {name}: {why}", style="yellow", markup=False)
                others.append({"case": id, "status": "running", "variables": None, "error": why})
        try:
            results = await asyncio.gather(*(_ended(case, out) for case in cases))
        except asyncio.CancelledError:
            notes.print("\nstopped; the case is kept: go on with --continue", markup=False)
            raise
    seconds = round(time.perf_counter() - began, 6)
    results += others
    return [{**result, "workflow": workflow.name, "seconds": seconds} for result in results]


async def _ended(case: CaseHandle, out: Console) -> dict[str, Any]:
    outcome = await _settled(case, out)
    if outcome.status == "running":
        why = outcome.error or f"for {_awaited(case)}"
        out.print(f"waiting: {why}", style="yellow", markup=False, soft_wrap=True)
        if case.incidents:
            orders = f"`petriflow cases retry {case.id} --model FILE`, or skip or fail"
            out.print(f"{orders}; `run --continue` goes on", style="dim", soft_wrap=True)
        elif not outcome.error:
            tell = f"`petriflow cases signal {case.id} EVENT --model FILE` tells it"
            if case.asks:
                tell = "`petriflow cases work` lists it, and `cases complete` hands it in"
            out.print(
                f"{tell}; `run --continue` goes on", style="dim", markup=False, soft_wrap=True
            )
    elif outcome.status == "suspended":
        out.print("suspended; resume it to go on", style="yellow", markup=False)
    else:
        style = "green" if outcome.completed else "red"
        why = f": {outcome.error}" if outcome.error else ""
        out.print(f"{outcome.status}{why}", style=f"bold {style}", markup=False, soft_wrap=True)
    if outcome.variables and outcome.completed:
        text = json.dumps(outcome.shown, indent=2, ensure_ascii=False)
        out.print(text, markup=False, soft_wrap=True)
    return {
        "case": case.id,
        "status": outcome.status,
        "variables": outcome.shown,
        "error": outcome.error,
    }


#: Seconds in which nothing happens, after which a case that waits for a timer says so.
QUIET = 0.5


async def _settled(case: CaseHandle, out: Console) -> Outcome:
    """Let the case settle; while it only waits for a timer, tell once what it waits for."""
    settled = asyncio.ensure_future(case.settle())
    told = ""
    try:
        while not (await asyncio.wait([settled], timeout=QUIET))[0]:
            awaited = "" if case.at_work else _awaited(case)
            if awaited and awaited != told:
                how = "Ctrl-C stops, and `run --continue` goes on"
                text = f"waiting: for {awaited}; {how}"
                out.print(text, style="yellow", markup=False, soft_wrap=True)
            told = awaited
    finally:
        settled.cancel()
    return settled.result()


def _awaited(case: CaseHandle) -> str:
    """What a case waits for, in words."""
    triggers = case.workflow.fragment.triggers
    words = {
        t: f"event {trigger.name!r}" if isinstance(trigger, Event) else f"timer ({trigger})"
        for t in case.waits_for
        if (trigger := triggers[t])
    }
    people = (
        f"a person of the role {case.workflow.tasks[task].role!r} to do {task.rpartition('/')[2]!r}"
        for task in case.asks
    )
    return " or ".join(dict.fromkeys([*people, *words.values()]))


def _watcher(continued: Callable[[CaseHandle], None]) -> Observer:
    """Tells of each case that an engine goes on with, before anything of it goes on."""
    from petriflow.execution.observer import Observer

    class Watcher(Observer):
        def opened(self, case: CaseHandle, at: float, again: bool) -> None:
            if again:
                continued(case)

    return Watcher()


def _teller(
    workflow: Workflow, out: Console, began: dict[tuple[str, str], float]
) -> Callable[[Record], None]:
    """Live progress: a line when a task starts, ends, or fails; also of the cases that it calls."""
    from petriflow.execution.gate import with_called

    tasks = {id for called in with_called([workflow]) for id in called.tasks}

    def tell(record: Record) -> None:
        if record.late:
            return
        if record.kind == "CaseStarted":
            # Ids are paths that begin with the name of the workflow, which may be a called one.
            name = re.split(r"[/.]", next(iter(record.delta)))[0]
            out.print(f"case {record.case_id} of {name}", style="bold", markup=False)
        if record.task is not None:
            label = _label(record.task)
            seconds = record.at - began.get((record.case_id, record.task), record.at)
            if record.kind == "TaskCompleted" and record.task.endswith(".undo"):
                out.print(f"  [yellow]↶[/] {label.removesuffix('.undo')} [dim]undone[/]")
            elif record.kind == "TaskCompleted":
                out.print(f"  [green]✓[/] {label} [dim]{seconds:.2f} s[/]")
            elif record.kind == "TaskFailed":
                out.print(f"  ✗ {label}: {record.error}", style="red", markup=False)
        for id in record.fired:
            if id.endswith(".start") and (task := id.removesuffix(".start")) in tasks:
                began[record.case_id, task] = record.at
                out.print(f"  [dim]▸ {_label(task)}[/]")

    return tell


def _label(task: str) -> str:
    from rich.markup import escape

    return escape(task.partition("/")[2] or task)


def _input(workflow: Workflow, given: str | None) -> Any:
    """The variables that a case begins with."""
    if given is None:
        return dict(workflow.example)
    return json_object("--input", given)


def json_object(option: str, given: str) -> dict[str, Any]:
    """The object that an option gives, as text or as @FILE."""
    text = given
    if given.startswith("@"):
        try:
            text = Path(given[1:]).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise DefinitionError(f"{option} {given}: {error}") from None
    try:
        value = json.loads(text)
    except json.JSONDecodeError as error:
        raise DefinitionError(f"{option} is not JSON: {error}") from None
    if not isinstance(value, dict):
        raise DefinitionError(f'{option} must be a JSON object, such as {{"total": 12}}')
    return value
