"""Floor 5: play a workflow or a net with time and chance.

A model file names its timing without loading what plays it: that is imported when it is used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from petriflow.simulation.laws import erlang, exponential, lognormal, triangular, uniform
from petriflow.simulation.timing import (
    Arrivals,
    Pool,
    Timing,
    at,
    every,
    in_progress,
    poisson,
)

if TYPE_CHECKING:
    from petriflow.simulation.bounds import throughput_bounds
    from petriflow.simulation.comparison import compare, sweep
    from petriflow.simulation.markov import solve
    from petriflow.simulation.plots import (
        plot_comparison,
        plot_cycle_times,
        plot_queues,
        plot_utilisation,
    )
    from petriflow.simulation.replication import simulate
    from petriflow.simulation.results import Result
    from petriflow.simulation.statistics import Estimate

__all__ = [
    "Arrivals",
    "Estimate",
    "Pool",
    "Result",
    "Timing",
    "at",
    "compare",
    "erlang",
    "every",
    "exponential",
    "in_progress",
    "lognormal",
    "plot_comparison",
    "plot_cycle_times",
    "plot_queues",
    "plot_utilisation",
    "poisson",
    "simulate",
    "solve",
    "sweep",
    "throughput_bounds",
    "triangular",
    "uniform",
]

_HOME = {
    "Estimate": "statistics",
    "Result": "results",
    "compare": "comparison",
    "plot_comparison": "plots",
    "plot_cycle_times": "plots",
    "plot_queues": "plots",
    "plot_utilisation": "plots",
    "simulate": "replication",
    "solve": "markov",
    "sweep": "comparison",
    "throughput_bounds": "bounds",
}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'petriflow.simulation' has no attribute {name!r}")
    return getattr(import_module(f"petriflow.simulation.{_HOME[name]}"), name)
