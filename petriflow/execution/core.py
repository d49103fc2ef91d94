"""`Core`: what the sides of an `Engine` share, so that each side can be a room of its own."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar
from weakref import WeakValueDictionary

from petriflow.execution.bodies import Bodies
from petriflow.execution.children import Children
from petriflow.execution.clock import Clock, working
from petriflow.execution.events import Command, Event
from petriflow.execution.handle import CaseHandle, Outcome
from petriflow.execution.marks import Item
from petriflow.execution.notify import Notifier
from petriflow.execution.observer import Observers
from petriflow.execution.redis import RedisLink
from petriflow.execution.store import Batch, Record, Store, StoredCase
from petriflow.execution.timers import Timers
from petriflow.net.errors import PetriflowError, StoreError
from petriflow.workflow import Workflow

T = TypeVar("T")


class Away(StoreError):
    """The engine does not have the case any more: another engine does, or it was put away."""


class Core:
    """The state of an engine, and what its sides call of each other."""

    _url: str
    _workflows: dict[str, Workflow]
    _clock: Clock
    _on_event: Callable[[Record], None] | None
    _observers: Observers
    #: while it is entered
    _loop: asyncio.AbstractEventLoop
    _writer: ThreadPoolExecutor
    _store: Store
    _bodies: Bodies
    _children: Children
    _stopping: bool
    _error: PetriflowError | None
    #: the cases it has, those that somebody holds or waits for, open ones of unknown definitions,
    #: and ones that cannot be read
    _handles: dict[str, CaseHandle]
    _known: WeakValueDictionary[str, CaseHandle]
    _watched: dict[str, CaseHandle]
    _left: dict[str, str]
    _damaged: dict[str, StoreError]
    _timers: Timers
    #: who is just now getting a case from the store
    _reaching: dict[str, asyncio.Task[bool]]
    _having: asyncio.Lock
    #: what has happened since the last commit, and who waits for the next
    _batch: Batch
    _commands: list[tuple[CaseHandle, Command]]
    _dirty: dict[str, CaseHandle]
    _work: asyncio.Event
    _commits: list[asyncio.Future[None]]
    #: room for so many cases that are being begun
    _births: asyncio.Semaphore
    #: who is just now starting a case under a key, or telling an event under one
    _starting: dict[tuple[str, str], asyncio.Task[CaseHandle]]
    _telling: set[tuple[str, str]]
    #: the orders of others that are just now carried out
    _carrying: dict[str, asyncio.Task[None]]
    #: who tells other engines to look, and who is just now waiting for the answer to an order
    _notifier: Notifier
    _cache: RedisLink | None
    #: for which messages to look, who is just now giving one to a case, and what is taken just now
    _sought: set[tuple[str, str]]
    _seeking: asyncio.Event
    _giving: dict[str, asyncio.Task[str | None]]
    _taking: dict[str, str]
    _topics: dict[str, set[str]]
    _hinted: asyncio.Event
    _answered: dict[str, asyncio.Event]

    def check(self) -> None:
        """Raise the error that stopped the engine, if one did."""
        if self._error is not None:
            raise self._error

    def _check_open(self) -> None:
        """Raise an error if nothing new may be begun."""
        self.check()
        if self._stopping:
            raise StoreError("the engine is being stopped; nothing new begins")

    async def _in_writer(self, work: Callable[..., T], *args: Any) -> T:
        """Do something with the store, in the one thread that uses it."""
        with working(self._clock):
            return await self._loop.run_in_executor(self._writer, work, *args)

    def _list_work(self, handle: CaseHandle, before: Mapping[str, Item]) -> None:
        """Have the work lists of people show what has changed."""
        raise NotImplementedError

    def _find(self, workflow: Workflow | str) -> Workflow:
        """The workflow that this engine was given; raises DefinitionError."""
        raise NotImplementedError

    def turn(self, handle: CaseHandle, event: Event) -> None:
        """Apply an event and the answers to the guards it asks for; hand all to the writer."""
        raise NotImplementedError

    def _call_off(self, handle: CaseHandle, firing_id: str) -> None:
        """Give up the case that a firing has called."""
        raise NotImplementedError

    def touch(self, handle: CaseHandle) -> None:
        """Have the case stored, and those who wait for it told."""
        raise NotImplementedError

    async def committed(self) -> None:
        """Return when all that has happened until now is stored."""
        raise NotImplementedError

    async def case(self, id: str) -> CaseHandle:
        """A case of the store."""
        raise NotImplementedError

    async def cancel(self, case: CaseHandle | str, reason: str = "") -> Outcome:
        """Give a case up."""
        raise NotImplementedError

    async def retry(
        self,
        case: CaseHandle | str,
        updates: Mapping[str, Any] | None = None,
        *,
        incident: str | None = None,
    ) -> bool:
        """Try again where a case waits for a person."""
        raise NotImplementedError

    def watch(self, handle: CaseHandle) -> None:
        """Somebody waits for the case: see that they are told."""
        raise NotImplementedError

    async def suspend(self, case: CaseHandle | str, reason: str = "") -> bool:
        """Hold a case and those that it calls."""
        raise NotImplementedError

    async def resume(self, case: CaseHandle | str) -> bool:
        """Let a case and those that it calls go on."""
        raise NotImplementedError

    async def skip(
        self,
        case: CaseHandle | str,
        incident: str,
        updates: Mapping[str, Any] | None = None,
        *,
        take: str | int | Sequence[str] | None = None,
    ) -> None:
        """Go on without a task, or by a branch that a person names."""
        raise NotImplementedError

    async def fail(self, case: CaseHandle | str, incident: str, reason: str = "") -> None:
        """Give a case up because of an incident."""
        raise NotImplementedError

    def _set_timer(self, handle: CaseHandle, timer: str, due: float) -> None:
        """Have a timer ring."""
        raise NotImplementedError

    def _carry_out(self, handle: CaseHandle, command: Command) -> None:
        """Do what a case asks for."""
        raise NotImplementedError

    def _handle(self, stored: StoredCase, workflow: Workflow) -> CaseHandle:
        """The handle of a row: the one that is known, brought up to date, or a new one."""
        raise NotImplementedError

    async def _reach(self, id: str) -> CaseHandle | None:
        """Have an open case from now on; `None` if another engine is at work for it."""
        raise NotImplementedError

    async def _acquire(self, ids: Collection[str]) -> None:
        """Have those of these cases that may be had."""
        raise NotImplementedError

    def _put_away(self, handle: CaseHandle) -> None:
        """Keep nothing in memory of a case that only waits; whoever needs it reaches for it."""
        raise NotImplementedError

    async def _refresh(self, handles: Collection[CaseHandle]) -> None:
        """Bring handles of cases that others have up to date."""
        raise NotImplementedError

    def _let_go(self, ids: Collection[str], unborn: Collection[str] = ()) -> None:
        """Drop cases that another engine has."""
        raise NotImplementedError

    def _load(self, stored: StoredCase) -> CaseHandle | None:
        """Have a case of the store."""
        raise NotImplementedError

    def _continue(self, handle: CaseHandle, due: Mapping[tuple[str, str], float]) -> None:
        """Carry out what stands open of a case of the store."""
        raise NotImplementedError

    def _row(self, handle: CaseHandle) -> StoredCase:
        """What is stored of a case."""
        raise NotImplementedError

    def _settle(self, id: str) -> None:
        """Put a case away that was reached for, if nothing has come of it."""
        raise NotImplementedError

    def _seek(self, event: str, about: str) -> None:
        """A case waits for such a message from now on: look whether there is one."""
        raise NotImplementedError

    def _hint(self, topic: str) -> None:
        """Have other engines look at once at what was committed: `order ID`, `answer ID` (to an
        order), `case ID`. It may be lost: their loops look all the same.
        """
        self._notifier.hint(topic)

    def _heard(self, topic: str) -> None:
        """Look at this soon: another engine has changed it, or may have."""
        raise NotImplementedError

    async def _work_off(self) -> None:
        """Carry out the orders of others that are this engine's to carry out."""
        raise NotImplementedError
