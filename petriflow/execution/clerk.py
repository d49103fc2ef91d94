"""`Clerk`: takes orders about cases, and runs none."""

from __future__ import annotations

from petriflow.execution.engine import Engine
from petriflow.execution.events import Command, StartTask
from petriflow.execution.handle import CaseHandle
from petriflow.execution.store import visit_store
from petriflow.execution.timers import Due


class Clerk(Engine):
    """An engine whose hands are tied: what it is told is stored, and leads to no work.

    A command line that suspends a case must not begin the bodies of all cases first. What an order
    calls for (bodies, timers) stands open in the store, and the next engine carries it out. Where
    an engine is at work, also on a SQLite file, it carries out the order itself.
    """

    _open = staticmethod(visit_store)

    def _carry_out(self, handle: CaseHandle, command: Command) -> None:
        if not isinstance(command, StartTask):
            super()._carry_out(handle, command)

    def _set_timer(self, handle: CaseHandle, timer: str, due: float) -> None:
        pass

    def _takes(self) -> list[str]:
        return []

    async def _keep_schedules(self) -> None:
        pass

    async def _first_timers(self, before: float, limit: int) -> list[Due]:
        return []
