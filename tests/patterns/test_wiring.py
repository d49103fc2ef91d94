"""Ends that do not fit are refused where they are put together, with both ends named."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from petriflow import Workflow
from petriflow.net import Net
from petriflow.net.errors import CompositionError, DefinitionError
from petriflow.patterns import (
    Event,
    all_of,
    arbitrary_cycles,
    cancel_region,
    cancellable,
    deferred_choice,
    event,
    exclusive_split,
    growing_instances,
    milestone,
    multi_merge,
    multi_split,
    multiple_instances,
    one_of,
    parallel,
    parallel_split,
    recursion,
    sequence,
    simple_merge,
    skip,
    structured_loop,
    synchronization,
    synchronizing_graph,
    thread_merge,
    thread_split,
    timer,
    transient_trigger,
    when,
)

from .brute import a, b, c, explore, faults

AND = parallel_split(a, b, name="both")
XOR = exclusive_split(when("x", a), otherwise=b, name="either")
OR = multi_split(when("x", a), when("y", b), otherwise=c, name="some")


@pytest.mark.promise("PAT-13")
@pytest.mark.parametrize(
    ("build", "words"),
    [
        (lambda: simple_merge(AND), "simple_merge.*'both'.*each of 2.*synchronization"),
        (lambda: simple_merge(OR), "simple_merge.*'some'.*some of 3.*multi_choice"),
        (lambda: synchronization(XOR), "synchronization.*'either'.*one of 2.*simple_merge"),
        (lambda: synchronization(OR), "synchronization.*'some'.*wait for ever"),
        (lambda: multi_merge(OR), "multi_merge.*'some'.*not known"),
        (lambda: multi_merge(XOR), "multi_merge.*'either'.*only one thread"),
        (lambda: synchronization(sequence(a, b)), "joins the branches of an open split"),
        (lambda: sequence(AND, c), "'both' ends with a token on each of 2.*'c' begins"),
        (lambda: parallel(AND, c), "parallel.*'both'.*synchronization"),
        (lambda: structured_loop(thread_split(2), until="x"), "2 threads.*thread_merge"),
        (lambda: sequence(thread_split(2), a, thread_merge(3)), "2 threads.*3 threads"),
        (lambda: sequence(a, thread_merge(2)), "one token.*2 threads.*thread_split"),
        (lambda: sequence(a, b).refine("a", thread_split(2)), "'sequence/a'.*2 threads"),
        (lambda: deferred_choice(a, sequence(skip, parallel(b, c))), "event.*timer"),
        (lambda: deferred_choice(a, skip), "does not begin with something that happens"),
        (lambda: cancellable(a, by=parallel(b, c)), "by= does not begin"),
        (lambda: cancel_region(a, beside=parallel(b, c), by=event("x")), "beside= does not begin"),
        (lambda: growing_instances(a, add=parallel(b, c), most=2), "add= does not begin"),
        (lambda: milestone(a, b, c), "expired="),
        (lambda: transient_trigger(a, b, fallback=False), "fallback=True"),
        (lambda: multiple_instances(sequence(a, b), 2), "call"),
        (lambda: multiple_instances(a, "n"), "most="),
        (lambda: multiple_instances(a, 2, required=3), "required=3 of 2"),
        (lambda: multiple_instances(a, 0), "count=0"),
        (lambda: recursion(sequence(a, b), before=b, after=c, again="x", depth=2), "not one task"),
        (lambda: recursion(a, before=b, after=c, again="x", depth=0), "depth=0"),
        (lambda: event("a/b"), "reserved for paths"),
    ],
)
def test_what_does_not_fit_is_refused(build: Callable[[], object], words: str) -> None:
    with pytest.raises(CompositionError) as refused:
        build()
    assert re.search(words, str(refused.value)), refused.value


@pytest.mark.promise("PAT-13")
def test_a_workflow_is_one_token_from_beginning_to_end() -> None:
    for body, words in ((AND, "each of 2"), (thread_split(2), "2 threads")):
        with pytest.raises(DefinitionError, match=words):
            _ = Workflow("w", sequence(a, body) if body is not AND else body).net


@pytest.mark.promise("PAT-13")
def test_threads_pass_through_any_step() -> None:
    for inner in (b, parallel(b, c), structured_loop(b, until="x")):
        fragment = sequence(thread_split(2), inner, thread_merge(2))
        assert faults(explore(fragment.net.expanded())) == []


def test_a_duration_that_cannot_be_read_is_refused() -> None:
    with pytest.raises(DefinitionError, match="write seconds"):
        timer("soon")


NET = (
    Net.build("n")
    .places("i", "p", "o")
    .transition("A", "i", "p")
    .transition("B", "p", "o")
    .silent("C", "p", "i2")
    .place("i2")
    .transition("D", "i2", "p")
    .done()
)
TASKS = {"A": a, "B": b, "D": c}
GRAPH_TASKS = {"a": a, "b": b}


@pytest.mark.parametrize(
    ("build", "words"),
    [
        (lambda: arbitrary_cycles(NET, {"A": a, "B": b}), "task 'D' has nothing to run"),
        (lambda: arbitrary_cycles(NET, TASKS | {"Z": a}), "'Z' is no task of it"),
        (
            lambda: arbitrary_cycles(NET, TASKS, choices={"p": {"B": "x"}}),
            r"choice at 'p'.*\['B', 'C'\]",
        ),
        (
            lambda: arbitrary_cycles(NET, TASKS, choices={"p": {"B": "x", "C": "y"}}),
            "None for just one",
        ),
        (lambda: arbitrary_cycles(NET, TASKS, triggers={"A": Event("x")}), "no silent transition"),
        (
            lambda: synchronizing_graph(all_of("a"), GRAPH_TASKS, {"a": "b", "b": "a"}),
            "on a circle",
        ),
        (
            lambda: synchronizing_graph(all_of("a"), GRAPH_TASKS, {"a": "end", "b": "end"}),
            "'b' is not reached",
        ),
        (
            lambda: synchronizing_graph(all_of("a", "z"), GRAPH_TASKS, {"a": "b", "b": "end"}),
            "no node 'z'",
        ),
        (
            lambda: synchronizing_graph(all_of("a"), GRAPH_TASKS, {"a": "end"}),
            "'b' must stand both",
        ),
        (
            lambda: synchronizing_graph(
                one_of("a", ("b", "x")), GRAPH_TASKS, {"a": "end", "b": "end"}
            ),
            "only the last way",
        ),
    ],
)
def test_what_is_no_graph_is_refused(build: Callable[[], object], words: str) -> None:
    with pytest.raises(CompositionError, match=words):
        build()
