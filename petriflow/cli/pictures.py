"""`draw` and `patterns`."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated

import typer

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
from petriflow.net.errors import DefinitionError
from petriflow.workflow import Workflow


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

    model = load(target, source, sink, close)
    # A file's own name for its net may hold anything, a path into another folder too.
    file = output or Path(re.sub(r"[^\w.-]+", "-", model.name).strip("-.") + ".svg")
    captions = model.captions if isinstance(model, Workflow) else None
    drawing.draw(net_of(model), captions=captions, title=model.name).save(file)
    if as_json:
        print_json({"name": model.name, "file": str(file)})
    else:
        screen.print(f"drawn: {file}", markup=False, soft_wrap=True)


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
        print_json(told if number is None else told[0])
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
