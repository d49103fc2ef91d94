"""`Timers`: when something is due, for any number of cases, with one sleeper.

Only the first of the timers are in memory; those further off stay in the store until they are
among the first. A timer that another engine has set and called off may ring all the same; its case
finds that nobody waits for it.
"""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Awaitable, Callable
from heapq import heappop, heappush, nsmallest
from itertools import count
from typing import Any

from petriflow.execution.clock import Clock
from petriflow.net.errors import StoreError

log = logging.getLogger("petriflow")

#: How many timers are taken from the store at once; twice as many are in memory at the most.
FIRST = 10_000
#: Seconds after which it is tried again when the store could not be asked.
PAUSE = 1.0

#: When it is due, of which case, and its name.
Due = tuple[float, str, str]
_Numbered = tuple[float, int, str, str]


class Timers:
    """The timers of an engine.

    Args:
        clock: the time.
        ring: called with what is due, in order, as (case, timer).
        more: gives the first timers of the store that are due at a moment or before, so many.
    """

    def __init__(
        self,
        clock: Clock,
        ring: Callable[[list[tuple[str, str]]], Awaitable[None]],
        more: Callable[[float, int], Awaitable[list[Due]]],
    ) -> None:
        self._clock, self._ring, self._more = clock, ring, more
        self._first: list[_Numbered] = []
        self._order = count()
        self._known: dict[tuple[str, str], int] = {}
        #: up to which moment all timers of the store are in memory
        self._horizon = -math.inf
        self._changed = asyncio.Event()

    def __len__(self) -> int:
        return len(self._known)

    def set(self, case: str, timer: str, due: float) -> None:
        """Have a timer ring that the store holds."""
        if due > self._horizon or (case, timer) in self._known:
            return
        number = self._known[case, timer] = next(self._order)
        heappush(self._first, (due, number, case, timer))
        if len(self._first) > 2 * FIRST:
            self._first = nsmallest(FIRST, filter(self._is_wanted, self._first))
            self._known = {(case, timer): number for _, number, case, timer in self._first}
            self._horizon = min(self._horizon, self._first[-1][0])
        if self._first[0][1] == number:
            self._changed.set()

    def unset(self, case: str, timer: str) -> None:
        """Have a timer not ring, if it is in memory."""
        if self._known.pop((case, timer), None) is not None:
            self._changed.set()

    def _is_wanted(self, timer: _Numbered) -> bool:
        return self._known.get(timer[2:]) == timer[1]

    def _next(self) -> float:
        """When the first of them is due."""
        while self._first and not self._is_wanted(self._first[0]):
            heappop(self._first)
        return self._first[0][0] if self._first else math.inf

    async def go(self) -> None:
        """Ring whatever comes due, for ever."""
        while True:
            try:
                await self._go()
            except StoreError as error:
                log.warning("timers could not be looked up: %s", error)
                await asyncio.sleep(PAUSE)

    async def _go(self) -> None:
        if self._next() == math.inf > self._horizon:
            found = await self._more(math.inf, FIRST)
            self._horizon = math.inf if len(found) < FIRST else found[-1][0]
            self._add(found)
        self._changed.clear()
        now = self._clock.now()
        due = []
        while self._next() <= now:
            due.append(heappop(self._first))
            del self._known[due[-1][2:]]
        if due:
            try:
                await self._ring([timer[2:] for timer in due])
            except StoreError:
                self._add([(at, case, timer) for at, _, case, timer in due])
                raise
            return
        waits: list[asyncio.Future[Any]] = [asyncio.ensure_future(self._changed.wait())]
        if self._first:
            waits.append(asyncio.ensure_future(self._clock.sleep(self._next() - now)))
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for one in waits:
                one.cancel()

    async def look(self, before: float) -> None:
        """Have those timers too that others have set and that are due until then."""
        self._add(await self._more(before, FIRST))

    def _add(self, found: list[Due]) -> None:
        for due, case, timer in found:
            self.set(case, timer, due)
