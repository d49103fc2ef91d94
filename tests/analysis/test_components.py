"""S-components against their definition, subset by subset."""

from __future__ import annotations

import csv
from itertools import chain, combinations
from pathlib import Path

import networkx as nx
import pytest
from hypothesis import given, settings

from petriflow.analysis.structural.components import s_components
from petriflow.analysis.structural.invariants import place_invariants
from petriflow.analysis.structural.short_circuit import short_circuit
from petriflow.analysis.structural.structure import structure
from petriflow.formats.pnml import read_pnml
from petriflow.net import Marking, Net
from petriflow.net.errors import WorkflowNetError

from ..nets import brute_force, nets
from .test_reduction import ordinary


def is_component(net: Net, places: frozenset[str]) -> bool:
    """A subnet of all that touch the places, each with one arc in and one out."""
    graph = nx.DiGraph()
    graph.add_nodes_from(places)
    for t in net.transitions:
        takes = Marking({p: n for p, n in t.consume.items() if p in places})
        gives = Marking({p: n for p, n in t.produce.items() if p in places})
        if t.reset & places or (takes and t.join == "or"):
            return False
        if takes or gives:
            if (takes.total, gives.total) != (1, 1):
                return False
            nx.add_path(graph, [next(iter(takes)), ("t", t.id), next(iter(gives))])
    return nx.is_strongly_connected(graph)


def components(net: Net) -> set[frozenset[str]]:
    ids = [p.id for p in net.places]
    sizes = range(1, len(ids) + 1)
    every = map(frozenset, chain(*(combinations(ids, n) for n in sizes)))
    return {places for places in every if is_component(net, places)}


@pytest.mark.slow
@pytest.mark.promise("NETS-2")
@settings(max_examples=150, deadline=None)
@given(nets() | ordinary())
def test_s_components_are_what_their_definition_says(net: Net) -> None:
    for judged in (net, short_circuit(net)):
        found, expected = s_components(judged), components(judged)
        assert found.complete
        assert {c.places for c in found} == expected
        assert len(found) == len(expected)
        covered = {p for places in expected for p in places} == {p.id for p in net.places}
        assert found.coverable == ("yes" if covered else "no")
        for c in found:
            touching = {
                t.id for t in judged.transitions if (t.consume.keys() | t.produce.keys()) & c.places
            }
            assert c.transitions == touching


@settings(max_examples=100, deadline=None)
@given(ordinary())
def test_a_net_that_components_with_one_token_cover_is_safe(net: Net) -> None:
    closed = short_circuit(net)
    found = s_components(closed)
    if found.coverable == "yes" and all(
        sum(closed.initial_marking[p] for p in c.places) <= 1 for c in found
    ):
        graph = brute_force(closed, 10_000)
        assert graph is not None
        assert all(max(m.values(), default=0) <= 1 for m in graph)


def test_weights_and_two_ways_at_once_make_no_component() -> None:
    double = Net.build().places("i", "o").transition("t", {"i": 2}, {"o": 2}).done()
    assert len(s_components(short_circuit(double))) == 0
    both = (
        Net.build()
        .places("i", "a", "b", "c", "d", "o")
        .transition("split", "i", ["a", "b"])
        .transition("swap", ["a", "b"], ["c", "d"])
        .transition("join", ["c", "d"], "o")
        .done()
    )
    found = {c.places for c in s_components(short_circuit(both))}
    assert found == {frozenset(("i", one, two, "o")) for one in "ab" for two in "cd"}


def rows_of_branches(count: int) -> Net:
    net = Net.build("blocks").place("p0", 1)
    for n in range(count):
        branches = [f"a{n}", f"b{n}"]
        net.places(*branches, f"p{n + 1}")
        net.transition(f"split{n}", f"p{n}", branches).transition(f"join{n}", branches, f"p{n + 1}")
    return net.done()


def test_components_cover_a_net_that_has_too_many() -> None:
    """2^30 of them, of which few are needed."""
    found = s_components(short_circuit(rows_of_branches(30)))
    assert not found.complete
    assert found.coverable == "yes"
    assert 2 <= len(found) <= 30
    assert all(is_component(found.net, c.places) for c in found)
    assert "there may be more" in str(found)


def test_where_not_all_are_found_it_is_unknown_whether_they_cover() -> None:
    net = rows_of_branches(6)
    lost = Net(net.name, net.places, net.transitions[:-1], net.initial, Marking("p6"))
    found = s_components(short_circuit(lost), most=1)
    assert (found.complete, found.coverable) == (False, "unknown")
    assert s_components(short_circuit(lost)).coverable == "no"


def test_a_net_without_one_end_is_not_led_back() -> None:
    with pytest.raises(WorkflowNetError):
        short_circuit(Net.build().places("i", "a", "b").transition("t", "i", ["a", "b"]).done())


def test_the_transition_that_leads_back_has_a_name_of_its_own() -> None:
    net = Net.build().places("i", "o").transition("again", "i", "o").done()
    closed = short_circuit(net)
    assert [t.id for t in closed.transitions] == ["again", "again 2"]
    assert (closed.initial_marking, closed.final) == (Marking("i"), Marking("o"))
    assert [str(i) for i in place_invariants(closed)] == ["i + o"]


@pytest.mark.slow
def test_components_cover_every_sound_free_choice_net_of_industry(corpora: Path) -> None:
    """A theorem (van der Aalst 1998), of nets whose verdicts are not ours."""
    with (corpora / "industrial" / "verdicts.csv").open(newline="") as lines:
        sound = [row["file"] for row in csv.DictReader(lines) if row["verdict"] == "sound"]
    looked_at = 0
    for name in sound[::4]:
        net = read_pnml(corpora / "industrial" / name)
        if structure(net).extended_free_choice:
            looked_at += 1
            assert s_components(short_circuit(net), most=100).coverable == "yes"
    assert looked_at > 50
