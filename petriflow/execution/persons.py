"""`Persons`: what people do in a case, and for how long they may.

A person's task is *on offer* to its role, *held* by somebody of it, or done. Its item keeps one id,
that of its firing. Where its start competes with other steps, it is on offer before the start has
fired, and the first claim fires it; else the start fires as that of any task. A claim is refused
(late) while the case is suspended; what is held may be completed and given back all the same.
"""

from __future__ import annotations

from petriflow.execution.events import (
    CancelTimer,
    ScheduleTimer,
    TaskClaimed,
    TaskFailed,
    TaskReleased,
)
from petriflow.execution.game import Game
from petriflow.execution.marks import Item
from petriflow.workflow.variables import Data


class Persons(Game):
    """The tasks of a case that people do."""

    __slots__ = ()

    @property
    def items(self) -> dict[str, Item]:
        """What is on the work lists of people, by firing."""
        program = self.program
        if not program.people:
            return {}
        found = {
            firing: Item(running.task, running.holder, running.instance)
            for firing, running in self.running.items()
            if running.task in program.people and firing not in self.incidents
        }
        for transition, firing in self.waiting.offers.items():
            found[firing] = Item(program.offers[program.net.transition_index[transition]].task)
        return found

    @property
    def bodies(self) -> list[str]:
        """The firings whose bodies are at work; not what people do."""
        people = self.program.people
        return [
            firing
            for firing, running in self.running.items()
            if running.task not in people and firing not in self.incidents
        ]

    @property
    def deadlines(self) -> list[ScheduleTimer]:
        """When the time of people's tasks is over: a timer under the id of the firing."""
        if not self.program.people:
            return []
        tasks = self.program.workflow.tasks
        return [
            ScheduleTimer(firing, limit)
            for firing, item in self.items.items()
            if (limit := tasks[item.task].deadline)
        ]

    def awaits(self, timer: str) -> bool:
        """Whether the time of a timer, or of a deadline, is waited for."""
        return self.waiting.rung(timer) is not None or self.overdue(timer) is not None

    def overdue(self, timer: str) -> TaskFailed | None:
        """The event that a timer stands for, if it is the deadline of a person's task."""
        item = self.items.get(timer)
        limit = item and self.program.workflow.tasks[item.task].deadline
        if not limit:
            return None
        return TaskFailed(timer, f"took longer than its deadline of {limit:g} s", final=True)

    def sees(self, firing_id: str) -> Data:
        """The variables as the task of this item sees them."""
        if firing_id in self.running:
            return self._scopes.view(firing_id)
        return self._scopes.view(self._scope(self.program.jobs[self.items[firing_id].task].scope))

    def _claim(self, event: TaskClaimed) -> None:
        item = self.items.get(event.firing_id)
        self.late = item is None or item.holder is not None or self.status != "running"
        if not self.late:
            self._accept(event.firing_id)
            self.running[event.firing_id].holder = event.by

    def _release(self, event: TaskReleased) -> None:
        item = self.items.get(event.firing_id)
        self.late = item is None or item.holder != event.by
        if not self.late:
            self.running[event.firing_id].holder = None

    def _time_people(self, before: list[ScheduleTimer]) -> None:
        """Set the timers of new items with a deadline, and call off those of items that are gone.

        They come first: a case that has ended asks for nothing more.
        """
        now = self.deadlines
        if not (before or now):
            return
        self._commands[:0] = [
            *(CancelTimer(was.timer) for was in before if was not in now),
            *(timer for timer in now if timer not in before),
        ]
