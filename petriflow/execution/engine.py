"""`Engine`: the asyncio shell around the pure cases.

One turn: an event is applied to its case, the guards it asks for are answered (they are pure),
and the events with the new state are handed to the writer. The writer commits all that came
together in one transaction, and only then the commands are carried out: bodies are started or
cancelled, and those who wait are told. So a body never runs for a firing that is not stored, and
an outcome is never told before it is.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from types import TracebackType
from typing import Any, Self, TypeVar
from weakref import WeakValueDictionary

from petriflow.execution.bodies import Bodies
from petriflow.execution.children import Children
from petriflow.execution.clock import Clock, SystemClock
from petriflow.execution.desk import Desk
from petriflow.execution.events import (
    Command,
    Event,
)
from petriflow.execution.executors import Executor, Processes
from petriflow.execution.executors.job import check
from petriflow.execution.gate import admit, with_called
from petriflow.execution.handle import CaseHandle
from petriflow.execution.hints import Hints
from petriflow.execution.leases import Leases
from petriflow.execution.mending import Mending
from petriflow.execution.messages import Messages
from petriflow.execution.observer import Observer, Observers
from petriflow.execution.people import People
from petriflow.execution.redis import Redis, RedisLink
from petriflow.execution.schedules import Schedules
from petriflow.execution.starting import MOST_BIRTHS
from petriflow.execution.store import Batch, Record, Store, open_store
from petriflow.execution.timers import Timers
from petriflow.execution.turns import Turns
from petriflow.execution.versions import Versions
from petriflow.net.errors import (
    DefinitionError,
    PetriflowError,
    StoreError,
)
from petriflow.workflow import Workflow

T = TypeVar("T")


class Engine(Schedules, Turns, Desk, People, Mending, Versions, Leases, Hints, Messages):
    """Runs proven workflows and keeps their cases.

    Args:
        store: where the cases are kept: `sqlite:///cases.db`, or `sqlite://` in memory.
        workflows: what this engine runs. Cases of other definitions in the store wait.
        allow_unsound: run workflows although they are not proven sound.
        on_event: called with the `Record` of every event after it is committed; the values of
            secret variables are masked in it.
        observers: told of cases and tasks, such as `Metrics`, `Traces` and `Logs`.
        executors: who runs the bodies of the tasks that name an executor, beside "process".
        limit: how many bodies may work at once; the cases take turns.
        redis: a Redis by its URL, for hints to other engines and for summaries of cases that are
            asked for often; nothing depends on it.
        clock: the time; tests give one that jumps.

    Use it as `async with Engine(…) as engine`. Entering continues every open case of the store;
    leaving stops the bodies that run, whose cases another engine continues.

    Raises:
        NotProvenSound: a workflow is unsound, or its soundness is unknown (when entered).
        UndeclaredChoice: two steps compete, and nothing decides between them (when entered).
        StoreError: the store cannot be opened (when entered).

    >>> from petriflow import Engine, Workflow
    >>> def greet(case): return {"greeting": f"Hello, {case['name']}"}
    >>> hello = Workflow("hello", greet)
    >>> async def main():
    ...     async with Engine("sqlite://", workflows=[hello]) as engine:
    ...         case = await engine.start(hello, {"name": "Petri"})
    ...         return (await case.wait()).variables["greeting"]
    >>> asyncio.run(main())
    'Hello, Petri'
    """

    def __init__(
        self,
        store: str = "sqlite:///petriflow.db",
        *,
        workflows: Sequence[Workflow] | Workflow,
        allow_unsound: bool = False,
        on_event: Callable[[Record], None] | None = None,
        observers: Sequence[Observer] = (),
        executors: Mapping[str, Executor] | None = None,
        limit: int | None = None,
        redis: Redis | str | None = None,
        clock: Clock | None = None,
    ) -> None:
        self._url = store
        workflows = [workflows] if isinstance(workflows, Workflow) else list(workflows)
        for workflow in workflows:
            if not isinstance(workflow, Workflow):
                raise DefinitionError(
                    f"an engine runs workflows, not {workflow!r}; make it one: Workflow('name', …)"
                )
        self._workflows = {w.content_hash: w for w in with_called(workflows)}
        self._allow_unsound = allow_unsound
        self._on_event = on_event
        self._clock: Clock = clock or SystemClock()
        self._observers = Observers(observers, self._clock)
        self._executors: dict[str, Executor] = {"process": Processes(), **(executors or {})}
        if limit is not None and (type(limit) is not int or limit < 1):
            raise DefinitionError(f"an engine's limit={limit!r}; use 1, 2, 3, …")
        self._limit = limit
        self._redis = Redis(redis) if isinstance(redis, str) else redis
        self._handles: dict[str, CaseHandle] = {}
        self._known: WeakValueDictionary[str, CaseHandle] = WeakValueDictionary()
        self._watched: dict[str, CaseHandle] = {}
        self._reaching: dict[str, asyncio.Task[bool]] = {}
        self._carrying: dict[str, asyncio.Task[None]] = {}
        self._answered: dict[str, asyncio.Event] = {}
        self._damaged: dict[str, StoreError] = {}
        self._ending: set[asyncio.Task[None]] = set()
        self._telling: set[tuple[str, str]] = set()
        self._starting: dict[tuple[str, str], asyncio.Task[CaseHandle]] = {}
        self._left: dict[str, str] = {}
        self._failed: set[tuple[str, float]] = set()
        self._entered = self._stopping = False
        self._error: PetriflowError | None = StoreError("the engine is not running; enter it first")
        names = [w.name for w in self._workflows.values()]
        self._children = Children(self, self._find, self._handles)
        for name in names:
            if names.count(name) > 1:
                raise DefinitionError(f"two workflows are named {name!r}; rename one")

    #: how the store is opened
    _open = staticmethod(open_store)

    # -- its life ---------------------------------------------------------------------------

    async def __aenter__(self) -> Self:
        if self._entered:
            raise StoreError("this engine has been used already; make another one")
        admit(self._workflows.values(), self._find, self._allow_unsound)
        check(self._workflows.values(), self._executors)
        self._entered = True
        self._loop = asyncio.get_running_loop()
        self._writer = ThreadPoolExecutor(1, "petriflow-store")
        self._bodies = Bodies(
            self._clock, self._ended, self._observers, self._executors, self._limit
        )
        try:
            self._store: Store = await self._in_writer(self._open, self._url)
        except BaseException:
            self._writer.shutdown()
            raise
        self._batch = Batch()
        self._timers = Timers(self._clock, self._ring, self._first_timers)
        self._having = asyncio.Lock()
        self._topics, self._hinted = dict[str, set[str]](), asyncio.Event()
        self._sought, self._seeking = set[tuple[str, str]](), asyncio.Event()
        self._giving: dict[str, asyncio.Task[str | None]] = {}
        self._taking: dict[str, str] = {}
        self._cache: RedisLink | None = None
        self._commands: list[tuple[CaseHandle, Command]] = []
        self._dirty: dict[str, CaseHandle] = {}
        self._work = asyncio.Event()
        self._rescheduled = asyncio.Event()
        self._commits: list[asyncio.Future[None]] = []
        self._births = asyncio.Semaphore(MOST_BIRTHS)
        self._error = None
        try:
            if self._redis is not None:
                identity = await self._in_writer(self._store.identity)
                self._cache = RedisLink(self._redis, identity)
            self._notifier = self._cache or self._store.notifier()
            for hash, workflow in self._workflows.items():
                await self._in_writer(
                    self._store.define, hash, workflow.name, workflow.document(), self._clock.now()
                )
            await self._take_all()
            self._observers.counted(await self._in_writer(self._store.counts))
            kept = await self._missed(True) if self._store.lease is None else []
        except BaseException:  # whatever the store refuses, its file is free for the next engine
            await self._bodies.stop()
            await self._shut()
            raise
        self._ringing = asyncio.create_task(self._timers.go())
        self._leases = asyncio.create_task(self._keep_leases())
        self._matching = asyncio.create_task(self._match_for_ever())
        self._looking = self._listen()
        self._scheduling = asyncio.create_task(self._keep_schedules())
        self._flusher = asyncio.create_task(self._flush_forever())
        self._flusher.add_done_callback(self._flusher_ended)
        try:
            for some in kept:  # before this engine says how its cases are
                await self._give_all(some, set())
        except BaseException:
            await self.__aexit__(None, None, None)
            raise
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        # From here on nothing new is begun; what has happened until the end is still stored.
        self._stopping = True
        loops = (
            self._leases,
            self._ringing,
            self._looking,
            self._scheduling,
            self._matching,
        )
        for loop in loops:
            loop.cancel()
        try:
            await asyncio.gather(*loops, return_exceptions=True)
            await self._bodies.stop()
            with suppress(PetriflowError):  # an engine that lost its store tells those who wait
                await self.committed()
        finally:
            self._flusher.cancel()
            await asyncio.gather(self._flusher, return_exceptions=True)
            await self._notifier.close()
            for handle in self._handles.values():
                self._observers.left(handle)
            self._observers.stopped()
            await self._shut()

    async def _shut(self) -> None:
        await self._in_writer(self._store.close)
        self._writer.shutdown()

    def _ended(self, handle: CaseHandle, event: Event) -> None:
        """A body has ended. Of one whose case is another engine's nothing is noted; one that was
        not wanted any more may end when its case has been put away.
        """
        if self._error is None and not handle.away:
            self.turn(handle, event)
        elif self._error is None and not handle.refused and not self._stopping:
            late = self._loop.create_task(self._ended_late(handle.id, event))
            self._ending.add(late)
            late.add_done_callback(self._ending.discard)

    async def _ended_late(self, id: str, event: Event) -> None:
        with suppress(PetriflowError):  # it is of no consequence
            if handle := await self._reach(id):
                self.turn(handle, event)


def run_blocking(work: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine to its end, in a thread of its own where a loop is already running."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(work)
    results: list[T] = []
    errors: list[BaseException] = []

    def target() -> None:
        try:
            results.append(asyncio.run(work))
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=target, name="petriflow-run")
    thread.start()
    thread.join()
    if errors:
        raise errors[0]
    return results[0]
