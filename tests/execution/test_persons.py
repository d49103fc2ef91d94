"""What people do, in the pure case: offers, claims, deadlines, in any order and cut anywhere."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from petriflow import Workflow, human
from petriflow.execution.case import Case
from petriflow.execution.events import (
    CancelRequested,
    CancelTask,
    CancelTimer,
    CaseFinished,
    CaseStarted,
    Command,
    Decide,
    Decided,
    Event,
    EventReceived,
    Resumed,
    ScheduleTimer,
    StartTask,
    Suspended,
    TaskClaimed,
    TaskCompleted,
    TaskFailed,
    TaskReleased,
    TimerFired,
    from_data,
    to_data,
)
from petriflow.execution.marks import Item
from petriflow.execution.program import program, undeclared_choices
from petriflow.net import Marking, replay
from petriflow.patterns import (
    Fragment,
    cancellable,
    critical_section,
    deferred_choice,
    event,
    exclusive_choice,
    milestone,
    multiple_instances,
    parallel,
    skip,
    structured_loop,
    timer,
    when,
)

from ..patterns.brute import a, b, c

review = human("review", role="reviewer", asks=["ok"])
sign = human("sign", role="boss", deadline="2d")


def begun(body: Fragment, **variables: object) -> Case:
    case = Case(program(Workflow("w", body)), "case")
    case.apply(CaseStarted(variables))
    return case


def copied(case: Case) -> Case:
    return Case.load(case.program, case.id, case.status, case.seq, case.error, case.dump())


CHOICE = deferred_choice(
    review >> a,
    sign >> b,
    event("withdrawn"),
    timer("7d", name="week") >> c,
)
REVIEW, SIGN = "case/w/sequence-1/review/1", "case/w/sequence-2/sign/2"


@pytest.mark.promise("PEOPLE-1")
def test_a_task_that_nothing_competes_with_begins_at_once_and_waits_for_a_person() -> None:
    case = begun(review >> a)
    id = "case/w/review/1"
    assert case.items == {id: Item("w/review")}
    assert case.fired == ["w/review.start"]
    assert case.idle
    assert not case.bodies
    case.apply(TaskReleased(id, "ann"))
    assert case.late
    assert case.apply(TaskClaimed(id, "ann")) == []
    assert case.items[id].holder == "ann"
    assert not case.fired
    for too_late in (TaskClaimed(id, "bob"), TaskReleased(id, "bob"), TaskClaimed(id, "ann")):
        case.apply(too_late)
        assert case.late
    (after,) = case.apply(TaskCompleted(id, {"ok": True}, "ann"))
    assert isinstance(after, StartTask)
    assert case.variables == {"ok": True}
    case.apply(TaskCompleted(id, {"ok": False}, "ann"))
    assert case.late


@pytest.mark.promise("PEOPLE-2")
def test_where_others_compete_it_is_only_offered_and_the_first_claim_decides() -> None:
    case = begun(CHOICE)
    assert set(case.items) == {REVIEW, SIGN}
    assert case.fired == []
    told = case.apply(TaskClaimed(REVIEW, "ann"))
    assert case.fired == ["w/sequence-1/review.start"]
    assert case.items == {REVIEW: Item("w/sequence-1/review", "ann")}
    assert [c for c in told if not isinstance(c, CancelTimer)] == [CancelTask(SIGN)]
    assert CancelTimer(SIGN) in told
    assert not case.waiting
    # Given back, it stays begun: the choice is decided.
    case.apply(TaskReleased(REVIEW, "ann"))
    for too_late in (EventReceived("withdrawn", {}), TaskClaimed(SIGN, "bob")):
        case.apply(too_late)
    assert case.late
    assert case.items == {REVIEW: Item("w/sequence-1/review")}


@pytest.mark.promise("PEOPLE-2")
@pytest.mark.parametrize("happens", ["event", "timer"])
def test_an_event_or_a_timer_that_comes_first_withdraws_the_offers(happens: str) -> None:
    case = begun(CHOICE)
    (week,) = case.waiting.timers
    event = EventReceived("withdrawn", {}) if happens == "event" else TimerFired(week.timer)
    told = case.apply(event)
    assert not case.late
    assert not case.items
    for gone in (CancelTask(REVIEW), CancelTask(SIGN), CancelTimer(SIGN)):
        assert gone in told
    case.apply(TaskClaimed(REVIEW, "ann"))
    assert case.late


def test_a_task_that_is_only_offered_cannot_be_completed_before_it_is_claimed() -> None:
    case = begun(CHOICE)
    case.apply(TaskCompleted(REVIEW, {"ok": True}, "ann"))
    assert case.late
    assert set(case.items) == {REVIEW, SIGN}


@pytest.mark.promise("PEOPLE-3")
def test_a_deadline_counts_from_the_offer_and_fails_the_task() -> None:
    two_days = ScheduleTimer("case/w/sign/1", 172_800.0)
    case = Case(program(Workflow("w", sign >> a)), "case")
    assert two_days in case.apply(CaseStarted({}))
    assert not case.idle
    assert two_days in copied(case).open_commands()
    case.apply(TaskClaimed("case/w/sign/1", "ann"))
    late = case.overdue("case/w/sign/1")
    assert late is not None
    case.apply(late)
    assert case.status == "failed"
    assert case.error == "task 'w/sign': took longer than its deadline of 172800 s"
    offered = begun(CHOICE)
    late = offered.overdue(SIGN)
    assert late is not None
    offered.apply(late)
    assert offered.status == "failed"
    assert not offered.items
    assert offered.overdue(SIGN) is offered.overdue("no such timer") is None


@pytest.mark.promise("PEOPLE-4")
def test_in_a_suspended_case_nothing_is_claimed_and_what_is_held_may_be_completed() -> None:
    case = begun(parallel(review, sign))
    case.apply(TaskClaimed("case/w/review/1", "ann"))
    case.apply(Suspended(""))
    case.apply(TaskClaimed("case/w/sign/2", "bob"))
    assert case.late
    assert len(case.items) == 2
    case.apply(TaskCompleted("case/w/review/1", {"ok": True}, "ann"))
    assert not case.late
    case.apply(Resumed())
    case.apply(TaskClaimed("case/w/sign/2", "bob"))
    assert not case.late


def test_what_a_case_withdraws_is_off_the_lists() -> None:
    case = begun(cancellable(parallel(review, sign), by=event("stop")))
    before = set(case.items)
    assert len(before) == 2
    told = case.apply(EventReceived("stop", {}))
    assert not case.items
    assert {c.firing_id for c in told if isinstance(c, CancelTask)} == before
    case = begun(parallel(review, sign))
    before = set(case.items)
    told = case.apply(CancelRequested(""))
    assert {c.firing_id for c in told if isinstance(c, CancelTask)} == before
    assert isinstance(told[-1], CaseFinished)


def test_every_instance_is_an_item_of_its_own() -> None:
    case = begun(multiple_instances(review, 3))
    assert [item.instance for item in case.items.values()] == [0, 1, 2]
    for id in case.items:
        case.apply(TaskCompleted(id, {}, "ann"))
    assert case.status == "completed"


def test_a_person_claims_a_lock_and_a_milestone_passes_by() -> None:
    case = begun(critical_section(review, sign))
    first, second = case.items
    case.apply(TaskClaimed(second, "ann"))
    assert list(case.items) == [second]  # the other cannot begin until it has ended
    case.apply(TaskCompleted(second, {}, "ann"))
    (again,) = case.items
    assert again not in (first, second)
    passing = begun(milestone(skip, event("on"), review, expired=skip))
    assert [item.task for item in passing.items.values()] == ["w/review"]
    passing.apply(EventReceived("on", {}))
    assert passing.status == "completed"


def test_a_body_that_would_always_come_first_is_refused_beside_a_person() -> None:
    (told,) = undeclared_choices(Workflow("w", deferred_choice(review, a)))
    assert "'w/a.start' would always come before 'w/review.start'" in told
    assert "human(…)" in told
    assert not undeclared_choices(Workflow("w", CHOICE))


BODIES = {
    "a choice": CHOICE,
    "side by side": parallel(review >> a, sign, deferred_choice(human("x", role="r"), event("e"))),
    "withdrawn": cancellable(CHOICE >> review, by=event("stop"), then=c),
    "one at a time": critical_section(review, sign >> a, b),
    "instances": multiple_instances(sign, 3),
    "again and again": structured_loop(deferred_choice(review, event("e")) >> a, until="done"),
    "chosen": exclusive_choice(when("x > 1", sign), otherwise=CHOICE) >> review,
    "while it lasts": milestone(a, event("on"), review, expired=b),
}


def moves(case: Case, at_work: set[str], choices: list[Decide]) -> list[Event]:
    """All that can be told a case now, and some that comes too late."""
    found: list[Event] = [Resumed() if case.status == "suspended" else Suspended("")]
    for choice in choices:
        found += [Decided(choice.choice, choice.number, (n,)) for n in (0, 1)]
    found += [TaskCompleted(firing, {}) for firing in at_work]
    found += [TimerFired(timer.timer) for timer in case.waiting.timers]
    found += [e for t in case.deadlines if (e := case.overdue(t.timer))]
    found += [EventReceived(name, {}) for name in ("withdrawn", "e", "stop", "on")]
    for id, item in case.items.items():
        found += [TaskClaimed(id, "ann"), TaskClaimed(id, "bob"), TaskReleased(id, "ann")]
        found += [TaskCompleted(id, {}, item.holder)] if item.holder else []
    return found


@pytest.mark.promise("RUN-9")
@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
@given(data=st.data())
def test_in_every_order_the_lists_are_right_and_the_case_can_be_cut_anywhere(
    body: Fragment, data: st.DataObject
) -> None:
    flow = Workflow("w", body)
    known = program(flow)
    case, log = Case(known, "case"), list[Event]()
    event: Event = CaseStarted({"x": 1})
    items: set[str] = set()
    timers: set[str] = set()
    fired: list[str] = []
    for _ in range(data.draw(st.integers(1, 25))):
        twin = copied(case)
        log.append(from_data(type(event).__name__, to_data(event)))
        before = set(items)
        commands: list[Command] = case.apply(event)
        assert twin.apply(event) == commands
        assert twin.dump() == case.dump()
        fired += case.fired
        # A work list kept by the commands alone is the one that the case knows.
        if isinstance(event, TaskCompleted | TaskFailed) and not case.late:
            items.discard(event.firing_id)
        for command in commands:
            match command:
                case StartTask(id, task) if task in known.people:
                    assert id not in before
                    items.add(id)
                case CancelTask(id):
                    items.discard(id)
                case ScheduleTimer(timer):
                    timers.add(timer)
                case CancelTimer(timer):
                    timers.remove(timer)
        if isinstance(event, TimerFired):
            timers.discard(event.timer)
        assert items == set(case.items)
        assert timers == {timer.timer for timer in case.timers}
        if case.finished:
            assert not items
            break
        at_work = set(case.bodies)
        choices = [c for c in case.open_commands() if isinstance(c, Decide)]
        event = data.draw(st.sampled_from(moves(case, at_work, choices)))
    assert Case.replay(known, "case", log).dump() == case.dump()
    *_, last = replay(flow.expanded, fired, Marking(flow.expanded.source.id))
    assert last == case.marking
