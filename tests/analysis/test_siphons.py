"""Siphons and traps against their definitions, subset by subset, and against the token game."""

from __future__ import annotations

from itertools import chain, combinations, product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from petriflow.analysis.structural.siphons import (
    dry_siphon,
    largest_siphon,
    largest_trap,
    siphons,
    standstill,
    traps,
)
from petriflow.net import Marking, Net, Transition, enabled, fire

from ..nets import nets
from .test_reduction import ordinary

Sets = list[frozenset[str]]


def is_siphon(net: Net, places: frozenset[str]) -> bool:
    """With no token in it, whoever would put one into it is not enabled, for want of one."""

    def blocked(t: Transition) -> bool:
        if t.join == "or":
            return t.consume.keys() <= places or bool(t.read.keys() & places)
        return bool((t.consume.keys() | t.read.keys()) & places)

    return all(blocked(t) for t in net.transitions if t.produce.keys() & places)


def is_trap(net: Net, places: frozenset[str]) -> bool:
    return all(
        t.produce.keys() & places for t in net.transitions if (t.consume.keys() | t.reset) & places
    )


def subsets(net: Net) -> Sets:
    ids = [p.id for p in net.places]
    sizes = range(1, len(ids) + 1)
    return [frozenset(c) for c in chain(*(combinations(ids, n) for n in sizes))]


def smallest(sets: Sets) -> set[frozenset[str]]:
    return {s for s in sets if not any(other < s for other in sets)}


@pytest.mark.promise("NETS-1")
@settings(max_examples=150, deadline=None)
@given(nets() | ordinary(), st.sets(st.sampled_from("ipqrso")))
def test_siphons_and_traps_are_what_their_definitions_say(net: Net, within: set[str]) -> None:
    for kind, is_one, largest in (
        (siphons, is_siphon, largest_siphon),
        (traps, is_trap, largest_trap),
    ):
        every = [s for s in subsets(net) if is_one(net, s)]
        found = kind(net)
        assert found.complete
        assert len(set(found)) == len(found)
        assert set(found) == smallest(every)
        assert largest(net, within) == frozenset().union(*(s for s in every if s <= within))
        few = kind(net, most=1)
        assert set(few) <= set(found)
        assert len(few) == min(1, len(found))
        assert few.complete <= (len(found) <= 1)


def with_or_joins() -> Net:
    return (
        Net.build("or")
        .places("i", "a", "b", "c", "o")
        .transition("left", "i", "a")
        .transition("both", "i", ["a", "b"])
        .silent("join", ["a", "b"], "o", join="or", read="c")
        .silent("back", ["o", "c"], ["c"], join="or")
        .final("o")
        .done()
    )


def test_an_or_join_is_stopped_only_where_all_of_its_inputs_are_empty() -> None:
    net = with_or_joins()
    every = [s for s in subsets(net) if is_siphon(net, s)]
    assert set(siphons(net)) == smallest(every)
    assert largest_siphon(net, ["i", "a", "o"]) == {"i", "a"}
    assert largest_siphon(net, ["i", "a", "b", "o"]) == {"i", "a", "b", "o"}
    assert set(traps(net)) == smallest([s for s in subsets(net) if is_trap(net, s)])


@pytest.mark.slow
@settings(max_examples=150, deadline=None)
@given(nets(), st.data())
def test_a_dry_siphon_stays_dry_and_a_marked_trap_stays_marked(
    net: Net, data: st.DataObject
) -> None:
    marking, dry, marked, fired = net.initial_marking, frozenset[str](), set[frozenset[str]](), []
    for _ in range(8):
        dry |= dry_siphon(net, marking)
        marked |= {s for s in traps(net) if s & marking.keys()}
        assert not dry & marking.keys()
        assert all(s & marking.keys() for s in marked)
        told = standstill(net, marking)
        assert not told.marked  # for this marking can be reached
        able = enabled(net, marking)
        assert not {id for id, _ in told.waiting} & {t.id for t in able}
        if not able:
            break
        if told.siphon & net.initial_marking.keys():
            assert set(told.drains) & set(fired)
        fired.append(data.draw(st.sampled_from(able)).id)
        marking = fire(net.transition(fired[-1]), marking)


@settings(max_examples=150, deadline=None)
@given(ordinary(), st.sets(st.sampled_from("ipqrso")))
def test_in_a_dead_marking_of_an_ordinary_net_a_siphon_is_dry(net: Net, marked: set[str]) -> None:
    """Commoner: each transition that lacks a token lacks one of the siphon."""
    marking = Marking(marked)
    inhibited = any(t.inhibitor for t in net.transitions)
    if not inhibited and not enabled(net, marking):
        assert dry_siphon(net, marking) == {p.id for p in net.places} - marking.keys()


def test_a_choice_that_is_joined_as_if_both_branches_came() -> None:
    net = (
        Net.build("mixed")
        .places("i", "a", "b", "c", "d", "o")
        .transition("left", "i", "a")
        .transition("right", "i", "b")
        .transition("work", "a", "c")
        .transition("rest", "b", "d")
        .transition("join", ["c", "d"], "o")
        .done()
    )
    told = standstill(net, Marking("c"))
    assert told.siphon == {"i", "b", "d"}
    assert told.drains == ("left", "join")
    assert told.waiting == (("join", frozenset("d")),)
    assert not told.trap
    assert not told.marked
    assert "join   c    d" in str(told)


def test_a_marking_in_which_a_marked_trap_is_dry_cannot_be_reached() -> None:
    net = (
        Net.build("circle").place("a", 1).place("b").transition("go", "a", "b")
        .transition("back", "b", "a").done()
    )  # fmt: skip
    told = standstill(net, Marking())
    assert told.marked
    assert "cannot be reached" in str(told)
    alive = standstill(net, Marking("a"))
    assert not alive.siphon
    assert "as far as siphons tell" in str(alive)


def philosophers(count: int) -> Net:
    """They take the left fork first, and may starve with one fork each."""
    net = Net.build("philosophers")
    for n in range(count):
        net.place(f"thinks{n}", 1).place(f"waits{n}").place(f"eats{n}").place(f"fork{n}", 1)
    for n in range(count):
        left, right = f"fork{n}", f"fork{(n + 1) % count}"
        net.transition(f"left{n}", [f"thinks{n}", left], f"waits{n}")
        net.transition(f"right{n}", [f"waits{n}", right], f"eats{n}")
        net.transition(f"put{n}", f"eats{n}", [f"thinks{n}", left, right])
    return net.final("thinks0").done()


@pytest.mark.parametrize("count", [2, 3, 5])
def test_philosophers_starve_by_the_one_siphon_that_holds_no_marked_trap(count: int) -> None:
    net = philosophers(count)
    starving = Marking(f"waits{n}" for n in range(count))
    assert not enabled(net, starving)
    bad = [s for s in siphons(net) if not largest_trap(net, s) & net.initial_marking.keys()]
    assert bad == [frozenset(f"{what}{n}" for what in ("fork", "eats") for n in range(count))]
    told = standstill(net, starving)
    assert told.siphon == bad[0]
    assert set(told.drains) == {f"left{n}" for n in range(count)}
    assert {id for id, _ in told.waiting} == {f"right{n}" for n in range(count)}


def ring(blocks: int) -> Net:
    """A marked graph: blocks of two parallel branches, one after another, in a circle."""
    net = Net.build("ring")
    for n in range(blocks):
        net.place(f"p{n}", int(n == 0)).places(f"a{n}", f"b{n}")
    for n in range(blocks):
        net.transition(f"split{n}", f"p{n}", [f"a{n}", f"b{n}"])
        net.transition(f"join{n}", [f"a{n}", f"b{n}"], f"p{(n + 1) % blocks}")
    return net.final("p0").done()


def test_the_siphons_and_traps_of_a_marked_graph_are_its_circuits() -> None:
    """Commoner, Holt, Even, Pnueli 1971: here one branch of each block."""
    net = ring(5)
    circuits = {frozenset((*(f"p{n}" for n in range(5)), *choice)) for choice in branches(5)}
    assert set(siphons(net)) == set(traps(net)) == circuits
    some = siphons(ring(12), most=50)
    assert (len(set(some)), some.complete) == (50, False)
    assert "there may be more" in str(some)
    assert all(len(s) == 24 and is_siphon(some.net, s) for s in some)


def branches(blocks: int) -> list[tuple[str, ...]]:
    return list(product(*((f"a{n}", f"b{n}") for n in range(blocks))))
