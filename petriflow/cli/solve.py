"""`solve`: exact figures of a timed model."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from petriflow.cli.common import (
    AsJson,
    Close,
    Sink,
    Source,
    Target,
    app,
    counting,
    load,
    print_json,
    screen,
)
from petriflow.net.errors import DefinitionError
from petriflow.workflow import Workflow


@app.command()
def solve(
    target: Target,
    mean: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=TIME",
            help="A task or transition takes an exponential time of this mean, such as `pay=5m`; "
            "once for each. Of a net, what has no time is immediate.",
        ),
    ] = None,
    stages: Annotated[
        int | None,
        typer.Option(min=1, help="Take constant durations for so many exponential stages, nearly."),
    ] = None,
    max_markings: Annotated[
        int, typer.Option(min=1, help="Give up after so many markings.")
    ] = 5_000_000,
    bounds: Annotated[
        bool,
        typer.Option(
            "--bounds", help="Of a net, bounds of the throughput instead, whatever its size."
        ),
    ] = False,
    as_json: AsJson = False,
    source: Source = None,
    sink: Sink = None,
    close: Close = False,
) -> None:
    """How long does a case take, how often does each step happen: **exact** figures, where the
    durations are exponential or Erlang.

    Exit code 0 solved, 2 not solvable, with the reason. Example: `petriflow solve model.py`, whose
    workflow has a `timing=`, or `petriflow solve net.pnml --mean arrive=3m --mean serve=2m`
    """
    from petriflow.simulation import Timing, exponential, throughput_bounds
    from petriflow.simulation import solve as solved

    model = load(target, source, sink, close)
    durations = {}
    for given in mean or ():
        name, equals, length = given.rpartition("=")
        if not equals or not name:
            raise DefinitionError(f"--mean {given}: write NAME=TIME, as in --mean pay=5m")
        durations[name] = exponential(_length(length))
    changes: dict[str, Any] = {"durations": durations} if durations else {}
    if bounds:
        if isinstance(model, Workflow):
            raise DefinitionError(
                f"--bounds: {model.name!r} is a workflow; what its resources can do at most is "
                "among the figures of `solve`"
            )
        answer = throughput_bounds(model, Timing(**changes))
        if as_json:
            print_json(answer.to_json())
        else:
            screen.print(str(answer), markup=False, soft_wrap=True)
        return
    with counting("markings") as progress:
        solution = solved(
            model,
            stages=stages,
            max_markings=max_markings,
            progress=progress,
            **changes,
        )
    if as_json:
        print_json(solution.to_json())
    else:
        screen.print(str(solution), markup=False, soft_wrap=True)


def _length(text: str) -> float | str:
    try:
        return float(text)
    except ValueError:
        return text
