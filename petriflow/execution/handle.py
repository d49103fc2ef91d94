"""What a user holds of a running case, and what is left of it when it has ended."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from html import escape
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Protocol

from petriflow.execution.case import Case
from petriflow.execution.events import Event, Status
from petriflow.net import Marking
from petriflow.net.errors import (
    GuardError,
    NoBranchEnabled,
    PetriflowError,
    TaskError,
)
from petriflow.workflow import Workflow
from petriflow.workflow.secrets import MASK
from petriflow.workflow.variables import Data

if TYPE_CHECKING:
    from petriflow.drawing.widget import LiveView

log = logging.getLogger("petriflow")


class Shell(Protocol):
    """What a handle needs of the engine it belongs to."""

    async def suspend(self, case: CaseHandle, reason: str = "") -> bool:
        """Hold a case and those that it calls."""
        ...

    async def resume(self, case: CaseHandle) -> bool:
        """Let a case and those that it calls go on."""
        ...

    async def retry(
        self,
        case: CaseHandle,
        updates: Mapping[str, Any] | None = None,
        *,
        incident: str | None = None,
    ) -> bool:
        """Try again where the case waits for a person."""
        ...

    async def skip(
        self,
        case: CaseHandle,
        incident: str,
        updates: Mapping[str, Any] | None = None,
        *,
        take: str | int | Sequence[str] | None = None,
    ) -> None:
        """Go on without a task, or by a branch that a person names."""
        ...

    async def fail(self, case: CaseHandle, incident: str, reason: str = "") -> None:
        """Give the case up because of an incident."""
        ...

    def check(self) -> None:
        """Raise the error that stopped the engine, if one did."""
        ...

    def turn(self, handle: CaseHandle, event: Event) -> None:
        """Apply an event to the case and have it stored."""
        ...

    async def committed(self) -> None:
        """Return when all that has happened until now is stored."""
        ...

    async def cancel(self, case: CaseHandle, reason: str = "") -> Outcome:
        """Give a case up."""
        ...

    def watch(self, handle: CaseHandle) -> None:
        """Somebody waits for the case: see that they are told."""
        ...


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a case ended: `completed`, `failed`, `cancelled` or `deadlocked`, and with what."""

    case_id: str
    status: Status
    variables: Data
    error: str | None = None
    #: the names of the variables that are not to be shown
    secret: tuple[str, ...] = field(default=(), repr=False, compare=False)

    @property
    def shown(self) -> Data:
        """The variables as they may be shown: the values of secret ones are masked."""
        return {n: MASK if n in self.secret else value for n, value in self.variables.items()}

    def __repr__(self) -> str:
        return (
            f"Outcome(case_id={self.case_id!r}, status={self.status!r}, variables={self.shown!r}, "
            f"error={self.error!r})"
        )

    def _repr_html_(self) -> str:
        sign = {"completed": "✓", "running": "…", "suspended": "…"}.get(self.status, "✗")
        said = escape(f"{sign} case {self.case_id} is {self.status}")
        why = f"<p>{escape(self.error)}</p>" if self.error else ""
        left = 'style="text-align:left"'
        rows = "".join(
            f"<tr><th {left}>{escape(name)}</th><td {left}>{escape(repr(value))}</td></tr>"
            for name, value in self.shown.items()
        )
        return f"<p>{said}</p>{why}<table><tbody>{rows}</tbody></table>"

    @property
    def completed(self) -> bool:
        """Whether the case reached its end."""
        return self.status == "completed"


@dataclass(eq=False, slots=True, weakref_slot=True)
class CaseHandle:
    """A case of a running engine: look at it, wait for it, cancel it, try it again."""

    _shell: Shell
    _case: Case
    workflow: Workflow
    created_at: float
    _waiters: list[asyncio.Future[Outcome]] = field(default_factory=list)
    _settlers: list[asyncio.Future[Outcome]] = field(default_factory=list)
    #: whether the end of the case was committed and told
    told: bool = False
    #: the case and the firing that called this one, how deep, and with which variables it began
    parent_id: str = ""
    firing_id: str = ""
    depth: int = 0
    began_with: Data = field(default_factory=dict)
    #: whether its caller has given it up
    disowned: bool = False
    #: how often the case had changed hands when its engine got it
    fence: int = 1
    #: whether its engine does not have it now: the case waits in the store, or another has it
    away: bool = False
    #: whether it is away because another engine took it over
    refused: bool = False
    #: who looks on, told after each commit
    _lookers: list[Callable[[], None]] = field(default_factory=list)

    @property
    def id(self) -> str:
        """The case's id."""
        return self._case.id

    @property
    def status(self) -> Status:
        """The state of the case."""
        return self._case.status

    @property
    def marking(self) -> Marking:
        """The tokens of the case, on the expanded net of its workflow."""
        return self._case.marking

    @property
    def variables(self) -> Mapping[str, Any]:
        """The case's variables; what branches have written shows up at their join."""
        return MappingProxyType(deepcopy(self._case.variables))

    @property
    def incidents(self) -> Mapping[str, str]:
        """Why the case waits for a person, by the choice or by the firing of the task."""
        return {path: i.error for path, i in self._case.incidents.items()}

    @property
    def at_work(self) -> tuple[str, ...]:
        """The tasks whose bodies run now, by id."""
        return tuple(self._case.running[firing].task for firing in self._case.bodies)

    @property
    def asks(self) -> tuple[str, ...]:
        """The tasks that wait for a person, by id."""
        return tuple(item.task for item in self._case.items.values())

    @property
    def waits_for(self) -> tuple[str, ...]:
        """The events and timers that the case waits for, as ids of transitions."""
        return tuple(self._case.waiting.since)

    def on_commit(self, look: Callable[[], None]) -> None:
        """Have a function called after what happens to the case is committed, in the engine's loop.

        It must not block. After steps that follow each other closely it may be called once only.
        One that fails is logged, and not called any more.
        """
        self._lookers.append(look)

    def view(self) -> LiveView:
        """A picture of the case in a notebook that moves as the engine commits.

        Raises:
            DrawingError: the widget's libraries are not installed.
        """
        from petriflow.drawing import view

        return view(self)

    def check(self) -> None:
        """Raise the error that stopped the engine, if one did."""
        self._shell.check()

    async def settle(self) -> Outcome:
        """Wait until the case has ended, or until only an event or a person can bring it on: then
        the outcome's status is `running` or `suspended`.

        Raises:
            StoreError: the engine lost its store; the case continues from its last commit when
                an engine is started again.
        """
        if self.told:
            return self._outcome()
        self.check()
        if self.away and self._case.idle:
            return self._outcome()
        settler: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        self._settlers.append(settler)
        self._shell.watch(self)
        return await settler

    async def wait(self) -> Outcome:
        """Wait for the case's end.

        Raises:
            NoBranchEnabled, GuardError, TaskError, PetriflowError: nothing goes on until somebody
                settles an incident with `retry`, `skip` or `fail`.
            StoreError: the engine lost its store; the case continues from its last commit when
                an engine is started again.
        """
        if self.told:
            return self._outcome()
        self.check()
        if self.away and self._case.stuck:
            raise _incident(self._case)
        waiter: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        self._waiters.append(waiter)
        self._shell.watch(self)
        return await waiter

    async def suspend(self, reason: str = "") -> bool:
        """Hold the case: bodies that run may finish and events are received, nothing new starts.

        The answer is whether it was running; otherwise nothing happens.
        """
        return not self.told and await self._shell.suspend(self, reason)

    async def resume(self) -> bool:
        """Let the suspended case go on; the answer is whether it was suspended."""
        return not self.told and await self._shell.resume(self)

    async def cancel(self, reason: str = "") -> Outcome:
        """Give the case up: running bodies are cancelled, nothing further starts, and what can be
        undone is undone, the last first.

        The answer is the case as it is then: `cancelled`, or still `running` or `suspended` as long
        as there is something to undo; `wait` returns when that is over. A case that had already
        ended stays as it ended.
        """
        return await self._shell.cancel(self, reason)

    async def retry(
        self, updates: Mapping[str, Any] | None = None, *, incident: str | None = None
    ) -> bool:
        """Try again where the case waits for a person; see `Engine.retry`."""
        return await self._shell.retry(self, updates, incident=incident)

    async def skip(
        self,
        incident: str,
        updates: Mapping[str, Any] | None = None,
        *,
        take: str | int | Sequence[str] | None = None,
    ) -> None:
        """Go on without a task, or by a branch that a person names; see `Engine.skip`."""
        await self._shell.skip(self, incident, updates, take=take)

    async def fail(self, incident: str, reason: str = "") -> None:
        """Give the case up because of an incident; see `Engine.fail`."""
        await self._shell.fail(self, incident, reason)

    def _outcome(self) -> Outcome:
        case = self._case
        error = case.error or "; ".join(i.error for i in case.incidents.values())
        if not error and case.ending is not None:
            why = f": {case.ending.error}" if case.ending.error else ""
            error = f"it is being given up{why}"
        secret = tuple(sorted(self.workflow.schema.secret))
        return Outcome(case.id, case.status, deepcopy(case.variables), error or None, secret)

    @property
    def active(self) -> bool:
        """Whether an engine has something to do for the case; else it only waits.

        A case that was called and the case that called it have to be had together.
        """
        return self._case.active or bool(self.parent_id and not self._case.finished)

    @property
    def awaited(self) -> bool:
        """Whether somebody waits for the case."""
        return any(not told.done() for told in (*self._waiters, *self._settlers))

    def tell(self) -> None:
        """Let those who wait know, once what they wait for is committed."""
        case = self._case
        self.told = case.finished
        for look in tuple(self._lookers):
            try:
                look()
            except Exception:
                log.exception("case %s: whoever looked on failed, and is not told again", self.id)
                self._lookers.remove(look)
        if case.finished or case.idle:
            for settler in self._settlers:
                if not settler.done():
                    settler.set_result(self._outcome())
            self._settlers.clear()
        if not case.finished and not case.stuck:
            return
        for waiter in self._waiters:
            if waiter.done():
                continue
            if case.finished:
                waiter.set_result(self._outcome())
            else:
                waiter.set_exception(_incident(case))
        self._waiters.clear()

    def abandon(self, error: PetriflowError) -> None:
        """Tell those who wait that nothing more is to be heard of the case here."""
        for told in (*self._waiters, *self._settlers):
            if not told.done():
                told.set_exception(error)
        self._waiters.clear()
        self._settlers.clear()

    def _repr_html_(self) -> str:
        from petriflow.drawing import Overlay, draw

        waits = frozenset(self.waits_for)
        drawing = draw(self.workflow, overlay=Overlay(tokens=self.marking, enabled=waits))
        picture = f'<div style="overflow-x:auto">{drawing.svg()}</div>'
        return f"<p>{escape(f'case {self.id} is {self.status}')}</p>{picture}"

    def __repr__(self) -> str:
        return f"<Case {self.id!r} of {self.workflow.name!r}: {self.status}>"


def _incident(case: Case) -> PetriflowError:
    kinds = {
        "NoBranchEnabled": NoBranchEnabled,
        "GuardError": GuardError,
        "TaskFailed": TaskError,
    }
    first = next(iter(case.incidents.values()))
    return kinds.get(first.kind, PetriflowError)(first.error)
