"""`Week`: what repeats every week, such as how many clerks there are, or how many cases an hour.

Time zero of a simulation is Monday, midnight.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from petriflow.net.errors import DefinitionError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
DAY, WEEK = 86_400, 604_800
_PART = re.compile(
    r"(?:(?P<first>[a-z]{3})(?:-(?P<last>[a-z]{3}))?|daily)"
    r"(?:\s+(?P<h1>\d\d?)(?::(?P<m1>\d\d))?-(?P<h2>\d\d?)(?::(?P<m2>\d\d))?)?"
)


@dataclass(frozen=True)
class Week:
    """A level for every moment of the week: `changes` are (second of the week, level from then).

    >>> Week.read({"mon-fri 9:00-17:00": 2, "sat 9-12": 1}, "clerk").hours
    83.0
    """

    changes: tuple[tuple[float, float], ...]

    @staticmethod
    def read(levels: Mapping[str, float], what: str) -> Week:
        """The week in which each calendar text adds its level.

        A text names days and hours, several of them after commas: "mon-fri 9:00-17:00, sat 9-12",
        "daily 22-6", or days alone.

        Raises:
            DefinitionError: a text cannot be read, or a level is negative.
        """
        steps: dict[float, float] = {0.0: 0.0}
        for text, level in levels.items():
            if isinstance(level, bool) or not isinstance(level, (int, float)) or not level >= 0:
                raise DefinitionError(f"{what}: {level!r} at {text!r}; write a number of 0 or more")
            for begin, end in _spans(text, what):
                for at, change in ((begin, level), (end, -level)):
                    steps[at] = steps.get(at, 0.0) + change
        now, changes = 0.0, list[tuple[float, float]]()
        for at in sorted(steps):
            now += steps[at]
            if not changes or changes[-1][1] != now:
                changes.append((float(at), max(now, 0.0)))
        return Week(tuple(c for c in changes if c[0] < WEEK))

    @property
    def hours(self) -> float:
        """The level times the hours, over the week."""
        return float(self._sums[-1]) / 3600

    def level(self, second: float) -> float:
        """The level at a moment."""
        second %= WEEK
        return next(level for at, level in reversed(self.changes) if at <= second)

    @cached_property
    def _times(self) -> NDArray[np.float64]:
        import numpy as np

        return np.array([at for at, _ in self.changes])

    @cached_property
    def _sums(self) -> NDArray[np.float64]:
        import numpy as np

        levels = [level for _, level in self.changes]
        return np.concatenate([[0.0], np.cumsum(np.diff([*self._times, WEEK]) * levels)])

    def when(self, amounts: NDArray[np.float64]) -> NDArray[np.float64]:
        """The seconds at which the integral of the level has come to these amounts."""
        import numpy as np

        whole, rest = np.divmod(amounts, self._sums[-1])
        part = np.searchsorted(self._sums[:-1], rest, side="right") - 1
        levels = np.array([level for _, level in self.changes])
        into = (rest - self._sums[part]) / levels[part]
        times: NDArray[np.float64] = whole * WEEK + self._times[part] + into
        return times


def _spans(text: Any, what: str) -> list[tuple[float, float]]:
    """The (begin, end) seconds of a calendar text, those over the end of the week in two."""
    spans = []
    for part in text.split(",") if isinstance(text, str) else [""]:
        match = _PART.fullmatch(part.strip().lower())
        days = _days(match) if match else []
        if match is None or not days:
            raise _unreadable(text, what)
        begin, end = 0, DAY
        if match["h1"]:
            begin = int(match["h1"]) * 3600 + int(match["m1"] or 0) * 60
            end = int(match["h2"]) * 3600 + int(match["m2"] or 0) * 60
            if (
                begin >= DAY
                or end > DAY
                or int(match["m1"] or 0) > 59
                or int(match["m2"] or 0) > 59
            ):
                raise _unreadable(text, what)
            if end <= begin:  # over midnight
                end += DAY
        for day in days:
            first, last = day * DAY + begin, day * DAY + end
            if last <= WEEK:
                spans.append((float(first), float(last)))
            else:
                spans += [(float(first), float(WEEK)), (0.0, float(last - WEEK))]
    return spans


def _days(match: re.Match[str]) -> list[int]:
    first, last = match["first"], match["last"]
    if first is None:
        return list(range(7))
    if first not in DAYS or (last or first) not in DAYS:
        return []
    begin, end = DAYS.index(first), DAYS.index(last or first)
    return [d % 7 for d in range(begin, end + 1 if end >= begin else end + 8)]


def _unreadable(text: object, what: str) -> DefinitionError:
    return DefinitionError(
        f"{what}: {text!r} is no calendar; write days and hours, as in 'mon-fri 9:00-17:00', "
        "'sat 9-12' or 'daily 22-6'"
    )
