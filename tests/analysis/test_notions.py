"""The notions of soundness against their definitions, played by brute force."""

from __future__ import annotations

from itertools import product

import networkx as nx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from petriflow.analysis import structure, verify
from petriflow.net import Marking, Net, enabled, fire
from petriflow.net.errors import DefinitionError

from ..nets import nets

Graph = dict[Marking, list[tuple[str, Marking]]]


def play(net: Net, k: int, limit: int) -> Graph | None:
    graph: Graph = {}
    todo = [Marking({"i": k})]
    while todo:
        marking = todo.pop()
        if marking not in graph:
            graph[marking] = [(t, fire(t, marking, net)) for t in enabled(net, marking)]
            todo += [after for _, after in graph[marking]]
            if len(graph) > limit:
                return None
    return {m: [(t.id, after) for t, after in firings] for m, firings in graph.items()}


def can_reach(graph: Graph, goals: set[Marking]) -> set[Marking]:
    good = goals & graph.keys()
    while more := {m for m in graph if m not in good and any(a in good for _, a in graph[m])}:
        good |= more
    return good


@pytest.mark.slow
@pytest.mark.promise("VERIFY-9")
@settings(max_examples=400, deadline=None)
@given(nets(), st.integers(1, 3))
def test_every_notion_is_what_its_definition_says(net: Net, k: int) -> None:
    graph = play(net, k, limit=400)
    report = verify(net, k=k, max_markings=2_000)
    if graph is None:
        return
    end, all = Marking({"o": k}), {t.id for t in net.transitions}
    to_the_end = can_reach(graph, {end})
    proper = not any(end < m for m in graph)
    fired = {t for firings in graph.values() for t, _ in firings}
    useful = {t for firings in graph.values() for t, after in firings if after in to_the_end}
    lazily = can_reach(graph, {m for m in graph if m["o"] == k})
    weak = to_the_end == graph.keys() and proper
    expected = {
        "weak": weak,
        "relaxed": useful == all,
        "lazy": lazily == graph.keys() and not any(m["o"] > k for m in graph),
        "easy": end in graph,
    }
    told = report.notions.to_json()
    assert told == {name: "yes" if holds else "no" for name, holds in expected.items()}
    assert report.verdict == ("sound" if weak and fired == all else "unsound")


@pytest.mark.slow
@settings(max_examples=300, deadline=None)
@given(nets(plain=True))
def test_of_an_unbounded_net_nothing_wrong_is_claimed(net: Net) -> None:
    """What is decided on the part that was looked at holds on a larger part as well."""
    small, large = verify(net, max_markings=5), verify(net, max_markings=500)
    for name, answer in small.notions.to_json().items():
        if answer != "unknown":
            assert getattr(large.notions, name) == answer
    if small.verdict != "unknown":
        assert large.verdict == small.verdict


def test_k_soundness_has_its_own_witness() -> None:
    half = (
        Net.build("half")
        .places("i", "p", "o")
        .transition("first", "i", "p")
        .transition("second", "p", "o")
        .transition("both", {"p": 2}, {"o": 1})
        .done()
    )
    assert verify(half).verdict == "unsound"  # `both` is dead
    report = verify(half, k=2)
    assert report.witness is not None
    assert (report.witness.kind, report.witness.marking) == ("deadlock", Marking("o"))
    with pytest.raises(DefinitionError, match="1 or more"):
        verify(half, k=0)


# -- classes --------------------------------------------------------------------------------------


@st.composite
def ordinary_nets(draw: st.DrawFn) -> Net:
    places = ["i", "p", "q", "r", "o"]
    some = st.sets(st.sampled_from(places), min_size=1, max_size=2)
    builder = Net.build("ordinary").places(*places)
    for n in range(draw(st.integers(2, 6))):
        builder.transition(f"t{n}", sorted(draw(some) - {"o"} or {"i"}), sorted(draw(some) - {"i"}))
    return builder.final("o").done()


@pytest.mark.slow
@pytest.mark.promise("NETS-2")
@settings(max_examples=300, deadline=None)
@given(ordinary_nets())
def test_clusters_and_classes_are_what_their_definitions_say(net: Net) -> None:
    seen = structure(net)
    joined = {p.id: {p.id} for p in net.places} | {t.id: {t.id} for t in net.transitions}
    for t in net.transitions:
        for p in t.consume:
            both = joined[p] | joined[t.id]
            joined |= dict.fromkeys(both, both)
    assert {frozenset((*c.places, *c.transitions)) for c in seen.clusters} == {
        frozenset(members) for members in joined.values()
    }
    pairs = list(product(net.transitions, repeat=2))
    shared = [(t, u) for t, u in pairs if t != u and t.consume.keys() & u.consume.keys()]
    assert seen.free_choice == all(len(t.consume) == len(u.consume) == 1 for t, u in shared)
    assert seen.extended_free_choice == all(t.consume == u.consume for t, u in shared)


@pytest.mark.slow
@settings(max_examples=300, deadline=None)
@given(ordinary_nets())
def test_well_handled_nets_have_no_two_disjoint_paths(net: Net) -> None:
    seen = structure(net)
    graph = nx.DiGraph([("o", "*"), ("*", "i")])
    graph.add_edges_from((p, t.id) for t in net.transitions for p in t.consume)
    graph.add_edges_from((t.id, p) for t in net.transitions for p in t.produce)
    nodes = {p.id for p in net.places} | {t.id for t in net.transitions} | {"*"}
    assert seen.workflow_net == (
        nx.is_strongly_connected(graph)
        and set(graph) == nodes
        and not any("i" in t.produce or "o" in t.consume for t in net.transitions)
    )
    if not seen.workflow_net:
        return
    places = {p.id for p in net.places}
    handles = False
    for x, y in product(graph.nodes, repeat=2):
        if (x in places) != (y in places):
            paths = [set(path) - {x, y} for path in nx.all_simple_paths(graph, x, y)]
            handles |= any(not (p & q) for n, p in enumerate(paths) for q in paths[:n])
    assert seen.well_handled == (not handles)
