"""Coverability against plain search, closed forms, and itself told backwards."""

from __future__ import annotations

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from petriflow.analysis import structure
from petriflow.analysis.behavioural.coverability import OmegaMarking, coverability_graph
from petriflow.formats import read_pnml
from petriflow.net import Marking, Net, enabled, fire, replay
from petriflow.net.errors import DefinitionError

from ..nets import PLACES, brute_force, weights

LIMIT = 300
markings = st.dictionaries(st.sampled_from(PLACES), st.integers(1, 4), max_size=3).map(Marking)


@st.composite
def plain_nets(draw: st.DrawFn) -> Net:
    """Nets with flow and read arcs, whose transitions mostly take something."""
    builder = Net.build("plain").places(*PLACES)
    for n in range(draw(st.integers(1, 6))):
        take = draw(weights)
        more = {"read": draw(weights)} if draw(st.integers(0, 3)) == 0 else {}
        builder.transition(f"t{n}", take or "p", draw(weights), **more)
    net = builder.done()
    return Net(net.name, net.places, net.transitions, Marking("i") + draw(markings), Marking("o"))


def maximal(markings: set[Marking]) -> set[Marking]:
    return {m for m in markings if not any(m < other for other in markings)}


@pytest.mark.promise("NETS-4")
@given(plain_nets())
def test_of_a_bounded_net_the_greatest_reachable_markings_are_told(net: Net) -> None:
    reached = brute_force(net, LIMIT)
    graph = coverability_graph(net, max_nodes=5_000)
    if reached is None:
        return
    assert (graph.complete, graph.bounded, graph.pump) == (True, "yes", None)
    assert not any(node.unbounded for node in graph.nodes)
    told = [node.tokens for node in graph.nodes]
    assert len(set(told)) == len(told)
    assert set(told) == maximal(reached.keys())
    assert graph.bounds() == {p: max(m[p] for m in reached) for p in PLACES}
    alive = {t for firings in reached.values() for t, _ in firings}
    assert set(graph.dead_transitions) == {t.id for t in net.transitions} - alive


@pytest.mark.promise("NETS-4")
@given(plain_nets(), markings)
def test_every_claim_of_an_unbounded_net_replays(net: Net, goal: Marking) -> None:
    graph = coverability_graph(net, max_nodes=300)
    for number, node in enumerate(graph.nodes):
        for many in (1, 7):
            *_, last = replay(net, graph.trace(number, many))
            assert {p: last[p] for p in PLACES if p not in node.unbounded} == {
                p: node.tokens[p] for p in PLACES if p not in node.unbounded
            }
            assert all(last[p] >= many for p in node.unbounded)
    way = graph.covering(goal)
    assert (way is not None) == (graph.coverable(goal) == "yes")
    if way is not None:
        *_, last = replay(net, way)
        assert goal <= last
    assert (graph.pump is not None) == (graph.bounded == "no")
    if graph.pump is not None:
        *_, before = replay(net, graph.pump.trace)
        *_, after = replay(net, (*graph.pump.trace, *graph.pump.segment))
        assert before < after
        assert {p for p in after if after[p] > before[p]} == set(graph.pump.grows)


def after_firing(net: Net, node: OmegaMarking, transition: str) -> OmegaMarking | None:
    """By the firing rule, with so many tokens for ω that none is missing."""
    t = net.transition(transition)
    full = node.tokens + Marking(dict.fromkeys(node.unbounded, 1_000))
    if t not in enabled(net, full):
        return None
    return OmegaMarking(fire(t, full).without(node.unbounded), node.unbounded)


def within(small: OmegaMarking, large: OmegaMarking) -> bool:
    return small.unbounded <= large.unbounded and large.covers(small.tokens)


@given(plain_nets())
def test_nothing_that_is_reachable_lies_outside(net: Net) -> None:
    """The nodes are closed under firing, so that what they cover holds all there is."""
    graph = coverability_graph(net, max_nodes=3_000)
    if not graph.complete:
        return
    assert graph.nodes[graph.root].covers(net.initial_marking)
    assert not any(within(a, b) for a, b in product(graph.nodes, repeat=2) if a is not b)
    expected = set()
    for number, node in enumerate(graph.nodes):
        for t in net.transitions:
            after = after_firing(net, node, t.id)
            if after is not None:
                expected.add((number, t.id))
                assert any(within(after, other) for other in graph.nodes)
    assert {(source, t) for source, t, _ in graph.edges} == expected
    assert len(graph.edges) == len(expected)
    for source, t, target in graph.edges:
        after = after_firing(net, graph.nodes[source], t)
        assert after is not None
        assert within(after, graph.nodes[target])
    drawn = graph.to_networkx()
    assert set(drawn.edges(keys=True)) == {(s, e, t) for s, t, e in graph.edges}
    assert [drawn.nodes[n]["marking"] for n in drawn] == list(graph.nodes)


@given(plain_nets(), st.integers(1, 20))
def test_what_is_decided_at_a_limit_holds_beyond_it(net: Net, limit: int) -> None:
    part, whole = (coverability_graph(net, max_nodes=n) for n in (limit, 5_000))
    if not whole.complete:
        return
    if part.bounded != "unknown":
        assert part.bounded == whole.bounded
    for place, bound in part.bounds().items():
        assert bound in ("unknown", whole.bounds()[place])
    assert set(part.dead_transitions) <= set(whole.dead_transitions)


def test_loops_that_feed_each_other_lose_nothing() -> None:
    """What is replaced here has descendants that still count, as where Finkel's tree fails."""
    net = (
        Net.build("lost")
        .places(*"abcde")
        .transition("t1", "a", "b")
        .transition("t2", "b", "c")
        .transition("t3", "c", ["b", "d", "d"])
        .transition("t4", "b", ["c", "e"])
        .transition("t5", ["c", "d"], "a")
        .done()
    )
    net = Net(net.name, net.places, net.transitions, Marking("a"))
    graph = coverability_graph(net)
    reached = forward(net, depth=14)
    for marking in reached:
        assert graph.coverable(marking) == "yes"
    assert graph.bounds() == {
        "a": 1, "b": 1, "c": 1, "d": "unbounded", "e": "unbounded",
    }  # fmt: skip


def forward(net: Net, depth: int) -> set[Marking]:
    found = layer = {net.initial_marking}
    for _ in range(depth):
        layer = {fire(t, m) for m in layer for t in enabled(net, m)} - found
        found = found | layer
    return found


def test_growth_upon_growth_is_explained_by_a_long_sequence() -> None:
    """Each place grows only by what the one before holds."""
    builder = Net.build("tower").place("s0", 1).places("p0", "s1", "p1", "s2", "p2")
    builder.transition("g0", "s0", ["s0", "p0"])
    for n in (1, 2):
        builder.transition(f"next{n}", f"s{n - 1}", f"s{n}")
        builder.transition(f"g{n}", {f"s{n}": 1, f"p{n - 1}": 2}, [f"s{n}", f"p{n}"])
    net = builder.done()
    graph = coverability_graph(net)
    goal = Marking({"p1": 3, "p2": 5})
    way = graph.covering(goal)
    assert way is not None
    *_, last = replay(net, way)
    assert goal <= last
    assert way.count("g0") >= 2 * (3 + 2 * 5)  # no shorter way: two of p0 for one of p1, and so on
    assert graph.coverable(Marking({"s0": 1, "p1": 1})) == "no"
    with pytest.raises(DefinitionError, match="fewer tokens"):
        graph.covering(Marking({"p2": 10**6}))


@pytest.mark.parametrize(
    ("arcs", "named"),
    [
        ({"reset": "p"}, "reset arc between 't' and 'p'"),
        ({"inhibitor": "p"}, "inhibitor arc between 'p' and 't'"),
        ({"silent": True, "join": "or"}, "OR-join 't'"),
    ],
)
def test_other_arcs_are_named_with_what_to_do(arcs: dict, named: str) -> None:
    net = Net.build("n").places("i", "p", "o").transition("t", "i", "o", **arcs).done()
    net = Net(net.name, net.places, net.transitions, Marking("i"))
    assert not structure(net).plain
    with pytest.raises(DefinitionError, match=named):
        coverability_graph(net)


def test_numbers_beyond_the_tables_are_refused() -> None:
    net = Net.build("n").places("i", "o").transition("t", "i", {"o": 2**70}).done()
    with pytest.raises(DefinitionError, match="numbers up to"):
        coverability_graph(net)


def test_a_coverability_graph_displays_well() -> None:
    net = (
        Net.build("shop")
        .place("open", 1)
        .place("<orders>")
        .transition("order", "open", ["open", "<orders>"])
        .done()
    )
    graph = coverability_graph(net)
    assert str(graph).splitlines() == [
        "shop: unbounded, 1 greatest marking",
        "  node  marking              leads to",
        "  0     [ω*<orders> + open]  order → 0",
    ]
    assert "&lt;orders&gt;" in graph._repr_html_()
    assert "stopped at the limit" in coverability_graph(net, max_nodes=1).title


@pytest.mark.slow
def test_published_nets_have_their_bounds(corpora) -> None:
    """Kanban(2) and the philosophers are covered by invariants, so their bounds are known."""
    graph = coverability_graph(read_pnml(corpora / "state_spaces" / "kanban_2.pnml"))
    assert graph.bounded == "yes"
    assert set(graph.bounds().values()) == {2}
    assert graph.dead_transitions == ()
