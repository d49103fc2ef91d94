"""What a case can do is what its net can do: no more, and no less.

The net's side is played by net/firing.py with the engine's priority: what is silent or starts a
task fires before anything from outside, in the order of the net. The case's side is every answer
that the world can give, in every order.
"""

from __future__ import annotations

import pytest

from petriflow import Workflow
from petriflow.execution.case import Case
from petriflow.execution.events import (
    CaseStarted,
    Command,
    Decide,
    Decided,
    Event,
    EventReceived,
    StartTask,
    TaskCompleted,
    TimerFired,
)
from petriflow.execution.program import Program, program
from petriflow.net import Marking, enabled, fire
from petriflow.patterns import (
    Fragment,
    cancel_case,
    cancel_region,
    cancellable,
    complete_instances,
    deferred_choice,
    event,
    growing_instances,
    milestone,
    sequence,
    skip,
    timer,
)
from petriflow.patterns.fragment import Event as Happening
from petriflow.patterns.fragment import as_fragment
from petriflow.testing.ways import ways

from ..patterns.brute import a, b, c, d
from ..patterns.test_reference_nets import BUILT

#: Patterns as they are run: what the reference leaves to the world is an event or a timer.
RUN: dict[str, Fragment] = {
    "deferred choice": deferred_choice(sequence(event("x"), a), sequence(timer(5), b)),
    "milestone": milestone(a, sequence(event("leave"), b), sequence(event("try"), c), expired=skip),
    "milestone, expired task": milestone(event("x"), event("y"), a, expired=b),
    "cancel task": cancellable(a, by=event("stop"), then=b),
    "cancel several": cancellable(sequence(a, b), c, by=timer("1h")),
    "cancel case": cancel_case(sequence(a, b), c, by=Happening("give up")),
    "cancel region": cancel_region(a, beside=sequence(event("go"), b), by=event("stop"), then=c),
    "growing": growing_instances(a, add=event("more"), most=3, close=Happening("enough")),
    "growing until": growing_instances(a, add=event("more"), most=3, until="x", then=b),
    "complete instances": complete_instances(a, 3, by=Happening("enough"), then=b),
    "transient": sequence(event("x", transient=True), a),
    "same event twice": deferred_choice(sequence(event("x"), a), sequence(timer(1), event("y"), d)),
}
PATTERNS = {name: as_fragment(build()) for name, build in BUILT.items() if name[:3] != "BAD"} | RUN
#: the blocking discriminators of the reference have no task, and so are no workflows
PATTERNS = {name: fragment for name, fragment in PATTERNS.items() if fragment.tasks}


def settle(known: Program, marking: Marking) -> Marking:
    """Fire what fires by itself."""
    net = known.workflow.expanded
    asked = known.decides.keys() | known.tallied.keys() | known.triggers.keys()
    eager = {t.id for n, t in enumerate(net.transitions) if n in known.everything_set - asked}
    while ready := [t for t in enabled(net, marking) if t.id in eager]:
        marking = fire(ready[0], marking, net)
    return marking


def of_the_net(known: Program) -> tuple[set[Marking], set[Marking]]:
    """The markings at which it rests, and those of them that lie within a decision."""
    net = known.workflow.expanded
    index = known.net.transition_index
    asked = known.decides.keys() | known.tallied.keys()
    patient = {t for t, d in known.decides.items() if d.choice.patient}
    found, within, todo = set(), set(), [settle(known, net.initial_marking)]
    while todo:
        marking = todo.pop()
        if marking in found:
            continue
        found.add(marking)
        world = list(enabled(net, marking))
        if any(index[t.id] in asked - patient for t in world):
            within.add(marking)
        todo += [settle(known, fire(t, marking, net)) for t in world]
    return found, within


def answers(case: Case, command: Command) -> list[Event]:
    match command:
        case StartTask(firing_id):
            return [TaskCompleted(firing_id, {})]
        case Decide(path, number):
            return [Decided(path, number, takes) for takes in ways(case.program, path)]
    raise AssertionError(command)


def copy(case: Case) -> Case:
    return Case.load(case.program, case.id, case.status, case.seq, case.error, case.dump())


def of_the_case(known: Program) -> set[Marking]:
    """The markings at which a case can rest, whatever the world does; and how it ends."""
    first = Case(known, "c")
    first.apply(CaseStarted({}))
    found, seen, todo = set(), set(), [first]
    while todo:
        case = todo.pop()
        state = (
            case.marking,
            case.status,
            frozenset(case.deciding),
            frozenset(case._asked.items()),
            frozenset(case.waiting.since),
        )
        if state in seen:
            continue
        seen.add(state)
        found.add(case.marking)
        if case.finished:
            assert case.status == ("completed" if is_end(known, case.marking) else "deadlocked")
            continue
        world: list[Event] = [
            e
            for command in case.open_commands()
            if not is_timer(command)
            for e in answers(case, command)
        ]
        world += [TimerFired(timer.timer) for timer in case.waiting.timers]
        names = {t.name for t in known.triggers.values() if isinstance(t, Happening)}
        world += [EventReceived(name, {}) for name in sorted(names) if case.waiting.taker(name)]
        for happens in world:
            after = copy(case)
            after.apply(happens)
            assert not after.late
            todo.append(after)
    return found


def is_timer(command: Command) -> bool:
    return hasattr(command, "seconds")


def is_end(known: Program, marking: Marking) -> bool:
    return marking == Marking(known.workflow.expanded.sink.id)


@pytest.mark.promise("RUN-8")
@pytest.mark.parametrize("name", PATTERNS)
def test_a_case_rests_exactly_where_its_net_can_rest(name: str) -> None:
    known = program(Workflow("w", PATTERNS[name]))
    rests, within = of_the_net(known)
    reached = of_the_case(known)
    assert reached <= rests, "the case can do what the net cannot"
    assert rests - reached <= within, "the net can do what the case cannot"
