"""`Law`: how long something takes, as a constant, a law of chance, or a list of measured values.

A user writes a number, a text such as "5m", `exponential("12m")`, any frozen distribution of scipy
or a list of samples. `bind` turns each of them into a `Law` in one unit of time.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Literal

from petriflow.net.errors import DefinitionError
from petriflow.patterns.duration import UNITS, Duration, seconds

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

#: What may stand for a duration; a frozen distribution of scipy too, whose type is not public.
Given = Any
Kind = Literal["constant", "exponential", "general"]


@dataclass(frozen=True, slots=True)
class Random:
    """A duration left to chance, as it is written: lengths may be texts such as "5m"."""

    family: Literal["exponential", "uniform", "triangular", "lognormal", "erlang"]
    lengths: tuple[Duration, ...]
    stages: int = 1

    def __str__(self) -> str:
        first = (str(self.stages),) if self.family == "erlang" else ()
        return f"{self.family}({', '.join((*first, *map(repr, self.lengths)))})"


def exponential(mean: Duration) -> Random:
    """Without memory: what has lasted long goes on as long as at its beginning."""
    return Random("exponential", (mean,))


def uniform(low: Duration, high: Duration) -> Random:
    """Every length between the two is as likely."""
    return Random("uniform", (low, high))


def triangular(low: Duration, mode: Duration, high: Duration) -> Random:
    """From low to high, most often about the mode: what people can estimate."""
    return Random("triangular", (low, mode, high))


def lognormal(mean: Duration, deviation: Duration) -> Random:
    """Skewed to the right, as most work of people is; with this mean and standard deviation."""
    return Random("lognormal", (mean, deviation))


def erlang(stages: int, mean: Duration) -> Random:
    """So many exponential stages in a row, this long together."""
    if not isinstance(stages, int) or isinstance(stages, bool) or stages < 1:
        raise DefinitionError(f"erlang({stages!r}, …): the number of stages is 1, 2, 3, …")
    return Random("erlang", (mean,), stages)


@dataclass(frozen=True, eq=False)
class Law:
    """A duration in one unit of time.

    `kind` is `constant`, `exponential`, or `general` for all others; `mean` may be infinite.
    `family` and `parameters` say how it is drawn: parameters are numbers, measured values, or the
    frozen distribution.
    """

    kind: Kind
    mean: float
    family: str
    parameters: tuple[Any, ...]

    def sample(self, rng: np.random.Generator, size: int) -> NDArray[np.float64]:
        """So many durations.

        Raises:
            DefinitionError: the distribution gives something negative or no number.
        """
        import numpy as np

        drawn: NDArray[np.float64]
        match self.family, self.parameters:
            case "constant", (value,):
                drawn = np.full(size, float(value))
            case "exponential", (mean,):
                drawn = rng.standard_exponential(size) * mean
            case "uniform", (low, high):
                drawn = low + (high - low) * rng.random(size)
            case "triangular", (low, mode, high):
                drawn = rng.triangular(low, mode, high, size)
            case "lognormal", (mu, sigma):
                drawn = rng.lognormal(mu, sigma, size)
            case "erlang", (stages, mean):
                drawn = rng.standard_gamma(stages, size) * (mean / stages)
            case "samples", (values,):
                drawn = np.asarray(rng.choice(values, size), float)
            case _, (frozen,):
                drawn = np.asarray(frozen.rvs(size=size, random_state=rng), float)
                if not bool(np.all(drawn >= 0)):  # NaN is caught too
                    raise DefinitionError(
                        f"{self}: a duration cannot be {drawn[~(drawn >= 0)][0]:g}"
                    )
            case _:
                raise AssertionError(self.family)
        return drawn

    def __str__(self) -> str:
        match self.family:
            case "constant":
                return f"{self.mean:g}"
            case "samples":
                return f"{len(self.parameters[0])} measured values"
            case "scipy":
                frozen = self.parameters[0]
                named = [f"{a:g}" for a in frozen.args]
                named += [f"{k}={v:g}" for k, v in frozen.kwds.items()]
                return f"{frozen.dist.name}({', '.join(named)})"
        return f"{self.family}({', '.join(f'{p:g}' for p in self.parameters)})"


def bind(given: Given, unit: float, what: str) -> Law:
    """What was written, as a law in a unit of so many seconds.

    Raises:
        DefinitionError: it is negative, or nothing that tells a duration.

    >>> print(bind("2m", 60, "pay")), print(bind(exponential(3), 60, "pay"))
    2
    exponential(3)
    (None, None)
    """
    if isinstance(given, Law):
        return given
    if isinstance(given, Random):
        return _bind_random(given, unit, what)
    if isinstance(given, (str, timedelta)):
        value = seconds(given, what) / unit
        return Law("constant", value, "constant", (value,))
    if callable(getattr(given, "rvs", None)):
        return _bind_scipy(given, what)
    if isinstance(given, Iterable):
        return _bind_samples(list(given), unit, what)
    value = length(given, unit, what)
    return Law("constant", value, "constant", (value,))


def length(given: Duration, unit: float, what: str) -> float:
    """One length of time in the unit: bare numbers are in it already.

    Raises:
        DefinitionError: it is negative, infinite or no length of time.
    """
    if isinstance(given, (str, timedelta)):
        return seconds(given, what) / unit
    try:
        value = math.nan if isinstance(given, bool) else float(given)
    except (TypeError, ValueError):
        value = math.nan
    if not 0 <= value < math.inf:
        raise DefinitionError(
            f"{what}: {given!r} is no duration; write a number of 0 or more, a text like '5m', "
            "exponential('5m'), a frozen distribution of scipy.stats, or a list of measured values"
        )
    return value


def unit_of(name: str) -> float:
    """The seconds of a unit of time.

    Raises:
        DefinitionError: there is no such unit.
    """
    if name not in UNITS:
        raise DefinitionError(f"unit={name!r}; the units are {', '.join(UNITS)}")
    return UNITS[name]


def _bind_random(given: Random, unit: float, what: str) -> Law:
    values = [length(v, unit, f"{what}: {given}") for v in given.lengths]
    family: str = given.family
    match family, values:
        case "exponential", [mean]:
            if mean == 0:
                return Law("constant", 0.0, "constant", (0.0,))
            return Law("exponential", mean, family, (mean,))
        case "uniform", [low, high] if low <= high:
            return Law("general", (low + high) / 2, family, (low, high))
        case "triangular", [low, mode, high] if low <= mode <= high and low < high:
            return Law("general", (low + mode + high) / 3, family, (low, mode, high))
        case "lognormal", [mean, deviation] if mean > 0:
            sigma2 = math.log1p((deviation / mean) ** 2)
            return Law("general", mean, family, (math.log(mean) - sigma2 / 2, math.sqrt(sigma2)))
        case "erlang", [mean] if given.stages == 1 and mean > 0:
            return Law("exponential", mean, "exponential", (mean,))
        case "erlang", [mean]:
            return Law("general", mean, family, (given.stages, mean))
    raise DefinitionError(f"{what}: in {given} the lengths must grow from left to right, above 0")


def _bind_scipy(given: Any, what: str) -> Law:
    dist = getattr(given, "dist", None)
    if dist is None:
        raise DefinitionError(
            f"{what}: {type(given).__name__} lacks its parameters; freeze it, as in expon(scale=2)"
        )
    low = float(given.support()[0])
    mean = float(given.mean())
    law = Law("general", mean, "scipy", (given,))
    if not low >= 0:
        raise DefinitionError(
            f"{what}: {law} can be negative (down to {low:g}), and a duration cannot; use a "
            "distribution of positive values such as gamma, lognorm or truncnorm"
        )
    if math.isnan(mean):
        raise DefinitionError(f"{what}: {law} has no mean; check its parameters")
    if dist.name == "expon" and low == 0:
        return Law("exponential", mean, "exponential", (mean,))
    return law


def _bind_samples(given: list[Any], unit: float, what: str) -> Law:
    if not given:
        raise DefinitionError(f"{what}: an empty list; give at least one measured duration")
    values = [length(v, unit, f"{what}, value {n}") for n, v in enumerate(given, 1)]
    return Law("general", math.fsum(values) / len(values), "samples", (tuple(values),))
