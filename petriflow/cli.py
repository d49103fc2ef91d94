"""The command line: `petriflow verify | explore | ask | check | draw | run TARGET`.

Exit codes: 0 well, 1 unsound, no or not completed, 2 bad input, 3 unknown or waiting, 130
interrupted.
On 2 the message goes to stderr and nothing to stdout. Heavy parts are imported by the command that
needs them, so that a verdict does not wait for a database.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer  # commands from type hints, with help and completion
from rich.console import Console

from petriflow.formats.target import Model, load_target
from petriflow.net import Net
from petriflow.net.errors import (
    DefinitionError,
    FormatError,
    FormatNote,
    PetriflowError,
    StoreError,
)
from petriflow.workflow import Workflow

if TYPE_CHECKING:
    from petriflow.execution import CaseHandle, Outcome, Record

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
    help="Workflow patterns as Petri nets: proven sound, drawn, and run durably.",
)
screen = Console(highlight=False)
notes = Console(stderr=True, highlight=False)


class FormName(StrEnum):
    """Which form of the net to look at."""

    expanded = "expanded"
    atomic = "atomic"


Target = Annotated[
    str,
    typer.Argument(
        metavar="TARGET",
        help="A model file, `path/to/model.py`, or `path/to/model.py:name` for one of several in "
        "it; or a net, `path/to/net.pnml`.",
        show_default=False,
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
FormOption = Annotated[
    FormName | None,
    typer.Option(
        help="`expanded`: a task starts, runs and completes (default for workflows); "
        "`atomic`: a task is one step."
    ),
]
Source = Annotated[
    str | None, typer.Option(metavar="PLACE", help="Where a case begins, in a .pnml file.")
]
Sink = Annotated[
    str | None, typer.Option(metavar="PLACE", help="Where a case ends, in a .pnml file.")
]
Close = Annotated[
    bool, typer.Option("--close", help="Give a .pnml net with several ends one, by an OR-join.")
]
Most = Annotated[int, typer.Option(min=1, help="Give up after so many markings.")]
Memory = Annotated[
    int | None,
    typer.Option(
        "--max-memory", metavar="MB", min=1, help="Give up before the markings take more than this."
    ),
]


@app.command()
def verify(
    target: Target,
    as_json: AsJson = False,
    form: FormOption = None,
    tokens: Annotated[
        int, typer.Option("-k", "--tokens", min=1, help="Tokens to begin with: k-soundness.")
    ] = 1,
    certificate: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Write what proves the verdict, for `petriflow check`, as JSON."
        ),
    ] = None,
    max_markings: Most = 1_000_000,
    max_memory: Memory = None,
    source: Source = None,
    sink: Sink = None,
    close: Close = False,
) -> None:
    """Is it **sound**? If not, what is wrong, and how a case gets there.

    Exit code 0 sound, 1 unsound, 3 unknown. Example: `petriflow verify models/order.py`
    """
    from petriflow import analysis

    model = _load(target, source, sink, close)
    with _counting("markings") as progress:
        report = analysis.verify(
            _net(model),
            form=_form(model, form),
            name=model.name,
            k=tokens,
            max_markings=max_markings,
            max_memory=_bytes(max_memory),
            progress=progress,
        )
    if certificate is not None:
        try:
            certificate.write_text(json.dumps(report.certificate), encoding="utf-8")
        except OSError as error:
            raise DefinitionError(f"--certificate {certificate}: {error.strerror}") from None
    if as_json:
        notions = analysis.all_notions(report, max_markings=min(max_markings, 20_000))
        _print_json({**report.to_json(), "notions": notions})
    else:
        style = {"sound": "green", "unsound": "red", "unknown": "yellow"}[report.verdict]
        first, *rest = str(report).split("\n")
        screen.print(first, style=f"bold {style}", markup=False, soft_wrap=True)
        for line in rest:
            screen.print(line, markup=False, soft_wrap=True)
    raise typer.Exit({"sound": 0, "unsound": 1, "unknown": 3}[report.verdict])


@app.command()
def explore(
    target: Target,
    as_json: AsJson = False,
    form: FormOption = None,
    max_markings: Most = 1_000_000,
    max_memory: Memory = None,
    source: Source = None,
    sink: Sink = None,
    close: Close = False,
) -> None:
    """How many markings can it reach? Example: `petriflow explore models/order.py`."""
    from petriflow import analysis

    model = _load(target, source, sink, close)
    net = _net(model).expanded() if _form(model, form) == "expanded" else _net(model)
    with _counting("markings") as progress:
        space = analysis.explore(
            net,
            max_markings=max_markings,
            max_memory=_bytes(max_memory),
            edges=False,
            progress=progress,
        )
    counts = {
        "markings": space.markings,
        "edges": space.edges,
        "deadlocks": space.deadlocks,
        "max_tokens_in_place": space.max_tokens_in_place,
        "max_tokens_per_marking": space.max_tokens_per_marking,
        "complete": space.complete,
        "seconds": round(space.seconds, 6),
    }
    if as_json:
        _print_json({"name": model.name, "form": net.form, **counts})
        return
    screen.print(f"[bold]{model.name}[/] ({net.form} form)")
    for what, count in counts.items():
        said = (
            f"{count:,}" if isinstance(count, int) and not isinstance(count, bool) else str(count)
        )
        screen.print(f"  {what.replace('_', ' '):24}{said:>14}")


@app.command()
def check(
    certificate: Annotated[
        Path,
        typer.Argument(
            metavar="FILE",
            help="A certificate, as `verify --certificate FILE` writes it.",
            show_default=False,
        ),
    ],
    target: Target,
    as_json: AsJson = False,
    source: Source = None,
    sink: Sink = None,
    close: Close = False,
) -> None:
    """Does a **certificate** prove its verdict? Checked by small, slow code of its own.

    Exit code 0 it does, 1 it does not, 3 there is nothing to check.
    Example: `petriflow check order.json models/order.py`
    """
    from petriflow.analysis.check import check_certificate

    try:
        claim = json.loads(certificate.read_bytes())
    except OSError as error:
        raise DefinitionError(f"{certificate}: {error.strerror}") from None
    except (ValueError, RecursionError) as error:
        raise FormatError(f"{certificate} is no certificate, as it is no JSON: {error}") from None
    model = _load(target, source, sink, close)
    checked = check_certificate(claim, _net(model))
    if as_json:
        _print_json({"name": model.name, "holds": checked.holds, "sentence": checked.sentence})
    else:
        style = {"yes": "green", "no": "red", "unknown": "yellow"}[checked.holds]
        screen.print(checked.sentence, style=f"bold {style}", markup=False, soft_wrap=True)
    raise typer.Exit({"yes": 0, "no": 1, "unknown": 3}[checked.holds])


@app.command()
def ask(
    target: Target,
    query: Annotated[
        str,
        typer.Argument(
            metavar="QUERY",
            help="A formula about the markings: `EF (paid and not shipped)`, `AG (paid -> AF "
            "shipped)`, `AF completed`, `mutex(a, b)`.",
            show_default=False,
        ),
    ],
    as_json: AsJson = False,
    form: FormOption = None,
    max_markings: Most = 1_000_000,
    source: Source = None,
    sink: Sink = None,
    close: Close = False,
) -> None:
    """Can this **happen**, must it, or never? The answer comes with a way that shows it.

    Exit code 0 yes, 1 no, 3 unknown. Example: `petriflow ask models/order.py "AF completed"`
    """
    from petriflow.analysis import logic

    model = _load(target, source, sink, close)
    with _counting("markings") as progress:
        answer = logic.ask(
            _net(model),
            query,
            form=_form(model, form),
            name=model.name,
            max_markings=max_markings,
            progress=progress,
        )
    if as_json:
        _print_json(answer.to_json())
    else:
        style = {"yes": "green", "no": "red", "unknown": "yellow"}[answer.verdict]
        first, *rest = str(answer).split("\n")
        screen.print(first, style=f"bold {style}", markup=False, soft_wrap=True)
        for line in rest:
            screen.print(line, markup=False, soft_wrap=True)
    raise typer.Exit({"yes": 0, "no": 1, "unknown": 3}[answer.verdict])


@app.command()
def draw(
    target: Target,
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", help="A file: .svg, .png or .pdf.", show_default="NAME.svg"),
    ] = None,
    as_json: AsJson = False,
    source: Source = None,
    sink: Sink = None,
    close: Close = False,
) -> None:
    """Draw it. Example: `petriflow draw models/order.py -o order.svg`."""
    from petriflow import drawing

    model = _load(target, source, sink, close)
    # A file's own name for its net may hold anything, a path into another folder too.
    file = output or Path(re.sub(r"[^\w.-]+", "-", model.name).strip("-.") + ".svg")
    captions = model.captions if isinstance(model, Workflow) else None
    drawing.draw(_net(model), captions=captions, title=model.name).save(file)
    if as_json:
        _print_json({"name": model.name, "file": str(file)})
    else:
        screen.print(f"drawn: {file}", markup=False, soft_wrap=True)


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
        _print_json({"cases": results} if go_on else results[0])
    elif not results:
        screen.print(f"no open case of {workflow.name!r} in {store}", markup=False)
    codes = {"completed": 0, "running": 3}
    raise typer.Exit(max((codes.get(r["status"], 1) for r in results), default=0, key=_gravity))


@app.command()
def patterns(
    number: Annotated[
        int | None, typer.Argument(metavar="[NUMBER]", help="Tell of this one only.")
    ] = None,
    picture: Annotated[
        Path | None, typer.Option("--draw", help="Draw its example into this file.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """The workflow patterns, with the verdict of an example. Example: `petriflow patterns 9`."""
    from rich.table import Table

    from petriflow import analysis, drawing
    from petriflow.patterns.catalogue import CATALOGUE, pattern

    if picture is not None and number is None:
        raise DefinitionError("--draw draws one pattern; give its number")
    chosen = CATALOGUE if number is None else (pattern(number),)
    told = []
    for one in chosen:
        flow = Workflow("example", one.example())
        report = analysis.verify(flow.net, form="expanded", name=one.name)
        told.append(
            {
                "number": one.number,
                "name": one.name,
                "group": one.group,
                "aliases": list(one.aliases),
                "meaning": one.meaning,
                "builder": one.builder,
                "net_class": one.net_class,
                "verdict": report.verdict,
                "markings": report.markings,
                "edges": report.edges,
            }
        )
        if picture is not None:
            shown = drawing.draw(flow.net, captions=flow.captions, title=one.name)
            shown.save(picture)
    if as_json:
        _print_json(told if number is None else told[0])
    elif number is None:
        table = Table(box=None)
        for heading in ("", "pattern", "group", "in petriflow", "net", "verdict"):
            table.add_column(heading)
        for row in told:
            keys = ("number", "name", "group", "builder", "net_class", "verdict")
            table.add_row(*(str(row[key]) for key in keys))
        screen.print(table)
    else:
        for what, value in told[0].items():
            text = ", ".join(value) if isinstance(value, list) else value
            screen.print(f"  {what.replace('_', ' '):12}{text}", markup=False, soft_wrap=True)
        if picture is not None:
            screen.print(f"drawn: {picture}", markup=False, soft_wrap=True)


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
    async with Engine(store, workflows=[workflow], on_event=tell) as engine:
        cases = list(engine.cases) if go_on else [await engine.start(workflow, variables)]
        for case in cases if go_on else ():
            out.print(f"case {case.id} of {workflow.name}, continued", style="bold", markup=False)
            for task in case.at_work:
                started[case.id, task] = time.time()
                out.print(f"  [dim]▸ {_label(task)}[/]")
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
    outcome: Outcome = await case.settle()
    if outcome.status == "running":
        events = ", ".join(_label(t) for t in case.waits_for)
        why = outcome.error or f"for {events}"
        out.print(f"waiting: {why}", style="yellow", markup=False, soft_wrap=True)
    else:
        style = "green" if outcome.completed else "red"
        why = f": {outcome.error}" if outcome.error else ""
        out.print(f"{outcome.status}{why}", style=f"bold {style}", markup=False, soft_wrap=True)
    if outcome.variables and outcome.completed:
        text = json.dumps(outcome.variables, indent=2, ensure_ascii=False)
        out.print(text, markup=False, soft_wrap=True)
    return {
        "case": case.id,
        "status": outcome.status,
        "variables": outcome.variables,
        "error": outcome.error,
    }


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
            if record.kind == "TaskCompleted":
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
    text = given
    if given.startswith("@"):
        try:
            text = Path(given[1:]).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise DefinitionError(f"--input {given}: {error}") from None
    try:
        variables = json.loads(text)
    except json.JSONDecodeError as error:
        raise DefinitionError(f"--input is not JSON: {error}") from None
    if not isinstance(variables, dict):
        raise DefinitionError('--input must be a JSON object, such as {"total": 12}')
    return variables


def _bytes(megabytes: int | None) -> int | None:
    return None if megabytes is None else megabytes * 1_000_000


def _load(target: str, source: str | None, sink: str | None, close: bool) -> Model:
    """The model; what was read with a liberty is noted on stderr."""
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always", FormatNote)
        model = load_target(target, source=source, sink=sink, close=close)
    for note in told:
        notes.print(f"note: {note.message}", markup=False, soft_wrap=True)
    return model


def _net(model: Model) -> Net:
    return model.net if isinstance(model, Workflow) else model


def _form(model: Model, wanted: FormName | None) -> Any:
    """A workflow is judged as it runs, a bare net as it is given, unless something else is said."""
    if wanted is not None:
        return wanted.value
    return "expanded" if isinstance(model, Workflow) else None


@contextmanager
def _counting(what: str) -> Iterator[Callable[[int], None]]:
    """A live count on the terminal, for work that takes long."""
    if not notes.is_terminal:
        yield lambda _: None
        return
    with notes.status("looking …") as status:
        yield lambda count: status.update(f"{count:,} {what} …")


def _print_json(data: Any) -> None:
    print(json.dumps(data, ensure_ascii=False))


def _version(wanted: bool) -> None:
    if wanted:
        from petriflow import __version__

        print(f"petriflow {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Workflow patterns as Petri nets: proven sound, drawn, and run durably."""


def main() -> None:
    """The entry point: errors that are the user's to mend become a message and exit code 2."""
    warnings.showwarning = lambda message, *_: notes.print(f"note: {message}", markup=False)
    try:
        app()
    except PetriflowError as error:
        notes.print(f"petriflow: {error}", style="red", markup=False, soft_wrap=True)
        sys.exit(2)
    except KeyboardInterrupt:
        notes.print("interrupted")
        sys.exit(130)
    except Exception as error:
        if os.environ.get("PETRIFLOW_DEBUG"):
            raise
        notes.print(
            f"petriflow: this should not have happened: {type(error).__name__}: {error}\n"
            "set PETRIFLOW_DEBUG=1 to see where, and tell us",
            style="red",
            markup=False,
        )
        sys.exit(70)
