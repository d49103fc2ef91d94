"""Floor 5: play a workflow or a net with time and chance."""

from petriflow.simulation.laws import erlang, exponential, lognormal, triangular, uniform
from petriflow.simulation.markov import solve
from petriflow.simulation.replication import simulate
from petriflow.simulation.results import Result
from petriflow.simulation.statistics import Estimate
from petriflow.simulation.timing import (
    Arrivals,
    Pool,
    Timing,
    at,
    every,
    in_progress,
    poisson,
)

__all__ = [
    "Arrivals",
    "Estimate",
    "Pool",
    "Result",
    "Timing",
    "at",
    "erlang",
    "every",
    "exponential",
    "in_progress",
    "lognormal",
    "poisson",
    "simulate",
    "solve",
    "triangular",
    "uniform",
]
