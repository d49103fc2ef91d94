"""Exploration in which only the most urgent enabled transitions fire."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from petriflow.analysis import explore
from petriflow.analysis.space.compiled_space import explore_compiled
from petriflow.analysis.space.graph import Graph, marking_of
from petriflow.net import Marking, Net, compile_net, enabled, fire, replay

from ..nets import nets

LIMIT = 300
Edges = set[tuple[Marking, str, Marking]]


def by_definition(net: Net, ranks: list[int]) -> Edges | None:
    rank = {t.id: r for t, r in zip(net.transitions, ranks, strict=True)}
    found: Edges = set()
    seen, todo = {net.initial_marking}, [net.initial_marking]
    while todo:
        marking = todo.pop()
        able = enabled(net, marking)
        lowest = min((rank[t.id] for t in able), default=0)
        for t in able:
            if rank[t.id] == lowest:
                after = fire(t, marking, net)
                found.add((marking, t.id, after))
                if after not in seen:
                    seen.add(after)
                    todo.append(after)
        if len(seen) > LIMIT:
            return None
    return found


def edges_of(graph: Graph) -> Edges:
    markings = [marking_of(graph, n) for n in range(graph.count)]
    return {
        (markings[n], graph.net.transition_ids[t], markings[m])
        for n in range(graph.expanded)
        for t, m in zip(graph.row_via(n), graph.row(n), strict=True)
    }


@pytest.mark.promise("SIM-29")
@given(nets(), st.lists(st.integers(0, 2), min_size=6, max_size=6))
def test_only_the_most_urgent_fire_in_both_forms(net: Net, numbers: list[int]) -> None:
    ranks = numbers[: len(net.transitions)]
    truth = by_definition(net, ranks)
    space = explore(net, max_markings=20 * LIMIT, ranks=ranks)
    if truth is None:
        return
    assert space.complete
    assert edges_of(space.graph) == truth
    first = compile_net(net).vector(net.initial_marking)
    graph, complete = explore_compiled(compile_net(net), first, 16, LIMIT + 10, None, ranks=ranks)
    assert complete
    assert edges_of(graph) == truth


@pytest.mark.promise("SIM-29")
@given(nets(), st.lists(st.integers(0, 2), min_size=6, max_size=6))
def test_growth_that_is_found_goes_on_for_ever(net: Net, numbers: list[int]) -> None:
    ranks = numbers[: len(net.transitions)]
    pump = explore(net, max_markings=2_000, ranks=ranks).pump
    if pump is None:
        return
    rank = {t.id: r for t, r in zip(net.transitions, ranks, strict=True)}
    marking = net.initial_marking
    if pump.trace:
        *_, marking = replay(net, pump.trace)
    for _ in range(4):
        before = marking
        for id in pump.segment:
            able = enabled(net, marking)
            assert rank[id] == min(rank[t.id] for t in able)
            marking = fire(net.transition(id), marking, net)
        assert all(marking[p] > before[p] for p in pump.grows)
        assert before <= marking
