"""`cases migrate`, `db definitions` and `db forget`: workflows that change."""

from __future__ import annotations

import asyncio
import time
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from petriflow.cli.cases_app import DEFAULT, Url, _at, _opened, _require, _table, _workflow, cases
from petriflow.cli.common import AsJson, print_json, screen
from petriflow.cli.database import db
from petriflow.net.errors import DefinitionError, UnknownCase

if TYPE_CHECKING:
    from petriflow.execution.store import Definition
    from petriflow.execution.versions import Migration


@cases.command()
def migrate(
    old: Annotated[
        str,
        typer.Argument(
            metavar="OLD",
            help="The version that the cases are of: its model file, or the beginning of its hash, "
            "which `petriflow db definitions` tells.",
            show_default=False,
        ),
    ],
    new: Annotated[
        str, typer.Argument(metavar="NEW", help="The new model file.", show_default=False)
    ],
    ids: Annotated[
        list[str] | None, typer.Argument(metavar="CASE…", help="The cases.", show_default=False)
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="All open cases of OLD.")] = False,
    place: Annotated[
        list[str] | None,
        typer.Option(
            "--place",
            metavar="OLD=NEW",
            help="What a place, task or block is called in the new version. As often as needed.",
        ),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only say what would become of the cases.")
    ] = False,
    store: Url = DEFAULT,
    as_json: AsJson = False,
) -> None:
    """Have cases go on in a new version of their workflow: all of them, or none.

    Each is checked before: where it could not be sure to end in the new version, or has something
    that has no place there, nothing is changed. No engine may be at work for them.

    Exit code 0 moved, or can be; 1 refused.
    Example: `petriflow cases migrate order_1.py order_2.py --all --place order/pay=order/charge`
    """
    if bool(ids) == everything:
        raise DefinitionError("name the cases, or give --all for all open cases of the old version")
    flow = _workflow(new)
    places = dict(_pair(text) for text in place or ())
    _require(store)

    async def work() -> Migration:
        from petriflow.execution.clerk import Clerk

        async with Clerk(store, workflows=[flow]) as clerk:
            hash = _definition(await clerk.definitions(), old)
            found = await clerk.of_definition(hash)
            for id in ids or ():
                if id not in found and (await clerk.outcome(id)).status in ("running", "suspended"):
                    raise UnknownCase(f"case {id!r} is not of the version {old}")
            told = await clerk.migrate(ids or found, to=flow, places=places, check=True)
            if dry_run or told.refused or not told.moves:
                return told
            return await clerk.migrate(ids or found, to=flow, places=places)

    told = asyncio.run(work())
    if as_json:
        print_json(told.to_json())
    else:
        screen.print(told.title, markup=False, soft_wrap=True)
        if told.moves:
            _table(told.headings, told.rows())
    raise typer.Exit(1 if told.refused else 0)


def _pair(text: str) -> tuple[str, str]:
    old, found, new = text.partition("=")
    if not (old and found and new):
        raise DefinitionError(f"--place {text!r}: write OLD=NEW, such as order/pay=order/charge")
    return old, new


def _definition(kept: tuple[Definition, ...], old: str) -> str:
    """The hash of the version that a file or a hash names."""
    if old.endswith(".py") or Path(old.partition(":")[0]).is_file():
        hash = _workflow(old).content_hash
        if all(d.hash != hash for d in kept):
            raise DefinitionError(f"the store has no case of the version in {old}")
        return hash
    found = [d.hash for d in kept if d.hash.startswith(old)]
    if len(found) != 1:
        what = "no definition" if not found else f"{len(found)} definitions that begin with"
        raise DefinitionError(f"the store keeps {what} {old!r}; `petriflow db definitions` lists")
    return found[0]


@db.command()
def definitions(store: Url = DEFAULT, as_json: AsJson = False) -> None:
    """List the versions of workflows that a store keeps, and how many cases use each."""
    with _opened(store) as opened:
        found = opened.definitions()
    if as_json:
        print_json({"definitions": [asdict(definition) for definition in found]})
        return
    rows = (
        (d.hash[:12], d.name, _at(d.created_at), str(d.open_cases), str(d.ended_cases))
        for d in found
    )
    _table(("hash", "workflow", "since (UTC)", "open cases", "ended cases"), rows)


@db.command()
def forget(
    hash: Annotated[
        str,
        typer.Argument(metavar="HASH", help="The hash, or its beginning.", show_default=False),
    ],
    store: Url = DEFAULT,
    as_json: AsJson = False,
) -> None:
    """Remove a version of a workflow that no case uses, neither an open nor an ended one."""
    with _opened(store, write=True) as opened:
        gone = opened.forget(hash)
    if as_json:
        print_json({"forgotten": gone.hash, "name": gone.name})
    else:
        age = f", of {_at(gone.created_at)} UTC" if gone.created_at <= time.time() else ""
        screen.print(f"definition {gone.hash[:12]} of {gone.name}{age} is removed", markup=False)
