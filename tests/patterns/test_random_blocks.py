"""Whatever is composed of the patterns is sound, and its parts are found in the whole."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from petriflow.net import Marking
from petriflow.patterns import (
    Fragment,
    discriminator,
    exclusive_choice,
    multi_choice,
    parallel,
    sequence,
    skip,
    structured_loop,
    when,
)
from petriflow.patterns.fragment import within

from .blocks import LEAVES, Block, compositions
from .brute import TooMany, a, b, both, c, d, explore, faults

SLOW = settings(suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])

PATTERNS = {
    "sequence", "parallel", "exclusive_choice", "multi_choice", "structured_loop",
    "discriminator", "cancelling_discriminator", "task", "skip", "deferred_choice", "event",
    "critical_section", "interleaved_routing", "cancellable", "cancel_region", "milestone",
    "multiple_instances", "explicit_termination",
}  # fmt: skip


def check_sound(fragment: Fragment, limit: int = 4_000) -> None:
    for net in both(fragment):
        assert [p.id for p in net.sources] == [fragment.entry]
        assert [p.id for p in net.sinks] == [fragment.exit]
        try:
            assert faults(explore(net, limit)) == []
        except TooMany:  # the atomic net, which comes first, is far smaller
            assert net.form == "expanded"


@pytest.mark.promise("PAT-10")
@given(compositions())
@SLOW
@example(discriminator(discriminator(a, b, cancel=True), a, required=2, cancel=True, then=skip))
@example(structured_loop(discriminator(a, parallel(a, b), skip, required=1), while_="x"))
@example(multi_choice(when("x", skip), when("y", skip), when("z", a), exhaustive=True))
@example(sequence(skip, structured_loop(sequence(skip, a, skip), until="x"), skip))
def test_every_composition_is_sound_in_both_forms(fragment: Fragment) -> None:
    check_sound(fragment)


@pytest.mark.promise("PAT-9")
@given(compositions(depth=2, tasks=4), LEAVES | compositions(depth=2, tasks=3), st.data())
@SLOW
def test_a_task_replaced_by_any_composition_leaves_a_sound_whole(
    outer: Fragment, inner: Block, data: st.DataObject
) -> None:
    task = data.draw(st.sampled_from(sorted(outer.tasks)))
    check_sound(outer.refine(task, inner))


@given(compositions())
@SLOW
@example(sequence(parallel(a, exclusive_choice(when("x", b), otherwise=skip)), parallel(c, d)))
@example(parallel(structured_loop(multi_choice(when("x", a), otherwise=b), while_="y"), c))
def test_choices_blocks_and_regions_speak_of_nodes_that_are_there(fragment: Fragment) -> None:
    net = fragment.net
    for choice in fragment.choices:
        assert choice.place == net.place(choice.place).id
        selected = [net.transition(s.transition) for s in choice.selectors]
        assert all(t.silent and t.origin.path == choice.path for t in selected)
        # the decision is open while its place is marked, and by nothing else
        assert {t.id for t in net.consumers[choice.place]} <= {t.id for t in selected}
        if len(choice.selectors) <= 2 ** len(choice.branches):
            assert all(t.consume == Marking(choice.place) for t in selected)
        for selector in choice.selectors:
            assert selector.takes.isdisjoint(selector.skips)
            assert selector.takes | selector.skips <= set(range(len(choice.branches)))
    paths = [choice.path for choice in fragment.choices]
    assert len(paths) == len(set(paths))
    for block in fragment.blocks:
        assert all(net.transition(t).origin.path == block.path for t in block.splits | block.joins)
        for branch in block.branches:
            assert branch.startswith(f"{block.path}/")
            names = [n for p in net.places for n in (p.id, *p.aliases)]
            assert any(within(branch, name) for name in names)
    for region in fragment.regions:
        canceller = net.transition(region.transition)
        assert set(region.places) <= canceller.reset
        for path in region.paths:
            assert {p.id for p in net.places if within(path, p.id)} <= canceller.reset
            assert {id for id in fragment.tasks if within(path, id)} <= canceller.cancels


@pytest.mark.promise("PAT-1")
@given(compositions())
@SLOW
def test_every_id_is_the_path_of_its_origin_and_its_role(fragment: Fragment) -> None:
    for net in both(fragment):
        for node in (*net.places, *net.transitions):
            assert node.origin is not None
            assert node.origin.pattern in PATTERNS
            path, role = node.origin.path, node.origin.role
            assert node.id == (path if role == "task" else f"{path}.{role}")
            assert node.id.split("/")[0].split(".")[0] == fragment.root
        for place in net.places:
            assert len(place.aliases) == len(set(place.aliases))
            assert place.id not in place.aliases


@given(compositions())
@SLOW
def test_entries_and_exits_are_borders(fragment: Fragment) -> None:
    assert not fragment.net.producers[fragment.entry]
    assert not fragment.net.consumers[fragment.exit]
    assert not any(fragment.exit in t.reset for t in fragment.net.transitions)


@given(compositions(depth=2))
@SLOW
def test_a_composition_inside_others_keeps_all_that_it_means(fragment: Fragment) -> None:
    """Two levels down, the same nodes, arcs and decisions, under new names."""
    whole = sequence(a, parallel(b, sequence(c, fragment, name="near"), name="far"), name="top")
    path = f"top/far/near/{fragment.pattern}-2"

    def moved(id: str) -> str:
        return path + id.removeprefix(fragment.root)

    here = {name: p.id for p in whole.net.places for name in (p.id, *p.aliases)}
    for t in fragment.net.transitions:
        there = whole.net.transition(moved(t.id))
        assert there.label == t.label
        assert there.consume == Marking({here[moved(p)]: n for p, n in t.consume.items()})
        assert there.produce == Marking({here[moved(p)]: n for p, n in t.produce.items()})
        assert there.reset == {here[moved(p)] for p in t.reset}
        assert there.cancels == {moved(task) for task in t.cancels}
    choices = {choice.path: choice for choice in whole.choices}
    assert len(choices) == len(fragment.choices)
    for choice in fragment.choices:
        there = choices[moved(choice.path)]
        assert there.place == here[moved(choice.place)]
        assert there.branches == choice.branches
        assert [(moved(s.transition), s.takes, s.skips) for s in choice.selectors] == [
            (s.transition, s.takes, s.skips) for s in there.selectors
        ]
    inside = {block.path: block for block in whole.blocks}
    for block in fragment.blocks:
        there = inside[moved(block.path)]
        assert there.splits == set(map(moved, block.splits))
        assert there.joins == set(map(moved, block.joins))
        assert there.branches == tuple(map(moved, block.branches))
    assert {moved(id): task for id, task in fragment.tasks.items()}.items() <= whole.tasks.items()
