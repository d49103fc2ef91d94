"""`schedules`: cases that begin by the calendar."""

from __future__ import annotations

import time
from dataclasses import asdict
from typing import Annotated

import typer

from petriflow.cli.cases import json_object
from petriflow.cli.cases_app import DEFAULT, Url, _opened, _table, _workflow
from petriflow.cli.common import AsJson, print_json, screen

schedules = typer.Typer(no_args_is_help=True, help="Cases that begin by the calendar.")

Name = Annotated[
    str, typer.Argument(metavar="NAME", help="The schedule's name.", show_default=False)
]


@schedules.command()
def add(
    name: Name,
    model: Annotated[str, typer.Argument(metavar="MODEL", help="Its model.", show_default=False)],
    cron: Annotated[
        str,
        typer.Argument(
            metavar="CRON",
            help="Minute, hour, day of month, month, day of week: '0 6 * * 1-5'.",
            show_default=False,
        ),
    ],
    timezone: Annotated[
        str, typer.Option(metavar="ZONE", help="Whose clocks are meant, such as Europe/Berlin.")
    ] = "UTC",
    given: Annotated[
        str | None,
        typer.Option(
            "--input",
            help="What each case begins with: a JSON object, or @FILE. By default the example.",
            show_default=False,
        ),
    ] = None,
    store: Url = DEFAULT,
    as_json: AsJson = False,
) -> None:
    """Have a case begin at each of these times, by a worker that runs the model.

    A schedule of the same name is replaced. Of the times that no worker is there, the latest is
    made up for. A SQLite store takes it only while no worker has it.
    Example: `petriflow schedules add nightly order.py '0 6 * * 1-5' --timezone Europe/Berlin`
    """
    from petriflow.execution.schedules import Calendar, new_schedule

    flow = _workflow(model)
    variables = None if given is None else json_object("--input", given)
    made = new_schedule(name, flow, cron, variables, timezone, time.time())
    with _opened(store, write=True) as opened:
        kept = opened.keep_schedule(made)
    if as_json:
        print_json(_shown(asdict(kept)))
    else:
        (row,) = Calendar((kept,)).rows()
        screen.print(f"schedule {name}: next at {row[4]}", markup=False)


@schedules.command("list")
def list_schedules(store: Url = DEFAULT, as_json: AsJson = False) -> None:
    """List the schedules of a store, the next to come first."""
    from petriflow.execution.schedules import Calendar

    with _opened(store) as opened:
        calendar = Calendar(tuple(opened.schedules()))
    if as_json:
        print_json({"schedules": [_shown(asdict(schedule)) for schedule in calendar]})
    elif calendar:
        _table(calendar.headings, calendar.rows())
    else:
        screen.print("no schedules")


@schedules.command()
def remove(name: Name, store: Url = DEFAULT, as_json: AsJson = False) -> None:
    """Have no further case begin by a schedule; those that it began go on.

    Exit code 0 removed, 1 there was none of this name.
    """
    with _opened(store, write=True) as opened:
        gone = opened.remove_schedule(name)
    if as_json:
        print_json({"schedule": name, "removed": gone})
    else:
        screen.print(f"schedule {name} is removed" if gone else f"there is no schedule {name}")
    raise typer.Exit(0 if gone else 1)


def _shown(schedule: dict[str, object]) -> dict[str, object]:
    """Without the variables, since some may be secret."""
    return {name: value for name, value in schedule.items() if name != "variables"}
