"""`Game`: the token game of one case, and what it means for branches, waits and questions.

What an event does to the marking is decided here, and only here; `Case` says what events there are.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from heapq import heappop, heappush

from petriflow.execution.events import (
    FINAL,
    CancelTask,
    CancelTimer,
    CaseFinished,
    Command,
    Decide,
    StartTask,
    Status,
    Subscribe,
    Unsubscribe,
)
from petriflow.execution.marks import Done, Ending, Incident, Running
from petriflow.execution.program import Decision, Job, Program, Tally
from petriflow.execution.scopes import Scopes
from petriflow.execution.waiting import Waiting
from petriflow.net import Marking
from petriflow.patterns.fragment import Event
from petriflow.workflow.variables import Data, canonical

#: Shared by all cases that have not just come from another version.
NOTHING: Mapping[str, int] = {}
#: More silent firings than this in a row, and the case is taken to be going round in a circle.
MOST_SILENT_FIRINGS = 10_000


class Game:
    """The state of a case, and how it moves on by itself."""

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
        "done",
        "ending",
        "error",
        "fired",
        "id",
        "incidents",
        "late",
        "left",
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
        #: the tokens that it had in another version of its workflow, when it has come from there
        self.left = NOTHING
        self.running: dict[str, Running] = {}
        self.deciding: dict[str, int] = {}
        #: by choice, or by firing
        self.incidents: dict[str, Incident] = {}
        #: what can be undone, the last completed last; and how a case that is given up will end
        self.done: list[Done] = []
        self.ending: Ending | None = None
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

    @property
    def finished(self) -> bool:
        """Whether the case has reached a final state."""
        return self.status in FINAL

    @property
    def marking(self) -> Marking:
        """The tokens now."""
        return self.program.net.marking(self._tokens)

    # -- the token game ---------------------------------------------------------------------

    def _advance(self) -> None:
        """Fire what is silent or starts a task, until nothing is left to fire."""
        if self.status == "suspended" or self.ending is not None:
            self._awake.clear()  # on the way back from a pause everything is looked at
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
            elif job := program.offers.get(t):
                self._offer(job)
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
        if self.incidents:
            self._forget_triggers()
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

    def _forget_triggers(self) -> None:
        """Incidents at events that the tokens do not allow any more."""
        net = self.program.net
        for path in list(self.incidents):
            t = net.transition_index.get(path)
            if t in self.program.triggers and not net.is_enabled(t, self._tokens):
                del self.incidents[path]

    def _withdraw(self) -> None:
        """After a reset: running bodies and open decisions whose token is gone are dropped."""
        left = {job.task: self._tokens[job.running] for job in self.program.jobs.values()}
        for firing_id, running in list(self.running.items()):
            left[running.task] -= 1
            if left[running.task] < 0:
                del self.running[firing_id]
                self.incidents.pop(firing_id, None)
                self._scopes.close(firing_id)
                self._call_off(firing_id)
        for open_questions in (self.deciding, self.incidents):
            for path in list(open_questions):
                asked = self.program.decisions.get(path) or self.program.tallies.get(path)
                if asked and not self._tokens[asked.place]:
                    open_questions.pop(path)

    def _call_off(self, firing_id: str) -> bool:
        """A body is not wanted any more; one that this very event would start never starts.

        The answer is whether it may have begun.
        """
        started = [
            c for c in self._commands if isinstance(c, StartTask) and c.firing_id == firing_id
        ]
        if started:
            self._commands.remove(started[0])
        else:
            self._commands.append(CancelTask(firing_id))
        return not started

    def _start(self, job: Job) -> None:
        firing_id = self._next_firing(job)
        self._begin(job, firing_id)
        self._commands.append(self._start_command(firing_id))

    def _next_firing(self, job: Job) -> str:
        self._firings += 1
        return f"{self.id}/{job.task}/{self._firings}"

    def _begin(self, job: Job, firing_id: str) -> None:
        """The start of a task fires."""
        self._fire(job.start)
        instance = None
        if job.task in self.program.many:
            instance = self._instances[job.task]
            self._instances[job.task] += 1
        self.running[firing_id] = Running(job.task, 1, instance)
        self._scopes.open(firing_id, self._scope(job.scope))

    def _start_command(self, firing_id: str) -> StartTask:
        running = self.running[firing_id]
        task = self.program.workflow.bodies[running.task]
        undoes = self.done[-1] if running.task in self.program.workflow.undos else None
        return StartTask(
            firing_id,
            running.task,
            running.attempt,
            task.wait_before(running.attempt - running.spent, firing_id),
            self._scopes.view(firing_id) if undoes is None else self._seen_after(undoes),
            running.instance,
            None if undoes is None else undoes.firing_id,
        )

    def _seen_after(self, done: Done) -> Data:
        """The variables as they are where a task lies, with what it returned: a later step, or the
        cancellation of its branch, may have taken that away.
        """
        data = self._scopes.view(self._scope(self.program.jobs[done.task].scope))
        for name, value in done.updates.items():
            if self.program.workflow.policy(name).kind != "collect":
                data[name] = value
            elif value not in data.get(name, []):
                data[name] = [*data.get(name, []), value]
        return data

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

    def _offer(self, job: Job) -> None:
        """A person's task that others compete with can begin: whoever claims it begins it."""
        transition = self.program.net.transition_ids[job.start]
        if transition not in self.waiting.offers:
            self.waiting.offers[transition] = self._next_firing(job)
            self._commands.append(self._offer_command(transition))

    def _offer_command(self, transition: str) -> StartTask:
        job = self.program.offers[self.program.net.transition_index[transition]]
        variables = self._scopes.view(self._scope(job.scope))
        return StartTask(self.waiting.offers[transition], job.task, 1, 0.0, variables)

    def _accept(self, firing_id: str) -> None:
        """A task that is only on offer begins, and those that competed with it are withdrawn."""
        for transition, offered in self.waiting.offers.items():
            if offered == firing_id:
                del self.waiting.offers[transition]
                t = self.program.net.transition_index[transition]
                self._begin(self.program.offers[t], firing_id)
                self._wake([t])  # it may be offered again at once
                return

    def _wait(self, t: int) -> None:
        """A trigger can fire as far as the tokens go: wait for it, or take what came before."""
        transition = self.program.net.transition_ids[t]
        if transition in self.waiting.since or transition in self.incidents:
            return
        trigger = self.waiting.trigger(transition)
        if isinstance(trigger, Event) and (named := trigger.about) is not None:
            value = self._scopes.view(self._scope(self.program.scope(transition))).get(named)
            if value is None:
                self.incidents[transition] = Incident(
                    "NothingAbout",
                    f"event {trigger.name!r} is about the variable {named!r}, which has no value "
                    "when the case begins to wait for it; give it one and retry",
                )
                return
            self.waiting.about[transition] = about = canonical(value)
            self._commands.append(Subscribe(transition, trigger.name, about))
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
        if firing_id := self.waiting.offers.pop(transition, None):
            self._call_off(firing_id)
            return
        if transition in self.waiting.about:
            self._unsubscribe(transition)
        timer = self.waiting.end(transition)
        if timer is None:
            return
        started = [c for c in self._commands if getattr(c, "timer", "") == timer]
        if started:
            self._commands.remove(started[0])
        else:
            self._commands.append(CancelTimer(timer))

    def _unsubscribe(self, transition: str) -> None:
        """No row is written for what is waited for only within this event."""
        begun = [
            c for c in self._commands if isinstance(c, Subscribe) and c.transition == transition
        ]
        if begun:
            self._commands.remove(begun[0])
        else:
            self._commands.append(Unsubscribe(transition))

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
        self.status, self.error, self.ending = status, error, None
        for firing_id in self.running:
            self._call_off(firing_id)
        self.running.clear()
        self.done.clear()
        self._drop()
        self._commands.append(CaseFinished(status))

    def _drop(self) -> None:
        """What the case waits for is not wanted any more."""
        self._awake.clear()
        for transition in (*self.waiting.since, *self.waiting.offers):
            self._end_waiting(transition)
        self._commands = [c for c in self._commands if not isinstance(c, Decide)]
        self.deciding.clear()
        self.incidents.clear()
