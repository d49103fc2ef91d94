"""Time, injected, so that tests of days run in milliseconds."""

from __future__ import annotations

import asyncio
import time
from contextlib import AbstractContextManager, nullcontext
from typing import Protocol, runtime_checkable


class Clock(Protocol):
    """What an engine needs of time."""

    def now(self) -> float:
        """Seconds since 1970 in UTC."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Return after so many seconds."""
        ...


class SystemClock:
    """The machine's own time."""

    def now(self) -> float:
        return time.time()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


@runtime_checkable
class MovingClock(Clock, Protocol):
    """A clock that moves on by itself when all wait, and cannot see what threads do."""

    def working(self) -> AbstractContextManager[None]:
        """While this is entered the clock stands still."""
        ...


def working(clock: Clock) -> AbstractContextManager[None]:
    """Entered by whoever waits for a thread: then not all wait."""
    return clock.working() if isinstance(clock, MovingClock) else nullcontext()
