"""What a case waits for, from what is stored of it: nobody has to wonder where a case is."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any, Literal, cast

from petriflow.analysis.diagnosis import words
from petriflow.analysis.display import Listing
from petriflow.execution.events import FINAL, Status
from petriflow.execution.program import Program, program
from petriflow.execution.store import Record, Store, StoredCase, WhichWork, WorkItem
from petriflow.net import Marking, is_enabled
from petriflow.patterns.fragment import Event, Timer
from petriflow.workflow import Workflow


@dataclass(frozen=True, slots=True)
class Wait:
    """One thing that a case waits for.

    `kind` is one of

    - `task`: a body that runs, or whose next attempt is to come;
    - `person`: a task that is offered to a role, or held by somebody of it;
    - `event`, `timer`: something outside, and a time;
    - `incident`: a choice or a task at which a person has to do something;
    - `step`: a step that the tokens allow, and that something else still holds back;
    - `tokens`: a step that has some of its tokens and lacks others.

    `element` is the task, transition or choice, by its id.
    """

    kind: Literal["task", "person", "event", "timer", "incident", "step", "tokens"]
    element: str
    why: str


@dataclass(frozen=True, slots=True)
class Explanation(Listing):
    """Where a case stands and what it waits for; it shows itself as a sentence and a table.

    `registered` says whether the workflow's definition was at hand; without it, only what is under
    way can be told. `last_error` is that of the last attempt that failed, `error` why it ended.
    Of a case that is given up `giving_up` says why, and `undoing` are the tasks that are still to
    be undone, in this order.
    """

    case_id: str
    workflow: str
    status: Status
    registered: bool
    waits: tuple[Wait, ...]
    error: str | None = None
    last_error: str | None = None
    giving_up: str | None = None
    undoing: tuple[str, ...] = ()

    @property
    def title(self) -> str:
        """How the case stands, in a sentence."""
        told = f"case {self.case_id} of {self.workflow!r} "
        if self.status in FINAL:
            return told + self.status + (f": {self.error}" if self.error else "")
        match self.status:
            case "suspended":
                told += "is suspended: nothing new starts until it is resumed"
                told += f" ({self.error})" if self.error else ""
                told += f"; then it goes on {self._ending}" if self.giving_up is not None else ""
            case _ if self.giving_up is not None:
                told += f"is {self._ending}"
            case _:
                told += f"is {self.status}"
        if not self.registered:
            told += (
                "; its definition is not registered here: an engine that has the workflow that it "
                "was started with carries it on"
            )
        if self.last_error is not None:
            told += f"; the last error was: {self.last_error}"
        return told + ("; it waits for" if self.waits else "")

    @property
    def _ending(self) -> str:
        """What is done in a case that is given up."""
        why = f" ({self.giving_up})" if self.giving_up else ""
        steps = ", then ".join(map(repr, self.undoing)) or "nothing more"
        return f"being given up{why}: undoing {steps}"

    @property
    def headings(self) -> tuple[str, ...]:
        """The columns of the table."""
        return ("kind", "element", "why") if self.waits else ()

    def rows(self) -> Iterator[tuple[str, ...]]:
        """What the case waits for, one by one."""
        return ((w.kind, w.element, w.why) for w in self.waits)

    def __str__(self) -> str:
        return Listing.__str__(self) if self.waits else self.title

    def to_json(self) -> dict[str, Any]:
        """As plain JSON data."""
        return asdict(self) | {"waits": [asdict(wait) for wait in self.waits]}


def explained(store: Store, id: str, workflows: Mapping[str, Workflow]) -> Explanation:
    """What a stored case waits for.

    Args:
        store: where it is kept.
        id: the case's id.
        workflows: those at hand, by content hash.

    Raises:
        UnknownCase: there is no such case.
    """
    stored = store.case(id)
    workflow = workflows.get(stored.definition)
    due = {timer: at for (_, timer), at in store.timers([id]).items()}
    known = None if workflow is None else program(workflow)
    items = store.work(WhichWork(case_id=id, limit=None))
    return _explained(stored, store.history(id), items, due, known)


def _explained(
    stored: StoredCase,
    history: Sequence[Record],
    items: Sequence[WorkItem],
    due: Mapping[str, float],
    program: Program | None,
) -> Explanation:
    status = cast(Status, stored.status)
    if status in FINAL:
        return Explanation(
            stored.id, stored.workflow, status, program is not None, (), stored.error
        )
    ending, why = stored.control.get("ending"), stored.error
    if status == "suspended":
        why = next((r.data["reason"] for r in reversed(history) if _is(r, "Suspended")), None)
    failed = next((r.error for r in reversed(history) if _is(r, "TaskFailed")), None)
    waits = [
        *_tasks(stored, history, {item.id for item in items}),
        *_persons(items, due),
        *_outside(stored, due, program),
        *_incidents(stored),
    ]
    if program is not None and ending is None:
        waits += _steps(stored, program)
    return Explanation(
        stored.id,
        stored.workflow,
        status,
        program is not None,
        tuple(waits),
        why or None,
        failed,
        None if ending is None else ending[1] or "",
        tuple(task for _, task, *_ in reversed(stored.control.get("done", ())))
        if ending is not None
        else (),
    )


def _is(record: Record, kind: str) -> bool:
    return record.kind == kind and not record.late


def _incidents(stored: StoredCase) -> Iterator[Wait]:
    """Where a person has to do something: at a choice, or in a firing."""
    running = stored.control["running"]
    for name, (_, error) in stored.control["incidents"].items():
        yield Wait("incident", running[name][0] if name in running else name, error)


def _tasks(stored: StoredCase, history: Sequence[Record], items: Collection[str]) -> Iterator[Wait]:
    """The bodies under way, each with its attempt and what became of the one before."""
    ending = "ending" in stored.control
    for firing, (task, attempt, *rare) in stored.control["running"].items():
        if firing in stored.control["incidents"] or firing in items:
            continue
        if ending and not task.endswith(".undo"):
            yield Wait("task", task, "the case that it called is being given up as well")
            continue
        instance = rare[0] if rare else None
        told = f"attempt {attempt}" + ("" if instance is None else f" of instance {instance}")
        if attempt > 1:
            before = [r for r in history if r.data.get("firing_id") == firing and r.error]
            told += f", after: {before[-1].error}" if before else ""
        held = stored.status == "suspended"
        yield Wait("task", task, told + (", which may finish" if held else " is under way"))


def _persons(items: Sequence[WorkItem], due: Mapping[str, float]) -> Iterator[Wait]:
    """The tasks that wait for people."""
    for item in items:
        told = f"offered to the role {item.role!r} since {_moment(item.offered_at)}"
        if item.claimed_at is not None:
            told = f"held by {item.holder!r} since {_moment(item.claimed_at)}"
        if item.instance is not None:
            told = f"instance {item.instance} is {told}"
        if item.id in due:
            told += f", to be done until {_moment(due[item.id])}"
        yield Wait("person", item.task, told)


def _moment(at: float) -> str:
    moment = datetime.fromtimestamp(at, UTC).isoformat(sep=" ", timespec="seconds")
    return moment.removesuffix("+00:00") + " UTC"


def _outside(
    stored: StoredCase, due: Mapping[str, float], program: Program | None
) -> Iterator[Wait]:
    """The events and timers that are waited for."""
    for transition, since in stored.control.get("waiting", {}).items():
        at = due.get(f"{transition}#{since}")
        if at is not None:
            yield Wait("timer", transition, f"due {_moment(at)}")
            continue
        what = "its event has not been told; the workflow says what it is called"
        if program is not None:
            trigger = program.triggers[program.net.transition_index[transition]]
            if isinstance(trigger, Timer):  # its time is still to be stored
                yield Wait("timer", transition, f"{trigger.seconds:g} s from when it was begun")
                continue
            what = f"the event {trigger.name!r} has not been told"
            about = stored.control.get("about", {}).get(transition)
            if isinstance(trigger, Event) and about is not None:
                what = f"the event {trigger.name!r} about {trigger.about}={about} has not been told"
        yield Wait("event", transition, what)


def _steps(stored: StoredCase, program: Program) -> Iterator[Wait]:
    """The steps that have tokens: those that could happen, and what the others still lack."""
    net = program.net.net
    marking = Marking(stored.marking)
    told = {*stored.control.get("waiting", {}), *stored.control["incidents"]}
    told |= {*stored.control.get("offers", {})}
    told |= {f"{task}.complete" for task in program.jobs}  # those are told as tasks
    for t in words.waiting(net, marking):
        index = program.net.transition_index[t.id]
        element = t.id
        if decision := program.decides.get(index):
            element = decision.choice.path
        elif tally := program.tallied.get(index):
            element = tally.count.path
        if element in told or t.id in told:
            continue
        told.add(element)
        what = words.step(net, t.id) if element == t.id else f"the choice {element!r}"
        if not is_enabled(t, marking, net):
            yield Wait("tokens", element, f"{what}: {'; '.join(words.lack(net, t, marking))}")
        elif stored.status == "suspended":
            yield Wait("step", element, f"{what} can happen when the case is resumed")
        else:
            yield Wait("step", element, f"{what} is asked for again when something has arrived")
