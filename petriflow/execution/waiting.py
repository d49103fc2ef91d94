"""What a case waits for outside: events and timers, and the events that came too early.

A trigger is waited for while the tokens allow its transition to fire. The first to happen wins; the
others lose their tokens by its firing, and are withdrawn.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from petriflow.execution.events import ScheduleTimer
from petriflow.execution.program import Program
from petriflow.patterns.fragment import Event, Timer
from petriflow.workflow.variables import Data


class Waiting:
    """The open triggers of one case, each with the number of the event since which it is open."""

    __slots__ = ("_program", "about", "mailbox", "offers", "since")

    def __init__(self, program: Program) -> None:
        self._program = program
        self.since: dict[str, int] = {}
        #: what the events are about that are told by that, as JSON text
        self.about: dict[str, str] = {}
        #: the starts of people's tasks that compete with others, each with its firing to come
        self.offers: dict[str, str] = {}
        #: the persistent events that nobody waited for, oldest first
        self.mailbox: list[tuple[str, Data]] = []

    def __bool__(self) -> bool:
        return bool(self.since or self.offers)

    def begin(self, transition: str, seq: int) -> Data | None:
        """Wait for a trigger; the answer is the payload, if its event has come already."""
        self.since[transition] = seq
        trigger = self.trigger(transition)
        for n, (name, payload) in enumerate(self.mailbox):
            if isinstance(trigger, Event) and name == trigger.name:
                del self.mailbox[n]
                return payload
        return None

    def end(self, transition: str) -> str | None:
        """Wait no longer; the answer is the timer that is not wanted any more, if it is one."""
        timer = self.timer(transition)
        del self.since[transition]
        self.about.pop(transition, None)
        return timer.timer if timer else None

    def taker(self, event: str, about: str | None = None) -> str | None:
        """Who is to have an event: the transition that has waited longest for it; of an event that
        is told by what it is about, for just that.
        """
        waiters = [
            (since, transition)
            for transition, since in self.since.items()
            if getattr(self.trigger(transition), "name", None) == event
            and (about is None or self.about.get(transition) == about)
        ]
        return min(waiters)[1] if waiters else None

    def keep(self, event: str, payload: Data) -> bool:
        """Keep an event that nobody waits for, if it is a persistent one."""
        kept = event in self._program.persistent
        if kept:
            self.mailbox.append((event, payload))
        return kept

    def rung(self, timer: str) -> str | None:
        """The transition whose timer this is, if it is still waited for."""
        transition, _, since = timer.rpartition("#")
        return transition if str(self.since.get(transition)) == since else None

    def disabled(self, tokens: Sequence[int]) -> Iterable[str]:
        """The triggers and offers that the tokens do not allow any more."""
        net, open = self._program.net, (*self.since, *self.offers)
        return [t for t in open if not net.is_enabled(net.transition_index[t], tokens)]

    def timer(self, transition: str) -> ScheduleTimer | None:
        """The command for a trigger that is a timer."""
        trigger = self.trigger(transition)
        if isinstance(trigger, Timer):
            return ScheduleTimer(f"{transition}#{self.since[transition]}", trigger.seconds)
        return None

    @property
    def timers(self) -> list[ScheduleTimer]:
        """The commands for all timers that are waited for."""
        return [timer for t in self.since if (timer := self.timer(t))]

    def trigger(self, transition: str) -> Event | Timer:
        """What a transition waits for."""
        return self._program.triggers[self._program.net.transition_index[transition]]
