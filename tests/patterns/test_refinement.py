"""A task replaced by a fragment: the whole stays sound, and what cancelled the task cancels all."""

from __future__ import annotations

import pytest

from petriflow.net.errors import CompositionError
from petriflow.patterns import (
    Fragment,
    discriminator,
    exclusive_choice,
    multi_choice,
    parallel,
    partial_join,
    sequence,
    skip,
    structured_loop,
    when,
)
from petriflow.patterns.fragment import as_fragment, within

from .brute import LETTERS, a, b, both, c, d, e, explore, faults, late, runs

WHOLES = [
    sequence(a, b, c),
    parallel(a, b),
    exclusive_choice(when("x", a), otherwise=b),
    multi_choice(when("x", a), when("y", b), otherwise=c),
    discriminator(a, b, c, required=2, then=late),
    discriminator(a, b, c, required=2, then=late, cancel=True),
    discriminator(*LETTERS[:7], cancel=True),
    structured_loop(a, while_="x"),
    structured_loop(a, until="x"),
    parallel(discriminator(sequence(a, b), discriminator(c, d, cancel=True), cancel=True), e),
]

INNERS = [
    as_fragment(late),
    sequence(c, late),
    parallel(c, late, name="named"),
    exclusive_choice(when("z", late), otherwise=skip),
    structured_loop(late, while_="z"),
    discriminator(c, late, cancel=True, then=d),
    skip,
]


def cancelled(fragment: Fragment) -> None:
    """Every region holds every node below its paths, running places included."""
    expanded = fragment.net.expanded()
    for region in fragment.regions:
        canceller = expanded.transition(region.transition)
        below = {p.id for p in expanded.places for path in region.paths if within(path, p.id)}
        assert below <= canceller.reset


@pytest.mark.promise("PAT-9")
@pytest.mark.parametrize("whole", WHOLES, ids=lambda whole: whole.pattern)
def test_any_task_can_be_replaced_by_any_fragment(whole: Fragment) -> None:
    for task in whole.tasks:
        for inner in INNERS:
            refined = whole.refine(task, inner)
            assert set(refined.tasks) - set(whole.tasks) == {
                task + id.removeprefix(inner.root) for id in inner.tasks
            } - {task}
            cancelled(refined)
            if len(whole.tasks) < 7:
                assert [x for net in both(refined) for x in faults(explore(net))] == []


@pytest.mark.promise("PAT-9")
@pytest.mark.parametrize("counting", [False, True])
def test_the_new_nodes_of_a_cancelled_branch_are_cancelled_with_it(
    counting: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if counting:
        monkeypatch.setattr(partial_join, "MOST_SUBSET_BRANCHES", 0)
    whole = discriminator(a, b, cancel=True, then=c, name="race")
    refined = whole.refine("a", parallel(d, e))
    fire = refined.net.expanded().transition("race.fire" if counting else "race.fire-b")
    assert {
        "race/a/d.in", "race/a/d.running", "race/a/d.out",
        "race/a/e.in", "race/a/e.running", "race/a/e.out",
        "race/b.running",
    } <= fire.reset  # fmt: skip
    assert "race/a.running" not in refined.net.expanded()
    assert [x for net in both(refined) for x in faults(explore(net))] == []


@pytest.mark.promise("PAT-9")
def test_a_replacement_can_be_refined_again() -> None:
    whole = discriminator(a, b, cancel=True, name="race")
    once = whole.refine("a", sequence(c, d))
    twice = once.refine("race/a/c", structured_loop(parallel(e, late), until="x"))
    assert {"race/a/c/parallel-1/e", "race/a/c/parallel-1/late", "race/a/d", "race/b"} == set(
        twice.tasks
    )
    cancelled(twice)
    assert [x for net in both(twice) for x in faults(explore(net))] == []


def test_a_replacement_stands_where_the_task_stood() -> None:
    refined = sequence(a, b, c).refine("b", parallel(d, e))
    assert runs(refined.net, 4) == {("a", "d", "e", "c"), ("a", "e", "d", "c")}
    assert runs(sequence(a, b, c).refine("b", skip).net, 3) == {("a", "c")}
    assert runs(as_fragment(a).refine("a", sequence(b, c)).net, 3) == {("b", "c")}


def test_the_choices_around_and_inside_keep_their_places() -> None:
    whole = sequence(a, exclusive_choice(when("x", b), otherwise=c, name="pick"), name="s")
    refined = whole.refine("a", structured_loop(d, until="y")).refine(
        "b", exclusive_choice(when("z", d), otherwise=e)
    )
    for choice in refined.choices:
        waiting = {t.id for t in refined.net.consumers[choice.place]}
        assert waiting == {s.transition for s in choice.selectors}
    assert {x.path for x in refined.choices} == {"s/a", "s/pick", "s/pick/b"}


def test_a_task_is_named_by_its_id_or_by_its_last_segment_where_that_is_clear() -> None:
    whole = sequence(a, parallel(a, b, name="both"), name="s")
    assert "s/a/d" in whole.refine("s/a", sequence(d, e)).tasks
    assert "s/both/a/d" in whole.refine("both/a", sequence(d, e)).tasks
    with pytest.raises(CompositionError, match="has 2 tasks 'a'; it has 's/a', 's/both/a'"):
        whole.refine("a", d)
    with pytest.raises(CompositionError, match="has no tasks 'zebra'; it has 's/a'"):
        whole.refine("zebra", d)


def test_a_full_id_wins_over_a_longer_one_that_ends_like_it() -> None:
    inner = sequence(sequence(a, name="y"), name="x")
    whole = sequence(sequence(a, name="y"), inner, name="x")
    assert set(whole.tasks) == {"x/y/a", "x/x/y/a"}
    assert set(whole.refine("x/y/a", b).tasks) == {"x/y/a", "x/x/y/a"}
    assert whole.refine("x/y/a", b).tasks["x/y/a"] is b
    assert whole.refine("x/y/a", b).tasks["x/x/y/a"] is a
