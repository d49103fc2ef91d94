"""Running the bodies of tasks: coroutines in the engine's loop, plain functions in threads, and
those that name an executor where that says.
"""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from contextvars import copy_context
from typing import Any, TypeVar

from petriflow.execution.clock import Clock, working
from petriflow.execution.events import Event, StartTask, TaskCompleted, TaskFailed
from petriflow.execution.executors import Executor, WorkerDied
from petriflow.execution.executors.job import HERE, FailedElsewhere, read, write
from petriflow.execution.handle import CaseHandle
from petriflow.execution.observer import Observers
from petriflow.execution.results import completed, failed
from petriflow.execution.room import Room
from petriflow.net.errors import TaskError, say
from petriflow.workflow.task import Task, TaskContext

#: How many plain functions run at once.
THREADS = 32
#: How many seconds a cancelled coroutine has to clean up when the engine stops.
GRACE = 5.0

T = TypeVar("T")
log = logging.getLogger("petriflow")


class Bodies:
    """The bodies that run now, by firing.

    `ended` is called with the case and the event that a body ended with, also where the body was
    cancelled and ended in its own way all the same: the case then finds the event to be late.
    """

    def __init__(
        self,
        clock: Clock,
        ended: Callable[[CaseHandle, Event], None],
        observers: Observers,
        executors: Mapping[str, Executor],
        limit: int | None,
    ) -> None:
        self._clock = clock
        self._observers = observers
        self._ended = ended
        self._threads = ThreadPoolExecutor(THREADS, "petriflow-task")
        self._executors = executors
        self._room = Room(limit)
        #: when the time of a firing is over, for those of tasks with a deadline
        self.deadlines: dict[str, float] = {}
        self._running: dict[str, asyncio.Task[None]] = {}
        #: cancelled, and cleaning up; each with its firing
        self._ending: dict[asyncio.Task[None], str] = {}
        self._stopping = False
        self._loop = asyncio.get_running_loop()

    def start(self, handle: CaseHandle, command: StartTask) -> None:
        """Start one attempt; one that is at work already, in a case that was suspended, goes on."""
        if command.firing_id in self._running:
            return
        self._observers.queued(handle, command)
        self._running[command.firing_id] = self._loop.create_task(self._attempt(handle, command))

    def cancel(self, firing_id: str) -> None:
        """Cancel a body. A thread cannot be cancelled: its result will be late."""
        self.deadlines.pop(firing_id, None)
        if body := self._running.pop(firing_id, None):
            self._ending[body] = firing_id
            body.add_done_callback(self._ending.pop)
            body.cancel()

    async def stop(self) -> None:
        """Cancel all, and give the coroutines among them some time to clean up."""
        self._stopping = True
        bodies = {*self._running.values(), *self._ending}
        for body in self._running.values():
            body.cancel()
        self._running.clear()
        if bodies:
            _, zombies = await asyncio.wait(bodies, timeout=GRACE)
            if zombies:
                log.warning("%d task bodies did not heed their cancellation", len(zombies))
        self._threads.shutdown(wait=False, cancel_futures=True)
        for executor in self._executors.values():
            executor.close()

    async def _attempt(self, handle: CaseHandle, command: StartTask) -> None:
        firing_id = command.firing_id
        task = handle.workflow.bodies[command.task]
        event: Event
        try:
            until = self.deadlines.get(firing_id, math.inf)
            if self._clock.now() + command.delay >= until:
                raise _TooLate(f"no attempt is left before its deadline of {task.deadline:g} s")
            if command.delay:
                await self._clock.sleep(command.delay)
            if command.undoes is not None:
                await self._cleaned_up(handle.id)
            if self._put_off(handle, firing_id):
                return
            if until < math.inf or task.heartbeat or task.timeout or self._room.limits(task):
                ended = await self._within_limits(handle, command, task, until)
                if ended is None:
                    return
                event = ended
            else:
                self._observers.began(handle, command)
                event = await self._run(handle, command, task, _Pulse(self._clock))
        except asyncio.CancelledError as error:
            if not self._is_wanted(firing_id):
                raise
            final = not _tries_again(task, error)
            event = TaskFailed(firing_id, "the body cancelled itself", final)
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # whatever it raises, the case must hear of it
            final = isinstance(error, _TooLate) or not _tries_again(task, error)
            event = failed(handle.workflow.schema, command, say(error), final=final)
        if self._is_wanted(firing_id):
            del self._running[firing_id]
        elif firing_id in self._running:
            return  # begun anew meanwhile, and that is what counts
        self._ended(handle, event)

    def _is_wanted(self, firing_id: str) -> bool:
        """Whether the asyncio task that runs now is the one at work for a firing."""
        return self._running.get(firing_id) is asyncio.current_task()

    async def _cleaned_up(self, case_id: str) -> None:
        """Return when the bodies of a case that were cancelled have ended, or had their time."""
        bodies = [body for body, id in self._ending.items() if id.startswith(f"{case_id}/")]
        if bodies:
            await asyncio.wait(bodies, timeout=GRACE)

    async def _within_limits(
        self, handle: CaseHandle, command: StartTask, task: Task, until: float
    ) -> Event | None:
        """Run an attempt when there is room for it and as long as it may; how it ends, or nothing
        if it was put off.
        """
        pulse = _Pulse(self._clock)
        async with AsyncExitStack() as limits:
            if until < math.inf:
                late = _TooLate(f"took longer than its deadline of {task.deadline:g} s")
                await limits.enter_async_context(self._not_after(lambda: until, late))
            if self._room.limits(task):
                await limits.enter_async_context(self._room.place(handle.id, task))
                if self._put_off(handle, command.firing_id):
                    return None
            self._observers.began(handle, command)
            pulse.beat()
            if silence := task.heartbeat:
                dead = _TimedOut(f"gave no heartbeat for {silence:g} s")
                await limits.enter_async_context(
                    self._not_after(lambda: pulse.last + silence, dead)
                )
            if task.timeout:
                await limits.enter_async_context(_in_time(task.timeout))
            return await self._run(handle, command, task, pulse)

    def _put_off(self, handle: CaseHandle, firing_id: str) -> bool:
        """Whether the case was suspended meanwhile: it asks again for the body when resumed."""
        if handle.status != "suspended":
            return False
        self._running.pop(firing_id, None)
        self._observers.withdrawn(handle, firing_id)
        return True

    @asynccontextmanager
    async def _not_after(
        self, moment: Callable[[], float], otherwise: Exception
    ) -> AsyncIterator[None]:
        """Cancel what is inside when the engine's clock, which outlives the process, reaches the
        moment, which may move.
        """

        async def watch() -> None:
            while (left := moment() - self._clock.now()) > 0:
                await self._clock.sleep(left)
            limit.reschedule(self._loop.time())

        try:
            async with asyncio.timeout(None) as limit:
                watching = self._loop.create_task(watch())
                try:
                    yield
                finally:
                    watching.cancel()
        except TimeoutError as error:
            if limit.expired():
                raise otherwise from error
            raise

    async def _run(
        self, handle: CaseHandle, command: StartTask, task: Task, pulse: _Pulse
    ) -> Event:
        if task.executor not in HERE:
            return await self._elsewhere(handle, command, self._executors[task.executor or ""])
        schema = handle.workflow.schema
        view = schema.view(command.variables)
        context = TaskContext(
            handle.id,
            command.firing_id,
            command.attempt,
            view,
            schema.mapping(view),
            command.instance,
            command.undoes,
            pulse.beat,
        )
        if task.asynchronous and task.executor is None:
            body: Awaitable[Any] = task.body(context)  # type: ignore[assignment]
            return completed(schema, command, await body)
        threaded = self._threads.submit(copy_context().run, _outcome, task, context)
        result, error = await self._end_of(handle, command, threaded)
        if error is not None:
            raise error
        return completed(schema, command, result)

    async def _elsewhere(self, handle: CaseHandle, command: StartTask, executor: Executor) -> Event:
        """A worker may die by another body's fault, so the first death is not counted."""
        job = write(handle.id, handle.workflow, command)
        try:
            answer = await self._end_of(handle, command, executor.submit(job, alone=False))
        except executor.lost:
            try:
                answer = await self._end_of(handle, command, executor.submit(job, alone=True))
            except executor.lost as error:
                raise WorkerDied(f"its worker died ({say(error)})") from error
        return read(answer)

    async def _end_of(self, handle: CaseHandle, command: StartTask, future: Future[T]) -> T:
        """Wait for a body that cannot be cancelled."""

        def late(future: Future[T]) -> None:
            event = TaskCompleted(command.firing_id, {})
            with suppress(RuntimeError):  # the loop is closed: nobody is left to be told
                self._loop.call_soon_threadsafe(self._ended, handle, event)

        try:
            with working(self._clock):
                return await asyncio.wrap_future(future)
        except asyncio.CancelledError:
            # Only a firing that was withdrawn has its late end told. A timed-out attempt still has
            # its token and a successor; and at a stop the next engine begins again.
            withdrawn = command.firing_id not in self._running and not self._stopping
            if withdrawn and not future.cancelled():
                future.add_done_callback(late)
            raise


@asynccontextmanager
async def _in_time(seconds: float) -> AsyncIterator[None]:
    try:
        async with asyncio.timeout(seconds) as limit:
            yield
    except TimeoutError as error:
        if limit.expired():
            raise _TimedOut(f"took longer than {seconds:g} s") from error
        raise


async def _awaited(result: Awaitable[Any]) -> Any:
    return await result


class _TimedOut(TaskError, TimeoutError):
    """An attempt took too long; another may be quicker."""


class _TooLate(TaskError):
    """The time for all attempts together is over."""


class _Pulse:
    """When a body last said that it is at work; at first, when it was made."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.last = clock.now()

    def beat(self) -> None:
        """It is at work; called from the body's thread."""
        self.last = self._clock.now()


def _tries_again(task: Task, error: BaseException) -> bool:
    if isinstance(error, FailedElsewhere):
        return task.tries_again(error.is_one)
    return task.tries_again(lambda kinds: isinstance(error, kinds))


def _outcome(task: Task, context: TaskContext) -> tuple[Any, BaseException | None]:
    """What a body returned or raised; some exceptions cannot pass through a future."""
    try:
        result = task.body(context)
        return asyncio.run(_awaited(result)) if isinstance(result, Awaitable) else result, None
    except StopIteration as error:
        return None, RuntimeError(f"StopIteration: {error}")
    except BaseException as error:
        return None, error
