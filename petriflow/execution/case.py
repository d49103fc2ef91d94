"""`Case`: one case as a pure state machine, after the manner of h11.

    apply(event) → commands

Two rules. First: an event changes the marking only through `CompiledNet`, the compiled form of
net/firing.py, so a case always sits on a reachable marking of the verified net. Second: after
each event, what is silent or starts a task fires at once, in the order of the net, and what needs
an answer from outside (a task's result, a choice's guards) becomes a command.

No clock, no database, no asyncio, no user code: the engine around it does all that.

    created ──CaseStarted──▶ running ──▶ completed    [final] is reached
                              ▲  │  ├──▶ failed       a task failed for good, or data conflict;
                       Resumed│  │  │                 or a person gave up an incident
                              │  │  ├──▶ cancelled    CancelRequested
                              │  │  └──▶ deadlocked   nothing can happen, and it is not the end
                              │  ▼Suspended
                           suspended ──▶ failed, cancelled

In a suspended case what is under way may finish: bodies return, events and timers that are waited
for happen. But the second rule rests: nothing fires or starts because of it until `Resumed`.

On the way to `failed` and `cancelled` what can be undone is undone, as `Trouble` says. What people
do in a case is told by `Persons`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import assert_never

from petriflow.execution.events import (
    CancelRequested,
    CancelTask,
    CaseStarted,
    Command,
    Decided,
    DecisionFailed,
    Event,
    EventReceived,
    IncidentFailed,
    IncidentResolved,
    Migrated,
    Resumed,
    ScheduleTimer,
    Status,
    Suspended,
    TaskClaimed,
    TaskCompleted,
    TaskFailed,
    TaskReleased,
    TaskSkipped,
    TimerFired,
)
from petriflow.execution.game import NOTHING
from petriflow.execution.marks import Done, Ending, Incident, Running
from petriflow.execution.program import Program
from petriflow.execution.trouble import Trouble
from petriflow.net import Marking
from petriflow.net.errors import PetriflowError, say
from petriflow.workflow.variables import Data


class Case(Trouble):
    """One case: what happens to it, and what it says of itself.

    `seq` counts the events applied. `fired` and `delta` tell what the last event did: the
    transitions in order, and by how much the tokens of each place changed. `late` says that the
    last event came for something already gone, and changed nothing.
    """

    __slots__ = ()

    # -- what it says of itself -------------------------------------------------------------

    @property
    def variables(self) -> Data:
        """The case's variables; what branches have written shows up at their join."""
        return self._scopes.view()

    @property
    def delta(self) -> dict[str, int]:
        """By how much the last event changed the tokens of each place."""
        ids, tokens = self.program.net.place_ids, self._tokens
        change = {ids[p]: tokens[p] - n for p, n in self._before.items() if tokens[p] != n}
        for place, n in self.left.items():  # of the version that it comes from
            change[place] = change.get(place, 0) - n
        return {place: n for place, n in change.items() if n} if self.left else change

    @property
    def stuck(self) -> bool:
        """Whether only a person can bring the case on: incidents, and nothing else going."""
        return bool(self.incidents) and not (self.at_work or self.deciding or self.waiting)

    @property
    def at_work(self) -> list[str]:
        """The firings whose bodies are at work, or are tried again by themselves."""
        return [firing for firing in self.running if firing not in self.incidents]

    def where(self, incident: str) -> str:
        """The choice or the task at which an incident is."""
        running = self.running.get(incident)
        return incident if running is None else running.task

    @property
    def active(self) -> bool:
        """Whether an engine has something to do for it; else it waits for events, times, people."""
        return not self.finished and bool(self.bodies or self.deciding)

    @property
    def idle(self) -> bool:
        """Whether nothing goes on by itself: only events and persons can bring the case on."""
        if self.status == "suspended":
            return True
        return not (self.finished or self.bodies or self.deciding or self.timers)

    @property
    def timers(self) -> list[ScheduleTimer]:
        """The commands for all timers that are waited for."""
        return [*self.waiting.timers, *self.deadlines]

    def takes(self, event: str, about: str) -> bool:
        """Whether a step waits for this event about just this, and would take it now."""
        gone = self.finished or self.ending is not None
        return not gone and self.waiting.taker(event, about) is not None

    def open_commands(self) -> list[Command]:
        """The commands that are still to be carried out; after a restart they are issued again.

        A suspended case begins no body again either; its tasks are asked for when it is resumed.
        """
        winding_up = [id for id, running in self.running.items() if self._winds_up(running)]
        return [
            *(CancelTask(firing) for firing in winding_up),
            *(() if self.status == "suspended" else self._starts(self.at_work)),
            *map(self._offer_command, self.waiting.offers),
            *self.timers,
            *(self._decide_command(choice) for choice in self.deciding),
        ]

    # -- events -----------------------------------------------------------------------------

    def apply(self, event: Event) -> list[Command]:
        """Take one event in; the answer is what is to be done about it."""
        self.seq += 1
        self.fired, self._before, self._commands, self.left = [], {}, [], NOTHING
        self.late = self.finished
        if self.late:
            return []
        if not isinstance(event, Decided):
            self._silent = 0
            self._circle.clear()
        if isinstance(event, Migrated):
            self._restore(event.marking, event.variables, event.control)
        deadlines = self.deadlines
        try:
            self._handle(event)
            self._advance()
        except PetriflowError as error:  # the data of the case, not the program, is at fault
            self._break(f"{type(error).__name__}: {say(error)}")
        self._undo()
        self._time_people(deadlines)
        return self._commands

    def _handle(self, event: Event) -> None:
        match event:
            case CaseStarted(variables):
                self.status = "running"
                self._scopes.begin(variables)
                self._change({self.program.source: 1})
                self._wake(self.program.everything)
            case TaskCompleted(firing_id, updates):
                if self._is_at_work(firing_id):
                    self._complete(firing_id, updates)
            case TaskClaimed():
                self._claim(event)
            case TaskReleased():
                self._release(event)
            case TaskFailed(firing_id, error, final):
                self._accept(firing_id)
                if self._is_at_work(firing_id):
                    self._fail(firing_id, error, final)
            case TaskSkipped(firing_id, updates):
                self.late = not (firing_id in self.incidents and firing_id in self.running)
                if not self.late:
                    self._complete(firing_id, updates)
            case Decided(choice, number, takes):
                if self._is_open(choice, number):
                    del self.deciding[choice]
                    self._settle(choice, takes)
            case DecisionFailed(choice, number, kind, error):
                if self._is_open(choice, number):
                    del self.deciding[choice]
                    self.incidents[choice] = Incident(kind, error)
            case IncidentResolved():
                self._resolve(event)
            case IncidentFailed():
                self._fail_incident(event)
            case EventReceived() | CancelRequested() if self.ending is not None:
                self.late = True
            case EventReceived(name, payload, about):
                if taker := self.waiting.taker(name, about):
                    self._happen(taker, payload)
                else:
                    self.late = about is not None or not self.waiting.keep(name, payload)
            case TimerFired(timer):
                if rung := self.waiting.rung(timer):
                    self._happen(rung, {})
                else:
                    self.late = True
            case Suspended():
                self.late = self.status != "running"
                if not self.late:
                    self.status = "suspended"
                    self.deciding.clear()  # they are asked anew
            case Resumed():
                self.late = self.status != "suspended"
                if not self.late:
                    self.status = "running"
                    under_way = self.bodies
                    self._wake(self.program.everything)
                    self._advance()
                    # Whoever carries these out knows the bodies that are still at work.
                    self._commands += self._starts(under_way)
            case Migrated(status=status, left=left):
                self._arrive(status, left)
            case CancelRequested(reason):
                self._give_up("cancelled", reason or None)
            case _:
                assert_never(event)

    def _arrive(self, status: Status, left: Mapping[str, int]) -> None:
        """The case is in another version, and goes on there: questions are asked anew."""
        self.status, self.left = status, left
        self._before = {p: 0 for p, tokens in enumerate(self._tokens) if tokens}
        for branch, inside in self.program.inside.items():
            if branch not in self._scopes and any(self._tokens[p] for p in inside):
                self._scopes.open(branch, self._scope(self.program.parent[branch]))
        under_way = self.bodies
        self._wake(self.program.everything)
        self._advance()
        if self.status == "running":
            self._commands += self._starts(under_way)

    def _is_at_work(self, firing_id: str) -> bool:
        """Whether an attempt's end is awaited; else its token is gone, or it was given up."""
        self.late = firing_id not in self.running or firing_id in self.incidents
        return not self.late

    def _starts(self, firings: Iterable[str]) -> list[Command]:
        """The commands to start these, as far as they are still wanted."""
        return [
            self._start_command(firing)
            for firing in firings
            if firing in self.running and not self._winds_up(self.running[firing])
        ]

    def _is_open(self, choice: str, number: int) -> bool:
        self.late = self.deciding.get(choice) != number
        return not self.late

    # -- storing ----------------------------------------------------------------------------

    def dump(self) -> tuple[Data, Data, Data]:
        """The state as plain JSON data: marking, variables, and what is under way."""
        net = self.program.net
        return (
            {net.place_ids[p]: n for p, n in enumerate(self._tokens) if n},
            self._scopes.dump(),
            {
                "firings": self._firings,
                "running": {id: running.dump() for id, running in self.running.items()},
                "deciding": dict(self.deciding),
                "incidents": {path: [i.kind, i.error] for path, i in self.incidents.items()},
                **self._dump_rare(),
            },
        )

    def _dump_rare(self) -> Data:
        """What few cases have, left out by the others."""
        rare = {
            "waiting": dict(self.waiting.since),
            "about": dict(self.waiting.about),
            "mailbox": list(self.waiting.mailbox),
            "asked": dict(self._asked),
            "instances": dict(self._instances),
            "offers": dict(self.waiting.offers),
            "holders": {id: r.holder for id, r in self.running.items() if r.holder is not None},
            "done": [[d.firing_id, d.task, dict(d.updates), d.instance] for d in self.done],
            "ending": self.ending and [self.ending.status, self.ending.error],
        }
        return {name: value for name, value in rare.items() if value}

    @classmethod
    def load(
        cls,
        program: Program,
        id: str,
        status: Status,
        seq: int,
        error: str | None,
        state: tuple[Data, Data, Data],
    ) -> Case:
        """The case of a state that was dumped."""
        case = cls(program, id)
        case.status, case.seq, case.error = status, seq, error
        case._restore(*state)
        return case

    def _restore(self, marking: Data, variables: Data, control: Data) -> None:
        self._tokens = self.program.net.vector(Marking(marking))
        self._scopes.load(variables)
        self._firings = control["firings"]
        self.running = {firing: Running(*running) for firing, running in control["running"].items()}
        self.deciding = dict(control["deciding"])
        self.incidents = {p: Incident(kind, e) for p, (kind, e) in control["incidents"].items()}
        self.waiting.since = dict(control.get("waiting", {}))
        self.waiting.about = dict(control.get("about", {}))
        self.waiting.mailbox = [(name, payload) for name, payload in control.get("mailbox", [])]
        self._asked = dict(control.get("asked", {}))
        self._instances = dict(control.get("instances", {}))
        self.waiting.offers = dict(control.get("offers", {}))
        for firing, holder in control.get("holders", {}).items():
            self.running[firing].holder = holder
        self.done = [Done(*done) for done in control.get("done", [])]
        self.ending = Ending(*control["ending"]) if "ending" in control else None

    @classmethod
    def replay(cls, program: Program, id: str, events: Iterable[Event]) -> Case:
        """The case after these events, all that it had: those of earlier versions are counted, and
        the event that brought it into this one says all that they led to.
        """
        told = list(events)
        moves = [n for n, event in enumerate(told) if isinstance(event, Migrated)]
        case = cls(program, id)
        case.seq = moves[-1] if moves else 0
        for event in told[case.seq :]:
            case.apply(event)
        return case
