"""`cases work`, `form`, `claim`, `release` and `complete`: the work lists of people."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from petriflow.cli.cases import json_object
from petriflow.cli.cases_app import (
    DEFAULT,
    ModelFile,
    Url,
    _opened,
    _order,
    _workflow,
    cases,
)
from petriflow.cli.common import AsJson, print_json, screen
from petriflow.cli.incidents import Updates, _updates

if TYPE_CHECKING:
    from petriflow.execution.clerk import Clerk

ItemId = Annotated[
    str,
    typer.Argument(metavar="ITEM", help="The item's id, from `cases work`.", show_default=False),
]
Who = Annotated[
    str, typer.Option("--as", metavar="PERSON", help="Who does it.", show_default=False)
]
Role = Annotated[
    list[str] | None,
    typer.Option("--role", metavar="ROLE", help="A role that this person has; as often as needed."),
]


@cases.command()
def work(
    role: Annotated[
        list[str] | None,
        typer.Option("--role", metavar="ROLE", help="Only for this role, or one of these."),
    ] = None,
    holder: Annotated[
        str | None, typer.Option("--held-by", metavar="PERSON", help="Only what this person holds.")
    ] = None,
    workflow: Annotated[
        str | None, typer.Option(metavar="NAME", help="Only of this workflow.")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, help="At most so many, the oldest first.")] = 100,
    store: Url = DEFAULT,
    as_json: AsJson = False,
) -> None:
    """List what waits for people, over all cases: on offer to a role, or held by somebody.

    Example: `petriflow cases work --role reviewer`
    """
    from petriflow.execution.store import WhichWork
    from petriflow.execution.worklist import listed

    with _opened(store) as opened:
        which = WhichWork(tuple(role) if role else None, holder, workflow, None, limit)
        found = listed(opened, which)
    if as_json:
        print_json({"items": [asdict(item) for item in found]})
    else:  # not as a table that is fitted to the terminal: an id that is cut off is of no use
        screen.print(str(found), markup=False, soft_wrap=True)


@cases.command()
def form(item: ItemId, model: ModelFile, store: Url = DEFAULT, as_json: AsJson = False) -> None:
    """Show what a person is to fill in to do an item, and the variables that they may see."""
    from petriflow.execution.worklist import work_form

    flow = _workflow(model)
    with _opened(store) as opened:
        told = work_form(opened, item, {flow.content_hash: flow})
    if as_json:
        print_json({"item": asdict(told.item), "schema": told.schema, "shown": told.shown})
        return
    asked = flow.tasks[told.item.task].asks
    screen.print(f"{told.item.task} for {told.item.role}", style="bold", markup=False)
    for name, value in told.shown.items():
        screen.print(f"  {name}: {value}", markup=False, soft_wrap=True)
    screen.print(f"to fill in: {', '.join(asked) or 'any variables'}", markup=False)


@cases.command()
def claim(
    item: ItemId,
    model: ModelFile,
    who: Who,
    role: Role = None,
    store: Url = DEFAULT,
    as_json: AsJson = False,
) -> None:
    """Take an item upon oneself; where it competes with other steps, that decides.

    Example: `petriflow cases claim ITEM --model doc.py --as ann --role reviewer`
    """
    _give(store, model, item, as_json, lambda clerk: clerk.claim(item, by=who, roles=role or ()))


@cases.command()
def release(
    item: ItemId, model: ModelFile, who: Who, store: Url = DEFAULT, as_json: AsJson = False
) -> None:
    """Give an item back to its role."""
    _give(store, model, item, as_json, lambda clerk: clerk.release(item, by=who))


@cases.command()
def complete(
    item: ItemId,
    model: ModelFile,
    who: Who,
    role: Role = None,
    given: Updates = None,
    payload: Annotated[
        str | None, typer.Option(help="The same as one JSON object, or @FILE.")
    ] = None,
    store: Url = DEFAULT,
    as_json: AsJson = False,
) -> None:
    """Hand in what came of an item, which is claimed first if nobody holds it; the case goes on
    with the next engine.

    Example: `petriflow cases complete ITEM --model doc.py --as ann --role reviewer --set ok=true`
    """
    updates = ({} if payload is None else json_object("--payload", payload)) | _updates(given)

    _give(
        store,
        model,
        item,
        as_json,
        lambda clerk: clerk.complete_task(item, updates, by=who, roles=role or ()),
    )


def _give(
    store: str, model: str, item: str, as_json: bool, give: Callable[[Clerk], Awaitable[Any]]
) -> None:
    """Give an order about an item, and say how its case is afterwards."""
    from petriflow.execution.worklist import item_of

    with _opened(store) as opened:
        case = item_of(opened, item).case_id

    async def order(clerk: Clerk) -> bool:
        await give(clerk)
        return True

    _order(store, model, case, as_json, order)
