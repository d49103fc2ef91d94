"""`cases incidents`, `retry`, `skip` and `fail`: where cases wait for a person."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from petriflow.cli.cases_app import (
    DEFAULT,
    Case,
    ModelFile,
    Url,
    _at,
    _opened,
    _order,
    _table,
    cases,
)
from petriflow.cli.common import AsJson, print_json, screen
from petriflow.net.errors import DefinitionError

if TYPE_CHECKING:
    from petriflow.execution.clerk import Clerk

Incident = Annotated[
    str,
    typer.Argument(
        metavar="WHERE",
        help="The task or choice, by its id or the end of it; or the firing.",
        show_default=False,
    ),
]
Updates = Annotated[
    list[str] | None,
    typer.Option(
        "--set", metavar="NAME=VALUE", help="A variable; JSON, or else a text. As often as needed."
    ),
]
By = Annotated[str, typer.Option(help="Who says so; kept in the history.")]


@cases.command()
def incidents(
    store: Url = DEFAULT,
    workflow: Annotated[
        str | None, typer.Option(metavar="NAME", help="Only those of this workflow.")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, help="At most so many, the oldest first.")] = 100,
    as_json: AsJson = False,
) -> None:
    """List where cases wait for a person, over all cases, those that others called too.

    `cases retry`, `cases skip` and `cases fail` settle them.
    """
    with _opened(store) as opened:
        found = opened.incidents(workflow, limit)
    if as_json:
        print_json({"incidents": [asdict(incident) for incident in found]})
    elif not found:
        screen.print("no case waits for a person")
    else:
        rows = ((i.case_id, i.workflow, i.element, i.error, _at(i.since)) for i in found)
        _table(("case", "workflow", "where", "error", "since (UTC)"), rows)


@cases.command()
def retry(
    case: Case,
    model: ModelFile,
    at: Annotated[
        str | None,
        typer.Option(
            "--at",
            "--task",
            "--choice",
            metavar="WHERE",
            help="Only this one of its incidents: the task or choice, by its id or the end of it.",
        ),
    ] = None,
    given: Updates = None,
    by: By = "",
    store: Url = DEFAULT,
    as_json: AsJson = False,
) -> None:
    """Try again where a case waits for a person, with variables corrected.

    Exit code 0 done, 1 it waits for no person.
    Example: `petriflow cases retry CASE --model order.py --task pay --set method=card`
    """
    updates = _updates(given)
    _order(
        store, model, case, as_json, lambda clerk: clerk.retry(case, updates, incident=at, by=by)
    )


@cases.command()
def skip(
    case: Case,
    where: Incident,
    model: ModelFile,
    given: Updates = None,
    take: Annotated[
        list[str] | None,
        typer.Option(
            metavar="BRANCH", help="At a choice: the branch to take, or a number of instances."
        ),
    ] = None,
    by: By = "",
    store: Url = DEFAULT,
    as_json: AsJson = False,
) -> None:
    """Have a failed task count as completed, or take a branch whatever the guards say.

    Example: `petriflow cases skip CASE pay --model order.py --set paid=true`
    """
    updates, branches = _updates(given), [_number(one) for one in take or ()]
    more: Any = branches[0] if len(branches) == 1 else branches or None

    async def give(clerk: Clerk) -> bool:
        await clerk.skip(case, where, updates, take=more, by=by)
        return True

    _order(store, model, case, as_json, give)


@cases.command()
def fail(
    case: Case,
    where: Incident,
    model: ModelFile,
    reason: Annotated[str, typer.Option(help="Why; kept in the case's error.")] = "",
    by: By = "",
    store: Url = DEFAULT,
    as_json: AsJson = False,
) -> None:
    """Give a case up because of an incident; it is failed when all is undone that can be."""

    async def give(clerk: Clerk) -> bool:
        await clerk.fail(case, where, reason, by=by)
        return True

    _order(store, model, case, as_json, give)


def _updates(given: list[str] | None) -> dict[str, Any]:
    """The variables that are set."""
    found = {}
    for one in given or ():
        name, equals, text = one.partition("=")
        if not (equals and name):
            raise DefinitionError(f"--set {one}: write NAME=VALUE, such as --set paid=true")
        try:
            found[name] = json.loads(text)
        except json.JSONDecodeError:
            found[name] = text
    return found


def _number(text: str) -> str | int:
    return int(text) if text.isdecimal() else text
