"""`Story`: one case on the stage, driven step by step on the pure case that every engine drives."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Collection, Mapping
from copy import deepcopy
from typing import Any, Literal, Self, assert_never

from petriflow.execution import Case, run_blocking
from petriflow.execution.events import (
    CancelRequested,
    CaseStarted,
    Decide,
    Decided,
    Event,
    EventReceived,
    IncidentResolved,
    ScheduleTimer,
    StartTask,
    Status,
    TaskCompleted,
    TaskFailed,
    TimerFired,
)
from petriflow.execution.program import program
from petriflow.execution.questions import answer
from petriflow.execution.results import completed
from petriflow.net import Marking
from petriflow.net.errors import PetriflowError, StoryError, say
from petriflow.patterns.duration import seconds
from petriflow.patterns.fragment import Event as Wait
from petriflow.testing.fakes import Fake, by_task, called, outcome
from petriflow.testing.names import listed, meant, short, suggestion
from petriflow.testing.steps import (
    Advance,
    Cancel,
    Choose,
    Complete,
    Expect,
    Fail,
    Retry,
    Ring,
    Signal,
    Step,
)
from petriflow.testing.ways import answers
from petriflow.workflow import TaskContext, Workflow

Guards = Literal["real", "free"]


class Story:
    """A case that does what the test says, one step after another.

    No engine, no store, no waiting: time passes only by `Advance` and `Ring`, and bodies end only
    when they are told to. A body is never the real one, unless it is handed in as its own fake;
    a task without a fake returns nothing.

    Args:
        workflow: the workflow; it may be unsound, so that one can look at what goes wrong.
        variables: what the case begins with; by default the workflow's example.
        fakes: by the name of a task, the updates that its body returns, or a function of the case.
        guards: `real` asks them, `free` has the story answer them by `Choose`.

    Raises:
        DefinitionError: there is no task of a fake's name.
        VariableError: the variables cannot be stored or do not fit the model.

    >>> from petriflow.patterns import sequence
    >>> def pick(case): ...
    >>> def pay(case): ...
    >>> story = Story(Workflow("order", sequence(pick, pay)), fakes={"pay": {"paid": True}})
    >>> story.running
    ('pick',)
    >>> story.do(Complete("pick"), Complete("pay"))
    <Story of 'order': completed after Complete('pick'), Complete('pay')>
    >>> story.variables
    {'paid': True}
    """

    def __init__(
        self,
        workflow: Workflow,
        variables: Mapping[str, Any] | None = None,
        *,
        fakes: Mapping[str, Fake] | None = None,
        guards: Guards = "real",
    ) -> None:
        self.workflow = workflow
        #: what has happened
        self.steps: tuple[Step, ...] = ()
        #: the transitions that have fired, in order
        self.fired: tuple[str, ...] = ()
        #: the seconds that have passed
        self.time = 0.0
        self._fakes = by_task(workflow, fakes or {})
        self._guards = guards
        self._case = Case(program(workflow), "story")
        self._bodies: dict[str, tuple[StartTask, float]] = {}
        self._due: dict[str, float] = {}
        given = workflow.example if variables is None else variables
        self._tell(CaseStarted(workflow.schema.initial(given)))

    # -- what it says of the case -----------------------------------------------------------

    @property
    def status(self) -> Status:
        """The state of the case."""
        return self._case.status

    @property
    def error(self) -> str | None:
        """Why the case ended as it did, or waits for a person."""
        return self._case.error or "; ".join(self.incidents.values()) or None

    @property
    def incidents(self) -> dict[str, str]:
        """Why the case waits for a person, by the choice at which it waits."""
        return {path: incident.error for path, incident in self._case.incidents.items()}

    @property
    def variables(self) -> dict[str, Any]:
        """The case's variables; what branches have written shows up at their join."""
        return deepcopy(self._case.variables)

    @property
    def marking(self) -> Marking:
        """The tokens, on the net that runs."""
        return self._case.marking

    @property
    def running(self) -> tuple[str, ...]:
        """The tasks whose bodies run, by names that `Complete` and `Fail` understand."""
        return tuple(map(self._name_of, self._case.running))

    @property
    def timers(self) -> tuple[str, ...]:
        """The timers that are waited for, by names that `Ring` understands."""
        return tuple(self._timers())

    @property
    def events(self) -> tuple[str, ...]:
        """The events that are waited for, by name."""
        return tuple(name for name in self.known_events if self._case.waiting.taker(name))

    @property
    def choices(self) -> tuple[str, ...]:
        """The choices that wait for their answer, where guards are free."""
        return tuple(short(path, self._paths()) for path in self._case.deciding)

    @property
    def known_events(self) -> tuple[str, ...]:
        """The events that the workflow may wait for, by name."""
        triggers = self.workflow.fragment.triggers.values()
        return tuple(sorted({t.name for t in triggers if isinstance(t, Wait)}))

    @property
    def answers(self) -> tuple[Choose, ...]:
        """All answers to the first choice that waits for one, where guards are free."""
        for path in self._case.deciding:
            known, name = self._case.program, short(path, self._paths())
            return tuple(Choose(name, takes) for takes in answers(known, path))
        return ()

    # -- steps ------------------------------------------------------------------------------

    def do(self, *steps: Step) -> Self:
        """Take these steps, one after another.

        Raises:
            StoryError: a step cannot be taken, or finds the case other than expected; it says what
                could be done instead, and the steps until then.
        """
        for step in steps:
            match step:
                case Expect():
                    self._expect(step)
                case Complete(task, updates):
                    self._end(self._firing(task), step, updates)
                case Fail(task, error):
                    self._fail(self._firing(task), step, error)
                case Signal(event, payload):
                    self._signal(event, payload or {})
                case Advance(duration):
                    self._advance(self.time + seconds(duration, "Advance: duration"))
                case Ring(timer):
                    self._ring(timer)
                case Choose(choice, takes):
                    self._choose(choice, takes)
                case Retry(updates):
                    self._retry(updates or {})
                case Cancel(reason):
                    self._open()
                    self._tell(CancelRequested(reason))
                case _:
                    assert_never(step)
            if not isinstance(step, Expect):
                self.steps += (step,)
        return self

    def ending(self, task: str) -> Complete | Fail:
        """How a running task ends by its fake: the step that says so."""
        result = self._result(self._firing(task))
        return Complete(task) if isinstance(result, TaskCompleted) else Fail(task)

    def _end(self, firing: str, step: Step, updates: Mapping[str, Any] | None) -> None:
        result = self._result(firing) if updates is None else self._completed(firing, updates)
        if isinstance(result, TaskFailed):
            raise self._wrong(f"{step} cannot be: {result.error}; write Fail(…) if that is meant")
        self._reach(firing)
        self._tell(result)

    def _fail(self, firing: str, step: Step, error: str | None) -> None:
        if error is not None:
            result: Event = TaskFailed(firing, error)
        elif self._fake(firing) is None:
            result = TaskFailed(firing, "failed")
        else:
            result = self._result(firing)
        if isinstance(result, TaskCompleted):
            raise self._wrong(f"{step} cannot be: its fake returns {result.updates}")
        self._reach(firing)
        self._tell(result)

    def _reach(self, firing: str) -> None:
        """An attempt that was to wait has begun by the time at which it ends."""
        self.time = max(self.time, self._bodies[firing][1])

    def _signal(self, event: str, payload: Mapping[str, Any]) -> None:
        self._open()
        known = self.known_events
        if event not in known:
            raise self._wrong(
                f"workflow {self.workflow.name!r} does not wait for {event!r}; "
                + suggestion(event, known)
            )
        try:
            checked = self.workflow.schema.updates(self._case.variables, payload)
        except PetriflowError as error:
            raise self._wrong(f"event {event!r}: {error}") from error
        if not self._tell(EventReceived(event, checked)):
            raise self._wrong(
                f"nobody waits for event {event!r}, and it is not kept; "
                f"waited for are: {listed(self.events)}"
            )

    def _ring(self, name: str) -> None:
        self._open()
        timers = self._timers()
        found = meant(name, timers)
        if len(found) != 1:
            raise self._wrong(f"{name!r} is no timer that is waited for; {self._waits()}")
        timer = timers[found[0]]
        self.time = max(self.time, self._due[timer])
        self._tell(TimerFired(timer))

    def _advance(self, end: float) -> None:
        while not self._case.finished:
            moments: list[tuple[float, int, Event]] = [
                (self._due[timer], n, TimerFired(timer))
                for n, timer in enumerate(self._timers().values())
            ]
            for firing, running in self._case.running.items():
                if limit := self.workflow.tasks[running.task].timeout:
                    late = TaskFailed(firing, f"took longer than {limit:g} s")
                    moments.append((self._bodies[firing][1] + limit, len(moments), late))
            moments = [moment for moment in moments if moment[0] <= end]
            if not moments:
                break
            due, _, event = min(moments, key=lambda moment: moment[:2])
            self.time = max(self.time, due)
            self._tell(event)
        self.time = max(self.time, end)

    def _choose(self, name: str, takes: tuple[str, ...] | int) -> None:
        self._open()
        found = meant(name, self._case.deciding)
        if len(found) != 1:
            raise self._wrong(f"{name!r} does not wait for an answer; {self._waits()}")
        path = found[0]
        ways = answers(self._case.program, path)
        if takes not in ways:
            raise self._wrong(
                f"choice {path!r} has no answer {takes!r}; it has {', '.join(map(repr, ways))}"
            )
        self._tell(Decided(path, self._case.deciding[path], ways[takes]))

    def _retry(self, updates: Mapping[str, Any]) -> None:
        if not self._case.incidents:
            raise self._wrong("the case waits at no choice for a person")
        try:
            checked = self.workflow.schema.updates(self._case.variables, updates)
        except PetriflowError as error:
            raise self._wrong(str(error)) from error
        for path in list(self._case.incidents):
            self._tell(IncidentResolved(path, checked))

    def _expect(self, expected: Expect) -> None:
        found: list[str] = []

        def compare(what: str, wanted: object, is_so: object) -> None:
            if wanted is not None and wanted != is_so:
                found.append(f"{what}: expected {wanted!r}, and it is {is_so!r}")

        def names(given: Collection[str] | None) -> list[str] | None:
            return None if given is None else sorted(given)

        compare("status", expected.status, self.status)
        compare("running", names(expected.running), sorted(self.running))
        compare("waits_for", names(expected.waits_for), sorted((*self.events, *self.timers)))
        for name, value in (expected.variables or {}).items():
            if name not in self.variables:
                found.append(f"variable {name!r}: expected {value!r}, and there is none")
            else:
                compare(f"variable {name!r}", (value,), (self.variables[name],))
        if expected.marking is not None:
            compare("marking", Marking(expected.marking), self.marking)
        if found:
            raise self._wrong("\n".join(found))

    # -- the case ---------------------------------------------------------------------------

    def _tell(self, event: Event) -> bool:
        """Tell the case, and answer the guards that it asks; whether it was of use."""
        events, useful = [event], True
        while events:
            told = events.pop(0)
            for command in self._case.apply(told):
                match command:
                    case Decide() if self._guards == "real":
                        events.append(answer(self.workflow, command))
                    case StartTask(firing, delay=delay) if not self._is_at_work(command):
                        self._bodies[firing] = command, self.time + delay
                    case ScheduleTimer(timer, after):
                        self._due[timer] = self.time + after
            self.fired += tuple(self._case.fired)
            useful = useful and not (told is event and self._case.late)
        return useful

    def _is_at_work(self, command: StartTask) -> bool:
        """Whether this attempt is asked for again, after a case was suspended."""
        known = self._bodies.get(command.firing_id)
        return known is not None and known[0].attempt == command.attempt

    def _firing(self, name: str) -> str:
        """The running firing of this name."""
        self._open()
        running = self._case.running
        stem, _, number = name.partition("#")
        tasks = called(stem, {r.task for r in running.values()}, self.workflow)
        found = [
            firing
            for firing, r in running.items()
            if r.task in tasks and number in ("", firing.rpartition("/")[2])
        ]
        if len(found) == 1:
            return found[0]
        if found:
            names = listed(map(self._name_of, found))
            raise self._wrong(f"several are {name!r}: {names}; name one of them")
        if not called(stem, self.workflow.tasks, self.workflow):
            raise self._wrong(
                f"there is no task {name!r}; " + suggestion(stem, self.workflow.tasks)
            )
        raise self._wrong(f"{name!r} is not running; {self._waits()}")

    def _name_of(self, firing: str) -> str:
        task = self._case.running[firing].task
        alone = sum(r.task == task for r in self._case.running.values()) == 1
        name = short(task, self.workflow.tasks)
        return name if alone else f"{name}#{firing.rpartition('/')[2]}"

    def _timers(self) -> dict[str, str]:
        """The timers that are waited for, by name."""
        triggers = [id.removesuffix(".happens") for id in self.workflow.fragment.triggers]
        return {
            short(t.timer.rpartition("#")[0].removesuffix(".happens"), triggers): t.timer
            for t in self._case.waiting.timers
        }

    def _paths(self) -> list[str]:
        return [*self._case.program.decisions, *self._case.program.tallies]

    def _fake(self, firing: str) -> Fake:
        return self._fakes.get(self._case.running[firing].task)

    def _result(self, firing: str) -> Event:
        """How the body ends by its fake."""
        command, schema = self._bodies[firing][0], self.workflow.schema
        view = schema.view(command.variables)
        context = TaskContext(
            "story", firing, command.attempt, view, schema.mapping(view), command.instance
        )
        try:
            result = outcome(self._fake(firing), context)
            if inspect.iscoroutine(result):
                result = run_blocking(result)
        except (Exception, asyncio.CancelledError) as error:
            return TaskFailed(firing, say(error))
        return completed(schema, command, result)

    def _completed(self, firing: str, updates: Mapping[str, Any]) -> Event:
        return completed(self.workflow.schema, self._bodies[firing][0], updates)

    def copy(self) -> Story:
        """Another story with the same past."""
        other = object.__new__(Story)
        other.__dict__ |= self.__dict__
        case = self._case
        other._case = Case.load(
            case.program, case.id, case.status, case.seq, case.error, case.dump()
        )
        other._bodies, other._due = dict(self._bodies), dict(self._due)
        return other

    # -- words ------------------------------------------------------------------------------

    def _open(self) -> None:
        if self._case.finished:
            raise self._wrong(f"the case has ended: {self._end_in_words()}")

    def _waits(self) -> str:
        said = f"running are: {listed(self.running)}"
        for what in ("events", "timers", "choices"):
            if names := getattr(self, what):
                said += f"; {what} waited for: {listed(names)}"
        return said

    def _end_in_words(self) -> str:
        return f"{self.status} ({self.error})" if self.error else self.status

    def _wrong(self, message: str) -> StoryError:
        return StoryError(f"{message}\n{self}")

    def __str__(self) -> str:
        lines = [f"  {n}. {step}" for n, step in enumerate(self.steps, 1)]
        return "\n".join(
            [f"story of {self.workflow.name!r}, {self._end_in_words()}, after", *lines]
            if lines
            else [f"story of {self.workflow.name!r}, {self._end_in_words()}, at its beginning"]
        )

    def __repr__(self) -> str:
        steps = ", ".join(map(repr, self.steps)) or "no step"
        return f"<Story of {self.workflow.name!r}: {self._end_in_words()} after {steps}>"


def run_story(
    workflow: Workflow,
    *steps: Step,
    variables: Mapping[str, Any] | None = None,
    fakes: Mapping[str, Fake] | None = None,
    guards: Guards = "real",
) -> Story:
    """Begin a case and take these steps; the answer can be looked at and go on.

    Raises:
        StoryError: a step cannot be taken, or finds the case other than expected.

    >>> from petriflow.patterns import deferred_choice, event, sequence, timer
    >>> def ship(case): ...
    >>> def remind(case): ...
    >>> offer = Workflow("offer", deferred_choice(
    ...     sequence(event("accepted"), ship), sequence(timer("7d", name="week"), remind)))
    >>> run_story(offer, Advance("6d"), Expect(running=[]), Advance("1d"))
    <Story of 'offer': running after Advance('6d'), Advance('1d')>
    >>> run_story(offer, Signal("accepted"), Complete("remind"))
    Traceback (most recent call last):
    petriflow.net.errors.StoryError: 'remind' is not running; running are: 'ship'
    story of 'offer', running, after
      1. Signal('accepted')
    """
    return Story(workflow, variables, fakes=fakes, guards=guards).do(*steps)
