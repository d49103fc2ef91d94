"""`interleavings`: all orders, none twice, and each can be told again as a story."""

from __future__ import annotations

from math import factorial
from typing import Any

import pytest

from petriflow import Workflow, task
from petriflow.execution.program import program
from petriflow.net import replay
from petriflow.net.errors import DefinitionError, StoryError
from petriflow.patterns import (
    deferred_choice,
    event,
    exclusive_choice,
    parallel,
    sequence,
    structured_loop,
    timer,
    when,
)
from petriflow.testing import (
    Choose,
    Complete,
    Fail,
    Ring,
    Signal,
    interleavings,
    raising,
    run_story,
)
from petriflow.testing.story import Story

from ..execution.test_interleavings import EXECUTABLE, Language, Word


def a(case: Any) -> None: ...
def b(case: Any) -> None: ...
def c(case: Any) -> None: ...
def d(case: Any) -> None: ...


@pytest.mark.parametrize("name", EXECUTABLE)
def test_the_runs_of_every_pattern_are_the_words_of_its_net(name: str) -> None:
    """The net's side is computed with net/firing.py alone."""
    workflow = Workflow("w", EXECUTABLE[name])
    language = Language(program(workflow))
    expected = language.words()
    runs = interleavings(workflow, guards="free", steps=max(map(len, expected)) - 1)
    assert {word(language, run) for run in runs if not run.incidents} == expected


def word(language: Language, run: Story) -> Word:
    """What the world did at each step, what was decided then, and where the net rests."""
    net, told = language.net, Story(run.workflow, guards="free")
    groups = [list(told.fired)]
    for step in run.steps:
        before = len(told.fired)
        told.do(step)
        if not isinstance(step, Choose):
            groups.append([])
        groups[-1] += told.fired[before:]
    assert (told.fired, told.marking, told.status) == (run.fired, run.marking, run.status)
    steps, marking = [], net.initial_marking
    for n, fired in enumerate(groups):
        marking = list(replay(net, fired, marking))[-1]
        did, rest = ("", fired) if n == 0 else (fired[0], fired[1:])
        steps.append((did, tuple(sorted(t for t in rest if t in language.decided)), marking))
    assert marking == run.marking
    return tuple(steps)


@pytest.mark.parametrize("n", [1, 2, 3, 4, 5])
def test_n_parallel_tasks_end_in_n_factorial_orders(n: int) -> None:
    tasks = [task(name=f"t{i}")(a) for i in range(n)]
    runs = [run.steps for run in interleavings(Workflow("w", parallel(*tasks) if n > 1 else a))]
    assert len(runs) == len(set(runs)) == factorial(n)


def test_two_branches_are_shuffled() -> None:
    """Two chains of two steps: 4! / (2! · 2!) orders."""
    flow = Workflow("w", parallel(sequence(a, b), sequence(c, d)))
    runs = {tuple(step.task for step in run.steps) for run in interleavings(flow)}
    assert len(runs) == 6
    assert all(run.index("a") < run.index("b") and run.index("c") < run.index("d") for run in runs)


def test_events_timers_and_bodies_race_in_every_order() -> None:
    flow = Workflow(
        "w", parallel(a, deferred_choice(sequence(event("x"), b), sequence(timer("1d"), c)))
    )
    runs = [run.steps for run in interleavings(flow, events={"x": {"by": "ada"}})]
    first = {run[0] for run in runs if isinstance(run[0], Ring | Complete)}
    assert first == {Complete("a"), Ring("timer-1")}
    assert sum(any(isinstance(s, Signal) for s in run) for run in runs) == 3
    assert sum(any(isinstance(s, Ring) for s in run) for run in runs) == 3


def test_real_guards_are_asked_and_free_guards_take_every_way() -> None:
    flow = Workflow("w", exclusive_choice(when("x > 1", a), when("x > 0", b), otherwise=c))
    (run,) = interleavings(flow, {"x": 1})
    assert run.steps == (Complete("b"),)
    free = [run.steps[1] for run in interleavings(flow, {"x": 1}, guards="free")]
    assert free == [Complete("a"), Complete("b"), Complete("c")]


def test_a_failing_order_is_found_and_shown_and_can_be_told_again() -> None:
    """Two branches write one variable: only the later of two different writes fails."""
    flow = Workflow("w", parallel(sequence(a, b), c))
    fakes = {
        "b": lambda case: {"seen": case.get("stock")},
        "c": lambda case: {"stock": 0},
        "a": {"stock": 1},
    }
    bad = [run for run in interleavings(flow, fakes=fakes) if run.status != "completed"]
    assert bad, "the conflict of stock was not found"
    for run in bad:
        assert all(f"{n}. {step}" in str(run) for n, step in enumerate(run.steps, 1))
        again = run_story(flow, *run.steps, fakes=fakes)
        assert (again.status, again.error) == (run.status, run.error)
        assert again.error is not None
        assert "stock" in again.error


def test_a_failing_body_is_tried_as_often_as_its_task_says() -> None:
    flow = Workflow("w", sequence(a, task(retries=2, name="b")(b)))
    (run,) = interleavings(flow, fakes={"b": raising(OSError("busy"))})
    assert run.steps == (Complete("a"), *[Fail("b")] * 3)
    assert (run.status, run.error) == ("failed", "task 'w/b': OSError: busy")
    assert run.time == 1 + 2  # the waits before the second and third attempt


def test_a_loop_is_cut_and_says_that_it_did_not_end() -> None:
    flow = Workflow("w", structured_loop(a, until="done"))
    (run,) = interleavings(flow, {"done": False}, steps=7)
    assert (len(run.steps), run.status, run.cut) == (7, "running", True)
    assert "running and cut here" in str(run)
    *ended, last = sorted(interleavings(flow, guards="free", steps=7), key=lambda run: run.cut)
    assert sorted(len(run.steps) for run in ended) == [2, 4, 6, 8, 10, 12, 14]
    assert [run.status for run in ended] == ["completed"] * 7
    assert last.cut


def test_too_many_orders_are_an_error_and_not_left_out() -> None:
    flow = Workflow("w", parallel(*(task(name=f"t{i}")(a) for i in range(4))))
    assert len(list(interleavings(flow, most=24))) == 24
    with pytest.raises(StoryError, match="more than 23 interleavings"):
        list(interleavings(flow, most=23))


def test_unknown_names_are_told_at_once_with_the_near_ones() -> None:
    flow = Workflow("w", sequence(event("paid"), a, b))
    with pytest.raises(DefinitionError, match="did you mean 'paid'"):
        interleavings(flow, events={"payd": {}})
    with pytest.raises(DefinitionError, match=r"no task 'x'.*there are: 'a', 'b'"):
        interleavings(flow, fakes={"x": {}})
