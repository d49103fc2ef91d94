"""`compare` and `sweep`: what would be different, and what of it is more than luck."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np

from petriflow.net.errors import DefinitionError
from petriflow.simulation.results import Result
from petriflow.simulation.run import Figures
from petriflow.simulation.statistics import estimate

if TYPE_CHECKING:
    from pandas import DataFrame

#: what scenarios are compared by: of one replication, its mean
MEASURES: Mapping[str, Callable[[Figures], float]] = {
    "cycle time": lambda f: float((f.end - f.begin).mean()),
    "waiting time": lambda f: float(f.wait.mean()),
    "cost": lambda f: float(f.cost.mean()),
}


def compare(**scenarios: Result) -> DataFrame:
    """Scenarios against the first of them, replication by replication.

    Results of one seed had the same luck: the same arrivals, the same durations of each task, the
    same choices (common random numbers), so that what differs is mostly the scenario. An interval
    that does not hold zero is a difference; `sure` says so.

    Args:
        scenarios: results by name, of one seed and as many replications each.

    Raises:
        DefinitionError: fewer than two results or replications, or seeds or numbers that differ.

    >>> from petriflow.simulation import Timing, exponential, poisson, simulate
    >>> from petriflow import Workflow
    >>> def serve(case): ...
    >>> desk = Workflow("desk", serve, timing=Timing({"serve": exponential(3)}, poisson(0.6),
    ...     resources={"clerk": 2}, needs={"serve": "clerk"}))
    >>> now = desk.simulate(cases=400, replications=10, seed=1)
    >>> more = desk.simulate(cases=400, replications=10, seed=1, resources={"clerk": 3})
    >>> bool(compare(now=now, more=more).loc[("more", "waiting time"), "sure"])
    True
    """
    if len(scenarios) < 2:
        raise DefinitionError("compare: give two results or more, by name: compare(now=…, then=…)")
    base_name, base = next(iter(scenarios.items()))
    rows: dict[tuple[str, str], dict[str, Any]] = {}
    for name, result in scenarios.items():
        if result is base:
            continue
        if (result.seed, len(result.figures)) != (base.seed, len(base.figures)):
            raise DefinitionError(
                f"compare: {name!r} and {base_name!r} need one seed= and one number of "
                "replications=, so that they meet the same luck"
            )
        if len(base.figures) < 2:
            raise DefinitionError("compare: one replication says nothing about luck; make it 20")
        for measure, of in MEASURES.items():
            mine, other = ([of(f) for f in r.figures] for r in (result, base))
            change = estimate(np.subtract(mine, other))
            rows[name, measure] = {
                base_name: float(np.mean(other)),
                "mean": float(np.mean(mine)),
                "change": change.mean,
                "low": change.low,
                "high": change.high,
                "sure": 0 not in change,
            }
    from pandas import DataFrame, MultiIndex

    index = MultiIndex.from_tuples(list(rows), names=["scenario", "measure"])
    return DataFrame(list(rows.values()), index=index)


def sweep(run: Callable[..., Result], **grid: Iterable[Any]) -> DataFrame:
    """One simulation for each combination of values: a row each, with its main figures.

    Args:
        run: makes the result from the values, such as `lambda clerks: order.simulate(
            resources={"clerk": clerks}, seed=1)`.
        grid: the values of each of its arguments.

    Raises:
        DefinitionError: there is nothing to vary.
    """
    from pandas import DataFrame

    values = {name: list(given) for name, given in grid.items()}
    if not values or not all(values.values()):
        raise DefinitionError("sweep: give values to vary, such as clerks=[2, 3, 4]")
    rows = []
    for combination in product(*values.values()):
        result = run(**dict(zip(values, combination, strict=True)))
        row = dict(zip(values, combination, strict=True))
        for name in ("cycle_time", "waiting_time", "cost", "throughput"):
            found = getattr(result, name)
            row[name.replace("_", " ")] = found.mean
            if name == "cycle_time":
                row |= {"low": found.low, "high": found.high}
        rows.append(row)
    return DataFrame(rows).set_index(list(values))
