"""The behavioural properties against their definitions, played by brute force."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import networkx as nx
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from petriflow.analysis.behavioural.coverability import coverability_graph
from petriflow.analysis.behavioural.liveness import home_markings, liveness, quasi_live, reversible
from petriflow.analysis.behavioural.properties import bounds, deadlocks, is_safe, reachability_graph
from petriflow.analysis.structural.short_circuit import short_circuit
from petriflow.formats import read_pnml
from petriflow.net import Marking, Net, Place, enabled, fire, replay
from petriflow.net.errors import WorkflowNetError

from ..nets import PLACES, brute_force, is_sound, nets
from .test_backward import reset_nets
from .test_coverability import plain_nets

LIMIT = 200
Graph = dict[Marking, list[tuple[str, Marking]]]


@st.composite
def bounded(draw: st.DrawFn) -> tuple[Net, Graph]:
    net = draw(nets() | plain_nets() | reset_nets())
    graph = brute_force(net, LIMIT)
    assume(graph is not None)
    assert graph is not None
    return net, graph


def closure(graph: Graph) -> dict[Marking, set[Marking]]:
    """What can be reached from each marking, itself included."""
    after = {m: {m, *(a for _, a in firings)} for m, firings in graph.items()}
    while True:
        wider = {m: set().union(*(after[a] for a in reached)) for m, reached in after.items()}
        if wider == after:
            return after
        after = wider


def depths(net: Net, graph: Graph) -> dict[Marking, int]:
    found, queue = {net.initial_marking: 0}, [net.initial_marking]
    for marking in queue:
        for _, after in graph[marking]:
            if after not in found:
                found[after] = found[marking] + 1
                queue.append(after)
    return found


def last(net: Net, trace: tuple[str, ...]) -> Marking:
    *_, marking = replay(net, trace)
    return marking


@given(bounded())
def test_the_reachability_graph_is_the_one_of_the_firing_rule(pair: tuple[Net, Graph]) -> None:
    net, graph = pair
    drawn = reachability_graph(net)
    assert drawn.graph["complete"] is True
    assert drawn.graph["initial"] == net.initial_marking
    assert set(drawn) == graph.keys()
    edges = sorted((str(m), t, str(a)) for m, firings in graph.items() for t, a in firings)
    assert sorted((str(m), t, str(a)) for m, a, t in drawn.edges(data="transition")) == edges


@pytest.mark.promise("NETS-6")
@given(bounded())
def test_deadlocks_and_bounds_are_those_of_the_definition(pair: tuple[Net, Graph]) -> None:
    net, graph = pair
    depth = depths(net, graph)
    dead = deadlocks(net)
    assert {d.marking for d in dead} == {m for m, firings in graph.items() if not firings}
    assert dead.answer == ("yes" if dead else "no")
    for found in dead:
        assert last(net, found.trace) == found.marking
        assert len(found.trace) == depth[found.marking]
        assert found.proper == (found.marking == Marking(net.final or "o"))
    most = bounds(net)
    assert dict(most) == {p: max(m[p] for m in graph) for p in PLACES}
    assert most.bounded == "yes"
    for place, n in most.items():
        assert isinstance(n, int)
        trace = most.trace(place, n)
        assert trace is not None
        assert last(net, trace)[place] == n
        assert most.trace(place, n + 1) is None
    safe = is_safe(net)
    assert bool(safe) == all(n <= 1 for m in graph for n in m.values())
    if not safe:
        assert safe.trace is not None
        assert last(net, safe.trace) == safe.marking
        assert max(safe.marking.values()) > 1
        assert len(safe.trace) == min(depth[m] for m in graph if max(m.values(), default=0) > 1)


@pytest.mark.promise("NETS-6")
@settings(max_examples=40)
@given(bounded())
def test_liveness_is_what_its_definition_says(pair: tuple[Net, Graph]) -> None:
    net, graph = pair
    reach, depth = closure(graph), depths(net, graph)
    able = {m: {t for t, _ in firings} for m, firings in graph.items()}
    found = liveness(net)
    for t in (t.id for t in net.transitions):
        if not any(t in able[m] for m in graph):
            level = 0
        elif all(any(t in able[a] for a in reach[m]) for m in graph):
            level = 4
        elif any(u == t and m in reach[a] for m in graph for u, a in graph[m]):
            level = 3
        else:
            level = 1
        told = found[t]
        assert told.level == level
        assert (told.lost is None) == (level == 4)
        if told.lost is not None:
            assert not any(t in able[m] for m in reach[last(net, told.lost)])
        if level:
            assert told.trace is not None
            assert told.trace[-1] == t
            last(net, told.trace)
            assert len(told.trace) == 1 + min(depth[m] for m in graph if t in able[m])
    assert found.live == ("yes" if all(t.level == 4 for t in found.transitions) else "no")
    firings = quasi_live(net)
    assert set(firings.dead) == {t.transition for t in found.transitions if t.level == 0}
    assert firings.answer == ("no" if firings.dead else "yes")
    assert {f.transition: f.trace for f in firings.firings} == {
        t.transition: t.trace for t in found.transitions
    }


@pytest.mark.promise("NETS-6")
@given(bounded())
def test_the_way_back_is_what_its_definition_says(pair: tuple[Net, Graph]) -> None:
    net, graph = pair
    reach = closure(graph)
    back = reversible(net)
    assert bool(back) == all(net.initial_marking in reach[m] for m in graph)
    if not back:
        assert back.trace is not None
        assert last(net, back.trace) == back.marking
        assert net.initial_marking not in reach[back.marking]
    homes = home_markings(net)
    assert set(homes) == set.intersection(*reach.values())
    assert homes.answer == ("yes" if homes else "no")
    if homes.apart is not None:
        one, other = (reach[last(net, trace)] for trace in homes.apart)
        assert not one & other


@pytest.mark.promise("NETS-6")
@settings(max_examples=40)
@given(bounded(), st.integers(1, 30))
def test_what_is_decided_at_a_limit_is_right(pair: tuple[Net, Graph], limit: int) -> None:
    net, _ = pair
    part, whole = liveness(net, max_markings=limit), liveness(net)
    for small, large in zip(part.transitions, whole.transitions, strict=True):
        assert large.level is not None
        assert small.least <= large.level <= small.most
    for ask in (reversible, is_safe, home_markings, deadlocks, quasi_live):
        at_limit, at_last = ask(net, max_markings=limit).answer, ask(net).answer
        assert at_limit in (at_last, "unknown")
    seen, all = bounds(net, max_markings=limit), bounds(net)
    assert seen.bounded in ("yes", "unknown")
    for place in PLACES:
        assert seen[place] in (all[place], "unknown")


@given(plain_nets())
def test_of_a_plain_net_without_end_bounds_and_dead_transitions_are_decided(net: Net) -> None:
    graph = coverability_graph(net, max_nodes=2_000)
    most, firings = bounds(net, max_markings=2_000), quasi_live(net, max_markings=2_000)
    if not graph.complete or most.bounded != "no":
        return
    assert dict(most) == graph.bounds()
    assert set(firings.dead) == set(graph.dead_transitions)
    for place, bound in most.items():
        if bound == "unbounded":
            trace = most.trace(place, 9)
            assert trace is not None
            assert last(net, trace)[place] >= 9
    for firing in firings.firings:
        if firing.answer == "yes":
            assert firing.trace is not None
            assert firing.trace[-1] == firing.transition
            last(net, firing.trace)
    safe = is_safe(net)
    assert safe.answer == "no"
    assert safe.trace is not None
    assert last(net, safe.trace) == safe.marking
    assert max(safe.marking.values()) > 1


def recurring(net: Net) -> set[str]:
    """Transitions seen on a way from a marking to one that covers it."""
    found = set()
    todo, starts = [net.initial_marking], {net.initial_marking}
    for marking in todo[:20]:
        for t in enabled(net, marking):
            after = fire(t, marking)
            if after not in starts and len(todo) < 20:
                starts.add(after)
                todo.append(after)
    for begin in todo:
        seen = {(begin, frozenset[str]())}
        waiting = list(seen)
        for marking, fired in waiting:
            if begin <= marking:
                found |= fired
            for t in enabled(net, marking):
                step = fire(t, marking), fired | {t.id}
                if step not in seen and len(seen) < 150:
                    seen.add(step)
                    waiting.append(step)
    return found


@pytest.mark.slow
@given(plain_nets())
def test_of_a_plain_net_without_end_how_often_is_decided(net: Net) -> None:
    """L3 against ways from a marking to one that covers it, L2 against a place that counts."""
    assume(coverability_graph(net, max_nodes=500).bounded == "no")
    found = liveness(net, max_markings=300)
    again = recurring(net)
    for t in net.transitions:
        told = found[t.id]
        if t.id in again:
            assert told.most >= 3
        if told.most == 3 or told.lost is not None:
            assert told.lost is not None
            assert coverability_from(net, told.lost, t.id) == "no"
        counting = replace(
            net,
            places=(*net.places, Place("count")),
            transitions=tuple(
                replace(u, produce=u.produce + Marking("count")) if u is t else u
                for u in net.transitions
            ),
        )
        graph = coverability_graph(counting, max_nodes=500)
        if graph.complete:
            assert (graph.bounds()["count"] == "unbounded") == (told.least >= 2)
            assert (graph.bounds()["count"] == 0) == (told.most == 0)


def coverability_from(net: Net, trace: tuple[str, ...], transition: str) -> str:
    t = net.transition(transition)
    need = Marking({p: max(t.consume[p], t.read[p]) for p in (*t.consume, *t.read)})
    return coverability_graph(net, initial=last(net, trace), max_nodes=500).coverable(need)


def test_murata_s_example_has_each_of_the_levels() -> None:
    """Murata 1989, fig. 17: t0 to t3 are L0, L1, L2 and L3, and none is more."""
    net = (
        Net.build("murata")
        .place("p1", 1)
        .places("p2", "p3")
        .transition("t0", ["p1", "p3"], "p1")
        .transition("t1", "p1", "p3")
        .transition("t2", ["p2", "p3"], "p3")
        .transition("t3", "p1", ["p1", "p2"])
        .done()
    )
    found = liveness(net)
    assert [t.level for t in found.transitions] == [0, 1, 2, 3]
    assert str(found).splitlines()[2:5] == [
        "  t0          L0, dead                              nothing",
        "  t1          L1, can fire             nothing      t1",
        "  t2          L2, any number of times  t3 t1        t1",
    ]


def test_circles_that_are_joined_only_so_many_times_do_not_feed_each_other_for_ever() -> None:
    """`take` needs what `make` makes, and each move between them a token that is made no more."""
    net = (
        Net.build("apart")
        .place("s", 1)
        .places("a", "b", "q", "r")
        .transition("grow", "s", ["s", "r"])
        .transition("leave", "s", "a")
        .transition("take", ["a", "q"], "a")
        .transition("make", "b", ["b", "q"])
        .transition("go", ["a", "r"], "b")
        .transition("return", ["b", "r"], "a")
        .done()
    )
    found = liveness(net)
    levels = {t.transition: (t.least, t.most) for t in found.transitions}
    assert levels["take"] == levels["go"] == levels["return"] == (2, 2)
    assert levels["leave"] == (1, 1)
    assert levels["make"][0] == levels["grow"][0] == 3


def test_a_net_may_be_unbounded_live_and_still_be_told_of_in_part() -> None:
    net = Net.build("n").places("p").transition("t", (), "p").transition("u", "p").done()
    net = Net(net.name, net.places, net.transitions, Marking("p"))
    found = liveness(net)
    assert [(t.least, t.most) for t in found.transitions] == [(3, 4), (3, 4)]
    assert found.live == "unknown"
    assert reversible(net).answer == "unknown"
    assert "'p' can grow without end" in str(home_markings(net))


@pytest.mark.parametrize("arcs", [{"reset": "x"}, {"inhibitor": "x"}])
def test_growth_is_told_of_nets_with_special_arcs_and_no_more(arcs: dict) -> None:
    net = (
        Net.build("n")
        .place("p", 1)
        .places("q", "x", "y")
        .transition("t", "p", ["p", "q"], **arcs)
        .transition("u", "y", "x")
        .done()
    )
    most = bounds(net)
    assert dict(most) == {"p": "unknown", "q": "unbounded", "x": "unknown", "y": "unknown"}
    assert "unknown, at least 1" in str(most)
    assert quasi_live(net).firings[1].answer == ("no" if "reset" in arcs else "unknown")
    assert liveness(net)["t"].least == 3


@given(nets(plain=True))
def test_a_plain_net_is_sound_just_if_it_is_live_and_bounded_when_short_circuited(
    net: Net,
) -> None:
    """Van der Aalst 1997; both sides told by code that shares nothing."""
    graph = brute_force(net, LIMIT)
    closed = short_circuit(net)
    live = liveness(closed, max_markings=3_000)
    if graph is None:
        assert live.live != "yes" or bounds(closed, max_markings=3_000).bounded != "yes"
    else:
        both = live.live == bounds(closed).bounded == "yes"
        assert both == is_sound(net, graph)


def test_the_new_transition_has_a_name_of_its_own() -> None:
    net = Net.build("n").places("i", "again", "o").transition("again 2", "i", "o").done()
    net = Net(net.name, net.places, net.transitions, Marking("i"), Marking("o"))
    closed = short_circuit(short_circuit(net))
    assert [t.id for t in closed.transitions] == ["again 2", "again 3", "again 4"]
    assert (closed.source.id, closed.sink.id) == ("i", "o")
    with pytest.raises(WorkflowNetError):
        short_circuit(Net.build("n").places("i", "o").done())


def test_answers_display_well() -> None:
    net = Net.build("<n>").place("i", 1).places("p", "o").transition("t", "i", {"o": 2}).done()
    for found in (deadlocks, bounds, is_safe, reversible, home_markings, quasi_live, liveness):
        told = found(net)
        assert str(told).startswith("<n>: ")
        assert "&lt;n&gt;" in told._repr_html_()
    assert str(home_markings(net)).splitlines() == [
        "<n>: 1 home marking",
        "  marking  a shortest trace",
        "  [2*o]    t",
    ]


@pytest.mark.slow
def test_published_nets_behave_as_they_are_known_to(corpora: Path) -> None:
    kanban = read_pnml(corpora / "state_spaces" / "kanban_2.pnml")
    drawn = reachability_graph(kanban)
    assert (len(drawn), drawn.size()) == (4_600, 28_120)
    assert nx.is_strongly_connected(drawn)
    assert liveness(kanban).live == "yes"
    assert reversible(kanban)
    assert len(home_markings(kanban)) == 4_600
    assert deadlocks(kanban).answer == "no"
    assert set(bounds(kanban).values()) == {2}

    philosophers = read_pnml(corpora / "state_spaces" / "philosophers_10.pnml")
    dead = deadlocks(philosophers)
    assert len(dead) == 2
    assert {t.level for t in liveness(philosophers).transitions} == {3}
    assert is_safe(philosophers)
    homes = home_markings(philosophers)
    assert homes.answer == "no"
    assert {last(philosophers, trace) for trace in homes.apart or ()} == {d.marking for d in dead}
