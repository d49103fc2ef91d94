"""Floor 5: play a workflow or a net with time and chance."""

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

__all__ = [
    "Arrivals",
    "Pool",
    "Timing",
    "at",
    "erlang",
    "every",
    "exponential",
    "in_progress",
    "lognormal",
    "poisson",
    "triangular",
    "uniform",
]
