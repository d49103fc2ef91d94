"""The moments at which cases come, drawn in blocks."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

from petriflow.net.errors import DefinitionError
from petriflow.simulation.calendars import Week
from petriflow.simulation.laws import bind, length
from petriflow.simulation.timing import Arrivals, Timing

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class Moments:
    """An endless stream of arrival times in the timing's unit, or the times of a trace.

    With hours, the stream runs in *open time*, which stands still while nobody comes; so the first
    case, too, comes within the hours.
    """

    def __init__(self, timing: Timing, rng: np.random.Generator) -> None:
        self.rng, self.unit = rng, timing.seconds
        self.given: Arrivals = timing.arrivals or Arrivals("closed", number=1)
        self.week: Week | None = None
        self._at, self._count, self._size = 0.0, 0, 32
        self.trace: list[float] | None = None
        match self.given.kind:
            case "renewal":
                self.law = bind(self.given.gap, self.unit, "arrivals: every")
                if not self.law.mean > 0:
                    raise DefinitionError(
                        f"arrivals: every({self.given.gap!r}) lets endlessly many cases come at "
                        "once; for a number of cases at a time there is in_progress(…)"
                    )
            case "poisson":
                self._read_rate()
            case "trace":
                times = self.given.times
                self.trace = sorted(length(t, self.unit, "arrivals: at") for t in times)
                if not self.trace:
                    raise DefinitionError("arrivals: at([]) has no time; give at least one")
        if self.given.during is not None:
            self.week = Week.read({self.given.during: 1.0}, "arrivals")

    def _read_rate(self) -> None:
        per = length(self.given.per, self.unit, "arrivals: per")
        rates = self.given.rate
        levels = dict(rates) if isinstance(rates, Mapping) else {"daily": rates}
        for rate in levels.values():
            number = isinstance(rate, (int, float)) and not isinstance(rate, bool)
            if not number or not 0 <= rate < math.inf:
                raise DefinitionError(f"arrivals: poisson({rate!r}); a rate is a number above 0")
        if not per or not any(levels.values()):
            raise DefinitionError("arrivals: at this rate no case ever comes; give more than 0")
        if isinstance(rates, Mapping):
            self.week = Week.read(levels, "arrivals")
            self.gap = per * self.unit  # open time is counted in (cases in `per`) times seconds
        else:
            self.gap = per / levels["daily"]

    @property
    def rate(self) -> float:
        """How many come in a unit of time, on average; 0 where that says nothing."""
        open = self.week.hours / 168 if self.week else 1.0
        if self.given.kind == "renewal":
            return open / self.law.mean
        if self.given.kind == "poisson":
            return open / self.gap * (self.unit if isinstance(self.given.rate, Mapping) else 1.0)
        return 0.0

    def more(self) -> NDArray[np.float64]:
        """The next times, in order; none where there are no more."""
        import numpy as np

        if self.given.kind == "closed":
            return np.zeros(0)
        if self.trace is not None:
            times, self.trace = np.array(self.trace), []
            return times
        size, self._size = self._size, min(2 * self._size, 8192)
        open: NDArray[np.float64]
        if self.given.kind == "renewal" and self.law.kind == "constant":
            open = np.arange(self._count, self._count + size, dtype=float) * self.law.mean
        else:
            gaps = (
                self.law.sample(self.rng, size)
                if self.given.kind == "renewal"
                else self.rng.standard_exponential(size) * self.gap
            )
            open = np.cumsum(gaps, dtype=float) + self._at
        self._count += size
        self._at = float(open[-1])
        if self.week is None:
            return open
        seconds = open if self.given.kind == "poisson" and self._by_hours else open * self.unit
        return self.week.when(seconds) / self.unit

    @property
    def _by_hours(self) -> bool:
        return isinstance(self.given.rate, Mapping)
