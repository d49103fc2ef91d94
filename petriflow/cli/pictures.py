"""`draw` and `patterns`."""

from __future__ import annotations

import re
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from petriflow.cli.common import (
    AsJson,
    Close,
    Sink,
    Source,
    Target,
    app,
    form_of,
    load,
    net_of,
    print_json,
    screen,
)
from petriflow.formats.target import Model
from petriflow.net.errors import DefinitionError
from petriflow.workflow import Workflow

if TYPE_CHECKING:
    from petriflow.drawing import Overlay


class DetailName(StrEnum):
    """How much of the net to draw."""

    pattern = "pattern"
    task = "task"
    net = "net"


class ThemeName(StrEnum):
    """The colours of a picture."""

    auto = "auto"
    light = "light"
    dark = "dark"


TraceOption = Annotated[
    str | None,
    typer.Option(
        metavar="STEPS",
        help="Steps in order, with commas between, such as `pick,pack`; or `witness`, the way to "
        "the gravest fault.",
    ),
]


def ids_of(model: Model, trace: str) -> list[str]:
    """The transitions that a trace names; the end of a path will do where it is one node's."""
    return list(_along(model, trace).path)


def _along(model: Model, trace: str) -> Overlay:
    """A trace as an overlay: the one that was written, or the way to the gravest fault."""
    from petriflow import analysis
    from petriflow.drawing import Overlay

    if trace == "witness":
        report = analysis.verify(net_of(model), form=form_of(model, None), name=model.name)
        if report.witness is None:
            raise DefinitionError(f"{report.headline}: there is no witness to show")
        return report.shown
    nets = net_of(model), net_of(model).expanded()
    path = []
    for name in filter(None, map(str.strip, trace.split(","))):
        ids = list(dict.fromkeys(t.id for net in nets for t in net.transitions))
        found = [id for id in ids if name in (id, id.rpartition("/")[2])]
        if name in found:
            found = [name]
        if len(found) != 1:
            listed = ", ".join(found) or "no transition"
            raise DefinitionError(f"--trace: {name!r} names {listed} of {model.name!r}")
        path += found
    return Overlay(path=tuple(path))


@app.command()
def draw(
    target: Target,
    output: Annotated[
        Path | None,
        typer.Option(
            "-o",
            "--output",
            help="A file: .svg, .png or .pdf; .dot or .mmd (Mermaid) for other tools.",
            show_default="NAME.svg",
        ),
    ] = None,
    detail: Annotated[
        DetailName | None,
        typer.Option(
            help="`task`: a box for each task (default); `pattern`: a block for each pattern; "
            "`net`: every place and transition of the net that runs."
        ),
    ] = None,
    trace: TraceOption = None,
    theme: Annotated[
        ThemeName, typer.Option(help="`auto` follows the page that shows the .svg.")
    ] = ThemeName.auto,
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
    if file.suffix.lower() in (".dot", ".mmd"):
        _export(model, file, detail, trace, theme)
    else:
        overlay = _along(model, trace) if trace else None
        drawing.draw(
            model,
            overlay=overlay,
            detail=detail.value if detail else None,
            title=model.name,
            theme=theme.value,
        ).save(file)
    if as_json:
        print_json({"name": model.name, "file": str(file)})
    else:
        screen.print(f"drawn: {file}", markup=False, soft_wrap=True)


def _export(
    model: Model, file: Path, detail: DetailName | None, trace: str | None, theme: ThemeName
) -> None:
    """Write the net as DOT or Mermaid, which know no looks of ours."""
    from petriflow.drawing.subject import subject
    from petriflow.formats.dot import to_dot
    from petriflow.formats.mermaid import to_mermaid

    if trace or theme is not ThemeName.auto:
        raise DefinitionError(
            f"{file.suffix} has neither traces nor themes; leave out --trace and --theme, or draw "
            "an .svg"
        )
    about = subject(model, detail.value if detail else "task")
    write = to_dot if file.suffix.lower() == ".dot" else to_mermaid
    if not file.parent.is_dir():
        raise DefinitionError(f"{file}: the folder {file.parent} does not exist; make it first")
    file.write_text(write(about.net, about.captions) + "\n", encoding="utf-8")


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
            shown = drawing.draw(flow, title=one.name)
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
