"""Whether the data let a trace happen: correlated choices, and what may be written between them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, Field

from petriflow import Workflow
from petriflow.analysis.guards.feasibility import Feasibility, feasible
from petriflow.net import Marking, enabled, fire
from petriflow.net.errors import NetError, NotEnabled
from petriflow.patterns import (
    Fragment,
    event,
    exclusive_choice,
    multi_choice,
    parallel,
    sequence,
    skip,
    structured_loop,
    when,
)
from petriflow.workflow.guard import read_guard


class Data(BaseModel):
    x: int = Field(0, ge=-3, le=3)
    y: int = Field(0, ge=-3, le=3)


def step(name: str) -> Callable[..., None]:
    def body(case: object) -> None: ...

    body.__name__ = body.__qualname__ = name
    return body


def asks(guard: str, name: str, yes: Any = skip, no: Any = skip) -> Fragment:
    return exclusive_choice(when(guard, yes), otherwise=no, name=name)


def of(*parts: Any, model: type[BaseModel] | None = Data) -> Workflow:
    return Workflow("w", sequence(*parts, step("last")), variables=model)


def took(workflow: Workflow, *names: str) -> Feasibility:
    """The shortest trace on which the choices fire these selectors, by the ends of their ids, and
    tasks start and complete, by theirs.
    """
    net = workflow.expanded
    trace: list[str] = []
    marking = net.initial_marking
    for name in names:
        seen: dict[Marking, list[str]] = {marking: []}
        waiting = [marking]
        found = None
        while waiting and found is None:
            now = waiting.pop(0)
            for t in enabled(net, now):
                if t.id.endswith(name):
                    found = fire(t, now, net), [*seen[now], t.id]
                    break
                after = fire(t, now, net)
                silent = t.silent and "select" not in t.id
                if silent and after not in seen:
                    seen[after] = [*seen[now], t.id]
                    waiting.append(after)
        assert found is not None, f"{name} cannot come next"
        marking, trace = found[0], trace + found[1]
    return feasible(workflow, trace)


@pytest.mark.promise("GUARD-2")
def test_choices_on_the_same_values_must_agree() -> None:
    """PATTERNS §6: an XOR on x, and later an XOR on x again."""
    workflow = of(asks("x > 0", "one"), asks("x > 0", "two"))
    for one, two, answer in [
        ("one.select-skip-1", "two.select-skip-1", "yes"),
        ("one.select-otherwise", "two.select-otherwise", "yes"),
        ("one.select-skip-1", "two.select-otherwise", "no"),
        ("one.select-otherwise", "two.select-skip-1", "no"),
    ]:
        assert took(workflow, one, two).answer == answer
    found = took(workflow, "one.select-skip-1", "two.select-otherwise")
    assert [(d.choice, d.guard, d.holds) for d in found.conflict] == [
        ("w/one", "x > 0", True),
        ("w/two", "x > 0", False),
    ]
    assert str(found) == ("infeasible: 'x > 0' is true at 'w/one'; 'x > 0' is false at 'w/two'")
    assert found.to_json()["conflict"][0]["step"] == 0


def test_the_false_alarm_of_correlated_choices_is_found_infeasible() -> None:
    """A witness of the abstract net: split as one, joined as the other."""
    workflow = of(
        asks("x > 0", "one"),
        asks("y > x", "two"),
        asks("x + y > 6", "three"),
        asks("y < 3", "four"),
    )
    steps = ["one.select-skip-1", "two.select-skip-1", "three.select-otherwise"]
    assert took(workflow, *steps).answer == "yes"
    found = took(workflow, *steps[:2], "three.select-skip-1")
    assert found.answer == "no"
    assert [d.choice for d in found.conflict] == ["w/three"]  # no more than is needed


def test_a_task_between_two_choices_may_write_every_variable() -> None:
    workflow = of(asks("x > 0", "one"), step("writes"), asks("x > 0", "two"))
    found = took(
        workflow, "one.select-skip-1", "writes.start", "writes.complete", "two.select-otherwise"
    )
    assert found.answer == "yes"
    first, second = found.examples.values()
    assert first["x"] > 0 >= second["x"]
    assert "at first" in str(found)


def test_an_event_may_bring_values_and_a_started_task_does_not() -> None:
    told = of(asks("x > 0", "one"), event("told"), asks("x > 0", "two"))
    assert took(told, "one.select-skip-1", "told.happens", "two.select-otherwise").answer == "yes"
    beside = of(parallel(step("slow"), sequence(asks("x > 0", "one"), asks("x > 0", "two"))))
    names = ["slow.start", "one.select-skip-1", "two.select-otherwise"]
    assert took(beside, *names).answer == "no"


def test_a_branch_has_variables_of_its_own_that_begin_as_those_around_it() -> None:
    inside = of(
        asks("x > 0", "one"),
        parallel(
            sequence(step("left"), asks("x > 0", "two"), name="l"),
            sequence(asks("x > 0", "three"), name="r"),
        ),
        asks("x > 0", "four"),
    )
    left = ["left.start", "left.complete"]
    yes = "one.select-skip-1"
    assert took(inside, yes, "three.select-otherwise").answer == "no"
    # what the left branch wrote is not seen in the right one, and is seen after the join
    assert took(inside, yes, *left, "three.select-otherwise").answer == "no"
    assert took(inside, yes, *left, "two.select-otherwise").answer == "yes"
    mixed = [*left, "two.select-otherwise", "three.select-skip-1", "four.select-otherwise"]
    assert took(inside, yes, *mixed).answer == "yes"


def test_a_join_after_nothing_was_written_changes_nothing() -> None:
    quiet = of(
        asks("x > 0", "one"), parallel(asks("y > 0", "a"), asks("y > 0", "b")), asks("x > 0", "two")
    )
    names = ["one.select-skip-1", "a.select-skip-1", "b.select-skip-1"]
    assert took(quiet, *names, "two.select-otherwise").answer == "no"
    assert took(quiet, "one.select-skip-1", "a.select-skip-1", "b.select-otherwise").answer == "no"


def test_a_loop_is_asked_again_about_what_its_body_left() -> None:
    idle = structured_loop(asks("y > 0", "test"), while_="x > 0", name="loop")
    workflow = of(idle)
    again = ["loop.again", "test.select-skip-1"]
    assert took(workflow, *again, "loop.leave").answer == "no"
    works = of(structured_loop(step("work"), while_="x > 0", name="loop"))
    assert took(works, "loop.again", "work.start", "work.complete", "loop.leave").answer == "yes"


@pytest.mark.parametrize("branches", [3, pytest.param(7, marks=pytest.mark.slow)])
def test_a_multi_choice_is_decided_at_once_also_where_it_is_a_chain(branches: int) -> None:
    guards = [f"x > {n - 4}" for n in range(branches)]
    body = multi_choice(
        *(when(guard, step(f"t{n}")) for n, guard in enumerate(guards)), otherwise=skip, name="m"
    )
    workflow = of(body)
    net = workflow.expanded

    def walk(
        trace: list[str], marking: Marking, takes: set[int]
    ) -> list[tuple[list[str], set[int]]]:
        found = []
        for t in enabled(net, marking):
            for s in workflow.choices[0].selectors:
                if s.transition == t.id:
                    found += walk([*trace, t.id], fire(t, marking, net), takes | s.takes)
        return found or [(trace, takes)]

    for trace, takes in walk([], net.initial_marking, set()):
        held = [
            x for x in range(-3, 4)
            if {n for n, g in enumerate(guards) if read_guard(g)({"x": x})} == takes
            or (takes == {branches} and not any(read_guard(g)({"x": x}) for g in guards))
        ]  # fmt: skip
        found = feasible(workflow, trace)
        assert found.answer == ("yes" if held else "no"), trace
        if held:
            assert found.examples[0]["x"] in held


def test_traces_of_the_atomic_net_are_taken_too() -> None:
    workflow = of(asks("x > 0", "one", step("a")), asks("x > 0", "two"))
    trace = ["w/one.select-a", "w/one/a", "w/two.select-otherwise"]
    assert feasible(workflow, trace).answer == "yes"
    assert feasible(workflow, []).answer == "yes"


def test_a_trace_that_cannot_happen_is_an_error_that_says_so() -> None:
    workflow = of(asks("x > 0", "one"))
    with pytest.raises(NetError, match="'nowhere', which is no transition of 'w'"):
        feasible(workflow, ["nowhere"])
    with pytest.raises(NotEnabled):
        feasible(workflow, ["w/last.complete"])


def test_without_types_it_is_unknown() -> None:
    workflow = of(asks("x > 0", "one"), model=None)
    found = took(workflow, "one.select-skip-1")
    assert found.answer == "unknown"
    assert "declares no types" in str(found)


# -- against brute force ------------------------------------------------------------------------

GUARDS = st.sampled_from(["x > 0", "x == y", "y < -1", "x + y > 2", "not x", "x % 2 == 1", "x > 5"])


@pytest.mark.promise("GUARD-2")
@pytest.mark.slow
@settings(max_examples=40, deadline=None)
@given(st.lists(GUARDS, min_size=1, max_size=4), st.data())
def test_without_tasks_a_row_of_choices_is_feasible_just_for_the_values_that_take_it(
    guards: list[str], data: st.DataObject
) -> None:
    workflow = of(*(asks(guard, f"c{n}") for n, guard in enumerate(guards)))
    ways = data.draw(st.lists(st.booleans(), min_size=len(guards), max_size=len(guards)))
    names = [f"c{n}.select-{'skip-1' if way else 'otherwise'}" for n, way in enumerate(ways)]
    held = [
        {"x": x, "y": y}
        for x in range(-3, 4)
        for y in range(-3, 4)
        if [bool(read_guard(g)({"x": x, "y": y})) for g in guards] == ways
    ]
    found = took(workflow, *names)
    assert found.answer == ("yes" if held else "no")
    for values in found.examples.values():
        assert any(values.items() <= h.items() for h in held)
