"""`Core`: what the sides of an `Engine` share, so that each side can be a room of its own."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from petriflow.execution.bodies import Bodies
from petriflow.execution.children import Children
from petriflow.execution.clock import Clock, working
from petriflow.execution.events import Command, Event
from petriflow.execution.handle import CaseHandle
from petriflow.execution.observer import Observers
from petriflow.execution.store import Batch, Record, Store, StoredCase
from petriflow.net.errors import PetriflowError, StoreError
from petriflow.workflow import Workflow

T = TypeVar("T")


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
    #: the cases it has, and the ids of open ones that it has no definition for
    _handles: dict[str, CaseHandle]
    _left: dict[str, str]
    _timers: dict[tuple[str, str], asyncio.Task[None]]
    #: what has happened since the last commit, and who waits for the next
    _batch: Batch
    _commands: list[tuple[CaseHandle, Command]]
    _dirty: dict[str, CaseHandle]
    _work: asyncio.Event
    _commits: list[asyncio.Future[None]]
    #: who is just now starting a case under a key, or telling an event under one
    _starting: dict[tuple[str, str], asyncio.Task[CaseHandle]]
    _telling: set[tuple[str, str]]

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

    def turn(self, handle: CaseHandle, event: Event) -> None:
        """Apply an event and the answers to the guards it asks for; hand all to the writer."""
        raise NotImplementedError

    def touch(self, handle: CaseHandle) -> None:
        """Have the case stored, and those who wait for it told."""
        raise NotImplementedError

    async def committed(self) -> None:
        """Return when all that has happened until now is stored."""
        raise NotImplementedError

    async def suspend(self, case: CaseHandle | str, reason: str = "") -> bool:
        """Hold a case and those that it calls."""
        raise NotImplementedError

    async def resume(self, case: CaseHandle | str) -> bool:
        """Let a case and those that it calls go on."""
        raise NotImplementedError

    def _handle(self, stored: StoredCase, workflow: Workflow) -> CaseHandle:
        """The case of a row."""
        raise NotImplementedError

    def _load(self, stored: StoredCase) -> CaseHandle | None:
        """Have a case of the store, unless its definition was not given."""
        raise NotImplementedError

    def _continue(self, handle: CaseHandle, due: Mapping[tuple[str, str], float]) -> None:
        """Carry out what stands open of a case of the store."""
        raise NotImplementedError

    def _let_go(self, ids: frozenset[str]) -> None:
        """Drop cases that another engine has."""
        raise NotImplementedError

    def _set_timer(self, handle: CaseHandle, timer: str, due: float) -> None:
        """Have a timer ring."""
        raise NotImplementedError
