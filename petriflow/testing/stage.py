"""`Stage`: a case with all that an engine does for it, in time that passes as the story says."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Mapping
from copy import copy
from typing import Any, Literal

from petriflow.execution import Case, run_blocking
from petriflow.execution.events import (
    CancelTask,
    Decide,
    Event,
    EventReceived,
    ScheduleTimer,
    StartTask,
    TaskFailed,
    TimerFired,
)
from petriflow.execution.program import program
from petriflow.execution.questions import answer
from petriflow.execution.results import completed, failed
from petriflow.net.errors import say
from petriflow.testing.fakes import Fake, outcome
from petriflow.workflow import Task, TaskContext, Workflow

Guards = Literal["real", "free"]


class Stage:
    """The case, and what it has asked for.

    `bodies` are the attempts by firing, each with the time at which it begins; `due` says when
    timers ring, `until` when the deadlines of firings are over.
    """

    def __init__(self, workflow: Workflow, fakes: Mapping[str, Fake], guards: Guards) -> None:
        self.case = Case(program(workflow), "story")
        self.time = 0.0
        self.fired: tuple[str, ...] = ()
        self.bodies: dict[str, tuple[StartTask, float]] = {}
        self.due: dict[str, float] = {}
        self.until: dict[str, float] = {}
        #: what was told by what it is about, and nobody has waited for yet
        self.kept: list[EventReceived] = []
        self._workflow, self._fakes, self._guards = workflow, fakes, guards

    def tell(self, event: Event) -> bool:
        """Tell the case, and answer the guards that it asks; whether it was of use."""
        events, useful = [event], True
        while events:
            told = events.pop(0)
            for command in self.case.apply(told):
                match command:
                    case Decide() if self._guards == "real":
                        events.append(answer(self._workflow, command))
                    case StartTask(firing) if not self._is_at_work(command):
                        events += self._begin(firing, command)
                    case ScheduleTimer(timer, after):
                        self.due[timer] = self.time + after
                    case CancelTask(firing) if firing in self.case.running:
                        # a call, in a case that is given up: here the called case ends at once
                        events.append(TaskFailed(firing, "cancelled with its caller", final=True))
            for incident in self.case.incidents:
                self.until.pop(incident, None)
            self.fired += tuple(self.case.fired)
            useful = useful and not (told is event and self.case.late)
            for kept in [] if events else self.kept:
                if self.case.takes(kept.name, kept.about or ""):
                    self.kept.remove(kept)
                    events.append(kept)
                    break
        return useful

    def advance(self, seconds: float) -> None:
        """Let time pass: timers ring and attempts run out of time, each at its moment."""
        end = self.time + seconds
        while not self.case.finished:
            moments: list[tuple[float, int, Event]] = [
                (self.due[t.timer], n, self.case.overdue(t.timer) or TimerFired(t.timer))
                for n, t in enumerate(self.case.timers)
            ]
            for firing in self.case.bodies:
                moments += [(at, len(moments), event) for at, event in self._limits(firing)]
            moments = [moment for moment in moments if moment[0] <= end]
            if not moments:
                break
            due, _, event = min(moments, key=lambda moment: moment[:2])
            self.move_to(due)
            self.tell(event)
        self.move_to(end)

    def move_to(self, moment: float) -> None:
        """It is this time now, or later."""
        self.time = max(self.time, moment)

    def fake(self, firing: str) -> Fake:
        """What stands in for the body of a running firing."""
        return self._fakes.get(self.bodies[firing][0].task)

    def result(self, firing: str) -> Event:
        """How the body ends by its fake."""
        command, schema = self.bodies[firing][0], self._workflow.schema
        view = schema.view(command.variables)
        context = TaskContext(
            "story",
            firing,
            command.attempt,
            view,
            schema.mapping(view),
            command.instance,
            command.undoes,
        )
        try:
            result = outcome(self.fake(firing), context)
            if inspect.iscoroutine(result):
                result = run_blocking(result)
        except (Exception, asyncio.CancelledError) as error:
            task = self._workflow.bodies[command.task]
            return failed(schema, command, say(error), final=_is_final(task, error))
        return completed(schema, command, result)

    def returned(self, firing: str, updates: Mapping[str, Any]) -> Event:
        """How the body ends by returning these updates."""
        return completed(self._workflow.schema, self.bodies[firing][0], updates)

    def has_begun(self, firing: str) -> bool:
        """Whether the attempt that is due has begun, and does not wait for its delay."""
        command, begins = self.bodies[firing]
        return command.attempt == self.case.running[firing].attempt and begins <= self.time

    def _begin(self, firing: str, command: StartTask) -> list[Event]:
        """Note when an attempt begins; where no time is left for it, the answer is how it ends."""
        begins, deadline = self.time + command.delay, self._workflow.bodies[command.task].deadline
        self.bodies[firing] = command, begins
        if command.task in self.case.program.people:
            return []
        if deadline and begins >= self.until.setdefault(firing, self.time + deadline):
            why = f"no attempt is left before its deadline of {deadline:g} s"
            return [TaskFailed(firing, why, final=True)]
        return []

    def _limits(self, firing: str) -> list[tuple[float, Event]]:
        """When a running body has taken too long, and how it ends then."""
        command, begins = self.bodies[firing]
        task, found = self._workflow.bodies[command.task], list[tuple[float, Event]]()
        if task.timeout and command.attempt == self.case.running[firing].attempt:
            error = TimeoutError(f"took longer than {task.timeout:g} s")
            late = TaskFailed(firing, str(error), final=_is_final(task, error))
            found.append((begins + task.timeout, late))
        if task.deadline:
            why = f"took longer than its deadline of {task.deadline:g} s"
            found.append((self.until[firing], TaskFailed(firing, why, final=True)))
        return found

    def _is_at_work(self, command: StartTask) -> bool:
        """Whether this attempt is asked for again, after a case was suspended."""
        known = self.bodies.get(command.firing_id)
        return known is not None and known[0].attempt == command.attempt

    def copy(self) -> Stage:
        """Another stage with the same past."""
        other, case = copy(self), self.case
        other.case = Case.load(
            case.program, case.id, case.status, case.seq, case.error, case.dump()
        )
        other.bodies, other.due = dict(self.bodies), dict(self.due)
        other.until = dict(self.until)
        other.kept = list(self.kept)
        return other


def _is_final(task: Task, error: BaseException) -> bool:
    """Whether the task does not try again after this error."""
    return not task.tries_again(lambda kinds: isinstance(error, kinds))
