"""What is known from samples: intervals, the end of the warm-up, batch means."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Estimate:
    """A mean with the half-width of its confidence interval, from `n` independent values.

    The half-width is infinite where one value says nothing about chance.
    """

    mean: float
    half: float
    n: int
    level: float = 0.95

    @property
    def low(self) -> float:
        """The lower end of the interval."""
        return self.mean - self.half

    @property
    def high(self) -> float:
        """The upper end of the interval."""
        return self.mean + self.half

    @property
    def precision(self) -> float:
        """The half-width as a part of the mean."""
        return self.half / abs(self.mean) if self.mean else math.inf

    def __contains__(self, value: float) -> bool:
        return self.low <= value <= self.high

    def __str__(self) -> str:
        if not math.isfinite(self.half):
            return f"{self.mean:.4g}"
        digits = 0 if not self.half else max(0, 1 - math.floor(math.log10(self.half)))
        return f"{self.mean:,.{min(digits, 9)}f} ± {self.half:,.{min(digits, 9)}f}"


def estimate(values: Sequence[float] | NDArray[np.float64], level: float = 0.95) -> Estimate:
    """The mean of independent values with Student's interval; `nan` values are left out.

    >>> print(estimate([4.0, 5.0, 6.0]))
    5.0 ± 2.5
    """
    import numpy as np
    from scipy.special import stdtrit  # type: ignore[import-untyped,unused-ignore]

    known = np.asarray(values, float)
    known = known[~np.isnan(known)]
    n = len(known)
    if n == 0:
        return Estimate(math.nan, math.inf, 0, level)
    if n == 1:
        return Estimate(float(known[0]), math.inf, 1, level)
    quantile = float(stdtrit(n - 1, (1 + level) / 2))
    half = quantile * float(known.std(ddof=1)) / math.sqrt(n)
    return Estimate(float(known.mean()), half, n, level)


def batch_means(values: Any, batches: int = 20, level: float = 0.95) -> Estimate:
    """The mean of one long series that depends on its past, by the means of consecutive batches.

    Conway (1963); the batches must be long against the memory of the series.
    """
    import numpy as np

    series = np.asarray(values, float)
    size = len(series) // batches
    if size < 1:
        return estimate(series[:1], level) if len(series) else estimate([], level)
    means = series[len(series) - size * batches :].reshape(batches, size).mean(axis=1)
    found = estimate(means, level)
    return Estimate(float(series.mean()), found.half, found.n, level)


def mser5(values: Any) -> int:
    """How many values at the beginning of a series to leave out as its warm-up, by MSER-5.

    White, Cobb, Spratt: A comparison of five steady-state truncation heuristics (2000): of means of
    five, the truncation in the first half that has the smallest standard error of the rest.

    >>> mser5([50, 40, 30, 20, 10] + [5, 6, 4, 5, 5, 6, 6, 4, 5, 6] * 10)
    5
    """
    import numpy as np

    series = np.asarray(values, float)
    n = len(series) // 5
    if n < 4:
        return 0
    means = series[: 5 * n].reshape(n, 5).mean(axis=1)
    left = np.arange(n, 0, -1)
    # Sums from the back: of what is left after each truncation. Centred, so as not to cancel.
    centred = means - means.mean()
    sums = np.cumsum(centred[::-1])[::-1]
    squares = np.cumsum((centred**2)[::-1])[::-1]
    errors = (squares - sums**2 / left) / left**2
    return 5 * int(np.argmin(errors[: n // 2 + 1]))
