"""`Room`: how many bodies work at once, and who is next; fair over the cases.

Whoever finds no room waits in the line of its task, where the cases take turns: a case with a
thousand attempts waiting stands in the way of no other. An attempt in its pause takes no room.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict, deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from petriflow.workflow.task import Task


class _Line:
    """The attempts that wait for one task, or for all tasks without a limit of their own."""

    def __init__(self, limit: int | None) -> None:
        self.limit = limit
        self.inside = 0
        self._cases: OrderedDict[str, deque[asyncio.Future[None]]] = OrderedDict()

    @property
    def full(self) -> bool:
        return self.limit is not None and self.inside >= self.limit

    def wait(self, case_id: str) -> asyncio.Future[None]:
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._cases.setdefault(case_id, deque()).append(turn)
        return turn

    def next(self) -> asyncio.Future[None] | None:
        """Whose turn it is: the cases one after the other, each by age."""
        while self._cases:
            case_id, turns = self._cases.popitem(last=False)
            turn = turns.popleft()
            if turns:
                self._cases[case_id] = turns
            if not turn.done():  # else it was cancelled while it waited
                return turn
        return None


class Room:
    """Room for so many bodies at once, all together and of each task with a `limit`."""

    def __init__(self, limit: int | None) -> None:
        self._limit = limit
        self._inside = 0
        self._lines: dict[int | None, _Line] = {}

    def limits(self, task: Task) -> bool:
        """Whether an attempt of the task may have to wait."""
        return self._limit is not None or task.limit is not None

    @asynccontextmanager
    async def place(self, case_id: str, task: Task) -> AsyncIterator[None]:
        """Wait for room, and give it back at the end."""
        key = None if task.limit is None else id(task)
        line = self._lines.setdefault(key, _Line(task.limit))
        turn = line.wait(case_id)
        self._admit()
        try:
            await turn
            yield
        finally:
            if turn.done() and not turn.cancelled():
                line.inside -= 1
                self._inside -= 1
                self._admit()

    def _admit(self) -> None:
        """Let in whoever there is room for; the lines take turns too."""
        for key in list(self._lines):
            line = self._lines[key]
            while not line.full and (self._limit is None or self._inside < self._limit):
                turn = line.next()
                if turn is None:
                    break
                line.inside += 1
                self._inside += 1
                turn.set_result(None)
                if self._limit is not None:
                    self._lines[key] = self._lines.pop(key)
                    break
