"""`Engine`: the asyncio shell around the pure cases.

One turn: an event is applied to its case, the guards it asks for are answered (they are pure),
and the events with the new state are handed to the writer. The writer commits all that came
together in one transaction, and only then the commands are carried out: bodies are started or
cancelled, and those who wait are told. So a body never runs for a firing that is not stored, and
an outcome is never told before it is.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
import threading
from collections.abc import Callable, Coroutine, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from types import TracebackType
from typing import Any, Self, TypeVar, cast

from petriflow.execution.bodies import Bodies
from petriflow.execution.case import Case
from petriflow.execution.children import Children
from petriflow.execution.clock import Clock, SystemClock, working
from petriflow.execution.desk import Desk
from petriflow.execution.events import (
    CancelTask,
    CancelTimer,
    CaseFinished,
    CaseStarted,
    Command,
    Decide,
    Event,
    ScheduleTimer,
    StartTask,
    Status,
    TaskCompleted,
    TaskFailed,
    TimerFired,
    to_data,
)
from petriflow.execution.executors import Executor, Processes
from petriflow.execution.executors.job import check
from petriflow.execution.gate import admit, with_called
from petriflow.execution.handle import CaseHandle
from petriflow.execution.leases import Leases
from petriflow.execution.observer import Observer, Observers
from petriflow.execution.program import program
from petriflow.execution.questions import answer
from petriflow.execution.store import Batch, Record, Store, StoredCase, open_store
from petriflow.net.errors import (
    DefinitionError,
    PetriflowError,
    StoreError,
    UnknownCase,
    VariableError,
    say,
)
from petriflow.workflow import Workflow
from petriflow.workflow.variables import Data

log = logging.getLogger("petriflow")
T = TypeVar("T")


class Engine(Desk, Leases):
    """Runs proven workflows and keeps their cases.

    Args:
        store: where the cases are kept: `sqlite:///cases.db`, or `sqlite://` in memory.
        workflows: what this engine runs. Cases of other definitions in the store wait.
        allow_unsound: run workflows although they are not proven sound.
        on_event: called with the `Record` of every event after it is committed.
        observers: told of cases and tasks, such as `Metrics`, `Traces` and `Logs`.
        executors: who runs the bodies of the tasks that name an executor, beside "process".
        limit: how many bodies may work at once; the cases take turns.
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
        self._handles: dict[str, CaseHandle] = {}
        self._telling: set[tuple[str, str]] = set()
        self._starting: dict[tuple[str, str], asyncio.Task[CaseHandle]] = {}
        self._left: dict[str, str] = {}
        self._entered = self._stopping = False
        self._error: PetriflowError | None = StoreError("the engine is not running; enter it first")
        names = [w.name for w in self._workflows.values()]
        self._children = Children(self, self._find, self._handles)
        for name in names:
            if names.count(name) > 1:
                raise DefinitionError(f"two workflows are named {name!r}; rename one")

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
            self._store: Store = await self._in_writer(open_store, self._url)
        except BaseException:
            self._writer.shutdown()
            raise
        self._batch = Batch()
        self._timers: dict[tuple[str, str], asyncio.Task[None]] = {}
        self._commands: list[tuple[CaseHandle, Command]] = []
        self._dirty: dict[str, CaseHandle] = {}
        self._work = asyncio.Event()
        self._commits: list[asyncio.Future[None]] = []
        self._error = None
        try:
            for hash, workflow in self._workflows.items():
                await self._in_writer(
                    self._store.define, hash, workflow.name, workflow.document(), self._clock.now()
                )
            await self._take_all()
        except BaseException:
            await self._bodies.stop()
            await self._shut()
            raise
        self._leases = asyncio.create_task(self._keep_leases())
        self._flusher = asyncio.create_task(self._flush_forever())
        self._flusher.add_done_callback(self._flusher_ended)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        # From here on nothing new is begun; what has happened until the end is still stored.
        self._stopping = True
        self._leases.cancel()
        try:
            for timer in self._timers.values():
                timer.cancel()
            await self._bodies.stop()
            with suppress(PetriflowError):  # an engine that lost its store tells those who wait
                await self.committed()
        finally:
            self._flusher.cancel()
            await asyncio.gather(self._flusher, return_exceptions=True)
            for handle in self._handles.values():
                self._observers.left(handle)
            await self._shut()

    async def _shut(self) -> None:
        await self._in_writer(self._store.close)
        self._writer.shutdown()

    def _load(self, stored: StoredCase) -> CaseHandle | None:
        workflow = self._workflows.get(stored.definition)
        if workflow is None:
            self._children.elsewhere.add(stored.id)
            if stored.parent is None:
                self._left[stored.id] = stored.workflow
            return None
        handle = self._handles[stored.id] = self._handle(stored, workflow)
        if stored.parent is not None and stored.call is not None:
            handle.parent_id = stored.parent
            handle.firing_id, handle.depth, handle.began_with = stored.call
            self._children.adopt(handle)
        return handle

    def _handle(self, stored: StoredCase, workflow: Workflow) -> CaseHandle:
        try:
            case = Case.load(
                program(workflow),
                stored.id,
                cast(Status, stored.status),
                stored.version,
                stored.error,
                (stored.marking, stored.variables, stored.control),
            )
        except Exception as error:
            raise StoreError(
                f"case {stored.id!r} in the store is damaged ({say(error)}); restore the file"
            ) from error
        return CaseHandle(self, case, workflow, stored.created_at)

    def _continue(self, handle: CaseHandle, due: Mapping[tuple[str, str], float]) -> None:
        case = handle._case
        firings = {firing: due.get((case.id, firing)) for firing in case.running}
        self._bodies.deadlines |= {firing: at for firing, at in firings.items() if at is not None}
        for command in case.open_commands():
            match command:
                case Decide():
                    self.turn(handle, answer(handle.workflow, command))
                case ScheduleTimer(timer):
                    self._set_timer(handle, timer, due[case.id, timer])
                case _:
                    self._carry_out(handle, command)

    # -- what a user does -------------------------------------------------------------------

    async def start(
        self,
        workflow: Workflow | str,
        variables: Mapping[str, Any] | None = None,
        *,
        key: str | None = None,
    ) -> CaseHandle:
        """Begin a case; it is stored when this returns.

        Args:
            workflow: one of the engine's workflows, or its name.
            variables: what the case begins with; by default the workflow's example.
            key: a name for this one case, such as an order's number: started again under the same
                key, also by a later engine, it is the same case, with the variables it has.

        Raises:
            DefinitionError: the engine was not given this workflow.
            UnknownCase: the case of this key was started with another version of the workflow.
            VariableError: the variables cannot be stored or do not fit the model.
        """
        self._check_open()
        found = self._find(workflow)
        given = found.example if variables is None else variables
        if not isinstance(given, Mapping):
            raise VariableError(
                f"workflow {found.name!r} begins with a mapping of variables, not {given!r}"
            )
        checked = found.schema.initial(given)
        if key is None:
            return await self._start(found, checked)
        if not isinstance(key, str) or not key:
            raise DefinitionError(f"a key is a text that is not empty, not {key!r}")
        name = found.name, key
        if name not in self._starting:
            self._starting[name] = self._loop.create_task(self._start_once(found, checked, key))
            self._starting[name].add_done_callback(lambda _: self._starting.pop(name))
        # Whoever gives up waiting leaves the start to the others that wait for the same case.
        return await asyncio.shield(self._starting[name])

    async def _start(self, workflow: Workflow, variables: Data, key: str = "") -> CaseHandle:
        now = self._clock.now()
        id = f"{int(now * 1000):012x}-{secrets.token_hex(4)}"
        handle = self._handles[id] = CaseHandle(self, Case(program(workflow), id), workflow, now)
        self._batch.keys += [(workflow.name, key, id)] if key else []
        self.turn(handle, CaseStarted(variables))
        await self.committed()
        return handle

    async def _start_once(self, workflow: Workflow, variables: Data, key: str) -> CaseHandle:
        """The case of a key: begun now, or found; one that has ended is only to look at."""
        id = await self._in_writer(self._store.keyed, workflow.name, key)
        self._check_open()
        if id is None:
            handle = await self._start(workflow, variables, key)
            # Lost at its birth: another engine was the first to use the key.
            return handle if handle.lost is None else await self._start_once(workflow, {}, key)
        if id in self._handles:
            return self._handles[id]
        stored = await self._in_writer(self._store.case, id)
        known = self._workflows.get(stored.definition)
        if known is None:
            raise UnknownCase(
                f"case {id!r} of key {key!r} was started with another version of workflow "
                f"{workflow.name!r}; run an engine that has that version"
            )
        handle = self._handle(stored, known)
        if not handle._case.finished:
            raise UnknownCase(f"case {id!r} of key {key!r} is open in another engine; ask there")
        handle.told = True
        return handle

    def begin(
        self, workflow: Workflow, id: str, variables: Data, parent: CaseHandle, firing_id: str
    ) -> CaseHandle:
        """Begin a case that a task of another case calls."""
        handle = CaseHandle(self, Case(program(workflow), id), workflow, self._clock.now())
        handle.parent_id, handle.firing_id = parent.id, firing_id
        handle.depth, handle.began_with = parent.depth + 1, variables
        self._handles[id] = handle
        self.turn(handle, CaseStarted(variables))
        return handle

    def _find(self, workflow: Workflow | str) -> Workflow:
        for known in self._workflows.values():
            if workflow in (known.name, known) or (
                isinstance(workflow, Workflow) and workflow.content_hash == known.content_hash
            ):
                return known
        name = workflow if isinstance(workflow, str) else workflow.name
        raise DefinitionError(
            f"this engine does not run {name!r}; pass it in Engine(…, workflows=[…]); it runs: "
            + (", ".join(repr(w.name) for w in self._workflows.values()) or "nothing")
        )

    # -- turns ------------------------------------------------------------------------------

    def turn(self, handle: CaseHandle, event: Event) -> None:
        """Apply an event and the answers to the guards it asks for; hand all to the writer."""
        if handle.lost is not None:
            raise handle.lost
        case = handle._case
        events = [event]
        while events:
            event = events.pop(0)
            commands = case.apply(event)
            self._batch.records.append(
                Record(
                    case.id,
                    case.seq,
                    self._clock.now(),
                    type(event).__name__,
                    to_data(event),
                    case.fired,
                    case.delta,
                    case.late,
                )
            )
            for command in commands:
                match command:
                    case Decide():
                        events.append(answer(handle.workflow, command))
                        continue
                    case ScheduleTimer(timer, seconds):
                        self._batch.timers[case.id, timer] = self._clock.now() + seconds
                    case CancelTimer(timer):
                        self._batch.timers[case.id, timer] = None
                    case StartTask(firing_id, task) if firing_id not in self._bodies.deadlines:
                        if allowed := handle.workflow.tasks[task].deadline:
                            until = self._clock.now() + allowed
                            self._bodies.deadlines[firing_id] = until
                            self._batch.timers[case.id, firing_id] = until
                    case CancelTask(firing_id):
                        self._children.cancel(firing_id)
                self._commands.append((handle, command))
            self._forget_deadlines(handle, event, commands)
        self.touch(handle)
        if case.finished and handle.parent_id:
            self._children.ended(handle)

    def _forget_deadlines(self, handle: CaseHandle, event: Event, commands: list[Command]) -> None:
        """The deadlines of the firings that this event has ended."""
        ended = [c.firing_id for c in commands if isinstance(c, CancelTask)]
        if isinstance(event, TaskCompleted | TaskFailed):
            ended.append(event.firing_id)
        for firing_id in ended:
            over = firing_id not in handle._case.running
            if over and self._bodies.deadlines.pop(firing_id, None) is not None:
                self._batch.timers[handle.id, firing_id] = None

    def touch(self, handle: CaseHandle) -> None:
        """Have the case stored, and those who wait for it told."""
        self._dirty[handle.id] = handle
        self._work.set()

    # -- the writer -------------------------------------------------------------------------

    async def _in_writer(self, work: Callable[..., T], *args: Any) -> T:
        with working(self._clock):
            return await self._loop.run_in_executor(self._writer, work, *args)

    async def committed(self) -> None:
        """Return when all that has happened until now is stored."""
        self.check()
        done = self._loop.create_future()
        self._commits.append(done)
        self._work.set()
        await done
        self.check()

    async def _flush_forever(self) -> None:
        while True:
            await self._work.wait()
            self._work.clear()
            batch, self._batch = self._batch, Batch()
            commands, self._commands = self._commands, []
            dirty, self._dirty = self._dirty, {}
            commits, self._commits = self._commits, []
            batch.cases = [self._row(handle) for handle in dirty.values()]
            try:
                lost = await self._in_writer(self._store.commit, batch)
            except BaseException as error:
                if isinstance(error, asyncio.CancelledError):
                    self._fail(_stopped(), commits)
                    raise
                known = error if isinstance(error, PetriflowError) else StoreError(say(error))
                self._fail(known, commits)
                return
            self._let_go(lost)
            for record in batch.records:
                if record.case_id not in lost:
                    self._announce(record)
            for handle, command in commands:
                if handle.lost is not None:
                    continue
                if isinstance(command, ScheduleTimer):
                    at = batch.timers.get((handle.id, command.timer))
                    if at is not None:
                        self._set_timer(handle, command.timer, at)
                else:
                    self._carry_out(handle, command)
            for handle in dirty.values():
                # else it has moved on, and is told next time; or it is another engine's
                if handle.lost is None and handle.id not in self._dirty:
                    handle.tell()
            for commit in commits:
                if not commit.done():
                    commit.set_result(None)

    def _flusher_ended(self, flusher: asyncio.Task[None]) -> None:
        """However it ended: nobody is left waiting for a commit that will never be."""
        error = None if flusher.cancelled() else flusher.exception()
        unknown = StoreError(say(error)) if error else _stopped()
        self._fail(self._error or unknown)

    def _row(self, handle: CaseHandle) -> StoredCase:
        case = handle._case
        marking, variables, control = case.dump()
        return StoredCase(
            case.id,
            handle.workflow.content_hash,
            handle.workflow.name,
            case.status,
            marking,
            variables,
            control,
            case.seq,
            case.error,
            handle.created_at,
            self._clock.now(),
            handle.parent_id or None,
            [handle.firing_id, handle.depth, handle.began_with] if handle.parent_id else None,
        )

    def _announce(self, record: Record) -> None:
        if handle := self._handles.get(record.case_id):  # of a case that has ended, late events
            self._observers.committed(handle, record)
        if self._on_event is not None:
            try:
                self._on_event(record)
            except (Exception, asyncio.CancelledError):
                log.exception(
                    "on_event failed for event %s of case %s",
                    record.seq,
                    record.case_id,
                    extra={"case_id": record.case_id},
                )

    def _fail(self, error: PetriflowError, commits: Sequence[asyncio.Future[None]] = ()) -> None:
        """Stop: nothing further is told or started; the store holds the last commit."""
        self._error = error
        for waiter in (*commits, *self._commits):
            if not waiter.done():
                waiter.set_result(None)  # whoever waits looks at the error next
        for handle in self._handles.values():
            for told in (*handle._waiters, *handle._settlers):
                if not told.done():
                    told.set_exception(error)
            handle._waiters.clear()
            handle._settlers.clear()

    def _carry_out(self, handle: CaseHandle, command: Command) -> None:
        match command:
            case StartTask(firing_id, attempt=attempt) if not self._is_wanted(
                handle, firing_id, attempt
            ):
                pass  # the case has dropped it or is suspended, or the next engine will start it
            case StartTask(task=task) if handle.workflow.tasks[task].calls is not None:
                self._observers.queued(handle, command)
                self._observers.began(handle, command)
                self._children.start(handle, command)
            case StartTask():
                self._bodies.start(handle, command)
            case CancelTask(firing_id):
                self._observers.withdrawn(handle, firing_id)
                self._bodies.cancel(firing_id)
            case CancelTimer(timer):
                if running := self._timers.pop((handle.id, timer), None):
                    running.cancel()
            case CaseFinished():
                self._handles.pop(handle.id, None)
                self._observers.ended(handle)
            case Decide() | ScheduleTimer():
                raise AssertionError("a decision and a timer's time are settled in the turn")

    def _is_wanted(self, handle: CaseHandle, firing_id: str, attempt: int) -> bool:
        if self._stopping or handle.status == "suspended":
            return False
        running = handle._case.running.get(firing_id)
        return running is not None and running.attempt == attempt

    def _set_timer(self, handle: CaseHandle, timer: str, due: float) -> None:
        async def ring() -> None:
            await self._clock.sleep(max(0.0, due - self._clock.now()))
            self._timers.pop((handle.id, timer), None)
            self._ended(handle, TimerFired(timer))

        self._timers[handle.id, timer] = self._loop.create_task(ring())

    def _ended(self, handle: CaseHandle, event: Event) -> None:
        """A body has ended."""
        if self._error is None and handle.lost is None:
            self.turn(handle, event)


def _stopped() -> StoreError:
    return StoreError("the engine was stopped; the case continues with the next engine")


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
