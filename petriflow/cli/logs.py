"""`replay` and `cases log`: event logs in and out."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from petriflow.cli.cases_app import DEFAULT, ModelFile, Url, cases
from petriflow.cli.common import (
    AsJson,
    Close,
    Sink,
    Source,
    Target,
    app,
    load,
    net_of,
    print_json,
    screen,
)


@app.command()
def replay(
    target: Target,
    log: Annotated[Path, typer.Argument(metavar="LOG", help="A .xes, .xes.gz or .csv file.")],
    open_cases: Annotated[
        bool, typer.Option("--open", help="Cases may stop anywhere, not only at the end.")
    ] = False,
    as_json: AsJson = False,
    source: Source = None,
    sink: Sink = None,
    close: Close = False,
) -> None:
    """Hold an event log against the net, and name each step at which a case deviates.

    Exit code 0 all fit, 1 some deviate, 3 unknown.
    Example: `petriflow replay models/order.py log.xes`
    """
    from petriflow.analysis import conformance
    from petriflow.formats.event_log import read_log

    net = net_of(load(target, source, sink, close))
    found = conformance(net, read_log(log), open_cases=open_cases)
    if as_json:
        print_json(found.to_json())
    else:
        screen.print(found.title, markup=False, soft_wrap=True)
        table = Table(*found.headings, box=None)
        for row in found.rows():
            table.add_row(*map(escape, row))
        screen.print(table)
    raise typer.Exit({True: 0, False: 1, None: 3}[found.fits])


@cases.command("log")
def write_log(
    model: ModelFile,
    output: Annotated[Path, typer.Option("-o", "--output", help="A .xes, .xes.gz or .csv file.")],
    store: Url = DEFAULT,
    as_json: AsJson = False,
) -> None:
    """Write what the cases of a workflow have done as an event log.

    Example: `petriflow cases log --model models/order.py -o order.xes`
    """
    from petriflow.cli.cases_app import _opened, _workflow
    from petriflow.execution.logs import event_log

    with _opened(store) as opened:
        log = event_log(opened, _workflow(model))
    log.save(output)
    if as_json:
        print_json({"file": str(output), "cases": len(log), "events": log.events})
    else:
        screen.print(f"written: {output}, {len(log)} cases, {log.events} events", markup=False)
