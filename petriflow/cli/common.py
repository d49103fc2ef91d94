"""What the commands share: the app, options, and how they load, count and print."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from typing import Annotated, Any

import typer  # commands from type hints, with help and completion
from rich.console import Console

from petriflow.formats.target import Model, load_target
from petriflow.net import Net
from petriflow.net.errors import FormatNote
from petriflow.workflow import Workflow

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
        "it; or a net, `path/to/net.pnml`; or a process, `path/to/file.bpmn` or `…bpmn:name`.",
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


def in_bytes(megabytes: int | None) -> int | None:
    """The limit in bytes."""
    return None if megabytes is None else megabytes * 1_000_000


def load(target: str, source: str | None, sink: str | None, close: bool) -> Model:
    """The model; what was read with a liberty is noted on stderr."""
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always", FormatNote)
        model = load_target(target, source=source, sink=sink, close=close)
    for note in told:
        notes.print(f"note: {note.message}", markup=False, soft_wrap=True)
    return model


def net_of(model: Model) -> Net:
    """The net of a workflow, or a net itself."""
    return model.net if isinstance(model, Workflow) else model


def form_of(model: Model, wanted: FormName | None) -> Any:
    """A workflow is judged as it runs, a bare net as it is given, unless something else is said."""
    if wanted is not None:
        return wanted.value
    return "expanded" if isinstance(model, Workflow) else None


@contextmanager
def counting(what: str) -> Iterator[Callable[[int], None]]:
    """A live count on the terminal, for work that takes long."""
    if not notes.is_terminal:
        yield lambda _: None
        return
    with notes.status("looking …") as status:
        yield lambda count: status.update(f"{count:,} {what} …")


def print_json(data: Any) -> None:
    """One JSON object on a line of its own."""
    print(json.dumps(data, ensure_ascii=False))
