"""Exploration against plain search over the firing rule, closed forms, and published counts."""

from __future__ import annotations

import csv
import warnings
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from petriflow.analysis import explore, verify
from petriflow.analysis.space.compiler import warm
from petriflow.analysis.space.graph import IntGraph, _most_tokens_of_many
from petriflow.formats import read_pnml
from petriflow.net import Marking, Net, Place, replay
from petriflow.net.errors import FormatNote, WorkflowNetError
from petriflow.patterns import parallel

from ..nets import brute_force, is_sound, nets

LIMIT = 400


@given(nets())
def test_exploration_finds_what_plain_search_finds(net: Net) -> None:
    graph = brute_force(net, LIMIT)
    space = explore(net, max_markings=LIMIT)
    if graph is None:
        assert not space.complete
        return
    assert space.complete
    assert {space.marking(n) for n in range(space.markings)} == graph.keys()
    assert space.markings == len(graph)
    assert space.edges == sum(len({*firings}) for firings in graph.values())
    assert space.deadlocks == sum(not firings for firings in graph.values())
    assert space.max_tokens_in_place == max(max(m.values(), default=0) for m in graph)
    assert space.max_tokens_per_marking == max(m.total for m in graph)


@pytest.mark.promise("VERIFY-1")
@given(nets())
def test_the_verdict_is_the_definitions(net: Net) -> None:
    graph = brute_force(net, LIMIT)
    report = verify(net, max_markings=LIMIT)
    if graph is not None:
        assert report.verdict == ("sound" if is_sound(net, graph) else "unsound")
    elif report.verdict == "unsound":
        assert report.witness is not None
    else:
        assert report.verdict == "unknown"


@pytest.mark.promise("VERIFY-5")
@given(nets())
def test_dead_transitions_are_exactly_those_that_never_fire(net: Net) -> None:
    graph = brute_force(net, LIMIT)
    if graph is None:
        return
    alive = {t for firings in graph.values() for t, _ in firings}
    faults = {fault.kind: fault for fault in verify(net).faults}
    dead = faults["dead-transitions"].transitions if "dead-transitions" in faults else ()
    assert set(dead) == {t.id for t in net.transitions} - alive


@pytest.mark.promise("VERIFY-4")
@given(nets())
def test_every_witness_replays(net: Net) -> None:
    report = verify(net, form="expanded", max_markings=LIMIT)
    for fault in report.faults:
        *_, last = replay(report.net, fault.trace)
        assert last == fault.marking


@given(nets(plain=True))
def test_a_witness_is_a_shortest_one(net: Net) -> None:
    graph = brute_force(net, LIMIT)
    if graph is None:
        return
    depth, queue = {net.initial_marking: 0}, [net.initial_marking]
    for marking in queue:
        for _, after in graph[marking]:
            if after not in depth:
                depth[after] = depth[marking] + 1
                queue.append(after)
    for fault in verify(net).faults:
        if fault.kind in ("deadlock", "improper-completion"):
            end = Marking("o")
            bad = [
                depth[m]
                for m in graph
                if (end < m if fault.kind != "deadlock" else not graph[m] and not end <= m)
            ]
            assert len(fault.trace) == min(bad)


@pytest.mark.promise("VERIFY-6")
@given(nets(plain=True))
def test_a_plain_net_that_grows_is_found_to_grow(net: Net) -> None:
    """Two markings on one path, one within the other: the net is unbounded, and the reverse."""
    space = explore(net, max_markings=3_000)
    assert space.complete or space.pump is not None
    if space.pump is not None:
        *_, before = replay(net, space.pump.trace)
        *_, after = replay(net, (*space.pump.trace, *space.pump.segment))
        assert before < after
        assert {p for p in after if after[p] > before[p]} == set(space.pump.grows)
        *_, again = replay(net, (*space.pump.trace, *space.pump.segment * 5))
        assert all(again[p] - after[p] == 4 * (after[p] - before[p]) for p in space.pump.grows)


@pytest.mark.promise("VERIFY-6")
@given(nets())
def test_what_is_said_to_grow_grows_as_often_as_one_likes(net: Net) -> None:
    space = explore(net, max_markings=LIMIT)
    if space.pump is not None:
        markings = list(replay(net, (*space.pump.trace, *space.pump.segment * 4)))
        step = len(space.pump.segment)
        rounds = markings[len(space.pump.trace) :: step]
        assert all(a < b for a, b in pairwise(rounds))
        if any(t.reset or t.inhibitor for t in net.transitions):
            kinds = {f.kind for f in verify(net, max_markings=LIMIT).faults}
            assert "unbounded" not in kinds


@pytest.mark.promise("VERIFY-3")
@given(st.integers(1, 28))
def test_a_limit_never_yields_sound(limit: int) -> None:
    """Where nothing but a search decides: each step tests a place for absence, and so no method
    that leaves markings out applies.
    """

    def a(case: object) -> None: ...
    def b(case: object) -> None: ...
    def c(case: object) -> None: ...

    plain = parallel(a, b, c).net.expanded()
    net = Net(
        plain.name,
        (*plain.places, Place("never")),
        tuple(replace(t, inhibitor=Marking("never")) for t in plain.transitions),
        Marking(plain.source.id),
        Marking(plain.sink.id),
        form="expanded",
    )
    report = verify(net, max_markings=limit)
    assert report.verdict == "unknown"  # the net has 3³ + 2 = 29 markings
    assert (report.markings, report.edges, report.bound) == (None, None, None)
    assert verify(net, max_markings=29).verdict == "sound"


@pytest.mark.promise("VERIFY-3")
def test_a_fault_found_before_the_limit_counts() -> None:
    builder = Net.build("wide").places("i", "trap", *(f"p{n}" for n in range(100)), "o")
    builder.silent("t", "i", "trap")
    for n in range(100):
        builder.silent(f"a{n}", "i" if n == 0 else f"p{n - 1}", f"p{n}")
    builder.silent("z", "p99", "o").silent("never", ["trap", "p0"], "o")
    report = verify(builder.done(), max_markings=20)
    assert report.verdict == "unsound"
    assert report.witness is not None
    assert report.witness.kind == "deadlock"


def test_lanes_widen_where_tokens_are_many() -> None:
    """A weight of 1,000 needs sixteen bits, and 70,000 tokens on one place more."""
    net = (
        Net.build()
        .places("i", "p", "o")
        .silent("split", "i", {"p": 70_000})
        .silent("join", {"p": 70_000}, "o")
        .done()
    )
    space = explore(net)
    assert (space.markings, space.edges, space.max_tokens_in_place) == (3, 2, 70_000)
    doubling = Net.build().places("i", "o").transition("t", "i", {"i": 2}).final("o").done()
    grown = explore(doubling, initial=Marking("i"), max_markings=1_000)
    assert grown.pump is not None


def test_a_net_that_is_its_own_end() -> None:
    net = Net.build("still").place("p").done()
    assert verify(net).verdict == "sound"
    assert explore(net).markings == 1


@pytest.mark.promise("VERIFY-2")
def test_the_form_is_named_and_a_net_is_judged_as_it_is_given() -> None:
    def a(case: object) -> None: ...

    net = parallel(a).net
    assert (verify(net).form, verify(net).markings) == ("atomic", 4)
    assert (verify(net, form="expanded").form, verify(net, form="expanded").markings) == (
        "expanded", 5,
    )  # fmt: skip


@pytest.mark.promise("NET-6")
def test_several_sources_or_sinks_are_named() -> None:
    net = Net.build("two").places("a", "b", "o").silent("t", ["a", "b"], "o").done()
    with pytest.raises(WorkflowNetError, match=r"source place, and has 2: 'a', 'b'"):
        verify(net)
    net = Net.build("none").places("a", "o").silent("t", "a", ["a", "o"]).done()
    with pytest.raises(WorkflowNetError, match="source place, and has 0"):
        verify(net)


def test_a_broken_path_condition_is_a_warning_only() -> None:
    net = Net.build().places("i", "o", "x").silent("t", "i", "o").silent("u", "x", "x").done()
    net = Net(net.name, net.places, net.transitions, Marking("i"), Marking("o"))
    report = verify(net)
    assert "'u', 'x'" in report.warnings[0]
    assert report.witness is not None  # u can never happen
    assert report.witness.kind == "dead-transitions"


# -- nets that nobody here wrote -----------------------------------------------------------------


def rows_of(file: Path) -> list[dict[str, str]]:
    with file.open(encoding="utf-8") as lines:
        return list(csv.DictReader(lines))


@pytest.mark.slow
def test_the_published_state_spaces_are_counted_right(corpora: Path) -> None:
    rows = rows_of(corpora / "state_spaces" / "counts.csv")
    assert len(rows) == 7
    warm()  # so that the large ones do not begin in plain Python
    for row in rows:
        net = read_pnml(corpora / "state_spaces" / row["file"])
        space = explore(net, max_markings=5_000_000, edges=False)
        counts = {"markings": space.markings, "edges": space.edges, "deadlocks": space.deadlocks}
        assert counts == {what: int(row[what]) for what in counts}, row["file"]
        assert space.complete


@pytest.mark.slow
def test_the_industrial_nets_are_judged_right(corpora: Path) -> None:
    """All 686, none of them unknown; and counted right where all was looked at."""
    rows = rows_of(corpora / "industrial" / "verdicts.csv")
    assert len(rows) == 686
    for row in rows:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FormatNote)
            net = read_pnml(corpora / "industrial" / row["file"])
        report = verify(net)
        assert report.verdict == row["verdict"], row["file"]
        if row["markings"] and report.markings is not None:
            counted = (str(report.markings), str(report.edges))
            assert counted == (row["markings"], row["edges"]), row["file"]
        for fault in report.faults:
            *_, last = replay(net, fault.trace)
            assert last == fault.marking


@given(nets())
def test_the_most_tokens_of_many_states_are_those_of_few(net: Net) -> None:
    graph = explore(net, max_markings=LIMIT).graph
    assert isinstance(graph, IntGraph)
    size = len(graph.net.place_ids) * graph.width // 8
    assert _most_tokens_of_many(graph, size) == graph.most_tokens()
