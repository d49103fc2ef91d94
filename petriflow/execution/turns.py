"""Turns: an event is applied to its case, committed with others, and only then carried out."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Iterable, Mapping, Sequence

from petriflow.execution.case import Case
from petriflow.execution.core import Away
from petriflow.execution.events import (
    CancelTask,
    CancelTimer,
    CaseFinished,
    Command,
    Decide,
    Event,
    ScheduleTimer,
    StartTask,
    Subscribe,
    TaskCompleted,
    TaskFailed,
    TimerFired,
    Unsubscribe,
    to_data,
)
from petriflow.execution.handle import CaseHandle
from petriflow.execution.history import shown
from petriflow.execution.marks import Incident, Item
from petriflow.execution.orders import CARRYING, Orders
from petriflow.execution.questions import answer
from petriflow.execution.store import Batch, Record, StoredCase, WorkItem
from petriflow.net.errors import (
    PetriflowError,
    StoreError,
    say,
)

log = logging.getLogger("petriflow")


class Turns(Orders):
    """The side of `Engine` that applies events and has them stored."""

    def turn(self, handle: CaseHandle, event: Event) -> None:
        """Apply an event and the answers to the guards it asks for; hand all to the writer."""
        if handle.away:
            raise Away(f"case {handle.id!r} is not this engine's now")
        case = handle._case
        first, events, ended = event, [event], False
        while events:
            event = events.pop(0)
            if isinstance(event, TimerFired):
                event = case.overdue(event.timer) or event
            before, open = dict(case.incidents), not case.finished
            items = case.items
            commands = case.apply(event)
            if (order := CARRYING.get()) and order.case_id == handle.id and event is first:
                self.note_answer(order, {"result": not case.late})
            ended |= open and case.finished
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
            called_off = [c.firing_id for c in commands if isinstance(c, CancelTask)]
            for command in commands:
                match command:
                    case Decide():
                        events.append(answer(handle.workflow, command))
                        continue
                    case ScheduleTimer(timer, seconds):
                        self._batch.timers[case.id, timer] = self._clock.now() + seconds
                    case CancelTimer(timer):
                        self._batch.timers[case.id, timer] = None
                    case Subscribe(transition, name, about):
                        row = name, about, self._clock.now()
                        self._batch.subscriptions[case.id, transition] = row
                    case Unsubscribe(transition):
                        self._batch.subscriptions[case.id, transition] = None
                    case StartTask(firing_id, task) if firing_id not in self._bodies.deadlines:
                        allowed = handle.workflow.bodies[task].deadline
                        if allowed and task not in case.program.people:
                            until = self._clock.now() + allowed
                            self._bodies.deadlines[firing_id] = until
                            self._batch.timers[case.id, firing_id] = until
                self._commands.append((handle, command))
            if self._bodies.deadlines:
                self._forget_deadlines(handle, event, called_off)
            if before or case.incidents:
                self._note_incidents(case, before)
            if items or case.program.people:
                self._list_work(handle, items)
            for firing_id in called_off:
                self._call_off(handle, firing_id)
        self.touch(handle)
        if ended and handle.parent_id:
            self._children.ended(handle)

    def _forget_deadlines(self, handle: CaseHandle, event: Event, ended: Iterable[str]) -> None:
        """The deadlines of the firings that this event has ended: its own, and those called off."""
        if isinstance(event, TaskCompleted | TaskFailed):
            ended = [*ended, event.firing_id]
        for firing_id in ended:
            case = handle._case
            over = firing_id not in case.running or firing_id in case.incidents
            if over and self._bodies.deadlines.pop(firing_id, None) is not None:
                self._batch.timers[handle.id, firing_id] = None

    def _note_incidents(self, case: Case, before: Mapping[str, Incident]) -> None:
        """The incidents that an event has made, and those that it has settled."""
        for name in before.keys() - case.incidents.keys():
            self._batch.incidents[case.id, name] = None
        for name, incident in case.incidents.items():
            if before.get(name) is not incident:
                self._batch.incidents[case.id, name] = (
                    case.where(name),
                    incident.kind,
                    incident.error,
                    self._clock.now(),
                )

    def _call_off(self, handle: CaseHandle, firing_id: str) -> None:
        """Give up the case that a firing has called. A caller that is given up waits for its end;
        where it never began, that is told.
        """
        awaited = firing_id in handle._case.running
        if not self._children.cancel(firing_id, awaited) and awaited:
            why = "called off before the case that it calls has begun"
            self.turn(handle, TaskFailed(firing_id, why, final=True))

    def _list_work(self, handle: CaseHandle, before: Mapping[str, Item]) -> None:
        """Have the work lists of people show what an event has changed."""
        case, now = handle._case, self._clock.now()
        for id, item in case.items.items():
            if item == before.get(id):
                continue
            role = handle.workflow.tasks[item.task].role or ""
            known = self._batch.work.get(id, ("", None))[1]
            offered_at = now if known is None else known.offered_at
            claimed_at = None if item.holder is None else now
            self._batch.work[id] = case.id, WorkItem(
                id, case.id, handle.workflow.name, item.task, role,
                item.holder, offered_at, claimed_at, item.instance,
            )  # fmt: skip
        for id in before.keys() - case.items.keys():
            self._batch.work[id] = case.id, None

    def touch(self, handle: CaseHandle) -> None:
        """Have the case stored, and those who wait for it told."""
        self._dirty[handle.id] = handle
        self._work.set()

    # -- the writer -------------------------------------------------------------------------

    async def committed(self) -> None:
        """Return when all that has happened until now is stored."""
        self.check()
        done = self._loop.create_future()
        self._commits.append(done)
        self._work.set()
        await done
        self.check()

    async def _flush_forever(self) -> None:
        commits: list[asyncio.Future[None]] = []
        try:
            while True:
                await self._work.wait()
                self._work.clear()
                commits, self._commits = self._commits, []
                await self._flush()
                for commit in commits:
                    if not commit.done():
                        commit.set_result(None)
        except asyncio.CancelledError:
            self._fail(_stopped(), commits)
            raise
        except Exception as error:
            known = error if isinstance(error, PetriflowError) else StoreError(say(error))
            self._fail(known, commits)

    async def _flush(self) -> None:
        """Store all that has happened, and only then carry out what it leads to."""
        batch, self._batch = self._batch, Batch()
        commands, self._commands = self._commands, []
        dirty, self._dirty = self._dirty, {}
        batch.cases = [self._row(handle) for handle in dirty.values()]
        began = time.perf_counter()
        lost = await self._in_writer(self._store.commit, batch)
        if batch.records:
            seconds = time.perf_counter() - began
            self._observers.wrote(len(batch.records), seconds, len(self._batch.records))
        if self._cache is not None:
            self._cache.forget(dirty)
        self._let_go(lost, {id for _, _, id in batch.keys})
        for record in batch.records:
            if record.case_id not in lost:
                self._announce(record)
        for handle, command in commands:
            if handle.refused:
                continue
            if isinstance(command, ScheduleTimer):
                at = batch.timers.get((handle.id, command.timer))
                if at is not None:
                    self._set_timer(handle, command.timer, at)
            else:
                self._carry_out(handle, command)
        for handle in dirty.values():
            # else it has moved on, and is told next time; or it is another engine's
            if handle.id in self._dirty or handle.refused:
                continue
            handle.tell()
            if not handle.active:
                self._hint(f"case {handle.id}")
                if handle.id in self._handles:
                    self._put_away(handle)
        for order in batch.answers:
            self._hint(f"answer {order}")

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
            handle.active,
            handle.fence,
        )

    def _announce(self, record: Record) -> None:
        handle = self._handles.get(record.case_id)
        if handle:
            record = shown(record, handle.workflow.schema.secret)
            self._observers.committed(handle, record)
        else:  # late, of a case that has ended
            secrets = (flow.schema.secret for flow in self._workflows.values())
            record = shown(record, frozenset().union(*secrets))
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
        for handle in (*self._handles.values(), *self._watched.values()):
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
            case StartTask(task=task) if task in handle._case.program.people:
                pass  # it is on the work list
            case StartTask(task=task) if handle.workflow.bodies[task].calls is not None:
                self._observers.queued(handle, command)
                self._observers.began(handle, command)
                self._children.start(handle, command)
            case StartTask():
                self._bodies.start(handle, command)
            case CancelTask(firing_id):
                self._observers.withdrawn(handle, firing_id)
                self._bodies.cancel(firing_id)
            case CancelTimer(timer):
                self._timers.unset(handle.id, timer)
            case Subscribe(event=event, about=about):
                self._seek(event, about)
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


def _stopped() -> StoreError:
    return StoreError("the engine was stopped; the case continues with the next engine")
