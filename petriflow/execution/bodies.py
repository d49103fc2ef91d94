"""Running the bodies of tasks: coroutines in the engine's loop, plain functions in threads."""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from contextvars import copy_context
from typing import Any

from petriflow.execution.clock import Clock, working
from petriflow.execution.events import Event, StartTask, TaskCompleted, TaskFailed
from petriflow.execution.handle import CaseHandle
from petriflow.execution.observer import Observers
from petriflow.net.errors import TaskError, VariableError, printable, say
from petriflow.workflow.task import Task, TaskContext
from petriflow.workflow.variables import Schema

#: How many plain functions run at once.
THREADS = 32
#: How many seconds a cancelled coroutine has to clean up when the engine stops.
GRACE = 5.0

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
    ) -> None:
        self._clock = clock
        self._observers = observers
        self._ended = ended
        self._threads = ThreadPoolExecutor(THREADS, "petriflow-task")
        #: when the time of a firing is over, for those of tasks with a deadline
        self.deadlines: dict[str, float] = {}
        self._running: dict[str, asyncio.Task[None]] = {}
        self._ending: set[asyncio.Task[None]] = set()
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
        if body := self._running.pop(firing_id, None):
            self._ending.add(body)
            body.add_done_callback(self._ending.discard)
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

    async def _attempt(self, handle: CaseHandle, command: StartTask) -> None:
        firing_id, schema = command.firing_id, handle.workflow.schema
        task = handle.workflow.tasks[command.task]
        pulse = _Pulse(self._clock)
        event: Event
        try:
            if self._clock.now() + command.delay >= self.deadlines.get(firing_id, math.inf):
                raise _TooLate(f"no attempt is left before its deadline of {task.deadline:g} s")
            if command.delay:
                await self._clock.sleep(command.delay)
            if handle.status == "suspended":  # meanwhile; it is asked for again when resumed
                self._running.pop(firing_id, None)
                self._observers.withdrawn(handle, firing_id)
                return
            self._observers.began(handle, command)
            pulse.beat()
            view = schema.view(command.variables)
            context = TaskContext(
                handle.id,
                firing_id,
                command.attempt,
                view,
                schema.mapping(view),
                command.instance,
                pulse.beat,
            )
            if task.timeout or task.deadline or task.heartbeat:
                result = await self._in_time(handle, command, context, pulse)
            else:
                result = await self._begin(handle, command, context)
            event = completed(schema, command, result)
        except asyncio.CancelledError as error:
            if firing_id not in self._running:
                raise
            final = not task.tries_again(error)
            event = TaskFailed(firing_id, "the body cancelled itself", final)
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # whatever it raises, the case must hear of it
            final = isinstance(error, _TooLate) or not task.tries_again(error)
            event = TaskFailed(firing_id, say(error), final)
        self._running.pop(firing_id, None)
        self._ended(handle, event)

    async def _in_time(
        self, handle: CaseHandle, command: StartTask, context: TaskContext, pulse: _Pulse
    ) -> Any:
        task = handle.workflow.tasks[command.task]
        until = self.deadlines.get(command.firing_id, math.inf)
        silence = task.heartbeat or math.inf

        async def watch() -> None:
            """The clock of the engine counts here, since a deadline outlives the process."""
            while (left := min(until, pulse.last + silence) - self._clock.now()) > 0:
                await self._clock.sleep(left)
            watched.reschedule(self._loop.time())

        watching = None
        try:
            async with asyncio.timeout(task.timeout) as limit, asyncio.timeout(None) as watched:
                try:
                    if task.deadline or task.heartbeat:
                        watching = self._loop.create_task(watch())
                    return await self._begin(handle, command, context)
                finally:
                    if watching:
                        watching.cancel()
        except TimeoutError as error:
            if limit.expired():
                raise _TimedOut(f"took longer than {task.timeout:g} s") from error
            if watched.expired():
                if self._clock.now() >= until:
                    raise _TooLate(
                        f"took longer than its deadline of {task.deadline:g} s"
                    ) from error
                raise _TimedOut(f"gave no heartbeat for {task.heartbeat:g} s") from error
            raise

    def _begin(
        self, handle: CaseHandle, command: StartTask, context: TaskContext
    ) -> Awaitable[Any]:
        task = handle.workflow.tasks[command.task]
        if task.asynchronous:
            body: Awaitable[Any] = task.body(context)  # type: ignore[assignment]
            return body
        return self._in_thread(handle, command, task, context)

    async def _in_thread(
        self, handle: CaseHandle, command: StartTask, task: Task, context: TaskContext
    ) -> Any:
        def late(future: Future[Any]) -> None:
            event = TaskCompleted(command.firing_id, {})
            with suppress(RuntimeError):  # the loop is closed: nobody is left to be told
                self._loop.call_soon_threadsafe(self._ended, handle, event)

        future = self._threads.submit(copy_context().run, _outcome, task, context)
        try:
            with working(self._clock):
                result, error = await asyncio.wrap_future(future)
        except asyncio.CancelledError:
            # Only a firing that was withdrawn has its late end told. A timed-out attempt still has
            # its token and a successor; and at a stop the next engine begins again.
            withdrawn = command.firing_id not in self._running and not self._stopping
            if withdrawn and not future.cancelled():
                future.add_done_callback(late)
            raise
        if error is not None:
            raise error
        return result


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


def _outcome(task: Task, context: TaskContext) -> tuple[Any, BaseException | None]:
    """What a plain function returned or raised; some exceptions cannot pass through a future."""
    try:
        return task.body(context), None
    except StopIteration as error:
        return None, RuntimeError(f"StopIteration: {error}")
    except BaseException as error:
        return None, error


def completed(schema: Schema, command: StartTask, result: Any) -> Event:
    """The end of a body that returned: a result that cannot be used fails for good."""
    firing_id = command.firing_id
    if result is not None and not isinstance(result, Mapping):
        return TaskFailed(
            firing_id,
            printable(
                f"returned {result!r}; a task returns a mapping of updates to the case's "
                "variables, such as {'paid': True}, or None"
            ),
            final=True,
        )
    try:
        return TaskCompleted(firing_id, schema.updates(command.variables, result or {}))
    except VariableError as error:
        return TaskFailed(firing_id, say(error), final=True)
