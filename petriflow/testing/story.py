"""`Story`: one case on the stage, driven step by step on the pure case that every engine drives."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from copy import deepcopy
from dataclasses import replace
from typing import Any, Self, assert_never

from petriflow.execution import Case
from petriflow.execution.events import (
    CancelRequested,
    CaseStarted,
    Decided,
    Event,
    EventReceived,
    IncidentFailed,
    IncidentResolved,
    Resumed,
    Status,
    Suspended,
    TaskClaimed,
    TaskCompleted,
    TaskFailed,
    TaskReleased,
    TaskSkipped,
    TimerFired,
)
from petriflow.execution.mending import Take, named, taken
from petriflow.net import Marking
from petriflow.net.errors import PetriflowError, StoryError
from petriflow.patterns.duration import seconds
from petriflow.patterns.fragment import Event as Wait
from petriflow.patterns.names import listed, meant, short, suggestion
from petriflow.testing.fakes import Fake, by_task, called
from petriflow.testing.stage import Guards, Stage
from petriflow.testing.steps import (
    Advance,
    Cancel,
    Choose,
    Claim,
    Complete,
    Expect,
    Fail,
    GiveUp,
    Release,
    Resume,
    Retry,
    Ring,
    Signal,
    Skip,
    Step,
    Suspend,
    Tell,
)
from petriflow.testing.ways import answers
from petriflow.workflow import Workflow
from petriflow.workflow.human import require_asked
from petriflow.workflow.variables import canonical, plain


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
        #: whether `interleavings` had enough of it, and more could have happened
        self.cut = False
        self._stage = Stage(workflow, by_task(workflow, fakes or {}), guards)
        given = workflow.example if variables is None else variables
        self._stage.tell(CaseStarted(workflow.schema.initial(given)))

    def copy(self) -> Story:
        """Another story with the same past."""
        other = object.__new__(Story)
        other.workflow, other.steps, other.cut = self.workflow, self.steps, False
        other._stage = self._stage.copy()
        return other

    # -- what it says of the case -----------------------------------------------------------

    @property
    def _case(self) -> Case:
        return self._stage.case

    @property
    def time(self) -> float:
        """The seconds that have passed."""
        return self._stage.time

    @property
    def fired(self) -> tuple[str, ...]:
        """The transitions that have fired, in order."""
        return self._stage.fired

    @property
    def status(self) -> Status:
        """The state of the case."""
        return self._case.status

    @property
    def error(self) -> str | None:
        """Why the case ended as it did, or waits for a person."""
        error = self._case.error or "; ".join(self.incidents.values()) or None
        if error is None and self._case.ending is not None:
            error = f"being given up: {self._case.ending.error or 'undoing'}"
        return error

    @property
    def incidents(self) -> dict[str, str]:
        """Why the case waits for a person, by the choice or the name of the task."""
        case = self._case
        return {
            self._name_of(name) if name in case.running else name: incident.error
            for name, incident in case.incidents.items()
        }

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
        return tuple(map(self._name_of, self._case.bodies))

    @property
    def asks(self) -> tuple[str, ...]:
        """The tasks that wait for people, by names that `Claim` and `Complete` understand."""
        return tuple(map(self._name_of, self._case.items))

    @property
    def offered(self) -> tuple[str, ...]:
        """Those of them that compete with other steps, and begin when somebody claims them."""
        return tuple(map(self._name_of, self._case.waiting.offers.values()))

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
                case Claim(task, by):
                    self._claim(self._firing(task), step, by)
                case Release(task):
                    self._release(self._firing(task), step)
                case Complete(task, updates):
                    self._end(self._firing(task), step, updates)
                case Fail(task, error):
                    self._fail(self._firing(task), step, error)
                case Signal(event, payload):
                    self._signal(event, payload or {})
                case Tell(event, about, payload):
                    self._tell(event, about, payload or {})
                case Advance(duration):
                    self._stage.advance(seconds(duration, "Advance: duration"))
                case Ring(timer):
                    self._ring(timer)
                case Choose(choice, takes):
                    self._choose(choice, takes)
                case Retry(updates, at):
                    self._retry(updates or {}, at)
                case Skip(at, updates, take):
                    self._skip(at, updates or {}, take)
                case GiveUp(at, reason):
                    self._open()
                    self._stage.tell(IncidentFailed(self._incident(at), reason))
                case Suspend(reason):
                    self._halt(Suspended(reason), "only a running case is suspended")
                case Resume():
                    self._halt(Resumed(), "only a suspended case is resumed")
                case Cancel(reason):
                    self._open()
                    self._stage.tell(CancelRequested(reason))
                case _:
                    assert_never(step)
            if not isinstance(step, Expect):
                self.steps += (step,)
        return self

    def ending(self, task: str) -> Complete | Fail:
        """How a running task ends by its fake: the step that says so."""
        result = self._stage.result(self._firing(task))
        return Complete(task) if isinstance(result, TaskCompleted) else Fail(task)

    def _end(self, firing: str, step: Step, updates: Mapping[str, Any] | None) -> None:
        result = (
            self._stage.result(firing) if updates is None else self._stage.returned(firing, updates)
        )
        if isinstance(result, TaskFailed):
            raise self._wrong(f"{step} cannot be: {result.error}; write Fail(…) if that is meant")
        if firing in self._case.items:
            self._hand_in(firing, step, result, asked=updates is not None)
            return
        self._reach(firing)
        self._stage.tell(result)

    def _hand_in(self, firing: str, step: Step, result: Event, asked: bool) -> None:
        """A person's task is completed; nobody but a test could leave out what it asks for."""
        task = self.workflow.tasks[self._case.items[firing].task]
        assert isinstance(result, TaskCompleted)
        if asked or self._stage.fake(firing) is not None:
            try:
                require_asked(task, result.updates)
            except PetriflowError as error:
                raise self._wrong(f"{step} cannot be: {error}") from error
        if self._case.items[firing].holder is None:
            self._claim(firing, step, "somebody")
        self._stage.tell(replace(result, by=self._case.items[firing].holder))

    def _claim(self, firing: str, step: Step, by: str) -> None:
        item = self._case.items.get(firing)
        if item is None:
            raise self._wrong(f"{step} cannot be: {self._name_of(firing)!r} is no person's task")
        if not self._stage.tell(TaskClaimed(firing, by)):
            why = f"{item.holder!r} holds it" if item.holder else "the case is suspended"
            raise self._wrong(f"{step} cannot be: {why}")

    def _release(self, firing: str, step: Step) -> None:
        item = self._case.items.get(firing)
        if item is None or item.holder is None:
            raise self._wrong(f"{step} cannot be: nobody holds {self._name_of(firing)!r}")
        self._stage.tell(TaskReleased(firing, item.holder))

    def _fail(self, firing: str, step: Step, error: str | None) -> None:
        if error is not None:
            result: Event = TaskFailed(firing, error)
        elif self._stage.fake(firing) is None:
            result = TaskFailed(firing, "failed")
        else:
            result = self._stage.result(firing)
        if isinstance(result, TaskCompleted):
            raise self._wrong(f"{step} cannot be: its fake returns {result.updates}")
        self._reach(firing)
        self._stage.tell(result)

    def _reach(self, firing: str) -> None:
        """An attempt that was to wait has begun by the time at which it ends."""
        if self.status == "suspended" and not self._stage.has_begun(firing):
            raise self._wrong(
                f"the next attempt of {self._name_of(firing)!r} begins when the case is resumed"
            )
        self._stage.move_to(self._stage.bodies[firing][1])

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
        if not self._stage.tell(EventReceived(event, checked)):
            raise self._wrong(
                f"nobody waits for event {event!r}, and it is not kept; "
                f"waited for are: {listed(self.events)}"
            )

    def _tell(self, event: str, about: Any, payload: Mapping[str, Any]) -> None:
        self._open()
        triggers = self.workflow.fragment.triggers.values()
        known = [t for t in triggers if isinstance(t, Wait) and t.about and t.name == event]
        if not known:
            raise self._wrong(
                f"workflow {self.workflow.name!r} does not wait for {event!r} by what it is about"
            )
        try:
            given = plain({"about": about})["about"]
            checked = self.workflow.schema.updates(self._case.variables, payload)
        except PetriflowError as error:
            raise self._wrong(f"event {event!r}: {error}") from error
        told = EventReceived(event, checked, canonical(given))
        if self._case.takes(event, canonical(given)):
            self._stage.tell(told)
        elif any(t.persistent for t in known):
            self._stage.kept.append(told)
        else:
            raise self._wrong(
                f"nobody waits for event {event!r} about {canonical(given)}, and it is not kept"
            )

    def _ring(self, name: str) -> None:
        self._open()
        timers = self._timers()
        found = meant(name, timers)
        if len(found) != 1:
            raise self._wrong(f"{name!r} is no timer that is waited for; {self._waits()}")
        timer = timers[found[0]]
        self._stage.move_to(self._stage.due[timer])
        self._stage.tell(TimerFired(timer))

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
        self._stage.tell(Decided(path, self._case.deciding[path], ways[takes]))

    def _retry(self, updates: Mapping[str, Any], at: str | None) -> None:
        self._open()
        if not self._case.incidents:
            raise self._wrong("the case waits for no person")
        checked = self._checked(updates)
        for name in [*self._case.incidents] if at is None else [self._incident(at)]:
            self._stage.tell(IncidentResolved(name, checked))

    def _skip(self, at: str, updates: Mapping[str, Any], take: Take | None) -> None:
        self._open()
        name, checked = self._incident(at), self._checked(updates)
        if name in self._case.running:
            self._stage.tell(TaskSkipped(name, checked))
            return
        try:
            takes = taken(self._case.program, name, take)
        except PetriflowError as error:
            raise self._wrong(str(error)) from error
        if not self._stage.tell(IncidentResolved(name, checked, takes)):
            raise self._wrong("the case is suspended; resume it, then skip")

    def _incident(self, name: str) -> str:
        """The incident of this name, `pay#3` for one firing of several."""
        exact = [key for key in self._case.incidents if key in self._case.running]
        try:
            return next((key for key in exact if self._name_of(key) == name), "") or named(
                self._case, name
            )
        except PetriflowError as error:
            raise self._wrong(str(error)) from error

    def _checked(self, updates: Mapping[str, Any]) -> dict[str, Any]:
        try:
            return self.workflow.schema.updates(self._case.variables, updates)
        except PetriflowError as error:
            raise self._wrong(str(error)) from error

    def _halt(self, event: Event, otherwise: str) -> None:
        if not self._stage.tell(event):
            raise self._wrong(f"the case is {self._end_in_words()}; {otherwise}")

    def _expect(self, expected: Expect) -> None:
        found: list[str] = []

        def compare(what: str, wanted: object, is_so: object) -> None:
            if wanted is not None and wanted != is_so:
                found.append(f"{what}: expected {wanted!r}, and it is {is_so!r}")

        def names(given: Collection[str] | None) -> list[str] | None:
            return None if given is None else sorted(given)

        compare("status", expected.status, self.status)
        compare("running", names(expected.running), sorted(self.running))
        compare("asks", names(expected.asks), sorted(self.asks))
        compare("incidents", names(expected.incidents), sorted(self.incidents))
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

    def _firing(self, name: str) -> str:
        """The running firing of this name."""
        self._open()
        open = self._open_firings()
        going = [firing for firing in open if firing not in self._case.incidents]
        stem, _, number = name.partition("#")
        tasks = called(stem, {open[firing] for firing in going}, self.workflow)
        found = [
            firing
            for firing in going
            if open[firing] in tasks and number in ("", firing.rpartition("/")[2])
        ]
        if len(found) == 1:
            return found[0]
        if found:
            names = listed(map(self._name_of, found))
            raise self._wrong(f"several are {name!r}: {names}; name one of them")
        if not called(stem, self.workflow.bodies, self.workflow):
            raise self._wrong(
                f"there is no task {name!r}; " + suggestion(stem, self.workflow.bodies)
            )
        raise self._wrong(f"{name!r} is not running; {self._waits()}")

    def _open_firings(self) -> dict[str, str]:
        """The firings that have begun or are on offer, with their tasks."""
        begun = {firing: running.task for firing, running in self._case.running.items()}
        return begun | {firing: item.task for firing, item in self._case.items.items()}

    def _name_of(self, firing: str) -> str:
        open = self._open_firings()
        task = open[firing]
        alone = sum(other == task for other in open.values()) == 1
        name = short(task, self.workflow.bodies)
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

    # -- words ------------------------------------------------------------------------------

    def _open(self) -> None:
        if self._case.finished:
            raise self._wrong(f"the case has ended: {self._end_in_words()}")

    def _waits(self) -> str:
        said = f"running are: {listed(self.running)}"
        if self.asks:
            said += f"; people are asked for: {listed(self.asks)}"
        for what in ("events", "timers", "choices"):
            if names := getattr(self, what):
                said += f"; {what} waited for: {listed(names)}"
        return said

    def _end_in_words(self) -> str:
        status = f"{self.status} and cut here" if self.cut else self.status
        return f"{status} ({self.error})" if self.error else status

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
