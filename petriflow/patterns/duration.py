"""Lengths of time as people write them."""

from __future__ import annotations

import re
from datetime import timedelta

from petriflow.net.errors import DefinitionError

#: A length of time: seconds, a timedelta, or a text such as "500ms", "30s", "5m" or
#: "5min", "2h", "1d", "1w".
Duration = float | int | str | timedelta
UNITS = {
    "ms": 0.001, "s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0,
}  # fmt: skip
#: Beyond this, in seconds, Python has no length of time.
LONGEST = timedelta.max.total_seconds()


def seconds(duration: Duration, what: str = "a duration") -> float:
    """A length of time in seconds.

    Raises:
        DefinitionError: it is negative or cannot be read.

    >>> seconds("1.5m"), seconds(3)
    (90.0, 3.0)
    """
    value: float = -1
    if isinstance(duration, timedelta):
        value = duration.total_seconds()
    elif isinstance(duration, str):
        if match := re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*(ms|s|min|m|h|d|w)\s*", duration):
            value = float(match[1]) * UNITS[match[2]]
    elif isinstance(duration, (int, float)) and not isinstance(duration, bool):
        value = duration
    if not 0 <= value <= LONGEST:
        raise DefinitionError(f"{what}={duration!r}; write seconds, or a text like '30s' or '5m'")
    return float(value)
