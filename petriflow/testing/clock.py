"""`VirtualClock`: days of timers in milliseconds, in their order."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Iterator
from contextlib import contextmanager
from heapq import heappop, heappush
from itertools import count

from petriflow.net.errors import DefinitionError
from petriflow.patterns.duration import Duration, seconds

#: For how many rounds of the event loop nobody may have had to do with the clock, until it is taken
#: that all wait.
CALM = 100


class VirtualClock:
    """A clock for `Engine(clock=…)` that does not wait for time to pass.

    It stands still while anything goes on, and when all wait it jumps to the next moment for which
    somebody waits: a timer, the delay before an attempt, or a body in `await clock.sleep(…)`. While
    the engine writes to its store or a plain function runs in a thread it does not jump. Whoever
    waits for real time or for the network counts as waiting, and so does the test itself: let the
    bodies of a test sleep on the clock.

    Args:
        now: the time at which it begins, in seconds since 1970 in UTC.
        jumps: whether it moves on by itself; else only by `advance`.

    >>> from petriflow import Engine, Workflow
    >>> from petriflow.patterns import deferred_choice, event, sequence, timer
    >>> def remind(case): return {"reminded": True}
    >>> flow = Workflow("offer", deferred_choice(event("accepted"), timer("7d") >> remind))
    >>> async def main():
    ...     clock = VirtualClock(now=0)
    ...     async with Engine("sqlite://", workflows=[flow], clock=clock) as engine:
    ...         case = await engine.start(flow)
    ...         return (await case.wait()).variables, clock.now() / 86_400
    >>> asyncio.run(main())
    ({'reminded': True}, 7.0)
    """

    def __init__(self, now: float = 1_000_000_000.0, *, jumps: bool = True) -> None:
        self._now = now
        self._jumps = jumps
        self._pulse = self._working = 0
        self._order = count()
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []
        self._jumper: asyncio.Task[None] | None = None

    def now(self) -> float:
        """Seconds since 1970 in UTC."""
        self._pulse += 1
        return self._now

    async def sleep(self, seconds: float) -> None:
        """Return when the clock has moved on by so many seconds."""
        self._pulse += 1
        woken = asyncio.get_running_loop().create_future()
        heappush(self._sleepers, (self._now + max(0.0, seconds), next(self._order), woken))
        if self._jumps and (self._jumper is None or self._jumper.done()):
            self._jumper = asyncio.create_task(self._jump())
        await woken

    async def advance(self, duration: Duration) -> None:
        """Let so much time pass; all that comes due happens in order, with all that follows from
        it, before this returns.

        Raises:
            DefinitionError: the clock moves on by itself, or this is no length of time.
        """
        if self._jumps:
            raise DefinitionError(
                "this clock moves on by itself; make it VirtualClock(jumps=False) to move it by "
                "advance(…)"
            )
        end = self._now + seconds(duration, "advance")
        await self._calm()
        while self._due() <= end:
            self._ring()
            await self._calm()
        self._now = end

    @contextmanager
    def working(self) -> Iterator[None]:
        """While this is entered the clock stands still; for work that is done in threads."""
        self._working += 1
        try:
            yield
        finally:
            self._working -= 1
            self._pulse += 1

    async def _jump(self) -> None:
        await self._calm()
        while self._due() < math.inf:
            self._ring()
            await self._calm()

    async def _calm(self) -> None:
        """Return when all wait."""
        rounds, seen = 0, self._pulse
        while rounds < CALM:
            # A thread needs the processor more than this loop does.
            await asyncio.sleep(0.0005 if self._working else 0)
            rounds = rounds + 1 if seen == self._pulse and not self._working else 0
            seen = self._pulse

    def _due(self) -> float:
        """The next moment for which somebody waits."""
        while self._sleepers and self._sleepers[0][2].done():  # cancelled
            heappop(self._sleepers)
        return self._sleepers[0][0] if self._sleepers else math.inf

    def _ring(self) -> None:
        """Move on to the next moment, and wake who has waited for it, the earliest asleep first."""
        self._now, _, woken = heappop(self._sleepers)
        self._pulse += 1
        woken.set_result(None)
