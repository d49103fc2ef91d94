"""`Observer`: whoever looks on while an engine works, such as metrics, traces and logs.

The pure case knows nothing of observers: the engine tells them what is committed, and what it does
about it. An observer that fails is logged and changes nothing.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from traceback import format_exc
from typing import Any

from petriflow.execution.clock import Clock
from petriflow.execution.events import StartTask
from petriflow.execution.handle import CaseHandle
from petriflow.execution.store import Record

log = logging.getLogger("petriflow")


class Observer:
    """What an engine tells; override what you want to hear. All times are seconds since 1970.

    Everything is told in the engine's loop, so an observer must not block. For every case `opened`
    comes first, and either `ended` or `left` last. For every attempt of a task `queued` comes
    first, then `began`, then either `committed` with its `TaskCompleted` or `TaskFailed`, or
    `withdrawn`. An attempt that calls a workflow is told again when its case is resumed. What a
    person does is told when it is done, with the times of its offer and of its claim, since other
    engines may have had the case meanwhile; of what is withdrawn or fails before, only that.
    """

    def opened(self, case: CaseHandle, at: float, continued: bool) -> None:
        """A case has begun, or an engine goes on with one from the store (`continued`)."""

    def committed(self, case: CaseHandle, record: Record) -> None:
        """An event of the case is stored."""

    def queued(self, case: CaseHandle, command: StartTask, at: float) -> None:
        """An attempt is to begin, as soon as its pause is over and there is room for it."""

    def began(self, case: CaseHandle, command: StartTask, at: float) -> None:
        """The body of an attempt begins; told in the asyncio task of the body."""

    def withdrawn(self, case: CaseHandle, firing_id: str, at: float) -> None:
        """The attempt of this firing is not wanted any more, whatever its body does."""

    def ended(self, case: CaseHandle, at: float) -> None:
        """The case has ended, and its end is stored."""

    def left(self, case: CaseHandle, at: float) -> None:
        """This engine does not go on with the case, which has not ended."""

    def counted(self, workflow: str, change: int) -> None:
        """So many more (or fewer) cases of a workflow are open than was told until now: those found
        in the store when the engine was entered, or taken over, or of which another engine saw the
        end. After the last one, at the engine's end, none is open here.
        """

    def stopped(self, at: float) -> None:
        """The engine has stopped; the cases that only waited, and were opened, are left too."""

    def wrote(self, events: int, seconds: float, waiting: int) -> None:
        """A commit took so many seconds and stored so many events; more wait for the next one."""

    def renewed(self, at: float) -> None:
        """The engine has renewed its lease on its cases; never told where nobody shares them."""


class Observers:
    """All observers of an engine, told one after the other."""

    def __init__(self, observers: Sequence[Observer], clock: Clock) -> None:
        self._all = tuple(observers)
        self._clock = clock
        #: the open cases of each workflow, as they were told
        self._open: Counter[str] = Counter()

    def opened(self, case: CaseHandle, continued: bool) -> None:
        """Tell of a case that this engine goes on with from here."""
        for observer in self._all:
            _safely(case, observer.opened, self._clock.now(), continued)

    def committed(self, case: CaseHandle, record: Record) -> None:
        """Tell of an event that is stored."""
        if record.kind == "CaseStarted":
            self._open[case.workflow.name] += 1
        for observer in self._all:
            if record.kind == "CaseStarted":
                _safely(case, observer.opened, record.at, False)
            _safely(case, observer.committed, record)

    def queued(self, case: CaseHandle, command: StartTask, at: float | None = None) -> None:
        """Tell of an attempt that is to begin."""
        for observer in self._all:
            _safely(case, observer.queued, command, self._clock.now() if at is None else at)

    def began(self, case: CaseHandle, command: StartTask, at: float | None = None) -> None:
        """Tell of an attempt that begins."""
        for observer in self._all:
            _safely(case, observer.began, command, self._clock.now() if at is None else at)

    def withdrawn(self, case: CaseHandle, firing_id: str) -> None:
        """Tell of an attempt that is not wanted any more."""
        for observer in self._all:
            _safely(case, observer.withdrawn, firing_id, self._clock.now())

    def ended(self, case: CaseHandle) -> None:
        """Tell of a case whose end is stored."""
        self._open[case.workflow.name] -= 1
        for observer in self._all:
            _safely(case, observer.ended, self._clock.now())

    def left(self, case: CaseHandle) -> None:
        """Tell of a case that this engine does not go on with."""
        self._open[case.workflow.name] -= 1
        for observer in self._all:
            _safely(case, observer.left, self._clock.now())

    def counted(self, open: Mapping[str, int]) -> None:
        """Tell how many cases are open, as far as that is news."""
        for workflow in open.keys() | self._open.keys():
            if change := open.get(workflow, 0) - self._open[workflow]:
                self._open[workflow] += change
                for observer in self._all:
                    _tell(observer.counted, workflow, change)

    def stopped(self) -> None:
        """Tell that it is over."""
        self.counted({})
        for observer in self._all:
            _tell(observer.stopped, self._clock.now())

    def wrote(self, events: int, seconds: float, waiting: int) -> None:
        """Tell of a commit, and how many events have come together meanwhile."""
        for observer in self._all:
            _tell(observer.wrote, events, seconds, waiting)

    def renewed(self) -> None:
        """Tell that the lease was renewed."""
        for observer in self._all:
            _tell(observer.renewed, self._clock.now())


def _safely(case: CaseHandle, tell: Callable[..., None], *args: Any) -> None:
    try:
        tell(case, *args)
    except (Exception, asyncio.CancelledError):
        # The case was at hand to the observer, and so is what is secret of it to the error.
        told = case.workflow.schema.covered(format_exc().rstrip(), case.variables)
        extra = {"case_id": case.id}
        log.error("%s failed for case %s\n%s", _who(tell), case.id, told, extra=extra)


def _tell(tell: Callable[..., None], *args: Any) -> None:
    try:
        tell(*args)
    except (Exception, asyncio.CancelledError):
        log.exception("%s failed", _who(tell))


def _who(tell: Callable[..., None]) -> str:
    return getattr(tell, "__qualname__", repr(tell))
