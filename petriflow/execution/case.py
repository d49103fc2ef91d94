"""`Case`: one case as a pure state machine, after the manner of h11.

    apply(event) → commands

Two rules. First: an event changes the marking only through `CompiledNet`, the compiled form of
net/firing.py, so a case always sits on a reachable marking of the verified net. Second: after
each event, what is silent or starts a task fires at once, in the order of the net, and what needs
an answer from outside (a task's result, a choice's guards) becomes a command.

No clock, no database, no asyncio, no user code: the engine around it does all that.

    created ──CaseStarted──▶ running ──▶ completed    [final] is reached
                              ▲  │  ├──▶ failed       a task failed for good, or data conflict
                       Resumed│  │  ├──▶ cancelled    CancelRequested
                              │  │  └──▶ deadlocked   nothing can happen, and it is not the end
                              │  ▼Suspended
                           suspended ──▶ failed, cancelled

In a suspended case what is under way may finish: bodies return, events and timers that are waited
for happen. But the second rule rests: nothing fires or starts because of it until `Resumed`.
"""

from __future__ import annotations

from collections.abc import Iterable
from heapq import heappop, heappush
from typing import assert_never

from petriflow.execution.events import (
    FINAL,
    CancelRequested,
    CancelTask,
    CancelTimer,
    CaseFinished,
    CaseStarted,
    Command,
    Decide,
    Decided,
    DecisionFailed,
    Event,
    EventReceived,
    IncidentResolved,
    Resumed,
    StartTask,
    Status,
    Suspended,
    TaskCompleted,
    TaskFailed,
    TimerFired,
)
from petriflow.execution.marks import Incident, Running
from petriflow.execution.program import Decision, Job, Program, Tally
from petriflow.execution.scopes import Scopes
from petriflow.execution.waiting import Waiting
from petriflow.net import Marking
from petriflow.net.errors import PetriflowError, say
from petriflow.workflow.variables import Data

#: More silent firings than this in a row, and the case is taken to be going round in a circle.
MOST_SILENT_FIRINGS = 10_000


class Case:
    """The state of one case.

    `seq` counts the events applied. `fired` and `delta` tell what the last event did: the
    transitions in order, and by how much the tokens of each place changed. `late` says that the
    last event came for something already gone, and changed nothing.
    """

    __slots__ = (
        "_asked",
        "_awake",
        "_before",
        "_circle",
        "_commands",
        "_firings",
        "_instances",
        "_scopes",
        "_silent",
        "_tokens",
        "deciding",
        "error",
        "fired",
        "id",
        "incidents",
        "late",
        "program",
        "running",
        "seq",
        "status",
        "waiting",
    )

    def __init__(self, program: Program, id: str) -> None:
        self.id = id
        self.program = program
        self.status: Status = "created"
        self.error: str | None = None
        self.seq = 0
        self.fired: list[str] = []
        self.late = False
        self.running: dict[str, Running] = {}
        self.deciding: dict[str, int] = {}
        self.incidents: dict[str, Incident] = {}
        self.waiting = Waiting(program)
        self._asked: dict[str, int] = {}
        self._instances: dict[str, int] = {}
        self._tokens = [0] * len(program.net.place_ids)
        self._scopes = Scopes(program.workflow.policy)
        self._firings = 0
        self._silent = 0
        self._circle: list[str] = []
        self._before: dict[int, int] = {}
        self._awake: list[int] = []
        self._commands: list[Command] = []

    # -- what it says of itself -------------------------------------------------------------

    @property
    def marking(self) -> Marking:
        """The tokens now."""
        return self.program.net.marking(self._tokens)

    @property
    def variables(self) -> Data:
        """The case's variables; what branches have written shows up at their join."""
        return self._scopes.view()

    @property
    def delta(self) -> dict[str, int]:
        """By how much the last event changed the tokens of each place."""
        ids, tokens = self.program.net.place_ids, self._tokens
        return {ids[p]: tokens[p] - n for p, n in self._before.items() if tokens[p] != n}

    @property
    def finished(self) -> bool:
        """Whether the case has reached a final state."""
        return self.status in FINAL

    @property
    def stuck(self) -> bool:
        """Whether only a person can bring the case on: incidents, and nothing else going."""
        return bool(self.incidents) and not (self.running or self.deciding or self.waiting)

    @property
    def idle(self) -> bool:
        """Whether nothing goes on by itself: only events and persons can bring the case on."""
        if self.status == "suspended":
            return True
        return not (self.finished or self.running or self.deciding or self.waiting.timers)

    def open_commands(self) -> list[Command]:
        """The commands that are still to be carried out; after a restart they are issued again.

        A suspended case begins no body again either; its tasks are asked for when it is resumed.
        """
        running = () if self.status == "suspended" else self.running
        return [
            *(self._start_command(firing) for firing in running),
            *self.waiting.timers,
            *(self._decide_command(choice) for choice in self.deciding),
        ]

    # -- events -----------------------------------------------------------------------------

    def apply(self, event: Event) -> list[Command]:
        """Take one event in; the answer is what is to be done about it."""
        self.seq += 1
        self.fired, self._before, self._commands = [], {}, []
        self.late = self.finished
        if self.late:
            return []
        if not isinstance(event, Decided):
            self._silent = 0
            self._circle.clear()
        try:
            self._handle(event)
            self._advance()
        except PetriflowError as error:  # the data of the case, not the program, is at fault
            self._finish("failed", f"{type(error).__name__}: {say(error)}")
        return self._commands

    def _handle(self, event: Event) -> None:
        match event:
            case CaseStarted(variables):
                self.status = "running"
                self._scopes.begin(variables)
                self._change({self.program.source: 1})
                self._wake(self.program.everything)
            case TaskCompleted(firing_id, updates):
                if running := self._of(firing_id):
                    del self.running[firing_id]
                    self._scopes.complete(firing_id, updates)
                    self._fire(self.program.jobs[running.task].complete)
            case TaskFailed(firing_id, error, final):
                if running := self._of(firing_id):
                    task = self.program.workflow.tasks[running.task]
                    if final or running.attempt > task.retries:
                        del self.running[firing_id]
                        self._finish("failed", f"task {running.task!r}: {error}")
                    else:
                        running.attempt += 1
                        if self.status == "running":
                            self._commands.append(self._start_command(firing_id))
            case Decided(choice, number, takes):
                if self._is_open(choice, number):
                    del self.deciding[choice]
                    self._settle(choice, takes)
            case DecisionFailed(choice, number, kind, error):
                if self._is_open(choice, number):
                    del self.deciding[choice]
                    self.incidents[choice] = Incident(kind, error)
            case IncidentResolved(choice, updates):
                self.late = choice not in self.incidents
                if not self.late:
                    del self.incidents[choice]
                    self._correct(choice, updates)
                    self._wake(self.program.everything)
            case EventReceived(name, payload):
                if taker := self.waiting.taker(name):
                    self._happen(taker, payload)
                else:
                    self.late = not self.waiting.keep(name, payload)
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
                    under_way = list(self.running)
                    self._wake(self.program.everything)
                    self._advance()
                    # Whoever carries these out knows the bodies that are still at work.
                    left = (firing for firing in under_way if firing in self.running)
                    self._commands += [self._start_command(firing) for firing in left]
            case CancelRequested(reason):
                self._finish("cancelled", reason or None)
            case _:
                assert_never(event)

    def _of(self, firing_id: str) -> Running | None:
        """The running firing; none if its token is gone, and then the event is late."""
        found = self.running.get(firing_id)
        self.late = found is None
        return found

    def _is_open(self, choice: str, number: int) -> bool:
        self.late = self.deciding.get(choice) != number
        return not self.late

    # -- the token game ---------------------------------------------------------------------

    def _advance(self) -> None:
        """Fire what is silent or starts a task, until nothing is left to fire."""
        if self.status == "suspended":
            self._awake.clear()  # on the way back everything is looked at
            return
        net, program = self.program.net, self.program
        while self._awake:  # emptied when the case ends
            t = heappop(self._awake)
            while self._awake and self._awake[0] == t:
                heappop(self._awake)
            if not net.is_enabled(t, self._tokens):
                continue
            if decision := program.decides.get(t):
                self._ask(decision)
            elif tally := program.tallied.get(t):
                self._ask_number(tally)
            elif t in program.triggers:
                self._wait(t)
            elif job := program.starts.get(t):
                self._start(job)
            elif self._silent >= MOST_SILENT_FIRINGS:
                self._stop_circling(t)
            else:
                self._silent += 1
                self._fire(t)
        self._check_end()

    def _fire(self, t: int) -> None:
        """One firing, and what it means for branches and for what is under way."""
        program, tokens = self.program, self._tokens
        row = program.net.rows[t]
        for p in row.touches:
            self._before.setdefault(p, tokens[p])
        if branches := program.joins.get(t):
            self._scopes.merge(self._arrived(branches, dict(program.net.taken(t, tokens))))
        program.net.fire_in_place(t, tokens)
        if self.waiting:
            for transition in self.waiting.disabled(tokens):
                self._end_waiting(transition)
        if row.reset:
            self._asked.clear()
            self._withdraw()
            for branch in program.cancels[t]:
                if branch in self._scopes and not any(tokens[p] for p in program.inside[branch]):
                    self._scopes.close(branch)
        if task := program.opens.get(t):
            self._instances[task] = 0
        for branch in program.splits.get(t, ()):
            self._scopes.open(branch, self._scope(program.parent[branch]))
        self.fired.append(program.net.transition_ids[t])
        if self._silent > MOST_SILENT_FIRINGS - 20:
            self._circle.append(self.fired[-1])
        self._wake(program.wakes[t])

    def _arrived(self, branches: Iterable[str], consumed: dict[int, int]) -> list[str]:
        """The open branches in which a join leaves no token."""
        tokens, inside = self._tokens, self.program.inside
        return [
            b
            for b in branches
            if b in self._scopes and all(tokens[p] == consumed.get(p, 0) for p in inside[b])
        ]

    def _withdraw(self) -> None:
        """After a reset: running bodies and open decisions whose token is gone are dropped."""
        left = {job.task: self._tokens[job.running] for job in self.program.jobs.values()}
        for firing_id, running in list(self.running.items()):
            left[running.task] -= 1
            if left[running.task] < 0:
                del self.running[firing_id]
                self._scopes.close(firing_id)
                self._call_off(firing_id)
        for open_questions in (self.deciding, self.incidents):
            for path in list(open_questions):
                asked = self.program.decisions.get(path) or self.program.tallies.get(path)
                if asked and not self._tokens[asked.place]:
                    open_questions.pop(path)

    def _call_off(self, firing_id: str) -> None:
        """A body is not wanted any more; one that this very event would start never starts."""
        started = [c for c in self._commands if getattr(c, "firing_id", "") == firing_id]
        if started:
            self._commands.remove(started[0])
        else:
            self._commands.append(CancelTask(firing_id))

    def _start(self, job: Job) -> None:
        self._fire(job.start)
        self._firings += 1
        firing_id = f"{self.id}/{job.task}/{self._firings}"
        instance = None
        if job.task in self.program.many:
            instance = self._instances[job.task]
            self._instances[job.task] += 1
        self.running[firing_id] = Running(job.task, 1, instance)
        self._scopes.open(firing_id, self._scope(job.scope))
        self._commands.append(self._start_command(firing_id))

    def _start_command(self, firing_id: str) -> StartTask:
        running = self.running[firing_id]
        delay = self.program.workflow.tasks[running.task].wait_before(running.attempt, firing_id)
        variables = self._scopes.view(firing_id)
        return StartTask(
            firing_id, running.task, running.attempt, delay, variables, running.instance
        )

    def _ask(self, decision: Decision) -> None:
        path = decision.choice.path
        if self._asked.get(path) == self._tokens[decision.place]:
            return  # a patient choice, and nothing has arrived since it was asked
        if path not in self.deciding and path not in self.incidents:
            if self._silent >= MOST_SILENT_FIRINGS:
                self._stop_circling(decision.selectors[0][0])
                return
            self.deciding[path] = self.seq
            self._commands.append(self._decide_command(path))

    def _ask_number(self, tally: Tally) -> None:
        path = tally.count.path
        if path not in self.deciding and path not in self.incidents:
            self.deciding[path] = self.seq
            self._commands.append(self._decide_command(path))

    def _decide_command(self, path: str) -> Decide:
        asked = self.program.tallies.get(path) or self.program.decisions[path]
        return Decide(path, self.deciding[path], self._scopes.view(self._scope(asked.scope)))

    def _settle(self, path: str, takes: tuple[int, ...]) -> None:
        """An answer has come: branches of a choice, or a number of instances."""
        if tally := self.program.tallies.get(path):
            for _ in range(takes[0] - 1):
                self._fire(tally.more)
            self._fire(tally.stop)
        elif takes:
            self._asked.pop(path, None)
            self._select(self.program.decisions[path], frozenset(takes))
        else:
            self._asked[path] = self._tokens[self.program.decisions[path].place]

    def _select(self, decision: Decision, takes: frozenset[int]) -> None:
        """Fire the selectors that take just these branches: one, or a chain of them."""
        settled: frozenset[int] = frozenset()
        while len(settled) < len(decision.choice.branches):
            possible = (
                (t, taken | skipped)
                for t, taken, skipped in decision.selectors
                if taken <= takes
                and not skipped & takes
                and not (taken | skipped) & settled
                and self.program.net.is_enabled(t, self._tokens)
            )
            t, now = next(possible, (None, settled))
            if t is None:
                self._refuse(decision, takes)
                return
            settled |= now
            if job := self.program.starts.get(t):
                self._start(job)
            else:
                self._silent += 1
                self._fire(t)

    def _refuse(self, decision: Decision, takes: frozenset[int]) -> None:
        """What was chosen cannot happen now, such as one more level of a bounded recursion."""
        path, branches = decision.choice.path, decision.choice.branches
        names = ", ".join(repr(branches[n].name) for n in sorted(takes))
        self.incidents[path] = Incident(
            "NotEnabled",
            f"choice {path!r}: {names} was chosen, and cannot happen in {self.marking}; correct "
            "the variables and retry",
        )

    # -- what happens outside ---------------------------------------------------------------

    def _wait(self, t: int) -> None:
        """A trigger can fire as far as the tokens go: wait for it, or take what came before."""
        transition = self.program.net.transition_ids[t]
        if transition in self.waiting.since:
            return
        payload = self.waiting.begin(transition, self.seq)
        if payload is not None:
            self._happen(transition, payload)
        elif timer := self.waiting.timer(transition):
            self._commands.append(timer)

    def _happen(self, transition: str, payload: Data) -> None:
        """A trigger fires, and what its event brought is written."""
        t = self.program.net.transition_index[transition]
        self._end_waiting(transition)
        if payload:
            self._write(self.program.scope(transition), payload)
        self._fire(t)
        self._wake([t])  # it may be waited for again at once

    def _end_waiting(self, transition: str) -> None:
        timer = self.waiting.end(transition)
        if timer is None:
            return
        started = [c for c in self._commands if getattr(c, "timer", "") == timer]
        if started:
            self._commands.remove(started[0])
        else:
            self._commands.append(CancelTimer(timer))

    def _scope(self, around: tuple[str, ...]) -> str:
        """The innermost of these scopes that is open."""
        return next(name for name in around if name in self._scopes)

    def _change(self, tokens: dict[int, int]) -> None:
        for p, n in tokens.items():
            self._before[p] = self._tokens[p]
            self._tokens[p] += n

    def _wake(self, transitions: Iterable[int]) -> None:
        for t in transitions:
            heappush(self._awake, t)

    # -- trouble and the end ----------------------------------------------------------------

    def _correct(self, choice: str, updates: Data) -> None:
        """A person's corrections are written where the choice looks."""
        asked = self.program.decisions.get(choice) or self.program.tallies.get(choice)
        self._write(asked.scope if asked else self.program.scope(choice), updates)

    def _write(self, around: tuple[str, ...], updates: Data) -> None:
        """Updates that no task returned: what a person corrected, what an event brought."""
        name = f"{self.id}#{self.seq}"
        self._scopes.open(name, self._scope(around))
        self._scopes.complete(name, updates)

    def _stop_circling(self, t: int) -> None:
        circle = dict.fromkeys(self._circle)
        origin = self.program.net.net.transitions[t].origin
        self._awake.clear()
        self._silent = 0
        place = origin.path if origin else self.program.net.transition_ids[t]
        self.incidents[place] = Incident(
            "EndlessLoop",
            f"{MOST_SILENT_FIRINGS} routing steps without a task in between; the case goes round "
            f"through {', '.join(circle)}: let the loop's guard become false, or give it a task",
        )

    def _check_end(self) -> None:
        if self.finished:
            return
        if self._tokens[self.program.sink] == 1 and sum(self._tokens) == 1:
            self._finish("completed", None)
        elif not (self.running or self.deciding or self.incidents or self.waiting):
            self._finish("deadlocked", f"nothing can happen in {self.marking}")

    def _finish(self, status: Status, error: str | None) -> None:
        self.status, self.error = status, error
        self._awake.clear()
        for firing_id in self.running:
            self._call_off(firing_id)
        for transition in list(self.waiting.since):
            self._end_waiting(transition)
        self._commands = [c for c in self._commands if not isinstance(c, Decide)]
        self._commands.append(CaseFinished(status))
        self.running.clear()
        self.deciding.clear()
        self.incidents.clear()

    # -- storing ----------------------------------------------------------------------------

    def dump(self) -> tuple[Data, Data, Data]:
        """The state as plain JSON data: marking, variables, and what is under way."""
        net = self.program.net
        return (
            {net.place_ids[p]: n for p, n in enumerate(self._tokens) if n},
            self._scopes.dump(),
            {
                "firings": self._firings,
                "running": {
                    id: [r.task, r.attempt]
                    if r.instance is None
                    else [r.task, r.attempt, r.instance]
                    for id, r in self.running.items()
                },
                "deciding": dict(self.deciding),
                "incidents": {path: [i.kind, i.error] for path, i in self.incidents.items()},
                **self._dump_rare(),
            },
        )

    def _dump_rare(self) -> Data:
        """What few cases have, left out by the others."""
        rare = {
            "waiting": dict(self.waiting.since),
            "mailbox": list(self.waiting.mailbox),
            "asked": dict(self._asked),
            "instances": dict(self._instances),
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
        marking, variables, control = state
        case = cls(program, id)
        case.status, case.seq, case.error = status, seq, error
        case._tokens = program.net.vector(Marking(marking))
        case._scopes.load(variables)
        case._firings = control["firings"]
        case.running = {firing: Running(*running) for firing, running in control["running"].items()}
        case.deciding = dict(control["deciding"])
        case.incidents = {p: Incident(kind, e) for p, (kind, e) in control["incidents"].items()}
        case.waiting.since = dict(control.get("waiting", {}))
        case.waiting.mailbox = [(name, payload) for name, payload in control.get("mailbox", [])]
        case._asked = dict(control.get("asked", {}))
        case._instances = dict(control.get("instances", {}))
        return case

    @classmethod
    def replay(cls, program: Program, id: str, events: Iterable[Event]) -> Case:
        """The case after these events."""
        case = cls(program, id)
        for event in events:
            case.apply(event)
        return case
