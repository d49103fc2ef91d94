"""Pictures of results, as matplotlib figures that belong to no window."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from petriflow.net.errors import DefinitionError
from petriflow.simulation.results import Result

if TYPE_CHECKING:
    from matplotlib.figure import Figure

#: points along the time of a curve
POINTS = 200


def _axes(title: str, across: str, up: str) -> tuple[Figure, Any]:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 3.6), layout="constrained")
    axes = figure.add_subplot()
    axes.set(title=title, xlabel=across, ylabel=up)
    axes.spines[["top", "right"]].set_visible(False)
    return figure, axes


def plot_cycle_times(result: Result) -> Figure:
    """How long cases take: the distribution, with its median and what 95 % stay within."""
    cycles = result.cases["cycle"].to_numpy()
    unit = result.plan.timing.unit
    figure, axes = _axes(f"{result.plan.name}: cycle time", unit, "cases")
    if len(cycles):
        # The longest of all would press the others against the axis.
        axes.hist(cycles, bins=60, range=(0, float(np.quantile(cycles, 0.995)) or 1), color="C0")
        for part, style in ((0.5, "-"), (0.95, "--")):
            at = result.quantile(part)
            axes.axvline(
                at, color="C3", linestyle=style, label=f"{part:.0%} within {at:.4g} {unit}"
            )
        axes.legend(frameon=False)
    return figure


def plot_utilisation(result: Result, replication: int = 0) -> Figure:
    """How many of each resource are at work over time, in one replication.

    Times of rest within a task count as work. A task of several resources counts for the first.
    """
    log = result.log(replication)
    figure, axes = _axes(f"{result.plan.name}: at work", result.plan.timing.unit, "at work")
    for name, rows in log.dropna(subset=["resource"]).groupby("resource"):
        times, level = _level(rows["begin"].to_numpy(), rows["end"].to_numpy())
        axes.step(times, level, where="post", label=name, linewidth=1)
    axes.legend(frameon=False)
    return figure


def plot_queues(result: Result, replication: int = 0) -> Figure:
    """How many cases wait before each task over time, in one replication."""
    log = result.log(replication)
    figure, axes = _axes(f"{result.plan.name}: queues", result.plan.timing.unit, "waiting")
    for name, rows in log[log["begin"] > log["asked"]].groupby("task"):
        times, level = _level(rows["asked"].to_numpy(), rows["begin"].to_numpy())
        axes.step(times, level, where="post", label=name, linewidth=1)
    if axes.lines:
        axes.legend(frameon=False)
    return figure


def plot_comparison(**scenarios: Result) -> Figure:
    """The cycle times of scenarios side by side, with their intervals.

    Raises:
        DefinitionError: there is no scenario.
    """
    if not scenarios:
        raise DefinitionError("plot_comparison: give results by name: plot_comparison(now=…)")
    unit = next(iter(scenarios.values())).plan.timing.unit
    figure, axes = _axes("Cycle time", "", unit)
    for n, (name, result) in enumerate(scenarios.items()):
        found = result.cycle_time
        half = found.half if np.isfinite(found.half) else 0.0
        axes.bar(n, found.mean, yerr=half, capsize=6, width=0.6, label=name, color=f"C{n % 10}")
    axes.set_xticks(range(len(scenarios)), list(scenarios))
    return figure


def _level(begin: Any, end: Any) -> tuple[Any, Any]:
    """How many intervals hold each moment, at so many points of time that a curve can show."""
    if not len(begin):
        return np.zeros(1), np.zeros(1)
    times = np.linspace(float(begin.min()), float(end.max()), POINTS)
    begun = np.searchsorted(np.sort(begin), times, side="right")
    return times, begun - np.searchsorted(np.sort(end), times, side="right")
