"""`cases`: look at the cases of a store, and give orders about them; `worker`: run them."""

from __future__ import annotations

import asyncio
import signal as signals
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from petriflow.cli.cases import json_object
from petriflow.cli.common import AsJson, app, notes, print_json, screen
from petriflow.formats.target import load_target
from petriflow.net.errors import DefinitionError, StoreError, UnknownCase
from petriflow.workflow import Workflow
from petriflow.workflow.secrets import hidden

if TYPE_CHECKING:
    from petriflow.execution.clerk import Clerk
    from petriflow.execution.observer import Observer
    from petriflow.execution.store import Store

cases = typer.Typer(no_args_is_help=True, help="The cases of a store: look at them, give orders.")

Url = Annotated[str, typer.Option("--store", metavar="URL", help="Where cases are kept.")]
DEFAULT = "sqlite:///petriflow.db"
WIDE = 100_000  # columns, more than any row has
Case = Annotated[str, typer.Argument(metavar="CASE", help="The case's id.", show_default=False)]
Models = Annotated[
    list[str],
    typer.Argument(
        metavar="MODELS",
        help="Model files, `path/to/model.py` or `path/to/model.py:name`.",
        show_default=False,
    ),
]
ModelFile = Annotated[
    str,
    typer.Option(
        "--model",
        metavar="FILE",
        help="The model that the case was started with.",
        show_default=False,
    ),
]
MaybeModel = Annotated[
    str | None,
    typer.Option(
        "--model", metavar="FILE", help="The model that the case was started with, to tell more."
    ),
]
Reason = Annotated[str, typer.Option(help="Why; kept in the history.")]


# -- looking --------------------------------------------------------------------------------------


@cases.command("list")
def list_cases(
    store: Url = DEFAULT,
    status: Annotated[
        str | None, typer.Option(help="Only those in this state, such as `running`.")
    ] = None,
    workflow: Annotated[
        str | None, typer.Option(metavar="NAME", help="Only those of this workflow.")
    ] = None,
    since: Annotated[
        datetime | None, typer.Option(help="Only those begun since then, in local time.")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, help="At most so many, the newest first.")] = 100,
    as_json: AsJson = False,
) -> None:
    """List the cases of a store, ended ones too; not those that other cases called.

    Example: `petriflow cases list --status running --since 2026-11-01`
    """
    from petriflow.execution.desk import which

    after = None if since is None else since.timestamp()
    wanted = which(status, workflow, after, limit)
    with _opened(store) as opened:
        found = opened.summaries(wanted)
    if as_json:
        print_json({"cases": [asdict(summary) for summary in found]})
        return
    if not found:
        screen.print("no such cases")
        return
    rows = (
        (s.id, s.workflow, s.status, _at(s.created_at), _at(s.updated_at), s.error or "")
        for s in found
    )
    _table(("case", "workflow", "state", "begun (UTC)", "last event", "error"), rows)


@cases.command()
def show(case: Case, store: Url = DEFAULT, as_json: AsJson = False) -> None:
    """Show what a store holds of a case: its state, its variables, its tokens.

    The values of secret variables are masked.
    """
    from petriflow.execution.history import secrets

    with _opened(store) as opened:
        row = opened.case(case)
        secret = secrets(opened, row.definition)
    told = {
        "case": row.id,
        "workflow": row.workflow,
        "definition": row.definition,
        "status": row.status,
        "error": row.error,
        "variables": hidden({n: w[0] for n, w in row.variables["scopes"][""][2].items()}, secret),
        "marking": row.marking,
        "created_at": row.created_at,
        "updated_at": row.updated_at,
        "caller": row.parent,
    }
    if as_json:
        print_json(told)
        return
    told |= {"created_at": _at(row.created_at), "updated_at": _at(row.updated_at)}
    for name, value in told.items():
        if value is not None:
            screen.print(f"{name}: {value}", markup=False, soft_wrap=True)


@cases.command()
def explain(
    case: Case, store: Url = DEFAULT, model: MaybeModel = None, as_json: AsJson = False
) -> None:
    """Say what a case waits for, or how it ended. With its model, steps and tokens are told too."""
    from petriflow.execution.explain import explained
    from petriflow.execution.gate import with_called

    flows = [] if model is None else with_called([_workflow(model)])
    with _opened(store) as opened:
        told = explained(opened, case, {flow.content_hash: flow for flow in flows})
    if as_json:
        print_json(told.to_json())
    else:
        screen.print(str(told), markup=False, soft_wrap=True)


@cases.command()
def history(case: Case, store: Url = DEFAULT, as_json: AsJson = False) -> None:
    """Tell the events of a case in order: what happened, and which transitions fired.

    The values of secret variables are masked.
    """
    from petriflow.execution.history import history as told_of

    with _opened(store) as opened:
        told = told_of(opened, case)
    if as_json:
        print_json({"case": case, "events": [asdict(record) for record in told]})
    else:
        _table(told.headings, told.rows())


# -- orders ---------------------------------------------------------------------------------------


@cases.command()
def suspend(
    case: Case, model: ModelFile, store: Url = DEFAULT, reason: Reason = "", as_json: AsJson = False
) -> None:
    """Hold a case: nothing new starts in it until it is resumed.

    Exit code 0 done, 1 it was not running.
    """
    _order(store, model, case, as_json, lambda clerk: clerk.suspend(case, reason))


@cases.command()
def resume(case: Case, model: ModelFile, store: Url = DEFAULT, as_json: AsJson = False) -> None:
    """Let a suspended case go on with the next engine.

    Exit code 0 done, 1 it was not suspended.
    """
    _order(store, model, case, as_json, lambda clerk: clerk.resume(case))


@cases.command()
def cancel(
    case: Case, model: ModelFile, store: Url = DEFAULT, reason: Reason = "", as_json: AsJson = False
) -> None:
    """Give a case up, with the cases that it called; what can be undone is undone by an engine.

    Exit code 0 done, 1 it had ended or been given up already.
    """

    async def give_up(clerk: Clerk) -> bool:
        given_up: bool = (await clerk.explain(case)).giving_up is None
        await clerk.cancel(case, reason)
        return given_up

    _order(store, model, case, as_json, give_up)


@cases.command()
def signal(
    case: Case,
    event: Annotated[str, typer.Argument(help="The event's name.", show_default=False)],
    model: ModelFile,
    store: Url = DEFAULT,
    payload: Annotated[
        str | None, typer.Option(help="Updates of the variables: a JSON object, or @FILE.")
    ] = None,
    key: Annotated[
        str | None, typer.Option(help="Told again under this key, nothing happens.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Tell a case that something has happened; it goes on with the next engine.

    Exit code 0 taken or kept, 1 of no use.
    Example: `petriflow cases signal CASE paid --model order.py --payload '{"by": "card"}'`
    """
    updates = {} if payload is None else json_object("--payload", payload)
    _order(store, model, case, as_json, lambda clerk: clerk.signal(case, event, updates, key=key))


@cases.command()
def purge(
    older_than: Annotated[
        str,
        typer.Option(
            "--older-than", metavar="TIME", help="Such as `30d` or `12h`.", show_default=False
        ),
    ],
    store: Url = DEFAULT,
    as_json: AsJson = False,
) -> None:
    """Remove the cases that ended longer ago than this, with their histories and all they called.

    Events that were told longer ago by `cases tell` are removed too, taken or not.

    Example: `petriflow cases purge --older-than 90d`
    """
    from petriflow.patterns.duration import seconds

    age = seconds(older_than, "--older-than")
    with _opened(store, write=True) as opened:
        count = opened.purge(time.time() - age)
    if as_json:
        print_json({"removed": count})
    else:
        screen.print(f"{count} cases removed" if count != 1 else "1 case removed")


def _order(
    store: str,
    model: str,
    case: str,
    as_json: bool,
    give: Callable[[Clerk], Awaitable[bool]],
) -> None:
    """Give an order about a case of a store, and say how the case is afterwards."""
    from petriflow.execution.events import FINAL

    flow = _workflow(model)
    _require(store)

    async def work() -> tuple[bool, str, str]:
        from petriflow.execution.clerk import Clerk

        # The case is there already, whatever may be proven of its workflow.
        async with Clerk(store, workflows=[flow], allow_unsound=True) as clerk:
            before = (await clerk.outcome(case)).status
            if before in FINAL:
                return False, before, f"case {case} is {before}"
            if case in clerk.left:
                raise UnknownCase(
                    f"case {case!r} was started with another model than this {flow.name!r}, of "
                    f"workflow {clerk.left[case]!r}; give that one by --model"
                )
            useful = await give(clerk)
            told = await clerk.explain(case)
            title = told.title.removesuffix("; it waits for")
            words = f"case {case} is {told.status}" if told.giving_up is None else title
            return useful, told.status, words

    useful, status, words = asyncio.run(work())
    if as_json:
        print_json({"case": case, "done": useful, "status": status})
    else:
        word = "" if useful else "nothing was to be done: "
        screen.print(f"{word}{words}", markup=False, soft_wrap=True)
    raise typer.Exit(0 if useful else 1)


# -- a worker -------------------------------------------------------------------------------------


@app.command()
def worker(
    models: Models,
    store: Url = DEFAULT,
    metrics_port: Annotated[
        int | None,
        typer.Option(
            min=0, max=65535, help="Serve figures for Prometheus on this port; 0 for any free one."
        ),
    ] = None,
    metrics_host: Annotated[
        str, typer.Option(help="The address that they are served on; 0.0.0.0 for all.")
    ] = "127.0.0.1",
    redis: Annotated[
        str | None,
        typer.Option(metavar="URL", help="A Redis, for hints to other workers and summaries."),
    ] = None,
) -> None:
    """Run the open cases of a store until SIGTERM or Ctrl-C, then stop in good order.

    Bodies that run are cancelled and have a moment to clean up; their cases are kept, and go on
    with the next worker.
    Example: `petriflow worker --store sqlite:///cases.db models/order.py models/claim.py`
    """
    flows = [_workflow(model) for model in models]
    if metrics_port is None:
        asyncio.run(_serve(flows, store, redis))
        return
    from petriflow.execution.telemetry import Metrics

    metrics = Metrics()
    address, stop = metrics.serve(metrics_port, metrics_host)
    notes.print(f"figures are at {address}", markup=False, soft_wrap=True)
    try:
        asyncio.run(_serve(flows, store, redis, metrics))
    finally:
        stop()


async def _serve(
    flows: list[Workflow], store: str, redis: str | None, *observers: Observer
) -> None:
    from petriflow.execution import Engine

    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signals.SIGTERM, signals.SIGINT):
        loop.add_signal_handler(number, stop.set)
    async with Engine(store, workflows=flows, observers=observers, redis=redis) as engine:
        names = ", ".join(flow.name for flow in flows)
        count = sum((await engine.counts()).values())
        word = "1 open case" if count == 1 else f"{count} open cases"
        notes.print(f"running {names}: {word}", markup=False)
        for id, name in engine.left.items():
            notes.print(f"case {id} of {name} waits for its own version", markup=False)
        while not stop.is_set():
            engine.check()  # an engine that lost its store is to be started anew
            try:
                await asyncio.wait_for(stop.wait(), 1)
            except TimeoutError:
                continue
        notes.print("stopping")
    notes.print("stopped; every case is kept")


# -- what they share ------------------------------------------------------------------------------


def _workflow(target: str) -> Workflow:
    model = load_target(target)
    if not isinstance(model, Workflow):
        raise DefinitionError(f"{model.name!r} is a bare net; only a Workflow has cases")
    return model


def _require(store: str) -> None:
    from petriflow.execution.store import store_exists

    if not store_exists(store):
        maker = "run" if store.startswith("sqlite") else "db upgrade --store URL"
        raise StoreError(f"there is no store {store!r}; `petriflow {maker}` makes it")


@contextmanager
def _opened(url: str, *, write: bool = False) -> Iterator[Store]:
    """The store of a URL, which has to be there already."""
    from petriflow.execution.store import open_store, read_store

    _require(url)
    store = open_store(url) if write else read_store(url)
    try:
        yield store
    finally:
        store.close()


def _table(headings: Iterable[str], rows: Iterable[Iterable[str]]) -> None:
    lines = [list(map(escape, row)) for row in rows]
    table = Table(box=None)
    for heading in headings:
        table.add_column(heading, overflow="fold")  # nothing is cut
    # The first column is there to be copied, however narrow the screen is.
    table.columns[0].min_width = max((len(line[0]) for line in lines), default=0)
    for line in lines:
        table.add_row(*line)
    # In a pipe or a file a row is a line, as wide as it must be.
    (screen if screen.is_terminal else Console(width=WIDE, highlight=False)).print(table)


def _at(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%d %H:%M:%S")
