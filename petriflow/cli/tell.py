"""`cases tell`: an event finds its case by what it is about."""

from __future__ import annotations

import asyncio
import json
from typing import Annotated

import typer

from petriflow.cli.cases_app import DEFAULT, Url, _require, _workflow, cases
from petriflow.cli.common import AsJson, print_json, screen
from petriflow.cli.incidents import Updates, _updates


@cases.command()
def tell(
    event: Annotated[str, typer.Argument(help="The event's name.", show_default=False)],
    about: Annotated[
        str,
        typer.Option(
            metavar="VALUE",
            help="What it is about: the value of the variable; JSON, or else a text.",
            show_default=False,
        ),
    ],
    model: Annotated[
        list[str] | None,
        typer.Option(
            metavar="FILE", help="A model that waits for it, to be told at once if it is wrong."
        ),
    ] = None,
    store: Url = DEFAULT,
    updates: Updates = None,
    key: Annotated[
        str | None, typer.Option(help="Told again under this key, nothing happens.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Tell that something has happened to whichever case waits for it, without its id.

    Without --model it is kept for the next engine that waits for it, whatever it is.
    Exit code 0 taken or kept, 1 lost: it is a transient event, and nobody waits for it.
    Example: `petriflow cases tell payment --about 4711 --set paid=true`
    """
    flows = [_workflow(file) for file in model or ()]
    _require(store)
    payload = _updates(updates)
    try:
        value = json.loads(about)
    except json.JSONDecodeError:
        value = about

    async def work() -> tuple[str | None, bool]:
        from petriflow.execution.clerk import Clerk

        async with Clerk(store, workflows=flows, allow_unsound=True) as clerk:
            kept = not flows or clerk.keeps(event)
            taker = await clerk.tell(event, about=value, payload=payload, key=key, keep=not flows)
            return taker, kept

    taker, kept = asyncio.run(work())
    if as_json:
        print_json({"event": event, "about": value, "case": taker, "kept": kept and not taker})
    elif taker is not None:
        screen.print(f"case {taker} has taken it", markup=False, soft_wrap=True)
    else:
        word = "it is kept until a case waits for it" if kept else "nobody waits for it: it is lost"
        if not flows:  # it was not looked for one
            word = "it is kept: an engine gives it to the case that waits for it, now or later"
        screen.print(word, markup=False)
    raise typer.Exit(0 if taker is not None or kept else 1)
