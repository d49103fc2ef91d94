"""Joins that do not wait for everybody: who is waited for, and what is left of the others."""

from __future__ import annotations

from collections import Counter

import pytest

from petriflow.net import Marking, Net, enabled, fire
from petriflow.net.errors import CompositionError
from petriflow.patterns import (
    Fragment,
    discriminator,
    parallel,
    partial_join,
    sequence,
    skip,
    structured_loop,
)

from .brute import LETTERS, a, b, both, c, d, explore, faults, late, runs, tokens_within


def histories(net: Net) -> set[tuple[Marking, frozenset[tuple[str, int]]]]:
    """Every reachable marking, with how often each task has ended on a way to it."""
    start = Marking(net.source.id), frozenset[tuple[str, int]]()
    seen, todo = {start}, [start]
    while todo:
        marking, done = todo.pop()
        for t in enabled(net, marking):
            ends = t.label and not t.id.endswith(".start")
            counts = Counter(dict(done)) + Counter([t.label] if ends else [])
            after = fire(t, marking), frozenset(counts.items())
            if after not in seen:
                seen.add(after)
                todo.append(after)
    return seen


SIZES = [(n, m) for m in range(1, 5) for n in range(1, m + 1)]


@pytest.mark.promise("PAT-6")
@pytest.mark.parametrize(("n", "m"), SIZES)
def test_a_discriminator_goes_on_after_the_required_arrivals_and_no_earlier(n: int, m: int) -> None:
    fragment = discriminator(*LETTERS[:m], required=n, then=late)
    ready = fragment.ports["entry"].place.replace(".in", ".ready")
    for net in both(fragment):
        can_go_on = {
            marking
            for marking in explore(net).markings
            if any(t.id == "discriminator.fire" for t in enabled(net, marking))
        }
        for marking, done in histories(net):
            arrived = sum(count for task, count in done if task != "late")
            # as soon as enough have arrived it can go on, and it does so once
            assert (marking in can_go_on) == (arrived >= n and marking[ready] == 1)
            if dict(done).get("late"):
                assert arrived >= n


@pytest.mark.promise("PAT-6")
@pytest.mark.parametrize(("n", "m"), SIZES)
def test_a_discriminator_ends_only_when_everybody_has_ended(n: int, m: int) -> None:
    fragment = discriminator(*LETTERS[:m], required=n, then=late)
    once = dict.fromkeys([*"abcd"[:m], "late"], 1)
    for net in both(fragment):
        ends = [dict(done) for marking, done in histories(net) if marking[fragment.exit]]
        assert ends == [once]


def test_the_continuation_overlaps_the_late_branches_and_is_not_their_end() -> None:
    words = runs(discriminator(a, b, then=late).net, 3)
    assert words == {
        ("a", "b", "late"),
        ("a", "late", "b"),
        ("b", "a", "late"),
        ("b", "late", "a"),
    }


@pytest.mark.promise("PAT-6")
@pytest.mark.parametrize("n", [1, 2, 3])
def test_a_discriminator_in_a_loop_begins_each_round_afresh(n: int) -> None:
    fragment = structured_loop(discriminator(a, b, c, required=n), until="x")
    for net in both(fragment):
        space = explore(net)
        assert faults(space) == []
        assert space.bound == 3


def check_cancelling(fragment: Fragment, branches: list[str]) -> None:
    for net in both(fragment):
        space = explore(net)
        assert faults(space) == []
        fired = [edge for edge in space.edges if ".fire" in edge[1]]
        assert fired
        for _, _, after in fired:
            assert [tokens_within(path, after) for path in branches] == [{}] * len(branches)


@pytest.mark.promise("PAT-7")
@pytest.mark.parametrize("counting", [False, True])
@pytest.mark.parametrize(("n", "m"), SIZES)
def test_a_cancelling_discriminator_leaves_nothing_in_its_branches(
    n: int, m: int, counting: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if counting:
        monkeypatch.setattr(partial_join, "MOST_SUBSET_BRANCHES", 0)
    fragment = discriminator(*LETTERS[:m], required=n, cancel=True, name="race")
    check_cancelling(fragment, [f"race/{letter}" for letter in "abcd"[:m]])
    for marking, done in histories(fragment.net):
        if marking[fragment.exit]:
            assert sum(dict(done).values()) >= n


@pytest.mark.promise("PAT-7")
@pytest.mark.parametrize("n", [6, 7])
def test_a_cancelling_discriminator_of_many_branches_leaves_nothing_in_them(n: int) -> None:
    fragment = discriminator(*LETTERS[:n], required=2, cancel=True, name="race")
    check_cancelling(fragment, [f"race/{letter}" for letter in "abcdefg"[:n]])


@pytest.mark.promise("PAT-7")
def test_what_lies_deep_in_a_branch_is_cancelled_too() -> None:
    branch = sequence(a, parallel(b, discriminator(c, d, cancel=True)), name="long")
    fragment = discriminator(branch, late, cancel=True, name="race")
    for net in both(fragment):
        space = explore(net)
        assert faults(space) == []
        for _, t, after in space.edges:
            if t.startswith("race.fire"):
                assert after == Marking(fragment.exit)


def test_the_search_sees_a_task_that_is_not_withdrawn() -> None:
    """The omission is invisible in the atomic net, as in the published net BAD12."""
    fragment = discriminator(a, b, cancel=True, then=c)
    net = fragment.net
    forgetful = Net(
        "forgetful",
        net.places,
        tuple(type(t)(t.id, t.label, t.consume, t.produce, reset=t.reset) for t in net.transitions),
    )
    assert faults(explore(forgetful)) == []
    assert any("improper end" in fault for fault in faults(explore(forgetful.expanded())))


def test_branches_and_continuations_may_do_nothing() -> None:
    for cancel in (False, True):
        for then in (None, skip, a):
            fragment = discriminator(b, skip, skip, required=2, then=then, cancel=cancel)
            assert [x for net in both(fragment) for x in faults(explore(net))] == []
    assert runs(discriminator(a, skip, then=late).net, 3) == {("a", "late"), ("late", "a")}


@pytest.mark.parametrize("required", [0, 3, -1, 1.0, "1", True, None])
@pytest.mark.parametrize("cancel", [False, True])
def test_a_required_number_that_makes_no_sense_is_refused(required: object, cancel: bool) -> None:
    with pytest.raises(CompositionError, match="use a number from 1 to 2"):
        discriminator(a, b, required=required, cancel=cancel)


def test_a_discriminator_of_nothing_is_refused() -> None:
    with pytest.raises(CompositionError, match="needs at least 1 part, got 0"):
        discriminator(then=a)
