"""Incidents of tasks and compensation, on the pure case: in any order, cut anywhere."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from petriflow import Workflow, call, collect, task
from petriflow.execution.case import Case
from petriflow.execution.events import (
    CancelRequested,
    CancelTask,
    CaseFinished,
    CaseStarted,
    Command,
    Decide,
    DecisionFailed,
    Event,
    EventReceived,
    IncidentFailed,
    IncidentResolved,
    Resumed,
    StartTask,
    Suspended,
    TaskCompleted,
    TaskFailed,
    TaskSkipped,
    from_data,
    to_data,
)
from petriflow.execution.program import program
from petriflow.net.errors import DefinitionError
from petriflow.patterns import (
    Fragment,
    deferred_choice,
    discriminator,
    event,
    exclusive_choice,
    parallel,
    sequence,
    timer,
    when,
)
from petriflow.patterns.fragment import as_fragment
from petriflow.workflow import Task

from ..patterns.blocks import compositions
from .test_case import answer, outside, respond, waiting_after


def undo(case: Any) -> None: ...


def book(name: str, **limits: Any) -> Task:
    """A task that can be undone."""
    return task(name=name, compensate=task(name=f"un{name}")(undo), **limits)(undo)


def begun(workflow: Workflow, variables: dict[str, Any] | None = None) -> tuple[Case, list[str]]:
    """A case that has started, and the firings that run."""
    case = Case(program(workflow), "1")
    commands = case.apply(CaseStarted(variables or {}))
    return case, started(commands)


def started(commands: list[Command]) -> list[str]:
    return [c.firing_id for c in commands if isinstance(c, StartTask)]


def troubled(fragment: Fragment, every: int) -> Workflow:
    """The composition with every so many tasks made one that can be undone, and every third one
    that waits for a person when it has failed."""
    tasks = {
        id: task(
            name=getattr(binding, "name", None) or getattr(binding, "__name__", "t"),
            retries=n % 2,
            compensate=undo if n % every == 0 else None,
            on_failure="incident" if n % 3 == 0 else "fail",
        )(undo)
        for n, (id, binding) in enumerate(fragment.tasks.items())
    }
    return Workflow("w", replace(as_fragment(fragment), tasks=tasks, steps=()))


def next_event(
    case: Case, waiting: list[Command], pick: Callable[[int], int], calm: bool = False
) -> Event:
    """Anything that can happen to a case now, good or, unless it is calm, bad; an answered command
    is taken out."""
    told: list[Event] = [*outside(case)]
    if calm and (waiting or told):
        chosen = pick(len(waiting) + len(told))
        if chosen < len(waiting):
            return respond(case, waiting.pop(chosen), pick)
        return told[chosen - len(waiting)]
    told.append(Resumed() if case.status == "suspended" else Suspended("look"))
    told.append(CancelRequested("enough"))
    for name in case.incidents:
        told += [IncidentResolved(name, {}), IncidentFailed(name, "no")]
        told += [TaskSkipped(name, {"skipped": name})] if name in case.running else []
    chosen = pick(3 * len(waiting) + len(told))
    if chosen >= 3 * len(waiting):
        return told[chosen - 3 * len(waiting)]
    command = waiting.pop(chosen // 3)
    match command:
        case Decide(choice, number):
            if chosen % 3 == 0:
                return DecisionFailed(choice, number, "GuardError", "no")
            return answer(case, command, pick)
        case StartTask(firing):
            if chosen % 3:
                name = "" if command.instance is not None else firing
                return TaskCompleted(firing, {name: 1} if name else {})
            return TaskFailed(firing, "no", final=bool(pick(2)))
    raise AssertionError(command)


def drive(case: Case, log: list[Event], pick: Callable[[int], int]) -> None:
    waiting = [c for c in case.apply(log[0]) if isinstance(c, Decide | StartTask)]
    calm = pick(10)
    for step in range(60):
        if case.finished:
            break
        event = next_event(case, waiting, pick, step < calm)
        log.append(event)
        waiting = waiting_after(case, event, waiting)


@pytest.mark.promise("RUN-9")
@given(compositions(tasks=5), st.data())
def test_a_log_with_trouble_cut_anywhere_goes_on_to_the_same_end(
    fragment: Fragment, data: st.DataObject
) -> None:
    workflow = troubled(fragment, 2)
    whole = Case(program(workflow), "1")
    log: list[Event] = [CaseStarted({"x": 1})]
    drive(whole, log, lambda n: data.draw(st.integers(0, n - 1)))

    cut = data.draw(st.integers(1, len(log)))
    stored = [json.loads(json.dumps([type(e).__name__, to_data(e)])) for e in log]
    case = Case.replay(program(workflow), "1", (from_data(*e) for e in stored[:cut]))
    again = Case.load(
        case.program, "1", case.status, case.seq, case.error, json.loads(json.dumps(case.dump()))
    )
    assert sorted(map(repr, again.open_commands())) == sorted(map(repr, case.open_commands()))
    for rest in stored[cut:]:
        assert case.apply(from_data(*rest)) == again.apply(from_data(*rest))
        assert (again.fired, again.late, again.delta) == (case.fired, case.late, case.delta)
    for one in (case, again):
        assert (one.status, one.error, one.dump()) == (whole.status, whole.error, whole.dump())


@pytest.mark.promise("RUN-27")
@given(compositions(tasks=5), st.data())
def test_what_has_completed_is_undone_once_and_in_reverse_whatever_happens_meanwhile(
    fragment: Fragment, data: st.DataObject
) -> None:
    """Told by a second book, kept of what went in and came out, that knows nothing of the case."""
    workflow = troubled(fragment, 1)
    case = Case(program(workflow), "1")
    done: list[str] = []  # what can be undone and has completed
    undone: list[str] = []
    given_up: str | None = None

    def pick(n: int) -> int:
        return data.draw(st.integers(0, n - 1))

    log: list[Event] = [CaseStarted({"x": 1})]
    waiting = [c for c in case.apply(log[0]) if isinstance(c, Decide | StartTask)]
    calm = pick(10)
    for step in range(80):
        if case.finished:
            break
        marking, event = case.marking, next_event(case, waiting, pick, step < calm)
        waiting = waiting_after(case, event, waiting)
        if isinstance(event, TaskCompleted | TaskSkipped) and not case.late:
            name = event.firing_id.rpartition("/")[0].removeprefix("1/")
            if name in workflow.undos:
                undone.append(event.firing_id.replace(".undo/", "/"))
            elif workflow.tasks[name].compensate:
                done.append(event.firing_id)
        if given_up is not None:
            assert case.marking == marking, "a case that is given up keeps its tokens"
            assert case.fired == []
        if case.ending is not None and given_up is None:
            given_up = case.ending.status
        undoing = {r.task for r in case.running.values()} & set(workflow.undos)
        if undoing:
            assert given_up is not None
            assert len(case.running) == 1, "one after the other, and nothing beside it"
        assert undone == done[::-1][: len(undone)]
    if not case.finished:
        return
    if case.status in ("completed", "deadlocked"):
        assert (given_up, undone) == (None, [])
    elif given_up is not None and "not undone" not in (case.error or ""):
        assert undone == done[::-1]
        assert case.status == given_up
    elif given_up is None:  # there was nothing to undo
        assert done == []


# -- incidents of tasks ----------------------------------------------------------------------


def stuck(**limits: Any) -> tuple[Case, str]:
    """A case whose first task has failed for good, beside another one."""
    tough = task(name="tough", on_failure="incident", **limits)(undo)
    flow = Workflow("w", sequence(parallel(tough, task(name="other")(undo)), task(name="z")(undo)))
    case, (firing, _) = begun(flow, {"x": 1})
    for _ in range(limits.get("retries", 0) + 1):
        case.apply(TaskFailed(firing, "no"))
    return case, firing


@pytest.mark.promise("RUN-25")
def test_a_task_that_fails_for_good_waits_for_a_person_and_the_others_go_on() -> None:
    case, firing = stuck(retries=1)
    assert (case.status, case.incidents[firing].error) == (
        "running",
        "task 'w/parallel-1/tough': no",
    )
    assert case.marking["w/parallel-1/tough.running"] == 1
    assert not case.stuck, "the other one is at work"
    (other,) = case.at_work
    case.apply(TaskCompleted(other, {"y": 2}))
    assert case.stuck
    assert case.idle
    assert case.open_commands() == []
    for late in (TaskCompleted(firing, {"late": 1}), TaskFailed(firing, "late"), Resumed()):
        before = case.dump()
        assert case.apply(late) == []
        assert case.late
        assert case.dump() == before


@pytest.mark.promise("RUN-25")
def test_a_retry_is_the_same_firing_with_all_its_attempts_and_the_variables_as_they_are() -> None:
    case, firing = stuck(retries=1, delay=7)
    (start,) = case.apply(IncidentResolved(firing, {"x": 2}))
    assert isinstance(start, StartTask)
    assert (start.firing_id, start.attempt, start.delay) == (firing, 3, 0.0)
    assert start.variables == {"x": 2}
    assert case.incidents == {}
    (again,) = case.apply(TaskFailed(firing, "no"))
    assert isinstance(again, StartTask)
    assert (again.attempt, again.delay) == (4, 7.0)
    assert case.apply(TaskFailed(firing, "never")) == []
    assert case.incidents[firing].error.endswith("never")
    case.apply(IncidentResolved(firing, {}))
    case.apply(TaskCompleted(firing, {"x": 3}))  # no conflict with what a person wrote
    (other,) = case.running
    case.apply(TaskCompleted(other, {}))
    assert case.variables == {"x": 3}


@pytest.mark.promise("RUN-25")
def test_a_task_that_is_skipped_has_completed_with_what_the_person_gives() -> None:
    case, firing = stuck()
    assert case.apply(TaskSkipped("1/w/parallel-1/other/2", {"x": 9})) == []
    assert case.late, "no incident, and so nothing to skip"
    case.apply(TaskSkipped(firing, {"x": 9}, "ada"))
    assert case.fired == ["w/parallel-1/tough.complete"]
    (other,) = case.running
    (z,) = started(case.apply(TaskCompleted(other, {})))
    case.apply(TaskCompleted(z, {}))
    assert (case.status, case.variables) == ("completed", {"x": 9})


@pytest.mark.promise("RUN-25")
def test_an_incident_that_is_failed_fails_the_case_with_the_reason() -> None:
    case, firing = stuck()
    (other,) = case.at_work
    assert case.apply(IncidentFailed(firing, "hopeless")) == [
        CancelTask(other),
        CaseFinished("failed"),
    ]
    assert case.error == "task 'w/parallel-1/tough': no (given up: hopeless)"


def test_an_incident_in_a_branch_that_is_cancelled_is_gone() -> None:
    tough = task(name="tough", on_failure="incident")(undo)
    flow = Workflow("w", discriminator(tough, task(name="quick")(undo), cancel=True))
    case, (firing, quick) = begun(flow)
    case.apply(TaskFailed(firing, "no"))
    case.apply(TaskCompleted(quick, {}))
    assert (case.status, case.incidents) == ("completed", {})


@pytest.mark.promise("RUN-26")
def test_at_a_choice_a_person_may_name_the_branch() -> None:
    one, two = task(name="one")(undo), task(name="two")(undo)
    flow = Workflow("w", exclusive_choice(when("x > 1", one), when("x > 2", two), exhaustive=True))
    case, _ = begun(flow, {"x": 0})
    number = case.deciding["w"]
    case.apply(DecisionFailed("w", number, "NoBranchEnabled", "none"))
    case.apply(Suspended(""))
    assert case.apply(IncidentResolved("w", {}, (1,))) == []
    assert case.late, "nothing fires in a suspended case"
    case.apply(Resumed())
    (firing,) = started(case.apply(IncidentResolved("w", {"x": 5}, (1,), "ada")))
    assert firing.startswith("1/w/two/")
    assert (case.incidents, case.variables) == ({}, {"x": 5})


# -- compensation ----------------------------------------------------------------------------


@pytest.mark.promise("RUN-27")
def test_what_was_booked_is_given_back_before_the_case_is_cancelled() -> None:
    flow = Workflow("w", sequence(book("a"), book("b"), task(name="c")(undo)))
    case, (a,) = begun(flow, {"x": 1})
    (b,) = started(case.apply(TaskCompleted(a, {"ticket": 7})))
    (c,) = started(case.apply(TaskCompleted(b, {"room": 8})))
    marking = case.marking
    cancel, first = case.apply(CancelRequested("no money"))
    assert cancel == CancelTask(c)
    assert isinstance(first, StartTask)
    assert (first.firing_id, first.task, first.undoes) == ("1/w/b.undo/2", "w/b.undo", b)
    assert first.variables == {"x": 1, "ticket": 7, "room": 8}
    assert (case.status, case.marking) == ("running", marking)
    for late in (CancelRequested("again"), EventReceived("e", {}), TaskCompleted(c, {})):
        assert case.apply(late) == []
        assert case.late
    (second,) = case.apply(TaskCompleted(first.firing_id, {"room": None}))
    assert isinstance(second, StartTask)
    assert (second.firing_id, second.undoes) == ("1/w/a.undo/1", a)
    assert second.variables == {"x": 1, "ticket": 7, "room": None}
    assert case.apply(TaskCompleted(second.firing_id, {})) == [CaseFinished("cancelled")]
    assert (case.error, case.variables) == ("no money", {"x": 1, "ticket": 7, "room": None})


@pytest.mark.promise("RUN-27")
def test_a_case_that_fails_is_undone_too_and_says_why_it_failed() -> None:
    flow = Workflow("w", sequence(book("a"), book("b")))
    case, (a,) = begun(flow)
    (b,) = started(case.apply(TaskCompleted(a, {})))
    (undoing,) = case.apply(TaskFailed(b, "sold out"))  # what has failed is not undone
    assert isinstance(undoing, StartTask)
    assert undoing.undoes == a
    assert case.apply(TaskCompleted(undoing.firing_id, {})) == [CaseFinished("failed")]
    assert case.error == "task 'w/b': sold out"


@pytest.mark.promise("RUN-27")
def test_a_conflict_of_variables_undoes_the_task_that_wrote_too() -> None:
    case, (a, b) = begun(Workflow("w", parallel(book("a"), book("b"))))
    case.apply(TaskCompleted(a, {"x": 1}))
    (first,) = started(case.apply(TaskCompleted(b, {"x": 2})))
    assert first == "1/w/b.undo/2"
    (second,) = started(case.apply(TaskCompleted(first, {})))
    case.apply(TaskCompleted(second, {}))
    assert case.status == "failed"
    assert "VariableConflict" in (case.error or "")


def test_a_case_that_completes_or_cannot_go_on_undoes_nothing() -> None:
    case, (a,) = begun(Workflow("w", sequence(book("a"), name="s")))
    assert case.apply(TaskCompleted(a, {})) == [CaseFinished("completed")]
    assert case.apply(CancelRequested("late")) == []


@pytest.mark.promise("RUN-28")
def test_an_undo_that_fails_for_good_waits_for_a_person_whatever_its_task_says() -> None:
    back = task(name="back", retries=1, delay=3)(undo)
    flow = Workflow("w", sequence(book("a"), task(name="b", compensate=back)(undo), book("c")))

    def case_stuck() -> tuple[Case, str]:
        case, (a,) = begun(flow)
        (b,) = started(case.apply(TaskCompleted(a, {})))
        case.apply(TaskCompleted(b, {"room": 8}))
        _, first = case.apply(CancelRequested("enough"))
        assert isinstance(first, StartTask)
        (again,) = case.apply(TaskFailed(first.firing_id, "no"))
        assert isinstance(again, StartTask)
        assert (again.attempt, again.delay) == (2, 3.0)
        assert case.apply(TaskFailed(first.firing_id, "no")) == []
        assert case.stuck
        return case, first.firing_id

    case, firing = case_stuck()
    (retried,) = case.apply(IncidentResolved(firing, {"room": 9}))
    assert isinstance(retried, StartTask)
    assert retried.variables == {"room": 9}, "the correction counts, not what its task returned"
    (last,) = started(case.apply(TaskCompleted(firing, {})))
    assert case.apply(TaskCompleted(last, {})) == [CaseFinished("cancelled")]

    case, firing = case_stuck()
    (last,) = started(case.apply(TaskSkipped(firing, {"by_hand": True})))
    case.apply(TaskCompleted(last, {}))
    assert (case.status, case.variables["by_hand"]) == ("cancelled", True)

    case, firing = case_stuck()
    assert case.apply(IncidentFailed(firing, "the hotel is gone"))[-1] == CaseFinished("failed")
    assert case.error == (
        "task 'w/b.undo': no (given up: the hotel is gone); not undone: 'w/b', 'w/a'; "
        "it was given up because of: enough"
    )


@pytest.mark.promise("RUN-28")
def test_a_suspended_case_undoes_nothing_until_it_is_resumed() -> None:
    case, (a,) = begun(Workflow("w", sequence(book("a"), book("b"), book("c"))))
    (b,) = started(case.apply(TaskCompleted(a, {})))
    (c,) = started(case.apply(TaskCompleted(b, {})))
    case.apply(Suspended("wait"))
    assert case.apply(CancelRequested("enough")) == [CancelTask(c)]
    assert case.status == "suspended"
    assert case.open_commands() == []
    (first,) = started(case.apply(Resumed()))
    case.apply(Suspended("wait again"))
    assert case.apply(TaskCompleted(first, {})) == [], "what is at work may finish"
    (second,) = started(case.apply(Resumed()))
    assert second == "1/w/a.undo/1"
    assert case.apply(TaskCompleted(second, {})) == [CaseFinished("cancelled")]


def test_an_undo_sees_what_its_task_returned_in_a_branch_and_in_every_round() -> None:
    flow = Workflow(
        "w",
        sequence(parallel(sequence(book("a"), book("b")), event("go") >> book("c")), name="s"),
        merge={"seen": collect},
    )
    case, (a,) = begun(flow, {"x": 1, "seen": []})
    (b,) = started(case.apply(TaskCompleted(a, {"ticket": 7, "seen": "a"})))
    case.apply(TaskCompleted(b, {"room": 8, "seen": "b"}))
    assert case.variables == {"x": 1, "seen": []}, "the branches have not been joined"
    (first,) = case.apply(CancelRequested(""))
    assert isinstance(first, StartTask)
    seen = {"x": 1, "ticket": 7, "room": 8, "seen": ["a", "b"]}
    assert first.variables == seen
    (second,) = case.apply(TaskCompleted(first.firing_id, {}))
    assert isinstance(second, StartTask)
    assert second.variables == seen


def test_what_a_cancelled_branch_had_completed_is_undone_with_what_it_returned() -> None:
    """Its updates are discarded; its work is there all the same."""
    slow = sequence(book("a"), task(name="b")(undo))
    fast = task(name="fast")(undo)
    flow = Workflow(
        "w", sequence(discriminator(slow, fast, cancel=True), task(name="z")(undo)),
        merge={"seen": collect},
    )  # fmt: skip
    case, (a, quick) = begun(flow, {"seen": []})
    case.apply(TaskCompleted(a, {"ticket": 7, "seen": "a"}))
    case.apply(TaskCompleted(quick, {}))
    assert case.variables == {"seen": []}
    _, first = case.apply(CancelRequested(""))
    assert isinstance(first, StartTask)
    assert first.variables == {"ticket": 7, "seen": ["a"]}


def test_timers_and_questions_are_gone_and_events_are_late_in_a_case_that_is_given_up() -> None:
    waits = deferred_choice(event("paid"), timer("2d", name="late") >> task(name="r")(undo))
    flow = Workflow("w", sequence(book("a"), waits))
    case, (a,) = begun(flow)
    case.apply(TaskCompleted(a, {}))
    assert case.waiting
    cancel_timer, first = case.apply(CancelRequested(""))
    assert type(cancel_timer).__name__ == "CancelTimer"
    assert isinstance(first, StartTask)
    assert not case.waiting
    assert case.apply(EventReceived("paid", {})) == []
    assert case.late


def test_a_case_that_calls_another_waits_until_that_is_undone() -> None:
    inner = Workflow("inner", book("i"))
    flow = Workflow("w", sequence(book("a"), parallel(call(inner), task(name="b")(undo))))
    case, (a,) = begun(flow)
    called, b = started(case.apply(TaskCompleted(a, {})))
    assert case.apply(CancelRequested("")) == [CancelTask(called), CancelTask(b)]
    assert list(case.running) == [called]
    assert case.open_commands() == [CancelTask(called)]
    (first,) = started(case.apply(TaskFailed(called, "case x cancelled")))
    assert first == "1/w/a.undo/1"


# -- how it is written -----------------------------------------------------------------------


def test_a_definition_of_before_keeps_its_hash_and_a_new_one_has_another() -> None:
    plain = Workflow("w", task(name="a")(undo))
    assert plain.tasks["w"].document() == Task(undo, "a").document()
    assert len(plain.tasks["w"].document()) == 6
    hashes = {
        Workflow("w", task(name="a", **more)(undo)).content_hash
        for more in ({}, {"on_failure": "incident"}, {"compensate": undo})
    }
    assert len(hashes) == 3


@pytest.mark.parametrize(
    ("limits", "message"),
    [
        ({"on_failure": "wait"}, "task 'a': on_failure='wait'; use \"fail\" or \"incident\""),
        ({"compensate": book("b")}, "compensate='b' has a compensation itself; give a plain task"),
        ({"compensate": call("flow")}, "compensate='flow' calls a workflow; give a plain task"),
        ({"compensate": 7}, "7 is not a function"),
    ],
)
def test_a_compensation_that_cannot_be_is_refused(limits: dict[str, Any], message: str) -> None:
    with pytest.raises(DefinitionError) as caught:
        task(name="a", **limits)(undo)
    assert message in str(caught.value)
