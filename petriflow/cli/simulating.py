"""`simulate`: many cases of a workflow, played with its timing."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from petriflow.cli.common import AsJson, Target, app, notes, print_json, screen
from petriflow.formats.target import load_target
from petriflow.net.errors import DefinitionError, SimulationNote
from petriflow.workflow import Workflow


@app.command()
def simulate(
    target: Target,
    cases: Annotated[
        int, typer.Option(min=1, help="How many cases each replication runs to their ends.")
    ] = 1_000,
    replications: Annotated[
        int, typer.Option(min=1, help="How often, each time with other luck.")
    ] = 1,
    seed: Annotated[
        int | None, typer.Option(min=0, help="The same seed gives the same result.")
    ] = None,
    warmup: Annotated[
        str, typer.Option(help="Cases to leave out at the beginning: a number, or `auto`.")
    ] = "0",
    log: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write the tasks of the first replication, as CSV."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """How long will cases take, and **where do they wait**? Played with the model's `timing=`.

    Example: `petriflow simulate models/order.py --cases 10000 --replications 20 --seed 1`
    """
    from petriflow import simulation

    model = load_target(target)
    if not isinstance(model, Workflow):
        raise DefinitionError(
            f"{model.name!r} is a bare net without durations; simulate it from Python, with "
            "petriflow.simulation.simulate(net, Timing(…))"
        )
    if warmup != "auto" and not warmup.isdigit():
        raise DefinitionError(f"--warmup {warmup}: write a number of cases, or auto")
    with _counting(cases, replications) as progress, warnings.catch_warnings():
        warnings.simplefilter("ignore", SimulationNote)  # the result tells its notes itself
        result = simulation.simulate(
            model, cases=cases, replications=replications, seed=seed,
            warmup="auto" if warmup == "auto" else int(warmup), progress=progress,
        )  # fmt: skip
    if log is not None:
        try:
            result.log().to_csv(log, index=False)
        except OSError as error:
            raise DefinitionError(f"--log {log}: {error.strerror}") from None
    if as_json:
        print_json(result.to_json())
    else:
        screen.print(str(result), markup=False, soft_wrap=True)


@contextmanager
def _counting(cases: int, replications: int) -> Iterator[Callable[[int, int], None] | None]:
    """Cases as they end, on a terminal."""
    if not notes.is_terminal:
        yield None
        return
    done: dict[int, int] = {}
    with notes.status("playing …") as status:

        def told(ended: int, replication: int) -> None:
            done[replication] = min(ended, cases)
            status.update(f"{sum(done.values()):,} of {cases * replications:,} cases …")

        yield told
