"""`elements` and `bind`: what a BPMN file holds, and what its steps are to run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from petriflow.cli.common import AsJson, app, print_json, screen
from petriflow.net.errors import DefinitionError

File = Annotated[
    Path, typer.Argument(metavar="FILE.bpmn", help="A BPMN 2.0 file.", show_default=False)
]


@app.command()
def elements(
    file: File,
    liberties: Annotated[
        bool, typer.Option("--changed", help="Only what was changed or left out.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Say what becomes of each element of a BPMN file.

    Example: `petriflow elements order.bpmn --changed`
    """
    from petriflow.formats.bpmn import read_bpmn

    model = read_bpmn(file)
    items = model.report.liberties if liberties else model.report.items
    if as_json:
        told = model.report.to_json()
        known = {id(item) for item in items}
        kept = zip(model.report.items, told["elements"], strict=True)
        told["elements"] = [element for item, element in kept if id(item) in known]
        print_json({**told, "processes": list(model.processes)})
        return
    table = Table("kind", "element", "", "became", box=None)
    for item in items:
        table.add_row(item.kind, escape(item.name or item.id), item.fate, escape(item.became))
    screen.print(table)
    screen.print(f"processes: {', '.join(model.processes)}", markup=False, soft_wrap=True)


@app.command()
def bind(
    file: File,
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", help="The file to write.", show_default="FILE.py"),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Write a Python file with one function for each step of a BPMN file.

    A file that is there already is left alone. Example: `petriflow bind order.bpmn -o order.py`
    """
    from petriflow.formats.bpmn import read_bpmn
    from petriflow.formats.bpmn.stub import stub

    target = output or file.with_suffix(".py")
    text = stub(read_bpmn(file), target.parent)
    try:
        with target.open("x", encoding="utf-8") as opened:
            opened.write(text)
    except FileExistsError:
        raise DefinitionError(
            f"{target} is there already and may hold your work; name another file by -o"
        ) from None
    except OSError as error:
        raise DefinitionError(f"{target} cannot be written: {error.strerror}") from None
    if as_json:
        print_json({"file": str(target)})
    else:
        screen.print(f"written: {target}", markup=False, soft_wrap=True)
