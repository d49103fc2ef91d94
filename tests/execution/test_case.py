"""The pure case: driven through any interleaving, cut anywhere, told too late."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from petriflow import Workflow
from petriflow.execution.case import Case
from petriflow.execution.events import (
    CancelRequested,
    CancelTask,
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
    Suspended,
    TaskCompleted,
    TaskFailed,
    TimerFired,
    from_data,
    to_data,
)
from petriflow.execution.program import program
from petriflow.net import Marking, Net, replay
from petriflow.patterns import (
    Fragment,
    Port,
    discriminator,
    exclusive_choice,
    parallel,
    sequence,
    skip,
    structured_loop,
    when,
)
from petriflow.patterns.fragment import Event as Happening
from petriflow.workflow import task

from ..patterns.blocks import compositions
from ..patterns.brute import TooMany, a, b, c, explore

Pick = Callable[[int], int]


def answer(case: Case, command: Decide, pick: Pick) -> Decided:
    """Some branches that the choice admits: what guards may answer."""
    choice = case.program.decisions[command.choice].choice
    admitted = sorted(sorted(s.takes) for s in choice.selectors if s.takes)
    if choice.many and len(choice.branches) > 1:
        guarded = [n for n, branch in enumerate(choice.branches) if branch.guard is not None]
        admitted = [[n for n in guarded if mask >> n & 1] for mask in range(1, 2 ** len(guarded))]
        admitted += [[n] for n in range(len(choice.branches)) if n not in guarded]
    return Decided(command.choice, command.number, tuple(admitted[pick(len(admitted))]))


def respond(case: Case, command: Command, pick: Pick) -> Event:
    match command:
        case Decide():
            return answer(case, command, pick)
        case StartTask(firing_id, path, instance=None):
            return TaskCompleted(firing_id, {path: firing_id})
        case StartTask(firing_id):  # instances of a task may not write the same variable
            return TaskCompleted(firing_id, {})
    raise AssertionError(command)


def outside(case: Case) -> list[Event]:
    """What the world can tell the case now."""
    known = case.program.triggers.values()
    names = sorted({trigger.name for trigger in known if isinstance(trigger, Happening)})
    told: list[Event] = [EventReceived(name, {}) for name in names if case.waiting.taker(name)]
    return told + [TimerFired(timer.timer) for timer in case.waiting.timers]


def next_event(case: Case, waiting: list[Command], pick: Pick, *, pauses: bool = True) -> Event:
    """An answer to one of the waiting commands, which is taken out, or news from outside; now and
    then somebody suspends the case, and somebody resumes it."""
    told = outside(case)
    if pauses:
        told.append(Resumed() if case.status == "suspended" else Suspended("look"))
    chosen = pick(len(waiting) + len(told))
    if chosen < len(waiting):
        return respond(case, waiting.pop(chosen), pick)
    return told[chosen - len(waiting)]


def going(case: Case, waiting: list[Command]) -> bool:
    """Whether the case can still be brought on."""
    return not case.finished and bool(waiting or outside(case) or case.status == "suspended")


def waiting_after(case: Case, event: Event, waiting: list[Command]) -> list[Command]:
    """The commands that wait for an answer when the case has taken an event in."""
    suspended = case.status == "suspended"
    for command in case.apply(event):
        match command:
            case CancelTask(firing_id):
                waiting = [c for c in waiting if getattr(c, "firing_id", "") != firing_id]
            case StartTask(firing_id):  # issued again where the case goes on: the body is at work
                waiting = [c for c in waiting if getattr(c, "firing_id", "") != firing_id]
                waiting.append(command)
            case Decide():
                waiting.append(command)
            case CaseFinished(status):
                assert status == case.status
        if suspended and case.status == "suspended":
            assert not isinstance(command, StartTask | Decide), "something new has begun"
    if case.status == "suspended":
        waiting = [c for c in waiting if not isinstance(c, Decide)]
    return waiting


def drive(
    case: Case, commands: list[Command], pick: Pick, log: list[Event], steps: int = 60
) -> None:
    """Answer the open commands in any order, until the case ends or has gone round enough."""
    waiting = [c for c in commands if isinstance(c, Decide | StartTask)]
    while steps and going(case, waiting):
        steps -= 1
        event = next_event(case, waiting, pick)
        log.append(event)
        waiting = waiting_after(case, event, waiting)


def workflow_of(fragment: Fragment) -> Workflow:
    return Workflow("w", fragment)


@pytest.mark.promise("RUN-8")
@given(compositions(tasks=4), st.data())
def test_a_case_sits_on_reachable_markings_and_its_firings_replay(
    fragment: Fragment, data: st.DataObject
) -> None:
    workflow = workflow_of(fragment)
    try:
        reachable = explore(workflow.expanded, limit=3_000).markings
    except TooMany:
        return
    case = Case(program(workflow), "1")

    def pick(n: int) -> int:
        return data.draw(st.integers(0, n - 1))

    commands = case.apply(CaseStarted({"x": 1}))
    source = Marking(workflow.expanded.source.id)
    *_, after = replay(workflow.expanded, case.fired, source)
    assert after == case.marking
    before = case.marking
    waiting = [c for c in commands if isinstance(c, Decide | StartTask)]
    for _ in range(60):
        assert case.marking in reachable
        if not going(case, waiting):
            break
        event = next_event(case, waiting, pick)
        waiting = waiting_after(case, event, waiting)
        *_, after = replay(workflow.expanded, case.fired, before)
        assert after == case.marking
        moved = {p: after[p] - before[p] for p in {*after, *before}}
        assert case.delta == {p: n for p, n in moved.items() if n}
        before = after
    if not going(case, waiting):
        assert case.status == "completed"
        assert case.marking == Marking(workflow.expanded.sink.id)


@pytest.mark.promise("RUN-9")
@given(compositions(tasks=5), st.data())
def test_a_log_cut_anywhere_goes_on_to_the_same_end(
    fragment: Fragment, data: st.DataObject
) -> None:
    workflow = workflow_of(fragment)
    whole = Case(program(workflow), "1")
    log: list[Event] = [CaseStarted({"x": 1})]
    drive(whole, whole.apply(log[0]), lambda n: data.draw(st.integers(0, n - 1)), log)

    cut = data.draw(st.integers(1, len(log)))
    stored = [json.loads(json.dumps([type(e).__name__, to_data(e)])) for e in log]
    case = Case.replay(program(workflow), "1", (from_data(*e) for e in stored[:cut]))
    again = Case.load(
        case.program, "1", case.status, case.seq, case.error, json.loads(json.dumps(case.dump()))
    )
    assert _sorted(again.open_commands()) == _sorted(case.open_commands())
    for rest in log[cut:]:
        # Each event answers a command that is open after the cut, or came of one that was.
        case.apply(rest)
        again.apply(rest)
        assert again.fired == case.fired
        assert again.late == case.late
    for one in (case, again):
        assert (one.status, one.marking, one.variables) == (
            whole.status, whole.marking, whole.variables,
        )  # fmt: skip
        assert _sorted(one.open_commands()) == _sorted(whole.open_commands())


@pytest.mark.promise("RUN-9")
@given(compositions(tasks=5), st.data())
def test_a_case_suspended_after_every_event_ends_as_the_one_that_never_was(
    fragment: Fragment, data: st.DataObject
) -> None:
    """And each time it comes from the store: a pause is no more than a pause."""
    workflow = workflow_of(fragment)
    whole = Case(program(workflow), "1")
    log: list[Event] = [CaseStarted({"x": 1})]
    waiting = [c for c in whole.apply(log[0]) if isinstance(c, Decide | StartTask)]
    for _ in range(40):
        if not going(whole, waiting):
            break
        event = next_event(whole, waiting, lambda n: data.draw(st.integers(0, n - 1)), pauses=False)
        log.append(event)
        waiting = waiting_after(whole, event, waiting)

    case = Case(program(workflow), "1")
    for event in log:
        match event:  # the numbers of questions and timers count the events, pauses among them
            case Decided(choice, _, takes):
                event = Decided(choice, case.deciding[choice], takes)
            case TimerFired(timer):
                name = timer.rpartition("#")[0]
                event = TimerFired(f"{name}#{case.waiting.since[name]}")
        case.apply(event)
        if case.finished:
            break
        before = case.marking, case.variables
        assert case.apply(Suspended("")) == []
        assert case.status == "suspended"
        assert [c for c in case.open_commands() if isinstance(c, StartTask | Decide)] == []
        case = Case.load(
            case.program, "1", case.status, case.seq, None, json.loads(json.dumps(case.dump()))
        )
        again = case.apply(Resumed())
        assert {c.firing_id for c in again if isinstance(c, StartTask)} == set(case.running)
        assert {c.choice for c in again if isinstance(c, Decide)} == set(case.deciding)
        assert (case.marking, case.variables) == before
    assert (case.status, case.marking, case.variables) == (
        whole.status, whole.marking, whole.variables,
    )  # fmt: skip


def test_what_is_under_way_finishes_in_a_suspended_case_and_nothing_follows_until_it_is_resumed(
) -> None:  # fmt: skip
    case = Case(program(Workflow("w", sequence(parallel(a, b), c))), "1")
    one, two = case.apply(CaseStarted({}))
    assert isinstance(one, StartTask)
    assert isinstance(two, StartTask)
    assert case.apply(Suspended("an audit")) == []
    assert case.apply(TaskCompleted(one.firing_id, {"a": 1})) == []
    assert case.fired == ["w/parallel-1/a.complete"]
    assert case.apply(TaskCompleted(two.firing_id, {"b": 2})) == []
    assert (case.status, case.variables) == ("suspended", {})  # they are joined when it goes on
    assert case.idle
    for late in (Suspended("again"), Decided("w", 1, (0,))):
        assert case.apply(late) == []
        assert case.late
    (start,) = case.apply(Resumed())
    assert isinstance(start, StartTask)
    assert (start.task, case.variables) == ("w/c", {"a": 1, "b": 2})
    assert case.apply(Resumed()) == []
    assert case.late
    case.apply(Suspended(""))
    assert case.apply(TaskCompleted(start.firing_id, {})) == []
    assert case.apply(Resumed()) == [CaseFinished("completed")]


def test_a_suspended_case_can_fail_and_be_cancelled_and_tries_again_only_when_it_is_resumed(
) -> None:  # fmt: skip
    tough = task(name="tough", retries=1)(lambda case: None)
    for end, status in (("no", "failed"), ("enough", "cancelled")):
        case = Case(program(Workflow("w", sequence(tough, name="s"))), "1")
        (start,) = case.apply(CaseStarted({}))
        assert isinstance(start, StartTask)
        case.apply(Suspended(""))
        assert case.apply(TaskFailed(start.firing_id, "once")) == []
        (again,) = case.apply(Resumed())
        assert isinstance(again, StartTask)
        assert again.attempt == 2
        case.apply(Suspended(""))
        last = TaskFailed(start.firing_id, end) if status == "failed" else CancelRequested(end)
        assert case.apply(last)[-1] == CaseFinished(status)  # type: ignore[arg-type]
        assert case.status == status


def _sorted(commands: list[Command]) -> list[str]:
    return sorted(map(repr, commands))


def run_to_end(workflow: Workflow, takes: dict[str, tuple[int, ...]] | None = None) -> Case:
    case = Case(program(workflow), "1")
    commands = case.apply(CaseStarted({"x": 1}))
    while commands and not case.finished:
        command = commands.pop(0)
        match command:
            case StartTask(firing_id):
                commands += case.apply(TaskCompleted(firing_id, {}))
            case Decide(choice, number):
                commands += case.apply(Decided(choice, number, (takes or {}).get(choice, (0,))))
    return case


@pytest.mark.promise("RUN-5")
def test_what_comes_for_a_firing_that_is_gone_changes_nothing() -> None:
    case = Case(program(Workflow("w", discriminator(a, b, cancel=True, then=c))), "1")
    first, second = case.apply(CaseStarted({}))
    assert isinstance(first, StartTask)
    assert isinstance(second, StartTask)
    cancel, start = case.apply(TaskCompleted(first.firing_id, {"who": "a"}))
    assert cancel == CancelTask(second.firing_id)
    before = case.dump()
    for late in (
        TaskCompleted(second.firing_id, {"who": "b"}),
        TaskFailed(second.firing_id, "no", final=True),
        TaskCompleted(first.firing_id, {"who": "again"}),
        Decided("w", 7, (0,)),
        DecisionFailed("w", 7, "GuardError", "no"),
        IncidentResolved("w", {}),
    ):
        assert case.apply(late) == []
        assert case.late
        assert case.fired == []
        assert case.dump() == before
    assert isinstance(start, StartTask)
    assert case.apply(TaskCompleted(start.firing_id, {})) == [CaseFinished("completed")]
    assert case.variables == {"who": "a"}


@pytest.mark.promise("RUN-7")
@pytest.mark.parametrize("status", ["completed", "failed", "cancelled", "deadlocked"])
def test_a_case_ends_once(status: str) -> None:
    case = ended(status)
    assert case.status == status
    before = case.dump(), case.error
    for event in (CancelRequested("late"), CaseStarted({}), TaskFailed("1/w/a/1", "x", True)):
        assert case.apply(event) == []
    assert (case.status, (case.dump(), case.error)) == (status, before)


def ended(status: str) -> Case:
    """A case that has come to this end."""
    if status == "deadlocked":
        return run_to_end(Workflow("w", trap()))
    case = Case(program(Workflow("w", sequence(a, b))), "1")
    (start,) = case.apply(CaseStarted({}))
    assert isinstance(start, StartTask)
    match status:
        case "cancelled":
            assert case.apply(CancelRequested("enough")) == [
                CancelTask(start.firing_id),
                CaseFinished("cancelled"),
            ]
        case "failed":
            case.apply(TaskFailed(start.firing_id, "boom"))
            assert case.error == "task 'w/a': boom"
        case "completed":
            (after,) = case.apply(TaskCompleted(start.firing_id, {}))
            assert isinstance(after, StartTask)
            case.apply(TaskCompleted(after.firing_id, {}))
    return case


def trap() -> Fragment:
    """A task, and then a step that lacks a token: what only a hand-made fragment can be."""
    net = (
        Net.build("trap")
        .places("trap.in", "trap.mid", "trap.out")
        .transition("trap/a", "trap.in", "trap.mid")
        .silent("trap.join", {"trap.mid": 2}, "trap.out")
        .done()
    )
    return Fragment(
        Net("trap", net.places, net.transitions),
        {"entry": Port("trap.in"), "exit": Port("trap.out")},
        "trap",
        "trap",
        {"trap/a": a},
    )


def test_a_deadlock_names_the_marking() -> None:
    case = ended("deadlocked")
    assert case.error == "nothing can happen in [w.mid]"


@pytest.mark.promise("RUN-4")
def test_a_retry_is_an_attempt_of_the_same_firing() -> None:
    tough = task(name="tough", retries=2, delay=3, backoff=2)(lambda case: None)
    case = Case(program(Workflow("w", sequence(tough, name="s"))), "1")
    (first,) = case.apply(CaseStarted({}))
    assert isinstance(first, StartTask)
    before = case.marking
    attempts = [first]
    for error in ("one", "two"):
        (next_,) = case.apply(TaskFailed(first.firing_id, error))
        assert isinstance(next_, StartTask)
        attempts.append(next_)
        assert case.fired == []
        assert case.delta == {}
        assert case.marking == before
    assert [(s.attempt, s.delay) for s in attempts] == [(1, 0.0), (2, 3.0), (3, 6.0)]
    assert len({s.firing_id for s in attempts}) == 1
    assert case.apply(TaskFailed(first.firing_id, "three")) == [CaseFinished("failed")]
    assert case.error == "task 'w/tough': three"


def test_going_round_without_a_task_is_stopped_and_told() -> None:
    """A guard that stays true over a body that only chooses: 10,000 silent steps, then a word."""
    idle = exclusive_choice(when("x > 0", skip), otherwise=b)
    workflow = Workflow("w", structured_loop(idle, while_="x > 0"))
    case = Case(program(workflow), "1")
    commands = case.apply(CaseStarted({"x": 1}))
    for _ in range(30_000):
        if not commands:
            break
        (command,) = commands
        assert isinstance(command, Decide)
        commands = case.apply(Decided(command.choice, command.number, (0,)))
    assert case.stuck
    ((place, incident),) = case.incidents.items()
    assert incident.kind == "EndlessLoop"
    assert "w.again, w/exclusive_choice-1.select-otherwise" not in incident.error
    assert "through w/exclusive_choice-1.select-skip-1, w.again" in incident.error
    commands = case.apply(IncidentResolved(place, {"x": 0}))
    (command,) = commands
    assert isinstance(command, Decide)
    assert command.variables == {"x": 0}


def test_parallel_branches_start_before_anything_completes() -> None:
    case = Case(program(Workflow("w", parallel(a, b, c))), "1")
    started = [s.task for s in case.apply(CaseStarted({})) if isinstance(s, StartTask)]
    assert started == ["w/a", "w/b", "w/c"]
