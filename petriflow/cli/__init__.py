"""The command line: `petriflow verify | explore | ask | check | guards | draw | run TARGET`,
`petriflow simulate | solve TARGET`, `petriflow elements | bind FILE.bpmn`, `petriflow cases …`,
`petriflow worker MODELS`, `petriflow schedules …` and `petriflow db …`.

Exit codes: 0 well, 1 unsound, no or not completed, 2 bad input, 3 unknown or waiting, 130
interrupted. On 2 the message goes to stderr and nothing to stdout. Heavy parts are imported by the
command that needs them, so that a verdict does not wait for a database.
"""

from __future__ import annotations

import os
import sys
import warnings
from typing import Annotated

import typer

# The commands enter themselves when their modules are loaded, in the order of the help.
from petriflow.cli import analyse, pictures, playing, simulating, solve, cases  # isort: skip  # noqa: F401
from petriflow.cli import bpmn, cases_app, database, incidents, logs, people  # isort: skip  # noqa: F401
from petriflow.cli import schedules, tell, versions  # isort: skip  # noqa: F401
from petriflow.cli.common import app, notes
from petriflow.net.errors import PetriflowError

app.add_typer(cases_app.cases, name="cases")
app.add_typer(schedules.schedules, name="schedules")
app.add_typer(database.db, name="db")


def _version(wanted: bool) -> None:
    if wanted:
        from petriflow import __version__

        print(f"petriflow {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Workflow patterns as Petri nets: proven sound, drawn, and run durably."""


def main() -> None:
    """The entry point: errors that are the user's to mend become a message and exit code 2."""
    warnings.showwarning = lambda message, *_: notes.print(
        f"note: {message}", markup=False, soft_wrap=True
    )
    try:
        app()
    except PetriflowError as error:
        notes.print(f"petriflow: {error}", style="red", markup=False, soft_wrap=True)
        sys.exit(2)
    except KeyboardInterrupt:
        notes.print("interrupted")
        sys.exit(130)
    except Exception as error:
        if os.environ.get("PETRIFLOW_DEBUG"):
            raise
        notes.print(
            f"petriflow: this should not have happened: {type(error).__name__}: {error}\n"
            "set PETRIFLOW_DEBUG=1 to see where, and tell us",
            style="red",
            markup=False,
            soft_wrap=True,
        )
        sys.exit(70)
