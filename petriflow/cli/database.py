"""`db`: the tables of a store, and their version."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from petriflow.cli.common import AsJson, print_json, screen

db = typer.Typer(no_args_is_help=True, help="The tables of a store, and their version.")

Url = Annotated[str, typer.Option("--store", metavar="URL", help="Where cases are kept.")]


@db.command()
def status(store: Url = "sqlite:///petriflow.db", as_json: AsJson = False) -> None:
    """Say of which version the tables of a store are; nothing is changed.

    Exit code 0 up to date, 1 older or not there yet, 2 unreachable, newer, or no store.
    """
    from petriflow.execution.store import VERSION, store_version
    from petriflow.net.errors import StoreError

    version = store_version(store)
    if version is not None and version > VERSION:
        raise StoreError(
            f"the store's tables are of version {version}, and this petriflow knows {VERSION}; "
            "update petriflow"
        )
    if as_json:
        print_json({"version": version, "known": VERSION, "current": version == VERSION})
    elif version == VERSION:
        screen.print(f"the tables are of version {version}, which is up to date")
    else:
        what = (
            "there are no tables yet" if version is None else f"the tables are of version {version}"
        )
        screen.print(f"{what}; `petriflow db upgrade` brings them to version {VERSION}")
    raise typer.Exit(0 if version == VERSION else 1)


@db.command()
def upgrade(store: Url = "sqlite:///petriflow.db", as_json: AsJson = False) -> None:
    """Bring the tables of a store up to date, or make them: all or nothing, and cases are kept.

    Example: `petriflow db upgrade --store sqlite:///cases.db`
    """
    from petriflow.execution.store import VERSION, upgrade_store

    before = upgrade_store(store)
    told: dict[str, Any] = {"before": before, "version": VERSION}
    if as_json:
        print_json(told)
    elif before == VERSION:
        screen.print(f"the tables are of version {VERSION} already")
    elif before is None:
        screen.print(f"tables made, of version {VERSION}")
    else:
        screen.print(f"tables brought from version {before} to {VERSION}")
